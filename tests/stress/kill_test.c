/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIGKILL from outside, at random moments, of a process that is running,
 * stopped, in a system call, in a queue, in the middle of a step, at a
 * breakpoint, in births of every kind: one killed event each, and never a hang.
 */
#include <semaphore.h>
#include "storms.h"

enum { FULL = 1000, LONGEST_US = 4000, WORKERS = 3, MAX_LWPS = 64 };

struct killer {
	sem_t go;
	pthread_t thread;
	_Atomic pid_t pid; /* whom; 0: go home */
	_Atomic uint64_t delay_us;
};

struct round {
	struct storm *st;
	pid_t pid;
	struct storm_table ends; /* of every tracee there was */
	bool steps, interrupts, edits;
};

static void *kill_when_told(void *arg)
{
	struct killer *k = arg;

	while (sem_wait(&k->go) == 0 && k->pid) {
		for (uint64_t end = storm_now_us() + k->delay_us; storm_now_us() < end;)
			;
		kill(k->pid, SIGKILL);
	}
	return NULL;
}

static void killer_begin(struct killer *k)
{
	sem_init(&k->go, 0, 0);
	k->thread = storm_helper(kill_when_told, k);
}

static void killer_send(struct killer *k, pid_t pid, uint64_t delay_us)
{
	k->pid = pid;
	k->delay_us = delay_us;
	sem_post(&k->go);
}

static void killer_end(struct killer *k)
{
	killer_send(k, 0, 0);
	pthread_join(k->thread, NULL);
	sem_destroy(&k->go);
}

/* Things that a debugger does; the tracee may be gone at each of them. */

static void edit(struct round *r)
{
	struct stasis_session *s = r->st->s;
	uint64_t site = r->st->sh->address[storm_random(r->st, STORM_SITES)], word;
	int e = stasis_breakpoint_remove(s, r->pid, site);

	if (e == STASIS_E_NO_BREAKPOINT)
		e = stasis_breakpoint_insert(s, r->pid, site);
	STORM_MAY_DIE(e);
	e = stasis_memory_read(s, r->pid, site, &word, sizeof word, NULL);
	if (e != STASIS_E_BAD_ADDRESS) /* the memory goes before the process does */
		STORM_MAY_DIE(e);
}

static void step_one(struct round *r, const struct stasis_event *ev)
{
	const struct stasis_resume_spec specs[2] = {
		{.tid = ev->tid, .action = STASIS_STEP, .signal = STASIS_SIGNAL_KEEP},
		{.tid = 0, .action = STASIS_CONTINUE, .signal = STASIS_SIGNAL_KEEP},
	};
	int e = stasis_resume(r->st->s, ev->pid, specs, 2);

	if (e == STASIS_E_BAD_LWP) /* that LWP alone has ended */
		e = stasis_resume(r->st->s, ev->pid, NULL, 0);
	STORM_MAY_DIE(e);
}

static void answer(struct round *r, const struct stasis_event *ev)
{
	if (!ev->stopped)
		return;
	if (r->edits && ev->all_stop && ev->pid == r->pid && storm_random(r->st, 8) == 0)
		edit(r);
	if (r->steps && ev->all_stop && ev->pid == r->pid && storm_random(r->st, 2) == 0)
		step_one(r, ev);
	else
		storm_resume(r->st, ev);
	if (r->interrupts && storm_random(r->st, 4) == 0)
		STORM_MAY_DIE(stasis_interrupt(r->st->s, r->pid));
}

static bool is_end(const struct stasis_event *ev)
{
	return ev->kind == STASIS_EVENT_EXITED || ev->kind == STASIS_EVENT_KILLED;
}

static void account(struct round *r, const struct stasis_event *ev)
{
	char text[256];

	if (storm_table_find(&r->ends, ev->pid))
		atf_tc_fail("after its end: %s", sts_event_text(ev, text, sizeof text));
	if (!is_end(ev))
		return;
	storm_table_get(&r->ends, ev->pid);
	if (ev->pid == r->pid && (ev->kind != STASIS_EVENT_KILLED || WTERMSIG(ev->data.exit.status) != SIGKILL))
		atf_tc_fail("killed by SIGKILL, but: %s", sts_event_text(ev, text, sizeof text));
}

/* What it left behind as tracees: children in the middle of their lives. */
static void bury_children(struct round *r)
{
	struct stasis_event ev;
	pid_t pids[16];
	size_t n;

	for (;;) {
		STS_OK_S(r->st->s, stasis_process_list(r->st->s, pids, 16, &n));
		for (size_t i = 0; i < n && i < 16; i++)
			STORM_MAY_DIE(stasis_kill(r->st->s, pids[i]));
		if (!storm_next(r->st, 0, &ev))
			return;
		account(r, &ev);
		storm_resume(r->st, &ev);
	}
}

static void choose_mask(struct round *r)
{
	const uint64_t births =
		STASIS_EVENTS_BIRTH | STASIS_EVENT_BIT(STASIS_EVENT_VFORK_DONE) | STASIS_EVENT_BIT(STASIS_EVENT_EXEC);
	const uint64_t lwps = STASIS_EVENT_BIT(STASIS_EVENT_LWP_CREATE) | STASIS_EVENT_BIT(STASIS_EVENT_LWP_EXIT);
	struct stasis_event_mask mask = {.all_stop = STASIS_EVENT_BIT(STASIS_EVENT_BREAKPOINT)};
	const uint64_t groups[] = {births, lwps, STASIS_EVENTS_SYSCALL, STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL)};

	for (size_t i = 0; i < 4; i++) {
		switch (storm_random(r->st, 3)) {
		case 0:
			mask.all_stop |= groups[i];
			break;
		case 1:
			mask.thread_stop |= groups[i];
		}
	}
	STS_OK_S(r->st->s, stasis_event_mask_set(r->st->s, 0, &mask));
	r->steps = storm_random(r->st, 2);
	r->interrupts = storm_random(r->st, 2);
	r->edits = storm_random(r->st, 2);
}

static void plant(struct round *r)
{
	uint64_t sites = storm_random(r->st, 1 << STORM_SITES);

	for (int i = 0; i < STORM_SITES; i++)
		if (sites & 1 << i)
			STS_OK_S(r->st->s, stasis_breakpoint_insert(r->st->s, r->pid, r->st->sh->address[i]));
}

/* A target at work, or about to be: its breakpoints are planted, its gate is open, it rests. */
static void round_begin(struct round *r, struct storm *st)
{
	*r = (struct round){.st = st};
	storm_reset(st);
	choose_mask(r);
	r->pid = storm_launch(st, "work", 1 + storm_random(st, WORKERS), 0, storm_random(st, STORM_WORK_HOLD));
	sts_resume(st->s, r->pid);
	storm_run_to_gate(st, 1, storm_any_event, NULL);
	storm_interrupt(st, r->pid, storm_any_event, NULL);
	plant(r);
	storm_open_gate(st, 1);
}

/* To the end of the killed one, then of what it left. */
static void round_end(struct round *r, bool answers)
{
	struct stasis_event ev;

	do {
		if (!storm_next(r->st, answers ? 0 : r->pid, &ev))
			atf_tc_fail("no tracee is left, but no end of %d was told", (int)r->pid);
		account(r, &ev);
		if (answers)
			answer(r, &ev);
	} while (!(is_end(&ev) && ev.pid == r->pid));
	bury_children(r);
	storm_table_free(&r->ends);
	ATF_REQUIRE_EQ_MSG(r->st->sh->failures, 0, "the target complains: %s", r->st->sh->failure);
}

STS_TC_BOTH(at_random_moments, 600, "killed a thousand times from outside: one killed event each")
{
	struct killer k = {0};
	struct storm st;
	struct round r;

	storm_begin_session(&st);
	killer_begin(&k);
	for (unsigned i = sts_rounds(FULL, 40); i > 0; i--) {
		round_begin(&r, &st);
		killer_send(&k, r.pid, storm_random(&st, LONGEST_US));
		STORM_MAY_DIE(stasis_resume(st.s, r.pid, NULL, 0));
		round_end(&r, true);
	}
	killer_end(&k);
	storm_end(&st);
}

/* Bring it to rest after a few events, perhaps with one LWP held back. */
static void come_to_rest(struct round *r, bool suspends)
{
	struct stasis_event ev;
	pid_t tids[MAX_LWPS];
	size_t n;

	sts_resume(r->st->s, r->pid);
	/* The dice may have fallen so that nothing of what it does is an event. */
	for (uint64_t left = storm_random(r->st, 20); left > 0 && stasis_wait(r->st->s, 0, 20, &ev) == 0; left--)
		storm_resume(r->st, &ev);
	storm_interrupt(r->st, r->pid, storm_any_event, NULL);
	STS_OK_S(r->st->s, stasis_lwp_list(r->st->s, r->pid, tids, MAX_LWPS, &n));
	if (suspends)
		STORM_MAY_DIE(stasis_lwp_suspend(r->st->s, tids[storm_random(r->st, n)]));
}

STS_TC_BOTH(at_rest, 300, "killed at rest, events kept or not, an LWP suspended or not: nobody needs to resume it")
{
	struct killer k = {0};
	struct storm st;
	struct round r;

	storm_begin_session(&st);
	killer_begin(&k);
	for (unsigned i = sts_rounds(300, 15); i > 0; i--) {
		round_begin(&r, &st);
		come_to_rest(&r, i % 2);
		killer_send(&k, r.pid, 0);
		round_end(&r, false);
	}
	killer_end(&k);
	storm_end(&st);
}
