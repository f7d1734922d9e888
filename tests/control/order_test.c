// SPDX-License-Identifier: BSD-2-Clause
/*
 * Events that many LWPs meet at the same time: kept, each reported once, of the
 * right LWP, in the order of their arrival, and none missed while another LWP is
 * stepped over a breakpoint.
 */
#include "drive.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS = 8 };

/* What the reports so far have shown. */
struct account {
	struct actor a;
	uint64_t sequence; /* of the last */
	uint64_t hits[THREADS], signals[THREADS];
};

static void begin(struct account *acc, const char *program)
{
	memset(acc, 0, sizeof(*acc));
	struct stasis_session *s = sts_session();
	sts_want(s, 0, BIT(BREAKPOINT) | BIT(SIGNAL));
	actor_launch(&acc->a, s, program);
	actor_do(&acc->a, "handle %d r", SIGUSR1);
	actor_do(&acc->a, "threads %d", THREADS);
}

static void finish(struct account *acc)
{
	actor_do(&acc->a, "join");
	actor_end(&acc->a);
	stasis_session_destroy(acc->a.s);
}

static unsigned thread_of(const struct account *acc, pid_t tid)
{
	unsigned t = 0;

	while (t < THREADS && (pid_t)actor_counter(&acc->a, ACTOR_TID + t) != tid)
		t++;
	ATF_REQUIRE_MSG(t < THREADS, "an event of LWP %d, which meets nothing", (int)tid);
	return t;
}

static void plant(struct account *acc, unsigned counter)
{
	struct actor *a = &acc->a;

	actor_interrupt(a);
	STS_OK_S(a->s, stasis_breakpoint_insert(a->s, a->pid, actor_counter(a, counter)));
	sts_resume(a->s, a->pid);
}

static void take(struct account *acc, struct stasis_event *ev)
{
	sts_next_event(acc->a.s, 0, ev);
	ATF_REQUIRE(ev->pid == acc->a.pid && ev->all_stop);
	ATF_REQUIRE_MSG(ev->sequence > acc->sequence, "event %llu was reported after event %llu",
			(unsigned long long)ev->sequence, (unsigned long long)acc->sequence);
	acc->sequence = ev->sequence;
	if (ev->kind == STASIS_EVENT_BREAKPOINT)
		acc->hits[thread_of(acc, ev->tid)]++;
	else if (ev->kind == STASIS_EVENT_SIGNAL)
		acc->signals[thread_of(acc, ev->tid)]++;
	else
		atf_tc_fail("an event of kind %s", stasis_event_kind_name(ev->kind));
}

static void take_and_resume(struct account *acc, unsigned n)
{
	struct stasis_event ev;

	while (n-- > 0) {
		take(acc, &ev);
		sts_resume(acc->a.s, acc->a.pid);
	}
}

static void check_each(const uint64_t *seen, uint64_t due, const char *what)
{
	for (unsigned t = 0; t < THREADS; t++)
		ATF_REQUIRE_EQ_MSG(seen[t], due, "thread %u met %llu %s, %llu were reported", t,
				   (unsigned long long)due, what, (unsigned long long)seen[t]);
}

static void stepped_over(const char *program, unsigned calls)
{
	struct account acc;

	begin(&acc, program);
	plant(&acc, ACTOR_STEPPED);
	actor_tell(&acc.a, "stepall %u", calls);
	take_and_resume(&acc, THREADS * calls);
	actor_done(&acc.a);
	check_each(acc.hits, calls, "breakpoints");
	ATF_REQUIRE_EQ(actor_counter(&acc.a, ACTOR_CALLS), THREADS * calls);
	finish(&acc);
}

STS_TC_BOTH(stepped_over, 60, "threads at different paces: while one is stepped over a breakpoint no other misses it")
{
	stepped_over("actor", 100);
}

STS_TC_BOTH(stepped_over_i386, 60, "the same of an i386 tracee")
{
	stepped_over("actor-32", 100);
}

STS_TC_BOTH(breakpoints, 60, "hits of eight threads are reported in the order they came, each once")
{
	struct account acc;

	begin(&acc, "actor");
	plant(&acc, ACTOR_FUNCTION);
	actor_tell(&acc.a, "callall 50");
	take_and_resume(&acc, THREADS * 50);
	actor_done(&acc.a);
	check_each(acc.hits, 50, "breakpoints");
	finish(&acc);
}

STS_TC_BOTH(kept_signals, 60, "signals of eight threads that arrive during a stop are reported in order, each once")
{
	struct account acc;
	struct actor *a = &acc.a;

	begin(&acc, "actor");
	for (unsigned round = 1; round <= 20; round++) {
		actor_interrupt(a);
		for (unsigned t = 0; t < THREADS; t++)
			STS_SYS(syscall(SYS_tgkill, a->pid, (pid_t)actor_counter(a, ACTOR_TID + t), SIGUSR1));
		sts_resume(a->s, a->pid);
		take_and_resume(&acc, THREADS);
		actor_await(a, ACTOR_HANDLED, (uint64_t)round * THREADS);
		check_each(acc.signals, round, "signals");
	}
	finish(&acc);
}

STS_TC_BOTH(signals_at_breakpoints, 60,
	    "a signal for each thread and a breakpoint under it: each of both once, in order")
{
	struct account acc;
	struct actor *a = &acc.a;
	struct stasis_event ev;

	begin(&acc, "actor");
	plant(&acc, ACTOR_STEPPED);
	actor_tell(a, "stepall 30");
	for (unsigned i = 0; i < THREADS * (30 + 10); i++) {
		take(&acc, &ev);
		if (ev.kind == STASIS_EVENT_BREAKPOINT && acc.hits[thread_of(&acc, ev.tid)] % 3 == 0)
			STS_SYS(syscall(SYS_tgkill, a->pid, ev.tid, SIGUSR1));
		sts_resume(a->s, a->pid);
	}
	actor_done(a);
	check_each(acc.hits, 30, "breakpoints");
	check_each(acc.signals, 10, "signals");
	ATF_REQUIRE_EQ(actor_counter(a, ACTOR_HANDLED), THREADS * 10);
	ATF_REQUIRE_EQ(actor_counter(a, ACTOR_CALLS), THREADS * 30);
	finish(&acc);
}
