/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding what is still pointed to. Any word that is an address within a live block counts as a pointer to it. Blocks
 * get marks of their class; those without any at the end are lost.
 *
 * In a stopped world, or in a copy of one: no locks, no memory but what sts_scan_begin() has mapped.
 */
#ifndef STS_LEAKS_SCAN_H
#define STS_LEAKS_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leaks/heap/look.h"

/* Sets of marks. */
enum sts_mark {
	STS_MARK_REACHABLE = 0,
	STS_MARK_POSSIBLE,
	/* Of lost blocks: */
	STS_MARK_POINTED, /* another one points to it */
	STS_MARK_CYCLE,	  /* part of a cycle, or behind one */
	STS_MARK_INDIRECT,
};

struct sts_scan_options {
	bool unaligned; /* words at any address, not only at multiples of 8 */
	bool past_end;	/* the address one past a block's end points to it too */
	uint64_t tag;	/* bits of a pointer that are not address; as they are in addresses of the heap */
};

struct sts_scan_range {
	uintptr_t start, end;
};

/* So many addresses, and blocks, are on their way into the cache. */
#define STS_SCAN_AHEAD 16

struct sts_scan {
	struct sts_scan_options opts;
	uintptr_t lo, size;	     /* of all of the heap: what a pointer is compared with first */
	struct sts_scan_range *todo; /* blocks that are marked, but were not looked into */
	size_t n_todo, room;
	size_t mapped;				 /* bytes of todo */
	const struct sts_scan_range *unreadable; /* parts of the heap that the program has protected, in order */
	size_t n_unreadable;
	struct sts_place places[STS_SCAN_AHEAD];
	unsigned n_places;  /* put there so far; the last ones are there */
	enum sts_mark mark; /* that is being given */
	uintptr_t self;	    /* the lost block that is being looked into */
	uint64_t live_blocks, live_bytes;
};

/* Count, map what the scan needs, clear all marks. False if there is no memory. */
bool sts_scan_begin(struct sts_scan *s, const struct sts_scan_options *opts);
void sts_scan_end(struct sts_scan *s);

/* All that follows gives this mark, to blocks that do not have it or one before it. */
void sts_scan_set_mark(struct sts_scan *s, enum sts_mark mark);
/* A word that may be a pointer. */
void sts_scan_word(struct sts_scan *s, uintptr_t word);
/* Memory that can be read; what its blocks lead to as well. */
void sts_scan_memory(struct sts_scan *s, uintptr_t start, uintptr_t end);
/* Follow what was found so far. */
void sts_scan_follow(struct sts_scan *s);
/* Blocks that the program said are none of ours are roots. */
void sts_scan_ignored(struct sts_scan *s);
/*
 * Last: mark INDIRECT the lost blocks that another lost one leads to. Of a cycle that none leads to one is left out, as
 * if the others were its.
 */
void sts_scan_indirect(struct sts_scan *s);

#endif
