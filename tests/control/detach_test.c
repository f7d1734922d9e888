// SPDX-License-Identifier: BSD-2-Clause
/*
 * Detach, from every state a tracee can be in: what is left is a process like
 * any other, which finishes its work with nothing lost and nothing of ours in it.
 */
#include "drive.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void begin(struct actor *a, const char *name, uint64_t wanted)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, wanted);
	actor_launch(a, s, name);
}

/* The program's own text, by its file: no breakpoint is left in the function. */
static void check_text(const struct actor *a)
{
	uint8_t in_memory[16];
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)a->pid);
	f = fopen(path, "re");
	ATF_REQUIRE(f != NULL);
	ATF_REQUIRE(fseeko(f, (off_t)actor_counter(a, ACTOR_FUNCTION), SEEK_SET) == 0);
	ATF_REQUIRE_EQ(fread(in_memory, 1, sizeof(in_memory), f), sizeof(in_memory));
	fclose(f);
	for (size_t i = 0; i < 4; i++)
		ATF_REQUIRE_MSG(in_memory[i] != 0xcc, "byte %zu of the function is a breakpoint", i);
}

/* Let it go, and see that it is free and works. It is in no command. */
static void let_go(struct actor *a, int signal)
{
	struct stasis_event ev;
	struct stasis_session *s = a->s;

	STS_OK_S(s, stasis_detach(s, a->pid, signal));
	a->s = NULL;
	check_free(a->pid);
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_detach(s, a->pid, STASIS_SIGNAL_KEEP));
	STS_FAILS(STASIS_E_NO_TRACEE, stasis_wait(s, 0, 0, &ev));
	a->s = s;
}

static void works(struct actor *a)
{
	uint64_t calls = actor_counter(a, ACTOR_CALLS);
	struct stasis_session *s = a->s;

	a->s = NULL; /* nobody is waited for with it */
	check_text(a);
	actor_do(a, "call 3");
	ATF_REQUIRE_EQ(actor_counter(a, ACTOR_CALLS), calls + 3);
	ATF_REQUIRE_EQ(actor_do(a, "tracer"), 0);
	a->s = s;
}

static void finish(struct actor *a)
{
	struct stasis_session *s = a->s;

	works(a);
	a->s = NULL;
	actor_end_untraced(a);
	stasis_session_destroy(s);
}

/*
 * The answer to a command that was sent while it was a tracee. A direct session
 * watches over those that share memory only while its thread is in it.
 */
static void done_untraced(struct actor *a)
{
	uint64_t end = sts_now_ms() + (uint64_t)sts_bound_ms();
	struct stasis_event ev;

	while (sts_kind() == STS_DIRECT && !sts_pipe_pending(&a->p) && sts_now_ms() < end)
		ATF_REQUIRE(stasis_wait(a->s, 0, 1, &ev) < 0);
	sts_pipe_await(&a->p, "done");
}

/* ---- running ---- */

static void running(const char *program, unsigned threads)
{
	struct actor a;

	begin(&a, program, 0);
	actor_do(&a, "threads %u", threads);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
	sts_resume(a.s, a.pid);
	let_go(&a, STASIS_SIGNAL_KEEP);
	works(&a);
	sts_pipe_send(&a.p, "callall 2");
	done_untraced(&a);
	sts_pipe_send(&a.p, "join");
	done_untraced(&a);
	finish(&a);
}

STS_TC_BOTH(run_one, 20, "a running process with a breakpoint planted")
{
	running("actor", 0);
}

STS_TC_BOTH(run_threads, 20, "the same with busy threads")
{
	running("actor", 8);
}

STS_TC_BOTH(run_threads_i386, 20, "the same of an i386 process")
{
	running("actor-32", 8);
}

STS_TC_BOTH(first_event, 20, "a launched program before its first instruction")
{
	struct stasis_session *s = sts_session();
	struct actor a;

	actor_launch_stopped(&a, s, "actor");
	let_go(&a, STASIS_SIGNAL_KEEP);
	sts_pipe_await(&a.p, "ready");
	finish(&a);
}

STS_TC_BOTH(first_event_unseen, 20, "a launched program whose first event nobody has fetched")
{
	struct stasis_session *s = sts_session();
	struct stasis_event ev;
	struct sts_pipe p;
	char number[12];
	pid_t pid;

	sts_shared();
	sts_pipe_open(&p);
	snprintf(number, sizeof(number), "%u", p.index);
	const char *const argv[] = {"actor", number, NULL};
	struct stasis_spawn_opts opts = {
		.size = sizeof(opts),
		.path = sts_target_path("actor"),
		.argv = (char *const *)argv,
	};
	STS_OK_S(s, stasis_spawn(s, &opts, &pid));
	STS_OK_S(s, stasis_detach(s, pid, STASIS_SIGNAL_KEEP));
	STS_FAILS(STASIS_E_NO_TRACEE, stasis_wait(s, 0, 0, &ev));
	sts_pipe_await(&p, "ready");
	sts_pipe_send(&p, "exit 2");
	if (sts_kind() == STS_DIRECT)
		sts_reap_exit(pid, 2);
	else
		sts_await_state(pid, pid, "0");
	sts_pipe_close(&p);
	stasis_session_destroy(s);
}

/* ---- at breakpoints and steps ---- */

static void at_hits(const char *program, unsigned threads)
{
	struct actor a;

	begin(&a, program, BIT(BREAKPOINT));
	actor_do(&a, "threads %u", threads);
	for (unsigned round = 0; round < 3; round++) {
		actor_interrupt(&a);
		STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
		sts_resume(a.s, a.pid);
		actor_tell(&a, threads ? "callall 3" : "call 3");
		for (unsigned i = 0; i <= round; i++) {
			sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, NULL);
			let_others_run(); /* others hit it, too, and are kept back */
			if (i < round)
				sts_resume(a.s, a.pid);
		}
		let_go(&a, STASIS_SIGNAL_KEEP);
		done_untraced(&a);
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), (round + 1) * 3 * (threads ? threads : 1));
		check_text(&a);
		sts_attach(a.s, a.pid);
		sts_resume(a.s, a.pid);
	}
	let_go(&a, STASIS_SIGNAL_KEEP);
	sts_pipe_send(&a.p, "join");
	done_untraced(&a);
	finish(&a);
}

STS_TC_BOTH(at_breakpoint, 30, "at a breakpoint: each call is still done once")
{
	at_hits("actor", 0);
}

STS_TC_BOTH(hits_kept, 30, "at a breakpoint with the hits of seven others kept back")
{
	at_hits("actor", 8);
}

STS_TC_BOTH(hits_kept_i386, 30, "the same of an i386 process")
{
	at_hits("actor-32", 8);
}

STS_TC_BOTH(in_step, 20, "after a step, and while a step is due")
{
	struct actor a;

	begin(&a, "actor", BIT(STEP));
	actor_do(&a, "threads 2");
	actor_interrupt(&a);
	resume_only(a.s, a.pid, (pid_t)actor_counter(&a, ACTOR_TID), STASIS_STEP, STASIS_SIGNAL_KEEP);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_STEP, NULL);
	STS_OK_S(a.s, stasis_lwp_step_set(a.s, (pid_t)actor_counter(&a, ACTOR_TID), true));
	let_go(&a, STASIS_SIGNAL_KEEP);
	works(&a);
	sts_attach(a.s, a.pid);
	resume_all(a.s, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP); /* of the one that sleeps it stays due */
	let_go(&a, STASIS_SIGNAL_KEEP);
	works(&a);
	sts_pipe_send(&a.p, "join");
	done_untraced(&a);
	finish(&a);
}

STS_TC_BOTH(suspended, 20, "with suspended LWPs: they run")
{
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 4");
	actor_interrupt(&a);
	for (unsigned i = 0; i < 3; i++)
		STS_OK_S(a.s, stasis_lwp_suspend(a.s, (pid_t)actor_counter(&a, ACTOR_TID + i)));
	sts_resume(a.s, a.pid);
	let_go(&a, STASIS_SIGNAL_KEEP);
	works(&a);
	for (unsigned i = 0; i < 4; i++)
		sts_await_counter(ACTOR_SPIN + i, actor_counter(&a, ACTOR_SPIN + i) + 1);
	sts_pipe_send(&a.p, "join");
	done_untraced(&a);
	finish(&a);
}

/* ---- with signals ---- */

static void at_signal(int signal, uint64_t handled, int last)
{
	struct actor a;

	begin(&a, "actor", BIT(SIGNAL));
	actor_do(&a, "handle %d r", SIGUSR1);
	actor_do(&a, "handle %d r", SIGUSR2);
	STS_SYS(kill(a.pid, SIGUSR1));
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SIGNAL, NULL);
	let_go(&a, signal);
	works(&a);
	if (handled > 0)
		sts_await_counter(ACTOR_HANDLED, handled);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), handled);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_SIGNO), last);
	finish(&a);
}

STS_TC_BOTH(signal_kept, 20, "at a signal: it is delivered")
{
	at_signal(STASIS_SIGNAL_KEEP, 1, SIGUSR1);
}

STS_TC_BOTH(signal_dropped, 20, "at a signal, detached with 0: it is not")
{
	at_signal(0, 0, 0);
}

STS_TC_BOTH(signal_replaced, 20, "at a signal, detached with another: that one is delivered")
{
	at_signal(SIGUSR2, 1, SIGUSR2);
}

STS_TC_BOTH(signal_given, 20, "elsewhere, detached with a signal: it is delivered once")
{
	struct actor a;

	begin(&a, "actor", BIT(SIGNAL));
	actor_do(&a, "handle %d r", SIGUSR1);
	actor_interrupt(&a);
	let_go(&a, SIGUSR1);
	sts_await_counter(ACTOR_HANDLED, 1);
	works(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 1);
	finish(&a);
}

STS_TC_BOTH(signals_kept_back, 20, "signals of other threads that were kept back are delivered, payload and all")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", BIT(SIGNAL));
	actor_do(&a, "handle %d r", SIGRTMIN);
	actor_do(&a, "threads 8");
	actor_interrupt(&a);
	for (unsigned i = 0; i < 8; i++) {
		siginfo_t info = {.si_signo = SIGRTMIN, .si_code = SI_QUEUE};

		info.si_pid = getpid();
		info.si_value.sival_ptr = (void *)(UINT64_C(1) << i);
		STS_SYS(syscall(SYS_rt_tgsigqueueinfo, a.pid, actor_counter(&a, ACTOR_TID + i), SIGRTMIN, &info));
	}
	sts_resume(a.s, a.pid);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SIGNAL, &ev);
	let_others_run();
	let_go(&a, STASIS_SIGNAL_KEEP);
	sts_await_counter(ACTOR_HANDLED, 8);
	works(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_HANDLED), 8);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_VALUES), 0xff);
	sts_pipe_send(&a.p, "join");
	done_untraced(&a);
	finish(&a);
}

STS_TC_BOTH(deadly_signal, 20,
	    "detached with a signal that kills: it dies of it, and that is none of the session's events")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", BIT(SIGNAL));
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, SIGTERM));
	if (sts_kind() == STS_DIRECT)
		ATF_REQUIRE_EQ(sts_reap(a.pid), SIGTERM);
	else
		sts_await_state(a.pid, a.pid, "0");
	STS_FAILS(STASIS_E_NO_TRACEE, stasis_wait(a.s, 0, 0, &ev));
	actor_gone(&a);
	stasis_session_destroy(a.s);
}

/* ---- in system calls ---- */

static void at_syscall(enum stasis_event_kind kind)
{
	struct stasis_event_mask mask = {.all_stop = STASIS_EVENTS_SYSCALL};
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", 0);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_event_mask_set(a.s, a.pid, &mask));
	sts_resume(a.s, a.pid);
	actor_tell(&a, "getpid 3");
	do {
		sts_next_event(a.s, a.pid, &ev);
		if (ev.kind == kind && ev.data.syscall.number == SYS_getpid)
			break;
		sts_resume(a.s, a.pid);
	} while (true);
	let_go(&a, STASIS_SIGNAL_KEEP);
	done_untraced(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_RESULT), a.pid);
	finish(&a);
}

STS_TC_BOTH(at_entry, 20, "at a call's entry: the call is done")
{
	at_syscall(STASIS_EVENT_SYSCALL_ENTER);
}

STS_TC_BOTH(at_exit, 20, "at a call's exit: the result is the caller's")
{
	at_syscall(STASIS_EVENT_SYSCALL_EXIT);
}

STS_TC_BOTH(in_sleep, 20, "in a call that sleeps: it goes on, as long as it should")
{
	struct actor a;

	begin(&a, "actor", 0);
	actor_tell(&a, "sleep 300");
	let_others_run();
	let_go(&a, STASIS_SIGNAL_KEEP);
	done_untraced(&a);
	ATF_REQUIRE(actor_counter(&a, ACTOR_RESULT) >= 300);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_EINTR), 0);
	finish(&a);
}

STS_TC_BOTH(thread_stops, 20, "with LWPs in thread-stops of their own, fetched and not")
{
	struct stasis_event_mask mask = {.thread_stop = BIT(SIGNAL)};
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "handle %d r", SIGUSR1);
	actor_do(&a, "threads 4");
	STS_OK_S(a.s, stasis_event_mask_set(a.s, a.pid, &mask));
	for (unsigned i = 0; i < 4; i++)
		STS_SYS(syscall(SYS_tgkill, a.pid, actor_counter(&a, ACTOR_TID + i), SIGUSR1));
	for (unsigned i = 0; i < 2; i++)
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_SIGNAL, &ev);
	let_go(&a, STASIS_SIGNAL_KEEP);
	sts_await_counter(ACTOR_HANDLED, 4);
	sts_pipe_send(&a.p, "join");
	done_untraced(&a);
	finish(&a);
}

/* ---- at births, ends, execs ---- */

static void at_birth(const char *command, enum stasis_event_kind kind)
{
	struct stasis_event ev;
	struct actor a;
	pid_t child;

	begin(&a, "actor", STASIS_EVENTS_BIRTH);
	actor_tell(&a, "%s", command);
	sts_expect_event_of(a.s, a.pid, kind, &ev);
	child = ev.data.birth.child;
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	ATF_REQUIRE_EQ(sts_proc_tracer(a.pid), 0);
	/* The child is a tracee still. */
	sts_expect_event_of(a.s, child, kind, &ev);
	ATF_REQUIRE_EQ(ev.data.birth.side, STASIS_SIDE_CHILD);
	sts_resume(a.s, child);
	sts_expect_exit(a.s, child, 5);
	done_untraced(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_RESULT), 5 << 8);
	check_free(a.pid);
	finish(&a);
}

STS_TC_BOTH(at_fork, 20, "the parent at its fork's event: the child stays a tracee")
{
	at_birth("fork exit", STASIS_EVENT_FORK);
}

STS_TC_BOTH(at_vfork, 20, "the parent at its vfork's event: the child stays a tracee")
{
	at_birth("vfork exit", STASIS_EVENT_VFORK);
}

static void in_vfork(bool parent, bool with_breakpoint)
{
	struct stasis_event ev;
	struct actor a;
	pid_t child;

	begin(&a, "actor", STASIS_EVENTS_BIRTH | BIT(VFORK_DONE) | BIT(BREAKPOINT));
	if (with_breakpoint) {
		actor_interrupt(&a);
		STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
		sts_resume(a.s, a.pid);
	}
	actor_tell(&a, "vfork hold");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_VFORK, &ev);
	child = ev.data.birth.child;
	sts_resume(a.s, a.pid);
	sts_expect_event_of(a.s, child, STASIS_EVENT_VFORK, NULL);
	sts_resume(a.s, child);
	actor_await(&a, ACTOR_CHILD_RAN, 1);
	STS_OK_S(a.s, stasis_detach(a.s, parent ? a.pid : child, STASIS_SIGNAL_KEEP));
	a.sh->counter[ACTOR_GO] = 1;
	if (parent) {
		sts_expect_exit(a.s, child, 5);
	} else {
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_VFORK_DONE, NULL);
		STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	}
	done_untraced(&a);
	check_free(a.pid);
	sts_pipe_send(&a.p, "wait");
	done_untraced(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_RESULT), 5 << 8);
	finish(&a);
}

STS_TC_BOTH(vfork_parent, 20, "the parent while it waits for its vfork's child")
{
	in_vfork(true, false);
}

STS_TC_BOTH(vfork_child, 20, "the child while its parent waits for it")
{
	in_vfork(false, false);
}

STS_TC_BOTH(vfork_parent_breakpoint, 20, "the parent, with a breakpoint in the memory they share")
{
	in_vfork(true, true);
}

STS_TC_BOTH(vfork_child_breakpoint, 20, "the child, with a breakpoint in the memory they share")
{
	in_vfork(false, true);
}

/* In the kernel, until the child of its posix_spawn has found its program. */
static bool waits_for_spawn(pid_t pid)
{
	char path[32], text[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	FILE *f = fopen(path, "re");
	ATF_REQUIRE(f != NULL);
	bool known = fgets(text, sizeof(text), f) != NULL;
	fclose(f);
	long number = strtol(text, NULL, 10);
	return known && sts_proc_state(pid, pid) == 'D' &&
	       (number == SYS_clone || number == SYS_clone3 || number == SYS_vfork);
}

STS_TC_BOTH(in_spawn, 30, "the parent in its posix_spawn: its child is a tracee as soon as it has found its program")
{
	uint64_t end = sts_now_ms() + (uint64_t)sts_bound_ms();
	struct stasis_event ev;
	struct actor a;

	STS_SYS(mkfifo("fifo", 0600));
	begin(&a, "actor", BIT(POSIX_SPAWN));
	actor_tell(&a, "spawn fifo");
	while (!waits_for_spawn(a.pid)) {
		STS_FAILS(STASIS_E_TIMEOUT, stasis_wait(a.s, 0, 1, &ev));
		ATF_REQUIRE(sts_now_ms() < end);
	}
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	STS_FAILS(STASIS_E_TIMEOUT, stasis_wait(a.s, 0, 0, &ev)); /* and not that there is nobody to wait for */
	close((int)STS_SYS(open("fifo", O_WRONLY | O_CLOEXEC)));
	sts_expect_event(a.s, STASIS_EVENT_POSIX_SPAWN, &ev);
	ATF_REQUIRE_EQ(ev.data.birth.side, STASIS_SIDE_CHILD);
	sts_resume(a.s, ev.pid);
	sts_expect_exit(a.s, ev.pid, 5);
	done_untraced(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_RESULT), 5 << 8);
	STS_FAILS(STASIS_E_NO_TRACEE, stasis_wait(a.s, 0, 0, &ev));
	finish(&a);
}

STS_TC_BOTH(at_lwp_create, 20, "at the birth of an LWP")
{
	struct actor a;

	begin(&a, "actor", 0);
	sts_want(a.s, a.pid, BIT(LWP_CREATE));
	actor_tell(&a, "threads 4");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_LWP_CREATE, NULL);
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	done_untraced(&a);
	check_free(a.pid);
	sts_pipe_send(&a.p, "join");
	done_untraced(&a);
	finish(&a);
}

STS_TC_BOTH(at_lwp_exit, 20, "at the end of an LWP")
{
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 4");
	sts_want(a.s, a.pid, BIT(LWP_EXIT));
	actor_tell(&a, "join");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_LWP_EXIT, NULL);
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	done_untraced(&a);
	check_free(a.pid);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_LEFT), 4);
	finish(&a);
}

STS_TC_BOTH(at_leader_exit, 20, "at the end of the first thread, others living on")
{
	struct actor a;

	begin(&a, "actor", 0);
	sts_want(a.s, a.pid, BIT(LWP_EXIT));
	actor_tell(&a, "leave");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_LWP_EXIT, NULL);
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	done_untraced(&a);
	sts_await_state(a.pid, a.pid, "Z");
	sts_pipe_send(&a.p, "call 2");
	done_untraced(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 2);
	sts_pipe_send(&a.p, "exit 3");
	if (sts_kind() == STS_DIRECT)
		sts_reap_exit(a.pid, 3);
	else
		sts_await_state(a.pid, a.pid, "0");
	actor_gone(&a);
	stasis_session_destroy(a.s);
}

STS_TC_BOTH(at_exec, 20, "at an exec")
{
	struct actor a;

	begin(&a, "actor", BIT(EXEC));
	actor_tell(&a, "exec");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_EXEC, NULL);
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	sts_pipe_await(&a.p, "ready");
	check_free(a.pid);
	finish(&a);
}

static void at_job_stop(bool resume_first)
{
	struct actor a;

	begin(&a, "actor", BIT(JOB_STOP));
	actor_do(&a, "threads 2");
	STS_SYS(kill(a.pid, SIGSTOP));
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_JOB_STOP, NULL);
	if (resume_first)
		sts_resume(a.s, a.pid);
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	ATF_REQUIRE_EQ(sts_proc_tracer(a.pid), 0);
	sts_await_state(a.pid, a.pid, "T");
	let_others_run();
	ATF_REQUIRE_EQ(sts_proc_state(a.pid, a.pid), 'T');
	STS_SYS(kill(a.pid, SIGCONT));
	sts_pipe_send(&a.p, "join");
	done_untraced(&a);
	check_free(a.pid);
	finish(&a);
}

STS_TC_BOTH(job_stop, 20, "at a job stop: it stays stopped until SIGCONT")
{
	at_job_stop(false);
}

STS_TC_BOTH(job_stopped, 20, "after a job stop: it stays stopped until SIGCONT")
{
	at_job_stop(true);
}

STS_TC_BOTH(interrupt_due, 20, "while an interrupt is on its way: there is no event of it")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 4");
	STS_OK_S(a.s, stasis_interrupt(a.s, a.pid));
	STS_OK_S(a.s, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	STS_FAILS(STASIS_E_NO_TRACEE, stasis_wait(a.s, 0, 0, &ev));
	check_free(a.pid);
	sts_pipe_send(&a.p, "join");
	done_untraced(&a);
	finish(&a);
}

STS_TC_BOTH(dying, 20, "of a process that was killed: it is gone, and its end is still told")
{
	struct stasis_event ev;
	struct actor a;

	begin(&a, "actor", 0);
	STS_OK_S(a.s, stasis_kill(a.s, a.pid));
	STS_FAILS(STASIS_E_GONE, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_KILLED, &ev);
	ATF_REQUIRE_EQ(ev.data.exit.status, SIGKILL);
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_detach(a.s, a.pid, STASIS_SIGNAL_KEEP));
	actor_gone(&a);
	stasis_session_destroy(a.s);
}
