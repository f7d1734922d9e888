/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fork bomb of 500 processes, held: every descendant rests before its first
 * instruction for as long as its birth is not resumed, and none escapes.
 */
#include <stdlib.h>
#include "storms.h"

enum { DESCENDANTS = 500, MORE = 100 };

struct bomb {
	struct storm st;
	pid_t root;
	unsigned hold_percent;
	bool defusing; /* nothing is held any more */
	pid_t held[DESCENDANTS + MORE];
	size_t n_held;
	struct storm_table born; /* value 0: its first event came, 1: its end */
	unsigned n_first, n_ended;
	int end_status; /* what every descendant must end with */
};

enum { FIRST, ENDED };

static bool keeps_held(struct bomb *b, const struct stasis_event *ev)
{
	if (ev->kind != STASIS_EVENT_FORK || ev->data.birth.side != STASIS_SIDE_CHILD || b->defusing ||
	    storm_random(&b->st, 100) >= b->hold_percent)
		return false;
	b->held[b->n_held++] = ev->pid;
	return true;
}

static void take_birth(struct bomb *b, const struct stasis_event *ev)
{
	const struct stasis_event_birth *birth = &ev->data.birth;
	struct storm_entry *e = storm_table_get(&b->born, birth->child);

	ATF_REQUIRE(birth->followed);
	if (birth->side == STASIS_SIDE_PARENT) {
		ATF_REQUIRE_EQ_MSG(e->value[FIRST], 0, "the child %d spoke before its parent", (int)birth->child);
		ATF_REQUIRE_EQ(birth->parent, ev->pid);
		return;
	}
	ATF_REQUIRE_EQ(birth->child, ev->pid);
	ATF_REQUIRE_EQ_MSG(e->value[FIRST]++, 0, "child %d is born twice", (int)ev->pid);
	b->n_first++;
}

static void take_end(struct bomb *b, const struct stasis_event *ev)
{
	char text[256];

	if (ev->pid == b->root)
		return;
	struct storm_entry *e = storm_table_get(&b->born, ev->pid);
	ATF_REQUIRE_EQ_MSG(e->value[ENDED]++, 0, "child %d ends twice", (int)ev->pid);
	if (ev->data.exit.status != b->end_status)
		atf_tc_fail("wrong end: %s", sts_event_text(ev, text, sizeof text));
	b->n_ended++;
}

static void take(struct bomb *b, const struct stasis_event *ev)
{
	if (ev->kind == STASIS_EVENT_FORK)
		take_birth(b, ev);
	else if (ev->kind == STASIS_EVENT_EXITED || ev->kind == STASIS_EVENT_KILLED)
		take_end(b, ev);
	else
		storm_no_event(NULL, ev);
	if (!keeps_held(b, ev))
		storm_resume(&b->st, ev);
}

static void begin(struct bomb *b, unsigned hold_percent)
{
	*b = (struct bomb){.hold_percent = hold_percent, .end_status = STORM_NOP_STATUS << 8};
	storm_begin_session(&b->st);
	sts_want(b->st.s, 0, STASIS_EVENTS_BIRTH);
	atomic_store(&b->st.sh->ticket_limit, DESCENDANTS);
	b->root = storm_launch(&b->st, "bomb", 0);
	sts_resume(b->st.s, b->root);
	storm_run_to_gate(&b->st, 1, storm_no_event, NULL);
	storm_open_gate(&b->st, 1);
}

static int compare_pids(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

static void check_held(struct bomb *b)
{
	struct storm_shared *sh = b->st.sh;

	qsort(b->held, b->n_held, sizeof b->held[0], compare_pids);
	for (uint32_t i = 0; i < sh->lived; i++) {
		pid_t pid = sh->pids[i];

		if (bsearch(&pid, b->held, b->n_held, sizeof pid, compare_pids))
			atf_tc_fail("process %d is held but has run", (int)pid);
	}
	for (size_t i = 0; i < b->n_held; i++) {
		char state = sts_proc_state(b->held[i], b->held[i]);

		ATF_REQUIRE_EQ_MSG(state, 't', "process %d is held but in state %c", (int)b->held[i], state);
	}
}

/* Let it blow until every descendant is born and held or resumed. */
static void blow(struct bomb *b)
{
	struct stasis_event ev;

	while (b->n_first < DESCENDANTS) {
		ATF_REQUIRE(storm_next(&b->st, 0, &ev));
		take(b, &ev);
		if (b->n_first % 50 == 0)
			check_held(b);
	}
	check_held(b);
	fprintf(stderr, "%u born, %zu held\n", b->n_first, b->n_held);
}

static void drain(struct bomb *b)
{
	struct stasis_event ev;

	while (storm_next(&b->st, 0, &ev))
		take(b, &ev);
}

static void end(struct bomb *b)
{
	ATF_REQUIRE_EQ_MSG(b->n_ended, b->n_first, "%u born, %u ended", b->n_first, b->n_ended);
	ATF_REQUIRE_EQ(b->st.sh->failures, 0);
	storm_table_free(&b->born);
	storm_end(&b->st);
}

static void release(struct bomb *b)
{
	b->defusing = true;
	for (size_t i = 0; i < b->n_held; i++)
		sts_resume(b->st.s, b->held[i]);
	b->n_held = 0;
}

STS_TC_BOTH(held_released, 120, "500 descendants are held before their first instruction, then bomb on when released")
{
	struct bomb b;

	begin(&b, 100);
	blow(&b);
	ATF_REQUIRE_EQ(b.st.sh->lived, 0);
	ATF_REQUIRE_EQ(b.n_held, DESCENDANTS);
	atomic_store(&b.st.sh->ticket_limit, DESCENDANTS + MORE);
	release(&b);
	drain(&b);
	ATF_REQUIRE_EQ(b.n_first, b.st.sh->tickets);
	ATF_REQUIRE_EQ(b.st.sh->lived, b.st.sh->tickets);
	storm_check_target(&b.st);
	end(&b);
}

STS_TC_BOTH(wild_released, 120, "a tree of 500 descendants, each held or not by chance")
{
	struct bomb b;

	begin(&b, 20);
	blow(&b);
	ATF_REQUIRE(b.n_held > 0);
	release(&b);
	drain(&b);
	ATF_REQUIRE_EQ(b.n_first, b.st.sh->tickets);
	storm_check_target(&b.st);
	end(&b);
}

static void kill_all(struct bomb *b)
{
	pid_t pids[DESCENDANTS + MORE + 1];
	size_t n;

	b->defusing = true;
	b->end_status = SIGKILL;
	/* What is alive is what the session says is alive; a descendant born meanwhile is killed in the next turn. */
	do {
		struct stasis_event ev;

		STS_OK_S(b->st.s, stasis_process_list(b->st.s, pids, DESCENDANTS + MORE + 1, &n));
		for (size_t i = 0; i < n; i++)
			STORM_MAY_DIE(stasis_kill(b->st.s, pids[i]));
		for (size_t i = 0; i < n && storm_next(&b->st, 0, &ev); i++)
			take(b, &ev);
	} while (n > 0);
}

STS_TC_BOTH(held_killed, 120, "500 held descendants are killed and have never run")
{
	struct bomb b;

	begin(&b, 100);
	blow(&b);
	kill_all(&b);
	ATF_REQUIRE_EQ(b.st.sh->lived, 0);
	ATF_REQUIRE_EQ(b.st.sh->births + 1 >= DESCENDANTS, true);
	end(&b);
}

STS_TC_BOTH(held_detached, 120, "500 held descendants are let go and live untraced")
{
	struct bomb b;

	begin(&b, 100);
	blow(&b);
	for (size_t i = 0; i < b.n_held; i++)
		STS_OK_S(b.st.s, stasis_detach(b.st.s, b.held[i], 0));
	b.n_held = 0;
	drain(&b); /* the root collects them all, with the right status, and says so */
	ATF_REQUIRE_EQ(b.n_ended, 0);
	ATF_REQUIRE_EQ(b.st.sh->lived, DESCENDANTS);
	storm_check_target(&b.st);
	b.n_ended = b.n_first;
	end(&b);
}
