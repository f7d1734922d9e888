/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of call frame information for the addresses met so far, shared by all threads, without locks. */
#ifndef STS_LEAKS_ROWS_H
#define STS_LEAKS_ROWS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "leaks/unwind/cfi.h"

/*
 * A row in a word:
 *   bits 0-2    kind
 *   bits 3-4    kind of the frame pointer's rule
 *   bit  5      1
 *   bits 6-21   module
 *   bits 22-37  the frame pointer's offset, in words, signed
 *   bits 38-63  the canonical frame address's offset, in words, signed
 * 0: not known yet.
 */
#define STS_ROWS (1u << 15)
/* With the address: it is that of the next instruction itself, not of the one behind a call. */
#define STS_ROW_EXACT ((uint64_t)1 << 63)

struct sts_row_entry {
	_Atomic uint64_t check; /* address ^ row: if the two are not of one entry, they do not fit */
	_Atomic uint64_t row;
};

extern struct sts_row_entry sts_rows[STS_ROWS] __attribute__((visibility("hidden")));

static inline struct sts_row_entry *sts_row_entry(uint64_t pc)
{
	return &sts_rows[(pc * 0x9e3779b97f4a7c15u) >> (64 - 15)];
}

uint64_t sts_row_make(uint64_t pc, struct sts_row_entry *entry);

/* The row of a return address, or of an address with STS_ROW_EXACT. */
static inline uint64_t sts_row_of(uint64_t pc)
{
	struct sts_row_entry *entry = sts_row_entry(pc);
	uint64_t row = atomic_load_explicit(&entry->row, memory_order_relaxed);

	if (__builtin_expect((atomic_load_explicit(&entry->check, memory_order_relaxed) ^ row) == pc && row != 0, 1))
		return row;
	return sts_row_make(pc, entry);
}

static inline enum sts_row_kind sts_row_kind(uint64_t row)
{
	return (enum sts_row_kind)(row & 7);
}

static inline enum sts_row_bp sts_row_bp_kind(uint64_t row)
{
	return (enum sts_row_bp)(row >> 3 & 3);
}

static inline unsigned sts_row_module(uint64_t row)
{
	return row >> 6 & 0xffff;
}

static inline int64_t sts_row_bp(uint64_t row)
{
	return (int64_t)(int16_t)(row >> 22) * 8;
}

static inline int64_t sts_row_cfa(uint64_t row)
{
	return ((int64_t)row >> 38) * 8;
}

/* Forget all: a module was unloaded, or the way rows are made has changed. */
void sts_rows_forget(void);
/* True if a word of memory can be read. */
bool sts_readable(uintptr_t address);

#endif
