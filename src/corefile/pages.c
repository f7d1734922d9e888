/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pages of a mapping can hold anything. Reading a page that was never
 * there would bring it into being (in shared memory for good), and take as long
 * as reading one that was.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "corefile/corefile.h"

/* Reading over a gap of so many pages costs less than another request. */
#define MAX_GAP 16
/* Of a pagemap entry: present, swapped. */
#define HAS_PAGE (UINT64_C(3) << 62)

/* Shared memory keeps pages that this process never touched; its file knows them. Needs privilege. */
static int open_shared_memory(pid_t tid, const struct sts_core_vma *vma)
{
	char path[80];
	struct stat st;

	sts_core_map_file_path(tid, vma, path, sizeof path);
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

void sts_core_pages_init(struct sts_core_pages *p, const struct sts_core_vma *vma, pid_t tid, int pagemap,
			 uint64_t *entries)
{
	*p = (struct sts_core_pages){.vma = vma, .fd = -1, .entries = entries, .max_gap = MAX_GAP};
	if (vma->user_faults) {
		p->how = pagemap < 0 ? STS_CORE_PAGES_NONE : STS_CORE_PAGES_PAGEMAP;
		p->fd = pagemap;
		p->max_gap = 0;
	} else if (!vma->shared && !vma->has_file && !sts_core_vma_is_special(vma) && pagemap >= 0) {
		p->how = STS_CORE_PAGES_PAGEMAP;
		p->fd = pagemap;
	} else if (vma->shared && sts_core_vma_is_unlinked(vma)) {
		p->fd = open_shared_memory(tid, vma);
		if (p->fd >= 0)
			p->how = STS_CORE_PAGES_FILE;
	}
}

void sts_core_pages_fini(struct sts_core_pages *p)
{
	if (p->how == STS_CORE_PAGES_FILE)
		close(p->fd);
	p->fd = -1;
}

/* Have the entry of `addr` at hand. A range the pagemap says nothing of has no pages (the vsyscall page, say). */
static int entry(struct sts_core_pages *p, uint64_t addr, uint64_t *ret)
{
	if (addr < p->base || addr >= p->base + p->n * STS_CORE_PAGE) {
		off_t at = addr / STS_CORE_PAGE * sizeof *p->entries;
		uint64_t left = (p->vma->end - addr) / STS_CORE_PAGE;
		size_t want = left < STS_CORE_PAGES_ENTRIES ? left : STS_CORE_PAGES_ENTRIES;
		ssize_t n = pread(p->fd, p->entries, want * sizeof *p->entries, at);

		if (n < 0)
			return -errno;
		if (n < (ssize_t)sizeof *p->entries)
			return STASIS_E_GONE; /* its memory was taken down */
		p->base = addr;
		p->n = n / sizeof *p->entries;
	}
	*ret = p->entries[(addr - p->base) / STS_CORE_PAGE];
	return 0;
}

/* First page at or after `from` that is (or is not) there; `limit` if there is none. */
static int pagemap_seek(struct sts_core_pages *p, uint64_t from, uint64_t limit, bool there, uint64_t *ret)
{
	uint64_t e = 0;

	for (; from < limit; from += STS_CORE_PAGE) {
		int r = entry(p, from, &e);

		if (r < 0)
			return r;
		if (!(e & HAS_PAGE) == !there)
			break;
	}
	*ret = from;
	return 0;
}

static int pagemap_next(struct sts_core_pages *p, uint64_t from, uint64_t limit, uint64_t *start_ret, uint64_t *end_ret)
{
	uint64_t start, end, next;
	int r = pagemap_seek(p, from, limit, true, &start);

	if (r < 0 || start == limit)
		return r;
	r = pagemap_seek(p, start, limit, false, &end);
	while (r == 0 && end < limit && p->max_gap) {
		uint64_t far = limit - end > p->max_gap * STS_CORE_PAGE ? end + p->max_gap * STS_CORE_PAGE : limit;

		r = pagemap_seek(p, end, far, true, &next);
		if (r < 0 || next == far)
			break;
		r = pagemap_seek(p, next, limit, false, &end);
	}
	if (r < 0)
		return r;
	*start_ret = start;
	*end_ret = end;
	return 1;
}

static int file_next(struct sts_core_pages *p, uint64_t from, uint64_t limit, uint64_t *start_ret, uint64_t *end_ret)
{
	const struct sts_core_vma *vma = p->vma;
	off_t data = lseek(p->fd, (off_t)(vma->offset + (from - vma->start)), SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? 0 : -errno;
	uint64_t start = vma->start + (data - vma->offset);
	if (start >= limit)
		return 0;
	off_t hole = lseek(p->fd, data, SEEK_HOLE);
	if (hole < 0)
		return -errno;
	uint64_t end = vma->start + (hole - vma->offset);
	end = (end + STS_CORE_PAGE - 1) / STS_CORE_PAGE * STS_CORE_PAGE;
	*start_ret = start / STS_CORE_PAGE * STS_CORE_PAGE;
	*end_ret = end < limit ? end : limit;
	return 1;
}

int sts_core_pages_next(struct sts_core_pages *p, uint64_t from, uint64_t limit, uint64_t *start_ret, uint64_t *end_ret)
{
	if (from >= limit)
		return 0;
	if (p->how == STS_CORE_PAGES_PAGEMAP)
		return pagemap_next(p, from, limit, start_ret, end_ret);
	if (p->how == STS_CORE_PAGES_FILE) {
		int r = file_next(p, from, limit, start_ret, end_ret);

		if (r >= 0)
			return r;
		sts_core_pages_fini(p); /* it cannot tell */
		p->how = STS_CORE_PAGES_ALL;
	}
	if (p->how == STS_CORE_PAGES_NONE)
		return 0;
	*start_ret = from;
	*end_ret = limit;
	return 1;
}
