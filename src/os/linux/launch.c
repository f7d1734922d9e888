/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Launching a tracee. The child waits on a pipe until it is seized, so that no
 * stop signal is ever used and the program is followed from its exec on.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "os/os.h"
#include "util/cleanup.h"

struct channel {
	int go[2];     /* parent to child: you are seized */
	int result[2]; /* child to parent: errno of what failed; closed by exec */
};

/* --- child side: raw system calls only, the host may have had threads holding any lock --- */

static int take_identity(const struct stasis_spawn_opts *opts)
{
	if (!opts->use_uid)
		return 0;
	if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
		return -1;
	if (syscall(SYS_setresgid, opts->gid, opts->gid, opts->gid) < 0)
		return -1;
	return syscall(SYS_setresuid, opts->uid, opts->uid, opts->uid);
}

/* Move the three out of each other's way first: {2, 1, 0} is a legal wish. */
static int take_stdio(const struct stasis_spawn_opts *opts)
{
	int high[3];

	if (!opts->use_stdio)
		return 0;
	for (int i = 0; i < 3; i++) {
		high[i] = fcntl(opts->stdio[i], F_DUPFD_CLOEXEC, 3);
		if (high[i] < 0)
			return -1;
	}
	for (int i = 0; i < 3; i++)
		if (dup2(high[i], i) < 0)
			return -1;
	return 0;
}

static void default_signals(bool ignore_child)
{
	/* exec resets handlers; what was ignored stays so, but for what the helper task changed. */
	struct sigaction act = {.sa_handler = ignore_child ? SIG_IGN : SIG_DFL};

	sigaction(SIGCHLD, &act, NULL);
}

static int prepare(const struct sts_launch *launch)
{
	const struct stasis_spawn_opts *opts = launch->opts;

	if ((opts->flags & STASIS_SPAWN_NEW_PGROUP) && setpgid(0, 0) < 0)
		return -1;
	if (opts->directory && chdir(opts->directory) < 0)
		return -1;
	if ((opts->flags & STASIS_SPAWN_NO_ASLR) && personality(ADDR_NO_RANDOMIZE) < 0)
		return -1;
	if (take_stdio(opts) < 0)
		return -1;
	return take_identity(opts);
}

static _Noreturn void child(const struct sts_launch *launch, const char *path, const struct channel *ch)
{
	char byte;
	ssize_t n;

	close(ch->go[1]);
	do
		n = read(ch->go[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1) {
		default_signals(launch->ignore_child_signal);
		if (prepare(launch) == 0) {
			syscall(SYS_rt_sigprocmask, SIG_SETMASK, &launch->mask, NULL, 8);
			execve(path, launch->opts->argv, launch->envp);
		}
	}
	int error = errno;
	n = write(ch->result[1], &error, sizeof error);
	_exit(127);
}

/* --- parent side ------------------------------------------------------------------------- */

static void channel_close(struct channel *ch)
{
	int *fds[] = {&ch->go[0], &ch->go[1], &ch->result[0], &ch->result[1]};

	for (size_t i = 0; i < 4; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static int channel_open(struct channel *ch)
{
	*ch = (struct channel){{-1, -1}, {-1, -1}};
	if (pipe2(ch->go, O_CLOEXEC) < 0 || pipe2(ch->result, O_CLOEXEC) < 0) {
		int error = -errno;

		channel_close(ch);
		return error;
	}
	return 0;
}

/* Let it run to its end and collect it. */
static void bury(pid_t pid)
{
	struct sts_report report;

	while (sts_os_wait_lwp(pid, &report) > 0 && report.kind != STS_REPORT_DEAD)
		sts_os_resume(pid, STS_RUN_CONTINUE, 0);
	sts_os_wait_reap(pid);
}

/* The child's answer: 0 if exec worked. */
static int read_result(int fd)
{
	int error = 0;
	ssize_t n;

	do
		n = read(fd, &error, sizeof error);
	while (n < 0 && errno == EINTR);
	return n == sizeof error ? -error : 0;
}

static int await_exec(pid_t pid)
{
	struct sts_report report;

	for (;;) {
		int r = sts_os_wait_lwp(pid, &report);

		if (r < 0)
			return r;
		if (report.kind == STS_REPORT_EXEC)
			return 0;
		if (report.kind == STS_REPORT_DEAD)
			return -ESRCH;
		/* Stray interrupts and signals on the way to exec: as without us. */
		sts_os_resume(pid, STS_RUN_CONTINUE, report.kind == STS_REPORT_SIGNAL ? report.signal : 0);
	}
}

static int seize_and_go(const struct sts_launch *launch, pid_t pid, struct channel *ch)
{
	int r = sts_os_seize(pid, launch->exit_kill);

	close(ch->result[1]);
	ch->result[1] = -1;
	if (r == 0 && write(ch->go[1], "", 1) != 1)
		r = -errno;
	close(ch->go[1]);
	ch->go[1] = -1;
	if (r < 0) {
		sts_os_kill(pid, SIGKILL);
		return r;
	}
	/* A killed child closes the pipe as exec does: what await_exec() meets decides. */
	r = read_result(ch->result[0]);
	return r < 0 ? r : await_exec(pid);
}

/* As execvp(3): the first that is there, remembering one that may not be run. */
static int search_path(const char *name, char *buf, size_t cap)
{
	const char *path = getenv("PATH");
	int result = -ENOENT;

	for (const char *dir = path ? path : "/bin:/usr/bin"; dir;
	     dir = strchr(dir, ':') ? strchr(dir, ':') + 1 : NULL) {
		size_t len = strcspn(dir, ":");

		if (len + strlen(name) + 2 > cap)
			continue;
		memcpy(buf, len ? dir : ".", len ? len : 1);
		len = len ? len : 1;
		buf[len] = '/';
		strcpy(buf + len + 1, name);
		if (access(buf, F_OK) < 0)
			continue;
		if (access(buf, X_OK) == 0)
			return 0;
		result = -EACCES;
	}
	return result;
}

int sts_os_launch(const struct sts_launch *launch, pid_t *pid_ret)
{
	const struct stasis_spawn_opts *opts = launch->opts;
	char found[PATH_MAX];
	const char *path = opts->path;
	struct channel ch;

	if ((opts->flags & STASIS_SPAWN_SEARCH_PATH) && !strchr(path, '/')) {
		int r = search_path(path, found, sizeof found);

		if (r < 0)
			return r;
		path = found;
	}
	int r = channel_open(&ch);
	if (r < 0)
		return r;
	/* Not fork(): the host's atfork handlers are none of our business. */
	pid_t pid = syscall(SYS_clone, (long)SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		child(launch, path, &ch);
	r = pid < 0 ? -errno : seize_and_go(launch, pid, &ch);
	channel_close(&ch);
	if (pid > 0 && r < 0)
		bury(pid);
	if (r == -ENOEXEC)
		r = sts_os_exec_error(path);
	if (r == 0)
		*pid_ret = pid;
	return r;
}
