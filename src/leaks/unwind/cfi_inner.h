/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STS_LEAKS_CFI_INNER_H
#define STS_LEAKS_CFI_INNER_H

#include "leaks/unwind/cfi.h"
#include "leaks/unwind/reader.h"

/* What descriptions have in common. */
struct sts_cie {
	uint64_t code_align, ra;
	int64_t data_align;
	uint8_t encoding; /* of addresses */
	bool sized, signal;
	struct sts_reader program;
};

/* The description of a piece of code. */
struct sts_fde {
	struct sts_cie cie;
	uint64_t begin;
	struct sts_reader program;
};

/* x86/program.c: run the programs up to an address. */
bool sts_cfi_run(const struct sts_fde *fde, uint64_t address, struct sts_row *ret);

/* x86/expression.c: a DWARF expression that comes down to a register + offset, or to the word there. */
enum sts_place_base { STS_PLACE_SP, STS_PLACE_BP, STS_PLACE_CFA };
struct sts_place {
	enum sts_place_base base;
	int64_t offset;
	bool deref;
};
/* `cfa`: the canonical frame address is on the stack at first, as for registers' rules. */
bool sts_cfi_expression(struct sts_reader expression, uint64_t pc, bool cfa, struct sts_place *ret);

#endif
