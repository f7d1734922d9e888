/* SPDX-License-Identifier: BSD-2-Clause */
/* Register requests: between NetBSD's layouts and the session's. */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "netbsd/netbsd.h"
#include "util/cleanup.h"

_Static_assert(sizeof(struct fxsave) == 512, "an FXSAVE image has 512 bytes");

/* --- general ------------------------------------------------------------------------- */

#define REG(netbsd_, linux_)                                                                                           \
	{                                                                                                              \
		netbsd_, offsetof(struct stasis_regs_x86, linux_)                                                      \
	}
static const struct {
	int index;
	size_t offset;
} general[] = {
	REG(_REG_RDI, rdi), REG(_REG_RSI, rsi),	      REG(_REG_RDX, rdx), REG(_REG_RCX, rcx), REG(_REG_R8, r8),
	REG(_REG_R9, r9),   REG(_REG_R10, r10),	      REG(_REG_R11, r11), REG(_REG_R12, r12), REG(_REG_R13, r13),
	REG(_REG_R14, r14), REG(_REG_R15, r15),	      REG(_REG_RBP, rbp), REG(_REG_RBX, rbx), REG(_REG_RAX, rax),
	REG(_REG_GS, gs),   REG(_REG_FS, fs),	      REG(_REG_ES, es),	  REG(_REG_DS, ds),   REG(_REG_RIP, rip),
	REG(_REG_CS, cs),   REG(_REG_RFLAGS, eflags), REG(_REG_RSP, rsp), REG(_REG_SS, ss),
};
#undef REG

static int general_get(struct sts_tracee *t, lwpid_t lwp, struct reg *ret)
{
	struct stasis_regs_x86 regs;
	struct reg r = {{0}};
	int e = stasis_regs_get(sts_netbsd.session, lwp, STASIS_REGSET_GENERAL, &regs, sizeof regs, NULL);

	if (e < 0)
		return e;
	for (size_t i = 0; i < sizeof general / sizeof *general; i++)
		memcpy(&r.regs[general[i].index], (char *)&regs + general[i].offset, sizeof(uint64_t));
	/* On NetBSD RAX is the call's number at its entry; Linux has it elsewhere. */
	if (t->kind == STASIS_EVENT_SYSCALL_ENTER && lwp == t->lwp)
		r.regs[_REG_RAX] = t->result_set ? t->result : (long)regs.orig_rax;
	*ret = r;
	return 0;
}

static int general_set(struct sts_tracee *t, lwpid_t lwp, const struct reg *r)
{
	struct stasis_regs_x86 regs;
	int e = stasis_regs_get(sts_netbsd.session, lwp, STASIS_REGSET_GENERAL, &regs, sizeof regs, NULL);
	bool entry = t->kind == STASIS_EVENT_SYSCALL_ENTER && lwp == t->lwp;
	uint64_t rax = regs.rax;

	if (e < 0)
		return e;
	for (size_t i = 0; i < sizeof general / sizeof *general; i++)
		memcpy((char *)&regs + general[i].offset, &r->regs[general[i].index], sizeof(uint64_t));
	if (entry)
		regs.rax = rax;
	e = stasis_regs_set(sts_netbsd.session, lwp, STASIS_REGSET_GENERAL, &regs, sizeof regs);
	if (e == 0 && entry && r->regs[_REG_RAX] != (long)regs.orig_rax) {
		t->result = r->regs[_REG_RAX];
		t->result_set = true;
	}
	return e;
}

/* --- floating point, debug --------------------------------------------------------------- */

static int fp_move(lwpid_t lwp, bool set, struct fxsave *fx)
{
	if (set)
		return stasis_regs_set(sts_netbsd.session, lwp, STASIS_REGSET_FP, fx, sizeof *fx);
	return stasis_regs_get(sts_netbsd.session, lwp, STASIS_REGSET_FP, fx, sizeof *fx, NULL);
}

/* The kernel shows a new LWP its maker's DR7, though nothing of it is in force: then no slot has an address. */
static void forget_inherited(uint64_t dr[8])
{
	if (!(dr[0] | dr[1] | dr[2] | dr[3]))
		dr[7] = 0;
}

static int debug_get(const struct sts_tracee *t, lwpid_t lwp, struct dbreg *db)
{
	uint64_t dr[8];
	int r = stasis_regs_get(sts_netbsd.session, lwp, STASIS_REGSET_DEBUG, dr, sizeof dr, NULL);

	if (r < 0)
		return r;
	forget_inherited(dr);
	memset(db, 0, sizeof *db);
	memcpy(db->dr, dr, sizeof dr);
	if (lwp == t->lwp)
		db->dr[6] |= t->dr6;
	return 0;
}

static int debug_set(struct sts_tracee *t, lwpid_t lwp, const struct dbreg *db)
{
	uint64_t dr[8];

	memcpy(dr, db->dr, sizeof dr);
	if (lwp == t->lwp)
		dr[6] &= ~(uint64_t)t->dr6;
	int r = stasis_regs_set(sts_netbsd.session, lwp, STASIS_REGSET_DEBUG, dr, sizeof dr);
	if (r == 0 && lwp == t->lwp)
		t->dr6 &= db->dr[6];
	return r;
}

/* --- extended state ------------------------------------------------------------------------- */

#define XSAVE_HEADER 512 /* XSTATE_BV is its first word */

/* Parts beyond the FXSAVE image: number of the component, place in struct xstate. */
#define PART(number_, member_)                                                                                         \
	{                                                                                                              \
		number_, offsetof(struct xstate, member_), sizeof(((struct xstate *)0)->member_)                       \
	}
static const struct {
	unsigned number;
	size_t offset, size;
} parts[] = {PART(2, xs_ymm_hi128), PART(5, xs_opmask), PART(6, xs_zmm_hi256), PART(7, xs_hi16_zmm)};
#undef PART

/* Where the CPU has a component in an XSAVE area of the standard format; 0 if it has none. */
static size_t part_offset(unsigned number, size_t size)
{
	unsigned a, b, c, d;

	if (!__get_cpuid_count(0xd, number, &a, &b, &c, &d))
		return 0;
	return a >= size ? b : 0;
}

static uint64_t bit_of(unsigned number)
{
	return UINT64_C(1) << number;
}

/* The whole area; the caller frees. */
static int area_get(lwpid_t lwp, char **ret, size_t *size_ret)
{
	size_t size = 0;
	char first[1];
	int r = stasis_regs_get(sts_netbsd.session, lwp, STASIS_REGSET_XSTATE, first, sizeof first, &size);

	if (r < 0)
		return r;
	char *area = calloc(1, size);
	if (!area)
		return -ENOMEM;
	r = stasis_regs_get(sts_netbsd.session, lwp, STASIS_REGSET_XSTATE, area, size, NULL);
	if (r < 0) {
		free(area);
		return r;
	}
	*ret = area;
	*size_ret = size;
	return 0;
}

static void xstate_fill(const char *area, size_t size, struct xstate *xs)
{
	memset(xs, 0, sizeof *xs);
	memcpy(&xs->xs_fxsave, area, sizeof xs->xs_fxsave);
	memcpy(&xs->xs_xstate_bv, area + XSAVE_HEADER, sizeof xs->xs_xstate_bv);
	xs->xs_rfbm = XCR0_X87 | XCR0_SSE;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		size_t at = part_offset(parts[i].number, parts[i].size);

		if (at == 0 || at + parts[i].size > size)
			continue;
		xs->xs_rfbm |= bit_of(parts[i].number);
		memcpy((char *)xs + parts[i].offset, area + at, parts[i].size);
	}
	xs->xs_xstate_bv &= xs->xs_rfbm;
}

#define FX_MXCSR 24 /* MXCSR and its mask, which go with SSE */
#define FX_XMM 160

/* Only what xs_rfbm names. */
static void xstate_take(const struct xstate *xs, char *area, size_t size)
{
	const char *fx = (const char *)&xs->xs_fxsave;
	uint64_t bv, taken = xs->xs_rfbm & (XCR0_X87 | XCR0_SSE);

	memcpy(&bv, area + XSAVE_HEADER, sizeof bv);
	if (taken & XCR0_X87) {
		memcpy(area, fx, FX_MXCSR);
		memcpy(area + FX_MXCSR + 8, fx + FX_MXCSR + 8, FX_XMM - FX_MXCSR - 8);
	}
	if (taken & XCR0_SSE) {
		memcpy(area + FX_MXCSR, fx + FX_MXCSR, 8);
		memcpy(area + FX_XMM, fx + FX_XMM, sizeof xs->xs_fxsave.fx_xmm);
	}
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		size_t at = part_offset(parts[i].number, parts[i].size);

		if (at == 0 || at + parts[i].size > size || !(xs->xs_rfbm & bit_of(parts[i].number)))
			continue;
		taken |= bit_of(parts[i].number);
		memcpy(area + at, (const char *)xs + parts[i].offset, parts[i].size);
	}
	bv = (bv & ~taken) | (xs->xs_xstate_bv & taken);
	memcpy(area + XSAVE_HEADER, &bv, sizeof bv);
}

/* addr is an iovec: no more than it has room for is moved. */
static int xstate_move(lwpid_t lwp, bool set, const struct iovec *iov)
{
	_cleanup_free_ char *area = NULL;
	struct xstate xs;
	size_t size;
	size_t len = iov->iov_len < sizeof xs ? iov->iov_len : sizeof xs;
	int r = area_get(lwp, &area, &size);

	if (r < 0)
		return r;
	xstate_fill(area, size, &xs);
	if (!set) {
		memcpy(iov->iov_base, &xs, len);
		return 0;
	}
	memcpy(&xs, iov->iov_base, len);
	xstate_take(&xs, area, size);
	return stasis_regs_set(sts_netbsd.session, lwp, STASIS_REGSET_XSTATE, area, size);
}

/* --- all of them --------------------------------------------------------------------------------- */

bool sts_netbsd_is_regs(int request)
{
	return request >= PT_GETREGS && request <= PT_SETXMMREGS && request != PT_SETSTEP && request != PT_CLEARSTEP;
}

static int move_regs(struct sts_tracee *t, int request, lwpid_t lwp, void *addr)
{
	switch (request) {
	case PT_GETREGS:
		return general_get(t, lwp, addr);
	case PT_SETREGS:
		return general_set(t, lwp, addr);
	case PT_GETFPREGS:
	case PT_GETXMMREGS:
		return fp_move(lwp, false, addr);
	case PT_SETFPREGS:
	case PT_SETXMMREGS:
		return fp_move(lwp, true, addr);
	case PT_GETDBREGS:
		return debug_get(t, lwp, addr);
	case PT_SETDBREGS:
		return debug_set(t, lwp, addr);
	default:
		return xstate_move(lwp, request == PT_SETXSTATE, addr);
	}
}

int sts_netbsd_regs(struct sts_tracee *t, int request, void *addr, int data)
{
	lwpid_t lwp;
	int r = sts_netbsd_lwp_arg(t, data, &lwp);

	return r == 0 ? sts_netbsd_errno(move_regs(t, request, lwp, addr)) : r;
}
