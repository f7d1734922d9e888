// SPDX-License-Identifier: BSD-2-Clause
#include <asm/unistd.h>
#include <sys/mman.h>

#include "leaks/scan/scan.h"
#include "stopworld/x86/raw.h"

#define WORD sizeof(uintptr_t)

/* --- beginning and end ------------------------------------------------------------------------- */

static void count(void *arg, const struct sts_chunk *chunk)
{
	struct sts_scan *s = arg;

	s->live_blocks++;
	s->live_bytes += chunk->size;
}

bool sts_scan_begin(struct sts_scan *s, const struct sts_scan_options *opts)
{
	uintptr_t hi;
	long p;

	*s = (struct sts_scan){.opts = *opts};
	sts_heap_bounds(&s->lo, &hi);
	s->size = hi - s->lo + (opts->past_end ? 1 : 0);
	sts_heap_each(count, s);
	/* A block is put there once for each mark, and taken out before the next; and once at the end, see below. */
	s->room = 2 * s->live_blocks + 2;
	s->mapped = (s->room * sizeof(*s->todo) + 4095) & ~(size_t)4095;
	p = RAW(mmap, 0, s->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if ((unsigned long)p > -4096ul)
		return false;
	s->todo = (void *)p;
	sts_heap_clear_marks();
	return true;
}

void sts_scan_end(struct sts_scan *s)
{
	RAW(munmap, s->todo, s->mapped);
}

void sts_scan_set_mark(struct sts_scan *s, enum sts_mark mark)
{
	s->mark = mark;
}

/* --- pointers ---------------------------------------------------------------------------------- */

static bool found_before(const struct sts_scan *s, const struct sts_chunk *chunk)
{
	for (unsigned m = 0; m < s->mark && m < STS_MARK_POINTED; m++)
		if (sts_heap_marked(chunk, m))
			return true;
	return false;
}

static void found(struct sts_scan *s, const struct sts_chunk *chunk)
{
	/* What points to itself is not held by that. */
	if (chunk->start == s->self || found_before(s, chunk) || !sts_heap_mark(chunk, s->mark))
		return;
	/* Every lost block is looked into anyway. */
	if (chunk->size < WORD || s->mark == STS_MARK_POINTED || s->n_todo == s->room)
		return;
	__builtin_prefetch((const void *)chunk->start);
	s->todo[s->n_todo++] = (struct sts_scan_range){chunk->start, chunk->start + chunk->size};
}

static void look(struct sts_scan *s, const struct sts_place *place)
{
	struct sts_chunk chunk;

	if (sts_place_look(place, &chunk))
		found(s, &chunk);
}

/* Look at those that wait for their block's word. */
static void look_all(struct sts_scan *s)
{
	for (unsigned n = s->n_places < STS_SCAN_AHEAD ? s->n_places : STS_SCAN_AHEAD; n > 0; n--)
		look(s, &s->places[(s->n_places - n) % STS_SCAN_AHEAD]);
	s->n_places = 0;
}

/* Who is found now is looked at some words later, when its block's word has come into the cache. */
static void find(struct sts_scan *s, uintptr_t address)
{
	struct sts_place place;

	if (!sts_place_find(address, &place))
		return;
	if (s->n_places >= STS_SCAN_AHEAD)
		look(s, &s->places[s->n_places % STS_SCAN_AHEAD]);
	s->places[s->n_places++ % STS_SCAN_AHEAD] = place;
}

static void find_past_end(struct sts_scan *s, uintptr_t word)
{
	struct sts_chunk chunk;

	if (sts_heap_find(word - 1, &chunk) && word == chunk.start + chunk.size)
		found(s, &chunk);
}

/* new T[0] of a T that has a destructor: the pointer is behind the count, which is all there is. */
static void find_cookie(struct sts_scan *s, uintptr_t word)
{
	struct sts_chunk chunk;

	if (sts_heap_find(word - WORD, &chunk) && chunk.size == WORD && chunk.start == word - WORD &&
	    *(const uintptr_t *)chunk.start == 0)
		found(s, &chunk);
}

static void candidate(struct sts_scan *s, uintptr_t word)
{
	find(s, word);
	if (word % (2 * WORD) == WORD)
		find_cookie(s, word);
	if (__builtin_expect(s->opts.past_end, 0))
		find_past_end(s, word);
}

void sts_scan_word(struct sts_scan *s, uintptr_t word)
{
	word &= ~s->opts.tag;
	if (word - s->lo < s->size)
		candidate(s, word);
}

/* Most words are no pointers: eight are ruled out at once. */
static void scan_aligned(struct sts_scan *s, const uintptr_t *p, const uintptr_t *end)
{
	const uintptr_t lo = s->lo, size = s->size, keep = ~s->opts.tag;

	for (; end - p >= 8; p += 8) {
		bool any = false;

		for (int i = 0; i < 8; i++)
			any |= (p[i] & keep) - lo < size;
		if (__builtin_expect(!any, 1))
			continue;
		for (int i = 0; i < 8; i++)
			if ((p[i] & keep) - lo < size)
				candidate(s, p[i] & keep);
	}
	for (; p < end; p++)
		sts_scan_word(s, *p);
}

static void scan_unaligned(struct sts_scan *s, uintptr_t start, uintptr_t end)
{
	for (; start + WORD <= end; start++) {
		uintptr_t word;

		__builtin_memcpy(&word, (const void *)start, WORD);
		sts_scan_word(s, word);
	}
}

static void scan_readable(struct sts_scan *s, uintptr_t start, uintptr_t end)
{
	if (s->opts.unaligned) {
		scan_unaligned(s, start, end);
		return;
	}
	start = (start + WORD - 1) & ~(WORD - 1);
	end &= ~(WORD - 1);
	if (start < end)
		scan_aligned(s, (const uintptr_t *)start, (const uintptr_t *)end);
}

/* A block's memory, but for what the program has made unreadable within. */
static void scan_block(struct sts_scan *s, uintptr_t start, uintptr_t end)
{
	for (size_t i = 0; i < s->n_unreadable && s->unreadable[i].start < end; i++) {
		const struct sts_scan_range *hole = &s->unreadable[i];

		if (hole->end <= start)
			continue;
		if (hole->start > start)
			scan_readable(s, start, hole->start);
		start = hole->end;
	}
	if (start < end)
		scan_readable(s, start, end);
}

/* Blocks wait in a row for their memory to come into the cache. */
void sts_scan_follow(struct sts_scan *s)
{
	struct sts_scan_range row[STS_SCAN_AHEAD];
	unsigned first = 0, n = 0;

	for (;;) {
		while (n < STS_SCAN_AHEAD && s->n_todo > 0) {
			struct sts_scan_range r = s->todo[--s->n_todo];

			__builtin_prefetch((const void *)r.start);
			row[(first + n++) % STS_SCAN_AHEAD] = r;
		}
		if (n == 0) {
			look_all(s);
			if (s->n_todo == 0)
				return;
			continue;
		}
		scan_block(s, row[first].start, row[first].end);
		first = (first + 1) % STS_SCAN_AHEAD;
		n--;
	}
}

void sts_scan_memory(struct sts_scan *s, uintptr_t start, uintptr_t end)
{
	scan_readable(s, start, end);
	sts_scan_follow(s);
}

/* --- blocks ------------------------------------------------------------------------------------ */

static void ignored(void *arg, const struct sts_chunk *chunk)
{
	struct sts_scan *s = arg;

	if (chunk->state & (STS_CHUNK_IGNORED | STS_CHUNK_DISABLED)) {
		found(s, chunk);
		sts_scan_follow(s);
	}
}

void sts_scan_ignored(struct sts_scan *s)
{
	sts_heap_each(ignored, s);
}

static bool lost(const struct sts_chunk *chunk)
{
	return !sts_heap_marked(chunk, STS_MARK_REACHABLE) && !sts_heap_marked(chunk, STS_MARK_POSSIBLE);
}

static void look_into(void *arg, const struct sts_chunk *chunk)
{
	struct sts_scan *s = arg;

	if (!lost(chunk))
		return;
	s->self = chunk->start;
	scan_block(s, chunk->start, chunk->start + chunk->size);
	look_all(s);
}

/* All that the block leads to, but for itself. */
static void follow_from(struct sts_scan *s, uintptr_t start, uintptr_t end)
{
	s->self = start;
	scan_block(s, start, end);
	sts_scan_follow(s);
}

static void follow_direct(void *arg, const struct sts_chunk *chunk)
{
	if (lost(chunk) && !sts_heap_marked(chunk, STS_MARK_POINTED))
		follow_from(arg, chunk->start, chunk->start + chunk->size);
}

/* Candidates wait at the far end of the room for those that have something to do. */
static void follow_cycle(void *arg, const struct sts_chunk *chunk)
{
	struct sts_scan *s = arg;

	if (!lost(chunk) || !sts_heap_marked(chunk, STS_MARK_POINTED) || sts_heap_marked(chunk, STS_MARK_INDIRECT) ||
	    !sts_heap_mark(chunk, STS_MARK_CYCLE))
		return;
	s->todo[--s->room] = (struct sts_scan_range){chunk->start, chunk->start + chunk->size};
	follow_from(s, chunk->start, chunk->start + chunk->size);
}

/*
 * Those that nothing points to lead to most. What is left is cycles and what hangs on them: one after the other is
 * taken for the first of a cycle. A later one may lead to an earlier one, which then was none, but not the other way
 * round; so from the last to the first, each that none after it leads to is one.
 */
void sts_scan_indirect(struct sts_scan *s)
{
	size_t whole = s->room;

	sts_scan_set_mark(s, STS_MARK_POINTED);
	sts_heap_each(look_into, s);
	sts_scan_set_mark(s, STS_MARK_INDIRECT);
	sts_heap_each(follow_direct, s);
	sts_scan_set_mark(s, STS_MARK_CYCLE);
	sts_heap_each(follow_cycle, s);
	sts_scan_set_mark(s, STS_MARK_INDIRECT);
	while (s->room < whole) {
		struct sts_scan_range first = s->todo[s->room++];
		struct sts_chunk chunk;

		if (sts_heap_find(first.start, &chunk) && !sts_heap_marked(&chunk, STS_MARK_INDIRECT))
			follow_from(s, first.start, first.end);
	}
}
