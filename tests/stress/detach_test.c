/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Detach at random moments, breakpoints planted: the target finishes with the
 * right result, no signal lost, no call cut short, no thread stopped, and its
 * text is as in its file.
 */
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "storms.h"

enum { FULL = 1000, WORKERS = 3, ITERATIONS = 1500, MOST_EVENTS = 60 };

struct round {
	struct storm *st;
	pid_t pid;
	bool attached; /* a child of ours, not of the session */
	bool gone;     /* it was quicker than we */
	uint64_t flags;
};

static uint64_t due_result(void)
{
	static uint64_t sum;

	if (!sum)
		for (uint64_t i = 0; i < WORKERS; i++)
			sum += storm_work_share(i, ITERATIONS);
	return sum;
}

static void choose(struct round *r)
{
	const uint64_t groups[] = {
		STASIS_EVENTS_BIRTH,
		STASIS_EVENT_BIT(STASIS_EVENT_LWP_CREATE) | STASIS_EVENT_BIT(STASIS_EVENT_LWP_EXIT),
		STASIS_EVENTS_SYSCALL,
		STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL),
		STASIS_EVENT_BIT(STASIS_EVENT_EXEC) | STASIS_EVENT_BIT(STASIS_EVENT_VFORK_DONE),
	};
	struct stasis_event_mask mask = {.all_stop = STASIS_EVENT_BIT(STASIS_EVENT_BREAKPOINT)};

	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
		switch (storm_random(r->st, 3)) {
		case 0:
			mask.all_stop |= groups[i];
			break;
		case 1:
			mask.thread_stop |= groups[i];
		}
	}
	STS_OK_S(r->st->s, stasis_event_mask_set(r->st->s, 0, &mask));
	r->flags = storm_random(r->st, STORM_WORK_HOLD) | STORM_WORK_HOLD;
}

static void begin(struct round *r)
{
	struct storm *st = r->st;

	storm_reset(st);
	choose(r);
	if (r->attached) {
		r->pid = storm_start(st, "work", WORKERS, ITERATIONS, r->flags);
		storm_await_gate(st, 1);
		sts_attach(st->s, r->pid);
	} else {
		r->pid = storm_launch(st, "work", WORKERS, ITERATIONS, r->flags);
		sts_resume(st->s, r->pid);
		storm_run_to_gate(st, 1, storm_any_event, NULL);
		storm_interrupt(st, r->pid, storm_any_event, NULL);
	}
	for (int i = 0; i < STORM_SITES; i++)
		STS_OK_S(st->s, stasis_breakpoint_insert(st->s, r->pid, st->sh->address[i]));
	storm_open_gate(st, 1);
	sts_resume(st->s, r->pid);
}

/* Steps now and then, so that a detach may fall into one. */
static void answer(struct round *r, const struct stasis_event *ev)
{
	const struct stasis_resume_spec specs[2] = {
		{.tid = ev->tid, .action = STASIS_STEP, .signal = STASIS_SIGNAL_KEEP},
		{.tid = 0, .action = STASIS_CONTINUE, .signal = STASIS_SIGNAL_KEEP},
	};

	if (ev->all_stop && ev->pid == r->pid && storm_random(r->st, 4) == 0)
		STORM_MAY_DIE(stasis_resume(r->st->s, ev->pid, specs, 2));
	else
		storm_resume(r->st, ev);
}

/* A random number of events; the last may stay unanswered, if it is one of the process that goes. */
static void some_events(struct round *r)
{
	struct storm *st = r->st;
	struct stasis_event ev;

	for (uint64_t left = storm_random(st, MOST_EVENTS); left > 0 && !atomic_load(&st->sh->done); left--) {
		STS_OK_S(st->s, stasis_wait(st->s, 0, sts_bound_ms(), &ev));
		ATF_REQUIRE(ev.pid != r->pid || ev.kind != STASIS_EVENT_EXITED); /* it holds at its last gate */
		if (left > 1 || ev.pid != r->pid || storm_random(st, 2))
			answer(r, &ev);
	}
}

/* Perhaps some time without anybody looking; then it goes, whatever it is doing. */
static void detach_somewhere(struct round *r)
{
	struct storm *st = r->st;

	some_events(r);
	for (uint64_t end = storm_now_us() + storm_random(st, 200); storm_now_us() < end;)
		;
	if (storm_random(st, 3) == 0)
		STS_OK_S(st->s, stasis_interrupt(st->s, r->pid));
	STS_OK_S(st->s, stasis_detach(st->s, r->pid, STASIS_SIGNAL_KEEP));
}

/* Children that are followed live on as tracees until they have ended: the target waits for them. */
static void run_until_done(struct storm *st)
{
	uint64_t deadline = sts_now_ms() + sts_bound_ms();
	struct stasis_event ev;

	while (atomic_load(&st->sh->at_gate) < 2) {
		int r = stasis_wait(st->s, 0, 1, &ev);

		if (r == 0)
			storm_resume(st, &ev);
		else if (r == STASIS_E_NO_TRACEE)
			storm_await_gate(st, 2);
		else if (r != STASIS_E_TIMEOUT)
			STS_OK_S(st->s, r);
		if (sts_now_ms() > deadline) {
			storm_stuck(st);
			return;
		}
	}
}

static void await_end(pid_t pid, int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (poll(&p, 1, sts_bound_ms()) != 1) {
		sts_describe(pid);
		atf_tc_fail("process %d, let go, does not end", (int)pid);
	}
	close(pidfd);
}

static void check(struct round *r)
{
	struct storm *st = r->st;

	run_until_done(st);
	if (atomic_load(&st->sh->at_gate) < 2) {
		sts_describe(r->pid);
		atf_tc_fail("process %d, let go, does not finish its work", (int)r->pid);
	}
	storm_check_free(r->pid);
	storm_check_text(r->pid);
	ATF_REQUIRE_EQ_MSG(st->sh->result, due_result(), "wrong result");
	ATF_REQUIRE_EQ_MSG(st->sh->signals_got, st->sh->signals_sent, "%lu signals received of %lu",
			   (unsigned long)st->sh->signals_got, (unsigned long)st->sh->signals_sent);
	storm_check_target(st);
}

static void one_round(struct storm *st, bool attached)
{
	struct round r = {.st = st, .attached = attached};
	struct stasis_event ev;

	begin(&r);
	int pidfd = (int)STS_SYS(syscall(SYS_pidfd_open, r.pid, 0));
	detach_somewhere(&r);
	check(&r);
	storm_open_gate(st, 2);
	if (attached || sts_kind() == STS_DIRECT) /* launched by an isolated session it is its helper's to collect */
		sts_reap_exit(r.pid, STORM_DONE_STATUS);
	await_end(r.pid, pidfd);
	while (storm_next(st, 0, &ev)) {
		ATF_REQUIRE_MSG(ev.pid != r.pid, "an event of a process that was let go");
		storm_resume(st, &ev);
	}
}

STS_TC_BOTH(at_random_moments, 600, "let go at a thousand random moments, breakpoints planted: nothing shows of us")
{
	struct storm st;

	storm_begin_session(&st);
	for (unsigned i = sts_rounds(FULL, 40); i > 0; i--)
		one_round(&st, i % 2);
	storm_end(&st);
}
