/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own filter of system calls: a program for seccomp(2) that stops
 * a tracee at the calls that are wanted and lets all others pass at no cost.
 *
 * For each ABI the numbers fall into ranges with one answer each, found by
 * halving. Two things have to be seen besides. A birth that would be hidden from
 * the tracer: its child would inherit the filter, and with nobody to answer, each
 * call of it that is wanted would fail. And a filter of the program's own: what
 * that one refuses, this one stops at no longer.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "os/linux/request.h"
#include "os/os.h"

#define X32_BIT 0x40000000u

enum { I386_CLONE = 120, I386_PRCTL = 172, I386_SECCOMP = 354 };

enum answer { PASS, STOP, STOP_IF_HIDDEN, STOP_IF_FILTER };

/* From this number on, up to the next range. */
struct range {
	uint32_t first;
	enum answer answer;
};

struct program {
	struct sts_filter *filter;
	size_t n;
	bool full;
};

static size_t put(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->n == BPF_MAXINSNS) {
		p->full = true;
		return p->n - 1;
	}
	p->filter->insns[p->n] = (struct sock_filter)BPF_JUMP(code, k, jt, jf);
	return p->n++;
}

/* A jump whose aim is not known yet; it leads to where `land` is called. */
static size_t leave_for(struct program *p)
{
	return put(p, BPF_JMP | BPF_JA, 0, 0, 0);
}

static void land(struct program *p, size_t jump)
{
	p->filter->insns[jump].k = (uint32_t)(p->n - jump - 1);
}

static void load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void put_answer(struct program *p, enum answer answer)
{
	if (answer == STOP_IF_HIDDEN) { /* the flags come first in every ABI */
		load(p, offsetof(struct seccomp_data, args[0]));
		put(p, BPF_JMP | BPF_JSET | BPF_K, CLONE_UNTRACED, 0, 1);
	}
	if (answer == STOP_IF_FILTER) {
		load(p, offsetof(struct seccomp_data, args[0]));
		put(p, BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 0, 1);
	}
	if (answer != PASS)
		put(p, BPF_RET | BPF_K, SECCOMP_RET_TRACE | STS_FILTER_MARK, 0, 0);
	if (answer != STOP)
		put(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* The number is loaded. Halving goes at most ten deep. */
static void put_ranges(struct program *p, const struct range *ranges, size_t n)
{
	if (n == 1) {
		put_answer(p, ranges[0].answer);
		return;
	}
	size_t half = n / 2;
	put(p, BPF_JMP | BPF_JGE | BPF_K, ranges[half].first, 0, 1);
	size_t upper = leave_for(p);
	put_ranges(p, ranges, half);
	land(p, upper);
	put_ranges(p, ranges + half, n - half);
}

static enum answer answer_for(const struct stasis_call_set *set, enum stasis_abi abi, uint32_t number)
{
	bool narrow = abi == STASIS_ABI_I386;

	if (stasis_call_set_has(set, abi, number) || number == (narrow ? I386_SECCOMP : __NR_seccomp) ||
	    number == __NR_clone3) /* the same everywhere; its flags lie in memory */
		return STOP;
	if (number == (narrow ? I386_PRCTL : __NR_prctl))
		return STOP_IF_FILTER;
	return number == (narrow ? I386_CLONE : __NR_clone) ? STOP_IF_HIDDEN : PASS;
}

static void put_abi(struct program *p, const struct stasis_call_set *set, enum stasis_abi abi)
{
	struct range ranges[STASIS_CALL_NUMBERS + 1];
	size_t n = 0;

	for (uint32_t number = 0; number <= STASIS_CALL_NUMBERS; number++) {
		enum answer answer = answer_for(set, abi, number);

		if (n == 0 || ranges[n - 1].answer != answer)
			ranges[n++] = (struct range){number, answer};
	}
	put_ranges(p, ranges, n);
}

static void put_program(struct program *p, const struct stasis_call_set *set)
{
	load(p, offsetof(struct seccomp_data, nr));
	put(p, BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 0, 1); /* a call that is skipped */
	put_answer(p, PASS);
	load(p, offsetof(struct seccomp_data, arch));
	put(p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 1);
	size_t wide = leave_for(p);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 1, 0);
	put_answer(p, PASS);
	load(p, offsetof(struct seccomp_data, nr));
	put_abi(p, set, STASIS_ABI_I386);
	land(p, wide);
	load(p, offsetof(struct seccomp_data, nr));
	put(p, BPF_JMP | BPF_JSET | BPF_K, X32_BIT, 0, 1);
	size_t x32 = leave_for(p);
	put_abi(p, set, STASIS_ABI_X86_64);
	land(p, x32);
	put(p, BPF_ALU | BPF_AND | BPF_K, ~X32_BIT, 0, 0);
	put_abi(p, set, STASIS_ABI_X32);
}

bool sts_os_call_filters(const struct stasis_event_syscall *call)
{
	bool narrow = call->abi == STASIS_ABI_I386;

	return call->number == (narrow ? I386_SECCOMP : __NR_seccomp) ||
	       (call->number == (narrow ? I386_PRCTL : __NR_prctl) && (uint32_t)call->args[0] == PR_SET_SECCOMP);
}

/* Under a tracer that lacks it, programs get no privileges from their files in any case. */
static bool may_trace_all(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capget, &header, data) < 0 || (data[0].effective & 1u << CAP_SYS_PTRACE);
}

int sts_os_filter_make(struct sts_pool *pool, const struct stasis_call_set *set, struct sts_filter **ret)
{
	struct sts_filter *filter = sts_pool_get(pool, sizeof *filter);
	struct program p = {.filter = filter};

	if (!filter)
		return -ENOMEM;
	put_program(&p, set);
	if (p.full) {
		sts_pool_put(filter);
		return -E2BIG;
	}
	filter->program = (struct sock_fprog){.len = (unsigned short)p.n, .filter = filter->insns};
	filter->renounce = !may_trace_all();
	*ret = filter;
	return 0;
}

void sts_os_filter_free(struct sts_filter *filter)
{
	sts_pool_put(filter);
}
