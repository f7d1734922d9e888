// SPDX-License-Identifier: BSD-2-Clause
/* Own memory: taken in pieces from mappings that are never given back. */
#include <string.h>

#include "leaks/heap/inner.h"

enum { LINE = 64, MAPPING = 512 << 10 };

/* At the beginning of every mapping. */
struct mapping {
	struct mapping *next;
	size_t size;
};

static struct sts_lock lock;
static struct mapping *_Atomic mappings;
/* What is left of the newest mappings; the next one's first block may begin where one of them ends. */
static struct {
	uintptr_t at, end, pages_at, pages_end;
} left;
static size_t total;

/* The lock held. */
static struct mapping *map(size_t size)
{
	struct mapping *m = sts_os_heap_map(size);

	if (m == NULL)
		return NULL;
	m->size = size;
	m->next = atomic_load_explicit(&mappings, memory_order_relaxed);
	atomic_store_explicit(&mappings, m, memory_order_release);
	total += size;
	return m;
}

static void *alloc(size_t size)
{
	struct mapping *m;

	if (size > MAPPING / 4) {
		m = map((size + LINE + STS_PAGE - 1) & ~(STS_PAGE - 1));
		return m != NULL ? (char *)m + LINE : NULL;
	}
	if (left.end - left.at < size) {
		m = map(MAPPING);
		if (m == NULL)
			return NULL;
		left.at = (uintptr_t)m + LINE;
		left.end = (uintptr_t)m + MAPPING;
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

/* Pages for marks, cut from mappings of many, lest each region need two. */
void *sts_own_pages(size_t size)
{
	enum { PIECES = 16 };
	bool taken = sts_lock(&lock);
	struct mapping *m;
	void *p = NULL;

	if (left.pages_end - left.pages_at < size) {
		m = map(STS_PAGE + PIECES * size);
		if (m == NULL)
			goto out;
		left.pages_at = (uintptr_t)m + STS_PAGE;
		left.pages_end = (uintptr_t)m + m->size;
	}
	p = (void *)left.pages_at;
	left.pages_at += size;
out:
	sts_unlock(&lock, taken);
	return p;
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
