/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exact count: one function called 200 times while eight other threads make
 * children without end. The breakpoint in it must be reported 200 times, and a
 * second one, in a function that the children call, once for each of their calls.
 */
#include "storms.h"

enum { CALLS = 200, THREADS = 8, CHILD_CALLS = 3 };

struct account {
	struct storm st;
	pid_t pid;
	bool followed;
	uint64_t hits, child_hits;
};

static void take_breakpoint(struct account *a, const struct stasis_event *ev)
{
	uint64_t pc = 0;

	if (ev->data.trap.address == a->st.sh->address[0]) {
		ATF_REQUIRE_EQ_MSG(ev->tid, a->pid, "hit reported of LWP %d, which does not call it", (int)ev->tid);
		a->hits++;
	} else {
		ATF_REQUIRE_EQ(ev->data.trap.address, a->st.sh->address[1]);
		ATF_REQUIRE_MSG(ev->pid != a->pid, "a child's hit is reported of its parent");
		a->child_hits++;
	}
	if (STORM_MAY_DIE(stasis_pc_get(a->st.s, ev->tid, &pc)) == 0)
		ATF_REQUIRE_EQ(pc, ev->data.trap.address);
}

static void take(void *arg, const struct stasis_event *ev)
{
	struct account *a = arg;
	char text[256];

	if (ev->pid != a->pid && !a->followed)
		atf_tc_fail("event of a child that is not followed: %s", sts_event_text(ev, text, sizeof text));
	if (ev->kind == STASIS_EVENT_BREAKPOINT)
		take_breakpoint(a, ev);
	if (ev->kind == STASIS_EVENT_KILLED)
		atf_tc_fail("killed: %s", sts_event_text(ev, text, sizeof text));
	if (ev->kind == STASIS_EVENT_EXITED && ev->data.exit.status != STORM_NOP_STATUS << 8 &&
	    ev->data.exit.status != STORM_DONE_STATUS << 8)
		atf_tc_fail("ended wrongly: %s", sts_event_text(ev, text, sizeof text));
}

static void one_run(struct account *a, uint64_t child_calls)
{
	struct storm_shared *sh = a->st.sh;

	storm_reset(&a->st);
	a->hits = a->child_hits = 0;
	a->pid = storm_launch(&a->st, "count", CALLS, THREADS, child_calls);
	sts_resume(a->st.s, a->pid);
	storm_run_to_gate(&a->st, 1, storm_no_event, NULL);
	storm_interrupt(&a->st, a->pid, storm_no_event, NULL);
	STS_OK_S(a->st.s, stasis_breakpoint_insert(a->st.s, a->pid, sh->address[0]));
	if (child_calls)
		STS_OK_S(a->st.s, stasis_breakpoint_insert(a->st.s, a->pid, sh->address[1]));
	storm_open_gate(&a->st, 1);
	sts_resume(a->st.s, a->pid);
	storm_run(&a->st, take, a);
	storm_check_target(&a->st);
	ATF_REQUIRE_EQ(sh->calls, CALLS);
	ATF_REQUIRE_EQ_MSG(a->hits, CALLS, "%lu hits of %d calls", (unsigned long)a->hits, CALLS);
	uint64_t due = a->followed ? (uint64_t)sh->child_calls : 0;
	ATF_REQUIRE_EQ_MSG(a->child_hits, due, "%lu hits of %lu calls by children", (unsigned long)a->child_hits,
			   (unsigned long)due);
	ATF_REQUIRE(!child_calls || sh->child_calls > 0);
}

static void runs(uint64_t events, enum stasis_follow follow, uint64_t child_calls)
{
	struct account a = {.followed = follow == STASIS_FOLLOW_BOTH && (events & STASIS_EVENTS_BIRTH)};

	storm_begin_session(&a.st);
	sts_want(a.st.s, 0, events | STASIS_EVENT_BIT(STASIS_EVENT_BREAKPOINT));
	STS_OK_S(a.st.s, stasis_follow_set(a.st.s, 0, STASIS_EVENTS_BIRTH, follow));
	for (unsigned i = sts_rounds(100, 5); i > 0; i--)
		one_run(&a, child_calls);
	storm_end(&a.st);
}

STS_TC_BOTH(followed, 300, "200 calls are 200 hits among followed children")
{
	runs(STASIS_EVENTS_BIRTH, STASIS_FOLLOW_BOTH, 0);
}

STS_TC_BOTH(unfollowed, 300, "200 calls are 200 hits among children that are let go")
{
	runs(STASIS_EVENTS_BIRTH, STASIS_FOLLOW_PARENT, 0);
}

STS_TC_BOTH(unwanted, 300, "200 calls are 200 hits among children nobody asked about")
{
	runs(0, STASIS_FOLLOW_BOTH, 0);
}

STS_TC_BOTH(children_hit, 300, "each call by a followed child, before its exec, is one hit")
{
	runs(STASIS_EVENTS_BIRTH | STASIS_EVENT_BIT(STASIS_EVENT_VFORK_DONE) | STASIS_EVENT_BIT(STASIS_EVENT_EXEC),
	     STASIS_FOLLOW_BOTH, CHILD_CALLS);
}

STS_TC_BOTH(children_pass, 300, "children let go pass the breakpoint's place unharmed, in shared memory too")
{
	runs(STASIS_EVENTS_BIRTH, STASIS_FOLLOW_PARENT, CHILD_CALLS);
}
