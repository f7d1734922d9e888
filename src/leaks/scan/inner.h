/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STS_LEAKS_SCAN_INNER_H
#define STS_LEAKS_SCAN_INNER_H

#include "leaks/scan/scan.h"

#define STS_SCAN_WORD sizeof(uintptr_t)

enum {
	STS_SCAN_AHEAD = 16, /* so many words, and blocks, are on their way into the cache */
	STS_SCAN_OWN = 1024, /* ranges that a worker keeps to itself */
	STS_SCAN_STACK = 32768,
};
/* Larger ranges are looked at in pieces, which others can take. */
#define STS_SCAN_PIECE ((uintptr_t)64 << 10)

struct sts_worker {
	struct sts_scan *scan;
	uintptr_t self; /* a lost block that is being looked into: what points to itself is not held by that */
	unsigned n_places, n_own;
	struct sts_place places[STS_SCAN_AHEAD]; /* the last n_places, in a ring, wait to be looked at */
	struct sts_scan_range own[STS_SCAN_OWN];
	_Atomic uint32_t running; /* thread id, cleared by the kernel */
} __attribute__((aligned(64)));

/* mark.c */
void sts_mark_word(struct sts_worker *w, uintptr_t word);
/* But for what the program has made unreadable, which only blocks can have. */
void sts_mark_range(struct sts_worker *w, uintptr_t start, uintptr_t end);
/* Look at words that wait. */
void sts_mark_flush(struct sts_worker *w);
/* The block at start is taken for the first of a cycle. */
void sts_mark_head(struct sts_worker *w, uintptr_t start);

/* share.c */
void sts_share_add(struct sts_worker *w, uintptr_t start, uintptr_t end);
/* Until nothing is to be done. */
void sts_share_run(struct sts_scan *s);
unsigned sts_share_cpus(void);

/* x86/ */
/* The first eight words of which one, tag aside, lies within [lo, lo + size), or what remains of fewer than eight. */
const uintptr_t *sts_filter(const uintptr_t *p, const uintptr_t *end, uintptr_t lo, uintptr_t size, uintptr_t keep);
void sts_filter_prepare(void);
/* A thread that is none of libc's: f may use nothing but its stack. False if there can be none. */
bool sts_spawn(void *stack_end, void (*f)(void *arg), void *arg, _Atomic uint32_t *running);

#endif
