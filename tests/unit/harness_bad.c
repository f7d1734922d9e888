// SPDX-License-Identifier: BSD-2-Clause
/* Cases that must fail, each of them by one fault that the harness has to see. Run by harness_test alone. */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>

/* A child that lives until it is killed. */
static pid_t sleeper(void)
{
	pid_t pid = sts_fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

STS_TC(good, 10, "nothing is wrong: must pass")
{
	sts_kill_reap(sleeper());
}

STS_TC(left_child, 10, "a running child is left")
{
	sleeper();
}

STS_TC(left_zombie, 10, "a zombie is left")
{
	pid_t pid = sts_fork();

	if (pid == 0)
		_exit(0);
	sts_await_state(pid, pid, "Z");
}

STS_TC(left_stopped, 10, "a stopped child is left")
{
	pid_t pid = sleeper();

	STS_SYS(kill(pid, SIGSTOP));
	sts_await_state(pid, pid, "T");
}

STS_TC(left_traced, 10, "a traced child is left in a ptrace-stop")
{
	pid_t pid = sleeper();

	STS_SYS(ptrace(PTRACE_SEIZE, pid, 0, 0));
	STS_SYS(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	sts_await_state(pid, pid, "t");
}

static char helper_stack[65536] __attribute__((aligned(16)));

static int helper(void *arg)
{
	for (;;)
		pause();
	return 0;
}

STS_TC(left_helper, 10, "a task that shares memory and descriptors is left")
{
	STS_SYS(clone(helper, helper_stack + sizeof(helper_stack), CLONE_VM | CLONE_FILES, NULL));
}

/* A grandchild in a session of its own whose parent has gone: what a daemon does. */
static void daemonize(void)
{
	pid_t pid = sts_fork();

	if (pid == 0) {
		setsid();
		sleeper();
		_exit(0);
	}
	sts_reap_exit(pid, 0);
}

STS_TC(left_daemon, 10, "an orphan in a session of its own is left")
{
	daemonize();
}

STS_TC(left_descriptor, 10, "a descriptor is left open")
{
	STS_SYS(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

STS_TC(closed_descriptor, 10, "a descriptor of the caller's is closed")
{
	close(STDIN_FILENO);
}

STS_TC(changed_descriptor, 10, "a descriptor of the caller's leads elsewhere")
{
	int fd = (int)STS_SYS(open("/dev/zero", O_RDONLY | O_CLOEXEC));

	STS_SYS(dup2(fd, STDIN_FILENO));
	close(fd);
}

STS_TC(renamed_descriptor, 10, "what a descriptor leads to is called otherwise now, which is nothing to complain of")
{
	STS_SYS(rename("input", "renamed"));
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

STS_TC(left_thread, 10, "a thread is left")
{
	pthread_t thread;

	ATF_REQUIRE(pthread_create(&thread, NULL, idle, NULL) == 0);
}

STS_TC(left_mask, 10, "a signal is left blocked")
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	STS_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
}

STS_TC(pass_with_child, 10, "a child is left by a case that says it passed")
{
	sleeper();
	atf_tc_pass();
}

STS_TC(fails_itself, 10, "a failing case keeps its own message, and its processes are killed")
{
	sleeper();
	daemonize();
	atf_tc_fail("its own message");
}

STS_TC(dies, 10, "a case that dies of a signal is no success, and its processes are killed")
{
	sleeper();
	raise(SIGUSR1);
}

STS_TC(hangs, 1, "a case that runs out of time, stopped, with processes in other sessions")
{
	sleeper();
	daemonize();
	raise(SIGSTOP);
}

static void nothing(int signo)
{
}

STS_TC(hangs_deaf, 1, "a case that runs out of time with every signal blocked")
{
	sigset_t set;

	signal(SIGTERM, nothing);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	for (;;)
		pause();
}

STS_TC(breeds, 2, "a case whose processes breed while they are killed")
{
	for (int i = 0; i < 4; i++) {
		if (sts_fork() > 0)
			continue;
		for (;;) {
			pid_t pid = fork();

			if (pid == 0)
				_exit(0);
			waitpid(pid, NULL, 0);
		}
	}
}
