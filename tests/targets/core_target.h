/* SPDX-License-Identifier: BSD-2-Clause */
/* What targets/core.c tells its case: places in the shared counters, and sizes. */
#ifndef CORE_TARGET_H
#define CORE_TARGET_H

#include <stddef.h>

enum {
	CORE_TID_MAIN,
	CORE_TID_ALPHA,
	CORE_TID_BETA,
	CORE_TID_GAMMA,
	/* Addresses: */
	CORE_BETA,          /* a function */
	CORE_PATTERN,       /* global data */
	CORE_SPARSE,        /* much private memory, one page of it written */
	CORE_COMB,          /* pages written with ever wider gaps */
	CORE_NO_ACCESS,     /* written, then PROT_NONE */
	CORE_RESERVED,      /* PROT_NONE, never touched */
	CORE_DONT_DUMP,
	CORE_SHARED,        /* much shared memory, two pages of it written */
	CORE_FILE_CLEAN,    /* private, never written */
	CORE_FILE_WRITTEN,  /* private, one page written */
	CORE_FILE_SHARED,
	CORE_FILE_SHORT,    /* ends before its mapping */
	CORE_FILE_UNLINKED, /* shared; the file has no name any more */
};

#define CORE_SPARSE_SIZE (256u << 20)
#define CORE_SPARSE_AT (100u << 20)
#define CORE_COMB_PAGES 2000u
#define CORE_RESERVED_SIZE (64u << 20)
#define CORE_SHARED_SIZE (64u << 20)
#define CORE_SHARED_AT (20u << 20)
#define CORE_SHARED_OTHER_AT (40u << 20)

/* What is written where; the seed says at which place. */
static inline void core_pattern_fill(char *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 7 + i / 256 + seed);
}

#define CORE_PATTERN_SIZE (3 * 4096 + 100)

#endif
