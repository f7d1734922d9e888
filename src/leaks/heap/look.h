/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the scan needs to do fast, between sts_lookup_begin() and the program's going on. From an address to its block
 * takes one word of a table that is small enough for the cache, and then the block's own word, which is on its way into
 * the cache while other addresses are looked at.
 */
#ifndef STS_LEAKS_LOOK_H
#define STS_LEAKS_LOOK_H

#include "leaks/heap/inner.h"

/* A page's word: address of its span's first word, class, first page of its span in the region. */
#define STS_PLACE_WORDS_BITS 44 /* of an address divided by 8 */
#define STS_PLACE_CLASS_SHIFT STS_PLACE_WORDS_BITS
#define STS_PLACE_PAGE_SHIFT 50
#define STS_PLACE_SINGLE 63 /* in place of a class: one large or huge block */

struct sts_lookup_class {
	uint64_t magic;
	uint32_t unit, count;
};

struct sts_lookup {
	struct sts_lookup_class classes[STS_CLASSES];
};

struct sts_place {
	sts_word *word;
	const struct sts_span *single; /* a large or huge block's, else NULL */
	uintptr_t start, offset;       /* of the address within the block, or behind its end */
};

/* Bytes of the table. */
size_t sts_lookup_size(void);
/* Make it, in memory that is zero. */
void sts_lookup_begin(struct sts_lookup *look, void *table);

/* False if there is no block at the address, live or not. */
static inline bool sts_place_find(const struct sts_lookup *look, uintptr_t address, struct sts_place *ret)
{
	const struct sts_region *region = sts_map_find(address);
	const struct sts_lookup_class *class;
	uint64_t place, index;
	uintptr_t base;

	if (unlikely(region == NULL))
		return false;
	place = region->places[((address - region->start) >> STS_PAGE_SHIFT) & region->mask];
	if (unlikely(place == 0))
		return false;
	base = region->start + ((place >> STS_PLACE_PAGE_SHIFT) << STS_PAGE_SHIFT);
	ret->word = (sts_word *)(uintptr_t)((place & (((uint64_t)1 << STS_PLACE_WORDS_BITS) - 1)) << 3);
	ret->start = base;
	ret->offset = address - base;
	ret->single = NULL;
	place = place >> STS_PLACE_CLASS_SHIFT & 63;
	if (unlikely(place == STS_PLACE_SINGLE)) {
		ret->single = (void *)((char *)ret->word - offsetof(struct sts_span, word));
		return true;
	}
	class = &look->classes[place];
	index = (ret->offset * class->magic) >> 40;
	ret->word += index;
	ret->start += index * class->unit;
	ret->offset -= index * class->unit;
	/* Most point to the start, which is then known before all this is: the branch lets the CPU go ahead with it. */
	if (likely(ret->offset == 0)) {
		__asm__ volatile("" : "+r"(address));
		ret->start = address;
	}
	return index < class->count;
}

/* Of a live block with this word. */
static inline size_t sts_place_size(const struct sts_place *place, uint64_t word)
{
	return likely(place->single == NULL) ? (uint16_t)(word >> STS_WORD_SIZE_SHIFT)
					     : atomic_load_explicit(&place->single->size, memory_order_relaxed);
}

#endif
