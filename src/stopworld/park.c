// SPDX-License-Identifier: BSD-2-Clause
/*
 * The stopped side: what a thread does in the handler of the stop signal, with every signal blocked.
 *
 * It may be any thread at any point: one without libc whose thread pointer is another's, one that holds the allocator's
 * or the loader's lock, one on a signal stack with little room. So: no thread-local storage (errno, stack protector),
 * no calls out of this library, a small frame.
 */
#include "stopworld/cpu.h"
#include "stopworld/world.h"

/* Win the slot for this thread; the word it had, or 0 if this thread is not asked. */
static uint32_t claim_slot(struct sts_slot *s)
{
	uint32_t word = atomic_load_explicit(&s->word, memory_order_acquire);

	/* Those seen at rest may be here after all. */
	while (SLOT_STATE(word) == SLOT_ASKED || SLOT_STATE(word) == SLOT_RESTING) {
		if (atomic_compare_exchange_weak(&s->word, &word, SLOT_WORD(SLOT_STOP(word), SLOT_PARKING)))
			return word;
	}
	return 0;
}

void sts_world_park(void *context)
{
	struct stasis_world *w = &sts_world;
	struct sts_slot *s;
	uint32_t word, stop;

	if (!atomic_load_explicit(&w->asking, memory_order_acquire))
		return;
	s = sts_table_find(w, sts_os_tid());
	word = s != NULL ? claim_slot(s) : 0;
	if (word == 0)
		return;
	/* Even if the world was let go since, and is being stopped anew: the word knows which stop this is about. */
	stop = SLOT_STOP(word);
	s->context = context;
	s->tp = sts_cpu_thread_pointer();
	atomic_store_explicit(&s->word, SLOT_WORD(stop, SLOT_PARKED), memory_order_release);
	if (SLOT_STATE(word) == SLOT_ASKED && atomic_fetch_sub(&w->pending, 1) == 1)
		sts_os_wake(&w->pending, 1);
	while (atomic_load_explicit(&w->stop, memory_order_acquire) == stop)
		sts_os_wait(&w->stop, stop, 0);
}
