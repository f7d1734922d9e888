// SPDX-License-Identifier: BSD-2-Clause
/* The heap's interface. */
#include <string.h>

#include "leaks/heap/inner.h"

/* The class whose blocks are all aligned so; STS_CLASSES if there is none. */
static unsigned aligned_class(size_t size, size_t align)
{
	unsigned class;

	if (align > STS_PAGE || size > STS_SMALL_MAX)
		return STS_CLASSES;
	class = sts_class_of(size > align ? size : align);
	while (class < STS_CLASSES && sts_class_size(class) % align != 0)
		class ++;
	return class;
}

static void *try_alloc(size_t size, size_t align, uint32_t stack, bool *zero_ret)
{
	unsigned class =
		align <= STS_GRANULE && size <= STS_SMALL_MAX ? sts_class_of(size) : aligned_class(size, align);

	*zero_ret = false;
	return class < STS_CLASSES ? sts_small_alloc(class, sts_word_make(stack, size))
				   : sts_big_alloc(size, align, stack, zero_ret);
}

static __attribute__((noinline)) void *alloc_rarely(size_t size, size_t align, uint32_t stack, bool *zero_ret)
{
	void *p;

	*zero_ret = false;
	if (sts_locks != 0)
		return sts_spare_alloc(size, align);
	p = try_alloc(size, align, stack, zero_ret);
	if (p != NULL || size > sts_heap_most)
		return p;
	/* Both are to be done. */
	return sts_heap_trim() | sts_pages_reclaim() ? try_alloc(size, align, stack, zero_ret) : NULL;
}

void *sts_heap_alloc(size_t size, size_t align, uint32_t stack)
{
	void *p;
	bool zero;

	if (likely(align <= STS_GRANULE && size <= STS_SMALL_MAX)) {
		p = sts_small_alloc(sts_class_of(size), sts_word_make(stack, size));
		if (likely(p != NULL))
			return p;
	}
	return alloc_rarely(size, align, stack, &zero);
}

void *sts_heap_zalloc(size_t size, uint32_t stack)
{
	bool zero = false;
	void *p = size <= STS_SMALL_MAX ? sts_heap_alloc(size, 0, stack) : alloc_rarely(size, 0, stack, &zero);

	if (p != NULL && !zero)
		memset(p, 0, size);
	return p;
}

/* The block's word, if one begins at p: live or not. */
static inline sts_word *word_at(const void *p, struct sts_span **span_ret)
{
	struct sts_span *span = sts_span_find((uintptr_t)p);
	uintptr_t offset;
	uint32_t index;

	if (unlikely(span == NULL))
		return NULL;
	*span_ret = span;
	offset = (uintptr_t)p - span->start;
	if (unlikely(span->unit == 0))
		return offset == 0 ? &span->word : NULL;
	index = sts_span_index(span, offset);
	return likely(index * (uintptr_t)span->unit == offset && index < span->count) ? &span->words[index] : NULL;
}

static inline sts_word *live_word_at(const void *p, struct sts_span **span_ret, uint64_t *word_ret)
{
	sts_word *word = word_at(p, span_ret);

	if (unlikely(word == NULL))
		return NULL;
	*word_ret = atomic_load_explicit(word, memory_order_relaxed);
	return likely((*word_ret & STS_WORD_LIVE) != 0) ? word : NULL;
}

bool sts_heap_free(void *p)
{
	struct sts_span *span;
	uint64_t value;
	sts_word *word = live_word_at(p, &span, &value);

	if (unlikely(word == NULL))
		return sts_spare_size(p) != SIZE_MAX;
	/* Who allocated it is kept, lest it be freed twice. */
	atomic_store_explicit(word, (uint32_t)value, memory_order_relaxed);
	if (likely(span->unit != 0))
		sts_small_free(span->class, (struct sts_item){p, word});
	else if (sts_locks == 0)
		sts_big_free(span);
	return true;
}

uint32_t sts_heap_freed(const void *p)
{
	struct sts_span *span;
	sts_word *word = word_at(p, &span);
	uint64_t value = word != NULL ? atomic_load_explicit(word, memory_order_relaxed) : 0;

	return (value & STS_WORD_LIVE) == 0 ? (uint32_t)value : 0;
}

static size_t word_size(const struct sts_span *span, uint64_t word)
{
	return span->unit != 0 ? (uint16_t)(word >> STS_WORD_SIZE_SHIFT)
			       : atomic_load_explicit(&span->size, memory_order_relaxed);
}

size_t sts_heap_usable(const void *p)
{
	struct sts_span *span;
	uint64_t value;

	return live_word_at(p, &span, &value) != NULL ? word_size(span, value) : sts_spare_size(p);
}

static bool fits(const struct sts_span *span, size_t size)
{
	return span->unit != 0 && size <= span->unit && (size > span->unit / 2 || span->unit <= 64);
}

static void *move(void *p, size_t old_size, size_t size, uint32_t stack)
{
	void *to = sts_heap_alloc(size, 0, stack);

	if (to == NULL)
		return NULL;
	memcpy(to, p, old_size < size ? old_size : size);
	sts_heap_free(p);
	return to;
}

void *sts_heap_resize(void *p, size_t size, uint32_t stack)
{
	struct sts_span *span;
	uint64_t value;
	sts_word *word = live_word_at(p, &span, &value);
	void *to;

	if (word == NULL)
		return sts_spare_size(p) != SIZE_MAX ? move(p, sts_spare_size(p), size, stack) : NULL;
	if (fits(span, size)) {
		atomic_store_explicit(word, sts_word_make(stack, size), memory_order_release);
		return p;
	}
	if (span->unit == 0 && sts_locks == 0 && (to = sts_big_resize(span, size, stack)) != NULL)
		return to;
	return move(p, word_size(span, value), size, stack);
}

bool sts_heap_ignore(const void *p)
{
	struct sts_span *span;
	uint64_t value;
	sts_word *word = live_word_at(p, &span, &value);

	if (word == NULL)
		return false;
	atomic_fetch_or(word, (uint64_t)STS_CHUNK_IGNORED << STS_WORD_FLAGS_SHIFT);
	return true;
}

bool sts_heap_trim(void)
{
	sts_cache_trim();
	sts_central_trim();
	return sts_region_trim() | sts_pages_trim();
}
