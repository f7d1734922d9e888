// SPDX-License-Identifier: BSD-2-Clause
/* Rendezvous by named steps. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned opened;

void sts_pipe_open(struct sts_pipe *p)
{
	char name[32], value[128];

	memset(p, 0, sizeof(*p));
	STS_SYS(pipe2(p->to, O_CLOEXEC));
	STS_SYS(pipe2(p->from, O_CLOEXEC));
	p->index = opened++;
	snprintf(name, sizeof(name), "STASIS_PIPE_%u", p->index);
	snprintf(value, sizeof(value), "/proc/%d/fd/%d /proc/%d/fd/%d", (int)getpid(), p->to[0], (int)getpid(),
		 p->from[1]);
	STS_SYS(setenv(name, value, 1));
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The case's ends go, so that a fork that waits for a step sees the case's end as an end of file. */
void sts_pipe_child(struct sts_pipe *p)
{
	p->child = true;
	close_end(&p->to[1]);
	close_end(&p->from[0]);
}

void sts_pipe_close(struct sts_pipe *p)
{
	for (int i = 0; i < 2; i++) {
		close_end(&p->to[i]);
		close_end(&p->from[i]);
	}
}

void sts_pipe_send(struct sts_pipe *p, const char *step)
{
	struct sts_step s = {.name = ""};

	memcpy(s.name, step, strnlen(step, sizeof(s.name) - 1));
	if (write(p->child ? p->from[1] : p->to[1], &s, sizeof(s)) != sizeof(s))
		atf_tc_fail("step %s could not be sent: %s", step, strerror(errno));
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	int n;

	do {
		n = poll(&pfd, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	return n == 1;
}

void sts_pipe_await(struct sts_pipe *p, const char *step)
{
	int fd = p->child ? p->to[0] : p->from[0];
	struct sts_step s;
	ssize_t n;

	if (!readable(fd, sts_bound_ms()))
		atf_tc_fail("step %s did not come", step);
	do { /* a step is written at once, so it is read whole */
		n = read(fd, &s, sizeof(s));
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(s) && p->child)
		_exit(1); /* the case has ended, and has said why itself */
	if (n != sizeof(s))
		atf_tc_fail("step %s did not come: the other side has ended", step);
	if (strncmp(s.name, step, sizeof(s.name)) != 0)
		atf_tc_fail("step %s was due, %.32s came", step, s.name);
}

bool sts_pipe_pending(struct sts_pipe *p)
{
	return readable(p->child ? p->to[0] : p->from[0], 0);
}
