/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks that blocks were allocated from, each kept once, as a tree: a node is a frame, its parent the frame that
 * called it. The id of a stack is that of its innermost frame's node; 0 is the empty stack. Nodes stay for ever.
 *
 * All may be called by any thread at any time, in signal handlers and stopped worlds too; nothing is locked.
 */
#ifndef STS_LEAKS_DEPOT_H
#define STS_LEAKS_DEPOT_H

#include <stddef.h>
#include <stdint.h>

struct sts_frame {
	uintptr_t pc;	 /* the address to return to; of frame 0, some address in the function */
	uint16_t module; /* as of modules.h; 0 if it lies in none */
};

/* The stack that consists of `caller` and, called by it, a frame in `module`. `caller` itself if there is no memory. */
uint32_t sts_depot_child(uint32_t caller, uintptr_t pc, unsigned module);
/* As that, with the innermost frame of the stack `like`. */
uint32_t sts_depot_again(uint32_t caller, uint32_t like);
/* Innermost first; returns how many there are, of which at most `max` are written. 0 for an unknown id. */
size_t sts_depot_get(uint32_t id, uintptr_t *pcs, size_t max);
size_t sts_depot_frames(uint32_t id, struct sts_frame *frames, size_t max);
/* The caller's stack. */
uint32_t sts_depot_parent(uint32_t id);
/* Number of nodes. */
uint32_t sts_depot_count(void);

/* For sts_heap_hold(). */
void sts_depot_lock_all(void);
void sts_depot_unlock_all(void);

#endif
