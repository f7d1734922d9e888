// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guards that no process can be made to need at will: the kernel does what they
 * are for too seldom, or no more. Here the case stands between two parts of the
 * library (the linker's --wrap), looks at the moment in question, or answers as
 * the kernel would then.
 */
#include "control/model.h"
#include "drive.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int __real_sts_breakpoint_unplant(pid_t pid, struct sts_breakpoint *b);
int __wrap_sts_breakpoint_unplant(pid_t pid, struct sts_breakpoint *b);
int __real_sts_os_kill(pid_t pid, int signal);
int __wrap_sts_os_kill(pid_t pid, int signal);
int __real_sts_os_lwp_list(struct sts_pool *pool, pid_t pid, pid_t **tids_ret, size_t *n_ret, bool *complete_ret);
int __wrap_sts_os_lwp_list(struct sts_pool *pool, pid_t pid, pid_t **tids_ret, size_t *n_ret, bool *complete_ret);
int __real_sts_os_seize(pid_t tid, bool exit_kill);
int __wrap_sts_os_seize(pid_t tid, bool exit_kill);
int __real_sts_os_task_signals_init(bool *ignored_ret);
int __wrap_sts_os_task_signals_init(bool *ignored_ret);
int __real_sts_os_wait_peek(bool block, struct sts_report *ret);
int __wrap_sts_os_wait_peek(bool block, struct sts_report *ret);
int __real_sts_os_wait_stop_any(struct sts_report *ret);
int __wrap_sts_os_wait_stop_any(struct sts_report *ret);

static struct stasis_session *begin(struct actor *a, uint64_t wanted)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, wanted);
	actor_launch(a, s, "actor");
	return s;
}

/* ---- stepping over a breakpoint ---- */

/* The process whose breakpoints are watched, and what was seen. The tracing task writes: no case may fail there. */
static struct {
	_Atomic pid_t pid;
	_Atomic unsigned taken_out, lwps_running;
} over;

/* LWPs that might run code of the program, or be about to. */
static unsigned not_at_rest(pid_t pid)
{
	char path[32];
	unsigned n = 0;
	const struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.' && strchr("tZX", sts_proc_state(pid, atoi(e->d_name))) == NULL)
			n++;
	}
	if (d != NULL)
		closedir(d);
	return n;
}

int __wrap_sts_breakpoint_unplant(pid_t pid, struct sts_breakpoint *b)
{
	pid_t watched = atomic_load(&over.pid);

	if (watched != 0) {
		atomic_fetch_add(&over.taken_out, 1);
		atomic_fetch_add(&over.lwps_running, not_at_rest(watched));
	}
	return __real_sts_breakpoint_unplant(pid, b);
}

STS_TC_BOTH(taken_out_at_rest, 60, "a breakpoint is taken out for a step only when no LWP could run past it")
{
	struct actor a;
	struct stasis_session *s = begin(&a, BIT(BREAKPOINT));

	actor_do(&a, "threads 6");
	actor_interrupt(&a);
	STS_OK_S(s, stasis_breakpoint_insert(s, a.pid, actor_counter(&a, ACTOR_STEPPED)));
	sts_resume(s, a.pid);
	atomic_store(&over.pid, a.pid);
	actor_tell(&a, "stepall 10");
	for (unsigned i = 0; i < 6 * 10; i++) {
		sts_expect_event(s, STASIS_EVENT_BREAKPOINT, NULL);
		sts_resume(s, a.pid);
	}
	actor_done(&a);
	atomic_store(&over.pid, 0);
	ATF_REQUIRE_MSG(over.taken_out >= 6 * 10, "only %u breakpoints were taken out", over.taken_out);
	ATF_REQUIRE_EQ_MSG(over.lwps_running, 0, "with %u breakpoints taken out %u LWPs were not at rest",
			   over.taken_out, over.lwps_running);
	actor_do(&a, "join");
	actor_end(&a);
	stasis_session_destroy(s);
}

/* ---- listing the LWPs of a process ---- */

/* An LWP that the next so many listings pass over, as the kernel's do when others exit meanwhile. */
static struct {
	_Atomic pid_t tid;
	_Atomic unsigned times;
} skipped;

int __wrap_sts_os_lwp_list(struct sts_pool *pool, pid_t pid, pid_t **tids_ret, size_t *n_ret, bool *complete_ret)
{
	int r = __real_sts_os_lwp_list(pool, pid, tids_ret, n_ret, complete_ret);

	if (r < 0 || atomic_load(&skipped.times) == 0)
		return r;
	atomic_fetch_sub(&skipped.times, 1);
	for (size_t i = 0; i < *n_ret; i++) {
		if ((*tids_ret)[i] == atomic_load(&skipped.tid))
			(*tids_ret)[i] = (*tids_ret)[--*n_ret];
	}
	*complete_ret = false;
	return r;
}

STS_TC_BOTH(listing_not_whole, 20, "attach believes no listing of the LWPs that is known not to be whole")
{
	struct stasis_session *s = sts_session();
	struct actor a;

	sts_want(s, 0, 0);
	actor_start(&a, "actor");
	actor_do(&a, "threads 4");
	atomic_store(&skipped.tid, (pid_t)actor_counter(&a, ACTOR_TID + 1));
	atomic_store(&skipped.times, 7);
	a.s = s;
	sts_attach(s, a.pid);
	check_at_rest(&a);
	ATF_REQUIRE_EQ(skipped.times, 0);
	sts_resume(s, a.pid);
	actor_do(&a, "join");
	actor_end(&a);
	stasis_session_destroy(s);
}

/* ---- LWPs held in their exit ---- */

static _Atomic bool kill_is_lost;

/* An older kernel frees an LWP that rests in its exit by no SIGKILL. */
int __wrap_sts_os_kill(pid_t pid, int signal)
{
	return atomic_load(&kill_is_lost) ? 0 : __real_sts_os_kill(pid, signal);
}

STS_TC_BOTH(exits_of_the_dying, 20, "an LWP held in its exit is let go when its process is killed")
{
	struct stasis_event ev;
	struct actor a;
	struct stasis_session *s = begin(&a, 0);

	actor_do(&a, "threads 3");
	sts_want(s, a.pid, BIT(LWP_EXIT));
	actor_tell(&a, "join");
	sts_expect_event(s, STASIS_EVENT_LWP_EXIT, &ev);
	atomic_store(&kill_is_lost, true);
	STS_OK_S(s, stasis_kill(s, a.pid));
	atomic_store(&kill_is_lost, false);
	sts_await_state(a.pid, ev.tid, "ZX0");
	STS_SYS(kill(a.pid, SIGKILL));
	do
		sts_next_event(s, a.pid, &ev);
	while (ev.kind == STASIS_EVENT_LWP_EXIT && !ev.stopped);
	ATF_REQUIRE_EQ(ev.kind, STASIS_EVENT_KILLED);
	actor_gone(&a);
	stasis_session_destroy(s);
}

/* ---- a job stop that is seen when the job goes on already ---- */

/* An LWP whose job stop the kernel does not show yet, and the one that it shows first. */
static _Atomic pid_t unseen, seen;

/* The end of the job's stop is the moment for the unseen one to be shown. */
static int shown(int r, const struct sts_report *report)
{
	if (r > 0 && report->tid == atomic_load(&seen) && report->kind == STS_REPORT_INTERRUPT)
		atomic_store(&unseen, 0);
	return r;
}

static int other_lwp_tells(struct sts_report *ret)
{
	return shown(sts_os_wait_stop(atomic_load(&seen), ret), ret);
}

int __wrap_sts_os_wait_peek(bool block, struct sts_report *ret)
{
	int r = __real_sts_os_wait_peek(block, ret);

	if (r <= 0 || ret->tid != atomic_load(&unseen) || ret->kind != STS_REPORT_GROUP)
		return shown(r, ret);
	do
		r = other_lwp_tells(ret);
	while (r == 0 && block && sched_yield() == 0);
	return r;
}

STS_TC_BOTH(job_stop_seen_late, 20, "an LWP's job stop that is seen when the job goes on already is no new one")
{
	const uint64_t job = BIT(JOB_STOP) | BIT(JOB_CONTINUE);
	const struct stasis_event_mask mask = {.thread_stop = job};
	struct stasis_event ev;
	struct actor a;
	struct stasis_session *s = begin(&a, 0);

	actor_do(&a, "threads 1");
	STS_OK_S(s, stasis_event_mask_set(s, a.pid, &mask));
	pid_t thread = (pid_t)actor_counter(&a, ACTOR_TID);
	atomic_store(&seen, a.pid);
	atomic_store(&unseen, thread);
	STS_SYS(kill(a.pid, SIGSTOP));
	sts_expect_event(s, STASIS_EVENT_JOB_STOP, &ev);
	ATF_REQUIRE_EQ(ev.tid, a.pid);
	STS_OK_S(s, stasis_resume_lwp(s, ev.tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
	sts_await_state(a.pid, thread, "t");
	STS_SYS(kill(a.pid, SIGCONT));
	sts_expect_event(s, STASIS_EVENT_JOB_CONTINUE, &ev);
	ATF_REQUIRE_EQ(unseen, 0);
	STS_OK_S(s, stasis_resume_lwp(s, ev.tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
	actor_do(&a, "join"); /* both go on, and no event comes */
	actor_end(&a);
	stasis_session_destroy(s);
}

/* ---- killed while its stop waits to be handled ---- */

/* Whom to kill as soon as its stop is taken together with others; then its next stop is waited for. */
static _Atomic pid_t victim;
static _Atomic bool killed;

static int other_lwp_tells(struct sts_report *ret);

int __wrap_sts_os_wait_stop_any(struct sts_report *ret)
{
	uint64_t end = sts_now_ms() + 5000;

	if (atomic_load(&unseen) != 0)
		return other_lwp_tells(ret);
	int r = __real_sts_os_wait_stop_any(ret);

	while (r == 0 && atomic_load(&killed) && sts_now_ms() < end)
		r = __real_sts_os_wait_stop_any(ret);
	atomic_store(&killed, false);
	if (r > 0 && ret->tid == atomic_load(&victim)) {
		kill(ret->tid, SIGKILL);
		atomic_store(&victim, 0);
		atomic_store(&killed, true);
	}
	return r;
}

STS_TC_BOTH(killed_in_the_queue, 20, "an LWP killed after its stop was taken, before it was looked at, stops once more")
{
	struct stasis_event ev;
	struct actor a, other;
	struct stasis_session *s = begin(&a, BIT(SIGNAL));

	actor_launch(&other, s, "actor"); /* of one LWP alone stops are not taken together */
	actor_do(&a, "handle %d", SIGUSR1);
	atomic_store(&victim, a.pid);
	for (unsigned i = 0; i < 100; i++) {
		actor_tell(&a, "raise %d", SIGUSR1);
		sts_next_event(s, 0, &ev);
		if (ev.kind != STASIS_EVENT_SIGNAL)
			break;
		sts_resume(s, a.pid);
		actor_done(&a);
	}
	ATF_REQUIRE_EQ(victim, 0);
	ATF_REQUIRE(ev.kind == STASIS_EVENT_KILLED && ev.pid == a.pid);
	actor_gone(&a);
	actor_end(&other);
	stasis_session_destroy(s);
}

/* ---- a host that dies while its helper starts, and a helper that does ---- */

static _Atomic bool host_dies, helper_dies;

int __wrap_sts_os_task_signals_init(bool *ignored_ret)
{
	pid_t host = getppid();

	if (atomic_load(&host_dies)) {
		atomic_store(&sts_shared()->counter[0], (uint64_t)getpid());
		kill(host, SIGKILL);
		while (getppid() == host)
			sched_yield();
	}
	if (atomic_load(&helper_dies))
		kill(getpid(), SIGKILL);
	return __real_sts_os_task_signals_init(ignored_ret);
}

STS_TC(helper_dies_early, 20, "a helper that is killed before it has begun: no session, and the next one works")
{
	struct stasis_session_opts opts = {.size = sizeof(opts)};
	struct stasis_session *s = NULL;
	struct actor a;

	atomic_store(&helper_dies, true);
	STS_FAILS(-EAGAIN, stasis_session_create(&opts, &s));
	ATF_REQUIRE(s == NULL);
	atomic_store(&helper_dies, false);
	s = begin(&a, 0);
	actor_end(&a);
	stasis_session_destroy(s);
}

STS_TC(host_dies_early, 20, "the helper of a host that dies before it is told of such deaths ends by itself")
{
	struct sts_shared *sh = sts_shared();
	pid_t host = sts_fork();

	if (host == 0) {
		atomic_store(&host_dies, true);
		sts_session();
		_exit(1);
	}
	ATF_REQUIRE_EQ(sts_reap(host), SIGKILL);
	sts_await_counter(0, 1);
	pid_t helper = (pid_t)atomic_load(&sh->counter[0]);
	sts_await_state(helper, helper, "0ZX");
}

/* ---- a tracer that dies while it launches ---- */

static _Atomic bool launcher_dies;

int __wrap_sts_os_seize(pid_t tid, bool exit_kill)
{
	if (atomic_load(&launcher_dies)) {
		atomic_store(&sts_shared()->counter[0], (uint64_t)tid);
		if (sts_kind() == STS_ISOLATED)
			kill(getppid(), SIGKILL);
		kill(getpid(), SIGKILL);
	}
	return __real_sts_os_seize(tid, exit_kill);
}

STS_TC_BOTH(host_dies_launching, 20, "a child that waits for a tracer who is dead ends by itself, its program not run")
{
	struct sts_shared *sh = sts_shared();
	pid_t host = sts_fork();

	if (host == 0) {
		char name[] = "sleep", time[] = "1000", *argv[] = {name, time, NULL};
		struct stasis_spawn_opts opts = {.size = sizeof(opts), .path = "/bin/sleep", .argv = argv};
		struct stasis_session *s = sts_session();
		pid_t pid;

		atomic_store(&launcher_dies, true);
		_exit(stasis_spawn(s, &opts, &pid) < 0);
	}
	ATF_REQUIRE_EQ(sts_reap(host), SIGKILL);
	sts_await_counter(0, 1);
	pid_t child = (pid_t)atomic_load(&sh->counter[0]);
	sts_await_state(child, child, "0ZX");
}
