/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trials in a process of their own: one that hangs is ended, one that a seccomp
 * filter kills has answered thereby. Three generations: a reaper, who tries
 * (and all below dies with), and the children that are tried on. The reaper
 * ends when nothing is left of the other two.
 */
#include "cli/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_S = 10 };

void sts_doctor_answer(struct doctor_trial *trial, enum doctor_status status, const char *remedy, const char *detail,
		       ...)
{
	va_list ap;

	va_start(ap, detail);
	vsnprintf(trial->detail, sizeof(trial->detail), detail, ap);
	va_end(ap);
	snprintf(trial->remedy, sizeof(trial->remedy), "%s", remedy);
	trial->status = status;
	trial->done = true;
}

/* SIGKILL at the parent's death; the parent may have died before we asked. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static int ready_fd = -1;

void sts_doctor_ready(void)
{
	if (write(ready_fd, "", 1) != 1)
		_exit(1);
}

static void sleep_forever(void)
{
	sts_doctor_ready();
	for (;;)
		pause();
}

pid_t sts_doctor_child(void (*fn)(void))
{
	pid_t parent = getpid();
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		die_with(parent);
		ready_fd = ends[1];
		(fn != NULL ? fn : sleep_forever)();
		_exit(0);
	}
	close(ends[1]);
	while (pid > 0 && read(ends[0], &byte, 1) < 0 && errno == EINTR)
		;
	close(ends[0]);
	return pid;
}

int sts_doctor_wait(struct doctor_trial *trial, pid_t pid)
{
	int status;

	if (waitpid(pid, &status, __WALL) < 0) {
		sts_doctor_answer(trial, DOCTOR_NO, "", "waiting for the child failed: %s", strerror(errno));
		return -1;
	}
	if (WIFSTOPPED(status))
		return status;
	if (WIFSIGNALED(status))
		sts_doctor_answer(trial, DOCTOR_NO, "", "the child was killed by signal %d (%s)", WTERMSIG(status),
				  strsignal(WTERMSIG(status)));
	else
		sts_doctor_answer(trial, DOCTOR_NO, "", "the child ended with status %d", WEXITSTATUS(status));
	return -1;
}

pid_t sts_doctor_stopped_child(struct doctor_trial *trial, void (*fn)(void), unsigned long options)
{
	pid_t pid = sts_doctor_child(fn);

	if (pid < 0) {
		sts_doctor_answer(trial, DOCTOR_NO, "raise the limit of processes (ulimit -u)",
				  "no child could be made: %s", strerror(errno));
		return -1;
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0) {
		sts_doctor_answer(trial, DOCTOR_NO, "see the line 'seize'", "cannot be tried, PTRACE_SEIZE: %s",
				  strerror(errno));
		return -1;
	}
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0) {
		sts_doctor_answer(trial, DOCTOR_NO, "see the line 'interrupt'", "cannot be tried, PTRACE_INTERRUPT: %s",
				  strerror(errno));
		return -1;
	}
	return sts_doctor_wait(trial, pid) < 0 ? -1 : pid;
}

/* --- the generations -------------------------------------------------------------------------- */

__attribute__((noreturn)) static void trial_run(struct doctor_trial *trial, doctor_trial_fn fn, pid_t parent)
{
	const struct rlimit none = {0, 0};
	sigset_t set;

	die_with(parent);
	setrlimit(RLIMIT_CORE, &none); /* a filter that kills would have one dumped */
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	fn(trial);
	_exit(0);
}

__attribute__((noreturn)) static void reaper_run(struct doctor_trial *trial, doctor_trial_fn fn, pid_t parent)
{
	pid_t self = getpid();
	int status;
	pid_t pid, r;

	die_with(parent);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0)
		trial_run(trial, fn, self);
	do {
		r = waitpid(-1, &status, __WALL);
		if (r == pid && r > 0)
			trial->end = status;
	} while (r >= 0 || errno == EINTR);
	_exit(pid < 0);
}

/* SIGCHLD is blocked and pends, so a death before the wait is not missed. False: time is up. */
static bool ended_in_time(pid_t pid, int *status)
{
	struct timespec now, end, left;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += LIMIT_S;
	while (waitpid(pid, status, WNOHANG) == 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = end.tv_sec - now.tv_sec;
		left.tv_nsec = 0;
		if (left.tv_sec <= 0)
			return false;
		sigtimedwait(&set, NULL, &left);
	}
	return true;
}

static void collect(struct doctor_report *report, const char *id, const struct doctor_trial *trial, pid_t pid)
{
	const char *filter = "run outside the sandbox whose seccomp filter kills for this";
	int status = 0;

	if (!ended_in_time(pid, &status)) {
		/* If even this is forbidden, what hangs dies with us. */
		if (kill(pid, SIGKILL) == 0)
			waitpid(pid, &status, 0);
		sts_doctor_add(report, id, DOCTOR_NO, "", "hangs: no answer within %d seconds", LIMIT_S);
	} else if (trial->done) {
		sts_doctor_add(report, id, trial->status, trial->remedy, "%s", trial->detail);
	} else if (WIFSIGNALED(trial->end)) {
		sts_doctor_add(report, id, DOCTOR_NO, WTERMSIG(trial->end) == SIGSYS ? filter : "",
			       "killed by signal %d (%s) while trying", WTERMSIG(trial->end),
			       strsignal(WTERMSIG(trial->end)));
	} else {
		sts_doctor_add(report, id, DOCTOR_NO, "", "no answer (%s)",
			       status == 0 ? "the trial ended by itself" : "no process could be made");
	}
}

void sts_doctor_try(struct doctor_report *report, const char *id, doctor_trial_fn fn)
{
	struct doctor_trial *trial =
		mmap(NULL, sizeof(*trial), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid();
	sigset_t set, old;
	pid_t pid;

	if (trial == MAP_FAILED) {
		sts_doctor_add(report, id, DOCTOR_NO, "", "cannot be tried: %s", strerror(errno));
		return;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		reaper_run(trial, fn, parent);
	if (pid < 0)
		sts_doctor_add(report, id, DOCTOR_NO, "raise the limit of processes (ulimit -u)",
			       "cannot be tried, no child could be made: %s", strerror(errno));
	else
		collect(report, id, trial, pid);
	munmap(trial, sizeof(*trial));
	sigprocmask(SIG_SETMASK, &old, NULL);
}
