// SPDX-License-Identifier: BSD-2-Clause
/*
 * Events that many LWPs meet at the same time: kept, each reported once, of the
 * right LWP, in the order of their arrival, and none missed while another LWP is
 * stepped over a breakpoint.
 */
#include "drive.h"

#include <stdio.h>
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

STS_TC_BOTH(hits_with_trap_ignored, 60,
	    "where SIGTRAP is ignored no hit of another thread is thrown away, and it stays ignored")
{
	enum { CALLS = 100 };
	struct account acc;

	begin(&acc, "actor");
	actor_do(&acc.a, "ignore %d", SIGTRAP);
	plant(&acc, ACTOR_STEPPED);
	actor_tell(&acc.a, "stepall %u", CALLS);
	take_and_resume(&acc, THREADS * CALLS);
	actor_done(&acc.a);
	check_each(acc.hits, CALLS, "breakpoints");
	ATF_REQUIRE(sts_proc_mask(acc.a.pid, acc.a.pid, "SigIgn") & SIGBIT(SIGTRAP));
	finish(&acc);
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

STS_TC_BOTH(signals_given_at_hits, 60,
	    "a signal given to an LWP at its breakpoint waits for the step over it, and is not lost")
{
	struct account acc;
	struct actor *a = &acc.a;
	struct stasis_event ev;

	begin(&acc, "actor");
	plant(&acc, ACTOR_STEPPED);
	actor_tell(a, "stepall 10");
	for (unsigned i = 0; i < THREADS * 10; i++) {
		take(&acc, &ev);
		const struct stasis_resume_spec specs[2] = {
			{.tid = ev.tid, .action = STASIS_CONTINUE, .signal = SIGUSR1},
			{.action = STASIS_CONTINUE, .signal = STASIS_SIGNAL_KEEP},
		};
		STS_OK_S(a->s, stasis_resume(a->s, a->pid, specs, 2));
	}
	actor_done(a);
	check_each(acc.hits, 10, "breakpoints");
	check_each(acc.signals, 0, "signals");
	actor_await(a, ACTOR_HANDLED, THREADS * 10);
	ATF_REQUIRE_EQ(actor_counter(a, ACTOR_HANDLED), THREADS * 10);
	ATF_REQUIRE_EQ(actor_counter(a, ACTOR_CALLS), THREADS * 10);
	finish(&acc);
}

static void signal_thread(const struct account *acc, pid_t tid)
{
	STS_SYS(syscall(SYS_tgkill, acc->a.pid, tid, SIGUSR1));
}

STS_TC_BOTH(specs_for_the_reported, 60, "what a resume says for all LWPs is not said of those whose event is kept back")
{
	struct account acc;
	struct actor *a = &acc.a;
	struct stasis_event ev;

	begin(&acc, "actor");
	for (unsigned round = 1; round <= 20; round++) {
		actor_interrupt(a);
		for (unsigned t = 0; t < THREADS; t++)
			signal_thread(&acc, (pid_t)actor_counter(a, ACTOR_TID + t));
		sts_resume(a->s, a->pid);
		for (unsigned t = 0; t < THREADS && sts_kind() == STS_DIRECT;
		     t++) /* nobody looks, so all signals come */
			sts_await_state(a->pid, (pid_t)actor_counter(a, ACTOR_TID + t), "t");
		take(&acc, &ev);
		resume_all(a->s, a->pid, STASIS_CONTINUE, 0);
		take_and_resume(&acc, THREADS - 1);
		actor_await(a, ACTOR_HANDLED, (uint64_t)round * (THREADS - 1));
		check_each(acc.signals, round, "signals");
	}
	ATF_REQUIRE_EQ(actor_counter(a, ACTOR_HANDLED), 20 * (THREADS - 1));
	finish(&acc);
}

/* ---- nobody starves ---- */

/* Of a busy LWP's event: it shall have another at once. */
static void again(struct account *acc, const struct stasis_event *ev)
{
	signal_thread(acc, ev->tid);
	if (ev->all_stop)
		sts_resume(acc->a.s, acc->a.pid);
	else
		STS_OK_S(acc->a.s, stasis_resume_lwp(acc->a.s, ev->tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
}

static void next_signal(struct account *acc, struct stasis_event *ev)
{
	sts_expect_event(acc->a.s, STASIS_EVENT_SIGNAL, ev);
}

static void to_busy(const struct account *acc)
{
	for (unsigned t = 1; t < THREADS; t++)
		signal_thread(acc, (pid_t)actor_counter(&acc->a, ACTOR_TID + t));
}

static void let_on(const struct account *acc, const struct stasis_event *ev)
{
	STS_OK_S(acc->a.s, stasis_resume_lwp(acc->a.s, ev->tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
}

/* How many events are told before the first signal of this thread. */
static unsigned told_before_signal(struct account *acc, unsigned t, unsigned most, unsigned *hits)
{
	struct stasis_event ev = {0};
	unsigned told = 0;

	signal_thread(acc, (pid_t)actor_counter(&acc->a, ACTOR_TID + t));
	for (;; told++) {
		sts_next_event(acc->a.s, acc->a.pid, &ev);
		*hits += ev.kind == STASIS_EVENT_BREAKPOINT;
		sts_resume(acc->a.s, acc->a.pid);
		if (ev.kind == STASIS_EVENT_SIGNAL)
			return told;
		ATF_REQUIRE_MSG(told < most, "%u breakpoints were met before a signal was told", told);
	}
}

/*
 * An LWP that is interrupted before it had the CPU shows that, and its signal the
 * next time at the earliest. It is asked when that has happened sixteen times.
 * (Only the first signal of each thread counts: the next waits for the handler,
 * and that for the CPU.)
 */
STS_TC_BOTH(signals_beside_hits, 60,
	    "a thread's signal is told soon while another meets one breakpoint after the other")
{
	enum { MOST = 24, CALLS = THREADS * (MOST + 1), REPEATS = 8 };
	unsigned longest = 0;

	for (unsigned i = 0; i < REPEATS; i++) {
		struct account acc;
		unsigned hits = 0;

		begin(&acc, "actor");
		plant(&acc, ACTOR_FUNCTION);
		actor_tell(&acc.a, "call %d", CALLS);
		for (unsigned t = 0; t < THREADS; t++) {
			unsigned told = told_before_signal(&acc, t, MOST, &hits);

			longest = told > longest ? told : longest;
		}
		for (; hits < CALLS; hits++) {
			sts_expect_event(acc.a.s, STASIS_EVENT_BREAKPOINT, NULL);
			sts_resume(acc.a.s, acc.a.pid);
		}
		actor_done(&acc.a);
		finish(&acc);
	}
	fprintf(stderr, "at most %u events were told before a signal\n", longest);
}

/*
 * The kernel shows the first thread of all at once, then the others from the
 * youngest on; so it is the second that would starve. Events are counted from
 * when it stands in its stop. What may come before it: one of each that was
 * there already, and what is taken between two looks at everybody.
 */
STS_TC_BOTH(oldest_among_busy, 60, "the oldest thread's one event is told while all younger have events without end")
{
	enum { MOST = 4 * (THREADS + 8) };
	struct stasis_event_mask mask = {.thread_stop = BIT(SIGNAL)};
	struct account acc;
	struct stasis_event ev;

	begin(&acc, "actor");
	pid_t oldest = (pid_t)actor_counter(&acc.a, ACTOR_TID);
	STS_OK_S(acc.a.s, stasis_event_mask_set(acc.a.s, acc.a.pid, &mask));
	to_busy(&acc);
	for (unsigned round = 0; round < 30; round++) {
		unsigned waited = 0;

		for (unsigned i = 0; i < THREADS; i++) {
			next_signal(&acc, &ev);
			again(&acc, &ev);
		}
		signal_thread(&acc, oldest);
		for (next_signal(&acc, &ev); ev.tid != oldest; next_signal(&acc, &ev)) {
			waited += waited > 0 || sts_proc_state(acc.a.pid, oldest) == 't';
			ATF_REQUIRE_MSG(waited <= MOST, "%u events were told while one waited", waited);
			again(&acc, &ev);
		}
		let_on(&acc, &ev);
	}
	for (unsigned t = 1; t < THREADS; t++) {
		next_signal(&acc, &ev);
		let_on(&acc, &ev);
	}
	finish(&acc);
}

/* How many of those that have an event due stand in its stop: their signal waits no more. */
static unsigned there(const struct account *acc, uint64_t round)
{
	unsigned n = 0;

	for (unsigned t = 0; t < THREADS - 1; t++)
		n += acc->signals[t] < round &&
		     !(sts_proc_mask(acc->a.pid, (pid_t)actor_counter(&acc->a, ACTOR_TID + t), "SigPnd") &
		       SIGBIT(SIGUSR1));
	return n;
}

STS_TC_BOTH(one_event_among_many, 60, "one LWP stops all without end: each other's event is told before its next")
{
	struct account acc;
	struct stasis_event ev;

	begin(&acc, "actor");
	pid_t busy = (pid_t)actor_counter(&acc.a, ACTOR_TID + THREADS - 1);
	signal_thread(&acc, busy);
	for (unsigned round = 1; round <= 10; round++) {
		unsigned due = THREADS - 1, before = 0;

		for (unsigned t = 0; t < due; t++)
			signal_thread(&acc, (pid_t)actor_counter(&acc.a, ACTOR_TID + t));
		while (due > 0) {
			take(&acc, &ev);
			if (ev.tid != busy) {
				due--;
				before -= before > 0;
				sts_resume(acc.a.s, acc.a.pid);
				continue;
			}
			ATF_REQUIRE_EQ_MSG(before, 0, "one told again, %u others wait since before", before);
			before = there(&acc, round); /* all rest: who is there now is told of before the next */
			again(&acc, &ev);
		}
	}
	next_signal(&acc, &ev);
	sts_resume(acc.a.s, acc.a.pid);
	finish(&acc);
}
