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

union fp_addr {
	uint64_t fa_64;
	struct {
		uint32_t fa_off;
		uint16_t fa_seg;
		uint16_t fa_opcode;
	} fa_32;
};

/** An x87 register: 80 bits. */
struct fpacc87 {
	uint64_t f87_mantissa;
	uint16_t f87_exp_sign;
} __attribute__((packed, aligned(2)));

struct fpaccfx {
	struct fpacc87 r;
	uint8_t _rest[6];
};

struct xmmreg {
	uint8_t xmm_bytes[16];
};

/** The upper half of a YMM register. */
struct ymmreg {
	uint8_t ymm_bytes[16];
};

/** The upper half of a ZMM register, and a whole one. */
struct zmmreghi256 {
	uint8_t zmm_bytes[32];
};
struct zmmreg {
	uint8_t zmm_bytes[64];
};

/** What FXSAVE writes. */
struct fxsave {
	uint16_t fx_cw;
	uint16_t fx_sw;
	uint8_t fx_tw;
	uint8_t fx_zero;
	uint16_t fx_opcode;
	union fp_addr fx_ip;
	union fp_addr fx_dp;
	uint32_t fx_mxcsr;
	uint32_t fx_mxcsr_mask;
	struct fpaccfx fx_87_ac[8];
	struct xmmreg fx_xmm[16];
	uint8_t fx_rsvd[48];
	uint8_t fx_kernel[48];
} __attribute__((aligned(16)));

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

struct xsave_ymm {
	struct ymmreg xs_ymm[16];
};
struct xsave_opmask {
	uint64_t xs_k[8];
};
struct xsave_zmm_hi256 {
	struct zmmreghi256 xs_zmm[16];
};
struct xsave_hi16_zmm {
	struct zmmreg xs_hi16_zmm[16];
};

#define XCR0_X87 0x00000001
#define XCR0_SSE 0x00000002
#define XCR0_YMM_Hi128 0x00000004
#define XCR0_Opmask 0x00000020
#define XCR0_ZMM_Hi256 0x00000040
#define XCR0_Hi16_ZMM 0x00000080

/** PT_GETXSTATE, PT_SETXSTATE: the whole extended state, whichever way the CPU lays it out. */
struct xstate {
	/** Set: which parts to write. Get: which parts this CPU has. */
	uint64_t xs_rfbm;
	/** Parts that are not in their initial state. */
	uint64_t xs_xstate_bv;
	uint8_t _align[48];
	struct fxsave xs_fxsave;
	struct xsave_ymm xs_ymm_hi128;
	struct xsave_opmask xs_opmask;
	struct xsave_zmm_hi256 xs_zmm_hi256;
	struct xsave_hi16_zmm xs_hi16_zmm;
};

#endif
