// SPDX-License-Identifier: BSD-2-Clause
/* Signals: each one is reported before it is delivered, and delivered exactly once as it was sent or as we say. */
#include "drive.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WANTED (BIT(SIGNAL) | BIT(STEP) | BIT(BREAKPOINT))

/* An actor that runs, with these events wanted. */
static void begin(struct actor *a, const char *name, uint64_t wanted)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, wanted);
	actor_launch(a, s, name);
}

static void finish(struct actor *a)
{
	actor_end(a);
	stasis_session_destroy(a->s);
}

static void queue(pid_t pid, pid_t tid, int signo, int value)
{
	siginfo_t info = {.si_signo = signo, .si_code = SI_QUEUE};

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	STS_SYS(tid ? syscall(SYS_rt_tgsigqueueinfo, pid, tid, signo, &info)
		    : syscall(SYS_rt_sigqueueinfo, pid, signo, &info));
}

static void expect_signal(struct actor *a, int signo, struct stasis_event *ev)
{
	sts_expect_event_of(a->s, a->pid, STASIS_EVENT_SIGNAL, ev);
	ATF_REQUIRE_EQ_MSG(ev->data.signal.info.si_signo, signo, "signal %d came, %d was due",
			   ev->data.signal.info.si_signo, signo);
	ATF_REQUIRE(ev->stopped && ev->all_stop);
}

/* ---- delivery ---- */

static void reported_first(const char *program)
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, program, WANTED);
	actor_do(&a, "handle %d", SIGUSR1);
	queue(a.pid, 0, SIGUSR1, 0x1234);
	expect_signal(&a, SIGUSR1, &ev);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_code, SI_QUEUE);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_pid, getpid());
	ATF_REQUIRE_EQ(ev.data.signal.info.si_value.sival_int, 0x1234);
	ATF_REQUIRE(ev.data.signal.process_wide);
	check_at_rest(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 0);
	sts_resume(a.s, a.pid);
	actor_await(&a, ACTOR_HANDLED, 1);
	actor_do(&a, "nothing");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 1);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_SIGNO), SIGUSR1);
	ATF_REQUIRE_EQ((int64_t)actor_counter(&a, ACTOR_CODE), SI_QUEUE);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_SENDER), getpid());
	ATF_REQUIRE_EQ((int)actor_counter(&a, ACTOR_VALUE), 0x1234);
	sts_expect_quiet(a.s);
	finish(&a);
}

STS_TC_BOTH(reported_before_delivery, 20, "a signal is reported with its siginfo, then delivered once with it")
{
	reported_first("actor");
}

STS_TC_BOTH(reported_before_delivery_i386, 20, "the same of an i386 tracee")
{
	reported_first("actor-32");
}

STS_TC_BOTH(cancel, 20, "a signal resumed with 0 is never delivered, and the call it met goes on")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d", SIGUSR1);
	for (int i = 0; i < 5; i++) {
		STS_SYS(kill(a.pid, SIGUSR1));
		expect_signal(&a, SIGUSR1, &ev);
		resume_all(a.s, a.pid, STASIS_CONTINUE, 0);
	}
	actor_do(&a, "nothing");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 0);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_EINTR), 0);
	finish(&a);
}

STS_TC_BOTH(substitute, 20, "another signal can be delivered in place of the reported one")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d", SIGUSR2);
	queue(a.pid, 0, SIGUSR1, 77); /* its default action would be death */
	expect_signal(&a, SIGUSR1, &ev);
	resume_all(a.s, a.pid, STASIS_CONTINUE, SIGUSR2);
	actor_await(&a, ACTOR_HANDLED, 1);
	actor_do(&a, "nothing");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_SIGNO), SIGUSR2);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 1);
	finish(&a);
}

STS_TC_BOTH(siginfo_replaced, 20, "the siginfo can be read and replaced, signal number included")
{
	struct stasis_event ev;
	struct actor a;
	siginfo_t info;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d", SIGUSR1);
	actor_do(&a, "handle %d", SIGUSR2);
	queue(a.pid, 0, SIGUSR1, 5);
	expect_signal(&a, SIGUSR1, &ev);
	STS_OK_S(a.s, stasis_siginfo_get(a.s, ev.tid, &info));
	ATF_REQUIRE_EQ(memcmp(&info, &ev.data.signal.info, sizeof(info)), 0);
	info.si_value.sival_int = 6;
	STS_OK_S(a.s, stasis_siginfo_set(a.s, ev.tid, &info));
	sts_resume(a.s, a.pid);
	actor_await(&a, ACTOR_HANDLED, 1);
	ATF_REQUIRE_EQ((int)actor_counter(&a, ACTOR_VALUE), 6);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_SIGNO), SIGUSR1);

	queue(a.pid, 0, SIGUSR1, 7);
	expect_signal(&a, SIGUSR1, &ev);
	info = ev.data.signal.info;
	info.si_signo = SIGUSR2;
	STS_OK_S(a.s, stasis_siginfo_set(a.s, ev.tid, &info));
	sts_resume(a.s, a.pid);
	actor_await(&a, ACTOR_HANDLED, 2);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_SIGNO), SIGUSR2);
	ATF_REQUIRE_EQ((int)actor_counter(&a, ACTOR_VALUE), 7);
	finish(&a);
}

STS_TC_BOTH(siginfo_elsewhere, 20, "outside a signal's stop there is no siginfo")
{
	struct actor a;
	siginfo_t info;

	begin(&a, "actor", WANTED);
	memset(&info, 0x5a, sizeof(info));
	STS_FAILS(STASIS_E_RUNNING, stasis_siginfo_get(a.s, a.pid, &info));
	actor_interrupt(&a);
	STS_FAILS(STASIS_E_BAD_STATE, stasis_siginfo_get(a.s, a.pid, &info));
	ATF_REQUIRE_EQ(info.si_signo, 0x5a5a5a5a);
	STS_FAILS(STASIS_E_BAD_STATE, stasis_siginfo_set(a.s, a.pid, &info));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_siginfo_get(a.s, getpid(), &info));
	sts_resume(a.s, a.pid);
	finish(&a);
}

STS_TC_BOTH(inject, 20, "a signal given at a stop that is none of a signal's is delivered once, without a report")
{
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d", SIGUSR1);
	for (uint64_t i = 1; i <= 5; i++) {
		actor_interrupt(&a);
		resume_all(a.s, a.pid, STASIS_CONTINUE, SIGUSR1);
		actor_await(&a, ACTOR_HANDLED, i);
		actor_do(&a, "nothing");
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), i);
		sts_expect_quiet(a.s);
	}
	finish(&a);
}

STS_TC_BOTH(bad_signals, 20, "signal numbers that there are not are refused and nothing runs")
{
	const struct stasis_resume_spec specs[] = {{.signal = 65}, {.signal = -2}, {.action = (enum stasis_action)9}};
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "threads 1");
	actor_interrupt(&a);
	for (size_t i = 0; i < 3; i++)
		STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_resume(a.s, a.pid, &specs[i], 1));
	check_at_rest(&a);
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_detach(a.s, a.pid, 65));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_detach(a.s, a.pid, -3));
	check_at_rest(&a);
	sts_resume(a.s, a.pid);
	finish(&a);
}

/* ---- passing ---- */

static void pass(struct stasis_session *s, pid_t pid, int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	if (a)
		sigaddset(&set, a);
	if (b)
		sigaddset(&set, b);
	STS_OK_S(s, stasis_pass_signals_set(s, pid, &set));
}

STS_TC_BOTH(pass_signals, 20, "signals to be passed are delivered without a report, the others with one")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d r", SIGUSR1);
	actor_do(&a, "handle %d r", SIGUSR2);
	pass(a.s, a.pid, SIGUSR1, SIGRTMIN + 3);
	for (uint64_t i = 1; i <= 3; i++) {
		STS_SYS(kill(a.pid, SIGUSR1));
		actor_await(&a, ACTOR_HANDLED, i);
	}
	sts_expect_quiet(a.s);
	STS_SYS(kill(a.pid, SIGUSR2));
	expect_signal(&a, SIGUSR2, &ev);
	pass(a.s, a.pid, SIGUSR2, 0);
	sts_resume(a.s, a.pid);
	actor_await(&a, ACTOR_HANDLED, 4);
	STS_SYS(kill(a.pid, SIGUSR1));
	expect_signal(&a, SIGUSR1, &ev); /* the set is replaced, not added to */
	sts_resume(a.s, a.pid);
	actor_await(&a, ACTOR_HANDLED, 5);
	finish(&a);
}

STS_TC_BOTH(pass_signals_inherited, 20, "births and later tracees inherit the set of signals to pass")
{
	struct stasis_session *s = sts_session();
	struct stasis_event ev;
	struct actor a;

	pass(s, 0, SIGURG, SIGCHLD);
	sts_want(s, 0, BIT(SIGNAL) | BIT(FORK));
	actor_launch(&a, s, "actor");
	actor_tell(&a, "fork hold");
	sts_expect_event_of(s, a.pid, STASIS_EVENT_FORK, &ev);
	sts_expect_event_of(s, ev.data.birth.child, STASIS_EVENT_FORK, NULL);
	sts_resume(s, a.pid);
	sts_resume(s, ev.data.birth.child);
	actor_done(&a);
	STS_SYS(kill(a.pid, SIGURG));
	STS_SYS(kill(ev.data.birth.child, SIGURG));
	STS_SYS(kill(ev.data.birth.child, SIGWINCH));
	sts_expect_event(s, STASIS_EVENT_SIGNAL,
			 &ev); /* the one that is not passed, of one who came first to the others */
	ATF_REQUIRE_EQ(ev.data.signal.info.si_signo, SIGWINCH);
	sts_resume(s, ev.pid);
	a.sh->counter[ACTOR_GO] = 1;
	sts_expect_exit(s, ev.pid, 5);
	ATF_REQUIRE_EQ(actor_do(&a, "wait"), 5 << 8);
	sts_expect_quiet(s);
	finish(&a);
}

STS_TC_BOTH(unwanted, 20, "with signals unwanted all are delivered and none is reported")
{
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "handle %d", SIGUSR1);
	STS_SYS(kill(a.pid, SIGUSR1));
	actor_await(&a, ACTOR_HANDLED, 1);
	sts_expect_quiet(a.s);
	finish(&a);
}

/* ---- ignored, blocked, faults ---- */

STS_TC_BOTH(ignored_is_reported, 20, "an ignored signal is reported, and not delivered for all that")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "ignore %d", SIGUSR1);
	STS_SYS(kill(a.pid, SIGUSR1));
	expect_signal(&a, SIGUSR1, &ev);
	sts_resume(a.s, a.pid);
	STS_SYS(kill(a.pid, SIGWINCH)); /* ignored by default */
	expect_signal(&a, SIGWINCH, &ev);
	sts_resume(a.s, a.pid);
	actor_do(&a, "nothing");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_EINTR), 0);
	finish(&a);
}

STS_TC_BOTH(blocked_is_kept, 20, "a blocked signal is pending and is reported when it is unblocked")
{
	struct stasis_lwp_info info;
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d", SIGUSR1);
	actor_do(&a, "block %d", SIGUSR1);
	queue(a.pid, 0, SIGUSR1, 42);
	actor_do(&a, "nothing");
	sts_expect_quiet(a.s);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_lwp_info_get(a.s, a.pid, &info));
	ATF_REQUIRE_EQ(info.signal_mask, SIGBIT(SIGUSR1));
	ATF_REQUIRE_EQ(info.shared_pending, SIGBIT(SIGUSR1));
	ATF_REQUIRE_EQ(info.pending, 0);
	sts_resume(a.s, a.pid);
	actor_tell(&a, "unblock %d", SIGUSR1);
	expect_signal(&a, SIGUSR1, &ev);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_value.sival_int, 42);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 1);
	ATF_REQUIRE_EQ((int)actor_counter(&a, ACTOR_VALUE), 42);
	finish(&a);
}

static void fault_handled(const char *program)
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, program, WANTED);
	actor_do(&a, "handle %d", SIGSEGV);
	actor_tell(&a, "fault");
	expect_signal(&a, SIGSEGV, &ev);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_code, SEGV_MAPERR);
	ATF_REQUIRE_EQ((uintptr_t)ev.data.signal.info.si_addr, 0x10);
	ATF_REQUIRE(!ev.data.signal.process_wide);
	ATF_REQUIRE_EQ(ev.tid, a.pid);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 1);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_ADDRESS), 0x10);
	finish(&a);
}

STS_TC_BOTH(fault, 20, "a fault is reported with its address and its handler runs")
{
	fault_handled("actor");
}

STS_TC_BOTH(fault_i386, 20, "the same of an i386 tracee")
{
	fault_handled("actor-32");
}

STS_TC_BOTH(fault_blocked, 20, "a fault whose signal is blocked is reported and kills, as it does without us")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d", SIGSEGV);
	actor_do(&a, "block %d", SIGSEGV);
	actor_tell(&a, "fault");
	expect_signal(&a, SIGSEGV, &ev);
	sts_resume(a.s, a.pid);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_KILLED, &ev);
	ATF_REQUIRE_EQ(WTERMSIG(ev.data.exit.status), SIGSEGV);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 0);
	actor_gone(&a);
	stasis_session_destroy(a.s);
}

STS_TC_BOTH(deadly, 20, "a signal that kills is reported first, then the death by it; 0 in its place saves the tracee")
{
	static const int deadly[] = {SIGTERM, SIGUSR1, SIGALRM, SIGHUP, SIGABRT};
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		STS_SYS(kill(a.pid, deadly[i]));
		expect_signal(&a, deadly[i], &ev);
		resume_all(a.s, a.pid, STASIS_CONTINUE, 0);
	}
	actor_do(&a, "nothing");
	STS_SYS(kill(a.pid, SIGTERM));
	expect_signal(&a, SIGTERM, &ev);
	sts_resume(a.s, a.pid);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_KILLED, &ev);
	ATF_REQUIRE(WIFSIGNALED(ev.data.exit.status));
	ATF_REQUIRE_EQ(WTERMSIG(ev.data.exit.status), SIGTERM);
	ATF_REQUIRE(!ev.data.exit.core_dumped);
	ATF_REQUIRE(!ev.stopped);
	actor_gone(&a);
	stasis_session_destroy(a.s);
}

STS_TC_BOTH(sigkill, 20, "SIGKILL is not reported as a signal: the death is all there is")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	STS_SYS(kill(a.pid, SIGKILL));
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_KILLED, &ev);
	ATF_REQUIRE_EQ(ev.data.exit.status, SIGKILL);
	STS_FAILS(STASIS_E_NO_TRACEE, stasis_wait(a.s, 0, 0, &ev));
	actor_gone(&a);
	stasis_session_destroy(a.s);
}

/* ---- who gets it ---- */

STS_TC_BOTH(to_one_thread, 20, "a signal sent to one thread is reported of that thread and handled by it")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d r", SIGUSR1);
	actor_do(&a, "threads 4");
	for (uint64_t i = 0; i < 4; i++) {
		pid_t tid = (pid_t)actor_counter(&a, ACTOR_TID + (unsigned)i);

		STS_SYS(syscall(SYS_tgkill, a.pid, tid, SIGUSR1));
		expect_signal(&a, SIGUSR1, &ev);
		ATF_REQUIRE_EQ(ev.tid, tid);
		ATF_REQUIRE(!ev.data.signal.process_wide);
		sts_resume(a.s, a.pid);
		actor_await(&a, ACTOR_HANDLED, i + 1);
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLER_TID), tid);
	}
	actor_do(&a, "join");
	finish(&a);
}

STS_TC_BOTH(each_thread_its_own, 20, "signals to all threads at once are each reported of the right thread, once")
{
	struct stasis_event ev;
	unsigned seen = 0;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d r", SIGUSR1);
	actor_do(&a, "threads 8");
	actor_interrupt(&a);
	for (unsigned i = 0; i < 8; i++)
		queue(a.pid, (pid_t)actor_counter(&a, ACTOR_TID + i), SIGUSR1, 100 + (int)i);
	sts_resume(a.s, a.pid);
	for (unsigned i = 0; i < 8; i++) {
		expect_signal(&a, SIGUSR1, &ev);
		unsigned who = (unsigned)ev.data.signal.info.si_value.sival_int - 100;

		ATF_REQUIRE(who < 8 && !(seen & 1U << who));
		seen |= 1U << who;
		ATF_REQUIRE_EQ(ev.tid, (pid_t)actor_counter(&a, ACTOR_TID + who));
		sts_resume(a.s, a.pid);
	}
	actor_await(&a, ACTOR_HANDLED, 8);
	actor_do(&a, "join");
	sts_expect_quiet(a.s);
	finish(&a);
}

STS_TC_BOTH(queued_in_order, 30, "real-time signals with payload are reported and delivered each once, in order")
{
	enum { N = 200 };
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d r", SIGRTMIN);
	actor_do(&a, "block %d", SIGRTMIN);
	for (int i = 1; i <= N; i++)
		queue(a.pid, i % 2 ? 0 : a.pid, SIGRTMIN, i % 2 ? N / 2 + (i + 1) / 2 : i / 2);
	actor_tell(&a, "unblock %d", SIGRTMIN);
	for (int i = 1; i <= N; i++) { /* those for the thread come before those for the process */
		expect_signal(&a, SIGRTMIN, &ev);
		ATF_REQUIRE_EQ(ev.data.signal.info.si_value.sival_int, i);
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), N);
	/* Handlers nest in reverse: all of them are set up before the first runs. */
	ATF_REQUIRE(actor_counter(&a, ACTOR_DISORDER) == 0 || actor_counter(&a, ACTOR_VALUE) == 1);
	finish(&a);
}

/* ---- what interrupts a call ---- */

STS_TC_BOTH(calls_restart, 20, "a call that a cancelled signal or a stop of ours met is not cut short")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d", SIGUSR1);
	actor_tell(&a, "sleep 300");
	for (int i = 0; i < 5; i++) {
		STS_SYS(kill(a.pid, SIGUSR1));
		expect_signal(&a, SIGUSR1, &ev);
		resume_all(a.s, a.pid, STASIS_CONTINUE, 0);
		actor_interrupt(&a);
		sts_resume(a.s, a.pid);
	}
	ATF_REQUIRE(actor_done(&a) >= 300);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_EINTR), 0);
	actor_tell(&a, "sleep 300000");
	do /* not before it sleeps, for else nothing is cut short */
		STS_SYS(kill(a.pid, SIGUSR1));
	while (expect_signal(&a, SIGUSR1, &ev), sts_resume(a.s, a.pid), let_others_run(),
	       actor_counter(&a, ACTOR_EINTR) == 0);
	actor_done(&a);
	finish(&a);
}

/* ---- traps that are the program's own ---- */

static void own_int3(const char *program)
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, program, WANTED);
	actor_do(&a, "handle %d", SIGTRAP);
	actor_tell(&a, "int3");
	expect_signal(&a, SIGTRAP, &ev);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_code, SI_KERNEL);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 1);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_SIGNO), SIGTRAP);
	actor_tell(&a, "raise %d", SIGTRAP);
	expect_signal(&a, SIGTRAP, &ev);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_code, SI_TKILL);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 2);
	finish(&a);
}

STS_TC_BOTH(own_sigtrap, 20, "the program's own int3 and raised SIGTRAP are signals, and its handler sees them")
{
	own_int3("actor");
}

STS_TC_BOTH(own_sigtrap_i386, 20, "the same of an i386 tracee")
{
	own_int3("actor-32");
}

STS_TC_BOTH(own_sigtrap_beside_ours, 20, "with breakpoints about, the program's own int3 is still its own")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d", SIGTRAP);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
	sts_resume(a.s, a.pid);
	for (uint64_t i = 1; i <= 3; i++) {
		actor_tell(&a, "call 1");
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, NULL);
		sts_resume(a.s, a.pid);
		actor_done(&a);
		actor_tell(&a, "int3");
		expect_signal(&a, SIGTRAP, &ev);
		sts_resume(a.s, a.pid);
		actor_done(&a);
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), i);
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), i);
	}
	finish(&a);
}

/* ---- SIGTRAP blocked, ignored, handled ---- */

struct trap_state {
	uint64_t blocked, ignored, caught; /* as /proc has them */
	uint64_t own[3];		   /* as the program does */
};

static void look(struct actor *a, bool ask, struct trap_state *ret)
{
	ret->blocked = sts_proc_mask(a->pid, a->pid, "SigBlk");
	ret->ignored = sts_proc_mask(a->pid, a->pid, "SigIgn");
	ret->caught = sts_proc_mask(a->pid, a->pid, "SigCgt");
	if (!ask)
		return;
	actor_do(a, "view %d", SIGTRAP);
	for (unsigned i = 0; i < 3; i++)
		ret->own[i] = actor_counter(a, ACTOR_RESULT + i);
}

static void check_state(const struct trap_state *before, struct actor *a, bool ask)
{
	struct trap_state now = *before;

	look(a, ask, &now);
	ATF_REQUIRE_EQ_MSG(now.blocked, before->blocked, "blocked signals were %#llx and are %#llx",
			   (unsigned long long)before->blocked, (unsigned long long)now.blocked);
	ATF_REQUIRE_EQ_MSG(now.ignored, before->ignored, "ignored signals were %#llx and are %#llx",
			   (unsigned long long)before->ignored, (unsigned long long)now.ignored);
	ATF_REQUIRE_EQ_MSG(now.caught, before->caught, "caught signals were %#llx and are %#llx",
			   (unsigned long long)before->caught, (unsigned long long)now.caught);
	ATF_REQUIRE_EQ_MSG(memcmp(now.own, before->own, sizeof(now.own)), 0,
			   "the program sees its mask or its action of SIGTRAP changed");
}

static void hits(struct actor *a, const struct trap_state *before)
{
	struct stasis_event ev;

	actor_tell(a, "call 3");
	for (int i = 0; i < 3; i++) {
		sts_expect_event_of(a->s, a->pid, STASIS_EVENT_BREAKPOINT, &ev);
		check_state(before, a, false);
		sts_resume(a->s, a->pid);
	}
	actor_done(a);
	check_state(before, a, true);
}

static void steps(struct actor *a, const struct trap_state *before)
{
	struct stasis_event ev;

	actor_tell(a, "call 1");
	sts_expect_event_of(a->s, a->pid, STASIS_EVENT_BREAKPOINT, &ev);
	for (int i = 0; i < 40; i++) { /* system calls are among them: the answer to us */
		resume_all(a->s, a->pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
		sts_expect_event_of(a->s, a->pid, STASIS_EVENT_STEP, &ev);
		check_state(before, a, false);
	}
	sts_resume(a->s, a->pid);
	actor_done(a);
	check_state(before, a, true);
}

static void watches(struct actor *a, const struct trap_state *before)
{
	int slot;

	actor_interrupt(a);
	STS_OK_S(a->s, stasis_watch_insert(a->s, a->pid, 0, STASIS_WATCH_WRITE, actor_counter(a, ACTOR_VARIABLE), 4, 0,
					   &slot));
	sts_resume(a->s, a->pid);
	actor_tell(a, "store 2");
	for (int i = 0; i < 2; i++) {
		sts_expect_event_of(a->s, a->pid, STASIS_EVENT_WATCHPOINT, NULL);
		check_state(before, a, false);
		sts_resume(a->s, a->pid);
	}
	actor_done(a);
	actor_interrupt(a);
	STS_OK_S(a->s, stasis_watch_remove(a->s, a->pid, slot));
	sts_resume(a->s, a->pid);
	check_state(before, a, true);
}

/* Up to three commands that set SIGTRAP up. */
static void trap_case(const char *program, const char *const commands[], size_t n)
{
	struct trap_state before;
	struct actor a;
	uint64_t addr;

	begin(&a, program, WANTED | BIT(WATCHPOINT));
	for (size_t i = 0; i < n; i++)
		actor_do(&a, "%s", commands[i]);
	look(&a, true, &before);
	actor_interrupt(&a);
	addr = actor_counter(&a, ACTOR_FUNCTION);
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, addr));
	check_state(&before, &a, false);
	sts_resume(a.s, a.pid);
	hits(&a, &before);
	steps(&a, &before);
	watches(&a, &before);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 4);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 0);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, addr));
	sts_resume(a.s, a.pid);
	finish(&a);
}

#define TRAP_CASE(name_, what_, ...)                                                                                   \
	STS_TC_BOTH(trap_##name_, 20, "traps of ours leave mask and action as they are: SIGTRAP " what_)               \
	{                                                                                                              \
		const char *const commands[] = {__VA_ARGS__};                                                          \
		trap_case("actor", commands, sizeof(commands) / sizeof(commands[0]));                                  \
	}                                                                                                              \
	STS_TC_BOTH(trap_##name_##_i386, 20, "i386: traps of ours leave mask and action as they are: SIGTRAP " what_)  \
	{                                                                                                              \
		const char *const commands[] = {__VA_ARGS__};                                                          \
		trap_case("actor-32", commands, sizeof(commands) / sizeof(commands[0]));                               \
	}

TRAP_CASE(default, "at its default", "nothing")
TRAP_CASE(blocked, "blocked", "block 5")
TRAP_CASE(ignored, "ignored", "ignore 5")
TRAP_CASE(handled, "handled", "handle 5 r")
TRAP_CASE(blocked_ignored, "blocked and ignored", "ignore 5", "block 5")
TRAP_CASE(blocked_handled, "blocked and handled", "handle 5", "block 5")

STS_TC_BOTH(trap_sent_and_ours, 20, "a SIGTRAP sent while it is blocked stays pending among traps of ours")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "handle %d", SIGTRAP);
	actor_do(&a, "block %d", SIGTRAP);
	queue(a.pid, 0, SIGTRAP, 99);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
	sts_resume(a.s, a.pid);
	actor_tell(&a, "call 2");
	for (int i = 0; i < 2; i++) {
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, NULL);
		ATF_REQUIRE_EQ(sts_proc_mask(a.pid, a.pid, "ShdPnd"), SIGBIT(SIGTRAP));
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 0);
	actor_tell(&a, "unblock %d", SIGTRAP);
	expect_signal(&a, SIGTRAP, &ev);
	ATF_REQUIRE_EQ(ev.data.signal.info.si_value.sival_int, 99);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 1);
	finish(&a);
}

STS_TC_BOTH(nothing_of_ours_pending, 20, "stops, steps, breakpoints and interrupts leave no signal pending")
{
	struct actor a;

	begin(&a, "actor", WANTED);
	actor_do(&a, "threads 4");
	for (int i = 0; i < 20; i++) {
		actor_interrupt(&a);
		STS_OK_S(a.s, stasis_interrupt(a.s, a.pid)); /* of a stopped tracee: no event */
		sts_expect_quiet(a.s);
		for (unsigned t = 0; t < 4; t++) {
			pid_t tid = (pid_t)actor_counter(&a, ACTOR_TID + t);

			ATF_REQUIRE_EQ(sts_proc_mask(a.pid, tid, "SigPnd"), 0);
			ATF_REQUIRE_EQ(sts_proc_mask(a.pid, tid, "ShdPnd"), 0);
			ATF_REQUIRE_EQ(sts_proc_mask(a.pid, tid, "SigBlk"), 0);
		}
		sts_resume(a.s, a.pid);
	}
	actor_do(&a, "join");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_EINTR), 0);
	finish(&a);
}
