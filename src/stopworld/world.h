/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one world of a process, and the contract between those who stop it and
 * those who are stopped.
 *
 * The stopped side (park.c) touches only what stands under "shared". Each thread
 * that is asked has a slot; the slot's word holds the number of the stop and what
 * has become of the thread, so that a signal that comes late finds a word that
 * fits no longer, and does nothing.
 */
#ifndef STS_STOPWORLD_WORLD_H
#define STS_STOPWORLD_WORLD_H

#include <stdatomic.h>
#include <stasis/stopworld.h>

#include "stopworld/os.h"

enum sts_slot_state {
	SLOT_ASKED,   /* the signal is on its way */
	SLOT_PARKING, /* in the handler, not yet counted */
	SLOT_PARKED,
	SLOT_RESTING, /* cannot answer, but is seen at rest; may park later */
	SLOT_GONE,    /* has ended; its tid may belong to another */
	SLOT_ZOMBIE,  /* a main thread that has ended: it stays in the list of threads for ever */
};

#define SLOT_STATE(word_) ((enum sts_slot_state)((word_)&0xff))
#define SLOT_STOP(word_) ((word_) >> 8)
#define SLOT_WORD(stop_, state_) ((uint32_t)(stop_) << 8 | (uint32_t)(state_))
#define STOP_MASK 0xffffffu /* numbers of stops wrap here */

struct sts_slot {
	_Atomic uint32_t word;
	_Atomic int32_t tid;
	void *context; /* of the handler; PARKED */
	uint64_t tp;   /* thread pointer; PARKED */
	/* The stopping side's own: */
	uint32_t shown;	    /* of slot n: which slot is the n-th that the user sees */
	uint8_t unanswered; /* waits that have passed without its answer, up to a few */
	bool unsent;	    /* the queue of signals was full */
	bool unsignalled;   /* seen once without the signal pending */
	bool asleep;	    /* when last seen, since rest_since, which is ns of this stop */
	uint64_t rest_since;
	struct sts_look look; /* how it was last seen */
};

enum {
	SLOTS_PER_CHUNK = 256,
	CHUNKS = 1 << 14, /* more threads than any kernel allows */
};

/* Open addressing; an entry is the index of a slot plus one. The newest map is the valid one. */
struct sts_map {
	uint32_t mask;
	struct sts_map *older;
	_Atomic uint32_t entry[];
};

struct stasis_world {
	/* shared */
	_Atomic uint32_t stop;	  /* number of the stop; changes when the world is let go */
	_Atomic uint32_t asking;  /* a stop is going on */
	_Atomic uint32_t pending; /* slots ASKED or PARKING, plus one unless the stopping thread waits for it to be 0 */
	_Atomic(struct sts_map *) map;
	struct sts_slot *chunk[CHUNKS];

	/* who may stop (turn.c) */
	_Atomic uint32_t next_ticket, serving;
	_Atomic int32_t owner; /* tid, 0 if none */
	_Atomic int32_t pid;   /* the process all of this is about: a forked child begins anew */

	/* the stopping side's own */
	struct stasis_world_opts opts;
	uint64_t saved_mask;
	uint32_t n_slots; /* in use in this stop; slots that are reused for a new thread of the same tid count once */
	uint32_t n_gone, n_resting;
	uint32_t n_shown;
	uint32_t n_new;	 /* threads found by the listing that is going on */
	uint32_t n_vain; /* listings in a row that found nobody */
	int32_t newest;	 /* the last thread found in this stop */
	bool uncounted;	 /* the kernel's count cannot be had: only listings tell, and the last stop's threads are no
			    start */
	uint32_t cursor; /* where the next look at those who do not answer begins */
	int error;
	uint64_t clock_ns, elapsed_ns;
	struct stasis_regs_x86 regs; /* what stasis_world_thread() lends out */
};

extern struct stasis_world sts_world;

static inline struct sts_slot *sts_slot_at(struct stasis_world *w, uint32_t i)
{
	return &w->chunk[i / SLOTS_PER_CHUNK][i % SLOTS_PER_CHUNK];
}

static inline struct sts_slot *sts_slot_shown(struct stasis_world *w, size_t index)
{
	return index < w->n_shown ? sts_slot_at(w, sts_slot_at(w, (uint32_t)index)->shown) : NULL;
}

static inline enum sts_slot_state sts_slot_state(struct sts_slot *s)
{
	return SLOT_STATE(atomic_load_explicit(&s->word, memory_order_acquire));
}

/* table.c: slots by tid. find() is safe on the stopped side. */
struct sts_slot *sts_table_find(struct stasis_world *w, int32_t tid);
/* Make a thread's slot ASKED: a new one, or its own if that is GONE. NULL if there is no memory. */
struct sts_slot *sts_table_add(struct stasis_world *w, int32_t tid);
/* For a new stop: keep the threads of the last one, made ASKED, if none was seen to end; else forget all. */
int sts_table_reset(struct stasis_world *w);
/* Number those the user is to see. */
void sts_table_show(struct stasis_world *w);

/* park.c: called by the handler. */
void sts_world_park(void *context);

/* gather.c: bring everybody to rest; and, before they are let go, how many of them did not stay there. */
int sts_world_gather(struct stasis_world *w);
int sts_world_moved(struct stasis_world *w);
enum stasis_world_state sts_world_state(struct sts_slot *s);

/* turn.c: one caller at a time. Signals are blocked from take to give. */
int sts_turn_take(struct stasis_world *w);
void sts_turn_give(struct stasis_world *w);

#endif
