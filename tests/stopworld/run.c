// SPDX-License-Identifier: BSD-2-Clause
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { SKIP = 77 };

static unsigned time_factor(void)
{
	const char *text = getenv("STASIS_TEST_TIME_FACTOR");

	return text != NULL && atoi(text) > 0 ? (unsigned)atoi(text) : 1;
}

static void run_child(const char *const argv[], const char *path, unsigned seconds, int out)
{
	char limit[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(limit, sizeof(limit), "%u", seconds);
	setenv("WORLD_SECONDS", limit, 1);
	dup2(out, 1);
	dup2(out, 2);
	execvp(path, (char *const *)argv);
	dprintf(2, "%s: %s\n", path, strerror(errno));
	_exit(1);
}

/* All it says, until everybody has closed the pipe; false if that takes too long. */
static bool collect(int fd, unsigned seconds, char *text, size_t size)
{
	uint64_t until = sts_now_ms() + seconds * 1000ull;
	size_t done = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		uint64_t now = sts_now_ms();
		char more[512];
		ssize_t n;

		if (now >= until || poll(&p, 1, (int)(until - now)) == 0)
			return false;
		n = read(fd, more, sizeof(more));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n && done < size - 1; i++)
			text[done++] = more[i];
		text[done] = '\0';
	}
	return true;
}

void world_run_argv(unsigned seconds, const char *const argv[])
{
	const char *path = strncmp(argv[0], "world", 5) == 0 ? sts_target_path(argv[0]) : argv[0];
	char text[8192] = "";
	int fds[2], status;
	bool ended;
	pid_t pid;

	seconds *= time_factor();
	STS_SYS(pipe2(fds, O_CLOEXEC));
	pid = sts_fork();
	if (pid == 0)
		run_child(argv, path, seconds, fds[1]);
	close(fds[1]);
	ended = collect(fds[0], seconds + 5, text, sizeof(text));
	close(fds[0]);
	if (!ended)
		sts_kill_reap(pid);
	fprintf(stderr, "%s", text);
	if (!ended)
		atf_tc_fail("it does not end");
	status = sts_reap(pid);
	/* Kyua wants reasons of one line. */
	for (char *p = text; *p != '\0'; p++)
		*p = *p == '\n' ? ';' : *p;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP)
		atf_tc_skip("%s", text);
	if (status != 0)
		atf_tc_fail("status %#x: %s", status, text);
}
