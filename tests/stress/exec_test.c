/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that executes itself a thousand times from a thread that is not its
 * leader, the leader being busy, asleep or dead, and other threads at work.
 * Every other LWP ends before the exec is told, each once; the survivor has the
 * leader's id; interrupts at random do not confuse anything.
 */
#include "storms.h"

enum { FULL = 1000 };

struct account {
	struct storm st;
	pid_t pid;
	struct storm_table alive;
	uint64_t execs, interrupts;
	bool ended;
};

static void take_exec(struct account *a, const struct stasis_event *ev)
{
	pid_t former = ev->data.exec.former_tid, tids[16];
	size_t n = 0;

	a->execs++;
	ATF_REQUIRE_EQ_MSG(ev->tid, a->pid, "exec is reported of LWP %d", (int)ev->tid);
	ATF_REQUIRE_MSG(former != a->pid, "exec by the leader");
	if (a->alive.n != 1 || a->alive.entries[0].id != former)
		atf_tc_fail("exec number %lu by %d: %zu LWPs are alive in our book, first %d", (unsigned long)a->execs,
			    (int)former, a->alive.n, (int)a->alive.entries[0].id);
	storm_table_remove(&a->alive, former);
	storm_table_get(&a->alive, a->pid);
	STS_OK_S(a->st.s, stasis_lwp_list(a->st.s, a->pid, tids, 16, &n));
	ATF_REQUIRE_EQ(n, 1);
	ATF_REQUIRE_EQ(tids[0], a->pid);
	storm_check_rest(&a->st, a->pid);
}

static void take(void *arg, const struct stasis_event *ev)
{
	struct account *a = arg;
	pid_t tid = ev->data.lwp.tid;

	ATF_REQUIRE_EQ(ev->pid, a->pid);
	ATF_REQUIRE(!a->ended);
	switch (ev->kind) {
	case STASIS_EVENT_LWP_CREATE:
		ATF_REQUIRE_MSG(!storm_table_find(&a->alive, tid), "LWP %d is born twice", (int)tid);
		storm_table_get(&a->alive, tid);
		break;
	case STASIS_EVENT_LWP_EXIT:
		ATF_REQUIRE_MSG(storm_table_find(&a->alive, tid), "LWP %d ends and was not alive", (int)tid);
		storm_table_remove(&a->alive, tid);
		break;
	case STASIS_EVENT_EXEC:
		take_exec(a, ev);
		break;
	case STASIS_EVENT_EXITED:
		ATF_REQUIRE_EQ(ev->data.exit.status, STORM_DONE_STATUS << 8);
		a->ended = true;
		break;
	case STASIS_EVENT_INTERRUPT:
		a->interrupts++;
		storm_check_rest(&a->st, a->pid);
		break;
	default:
		storm_no_event(NULL, ev);
	}
}

static void storm(bool interrupts)
{
	struct account a = {0};
	struct stasis_event ev;
	unsigned n = sts_rounds(FULL, 30);

	storm_begin_session(&a.st);
	sts_want(a.st.s, 0,
		 STASIS_EVENT_BIT(STASIS_EVENT_EXEC) | STASIS_EVENT_BIT(STASIS_EVENT_LWP_CREATE) |
			 STASIS_EVENT_BIT(STASIS_EVENT_LWP_EXIT));
	a.pid = storm_launch(&a.st, "exec", n);
	storm_table_get(&a.alive, a.pid);
	sts_resume(a.st.s, a.pid);
	while (storm_next(&a.st, 0, &ev)) {
		take(&a, &ev);
		storm_resume(&a.st, &ev);
		if (interrupts && !a.ended && storm_random(&a.st, 3) == 0)
			STORM_MAY_DIE(stasis_interrupt(a.st.s, a.pid));
	}
	storm_check_target(&a.st);
	ATF_REQUIRE_EQ(a.st.sh->calls, n);
	ATF_REQUIRE_EQ_MSG(a.execs, n, "%lu execs of %u", (unsigned long)a.execs, n);
	ATF_REQUIRE(a.ended);
	fprintf(stderr, "%u execs, %lu interrupts\n", n, (unsigned long)a.interrupts);
	storm_table_free(&a.alive);
	storm_end(&a.st);
}

STS_TC_BOTH(non_leader, 300, "a thousand execs by threads that are not leaders")
{
	storm(false);
}

STS_TC_BOTH(non_leader_interrupted, 300, "the same, interrupted at random")
{
	storm(true);
}
