/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file session.h  The tracer context.
 *
 * Threads. Linux ties each tracee to the one task that seized it, and lets any
 * thread's wait(2) of the same process swallow a tracee's stops. A session
 * therefore comes in two kinds:
 *
 *  - isolated (the default): a helper task, which shares the caller's memory
 *    and files but is a process of its own, does all tracing and waiting. Any
 *    thread of the program may call any function of this library on the
 *    session, several at once; the program's own SIGCHLD handler, wait(2) calls
 *    and children are never touched; the session has a pollable descriptor; and
 *    if the program dies, even by SIGKILL, the helper lives long enough to kill
 *    the tracees or to let them go in good order.
 *    Tracees launched from it have the helper as their parent. Should the
 *    helper itself be killed from outside, the kernel kills or frees the
 *    tracees as the death policy says (breakpoints stay in the memory of those
 *    that live), and every call returns STASIS_E_TRACER_DEAD. A descriptor by
 *    which it was just reading /proc then stays open in the program.
 *
 *  - direct (STASIS_SESSION_DIRECT): the thread that created the session is the
 *    tracer. Only that thread may use the session (others get
 *    STASIS_E_WRONG_THREAD). An event costs no change of thread, which makes it
 *    the choice of programs that do nothing but trace. Such a program leaves
 *    wait(2) for all its children to the session (children that are not tracees
 *    are left alone), does not ignore SIGCHLD, and finds SIGCHLD blocked in the
 *    creating thread while the session lives.
 *
 * A session belongs to the process that created it: in a child made by fork(2)
 * every call returns STASIS_E_WRONG_THREAD, and destroy frees nothing.
 *
 * The library prints nothing, never exits, and installs no signal handler in
 * the calling process.
 */
#ifndef STASIS_SESSION_H
#define STASIS_SESSION_H

#include <stasis/base.h>

STASIS_BEGIN_DECLS

/** What becomes of the tracees when the tracer dies without a word. */
enum stasis_death_policy {
	STASIS_DEATH_DEFAULT, /**< kill what was launched, let go what was attached; births follow their parent */
	STASIS_DEATH_KILL,    /**< all tracees are killed (PTRACE_O_EXITKILL) */
	STASIS_DEATH_RELEASE, /**< all tracees go on unharmed */
};

enum stasis_log_level {
	STASIS_LOG_ERROR, /**< a bug of the library or the kernel */
	STASIS_LOG_INFO,
	STASIS_LOG_DEBUG, /**< each ptrace and wait call with its answer */
};

/** Called on the tracing task; must not call back into the session. @p text has no newline. */
typedef void (*stasis_log_fn)(void *arg, enum stasis_log_level level, const char *domain, const char *text);

enum stasis_session_flags {
	STASIS_SESSION_DIRECT = 1 << 0, /**< the creating thread is the tracer: see "Threads" above */
	/** A tracee that has ended stays a zombie, which nobody else can collect, until stasis_exit_collect(). */
	STASIS_SESSION_KEEP_ENDED = 1 << 1,
	/**
	 * The kernel unblocks a fault's signal and resets its disposition: undo
	 * that for faults of the program's own too. What it was is looked up each
	 * time an LWP is set going, which is what this costs.
	 */
	STASIS_SESSION_KEEP_FAULTS = 1 << 2,
};

/** Options of a session. Zero it, set size, then what matters. */
struct stasis_session_opts {
	size_t size;	/**< sizeof(struct stasis_session_opts) */
	unsigned flags; /**< enum stasis_session_flags */
	enum stasis_death_policy death;
	stasis_log_fn log; /**< NULL: no log */
	void *log_arg;
	enum stasis_log_level log_level;
};

/**
 * Make a session. @p opts may be NULL: isolated, default death policy.
 * The session is owned by the caller, who ends it with stasis_session_destroy().
 * Errors: -ENOMEM, -EMFILE, -EAGAIN (no task to be had), STASIS_E_BAD_ARGUMENT;
 * for a direct session STASIS_E_BAD_STATE if SIGCHLD is ignored.
 */
STASIS_API STASIS_CHECK int stasis_session_create(const struct stasis_session_opts *opts,
						  struct stasis_session **session_ret);

/**
 * End a session: launched tracees are killed and reaped, attached ones detached
 * unharmed (or as the death policy says), then everything is freed. NULL is
 * allowed. Not while another thread uses the session; a direct session only on
 * its own thread.
 */
STASIS_API void stasis_session_destroy(struct stasis_session *session);

/**
 * A descriptor that poll(2) and friends see readable when stasis_wait() would
 * not block. Level-triggered; do not read from it. It belongs to the session:
 * the caller must not close it. It may be readable without an event (then
 * stasis_wait() with timeout 0 gives STASIS_E_TIMEOUT). In a direct session it
 * works on SIGCHLD, so all threads of the program must block that signal.
 */
STASIS_API STASIS_CHECK int stasis_session_fd(struct stasis_session *session);

/**
 * Make the stasis_wait() that blocks now, or else the next one, return
 * STASIS_E_INTERRUPTED. Any thread, and signal handlers, also in direct
 * sessions.
 */
STASIS_API void stasis_session_wake(struct stasis_session *session);

/** The process id that tracees see as their tracer: the helper's, or the caller's own in a direct session.
 * STASIS_E_TRACER_DEAD if the helper was killed. */
STASIS_API pid_t stasis_session_tracer_pid(struct stasis_session *session);

/** Change the death policy for one tracee, which need not be stopped. @return 0, STASIS_E_NOT_TRACED, STASIS_E_GONE,
 * STASIS_E_FILTERED (it was to live without us, and cannot: STASIS_SPAWN_FILTER). */
STASIS_API STASIS_CHECK int stasis_death_policy_set(struct stasis_session *session, pid_t pid,
						    enum stasis_death_policy policy);

STASIS_END_DECLS

#endif
