// SPDX-License-Identifier: BSD-2-Clause
/* Blocks with a span to themselves: of pages of a region, or with regions to themselves. */
#include "leaks/heap/inner.h"

static struct sts_pool pool;

size_t sts_heap_most = (size_t)1 << STS_ADDRESS_BITS;

static size_t pages_for(size_t size)
{
	return (size + STS_PAGE - 1) >> STS_PAGE_SHIFT;
}

static void *publish(struct sts_span *span, size_t size, uint32_t stack)
{
	atomic_store_explicit(&span->size, size, memory_order_relaxed);
	atomic_store_explicit(&span->word, sts_word_make(stack, 0), memory_order_release);
	return (void *)span->start;
}

static void *alloc_large(size_t size, size_t align, uint32_t stack, bool *zero_ret)
{
	struct sts_span *span = sts_pool_get(&pool, sizeof(*span));

	if (span == NULL)
		return NULL;
	span->count = 1;
	span->words = &span->word;
	if (sts_pages_get(span, pages_for(size), align > STS_PAGE ? align >> STS_PAGE_SHIFT : 1, zero_ret) == NULL) {
		sts_pool_put(&pool, span);
		return NULL;
	}
	return publish(span, size, stack);
}

static void *alloc_huge(size_t size, size_t align, uint32_t stack, bool *zero_ret)
{
	struct sts_region *region;

	region = sts_region_new_huge(pages_for(size) << STS_PAGE_SHIFT, align, zero_ret);
	if (region == NULL)
		return NULL;
	return publish(&region->span, size, stack);
}

void *sts_big_alloc(size_t size, size_t align, uint32_t stack, bool *zero_ret)
{
	if (size > sts_heap_most)
		return NULL;
	if (size == 0)
		size = 1;
	return size <= STS_LARGE_MAX && align <= STS_LARGE_MAX ? alloc_large(size, align, stack, zero_ret)
							       : alloc_huge(size, align, stack, zero_ret);
}

void sts_big_free(struct sts_span *span)
{
	if (span->region->huge) {
		sts_region_free_huge(span->region);
		return;
	}
	sts_pages_put(span);
	sts_pool_put(&pool, span);
}

static void *resize_huge(struct sts_region *region, size_t size, uint32_t stack)
{
	struct sts_region *to;

	if (size <= STS_LARGE_MAX)
		return NULL;
	to = sts_region_resize_huge(region, pages_for(size) << STS_PAGE_SHIFT);
	return to != NULL ? publish(&to->span, size, stack) : NULL;
}

void *sts_big_resize(struct sts_span *span, size_t size, uint32_t stack)
{
	if (size > sts_heap_most)
		return NULL;
	if (span->region->huge)
		return resize_huge(span->region, size, stack);
	if (size <= STS_SMALL_MAX || size > STS_LARGE_MAX || !sts_pages_resize(span, pages_for(size)))
		return NULL;
	return publish(span, size, stack);
}
