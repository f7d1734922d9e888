/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real CPU at work on single instructions: a traced process with nothing in
 * its address space but the few pages below, which the case sees too.
 */
#ifndef ARCH_LAB_H
#define ARCH_LAB_H

#include "test.h"
#include "arch/arch.h"

enum {
	LAB_PAGE = 4096,
	LAB_BASE = 0x20000000, /* within reach of 32-bit absolute addresses */
	LAB_FIXED = LAB_BASE,  /* one page that can only be read */
	LAB_DATA = LAB_FIXED + LAB_PAGE,
	LAB_DATA_END = LAB_DATA + 3 * LAB_PAGE,
	LAB_CODE = LAB_DATA_END + LAB_PAGE, /* one page, read and execute, with unmapped pages around it */
	LAB_END = LAB_CODE + LAB_PAGE,
	LAB_SIZE = LAB_END - LAB_BASE,
};

enum lab_kind {
	LAB_LONG,   /* 64-bit code */
	LAB_COMPAT, /* 32-bit code in a 64-bit process */
	LAB_I386,   /* an i386 process; skips the case if there is no such target */
};

struct lab {
	pid_t pid;
	bool long_mode;
	uint8_t *memory;	     /* LAB_SIZE bytes, the process's own */
	struct stasis_regs_x86 regs; /* segments and the like as they must be */
	uint64_t gate;		     /* address of a system call instruction, while the process is set up */
};

void lab_open(struct lab *lab, enum lab_kind kind);
void lab_close(struct lab *lab);

/* Where the process's `addr`, which must be in the lab, lies in ours. */
uint8_t *lab_at(const struct lab *lab, uint64_t addr);
bool lab_readable(uint64_t addr, size_t len);
bool lab_writable(uint64_t addr, size_t len);

/* Execute one instruction, or all up to a signal: the signal, and the registers then. */
int lab_step(struct lab *lab, struct stasis_regs_x86 *regs);
int lab_run(struct lab *lab, struct stasis_regs_x86 *regs);

/* si_code of the signal. */
int lab_code(struct lab *lab);
/* False, with errno, if the kernel refuses. */
bool lab_debugreg_set(struct lab *lab, int n, uint64_t value);
uint64_t lab_debugreg(struct lab *lab, int n);

#endif
