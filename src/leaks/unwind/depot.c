// SPDX-License-Identifier: BSD-2-Clause
#include "leaks/unwind/depot.h"

#include <stdatomic.h>

#include "leaks/heap/inner.h"
#include "leaks/unwind/depot_inner.h"

#define HEADS (1u << 18)
static _Atomic uint32_t heads[HEADS];
struct sts_node *_Atomic sts_depot_blocks[STS_NODE_BLOCKS];
static _Atomic uint32_t count = 1;
static struct sts_lock lock; /* to make blocks */

static bool known(uint32_t id)
{
	return id != 0 && id >> STS_NODE_SHIFT < STS_NODE_BLOCKS &&
	       id < atomic_load_explicit(&count, memory_order_acquire) &&
	       atomic_load_explicit(&sts_depot_blocks[id >> STS_NODE_SHIFT], memory_order_acquire) != NULL;
}

static uint32_t hash(uint32_t caller, uint64_t key)
{
	uint64_t h = (key ^ (uint64_t)caller << 32 ^ caller) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(h >> 40) & (HEADS - 1);
}

static uint32_t search(uint32_t id, uint32_t until, uint32_t caller, uint64_t key)
{
	while (id != until) {
		const struct sts_node *node = sts_node_of(id);

		if (node->key == key && node->caller == caller)
			return id;
		id = node->next;
	}
	return 0;
}

static bool have_block(uint32_t number)
{
	bool taken;

	if (number >= STS_NODE_BLOCKS)
		return false;
	if (likely(atomic_load_explicit(&sts_depot_blocks[number], memory_order_acquire) != NULL))
		return true;
	taken = sts_lock(&lock);
	if (atomic_load_explicit(&sts_depot_blocks[number], memory_order_relaxed) == NULL)
		atomic_store_explicit(&sts_depot_blocks[number],
				      sts_own_alloc(STS_NODE_BLOCK * sizeof(struct sts_node)), memory_order_release);
	sts_unlock(&lock, taken);
	return atomic_load_explicit(&sts_depot_blocks[number], memory_order_acquire) != NULL;
}

static uint32_t new_node(void)
{
	uint32_t id = atomic_load_explicit(&count, memory_order_relaxed);

	do {
		if (!have_block(id >> STS_NODE_SHIFT))
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&count, &id, id + 1, memory_order_acq_rel,
							memory_order_relaxed));
	return id;
}

uint32_t sts_depot_child(uint32_t caller, uintptr_t pc, unsigned module)
{
	uint64_t key = sts_node_key(pc, module);
	_Atomic uint32_t *head = &heads[hash(caller, key)];
	uint32_t seen = atomic_load_explicit(head, memory_order_acquire);
	uint32_t id = search(seen, 0, caller, key), own;
	struct sts_node *node;

	if (likely(id != 0))
		return id;
	own = new_node();
	if (own == 0)
		return caller;
	node = sts_node_of(own);
	node->key = key;
	node->caller = caller;
	node->next = seen;
	/* Who was faster may have entered the same: then this node remains unused. */
	while (!atomic_compare_exchange_strong_explicit(head, &seen, own, memory_order_acq_rel, memory_order_acquire)) {
		id = search(seen, node->next, caller, key);
		if (id != 0)
			return id;
		node->next = seen;
	}
	return own;
}

uint32_t sts_depot_again(uint32_t caller, uint32_t like)
{
	uint64_t key = sts_node_of(like)->key;

	return sts_depot_child(caller, key & (((uint64_t)1 << STS_NODE_PC_BITS) - 1),
			       (unsigned)(key >> STS_NODE_PC_BITS));
}

size_t sts_depot_frames(uint32_t id, struct sts_frame *frames, size_t max)
{
	size_t n = 0;

	for (; known(id); id = sts_node_of(id)->caller, n++)
		if (n < max)
			frames[n] = (struct sts_frame){sts_node_of(id)->key & (((uint64_t)1 << STS_NODE_PC_BITS) - 1),
						       (uint16_t)(sts_node_of(id)->key >> STS_NODE_PC_BITS)};
	return n;
}

size_t sts_depot_get(uint32_t id, uintptr_t *pcs, size_t max)
{
	size_t n = 0;

	for (; known(id); id = sts_node_of(id)->caller, n++)
		if (n < max)
			pcs[n] = sts_node_of(id)->key & (((uint64_t)1 << STS_NODE_PC_BITS) - 1);
	return n;
}

uint32_t sts_depot_parent(uint32_t id)
{
	return known(id) ? sts_node_of(id)->caller : 0;
}

uint32_t sts_depot_count(void)
{
	return atomic_load_explicit(&count, memory_order_acquire) - 1;
}

void sts_depot_lock_all(void)
{
	sts_lock(&lock);
}

void sts_depot_unlock_all(void)
{
	sts_unlock(&lock, true);
}
