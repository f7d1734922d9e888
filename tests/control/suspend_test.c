// SPDX-License-Identifier: BSD-2-Clause
/* Which LWPs run: suspended ones never, others as each resume says; and thread-stops, in which one rests alone. */
#include "drive.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { N = 4 };

static void begin(struct actor *a, const char *name, uint64_t wanted)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, wanted);
	actor_launch(a, s, name);
	actor_do(a, "threads %d", N);
	actor_interrupt(a);
}

static void finish(struct actor *a)
{
	sts_want(a->s, a->pid, 0);
	sts_resume(a->s, a->pid);
	actor_do(a, "join");
	actor_end(a);
	stasis_session_destroy(a->s);
}

static pid_t tid(const struct actor *a, unsigned i)
{
	return (pid_t)actor_counter(a, ACTOR_TID + i);
}

/* Which threads count on while the tracee runs: a bit for each. Stops it again. */
static unsigned movers(struct actor *a, unsigned due)
{
	uint64_t before[N], end = sts_now_ms() + (uint64_t)sts_bound_ms();
	unsigned moved = 0;

	for (unsigned i = 0; i < N; i++)
		before[i] = actor_counter(a, ACTOR_SPIN + i);
	do {
		let_others_run();
		sts_expect_quiet(a->s);
		for (unsigned i = 0; i < N; i++)
			if (actor_counter(a, ACTOR_SPIN + i) != before[i])
				moved |= 1U << i;
	} while ((moved & due) != due && sts_now_ms() < end);
	actor_interrupt(a);
	return moved;
}

static void suspension(const char *program)
{
	struct stasis_lwp_info info;
	struct actor a;

	begin(&a, program, BIT(SIGNAL));
	for (unsigned held = 0; held < 1U << N; held++) {
		for (unsigned i = 0; i < N; i++) {
			if (held & 1U << i)
				STS_OK_S(a.s, stasis_lwp_suspend(a.s, tid(&a, i)));
			else
				STS_OK_S(a.s, stasis_lwp_unsuspend(a.s, tid(&a, i)));
			STS_OK_S(a.s, stasis_lwp_info_get(a.s, tid(&a, i), &info));
			ATF_REQUIRE_EQ(info.suspended, !!(held & 1U << i));
		}
		for (int again = 0; again < 2; again++) {
			unsigned free = ~held & ((1U << N) - 1);

			sts_resume(a.s, a.pid);
			ATF_REQUIRE_EQ(movers(&a, free), free);
		}
	}
	for (unsigned i = 0; i < N; i++)
		STS_OK_S(a.s, stasis_lwp_unsuspend(a.s, tid(&a, i)));
	sts_resume(a.s, a.pid);
	ATF_REQUIRE_EQ(movers(&a, 15), 15);
	finish(&a);
}

STS_TC_BOTH(only_the_others, 60, "suspended LWPs rest through every resume, all others run")
{
	suspension("actor");
}

STS_TC_BOTH(only_the_others_i386, 60, "the same of an i386 tracee")
{
	suspension("actor-32");
}

STS_TC_BOTH(all_suspended, 20, "with all LWPs suspended a resume is an error and changes nothing")
{
	struct stasis_error_info info;
	struct actor a;

	begin(&a, "actor", 0);
	for (unsigned i = 0; i < N; i++)
		STS_OK_S(a.s, stasis_lwp_suspend(a.s, tid(&a, i)));
	STS_OK_S(a.s, stasis_lwp_suspend(a.s, a.pid));
	STS_FAILS(STASIS_E_ALL_SUSPENDED, stasis_resume(a.s, a.pid, NULL, 0));
	ATF_REQUIRE_EQ(stasis_error_errno(STASIS_E_ALL_SUSPENDED), 35 /* EDEADLK */);
	stasis_session_last_error(a.s, &info);
	ATF_REQUIRE_EQ(info.error, STASIS_E_ALL_SUSPENDED);
	check_at_rest(&a);
	STS_OK_S(a.s, stasis_lwp_unsuspend(a.s, tid(&a, 2)));
	sts_resume(a.s, a.pid);
	ATF_REQUIRE_EQ(movers(&a, 4), 4);
	for (unsigned i = 0; i < N; i++)
		STS_OK_S(a.s, stasis_lwp_unsuspend(a.s, tid(&a, i)));
	STS_OK_S(a.s, stasis_lwp_unsuspend(a.s, a.pid));
	finish(&a);
}

STS_TC_BOTH(specs, 30, "a resume runs the LWPs it names, or those it does not")
{
	struct actor a;

	begin(&a, "actor", 0);
	for (unsigned i = 0; i < N; i++) {
		resume_only(a.s, a.pid, tid(&a, i), STASIS_CONTINUE, STASIS_SIGNAL_KEEP);
		ATF_REQUIRE_EQ(movers(&a, 1U << i), 1U << i);
		const struct stasis_resume_spec all_but[] = {
			{.action = STASIS_CONTINUE, .signal = STASIS_SIGNAL_KEEP},
			{.tid = tid(&a, i), .action = STASIS_STAY, .signal = STASIS_SIGNAL_KEEP},
		};
		STS_OK_S(a.s, stasis_resume(a.s, a.pid, all_but, 2));
		ATF_REQUIRE_EQ(movers(&a, 15 & ~(1U << i)), 15 & ~(1U << i));
	}
	sts_resume(a.s, a.pid); /* staying was for that one resume */
	ATF_REQUIRE_EQ(movers(&a, 15), 15);
	const struct stasis_resume_spec none = {.action = STASIS_STAY, .signal = STASIS_SIGNAL_KEEP};
	STS_FAILS(STASIS_E_ALL_SUSPENDED, stasis_resume(a.s, a.pid, &none, 1));
	check_at_rest(&a);
	finish(&a);
}

STS_TC_BOTH(errors, 20, "wrong LWPs and wrong states are told apart, and nothing runs")
{
	struct stasis_resume_spec spec = {.tid = 1, .signal = STASIS_SIGNAL_KEEP};
	struct actor a;

	begin(&a, "actor", 0);
	STS_FAILS(STASIS_E_BAD_LWP, stasis_resume(a.s, a.pid, &spec, 1));
	spec = (struct stasis_resume_spec){.tid = getpid(), .signal = STASIS_SIGNAL_KEEP};
	STS_FAILS(STASIS_E_BAD_LWP, stasis_resume(a.s, a.pid, &spec, 1));
	spec = (struct stasis_resume_spec){.signal = STASIS_SIGNAL_KEEP, .set_pc = true, .pc = 1};
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_resume(a.s, a.pid, &spec, 1)); /* a PC for nobody in particular */
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_resume(a.s, getpid(), NULL, 0));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_lwp_suspend(a.s, getpid()));
	STS_FAILS(STASIS_E_RUNNING, stasis_resume_lwp(a.s, a.pid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_resume_lwp(a.s, a.pid, STASIS_STAY, STASIS_SIGNAL_KEEP));
	check_at_rest(&a);
	sts_resume(a.s, a.pid);
	STS_FAILS(STASIS_E_RUNNING, stasis_resume(a.s, a.pid, NULL, 0));
	STS_FAILS(STASIS_E_RUNNING, stasis_lwp_suspend(a.s, tid(&a, 0)));
	STS_FAILS(STASIS_E_RUNNING, stasis_lwp_unsuspend(a.s, tid(&a, 0)));
	actor_interrupt(&a);
	finish(&a);
}

STS_TC_BOTH(signal_waits, 20, "a signal for a suspended LWP waits until it runs again")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", BIT(SIGNAL));
	sts_resume(a.s, a.pid);
	actor_do(&a, "handle %d r", SIGUSR1);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_lwp_suspend(a.s, tid(&a, 1)));
	sts_resume(a.s, a.pid);
	STS_SYS(syscall(SYS_tgkill, a.pid, tid(&a, 1), SIGUSR1));
	ATF_REQUIRE_EQ(movers(&a, 13), 13);
	ATF_REQUIRE_EQ(sts_proc_mask(a.pid, tid(&a, 1), "SigPnd"), SIGBIT(SIGUSR1));
	STS_OK_S(a.s, stasis_lwp_unsuspend(a.s, tid(&a, 1)));
	sts_resume(a.s, a.pid);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SIGNAL, &ev);
	ATF_REQUIRE_EQ(ev.tid, tid(&a, 1));
	sts_resume(a.s, a.pid);
	actor_await(&a, ACTOR_HANDLED, 1);
	actor_interrupt(&a);
	finish(&a);
}

STS_TC_BOTH(event_of_suspended, 20, "an event that an LWP had before it was suspended is reported, and it rests on")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", BIT(BREAKPOINT));
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
	sts_resume(a.s, a.pid);
	actor_tell(&a, "callall 1");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, &ev);
	STS_OK_S(a.s, stasis_lwp_suspend(a.s, ev.tid));
	for (unsigned i = 1; i < N; i++) {
		sts_resume(a.s, a.pid);
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, NULL);
	}
	sts_resume(a.s, a.pid);
	actor_await(&a, ACTOR_CALLS, N - 1);
	actor_interrupt(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), N - 1);
	STS_OK_S(a.s, stasis_lwp_unsuspend(a.s, ev.tid));
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), N);
	actor_interrupt(&a);
	finish(&a);
}

/* ---- thread-stops ---- */

static void want_thread_stop(struct actor *a, uint64_t kinds)
{
	const struct stasis_event_mask mask = {.thread_stop = kinds};
	struct stasis_event_mask got;

	STS_OK_S(a->s, stasis_event_mask_set(a->s, a->pid, &mask));
	STS_OK_S(a->s, stasis_event_mask_get(a->s, a->pid, &got));
	ATF_REQUIRE_EQ(got.all_stop, 0);
	ATF_REQUIRE_EQ(got.thread_stop, kinds);
}

STS_TC_BOTH(thread_stop, 30, "in a thread-stop the reporting LWP rests alone, and is resumed alone")
{
	struct stasis_regs_x86 regs;
	struct stasis_event ev;
	struct actor a;
	uint64_t before;

	begin(&a, "actor", 0);
	want_thread_stop(&a, BIT(SIGNAL));
	sts_resume(a.s, a.pid);
	actor_do(&a, "handle %d r", SIGUSR1);
	STS_SYS(syscall(SYS_tgkill, a.pid, tid(&a, 0), SIGUSR1));
	STS_SYS(syscall(SYS_tgkill, a.pid, tid(&a, 1), SIGUSR1));
	for (int i = 0; i < 2; i++) {
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SIGNAL, &ev);
		ATF_REQUIRE(ev.stopped && !ev.all_stop);
		ATF_REQUIRE(ev.tid == tid(&a, 0) || ev.tid == tid(&a, 1));
	}
	/* Two rest, two run; requests on those that rest work. */
	before = actor_counter(&a, ACTOR_SPIN + 2);
	actor_await(&a, ACTOR_SPIN + 2, before + 1000);
	before = actor_counter(&a, ACTOR_SPIN) + actor_counter(&a, ACTOR_SPIN + 1);
	let_others_run();
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_SPIN) + actor_counter(&a, ACTOR_SPIN + 1), before);
	for (unsigned i = 0; i < 2; i++)
		STS_OK_S(a.s, stasis_regs_get(a.s, tid(&a, i), STASIS_REGSET_GENERAL, &regs, sizeof(regs), NULL));
	STS_FAILS(STASIS_E_RUNNING, stasis_regs_get(a.s, tid(&a, 2), STASIS_REGSET_GENERAL, &regs, sizeof(regs), NULL));
	STS_FAILS(STASIS_E_RUNNING, stasis_resume(a.s, a.pid, NULL, 0));
	STS_OK_S(a.s, stasis_resume_lwp(a.s, tid(&a, 0), STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
	actor_await(&a, ACTOR_HANDLED, 1);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLER_TID), tid(&a, 0));
	STS_OK_S(a.s, stasis_resume_lwp(a.s, tid(&a, 1), STASIS_CONTINUE, 0));
	before = actor_counter(&a, ACTOR_SPIN + 1);
	actor_await(&a, ACTOR_SPIN + 1, before + 1);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 1);
	STS_FAILS(STASIS_E_RUNNING, stasis_resume_lwp(a.s, tid(&a, 1), STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
	actor_interrupt(&a);
	finish(&a);
}

STS_TC_BOTH(all_stop_over_thread_stop, 30,
	    "an interrupt stops all while one rests in a thread-stop, which lasts beyond the resume")
{
	struct stasis_event ev;
	struct actor a;
	uint64_t before;

	begin(&a, "actor", 0);
	want_thread_stop(&a, BIT(SIGNAL));
	sts_resume(a.s, a.pid);
	actor_do(&a, "handle %d r", SIGUSR1);
	STS_SYS(syscall(SYS_tgkill, a.pid, tid(&a, 0), SIGUSR1));
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SIGNAL, &ev);
	actor_interrupt(&a);
	check_at_rest(&a);
	STS_OK_S(a.s, stasis_resume_lwp(a.s, tid(&a, 0), STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
	check_at_rest(&a); /* let go of its own stop, it is still held by that of all */
	sts_resume(a.s, a.pid);
	actor_await(&a, ACTOR_HANDLED, 1);
	before = actor_counter(&a, ACTOR_SPIN);
	actor_await(&a, ACTOR_SPIN, before + 1);
	actor_interrupt(&a);
	finish(&a);
}

STS_TC_BOTH(traps_stop_all, 30, "breakpoints and steps stop all LWPs even if wanted as thread-stops")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", 0);
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
	want_thread_stop(&a, BIT(BREAKPOINT) | BIT(STEP));
	sts_resume(a.s, a.pid);
	actor_tell(&a, "call 1");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, &ev);
	ATF_REQUIRE(ev.all_stop);
	check_at_rest(&a);
	resume_only(a.s, a.pid, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, &ev);
	ATF_REQUIRE(ev.all_stop);
	check_at_rest(&a);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	actor_interrupt(&a);
	finish(&a);
}

STS_TC_BOTH(new_threads_run, 20, "threads born beside a suspended LWP are not suspended")
{
	struct stasis_event ev;
	struct actor a;
	pid_t born;

	begin(&a, "actor", 0);
	sts_want(a.s, a.pid, BIT(LWP_CREATE));
	STS_OK_S(a.s, stasis_lwp_suspend(a.s, tid(&a, 0)));
	sts_resume(a.s, a.pid);
	actor_tell(&a, "threads 1");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_LWP_CREATE, &ev);
	born = ev.data.lwp.tid;
	ATF_REQUIRE_EQ(ev.tid, born);
	ATF_REQUIRE_EQ(ev.data.lwp.creator, a.pid);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_TID + N), 0); /* before its first instruction */
	check_at_rest(&a);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_TID + N), born);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_lwp_unsuspend(a.s, tid(&a, 0)));
	finish(&a);
}
