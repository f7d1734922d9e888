/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which wait to make next. Asking for "any" costs the kernel a walk over every
 * tracee, so LWPs that must report soon are asked for by tid. Deaths are peeked
 * at and the zombie kept until its event is handed over; stops that "any" shows
 * are consumed only if their LWP still rests at the next such call, which in a
 * plain event loop it never does.
 */
#include <errno.h>
#include <limits.h>
#include <time.h>
#include "control/model.h"

/* How many LWPs to ask in vain before trying something else. */
#define EXPECTED_TRIES 1
/* An LWP that has not come to rest for so long may be asleep in the kernel. */
#define UNREACHABLE_AFTER_MS 10
/* With zombies kept back, deaths without notice are looked for so often. */
#define SWEEP_MS 50
/* Longest sleep while something is in the way of a plain wait. */
#define SLICE_MS 10
/* While there may be reports that no signal tells of. */
#define DEAF_MS 1
/* While a signal will tell. Longer than the kernel's tick: a timer before that would cost more than the stop. */
#define EXPECTED_MS 5

int64_t sts_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

void sts_expect(struct stasis_session *s, struct sts_lwp *lwp)
{
	if (lwp->expected)
		return;
	TAILQ_INSERT_TAIL(&s->expected, lwp, in_expected);
	lwp->expected = true;
	lwp->expected_since = sts_clock_ms();
}

void sts_unexpect(struct stasis_session *s, struct sts_lwp *lwp)
{
	if (lwp->expected)
		TAILQ_REMOVE(&s->expected, lwp, in_expected);
	lwp->expected = false;
}

static void consume(struct stasis_session *s, struct sts_lwp *lwp)
{
	struct sts_report report;

	TAILQ_REMOVE(&s->unconsumed, lwp, in_unconsumed);
	lwp->unconsumed = false;
	/* Killed since it was peeked at, it stands in another stop, which nobody has seen. */
	if (sts_os_wait_stop(lwp->tid, &report) > 0 && report.kind == STS_REPORT_EXIT &&
	    lwp->stop.kind != STS_REPORT_EXIT) {
		sts_lwp_state_set(lwp, STS_LWP_RUNNING);
		sts_arrive_as(lwp, &report);
	}
}

static void consume_all(struct stasis_session *s)
{
	struct sts_lwp *lwp;

	while ((lwp = TAILQ_FIRST(&s->unconsumed)))
		consume(s, lwp);
}

static bool zombies_in_the_way(const struct stasis_session *s)
{
	return s->n_zombies_held > 0 || s->foreign_zombie;
}

int sts_collect_patience(const struct stasis_session *s)
{
	if (!TAILQ_EMPTY(&s->unclaimed) || zombies_in_the_way(s))
		return DEAF_MS;
	if (TAILQ_EMPTY(&s->expected))
		return INT_MAX;
	return s->deaf ? DEAF_MS : EXPECTED_MS;
}

int sts_collect_sleep(struct stasis_session *s, int limit_ms)
{
	int patience = sts_collect_patience(s);

	s->interrupts_sent = false;
	int r = sts_os_child_signal_wait(limit_ms < patience ? limit_ms : patience);
	/* A thread of the host that does not block SIGCHLD takes it from us. */
	s->deaf = r == -EAGAIN;
	return r;
}

static void handle(struct stasis_session *s, struct sts_lwp *lwp, const struct sts_report *report)
{
	STS_DEBUG(s, "wait", "%d: report %d signal %d status %x", report->tid, report->kind, report->signal,
		  report->status);
	sts_unexpect(s, lwp);
	sts_dispatch(s, lwp, report);
}

/* --- LWPs that were interrupted or just born --------------------------------------- */

static bool try_expected(struct stasis_session *s)
{
	struct sts_report report;

	for (int tries = 0; tries < EXPECTED_TRIES; tries++) {
		struct sts_lwp *lwp = TAILQ_FIRST(&s->expected);

		if (!lwp)
			return false;
		int r = sts_os_wait_stop(lwp->tid, &report);
		if (r > 0) {
			handle(s, lwp, &report);
			return true;
		}
		TAILQ_REMOVE(&s->expected, lwp, in_expected);
		TAILQ_INSERT_TAIL(&s->expected, lwp, in_expected);
		if (r < 0) {
			sts_unexpect(s, lwp);
			sts_lwp_gone(lwp, -ESRCH);
			if (lwp->process)
				sts_process_check_rest(lwp->process);
			return true;
		}
	}
	return false;
}

/* An LWP asleep in the kernel runs no user code before it stops: that is rest, too. */
static bool settle_unreachable(struct stasis_session *s)
{
	int64_t now = sts_clock_ms();
	struct sts_lwp *lwp, *next;

	for (lwp = TAILQ_FIRST(&s->expected); lwp; lwp = next) {
		next = TAILQ_NEXT(lwp, in_expected);
		if (sts_first_overdue(lwp, now))
			return true;
		if (now - lwp->expected_since < UNREACHABLE_AFTER_MS || !lwp->process)
			continue;
		lwp->expected_since = now;
		if (lwp->state != STS_LWP_RUNNING || sts_os_task_state(lwp->process->pid, lwp->tid) != 'D')
			continue;
		sts_unexpect(s, lwp);
		sts_lwp_state_set(lwp, STS_LWP_UNREACHABLE);
		sts_process_check_rest(lwp->process);
		sts_stepper_go(lwp->process->space);
		return true;
	}
	return false;
}

/* --- any ------------------------------------------------------------------------------- */

static struct sts_lwp *lwp_of_report(struct stasis_session *s, const struct sts_report *report)
{
	struct sts_lwp *lwp = sts_lwp_find(s, report->tid);

	if (lwp || report->kind == STS_REPORT_DEAD)
		return lwp;
	/* A child before its parent's event, or the survivor of an exec under a dead leader's tid. */
	return sts_lwp_new(s, report->tid);
}

static void handle_any(struct stasis_session *s, const struct sts_report *report)
{
	struct sts_lwp *lwp = lwp_of_report(s, report);

	if (lwp)
		handle(s, lwp, report);
	else if (!s->direct)
		sts_os_wait_reap(report->tid); /* a child of the helper: nobody else will */
}

/* A death that must stay where it is: not reported yet, or a child of the host's. */
static bool is_obstacle(struct stasis_session *s, const struct sts_report *report)
{
	if (report->kind != STS_REPORT_DEAD)
		return false;
	struct sts_lwp *lwp = sts_lwp_find(s, report->tid);

	if (lwp)
		return lwp->zombie_held;
	if (s->direct && !sts_gate_doorbell(s, report->tid))
		s->foreign_zombie = true;
	return s->direct;
}

void sts_arrive_as(struct sts_lwp *lwp, const struct sts_report *report)
{
	sts_unexpect(lwp->session, lwp);
	/* Killed since, it stands in another stop now; that is the one. */
	if (!lwp->arrived.tid)
		TAILQ_INSERT_TAIL(&lwp->session->arrived, lwp, in_arrived);
	lwp->arrived = *report;
}

/*
 * "Any" answers in the order of the kernel's list, newest first, so busy young
 * tracees could starve the old: now and then take all stops there are before the
 * first of them is set going again.
 */
static void arrive(struct stasis_session *s)
{
	struct sts_report report;
	struct sts_lwp *lwp;
	int r = 0;

	while (sts_spares_fill(s) == 0 && (r = sts_os_wait_stop_any(&report)) > 0) {
		lwp = lwp_of_report(s, &report);
		sts_arrive_as(lwp, &report);
	}
	s->foreign_stop = r == -EBUSY;
}

void sts_arrive(struct sts_lwp *lwp)
{
	struct sts_report report;

	if (!lwp->arrived.tid && sts_os_wait_stop(lwp->tid, &report) > 0)
		sts_arrive_as(lwp, &report);
}

void sts_unarrive(struct stasis_session *s, struct sts_lwp *lwp)
{
	if (lwp->arrived.tid)
		TAILQ_REMOVE(&s->arrived, lwp, in_arrived);
	lwp->arrived.tid = 0;
}

static bool handle_arrived(struct stasis_session *s)
{
	struct sts_lwp *lwp = TAILQ_FIRST(&s->arrived);

	if (!lwp)
		return false;
	struct sts_report report = lwp->arrived;
	sts_unarrive(s, lwp);
	handle(s, lwp, &report);
	return true;
}

/* Ask for each by its tid. */
static bool sweep(struct stasis_session *s, bool all)
{
	struct sts_report report;
	struct sts_lwp *lwp;

	LIST_FOREACH(lwp, &s->exiting, in_exiting) {
		if (!lwp->zombie_held && sts_os_wait_dead(lwp->tid, &report) > 0) {
			handle(s, lwp, &report);
			return true;
		}
	}
	for (int i = 0; all && i < STS_BUCKETS; i++) {
		LIST_FOREACH(lwp, &s->lwps[i], by_tid) {
			if (s->foreign_stop && lwp->state != STS_LWP_RESTING)
				sts_arrive(lwp);
			if (!lwp->zombie_held && sts_os_wait_dead(lwp->tid, &report) > 0) {
				handle(s, lwp, &report);
				return true;
			}
		}
	}
	return handle_arrived(s);
}

/* "Any" shows a zombie that must stay: look round it. */
static int collect_around(struct stasis_session *s)
{
	int64_t now = sts_clock_ms();
	bool all = now - s->last_sweep >= SWEEP_MS;

	arrive(s);
	if (handle_arrived(s))
		return 1;
	if (all)
		s->last_sweep = now;
	return sweep(s, all);
}

static bool collect_dead(struct stasis_session *s)
{
	struct sts_report report;
	bool any = false;

	while (!LIST_EMPTY(&s->exiting) && sts_spares_fill(s) == 0 && sts_os_wait_dead_any(&report) > 0) {
		if (is_obstacle(s, &report))
			return any;
		handle_any(s, &report);
		any = true;
	}
	return any;
}

/* Of so many reports one is taken together with all others there are; the kernel chooses the order of the rest. */
#define FAIR_EVERY 8

static int collect_any(struct stasis_session *s, bool block)
{
	struct sts_report report;

	consume_all(s);
	s->foreign_zombie = false;
	if (s->n_lwps > 1 && s->n_collected++ % FAIR_EVERY == 0) {
		arrive(s);
		bool dead = collect_dead(s);
		if (handle_arrived(s) || dead)
			return 1;
	}
	int r = sts_os_wait_peek(block && s->n_zombies_held == 0, &report);
	if (r == -ECHILD)
		return sts_processes_lost(s);
	if (r <= 0)
		return r;
	if (is_obstacle(s, &report))
		return collect_around(s);
	handle_any(s, &report);
	return 1;
}

int sts_collect(struct stasis_session *s, bool block)
{
	int r = sts_spares_fill(s);

	if (r < 0)
		return r;
	if (handle_arrived(s) || try_expected(s))
		return 1;
	r = collect_any(s, block && sts_collect_patience(s) == INT_MAX);
	if (r == 0 && (settle_unreachable(s) || sts_orphans_adopt(s, sts_clock_ms())))
		return 1;
	return r;
}

/* For requests that have to see something come: handle one report, or wait a moment. */
int sts_collect_wait(struct stasis_session *s)
{
	int r = sts_collect(s, false);

	if (r == 0)
		sts_collect_sleep(s, SLICE_MS);
	return r;
}
