// SPDX-License-Identifier: BSD-2-Clause
/* Faults whose signal the program blocks or ignores: STASIS_SESSION_KEEP_FAULTS. */
#include "drive.h"

#include <string.h>

struct signal_state {
	uint64_t blocked, ignored, caught; /* as /proc has them */
	uint64_t own[3];		   /* as the program does */
};

static struct signal_state look(struct actor *a, int signal, bool ask)
{
	struct signal_state state = {
		.blocked = sts_proc_mask(a->pid, a->pid, "SigBlk"),
		.ignored = sts_proc_mask(a->pid, a->pid, "SigIgn"),
		.caught = sts_proc_mask(a->pid, a->pid, "SigCgt"),
	};

	if (!ask)
		return state;
	actor_do(a, "view %d", signal);
	for (unsigned i = 0; i < 3; i++)
		state.own[i] = actor_counter(a, ACTOR_RESULT + i);
	return state;
}

static void check(const struct signal_state *before, const struct signal_state *now)
{
	ATF_REQUIRE_EQ_MSG(now->blocked, before->blocked, "blocked signals were %#llx and are %#llx",
			   (unsigned long long)before->blocked, (unsigned long long)now->blocked);
	ATF_REQUIRE_EQ_MSG(now->ignored, before->ignored, "ignored signals were %#llx and are %#llx",
			   (unsigned long long)before->ignored, (unsigned long long)now->ignored);
	ATF_REQUIRE_EQ(now->caught, before->caught);
}

static void begin(struct actor *a, const char *program)
{
	const struct stasis_session_opts opts = {.size = sizeof opts, .flags = STASIS_SESSION_KEEP_FAULTS};
	struct stasis_session *s;

	STS_OK(stasis_session_create(&opts, &s));
	sts_want(s, 0, BIT(SIGNAL));
	actor_launch(a, s, program);
}

static void expect_fault(struct actor *a, int signal)
{
	struct stasis_event ev;

	sts_expect_event_of(a->s, a->pid, STASIS_EVENT_SIGNAL, &ev);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_signo, signal);
	ATF_REQUIRE(ev.data.signal.info.si_code > 0);
}

/* Set up by up to two commands, and stopped once, for the state is looked up when an LWP is set going. */
static struct signal_state set_up(struct actor *a, int signal, const char *const commands[2])
{
	for (int i = 0; i < 2 && commands[i]; i++)
		actor_do(a, "%s %d", commands[i], signal);
	struct signal_state before = look(a, signal, true);
	actor_interrupt(a);
	sts_resume(a->s, a->pid);
	return before;
}

/* The program's own breakpoint instruction, thrice; after each it goes on as if nothing had been. */
static void own_break(const char *program, const char *const commands[2])
{
	struct actor a;

	begin(&a, program);
	const struct signal_state before = set_up(&a, SIGTRAP, commands);
	for (int i = 0; i < 3; i++) {
		actor_tell(&a, "int3");
		expect_fault(&a, SIGTRAP);
		const struct signal_state now = look(&a, SIGTRAP, false);
		check(&before, &now);
		resume_all(a.s, a.pid, STASIS_CONTINUE, 0);
		actor_done(&a);
		const struct signal_state after = look(&a, SIGTRAP, true);
		check(&before, &after);
		ATF_REQUIRE_EQ_MSG(memcmp(after.own, before.own, sizeof after.own), 0,
				   "the program sees its mask or its action of SIGTRAP changed");
	}
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 0);
	actor_end(&a);
	stasis_session_destroy(a.s);
}

/* A bad access would only be repeated: it is reported, and kills when the signal is delivered. */
static void kills(int signal, const char *command, const char *const commands[2])
{
	struct actor a;

	begin(&a, "actor");
	const struct signal_state before = set_up(&a, signal, commands);
	actor_tell(&a, "%s", command);
	expect_fault(&a, signal);
	const struct signal_state now = look(&a, signal, false);
	check(&before, &now);
	resume_all(a.s, a.pid, STASIS_CONTINUE, signal);
	struct stasis_event ev;
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_KILLED, &ev);
	ATF_REQUIRE_EQ(ev.data.exit.status & 0x7f, signal);
	actor_gone(&a);
	stasis_session_destroy(a.s);
}

#define OWN_BREAK(name_, what_, ...)                                                                                   \
	STS_TC(break_##name_, 20, "a breakpoint instruction leaves mask and action as they are: SIGTRAP " what_)       \
	{                                                                                                              \
		own_break("actor", (const char *const[2]){__VA_ARGS__});                                               \
	}                                                                                                              \
	STS_TC(break_##name_##_i386, 20,                                                                               \
	       "i386: a breakpoint instruction leaves mask and action as they are: SIGTRAP " what_)                    \
	{                                                                                                              \
		own_break("actor-32", (const char *const[2]){__VA_ARGS__});                                            \
	}

#define KILLS(name_, what_, ...)                                                                                       \
	STS_TC(kills_break_##name_, 20, "a breakpoint instruction kills if that is wanted: SIGTRAP " what_)            \
	{                                                                                                              \
		kills(SIGTRAP, "int3", (const char *const[2]){__VA_ARGS__});                                           \
	}                                                                                                              \
	STS_TC(kills_access_##name_, 20, "a bad access leaves mask and action, and kills if wanted: SIGSEGV " what_)   \
	{                                                                                                              \
		kills(SIGSEGV, "fault", (const char *const[2]){__VA_ARGS__});                                          \
	}

OWN_BREAK(blocked, "blocked", "block")
OWN_BREAK(ignored, "ignored", "ignore")
OWN_BREAK(blocked_ignored, "blocked and ignored", "ignore", "block")
OWN_BREAK(blocked_handled, "blocked and handled", "handle", "block")
OWN_BREAK(default, "at its default", NULL)
KILLS(blocked, "blocked", "block")
KILLS(ignored, "ignored", "ignore")
KILLS(blocked_ignored, "blocked and ignored", "ignore", "block")
