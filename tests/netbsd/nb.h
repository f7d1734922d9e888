/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the NetBSD interface are written with. Each program is
 * compiled once for each wait function, which nb_wait() then uses; those that
 * take no pid get what others did as well, and keep it until it is asked for.
 */
#ifndef NB_H
#define NB_H

#include <errno.h>
#include <lwp.h>
#include <sys/cdefs.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define NB_HERE ((void *)1) /* PT_CONTINUE and its kin: from where it was */

/* The request must succeed. */
#define NB_OK(expr_) STS_SYS(expr_)
/* It must fail with this errno. */
#define NB_FAILS(errno_, expr_) nb_fails_((errno_), (expr_), #expr_, __FILE__, __LINE__)
void nb_fails_(int wanted, int result, const char *text, const char *file, int line);

/* In a child: a failed check ends it with this status, which no case expects. */
#define NB_CHILD_BAD 99
#define NB_CHILD(cond_)                                                                                                \
	do {                                                                                                           \
		if (!(cond_))                                                                                          \
			_exit(NB_CHILD_BAD);                                                                           \
	} while (0)

/* Whether the wait function under test takes a pid. */
bool nb_wait_has_pid(void);
/* The status that it tells of this process next. */
int nb_wait(pid_t pid);
/* The same without waiting: false if there is none yet. For a case with one process; wait() has wait4() for it. */
bool nb_poll(pid_t pid, int *status_ret);
/* No tracee and no child is left: ECHILD. */
void nb_wait_none(void);

#define nb_stopped(pid_, signal_) nb_stopped_((pid_), (signal_), __FILE__, __LINE__)
#define nb_exited(pid_, status_) nb_status_((pid_), W_EXITCODE((status_), 0), __FILE__, __LINE__)
#define nb_killed(pid_, signal_) nb_killed_((pid_), (signal_), __FILE__, __LINE__)
void nb_stopped_(pid_t pid, int signal, const char *file, int line);
void nb_status_(pid_t pid, int status, const char *file, int line);
void nb_killed_(pid_t pid, int signal, const char *file, int line);

/* SIGTRAP with this code; its siginfo. */
#define nb_trapped(pid_, code_) nb_trapped_((pid_), (code_), __FILE__, __LINE__)
struct ptrace_siginfo nb_trapped_(pid_t pid, int code, const char *file, int line);

struct ptrace_siginfo nb_siginfo(pid_t pid);
struct ptrace_state nb_state(pid_t pid);
/* The state must be all zero, as it is at every stop that is no birth and no LWP's. */
void nb_state_none(pid_t pid);
void nb_events(pid_t pid, int mask);
void nb_continue(pid_t pid, int signal);
void nb_syscall(pid_t pid);

/* A child that volunteers, stops itself, and then does this; it ends with what the function returns. Stopped by
 * SIGSTOP when this returns. */
pid_t nb_volunteer(int (*body)(void *), void *arg);
/* The same without volunteering: it does it at once. */
pid_t nb_child(int (*body)(void *), void *arg);

/* The end of a case: nothing may be left. */
void nb_end(void);

#endif
