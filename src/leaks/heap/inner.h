/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the heap is laid out.
 *
 * A region is 4 MiB of pages, aligned to its size, or a huge block that has as many such units to itself as it needs. A
 * map of two levels leads from an address to its region. A region's pages are handed out in spans: a small span holds
 * blocks of one size class, a large one a single block. A block's word tells who allocated it, how much was asked for,
 * and whether it is live: a free block is one whose word is 0, whichever cache it lies in.
 *
 *   thread's cache   stacks of free blocks for each class, touched by their thread alone, no lock
 *   class            spans with free blocks, under the class's lock; caches are filled from and emptied to it
 *   pages            free pages of the regions, under one lock
 *   own memory       tables; never given back, only reused for the same purpose
 *
 * Locks are taken in this order: of the list of caches, of a class, of the pages, of the map, of own memory.
 */
#ifndef STS_LEAKS_INNER_H
#define STS_LEAKS_INNER_H

#include "leaks/heap/heap.h"
#include "leaks/heap/lock.h"

#define STS_PAGE_SHIFT 12
#define STS_PAGE ((size_t)1 << STS_PAGE_SHIFT)
#define STS_REGION_SHIFT 22
#define STS_REGION ((size_t)1 << STS_REGION_SHIFT)
#define STS_REGION_PAGES (STS_REGION >> STS_PAGE_SHIFT)
#define STS_GRANULE 16
/* The largest block of a class, and the largest that shares a region with others. */
#define STS_SMALL_MAX 32768
#define STS_LARGE_MAX ((size_t)1 << 20)
#define STS_CLASSES 40
/* Addresses have this many bits; the map's leaves lead from bit 33 to 22. */
#define STS_ADDRESS_BITS 47
#define STS_LEAF_SHIFT 34
#define STS_LEAF_SIZE ((size_t)1 << (STS_LEAF_SHIFT - STS_REGION_SHIFT))
#define STS_ROOT_SIZE ((size_t)1 << (STS_ADDRESS_BITS - STS_LEAF_SHIFT))

#define likely(x_) __builtin_expect(!!(x_), 1)
#define unlikely(x_) __builtin_expect(!!(x_), 0)

/* A block's word: stack, size (small blocks; the others' is in the span), flags, marks. */
#define STS_WORD_SIZE_SHIFT 32
#define STS_WORD_FLAGS_SHIFT 48
#define STS_WORD_MARK_SHIFT 56
#define STS_WORD_LIVE ((uint64_t)STS_CHUNK_LIVE << STS_WORD_FLAGS_SHIFT)

typedef _Atomic uint64_t sts_word;

struct sts_region;
struct sts_unwind;

struct sts_span {
	uintptr_t start;
	uint32_t unit;	/* bytes of a block of the class; 0: one large or huge block */
	uint64_t magic; /* for division by the unit: 2^40 / unit, rounded up: exact for offsets below 2^25 */
	uint32_t count; /* blocks */
	uint32_t free;	/* blocks that lie in no cache and are not in use */
	uint32_t hint;	/* no word of free_bits before this has a bit set */
	uint16_t class;
	uint16_t page;	     /* of the region */
	uint32_t pages;	     /* a huge block's are told by its region */
	bool listed;	     /* among the class's spans with free blocks */
	_Atomic size_t size; /* as requested; large and huge */
	struct sts_region *region;
	struct sts_span *next, *prev;
	uint64_t *free_bits;
	sts_word *words;
	sts_word word; /* large and huge: words points here */
};

struct sts_region {
	uintptr_t start, end;	 /* end of what is mapped */
	struct sts_span **spans; /* of each page; of a huge block one */
	size_t mask;		 /* of indices into spans */
	uint64_t *places;	 /* of each page, as look.h tells; in a scan only */
	struct sts_region *next, *prev;
	uint32_t number;     /* among the regions of pages */
	uint32_t free_pages; /* 0 and meaningless for a huge block */
	uint32_t longest;    /* no run of free pages is longer than this */
	bool huge;
	struct sts_span span; /* huge */
	struct sts_span *one;
	/* A huge block's description ends here. */
	uint64_t free[STS_REGION_PAGES / 64];  /* pages in no span */
	uint64_t dirty[STS_REGION_PAGES / 64]; /* pages that may hold something else than zeros */
	struct sts_span *table[STS_REGION_PAGES];
};

struct sts_class {
	struct sts_lock lock;
	uint32_t empty; /* spans of which no block is in use or cached */
	struct sts_span *spans;
} __attribute__((aligned(64)));

/* A free block and its word. */
struct sts_item {
	void *p;
	sts_word *word;
};

struct sts_bin {
	uint32_t count, room;
	struct sts_item *items;
};

struct sts_cache {
	struct sts_bin bins[STS_CLASSES];
	struct sts_cache *next;
	struct sts_unwind *unwind;
	bool used;
};

/* What each thread has; small, for it lies in the static thread-local storage of every program we are loaded into. */
struct sts_self {
	struct sts_cache *cache;
	void *unwind;	   /* the unwinder's */
	int32_t disabled;  /* sts_heap_disable() */
	uint8_t inside;	   /* in the allocator: a signal handler that comes now must not touch the cache */
	uint8_t state;	   /* STS_SELF_ */
	uint8_t rounds;	   /* of thread-specific data's destructors so far */
	uint8_t capturing; /* likewise, in the unwinder */
};

enum {
	STS_SELF_NEW,
	STS_SELF_READY,
	STS_SELF_DEAD, /* it ends, or there was no memory: no cache any more */
};

extern __thread struct sts_self sts_self __attribute__((tls_model("initial-exec"), visibility("hidden")));
extern struct sts_class sts_classes[STS_CLASSES];
extern struct sts_lock sts_pages_lock;
extern _Atomic(struct sts_region *) *_Atomic sts_map_root[STS_ROOT_SIZE];
extern struct sts_region *_Atomic sts_regions;

static inline unsigned sts_class_of(size_t size)
{
	size_t s = size - (size != 0);
	unsigned bit;

	if (likely(s < 128))
		return (unsigned)(s / STS_GRANULE);
	bit = 63u - (unsigned)__builtin_clzl(s);
	return 8 + (bit - 7) * 4 + (unsigned)((s >> (bit - 2)) & 3);
}

static inline size_t sts_class_size(unsigned class)
{
	if (class < 8)
		return (class + 1) * STS_GRANULE;
	return (size_t)(5 + (class - 8) % 4) << (5 + (class - 8) / 4);
}

static inline struct sts_region *sts_map_find(uintptr_t address)
{
	_Atomic(struct sts_region *) *leaf;

	if (unlikely(address >> STS_ADDRESS_BITS != 0))
		return NULL;
	leaf = atomic_load_explicit(&sts_map_root[address >> STS_LEAF_SHIFT], memory_order_acquire);
	if (unlikely(leaf == NULL))
		return NULL;
	return atomic_load_explicit(&leaf[(address >> STS_REGION_SHIFT) & (STS_LEAF_SIZE - 1)], memory_order_acquire);
}

static inline struct sts_span *sts_span_find(uintptr_t address)
{
	struct sts_region *region = sts_map_find(address);

	if (unlikely(region == NULL))
		return NULL;
	return region->spans[((address - region->start) >> STS_PAGE_SHIFT) & region->mask];
}

/* The block of a small span that holds an offset; count or more behind the last. */
static inline uint32_t sts_span_index(const struct sts_span *span, uintptr_t offset)
{
	return (uint32_t)((offset * span->magic) >> 40);
}

/* They are a byte of the word, and so can be written while the program changes the rest. */
static inline _Atomic uint8_t *sts_word_marks(sts_word *word)
{
	return (_Atomic uint8_t *)word + STS_WORD_MARK_SHIFT / 8;
}

static inline uint64_t sts_word_make(uint32_t stack, size_t size)
{
	uint64_t flags = STS_CHUNK_LIVE | (unlikely(sts_self.disabled > 0) ? STS_CHUNK_DISABLED : 0);

	return stack | (uint64_t)size << STS_WORD_SIZE_SHIFT | flags << STS_WORD_FLAGS_SHIFT;
}

/* own.c: tables of the library. */
void *sts_own_alloc(size_t size);
/* Pieces of one kind that come and go; `pool` begins as zero. */
struct sts_pool {
	void *free;
};
void *sts_pool_get(struct sts_pool *pool, size_t size);
void sts_pool_put(struct sts_pool *pool, void *p);
void sts_own_lock_all(void);
void sts_own_unlock_all(void);
size_t sts_own_total(void);

/* os.c */
void *sts_os_heap_map(size_t size);
/* Of which most may never be touched. */
void *sts_os_heap_map_sparse(size_t size);
/* Aligned to `align`, a power of two of pages. */
void *sts_os_heap_map_aligned(size_t size, size_t align);
void sts_os_heap_unmap(void *p, size_t size);
/* Move or grow: to `to` if that is not NULL, else in place; false if that cannot be. */
bool sts_os_heap_remap(void *p, size_t old_size, size_t size, void *to);
void sts_os_heap_discard(void *p, size_t size);
/* Large pages pay: a check of a large heap is mostly spent on finding pages, and so is making a copy of the process. */
void sts_os_heap_advise_huge(void *p, size_t size);
int32_t sts_os_heap_tid(void);
int32_t sts_os_heap_pid(void);
/* Sleep, for a while at most, as long as *word is 2. */
void sts_os_heap_wait(_Atomic uint32_t *word);

/* map.c: regions. */
struct sts_region *sts_region_new(void);
struct sts_region *sts_region_new_huge(size_t size, size_t align, bool *zero_ret);
/* Unmap what is kept of freed huge blocks. */
bool sts_region_trim(void);
void sts_region_free_huge(struct sts_region *region);
/* The region where the block is now; NULL if it cannot be. */
struct sts_region *sts_region_resize_huge(struct sts_region *region, size_t size);
/* Unmap regions that are wholly free. Pages' lock held. */
bool sts_region_reclaim(void);
void sts_map_lock_all(void);
void sts_map_unlock_all(void);

/* pages.c: the spans of a region; all take the pages' lock. zero_ret: whether the pages are known to be zero. */
struct sts_span *sts_pages_get(struct sts_span *span, size_t pages, size_t align_pages, bool *zero_ret);
void sts_pages_put(struct sts_span *span);
bool sts_pages_resize(struct sts_span *span, size_t pages);
bool sts_pages_trim(void);
bool sts_pages_reclaim(void);
void sts_pages_forget(struct sts_region *region);

/* central.c: the classes. */
unsigned sts_central_take(unsigned class, struct sts_item *items, unsigned wanted);
void sts_central_give(unsigned class, const struct sts_item *items, unsigned n);
void sts_central_trim(void);

/* cache.c */
void *sts_small_alloc_slowly(unsigned class, uint64_t word);
void sts_small_free_slowly(unsigned class, struct sts_item item);

/*
 * The process may be copied (fork) between any two steps, and the copy takes other threads' caches apart: a block must
 * never be in the cache and elsewhere, at worst in neither.
 */
static inline void sts_step(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void *sts_small_alloc(unsigned class, uint64_t word)
{
	struct sts_self *self = &sts_self;
	struct sts_cache *cache = self->cache;
	struct sts_item item;

	if (unlikely(cache == NULL || self->inside || cache->bins[class].count == 0))
		return sts_small_alloc_slowly(class, word);
	self->inside = 1;
	atomic_signal_fence(memory_order_seq_cst);
	item = cache->bins[class].items[--cache->bins[class].count];
	atomic_store_explicit(item.word, word, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	self->inside = 0;
	return item.p;
}

static inline void sts_small_free(unsigned class, struct sts_item item)
{
	struct sts_self *self = &sts_self;
	struct sts_cache *cache = self->cache;
	struct sts_bin *bin;

	if (unlikely(cache == NULL || self->inside || cache->bins[class].count == cache->bins[class].room)) {
		sts_small_free_slowly(class, item);
		return;
	}
	bin = &cache->bins[class];
	self->inside = 1;
	atomic_signal_fence(memory_order_seq_cst);
	bin->items[bin->count] = item;
	sts_step();
	bin->count++;
	atomic_signal_fence(memory_order_seq_cst);
	self->inside = 0;
}

void sts_cache_after_fork(void);
/* Give this thread a cache if it has none yet; false if it is to have none. */
bool sts_cache_get_ready(struct sts_self *self);
void sts_cache_lock_all(void);
void sts_cache_unlock_all(void);
/* The calling thread's cache. */
void sts_cache_trim(void);

/* spare.c: when the calling thread holds a lock. SIZE_MAX: not from there. */
void *sts_spare_alloc(size_t size, size_t align);
size_t sts_spare_size(const void *p);

/* big.c: large and huge blocks. */
void *sts_big_alloc(size_t size, size_t align, uint32_t stack, bool *zero_ret);
void sts_big_free(struct sts_span *span);
/* In place, or moved without copying; NULL if neither can be. */
void *sts_big_resize(struct sts_span *span, size_t size, uint32_t stack);

#endif
