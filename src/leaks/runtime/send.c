// SPDX-License-Identifier: BSD-2-Clause
/*
 * Getting a report to the reporter: to a command that waits for it, or to one that is started for it. Done by bare
 * system calls, for this may be a copy of a stopped process, or a program that is about to end.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leaks/runtime/check.h"
#include "leaks/runtime/settings.h"
#include "stopworld/os.h"
#include "stopworld/x86/raw.h"

enum { PATIENCE_MS = 60000, MAX_ENVIRONMENT = 4096 };

/* --- the connection -------------------------------------------------------------------------------- */

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		/* The reporter may be killed; that must not raise a signal in the program. */
		long n = sts_raw5(__NR_sendto, fd, (long)data, (long)size, MSG_NOSIGNAL, 0);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int read_all(int fd, void *p, size_t left)
{
	char *to = p;

	while (left > 0) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		long n = RAW(poll, &wait, 1, PATIENCE_MS);

		if (n == 0)
			return -ETIMEDOUT;
		if (n > 0)
			n = RAW(read, fd, to, left);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EPIPE;
		to += n;
		left -= (size_t)n;
	}
	return 0;
}

struct answer {
	int result; /* where it is shared with a copy of the process */
	struct sts_raw_verdict verdict;
	struct sts_held held;
};

static int read_answer(int fd, struct answer *ret)
{
	int r = read_all(fd, &ret->verdict, sizeof(ret->verdict));

	ret->held.n = 0;
	if (r < 0 || ret->verdict.magic != STS_RAW_MAGIC)
		return r < 0 ? r : -EPROTO;
	if (ret->verdict.again > STS_RAW_MOST_HELD)
		return -EPROTO;
	r = read_all(fd, ret->held.records, ret->verdict.again * sizeof(*ret->held.records));
	if (r == 0)
		ret->held.n = ret->verdict.again;
	return r;
}

static int converse(int fd, const struct sts_out *out, struct answer *ret)
{
	int r = write_all(fd, out->data, out->size);

	if (r == 0)
		r = (int)RAW(shutdown, fd, SHUT_WR);
	return r == 0 ? read_answer(fd, ret) : r;
}

/* Give one end to the command that runs us. */
static int pass_end(int command, int end)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte = 0;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof(control.space)};

	memset(&control, 0, sizeof(control));
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.align), &end, sizeof(int));
	long r = RAW(sendmsg, command, &message, MSG_NOSIGNAL);

	return r < 0 ? (int)r : 0;
}

/* --- a reporter of our own --------------------------------------------------------------------------- */

static bool is_file(const char *path)
{
	return path[0] != '\0' && RAW(access, path, X_OK) == 0;
}

/* Found at the start, when the file system is still as it was. */
static char reporter_path[512];

static void append(char *to, size_t size, const char *text)
{
	size_t n = strlen(to), more = strlen(text);

	if (n + more < size)
		memcpy(to + n, text, more + 1);
	else
		to[0] = '\0';
}

static void beside(const char *file)
{
	const char *slash = strrchr(file, '/');
	size_t n = slash != NULL ? (size_t)(slash - file) + 1 : 0;

	reporter_path[0] = '\0';
	if (n == 0 || n + sizeof("stasis") > sizeof(reporter_path))
		return;
	memcpy(reporter_path, file, n);
	memcpy(reporter_path + n, "stasis", sizeof("stasis"));
}

void sts_send_prepare(const char *library)
{
	const char *named = sts_environment(STS_RAW_REPORTER_VARIABLE);

	if (named != NULL) {
		append(reporter_path, sizeof(reporter_path), named);
		return;
	}
	if (library != NULL)
		beside(library);
	if (!is_file(reporter_path)) {
		reporter_path[0] = '\0';
		append(reporter_path, sizeof(reporter_path), STS_BINDIR "/stasis");
	}
}

static bool is_ours(const char *entry)
{
	return strncmp(entry, "LD_", 3) == 0 || strncmp(entry, STS_RAW_FD_VARIABLE, strlen(STS_RAW_FD_VARIABLE)) == 0;
}

static _Noreturn void become_reporter(int end, char **environment)
{
	static char name[] = "stasis", command[] = "leaks", option[] = STS_RAW_REPORTER_OPTION;
	char *const arguments[] = {name, command, option, NULL};
	uint64_t none = 0;
	size_t n = 0;

	for (char **e = environ; e != NULL && *e != NULL && n + 1 < MAX_ENVIRONMENT; e++)
		if (!is_ours(*e))
			environment[n++] = *e;
	environment[n] = NULL;
	RAW(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
	/* Standard input is the reporter's way to us; if that number is the end's own it must survive the exec. */
	if (end == 0)
		RAW(fcntl, 0, F_SETFD, 0);
	else
		RAW(dup3, end, 0, 0);
	RAW(execve, reporter_path, arguments, environment);
	sts_os_exit(127);
}

/*
 * The pid of a process of which the program hears nothing, which has started the reporter: that itself would be a child
 * like any other from its exec on.
 */
static int start_reporter(int end)
{
	static char *environment[MAX_ENVIRONMENT];
	int pid, reporter;

	if (!is_file(reporter_path))
		return -ENOENT;
	pid = sts_os_copy();
	if (pid != 0)
		return pid;
	reporter = sts_os_copy();
	if (reporter == 0)
		become_reporter(end, environment);
	RAW(close, end);
	while (RAW(wait4, reporter, NULL, __WALL, NULL) == -EINTR)
		;
	sts_os_exit(0);
}

static int by_own_reporter(const struct sts_out *out, struct answer *ret)
{
	int fds[2], pid, r;

	r = (int)RAW(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	if (r < 0)
		return r;
	pid = start_reporter(fds[1]);
	RAW(close, fds[1]);
	r = pid < 0 ? pid : converse(fds[0], out, ret);
	RAW(close, fds[0]);
	if (pid > 0 && r == -ETIMEDOUT)
		RAW(kill, pid, SIGKILL); /* and the reporter with it */
	if (pid > 0)
		sts_os_reap(pid);
	return r;
}

static int by_command(const struct sts_out *out, struct answer *ret)
{
	int fds[2], r;

	if (sts_settings.reporter_fd < 0)
		return -EBADF;
	r = (int)RAW(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	if (r < 0)
		return r;
	r = pass_end(sts_settings.reporter_fd, fds[1]);
	RAW(close, fds[1]);
	if (r == 0)
		r = converse(fds[0], out, ret);
	RAW(close, fds[0]);
	return r;
}

static _Noreturn void send_from_copy(int (*way)(const struct sts_out *, struct answer *), const struct sts_out *out,
				     struct answer *a)
{
	enum { FIRST_FREE = 3, FREED = 16 };

	for (int fd = FIRST_FREE; fd < FIRST_FREE + FREED; fd++)
		if (fd != sts_settings.reporter_fd)
			RAW(close, fd);
	a->result = way(out, a);
	sts_os_exit(0);
}

/* Where all descriptors are in use a copy of the process, which has its own, does it. */
static int send_by(int (*way)(const struct sts_out *, struct answer *), const struct sts_out *out, struct answer *ret)
{
	struct answer *a;
	void *p;
	int pid, r = way(out, ret);

	if (r != -EMFILE || sts_os_map_shared(sizeof(*a), &p) < 0)
		return r;
	a = p;
	a->result = r;
	pid = sts_os_copy();
	if (pid == 0)
		send_from_copy(way, out, a);
	if (pid > 0) {
		sts_os_reap(pid);
		*ret = *a;
		r = a->result;
	}
	sts_os_unmap(p, sizeof(*a));
	return r;
}

int sts_send(const struct sts_out *out, int found, struct sts_held *held)
{
	static struct answer answer; /* large, and of one check at a time */
	int r = send_by(by_command, out, &answer);

	held->n = 0;

	/* Nobody but a command wants to hear that there is nothing, or of what is reachable. */
	if (r < 0 && found == 0 && !sts_settings.show_reachable)
		return 0;
	if (r < 0)
		r = send_by(by_own_reporter, out, &answer);
	if (r == 0) {
		*held = answer.held;
		return answer.verdict.leaks > INT32_MAX ? INT32_MAX : (int)answer.verdict.leaks;
	}
	sts_plain_print(out, r);
	return found;
}
