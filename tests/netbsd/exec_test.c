// SPDX-License-Identifier: BSD-2-Clause
/* exec: one SIGTRAP of code TRAP_EXEC before the first instruction, whatever the process thinks of SIGTRAP. */
#include "nb.h"

#include <pthread.h>

static int execs(void *arg)
{
	execl("/bin/sh", "sh", "-c", "exit 19", NULL);
	return NB_CHILD_BAD;
}

static int execs_ignoring(void *arg)
{
	signal(SIGTRAP, SIG_IGN);
	return execs(arg);
}

static int execs_masking(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTRAP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return execs(arg);
}

static void *exec_thread(void *arg)
{
	execs(arg);
	_exit(NB_CHILD_BAD);
}

static int execs_in_thread(void *arg)
{
	pthread_t thread;

	pthread_create(&thread, NULL, exec_thread, NULL);
	while (pause() < 0)
		;
	return NB_CHILD_BAD;
}

static void stops_at_exec(int (*body)(void *))
{
	pid_t pid = nb_volunteer(body, NULL);

	nb_continue(pid, 0);
	struct ptrace_siginfo info = nb_trapped(pid, TRAP_EXEC);
	ATF_REQUIRE_EQ(info.psi_lwpid, pid);
	nb_state_none(pid);
	nb_continue(pid, 0);
	nb_exited(pid, 19);
	nb_end();
}

STS_TC(plain, 20, "exec stops with TRAP_EXEC and an all-zero state")
{
	stops_at_exec(execs);
}

STS_TC(ignored, 20, "also if SIGTRAP is ignored")
{
	stops_at_exec(execs_ignoring);
}

STS_TC(masked, 20, "also if SIGTRAP is blocked")
{
	stops_at_exec(execs_masking);
}

STS_TC(from_thread, 20, "exec by another LWP: the survivor has the process's id")
{
	stops_at_exec(execs_in_thread);
}

STS_TC(detach, 20, "let go at its exec it runs to its end")
{
	pid_t pid = nb_volunteer(execs, NULL);

	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_EXEC);
	NB_OK(ptrace(PT_DETACH, pid, NB_HERE, 0));
	nb_exited(pid, 19);
	nb_end();
}

static int fails_to_exec(void *arg)
{
	execl("/nonexistent/program", "program", NULL);
	return 3;
}

STS_TC(failed, 20, "an exec that fails is no event")
{
	pid_t pid = nb_volunteer(fails_to_exec, NULL);

	nb_continue(pid, 0);
	nb_exited(pid, 3);
	nb_end();
}
