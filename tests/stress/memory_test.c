/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation of the engine fails in turn, while it launches or attaches,
 * follows births, steps over breakpoints, sets watchpoints, writes a core, stops and
 * lets go. A call may answer -ENOMEM;
 * nothing may crash, hang, go wrong later, or stay behind.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "storms.h"
#include "util/pool.h"

enum { WORKERS = 2, ITERATIONS = 12, FLAGS = STORM_WORK_BIRTHS | STORM_WORK_CHURN | STORM_WORK_SIGNALS };
/* How a trial ends, as exit status of its process. */
enum { COMPLETED = 10, /* the allocation to fail was never reached */ SURVIVED = 11, REFUSED = 12 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_INJECT false
static _Atomic long countdown;

static bool must_fail(void)
{
	return false;
}
#else
#define CAN_INJECT true

/* Allocations to go until one fails; 0: none will. */
static _Atomic long countdown;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static bool must_fail(void)
{
	if (atomic_load_explicit(&countdown, memory_order_relaxed) <= 0 || atomic_fetch_sub(&countdown, 1) != 1)
		return false;
	errno = ENOMEM;
	return true;
}

/* These take the place of the C library's in the whole program, the helper task included. */
void *malloc(size_t size)
{
	return must_fail() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return must_fail() ? NULL : __libc_realloc(p, size);
}
#endif

void *__real_sts_pool_get(struct sts_pool *pool, size_t size);
void *__wrap_sts_pool_get(struct sts_pool *pool, size_t size);

/* The engine's own, on the tracing task. */
void *__wrap_sts_pool_get(struct sts_pool *pool, size_t size)
{
	return must_fail() ? NULL : __real_sts_pool_get(pool, size);
}

/* One trial. Between arming and disarming it calls nothing but the engine. */
struct trial {
	struct storm st;
	struct stasis_spawn_opts spawn;
	struct stasis_session_opts opts;
	bool retries; /* ask again after -ENOMEM, and complete the work */
	bool refused; /* something was */
	pid_t pid;
	unsigned ends;
	bool planted;
	uint64_t hits;
};

static int asked(struct trial *t, int result)
{
	if (result == -ENOMEM)
		t->refused = true;
	return result;
}

/* Ask, and ask once more if memory was short and this trial is one that does not give up. */
#define ASK(t_, expr_)                                                                                                 \
	({                                                                                                             \
		int r_ = asked((t_), (expr_));                                                                         \
		if (r_ == -ENOMEM && (t_)->retries)                                                                    \
			r_ = (expr_);                                                                                  \
		r_;                                                                                                    \
	})

static int begin_session(struct trial *t)
{
	const struct stasis_event_mask mask = {
		.all_stop = STASIS_EVENTS_BIRTH | STASIS_EVENT_BIT(STASIS_EVENT_BREAKPOINT) |
			    STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL) | STASIS_EVENT_BIT(STASIS_EVENT_VFORK_DONE),
		.thread_stop = STASIS_EVENT_BIT(STASIS_EVENT_LWP_CREATE) | STASIS_EVENT_BIT(STASIS_EVENT_LWP_EXIT),
	};
	int r = ASK(t, stasis_session_create(&t->opts, &t->st.s));

	if (r == -EAGAIN) { /* what pthread_create says when its memory is short */
		t->refused = true;
		r = t->retries ? stasis_session_create(&t->opts, &t->st.s) : -ENOMEM;
	}
	if (r == 0)
		r = ASK(t, stasis_event_mask_set(t->st.s, 0, &mask));
	return r;
}

static int begin(struct trial *t)
{
	int r = begin_session(t);

	return r == 0 ? ASK(t, stasis_spawn(t->st.s, &t->spawn, &t->pid)) : r;
}

static int resume(struct trial *t, const struct stasis_event *ev)
{
	int r = 0;

	if (ev->stopped && ev->all_stop)
		r = ASK(t, stasis_resume(t->st.s, ev->pid, NULL, 0));
	else if (ev->stopped)
		r = ASK(t, stasis_resume_lwp(t->st.s, ev->tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
	return r == STASIS_E_GONE ? 0 : r;
}

static int look(struct trial *t)
{
	struct stasis_lwp_info info;
	pid_t tids[64];
	size_t n = 0;
	int r = ASK(t, stasis_lwp_list(t->st.s, t->pid, tids, 64, &n));

	for (size_t i = 0; i < n && r == 0; i++) {
		r = ASK(t, stasis_lwp_info_get(t->st.s, tids[i], &info));
		if (r == STASIS_E_GONE || r == STASIS_E_NOT_TRACED)
			r = 0;
	}
	return r;
}

/* Nobody writes there; it is there to be inherited. */
static int watch(struct trial *t)
{
	int slot, r = ASK(t, stasis_watch_insert(t->st.s, t->pid, 0, STASIS_WATCH_WRITE,
						 t->st.sh->address[0] & ~UINT64_C(7), 8,
						 STASIS_WATCH_NEW_LWPS | STASIS_WATCH_CHILDREN, &slot));

	return r == 0 && t->refused ? ASK(t, stasis_watch_remove(t->st.s, t->pid, slot)) : r;
}

/* A core that could not be written leaves nothing in the file. */
static int dump(struct trial *t)
{
	struct stat st;
	int fd = memfd_create("core", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	int r = ASK(t, stasis_core_write(t->st.s, t->pid, 0, fd));
	bool empty = fstat(fd, &st) == 0 && st.st_size == 0;
	close(fd);
	if (r <= 0 && empty != (r < 0))
		return STASIS_E_BAD_STATE;
	return r;
}

/* At the gate: breakpoints, a watchpoint, a core, then it may go. */
static int plant(struct trial *t)
{
	int r = watch(t);

	for (int i = 0; i < STORM_SITES && r == 0; i++)
		r = ASK(t, stasis_breakpoint_insert(t->st.s, t->pid, t->st.sh->address[i]));
	if (r == 0)
		r = dump(t);
	t->planted = r == 0;
	storm_open_gate(&t->st, 1);
	return r == 0 ? look(t) : r;
}

static int take(struct trial *t, const struct stasis_event *ev)
{
	int r = 0;

	if (ev->kind == STASIS_EVENT_EXITED && ev->pid == t->pid)
		t->ends++;
	if (ev->kind == STASIS_EVENT_KILLED)
		return STASIS_E_BAD_STATE; /* nobody kills here */
	if (ev->kind == STASIS_EVENT_BREAKPOINT && ev->pid == t->pid)
		t->hits++;
	if (ev->kind == STASIS_EVENT_INTERRUPT && ev->pid == t->pid && !t->planted)
		r = plant(t);
	return r == 0 ? resume(t, ev) : r;
}

static int run(struct trial *t)
{
	struct stasis_event ev;
	bool asked_to_stop = false;

	for (;;) {
		int r = ASK(t, stasis_wait(t->st.s, 0, asked_to_stop ? sts_bound_ms() : 1, &ev));

		if (r == STASIS_E_NO_TRACEE)
			return 0;
		if (r == 0)
			r = take(t, &ev);
		if (r == STASIS_E_TIMEOUT && !asked_to_stop) {
			asked_to_stop = atomic_load(&t->st.sh->at_gate) >= 1;
			r = asked_to_stop ? ASK(t, stasis_interrupt(t->st.s, t->pid)) : 0;
		}
		if (r < 0)
			return r;
	}
}

static void complain(const char *what, long n, const struct trial *t, int error)
{
	fprintf(stderr, "allocation %ld failing, %s: %s (%s)\n", n, t->retries ? "asked again" : "given up", what,
		stasis_error_name(error));
	_exit(1);
}

static uint64_t due_hits(const struct trial *t)
{
	/* Each worker passes the four sites once per turn; vfork's child runs as another process. */
	return (uint64_t)WORKERS * ITERATIONS * STORM_SITES;
}

/*
 * The dead may be left to us: grandchildren whose parent was killed before it
 * could collect them, or whom the kernel kills because their tracer has gone.
 */
static bool all_dead(void)
{
	uint64_t deadline = sts_now_ms() + sts_bound_ms();
	pid_t pid;

	do
		pid = waitpid(-1, NULL, WNOHANG | __WALL);
	while (pid > 0 || (pid == 0 && sts_now_ms() < deadline && sched_yield() == 0));
	return pid < 0 && errno == ECHILD;
}

static void describe_children(void)
{
	char path[64];
	int pid;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		sts_describe(pid);
	if (f)
		fclose(f);
}

/* In a process of its own, reaper of what the engine might leave. */
__attribute__((noreturn)) static void trial(struct trial *t, long n)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	atomic_store(&countdown, n);
	int r = begin(t);
	if (r == 0)
		r = run(t);
	bool reached = atomic_exchange(&countdown, 0) <= 0;
	stasis_session_destroy(t->st.s);
	if (r < 0 && !(r == -ENOMEM && t->refused && !t->retries))
		complain("wrong error", n, t, r);
	if (!all_dead()) {
		describe_children();
		complain("a process is left", n, t, r);
	}
	if (r < 0)
		_exit(REFUSED);
	if (t->ends != 1 || t->st.sh->failures || !t->st.sh->done)
		complain(t->st.sh->failures ? t->st.sh->failure : "the work was not completed", n, t, 0);
	if (t->hits < due_hits(t))
		complain("breakpoint hits were lost", n, t, 0);
	_exit(reached ? SURVIVED : COMPLETED);
}

/* ---- the same of attaching and letting go ---- */

enum { EVENTS_BEFORE_DETACH = 25 };

static int take_hold(struct trial *t)
{
	struct stasis_event ev;
	int r = begin_session(t);

	if (r == 0)
		r = ASK(t, stasis_attach(t->st.s, t->pid));
	if (r == 0)
		r = ASK(t, stasis_wait(t->st.s, t->pid, sts_bound_ms(), &ev));
	if (r == 0)
		r = plant(t);
	return r == 0 ? resume(t, &ev) : r;
}

static int follow_and_let_go(struct trial *t)
{
	struct stasis_event ev;
	int r = 0;

	for (int i = 0; i < EVENTS_BEFORE_DETACH && r == 0; i++) {
		r = ASK(t, stasis_wait(t->st.s, 0, sts_bound_ms(), &ev));
		if (r == 0)
			r = take(t, &ev);
	}
	if (r == 0)
		r = ASK(t, stasis_detach(t->st.s, t->pid, STASIS_SIGNAL_KEEP));
	return r;
}

/* The target is ours, and lives on whatever becomes of its tracer: its own end and its own account are the proof. */
static void see_it_end(struct trial *t, long n, int error)
{
	int status = 0;
	pid_t pid;

	storm_open_gate(&t->st, 1);
	do
		pid = waitpid(-1, &status, __WALL);
	while ((pid > 0 && pid != t->pid) || (pid < 0 && errno == EINTR));
	if (pid != t->pid || status != STORM_DONE_STATUS << 8 || t->st.sh->failures || !t->st.sh->done)
		complain("the target was harmed", n, t, error);
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

__attribute__((noreturn)) static void attach_trial(struct trial *t, long n)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	t->pid = sts_start_argv((const char *const *)t->spawn.argv);
	storm_await_gate(&t->st, 1);
	atomic_store(&countdown, n);
	int r = take_hold(t);
	if (r == 0)
		r = follow_and_let_go(t);
	bool reached = atomic_exchange(&countdown, 0) <= 0;
	stasis_session_destroy(t->st.s);
	if (r < 0 && !(r == -ENOMEM && t->refused && !t->retries))
		complain("wrong error", n, t, r);
	see_it_end(t, n, r);
	_exit(r < 0 ? REFUSED : reached ? SURVIVED : COMPLETED);
}

/* ---- all trials ---- */

static int run_trial(struct trial *t, void (*body)(struct trial *t, long n), long n)
{
	storm_reset(&t->st);
	pid_t pid = sts_fork();
	if (pid == 0)
		body(t, n);
	int status = sts_reap(pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) < COMPLETED)
		atf_tc_fail("allocation %ld failing: the tracer ended with wait status %#x", n, status);
	return WEXITSTATUS(status);
}

static void trials(void (*body)(struct trial *t, long n), bool retries)
{
	char workers[16], iterations[16], flags[16];
	struct trial t = {.retries = retries, .opts = {.size = sizeof t.opts}, .spawn = {.size = sizeof t.spawn}};
	unsigned survived = 0, refused = 0;
	int end;

	if (!CAN_INJECT)
		atf_tc_skip("sanitizers have an allocator of their own");
	storm_begin(&t.st);
	t.st.random = sts_seed();
	snprintf(workers, sizeof workers, "%d", WORKERS);
	snprintf(iterations, sizeof iterations, "%d", ITERATIONS);
	snprintf(flags, sizeof flags, "%d", FLAGS);
	t.spawn.path = sts_target_path("storm-work");
	char *const argv[] = {(char *)t.spawn.path, t.st.path, workers, iterations, flags, NULL};
	t.spawn.argv = argv;
	t.opts.flags = sts_kind() == STS_DIRECT ? STASIS_SESSION_DIRECT : 0;
	/* In the short form most are left out, but for the first ones, where most kinds are. */
	unsigned stride = sts_rounds(20, 1) >= 20 ? 1 : 20;
	for (long n = 1; (end = run_trial(&t, body, n)) != COMPLETED;
	     n += n < 40 ? 1 : 1 + (long)storm_random(&t.st, stride)) {
		survived += end == SURVIVED;
		refused += end == REFUSED;
	}
	fprintf(stderr, "%u trials were refused, %u survived\n", refused, survived);
	ATF_REQUIRE(refused + survived > 0);
	ATF_REQUIRE(retries || refused > 0);
	storm_end(&t.st);
}

STS_TC_BOTH(given_up, 600, "each allocation fails in turn; the caller gives up, nothing stays behind")
{
	trials(trial, false);
}

STS_TC_BOTH(asked_again, 600, "each allocation fails in turn; the caller asks again and the work is completed")
{
	trials(trial, true);
}

STS_TC_BOTH(attach_given_up, 600,
	    "each allocation of attaching fails in turn; the target is unharmed, nothing stays behind")
{
	trials(attach_trial, false);
}

STS_TC_BOTH(attach_asked_again, 600,
	    "each allocation of attaching fails in turn; asked again all works, up to letting go")
{
	trials(attach_trial, true);
}
