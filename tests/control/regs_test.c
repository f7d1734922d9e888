// SPDX-License-Identifier: BSD-2-Clause
/* Registers: all sets, read as the program loaded them and written as it then finds them. */
#include "drive.h"
#include "regs.h"

#include <cpuid.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FXSAVE_MXCSR = 24, FXSAVE_ST = 32, FXSAVE_XMM = 160, XSTATE_BV = 512 };
enum { X87 = 0, SSE = 1, AVX = 2, OPMASK = 5, ZMM_HIGH = 6, ZMM_16 = 7 };

struct dancer {
	struct stasis_session *s;
	struct sts_pipe p;
	struct sts_shared *sh;
	struct regs_area area;
	pid_t pid;
	bool narrow;
};

static void await(struct dancer *d, const char *step)
{
	struct stasis_event ev;

	for (uint64_t end = sts_now_ms() + (uint64_t)sts_bound_ms(); !sts_pipe_pending(&d->p);) {
		ATF_REQUIRE_EQ(stasis_wait(d->s, 0, 1, &ev), STASIS_E_TIMEOUT);
		ATF_REQUIRE(sts_now_ms() < end);
	}
	sts_pipe_await(&d->p, step);
}

static void stop(struct dancer *d)
{
	STS_OK_S(d->s, stasis_interrupt(d->s, d->pid));
	sts_expect_event_of(d->s, d->pid, STASIS_EVENT_INTERRUPT, NULL);
}

/* At rest in the loop, all registers loaded. */
static void begin(struct dancer *d, const char *program)
{
	memset(d, 0, sizeof(*d));
	d->narrow = strstr(program, "-32") != NULL;
	d->sh = sts_shared();
	d->s = sts_session();
	sts_want(d->s, 0, 0);
	sts_pipe_open(&d->p);
	d->pid = sts_launch(d->s, program);
	sts_resume(d->s, d->pid);
	await(d, "ready");
	for (;;) {
		stop(d);
		uint64_t pc = pc_of(d->s, d->pid);

		if (pc >= d->sh->counter[REGS_LOOP] && pc < d->sh->counter[REGS_LOOP_END])
			return;
		sts_resume(d->s, d->pid);
		let_others_run();
	}
}

/* Let it store its registers, and look at them. */
static void store(struct dancer *d)
{
	const uint64_t go = 1;

	STS_OK_S(d->s, stasis_memory_write(d->s, d->pid, d->sh->counter[REGS_AREA], &go, sizeof(go), NULL));
	sts_resume(d->s, d->pid);
	await(d, "stored");
	stop(d);
	STS_OK_S(d->s, stasis_memory_read(d->s, d->pid, d->sh->counter[REGS_AREA], &d->area, sizeof(d->area), NULL));
	sts_resume(d->s, d->pid);
}

static void end(struct dancer *d)
{
	sts_pipe_send(&d->p, "leave");
	sts_expect_exit(d->s, d->pid, 0);
	sts_pipe_close(&d->p);
	stasis_session_destroy(d->s);
}

/* ---- general registers ---- */

/* In the order of struct regs_values. */
static uint64_t *general(struct stasis_regs_x86 *r, unsigned i)
{
	uint64_t *const at[16] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
				  &r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15};

	return at[i];
}

static void general_set(const char *program)
{
	struct stasis_regs_x86 regs;
	struct regs_values want;
	struct dancer d;
	size_t size = 0;
	unsigned n;
	uint64_t mask;

	begin(&d, program);
	n = d.narrow ? 8 : 16;
	mask = d.narrow ? UINT32_MAX : UINT64_MAX;
	STS_OK_S(d.s, stasis_regs_get(d.s, d.pid, STASIS_REGSET_GENERAL, &regs, sizeof(regs), &size));
	ATF_REQUIRE_EQ(size, sizeof(regs));
	regs_fill(&want, 1);
	for (unsigned i = 0; i < n; i++)
		ATF_REQUIRE_EQ_MSG(*general(&regs, i), i == 4 ? d.sh->counter[REGS_AREA] : want.general[i] & mask,
				   "register %u is %#llx", i, (unsigned long long)*general(&regs, i));
	ATF_REQUIRE_EQ(regs.rip, pc_of(d.s, d.pid));
	ATF_REQUIRE_EQ(regs.rsp, sp_of(d.s, d.pid));
	ATF_REQUIRE_EQ(regs.cs, d.narrow ? 0x23 : 0x33);
	if (!d.narrow)
		ATF_REQUIRE_EQ(regs.fs_base, d.sh->counter[REGS_FS_BASE]);
	regs_fill(&want, 2);
	for (unsigned i = 0; i < n; i++)
		if (i != 4)
			*general(&regs, i) = want.general[i] & mask;
	STS_OK_S(d.s, stasis_regs_set(d.s, d.pid, STASIS_REGSET_GENERAL, &regs, sizeof(regs)));
	store(&d);
	for (unsigned i = 0; i < n; i++)
		ATF_REQUIRE_EQ_MSG(d.narrow ? (uint32_t)d.area.out.general[i] : d.area.out.general[i],
				   i == 4 ? 0 : want.general[i] & mask, "register %u was found as %#llx", i,
				   (unsigned long long)d.area.out.general[i]);
	end(&d);
}

STS_TC_BOTH(general_registers, 20, "general registers are read as loaded, and found as written")
{
	general_set("regs");
}

STS_TC_BOTH(general_registers_i386, 20, "the same of an i386 tracee, in the lower halves")
{
	general_set("regs-32");
}

STS_TC_BOTH(cut_short, 20, "a buffer too small gets what fits and the true size")
{
	static const enum stasis_regset sets[] = {STASIS_REGSET_GENERAL, STASIS_REGSET_FP, STASIS_REGSET_XSTATE,
						  STASIS_REGSET_DEBUG};
	uint8_t whole[16384], part[16384];
	size_t size, size2;
	struct dancer d;

	begin(&d, "regs");
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		STS_OK_S(d.s, stasis_regs_get(d.s, d.pid, sets[i], whole, sizeof(whole), &size));
		ATF_REQUIRE(size > 10 && size <= sizeof(whole));
		memset(part, 0xee, sizeof(part));
		STS_OK_S(d.s, stasis_regs_get(d.s, d.pid, sets[i], part, 10, &size2));
		ATF_REQUIRE_EQ(size2, size);
		ATF_REQUIRE_EQ(memcmp(part, whole, 10), 0);
		ATF_REQUIRE_EQ(part[10], 0xee);
		STS_OK_S(d.s, stasis_regs_get(d.s, d.pid, sets[i], part, 0, &size2));
		STS_OK_S(d.s, stasis_regs_get(d.s, d.pid, sets[i], part, sizeof(part), NULL));
		ATF_REQUIRE_EQ(memcmp(part, whole, size), 0);
		STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_regs_set(d.s, d.pid, sets[i], whole, size - 8));
	}
	STS_FAILS(STASIS_E_BAD_ARGUMENT,
		  stasis_regs_get(d.s, d.pid, (enum stasis_regset)99, whole, sizeof(whole), &size));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_regs_set(d.s, d.pid, (enum stasis_regset)0, whole, 100));
	store(&d); /* nothing of all that has changed anything */
	ATF_REQUIRE_EQ(memcmp(d.area.out.general, d.area.in.general, 4 * 8), 0);
	end(&d);
}

STS_TC_BOTH(errors, 20, "registers of a running, unknown or dead LWP cannot be had")
{
	struct stasis_regs_x86 regs;
	struct dancer d;
	uint64_t pc;

	begin(&d, "regs");
	STS_OK_S(d.s, stasis_regs_get(d.s, d.pid, STASIS_REGSET_GENERAL, &regs, sizeof(regs), NULL));
	sts_resume(d.s, d.pid);
	STS_FAILS(STASIS_E_RUNNING, stasis_regs_get(d.s, d.pid, STASIS_REGSET_GENERAL, &regs, sizeof(regs), NULL));
	STS_FAILS(STASIS_E_RUNNING, stasis_regs_set(d.s, d.pid, STASIS_REGSET_GENERAL, &regs, sizeof(regs)));
	STS_FAILS(STASIS_E_RUNNING, stasis_pc_get(d.s, d.pid, &pc));
	STS_FAILS(STASIS_E_RUNNING, stasis_pc_set(d.s, d.pid, 0));
	STS_FAILS(STASIS_E_RUNNING, stasis_sp_get(d.s, d.pid, &pc));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_pc_get(d.s, getpid(), &pc));
	STS_OK_S(d.s, stasis_kill(d.s, d.pid));
	STS_FAILS(STASIS_E_GONE, stasis_pc_get(d.s, d.pid, &pc));
	sts_expect_event_of(d.s, d.pid, STASIS_EVENT_KILLED, NULL);
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_pc_get(d.s, d.pid, &pc));
	sts_pipe_close(&d.p);
	stasis_session_destroy(d.s);
}

STS_TC_BOTH(senseless_values, 20, "values the CPU cannot hold are refused, and the tracee keeps what it had")
{
	struct stasis_regs_x86 regs, bad;
	struct dancer d;

	begin(&d, "regs");
	regs = regs_of(d.s, d.pid);
	bad = regs;
	bad.cs = 0x10; /* the kernel's own */
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_regs_set(d.s, d.pid, STASIS_REGSET_GENERAL, &bad, sizeof(bad)));
	bad = regs_of(d.s, d.pid);
	ATF_REQUIRE_EQ(memcmp(&bad, &regs, sizeof(regs)), 0);
	bad.fs_base = UINT64_C(0xffff800000000000);
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_regs_set(d.s, d.pid, STASIS_REGSET_GENERAL, &bad, sizeof(bad)));
	bad = regs_of(d.s, d.pid);
	ATF_REQUIRE_EQ(memcmp(&bad, &regs, sizeof(regs)), 0);
	store(&d);
	end(&d);
}

STS_TC_BOTH(flags, 20, "a flag set at a stop is what the next instruction goes by")
{
	struct stasis_session *s = sts_session();
	uint64_t table[2 * 32], setc = 0;
	struct stasis_regs_x86 regs;
	struct actor a;
	uint8_t bytes[2];

	sts_want(s, 0, BIT(STEP) | BIT(BREAKPOINT));
	actor_launch(&a, s, "actor");
	actor_interrupt(&a);
	STS_OK_S(s, stasis_memory_read(s, a.pid, actor_counter(&a, ACTOR_BLOCK), table, sizeof(table), NULL));
	for (unsigned i = 0; i < 32 && setc == 0; i++) {
		STS_OK_S(s, stasis_memory_read(s, a.pid, table[2 * i], bytes, 2, NULL));
		if (bytes[0] == 0x0f && bytes[1] == 0x92) /* setc %dl */
			setc = table[2 * i];
	}
	ATF_REQUIRE(setc != 0);
	STS_OK_S(s, stasis_breakpoint_insert(s, a.pid, setc));
	sts_resume(s, a.pid);
	for (unsigned carry = 0; carry < 2; carry++) {
		actor_tell(&a, "insns 1");
		sts_expect_event_of(s, a.pid, STASIS_EVENT_BREAKPOINT, NULL);
		regs = regs_of(s, a.pid);
		regs.eflags = (regs.eflags & ~UINT64_C(1)) | carry;
		STS_OK_S(s, stasis_regs_set(s, a.pid, STASIS_REGSET_GENERAL, &regs, sizeof(regs)));
		resume_all(s, a.pid, STASIS_STEP, STASIS_SIGNAL_KEEP);
		sts_expect_event_of(s, a.pid, STASIS_EVENT_STEP, NULL);
		ATF_REQUIRE_EQ(regs_of(s, a.pid).rdx & 0xff, carry);
		sts_resume(s, a.pid);
		actor_done(&a);
	}
	actor_end(&a);
	stasis_session_destroy(s);
}

/* ---- floating point and vectors ---- */

static unsigned fx_vectors(const struct dancer *d)
{
	return d->narrow ? 8 : 16;
}

static void check_fx(const struct dancer *d, const uint8_t *fx, const struct regs_values *v)
{
	uint32_t mxcsr;

	for (unsigned i = 0; i < REGS_X87; i++)
		ATF_REQUIRE_EQ_MSG(memcmp(fx + FXSAVE_ST + 16 * i, v->x87[i], 10), 0, "st%u differs", i);
	for (unsigned i = 0; i < fx_vectors(d); i++)
		ATF_REQUIRE_EQ_MSG(memcmp(fx + FXSAVE_XMM + 16 * i, v->vector[i], 16), 0, "xmm%u differs", i);
	memcpy(&mxcsr, fx + FXSAVE_MXCSR, 4);
	ATF_REQUIRE_EQ(mxcsr, v->mxcsr);
}

static void fill_fx(const struct dancer *d, uint8_t *fx, const struct regs_values *v)
{
	uint32_t mxcsr = (uint32_t)v->mxcsr;

	for (unsigned i = 0; i < REGS_X87; i++)
		memcpy(fx + FXSAVE_ST + 16 * i, v->x87[i], 10);
	for (unsigned i = 0; i < fx_vectors(d); i++)
		memcpy(fx + FXSAVE_XMM + 16 * i, v->vector[i], 16);
	memcpy(fx + FXSAVE_MXCSR, &mxcsr, 4);
}

static void check_stored(const struct dancer *d, const struct regs_values *v, unsigned first_high)
{
	const struct regs_values *out = &d->area.out;
	unsigned size = (unsigned)d->sh->counter[REGS_VECTOR_SIZE];

	for (unsigned i = 0; i < REGS_X87; i++)
		ATF_REQUIRE_EQ_MSG(memcmp(out->x87[i], v->x87[i], 10), 0, "st%u was found otherwise", i);
	ATF_REQUIRE_EQ((uint32_t)out->mxcsr, v->mxcsr);
	for (unsigned i = 0; i < d->sh->counter[REGS_VECTOR_N]; i++)
		for (unsigned b = 0; b < size; b++)
			ATF_REQUIRE_EQ_MSG(out->vector[i][b],
					   b < first_high && i < 16 ? v->vector[i][b] : d->area.in.vector[i][b],
					   "byte %u of vector register %u was found as %#x", b, i, out->vector[i][b]);
}

static void fp_set(const char *program)
{
	struct regs_values want;
	uint8_t fx[512];
	struct dancer d;
	size_t size = 0;

	begin(&d, program);
	STS_OK_S(d.s, stasis_regs_get(d.s, d.pid, STASIS_REGSET_FP, fx, sizeof(fx), &size));
	ATF_REQUIRE_EQ(size, sizeof(fx));
	regs_fill(&want, 1);
	check_fx(&d, fx, &want);
	regs_fill(&want, 2);
	fill_fx(&d, fx, &want);
	STS_OK_S(d.s, stasis_regs_set(d.s, d.pid, STASIS_REGSET_FP, fx, sizeof(fx)));
	store(&d);
	check_stored(&d, &want, 16);
	end(&d);
}

STS_TC_BOTH(fp_registers, 20, "x87 and SSE registers are read as loaded, and found as written")
{
	fp_set("regs");
}

STS_TC_BOTH(fp_registers_i386, 20, "the same of an i386 tracee")
{
	fp_set("regs-32");
}

/* Where a part of the state lies in the standard format: the CPU says so itself. */
static size_t component(unsigned n)
{
	unsigned a, b, c, e;

	ATF_REQUIRE(__get_cpuid_count(0xd, n, &a, &b, &c, &e));
	return b;
}

/* Visit what registers beyond SSE the program has loaded. */
static void each_part(const struct dancer *d, uint8_t *xs, struct regs_values *v,
		      void (*fn)(uint8_t *at, uint8_t *value, size_t n, const char *name, unsigned reg))
{
	unsigned size = (unsigned)d->sh->counter[REGS_VECTOR_SIZE], n = (unsigned)d->sh->counter[REGS_VECTOR_N];

	for (unsigned i = 0; i < n && i < 16 && size >= 32; i++)
		fn(xs + component(AVX) + 16 * i, v->vector[i] + 16, 16, "the middle of vector register", i);
	if (size < 64)
		return;
	for (unsigned i = 0; i < REGS_MASKS; i++)
		fn(xs + component(OPMASK) + 8 * i, (uint8_t *)&v->mask[i], 8, "mask register", i);
	for (unsigned i = 0; i < n && i < 16; i++)
		fn(xs + component(ZMM_HIGH) + 32 * i, v->vector[i] + 32, 32, "the top of vector register", i);
	for (unsigned i = 16; i < n; i++)
		fn(xs + component(ZMM_16) + 64 * (i - 16), v->vector[i], 64, "vector register", i);
}

static void compare_part(uint8_t *at, uint8_t *value, size_t n, const char *name, unsigned reg)
{
	ATF_REQUIRE_EQ_MSG(memcmp(at, value, n), 0, "%s %u differs", name, reg);
}

static void fill_part(uint8_t *at, uint8_t *value, size_t n, const char *name, unsigned reg)
{
	memcpy(at, value, n);
}

static void check_all_stored(const struct dancer *d, const struct regs_values *v)
{
	unsigned size = (unsigned)d->sh->counter[REGS_VECTOR_SIZE];

	for (unsigned i = 0; i < d->sh->counter[REGS_VECTOR_N]; i++)
		ATF_REQUIRE_EQ_MSG(memcmp(d->area.out.vector[i], v->vector[i], size), 0,
				   "vector register %u was found otherwise", i);
	for (unsigned i = 0; i < REGS_MASKS && size == 64; i++)
		ATF_REQUIRE_EQ_MSG(d->area.out.mask[i], v->mask[i], "mask register %u was found otherwise", i);
	for (unsigned i = 0; i < REGS_X87; i++)
		ATF_REQUIRE_EQ_MSG(memcmp(d->area.out.x87[i], v->x87[i], 10), 0, "st%u was found otherwise", i);
}

static void xstate_set(const char *program)
{
	static _Alignas(64) uint8_t xs[16384];
	struct regs_values want;
	struct dancer d;
	size_t size = 0;
	uint64_t bv;

	begin(&d, program);
	STS_OK_S(d.s, stasis_regs_get(d.s, d.pid, STASIS_REGSET_XSTATE, xs, sizeof(xs), &size));
	ATF_REQUIRE(size > 576 && size <= sizeof(xs));
	memcpy(&bv, xs + XSTATE_BV, 8);
	ATF_REQUIRE_EQ(bv & 3, 3);
	regs_fill(&want, 1);
	check_fx(&d, xs, &want);
	each_part(&d, xs, &want, compare_part);
	regs_fill(&want, 2);
	fill_fx(&d, xs, &want);
	each_part(&d, xs, &want, fill_part);
	STS_OK_S(d.s, stasis_regs_set(d.s, d.pid, STASIS_REGSET_XSTATE, xs, size));
	store(&d);
	check_all_stored(&d, &want);
	end(&d);
}

STS_TC_BOTH(xstate, 20,
	    "the whole extended state (AVX-512 where the CPU has it) is read as loaded, and found as written")
{
	xstate_set("regs");
}

STS_TC_BOTH(xstate_i386, 20, "the same of an i386 tracee")
{
	xstate_set("regs-32");
}

STS_TC_BOTH(xstate_senseless, 20, "an extended state with a header the CPU refuses changes nothing")
{
	static _Alignas(64) uint8_t xs[16384], again[16384];
	struct dancer d;
	size_t size = 0;

	begin(&d, "regs");
	STS_OK_S(d.s, stasis_regs_get(d.s, d.pid, STASIS_REGSET_XSTATE, xs, sizeof(xs), &size));
	memcpy(again, xs, size);
	memset(again + XSTATE_BV, 0xff, 8);
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_regs_set(d.s, d.pid, STASIS_REGSET_XSTATE, again, size));
	STS_OK_S(d.s, stasis_regs_get(d.s, d.pid, STASIS_REGSET_XSTATE, again, sizeof(again), NULL));
	ATF_REQUIRE_EQ(memcmp(xs, again, size), 0);
	store(&d);
	end(&d);
}

/* ---- what LWPs say of themselves ---- */

static void lwp_info(const char *program)
{
	struct stasis_lwp_info info;
	struct dancer d;

	begin(&d, program);
	STS_OK_S(d.s, stasis_lwp_info_get(d.s, d.pid, &info));
	ATF_REQUIRE_EQ(info.pid, d.pid);
	ATF_REQUIRE_EQ(info.tid, d.pid);
	ATF_REQUIRE_EQ(info.state, STASIS_STATE_STOPPED);
	ATF_REQUIRE_EQ(info.tls_base, d.sh->counter[REGS_THREAD_POINTER]);
	ATF_REQUIRE(strncmp(info.name, "target-regs", 11) == 0);
	store(&d);
	end(&d);
}

STS_TC_BOTH(tls_base, 20, "name, state and base of thread-local storage of an LWP")
{
	lwp_info("regs");
}

STS_TC_BOTH(tls_base_i386, 20, "the same of an i386 tracee")
{
	lwp_info("regs-32");
}
