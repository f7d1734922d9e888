// SPDX-License-Identifier: BSD-2-Clause
/* Free pages of the regions, first fit. */
#include <string.h>

#include "leaks/heap/inner.h"

enum {
	ORDERS = 10,
	/* Free pages that are not given back at once, at least. */
	KEPT_PAGES = 8192,
	KEPT_SHARE = 4,
	MANY_PAGES = 16384, /* 64 MiB */
};

struct sts_lock sts_pages_lock;
/* Under the lock: */
static struct sts_region **numbered;
static uint32_t numbered_count, numbered_room, holes;
/* No region before this has a run of 2^order free pages. */
static uint32_t first[ORDERS];
static size_t dirty_free; /* pages both free and dirty */
static size_t total_pages;

static unsigned order_of(size_t pages)
{
	unsigned order = pages > 1 ? 63u - (unsigned)__builtin_clzl(pages) : 0;

	return order < ORDERS ? order : ORDERS - 1;
}

static bool get(const uint64_t *bits, unsigned i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static void set_all(uint64_t *bits, unsigned from, size_t n, bool value)
{
	for (unsigned i = from; i < from + n; i++)
		if (value)
			bits[i / 64] |= (uint64_t)1 << (i % 64);
		else
			bits[i / 64] &= ~((uint64_t)1 << (i % 64));
}

/* The first index from `i` on at which the bit has the value; STS_REGION_PAGES if there is none. */
static unsigned next(const uint64_t *bits, unsigned i, bool value)
{
	while (i < STS_REGION_PAGES) {
		uint64_t word = (value ? bits[i / 64] : ~bits[i / 64]) >> (i % 64);

		if (word != 0)
			return i + (unsigned)__builtin_ctzl(word);
		i = (i | 63) + 1;
	}
	return STS_REGION_PAGES;
}

/* The page of a run, at a multiple of align; -1 if there is none, and then `longest` is exact. */
static int find_run(struct sts_region *region, size_t pages, size_t align)
{
	unsigned longest = 0;

	for (unsigned end, i = next(region->free, 0, true); i < STS_REGION_PAGES; i = next(region->free, end, true)) {
		unsigned start = (unsigned)((i + align - 1) & ~(align - 1));

		end = next(region->free, i, false);
		if (start + pages <= end)
			return (int)start;
		if (end - i > longest)
			longest = end - i;
	}
	region->longest = longest;
	return -1;
}

static bool enter_number(struct sts_region *region)
{
	if (holes > 0) {
		for (uint32_t i = 0; i < numbered_count; i++)
			if (numbered[i] == NULL) {
				holes--;
				region->number = i;
				numbered[i] = region;
				return true;
			}
	}
	if (numbered_count == numbered_room) {
		uint32_t room = numbered_room != 0 ? numbered_room * 2 : 64;
		struct sts_region **more = sts_own_alloc(room * sizeof(struct sts_region *));

		if (more == NULL)
			return false;
		if (numbered != NULL)
			memcpy(more, numbered, numbered_count * sizeof(struct sts_region *));
		numbered = more;
		numbered_room = room;
	}
	region->number = numbered_count;
	numbered[numbered_count++] = region;
	return true;
}

static void lower_first(const struct sts_region *region)
{
	for (unsigned i = 0; i < ORDERS; i++)
		if (first[i] > region->number)
			first[i] = region->number;
}

static struct sts_region *new_region(void)
{
	struct sts_region *region = sts_region_new();

	if (region == NULL)
		return NULL;
	if (!enter_number(region)) {
		region->free_pages = STS_REGION_PAGES;
		sts_region_reclaim();
		return NULL;
	}
	total_pages += STS_REGION_PAGES;
	/* Where it does not matter if a few pages more are in memory than are used. */
	if (total_pages > MANY_PAGES)
		sts_os_heap_advise_huge((void *)region->start, STS_REGION);
	lower_first(region);
	return region;
}

void sts_pages_forget(struct sts_region *region)
{
	if (region->number < numbered_count && numbered[region->number] == region) {
		numbered[region->number] = NULL;
		holes++;
		total_pages -= STS_REGION_PAGES;
	}
	for (unsigned i = 0; i < STS_REGION_PAGES / 64; i++)
		dirty_free -= (unsigned)__builtin_popcountl(region->dirty[i]);
}

static struct sts_region *find(size_t pages, size_t align, int *page_ret)
{
	unsigned order = order_of(pages);
	bool exact = true; /* no region so far could hold 2^order pages */

	for (uint32_t i = first[order]; i < numbered_count; i++) {
		struct sts_region *region = numbered[i];

		if (region != NULL && region->longest >= pages) {
			*page_ret = find_run(region, pages, align);
			if (*page_ret >= 0)
				return region;
		}
		if (region != NULL && region->longest >= (size_t)1 << order)
			exact = false;
		if (exact)
			first[order] = i + 1;
	}
	return NULL;
}

static bool take(struct sts_region *region, unsigned page, size_t pages)
{
	bool zero = true;

	for (unsigned i = page; i < page + pages; i++)
		if (get(region->dirty, i)) {
			zero = false;
			dirty_free--;
		}
	set_all(region->free, page, pages, false);
	set_all(region->dirty, page, pages, true);
	region->free_pages -= (uint32_t)pages;
	return zero;
}

struct sts_span *sts_pages_get(struct sts_span *span, size_t pages, size_t align_pages, bool *zero_ret)
{
	bool taken = sts_lock(&sts_pages_lock);
	int page = 0;
	struct sts_region *region = find(pages, align_pages, &page);

	if (region == NULL) {
		region = new_region();
		page = 0;
	}
	if (region != NULL) {
		*zero_ret = take(region, (unsigned)page, pages);
		span->region = region;
		span->start = region->start + ((uintptr_t)page << STS_PAGE_SHIFT);
		span->page = (uint16_t)page;
		span->pages = (uint32_t)pages;
		for (unsigned i = 0; i < pages; i++)
			region->table[page + i] = span;
	}
	sts_unlock(&sts_pages_lock, taken);
	return region != NULL ? span : NULL;
}

static void release(struct sts_region *region, unsigned page, size_t pages)
{
	for (unsigned i = page; i < page + pages; i++)
		region->table[i] = NULL;
	set_all(region->free, page, pages, true);
	region->free_pages += (uint32_t)pages;
	region->longest = STS_REGION_PAGES; /* looked at when it is wanted */
	dirty_free += pages;
	lower_first(region);
}

/* Give back the pages that are free and dirty. */
static bool clean(struct sts_region *region)
{
	uint64_t both[STS_REGION_PAGES / 64];
	bool any = false;

	for (unsigned i = 0; i < STS_REGION_PAGES / 64; i++)
		both[i] = region->free[i] & region->dirty[i];
	for (unsigned end, i = next(both, 0, true); i < STS_REGION_PAGES; i = next(both, end, true)) {
		end = next(both, i, false);
		sts_os_heap_discard((void *)(region->start + i * STS_PAGE), (end - i) * STS_PAGE);
		set_all(region->dirty, i, end - i, false);
		dirty_free -= end - i;
		any = true;
	}
	return any;
}

static bool clean_all(void)
{
	bool any = false;

	for (uint32_t i = 0; i < numbered_count; i++)
		if (numbered[i] != NULL && numbered[i]->free_pages != 0)
			any |= clean(numbered[i]);
	return any;
}

void sts_pages_put(struct sts_span *span)
{
	bool taken = sts_lock(&sts_pages_lock);

	release(span->region, span->page, span->pages);
	if (dirty_free > KEPT_PAGES && dirty_free > total_pages / KEPT_SHARE)
		clean_all();
	sts_unlock(&sts_pages_lock, taken);
}

bool sts_pages_resize(struct sts_span *span, size_t pages)
{
	bool taken = sts_lock(&sts_pages_lock);
	struct sts_region *region = span->region;
	unsigned end = span->page + span->pages;
	bool done = true;

	if (pages < span->pages) {
		release(region, span->page + (unsigned)pages, span->pages - pages);
	} else if (pages > span->pages) {
		size_t more = pages - span->pages;

		done = end + more <= STS_REGION_PAGES && next(region->free, end, false) >= end + more;
		if (done) {
			take(region, end, more);
			for (unsigned i = end; i < end + more; i++)
				region->table[i] = span;
		}
	}
	if (done)
		span->pages = (uint32_t)pages;
	sts_unlock(&sts_pages_lock, taken);
	return done;
}

bool sts_pages_trim(void)
{
	bool taken = sts_lock(&sts_pages_lock);
	bool any = clean_all();

	sts_unlock(&sts_pages_lock, taken);
	return any;
}

bool sts_pages_reclaim(void)
{
	bool taken = sts_lock(&sts_pages_lock);
	bool any = sts_region_reclaim();

	sts_unlock(&sts_pages_lock, taken);
	return any;
}
