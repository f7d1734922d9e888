/* SPDX-License-Identifier: BSD-2-Clause */
/* From a frame to its caller's, by call frame information: rows as elfutils reads them, kept and applied here. */
#ifndef STS_SYMBOLS_UNWIND_H
#define STS_SYMBOLS_UNWIND_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STS_FRAME_REGS 17 /* by DWARF's numbers; i386 has the first nine */

/* What the CPU holds in one frame. */
struct sts_frame {
	uint64_t regs[STS_FRAME_REGS];
	uint32_t known; /* bit n: regs[n] is */
	bool wide;	/* x86-64, not i386 */
};
/* The numbers that the next frame is known by. */
unsigned sts_frame_pc(const struct sts_frame *f);
unsigned sts_frame_sp(const struct sts_frame *f);

/* Read a word of the traced program's memory. */
typedef bool (*sts_read_fn)(void *arg, uint64_t address, void *buf, size_t len);

struct sts_rule {
	enum sts_rule_kind {
		STS_RULE_SAME,
		STS_RULE_UNDEFINED,
		STS_RULE_REGISTER, /* number: the register; offset: what to add */
		STS_RULE_AT_CFA,   /* it is saved at the CFA + offset */
		STS_RULE_CFA,	   /* it is the CFA + offset */
		STS_RULE_SAVED,	   /* it is saved where the expression says */
		STS_RULE_VALUE	   /* it is what the expression says */
	} kind;
	unsigned number;
	int64_t offset;
	const Dwarf_Op *ops; /* the CFI's own */
	size_t n_ops;
};

struct sts_row {
	struct sts_rule cfa, regs[STS_FRAME_REGS];
	unsigned return_address; /* the register that holds it */
	bool signal;		 /* a signal's: its caller's pc is exact, and its stack may be anywhere */
};

/* The row that holds at pc; wide as for frames. false: there is none, or none that can be understood. */
bool sts_row_find(Dwarf_CFI *cfi, Dwarf_Addr pc, bool wide, struct sts_row *ret);
/* Turn f into its caller's frame; false: there is none, and f is as it was. */
bool sts_row_apply(const struct sts_row *row, struct sts_frame *f, sts_read_fn read, void *arg);
/* Where no row is known, by the frame pointer; and by what lies on top of the stack, right for a function that has
 * put nothing there. Whether a call stands before the address found is for who can read the code. */
bool sts_frame_bare_apply(struct sts_frame *f, sts_read_fn read, void *arg);
bool sts_frame_pointer_apply(struct sts_frame *f, sts_read_fn read, void *arg);

/* Whether such bytes before an address are an instruction of x86 that calls. */
#define STS_CALL_BYTES 7
bool sts_is_call(const unsigned char before[STS_CALL_BYTES]);

#endif
