/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sts_heap_find() and sts_heap_mark() in two steps, for one who has many addresses to look at: what the second step
 * needs is on its way into the cache while others are looked at.
 */
#ifndef STS_LEAKS_LOOK_H
#define STS_LEAKS_LOOK_H

#include "leaks/heap/inner.h"

/* True if the block is live. */
static inline bool sts_span_describe(const struct sts_span *span, uint32_t index, struct sts_chunk *ret)
{
	uint64_t word = atomic_load_explicit(&span->words[index], memory_order_acquire);

	if ((word & STS_WORD_LIVE) == 0)
		return false;
	ret->start = span->start + (uintptr_t)index * span->unit;
	ret->size = span->unit != 0 ? (uint16_t)(word >> STS_WORD_SIZE_SHIFT) : atomic_load(&span->size);
	ret->stack = (uint32_t)word;
	ret->state = (uint8_t)(word >> STS_WORD_FLAGS_SHIFT);
	/* A page has as many marks as the smallest blocks need. */
	ret->index = (uint32_t)(span->page * (STS_PAGE / STS_GRANULE)) + index;
	ret->region = span->region;
	return true;
}

struct sts_place {
	const struct sts_span *span;
	uintptr_t address;
	uint32_t index;
};

/* False if there is no block at the address, live or not. */
static inline bool sts_place_find(uintptr_t address, struct sts_place *ret)
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
	__builtin_prefetch(&span->words[index]);
	*ret = (struct sts_place){span, address, index};
	return true;
}

/* True if the block is live and holds the address. */
static inline bool sts_place_look(const struct sts_place *place, struct sts_chunk *ret)
{
	return sts_span_describe(place->span, place->index, ret) &&
	       place->address - ret->start < ret->size + (ret->size == 0);
}

#endif
