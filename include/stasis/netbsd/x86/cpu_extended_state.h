/* SPDX-License-Identifier: BSD-2-Clause */
/** @file cpu_extended_state.h  Floating point and vector registers, as the CPU stores them. */
#ifndef STASIS_NETBSD_X86_CPU_EXTENDED_STATE_H
#define STASIS_NETBSD_X86_CPU_EXTENDED_STATE_H

#include <stdint.h>
#include <x86/specialreg.h>

union fp_addr {
	uint64_t fa_64;
	struct {
		uint32_t fa_off;
		uint16_t fa_seg;
		uint16_t fa_opcode;
	} fa_32;
} __attribute__((packed, aligned(4)));

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

/** What FSAVE writes; FSTENV all but the registers. */
struct save87 {
	uint16_t s87_cw;
	uint16_t _unused1;
	uint16_t s87_sw;
	uint16_t _unused2;
	uint16_t s87_tw;
	uint16_t _unused3;
	union fp_addr s87_ip;
#define s87_opcode s87_ip.fa_32.fa_opcode
	union fp_addr s87_dp;
	struct fpacc87 s87_ac[8];
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
