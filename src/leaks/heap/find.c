// SPDX-License-Identifier: BSD-2-Clause
/* What the scan asks: no locks, no writing but of marks. */
#include "leaks/heap/look.h"

bool sts_heap_find(uintptr_t address, struct sts_chunk *ret)
{
	struct sts_place place;

	return sts_place_find(address, &place) && sts_place_look(&place, ret);
}

static _Atomic uint64_t *mark_word(const struct sts_chunk *chunk, unsigned class)
{
	struct sts_region *region = chunk->region;

	return &region->marks[class * region->mark_words + chunk->index / 64];
}

bool sts_heap_mark(const struct sts_chunk *chunk, unsigned class)
{
	_Atomic uint64_t *word = mark_word(chunk, class);
	uint64_t bit = (uint64_t)1 << (chunk->index % 64);

	if ((atomic_load_explicit(word, memory_order_relaxed) & bit) != 0)
		return false;
	return (atomic_fetch_or_explicit(word, bit, memory_order_relaxed) & bit) == 0;
}

bool sts_heap_marked(const struct sts_chunk *chunk, unsigned class)
{
	return atomic_load_explicit(mark_word(chunk, class), memory_order_relaxed) >> (chunk->index % 64) & 1;
}

void sts_heap_clear_marks(void)
{
	for (struct sts_region *region = atomic_load(&sts_regions); region != NULL; region = region->next) {
		if (region->huge)
			for (unsigned i = 0; i < STS_HEAP_MARKS; i++)
				atomic_store_explicit(&region->marks[i], 0, memory_order_relaxed);
		else
			sts_os_heap_discard((void *)region->marks, STS_HEAP_MARKS * STS_MARK_WORDS * sizeof(uint64_t));
	}
}

static void each_of_span(const struct sts_span *span, void (*f)(void *arg, const struct sts_chunk *chunk), void *arg)
{
	struct sts_chunk chunk;

	for (uint32_t i = 0; i < span->count; i++)
		if (sts_span_describe(span, i, &chunk))
			f(arg, &chunk);
}

void sts_heap_each(void (*f)(void *arg, const struct sts_chunk *chunk), void *arg)
{
	for (struct sts_region *region = atomic_load(&sts_regions); region != NULL; region = region->next) {
		if (region->huge) {
			each_of_span(&region->span, f, arg);
			continue;
		}
		for (size_t i = 0; i < STS_REGION_PAGES; i += region->table[i] != NULL ? region->table[i]->pages : 1)
			if (region->table[i] != NULL)
				each_of_span(region->table[i], f, arg);
	}
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
