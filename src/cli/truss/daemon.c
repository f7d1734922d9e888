/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * -D: the command is its caller's own child, and we are a grandchild that
 * attaches to it. It waits between two pipes until we have hold of it.
 */
#include "cli/truss/truss.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct pipes {
	int to_command[2], to_tracer[2];
};

static bool receive(int fd, void *data, size_t len)
{
	ssize_t n;

	do
		n = read(fd, data, len);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

/* In the caller's child, which becomes the command; or else ends, for the tracer has said why it could not. */
static _Noreturn void become_command(char **command, const struct pipes *p, pid_t helper)
{
	pid_t tracer;
	char go;

	close(p->to_command[1]);
	close(p->to_tracer[0]);
	while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
	if (!receive(p->to_command[0], &tracer, sizeof tracer))
		_exit(STS_EXIT_FAILURE);
	prctl(PR_SET_PTRACER, (unsigned long)tracer); /* where only parents may, let this one */
	if (write(p->to_tracer[1], "", 1) != 1 || !receive(p->to_command[0], &go, 1))
		_exit(STS_EXIT_FAILURE);
	execvp(command[0], command);
	int error = errno;
	sts_complain(command[0], "%s", strerror(error));
	_exit(error == ENOENT ? STS_EXIT_NOT_FOUND : STS_EXIT_CANNOT_RUN);
}

static void take_distance(enum truss_daemon daemon)
{
	if (daemon == TRUSS_DAEMON_GROUP)
		setpgid(0, 0);
	else if (daemon == TRUSS_DAEMON_SESSION)
		setsid();
}

int truss_daemon_begin(struct truss *t)
{
	struct pipes p;
	pid_t self = getpid();
	char ready;

	if (pipe2(p.to_command, O_CLOEXEC) < 0 || pipe2(p.to_tracer, O_CLOEXEC) < 0)
		return -errno;
	pid_t helper = fork();
	if (helper < 0)
		return -errno;
	if (helper > 0)
		become_command(t->options.command, &p, helper);
	pid_t tracer = fork();
	if (tracer != 0)
		_exit(0);
	close(p.to_command[0]);
	close(p.to_tracer[1]);
	take_distance(t->options.daemon);
	tracer = getpid();
	t->command_pid = self;
	t->command_go = p.to_command[1];
	if (write(p.to_command[1], &tracer, sizeof tracer) != sizeof tracer || !receive(p.to_tracer[0], &ready, 1))
		return -ESRCH;
	close(p.to_tracer[0]);
	return 0;
}

int truss_daemon_attach(struct truss *t)
{
	/* What it does before it is the command is our own. */
	const struct stasis_event_mask quiet = {.thread_stop = STASIS_EVENT_BIT(STASIS_EVENT_EXEC)};
	int r = stasis_event_mask_get(t->session, 0, &t->command_mask);

	if (r == 0)
		r = stasis_event_mask_set(t->session, 0, &quiet);
	if (r == 0)
		r = stasis_attach(t->session, t->command_pid);
	if (r == 0 && write(t->command_go, "", 1) != 1)
		r = -errno;
	close(t->command_go);
	if (r < 0)
		sts_complain_error("truss", t->session, r);
	return r < 0 ? STS_EXIT_FAILURE : 0;
}

void truss_daemon_exec(struct truss *t, const struct stasis_event *e)
{
	if (t->options.daemon == TRUSS_DAEMON_NONE || t->command_begun || e->pid != t->command_pid)
		return;
	t->command_begun = true;
	int r = stasis_event_mask_set(t->session, e->pid, &t->command_mask);
	if (r < 0 && r != STASIS_E_GONE)
		sts_complain_error("truss", t->session, r);
}
