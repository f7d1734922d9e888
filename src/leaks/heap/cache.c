// SPDX-License-Identifier: BSD-2-Clause
/* Each thread's free blocks. */
#include <limits.h>
#include <pthread.h>

#include "leaks/heap/inner.h"
#include "leaks/unwind/unwind.h"

enum {
	MOST_BLOCKS = 64,
	LEAST_BLOCKS = 4,
	BIN_BYTES = 32 << 10,
};

__thread struct sts_self sts_self __attribute__((tls_model("initial-exec"), visibility("hidden")));
static struct sts_lock caches_lock;
static struct sts_cache *caches; /* all that ever were, used or not */
static pthread_key_t key;
static _Atomic int key_state; /* 0 not made, 1 being made, 2 made, 3 cannot be made */

static uint32_t bin_room(unsigned class)
{
	size_t n = BIN_BYTES / sts_class_size(class);

	return (uint32_t)(n > MOST_BLOCKS ? MOST_BLOCKS : n < LEAST_BLOCKS ? LEAST_BLOCKS : n);
}

static struct sts_cache *make_cache(void)
{
	size_t total = 0;
	struct sts_cache *cache;
	struct sts_item *items;

	for (unsigned i = 0; i < STS_CLASSES; i++)
		total += bin_room(i);
	cache = sts_own_alloc(sizeof(*cache) + total * sizeof(struct sts_item));
	if (cache == NULL)
		return NULL;
	items = (struct sts_item *)(cache + 1);
	for (unsigned i = 0; i < STS_CLASSES; i++) {
		cache->bins[i].room = bin_room(i);
		cache->bins[i].items = items;
		items += bin_room(i);
	}
	return cache;
}

static struct sts_cache *acquire(void)
{
	bool taken = sts_lock(&caches_lock);
	struct sts_cache *cache = caches;

	while (cache != NULL && cache->used)
		cache = cache->next;
	if (cache == NULL) {
		cache = make_cache();
		if (cache != NULL) {
			cache->next = caches;
			caches = cache;
		}
	}
	if (cache != NULL) {
		cache->used = true;
		if (cache->unwind != NULL)
			sts_unwind_reset(cache->unwind);
	}
	sts_unlock(&caches_lock, taken);
	return cache;
}

static void empty(struct sts_cache *cache)
{
	for (unsigned i = 0; i < STS_CLASSES; i++) {
		struct sts_bin *bin = &cache->bins[i];
		uint32_t n = bin->count;

		bin->count = 0;
		sts_step();
		sts_central_give(i, bin->items, n);
	}
}

static void abandon(struct sts_cache *cache)
{
	bool taken;

	empty(cache);
	taken = sts_lock(&caches_lock);
	cache->used = false;
	sts_unlock(&caches_lock, taken);
}

/* Destructors of other keys may allocate in every round: ours lets go in the last. */
static void end_of_thread(void *cache)
{
	struct sts_self *self = &sts_self;

	if (++self->rounds < PTHREAD_DESTRUCTOR_ITERATIONS && pthread_setspecific(key, cache) == 0)
		return;
	self->cache = NULL;
	self->unwind = NULL;
	self->state = STS_SELF_DEAD;
	abandon(cache);
}

/* True if threads can be told to give their cache back when they end. */
static bool have_key(void)
{
	int none = 0;

	if (atomic_compare_exchange_strong(&key_state, &none, 1))
		atomic_store(&key_state, pthread_key_create(&key, end_of_thread) == 0 ? 2 : 3);
	return atomic_load(&key_state) == 2;
}

/* setspecific may allocate: the cache is there already. A thread that comes before there is a key keeps its cache. */
bool sts_cache_get_ready(struct sts_self *self)
{
	struct sts_cache *cache;

	if (self->state != STS_SELF_NEW)
		return false;
	cache = acquire();
	self->state = cache != NULL ? STS_SELF_READY : STS_SELF_DEAD;
	self->cache = cache;
	if (cache == NULL)
		return false;
	self->inside = 0;
	if (have_key())
		pthread_setspecific(key, cache);
	return self->cache != NULL;
}

/* Past the cache: in a signal handler that interrupted the allocator, at a thread's very end, without memory. */
static void *alloc_bare(unsigned class, uint64_t word)
{
	struct sts_item item;

	if (sts_locks != 0 || sts_central_take(class, &item, 1) == 0)
		return NULL;
	atomic_store_explicit(item.word, word, memory_order_release);
	return item.p;
}

void *sts_small_alloc_slowly(unsigned class, uint64_t word)
{
	struct sts_self *self = &sts_self;
	struct sts_bin *bin;
	void *p = NULL;

	if (self->inside || (self->cache == NULL && !sts_cache_get_ready(self)))
		return alloc_bare(class, word);
	self->inside = 1;
	atomic_signal_fence(memory_order_seq_cst);
	bin = &self->cache->bins[class];
	if (bin->count == 0)
		bin->count = sts_central_take(class, bin->items, bin->room / 2);
	if (bin->count != 0) {
		struct sts_item item = bin->items[--bin->count];

		atomic_store_explicit(item.word, word, memory_order_release);
		p = item.p;
	}
	atomic_signal_fence(memory_order_seq_cst);
	self->inside = 0;
	return p;
}

void sts_small_free_slowly(unsigned class, struct sts_item item)
{
	struct sts_self *self = &sts_self;
	struct sts_bin *bin;
	uint32_t half;

	if (self->inside || (self->cache == NULL && !sts_cache_get_ready(self))) {
		/* In a handler that interrupted who holds a lock: the block stays unused. */
		if (sts_locks == 0)
			sts_central_give(class, &item, 1);
		return;
	}
	self->inside = 1;
	atomic_signal_fence(memory_order_seq_cst);
	bin = &self->cache->bins[class];
	if (bin->count == bin->room) {
		struct sts_item moved[MOST_BLOCKS / 2];

		/* The upper half, which was used last, stays. */
		half = bin->room / 2;
		bin->count -= half;
		sts_step();
		for (uint32_t i = 0; i < half; i++) {
			moved[i] = bin->items[i];
			bin->items[i] = bin->items[i + bin->count];
		}
		sts_step();
		sts_central_give(class, moved, half);
	}
	bin->items[bin->count] = item;
	sts_step();
	bin->count++;
	atomic_signal_fence(memory_order_seq_cst);
	self->inside = 0;
}

/* The other threads are no more. One may have been between two steps: at worst a block is in no cache, and unused. */
void sts_cache_after_fork(void)
{
	struct sts_cache *own = sts_self.cache;

	for (struct sts_cache *cache = caches; cache != NULL; cache = cache->next)
		if (cache->used && cache != own)
			abandon(cache);
}

void sts_cache_trim(void)
{
	struct sts_self *self = &sts_self;

	if (self->cache == NULL || self->inside)
		return;
	self->inside = 1;
	empty(self->cache);
	self->inside = 0;
}

void sts_cache_lock_all(void)
{
	sts_lock(&caches_lock);
}

void sts_cache_unlock_all(void)
{
	sts_unlock(&caches_lock, true);
}

bool sts_heap_inside(void)
{
	return sts_self.inside != 0;
}

void sts_heap_disable(int change)
{
	sts_self.disabled += change;
}

int sts_heap_disabled(void)
{
	return sts_self.disabled;
}
