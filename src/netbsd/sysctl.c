/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl(3), as far as tracers ask it: from /proc. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysctl.h>
#include <unistd.h>
#include "netbsd/netbsd.h"
#include "util/cleanup.h"

static int proc_open(pid_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		errno = ESRCH;
	return fd;
}

/* Without a buffer the size alone is asked for. */
static int give(const void *data, size_t size, void *old, size_t *old_size)
{
	size_t room = *old_size;

	*old_size = size;
	if (!old)
		return 0;
	memcpy(old, data, size < room ? size : room);
	return size <= room ? 0 : ENOMEM;
}

/* --- processes ------------------------------------------------------------------------ */

static void fill_state(char letter, struct kinfo_proc2 *p)
{
	bool stopped = letter == 'T' || letter == 't';

	if (letter == 'Z' || letter == 'X') {
		p->p_realstat = SZOMB;
		p->p_stat = LSZOMB;
	} else {
		p->p_realstat = stopped ? SSTOP : SACTIVE;
		p->p_stat = stopped ? LSSTOP : letter == 'R' ? LSRUN : LSSLEEP;
	}
}

static void fill_line(const char *line, struct kinfo_proc2 *p)
{
	char letter;
	unsigned long lwps;

	if (sscanf(line, "Name:\t%15[^\n]", p->p_comm) == 1)
		return;
	if (sscanf(line, "State:\t%c", &letter) == 1)
		fill_state(letter, p);
	else if (sscanf(line, "Threads:\t%lu", &lwps) == 1)
		p->p_nlwps = lwps;
	else if (sscanf(line, "PPid:\t%d", &p->p_ppid) != 1 && sscanf(line, "Uid:\t%u\t%u", &p->p_ruid, &p->p_uid) != 2)
		(void)!sscanf(line, "Gid:\t%u\t%u", &p->p_rgid, &p->p_gid);
}

static int process(const int *name, void *old, size_t *old_size)
{
	struct kinfo_proc2 p = {.p_pid = name[3]};
	char line[256];
	int fd = proc_open(p.p_pid, "status");
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!f)
		return fd >= 0 ? ENOMEM : errno;
	while (fgets(line, sizeof line, f))
		fill_line(line, &p);
	fclose(f);
	p.p__pgid = getpgid(p.p_pid);
	p.p_sid = getsid(p.p_pid);
	size_t size = (size_t)name[4];
	return give(&p, size < sizeof p ? size : sizeof p, old, old_size);
}

/* --- arguments, environment, path ------------------------------------------------------------ */

static int contents(pid_t pid, const char *file, void *old, size_t *old_size)
{
	_cleanup_close_ int fd = proc_open(pid, file);
	char *to = old, rest[512];
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		return errno;
	for (;;) {
		bool fits = old && size < *old_size;

		n = fits ? read(fd, to + size, *old_size - size) : read(fd, rest, sizeof rest);
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	int r = n < 0 ? errno : old && size > *old_size ? ENOMEM : 0;
	*old_size = size;
	return r;
}

static int pathname(pid_t pid, void *old, size_t *old_size)
{
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return errno == ENOENT ? ESRCH : errno;
	path[n] = '\0';
	return give(path, (size_t)n + 1, old, old_size);
}

static int arguments(const int *name, void *old, size_t *old_size)
{
	pid_t pid = name[2] == -1 ? getpid() : name[2];

	switch (name[3]) {
	case KERN_PROC_ARGV:
		return contents(pid, "cmdline", old, old_size);
	case KERN_PROC_ENV:
		return contents(pid, "environ", old, old_size);
	case KERN_PROC_PATHNAME:
		return pathname(pid, old, old_size);
	default:
		return EINVAL;
	}
}

int sysctl(const int *name, unsigned count, void *old, size_t *old_size, const void *new_value, size_t new_size)
{
	int r = ENOENT;

	if (new_value)
		r = EPERM;
	else if (!old_size)
		r = EFAULT;
	else if (count == 6 && name[0] == CTL_KERN && name[1] == KERN_PROC2 && name[2] == KERN_PROC_PID)
		r = process(name, old, old_size);
	else if (count == 4 && name[0] == CTL_KERN && name[1] == KERN_PROC_ARGS)
		r = arguments(name, old, old_size);
	if (r == 0)
		return 0;
	errno = r;
	return -1;
}
