/* SPDX-License-Identifier: BSD-2-Clause */
/* What target-regs does with its registers, and where it shows them. */
#ifndef REGS_H
#define REGS_H

#include <stdint.h>

enum { REGS_VECTORS = 32, REGS_MASKS = 8, REGS_X87 = 8 };

/*
 * In the target's memory. Registers are loaded from `in`, the stack pointer
 * points at the area itself; when `go` is set they are stored to `out`. General
 * registers stand in the order rax rcx rdx rbx (rsp) rbp rsi rdi r8...r15.
 */
struct regs_area {
	uint64_t go, saved_sp;
	struct regs_values {
		uint64_t general[16];
		uint64_t mxcsr, unused;
		uint8_t x87[REGS_X87][16];
		uint64_t mask[REGS_MASKS];
		uint8_t vector[REGS_VECTORS][64];
	} in, out;
};

enum regs_counter {
	REGS_AREA,      /* its address */
	REGS_LOOP,      /* the loop that waits for `go` lies from here */
	REGS_LOOP_END,  /* to here */
	REGS_VECTOR_SIZE, /* bytes of each vector register that are used: 16, 32 or 64 */
	REGS_VECTOR_N,  /* how many of them */
	REGS_FS_BASE,
	REGS_THREAD_POINTER,
};

/* Byte b of a register: a number none other has at that place. */
static inline uint8_t regs_pattern(unsigned seed, unsigned reg, unsigned b)
{
	return (uint8_t)(seed * 97 + reg * 31 + b * 7 + 1);
}

static inline void regs_fill(struct regs_values *v, unsigned seed)
{
	for (unsigned r = 0; r < 16; r++) {
		v->general[r] = 0;
		for (unsigned b = 0; b < 8; b++)
			v->general[r] |= (uint64_t)regs_pattern(seed, r, b) << 8 * b;
	}
	for (unsigned r = 0; r < REGS_MASKS; r++)
		v->mask[r] = v->general[r] ^ UINT64_C(0xa5a5);
	for (unsigned r = 0; r < REGS_VECTORS; r++)
		for (unsigned b = 0; b < 64; b++)
			v->vector[r][b] = regs_pattern(seed, 40 + r, b);
	for (unsigned r = 0; r < REGS_X87; r++) {
		for (unsigned b = 0; b < 16; b++)
			v->x87[r][b] = b < 8 ? regs_pattern(seed, 80 + r, b) : 0;
		v->x87[r][7] |= 0x80; /* a normal number */
		v->x87[r][8] = 0xff;
		v->x87[r][9] = 0x3f;
	}
	v->mxcsr = 0x1f80 | (seed % 4) << 13; /* rounding */
}

#endif
