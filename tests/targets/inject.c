// SPDX-License-Identifier: BSD-2-Clause
/* Calls that are tampered with, and what the program itself sees of it. One line for each answer. */
#include "shared.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

static void tell(const char *name, long result)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%s %ld %d\n", name, result, result == -1 ? errno : 0);

	if (write(1, line, (size_t)n) != n)
		_exit(STS_TARGET_BROKEN);
}

/* As often as asked for, of a few kinds. */
static void calls(int n)
{
	for (int i = 0; i < n; i++) {
		errno = 0;
		tell("umask", syscall(SYS_umask, 022));
		errno = 0;
		tell("mkdir", syscall(SYS_mkdir, "made", 0700));
		errno = 0;
		tell("rmdir", syscall(SYS_rmdir, "made"));
	}
}

static void *in_thread(void *arg)
{
	calls(*(int *)arg);
	return NULL;
}

static void threads(int n)
{
	for (int i = 0; i < 2; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, in_thread, &n) || pthread_join(thread, NULL))
			sts_target_fail("thread");
		calls(n);
	}
}

static atomic_int signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void with_signals(int n)
{
	signal(SIGUSR1, on_signal);
	calls(n);
	tell("signals", signals);
}

static void *slow(void *arg)
{
	syscall(SYS_umask, 022);
	return arg;
}

/* One thread makes one call; this one many others, and it does not wait for the first. */
static void busy(int n)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, slow, NULL))
		sts_target_fail("thread");
	for (int i = 0; i < n; i++)
		syscall(SYS_getuid);
	tell("busy", n);
}

/* Seconds are what a delay makes of them, by the program's own clock. */
static void timed(int milliseconds)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	syscall(SYS_umask, 022);
	clock_gettime(CLOCK_MONOTONIC, &b);
	long long passed = (b.tv_sec - a.tv_sec) * 1000LL + (b.tv_nsec - a.tv_nsec) / 1000000;
	tell("enough", passed >= milliseconds);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 1;

	if (strcmp(what, "calls") == 0)
		calls(n);
	else if (strcmp(what, "threads") == 0)
		threads(n);
	else if (strcmp(what, "signals") == 0)
		with_signals(n);
	else if (strcmp(what, "busy") == 0)
		busy(n);
	else if (strcmp(what, "timed") == 0)
		timed(n);
	else
		return STS_TARGET_BROKEN;
	_exit(0);
}
