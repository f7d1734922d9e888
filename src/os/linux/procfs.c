/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc tells of processes and LWPs. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "os/linux/request.h"
#include "os/os.h"
#include "util/cleanup.h"

/* --- directories -------------------------------------------------------------- */

struct linux_dirent64 {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

int sts_dir_each(int fd, int (*fn)(void *arg, const char *name), void *arg)
{
	_Alignas(struct linux_dirent64) char buf[16384];
	long n;
	int r = 0;

	while (r == 0 && (n = syscall(SYS_getdents64, fd, buf, sizeof buf)) != 0) {
		if (n < 0)
			return -errno;
		for (long at = 0; r == 0 && at < n;) {
			const struct linux_dirent64 *entry = (const void *)(buf + at);

			at += entry->reclen;
			r = fn(arg, entry->name);
		}
	}
	return r;
}

/* --- LWP listing -------------------------------------------------------------- */

struct tid_list {
	struct sts_pool *pool;
	pid_t *tids;
	size_t n, cap;
};

static int tid_list_add(void *arg, const char *name)
{
	struct tid_list *list = arg;

	if (name[0] < '0' || name[0] > '9')
		return 0;
	if (list->n == list->cap) {
		size_t cap = list->cap ? 2 * list->cap : 64;
		pid_t *tids = sts_pool_get(list->pool, cap * sizeof *tids);

		if (!tids)
			return -ENOMEM;
		if (list->tids)
			memcpy(tids, list->tids, list->n * sizeof *tids);
		sts_pool_put(list->tids);
		list->tids = tids;
		list->cap = cap;
	}
	list->tids[list->n++] = atoi(name);
	return 0;
}

/*
 * A pass over the directory can skip live LWPs while others exit, so a listing
 * counts as complete only if its length is also the directory's link count less
 * two, before and after.
 */
int sts_os_lwp_list(struct sts_pool *pool, pid_t pid, pid_t **tids_ret, size_t *n_ret, bool *complete_ret)
{
	char path[64];
	struct stat before, after;
	struct tid_list list = {.pool = pool};

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	int r = fstat(fd, &before) < 0 ? -errno : sts_dir_each(fd, tid_list_add, &list);
	if (r == 0 && fstat(fd, &after) < 0)
		r = -errno;
	if (r < 0) {
		sts_pool_put(list.tids);
		return r == -ENOENT ? -ESRCH : r;
	}
	*complete_ret = list.n + 2 == before.st_nlink && list.n + 2 == after.st_nlink;
	*tids_ret = list.tids;
	*n_ret = list.n;
	return 0;
}

/* --- status --------------------------------------------------------------------- */

static ssize_t read_file(const char *path, char *buf, size_t cap)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0)
		return -errno;
	while (len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
	}
	return len;
}

static void status_line(const char *line, struct sts_task_status *ret)
{
	int number;

	if (sscanf(line, "Tgid: %d", &number) == 1)
		ret->tgid = number;
	else if (sscanf(line, "PPid: %d", &number) == 1)
		ret->parent = number;
	else if (sscanf(line, "TracerPid: %d", &number) == 1)
		ret->tracer = number;
	else if (strncmp(line, "Name:\t", 6) == 0)
		snprintf(ret->name, sizeof ret->name, "%.15s", line + 6);
	else if (strncmp(line, "State:\t", 7) == 0)
		ret->state = line[7];
	else if (sscanf(line, "SigBlk: %" SCNx64, &ret->mask) == 1 ||
		 sscanf(line, "SigPnd: %" SCNx64, &ret->pending) == 1 ||
		 sscanf(line, "ShdPnd: %" SCNx64, &ret->shared_pending) == 1 ||
		 sscanf(line, "SigIgn: %" SCNx64, &ret->ignored) == 1 ||
		 sscanf(line, "SigCgt: %" SCNx64, &ret->caught) == 1)
		return;
}

int sts_os_task_status(pid_t pid, pid_t tid, struct sts_task_status *ret)
{
	char path[64], text[4096];
	char *save = NULL;

	snprintf(path, sizeof path, "/proc/%d/task/%d/status", pid, tid);
	ssize_t n = read_file(path, text, sizeof text - 1);
	if (n <= 0)
		return n == 0 || n == -ENOENT ? -ESRCH : (int)n;
	text[n] = '\0';
	*ret = (struct sts_task_status){0};
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		status_line(line, ret);
	return 0;
}

char sts_os_task_state(pid_t pid, pid_t tid)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	ssize_t n = read_file(path, text, sizeof text - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	const char *end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

int sts_os_exe_path(pid_t pid, char *buf, size_t cap)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	ssize_t n = readlink(path, buf, cap);
	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if ((size_t)n >= cap)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return 0;
}

int sts_os_auxv(pid_t pid, void *buf, size_t cap, size_t *len_ret)
{
	char path[64], all[4096];

	snprintf(path, sizeof path, "/proc/%d/auxv", pid);
	ssize_t n = read_file(path, all, sizeof all);
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	memcpy(buf, all, (size_t)n < cap ? (size_t)n : cap);
	*len_ret = n;
	return 0;
}

/* --- maps ------------------------------------------------------------------------- */

static bool map_parse(char *line, struct stasis_map *map)
{
	char perms[5];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &map->start, &map->end, perms,
		   &map->offset, &map->device_major, &map->device_minor, &map->inode, &at) < 7)
		return false;
	map->readable = perms[0] == 'r';
	map->writable = perms[1] == 'w';
	map->executable = perms[2] == 'x';
	map->shared = perms[3] == 's';
	map->path = at ? line + at : "";
	return true;
}

/* Whole lines of the buffer, each ended by a NUL, to fn. How many bytes they were, or what fn says if not 0. */
static int maps_lines(char *buf, size_t len, stasis_map_fn fn, void *arg, size_t *used_ret)
{
	char *line = buf, *end;
	int r = 0;

	while (r == 0 && (end = memchr(line, '\n', (size_t)(buf + len - line)))) {
		struct stasis_map map = {0};

		*end = '\0';
		if (map_parse(line, &map))
			r = fn(arg, &map);
		line = end + 1;
	}
	*used_ret = (size_t)(line - buf);
	return r;
}

/* Without stdio and its allocations: the tracing task comes here, too. */
int sts_os_maps_each(pid_t pid, stasis_map_fn fn, void *arg)
{
	char path[64], buf[4 * PATH_MAX]; /* a line holds a path, and each byte of that may be written as four */
	size_t len = 0, used;
	ssize_t n;
	int r = 0;

	snprintf(path, sizeof path, "/proc/%d/maps", pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r == 0 && (n = read(fd, buf + len, sizeof buf - len)) > 0) {
		len += (size_t)n;
		r = maps_lines(buf, len, fn, arg, &used);
		len -= used;
		memmove(buf, buf + used, len);
	}
	return r;
}

/* --- image ---------------------------------------------------------------------------- */

static enum stasis_abi abi_of_header(const unsigned char *ident, uint16_t machine)
{
	if (machine == EM_386)
		return STASIS_ABI_I386;
	if (machine == EM_X86_64)
		return ident[EI_CLASS] == ELFCLASS32 ? STASIS_ABI_X32 : STASIS_ABI_X86_64;
	return machine == EM_AARCH64 ? STASIS_ABI_AARCH64 : STASIS_ABI_UNKNOWN;
}

static int elf_header(const char *path, Elf64_Ehdr *header)
{
	ssize_t n = read_file(path, (char *)header, sizeof *header);

	if (n < 0)
		return n;
	return n >= 20 && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 ? 0 : -ENOEXEC;
}

enum stasis_abi sts_os_image_abi(pid_t pid)
{
	char path[64];
	Elf64_Ehdr header;

	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	if (elf_header(path, &header) < 0)
		return STASIS_ABI_UNKNOWN;
	return abi_of_header(header.e_ident, header.e_machine);
}

int sts_os_exec_error(const char *path)
{
	Elf64_Ehdr header;

	if (elf_header(path, &header) < 0)
		return STASIS_E_NOT_EXECUTABLE;
	switch (abi_of_header(header.e_ident, header.e_machine)) {
	case STASIS_ABI_X86_64:
	case STASIS_ABI_I386:
		return STASIS_E_NOT_EXECUTABLE;
	default:
		return STASIS_E_WRONG_MACHINE;
	}
}
