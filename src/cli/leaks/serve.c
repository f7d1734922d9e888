/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis leaks: taking reports from programs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/leaks/leaks.h"
#include "util/cleanup.h"

enum { SILENCE_MS = 30000, FIRST_SIZE = 1 << 16 };
#define LARGEST_REPORT ((size_t)1 << 31)

/* --- one report --------------------------------------------------------------------------------- */

/* A program that is stopped, or killed, in the middle of its report must not hold us up. */
static ssize_t read_some(int fd, char *to, size_t size)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	ssize_t n;

	do {
		n = poll(&wait, 1, SILENCE_MS);
		if (n == 0)
			errno = ETIMEDOUT;
		if (n > 0)
			n = read(fd, to, size);
		else
			n = -1;
	} while (n < 0 && errno == EINTR);
	return n;
}

/* Until the end; NULL with errno. */
static char *read_report(int fd, size_t *size_ret)
{
	size_t size = 0, room = 0;
	char *data = NULL;
	ssize_t n;

	do {
		if (size == room) {
			room = room ? 2 * room : FIRST_SIZE;
			char *more = room <= LARGEST_REPORT ? realloc(data, room) : NULL;
			if (!more) {
				free(data);
				errno = ENOMEM;
				return NULL;
			}
			data = more;
		}
		n = read_some(fd, data + size, room - size);
		size += n > 0 ? n : 0;
	} while (n > 0);
	if (n < 0) {
		free(data);
		return NULL;
	}
	*size_ret = size;
	return data;
}

bool leaks_serve_one(struct sts_judge *j, int connection)
{
	struct sts_raw_verdict verdict = {.magic = STS_RAW_MAGIC};
	_cleanup_free_ struct sts_raw_held *held = NULL;
	size_t size;
	char *data = read_report(connection, &size);

	if (!data) {
		verdict.failed = errno;
		j->failed = true;
		sts_complain("report of the program", "%s", strerror(errno));
	} else {
		sts_judge_report(j, data, size, &verdict, &held);
	}
	/* Whoever asked may be dead by now. */
	if (send(connection, &verdict, sizeof(verdict), MSG_NOSIGNAL) == sizeof(verdict) && held)
		(void)!send(connection, held, verdict.again * sizeof(*held), MSG_NOSIGNAL);
	return data != NULL;
}

/* --- requests ------------------------------------------------------------------------------------ */

/* The connection that a message brings; -1 if there is no message, or one without any. */
static int take_connection(int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof(control.space)};
	int connection = -1;

	if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
		return -1;
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&connection, CMSG_DATA(c), sizeof(int));
	return connection;
}

static bool serve_next(struct leaks_options *o, int fd)
{
	_cleanup_close_ int connection = take_connection(fd);

	return connection >= 0 && leaks_serve_one(&o->judge, connection);
}

/* A terminal sends its signals to the program as well; those sent to us are meant for it. */
static void pass_on(int signals, pid_t child)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGCHLD && info.ssi_code <= 0)
		kill(child, info.ssi_signo);
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int leaks_serve(struct leaks_options *o, int fd, pid_t child)
{
	_cleanup_close_ int signals = signals_open();
	struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	int status = 0;

	while (waitpid(child, &status, WNOHANG) != child) {
		if (poll(fds, 2, signals < 0 ? 100 : -1) < 0 && errno != EINTR)
			break;
		if (fds[0].revents & POLLIN)
			serve_next(o, fd);
		if (fds[1].revents & POLLIN)
			pass_on(signals, child);
	}
	/* Its children may have asked before it ended. */
	while (poll(fds, 1, 0) > 0 && (fds[0].revents & POLLIN))
		serve_next(o, fd);
	return status;
}
