/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory into the file: a fixed buffer, pages of zeros left out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "corefile/corefile.h"
#include "util/cleanup.h"

#define CHUNK (1 << 20)

struct copier {
	struct stasis_session *session;
	pid_t pid, tid;
	int pagemap;
	struct sts_core_out *out;
	uint8_t *chunk;
	uint64_t *entries;
};

/*
 * One chunk. What cannot be read (beyond the end of a mapped file, a device, a
 * guard page) stays a hole. Returns 0 with how far it got, at least one page.
 */
static int copy_chunk(const struct copier *c, const struct sts_core_vma *vma, uint64_t addr, size_t len,
		      size_t *advance_ret)
{
	size_t done = 0;
	int r = stasis_memory_read(c->session, c->pid, addr, c->chunk, len, &done);

	if (r < 0 && r != STASIS_E_BAD_ADDRESS)
		return r;
	if (r < 0)
		done = 0;
	size_t pages = (done + STS_CORE_PAGE - 1) / STS_CORE_PAGE * STS_CORE_PAGE;
	memset(c->chunk + done, 0, pages - done);
	/* The page that ended a short read is passed over. */
	*advance_ret = pages < len ? (done % STS_CORE_PAGE ? pages : pages + STS_CORE_PAGE) : len;
	return sts_core_out_write_sparse(c->out, c->chunk, pages, vma->at + (addr - vma->start));
}

static int copy_run(const struct copier *c, const struct sts_core_vma *vma, uint64_t start, uint64_t end)
{
	while (start < end) {
		size_t advance;
		int r = copy_chunk(c, vma, start, end - start < CHUNK ? end - start : CHUNK, &advance);

		if (r < 0)
			return r;
		start += advance;
	}
	return 0;
}

static int copy_vma(const struct copier *c, const struct sts_core_vma *vma)
{
	uint64_t start, end = vma->start, limit = vma->start + vma->dump;
	struct sts_core_pages pages;
	int r;

	sts_core_pages_init(&pages, vma, c->tid, c->pagemap, c->entries);
	while ((r = sts_core_pages_next(&pages, end, limit, &start, &end)) > 0) {
		r = copy_run(c, vma, start, end);
		if (r < 0)
			break;
	}
	sts_core_pages_fini(&pages);
	return r;
}

int sts_core_memory_write(struct stasis_session *session, pid_t pid, pid_t tid, const struct sts_core_vmas *vmas,
			  struct sts_core_out *out)
{
	char path[64];
	int r = 0;

	_cleanup_free_ uint8_t *chunk = malloc(CHUNK);
	_cleanup_free_ uint64_t *entries = calloc(STS_CORE_PAGES_ENTRIES, sizeof *entries);
	if (!chunk || !entries)
		return -ENOMEM;
	snprintf(path, sizeof path, "/proc/%d/pagemap", tid);
	/* Not readable everywhere; then every page is looked at. */
	_cleanup_close_ int pagemap = open(path, O_RDONLY | O_CLOEXEC);
	struct copier c = {session, pid, tid, pagemap, out, chunk, entries};
	for (size_t i = 0; r == 0 && i < vmas->n; i++)
		if (vmas->list[i].dump)
			r = copy_vma(&c, &vmas->list[i]);
	return r;
}
