/* SPDX-License-Identifier: BSD-2-Clause */
/* 50 threads take a signal, 50 hit a breakpoint and 50 a watchpoint at once: each event is reported once, of its LWP.
 */
#include "storms.h"

enum { KINDS = 3, FULL_ROUNDS = 100 };

static const enum stasis_event_kind kinds[KINDS] = {
	STASIS_EVENT_SIGNAL,
	STASIS_EVENT_BREAKPOINT,
	STASIS_EVENT_WATCHPOINT,
};

struct account {
	struct storm st;
	pid_t pid;
	int slot;
	struct storm_table counts; /* by LWP, of each kind */
};

static void check_details(const struct account *a, const struct stasis_event *ev)
{
	switch (ev->kind) {
	case STASIS_EVENT_SIGNAL:
		ATF_REQUIRE_EQ(ev->data.signal.info.si_signo, SIGUSR1);
		ATF_REQUIRE_EQ(ev->data.signal.info.si_code, SI_TKILL);
		ATF_REQUIRE(!ev->data.signal.process_wide);
		break;
	case STASIS_EVENT_BREAKPOINT:
		ATF_REQUIRE_EQ(ev->data.trap.address, a->st.sh->address[0]);
		ATF_REQUIRE(!ev->data.trap.hardware);
		break;
	default:
		ATF_REQUIRE_EQ(ev->data.trap.address, a->st.sh->address[1]);
		ATF_REQUIRE_EQ(ev->data.trap.slot, a->slot);
		ATF_REQUIRE(ev->data.trap.write);
	}
}

static void take(void *arg, const struct stasis_event *ev)
{
	struct account *a = arg;

	if (ev->kind == STASIS_EVENT_EXITED)
		return;
	for (int k = 0; k < KINDS; k++) {
		if (ev->kind != kinds[k])
			continue;
		check_details(a, ev);
		storm_table_get(&a->counts, ev->tid)->value[k]++;
		return;
	}
	storm_no_event(NULL, ev);
}

static void check(struct account *a, uint64_t rounds)
{
	storm_check_target(&a->st);
	for (int i = 0; i < KINDS * STORM_TRAP_THREADS; i++) {
		const struct storm_entry *e = storm_table_get(&a->counts, a->st.sh->pids[i]);

		for (int k = 0; k < KINDS; k++) {
			uint64_t due = k == i / STORM_TRAP_THREADS ? rounds : 0;

			if (e->value[k] != due)
				atf_tc_fail("LWP %d: %lu %s events where %lu were due", (int)e->id,
					    (unsigned long)e->value[k], stasis_event_kind_name(kinds[k]),
					    (unsigned long)due);
		}
	}
	ATF_REQUIRE_EQ(a->counts.n, KINDS * STORM_TRAP_THREADS);
	ATF_REQUIRE_EQ(a->st.sh->calls, rounds * STORM_TRAP_THREADS);
	ATF_REQUIRE_EQ(a->st.sh->signals_got, rounds * STORM_TRAP_THREADS);
}

/* `gate`: before the threads are born (1) or after (2). */
static void plant(struct account *a, uint32_t gate, unsigned flags)
{
	storm_run_to_gate(&a->st, gate, storm_no_event, NULL);
	storm_interrupt(&a->st, a->pid, storm_no_event, NULL);
	STS_OK_S(a->st.s, stasis_breakpoint_insert(a->st.s, a->pid, a->st.sh->address[0]));
	STS_OK_S(a->st.s,
		 stasis_watch_insert(a->st.s, a->pid, 0, STASIS_WATCH_WRITE, a->st.sh->address[1], 8, flags, &a->slot));
	sts_resume(a->st.s, a->pid);
}

static void storm(uint32_t planted_at, unsigned flags)
{
	unsigned rounds = sts_rounds(FULL_ROUNDS, 3);
	struct account a = {0};

	storm_begin_session(&a.st);
	sts_want(a.st.s, 0, STASIS_EVENT_BIT(kinds[0]) | STASIS_EVENT_BIT(kinds[1]) | STASIS_EVENT_BIT(kinds[2]));
	a.pid = storm_launch(&a.st, "traps", rounds);
	sts_resume(a.st.s, a.pid);
	for (uint32_t gate = 1; gate <= 2; gate++) {
		if (gate == planted_at)
			plant(&a, gate, flags);
		else
			storm_run_to_gate(&a.st, gate, storm_no_event, NULL);
		storm_open_gate(&a.st, gate);
	}
	storm_run(&a.st, take, &a);
	check(&a, rounds);
	storm_table_free(&a.counts);
	storm_end(&a.st);
}

STS_TC_BOTH(all_at_once, 300, "150 threads in signals, breakpoints and watchpoints: each event once")
{
	storm(2, 0);
}

STS_TC_BOTH(inherited, 300, "the same with the watchpoint set before the threads were born")
{
	storm(1, STASIS_WATCH_NEW_LWPS);
}
