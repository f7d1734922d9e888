/* SPDX-License-Identifier: BSD-2-Clause */
/* Register sets of x86 tracees. */
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>
#include "os/linux/request.h"
#include "os/os.h"

_Static_assert(sizeof(struct stasis_regs_x86) == sizeof(struct user_regs_struct), "kernel's order");
_Static_assert(offsetof(struct stasis_regs_x86, rip) == offsetof(struct user_regs_struct, rip), "kernel's order");

/* GETREGS shows an i386 LWP in the same 64-bit structure. */
int sts_os_regs_get(pid_t tid, struct stasis_regs_x86 *ret)
{
	return sts_ptrace(PTRACE_GETREGS, tid, 0, (unsigned long)ret);
}

int sts_os_regs_set(pid_t tid, const struct stasis_regs_x86 *regs)
{
	return sts_ptrace(PTRACE_SETREGS, tid, 0, (unsigned long)regs);
}

int sts_os_debugreg_get(pid_t tid, int n, uint64_t *ret)
{
	unsigned long value;
	int r = sts_ptrace(PTRACE_PEEKUSER, tid, offsetof(struct user, u_debugreg) + 8 * n, (unsigned long)&value);

	if (r == 0)
		*ret = value;
	return r;
}

int sts_os_debugreg_set(pid_t tid, int n, uint64_t value)
{
	return sts_ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, u_debugreg) + 8 * n, value);
}

#ifndef PTRACE_GET_THREAD_AREA
#define PTRACE_GET_THREAD_AREA 25 /* <asm/ptrace-abi.h>, which clashes with <sys/ptrace.h> */
#endif

#define XSTATE_MAX 16384

static int xstate_get(pid_t tid, void *buf, size_t size, size_t *size_ret)
{
	static _Thread_local _Alignas(64) char area[XSTATE_MAX];
	struct iovec iov = {area, sizeof area};
	int r = sts_ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, (unsigned long)&iov);

	if (r == -ENODEV || r == -EINVAL)
		return STASIS_E_UNSUPPORTED;
	if (r < 0)
		return r;
	memcpy(buf, area, size < iov.iov_len ? size : iov.iov_len);
	if (size_ret)
		*size_ret = iov.iov_len;
	return 0;
}

static int debug_get(pid_t tid, uint64_t regs[8])
{
	for (int i = 0; i < 8; i++) {
		regs[i] = 0;
		if (i == 4 || i == 5)
			continue;
		int r = sts_os_debugreg_get(tid, i, &regs[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_out(int r, const void *from, size_t full, void *buf, size_t size, size_t *size_ret)
{
	if (r < 0)
		return r;
	memcpy(buf, from, size < full ? size : full);
	if (size_ret)
		*size_ret = full;
	return 0;
}

int sts_os_regset_get(pid_t tid, enum stasis_regset set, void *buf, size_t size, size_t *size_ret)
{
	union {
		struct stasis_regs_x86 general;
		struct user_fpregs_struct fp;
		uint64_t debug[8];
	} u;

	switch (set) {
	case STASIS_REGSET_GENERAL:
		return copy_out(sts_os_regs_get(tid, &u.general), &u, sizeof u.general, buf, size, size_ret);
	case STASIS_REGSET_FP:
		return copy_out(sts_ptrace(PTRACE_GETFPREGS, tid, 0, (unsigned long)&u.fp), &u, sizeof u.fp, buf, size,
				size_ret);
	case STASIS_REGSET_DEBUG:
		return copy_out(debug_get(tid, u.debug), &u, sizeof u.debug, buf, size, size_ret);
	case STASIS_REGSET_XSTATE:
		return xstate_get(tid, buf, size, size_ret);
	}
	return STASIS_E_BAD_ARGUMENT;
}

/* DR7 last: enabling needs the addresses in place. */
static int debug_set(pid_t tid, const uint64_t regs[8])
{
	static const int order[] = {0, 1, 2, 3, 6, 7};
	int r = sts_os_debugreg_set(tid, 7, 0);

	for (size_t i = 0; r == 0 && i < sizeof order / sizeof *order; i++)
		r = sts_os_debugreg_set(tid, order[i], regs[order[i]]);
	return r;
}

int sts_os_regset_set(pid_t tid, enum stasis_regset set, const void *buf, size_t size)
{
	switch (set) {
	case STASIS_REGSET_GENERAL:
		if (size != sizeof(struct stasis_regs_x86))
			return STASIS_E_BAD_ARGUMENT;
		return sts_os_regs_set(tid, buf);
	case STASIS_REGSET_FP:
		if (size != sizeof(struct user_fpregs_struct))
			return STASIS_E_BAD_ARGUMENT;
		return sts_ptrace(PTRACE_SETFPREGS, tid, 0, (unsigned long)buf);
	case STASIS_REGSET_DEBUG:
		if (size != 8 * sizeof(uint64_t))
			return STASIS_E_BAD_ARGUMENT;
		return debug_set(tid, buf);
	case STASIS_REGSET_XSTATE: {
		struct iovec iov = {(void *)(uintptr_t)buf, size};
		int r = sts_ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, (unsigned long)&iov);

		return r == -ENODEV ? STASIS_E_UNSUPPORTED : r == -EFAULT || r == -EINVAL ? STASIS_E_BAD_ARGUMENT : r;
	}
	}
	return STASIS_E_BAD_ARGUMENT;
}

/* 64-bit code has it in fs; i386 in a descriptor that gs selects. */
uint64_t sts_os_tls_base(pid_t tid, const struct stasis_regs_x86 *regs)
{
	struct {
		uint32_t entry, base, limit, flags;
	} descriptor;

	if (regs->cs != 0x23)
		return regs->fs_base;
	if (sts_ptrace(PTRACE_GET_THREAD_AREA, tid, (uint32_t)regs->gs >> 3, (unsigned long)&descriptor) < 0)
		return 0;
	return descriptor.base;
}
