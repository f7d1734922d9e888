// SPDX-License-Identifier: BSD-2-Clause
/* The classes: spans of blocks of one size, shared by all threads. */
#include <string.h>

#include "leaks/heap/inner.h"

enum {
	SPAN_BYTES = 64 << 10,
	LEAST_BLOCKS = 8,
	EMPTY_KEPT = 1,
};

struct sts_class sts_classes[STS_CLASSES];
static struct sts_pool pools[STS_CLASSES];

static size_t span_pages(size_t unit)
{
	size_t bytes = unit * LEAST_BLOCKS > SPAN_BYTES ? unit * LEAST_BLOCKS : SPAN_BYTES;

	return bytes >> STS_PAGE_SHIFT;
}

static void list(struct sts_class *c, struct sts_span *span)
{
	span->listed = true;
	span->prev = NULL;
	span->next = c->spans;
	if (c->spans != NULL)
		c->spans->prev = span;
	c->spans = span;
}

static void unlist(struct sts_class *c, struct sts_span *span)
{
	span->listed = false;
	if (span->prev != NULL)
		span->prev->next = span->next;
	else
		c->spans = span->next;
	if (span->next != NULL)
		span->next->prev = span->prev;
}

/* One piece of own memory: the span, the bits of its free blocks, the words. */
static struct sts_span *new_span(unsigned class)
{
	size_t unit = sts_class_size(class), pages = span_pages(unit);
	uint32_t count = (uint32_t)((pages << STS_PAGE_SHIFT) / unit);
	size_t bit_words = (count + 63) / 64;
	struct sts_span *span = sts_pool_get(&pools[class], sizeof(*span) + (bit_words + count) * sizeof(uint64_t));
	bool zero;

	if (span == NULL)
		return NULL;
	span->unit = (uint32_t)unit;
	span->magic = (((uint64_t)1 << 40) + unit - 1) / unit;
	span->count = span->free = count;
	span->class = (uint16_t) class;
	span->free_bits = (uint64_t *)(span + 1);
	span->words = (sts_word *)(span->free_bits + bit_words);
	memset(span->free_bits, 0xff, count / 64 * 8);
	if (count % 64 != 0)
		span->free_bits[count / 64] = ((uint64_t)1 << (count % 64)) - 1;
	if (sts_pages_get(span, pages, 1, &zero) != NULL)
		return span;
	sts_pool_put(&pools[class], span);
	return NULL;
}

static unsigned take_from(struct sts_span *span, struct sts_item *items, unsigned wanted)
{
	unsigned n = 0;

	while (n < wanted && span->free > 0) {
		uint64_t *bits = &span->free_bits[span->hint];
		uint32_t index;

		if (*bits == 0) {
			span->hint++;
			continue;
		}
		index = span->hint * 64 + (uint32_t)__builtin_ctzl(*bits);
		*bits &= *bits - 1;
		span->free--;
		items[n].p = (void *)(span->start + (uintptr_t)index * span->unit);
		items[n++].word = &span->words[index];
	}
	return n;
}

/* Take up to `wanted` blocks, the lowest last, so that a stack of them gives the lowest first. 0: no memory. */
unsigned sts_central_take(unsigned class, struct sts_item *items, unsigned wanted)
{
	struct sts_class *c = &sts_classes[class];
	bool taken = sts_lock(&c->lock);
	struct sts_span *span = c->spans;
	unsigned n;

	if (span == NULL) {
		span = new_span(class);
		if (span == NULL) {
			sts_unlock(&c->lock, taken);
			return 0;
		}
		list(c, span);
		c->empty++;
	}
	if (span->free == span->count)
		c->empty--;
	n = take_from(span, items, wanted);
	if (span->free == 0)
		unlist(c, span);
	sts_unlock(&c->lock, taken);
	for (unsigned i = 0, j = n - 1; i < j; i++, j--) {
		struct sts_item swapped = items[i];

		items[i] = items[j];
		items[j] = swapped;
	}
	return n;
}

static void give(struct sts_class *c, unsigned class, struct sts_item item)
{
	struct sts_span *span = sts_span_find((uintptr_t)item.p);
	uint32_t index = (uint32_t)(item.word - span->words);

	span->free_bits[index / 64] |= (uint64_t)1 << (index % 64);
	if (index / 64 < span->hint)
		span->hint = index / 64;
	if (span->free++ == 0)
		list(c, span);
	if (span->free < span->count)
		return;
	if (c->empty < EMPTY_KEPT) {
		c->empty++;
		return;
	}
	unlist(c, span);
	sts_pages_put(span);
	sts_pool_put(&pools[class], span);
}

void sts_central_give(unsigned class, const struct sts_item *items, unsigned n)
{
	struct sts_class *c = &sts_classes[class];
	bool taken = sts_lock(&c->lock);

	for (unsigned i = 0; i < n; i++)
		give(c, class, items[i]);
	sts_unlock(&c->lock, taken);
}

/* The spans that are kept although nobody uses them. */
void sts_central_trim(void)
{
	for (unsigned class = 0; class < STS_CLASSES; class ++) {
		struct sts_class *c = &sts_classes[class];
		bool taken = sts_lock(&c->lock);

		for (struct sts_span *next, *span = c->spans; span != NULL && c->empty > 0; span = next) {
			next = span->next;
			if (span->free < span->count)
				continue;
			c->empty--;
			unlist(c, span);
			sts_pages_put(span);
			sts_pool_put(&pools[class], span);
		}
		sts_unlock(&c->lock, taken);
	}
}
