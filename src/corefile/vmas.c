/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is mapped, and how much of it belongs into a core: the rules of the
 * kernel's vma_dump_size() (fs/coredump.c) with what can be seen from outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "corefile/corefile.h"
#include "util/cleanup.h"

/* Bits of coredump_filter: core(5). */
enum {
	FILTER_ANON_PRIVATE = 1 << 0,
	FILTER_ANON_SHARED = 1 << 1,
	FILTER_MAPPED_PRIVATE = 1 << 2,
	FILTER_MAPPED_SHARED = 1 << 3,
	FILTER_ELF_HEADERS = 1 << 4,
	FILTER_HUGETLB_PRIVATE = 1 << 5,
	FILTER_HUGETLB_SHARED = 1 << 6,
	FILTER_DAX_PRIVATE = 1 << 7,
	FILTER_DAX_SHARED = 1 << 8,
};

#define DELETED " (deleted)"

/* --- the list ------------------------------------------------------------------- */

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool ends_with(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	return len >= n && strcmp(s + len - n, suffix) == 0;
}

/* /proc writes a newline in a name as \012 and leaves everything else alone. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (strncmp(s, "\\012", 4) == 0) {
			*to++ = '\n';
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* Shared memory that was given a name with prctl(2) shows that in place of its file's. */
static char *path_of(const struct stasis_map *map)
{
	if (starts_with(map->path, "[anon_shmem:"))
		return strdup("/dev/zero" DELETED);
	char *path = strdup(map->path);
	if (path)
		unescape(path);
	return path;
}

static int vma_add(void *arg, const struct stasis_map *map)
{
	struct sts_core_vmas *vmas = arg;

	if (vmas->n == vmas->cap) {
		size_t cap = vmas->cap ? 2 * vmas->cap : 64;
		struct sts_core_vma *list = reallocarray(vmas->list, cap, sizeof *list);

		if (!list)
			return -ENOMEM;
		vmas->list = list;
		vmas->cap = cap;
	}
	struct sts_core_vma *vma = &vmas->list[vmas->n];
	*vma = (struct sts_core_vma){
		.start = map->start,
		.end = map->end,
		.offset = map->offset,
		.readable = map->readable,
		.writable = map->writable,
		.executable = map->executable,
		.shared = map->shared,
		.has_file = map->inode || map->device_major || map->device_minor || map->path[0] == '/',
		/* Where there is no smaps to ask: what could have been written to was. */
		.touched = !map->shared && map->writable,
		.path = path_of(map),
	};
	if (!vma->path)
		return -ENOMEM;
	vmas->n++;
	return 0;
}

void sts_core_vmas_fini(struct sts_core_vmas *vmas)
{
	for (size_t i = 0; i < vmas->n; i++)
		free(vmas->list[i].path);
	free(vmas->list);
	*vmas = (struct sts_core_vmas){0};
}

/* --- smaps ------------------------------------------------------------------------- */

static struct sts_core_vma *vma_at(struct sts_core_vmas *vmas, size_t *i, uint64_t start)
{
	while (*i < vmas->n && vmas->list[*i].start < start)
		(*i)++;
	return *i < vmas->n && vmas->list[*i].start == start ? &vmas->list[*i] : NULL;
}

static void flags_parse(struct sts_core_vma *vma, const char *flags)
{
	for (; flags[0] && flags[1]; flags += strcspn(flags, " ")) {
		flags += strspn(flags, " ");
		vma->dont_dump |= starts_with(flags, "dd");
		vma->io |= starts_with(flags, "io");
		vma->hugetlb |= starts_with(flags, "ht");
		vma->huge_advised |= starts_with(flags, "hg");
		vma->user_faults |= starts_with(flags, "um") || starts_with(flags, "ui");
	}
}

static void smaps_line(struct sts_core_vma *vma, const char *line)
{
	uint64_t kb;

	if (starts_with(line, "VmFlags: "))
		flags_parse(vma, line + strlen("VmFlags: "));
	else if (sscanf(line, "Anonymous: %" SCNu64 " kB", &kb) == 1 || sscanf(line, "Swap: %" SCNu64 " kB", &kb) == 1)
		vma->touched |= kb > 0;
}

static void smaps_merge(FILE *file, struct sts_core_vmas *vmas)
{
	_cleanup_free_ char *line = NULL;
	struct sts_core_vma *vma = NULL;
	size_t cap = 0, i = 0;
	uint64_t start, end;

	while (getline(&line, &cap, file) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
			vma = vma_at(vmas, &i, start);
			if (vma)
				vma->touched = false;
		} else if (vma) {
			smaps_line(vma, line);
		}
	}
}

int sts_core_vmas_read(struct stasis_session *session, pid_t pid, pid_t tid, struct sts_core_vmas *ret)
{
	char path[64];
	int r = stasis_maps_each(session, pid, vma_add, ret);

	if (r < 0)
		return r;
	snprintf(path, sizeof path, "/proc/%d/smaps", tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : errno == ESRCH ? STASIS_E_GONE : -errno; /* a kernel may be without it */
	smaps_merge(file, ret);
	fclose(file);
	return 0;
}

/* --- how much belongs into the core -------------------------------------------------- */

bool sts_core_vma_is_special(const struct sts_core_vma *vma)
{
	return vma->path[0] == '[' && !vma->has_file && !starts_with(vma->path, "[heap") &&
	       !starts_with(vma->path, "[stack") && !starts_with(vma->path, "[anon");
}

bool sts_core_vma_is_unlinked(const struct sts_core_vma *vma)
{
	return ends_with(vma->path, DELETED);
}

void sts_core_map_file_path(pid_t tid, const struct sts_core_vma *vma, char *buf, size_t size)
{
	snprintf(buf, size, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, tid, vma->start, vma->end);
}

/* The file behind a mapping, without asking a remote file system. Needs privilege: false says nothing. */
static bool vma_stat(pid_t tid, const struct sts_core_vma *vma, struct statx *ret)
{
	char path[80];

	sts_core_map_file_path(tid, vma, path, sizeof path);
	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_NLINK, ret) == 0;
}

/* The kernel looks at the link count; another name of the file can be left when this one is gone. */
static bool has_no_link(pid_t tid, const struct sts_core_vma *vma)
{
	struct statx st;

	if (!sts_core_vma_is_unlinked(vma))
		return false;
	return !vma_stat(tid, vma, &st) || !(st.stx_mask & STATX_NLINK) || st.stx_nlink == 0;
}

/* File systems advise huge pages for what they map with DAX: no need to look at other files. */
static bool is_dax(pid_t tid, const struct sts_core_vma *vma)
{
	struct statx st;

	return vma->has_file && vma->huge_advised && vma_stat(tid, vma, &st) && (st.stx_attributes & STATX_ATTR_DAX);
}

static bool has_elf_header(struct stasis_session *session, pid_t pid, const struct sts_core_vma *vma)
{
	char magic[SELFMAG];

	return stasis_memory_read(session, pid, vma->start, magic, sizeof magic, NULL) == 0 &&
	       memcmp(magic, ELFMAG, SELFMAG) == 0;
}

struct chooser {
	struct stasis_session *session;
	pid_t pid, tid;
	unsigned filter;
};

static uint64_t choose(const struct chooser *c, const struct sts_core_vma *vma)
{
	uint64_t whole = vma->end - vma->start;

	if (sts_core_vma_is_special(vma))
		return whole;
	if (vma->dont_dump)
		return 0;
	if (is_dax(c->tid, vma))
		return c->filter & (vma->shared ? FILTER_DAX_SHARED : FILTER_DAX_PRIVATE) ? whole : 0;
	if (vma->hugetlb)
		return c->filter & (vma->shared ? FILTER_HUGETLB_SHARED : FILTER_HUGETLB_PRIVATE) ? whole : 0;
	if (vma->io)
		return 0;
	if (vma->shared)
		return c->filter & (has_no_link(c->tid, vma) ? FILTER_ANON_SHARED : FILTER_MAPPED_SHARED) ? whole : 0;
	if (vma->touched && (c->filter & FILTER_ANON_PRIVATE))
		return whole;
	if (!vma->has_file)
		return 0;
	if (c->filter & FILTER_MAPPED_PRIVATE)
		return whole;
	if ((c->filter & FILTER_ELF_HEADERS) && vma->offset == 0 && vma->readable &&
	    has_elf_header(c->session, c->pid, vma))
		return STS_CORE_PAGE;
	return 0;
}

int sts_core_vmas_choose(struct stasis_session *session, pid_t pid, pid_t tid, struct sts_core_vmas *vmas)
{
	struct chooser c = {session, pid, tid, sts_core_filter_read(tid)};

	for (size_t i = 0; i < vmas->n; i++)
		vmas->list[i].dump = choose(&c, &vmas->list[i]);
	return 0;
}
