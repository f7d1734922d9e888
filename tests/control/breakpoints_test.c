// SPDX-License-Identifier: BSD-2-Clause
/* Software breakpoints: every execution is one hit, whatever stands there and whoever comes by, and nothing else is. */
#include "drive.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void begin(struct actor *a, const char *name, uint64_t wanted)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, wanted | BIT(BREAKPOINT) | BIT(STEP));
	actor_launch(a, s, name);
}

static void finish(struct actor *a)
{
	actor_end(a);
	stasis_session_destroy(a->s);
}

static uint64_t function(const struct actor *a)
{
	return actor_counter(a, ACTOR_FUNCTION);
}

/* Of a running actor. */
static void insert(struct actor *a, uint64_t addr)
{
	actor_interrupt(a);
	STS_OK_S(a->s, stasis_breakpoint_insert(a->s, a->pid, addr));
	sts_resume(a->s, a->pid);
}

static void expect_hit(struct actor *a, pid_t pid, uint64_t addr, struct stasis_event *ev)
{
	struct stasis_event got;

	sts_expect_event(a->s, STASIS_EVENT_BREAKPOINT, &got);
	ATF_REQUIRE_EQ_MSG(got.pid, pid, "process %d hit it, %d was due", (int)got.pid, (int)pid);
	ATF_REQUIRE(got.all_stop && got.stopped);
	ATF_REQUIRE_EQ(got.data.trap.address, addr);
	ATF_REQUIRE(!got.data.trap.hardware);
	ATF_REQUIRE_EQ(got.data.trap.slot, -1);
	ATF_REQUIRE_EQ(pc_of(a->s, got.tid), addr);
	if (ev != NULL)
		*ev = got;
}

static void count_calls(const char *program)
{
	struct actor a;

	begin(&a, program, 0);
	insert(&a, function(&a));
	actor_tell(&a, "call 10");
	for (uint64_t i = 0; i < 10; i++) {
		expect_hit(&a, a.pid, function(&a), NULL);
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), i);
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 10);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, function(&a)));
	sts_resume(a.s, a.pid);
	actor_do(&a, "call 10");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 20);
	finish(&a);
}

STS_TC_BOTH(each_call_one_hit, 20, "each call is one hit, before the function has done anything; none after removal")
{
	count_calls("actor");
}

STS_TC_BOTH(each_call_one_hit_i386, 20, "the same of an i386 tracee")
{
	count_calls("actor-32");
}

STS_TC_BOTH(each_call_one_hit_musl, 20, "the same of a static program on musl")
{
	count_calls("actor-musl");
}

STS_TC_BOTH(errors, 20, "inserting and removing tell what is wrong, and change nothing then")
{
	struct stasis_error_info info;
	struct actor a;
	uint64_t addr, hole;

	begin(&a, "actor", 0);
	addr = function(&a);
	hole = actor_do(&a, "map") + 4096;
	STS_FAILS(STASIS_E_RUNNING, stasis_breakpoint_insert(a.s, a.pid, addr));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_breakpoint_insert(a.s, getpid(), addr));
	actor_interrupt(&a);
	STS_FAILS(STASIS_E_NO_BREAKPOINT, stasis_breakpoint_remove(a.s, a.pid, addr));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_breakpoint_insert(a.s, a.pid, hole));
	stasis_session_last_error(a.s, &info);
	ATF_REQUIRE_EQ(info.error, STASIS_E_BAD_ADDRESS);
	ATF_REQUIRE_EQ(info.address, hole);
	ATF_REQUIRE_EQ(info.pid, a.pid);
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_breakpoint_insert(a.s, a.pid, 0));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_breakpoint_insert(a.s, a.pid, UINT64_MAX));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_breakpoint_insert(a.s, a.pid, UINT64_C(0x8000000000000000)));
	STS_FAILS(STASIS_E_NO_BREAKPOINT, stasis_breakpoint_remove(a.s, a.pid, hole));
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, addr));
	STS_FAILS(STASIS_E_EXISTS, stasis_breakpoint_insert(a.s, a.pid, addr));
	sts_resume(a.s, a.pid);
	STS_FAILS(STASIS_E_RUNNING, stasis_breakpoint_remove(a.s, a.pid, addr));
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, addr));
	STS_FAILS(STASIS_E_NO_BREAKPOINT, stasis_breakpoint_remove(a.s, a.pid, addr));
	sts_resume(a.s, a.pid);
	actor_do(&a, "call 1");
	finish(&a);
}

/* ---- every kind of instruction ---- */

struct insn {
	uint64_t address, times;
};

static struct insn *read_table(struct actor *a, unsigned table, size_t *n_ret)
{
	size_t n = actor_counter(a, table + 1);
	struct insn *t = calloc(n, sizeof(*t));

	ATF_REQUIRE(t != NULL && n > 0);
	STS_OK_S(a->s, stasis_memory_read(a->s, a->pid, actor_counter(a, table), t, n * sizeof(*t), NULL));
	*n_ret = n;
	return t;
}

static const struct insn *find_insn(const struct insn *t, size_t n, uint64_t address)
{
	for (size_t i = 0; i < n; i++) {
		if (t[i].address == address)
			return &t[i];
	}
	atf_tc_fail("a hit at %#llx, where no instruction of the table stands", (unsigned long long)address);
}

/* Run a command to its end, counting hits per instruction; afterwards do what `then` says with each. */
static uint64_t run_counting(struct actor *a, const char *command, const struct insn *t, size_t n, uint64_t *hits)
{
	struct stasis_event ev;
	uint64_t due = 0;

	for (size_t i = 0; i < n; i++)
		due += t[i].times;
	actor_tell(a, "%s", command);
	while (due-- > 0) {
		sts_expect_event_of(a->s, a->pid, STASIS_EVENT_BREAKPOINT, &ev);
		ATF_REQUIRE_EQ(pc_of(a->s, ev.tid), ev.data.trap.address);
		hits[find_insn(t, n, ev.data.trap.address) - t]++;
		sts_resume(a->s, a->pid);
	}
	return actor_done(a);
}

static void one_at_a_time(const char *program, unsigned others)
{
	uint64_t result, hits;
	struct insn *t;
	struct actor a;
	size_t n;

	begin(&a, program, 0);
	result = actor_do(&a, "insns 1");
	t = read_table(&a, ACTOR_BLOCK, &n);
	actor_do(&a, "threads %u", others);
	for (size_t i = 0; i < n; i++) {
		insert(&a, t[i].address);
		hits = 0;
		ATF_REQUIRE_EQ_MSG(run_counting(&a, "insns 1", &t[i], 1, &hits), result,
				   "instruction %zu did not do what it does", i);
		ATF_REQUIRE_EQ(hits, t[i].times);
		actor_interrupt(&a);
		STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, t[i].address));
		sts_resume(a.s, a.pid);
	}
	ATF_REQUIRE_EQ(actor_do(&a, "insns 1"), result);
	actor_do(&a, "join");
	free(t);
	finish(&a);
}

STS_TC_BOTH(each_instruction, 60,
	    "a breakpoint on any kind of instruction is hit as often as it runs, with its own effect")
{
	one_at_a_time("actor", 0);
}

STS_TC_BOTH(each_instruction_i386, 60, "the same of an i386 tracee")
{
	one_at_a_time("actor-32", 0);
}

STS_TC_BOTH(each_instruction_among_threads, 120, "the same with other threads busy")
{
	one_at_a_time("actor", 3);
}

static void all_at_once(const char *program)
{
	uint64_t result, *hits;
	struct insn *t;
	struct actor a;
	size_t n;

	begin(&a, program, 0);
	result = actor_do(&a, "insns 1");
	t = read_table(&a, ACTOR_BLOCK, &n);
	hits = calloc(n, sizeof(*hits));
	ATF_REQUIRE(hits != NULL);
	actor_interrupt(&a);
	for (size_t i = 0; i < n; i++)
		STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, t[i].address));
	sts_resume(a.s, a.pid);
	ATF_REQUIRE_EQ(run_counting(&a, "insns 1", t, n, hits), result);
	for (size_t i = 0; i < n; i++)
		ATF_REQUIRE_EQ_MSG(hits[i], t[i].times, "instruction %zu: %llu hits, %llu executions", i,
				   (unsigned long long)hits[i], (unsigned long long)t[i].times);
	free(t);
	free(hits);
	finish(&a);
}

STS_TC_BOTH(all_instructions, 60, "breakpoints on all instructions of a function, one beside the other")
{
	all_at_once("actor");
}

STS_TC_BOTH(all_instructions_i386, 60, "the same of an i386 tracee")
{
	all_at_once("actor-32");
}

static void flags_hidden(const char *program)
{
	struct insn *t;
	struct actor a;
	uint64_t hits;
	size_t n;

	begin(&a, program, 0);
	t = read_table(&a, ACTOR_FLAGS, &n);
	for (size_t i = 0; i < n; i++) {
		insert(&a, t[i].address);
		hits = 0;
		ATF_REQUIRE_EQ_MSG(run_counting(&a, "flags", &t[i], 1, &hits), 0,
				   "the program sees the trap flag at instruction %zu", i);
		actor_interrupt(&a);
		STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, t[i].address));
		sts_resume(a.s, a.pid);
	}
	free(t);
	finish(&a);
}

STS_TC_BOTH(trap_flag_hidden, 30, "stepping over a breakpoint never shows the program the trap flag")
{
	flags_hidden("actor");
}

STS_TC_BOTH(trap_flag_hidden_i386, 30, "the same of an i386 tracee")
{
	flags_hidden("actor-32");
}

/* ---- threads ---- */

static void threads_hit(const char *program, unsigned threads, unsigned calls)
{
	uint64_t per_thread[ACTOR_MAX_THREADS] = {0};
	struct stasis_event ev;
	struct actor a;

	begin(&a, program, 0);
	actor_do(&a, "threads %u", threads);
	insert(&a, function(&a));
	actor_tell(&a, "callall %u", calls);
	for (unsigned i = 0; i < threads * calls; i++) {
		unsigned t = 0;

		expect_hit(&a, a.pid, function(&a), &ev);
		while (t < threads && (pid_t)actor_counter(&a, ACTOR_TID + t) != ev.tid)
			t++;
		ATF_REQUIRE_MSG(t < threads, "a hit of LWP %d, which makes no call", (int)ev.tid);
		per_thread[t]++;
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	for (unsigned t = 0; t < threads; t++)
		ATF_REQUIRE_EQ_MSG(per_thread[t], calls, "thread %u made %u calls and hit it %llu times", t, calls,
				   (unsigned long long)per_thread[t]);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), threads * calls);
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(threads, 60, "eight threads calling at once: each call of each is one hit, of the right thread")
{
	threads_hit("actor", 8, 25);
}

STS_TC_BOTH(threads_i386, 60, "the same of an i386 tracee")
{
	threads_hit("actor-32", 8, 25);
}

static void nobody_misses_it(unsigned counter, const char *command)
{
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 4");
	insert(&a, actor_counter(&a, counter));
	actor_tell(&a, "%s 50", command);
	for (unsigned i = 0; i < 200; i++) {
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, NULL);
		/* one more than was done already: nobody has got through meanwhile */
		ATF_REQUIRE(actor_counter(&a, ACTOR_CALLS) <= i);
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 200);
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(nobody_misses_it, 60, "while one thread is stepped past it, no other runs past the breakpoint unnoticed")
{
	nobody_misses_it(ACTOR_STEPPED, "stepall");
}

STS_TC_BOTH(nobody_misses_it_emulated, 60, "the same where the instruction is emulated, and nobody is stepped")
{
	nobody_misses_it(ACTOR_FUNCTION, "callall");
}

STS_TC_BOTH(removed_hits_are_dropped, 60,
	    "hits kept back are dropped with their breakpoint, and the instruction runs once")
{
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 8");
	for (int round = 1; round <= 10; round++) {
		insert(&a, function(&a));
		actor_tell(&a, "callall 1");
		expect_hit(&a, a.pid, function(&a), NULL);
		let_others_run();
		STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, function(&a)));
		sts_resume(a.s, a.pid);
		actor_done(&a); /* no event on the way */
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 8 * round);
	}
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(removed_and_back, 60, "a hit kept back whose breakpoint was removed and set again is hit again, once")
{
	struct stasis_event ev;
	unsigned hits = 1;
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 8");
	insert(&a, function(&a));
	actor_tell(&a, "callall 1");
	expect_hit(&a, a.pid, function(&a), NULL);
	let_others_run();
	STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, function(&a)));
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, function(&a)));
	/* The one that was reported may meet the new one or not; all others must. */
	sts_resume(a.s, a.pid);
	while (!sts_pipe_pending(&a.p)) {
		if (stasis_wait(a.s, 0, 1, &ev) < 0)
			continue;
		ATF_REQUIRE_EQ(ev.kind, STASIS_EVENT_BREAKPOINT);
		hits++;
		sts_resume(a.s, a.pid);
	}
	ATF_REQUIRE(hits == 8 || hits == 9);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 8);
	actor_do(&a, "join");
	finish(&a);
}

/* ---- children ---- */

static void begin_with_children(struct actor *a, enum stasis_follow follow)
{
	begin(a, "actor", STASIS_EVENTS_BIRTH);
	STS_OK_S(a->s, stasis_follow_set(a->s, a->pid, STASIS_EVENTS_BIRTH, follow));
	insert(a, function(a));
}

static void expect_birth(struct actor *a, enum stasis_event_kind kind, pid_t *child_ret)
{
	struct stasis_event ev;

	sts_expect_event_of(a->s, a->pid, kind, &ev);
	*child_ret = ev.data.birth.child;
	sts_expect_event_of(a->s, *child_ret, kind, NULL);
	sts_resume(a->s, a->pid);
	sts_resume(a->s, *child_ret);
}

static void child_hits(const char *command, enum stasis_event_kind kind)
{
	struct actor a;
	pid_t child;

	begin_with_children(&a, STASIS_FOLLOW_BOTH);
	actor_tell(&a, "%s", command);
	expect_birth(&a, kind, &child);
	for (int i = 0; i < 3; i++) {
		expect_hit(&a, child, function(&a), NULL);
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CHILD_CALLS), i);
		sts_resume(a.s, child);
	}
	sts_expect_exit(a.s, child, 5);
	ATF_REQUIRE_EQ(actor_done(&a), 5 << 8);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CHILD_CALLS), 3);
	actor_tell(&a, "call 1");
	expect_hit(&a, a.pid, function(&a), NULL);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	finish(&a);
}

STS_TC_BOTH(fork_followed, 20, "a followed fork's child inherits breakpoints")
{
	child_hits("fork call", STASIS_EVENT_FORK);
}

STS_TC_BOTH(vfork_followed, 20, "a followed vfork's child hits the breakpoints in the memory it shares")
{
	child_hits("vfork call", STASIS_EVENT_VFORK);
}

STS_TC_BOTH(copies_are_apart, 20, "removing the child's copy of a breakpoint leaves the parent's")
{
	struct actor a;
	pid_t child;

	begin_with_children(&a, STASIS_FOLLOW_BOTH);
	actor_tell(&a, "fork call");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_FORK, NULL);
	sts_resume(a.s, a.pid);
	struct stasis_event ev;
	sts_expect_event(a.s, STASIS_EVENT_FORK, &ev);
	child = ev.pid;
	ATF_REQUIRE_EQ(ev.data.birth.side, STASIS_SIDE_CHILD);
	STS_OK_S(a.s, stasis_breakpoint_remove(a.s, child, function(&a)));
	sts_resume(a.s, child);
	sts_expect_exit(a.s, child, 5);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CHILD_CALLS), 3);
	actor_tell(&a, "call 1");
	expect_hit(&a, a.pid, function(&a), NULL);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	finish(&a);
}

static void child_let_go(const char *command, enum stasis_event_kind kind, bool wanted)
{
	struct stasis_event ev;
	struct actor a;

	begin_with_children(&a, STASIS_FOLLOW_PARENT);
	if (!wanted)
		sts_want(a.s, a.pid, BIT(BREAKPOINT) | BIT(STEP));
	actor_tell(&a, "%s", command);
	if (wanted) {
		sts_expect_event_of(a.s, a.pid, kind, &ev);
		ATF_REQUIRE(!ev.data.birth.followed);
		sts_resume(a.s, a.pid);
	}
	ATF_REQUIRE_EQ(actor_done(&a), 5 << 8);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CHILD_CALLS), 3);
	actor_tell(&a, "call 2");
	for (int i = 0; i < 2; i++) {
		expect_hit(&a, a.pid, function(&a), NULL);
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	finish(&a);
}

STS_TC_BOTH(fork_let_go, 20, "a fork's child let go has no breakpoints in its memory; its parent has")
{
	child_let_go("fork call", STASIS_EVENT_FORK, true);
}

STS_TC_BOTH(fork_unwanted, 20, "neither has one nobody asked about")
{
	child_let_go("fork call", STASIS_EVENT_FORK, false);
}

STS_TC_BOTH(vfork_let_go, 20, "a vfork's child let go passes the breakpoints in shared memory unharmed and unnoticed")
{
	child_let_go("vfork call", STASIS_EVENT_VFORK, true);
}

STS_TC_BOTH(vfork_unwanted, 20, "so does one nobody asked about")
{
	child_let_go("vfork call", STASIS_EVENT_VFORK, false);
}

STS_TC_BOTH(detached_child_is_clean, 20,
	    "a child detached at its parent's birth event reports nothing and has no breakpoints")
{
	struct stasis_event ev;
	struct actor a;

	begin_with_children(&a, STASIS_FOLLOW_BOTH);
	actor_tell(&a, "fork call");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_FORK, &ev);
	STS_OK_S(a.s, stasis_detach(a.s, ev.data.birth.child, STASIS_SIGNAL_KEEP));
	sts_resume(a.s, a.pid);
	ATF_REQUIRE_EQ(actor_done(&a), 5 << 8);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CHILD_CALLS), 3);
	finish(&a);
}

/* ---- the image's end, signals, the PC ---- */

STS_TC_BOTH(exec_drops_all, 20, "exec drops all breakpoints, and new ones can be set in the new image")
{
	struct actor a;
	uint64_t old;

	begin(&a, "actor", BIT(EXEC));
	old = function(&a);
	insert(&a, old);
	actor_tell(&a, "exec");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_EXEC, NULL);
	STS_FAILS(STASIS_E_NO_BREAKPOINT, stasis_breakpoint_remove(a.s, a.pid, old));
	sts_resume(a.s, a.pid);
	actor_ready(&a);
	actor_do(&a, "call 2");
	insert(&a, function(&a));
	actor_tell(&a, "call 1");
	expect_hit(&a, a.pid, function(&a), NULL);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 3);
	finish(&a);
}

STS_TC_BOTH(in_handler, 30,
	    "a breakpoint in a signal handler is hit once per signal, also when the signal meets one in the program")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "handle %d r", SIGUSR1);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, actor_counter(&a, ACTOR_HANDLER)));
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, function(&a)));
	sts_resume(a.s, a.pid);
	actor_tell(&a, "call 20");
	for (uint64_t i = 0; i < 20; i++) {
		expect_hit(&a, a.pid, function(&a), NULL);
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), i);
		/* Pending when it goes on: the handler comes first, and returns to the breakpoint. */
		STS_SYS(kill(a.pid, SIGUSR1));
		sts_resume(a.s, a.pid);
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, &ev);
		if (ev.data.trap.address == function(&a)) {
			ATF_REQUIRE_EQ_MSG(actor_counter(&a, ACTOR_HANDLED), i + 1, "one arrival was two hits");
			ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), i + 1);
			atf_tc_fail("the signal was held back until the next call");
		}
		ATF_REQUIRE_EQ(ev.data.trap.address, actor_counter(&a, ACTOR_HANDLER));
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 20);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 20);
	finish(&a);
}

STS_TC_BOTH(pc_moved_away, 20, "a PC set elsewhere at a hit is where it goes on; the call has not happened")
{
	uint64_t sp, ret = 0;
	struct actor a;

	begin(&a, "actor", 0);
	insert(&a, function(&a));
	actor_tell(&a, "call 2");
	expect_hit(&a, a.pid, function(&a), NULL);
	/* As if it had returned at once. */
	struct stasis_regs_x86 regs = regs_of(a.s, a.pid);
	sp = regs.rsp;
	STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, sp, &ret, sizeof(ret), NULL));
	regs.rsp += 8;
	STS_OK_S(a.s, stasis_regs_set(a.s, a.pid, STASIS_REGSET_GENERAL, &regs, sizeof(regs)));
	const struct stasis_resume_spec spec = {.tid = a.pid, .signal = STASIS_SIGNAL_KEEP, .set_pc = true, .pc = ret};
	STS_OK_S(a.s, stasis_resume(a.s, a.pid, &spec, 1));
	expect_hit(&a, a.pid, function(&a), NULL);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 0);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 1);
	finish(&a);
}

STS_TC_BOTH(step_from_hit, 20, "a step from a hit executes that very instruction and is no second hit")
{
	struct stasis_event ev;
	struct insn *t;
	struct actor a;
	size_t n;

	begin(&a, "actor", 0);
	t = read_table(&a, ACTOR_BLOCK, &n);
	for (size_t i = 0; i < 6; i++) { /* endbr64, push, mov, push, push, sub: one after the other */
		insert(&a, t[i].address);
		actor_tell(&a, "insns 1");
		expect_hit(&a, a.pid, t[i].address, NULL);
		resume_all(a.s, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, &ev);
		ATF_REQUIRE_EQ(ev.data.trap.address, t[i + 1].address);
		ATF_REQUIRE_EQ(pc_of(a.s, a.pid), t[i + 1].address);
		STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, t[i].address));
		sts_resume(a.s, a.pid);
		actor_done(&a);
	}
	free(t);
	finish(&a);
}

/* A breakpoint is not to make the impossible possible: text can be read, not pushed to. */
STS_TC_BOTH(protection_holds, 20,
	    "an instruction at a breakpoint that may not write where it would, faults, and writes nothing")
{
	uint8_t before[16], after[16];
	struct stasis_event ev;
	struct insn *t;
	struct actor a;
	size_t n;

	begin(&a, "actor", BIT(SIGNAL));
	t = read_table(&a, ACTOR_BLOCK, &n);
	insert(&a, t[1].address); /* a push */
	actor_tell(&a, "insns 1");
	expect_hit(&a, a.pid, t[1].address, NULL);
	const struct stasis_regs_x86 regs = regs_of(a.s, a.pid);
	struct stasis_regs_x86 changed = regs;
	changed.rsp = (t[1].address & ~UINT64_C(15)) - 16;
	STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, changed.rsp - 8, before, sizeof(before), NULL));
	STS_OK_S(a.s, stasis_regs_set(a.s, a.pid, STASIS_REGSET_GENERAL, &changed, sizeof(changed)));
	sts_resume(a.s, a.pid);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SIGNAL, &ev);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_signo, SIGSEGV);
	ATF_REQUIRE_EQ(pc_of(a.s, a.pid), t[1].address);
	STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, changed.rsp - 8, after, sizeof(after), NULL));
	ATF_REQUIRE_EQ(memcmp(before, after, sizeof(before)), 0);
	STS_OK_S(a.s, stasis_regs_set(a.s, a.pid, STASIS_REGSET_GENERAL, &regs, sizeof(regs)));
	STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, t[1].address));
	resume_all(a.s, a.pid, STASIS_CONTINUE, 0);
	actor_done(&a);
	free(t);
	finish(&a);
}

STS_TC_BOTH(two_sessions_of_life, 20,
	    "after a detach with breakpoints planted the program is its own again; a new attach finds it so")
{
	uint8_t before[8], after[8];
	struct actor a;

	begin(&a, "actor", 0);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, function(&a), before, sizeof(before), NULL));
	for (uint64_t i = 0; i < 4; i++)
		STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, function(&a) + i));
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	sts_pipe_send(&a.p, "call 3");
	sts_pipe_await(&a.p, "done");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 3);
	check_free(a.pid);
	sts_attach(a.s, a.pid);
	STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, function(&a), after, sizeof(after), NULL));
	ATF_REQUIRE_EQ(memcmp(before, after, sizeof(before)), 0);
	STS_FAILS(STASIS_E_NO_BREAKPOINT, stasis_breakpoint_remove(a.s, a.pid, function(&a)));
	sts_resume(a.s, a.pid);
	finish(&a);
}
