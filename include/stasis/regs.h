/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file regs.h  Registers of one LWP at rest.
 *
 * Errors of all: STASIS_E_RUNNING if the LWP is not at rest (or is at rest where
 * the kernel cannot show it), STASIS_E_GONE, STASIS_E_NOT_TRACED,
 * STASIS_E_UNSUPPORTED for a set this CPU lacks.
 */
#ifndef STASIS_REGS_H
#define STASIS_REGS_H

#include <stasis/base.h>
#include <stasis/event.h>

STASIS_BEGIN_DECLS

/**
 * General registers of x86-64 in the kernel's user_regs_struct order. An i386
 * tracee's stand in the lower halves (eax in rax, eip in rip...).
 */
struct stasis_regs_x86 {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss;
	uint64_t fs_base, gs_base, ds, es, fs, gs;
};

enum stasis_regset {
	STASIS_REGSET_GENERAL = 1, /**< struct stasis_regs_x86 */
	STASIS_REGSET_FP,	   /**< 512-byte FXSAVE image (x87 and SSE) */
	STASIS_REGSET_XSTATE, /**< whole XSAVE area in standard format: AVX, AVX-512, PKRU, AMX...; size varies by CPU
			       */
	STASIS_REGSET_DEBUG,  /**< uint64_t[8], DR0 to DR7; 4 and 5 read as 0. Writes fail with STASIS_E_EXISTS where a
				 breakpoint of ours uses the register */
};

/**
 * Copy a register set. *size_ret (may be NULL): its true size in bytes; if
 * @p size is smaller the copy is cut.
 */
STASIS_API STASIS_CHECK int stasis_regs_get(struct stasis_session *session, pid_t tid, enum stasis_regset set,
					    void *buf, size_t size, size_t *size_ret);
/** Set registers; @p size must be the full size (XSTATE: as returned by stasis_regs_get()). */
STASIS_API STASIS_CHECK int stasis_regs_set(struct stasis_session *session, pid_t tid, enum stasis_regset set,
					    const void *buf, size_t size);

/** Program counter alone; for a breakpoint hit this is the breakpoint's address. */
STASIS_API STASIS_CHECK int stasis_pc_get(struct stasis_session *session, pid_t tid, uint64_t *pc_ret);
STASIS_API STASIS_CHECK int stasis_pc_set(struct stasis_session *session, pid_t tid, uint64_t pc);
STASIS_API STASIS_CHECK int stasis_sp_get(struct stasis_session *session, pid_t tid, uint64_t *sp_ret);

STASIS_END_DECLS

#endif
