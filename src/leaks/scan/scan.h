/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding what is still pointed to. Any word that is an address within a live block counts as a pointer to it. Blocks
 * get marks of their class; those without any at the end are lost. Much work is done by all CPUs.
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
	STS_MARK_INDIRECT,
	STS_MARK_FOLLOWED, /* besides INDIRECT: what the first of a chain or cycle leads to */
	STS_MARK_HEAD,	   /* taken for the first of a cycle */
	STS_MARK_HELD,	   /* besides any but REACHABLE: what a suppressed leak leads to */
};

struct sts_scan_options {
	bool unaligned;	  /* words at any address, not only at multiples of 8 */
	bool past_end;	  /* the address one past a block's end points to it too */
	uint64_t tag;	  /* bits of a pointer that are not address; as they are in addresses of the heap */
	unsigned threads; /* to work at most; 0: as many as there are CPUs, if there is much to do */
};

struct sts_scan_range {
	uintptr_t start, end;
};

struct sts_worker;

struct sts_scan {
	struct sts_scan_options opts;
	struct sts_lookup look;
	uintptr_t lo, size;	     /* of all of the heap: what a pointer is compared with first */
	struct sts_scan_range *todo; /* blocks that are marked, but were not looked into, and other memory */
	size_t n_todo, room;
	void *memory; /* all that the scan has mapped: not to be taken for roots */
	size_t mapped;
	const struct sts_scan_range *unreadable; /* parts of the heap that the program has protected, in order */
	size_t n_unreadable;
	enum sts_mark mark; /* that is being given */
	struct sts_worker *workers;
	char *stacks;
	_Atomic unsigned n_workers;
	bool parallel;	       /* marks are given by several workers just now */
	_Atomic uint32_t lock; /* of todo, while there are several */
	_Atomic uint32_t idle; /* workers that found nothing to do */
	_Atomic uint32_t news; /* changes when there is something to do, or nothing any more */
	_Atomic bool done;
	uint64_t live_blocks, live_bytes;
	bool lost;    /* there are blocks without a mark */
	bool special; /* blocks are ignored, or were made while disabled */
};

/* Count, map what the scan needs, clear all marks. False if there is no memory. */
bool sts_scan_begin(struct sts_scan *s, const struct sts_scan_options *opts);
void sts_scan_end(struct sts_scan *s);

/* All that follows gives this mark, to blocks that have none. */
void sts_scan_set_mark(struct sts_scan *s, enum sts_mark mark);
/* A word that may be a pointer. */
void sts_scan_word(struct sts_scan *s, uintptr_t word);
/* Memory that can be read, looked at before this returns. */
void sts_scan_memory(struct sts_scan *s, uintptr_t start, uintptr_t end);
/* Memory that can be read and stays so: looked at in sts_scan_follow() at the latest. */
void sts_scan_later(struct sts_scan *s, uintptr_t start, uintptr_t end);
/* Follow what was found so far. */
void sts_scan_follow(struct sts_scan *s);
/* Blocks that the program said are none of ours are roots. */
void sts_scan_ignored(struct sts_scan *s);
/* After all other marks: HELD, what the block leads to. */
void sts_scan_held(struct sts_scan *s, const struct sts_chunk *chunk);
/* Last but for HELD: mark INDIRECT all lost blocks that another lost one points to, but for one of each cycle. */
void sts_scan_indirect(struct sts_scan *s);

#endif
