// SPDX-License-Identifier: BSD-2-Clause
/* Debug registers: watchpoints and hardware breakpoints, and who gets them when LWPs and processes are born. */
#include "drive.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void begin(struct actor *a, const char *name, uint64_t wanted)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, wanted | BIT(BREAKPOINT) | BIT(WATCHPOINT));
	actor_launch(a, s, name);
}

static void finish(struct actor *a)
{
	actor_end(a);
	stasis_session_destroy(a->s);
}

static uint64_t variable(const struct actor *a)
{
	return actor_counter(a, ACTOR_VARIABLE);
}

/* Of a running actor. */
static int watch(struct actor *a, pid_t tid, enum stasis_watch_kind kind, uint64_t addr, size_t len, unsigned flags)
{
	int slot = -1;

	actor_interrupt(a);
	STS_OK_S(a->s, stasis_watch_insert(a->s, a->pid, tid, kind, addr, len, flags, &slot));
	ATF_REQUIRE(slot >= 0 && slot < 4);
	sts_resume(a->s, a->pid);
	return slot;
}

static void unwatch(struct actor *a, int slot)
{
	actor_interrupt(a);
	STS_OK_S(a->s, stasis_watch_remove(a->s, a->pid, slot));
	sts_resume(a->s, a->pid);
}

static void expect_watch(struct actor *a, pid_t pid, uint64_t addr, int slot, struct stasis_event *ev_ret)
{
	struct stasis_event ev;

	sts_expect_event(a->s, STASIS_EVENT_WATCHPOINT, &ev);
	ATF_REQUIRE_EQ_MSG(ev.pid, pid, "process %d met it, %d was due", (int)ev.pid, (int)pid);
	ATF_REQUIRE(ev.stopped && ev.all_stop);
	ATF_REQUIRE_EQ(ev.data.trap.address, addr);
	ATF_REQUIRE_EQ(ev.data.trap.slot, slot);
	ATF_REQUIRE(ev.data.trap.hardware);
	if (ev_ret != NULL)
		*ev_ret = ev;
}

static uint64_t read_variable(struct actor *a)
{
	uint64_t value = 0;

	STS_OK_S(a->s, stasis_memory_read(a->s, a->pid, variable(a), &value, sizeof(value), NULL));
	return value;
}

/* ---- what is met ---- */

static void writes(const char *program, size_t len)
{
	struct stasis_event ev;
	struct actor a;
	int slot;

	begin(&a, program, 0);
	slot = watch(&a, 0, STASIS_WATCH_WRITE, variable(&a), len, 0);
	actor_tell(&a, "store 5");
	for (uint64_t i = 1; i <= 5; i++) {
		expect_watch(&a, a.pid, variable(&a), slot, &ev);
		ATF_REQUIRE(ev.data.trap.write);
		ATF_REQUIRE_EQ_MSG(read_variable(&a), i, "the access has not been done");
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	actor_do(&a, "load 5"); /* reading is no write */
	unwatch(&a, slot);
	actor_do(&a, "store 5");
	finish(&a);
}

STS_TC_BOTH(write_4, 20, "each write to four watched bytes is one event, after it is done; none after removal")
{
	writes("actor", 4);
}

STS_TC_BOTH(write_1, 20, "the same of one byte")
{
	writes("actor", 1);
}

STS_TC_BOTH(write_8, 20, "the same of eight bytes")
{
	writes("actor", 8);
}

STS_TC_BOTH(write_4_i386, 20, "the same of an i386 tracee")
{
	writes("actor-32", 4);
}

STS_TC_BOTH(read_write, 20, "a watch for reading and writing meets both")
{
	struct stasis_event ev;
	struct actor a;
	int slot;

	begin(&a, "actor", 0);
	slot = watch(&a, 0, STASIS_WATCH_READ_WRITE, variable(&a), 1, 0);
	actor_tell(&a, "load 4");
	for (int i = 0; i < 4; i++) {
		expect_watch(&a, a.pid, variable(&a), slot, &ev);
		ATF_REQUIRE(!ev.data.trap.write);
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	finish(&a);
}

STS_TC_BOTH(beside, 20, "writes beside the watched bytes are not met")
{
	struct actor a;

	begin(&a, "actor", 0);
	watch(&a, 0, STASIS_WATCH_READ_WRITE, variable(&a) + 8, 8, 0);
	watch(&a, 0, STASIS_WATCH_READ_WRITE, variable(&a) - 4, 4, 0);
	actor_do(&a, "store 3");
	actor_do(&a, "load 3");
	finish(&a);
}

static void execution(const char *program)
{
	struct stasis_event ev;
	struct actor a;
	int slot;

	begin(&a, program, 0);
	slot = watch(&a, 0, STASIS_WATCH_EXECUTE, actor_counter(&a, ACTOR_FUNCTION), 1, 0);
	actor_tell(&a, "call 5");
	for (uint64_t i = 0; i < 5; i++) {
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, &ev);
		ATF_REQUIRE(ev.data.trap.hardware);
		ATF_REQUIRE_EQ(ev.data.trap.slot, slot);
		ATF_REQUIRE_EQ(ev.data.trap.address, actor_counter(&a, ACTOR_FUNCTION));
		ATF_REQUIRE_EQ(pc_of(a.s, a.pid), actor_counter(&a, ACTOR_FUNCTION));
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), i);
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 5);
	unwatch(&a, slot);
	actor_do(&a, "call 5");
	finish(&a);
}

STS_TC_BOTH(hardware_breakpoint, 20, "a hardware breakpoint is hit once per execution, before it")
{
	execution("actor");
}

STS_TC_BOTH(hardware_breakpoint_i386, 20, "the same of an i386 tracee")
{
	execution("actor-32");
}

STS_TC_BOTH(hard_and_soft, 20, "a hardware and a software breakpoint at one place do not lose the execution")
{
	struct stasis_event ev;
	unsigned hard = 0, soft = 0;
	struct actor a;

	begin(&a, "actor", 0);
	watch(&a, 0, STASIS_WATCH_EXECUTE, actor_counter(&a, ACTOR_FUNCTION), 1, 0);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
	sts_resume(a.s, a.pid);
	actor_tell(&a, "call 5");
	for (uint64_t done = 0; done < 5; done = actor_counter(&a, ACTOR_CALLS)) {
		if (stasis_wait(a.s, 0, 1, &ev) < 0)
			continue;
		ATF_REQUIRE_EQ(ev.kind, STASIS_EVENT_BREAKPOINT);
		hard += ev.data.trap.hardware;
		soft += !ev.data.trap.hardware;
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	ATF_REQUIRE_EQ(hard, 5);
	ATF_REQUIRE_EQ(soft, 5);
	finish(&a);
}

STS_TC_BOTH(hard_before_step, 20, "a step onto a watched write reports the write")
{
	struct stasis_event ev;
	unsigned met = 0;
	struct actor a;

	begin(&a, "actor", BIT(STEP));
	watch(&a, 0, STASIS_WATCH_WRITE, variable(&a), 4, 0);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_lwp_step_set(a.s, a.pid, true));
	actor_tell(&a, "store 2");
	sts_resume(a.s, a.pid);
	while (!sts_pipe_pending(&a.p)) {
		if (stasis_wait(a.s, 0, 1, &ev) < 0)
			continue;
		ATF_REQUIRE(ev.kind == STASIS_EVENT_STEP || ev.kind == STASIS_EVENT_WATCHPOINT);
		met += ev.kind == STASIS_EVENT_WATCHPOINT;
		sts_resume(a.s, a.pid);
	}
	ATF_REQUIRE_EQ(met, 2);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, NULL);
	STS_OK_S(a.s, stasis_lwp_step_set(a.s, a.pid, false));
	sts_resume(a.s, a.pid);
	actor_done(&a);
	finish(&a);
}

/* ---- registers and errors ---- */

STS_TC_BOTH(four_and_no_more, 20, "there are four debug registers, each is told, and freed ones are used again")
{
	unsigned slots = 0;
	struct actor a;
	int slot;

	begin(&a, "actor", 0);
	actor_interrupt(&a);
	for (int i = 0; i < 4; i++) {
		STS_OK_S(a.s, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, variable(&a) + 8 * (unsigned)i, 4,
						  0, &slot));
		ATF_REQUIRE(!(slots & 1U << slot));
		slots |= 1U << slot;
	}
	slot = 77;
	STS_FAILS(STASIS_E_NO_DEBUG_REGISTER,
		  stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, variable(&a) + 32, 4, 0, &slot));
	ATF_REQUIRE_EQ(slot, 77);
	STS_OK_S(a.s, stasis_watch_remove(a.s, a.pid, 2));
	STS_OK_S(a.s, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, variable(&a) + 32, 4, 0, &slot));
	ATF_REQUIRE_EQ(slot, 2);
	sts_resume(a.s, a.pid);
	actor_tell(&a, "store 1");
	expect_watch(&a, a.pid, variable(&a), 0, NULL);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	finish(&a);
}

STS_TC_BOTH(errors, 20, "what fits no debug register is refused")
{
	struct actor a;
	uint64_t v;

	begin(&a, "actor", 0);
	v = variable(&a);
	STS_FAILS(STASIS_E_RUNNING, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, v, 4, 0, NULL));
	STS_FAILS(STASIS_E_RUNNING, stasis_watch_remove(a.s, a.pid, 0));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_watch_insert(a.s, getpid(), 0, STASIS_WATCH_WRITE, v, 4, 0, NULL));
	actor_interrupt(&a);
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, v + 1, 4, 0, NULL));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, v, 3, 0, NULL));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, v, 0, 0, NULL));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, v, 16, 0, NULL));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_EXECUTE, v, 4, 0, NULL));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_watch_insert(a.s, a.pid, 0, (enum stasis_watch_kind)9, v, 4, 0, NULL));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, v, 4, 1U << 9, NULL));
	/* A kernel address: the kernel itself says no. */
	ATF_REQUIRE(stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, UINT64_C(0xffff800000000000), 4, 0, NULL) <
		    0);
	STS_FAILS(STASIS_E_NO_BREAKPOINT, stasis_watch_remove(a.s, a.pid, 0));
	STS_FAILS(STASIS_E_NO_BREAKPOINT, stasis_watch_remove(a.s, a.pid, -1));
	STS_FAILS(STASIS_E_NO_BREAKPOINT, stasis_watch_remove(a.s, a.pid, 4));
	STS_OK_S(a.s, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, v, 4, 0, NULL));
	STS_FAILS(STASIS_E_EXISTS, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, v, 4, 0, NULL));
	sts_resume(a.s, a.pid);
	finish(&a);
}

STS_TC_BOTH(register_set, 20, "the debug registers show what is watched, and cannot be written beneath it")
{
	uint64_t dr[8], zero[8] = {0};
	struct actor a;
	size_t size = 0;
	int slot;

	begin(&a, "actor", 0);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_regs_get(a.s, a.pid, STASIS_REGSET_DEBUG, dr, sizeof(dr), &size));
	ATF_REQUIRE_EQ(size, sizeof(dr));
	for (int i = 0; i < 4; i++)
		ATF_REQUIRE_EQ(dr[i], 0);
	ATF_REQUIRE_EQ(dr[7] & 0xff, 0);
	STS_OK_S(a.s, stasis_watch_insert(a.s, a.pid, 0, STASIS_WATCH_WRITE, variable(&a), 4, 0, &slot));
	STS_OK_S(a.s, stasis_regs_get(a.s, a.pid, STASIS_REGSET_DEBUG, dr, sizeof(dr), NULL));
	ATF_REQUIRE_EQ(dr[slot], variable(&a));
	ATF_REQUIRE(dr[7] & (UINT64_C(3) << 2 * slot));
	ATF_REQUIRE_EQ(dr[4], 0);
	ATF_REQUIRE_EQ(dr[5], 0);
	STS_FAILS(STASIS_E_EXISTS, stasis_regs_set(a.s, a.pid, STASIS_REGSET_DEBUG, zero, sizeof(zero)));
	STS_OK_S(a.s, stasis_watch_remove(a.s, a.pid, slot));
	STS_OK_S(a.s, stasis_regs_set(a.s, a.pid, STASIS_REGSET_DEBUG, zero, sizeof(zero)));
	sts_resume(a.s, a.pid);
	actor_do(&a, "store 2");
	finish(&a);
}

/* ---- LWPs ---- */

static unsigned count_watches_until(struct actor *a, const char *command)
{
	struct stasis_event ev;
	unsigned n = 0;

	actor_tell(a, "%s", command);
	while (!sts_pipe_pending(&a->p)) {
		if (stasis_wait(a->s, 0, 1, &ev) < 0)
			continue;
		ATF_REQUIRE(ev.kind == STASIS_EVENT_WATCHPOINT || ev.kind == STASIS_EVENT_BREAKPOINT);
		n++;
		sts_resume(a->s, ev.pid);
	}
	actor_done(a);
	return n;
}

static void new_lwps(unsigned flags, unsigned due)
{
	uint64_t f;
	struct actor a;

	begin(&a, "actor", 0);
	f = actor_counter(&a, ACTOR_FUNCTION);
	actor_do(&a, "threads 2");
	watch(&a, 0, STASIS_WATCH_EXECUTE, f, 1, flags);
	ATF_REQUIRE_EQ(count_watches_until(&a, "callall 3"), 6);
	ATF_REQUIRE_EQ(count_watches_until(&a, "call 3"), 3);
	actor_do(&a, "threads 2");
	ATF_REQUIRE_EQ(count_watches_until(&a, "callall 3"), due);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 6 + 3 + 12);
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(new_lwps_too, 20, "LWPs born later get a watch that is to be theirs")
{
	new_lwps(STASIS_WATCH_NEW_LWPS, 12);
}

STS_TC_BOTH(new_lwps_not, 20, "LWPs born later have no part in any other")
{
	new_lwps(0, 6);
}

STS_TC_BOTH(one_lwp, 20, "a watch of one LWP is met by that one alone")
{
	struct stasis_event ev;
	struct actor a;
	pid_t tid;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 4");
	tid = (pid_t)actor_counter(&a, ACTOR_TID + 2);
	watch(&a, tid, STASIS_WATCH_EXECUTE, actor_counter(&a, ACTOR_FUNCTION), 1, 0);
	actor_tell(&a, "callall 3");
	for (int i = 0; i < 3; i++) {
		sts_expect_event(a.s, STASIS_EVENT_BREAKPOINT, &ev);
		ATF_REQUIRE_EQ(ev.tid, tid);
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	actor_interrupt(&a);
	STS_FAILS(STASIS_E_BAD_LWP,
		  stasis_watch_insert(a.s, a.pid, getpid(), STASIS_WATCH_WRITE, variable(&a), 4, 0, NULL));
	sts_resume(a.s, a.pid);
	actor_do(&a, "join");
	finish(&a);
}

/* ---- processes ---- */

/* A followed child calls the watched function three times: how often is that met? */
static void children(const char *command, enum stasis_event_kind kind, unsigned flags, unsigned due)
{
	struct stasis_event ev;
	unsigned by_child = 0;
	bool ended = false;
	struct actor a;

	begin(&a, "actor", STASIS_EVENTS_BIRTH);
	watch(&a, 0, STASIS_WATCH_EXECUTE, actor_counter(&a, ACTOR_FUNCTION), 1, flags);
	actor_tell(&a, "%s", command);
	sts_expect_event_of(a.s, a.pid, kind, &ev);
	sts_expect_event_of(a.s, ev.data.birth.child, kind, NULL);
	sts_resume(a.s, a.pid);
	sts_resume(a.s, ev.data.birth.child);
	while (!ended) {
		sts_next_event(a.s, ev.data.birth.child, &ev);
		ended = ev.kind == STASIS_EVENT_EXITED;
		by_child += ev.kind == STASIS_EVENT_BREAKPOINT;
		if (ev.stopped)
			sts_resume(a.s, ev.pid);
	}
	ATF_REQUIRE_EQ(by_child, due);
	ATF_REQUIRE_EQ(actor_done(&a), 5 << 8);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CHILD_CALLS), 3);
	ATF_REQUIRE_EQ(count_watches_until(&a, "call 2"), 2);
	finish(&a);
}

STS_TC_BOTH(fork_inherits, 20, "a followed fork's child gets a watch that is to be its own")
{
	children("fork call", STASIS_EVENT_FORK, STASIS_WATCH_CHILDREN, 3);
}

STS_TC_BOTH(fork_does_not, 20, "a followed fork's child has no part in any other")
{
	children("fork call", STASIS_EVENT_FORK, STASIS_WATCH_NEW_LWPS, 0);
}

STS_TC_BOTH(vfork_inherits, 20, "a followed vfork's child gets a watch that is to be its own")
{
	children("vfork call", STASIS_EVENT_VFORK, STASIS_WATCH_CHILDREN, 3);
}

STS_TC_BOTH(vfork_does_not, 20, "a followed vfork's child has no part in any other")
{
	children("vfork call", STASIS_EVENT_VFORK, 0, 0);
}

static void child_let_go(const char *command)
{
	struct actor a;

	begin(&a, "actor", 0);
	watch(&a, 0, STASIS_WATCH_EXECUTE, actor_counter(&a, ACTOR_FUNCTION), 1,
	      STASIS_WATCH_CHILDREN | STASIS_WATCH_NEW_LWPS);
	ATF_REQUIRE_EQ(actor_do(&a, "%s", command), 5 << 8);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CHILD_CALLS), 3);
	ATF_REQUIRE_EQ(count_watches_until(&a, "call 2"), 2);
	finish(&a);
}

STS_TC_BOTH(fork_let_go, 20, "a fork's child that is not followed runs without watches")
{
	child_let_go("fork call");
}

STS_TC_BOTH(vfork_let_go, 20, "a vfork's child that is not followed runs without watches")
{
	child_let_go("vfork call");
}

STS_TC_BOTH(exec_drops, 20, "watches are gone after exec, and their registers free")
{
	struct actor a;
	int slot;

	begin(&a, "actor", BIT(EXEC));
	slot = watch(&a, 0, STASIS_WATCH_EXECUTE, actor_counter(&a, ACTOR_FUNCTION), 1,
		     STASIS_WATCH_CHILDREN | STASIS_WATCH_NEW_LWPS);
	actor_tell(&a, "exec");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_EXEC, NULL);
	STS_FAILS(STASIS_E_NO_BREAKPOINT, stasis_watch_remove(a.s, a.pid, slot));
	sts_resume(a.s, a.pid);
	actor_ready(&a);
	actor_do(&a, "call 2");
	actor_do(&a, "store 2");
	finish(&a);
}

STS_TC_BOTH(detach_clears, 20, "a process let go meets its old watches no more")
{
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 2");
	watch(&a, 0, STASIS_WATCH_EXECUTE, actor_counter(&a, ACTOR_FUNCTION), 1, STASIS_WATCH_NEW_LWPS);
	watch(&a, 0, STASIS_WATCH_WRITE, variable(&a), 4, STASIS_WATCH_NEW_LWPS);
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	sts_pipe_send(&a.p, "callall 3"); /* a trap would kill it */
	sts_pipe_await(&a.p, "done");
	sts_pipe_send(&a.p, "store 3");
	sts_pipe_await(&a.p, "done");
	sts_pipe_send(&a.p, "join");
	sts_pipe_await(&a.p, "done");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 6);
	check_free(a.pid);
	actor_end_untraced(&a);
	stasis_session_destroy(a.s);
}
