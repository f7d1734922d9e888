/* SPDX-License-Identifier: BSD-2-Clause */
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIFETIME_SECONDS = 900 };

struct storm_shared *storm_open(const char *path)
{
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		_exit(120);
	void *p = mmap(NULL, sizeof(struct storm_shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		_exit(121);
	/* If all who should end this program die, it does not storm on for ever. */
	alarm(LIFETIME_SECONDS);
	return p;
}

void storm_fail(struct storm_shared *sh, const char *format, ...)
{
	va_list args;

	if (atomic_fetch_add(&sh->failures, 1) > 0)
		return;
	va_start(args, format);
	vsnprintf(sh->failure, sizeof sh->failure, format, args);
	va_end(args);
}

void storm_post(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store(word, value);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void storm_gate(struct storm_shared *sh, uint32_t gate)
{
	uint32_t open;

	storm_post(&sh->at_gate, gate);
	while ((open = atomic_load(&sh->open_gate)) < gate)
		syscall(SYS_futex, &sh->open_gate, FUTEX_WAIT, open, NULL, NULL, 0);
}

const char *storm_sibling(const char *name)
{
	static char path[PATH_MAX];

	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	if (n < 0)
		_exit(122);
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	snprintf(slash + 1, sizeof path - (size_t)(slash + 1 - path), "%s", name);
	return path;
}

uint64_t storm_number(int argc, char **argv, int i)
{
	return i < argc ? strtoull(argv[i], NULL, 0) : 0;
}

unsigned long storm_thread(struct storm_shared *sh, void *(*fn)(void *), void *arg, bool detached)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	pthread_attr_setdetachstate(&attr, detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
	/* Detached threads free their stacks a little after they end: try again when memory or pids are short. */
	while ((r = pthread_create(&thread, &attr, fn, arg)) == EAGAIN)
		sched_yield();
	pthread_attr_destroy(&attr);
	if (r) {
		storm_fail(sh, "pthread_create: %s", strerror(r));
		_exit(123);
	}
	return thread;
}

void storm_reap(struct storm_shared *sh, pid_t pid, int status)
{
	int seen;

	while (waitpid(pid, &seen, 0) < 0) {
		if (errno == EINTR)
			continue;
		storm_fail(sh, "waitpid %d: %s", pid, strerror(errno));
		return;
	}
	if (seen != status)
		storm_fail(sh, "child %d ended with status %#x, not %#x", pid, seen, status);
}
