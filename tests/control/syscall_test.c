// SPDX-License-Identifier: BSD-2-Clause
/* System calls: entry and exit in pairs with what the program passed and got, and changing both. */
#include "drive.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { I386_GETPID = 20, NOT_THERE = 100000 };

struct tracing {
	struct actor a;
	bool all_stop;
	uint64_t kinds;
};

static void go_on(struct tracing *t, const struct stasis_event *ev)
{
	if (ev->all_stop)
		sts_resume(t->a.s, ev->pid);
	else if (ev->stopped)
		STS_OK_S(t->a.s, stasis_resume_lwp(t->a.s, ev->tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
}

static void set_mask(struct tracing *t, uint64_t kinds)
{
	const struct stasis_event_mask mask = {.all_stop = t->all_stop ? kinds : 0,
					       .thread_stop = t->all_stop ? 0 : kinds};

	t->kinds = kinds;
	STS_OK_S(t->a.s, stasis_event_mask_set(t->a.s, t->a.pid, &mask));
}

/* A running actor, stopped once so that it takes notice of what is wanted. */
static void begin(struct tracing *t, const char *name, bool all_stop, uint64_t kinds)
{
	struct stasis_session *s = sts_session();

	t->all_stop = all_stop;
	sts_want(s, 0, 0);
	actor_launch(&t->a, s, name);
	actor_interrupt(&t->a);
	set_mask(t, kinds);
	sts_resume(s, t->a.pid);
}

/* Bring it to rest and want nothing any more; what was on its way is passed over. It runs then. */
static void stop_tracing(struct tracing *t)
{
	struct stasis_event ev;

	STS_OK_S(t->a.s, stasis_interrupt(t->a.s, t->a.pid));
	for (sts_next_event(t->a.s, t->a.pid, &ev); !ev.all_stop; sts_next_event(t->a.s, t->a.pid, &ev))
		go_on(t, &ev);
	set_mask(t, 0);
	go_on(t, &ev);
	while (stasis_wait(t->a.s, 0, 20, &ev) == 0)
		go_on(t, &ev);
}

/* Pass all events over until the command is carried out; its result. */
static uint64_t run_out(struct tracing *t)
{
	struct stasis_event ev;

	while (!sts_pipe_pending(&t->a.p)) {
		int r = stasis_wait(t->a.s, 0, 1, &ev);

		ATF_REQUIRE(r == 0 || r == STASIS_E_TIMEOUT);
		if (r == 0)
			go_on(t, &ev);
	}
	stop_tracing(t);
	return actor_done(&t->a);
}

static void finish(struct tracing *t)
{
	actor_end(&t->a);
	stasis_session_destroy(t->a.s);
}

static uint64_t getpid_number(const char *program)
{
	return strstr(program, "-32") != NULL ? I386_GETPID : SYS_getpid;
}

/* The next event of this kind for this call; all others are passed over. */
static void expect_call(struct tracing *t, enum stasis_event_kind kind, uint64_t number, struct stasis_event *ev)
{
	for (;;) {
		sts_next_event(t->a.s, t->a.pid, ev);
		ATF_REQUIRE(STASIS_EVENT_BIT(ev->kind) & t->kinds);
		if (ev->kind == kind && ev->data.syscall.number == number)
			return;
		go_on(t, ev);
	}
}

/* ---- pairs ---- */

static void check_pair(const struct tracing *t, const struct stasis_event *enter, const struct stasis_event *leave)
{
	const struct stasis_event_syscall *in = &enter->data.syscall, *out = &leave->data.syscall;

	ATF_REQUIRE(enter->all_stop == t->all_stop && leave->all_stop == t->all_stop);
	ATF_REQUIRE(enter->stopped && leave->stopped);
	ATF_REQUIRE(enter->tid == t->a.pid && leave->tid == t->a.pid);
	ATF_REQUIRE_EQ(out->number, in->number);
	ATF_REQUIRE_EQ(out->abi, in->abi);
	ATF_REQUIRE_EQ(out->pc, in->pc);
	ATF_REQUIRE_EQ(out->sp, in->sp);
	ATF_REQUIRE_EQ(memcmp(out->args, in->args, sizeof(in->args)), 0);
}

static void pairs(const char *program, bool all_stop)
{
	enum { N = 50 };
	uint64_t number = getpid_number(program);
	struct stasis_event enter, leave;
	struct tracing t;

	begin(&t, program, all_stop, STASIS_EVENTS_SYSCALL);
	actor_tell(&t.a, "getpid %d", N);
	for (int i = 0; i < N; i++) {
		expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, number, &enter);
		ATF_REQUIRE_EQ(enter.data.syscall.pc, pc_of(t.a.s, t.a.pid));
		ATF_REQUIRE_EQ(enter.data.syscall.sp, sp_of(t.a.s, t.a.pid));
		go_on(&t, &enter);
		sts_expect_event_of(t.a.s, t.a.pid, STASIS_EVENT_SYSCALL_EXIT, &leave);
		check_pair(&t, &enter, &leave);
		ATF_REQUIRE_EQ(leave.data.syscall.result, t.a.pid);
		ATF_REQUIRE(!leave.data.syscall.is_error && !leave.data.syscall.skipped);
		go_on(&t, &leave);
	}
	sts_next_event(t.a.s, t.a.pid, &enter);
	ATF_REQUIRE_MSG(enter.data.syscall.number != number, "there is one more than the program made");
	go_on(&t, &enter);
	ATF_REQUIRE_EQ(run_out(&t), t.a.pid);
	finish(&t);
}

STS_TC_BOTH(pairs_all_stop, 30, "each call is an entry and an exit, with the program's arguments and result")
{
	pairs("actor", true);
}

STS_TC_BOTH(pairs_thread_stop, 30, "the same as thread-stops")
{
	pairs("actor", false);
}

STS_TC_BOTH(pairs_i386, 30, "the same of an i386 tracee")
{
	pairs("actor-32", false);
}

STS_TC_BOTH(pairs_musl, 30, "the same of a static program on musl")
{
	pairs("actor-musl", true);
}

static void one_side(enum stasis_event_kind kind)
{
	enum { N = 20 };
	struct stasis_event ev;
	unsigned n = 0;
	struct tracing t;

	begin(&t, "actor", true, STASIS_EVENT_BIT(kind));
	actor_tell(&t.a, "getpid %d", N);
	while (!sts_pipe_pending(&t.a.p)) {
		if (stasis_wait(t.a.s, 0, 1, &ev) < 0)
			continue;
		ATF_REQUIRE_EQ(ev.kind, kind);
		n += ev.data.syscall.number == SYS_getpid;
		if (kind == STASIS_EVENT_SYSCALL_EXIT && ev.data.syscall.number == SYS_getpid)
			ATF_REQUIRE_EQ(ev.data.syscall.result, t.a.pid);
		go_on(&t, &ev);
	}
	ATF_REQUIRE_EQ(n, N);
	run_out(&t);
	finish(&t);
}

STS_TC_BOTH(entries_alone, 20, "entries can be wanted without exits")
{
	one_side(STASIS_EVENT_SYSCALL_ENTER);
}

STS_TC_BOTH(exits_alone, 20, "exits can be wanted without entries, and tell the arguments too")
{
	one_side(STASIS_EVENT_SYSCALL_EXIT);
}

STS_TC_BOTH(arguments, 20, "arguments are told as the program passed them: the rendezvous' own read and write")
{
	const uint64_t size = sizeof(struct sts_step);
	struct stasis_event ev;
	struct tracing t;
	char text[32];

	begin(&t, "actor", true, STASIS_EVENTS_SYSCALL);
	actor_tell(&t.a, "nothing");
	/* It was in read(2) when tracing began: an exit of a call whose entry nobody saw. */
	expect_call(&t, STASIS_EVENT_SYSCALL_EXIT, SYS_read, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.abi, STASIS_ABI_X86_64);
	ATF_REQUIRE_EQ(ev.data.syscall.result, (int64_t)size);
	ATF_REQUIRE_EQ(ev.data.syscall.args[2], size);
	STS_OK_S(t.a.s, stasis_memory_read(t.a.s, t.a.pid, ev.data.syscall.args[1], text, sizeof(text), NULL));
	ATF_REQUIRE_EQ(strcmp(text, "nothing"), 0);
	go_on(&t, &ev);
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, SYS_write, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.args[2], size);
	STS_OK_S(t.a.s, stasis_memory_read(t.a.s, t.a.pid, ev.data.syscall.args[1], text, sizeof(text), NULL));
	ATF_REQUIRE_EQ(strcmp(text, "done"), 0);
	go_on(&t, &ev);
	run_out(&t);
	finish(&t);
}

static void error_result(const char *program, enum stasis_abi abi)
{
	struct stasis_event ev;
	struct tracing t;

	begin(&t, program, true, STASIS_EVENTS_SYSCALL);
	actor_tell(&t.a, "insns 1");
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, NOT_THERE, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.abi, abi);
	go_on(&t, &ev);
	expect_call(&t, STASIS_EVENT_SYSCALL_EXIT, NOT_THERE, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.result, -ENOSYS);
	ATF_REQUIRE(ev.data.syscall.is_error);
	go_on(&t, &ev);
	run_out(&t);
	finish(&t);
}

STS_TC_BOTH(unknown_call, 20, "a call that there is not is reported like any other, with its error")
{
	error_result("actor", STASIS_ABI_X86_64);
}

STS_TC_BOTH(unknown_call_i386, 20, "the same of an i386 tracee, by int 0x80")
{
	error_result("actor-32", STASIS_ABI_I386);
}

/* ---- changing ---- */

static void skip(const char *program, bool all_stop)
{
	uint64_t number = getpid_number(program);
	struct stasis_event ev;
	struct tracing t;

	begin(&t, program, all_stop, STASIS_EVENTS_SYSCALL);
	actor_tell(&t.a, "getpid 1");
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, number, &ev);
	STS_OK_S(t.a.s, stasis_syscall_skip(t.a.s, t.a.pid, 4242));
	go_on(&t, &ev);
	sts_expect_event_of(t.a.s, t.a.pid, STASIS_EVENT_SYSCALL_EXIT, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.number, number);
	ATF_REQUIRE(ev.data.syscall.skipped);
	ATF_REQUIRE_EQ(ev.data.syscall.result, 4242);
	ATF_REQUIRE(!ev.data.syscall.is_error);
	go_on(&t, &ev);
	ATF_REQUIRE_EQ(run_out(&t), 4242);
	finish(&t);
}

STS_TC_BOTH(skip_all_stop, 20, "a skipped call is not executed and its caller gets the given result")
{
	skip("actor", true);
}

STS_TC_BOTH(skip_thread_stop, 20, "the same in a thread-stop")
{
	skip("actor", false);
}

STS_TC_BOTH(skip_i386, 20, "the same of an i386 tracee")
{
	skip("actor-32", true);
}

STS_TC_BOTH(skip_unwatched, 20, "the given result stands though calls are no longer wanted")
{
	struct stasis_event ev;
	struct tracing t;

	begin(&t, "actor", true, STASIS_EVENTS_SYSCALL);
	actor_tell(&t.a, "getpid 1");
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, getpid_number("actor"), &ev);
	STS_OK_S(t.a.s, stasis_syscall_skip(t.a.s, t.a.pid, 4242));
	sts_want(t.a.s, t.a.pid, 0);
	go_on(&t, &ev);
	ATF_REQUIRE_EQ(run_out(&t), 4242);
	finish(&t);
}

STS_TC_BOTH(skip_is_true, 20, "what is skipped has no effect: a kill that would end it")
{
	struct stasis_event ev;
	struct tracing t;

	begin(&t, "actor", true, STASIS_EVENTS_SYSCALL);
	actor_tell(&t.a, "raise %d", SIGKILL);
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, SYS_tgkill, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.args[2], SIGKILL);
	STS_OK_S(t.a.s, stasis_syscall_skip(t.a.s, t.a.pid, -EPERM));
	go_on(&t, &ev);
	expect_call(&t, STASIS_EVENT_SYSCALL_EXIT, SYS_tgkill, &ev);
	ATF_REQUIRE(ev.data.syscall.skipped && ev.data.syscall.is_error);
	ATF_REQUIRE_EQ(ev.data.syscall.result, -EPERM);
	go_on(&t, &ev);
	run_out(&t);
	finish(&t);
}

STS_TC_BOTH(skip_without_exit, 20, "a call can be skipped where exits are not wanted")
{
	struct stasis_event ev;
	struct tracing t;

	begin(&t, "actor", true, BIT(SYSCALL_ENTER));
	actor_tell(&t.a, "getpid 1");
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, SYS_getpid, &ev);
	STS_OK_S(t.a.s, stasis_syscall_skip(t.a.s, t.a.pid, 77));
	go_on(&t, &ev);
	ATF_REQUIRE_EQ(run_out(&t), 77);
	finish(&t);
}

STS_TC_BOTH(result_changed, 20, "the result that the caller gets can be changed at the exit")
{
	struct stasis_event ev;
	struct tracing t;

	begin(&t, "actor", true, STASIS_EVENTS_SYSCALL);
	actor_tell(&t.a, "getpid 1");
	expect_call(&t, STASIS_EVENT_SYSCALL_EXIT, SYS_getpid, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.result, t.a.pid);
	STS_OK_S(t.a.s, stasis_syscall_result_set(t.a.s, t.a.pid, 99));
	go_on(&t, &ev);
	ATF_REQUIRE_EQ(run_out(&t), 99);
	finish(&t);
}

static void call_changed(const char *program)
{
	bool narrow = strstr(program, "-32") != NULL;
	/* dup2(7, 60), or the i386 number of it */
	const uint64_t args[6] = {1, 60, 0, 0, 0, 0};
	struct stasis_event ev;
	struct tracing t;

	begin(&t, program, true, STASIS_EVENTS_SYSCALL);
	actor_tell(&t.a, "getpid 1");
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, getpid_number(program), &ev);
	STS_OK_S(t.a.s, stasis_syscall_set(t.a.s, t.a.pid, narrow ? 63 : SYS_dup2, args));
	go_on(&t, &ev);
	sts_expect_event_of(t.a.s, t.a.pid, STASIS_EVENT_SYSCALL_EXIT, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.result, 60);
	ATF_REQUIRE_EQ(ev.data.syscall.number, narrow ? 63 : SYS_dup2);
	ATF_REQUIRE_EQ(ev.data.syscall.args[1], 60);
	go_on(&t, &ev);
	ATF_REQUIRE_EQ(run_out(&t), 60);
	finish(&t);
}

STS_TC_BOTH(call_replaced, 20, "number and arguments can be changed at the entry")
{
	call_changed("actor");
}

STS_TC_BOTH(call_replaced_i386, 20, "the same of an i386 tracee")
{
	call_changed("actor-32");
}

STS_TC_BOTH(number_replaced, 20, "the number alone can be changed; the arguments are kept")
{
	struct stasis_event ev;
	struct tracing t;

	begin(&t, "actor", true, STASIS_EVENTS_SYSCALL);
	actor_tell(&t.a, "raise %d", SIGKILL);
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, SYS_tgkill, &ev);
	STS_OK_S(t.a.s, stasis_syscall_set(t.a.s, t.a.pid, SYS_getppid, NULL));
	go_on(&t, &ev);
	sts_expect_event_of(t.a.s, t.a.pid, STASIS_EVENT_SYSCALL_EXIT, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.number, SYS_getppid);
	ATF_REQUIRE_EQ(ev.data.syscall.args[2], SIGKILL);
	ATF_REQUIRE_EQ(ev.data.syscall.result, stasis_session_tracer_pid(t.a.s));
	go_on(&t, &ev);
	run_out(&t);
	finish(&t);
}

STS_TC_BOTH(wrong_state, 20, "calls are changed at their entry, results at their exit, and nothing elsewhere")
{
	struct stasis_event ev;
	struct tracing t;

	begin(&t, "actor", true, STASIS_EVENTS_SYSCALL);
	STS_FAILS(STASIS_E_RUNNING, stasis_syscall_skip(t.a.s, t.a.pid, 0));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_syscall_skip(t.a.s, getpid(), 0));
	actor_tell(&t.a, "getpid 1");
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, SYS_getpid, &ev);
	STS_FAILS(STASIS_E_BAD_STATE, stasis_syscall_result_set(t.a.s, t.a.pid, 1));
	go_on(&t, &ev);
	expect_call(&t, STASIS_EVENT_SYSCALL_EXIT, SYS_getpid, &ev);
	STS_FAILS(STASIS_E_BAD_STATE, stasis_syscall_skip(t.a.s, t.a.pid, 1));
	STS_FAILS(STASIS_E_BAD_STATE, stasis_syscall_set(t.a.s, t.a.pid, SYS_getppid, NULL));
	go_on(&t, &ev);
	ATF_REQUIRE_EQ(run_out(&t), t.a.pid);
	actor_interrupt(&t.a);
	STS_FAILS(STASIS_E_BAD_STATE, stasis_syscall_skip(t.a.s, t.a.pid, 1));
	STS_FAILS(STASIS_E_BAD_STATE, stasis_syscall_result_set(t.a.s, t.a.pid, 1));
	sts_resume(t.a.s, t.a.pid);
	finish(&t);
}

/* ---- particular calls ---- */

STS_TC_BOTH(exec_call, 20, "the call that execs has its entry before and its exit after the exec event")
{
	struct stasis_event ev;
	struct tracing t;

	begin(&t, "actor", true, STASIS_EVENTS_SYSCALL | BIT(EXEC));
	actor_tell(&t.a, "exec");
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, SYS_execve, &ev);
	go_on(&t, &ev);
	sts_expect_event_of(t.a.s, t.a.pid, STASIS_EVENT_EXEC, &ev);
	go_on(&t, &ev);
	sts_expect_event_of(t.a.s, t.a.pid, STASIS_EVENT_SYSCALL_EXIT, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.number, SYS_execve);
	ATF_REQUIRE_EQ(ev.data.syscall.result, 0);
	set_mask(&t, 0);
	go_on(&t, &ev);
	actor_ready(&t.a);
	finish(&t);
}

STS_TC_BOTH(exit_call, 20, "the call that ends the process has an entry and no exit")
{
	struct stasis_event ev;
	struct tracing t;

	begin(&t, "actor", true, STASIS_EVENTS_SYSCALL);
	actor_tell(&t.a, "exit 8");
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, SYS_exit_group, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.args[0], 8);
	go_on(&t, &ev);
	sts_expect_exit(t.a.s, t.a.pid, 8);
	actor_gone(&t.a);
	stasis_session_destroy(t.a.s);
}

STS_TC_BOTH(interrupted_call, 20, "a call that a signal handler cuts short has its exit before the signal is reported")
{
	struct stasis_event ev;
	struct tracing t;

	begin(&t, "actor", true, 0);
	actor_do(&t.a, "handle %d", SIGUSR1);
	actor_interrupt(&t.a);
	set_mask(&t, STASIS_EVENTS_SYSCALL | BIT(SIGNAL));
	sts_resume(t.a.s, t.a.pid);
	actor_tell(&t.a, "sleep 100000");
	expect_call(&t, STASIS_EVENT_SYSCALL_ENTER, SYS_clock_nanosleep, &ev);
	go_on(&t, &ev);
	sts_await_state(t.a.pid, t.a.pid, "S");
	STS_SYS(kill(t.a.pid, SIGUSR1));
	sts_expect_event_of(t.a.s, t.a.pid, STASIS_EVENT_SYSCALL_EXIT, &ev);
	ATF_REQUIRE_EQ(ev.data.syscall.number, SYS_clock_nanosleep);
	ATF_REQUIRE(ev.data.syscall.is_error);
	go_on(&t, &ev);
	sts_expect_event_of(t.a.s, t.a.pid, STASIS_EVENT_SIGNAL, &ev);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_signo, SIGUSR1);
	go_on(&t, &ev);
	run_out(&t);
	ATF_REQUIRE_EQ(actor_counter(&t.a, ACTOR_HANDLED), 1);
	ATF_REQUIRE_EQ(actor_counter(&t.a, ACTOR_EINTR), 1);
	finish(&t);
}

STS_TC_BOTH(many_threads, 60, "calls of several threads pair up each for itself")
{
	struct {
		pid_t tid;
		bool inside;
		uint64_t number;
	} seen[8] = {0};
	struct stasis_event ev;
	unsigned pairs_seen = 0;
	struct tracing t;

	begin(&t, "actor", false, 0);
	actor_do(&t.a, "handle %d r", SIGUSR1); /* each signal is a sigreturn, and a getpid and a gettid before it */
	actor_do(&t.a, "threads 4");
	actor_interrupt(&t.a);
	set_mask(&t, STASIS_EVENTS_SYSCALL);
	sts_resume(t.a.s, t.a.pid);
	actor_tell(&t.a, "callall 20");
	while (!sts_pipe_pending(&t.a.p)) {
		unsigned i = 0;

		if (stasis_wait(t.a.s, 0, 1, &ev) < 0)
			continue;
		while (seen[i].tid != 0 && seen[i].tid != ev.tid)
			i++;
		ATF_REQUIRE(i < 6);
		if (ev.kind == STASIS_EVENT_SYSCALL_ENTER) {
			ATF_REQUIRE(!seen[i].inside);
			seen[i].number = ev.data.syscall.number;
		} else {
			/* The first of each may be the end of one begun before. */
			ATF_REQUIRE(seen[i].inside || seen[i].tid == 0);
			ATF_REQUIRE(seen[i].tid == 0 || seen[i].number == ev.data.syscall.number);
			pairs_seen += seen[i].inside && ev.data.syscall.number == SYS_getpid;
		}
		seen[i].tid = ev.tid;
		seen[i].inside = ev.kind == STASIS_EVENT_SYSCALL_ENTER;
		go_on(&t, &ev);
	}
	/* Each call of the function is one getpid (to know whether it is a child). */
	ATF_REQUIRE_EQ(pairs_seen, 80);
	run_out(&t);
	ATF_REQUIRE_EQ(actor_counter(&t.a, ACTOR_CALLS), 80);
	actor_do(&t.a, "join");
	finish(&t);
}
