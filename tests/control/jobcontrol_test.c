// SPDX-License-Identifier: BSD-2-Clause
/*
 * Job control works through us. What a shell-like parent is told by waitpid(2)
 * is compared, answer by answer, with what it is told when nobody traces
 * anybody (target-jobs).
 */
#include "drive.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the same answers as without us ---- */

enum { NOTES = 51, SCENARIO_EXIT = 4 };

struct notes {
	uint64_t at[NOTES];
};

static void take_notes(struct notes *n)
{
	for (unsigned i = 0; i < NOTES; i++)
		n->at[i] = sts_shared()->counter[i];
	for (unsigned i = 0; i < 64; i++)
		sts_shared()->counter[i] = 0;
}

static void compare(const struct notes *want, const struct notes *got)
{
	for (unsigned i = 1; i <= want->at[0] && i < NOTES; i++)
		ATF_REQUIRE_EQ_MSG(got->at[i], want->at[i], "answer %u was %#llx without us, with us it is %#llx", i,
				   (unsigned long long)want->at[i], (unsigned long long)got->at[i]);
	ATF_REQUIRE_EQ(got->at[0], want->at[0]);
	ATF_REQUIRE(want->at[0] > 3);
}

static void without_us(const char *scenario, struct notes *n)
{
	pid_t pid = sts_start("jobs", scenario);

	sts_reap_exit(pid, SCENARIO_EXIT);
	take_notes(n);
}

struct counts {
	unsigned stops, continues, interrupts;
};

/* Everything followed and resumed to the end; with `meddle`, interrupted now and then. */
static void run(struct stasis_session *s, pid_t root, bool meddle, struct counts *c)
{
	struct stasis_event ev;
	bool done = false;

	*c = (struct counts){0};
	for (unsigned i = 0;; i++) {
		int r = stasis_wait(s, 0, meddle ? 2 : sts_bound_ms(), &ev);

		if (r == STASIS_E_NO_TRACEE)
			break;
		if (r == STASIS_E_TIMEOUT && meddle && i < 20000) {
			pid_t pids[8];
			size_t n = 0;

			STS_OK_S(s, stasis_process_list(s, pids, 8, &n));
			for (size_t k = 0; k < n && k < 8; k++)
				(void)!stasis_interrupt(s, pids[k]);
			continue;
		}
		STS_OK_S(s, r);
		c->stops += ev.kind == STASIS_EVENT_JOB_STOP;
		c->continues += ev.kind == STASIS_EVENT_JOB_CONTINUE;
		c->interrupts += ev.kind == STASIS_EVENT_INTERRUPT;
		if (ev.kind == STASIS_EVENT_EXITED && ev.pid == root) {
			ATF_REQUIRE_EQ(WEXITSTATUS(ev.data.exit.status), SCENARIO_EXIT);
			done = true;
		}
		if (ev.stopped) {
			int e = stasis_resume(s, ev.pid, NULL, 0);

			ATF_REQUIRE(e == 0 || e == STASIS_E_GONE);
		}
	}
	ATF_REQUIRE(done);
}

static void with_us(const char *scenario, uint64_t wanted, bool meddle, struct counts *c)
{
	struct notes want, got;
	struct stasis_session *s;
	pid_t pid;

	sts_shared();
	without_us(scenario, &want);
	s = sts_session();
	sts_want(s, 0, wanted);
	pid = sts_launch(s, "jobs", scenario);
	sts_resume(s, pid);
	run(s, pid, meddle, c);
	take_notes(&got);
	compare(&want, &got);
	stasis_session_destroy(s);
}

static void check_stops(const struct counts *c, unsigned stops, unsigned least)
{
	ATF_REQUIRE_MSG(c->stops == stops || c->stops == least, "%u job stops were reported, there were %u", c->stops,
			stops);
	ATF_REQUIRE_MSG(c->continues == c->stops || c->continues + 1 == stops, "%u continuations were reported",
			c->continues); /* one may be killed stopped */
}

#define ALL (STASIS_EVENTS_ALL & ~STASIS_EVENTS_SYSCALL)

/* `stops`: how often the job is stopped in it; `least`: the last stop may be cut short by SIGKILL before we see it. */
#define SCENARIO(name_, stops_, least_)                                                                                \
	STS_TC_BOTH(name_##_all, 30, "the parent's answers: " #name_ ", every event wanted")                           \
	{                                                                                                              \
		struct counts c;                                                                                       \
		with_us(#name_, ALL, false, &c);                                                                       \
		check_stops(&c, stops_, least_);                                                                       \
	}                                                                                                              \
	STS_TC_BOTH(name_##_births, 30, "the parent's answers: " #name_ ", births alone wanted")                       \
	{                                                                                                              \
		struct counts c;                                                                                       \
		with_us(#name_, STASIS_EVENTS_BIRTH, false, &c);                                                       \
		ATF_REQUIRE_EQ(c.stops + c.continues, 0);                                                              \
	}                                                                                                              \
	STS_TC_BOTH(name_##_calls, 60, "the parent's answers: " #name_ ", system calls wanted too")                    \
	{                                                                                                              \
		struct counts c;                                                                                       \
		with_us(#name_, STASIS_EVENTS_ALL, false, &c);                                                         \
		check_stops(&c, stops_, least_);                                                                       \
	}                                                                                                              \
	STS_TC_BOTH(name_##_meddled, 60, "the parent's answers: " #name_ ", interrupted again and again")              \
	{                                                                                                              \
		struct counts c;                                                                                       \
		with_us(#name_, ALL, true, &c);                                                                        \
		check_stops(&c, stops_, least_);                                                                       \
	}

SCENARIO(signals, 5, 5)
SCENARIO(self, 5, 5)
SCENARIO(threads, 4, 3)
SCENARIO(orphan, 1, 1)
SCENARIO(terminal, 4, 4)

/* ---- events of one tracee ---- */

static void begin(struct actor *a, const char *name, unsigned threads, uint64_t wanted)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, 0);
	actor_launch(a, s, name);
	if (threads > 0)
		actor_do(a, "threads %u", threads);
	sts_want(s, a->pid, wanted);
}

static void finish(struct actor *a)
{
	actor_end(a);
	stasis_session_destroy(a->s);
}

static bool is_job_stopped(struct actor *a)
{
	struct stasis_process_info info;

	STS_OK_S(a->s, stasis_process_info_get(a->s, a->pid, &info));
	return info.job_stopped;
}

static void expect_stop(struct actor *a, int signo)
{
	struct stasis_event ev;

	sts_expect_event(a->s, STASIS_EVENT_JOB_STOP, &ev);
	ATF_REQUIRE(ev.all_stop && ev.stopped);
	ATF_REQUIRE_EQ(ev.pid, a->pid);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_signo, signo);
	ATF_REQUIRE(is_job_stopped(a));
}

static void stop_and_go(const char *program, unsigned threads)
{
	struct stasis_event ev;
	struct actor a;
	uint64_t before;

	begin(&a, program, threads, BIT(SIGNAL) | BIT(JOB_STOP) | BIT(JOB_CONTINUE));
	actor_do(&a, "handle %d r", SIGCONT);
	for (uint64_t round = 1; round <= 3; round++) {
		STS_SYS(kill(a.pid, SIGTSTP));
		sts_expect_event(a.s, STASIS_EVENT_SIGNAL, &ev);
		ATF_REQUIRE_EQ(ev.data.signal.info.si_signo, SIGTSTP);
		ATF_REQUIRE(!is_job_stopped(&a));
		sts_resume(a.s, a.pid);
		expect_stop(&a, SIGTSTP);
		check_at_rest(&a);
		before = spins(&a);
		sts_resume(a.s, a.pid);
		let_others_run();
		sts_expect_quiet(a.s); /* one event for all threads */
		ATF_REQUIRE_EQ_MSG(spins(&a), before, "a resumed process runs, which job control has stopped");
		STS_SYS(kill(a.pid, SIGCONT));
		sts_expect_event(a.s, STASIS_EVENT_JOB_CONTINUE, &ev);
		ATF_REQUIRE(ev.all_stop && ev.stopped && !is_job_stopped(&a));
		check_at_rest(&a);
		sts_resume(a.s, a.pid);
		sts_expect_event(a.s, STASIS_EVENT_SIGNAL, &ev);
		ATF_REQUIRE_EQ(ev.data.signal.info.si_signo, SIGCONT);
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), round - 1);
		sts_resume(a.s, a.pid);
		actor_await(&a, ACTOR_HANDLED, round);
		actor_do(&a, "nothing");
	}
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(stop_continue, 20, "a stop is signal, job-stop, rest; SIGCONT is job-continue, signal, its handler once")
{
	stop_and_go("actor", 0);
}

STS_TC_BOTH(stop_continue_threads, 20, "the same with eight busy threads: one event each")
{
	stop_and_go("actor", 8);
}

STS_TC_BOTH(stop_continue_i386, 20, "the same of an i386 tracee")
{
	stop_and_go("actor-32", 4);
}

STS_TC_BOTH(stop_cancelled, 20, "a stop signal resumed with 0 stops nothing")
{
	struct actor a;

	begin(&a, "actor", 0, BIT(SIGNAL) | BIT(JOB_STOP));
	for (int i = 0; i < 3; i++) {
		STS_SYS(kill(a.pid, i == 1 ? SIGSTOP : SIGTTOU));
		sts_expect_event(a.s, STASIS_EVENT_SIGNAL, NULL);
		resume_all(a.s, a.pid, STASIS_CONTINUE, 0);
		actor_do(&a, "call 1");
		ATF_REQUIRE(!is_job_stopped(&a));
	}
	finish(&a);
}

STS_TC_BOTH(stop_handled, 20, "a stop signal that has a handler stops nothing")
{
	struct actor a;

	begin(&a, "actor", 0, BIT(SIGNAL) | BIT(JOB_STOP));
	actor_do(&a, "handle %d r", SIGTSTP);
	STS_SYS(kill(a.pid, SIGTSTP));
	sts_expect_event(a.s, STASIS_EVENT_SIGNAL, NULL);
	sts_resume(a.s, a.pid);
	actor_await(&a, ACTOR_HANDLED, 1);
	actor_do(&a, "call 1");
	finish(&a);
}

STS_TC_BOTH(killed_while_stopped, 20, "SIGKILL ends a job-stopped tracee, resumed or not")
{
	struct stasis_event ev;
	struct actor a;

	for (int resumed = 0; resumed < 2; resumed++) {
		begin(&a, "actor", 2, BIT(JOB_STOP) | BIT(JOB_CONTINUE));
		STS_SYS(kill(a.pid, SIGSTOP));
		expect_stop(&a, SIGSTOP);
		if (resumed)
			sts_resume(a.s, a.pid);
		STS_SYS(kill(a.pid, SIGKILL));
		sts_expect_event(a.s, STASIS_EVENT_KILLED, &ev);
		ATF_REQUIRE_EQ(ev.data.exit.status, SIGKILL);
		actor_gone(&a);
		stasis_session_destroy(a.s);
	}
}

STS_TC_BOTH(interrupted_while_stopped, 20, "a job-stopped tracee can be interrupted, looked at, and stays stopped")
{
	struct actor a;
	uint64_t before;

	begin(&a, "actor", 2, BIT(JOB_STOP) | BIT(JOB_CONTINUE));
	STS_SYS(kill(a.pid, SIGSTOP));
	expect_stop(&a, SIGSTOP);
	sts_resume(a.s, a.pid);
	before = spins(&a);
	for (int i = 0; i < 5; i++) {
		actor_interrupt(&a);
		ATF_REQUIRE(is_job_stopped(&a));
		ATF_REQUIRE(pc_of(a.s, a.pid) != 0);
		sts_resume(a.s, a.pid);
		let_others_run();
		sts_expect_quiet(a.s);
	}
	ATF_REQUIRE_EQ(spins(&a), before);
	STS_SYS(kill(a.pid, SIGCONT));
	sts_expect_event(a.s, STASIS_EVENT_JOB_CONTINUE, NULL);
	sts_resume(a.s, a.pid);
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(continued_at_rest, 20, "SIGCONT while the tracee rests at its stop event is not lost")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", 2, BIT(JOB_STOP) | BIT(JOB_CONTINUE) | BIT(SIGNAL));
	STS_SYS(kill(a.pid, SIGSTOP));
	sts_expect_event(a.s, STASIS_EVENT_SIGNAL, NULL);
	sts_resume(a.s, a.pid);
	expect_stop(&a, SIGSTOP);
	STS_SYS(kill(a.pid, SIGCONT));
	check_at_rest(&a);
	sts_resume(a.s, a.pid);
	sts_expect_event(a.s, STASIS_EVENT_JOB_CONTINUE, NULL);
	ATF_REQUIRE(!is_job_stopped(&a));
	sts_resume(a.s, a.pid);
	sts_expect_event(a.s, STASIS_EVENT_SIGNAL, &ev);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_signo, SIGCONT);
	sts_resume(a.s, a.pid);
	actor_do(&a, "join");
	finish(&a);
}
