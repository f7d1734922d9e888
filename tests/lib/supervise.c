// SPDX-License-Identifier: BSD-2-Clause
/* The supervisor of a case: lets it run, then leaves nothing of it. */
#include "supervise.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_LEFT = 4096,
	ORPHAN_GRACE_MS = 2000, /* nobody but their reaper can wait for orphans, so a case may end before they do */
	KILL_BOUND_MS = 20000,
	NAMED = 8, /* how many leftovers a message names */
};

static void start_body(const struct sts_supervisor *sv, pid_t supervisor, bool own_group)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(1);
	if (own_group)
		setpgid(0, 0);
	sigprocmask(SIG_SETMASK, &sv->mask, NULL);
}

pid_t sts_supervisor_start(struct sts_supervisor *sv, bool own_group)
{
	pid_t self = getpid();
	sigset_t chld;

	sv->verdict = mmap(NULL, sizeof(*sv->verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sv->verdict == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return -1;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &sv->mask);
	fflush(NULL);
	sv->body = fork();
	if (sv->body == 0)
		start_body(sv, self, own_group);
	return sv->body;
}

/* Reap whatever is dead. False once there are no children at all. */
static bool reap_all(struct sts_supervisor *sv, bool *body_gone)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (pid == sv->body) {
			sv->verdict->status = status;
			*body_gone = true;
		}
	}
	return !(pid < 0 && errno == ECHILD);
}

static void await_sigchld(uint64_t ms)
{
	struct timespec ts = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigtimedwait(&chld, NULL, &ts);
}

/* Until the body is gone (`whole`: until nothing is left), or the time has come. */
static bool await_end(struct sts_supervisor *sv, uint64_t timeout_ms, bool whole, bool *body_gone)
{
	uint64_t deadline = sts_now_ms() + timeout_ms, now;

	for (;;) {
		bool any = reap_all(sv, body_gone);

		if (!any || (*body_gone && !whole))
			return true;
		now = sts_now_ms();
		if (now >= deadline)
			return false;
		/* A child of a dying body may come to us without a SIGCHLD: look once in a while. */
		await_sigchld(deadline - now < 50 ? deadline - now : 50);
	}
}

static void name_leftovers(char *buf, size_t size, const char *what)
{
	struct sts_proc procs[MAX_LEFT];
	size_t n = sts_procs_below(getpid(), procs, MAX_LEFT);

	for (size_t i = 0; i < n && i < NAMED; i++)
		sts_append(buf, size, "%sprocess %d (%s) %s in state %c", buf[0] ? "; " : "", (int)procs[i].pid,
			   procs[i].name, what, procs[i].state);
	if (n > NAMED)
		sts_append(buf, size, "; and %zu more", n - NAMED);
}

static void kill_all(struct sts_supervisor *sv, bool *body_gone)
{
	uint64_t deadline = sts_now_ms() + KILL_BOUND_MS;
	struct sts_proc procs[MAX_LEFT];

	do {
		size_t n = sts_procs_below(getpid(), procs, MAX_LEFT);

		for (size_t i = 0; i < n; i++)
			sts_proc_kill(&procs[i]);
	} while (!await_end(sv, 50, true, body_gone) && sts_now_ms() < deadline);
}

void sts_supervisor_finish(struct sts_supervisor *sv, uint64_t timeout_ms)
{
	struct sts_verdict *v = sv->verdict;
	bool body_gone = false, clean;

	v->timed_out = !await_end(sv, timeout_ms, false, &body_gone);
	if (v->timed_out) {
		name_leftovers(v->findings, sizeof(v->findings), "was alive");
	} else {
		/* A case that fails anyway is not kept waiting for its orphans. */
		bool fails = v->status != 0 || v->findings[0] != '\0';

		clean = await_end(sv, fails ? 0 : ORPHAN_GRACE_MS, true, &body_gone);
		if (!clean)
			name_leftovers(v->findings, sizeof(v->findings), "was left");
	}
	kill_all(sv, &body_gone);
	if (reap_all(sv, &body_gone))
		name_leftovers(v->findings, sizeof(v->findings), "could not be killed");
	sigprocmask(SIG_SETMASK, &sv->mask, NULL);
}
