// SPDX-License-Identifier: BSD-2-Clause
/* From words to marks. */
#include "leaks/scan/inner.h"

/* --- a block ------------------------------------------------------------------------------------- */

/* False if it has a mark already. */
static inline bool claim(const struct sts_scan *s, sts_word *word)
{
	_Atomic uint8_t *marks = sts_word_marks(word);
	uint8_t mark = (uint8_t)(1u << s->mark);

	if (s->parallel)
		return atomic_exchange_explicit(marks, mark, memory_order_relaxed) == 0;
	atomic_store_explicit(marks, mark, memory_order_relaxed);
	return true;
}

/* new T[0] of a T that has a destructor: the pointer is behind the count, which is all there is. */
static inline bool is_cookie(const struct sts_place *place, size_t size)
{
	return size == STS_SCAN_WORD && *(const uintptr_t *)place->start == 0;
}

/* True if the block is to be looked into. */
static bool hold(sts_word *word)
{
	enum { DONE = 1 << STS_MARK_REACHABLE | 1 << STS_MARK_HELD };
	uint8_t marks = atomic_load_explicit(sts_word_marks(word), memory_order_relaxed);

	if (marks & DONE)
		return false;
	atomic_store_explicit(sts_word_marks(word), marks | 1 << STS_MARK_HELD, memory_order_relaxed);
	return true;
}

/* True if the block is to be looked into. Who was taken for the first of a cycle, and is led to by another, is none. */
static bool follow(sts_word *word)
{
	enum { INDIRECT = 1 << STS_MARK_INDIRECT, FOLLOWED = 1 << STS_MARK_FOLLOWED, HEAD = 1 << STS_MARK_HEAD };
	uint8_t marks = atomic_load_explicit(sts_word_marks(word), memory_order_relaxed);

	if (marks == INDIRECT || marks == HEAD)
		atomic_store_explicit(sts_word_marks(word), INDIRECT | FOLLOWED, memory_order_relaxed);
	return marks == INDIRECT;
}

static inline bool holds(const struct sts_scan *s, const struct sts_place *place, size_t size)
{
	if (place->offset < size + (size == 0))
		return true;
	return place->offset == size && (s->opts.past_end || is_cookie(place, size));
}

static inline void look(struct sts_worker *w, const struct sts_place *place)
{
	const struct sts_scan *s = w->scan;
	uint64_t word = atomic_load_explicit(place->word, memory_order_relaxed);
	size_t size;

	if ((word & STS_WORD_LIVE) == 0 || (word >> STS_WORD_MARK_SHIFT != 0 && s->mark < STS_MARK_FOLLOWED))
		return;
	size = sts_place_size(place, word);
	if (!holds(s, place, size))
		return;
	if (!(s->mark == STS_MARK_HELD	     ? hold(place->word)
	      : s->mark == STS_MARK_FOLLOWED ? follow(place->word)
					     : claim(s, place->word)))
		return;
	/* Every lost block is looked into anyway. */
	if (size >= STS_SCAN_WORD && s->mark != STS_MARK_INDIRECT) {
		__builtin_prefetch((const void *)place->start);
		__builtin_prefetch((const void *)(place->start + size - 1));
		sts_share_add(w, place->start, place->start + size);
	}
}

void sts_mark_head(struct sts_worker *w, uintptr_t start)
{
	struct sts_place place;

	if (sts_place_find(&w->scan->look, start, &place))
		atomic_store_explicit(sts_word_marks(place.word), 1 << STS_MARK_HEAD, memory_order_relaxed);
}

void sts_mark_flush(struct sts_worker *w)
{
	for (unsigned n = w->n_places < STS_SCAN_AHEAD ? w->n_places : STS_SCAN_AHEAD; n > 0; n--)
		look(w, &w->places[(w->n_places - n) % STS_SCAN_AHEAD]);
	w->n_places = 0;
}

/* --- words --------------------------------------------------------------------------------------- */

/* Who is found now is looked at some words later, when its block's word has come into the cache. */
static inline void find(struct sts_worker *w, uintptr_t address, uintptr_t past)
{
	struct sts_place place;

	if (!sts_place_find(&w->scan->look, address, &place) || place.start == w->self)
		return;
	__builtin_prefetch(place.word);
	place.offset += past;
	if (w->n_places >= STS_SCAN_AHEAD)
		look(w, &w->places[w->n_places % STS_SCAN_AHEAD]);
	w->places[w->n_places++ % STS_SCAN_AHEAD] = place;
}

static inline void candidate(struct sts_worker *w, uintptr_t word)
{
	find(w, word, 0);
	if (unlikely(w->scan->opts.past_end))
		find(w, word - 1, 1);
}

/* What a word is compared with; local, for what is written meanwhile might change all else. */
struct bounds {
	uintptr_t lo, size, keep;
};

static inline struct bounds bounds_of(const struct sts_worker *w)
{
	return (struct bounds){w->scan->lo, w->scan->size, ~w->scan->opts.tag};
}

static inline void one_word(struct sts_worker *w, uintptr_t word, struct bounds b)
{
	word &= b.keep;
	if (unlikely(word - b.lo < b.size))
		candidate(w, word);
}

void sts_mark_word(struct sts_worker *w, uintptr_t word)
{
	one_word(w, word, bounds_of(w));
}

static void words(struct sts_worker *w, const uintptr_t *p, const uintptr_t *end)
{
	enum { FEW = 32 };
	const struct bounds b = bounds_of(w);

	/* Most words of large memory are no pointers: eight are ruled out at once. */
	while (end - p >= FEW) {
		p = sts_filter(p, end, b.lo, b.size, b.keep);
		for (unsigned i = 0; i < 8 && p < end; i++)
			one_word(w, *p++, b);
	}
	while (p < end)
		one_word(w, *p++, b);
}

static void unaligned_words(struct sts_worker *w, uintptr_t start, uintptr_t end)
{
	for (; start + STS_SCAN_WORD <= end; start++) {
		uintptr_t word;

		__builtin_memcpy(&word, (const void *)start, STS_SCAN_WORD);
		one_word(w, word, bounds_of(w));
	}
}

static inline void readable(struct sts_worker *w, uintptr_t start, uintptr_t end)
{
	if (unlikely(w->scan->opts.unaligned)) {
		unaligned_words(w, start, end);
		return;
	}
	start = (start + STS_SCAN_WORD - 1) & ~(STS_SCAN_WORD - 1);
	end &= ~(STS_SCAN_WORD - 1);
	if (start < end)
		words(w, (const uintptr_t *)start, (const uintptr_t *)end);
}

/* The first of the unreadable parts that ends behind an address. */
static size_t first_hole(const struct sts_scan *s, uintptr_t address)
{
	size_t from = 0, to = s->n_unreadable;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (s->unreadable[middle].end <= address)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void between_holes(struct sts_worker *w, uintptr_t start, uintptr_t end)
{
	const struct sts_scan *s = w->scan;

	for (size_t i = first_hole(s, start); i < s->n_unreadable && s->unreadable[i].start < end; i++) {
		const struct sts_scan_range *hole = &s->unreadable[i];

		if (hole->start > start)
			readable(w, start, hole->start);
		start = hole->end;
	}
	if (start < end)
		readable(w, start, end);
}

void sts_mark_range(struct sts_worker *w, uintptr_t start, uintptr_t end)
{
	if (unlikely(w->scan->n_unreadable > 0))
		between_holes(w, start, end);
	else
		readable(w, start, end);
}
