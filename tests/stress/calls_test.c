/* SPDX-License-Identifier: BSD-2-Clause */
/* 16 processes call getpid 62,500 times each: a million entries are reported, and as many exits. */
#include <sys/syscall.h>
#include "storms.h"

enum { PROCESSES = 16, FULL_CALLS = 62500 };
enum { ENTERED, LEFT, INSIDE }; /* values in the table */

struct account {
	struct storm st;
	pid_t root;
	struct storm_table table;
	uint64_t ends;
};

static void take_call(struct account *a, const struct stasis_event *ev)
{
	struct storm_entry *e = storm_table_get(&a->table, ev->tid);
	bool enter = ev->kind == STASIS_EVENT_SYSCALL_ENTER;

	ATF_REQUIRE_EQ(ev->data.syscall.abi, STASIS_ABI_X86_64);
	ATF_REQUIRE_EQ_MSG(e->value[INSIDE], !enter, "%d: %s twice in a row", (int)ev->tid, enter ? "entry" : "exit");
	e->value[INSIDE] = enter;
	e->value[enter ? ENTERED : LEFT]++;
	if (!enter)
		ATF_REQUIRE_EQ(ev->data.syscall.result, ev->pid);
}

static void take(void *arg, const struct stasis_event *ev)
{
	struct account *a = arg;

	switch (ev->kind) {
	case STASIS_EVENT_SYSCALL_ENTER:
	case STASIS_EVENT_SYSCALL_EXIT:
		ATF_REQUIRE(!ev->all_stop);
		if (ev->data.syscall.number == SYS_getpid && ev->pid != a->root)
			take_call(a, ev);
		break;
	case STASIS_EVENT_EXITED:
		a->ends++;
		break;
	case STASIS_EVENT_FORK:
		break;
	default:
		storm_no_event(NULL, ev);
	}
}

static void check(const struct account *a, uint64_t n)
{
	uint64_t entered = 0, left = 0;

	for (size_t i = 0; i < a->table.n; i++) {
		const struct storm_entry *e = &a->table.entries[i];

		if (e->value[ENTERED] != n || e->value[LEFT] != n)
			atf_tc_fail("process %d: %lu entries and %lu exits of %lu calls", (int)e->id,
				    (unsigned long)e->value[ENTERED], (unsigned long)e->value[LEFT], (unsigned long)n);
		entered += e->value[ENTERED];
		left += e->value[LEFT];
	}
	ATF_REQUIRE_EQ(a->st.sh->calls, PROCESSES * n);
	ATF_REQUIRE_EQ_MSG(entered, PROCESSES * n, "%lu entries", (unsigned long)entered);
	ATF_REQUIRE_EQ_MSG(left, PROCESSES * n, "%lu exits", (unsigned long)left);
	ATF_REQUIRE_EQ(a->ends, PROCESSES + 1);
}

STS_TC_BOTH(million, 600, "every call of 16 processes at once is one entry and one exit")
{
	const struct stasis_event_mask mask = {.thread_stop = STASIS_EVENTS_SYSCALL | STASIS_EVENTS_BIRTH};
	struct account a = {0};
	unsigned n = sts_rounds(FULL_CALLS, 1000);

	storm_begin_session(&a.st);
	STS_OK_S(a.st.s, stasis_event_mask_set(a.st.s, 0, &mask));
	a.root = storm_launch(&a.st, "calls", PROCESSES, n);
	sts_resume(a.st.s, a.root);
	storm_run(&a.st, take, &a);
	storm_check_target(&a.st);
	check(&a, n);
	storm_table_free(&a.table);
	storm_end(&a.st);
}
