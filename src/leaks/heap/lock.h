/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks of the allocator: a word, spinning for a while and then asleep in the kernel. All-zero is free. While the heap
 * is held (sts_heap_hold()) its holder passes through all of them, which a lock that was taken by nobody remembers in
 * what sts_lock() returns.
 */
#ifndef STS_LEAKS_LOCK_H
#define STS_LEAKS_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sts_lock {
	_Atomic uint32_t word; /* 0 free, 1 taken, 2 taken and somebody sleeps */
};

/* How many locks this thread holds or waits for: if it is interrupted meanwhile, the handler must not wait for one. */
extern __thread uint32_t sts_locks __attribute__((tls_model("initial-exec"), visibility("hidden")));

bool sts_lock_slow(struct sts_lock *lock);
void sts_lock_wake(struct sts_lock *lock);

/* True if the caller must unlock. */
static inline bool sts_lock(struct sts_lock *lock)
{
	uint32_t free = 0;

	sts_locks++;
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(atomic_compare_exchange_strong_explicit(&lock->word, &free, 1, memory_order_acquire,
								     memory_order_relaxed),
			     1))
		return true;
	return sts_lock_slow(lock);
}

static inline void sts_unlock(struct sts_lock *lock, bool taken)
{
	if (taken && atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
		sts_lock_wake(lock);
	atomic_signal_fence(memory_order_seq_cst);
	sts_locks--;
}

#endif
