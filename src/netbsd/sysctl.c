/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl(3), as far as tracers ask it: from /proc. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysctl.h>
#include <sys/utsname.h>
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

static bool fill_signals(const char *line, struct kinfo_proc2 *p)
{
	const struct {
		const char *format;
		ki_sigset_t *set;
	} sets[] = {
		{"SigPnd:\t%" SCNx64, &p->p_siglist},  {"ShdPnd:\t%" SCNx64, &p->p_siglist},
		{"SigBlk:\t%" SCNx64, &p->p_sigmask},  {"SigIgn:\t%" SCNx64, &p->p_sigignore},
		{"SigCgt:\t%" SCNx64, &p->p_sigcatch},
	};
	uint64_t signals;

	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		if (sscanf(line, sets[i].format, &signals) != 1)
			continue;
		sets[i].set->__bits[0] |= (uint32_t)signals;
		sets[i].set->__bits[1] |= (uint32_t)(signals >> 32);
		return true;
	}
	return false;
}

static void fill_line(const char *line, struct kinfo_proc2 *p)
{
	char letter;
	unsigned long lwps;

	if (sscanf(line, "Name:\t%15[^\n]", p->p_comm) == 1 || fill_signals(line, p))
		return;
	if (sscanf(line, "State:\t%c", &letter) == 1)
		fill_state(letter, p);
	else if (sscanf(line, "Threads:\t%lu", &lwps) == 1)
		p->p_nlwps = lwps;
	else if (sscanf(line, "PPid:\t%d", &p->p_ppid) != 1 &&
		 sscanf(line, "Uid:\t%u\t%u\t%u", &p->p_ruid, &p->p_uid, &p->p_svuid) != 3)
		(void)!sscanf(line, "Gid:\t%u\t%u\t%u", &p->p_rgid, &p->p_gid, &p->p_svgid);
}

int sts_netbsd_process(pid_t pid, struct kinfo_proc2 *ret)
{
	struct kinfo_proc2 p = {.p_pid = pid};
	char line[256];
	int fd = proc_open(pid, "status");
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!f)
		return fd >= 0 ? ENOMEM : errno;
	while (fgets(line, sizeof line, f))
		fill_line(line, &p);
	fclose(f);
	p.p__pgid = getpgid(pid);
	p.p_sid = getsid(pid);
	*ret = p;
	return 0;
}

static bool is_chosen(const struct kinfo_proc2 *p, int by, int whose)
{
	switch (by) {
	case KERN_PROC_ALL:
		return true;
	case KERN_PROC_PID:
		return p->p_pid == whose;
	case KERN_PROC_PGRP:
		return p->p__pgid == whose;
	case KERN_PROC_SESSION:
		return p->p_sid == whose;
	case KERN_PROC_UID:
		return p->p_uid == (unsigned)whose;
	case KERN_PROC_RUID:
		return p->p_ruid == (unsigned)whose;
	case KERN_PROC_GID:
		return p->p_gid == (unsigned)whose;
	default:
		return p->p_rgid == (unsigned)whose;
	}
}

/* An array in the making. */
struct list {
	char *at;
	size_t element, room, wanted; /* room and wanted: numbers of elements */
};

static void list_add(struct list *l, const struct kinfo_proc2 *p)
{
	size_t size = l->element < sizeof *p ? l->element : sizeof *p;

	if (l->wanted++ >= l->room)
		return;
	memset(l->at, 0, l->element);
	memcpy(l->at, p, size);
	l->at += l->element;
}

static int list_all(struct list *l, int by, int whose)
{
	struct kinfo_proc2 p;
	const struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (!dir)
		return errno;
	while ((entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		/* Whoever has gone meanwhile is left out. */
		if (pid > 0 && sts_netbsd_process(pid, &p) == 0 && is_chosen(&p, by, whose))
			list_add(l, &p);
	}
	closedir(dir);
	return 0;
}

/* Who only asks how much there is will ask again; there may be more by then. */
#define SLOP 256

static int processes(const int *name, void *old, size_t *old_size)
{
	struct list l = {.at = old, .element = (size_t)name[4]};
	struct kinfo_proc2 p;
	int r = 0;

	if (name[2] < KERN_PROC_ALL || name[2] > KERN_PROC_RGID || name[2] == 4 || name[4] <= 0 || name[5] < 0)
		return EINVAL;
	if (old) {
		l.room = *old_size / l.element;
		l.room = l.room < (size_t)name[5] ? l.room : (size_t)name[5];
	}
	if (name[2] != KERN_PROC_PID)
		r = list_all(&l, name[2], name[3]);
	else if (sts_netbsd_process(name[3], &p) == 0)
		list_add(&l, &p);
	if (r != 0)
		return r;
	size_t number = !old ? l.wanted + SLOP : l.wanted < l.room ? l.wanted : l.room;
	*old_size = number * l.element;
	return old && l.wanted > l.room ? ENOMEM : 0;
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

/* How many strings there are. */
static int number(pid_t pid, const char *file, void *old, size_t *old_size)
{
	_cleanup_close_ int fd = proc_open(pid, file);
	char buf[4096];
	ssize_t n;
	int strings = 0;

	if (fd < 0)
		return errno;
	while ((n = read(fd, buf, sizeof buf)) > 0)
		for (ssize_t i = 0; i < n; i++)
			strings += buf[i] == '\0';
	return n < 0 ? errno : give(&strings, sizeof strings, old, old_size);
}

static int link_of(pid_t pid, const char *file, void *old, size_t *old_size)
{
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof link, "/proc/%d/%s", (int)pid, file);
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
		return link_of(pid, "exe", old, old_size);
	case KERN_PROC_CWD:
		return link_of(pid, "cwd", old, old_size);
	case KERN_PROC_NARGV:
		return number(pid, "cmdline", old, old_size);
	case KERN_PROC_NENV:
		return number(pid, "environ", old, old_size);
	default:
		return EINVAL;
	}
}

/* --- settings ------------------------------------------------------------------------------ */

/* Linux forbids nothing of what these flags do: a tracer may write everywhere. */
static int paxflags(pid_t pid, void *old, size_t *old_size)
{
	const int none = 0;

	return kill(pid, 0) < 0 && errno == ESRCH ? ESRCH : give(&none, sizeof none, old, old_size);
}

static int give_number(long value, void *old, size_t *old_size)
{
	int number = (int)value;

	return give(&number, sizeof number, old, old_size);
}

static int setting(const char *name, void *old, size_t *old_size)
{
	struct utsname u;
	const struct {
		const char *name, *value;
	} texts[] = {{"kern.ostype", u.sysname}, {"kern.osrelease", u.release}, {"kern.hostname", u.nodename}};

	if (strcmp(name, "security.models.extensions.user_set_dbregs") == 0 || strcmp(name, "vm.user_va0_disable") == 0)
		return give_number(1, old, old_size);
	if (strcmp(name, "kern.securelevel") == 0)
		return give_number(-1, old, old_size);
	if (strcmp(name, "hw.ncpu") == 0)
		return give_number(sysconf(_SC_NPROCESSORS_CONF), old, old_size);
	if (strcmp(name, "hw.pagesize") == 0)
		return give_number(sysconf(_SC_PAGESIZE), old, old_size);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strcmp(name, texts[i].name) == 0)
			return uname(&u) < 0 ? errno : give(texts[i].value, strlen(texts[i].value) + 1, old, old_size);
	return ENOENT;
}

/* --- all of them ----------------------------------------------------------------------------- */

static int finish(int r)
{
	if (r == 0)
		return 0;
	errno = r;
	return -1;
}

int sysctl(const int *name, unsigned count, void *old, size_t *old_size, const void *new_value, size_t new_size)
{
	if (new_value)
		return finish(EPERM);
	if (!old_size)
		return finish(EFAULT);
	if (count == 6 && name[0] == CTL_KERN && name[1] == KERN_PROC2)
		return finish(processes(name, old, old_size));
	if (count == 4 && name[0] == CTL_KERN && name[1] == KERN_PROC_ARGS)
		return finish(arguments(name, old, old_size));
	if (count == 3 && name[0] == CTL_PROC && name[2] == PROC_PID_PAXFLAGS)
		return finish(paxflags(name[1], old, old_size));
	return finish(ENOENT);
}

int sysctlbyname(const char *name, void *old, size_t *old_size, const void *new_value, size_t new_size)
{
	if (new_value)
		return finish(EPERM);
	return finish(old_size ? setting(name, old, old_size) : EFAULT);
}
