// SPDX-License-Identifier: BSD-2-Clause
/* Target programs as plain children, and what the case shares with them. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

const char *sts_target_path(const char *name)
{
	static char ring[8][512]; /* several may be in use at once */
	static unsigned next;
	const char *dir = getenv("STASIS_TARGETS");
	char *path = ring[next++ % 8];

	if (name[0] == '/')
		return name;
	snprintf(path, sizeof(ring[0]), "%s/target-%s", dir != NULL ? dir : STS_TARGET_DIR, name);
	if (access(path, X_OK) != 0)
		atf_tc_skip("this build has no target program %s", name);
	return path;
}

pid_t sts_fork(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		atf_tc_fail("fork: %s", strerror(errno));
	return pid;
}

pid_t sts_start_argv(const char *const argv[])
{
	const char *path = sts_target_path(argv[0]);
	pid_t pid = sts_fork();

	if (pid == 0) {
		execv(path, (char *const *)argv);
		_exit(STS_TARGET_BROKEN);
	}
	return pid;
}

/* A direct session is the parent's own thread: what it reported as ended it has collected. */
#define COLLECTED (-1)

int sts_reap(pid_t pid)
{
	if (sts_kind() == STS_DIRECT && kill(pid, 0) < 0)
		return COLLECTED;
	int fd = (int)STS_SYS(syscall(SYS_pidfd_open, pid, 0));
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int status, n;

	do {
		n = poll(&p, 1, sts_bound_ms());
	} while (n < 0 && errno == EINTR);
	close(fd);
	if (n != 1)
		atf_tc_fail("process %d does not end; its state is %c", (int)pid, sts_proc_state(pid, pid));
	if (waitpid(pid, &status, __WALL) != pid)
		atf_tc_fail("waitpid(%d): %s", (int)pid, strerror(errno));
	return status;
}

void sts_reap_exit(pid_t pid, int wanted)
{
	int status = sts_reap(pid);

	if (status != COLLECTED && (!WIFEXITED(status) || WEXITSTATUS(status) != wanted))
		atf_tc_fail("process %d ended with wait status %#x, not by exit(%d)", (int)pid, (unsigned)status,
			    wanted);
}

void sts_kill_reap(pid_t pid)
{
	int status;

	STS_SYS(kill(pid, SIGKILL));
	status = sts_reap(pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		atf_tc_fail("process %d ended with wait status %#x before it was killed", (int)pid, (unsigned)status);
}

/* The descriptor stays open for the targets to come; the watch at the end of the case must not see it. */
static struct sts_shared *shared;
static int shared_fd = -1;

void sts_shared_release(void)
{
	if (shared_fd >= 0)
		close(shared_fd);
	shared_fd = -1;
}

struct sts_shared *sts_shared(void)
{
	char path[64];

	if (shared != NULL)
		return shared;
	shared_fd = (int)STS_SYS(memfd_create("sts-shared", MFD_CLOEXEC));
	STS_SYS(ftruncate(shared_fd, sizeof(*shared)));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
	ATF_REQUIRE(shared != MAP_FAILED);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), shared_fd);
	STS_SYS(setenv("STASIS_SHARED", path, 1));
	return shared;
}

void sts_await_counter(unsigned i, uint64_t value)
{
	const struct timespec pause = {.tv_nsec = 200000};
	uint64_t deadline = sts_now_ms() + (uint64_t)sts_bound_ms();

	while (sts_shared()->counter[i] < value) {
		if (sts_now_ms() > deadline)
			atf_tc_fail("counter %u stays at %llu and does not reach %llu", i,
				    (unsigned long long)sts_shared()->counter[i], (unsigned long long)value);
		nanosleep(&pause, NULL);
	}
}
