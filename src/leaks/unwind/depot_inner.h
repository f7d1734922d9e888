/* SPDX-License-Identifier: BSD-2-Clause */
/* The depot's nodes, for who follows a stack at every allocation. */
#ifndef STS_LEAKS_DEPOT_INNER_H
#define STS_LEAKS_DEPOT_INNER_H

#include <stdatomic.h>
#include <stdint.h>

#define STS_NODE_SHIFT 16
#define STS_NODE_BLOCK (1u << STS_NODE_SHIFT)
#define STS_NODE_BLOCKS (1u << 12)
#define STS_NODE_PC_BITS 48

struct sts_node {
	uint64_t key; /* pc and module */
	uint32_t caller;
	uint32_t next; /* with the same hash */
};

extern struct sts_node *_Atomic sts_depot_blocks[STS_NODE_BLOCKS] __attribute__((visibility("hidden")));

/* Of an id that there is. */
static inline struct sts_node *sts_node_of(uint32_t id)
{
	return &atomic_load_explicit(&sts_depot_blocks[id >> STS_NODE_SHIFT],
				     memory_order_acquire)[id & (STS_NODE_BLOCK - 1)];
}

static inline uint64_t sts_node_key(uintptr_t pc, unsigned module)
{
	return (pc & (((uint64_t)1 << STS_NODE_PC_BITS) - 1)) | (uint64_t)module << STS_NODE_PC_BITS;
}

#endif
