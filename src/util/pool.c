/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include "util/pool.h"

#define UNIT 64
#define CHUNK (128 * 1024)
/* The address sanitizer is told what may be used. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p_, n_) ((void)(p_), (void)(n_))
#define ASAN_UNPOISON_MEMORY_REGION(p_, n_) ((void)(p_), (void)(n_))
#endif

struct sts_pool_chunk {
	struct sts_pool_chunk *older;
	size_t size;
};

struct sts_pool_block {
	struct sts_pool *pool;
	unsigned kind;
	struct sts_pool_block *next; /* while free; else what was asked for begins here */
};

#define HEAD offsetof(struct sts_pool_block, next)
_Static_assert(HEAD % alignof(max_align_t) == 0, "blocks are aligned as malloc's are");

/* Which list blocks of so many bytes belong to, their heads included. */
static unsigned kind_of(size_t size)
{
	if (size <= (size_t)UNIT * STS_POOL_SMALL)
		return (unsigned)((size + UNIT - 1) / UNIT) - 1;
	unsigned kind = STS_POOL_SMALL;
	for (size_t s = (size_t)UNIT * STS_POOL_SMALL * 2; s < size; s *= 2)
		kind++;
	return kind;
}

static size_t size_of(unsigned kind)
{
	if (kind < STS_POOL_SMALL)
		return (kind + 1) * (size_t)UNIT;
	return (size_t)UNIT * STS_POOL_SMALL << (kind - STS_POOL_SMALL + 1);
}

static bool chunk_add(struct sts_pool *pool, size_t least)
{
	size_t size = UNIT + least > CHUNK ? UNIT + least : CHUNK;
	struct sts_pool_chunk *chunk = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (chunk == MAP_FAILED)
		return false;
	chunk->older = pool->chunks;
	chunk->size = size;
	atomic_signal_fence(memory_order_seq_cst); /* killed here, the chunk is lost; the list is whole */
	pool->chunks = chunk;
	pool->at = (char *)chunk + UNIT;
	pool->left = size - UNIT;
	return true;
}

static struct sts_pool_block *cut(struct sts_pool *pool, size_t size)
{
	if (pool->left < size && !chunk_add(pool, size))
		return NULL;
	struct sts_pool_block *block = (void *)pool->at;
	pool->at += size;
	pool->left -= size;
	return block;
}

void *sts_pool_get(struct sts_pool *pool, size_t size)
{
	if (size > PTRDIFF_MAX / 4)
		return NULL;
	unsigned kind = kind_of(HEAD + size);
	struct sts_pool_block *block = pool->free[kind];

	if (block)
		pool->free[kind] = block->next;
	else if (!(block = cut(pool, size_of(kind))))
		return NULL;
	block->pool = pool;
	block->kind = kind;
	char *p = (char *)block + HEAD;
	ASAN_POISON_MEMORY_REGION(p, size_of(kind) - HEAD);
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	memset(p, 0, size);
	return p;
}

void sts_pool_put(void *p)
{
	struct sts_pool_block *block = p ? (void *)((char *)p - HEAD) : NULL;

	if (!block)
		return;
	ASAN_POISON_MEMORY_REGION(p, size_of(block->kind) - HEAD);
	ASAN_UNPOISON_MEMORY_REGION(p, sizeof block->next);
	block->next = block->pool->free[block->kind];
	block->pool->free[block->kind] = block;
}

void sts_pool_clear(struct sts_pool *pool)
{
	struct sts_pool_chunk *chunk, *older;

	for (chunk = pool->chunks; chunk; chunk = older) {
		size_t size = chunk->size;

		older = chunk->older;
		ASAN_UNPOISON_MEMORY_REGION(chunk, size);
		munmap(chunk, size);
	}
	*pool = (struct sts_pool){0};
}
