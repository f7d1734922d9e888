// SPDX-License-Identifier: BSD-2-Clause
/* PT_TRACE_ME: children that the tracer forked or vforked volunteer before it knows of them. */
#include "nb.h"

#include <stdio.h>
#include <stdlib.h>

static int returns_seven(void *arg)
{
	return 7;
}

STS_TC(stops_and_exits, 20, "a volunteer's SIGSTOP and its exit are waited for")
{
	pid_t pid = nb_volunteer(returns_seven, NULL);

	struct ptrace_siginfo info = nb_siginfo(pid);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_signo, SIGSTOP);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_code, SI_LWP);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_pid, pid);
	ATF_REQUIRE_EQ(info.psi_lwpid, pid);
	nb_state_none(pid);
	nb_continue(pid, 0);
	nb_exited(pid, 7);
	nb_end();
}

static int volunteers_twice(void *arg)
{
	return ptrace(PT_TRACE_ME, 0, NULL, 0) == -1 && errno == EBUSY ? 3 : 4;
}

STS_TC(twice, 20, "a tracee cannot volunteer again: EBUSY")
{
	pid_t pid = nb_volunteer(volunteers_twice, NULL);

	nb_continue(pid, 0);
	nb_exited(pid, 3);
	nb_end();
}

static int volunteers_only(void *arg)
{
	return ptrace(PT_TRACE_ME, 0, NULL, 0) == 0 ? 5 : NB_CHILD_BAD;
}

STS_TC(does_not_stop, 20, "PT_TRACE_ME stops nobody: the exit comes next")
{
	pid_t pid = nb_child(volunteers_only, NULL);

	nb_exited(pid, 5);
	nb_end();
}

STS_TC(many, 60, "fifty volunteers at once")
{
	enum { N = 50 };
	pid_t pids[N];

	for (int i = 0; i < N; i++) {
		pids[i] = (pid_t)STS_SYS(fork());
		if (pids[i] == 0) {
			NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
			raise(SIGUSR1);
			_exit(i);
		}
	}
	for (int i = 0; i < N; i++) {
		nb_stopped(pids[i], SIGUSR1);
		nb_continue(pids[i], 0);
	}
	for (int i = 0; i < N; i++)
		nb_exited(pids[i], i);
	nb_end();
}

/* A step told through a pipe that the parent reads before it calls any function of the interface. */
STS_TC(parent_reads_first, 20, "the parent need not wait for the volunteer to be taken")
{
	int fds[2];
	char byte;

	STS_SYS(pipe(fds));
	pid_t pid = (pid_t)STS_SYS(fork());
	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		NB_CHILD(write(fds[1], "x", 1) == 1);
		raise(SIGUSR2);
		_exit(0);
	}
	ATF_REQUIRE_EQ(read(fds[0], &byte, 1), 1);
	nb_stopped(pid, SIGUSR2);
	nb_continue(pid, 0);
	nb_exited(pid, 0);
	close(fds[0]);
	close(fds[1]);
	nb_end();
}

/* The tracer sleeps while a child of vfork() runs, so that is not stopped before exec or its end. */
static pid_t vforked(bool exec)
{
	pid_t pid = vfork();

	if (pid == 0) {
		if (ptrace(PT_TRACE_ME, 0, NULL, 0) != 0)
			_exit(NB_CHILD_BAD);
		if (exec)
			execl("/bin/true", "true", NULL);
		_exit(6);
	}
	ATF_REQUIRE(pid > 0);
	return pid;
}

STS_TC(vfork_exit, 20, "a vforked volunteer exits")
{
	nb_exited(vforked(false), 6);
	nb_end();
}

STS_TC(vfork_exec, 20, "a vforked volunteer stops at its exec")
{
	pid_t pid = vforked(true);

	nb_trapped(pid, TRAP_EXEC);
	nb_continue(pid, 0);
	nb_exited(pid, 0);
	nb_end();
}

/* This program again, and again a child of the tracer's: it knows nothing of it. */
static void volunteers_anew(void)
{
	NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
	raise(SIGUSR1);
	_exit(9);
}

__attribute__((constructor)) static void begin_anew(void)
{
	const char *parent = getenv("VOLUNTEER_OF");

	if (parent && atoi(parent) == getppid())
		volunteers_anew();
}

static int execs_itself(void *arg)
{
	char parent[32];

	snprintf(parent, sizeof parent, "%d", getppid());
	setenv("VOLUNTEER_OF", parent, 1);
	execl("/proc/self/exe", "volunteer", NULL);
	return NB_CHILD_BAD;
}

STS_TC(after_exec, 20, "a child that has executed another program volunteers there")
{
	pid_t pid = nb_child(execs_itself, NULL);

	nb_stopped(pid, SIGUSR1);
	nb_state_none(pid);
	nb_continue(pid, 0);
	nb_exited(pid, 9);
	nb_end();
}

STS_TC(orphan, 20, "who has no tracer for a parent cannot volunteer: EPERM")
{
	/* Forked by the C library's name: nobody was made ready. */
	pid_t pid = sts_fork();

	if (pid == 0)
		_exit(ptrace(PT_TRACE_ME, 0, NULL, 0) == -1 && errno == EPERM ? 2 : 1);
	sts_reap_exit(pid, 2);
	stasis_netbsd_end();
}
