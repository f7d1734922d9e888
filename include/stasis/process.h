/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file process.h  Taking hold of processes, running them, letting them go.
 *
 * "Stopped" below: an all-stop event of the tracee was reported and the tracee
 * not resumed since. Requests that need a stopped tracee return STASIS_E_RUNNING
 * otherwise; those on one LWP also accept an LWP at rest in a thread-stop.
 * Any of them may return STASIS_E_GONE.
 */
#ifndef STASIS_PROCESS_H
#define STASIS_PROCESS_H

#include <signal.h>
#include <stasis/base.h>
#include <stasis/event.h>
#include <stasis/session.h>

STASIS_BEGIN_DECLS

enum stasis_spawn_flags {
	STASIS_SPAWN_NEW_PGROUP = 1 << 0,  /**< the child leads a new process group */
	STASIS_SPAWN_NO_ASLR = 1 << 1,	   /**< addresses are not randomised */
	STASIS_SPAWN_SEARCH_PATH = 1 << 2, /**< look for the program in PATH as execvp(3) does */
	/**
	 * Let the kernel tell the calls of `calls` from all others, which then cost next to nothing, by a seccomp(2)
	 * filter that the program and all its descendants keep to their end. They depend on the session: a call in the
	 * set would fail with ENOSYS if nobody answered. So:
	 *  - they die with the tracer: where the death policy says otherwise there is no filter, and
	 *    stasis_death_policy_set() and stasis_detach() say STASIS_E_FILTERED;
	 *  - who is let go at a birth (stasis_follow_set()) is no tracee any more, but served, unseen, to its own end
	 *    or that of the session, with which it ends;
	 *  - children made with CLONE_UNTRACED are tracees like all others;
	 *  - without CAP_SYS_ADMIN the program is set no_new_privs (programs get no privileges from their files while
	 *    traced by such a tracer in any case).
	 * Once a program installs a filter of its own every call of it stops, for what that filter refuses would not be
	 * seen; what one refuses that the caller is under itself is not. Where there can be no filter the calls are
	 * told apart here: stasis_process_info_get() says which, and why.
	 */
	STASIS_SPAWN_FILTER = 1 << 3,
};

/** Numbers from this on have no bit in a set of calls; no ABI has any. */
#define STASIS_CALL_NUMBERS 1024

/** A set of system calls. Zeroed it is empty. A plain value. */
struct stasis_call_set {
	uint64_t bits[3][STASIS_CALL_NUMBERS / 64]; /**< x86-64, i386, x32 (without that ABI's bit): bit number % 64 */
	bool others;				    /**< numbers that have no bit */
};

/** Add a call. Numbers too high set `others`; an ABI that has no calls here adds nothing. Any thread. */
STASIS_API void stasis_call_set_add(struct stasis_call_set *set, enum stasis_abi abi, uint64_t number);
/** Is it in the set? Any thread. */
STASIS_API bool stasis_call_set_has(const struct stasis_call_set *set, enum stasis_abi abi, uint64_t number);

/** What to launch. Zero it, set size, path and argv. */
struct stasis_spawn_opts {
	size_t size;
	unsigned flags;	       /**< enum stasis_spawn_flags */
	const char *path;      /**< program file */
	char *const *argv;     /**< NULL-terminated, argv[0] included */
	char *const *envp;     /**< NULL: the caller's environment */
	const char *directory; /**< working directory, NULL: the caller's */
	int stdio[3];	       /**< descriptors to become 0, 1, 2 if use_stdio */
	bool use_stdio;
	bool use_uid; /**< take uid and gid, and the supplementary groups below in place of all others */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
	/** System calls of the program and its descendants that are reported, as the event mask says; NULL: all. */
	const struct stasis_call_set *calls;
};

/**
 * Launch a program as a tracee. Its first event is STASIS_EVENT_ATTACHED, before
 * the first instruction of the program (the dynamic linker included). It starts
 * with the caller's signal mask and dispositions.
 * @return 0; -errno of whatever failed in the child up to and including exec
 * (-ENOENT, -EACCES...), STASIS_E_NOT_EXECUTABLE, STASIS_E_WRONG_MACHINE,
 * STASIS_E_BAD_ARGUMENT (no path or argv, unknown flags, another size, a filter
 * of no set); no process is left then.
 */
STASIS_API STASIS_CHECK int stasis_spawn(struct stasis_session *session, const struct stasis_spawn_opts *opts,
					 pid_t *pid_ret);

/**
 * Take hold of a running process with all its LWPs: seize and interrupt, never
 * SIGSTOP. Returns when every LWP rests; STASIS_EVENT_ATTACHED is then queued.
 * A process that was job-stopped stays job-stopped when resumed or let go.
 * @return 0; STASIS_E_NO_PROCESS, STASIS_E_ZOMBIE, STASIS_E_KERNEL_THREAD,
 * STASIS_E_TRACED_ELSEWHERE, STASIS_E_ALREADY_TRACED, STASIS_E_PERM*,
 * STASIS_E_BAD_ARGUMENT (a thread's tid, not a process id).
 */
STASIS_API STASIS_CHECK int stasis_attach(struct stasis_session *session, pid_t pid);

/**
 * Let a tracee go, whatever state it is in: running, stopped, with events kept
 * (they are dropped; signals among them are delivered). Breakpoints are removed,
 * system calls restarted. An LWP that waits in vfork cannot be let go before
 * its child has exec'ed or ended: it follows by itself then, in a direct session
 * during the stasis_wait() calls until STASIS_E_NO_TRACEE.
 * @param signal  delivered in place of the reported one: 0 none, a number, or
 * STASIS_SIGNAL_KEEP.
 * @return 0, STASIS_E_NOT_TRACED, STASIS_E_GONE, STASIS_E_BAD_ARGUMENT,
 * STASIS_E_FILTERED (see STASIS_SPAWN_FILTER).
 */
STASIS_API STASIS_CHECK int stasis_detach(struct stasis_session *session, pid_t pid, int signal);

/** SIGKILL. Legal in every state; STASIS_EVENT_KILLED follows. */
STASIS_API STASIS_CHECK int stasis_kill(struct stasis_session *session, pid_t pid);

/**
 * In a session with STASIS_SESSION_KEEP_ENDED: collect the zombie of a tracee
 * whose exited or killed event was reported, so that its natural parent may hear
 * of the end now and the pid becomes free.
 * @return 0, STASIS_E_NOT_TRACED, STASIS_E_BAD_STATE before that event.
 */
STASIS_API STASIS_CHECK int stasis_exit_collect(struct stasis_session *session, pid_t pid);

/**
 * Stop a running tracee: STASIS_EVENT_INTERRUPT follows, or, if another
 * all-stop event was quicker, that one alone. On a stopped tracee: 0, no event.
 */
STASIS_API STASIS_CHECK int stasis_interrupt(struct stasis_session *session, pid_t pid);

enum stasis_action {
	STASIS_CONTINUE = 0,
	STASIS_STEP, /**< one instruction, then STASIS_EVENT_STEP */
	STASIS_STAY, /**< this LWP rests on */
};

/** Deliver the signal that was reported (or none if none was). */
#define STASIS_SIGNAL_KEEP (-1)

/** What one LWP, or all others, shall do when the tracee is resumed. */
struct stasis_resume_spec {
	pid_t tid; /**< 0: every LWP that has no entry of its own */
	enum stasis_action action;
	int signal; /**< STASIS_SIGNAL_KEEP, 0 for none, or a signal to deliver to this LWP */
	bool set_pc;
	uint64_t pc; /**< where to go on, if set_pc (needs a tid) */
};

/**
 * Resume a stopped tracee. LWPs without an entry stay at rest; NULL with n 0
 * continues all with STASIS_SIGNAL_KEEP. Suspended LWPs rest on in any case. If
 * an event was kept it is reported next and nothing runs until the resume
 * after it; signals chosen here are remembered.
 * @return 0, STASIS_E_RUNNING, STASIS_E_BAD_LWP, STASIS_E_ALL_SUSPENDED,
 * STASIS_E_GONE, STASIS_E_NOT_TRACED.
 */
STASIS_API STASIS_CHECK int stasis_resume(struct stasis_session *session, pid_t pid,
					  const struct stasis_resume_spec *specs, size_t n);

/** Resume one LWP that rests in a thread-stop. STASIS_STAY is not allowed here. */
STASIS_API STASIS_CHECK int stasis_resume_lwp(struct stasis_session *session, pid_t tid, enum stasis_action action,
					      int signal);

/** Hold one LWP of a stopped tracee back through coming resumes, or no longer. */
STASIS_API STASIS_CHECK int stasis_lwp_suspend(struct stasis_session *session, pid_t tid);
STASIS_API STASIS_CHECK int stasis_lwp_unsuspend(struct stasis_session *session, pid_t tid);

/** Make every later continue of this LWP a step (and STASIS_EVENT_STEP follow each), or no longer. Tracee stopped. */
STASIS_API STASIS_CHECK int stasis_lwp_step_set(struct stasis_session *session, pid_t tid, bool step);

/** The siginfo of the signal an LWP is stopped with (STASIS_EVENT_SIGNAL), to read or replace. */
STASIS_API STASIS_CHECK int stasis_siginfo_get(struct stasis_session *session, pid_t tid, siginfo_t *info_ret);
STASIS_API STASIS_CHECK int stasis_siginfo_set(struct stasis_session *session, pid_t tid, const siginfo_t *info);

/** Signals in @p set go to the tracee without a report. Tracee @p pid, or with 0 those to come; births inherit. */
STASIS_API STASIS_CHECK int stasis_pass_signals_set(struct stasis_session *session, pid_t pid, const sigset_t *set);

enum stasis_state {
	STASIS_STATE_RUNNING = 1,
	STASIS_STATE_STOPPED,	  /**< at rest, requests possible */
	STASIS_STATE_UNREACHABLE, /**< at rest inside the kernel (vfork, uninterruptible sleep): no registers yet */
	STASIS_STATE_EXITING,
};

struct stasis_lwp_info {
	pid_t pid;
	pid_t tid;
	enum stasis_state state;
	bool suspended;
	bool stepping; /**< stasis_lwp_step_set() */
	char name[16];
	uint64_t signal_mask; /**< bit n-1 is signal n */
	uint64_t pending;     /**< pending for this LWP alone */
	uint64_t shared_pending;
	uint64_t tls_base; /**< fs base on x86-64, gs descriptor base on i386; 0 if unreachable */
};

struct stasis_process_info {
	pid_t pid;
	pid_t parent; /**< real parent */
	enum stasis_state state;
	enum stasis_event_kind birth; /**< ATTACHED, or the birth that made it */
	bool launched;		      /**< by stasis_spawn(), or descended from such */
	bool job_stopped;
	enum stasis_abi abi; /**< of its present image */
	size_t lwp_count;    /**< known LWPs alive */
	bool filtered;	     /**< it runs under a filter of ours: STASIS_SPAWN_FILTER */
	/** Where a filter was asked for and there is none, why: -errno of seccomp(2) (-EACCES: without CAP_SYS_ADMIN it
	    would take privileges from programs that have them now), STASIS_E_BAD_STATE (the death policy), -E2BIG. */
	int filter_error;
};

/** Pids of all tracees; writes at most @p cap, says in @p n_ret how many there are. */
STASIS_API STASIS_CHECK int stasis_process_list(struct stasis_session *session, pid_t *pids, size_t cap, size_t *n_ret);
STASIS_API STASIS_CHECK int stasis_process_info_get(struct stasis_session *session, pid_t pid,
						    struct stasis_process_info *info_ret);
/** Tids of all LWPs of a tracee, the oldest first; as stasis_process_list(). */
STASIS_API STASIS_CHECK int stasis_lwp_list(struct stasis_session *session, pid_t pid, pid_t *tids, size_t cap,
					    size_t *n_ret);
STASIS_API STASIS_CHECK int stasis_lwp_info_get(struct stasis_session *session, pid_t tid,
						struct stasis_lwp_info *info_ret);

STASIS_END_DECLS

#endif
