// SPDX-License-Identifier: BSD-2-Clause
/* Finding and ending processes by descent. */
#include "supervise.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PROCS = 16384 };

uint64_t sts_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void sts_append(char *buf, size_t size, const char *format, ...)
{
	size_t used = strnlen(buf, size);
	va_list ap;

	if (used + 1 >= size)
		return;
	va_start(ap, format);
	vsnprintf(buf + used, size - used, format, ap);
	va_end(ap);
}

bool sts_proc_read(pid_t pid, struct sts_proc *ret)
{
	char path[40], text[1024], *p;
	unsigned long long start;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name may hold anything, parentheses too */
	if (p == NULL || strchr(text, '(') == NULL)
		return false;
	*p = '\0';
	memset(ret, 0, sizeof(*ret));
	ret->pid = pid;
	snprintf(ret->name, sizeof(ret->name), "%s", strchr(text, '(') + 1);
	if (sscanf(p + 2, "%c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &ret->state, &ret->parent, &start) != 3)
		return false;
	ret->start = start;
	return true;
}

static size_t read_all(struct sts_proc *procs, size_t cap)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	size_t n = 0;

	if (dir == NULL)
		return 0;
	while (n < cap && (e = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 0 && sts_proc_read(pid, &procs[n]))
			n++;
	}
	closedir(dir);
	return n;
}

/* One generation further down; whether there was one. */
static bool mark_children(struct sts_proc *procs, size_t n, pid_t root)
{
	bool more = false;

	for (size_t i = 0; i < n; i++) {
		if (procs[i].below)
			continue;
		procs[i].below = procs[i].parent == root;
		for (size_t j = 0; j < n && !procs[i].below; j++)
			procs[i].below = procs[j].below && procs[j].pid == procs[i].parent;
		more |= procs[i].below;
	}
	return more;
}

size_t sts_procs_below(pid_t root, struct sts_proc *procs, size_t cap)
{
	struct sts_proc *all = calloc(MAX_PROCS, sizeof(*all));
	size_t n, kept = 0;

	if (all == NULL)
		return 0;
	n = read_all(all, MAX_PROCS);
	while (mark_children(all, n, root))
		;
	for (size_t i = 0; i < n && kept < cap; i++) {
		if (all[i].below)
			procs[kept++] = all[i];
	}
	free(all);
	return kept;
}

void sts_proc_kill(const struct sts_proc *p)
{
	int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	struct sts_proc now;

	if (fd < 0)
		return;
	if (sts_proc_read(p->pid, &now) && now.start == p->start)
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	close(fd);
}
