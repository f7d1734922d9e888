// SPDX-License-Identifier: BSD-2-Clause
#include "leaks/scan/inner.h"

/* More threads pay from here on. */
enum { MANY_BLOCKS = 50000, MANY_BYTES = 32 << 20, ROOTS = 65536 };

/* --- beginning and end ------------------------------------------------------------------------- */

static size_t pages(size_t size)
{
	return (size + 4095) & ~(size_t)4095;
}

static unsigned workers_for(const struct sts_scan *s)
{
	if (s->opts.threads != 0)
		return s->opts.threads;
	return s->live_blocks >= MANY_BLOCKS || s->live_bytes >= MANY_BYTES ? sts_share_cpus() : 1;
}

/* Ranges, the table of places, workers, their stacks. */
static bool map(struct sts_scan *s)
{
	size_t todo, look = pages(sts_lookup_size()), workers = pages(s->n_workers * sizeof(struct sts_worker));
	char *memory;

	/* A block is put there once for each mark, and taken out before the next. */
	s->room = s->live_blocks + ROOTS + STS_SCAN_OWN;
	todo = pages(s->room * sizeof(*s->todo));
	s->mapped = todo + look + workers + s->n_workers * STS_SCAN_STACK;
	memory = s->memory = sts_os_heap_map_sparse(s->mapped);
	if (memory == NULL)
		return false;
	s->todo = (void *)memory;
	sts_lookup_begin(&s->look, memory + todo);
	s->workers = (void *)(memory + todo + look);
	s->stacks = memory + todo + look + workers;
	for (unsigned i = 0; i < s->n_workers; i++)
		s->workers[i].scan = s;
	return true;
}

bool sts_scan_begin(struct sts_scan *s, const struct sts_scan_options *opts)
{
	struct sts_heap_survey survey;
	uintptr_t hi;

	*s = (struct sts_scan){.opts = *opts};
	sts_heap_bounds(&s->lo, &hi);
	s->size = hi - s->lo + (opts->past_end ? 1 : 0);
	sts_heap_survey(&survey);
	s->live_blocks = survey.blocks;
	s->live_bytes = survey.bytes;
	s->special = survey.special;
	s->n_workers = workers_for(s);
	sts_filter_prepare();
	return map(s);
}

void sts_scan_end(struct sts_scan *s)
{
	if (s->memory != NULL)
		sts_os_heap_unmap(s->memory, s->mapped);
}

/* --- roots --------------------------------------------------------------------------------------- */

void sts_scan_set_mark(struct sts_scan *s, enum sts_mark mark)
{
	s->mark = mark;
}

void sts_scan_word(struct sts_scan *s, uintptr_t word)
{
	sts_mark_word(&s->workers[0], word);
}

void sts_scan_memory(struct sts_scan *s, uintptr_t start, uintptr_t end)
{
	sts_mark_range(&s->workers[0], start, end);
}

void sts_scan_later(struct sts_scan *s, uintptr_t start, uintptr_t end)
{
	/* What is small is looked at sooner than noted; and there is to be room for each block. */
	if (end - start < STS_SCAN_PIECE || s->n_todo + s->live_blocks >= s->room)
		sts_scan_memory(s, start, end);
	else
		sts_share_add(&s->workers[0], start, end);
}

void sts_scan_follow(struct sts_scan *s)
{
	sts_mark_flush(&s->workers[0]);
	sts_share_run(s);
}

/* --- blocks -------------------------------------------------------------------------------------- */

static void ignored(void *arg, const struct sts_chunk *chunk)
{
	struct sts_scan *s = arg;

	if (chunk->state & (STS_CHUNK_IGNORED | STS_CHUNK_DISABLED))
		sts_scan_word(s, chunk->start);
}

void sts_scan_ignored(struct sts_scan *s)
{
	if (s->special)
		sts_heap_each_without(1u << STS_MARK_REACHABLE, ignored, s);
	sts_scan_follow(s);
}

static void look_into(void *arg, const struct sts_chunk *chunk)
{
	struct sts_scan *s = arg;
	struct sts_worker *w = &s->workers[0];

	s->lost = true;
	w->self = chunk->start;
	sts_mark_range(w, chunk->start, chunk->start + chunk->size);
}

static void follow_from(void *arg, const struct sts_chunk *chunk)
{
	look_into(arg, chunk);
	sts_scan_follow(arg);
}

/*
 * What no block leads to that nothing points to lies in cycles, or hangs on them. One after the other is taken for the
 * first of a cycle. A later one may lead to an earlier one, which then was none, but not the other way round.
 */
static void follow_rest(void *arg, const struct sts_chunk *chunk)
{
	struct sts_scan *s = arg;

	if (!sts_heap_marked(chunk, STS_MARK_INDIRECT))
		return;
	sts_mark_head(&s->workers[0], chunk->start);
	follow_from(s, chunk);
}

void sts_scan_held(struct sts_scan *s, const struct sts_chunk *chunk)
{
	s->n_workers = 1;
	sts_scan_set_mark(s, STS_MARK_HELD);
	sts_scan_memory(s, chunk->start, chunk->start + chunk->size);
	sts_scan_follow(s);
}

void sts_scan_indirect(struct sts_scan *s)
{
	const unsigned held = 1u << STS_MARK_REACHABLE | 1u << STS_MARK_POSSIBLE;

	sts_scan_set_mark(s, STS_MARK_INDIRECT);
	sts_heap_each_without(held, look_into, s);
	if (!s->lost)
		return;
	sts_mark_flush(&s->workers[0]);
	s->n_workers = 1; /* blocks are few from here on, and their order matters */
	sts_scan_set_mark(s, STS_MARK_FOLLOWED);
	sts_heap_each_without(held | 1u << STS_MARK_INDIRECT, follow_from, s);
	sts_heap_each_without(held | 1u << STS_MARK_FOLLOWED | 1u << STS_MARK_HEAD, follow_rest, s);
	s->workers[0].self = 0;
}
