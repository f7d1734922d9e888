/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process and its children have used, from /proc: the kernel tells the
 * wait functions of ended children only, and of both in one sum.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "netbsd/netbsd.h"
#include "util/cleanup.h"

#define NS_PER_US 1000
#define US_PER_S 1000000

/* The text of a file of the process; whether it could be read. */
static bool read_file(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : -1;

	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static struct timeval time_of(uint64_t us)
{
	return (struct timeval){.tv_sec = (time_t)(us / US_PER_S), .tv_usec = (suseconds_t)(us % US_PER_S)};
}

/* The sum of both in microseconds; 0 if the kernel does not tell. */
static uint64_t cpu_time(pid_t pid)
{
	clockid_t clock;
	struct timespec ts;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) != 0)
		return 0;
	return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / NS_PER_US;
}

/* In the kernel's ticks: exact is the sum alone, which is shared out as they are. */
static void fill_times(struct rusage *usage, unsigned long user, unsigned long system, uint64_t sum)
{
	uint64_t us_per_tick = US_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);

	if (sum == 0)
		sum = (user + system) * us_per_tick;
	uint64_t in_user = user + system > 0 ? sum * user / (user + system) : sum;
	usage->ru_utime = time_of(in_user);
	usage->ru_stime = time_of(sum - in_user);
}

static long field(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

void sts_netbsd_usage(pid_t pid, struct rusage *self, struct rusage *children)
{
	char buf[4096];
	unsigned long user = 0, system = 0, child_user = 0, child_system = 0;

	memset(self, 0, sizeof *self);
	memset(children, 0, sizeof *children);
	if (!read_file(pid, "stat", buf, sizeof buf))
		return;
	const char *rest = strrchr(buf, ')'); /* the name may hold anything */
	if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %ld %ld %ld %ld %lu %lu %lu %lu", &self->ru_minflt,
			    &children->ru_minflt, &self->ru_majflt, &children->ru_majflt, &user, &system, &child_user,
			    &child_system) != 8)
		return;
	fill_times(self, user, system, cpu_time(pid));
	fill_times(children, child_user, child_system, 0);
	if (!read_file(pid, "status", buf, sizeof buf))
		return;
	self->ru_maxrss = field(buf, "\nVmHWM:");
	self->ru_nvcsw = field(buf, "\nvoluntary_ctxt_switches:");
	self->ru_nivcsw = field(buf, "\nnonvoluntary_ctxt_switches:");
}

static struct timeval time_sum(struct timeval a, struct timeval b, int sign)
{
	int64_t us = (int64_t)a.tv_sec * US_PER_S + a.tv_usec + sign * ((int64_t)b.tv_sec * US_PER_S + b.tv_usec);

	return time_of(us > 0 ? (uint64_t)us : 0);
}

void sts_netbsd_usage_add(struct rusage *to, const struct rusage *what, int sign)
{
	to->ru_utime = time_sum(to->ru_utime, what->ru_utime, sign);
	to->ru_stime = time_sum(to->ru_stime, what->ru_stime, sign);
	to->ru_minflt += sign * what->ru_minflt;
	to->ru_majflt += sign * what->ru_majflt;
}
