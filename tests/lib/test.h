/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file test.h  The test library: what a case is written with.
 *
 *	#include "test.h"
 *
 *	STS_TC(reports_fork, 10, "fork is reported to the parent before the child's first event")
 *	{
 *		struct stasis_session *s = sts_session();
 *		...
 *	}
 *
 * A case needs no registration and the file no main(): the name of the file in
 * the suite's meson.build list is all. docs/WRITE-A-TEST.md tells the rest.
 *
 * Around each case stands a supervisor. The body runs in a child process of its
 * own, leader of its own process group (so that job control works in it: its
 * group is not orphaned), the supervisor being the reaper of its orphans, as
 * init is elsewhere. A case fails if, when it ends,
 *  - a child of it is left over in any state, zombies and tracing helpers
 *    (clone with CLONE_VM) included;
 *  - a descendant that it no longer has for a child is still alive two seconds
 *    later;
 *  - a thread besides the one it began with is alive;
 *  - a descriptor is open that was not at the start, or the other way round, or
 *    one leads elsewhere than it did;
 *  - it runs longer than its time.
 * However it ends, every process it left is killed. A case that fails by itself
 * keeps its own message.
 *
 * Never sleep to give something time to happen: await a step (sts_pipe_await), a
 * state (sts_await_state), an event (sts_expect_event). All of these give up, and
 * fail the case, after sts_bound_ms().
 *
 * Environment:
 *  STASIS_TEST_TIME_FACTOR  multiplies every time limit (sanitizers, slow machines)
 *  STASIS_TEST_SEED         see sts_seed()
 *  STASIS_STRESS_ROUNDS     see sts_rounds()
 *  STASIS_TEST_BARE         run the body without supervisor, limits and checks, for a debugger
 */
#ifndef STS_TEST_H
#define STS_TEST_H

#include <atf-c.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <stasis/stasis.h>

#include "shared.h"

/* ---- cases ---- */

enum sts_kind {
	STS_ANY,      /* makes no session, or makes its own */
	STS_ISOLATED, /* sts_session() makes an isolated session */
	STS_DIRECT,   /* sts_session() makes a direct session */
};

struct sts_case {
	const char *name;
	unsigned timeout_s;
	const char *descr;
	void (*body)(void);
	enum sts_kind kind;
	/* What a case may add after its description, as `.require_user = "root"`; skipped where it is not met. */
	const char *require_user;  /* "root" or "unprivileged" */
	const char *require_progs; /* programs in PATH, separated by spaces */
	struct sts_case *next;
};

/* Define a case: STS_TC(name, seconds, "what must hold" [, .field = value...]) { body } */
#define STS_TC(name_, timeout_, ...)                                                                                   \
	static void sts_body_##name_(void);                                                                            \
	STS_CASE_(name_, name_, timeout_, STS_ANY, __VA_ARGS__)                                                        \
	static void sts_body_##name_(void)

/* The same body as two cases, NAME_isolated and NAME_direct: sts_session() makes the kind of session in question. */
#define STS_TC_BOTH(name_, timeout_, ...)                                                                              \
	static void sts_body_##name_(void);                                                                            \
	STS_CASE_(name_, name_##_isolated, timeout_, STS_ISOLATED, __VA_ARGS__)                                        \
	STS_CASE_(name_, name_##_direct, timeout_, STS_DIRECT, __VA_ARGS__)                                            \
	static void sts_body_##name_(void)

#define STS_CASE_(body_, ident_, timeout_, kind_, ...)                                                                 \
	__attribute__((constructor)) static void sts_register_##ident_(void)                                           \
	{                                                                                                              \
		static struct sts_case c = {#ident_, timeout_, .body = sts_body_##body_, .kind = kind_,                \
					    .descr = __VA_ARGS__};                                                     \
		sts_case_register(&c);                                                                                 \
	}

void sts_case_register(struct sts_case *c);

/* The kind of session the running case is for. */
enum sts_kind sts_kind(void);

/* How long the helpers below wait before they fail the case: 10 s times STASIS_TEST_TIME_FACTOR. */
int sts_bound_ms(void);

/*
 * How many rounds to make of something that takes `full` rounds to be a stress
 * test. The factor STASIS_STRESS_ROUNDS is 1 in `./dev stress` and 0.05 if unset;
 * never less than `least`.
 */
unsigned sts_rounds(unsigned full, unsigned least);

/* A seed for what a case does at random: STASIS_TEST_SEED, or a new one. Printed, so that a failure can be repeated. */
uint64_t sts_seed(void);
/* The next number of a sequence begun with sts_seed(): splitmix64. */
uint64_t sts_random(uint64_t *state);

/* ---- failing with a reason ---- */

/* The call must succeed (not be negative); the value of the expression. */
#define STS_OK(expr_) sts_check_ok((expr_), #expr_, __FILE__, __LINE__, NULL)
/* The same with what the session knows of the error. */
#define STS_OK_S(session_, expr_) sts_check_ok((expr_), #expr_, __FILE__, __LINE__, (session_))
/* The call must fail with this very code. */
#define STS_FAILS(code_, expr_) sts_check_fails((code_), (expr_), #expr_, __FILE__, __LINE__)
/* A system or libc call that must not return -1; the value of the expression. */
#define STS_SYS(expr_) sts_check_sys((long)(expr_), #expr_, __FILE__, __LINE__)

int sts_check_ok(int result, const char *text, const char *file, int line, struct stasis_session *session);
void sts_check_fails(int wanted, int result, const char *text, const char *file, int line);
long sts_check_sys(long result, const char *text, const char *file, int line);

/* ---- sessions and events ---- */

/* A session of the case's kind (isolated for STS_TC); end it with stasis_session_destroy(). */
struct stasis_session *sts_session(void);
/* The same with options of one's own; the flag STASIS_SESSION_DIRECT is set as the case's kind says. */
struct stasis_session *sts_session_with(struct stasis_session_opts *opts);

/* Wait for the next event of any tracee; fails unless it is of this kind. `ev` may be NULL. */
#define sts_expect_event(session_, kind_, ev_) sts_expect_((session_), 0, (kind_), (ev_), __FILE__, __LINE__)
/* The same for the next event of tracee `pid`. */
#define sts_expect_event_of(session_, pid_, kind_, ev_)                                                                \
	sts_expect_((session_), (pid_), (kind_), (ev_), __FILE__, __LINE__)
/* Wait for the next event of tracee `pid` (0: any), whatever it is. */
#define sts_next_event(session_, pid_, ev_) sts_next_((session_), (pid_), (ev_), __FILE__, __LINE__)
/* The end of tracee `pid`: its next event must be EXITED with this status. */
#define sts_expect_exit(session_, pid_, status_) sts_expect_exit_((session_), (pid_), (status_), __FILE__, __LINE__)
/* No event may be there now. Says nothing of the future: rendezvous with the target first. */
#define sts_expect_quiet(session_) sts_expect_quiet_((session_), __FILE__, __LINE__)

void sts_expect_(struct stasis_session *session, pid_t pid, enum stasis_event_kind kind, struct stasis_event *ev,
		 const char *file, int line);
void sts_next_(struct stasis_session *session, pid_t pid, struct stasis_event *ev, const char *file, int line);
void sts_expect_exit_(struct stasis_session *session, pid_t pid, int status, const char *file, int line);
void sts_expect_quiet_(struct stasis_session *session, const char *file, int line);

/* An event in words, in `buf`, for messages. */
const char *sts_event_text(const struct stasis_event *ev, char *buf, size_t size);

/* Resume a tracee, everything as it was (stasis_resume with no specs). */
void sts_resume(struct stasis_session *session, pid_t pid);

/* Want these kinds only (all-stop), of tracee `pid` or, with 0, of those to come. */
void sts_want(struct stasis_session *session, pid_t pid, uint64_t all_stop);

/* ---- targets ---- */

/* The path of a target program of tests/targets ("counter", "counter-32", "counter-musl"). Skips the case if this build
 * lacks it. Static storage for the life of the case. */
const char *sts_target_path(const char *name);

/* Launch a target as a tracee and collect its ATTACHED event; arguments end with NULL. */
#define sts_launch(session_, ...) sts_launch_argv((session_), (const char *const[]){__VA_ARGS__, NULL})
pid_t sts_launch_argv(struct stasis_session *session, const char *const argv[]);

/* Start a target (or any absolute path) as a plain child, traced by nobody. */
#define sts_start(...) sts_start_argv((const char *const[]){__VA_ARGS__, NULL})
pid_t sts_start_argv(const char *const argv[]);
/* Wait, within the bound, for a child of ours to end; its wait status. */
int sts_reap(pid_t pid);
/* The child must end by exit with this status. */
void sts_reap_exit(pid_t pid, int status);
/* SIGKILL a child of ours and reap it. */
void sts_kill_reap(pid_t pid);
/* fork() that fails the case if it fails. The child ends with _exit(), and tells what it found by its status. */
pid_t sts_fork(void);

/* Attach, and collect the ATTACHED event. */
void sts_attach(struct stasis_session *session, pid_t pid);

/* The memory shared with targets started later in this case (see shared.h); released by itself when the case ends. */
struct sts_shared *sts_shared(void);
void sts_shared_release(void);
/* Wait within the bound until counter[i] is at least `value`. */
void sts_await_counter(unsigned i, uint64_t value);

/* ---- rendezvous ---- */

/*
 * Two pipes, and named steps through them. To meet a target program call
 * sts_pipe_open() before it is started: the target finds the pipes by itself
 * (sts_target_send, sts_target_await of shared.h). To meet a fork of one's own
 * call sts_pipe_child() in that fork first; its sends and awaits are then the
 * other side's. To meet several, use several: the n-th opened is the target's
 * number n-1.
 */
struct sts_pipe {
	int to[2];   /* case -> target */
	int from[2]; /* target -> case */
	unsigned index;
	bool child;
};
void sts_pipe_open(struct sts_pipe *p);
void sts_pipe_child(struct sts_pipe *p);
void sts_pipe_close(struct sts_pipe *p);
void sts_pipe_send(struct sts_pipe *p, const char *step);
/* Wait within the bound for this very step; fails at any other. */
void sts_pipe_await(struct sts_pipe *p, const char *step);
/* Whether a step waits to be read: for "has not got there yet" after something else proves that it could have. */
bool sts_pipe_pending(struct sts_pipe *p);

/* ---- looking at processes ---- */

/* State letter of an LWP as /proc shows it (R S D T t Z X), 0 if there is no such LWP. */
char sts_proc_state(pid_t pid, pid_t tid);
/* A process, or all tracees, and their LWPs as /proc has them, on stderr: for cases that are stuck. */
void sts_describe(pid_t pid);
void sts_describe_tracees(struct stasis_session *session);
/* Wait within the bound until the state is one of these letters ("tT"); "0" among them stands for gone. */
void sts_await_state(pid_t pid, pid_t tid, const char *letters);
/* Number of LWPs of a process, 0 if it is gone. */
unsigned sts_proc_lwps(pid_t pid);
/* The TracerPid of an LWP, 0 if none, -1 if there is no such LWP. */
pid_t sts_proc_tracer(pid_t tid);
/* A mask of /proc/PID/task/TID/status by its name ("SigBlk", "SigPnd", "ShdPnd", "SigIgn"). */
uint64_t sts_proc_mask(pid_t pid, pid_t tid, const char *name);
/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t sts_now_ms(void);

#endif
