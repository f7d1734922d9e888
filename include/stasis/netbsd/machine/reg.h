/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file reg.h  Registers as PT_GETREGS and its kin show them.
 *
 * The names and their order are NetBSD's. _REG_TRAPNO and _REG_ERR read as 0,
 * for Linux does not tell them.
 */
#ifndef STASIS_NETBSD_MACHINE_REG_H
#define STASIS_NETBSD_MACHINE_REG_H

#include <stdint.h>
#include <x86/cpu_extended_state.h>

enum {
	_REG_RDI = 0,
	_REG_RSI = 1,
	_REG_RDX = 2,
	_REG_RCX = 3,
	_REG_R8 = 4,
	_REG_R9 = 5,
	_REG_R10 = 6,
	_REG_R11 = 7,
	_REG_R12 = 8,
	_REG_R13 = 9,
	_REG_R14 = 10,
	_REG_R15 = 11,
	_REG_RBP = 12,
	_REG_RBX = 13,
	_REG_RAX = 14,
	_REG_GS = 15,
	_REG_FS = 16,
	_REG_ES = 17,
	_REG_DS = 18,
	_REG_TRAPNO = 19,
	_REG_ERR = 20,
	_REG_RIP = 21,
	_REG_CS = 22,
	_REG_RFLAGS = 23,
	_REG_RSP = 24,
	_REG_SS = 25,
	_NGREG = 26
};

struct reg {
	long regs[_NGREG];
};

struct fpreg {
	struct fxsave fxstate;
};

/** PT_GETXMMREGS: the same image under its other name. */
struct xmmregs {
	struct fxsave fxstate;
};

/** DR0 to DR15, of which x86 has 0 to 3, 6 and 7. */
struct dbreg {
	long dr[16];
};

#endif
