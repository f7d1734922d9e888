/* SPDX-License-Identifier: BSD-2-Clause */
/* The instructions the emulator knows, each in random encodings with registers that suit it. */
#ifndef ARCH_FORMS_H
#define ARCH_FORMS_H

#include "arch_lab.h"

enum form_shape {
	SHAPE_PLAIN,
	SHAPE_REG,    /* register in the opcode's low 3 bits */
	SHAPE_CC,     /* condition in the low 4 bits */
	SHAPE_RM,     /* ModRM */
	SHAPE_RM_CC,  /* ModRM, and a condition in the opcode's low 4 bits */
	SHAPE_RM_MEM, /* ModRM of memory only */
};

enum form_flags {
	FORM_NO_REX = 1 << 0,
	FORM_NO_AF = 1 << 1, /* leaves AF undefined */
	FORM_32 = 1 << 2,    /* not in 64-bit code */
	FORM_64 = 1 << 3,    /* only in 64-bit code */
};

#define IMM_FULL 0xff /* 4 bytes, 8 with REX.W */

struct form {
	const char *name;
	uint8_t bytes[4], n_bytes;
	enum form_shape shape;
	int digit; /* ModRM.reg; -1: a register */
	uint8_t immediate;
	unsigned flags;
};

extern const struct form forms[];
extern const size_t n_forms;

/* One instruction with what it is executed on. */
struct trial {
	const struct form *form;
	bool long_mode;
	uint8_t code[16];
	size_t len;
	struct stasis_regs_x86 regs;
	/* its memory operand */
	bool has_memory;
	int base, index; /* register, or one of the below */
	unsigned scale;	 /* as a shift */
	size_t disp_at, disp_size;
	int32_t disp;
};
enum { NO_REGISTER = -1, PC_REGISTER = -2 };

/* `rip` must be set in `regs`; its general registers and flags are chosen here. */
void trial_make(struct trial *t, const struct form *form, bool long_mode, const struct stasis_regs_x86 *regs,
		uint64_t *random);
uint64_t trial_address(const struct trial *t);
uint64_t *trial_reg(struct stasis_regs_x86 *regs, int n);

/* A number on which arithmetic may go wrong, or an address in the lab. */
uint64_t trial_value(uint64_t *random);
/* An address in the lab's data, now and then at the edge of a page. */
uint64_t trial_pointer(uint64_t *random);
uint64_t trial_flags(uint64_t *random);

#endif
