// SPDX-License-Identifier: BSD-2-Clause
/* Waiting for a lock, and holding all of them. */
#include "leaks/heap/inner.h"
#include "leaks/unwind/depot.h"
#include "leaks/unwind/modules.h"

enum { SPINS = 100 };

/* Who holds the heap: thread id, 0 for nobody. */
static _Atomic int32_t holder;
static unsigned depth;
static uint32_t held_locks;
static struct sts_lock hold_lock;

__thread uint32_t sts_locks __attribute__((tls_model("initial-exec"), visibility("hidden")));

static bool held_by_me(void)
{
	int32_t tid = atomic_load_explicit(&holder, memory_order_relaxed);

	return tid != 0 && tid == sts_os_heap_tid();
}

bool sts_lock_slow(struct sts_lock *lock)
{
	uint32_t word;

	if (held_by_me())
		return false;
	for (unsigned i = 0; i < SPINS; i++) {
		word = 0;
		if (atomic_compare_exchange_weak_explicit(&lock->word, &word, 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
		__builtin_ia32_pause();
	}
	while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
		sts_os_heap_wait(&lock->word);
	return true;
}

static void lock_all(void)
{
	sts_cache_lock_all();
	for (unsigned i = 0; i < STS_CLASSES; i++)
		sts_lock(&sts_classes[i].lock);
	sts_lock(&sts_pages_lock);
	sts_map_lock_all();
	sts_module_lock_all();
	sts_depot_lock_all();
	sts_own_lock_all();
}

void sts_heap_hold(void)
{
	if (held_by_me()) {
		depth++;
		return;
	}
	sts_lock(&hold_lock);
	lock_all();
	atomic_store_explicit(&holder, sts_os_heap_tid(), memory_order_relaxed);
	depth = 1;
	/* The holder may go on allocating: it passes through the locks. */
	held_locks = sts_locks;
	sts_locks = 0;
}

static void unlock_all(void)
{
	sts_locks = held_locks;
	sts_own_unlock_all();
	sts_depot_unlock_all();
	sts_module_unlock_all();
	sts_map_unlock_all();
	sts_unlock(&sts_pages_lock, true);
	for (unsigned i = 0; i < STS_CLASSES; i++)
		sts_unlock(&sts_classes[i].lock, true);
	sts_cache_unlock_all();
	sts_unlock(&hold_lock, true);
}

void sts_heap_release(void)
{
	if (--depth > 0)
		return;
	atomic_store_explicit(&holder, 0, memory_order_relaxed);
	unlock_all();
}

/* The child has another thread id, and nobody who sleeps. */
void sts_heap_release_child(void)
{
	atomic_store_explicit(&holder, 0, memory_order_relaxed);
	depth = 0;
	unlock_all();
	sts_cache_after_fork();
}
