// SPDX-License-Identifier: BSD-2-Clause
/* What the scan asks: no locks, no writing but of marks. */
#include "leaks/heap/look.h"

/* True if the block is live. */
static inline bool describe(const struct sts_span *span, uint32_t index, struct sts_chunk *ret)
{
	uint64_t word = atomic_load_explicit(&span->words[index], memory_order_acquire);

	if ((word & STS_WORD_LIVE) == 0)
		return false;
	ret->start = span->start + (uintptr_t)index * span->unit;
	ret->size = span->unit != 0 ? (uint16_t)(word >> STS_WORD_SIZE_SHIFT) : atomic_load(&span->size);
	ret->stack = (uint32_t)word;
	ret->state = (uint8_t)(word >> STS_WORD_FLAGS_SHIFT);
	ret->word = &span->words[index];
	return true;
}

bool sts_heap_find(uintptr_t address, struct sts_chunk *ret)
{
	const struct sts_span *span = sts_span_find(address);
	uint32_t index = 0;

	if (span == NULL || address < span->start)
		return false;
	if (span->unit != 0) {
		index = sts_span_index(span, address - span->start);
		if (index >= span->count)
			return false;
	}
	return describe(span, index, ret) && address - ret->start < ret->size + (ret->size == 0);
}

/* --- marks -------------------------------------------------------------------------------------- */

bool sts_heap_mark(const struct sts_chunk *chunk, unsigned class)
{
	uint64_t bit = UINT64_C(1) << (STS_WORD_MARK_SHIFT + class);

	return (atomic_fetch_or_explicit((sts_word *)chunk->word, bit, memory_order_relaxed) & bit) == 0;
}

bool sts_heap_marked(const struct sts_chunk *chunk, unsigned class)
{
	return atomic_load_explicit((sts_word *)chunk->word, memory_order_relaxed) >> (STS_WORD_MARK_SHIFT + class) & 1;
}

/* --- all blocks --------------------------------------------------------------------------------- */

static void each_span(void (*f)(struct sts_span *span, void *arg), void *arg)
{
	for (struct sts_region *region = atomic_load(&sts_regions); region != NULL; region = region->next) {
		if (region->huge) {
			f(&region->span, arg);
			continue;
		}
		for (size_t i = 0; i < STS_REGION_PAGES; i += region->table[i] != NULL ? region->table[i]->pages : 1)
			if (region->table[i] != NULL)
				f(region->table[i], arg);
	}
}

struct each {
	void (*f)(void *arg, const struct sts_chunk *chunk);
	void *arg;
	uint64_t bits; /* of a word: none may be set */
};

static void each_of_span(struct sts_span *span, void *arg)
{
	const struct each *e = arg;
	struct sts_chunk chunk;

	for (uint32_t i = 0; i < span->count; i++)
		if ((atomic_load_explicit(&span->words[i], memory_order_relaxed) & (e->bits | STS_WORD_LIVE)) ==
			    STS_WORD_LIVE &&
		    describe(span, i, &chunk))
			e->f(e->arg, &chunk);
}

void sts_heap_each_without(unsigned marks, void (*f)(void *arg, const struct sts_chunk *chunk), void *arg)
{
	struct each e = {f, arg, (uint64_t)marks << STS_WORD_MARK_SHIFT};

	each_span(each_of_span, &e);
}

void sts_heap_each(void (*f)(void *arg, const struct sts_chunk *chunk), void *arg)
{
	sts_heap_each_without(0, f, arg);
}

static void survey_span(struct sts_span *span, void *arg)
{
	const uint64_t marks = ~(uint64_t)0 << STS_WORD_MARK_SHIFT;
	const uint64_t special = ((uint64_t)0xff << STS_WORD_FLAGS_SHIFT) & ~STS_WORD_LIVE;
	struct sts_heap_survey *s = arg;
	uint64_t all = 0;

	for (uint32_t i = 0; i < span->count; i++) {
		uint64_t word = atomic_load_explicit(&span->words[i], memory_order_relaxed);

		if ((word & STS_WORD_LIVE) == 0)
			continue;
		if ((word & marks) != 0)
			atomic_store_explicit(sts_word_marks(&span->words[i]), 0, memory_order_relaxed);
		all |= word;
		s->blocks++;
		s->bytes += span->unit != 0 ? (uint16_t)(word >> STS_WORD_SIZE_SHIFT) : atomic_load(&span->size);
	}
	s->special |= (all & special) != 0;
}

void sts_heap_survey(struct sts_heap_survey *ret)
{
	*ret = (struct sts_heap_survey){0};
	each_span(survey_span, ret);
}

void sts_heap_clear_marks(void)
{
	struct sts_heap_survey survey;

	sts_heap_survey(&survey);
}

void sts_heap_each_range(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg)
{
	for (struct sts_region *region = atomic_load(&sts_regions); region != NULL; region = region->next)
		f(arg, region->start, region->end);
}

void sts_heap_stats(struct sts_heap_stats *ret)
{
	*ret = (struct sts_heap_stats){.own = sts_own_total()};
	for (struct sts_region *region = atomic_load(&sts_regions); region != NULL; region = region->next) {
		ret->mapped += region->end - region->start;
		ret->regions++;
	}
}

/* --- the table of a scan -------------------------------------------------------------------------- */

size_t sts_lookup_size(void)
{
	size_t pages = 0;

	for (struct sts_region *region = atomic_load(&sts_regions); region != NULL; region = region->next)
		pages += region->huge ? 1 : STS_REGION_PAGES;
	return pages * sizeof(uint64_t);
}

static void put_span(struct sts_lookup *look, uint64_t *places, const struct sts_span *span)
{
	uint64_t class = span->unit != 0 ? span->class : STS_PLACE_SINGLE;
	uint64_t place = (uintptr_t)span->words >> 3 | class << STS_PLACE_CLASS_SHIFT;

	if (span->region->huge) {
		places[0] = place;
		return;
	}
	place |= (uint64_t)span->page << STS_PLACE_PAGE_SHIFT;
	for (uint32_t i = 0; i < span->pages; i++)
		places[span->page + i] = place;
	if (span->unit != 0)
		look->classes[span->class] = (struct sts_lookup_class){span->magic, span->unit, span->count};
}

void sts_lookup_begin(struct sts_lookup *look, void *table)
{
	uint64_t *places = table;

	for (struct sts_region *region = atomic_load(&sts_regions); region != NULL; region = region->next) {
		region->places = places;
		if (region->huge) {
			put_span(look, places++, &region->span);
			continue;
		}
		for (size_t i = 0; i < STS_REGION_PAGES; i += region->table[i] != NULL ? region->table[i]->pages : 1)
			if (region->table[i] != NULL)
				put_span(look, places, region->table[i]);
		places += STS_REGION_PAGES;
	}
}
