/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The OS contract: every kernel primitive the control code uses. One folder per
 * OS implements it. Nothing here knows sessions, processes or events.
 *
 * Conventions: pointers are not NULL; 0 or positive is success, a negative
 * value is -errno; -ESRCH means the LWP is dying or not at rest, which is a
 * normal answer everywhere. Outputs are written on success only. All of it is
 * called on the tracing task, except where a function says "any task".
 */
#ifndef STS_OS_H
#define STS_OS_H

#include <signal.h>
#include <stasis/error.h>
#include <stasis/event.h>
#include <stasis/memory.h>
#include <stasis/process.h>
#include <stasis/regs.h>
#include "util/pool.h"

/* --- reports: what a wait tells of one LWP ------------------------------- */

enum sts_report_kind {
	STS_REPORT_SIGNAL = 1, /* about to deliver signal */
	STS_REPORT_INTERRUPT,  /* our interrupt, a new LWP's first stop, or the end of a job stop */
	STS_REPORT_GROUP,      /* stopped by job control with signal */
	STS_REPORT_SYSCALL,    /* entering or leaving a system call */
	STS_REPORT_FILTER,     /* entering one that a filter stops at */
	STS_REPORT_BIRTH,      /* made a process or an LWP */
	STS_REPORT_VFORK_DONE,
	STS_REPORT_EXEC,
	STS_REPORT_EXIT, /* about to die, registers still there */
	STS_REPORT_DEAD, /* wait status in status; still a zombie */
};

struct sts_report {
	pid_t tid;
	enum sts_report_kind kind;
	int signal;    /* SIGNAL, GROUP */
	int status;    /* DEAD: wait(2) status */
	bool vfork;    /* BIRTH: the kernel called it a vfork: the caller waits for the child */
	bool clone;    /* BIRTH: it may be that of an LWP */
	bool consumed; /* the stop will not be seen by another wait */
};

/* --- waiting (all of it in wait.c) ---------------------------------------- */

/* Look at the oldest stop or death of any tracee without consuming it. 1 if there is one, 0 if not; -ECHILD, -EINTR. */
int sts_os_wait_peek(bool block, struct sts_report *ret);
/* Consume the stop of any tracee, never a death. 1 or 0; -EBUSY: a stop that is not ours to see is in the way. */
int sts_os_wait_stop_any(struct sts_report *ret);
/* Consume the stop of this LWP. 1 or 0; -ECHILD if it is not ours (any more). */
int sts_os_wait_stop(pid_t tid, struct sts_report *ret);
/* As the last, but wait for the stop or the death (the latter is not consumed). */
int sts_os_wait_lwp(pid_t tid, struct sts_report *ret);
/* As the last, but a death is consumed, too. */
int sts_os_wait_take(pid_t tid, struct sts_report *ret);
/* Has this LWP died? Leaves the zombie. 1 or 0. */
int sts_os_wait_dead(pid_t tid, struct sts_report *ret);
/* Any death, as long as no stop stands before it. Leaves the zombie. 1 or 0. */
int sts_os_wait_dead_any(struct sts_report *ret);
/* Collect the zombie. 0 or -ECHILD. */
int sts_os_wait_reap(pid_t tid);

/* --- control --------------------------------------------------------------- */

enum sts_run {
	STS_RUN_CONTINUE,
	STS_RUN_STEP,
	STS_RUN_SYSCALL,
	STS_RUN_LISTEN, /* stay job-stopped, hear of its end */
};

/* filtered: it runs under a filter of sts_os_launch(). */
int sts_os_seize(pid_t tid, bool exit_kill, bool filtered);
int sts_os_options_set(pid_t tid, bool exit_kill, bool filtered);
int sts_os_interrupt(pid_t tid);
int sts_os_resume(pid_t tid, enum sts_run how, int signal);
int sts_os_detach(pid_t tid, int signal);
/* BIRTH, VFORK_DONE: child tid; EXEC: former tid; EXIT: wait status. */
int sts_os_event_message(pid_t tid, unsigned long *ret);
int sts_os_kill(pid_t pid, int signal);
int sts_os_tgkill(pid_t pid, pid_t tid, int signal);
/* Is tid an LWP of this process? false may also mean that it cannot be told. */
bool sts_os_lwp_of(pid_t pid, pid_t tid);
/* Queue a signal with this siginfo to one LWP. */
int sts_os_sigqueue(pid_t pid, pid_t tid, const siginfo_t *info);

int sts_os_siginfo_get(pid_t tid, siginfo_t *ret);
int sts_os_siginfo_set(pid_t tid, const siginfo_t *info);
int sts_os_sigmask_get(pid_t tid, uint64_t *ret);
int sts_os_sigmask_set(pid_t tid, uint64_t mask);
/* Does a trap (SIGTRAP raised by the CPU) wait for this LWP? 1 or 0. */
int sts_os_trap_pending(pid_t tid);

/* Does a signal that it does not block wait for this LWP, or for any of its process? 1 or 0. */
int sts_os_signal_due(pid_t tid);

/* Why a SIGTRAP stop came. */
enum sts_trap {
	STS_TRAP_NONE,	/* not the CPU's: somebody sent the signal */
	STS_TRAP_BREAK, /* breakpoint instruction */
	STS_TRAP_STEP,
	STS_TRAP_HARDWARE, /* debug register; perhaps a step too */
};
enum sts_trap sts_os_trap_kind(const siginfo_t *info);
/* A signal that the CPU raised for what this LWP did (SIGSEGV by access...), not one that was sent. */
bool sts_os_signal_is_fault(const siginfo_t *info);

/* --- registers --------------------------------------------------------------- */

int sts_os_regs_get(pid_t tid, struct stasis_regs_x86 *ret);
int sts_os_regs_set(pid_t tid, const struct stasis_regs_x86 *regs);
int sts_os_regset_get(pid_t tid, enum stasis_regset set, void *buf, size_t size, size_t *size_ret);
int sts_os_regset_set(pid_t tid, enum stasis_regset set, const void *buf, size_t size);
int sts_os_debugreg_get(pid_t tid, int n, uint64_t *ret);
int sts_os_debugreg_set(pid_t tid, int n, uint64_t value);

/* Base of the thread-local storage. */
uint64_t sts_os_tls_base(pid_t tid, const struct stasis_regs_x86 *regs);

/* --- system calls -------------------------------------------------------------- */

enum sts_syscall_phase {
	STS_SYSCALL_NONE,
	STS_SYSCALL_ENTRY,
	STS_SYSCALL_LEAVE,
	STS_SYSCALL_FILTERED, /* an entry that our filter stops at; comes after ENTRY where both are asked for */
	STS_SYSCALL_FOREIGN,  /* one that the program's own filter leaves to a tracer of its own */
};
/* At a SYSCALL or FILTER report. Fills all but args at LEAVE. */
int sts_os_syscall_info(pid_t tid, enum sts_syscall_phase *phase_ret, struct stasis_event_syscall *ret);
/* The call that BIRTH or EXIT happened in, from registers. */
struct sts_birth_call {
	bool known;
	uint64_t flags; /* clone flags with the exit signal in the low byte */
	uint64_t stack; /* child's stack as passed, 0 if none */
	uint64_t sp;	/* caller's stack pointer */
};
void sts_os_birth_call(pid_t tid, bool vfork, struct sts_birth_call *ret);
/* At an EXIT report: who asked for it. */
enum sts_exit_cause {
	STS_EXIT_ALONE, /* the LWP itself, for itself */
	STS_EXIT_GROUP, /* the LWP itself, for its whole process */
	STS_EXIT_OTHER, /* another LWP's exit or exec, or a signal */
};
enum sts_exit_cause sts_os_exit_cause(pid_t tid);
/*
 * At the entry of a call (FILTER report): if it would make a child that is hidden
 * from tracers, change that. 1: it was changed; 0: there is nothing to change.
 */
int sts_os_birth_uncover(pid_t tid, const struct stasis_event_syscall *call);
/* Put the caller's arguments back as they were. Of the parent or, with the same call, of the child. */
void sts_os_birth_cover(pid_t tid, const struct stasis_event_syscall *call);
/* Clone flags that matter for classification. */
bool sts_os_birth_is_lwp(uint64_t flags);
bool sts_os_birth_shares_memory(uint64_t flags);
enum stasis_event_kind sts_os_birth_classify(const struct sts_birth_call *call);
int sts_os_syscall_number_set(pid_t tid, uint64_t number, const uint64_t args[6]);
int sts_os_syscall_result_set(pid_t tid, int64_t result);
/* Do these registers stand behind a call that was broken off and that the kernel will restart? */
bool sts_os_call_restarts(const struct stasis_regs_x86 *regs);
/* Take these flags out of the copy that a call keeps of its caller's. false: none were there. */
bool sts_os_call_flags_hide(struct stasis_regs_x86 *regs, uint64_t flags);
/*
 * Make an LWP at rest run one system call of ours and come back to rest with
 * registers and mask as they were. -ESRCH if it died, else 0 and its result.
 * *stop_ret: the stop it ends in, INTERRUPT or GROUP; with -ESRCH also EXIT or
 * DEAD. Left alone if the LWP was never set going.
 */
int sts_os_syscall_inject(pid_t pid, pid_t tid, long number, const uint64_t args[6], int64_t *result_ret,
			  struct sts_report *stop_ret);

/* A signal's disposition as the kernel's structure, read and set by a call run inside the LWP (stop_ret: as above). */
#define STS_OS_ACTION_SIZE 32
int sts_os_signal_action_get(pid_t pid, pid_t tid, int signal, uint8_t action[STS_OS_ACTION_SIZE],
			     struct sts_report *stop_ret);
int sts_os_signal_action_set(pid_t pid, pid_t tid, int signal, const uint8_t action[STS_OS_ACTION_SIZE],
			     struct sts_report *stop_ret);

/* --- processes through the file system (any task) ------------------------------ */

/*
 * List the LWPs of a process. *complete_ret: the listing is known to have
 * missed none at its time. *n_ret entries, got from the pool, in *tids_ret.
 */
int sts_os_lwp_list(struct sts_pool *pool, pid_t pid, pid_t **tids_ret, size_t *n_ret, bool *complete_ret);
struct sts_task_status {
	char name[16];
	char state; /* R S D T t Z X I */
	pid_t tgid, parent, tracer;
	uint64_t mask, pending, shared_pending, ignored, caught;
};
int sts_os_task_status(pid_t pid, pid_t tid, struct sts_task_status *ret);
/* The one-letter state alone, 0 if gone. Cheap. */
char sts_os_task_state(pid_t pid, pid_t tid);
int sts_os_exe_path(pid_t pid, char *buf, size_t cap);
int sts_os_auxv(pid_t pid, void *buf, size_t cap, size_t *len_ret);
int sts_os_maps_each(pid_t pid, stasis_map_fn fn, void *arg);
/* ABI of the image that runs in pid. */
enum stasis_abi sts_os_image_abi(pid_t pid);

/* --- memory ------------------------------------------------------------------------ */

/* Bytes transferred (may be short), or -EFAULT if none, -ESRCH. Ignores page protections. */
ssize_t sts_os_memory_read(pid_t pid, uint64_t addr, void *buf, size_t len);
ssize_t sts_os_memory_write(pid_t pid, uint64_t addr, const void *buf, size_t len);
/*
 * All of it as the program's own load or store, which page protections (but not
 * protection keys) stop: 0, -EFAULT, -ESRCH. Eight bytes are one access to those
 * who look on, and so is any smaller number where the CPU copies short strings
 * fast; elsewhere fewer than eight may be seen to change one by one.
 */
int sts_os_memory_load(pid_t pid, uint64_t addr, void *buf, size_t len);
int sts_os_memory_store(pid_t pid, uint64_t addr, const void *buf, size_t len);

/* --- launching ----------------------------------------------------------------------- */

/* A call by which a program may install a filter of its own; ours stops at them all. */
bool sts_os_call_filters(const struct stasis_event_syscall *call);
struct sts_filter; /* stops at the calls of a set */
/* -ENOMEM, -E2BIG. To be freed when the launch is over. */
int sts_os_filter_make(struct sts_pool *pool, const struct stasis_call_set *set, struct sts_filter **ret);
void sts_os_filter_free(struct sts_filter *filter);

struct sts_launch {
	const struct stasis_spawn_opts *opts;
	char *const *envp;
	sigset_t mask;		  /* signal mask the program starts with */
	bool ignore_child_signal; /* SIGCHLD was ignored in the host */
	bool exit_kill;
	const struct sts_filter *filter; /* for the program and all its descendants, or NULL */
};
/*
 * Start the program and leave it seized and at rest in its EXEC report
 * (consumed). -errno of what failed in the child; no process is left then. That
 * minus STS_OS_FILTER_REFUSED if the kernel did not take the filter.
 */
#define STS_OS_FILTER_REFUSED 0x10000
int sts_os_launch(const struct sts_launch *launch, pid_t *pid_ret);
/* Why exec said ENOEXEC: STASIS_E_WRONG_MACHINE or STASIS_E_NOT_EXECUTABLE. */
int sts_os_exec_error(const char *path);

/* --- explanations ---------------------------------------------------------------------- */

/* After a seize failed: the code that says why, with the record filled. Any task. */
int sts_os_explain_eperm(pid_t pid, struct stasis_error_info *info);

/* --- tracing task and its wake-up ---------------------------------------------------------- */

struct sts_task; /* the helper task of an isolated session */
/*
 * Run fn(arg) on a task of its own that shares memory and files but is no thread of this process. When it has ended,
 * killed perhaps, over(arg) is called on a thread that no sanitizer may look at.
 */
int sts_os_task_start(void (*fn)(void *), void (*over)(void *), void *arg, struct sts_task **ret);
/* Wait for its end and free it. */
void sts_os_task_join(struct sts_task *task);
pid_t sts_os_task_pid(const struct sts_task *task);
bool sts_os_task_ended(const struct sts_task *task);

/* On the helper task, first thing: own signal set-up. *ignored_ret: SIGCHLD was ignored. */
int sts_os_task_signals_init(bool *ignored_ret);
/* After that: the host program was dead before the kernel could be asked to tell of it. */
bool sts_os_task_orphaned(pid_t host);
/* A descriptor readable when a tracee may have reported, or the host program died. */
int sts_os_child_fd(void);
/* Empty it. true if the host program, once our parent, is dead. */
bool sts_os_child_fd_drain(int fd, pid_t host);

/* Direct sessions: block SIGCHLD on this thread; false if it was blocked already. -EINVAL if it is ignored. */
int sts_os_child_signal_block(void);
void sts_os_child_signal_unblock(void);
/* Wait for SIGCHLD, at most so long. 0, -EAGAIN on time-out, -EINTR. */
int sts_os_child_signal_wait(int timeout_ms);
/* Make a blocked sts_os_wait_peek() of this process return: a child that ends at once. Async-signal-safe. *pid_ret: its
 * pid. */
void sts_os_doorbell(_Atomic pid_t *pid_ret);

#endif
