/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap that stands behind malloc in a program whose leaks are looked for. Every block can be found from any
 * address within it, in constant time and without touching the block; what is known of it lies elsewhere, so that a
 * program that writes beyond its blocks does not destroy it.
 *
 * No function touches errno. None uses libc's allocator, stdio or locks.
 */
#ifndef STS_LEAKS_HEAP_H
#define STS_LEAKS_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an allocated block is besides; a set of bits. */
enum {
	STS_CHUNK_LIVE = 1 << 0,
	STS_CHUNK_IGNORED = 1 << 1,  /* sts_heap_ignore() was called for it */
	STS_CHUNK_DISABLED = 1 << 2, /* made while its thread had leak checking disabled */
};

/* There are this many sets of marks: classes 0 to 5. */
#define STS_HEAP_MARKS 6

struct sts_chunk {
	uintptr_t start;
	size_t size;	/* as requested */
	uint32_t stack; /* id in the depot of who allocated it */
	uint8_t state;	/* STS_CHUNK_ bits */
	void *word;	/* for the marks */
};

/* Larger blocks are refused; far more than there can be unless it is set, before there are threads. */
extern size_t sts_heap_most;

/* NULL when there is no memory. align: a power of two; 0 for what malloc owes. */
void *sts_heap_alloc(size_t size, size_t align, uint32_t stack);
/* As that, and zero. */
void *sts_heap_zalloc(size_t size, uint32_t stack);
/* False if p is not the start of a live block (or was freed already), and then nothing was done. */
bool sts_heap_free(void *p);
/* Who allocated the block that began at p and is free now, 0 if there was none. */
uint32_t sts_heap_freed(const void *p);
/* The size as requested; SIZE_MAX if p is not the start of a live block. */
size_t sts_heap_usable(const void *p);
/* As realloc for a live block p and a size that may be 0: NULL when there is no memory, and then p is as it was. */
void *sts_heap_resize(void *p, size_t size, uint32_t stack);

/* The live block that holds the address, be it inside; a block of no bytes holds its own address. */
bool sts_heap_find(uintptr_t address, struct sts_chunk *ret);
/* All memory of the heap lies in [lo, hi). */
void sts_heap_bounds(uintptr_t *lo_ret, uintptr_t *hi_ret);
/* Set a mark; true if it was not set. May be called by many threads at once. */
bool sts_heap_mark(const struct sts_chunk *chunk, unsigned class);
bool sts_heap_marked(const struct sts_chunk *chunk, unsigned class);
/* A new block has no marks. A program forked from, or copied of, one with marks has them too. */
void sts_heap_clear_marks(void);
/* All live blocks, in no order. Between hold and release, or in a stopped world. */
void sts_heap_each(void (*f)(void *arg, const struct sts_chunk *chunk), void *arg);
/* Those that have none of the marks whose bits are set, likewise. */
void sts_heap_each_without(unsigned marks, void (*f)(void *arg, const struct sts_chunk *chunk), void *arg);

struct sts_heap_survey {
	uint64_t blocks, bytes;
	bool special; /* some have more state bits than LIVE */
};
/* Clear all marks and count live blocks. Likewise. */
void sts_heap_survey(struct sts_heap_survey *ret);
/* False if p is not the start of a live block. */
bool sts_heap_ignore(const void *p);
/* What this thread allocates while the count is above 0 is marked so. */
void sts_heap_disable(int change);
int sts_heap_disabled(void);

/*
 * Between the two no other thread holds a lock of the allocator, and who wants one waits; the caller itself may
 * allocate. They nest on the same thread. To be called before the world is stopped, since a thread may be parked with a
 * lock. sts_heap_hold() waits for ever if the calling thread was interrupted, by a signal, in the allocator: that is
 * what sts_heap_inside() tells.
 */
void sts_heap_hold(void);
void sts_heap_release(void);
/* In the child of a fork, made between the two: in place of sts_heap_release(). */
void sts_heap_release_child(void);
bool sts_heap_inside(void);

/* Give unused memory back to the system; true if there was any. */
bool sts_heap_trim(void);
/* Memory of the library itself, which is not a root: the heap's tables, the depot. In no order. */
void sts_heap_each_own(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg);
/* Memory of the heap, in or out of use, likewise. */
void sts_heap_each_range(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg);

struct sts_heap_stats {
	size_t mapped;	/* bytes for blocks, used or not */
	size_t own;	/* bytes of tables, of which not all may be in memory */
	size_t regions; /* mappings */
};
void sts_heap_stats(struct sts_heap_stats *ret);

#endif
