/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the NetBSD layer share.
 *
 * The program has one session. A thread, the pump, takes each event from it and
 * files it with the tracee it is of; the wait functions look there. A second
 * thread, the host, attaches the volunteers: children that called PT_TRACE_ME.
 * One lock guards everything; nothing that blocks is done under it but requests
 * to the session.
 */
#ifndef STS_NETBSD_H
#define STS_NETBSD_H

#include <pthread.h>
#include <stasis/stasis.h>
#include <stdatomic.h>
#include <sys/ptrace.h>
#include <sys/queue.h>
#include <sys/resource.h>

/* --- volunteers: memory shared with the children --------------------------------- */

#define STS_NETBSD_SLOTS 128

enum sts_slot_state { STS_SLOT_FREE, STS_SLOT_CLAIMED, STS_SLOT_POSTED, STS_SLOT_ANSWERED };

struct sts_slot {
	atomic_uint state;
	_Atomic pid_t pid; /* the volunteer */
	bool vforked;	   /* it runs in its parent's memory */
	int error;	   /* the answer: 0 or errno */
};

struct sts_page {
	pid_t owner;	    /* whose children may ask */
	atomic_uint served; /* somebody answers */
	atomic_uint posts;  /* counts what was posted */
	struct sts_slot slots[STS_NETBSD_SLOTS];
};

/* --- tracees ------------------------------------------------------------------------ */

enum sts_tracee_state {
	STS_TRACEE_RUNNING,
	STS_TRACEE_STOPPED, /* no wait function told of it yet */
	STS_TRACEE_WAITED,  /* one did: requests are possible */
	STS_TRACEE_ENDED,   /* no wait function told of it yet */
};

struct sts_tracee {
	LIST_ENTRY(sts_tracee) link;
	pid_t pid, pgid;
	enum sts_tracee_state state;
	int status;	       /* of the stop or the end, as wait(2) shows it */
	struct sts_slot *slot; /* a volunteer that awaits its answer */
	bool vforked;	       /* its tracer sleeps until it calls exec or ends: it must not be stopped */
	lwpid_t lwp;	       /* that reported the stop */
	enum stasis_event_kind kind;
	struct ptrace_siginfo info;
	struct ptrace_siginfo given; /* the signal that PT_CONTINUE gave it; si_signo 0: none */
	struct ptrace_state report;
	long dr6; /* of the LWP that reported: the session has taken it from the kernel */
	int event_mask;
	sigset_t pass;
	lwpid_t *called; /* LWPs in a call whose entry was told */
	size_t n_called, called_room;
	unsigned conts; /* SIGCONTs of ours that are under way */
	bool killed;	/* by PT_KILL: no stop is told any more */
	bool syscalls;	/* set going by PT_SYSCALL */
	bool emulate;	/* PT_SYSCALLEMU: the call shall not run */
	bool emulated;	/* nor shall its exit be told */
	bool result_set;
	long result; /* of the emulated call: RAX as PT_SETREGS left it */
};
LIST_HEAD(sts_tracees, sts_tracee);

struct sts_tracer {
	pthread_mutex_t lock;
	_Atomic pid_t owner; /* process whose state this is; 0: not started */
	bool ending;
	struct stasis_session *session;
	struct sts_tracees tracees;
	atomic_uint changed;  /* futex: some tracee's state is another */
	atomic_uint attached; /* futex: the session has one more tracee */
	pthread_t pump, host;
	struct sts_page *page;	 /* for our children */
	int page_fd;		 /* of its file, where those find it that have executed a program; 0: none */
	struct sts_page *parent; /* where we can ask */
};

extern struct sts_tracer sts_netbsd;

/* --- tracer.c ------------------------------------------------------------------------- */
/* Make this process a tracer, if it is none. The lock is held. 0 or errno. */
int sts_netbsd_start(void);
/* Whether this memory is that of the process it says: not in a child of vfork(2) or of a raw clone(2). */
bool sts_netbsd_ours(void);
void sts_netbsd_lock(void);
void sts_netbsd_unlock(void);
void sts_netbsd_changed(void);
/* Sleep until the word is another, -1 with errno EINTR if a handler ran. */
int sts_netbsd_sleep(atomic_uint *word, unsigned seen);
/* The same for no longer than this: 0, or -1 and errno, EAGAIN if it is another already. */
int sts_netbsd_sleep_for(atomic_uint *word, unsigned seen, const struct timespec *limit);
void sts_netbsd_wake(atomic_uint *word);
int sts_netbsd_thread(pthread_t *ret, void *(*body)(void *), void *arg);
struct sts_tracee *sts_netbsd_find(pid_t pid);
/* NULL without memory. */
struct sts_tracee *sts_netbsd_add(pid_t pid);
void sts_netbsd_remove(struct sts_tracee *t);
void sts_netbsd_remove_all(void);
/* Attach it: 0 or an errno; a thread's id is no process (ESRCH). Who waits for attachments is to be woken then. */
int sts_netbsd_take(pid_t pid, struct sts_tracee **ret);
/* errno for an error of the session. */
int sts_netbsd_errno(int error);
/* A number in /proc/PID/status, -1 if there is no such process. */
long sts_netbsd_status_field(pid_t pid, const char *name, int base);

/* --- events.c --------------------------------------------------------------------------- */
void *sts_netbsd_pump(void *arg);
/* Tell the session which events are wanted. */
int sts_netbsd_mask_apply(const struct sts_tracee *t);
struct stasis_event_mask sts_netbsd_mask(int event_mask, bool syscalls);

/* --- calls.c -------------------------------------------------------------------------------- */
void sts_netbsd_call_entered(struct sts_tracee *t, lwpid_t lwp);
/* Whether its entry was told. */
bool sts_netbsd_call_left(struct sts_tracee *t, lwpid_t lwp);
void sts_netbsd_call_execed(struct sts_tracee *t, lwpid_t former);

/* --- volunteer.c -------------------------------------------------------------------------- */
void *sts_netbsd_host(void *arg);
/* The page and its file; 0 or errno. */
int sts_netbsd_page_make(void);
void sts_netbsd_page_end(void);
int sts_netbsd_volunteer(void);
void sts_netbsd_answer(struct sts_slot *slot, int error);

/* --- wait.c -------------------------------------------------------------------------------- */
/* Whether a thread sleeps that will be told of what the tracee has to tell. */
bool sts_netbsd_is_slept_for(const struct sts_tracee *t);
/* In a child: they are the parent's. */
void sts_netbsd_sleepers_forget(void);

/* --- watch.c ------------------------------------------------------------------------------- */
/* Have `changed` bumped when an ordinary child does something that waitid() with these arguments would tell. */
int sts_netbsd_watch(int idtype, pid_t id, int options);
void sts_netbsd_watch_end(void);
/* In a child: they are the parent's. */
void sts_netbsd_watch_forget(void);

/* --- inspect.c: requests that look into a stopped tracee; 0 or errno -------------------------- */
/* Those alive, the oldest first; the caller frees. They rest, so the list holds. */
int sts_netbsd_lwps(const struct sts_tracee *t, pid_t **ret, size_t *n_ret);
/* An LWP as requests name it: 0 is the first. ESRCH if the tracee has none of that id. */
int sts_netbsd_lwp_arg(const struct sts_tracee *t, int data, lwpid_t *ret);
int sts_netbsd_lwpinfo(struct sts_tracee *t, void *addr, int size);
int sts_netbsd_lwpstatus(struct sts_tracee *t, int request, void *addr, int size);
int sts_netbsd_word(struct sts_tracee *t, int request, void *addr, int *word);
int sts_netbsd_io(struct sts_tracee *t, struct ptrace_io_desc *io);

/* --- core.c -------------------------------------------------------------------------------------- */
int sts_netbsd_dump(struct sts_tracee *t, const char *path, int len);

/* --- sysctl.c ------------------------------------------------------------------------------------ */
struct kinfo_proc2;
/* What is known of it; 0 or errno. */
int sts_netbsd_process(pid_t pid, struct kinfo_proc2 *ret);

/* --- usage.c ------------------------------------------------------------------------------------- */
/* What a process and its collected children have used; zero if there is no such process. */
void sts_netbsd_usage(pid_t pid, struct rusage *self, struct rusage *children);
/* Times and faults; sign is 1 or -1. */
void sts_netbsd_usage_add(struct rusage *to, const struct rusage *what, int sign);

/* --- regs.c ------------------------------------------------------------------------------------ */
bool sts_netbsd_is_regs(int request);
int sts_netbsd_regs(struct sts_tracee *t, int request, void *addr, int data);

#endif
