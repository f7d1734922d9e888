/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Call frame information: how to come from a frame to its caller's, read from .eh_frame. Only what x86-64 code needs to
 * find return addresses is kept: the stack pointer, the frame pointer, the return address.
 */
#ifndef STS_LEAKS_CFI_H
#define STS_LEAKS_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where tables are. All reads stay in the segment. */
struct sts_cfi {
	uintptr_t hdr; /* .eh_frame_hdr */
	size_t hdr_size;
	uintptr_t lo, hi; /* the segment: memory that may be read */
};

enum sts_row_kind {
	STS_ROW_NONE,	  /* nothing is known */
	STS_ROW_END,	  /* the outermost frame */
	STS_ROW_SP,	  /* the canonical frame address is the stack pointer + cfa */
	STS_ROW_BP,	  /* ... the frame pointer + cfa */
	STS_ROW_DEREF_BP, /* ... the word at the frame pointer + cfa */
	STS_ROW_SIGNAL,	  /* a signal handler's return: the stack pointer is at a ucontext_t */
};

enum sts_row_bp {
	STS_BP_SAME,   /* the caller's frame pointer is the frame's own */
	STS_BP_AT_CFA, /* ... the word at the canonical frame address + bp */
	STS_BP_AT_BP,  /* ... at the frame's own + bp */
};

/* The return address is the word below the canonical frame address. */
struct sts_row {
	enum sts_row_kind kind;
	int32_t cfa;
	enum sts_row_bp bp_kind;
	int32_t bp;
};

/* The row for an address in an instruction; false if there is none, or it cannot be understood. */
bool sts_cfi_row(const struct sts_cfi *cfi, uintptr_t address, struct sts_row *ret);

#endif
