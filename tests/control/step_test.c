// SPDX-License-Identifier: BSD-2-Clause
/* Single steps: one instruction, one event, whatever the instruction is and whoever else runs. */
#include "drive.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct insn {
	uint64_t address, times;
};

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

static struct insn *read_table(struct actor *a, unsigned table, size_t *n_ret)
{
	size_t n = actor_counter(a, table + 1);
	struct insn *t = calloc(n, sizeof(*t));

	ATF_REQUIRE(t != NULL && n > 0);
	STS_OK_S(a->s, stasis_memory_read(a->s, a->pid, actor_counter(a, table), t, n * sizeof(*t), NULL));
	*n_ret = n;
	return t;
}

static int index_of(const struct insn *t, size_t n, uint64_t address)
{
	for (size_t i = 0; i < n; i++) {
		if (t[i].address == address)
			return (int)i;
	}
	return -1;
}

/* Run to an address, once; the breakpoint is gone afterwards. */
static void run_to(struct actor *a, const char *command, uint64_t address)
{
	struct stasis_event ev;

	actor_interrupt(a);
	STS_OK_S(a->s, stasis_breakpoint_insert(a->s, a->pid, address));
	sts_resume(a->s, a->pid);
	actor_tell(a, "%s", command);
	sts_expect_event_of(a->s, a->pid, STASIS_EVENT_BREAKPOINT, &ev);
	ATF_REQUIRE_EQ(ev.data.trap.address, address);
	STS_OK_S(a->s, stasis_breakpoint_remove(a->s, a->pid, address));
}

static uint64_t step(struct actor *a, pid_t tid)
{
	struct stasis_event ev;

	resume_only(a->s, a->pid, tid, STASIS_STEP, STASIS_SIGNAL_KEEP);
	sts_expect_event_of(a->s, a->pid, STASIS_EVENT_STEP, &ev);
	ATF_REQUIRE_EQ(ev.tid, tid);
	ATF_REQUIRE(ev.all_stop && ev.stopped);
	ATF_REQUIRE_EQ(ev.data.trap.address, pc_of(a->s, tid));
	ATF_REQUIRE(!ev.data.trap.hardware);
	return ev.data.trap.address;
}

/* ---- one after the other ---- */

/* Step through the whole block: every instruction is met as often as it is executed, and its effect is right. */
static void through_block(const char *program, unsigned threads)
{
	uint64_t result, pc, last = 0, *met;
	struct insn *t;
	struct actor a;
	size_t n;
	int at;

	begin(&a, program, 0);
	actor_do(&a, "threads %u", threads);
	result = actor_do(&a, "insns 1");
	t = read_table(&a, ACTOR_BLOCK, &n);
	met = calloc(n, sizeof(*met));
	ATF_REQUIRE(met != NULL);
	run_to(&a, "insns 1", t[0].address);
	for (pc = t[0].address; (at = index_of(t, n, pc)) >= 0; pc = step(&a, a.pid)) {
		met[at] += pc != last; /* one iteration of a repeated instruction is a step, too */
		last = pc;
	}
	for (size_t i = 0; i < n; i++)
		ATF_REQUIRE_EQ_MSG(met[i], t[i].times, "instruction %zu was met %llu times", i,
				   (unsigned long long)met[i]);
	sts_resume(a.s, a.pid);
	ATF_REQUIRE_EQ(actor_done(&a), result);
	actor_do(&a, "join");
	free(t);
	free(met);
	finish(&a);
}

STS_TC_BOTH(block, 30, "stepping meets every instruction as often as it is executed")
{
	through_block("actor", 0);
}

STS_TC_BOTH(block_i386, 30, "the same of an i386 tracee")
{
	through_block("actor-32", 0);
}

STS_TC_BOTH(block_with_threads_at_rest, 30, "the same while other threads rest")
{
	through_block("actor", 4);
}

static void flags_hidden(const char *program)
{
	struct insn *t;
	struct actor a;
	size_t n;

	begin(&a, program, 0);
	t = read_table(&a, ACTOR_FLAGS, &n);
	run_to(&a, "flags", t[0].address);
	while (index_of(t, n, step(&a, a.pid)) >= 0)
		;
	sts_resume(a.s, a.pid);
	ATF_REQUIRE_EQ_MSG(actor_done(&a), 0, "a program that is stepped sees the trap flag");
	free(t);
	finish(&a);
}

STS_TC_BOTH(trap_flag_hidden, 20, "a program that is stepped never sees the trap flag")
{
	flags_hidden("actor");
}

STS_TC_BOTH(trap_flag_hidden_i386, 20, "the same of an i386 tracee")
{
	flags_hidden("actor-32");
}

STS_TC_BOTH(breakpoint_ahead, 20,
	    "a step that ends before a breakpoint is a step; the breakpoint is hit when it is executed")
{
	struct stasis_event ev;
	struct insn *t;
	struct actor a;
	size_t n;

	begin(&a, "actor", 0);
	t = read_table(&a, ACTOR_BLOCK, &n);
	run_to(&a, "insns 1", t[1].address);
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, t[2].address));
	ATF_REQUIRE_EQ(step(&a, a.pid), t[2].address);
	sts_resume(a.s, a.pid);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, &ev);
	ATF_REQUIRE_EQ(ev.data.trap.address, t[2].address);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	free(t);
	finish(&a);
}

/* ---- system calls ---- */

/* Step from the top of the block to the system call, and over it. */
static uint64_t step_over_call(struct actor *a, const struct insn *t, size_t n, uint64_t *before_ret)
{
	uint8_t bytes[2];
	uint64_t pc = t[0].address;

	for (;;) {
		STS_OK_S(a->s, stasis_memory_read(a->s, a->pid, pc, bytes, 2, NULL));
		if ((bytes[0] == 0x0f && bytes[1] == 0x05) || (bytes[0] == 0xcd && bytes[1] == 0x80))
			break;
		pc = step(a, a->pid);
		ATF_REQUIRE(index_of(t, n, pc) >= 0);
	}
	*before_ret = pc;
	return step(a, a->pid);
}

static void over_syscall(const char *program)
{
	uint64_t before, after;
	struct insn *t;
	struct actor a;
	size_t n;

	begin(&a, program, 0);
	t = read_table(&a, ACTOR_BLOCK, &n);
	run_to(&a, "insns 1", t[0].address);
	after = step_over_call(&a, t, n, &before);
	ATF_REQUIRE_EQ(after, before + 2);
	ATF_REQUIRE_EQ((int32_t)regs_of(a.s, a.pid).rax, -38); /* ENOSYS: it was executed */
	sts_resume(a.s, a.pid);
	actor_done(&a);
	free(t);
	finish(&a);
}

STS_TC_BOTH(system_call, 20, "a system call is one step, and done after it")
{
	over_syscall("actor");
}

STS_TC_BOTH(system_call_i386, 20, "the same of an i386 tracee")
{
	over_syscall("actor-32");
}

STS_TC_BOTH(system_call_reported, 20,
	    "a stepped system call whose events are wanted gives entry and exit, then the step")
{
	uint64_t pc;
	struct stasis_event ev;
	struct insn *t;
	uint8_t bytes[2];
	struct actor a;
	size_t n;

	begin(&a, "actor", 0);
	t = read_table(&a, ACTOR_BLOCK, &n);
	run_to(&a, "insns 1", t[0].address);
	pc = t[0].address;
	while (STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, pc, bytes, 2, NULL)), memcmp(bytes, "\x0f\x05", 2) != 0)
		pc = step(&a, a.pid);
	sts_want(a.s, a.pid, STASIS_EVENTS_SYSCALL | BIT(STEP));
	resume_all(a.s, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SYSCALL_ENTER, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.number, 100000);
	resume_all(a.s, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SYSCALL_EXIT, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.result, -38);
	resume_all(a.s, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, &ev);
	ATF_REQUIRE_MSG(ev.data.trap.address == pc + 2 || index_of(t, n, ev.data.trap.address) >= 0,
			"the step ended at %#llx", (unsigned long long)ev.data.trap.address);
	sts_want(a.s, a.pid, BIT(STEP));
	sts_resume(a.s, a.pid);
	actor_done(&a);
	free(t);
	finish(&a);
}

STS_TC_BOTH(into_exit, 20, "a step of exit is the end")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", 0);
	actor_interrupt(&a);
	actor_tell(&a, "exit 6");
	for (int i = 0; i < 20000; i++) {
		resume_all(a.s, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
		sts_next_event(a.s, a.pid, &ev);
		if (ev.kind != STASIS_EVENT_STEP)
			break;
	}
	ATF_REQUIRE_EQ(ev.kind, STASIS_EVENT_EXITED);
	ATF_REQUIRE_EQ(WEXITSTATUS(ev.data.exit.status), 6);
	actor_gone(&a);
	stasis_session_destroy(a.s);
}

STS_TC_BOTH(across_births, 60, "stepping goes on across fork, and the child is not stepped")
{
	struct stasis_event ev;
	struct actor a;
	pid_t child = 0;
	bool child_ended = false;
	unsigned steps = 0;

	begin(&a, "actor", STASIS_EVENTS_BIRTH);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_lwp_step_set(a.s, a.pid, true));
	actor_tell(&a, "fork exit");
	sts_resume(a.s, a.pid);
	while (!sts_pipe_pending(&a.p)) {
		int r = stasis_wait(a.s, 0, 1, &ev);

		ATF_REQUIRE(r == 0 || r == STASIS_E_TIMEOUT);
		if (r < 0)
			continue;
		if (ev.kind == STASIS_EVENT_FORK && ev.pid == a.pid)
			child = ev.data.birth.child;
		ATF_REQUIRE(ev.kind != STASIS_EVENT_STEP || ev.pid == a.pid);
		steps += ev.kind == STASIS_EVENT_STEP;
		child_ended |= ev.kind == STASIS_EVENT_EXITED && ev.pid == child;
		if (ev.stopped)
			sts_resume(a.s, ev.pid);
	}
	ATF_REQUIRE(child != 0 && child_ended && steps > 100);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, NULL); /* it has sent its answer and steps on */
	STS_OK_S(a.s, stasis_lwp_step_set(a.s, a.pid, false));
	sts_resume(a.s, a.pid);
	ATF_REQUIRE_EQ(actor_done(&a), 5 << 8);
	finish(&a);
}

/* ---- signals ---- */

static void into_handler_of(const char *program)
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, program, BIT(SIGNAL));
	actor_do(&a, "handle %d", SIGUSR1);
	for (uint64_t i = 1; i <= 3; i++) {
		STS_SYS(kill(a.pid, SIGUSR1));
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SIGNAL, &ev);
		ATF_REQUIRE_EQ(step(&a, a.pid), actor_counter(&a, ACTOR_HANDLER));
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), i - 1);
		sts_resume(a.s, a.pid);
		actor_do(&a, "nothing");
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), i);
	}
	finish(&a);
}

STS_TC_BOTH(into_handler, 20, "a step that delivers a signal ends at the first instruction of its handler")
{
	into_handler_of("actor");
}

STS_TC_BOTH(into_handler_i386, 20, "the same of an i386 tracee")
{
	into_handler_of("actor-32");
}

STS_TC_BOTH(signal_during_steps, 20, "a signal that comes while an LWP is stepped is reported and delivered, once")
{
	struct stasis_event ev;
	struct actor a;
	unsigned signals = 0;

	begin(&a, "actor", BIT(SIGNAL));
	actor_do(&a, "handle %d rn", SIGUSR1);
	actor_interrupt(&a);
	actor_tell(&a, "call 3");
	STS_OK_S(a.s, stasis_lwp_step_set(a.s, a.pid, true));
	for (int i = 0; i < 200; i++) {
		if (i % 50 == 10)
			STS_SYS(kill(a.pid, SIGUSR1));
		sts_resume(a.s, a.pid);
		sts_next_event(a.s, a.pid, &ev);
		ATF_REQUIRE_EQ(ev.kind, i % 50 == 10 ? STASIS_EVENT_SIGNAL : STASIS_EVENT_STEP);
		signals += ev.kind == STASIS_EVENT_SIGNAL;
	}
	STS_OK_S(a.s, stasis_lwp_step_set(a.s, a.pid, false));
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(signals, 4);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 4);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 3);
	finish(&a);
}

/* ---- threads ---- */

STS_TC_BOTH(others_run, 30, "one LWP steps while the others run on")
{
	struct stasis_event ev;
	struct actor a;
	uint64_t before;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 3");
	actor_interrupt(&a);
	before = spins(&a);
	for (int i = 0; i < 200 || spins(&a) == before; i++) {
		const pid_t tid = (pid_t)actor_counter(&a, ACTOR_TID);
		const struct stasis_resume_spec specs[] = {
			{.tid = tid, .action = STASIS_STEP, .signal = STASIS_SIGNAL_KEEP},
			{.action = STASIS_CONTINUE, .signal = STASIS_SIGNAL_KEEP},
		};

		STS_OK_S(a.s, stasis_resume(a.s, a.pid, specs, 2));
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, &ev);
		ATF_REQUIRE_EQ(ev.tid, tid);
	}
	sts_resume(a.s, a.pid);
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(others_rest, 30, "an LWP stepped alone moves alone")
{
	struct actor a;
	uint64_t before;
	pid_t tid;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 3");
	actor_interrupt(&a);
	tid = (pid_t)actor_counter(&a, ACTOR_TID + 1);
	before = spins(&a) - actor_counter(&a, ACTOR_SPIN + 1);
	for (int i = 0; i < 100; i++)
		step(&a, tid);
	ATF_REQUIRE_EQ(spins(&a) - actor_counter(&a, ACTOR_SPIN + 1), before);
	sts_resume(a.s, a.pid);
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(all_step, 30, "LWPs asked to step give one step each")
{
	struct stasis_resume_spec specs[4];
	struct stasis_event ev;
	unsigned seen = 0;
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 4");
	actor_interrupt(&a);
	for (unsigned t = 0; t < 4; t++)
		specs[t] = (struct stasis_resume_spec){.tid = (pid_t)actor_counter(&a, ACTOR_TID + t),
						       .action = STASIS_STEP,
						       .signal = STASIS_SIGNAL_KEEP};
	STS_OK_S(a.s, stasis_resume(a.s, a.pid, specs, 4));
	while (seen != 15) {
		unsigned t = 0, n = 0;

		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, &ev);
		while (t < 4 && (pid_t)actor_counter(&a, ACTOR_TID + t) != ev.tid)
			t++;
		ATF_REQUIRE(t < 4);
		ATF_REQUIRE_MSG(!(seen & 1U << t), "thread %u was asked for one step and has made two", t);
		seen |= 1U << t;
		for (t = 0; t < 4; t++) /* those that have not had theirs yet */
			if (!(seen & 1U << t))
				specs[n++] = (struct stasis_resume_spec){
					.tid = (pid_t)actor_counter(&a, ACTOR_TID + t),
					.action = STASIS_STEP,
					.signal = STASIS_SIGNAL_KEEP,
				};
		if (n > 0)
			STS_OK_S(a.s, stasis_resume(a.s, a.pid, specs, n));
	}
	sts_resume(a.s, a.pid);
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(forgotten_step, 20,
	    "a step that was not done when another event came is forgotten by a resume that continues")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 1");
	actor_interrupt(&a);
	resume_all(a.s, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP); /* the first thread sleeps in read(2) and cannot */
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, &ev);
	ATF_REQUIRE_EQ(ev.tid, (pid_t)actor_counter(&a, ACTOR_TID));
	sts_resume(a.s, a.pid);
	actor_do(&a, "nothing");
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(sticky, 20, "with the step flag set every continue is a step, until it is taken away")
{
	struct stasis_lwp_info info;
	struct stasis_event ev;
	struct actor a;
	pid_t tid;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 2");
	tid = (pid_t)actor_counter(&a, ACTOR_TID);
	STS_FAILS(STASIS_E_RUNNING, stasis_lwp_step_set(a.s, tid, true));
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_lwp_step_set(a.s, tid, true));
	STS_OK_S(a.s, stasis_lwp_info_get(a.s, tid, &info));
	ATF_REQUIRE(info.stepping);
	for (int i = 0; i < 50; i++) {
		sts_resume(a.s, a.pid);
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, &ev);
		ATF_REQUIRE_EQ(ev.tid, tid);
	}
	STS_OK_S(a.s, stasis_lwp_step_set(a.s, tid, false));
	STS_OK_S(a.s, stasis_lwp_info_get(a.s, tid, &info));
	ATF_REQUIRE(!info.stepping);
	sts_resume(a.s, a.pid);
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(unwanted, 20, "a step whose event is not wanted just happens")
{
	struct actor a;

	begin(&a, "actor", 0);
	actor_interrupt(&a);
	sts_want(a.s, a.pid, 0);
	resume_all(a.s, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
	actor_do(&a, "call 1");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 1);
	finish(&a);
}

STS_TC_BOTH(interrupted_call_goes_on, 20,
	    "a step asked for in the middle of a call that sleeps is done when the call ends")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", 0);
	actor_interrupt(&a);
	resume_all(a.s, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
	sts_expect_quiet(a.s);
	actor_tell(&a, "nothing");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, &ev);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_EINTR), 0);
	finish(&a);
}

/* ---- with a signal in the middle ---- */

struct sender {
	pid_t pid;
	_Atomic unsigned due, sent; /* rounds */
	_Atomic bool end;
};

static void *send_stops(void *arg)
{
	struct sender *sender = arg;

	while (!sender->end) {
		if (sender->sent == sender->due)
			continue;
		kill(sender->pid, SIGSTOP);
		sender->sent++;
	}
	return NULL;
}

/* Step, and see both: the step's end and the signal. The signal is not delivered. */
static void step_and_signal(struct actor *a)
{
	bool stepped = false, signalled = false;
	struct stasis_event ev;

	resume_all(a->s, a->pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
	while (!stepped || !signalled) {
		sts_next_event(a->s, a->pid, &ev);
		stepped |= ev.kind == STASIS_EVENT_STEP;
		if (ev.kind == STASIS_EVENT_SIGNAL) {
			ATF_REQUIRE_EQ(ev.data.signal.info.si_signo, SIGSTOP);
			ATF_REQUIRE(!signalled);
			signalled = true;
		}
		if (!stepped || !signalled)
			resume_all(a->s, a->pid, STASIS_STEP, ev.kind == STASIS_EVENT_SIGNAL ? 0 : STASIS_SIGNAL_KEEP);
	}
	if (ev.kind == STASIS_EVENT_SIGNAL) { /* it rests there */
		resume_all(a->s, a->pid, STASIS_STEP, 0);
		sts_expect_event_of(a->s, a->pid, STASIS_EVENT_STEP, &ev);
	}
}

STS_TC_BOTH(stop_amid_repairs, 60, "SIGSTOP while the disposition of SIGTRAP is put back is reported all the same")
{
	struct sender sender = {0};
	pthread_t thread;
	struct insn *t;
	struct actor a;
	size_t n;

	begin(&a, "actor", BIT(SIGNAL) | BIT(JOB_STOP));
	actor_do(&a, "ignore %d", SIGTRAP);
	t = read_table(&a, ACTOR_BLOCK, &n);
	run_to(&a, "insns 100000", t[0].address);
	sender.pid = a.pid;
	ATF_REQUIRE_EQ(pthread_create(&thread, NULL, send_stops, &sender), 0);
	for (unsigned i = 1; i <= 300; i++) {
		sender.due = i;
		step_and_signal(&a);
	}
	sender.end = true;
	pthread_join(thread, NULL);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	free(t);
	finish(&a);
}
