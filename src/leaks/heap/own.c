// SPDX-License-Identifier: BSD-2-Clause
/* Own memory: taken in pieces from mappings that are never given back. */
#include <string.h>

#include "leaks/heap/inner.h"

enum { LINE = 64, MAPPING = 512 << 10, LARGE_MAPPING = 4 << 20, MANY = 4 << 20 };

/* At the beginning of every mapping. */
struct mapping {
	struct mapping *next;
	size_t size;
};

static struct sts_lock lock;
static struct mapping *_Atomic mappings;
/* What is left of the newest mapping; the heap's first block may begin where it ends. */
static struct {
	uintptr_t at, end;
} left;
static size_t total;

/* The lock held. */
static struct mapping *add(struct mapping *m, size_t size)
{
	if (m == NULL)
		return NULL;
	m->size = size;
	m->next = atomic_load_explicit(&mappings, memory_order_relaxed);
	atomic_store_explicit(&mappings, m, memory_order_release);
	total += size;
	return m;
}

static struct mapping *map(size_t size)
{
	return add(sts_os_heap_map(size), size);
}

/* The more there is, the larger. */
static struct mapping *map_pieces(void)
{
	void *p = total >= MANY ? sts_os_heap_map_aligned(LARGE_MAPPING, LARGE_MAPPING) : NULL;

	if (p == NULL)
		return map(MAPPING);
	sts_os_heap_advise_huge(p, LARGE_MAPPING);
	return add(p, LARGE_MAPPING);
}

static void *alloc(size_t size)
{
	struct mapping *m;

	if (size > MAPPING / 4) {
		m = map((size + LINE + STS_PAGE - 1) & ~(STS_PAGE - 1));
		return m != NULL ? (char *)m + LINE : NULL;
	}
	if (left.end - left.at < size) {
		m = map_pieces();
		if (m == NULL)
			return NULL;
		left.at = (uintptr_t)m + LINE;
		left.end = (uintptr_t)m + m->size;
	}
	left.at += size;
	return (void *)(left.at - size);
}

void *sts_own_alloc(size_t size)
{
	bool taken = sts_lock(&lock);
	void *p = alloc((size + LINE - 1) & ~(size_t)(LINE - 1));

	sts_unlock(&lock, taken);
	return p;
}

void *sts_pool_get(struct sts_pool *pool, size_t size)
{
	bool taken = sts_lock(&lock);
	void **p = pool->free;

	if (p != NULL)
		pool->free = *p;
	sts_unlock(&lock, taken);
	if (p == NULL)
		return sts_own_alloc(size);
	memset(p, 0, size);
	return p;
}

void sts_pool_put(struct sts_pool *pool, void *p)
{
	bool taken = sts_lock(&lock);

	*(void **)p = pool->free;
	pool->free = p;
	sts_unlock(&lock, taken);
}

void sts_own_lock_all(void)
{
	sts_lock(&lock);
}

void sts_own_unlock_all(void)
{
	sts_unlock(&lock, true);
}

size_t sts_own_total(void)
{
	return total;
}

void sts_heap_each_own(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg)
{
	f(arg, (uintptr_t)&left, (uintptr_t)(&left + 1));
	for (struct mapping *m = atomic_load_explicit(&mappings, memory_order_acquire); m != NULL; m = m->next)
		f(arg, (uintptr_t)m, (uintptr_t)m + m->size);
}
