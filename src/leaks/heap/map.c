// SPDX-License-Identifier: BSD-2-Clause
/* Regions, and the map that leads to them. */
#include <stddef.h>
#include <string.h>

#include "leaks/heap/inner.h"

_Atomic(struct sts_region *) *_Atomic sts_map_root[STS_ROOT_SIZE];
struct sts_region *_Atomic sts_regions;
/* The lowest address is also that of the first block: inverted, this word does not look like a pointer to it. */
static _Atomic uintptr_t lowest_inverted, highest;
/* Descriptions of regions that are no more. A reader who comes late sees an empty one. */
static struct sts_region *spare; /* of pages, linked by next */
static struct sts_pool huge_pool;
static struct sts_lock map_lock; /* leaf of all locks but that of own memory */

static bool enter(uintptr_t unit, struct sts_region *region)
{
	_Atomic(struct sts_region *) *leaf =
		atomic_load_explicit(&sts_map_root[unit >> STS_LEAF_SHIFT], memory_order_acquire);

	if (leaf == NULL) {
		if (region == NULL)
			return true;
		leaf = sts_own_alloc(STS_LEAF_SIZE * sizeof(*leaf));
		if (leaf == NULL)
			return false;
		atomic_store_explicit(&sts_map_root[unit >> STS_LEAF_SHIFT], leaf, memory_order_release);
	}
	atomic_store_explicit(&leaf[(unit >> STS_REGION_SHIFT) & (STS_LEAF_SIZE - 1)], region, memory_order_release);
	return true;
}

/* Units from start to end lead to the region, or to none. */
static bool enter_all(uintptr_t start, uintptr_t end, struct sts_region *region)
{
	for (uintptr_t unit = start & ~(STS_REGION - 1); unit < end; unit += STS_REGION)
		if (!enter(unit, region))
			return false;
	return true;
}

static void widen(uintptr_t start, uintptr_t end)
{
	if (start < ~atomic_load_explicit(&lowest_inverted, memory_order_relaxed))
		atomic_store_explicit(&lowest_inverted, ~start, memory_order_relaxed);
	if (end > atomic_load_explicit(&highest, memory_order_relaxed))
		atomic_store_explicit(&highest, end, memory_order_relaxed);
}

void sts_heap_bounds(uintptr_t *lo_ret, uintptr_t *hi_ret)
{
	*lo_ret = ~atomic_load_explicit(&lowest_inverted, memory_order_relaxed);
	*hi_ret = atomic_load_explicit(&highest, memory_order_relaxed);
	if (*lo_ret > *hi_ret)
		*lo_ret = *hi_ret;
}

static bool publish(struct sts_region *region)
{
	bool taken = sts_lock(&map_lock);
	bool done = region->end >> STS_ADDRESS_BITS == 0 && enter_all(region->start, region->end, region);

	if (done) {
		widen(region->start, region->end);
		region->next = atomic_load_explicit(&sts_regions, memory_order_relaxed);
		region->prev = NULL;
		if (region->next != NULL)
			region->next->prev = region;
		atomic_store_explicit(&sts_regions, region, memory_order_release);
	} else {
		enter_all(region->start, region->end, NULL);
	}
	sts_unlock(&map_lock, taken);
	return done;
}

static void withdraw(struct sts_region *region)
{
	bool taken = sts_lock(&map_lock);

	enter_all(region->start, region->end, NULL);
	if (region->prev != NULL)
		region->prev->next = region->next;
	else
		atomic_store_explicit(&sts_regions, region->next, memory_order_release);
	if (region->next != NULL)
		region->next->prev = region->prev;
	sts_unlock(&map_lock, taken);
}

void sts_map_lock_all(void)
{
	sts_lock(&map_lock);
}

void sts_map_unlock_all(void)
{
	sts_unlock(&map_lock, true);
}

static struct sts_region *take_spare(void)
{
	bool taken = sts_lock(&map_lock);
	struct sts_region *region = spare;

	if (region != NULL)
		spare = region->next;
	sts_unlock(&map_lock, taken);
	if (region == NULL)
		return NULL;
	memset(region, 0, sizeof(*region));
	return region;
}

static void put_spare(struct sts_region *region)
{
	bool taken = sts_lock(&map_lock);

	region->next = spare;
	spare = region;
	sts_unlock(&map_lock, taken);
}

static struct sts_region *describe(void)
{
	struct sts_region *region = take_spare();

	return region != NULL ? region : sts_own_alloc(sizeof(*region));
}

struct sts_region *sts_region_new(void)
{
	void *p = sts_os_heap_map_aligned(STS_REGION, STS_REGION);
	struct sts_region *region;

	if (p == NULL)
		return NULL;
	region = describe();
	if (region == NULL)
		goto unmap;
	region->start = (uintptr_t)p;
	region->end = region->start + STS_REGION;
	region->spans = region->table;
	region->mask = STS_REGION_PAGES - 1;
	region->free_pages = region->longest = STS_REGION_PAGES;
	memset(region->free, 0xff, sizeof(region->free));
	if (publish(region))
		return region;
	put_spare(region);
unmap:
	sts_os_heap_unmap(p, STS_REGION);
	return NULL;
}

/*
 * Freed huge blocks, still mapped: programs that allocate and free large buffers in turn would spend their time on page
 * faults. They are on no map.
 */
enum { KEPT = 8 };
#define KEPT_BYTES ((size_t)64 << 20)
static struct sts_region *kept[KEPT];
static size_t kept_bytes;

static size_t region_size(const struct sts_region *region)
{
	return region->end - region->start;
}

/* The map's lock held. */
static struct sts_region *take_kept(size_t size)
{
	struct sts_region **best = NULL, *region;

	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i] != NULL && region_size(kept[i]) >= size && region_size(kept[i]) <= size + size / 2 &&
		    (best == NULL || region_size(kept[i]) < region_size(*best)))
			best = &kept[i];
	if (best == NULL)
		return NULL;
	region = *best;
	*best = NULL;
	kept_bytes -= region_size(region);
	return region;
}

static struct sts_region *reuse(size_t size)
{
	bool taken = sts_lock(&map_lock);
	struct sts_region *region = take_kept(size);

	sts_unlock(&map_lock, taken);
	return region;
}

static bool keep(struct sts_region *region)
{
	bool taken = sts_lock(&map_lock), done = false;

	for (unsigned i = 0; i < KEPT && kept_bytes + region_size(region) <= KEPT_BYTES && !done; i++)
		if (kept[i] == NULL) {
			kept[i] = region;
			kept_bytes += region_size(region);
			done = true;
		}
	sts_unlock(&map_lock, taken);
	return done;
}

static void discard(struct sts_region *region)
{
	uintptr_t start = region->start;
	size_t size = region_size(region);

	sts_pool_put(&huge_pool, region);
	sts_os_heap_unmap((void *)start, size);
}

bool sts_region_trim(void)
{
	bool any = false;

	for (unsigned i = 0; i < KEPT; i++) {
		bool taken = sts_lock(&map_lock);
		struct sts_region *region = kept[i];

		kept[i] = NULL;
		if (region != NULL)
			kept_bytes -= region_size(region);
		sts_unlock(&map_lock, taken);
		if (region != NULL)
			discard(region);
		any |= region != NULL;
	}
	return any;
}

/* A huge block's description ends before what only regions of pages have. */
static const size_t huge_size = offsetof(struct sts_region, free);

static struct sts_region *map_huge(size_t size, size_t align)
{
	void *p = sts_os_heap_map_aligned(size, align > STS_REGION ? align : STS_REGION);
	struct sts_region *region;

	if (p == NULL)
		return NULL;
	region = sts_pool_get(&huge_pool, huge_size);
	if (region == NULL) {
		sts_os_heap_unmap(p, size);
		return NULL;
	}
	region->huge = true;
	region->start = region->span.start = (uintptr_t)p;
	region->end = region->start + size;
	region->one = &region->span;
	region->spans = &region->one;
	region->span.region = region;
	region->span.count = 1;
	region->span.words = &region->span.word;
	return region;
}

struct sts_region *sts_region_new_huge(size_t size, size_t align, bool *zero_ret)
{
	struct sts_region *region = align <= STS_REGION ? reuse(size) : NULL;

	*zero_ret = region == NULL;
	if (region == NULL)
		region = map_huge(size, align);
	if (region == NULL || publish(region))
		return region;
	discard(region);
	return NULL;
}

void sts_region_free_huge(struct sts_region *region)
{
	withdraw(region);
	if (!keep(region))
		discard(region);
}

/* Units are taken off the map before their memory goes, lest another thread get it and enter it meanwhile. */
static bool shrink(struct sts_region *region, size_t size)
{
	size_t old_size = region->end - region->start;
	uintptr_t old_end = region->end, end = region->start + size;
	bool taken = sts_lock(&map_lock);

	region->end = end;
	enter_all((end + STS_REGION - 1) & ~(STS_REGION - 1), old_end, NULL);
	sts_unlock(&map_lock, taken);
	return sts_os_heap_remap((void *)region->start, old_size, size, NULL);
}

/* Where other regions lie beyond the end, the kernel refuses. */
static bool grow(struct sts_region *region, size_t size)
{
	size_t old_size = region->end - region->start;
	uintptr_t old_end = region->end, end = region->start + size;
	bool taken;

	if (end >> STS_ADDRESS_BITS != 0 || !sts_os_heap_remap((void *)region->start, old_size, size, NULL))
		return false;
	taken = sts_lock(&map_lock);
	if (enter_all(region->start, end, region)) {
		region->end = end;
		widen(region->start, end);
		sts_unlock(&map_lock, taken);
		return true;
	}
	enter_all((old_end + STS_REGION - 1) & ~(STS_REGION - 1), end, NULL);
	sts_unlock(&map_lock, taken);
	sts_os_heap_remap((void *)region->start, size, old_size, NULL);
	return false;
}

/* The memory moves to where another region of the new size was made; that region's description takes its place. */
static struct sts_region *move(struct sts_region *region, size_t size)
{
	struct sts_region *to = map_huge(size, STS_REGION);
	size_t old_size = region->end - region->start;

	if (to == NULL)
		return NULL;
	if (!publish(to)) {
		discard(to);
		return NULL;
	}
	withdraw(region);
	if (!sts_os_heap_remap((void *)region->start, old_size, size, (void *)to->start)) {
		publish(region);
		withdraw(to);
		discard(to);
		return NULL;
	}
	atomic_store(&to->span.size, atomic_load(&region->span.size));
	atomic_store(&to->span.word, atomic_load(&region->span.word));
	sts_pool_put(&huge_pool, region);
	return to;
}

struct sts_region *sts_region_resize_huge(struct sts_region *region, size_t size)
{
	size_t old_size = region->end - region->start;

	if (size == old_size || (size < old_size ? shrink(region, size) : grow(region, size)))
		return region;
	return move(region, size);
}

/* Their descriptions wait for the next region. */
bool sts_region_reclaim(void)
{
	bool any = false;

	for (struct sts_region *next, *region = atomic_load(&sts_regions); region != NULL; region = next) {
		next = region->next;
		if (region->huge || region->free_pages != STS_REGION_PAGES)
			continue;
		withdraw(region);
		sts_pages_forget(region);
		sts_os_heap_unmap((void *)region->start, STS_REGION);
		put_spare(region);
		any = true;
	}
	return any;
}
