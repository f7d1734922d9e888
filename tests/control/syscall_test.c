// SPDX-License-Identifier: BSD-2-Clause
/* System calls: entry and exit in pairs with what the program passed and got, and changing both. */
#include "drive.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { I386_GETPID = 20, NOT_THERE = 100000 };

/* Interrupted once, so that the running LWP takes notice of what is wanted now. */
static void want(struct actor *a, uint64_t all_stop, uint64_t thread_stop)
{
	const struct stasis_event_mask mask = {.all_stop = all_stop, .thread_stop = thread_stop};

	actor_interrupt(a);
	STS_OK_S(a->s, stasis_event_mask_set(a->s, a->pid, &mask));
	sts_resume(a->s, a->pid);
}

static void begin(struct actor *a, const char *name)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, 0);
	actor_launch(a, s, name);
}

static void finish(struct actor *a)
{
	actor_end(a);
	stasis_session_destroy(a->s);
}

static void go_on(struct actor *a, const struct stasis_event *ev)
{
	if (ev->all_stop)
		sts_resume(a->s, ev->pid);
	else if (ev->stopped)
		STS_OK_S(a->s, stasis_resume_lwp(a->s, ev->tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
}

static uint64_t getpid_number(const char *program)
{
	return strstr(program, "-32") != NULL ? I386_GETPID : SYS_getpid;
}

/* The next event of this kind for this call; all other system calls are passed over. */
static void expect_call(struct actor *a, enum stasis_event_kind kind, uint64_t number, struct stasis_event *ev)
{
	for (;;) {
		sts_next_event(a->s, a->pid, ev);
		ATF_REQUIRE(STASIS_EVENT_BIT(ev->kind) & STASIS_EVENTS_SYSCALL);
		if (ev->kind == kind && ev->data.syscall.number == number)
			return;
		go_on(a, ev);
	}
}

/* Let it carry on without events up to the end of its command. */
static void quiet_end(struct actor *a)
{
	sts_want(a->s, a->pid, 0);
	sts_resume(a->s, a->pid);
	actor_done(a);
}

/* ---- pairs ---- */

static void pairs(const char *program, bool all_stop)
{
	enum { N = 50 };
	struct stasis_event enter, leave;
	uint64_t number = getpid_number(program);
	struct actor a;

	begin(&a, program);
	want(&a, all_stop ? STASIS_EVENTS_SYSCALL : 0, all_stop ? 0 : STASIS_EVENTS_SYSCALL);
	actor_tell(&a, "getpid %d", N);
	for (int i = 0; i < N; i++) {
		expect_call(&a, STASIS_EVENT_SYSCALL_ENTER, number, &enter);
		ATF_REQUIRE_EQ(enter.all_stop, all_stop);
		ATF_REQUIRE_EQ(enter.tid, a.pid);
		go_on(&a, &enter);
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SYSCALL_EXIT, &leave);
		ATF_REQUIRE_EQ(leave.data.syscall.number, number);
		ATF_REQUIRE_EQ(leave.data.syscall.abi, enter.data.syscall.abi);
		ATF_REQUIRE_EQ(leave.data.syscall.result, a.pid);
		ATF_REQUIRE(!leave.data.syscall.is_error && !leave.data.syscall.skipped);
		ATF_REQUIRE_EQ(leave.data.syscall.pc, pc_of(a.s, a.pid));
		ATF_REQUIRE_EQ(leave.data.syscall.pc, enter.data.syscall.pc);
		ATF_REQUIRE_EQ(memcmp(leave.data.syscall.args, enter.data.syscall.args, sizeof(enter.data.syscall.args)),
			       0);
		go_on(&a, &leave);
	}
	/* No more of them: the next that ends is another. */
	sts_next_event(a.s, a.pid, &enter);
	ATF_REQUIRE(enter.data.syscall.number != number);
	if (!enter.all_stop)
		go_on(&a, &enter);
	want(&a, 0, 0);
	actor_done(&a);
	finish(&a);
}
