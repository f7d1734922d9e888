/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads born and dying faster than 10,000 a second, under stop and resume,
 * under attach and detach, with and without a main thread. Each time the process
 * is said to rest it must rest, and no round may take longer than two seconds.
 */
#include <inttypes.h>
#include <stdio.h>
#include "storms.h"

enum {
	SPAWNERS = 3,
	LEAST_RATE = 10000, /* births a second, untraced */
	RATE_WINDOW_US = 100000,
	RATE_TRIES = 50,
	ROUND_LIMIT_MS = 2000,
	BIRTHS_BETWEEN = 50, /* the storm must blow between two stops */
};

struct rounds {
	uint64_t worst_us, begun_us;
	unsigned held;
};

static void round_begin(struct rounds *r)
{
	r->begun_us = storm_now_us();
}

static void round_end(struct rounds *r)
{
	uint64_t us = storm_now_us() - r->begun_us;

	if (us > r->worst_us)
		r->worst_us = us;
	/* The limit follows the same factor as all others: sanitizers, slow machines. */
	uint64_t limit_us = (uint64_t)ROUND_LIMIT_MS * sts_bound_ms() / 10;
	if (us > limit_us)
		atf_tc_fail("a round took %" PRIu64 " us", us);
}

static void rounds_report(const struct rounds *r, unsigned n, const char *what)
{
	fprintf(stderr, "%u %s rounds, the longest %" PRIu64 " us; %u LWPs were met at rest in the kernel\n", n, what,
		r->worst_us, r->held);
}

/* The best of several windows: the machine may have other things to do. */
static void check_rate(struct storm *st)
{
	uint64_t best = 0;

	for (int i = 0; i < RATE_TRIES && best < LEAST_RATE; i++) {
		uint64_t from = storm_now_us(), births = st->sh->births, now;

		while ((now = storm_now_us()) < from + RATE_WINDOW_US)
			sched_yield();
		uint64_t rate = (st->sh->births - births) * 1000000 / (now - from);
		if (rate > best)
			best = rate;
	}
	fprintf(stderr, "untraced: %" PRIu64 " threads a second\n", best);
	ATF_REQUIRE_MSG(best >= LEAST_RATE, "only %" PRIu64 " threads a second are born", best);
}

/* Let the tracee run until so many threads were born; no event may come. */
static void blow_traced(struct storm *st)
{
	uint64_t target = st->sh->births + BIRTHS_BETWEEN, deadline = sts_now_ms() + sts_bound_ms();
	struct stasis_event ev;

	while (st->sh->births < target) {
		int r = stasis_wait(st->s, 0, 1, &ev);

		if (r == 0)
			storm_no_event(NULL, &ev);
		if (r != STASIS_E_TIMEOUT)
			STS_OK_S(st->s, r);
		if (sts_now_ms() > deadline)
			storm_stuck(st);
		ATF_REQUIRE_MSG(sts_now_ms() <= deadline, "no threads are born any more");
	}
}

static void blow_untraced(struct storm *st)
{
	uint64_t target = st->sh->births + BIRTHS_BETWEEN, deadline = sts_now_ms() + sts_bound_ms();

	while (st->sh->births < target) {
		sched_yield();
		ATF_REQUIRE_MSG(sts_now_ms() <= deadline, "let go, but no threads are born any more");
	}
}

static pid_t storm_rises(struct storm *st, bool dead_leader)
{
	storm_begin_session(st);
	sts_want(st->s, 0, 0);
	pid_t pid = storm_start(st, "churn", SPAWNERS, dead_leader);
	storm_await_gate(st, 1);
	if (dead_leader)
		sts_await_state(pid, pid, "Z");
	check_rate(st);
	return pid;
}

static void storm_ends_traced(struct storm *st, pid_t pid)
{
	st->sh->stop = 1;
	sts_resume(st->s, pid);
	sts_expect_exit(st->s, pid, STORM_DONE_STATUS);
	storm_collect_child(pid, STORM_DONE_STATUS << 8);
	storm_check_target(st);
	storm_end(st);
}

static void stop_resume(bool dead_leader)
{
	unsigned n = sts_rounds(1000, 20);
	struct rounds rounds = {0};
	struct storm st;
	pid_t pid = storm_rises(&st, dead_leader);

	sts_attach(st.s, pid);
	storm_check_rest(&st, pid);
	sts_resume(st.s, pid);
	for (unsigned i = 0; i < n; i++) {
		blow_traced(&st);
		round_begin(&rounds);
		storm_interrupt(&st, pid, storm_no_event, NULL);
		round_end(&rounds);
		rounds.held += storm_check_rest(&st, pid);
		if (i + 1 < n)
			sts_resume(st.s, pid);
	}
	rounds_report(&rounds, n, "stop and resume");
	storm_ends_traced(&st, pid);
}

static void attach_detach(bool dead_leader)
{
	unsigned n = sts_rounds(200, 10);
	struct rounds rounds = {0};
	struct storm st;
	pid_t pid = storm_rises(&st, dead_leader);

	for (unsigned i = 0; i < n; i++) {
		round_begin(&rounds);
		sts_attach(st.s, pid);
		round_end(&rounds);
		rounds.held += storm_check_rest(&st, pid);
		if (i % 2) { /* let go while it runs, or at rest */
			sts_resume(st.s, pid);
			blow_traced(&st);
		}
		round_begin(&rounds);
		STS_OK_S(st.s, stasis_detach(st.s, pid, 0));
		blow_untraced(&st);
		round_end(&rounds);
		storm_check_free(pid);
	}
	rounds_report(&rounds, n, "attach and detach");
	st.sh->stop = 1;
	sts_reap_exit(pid, STORM_DONE_STATUS);
	storm_check_target(&st);
	storm_end(&st);
}

STS_TC_BOTH(stop_resume, 300, "a churning process rests whenever it is said to")
{
	stop_resume(false);
}

STS_TC_BOTH(stop_resume_dead_leader, 300, "the same with the main thread dead")
{
	stop_resume(true);
}

STS_TC_BOTH(attach_detach, 300, "attach catches every thread of a churning process, detach frees every one")
{
	attach_detach(false);
}

STS_TC_BOTH(attach_detach_dead_leader, 300, "the same with the main thread dead")
{
	attach_detach(true);
}

/* --- births and deaths of LWPs as events ---------------------------------------------- */

struct lives {
	struct storm st;
	pid_t pid;
	struct storm_table alive;
	uint64_t created, ended, limit;
};

static void take_life(void *arg, const struct stasis_event *ev)
{
	struct lives *l = arg;
	pid_t tid = ev->data.lwp.tid;

	switch (ev->kind) {
	case STASIS_EVENT_LWP_CREATE:
		if (storm_table_find(&l->alive, tid))
			atf_tc_fail("LWP %d is born twice", (int)tid);
		storm_table_get(&l->alive, tid);
		if (++l->created >= l->limit)
			l->st.sh->stop = 1;
		break;
	case STASIS_EVENT_LWP_EXIT:
		if (!storm_table_find(&l->alive, tid))
			atf_tc_fail("LWP %d ends and was not alive", (int)tid);
		storm_table_remove(&l->alive, tid);
		l->ended++;
		break;
	case STASIS_EVENT_EXITED:
		break;
	default:
		storm_no_event(NULL, ev);
	}
}

static void lives(const struct stasis_event_mask *mask, unsigned full)
{
	struct lives l = {.limit = sts_rounds(full, 500)};

	storm_begin_session(&l.st);
	STS_OK_S(l.st.s, stasis_event_mask_set(l.st.s, 0, mask));
	l.pid = storm_launch(&l.st, "churn", SPAWNERS, 0);
	storm_table_get(&l.alive, l.pid);
	sts_resume(l.st.s, l.pid);
	storm_run(&l.st, take_life, &l);
	storm_check_target(&l.st);
	/* What the target saw born it reports itself; exit() may cut off those that were about to run. */
	ATF_REQUIRE_MSG(l.created >= l.st.sh->births, "%lu births reported of %lu", (unsigned long)l.created,
			(unsigned long)l.st.sh->births);
	ATF_REQUIRE_EQ_MSG(l.alive.n, 1, "%zu LWPs never ended", l.alive.n);
	storm_table_free(&l.alive);
	storm_end(&l.st);
}

#define LIVES (STASIS_EVENT_BIT(STASIS_EVENT_LWP_CREATE) | STASIS_EVENT_BIT(STASIS_EVENT_LWP_EXIT))

STS_TC_BOTH(lives_thread_stop, 300, "every LWP is born once and ends once, others running on")
{
	lives(&(struct stasis_event_mask){.thread_stop = LIVES}, 40000);
}

STS_TC_BOTH(lives_all_stop, 300, "every LWP is born once and ends once, all resting at each event")
{
	lives(&(struct stasis_event_mask){.all_stop = LIVES}, 10000);
}
