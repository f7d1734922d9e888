// SPDX-License-Identifier: BSD-2-Clause
/*
 * SIGKILL while a tracee rests in each kind of stop: nobody need resume it, no
 * request hangs, its death is told once, and then its id means nothing any more.
 */
#include "drive.h"

static struct stasis_session *begin(struct actor *a, uint64_t wanted)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, wanted);
	actor_launch(a, s, "actor");
	return s;
}

static int may_be_gone(int result)
{
	ATF_REQUIRE_MSG(result == 0 || result == STASIS_E_GONE || result == STASIS_E_NOT_TRACED, "it is %s",
			stasis_error_name(result));
	return result;
}

/* Others of these kinds may come before, nothing resting for them; the death comes, once, and is the last. */
static void expect_death(struct stasis_session *s, struct actor *a, uint64_t others)
{
	struct stasis_event ev;
	char text[256];

	do {
		sts_next_event(s, 0, &ev);
		ATF_REQUIRE_EQ(ev.pid, a->pid);
		if (ev.kind == STASIS_EVENT_INTERRUPT && ev.stopped &&
		    (others & BIT(INTERRUPT))) /* asked for before we knew */
			may_be_gone(stasis_resume(s, ev.pid, NULL, 0));
		else if (!(STASIS_EVENT_BIT(ev.kind) & (others | BIT(KILLED))) || ev.stopped)
			atf_tc_fail("waited for its death, got %s%s", sts_event_text(&ev, text, sizeof(text)),
				    ev.stopped ? ", stopped" : "");
	} while (ev.kind != STASIS_EVENT_KILLED);
	ATF_REQUIRE_EQ(WTERMSIG(ev.data.exit.status), SIGKILL);
	STS_FAILS(STASIS_E_NO_TRACEE, stasis_wait(s, 0, 0, &ev));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_resume(s, a->pid, NULL, 0));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_kill(s, a->pid));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_detach(s, a->pid, 0));
	ATF_REQUIRE_EQ(sts_proc_state(a->pid, a->pid), 0); /* collected with the event */
}

static void end(struct stasis_session *s, struct actor *a, bool by_request)
{
	if (by_request)
		STS_OK_S(s, stasis_kill(s, a->pid));
	else
		STS_SYS(kill(a->pid, SIGKILL));
	expect_death(s, a, BIT(LWP_EXIT));
	actor_gone(a);
	stasis_session_destroy(s);
}

/* ---- in each kind of stop ---- */

static void in_attached(bool by_request)
{
	struct stasis_session *s = sts_session();
	struct actor a;

	actor_launch_stopped(&a, s, "actor");
	end(s, &a, by_request);
}

static void in_interrupt(bool by_request)
{
	struct actor a;
	struct stasis_session *s = begin(&a, 0);

	actor_do(&a, "threads 3");
	actor_interrupt(&a);
	end(s, &a, by_request);
}

/* An LWP that is held in its exit is the one thing that SIGKILL does not free by itself. */
static void in_lwp_exit(bool by_request)
{
	struct actor a;
	struct stasis_session *s = begin(&a, 0);

	actor_do(&a, "threads 3");
	sts_want(s, a.pid, BIT(LWP_EXIT));
	actor_tell(&a, "join");
	sts_expect_event(s, STASIS_EVENT_LWP_EXIT, NULL);
	end(s, &a, by_request);
}

static void in_first_threads_exit(bool by_request)
{
	struct actor a;
	struct stasis_session *s = begin(&a, 0);
	struct stasis_event ev;

	actor_do(&a, "threads 2");
	sts_want(s, a.pid, BIT(LWP_EXIT));
	actor_tell(&a, "leave");
	sts_expect_event(s, STASIS_EVENT_LWP_EXIT, &ev);
	ATF_REQUIRE_EQ(ev.tid, a.pid);
	end(s, &a, by_request);
}

static void in_signal(bool by_request)
{
	struct actor a;
	struct stasis_session *s = begin(&a, BIT(SIGNAL));

	actor_do(&a, "threads 2");
	actor_tell(&a, "raise 10");
	sts_expect_event(s, STASIS_EVENT_SIGNAL, NULL);
	end(s, &a, by_request);
}

static void in_system_call(bool by_request)
{
	struct actor a;
	struct stasis_session *s = begin(&a, 0);

	actor_do(&a, "threads 2");
	actor_interrupt(&a);
	sts_want(s, a.pid, BIT(SYSCALL_ENTER)); /* of the call that waits for commands, which begins anew */
	sts_resume(s, a.pid);
	sts_expect_event(s, STASIS_EVENT_SYSCALL_ENTER, NULL);
	end(s, &a, by_request);
}

static void at_breakpoints(bool by_request)
{
	struct actor a;
	struct stasis_session *s = begin(&a, BIT(BREAKPOINT));

	actor_do(&a, "threads 4");
	actor_interrupt(&a);
	STS_OK_S(s, stasis_breakpoint_insert(s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
	sts_resume(s, a.pid);
	actor_tell(&a, "callall 5");
	sts_expect_event(s, STASIS_EVENT_BREAKPOINT, NULL);
	/* Hits of the other threads are kept. */
	if (by_request)
		STS_OK_S(s, stasis_kill(s, a.pid));
	else
		STS_SYS(kill(a.pid, SIGKILL));
	expect_death(s, &a, BIT(BREAKPOINT));
	actor_gone(&a);
	stasis_session_destroy(s);
}

static void suspended(bool by_request)
{
	struct actor a;
	struct stasis_session *s = begin(&a, 0);

	actor_do(&a, "threads 2");
	actor_interrupt(&a);
	STS_OK_S(s, stasis_lwp_suspend(s, (pid_t)actor_counter(&a, ACTOR_TID)));
	sts_resume(s, a.pid);
	end(s, &a, by_request);
}

#define KILLED(name_, where_)                                                                                          \
	STS_TC_BOTH(name_##_from_outside, 20, "SIGKILL from outside " where_)                                          \
	{                                                                                                              \
		name_(false);                                                                                          \
	}                                                                                                              \
	STS_TC_BOTH(name_##_by_request, 20, "killed by request " where_)                                               \
	{                                                                                                              \
		name_(true);                                                                                           \
	}

KILLED(in_attached, "before its first instruction")
KILLED(in_interrupt, "in a stop with threads")
KILLED(in_lwp_exit, "while an LWP rests in its exit")
KILLED(in_first_threads_exit, "while the first thread rests in its exit")
KILLED(in_signal, "before a signal's delivery")
KILLED(in_system_call, "at the entry of a system call")
KILLED(at_breakpoints, "with hits kept")
KILLED(suspended, "running, with a thread suspended")

/* ---- requests to the dying ---- */

STS_TC_BOTH(requests, 30, "each request to a tracee that dies under it is answered, and its death is told all the same")
{
	struct stasis_regs_x86 regs;
	struct stasis_lwp_info info;
	struct actor a;
	struct stasis_session *s;
	uint64_t word;
	pid_t tids[8];
	size_t n;

	for (int i = 0; i < 10; i++) {
		s = begin(&a, 0);
		actor_do(&a, "threads 2");
		actor_interrupt(&a);
		STS_SYS(kill(a.pid, SIGKILL));
		may_be_gone(stasis_regs_get(s, a.pid, STASIS_REGSET_GENERAL, &regs, sizeof(regs), NULL));
		may_be_gone(stasis_lwp_info_get(s, a.pid, &info));
		may_be_gone(stasis_lwp_list(s, a.pid, tids, 8, &n));
		may_be_gone(stasis_lwp_suspend(s, a.pid));
		may_be_gone(stasis_event_mask_set(s, a.pid, &(struct stasis_event_mask){.all_stop = 0}));
		(void)!stasis_memory_read(s, a.pid, actor_counter(&a, ACTOR_FUNCTION), &word, sizeof(word), NULL);
		may_be_gone(stasis_interrupt(s, a.pid));
		may_be_gone(stasis_resume(s, a.pid, NULL, 0));
		may_be_gone(stasis_interrupt(s, a.pid));
		expect_death(s, &a, BIT(INTERRUPT));
		actor_gone(&a);
		stasis_session_destroy(s);
	}
}

/* ---- ended tracees that are kept ---- */

STS_TC_BOTH(kept_until_collected, 20, "with STASIS_SESSION_KEEP_ENDED the natural parent hears of the end when told to")
{
	struct stasis_session_opts opts = {.size = sizeof(opts), .flags = STASIS_SESSION_KEEP_ENDED};
	struct stasis_session *s = sts_session_with(&opts);
	struct sts_pipe p;
	struct stasis_event ev;

	sts_pipe_open(&p);
	pid_t pid = sts_fork();
	if (pid == 0) {
		sts_pipe_child(&p);
		sts_pipe_await(&p, "go");
		_exit(7);
	}
	sts_attach(s, pid);
	sts_resume(s, pid);
	STS_FAILS(STASIS_E_BAD_STATE, stasis_exit_collect(s, pid));
	sts_pipe_send(&p, "go");
	sts_expect_event_of(s, pid, STASIS_EVENT_EXITED, &ev);
	ATF_REQUIRE_EQ(WEXITSTATUS(ev.data.exit.status), 7);
	ATF_REQUIRE_EQ(sts_proc_state(pid, pid), 'Z');
	if (sts_kind() == STS_ISOLATED) /* else the parent is the tracer */
		ATF_REQUIRE_EQ(waitpid(pid, NULL, WNOHANG), 0);
	STS_FAILS(STASIS_E_GONE, stasis_kill(s, pid));
	STS_OK_S(s, stasis_exit_collect(s, pid));
	if (sts_kind() == STS_ISOLATED)
		sts_reap_exit(pid, 7);
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_exit_collect(s, pid));
	stasis_session_destroy(s);
	sts_pipe_close(&p);
}
