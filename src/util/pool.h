/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for one task that must not share an allocator with others: the helper
 * of an isolated session may be killed in the middle of malloc, or its host may,
 * and the other side must go on. There is no lock. What was got is given back
 * block by block, or all at once, by whoever comes later and whatever state the
 * pool was left in.
 */
#ifndef STS_POOL_H
#define STS_POOL_H

#include <stddef.h>

/* Sizes are multiples of 64 up to 4096, and powers of two beyond. */
#define STS_POOL_SMALL 64
#define STS_POOL_LARGE 48

struct sts_pool_block;
struct sts_pool_chunk;
/* All zero is an empty one. */
struct sts_pool {
	struct sts_pool_chunk *chunks;
	char *at; /* what is left of the first chunk */
	size_t left;
	struct sts_pool_block *free[STS_POOL_SMALL + STS_POOL_LARGE];
};

/* Zeroed; NULL: no memory. */
void *sts_pool_get(struct sts_pool *pool, size_t size);
/* NULL is allowed. */
void sts_pool_put(void *p);
/* Gives back everything; nothing but the list of chunks, which is whole at any moment, is looked at. */
void sts_pool_clear(struct sts_pool *pool);

static inline void sts_cleanup_pool(void *p)
{
	sts_pool_put(*(void **)p);
}
/* sts_pool_put() at the end of the scope. */
#define _cleanup_pool_ __attribute__((cleanup(sts_cleanup_pool)))

#endif
