// SPDX-License-Identifier: BSD-2-Clause
/* Several callers take turns by ticket. */
#include <errno.h>

#include "stopworld/world.h"

enum { BEING_RESET = -1 };

/* In a forked child: whoever was stopping in the parent does not exist here. */
static void begin_anew(struct stasis_world *w, int32_t pid)
{
	int32_t known = atomic_load(&w->pid);

	while (known != pid) {
		if (known == BEING_RESET || !atomic_compare_exchange_strong(&w->pid, &known, BEING_RESET)) {
			known = atomic_load(&w->pid);
			continue;
		}
		atomic_store(&w->asking, 0);
		atomic_store(&w->owner, 0);
		atomic_store(&w->next_ticket, 0);
		atomic_store(&w->serving, 0);
		w->n_slots = 0;
		atomic_store(&w->pid, pid);
		return;
	}
}

/*
 * Who waits can be stopped by the one whose turn it is. Signals of the program are blocked from here on: a handler that
 * ran while this thread waits or owns the world, and wanted to stop it too, would wait for itself.
 */
int sts_turn_take(struct stasis_world *w)
{
	int32_t tid = sts_os_tid(), pid = sts_os_pid();
	uint32_t ticket, now;
	uint64_t mask;

	if (atomic_load(&w->owner) == tid && atomic_load(&w->pid) == pid)
		return -EDEADLK;
	mask = sts_os_block_all();
	begin_anew(w, pid);
	ticket = atomic_fetch_add(&w->next_ticket, 1);
	if (atomic_load(&w->serving) != ticket) {
		sts_os_block_others();
		while ((now = atomic_load(&w->serving)) != ticket)
			sts_os_wait(&w->serving, now, 0);
		sts_os_block_all();
	}
	atomic_store(&w->owner, tid);
	w->saved_mask = mask;
	return 0;
}

void sts_turn_give(struct stasis_world *w)
{
	uint64_t mask = w->saved_mask;

	atomic_store(&w->owner, 0);
	atomic_fetch_add(&w->serving, 1);
	if (atomic_load(&w->serving) != atomic_load(&w->next_ticket))
		sts_os_wake(&w->serving, 0x7fffffff);
	sts_os_unblock(mask);
}
