// SPDX-License-Identifier: BSD-2-Clause
/* Signals, breakpoints and watchpoints that many LWPs meet at once: each is told once, of the LWP that met it. */
#include "nb.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define N 150

enum { SIGNALS = 1, BREAKPOINTS = 2, WATCHPOINTS = 4 };

static struct {
	atomic_int ready, go, handled;
	lwpid_t lwp[N];
	volatile uint64_t watched;
	int kinds;
} * shared;

static void on_signal(int signal)
{
	atomic_fetch_add(&shared->handled, 1);
}

__attribute__((noinline)) static void breakpoint_here(void)
{
	PTRACE_BREAKPOINT_ASM;
}

static int kind_of(int i)
{
	int kind = 1 << i % 3;

	return shared->kinds & kind ? kind : shared->kinds & -shared->kinds;
}

static void *meets(void *arg)
{
	int i = (int)(intptr_t)arg;

	shared->lwp[i] = _lwp_self();
	atomic_fetch_add(&shared->ready, 1);
	while (!atomic_load(&shared->go))
		sched_yield();
	switch (kind_of(i)) {
	case SIGNALS:
		_lwp_kill(_lwp_self(), SIGUSR1);
		break;
	case BREAKPOINTS:
		breakpoint_here();
		break;
	default:
		shared->watched = (uint64_t)i;
	}
	return NULL;
}

static int has_many(void *arg)
{
	pthread_t threads[N];
	pthread_attr_t attr;

	signal(SIGUSR1, on_signal);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int i = 0; i < N; i++)
		NB_CHILD(pthread_create(&threads[i], &attr, meets, (void *)(intptr_t)i) == 0);
	while (atomic_load(&shared->ready) < N)
		sched_yield();
	raise(SIGSTOP); /* for the tracer to prepare */
	atomic_store(&shared->go, 1);
	for (int i = 0; i < N; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static void watch_all(pid_t pid)
{
	struct dbreg db;

	for (int i = 0; i < N; i++) {
		if (kind_of(i) != WATCHPOINTS)
			continue;
		NB_OK(ptrace(PT_GETDBREGS, pid, &db, shared->lwp[i]));
		db.dr[0] = (long)&shared->watched;
		db.dr[7] |= 1 | 0x9 << 16; /* eight bytes, writes */
		NB_OK(ptrace(PT_SETDBREGS, pid, &db, shared->lwp[i]));
	}
}

static int kind_of_stop(const struct ptrace_siginfo *info)
{
	if (info->psi_siginfo.si_signo == SIGUSR1)
		return SIGNALS;
	ATF_REQUIRE_EQ(info->psi_siginfo.si_signo, SIGTRAP);
	if (info->psi_siginfo.si_code == TRAP_BRKPT)
		return BREAKPOINTS;
	ATF_REQUIRE_EQ(info->psi_siginfo.si_code, TRAP_DBREG);
	return WATCHPOINTS;
}

static int index_of(lwpid_t lwp)
{
	for (int i = 0; i < N; i++)
		if (shared->lwp[i] == lwp)
			return i;
	atf_tc_fail("LWP %d is none of the tracee's", lwp);
}

static pid_t prepared(int kinds)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ATF_REQUIRE(shared != MAP_FAILED);
	shared->kinds = kinds;
	pid_t pid = nb_volunteer(has_many, NULL);
	nb_continue(pid, 0);
	nb_stopped(pid, SIGSTOP);
	watch_all(pid);
	return pid;
}

static void all_met(int kinds)
{
	bool met[N] = {false};
	int signals = 0, status;
	pid_t pid = prepared(kinds);

	nb_continue(pid, 0);
	while (WIFSTOPPED(status = nb_wait(pid))) {
		struct ptrace_siginfo info = nb_siginfo(pid);
		int i = index_of(info.psi_lwpid);

		ATF_REQUIRE_MSG(!met[i], "LWP %d reported twice", i);
		met[i] = true;
		ATF_REQUIRE_EQ(kind_of_stop(&info), kind_of(i));
		signals += kind_of(i) == SIGNALS;
		nb_continue(pid, kind_of(i) == SIGNALS ? SIGUSR1 : 0);
	}
	ATF_REQUIRE_EQ(status, W_EXITCODE(0, 0));
	for (int i = 0; i < N; i++)
		ATF_REQUIRE_MSG(met[i], "LWP %d did not report", i);
	ATF_REQUIRE_EQ(atomic_load(&shared->handled), signals);
	munmap(shared, sizeof *shared);
	nb_end();
}

STS_TC(signals, 60, "150 LWPs signalled at once")
{
	all_met(SIGNALS);
}

STS_TC(breakpoints, 60, "150 LWPs at breakpoints at once")
{
	all_met(BREAKPOINTS);
}

STS_TC(watchpoints, 60, "150 LWPs at watchpoints at once")
{
	all_met(WATCHPOINTS);
}

STS_TC(signals_breakpoints, 60, "signals and breakpoints at once")
{
	all_met(SIGNALS | BREAKPOINTS);
}

STS_TC(signals_watchpoints, 60, "signals and watchpoints at once")
{
	all_met(SIGNALS | WATCHPOINTS);
}

STS_TC(breakpoints_watchpoints, 60, "breakpoints and watchpoints at once")
{
	all_met(BREAKPOINTS | WATCHPOINTS);
}

STS_TC(everything, 60, "all three at once")
{
	all_met(SIGNALS | BREAKPOINTS | WATCHPOINTS);
}

STS_TC(detach_pending, 60, "let go while many LWPs have signals to tell: each is delivered, and it ends well")
{
	pid_t pid = prepared(SIGNALS);

	nb_continue(pid, 0);
	nb_stopped(pid, SIGUSR1);
	NB_OK(ptrace(PT_DETACH, pid, NB_HERE, SIGUSR1));
	nb_exited(pid, 0);
	ATF_REQUIRE_EQ(atomic_load(&shared->handled), N);
	munmap(shared, sizeof *shared);
	nb_end();
}
