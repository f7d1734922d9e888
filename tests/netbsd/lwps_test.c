// SPDX-License-Identifier: BSD-2-Clause
/* LWPs: creation, exit, iteration, suspending, single steps, one LWP alone. */
#include "nb.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* --- creation and exit ------------------------------------------------------------------------ */

static void *thread_nothing(void *arg)
{
	return NULL;
}

/* Argument: how many, one after the other. */
static int makes_threads(void *arg)
{
	pthread_t thread;

	for (int i = 0; i < *(int *)arg; i++) {
		NB_CHILD(pthread_create(&thread, NULL, thread_nothing, NULL) == 0);
		pthread_join(thread, NULL);
	}
	return 0;
}

static void lwp_events(int n, int mask)
{
	int created = 0, exited = 0;
	int status;
	pid_t pid = nb_volunteer(makes_threads, &n);

	nb_events(pid, mask);
	nb_continue(pid, 0);
	while (WIFSTOPPED(status = nb_wait(pid))) {
		ATF_REQUIRE_EQ(status, W_STOPCODE(SIGTRAP));
		struct ptrace_siginfo info = nb_siginfo(pid);
		struct ptrace_state state = nb_state(pid);
		ATF_REQUIRE_EQ(info.psi_siginfo.si_code, TRAP_LWP);
		ATF_REQUIRE_EQ(info.psi_lwpid, state.pe_lwp);
		ATF_REQUIRE(state.pe_lwp > 0 && state.pe_lwp != pid);
		ATF_REQUIRE_EQ(info.psi_siginfo.si_pe_lwp, state.pe_lwp);
		ATF_REQUIRE_EQ(info.psi_siginfo.si_pe_report_event, state.pe_report_event);
		created += state.pe_report_event == PTRACE_LWP_CREATE;
		exited += state.pe_report_event == PTRACE_LWP_EXIT;
		nb_continue(pid, 0);
	}
	ATF_REQUIRE_EQ(status, W_EXITCODE(0, 0));
	ATF_REQUIRE_EQ(created, mask & PTRACE_LWP_CREATE ? n : 0);
	ATF_REQUIRE_EQ(exited, mask & PTRACE_LWP_EXIT ? n : 0);
	nb_end();
}

STS_TC(create, 20, "an LWP's creation, once")
{
	lwp_events(1, PTRACE_LWP_CREATE);
}

STS_TC(exit, 20, "an LWP's exit, once")
{
	lwp_events(1, PTRACE_LWP_EXIT);
}

STS_TC(hundred, 60, "a hundred LWPs: each created once and ended once")
{
	lwp_events(100, PTRACE_LWP_CREATE | PTRACE_LWP_EXIT);
}

STS_TC(unwanted, 20, "no event of LWPs if none is wanted")
{
	lwp_events(5, 0);
}

/* --- several at once ------------------------------------------------------------------------------ */

#define N_THREADS 4

static struct board {
	atomic_int ready;
	atomic_ulong counter[N_THREADS];
	lwpid_t lwp[N_THREADS];
	void *private[N_THREADS];
	atomic_int leave;
} * board; /* shared with the child */

static void board_make(void)
{
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ATF_REQUIRE(board != MAP_FAILED);
}

static void *counts(void *arg)
{
	int i = (int)(intptr_t)arg;
	char name[] = "counter-0";
	sigset_t set;

	name[8] += i;
	_lwp_setname(0, name);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1 + i % 2);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	board->lwp[i] = _lwp_self();
	board->private[i] = _lwp_getprivate();
	atomic_fetch_add(&board->ready, 1);
	while (!atomic_load(&board->leave))
		atomic_fetch_add(&board->counter[i], 1);
	return NULL;
}

static int has_counters(void *arg)
{
	pthread_t threads[N_THREADS];

	for (int i = 0; i < N_THREADS; i++)
		NB_CHILD(pthread_create(&threads[i], NULL, counts, (void *)(intptr_t)i) == 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* All count, and then all rest. */
static pid_t counting(void)
{
	board_make();
	pid_t pid = nb_volunteer(has_counters, NULL);
	nb_continue(pid, 0);
	while (atomic_load(&board->ready) < N_THREADS)
		sched_yield();
	NB_OK(ptrace(PT_STOP, pid, NULL, 0));
	nb_stopped(pid, SIGSTOP);
	return pid;
}

static void stop_again(pid_t pid)
{
	NB_OK(ptrace(PT_STOP, pid, NULL, 0));
	nb_stopped(pid, SIGSTOP);
}

static void end_counting(pid_t pid)
{
	atomic_store(&board->leave, 1);
	nb_continue(pid, 0);
	nb_exited(pid, 0);
	munmap(board, sizeof *board);
	nb_end();
}

static int index_of(lwpid_t lwp)
{
	for (int i = 0; i < N_THREADS; i++)
		if (board->lwp[i] == lwp)
			return i;
	return -1;
}

/* Until its counter moves on. */
static void counts_on(int i)
{
	unsigned long at = atomic_load(&board->counter[i]);

	while (atomic_load(&board->counter[i]) == at)
		sched_yield();
}

STS_TC(lwpinfo, 20, "PT_LWPINFO goes through all LWPs once")
{
	struct ptrace_lwpinfo info = {0};
	unsigned seen = 0;
	int n = 0;
	pid_t pid = counting();

	for (;;) {
		NB_OK(ptrace(PT_LWPINFO, pid, &info, sizeof info));
		if (info.pl_lwpid == 0)
			break;
		n++;
		if (info.pl_lwpid != pid)
			seen |= 1U << index_of(info.pl_lwpid);
	}
	ATF_REQUIRE_EQ(n, N_THREADS + 1);
	ATF_REQUIRE_EQ(seen, (1U << N_THREADS) - 1);
	info.pl_lwpid = getpid();
	NB_FAILS(ESRCH, ptrace(PT_LWPINFO, pid, &info, sizeof info));
	end_counting(pid);
}

static void check_status(const struct ptrace_lwpstatus *status)
{
	int i = index_of(status->pl_lwpid);
	char name[] = "counter-0";

	ATF_REQUIRE(i >= 0);
	name[8] += i;
	ATF_REQUIRE_STREQ(status->pl_name, name);
	ATF_REQUIRE_EQ(status->pl_private, board->private[i]);
	ATF_REQUIRE_EQ(sigismember(&status->pl_sigmask, SIGUSR1), SIGUSR1 + i % 2 == SIGUSR1);
	ATF_REQUIRE_EQ(sigismember(&status->pl_sigmask, SIGUSR1 + i % 2), 1);
	ATF_REQUIRE_EQ(sigismember(&status->pl_sigpend, SIGHUP), 0);
}

STS_TC(lwpnext, 20, "PT_LWPNEXT: name, mask and private data of each LWP")
{
	struct ptrace_lwpstatus status = {0}, same;
	int n = 0;
	pid_t pid = counting();

	for (;;) {
		NB_OK(ptrace(PT_LWPNEXT, pid, &status, sizeof status));
		if (status.pl_lwpid == 0)
			break;
		n++;
		if (status.pl_lwpid == pid)
			continue;
		check_status(&status);
		same.pl_lwpid = status.pl_lwpid;
		NB_OK(ptrace(PT_LWPSTATUS, pid, &same, sizeof same));
		check_status(&same);
	}
	ATF_REQUIRE_EQ(n, N_THREADS + 1);
	end_counting(pid);
}

STS_TC(suspended, 30, "a suspended LWP rests while the others run, until it is resumed")
{
	struct ptrace_lwpinfo info = {0};
	pid_t pid = counting();

	NB_OK(ptrace(PT_SUSPEND, pid, NULL, board->lwp[2]));
	unsigned long at = atomic_load(&board->counter[2]);
	nb_continue(pid, 0);
	counts_on(0);
	counts_on(1);
	counts_on(3);
	ATF_REQUIRE_EQ(atomic_load(&board->counter[2]), at);
	stop_again(pid);
	do
		NB_OK(ptrace(PT_LWPINFO, pid, &info, sizeof info));
	while (info.pl_lwpid != board->lwp[2]);
	ATF_REQUIRE_EQ(info.pl_event, PL_EVENT_SUSPENDED);
	NB_OK(ptrace(PT_RESUME, pid, NULL, board->lwp[2]));
	nb_continue(pid, 0);
	counts_on(2);
	stop_again(pid);
	end_counting(pid);
}

STS_TC(deadlock, 30, "EDEADLK if nothing would run")
{
	pid_t pid = counting();

	for (int i = 0; i < N_THREADS; i++)
		NB_OK(ptrace(PT_SUSPEND, pid, NULL, board->lwp[i]));
	NB_OK(ptrace(PT_SUSPEND, pid, NULL, pid));
	NB_FAILS(EDEADLK, ptrace(PT_CONTINUE, pid, NB_HERE, 0));
	NB_FAILS(EDEADLK, ptrace(PT_SYSCALL, pid, NB_HERE, 0));
	NB_FAILS(EDEADLK, ptrace(PT_STEP, pid, NB_HERE, 0));
	NB_FAILS(EDEADLK, ptrace(PT_CONTINUE, pid, NB_HERE, -board->lwp[1]));
	NB_OK(ptrace(PT_RESUME, pid, NULL, board->lwp[1]));
	NB_FAILS(EDEADLK, ptrace(PT_CONTINUE, pid, NB_HERE, -board->lwp[0]));
	NB_FAILS(EDEADLK, ptrace(PT_STEP, pid, NB_HERE, board->lwp[0])); /* though another would run */
	nb_continue(pid, 0);
	counts_on(1);
	stop_again(pid);
	for (int i = 0; i < N_THREADS; i++)
		NB_OK(ptrace(PT_RESUME, pid, NULL, board->lwp[i]));
	NB_OK(ptrace(PT_RESUME, pid, NULL, pid));
	end_counting(pid);
}

STS_TC(alone, 30, "negative data: that LWP alone runs")
{
	unsigned long at[N_THREADS];
	pid_t pid = counting();

	for (int i = 0; i < N_THREADS; i++)
		at[i] = atomic_load(&board->counter[i]);
	NB_OK(ptrace(PT_CONTINUE, pid, NB_HERE, -board->lwp[3]));
	counts_on(3);
	counts_on(3);
	for (int i = 0; i < 3; i++)
		ATF_REQUIRE_EQ(atomic_load(&board->counter[i]), at[i]);
	stop_again(pid);
	end_counting(pid);
}

STS_TC(step_lwp, 30, "an LWP is stepped alone, or while the others run")
{
	struct reg regs;
	pid_t pid = counting();

	for (int alone = 0; alone < 2; alone++) {
		for (int i = 0; i < 20; i++) {
			lwpid_t lwp = board->lwp[i % N_THREADS];

			NB_OK(ptrace(PT_STEP, pid, NB_HERE, alone ? -lwp : lwp));
			ATF_REQUIRE_EQ(nb_trapped(pid, TRAP_TRACE).psi_lwpid, lwp);
			NB_OK(ptrace(PT_GETREGS, pid, &regs, lwp));
			ATF_REQUIRE(PTRACE_REG_PC(&regs) != 0);
		}
	}
	end_counting(pid);
}

/* --- stepping ---------------------------------------------------------------------------------------- */

static int steps_here(void *arg)
{
	sigset_t set;
	struct sigaction action;

	sigprocmask(SIG_BLOCK, NULL, &set);
	sigaction(SIGTRAP, NULL, &action);
	return sigismember(&set, SIGTRAP) + 2 * (action.sa_handler == SIG_IGN);
}

/* Steps, and PC changes with each; then its mask and disposition are as they were: their sum is what it returns. */
static void step(int n, bool sticky, int expected)
{
	struct reg regs;
	long pc = 0;
	pid_t pid = nb_volunteer(steps_here, NULL);

	if (sticky)
		NB_OK(ptrace(PT_SETSTEP, pid, NULL, 0));
	for (int i = 0; i < n; i++) {
		NB_OK(ptrace(sticky ? PT_CONTINUE : PT_STEP, pid, NB_HERE, 0));
		nb_trapped(pid, TRAP_TRACE);
		nb_state_none(pid);
		NB_OK(ptrace(PT_GETREGS, pid, &regs, 0));
		ATF_REQUIRE(PTRACE_REG_PC(&regs) != pc);
		pc = PTRACE_REG_PC(&regs);
	}
	if (sticky)
		NB_OK(ptrace(PT_CLEARSTEP, pid, NULL, 0));
	nb_continue(pid, 0);
	nb_exited(pid, expected);
}

static void trap_masked(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTRAP);
	STS_SYS(sigprocmask(how, &set, NULL));
}

STS_TC(step_plain, 30, "PT_STEP stops after one instruction with TRAP_TRACE")
{
	step(10, false, 0);
	nb_end();
}

STS_TC(step_sticky, 30, "PT_SETSTEP makes each PT_CONTINUE a step, PT_CLEARSTEP ends that")
{
	step(10, true, 0);
	nb_end();
}

STS_TC(step_masked, 30, "stepping leaves SIGTRAP blocked")
{
	trap_masked(SIG_BLOCK);
	step(10, false, 1);
	step(10, true, 1);
	trap_masked(SIG_UNBLOCK);
	nb_end();
}

STS_TC(step_ignored, 30, "stepping leaves SIGTRAP ignored")
{
	signal(SIGTRAP, SIG_IGN);
	step(10, false, 2);
	step(10, true, 2);
	signal(SIGTRAP, SIG_DFL);
	nb_end();
}
