/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls of tracees: what they are, what they make, changing them, and making them run ours. */
#include <asm/unistd.h>
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "os/linux/request.h"
#include "os/os.h"

#define X32_BIT 0x40000000u

/* i386 numbers of the calls below; <asm/unistd_32.h> cannot be included beside the other. */
enum {
	I386_EXIT = 1,
	I386_FORK = 2,
	I386_CLONE = 120,
	I386_VFORK = 190,
	I386_RT_SIGACTION = 174,
	I386_EXIT_GROUP = 252,
	I386_CLONE3 = 435
};

static enum stasis_abi abi_of(uint32_t arch, uint64_t number)
{
	switch (arch) {
	case AUDIT_ARCH_X86_64:
		return number & X32_BIT && number != (uint64_t)-1 ? STASIS_ABI_X32 : STASIS_ABI_X86_64;
	case AUDIT_ARCH_I386:
		return STASIS_ABI_I386;
	case AUDIT_ARCH_AARCH64:
		return STASIS_ABI_AARCH64;
	default:
		return STASIS_ABI_UNKNOWN;
	}
}

int sts_os_syscall_info(pid_t tid, enum sts_syscall_phase *phase_ret, struct stasis_event_syscall *ret)
{
	struct __ptrace_syscall_info info;
	long n = syscall(SYS_ptrace, PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info);

	if (n < 0)
		return -errno;
	ret->pc = info.instruction_pointer;
	ret->sp = info.stack_pointer;
	switch (info.op) {
	case PTRACE_SYSCALL_INFO_SECCOMP: /* begins as the other does */
	case PTRACE_SYSCALL_INFO_ENTRY:
		*phase_ret = info.op == PTRACE_SYSCALL_INFO_ENTRY	? STS_SYSCALL_ENTRY
			     : info.seccomp.ret_data == STS_FILTER_MARK ? STS_SYSCALL_FILTERED
									: STS_SYSCALL_FOREIGN;
		ret->abi = abi_of(info.arch, info.entry.nr);
		ret->number = ret->abi == STASIS_ABI_X32 ? info.entry.nr & ~(uint64_t)X32_BIT : info.entry.nr;
		memcpy(ret->args, info.entry.args, sizeof ret->args);
		ret->result = 0;
		ret->is_error = ret->skipped = false;
		return 0;
	case PTRACE_SYSCALL_INFO_EXIT:
		*phase_ret = STS_SYSCALL_LEAVE;
		ret->abi = abi_of(info.arch, 0);
		ret->result = info.exit.rval;
		ret->is_error = info.exit.is_error;
		return 0;
	default:
		*phase_ret = STS_SYSCALL_NONE;
		return 0;
	}
}

/* --- births ------------------------------------------------------------------ */

static bool is_i386(const struct stasis_regs_x86 *regs)
{
	return regs->cs == 0x23; /* __USER32_CS: int 0x80 from 64-bit code is not told apart, see below */
}

static bool clone3_call(pid_t tid, uint64_t addr, uint64_t size, struct sts_birth_call *call)
{
	struct clone_args args = {0};

	if (size > sizeof args)
		size = sizeof args;
	if (size < CLONE_ARGS_SIZE_VER0 || sts_os_memory_read(tid, addr, &args, size) != (ssize_t)size)
		return false;
	call->flags = (args.flags & ~(uint64_t)CSIGNAL) | (args.exit_signal & CSIGNAL);
	call->stack = args.stack ? args.stack + args.stack_size : 0;
	return true;
}

#define FORK_FLAGS SIGCHLD
#define VFORK_FLAGS (CLONE_VM | CLONE_VFORK | SIGCHLD)

static bool birth_call_64(pid_t tid, const struct stasis_regs_x86 *r, struct sts_birth_call *call)
{
	switch (r->orig_rax & ~(uint64_t)X32_BIT) {
	case __NR_fork:
		call->flags = FORK_FLAGS;
		return true;
	case __NR_vfork:
		call->flags = VFORK_FLAGS;
		return true;
	case __NR_clone:
		call->flags = (uint32_t)r->rdi;
		call->stack = r->rsi;
		return true;
	case __NR_clone3:
		return clone3_call(tid, r->rdi, r->rsi, call);
	default:
		return false;
	}
}

static bool birth_call_32(pid_t tid, const struct stasis_regs_x86 *r, struct sts_birth_call *call)
{
	switch ((uint32_t)r->orig_rax) {
	case I386_FORK:
		call->flags = FORK_FLAGS;
		return true;
	case I386_VFORK:
		call->flags = VFORK_FLAGS;
		return true;
	case I386_CLONE:
		call->flags = (uint32_t)r->rbx;
		call->stack = (uint32_t)r->rcx;
		return true;
	case I386_CLONE3:
		return clone3_call(tid, (uint32_t)r->rbx, (uint32_t)r->rcx, call);
	default:
		return false;
	}
}

void sts_os_birth_call(pid_t tid, bool vfork, struct sts_birth_call *ret)
{
	struct stasis_regs_x86 regs;

	*ret = (struct sts_birth_call){.flags = vfork ? VFORK_FLAGS : FORK_FLAGS};
	if (sts_os_regs_get(tid, &regs) < 0)
		return;
	ret->sp = regs.rsp;
	/* 64-bit code may use int 0x80: then the other table's reading agrees with the kernel's event. */
	ret->known = is_i386(&regs) ? birth_call_32(tid, &regs, ret) : birth_call_64(tid, &regs, ret);
	if (!ret->known || !!(ret->flags & CLONE_VFORK) != vfork) {
		struct sts_birth_call other = {.sp = regs.rsp};

		if (!is_i386(&regs) && birth_call_32(tid, &regs, &other) && !!(other.flags & CLONE_VFORK) == vfork) {
			*ret = other;
			ret->known = true;
		}
	}
}

bool sts_os_birth_is_lwp(uint64_t flags)
{
	return flags & CLONE_THREAD;
}

bool sts_os_birth_shares_memory(uint64_t flags)
{
	return flags & CLONE_VM;
}

/* stasis-model(7), "Births": the kernel's own event name alone misleads. */
enum stasis_event_kind sts_os_birth_classify(const struct sts_birth_call *call)
{
	uint64_t flags = call->flags;
	bool child_signal = (flags & CSIGNAL) == SIGCHLD;

	if ((flags & CLONE_VM) && (flags & CLONE_VFORK)) {
		if (!child_signal)
			return STASIS_EVENT_CLONE;
		return call->stack && call->stack != call->sp ? STASIS_EVENT_POSIX_SPAWN : STASIS_EVENT_VFORK;
	}
	if (!(flags & CLONE_VM) && child_signal)
		return STASIS_EVENT_FORK;
	return STASIS_EVENT_CLONE;
}

/* Change the flags of a clone3: they are the first field of its structure. */
static int clone3_flags_change(pid_t tid, uint64_t addr, uint64_t clear, uint64_t set)
{
	uint64_t flags;

	if (sts_os_memory_read(tid, addr, &flags, sizeof flags) != sizeof flags || ((flags & ~clear) | set) == flags)
		return 0;
	flags = (flags & ~clear) | set;
	return sts_os_memory_write(tid, addr, &flags, sizeof flags) == sizeof flags;
}

static int clone_flags_change(pid_t tid, bool narrow, uint64_t clear, uint64_t set)
{
	struct stasis_regs_x86 regs;

	if (sts_os_regs_get(tid, &regs) < 0)
		return 0;
	uint64_t *flags = narrow ? &regs.rbx : &regs.rdi, before = *flags;
	*flags = (before & ~clear) | set;
	return *flags != before && sts_os_regs_set(tid, &regs) == 0;
}

static int birth_flags_change(pid_t tid, const struct stasis_event_syscall *call, uint64_t clear, uint64_t set)
{
	bool narrow = call->abi == STASIS_ABI_I386;

	if (call->number == __NR_clone3) /* the same number everywhere */
		return clone3_flags_change(tid, narrow ? (uint32_t)call->args[0] : call->args[0], clear, set);
	if (call->number == (narrow ? I386_CLONE : __NR_clone))
		return clone_flags_change(tid, narrow, clear, set);
	return 0;
}

int sts_os_birth_uncover(pid_t tid, const struct stasis_event_syscall *call)
{
	return birth_flags_change(tid, call, CLONE_UNTRACED, 0);
}

void sts_os_birth_cover(pid_t tid, const struct stasis_event_syscall *call)
{
	birth_flags_change(tid, call, 0, CLONE_UNTRACED);
}

enum sts_exit_cause sts_os_exit_cause(pid_t tid)
{
	struct stasis_regs_x86 regs;

	if (sts_os_regs_get(tid, &regs) < 0)
		return STS_EXIT_OTHER;
	uint64_t number = is_i386(&regs) ? (uint32_t)regs.orig_rax : regs.orig_rax & ~(uint64_t)X32_BIT;
	if (number == (is_i386(&regs) ? I386_EXIT : __NR_exit))
		return STS_EXIT_ALONE;
	return number == (is_i386(&regs) ? I386_EXIT_GROUP : __NR_exit_group) ? STS_EXIT_GROUP : STS_EXIT_OTHER;
}

/* --- changing a call ------------------------------------------------------------ */

int sts_os_syscall_number_set(pid_t tid, uint64_t number, const uint64_t args[6])
{
	struct stasis_regs_x86 regs;
	int r = sts_os_regs_get(tid, &regs);

	if (r < 0)
		return r;
	regs.orig_rax = number;
	if (args && is_i386(&regs)) {
		regs.rbx = args[0], regs.rcx = args[1], regs.rdx = args[2];
		regs.rsi = args[3], regs.rdi = args[4], regs.rbp = args[5];
	} else if (args) {
		regs.rdi = args[0], regs.rsi = args[1], regs.rdx = args[2];
		regs.r10 = args[3], regs.r8 = args[4], regs.r9 = args[5];
	}
	return sts_os_regs_set(tid, &regs);
}

int sts_os_syscall_result_set(pid_t tid, int64_t result)
{
	struct stasis_regs_x86 regs;
	int r = sts_os_regs_get(tid, &regs);

	if (r < 0)
		return r;
	regs.rax = (uint64_t)result;
	return sts_os_regs_set(tid, &regs);
}

/* The kernel's own error codes, seen by tracers alone. */
enum { ERESTARTSYS = 512, ERESTARTNOINTR = 513, ERESTARTNOHAND = 514, ERESTART_RESTARTBLOCK = 516 };

bool sts_os_call_restarts(const struct stasis_regs_x86 *regs)
{
	bool narrow = is_i386(regs);

	if ((narrow ? (int32_t)regs->orig_rax : (int64_t)regs->orig_rax) < 0)
		return false; /* no call, or a return from a signal handler */
	switch (-(narrow ? (int32_t)regs->rax : (int64_t)regs->rax)) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		return true;
	default:
		return false;
	}
}

/* The syscall instruction puts the flags in r11; rt_sigreturn(2), whose number is gone after it, the handler's own r11.
 */
bool sts_os_call_flags_hide(struct stasis_regs_x86 *regs, uint64_t flags)
{
	if (is_i386(regs) || (int64_t)regs->orig_rax < 0 || !(regs->r11 & flags))
		return false;
	regs->r11 &= ~flags;
	return true;
}

/* --- running one of ours ----------------------------------------------------------- */

struct gadget_search {
	pid_t pid;
	bool wide;
	uint64_t found;
};

/* The vDSO always holds a system-call instruction; nobody unmaps it lightly. */
static int gadget_in_map(void *arg, const struct stasis_map *map)
{
	struct gadget_search *search = arg;
	static const uint8_t wide_insn[] = {0x0f, 0x05}, narrow_insn[] = {0xcd, 0x80};
	const uint8_t *insn = search->wide ? wide_insn : narrow_insn;
	uint8_t page[8192];

	if (!map->executable || strcmp(map->path, "[vdso]") != 0)
		return 0;
	for (uint64_t at = map->start; at < map->end; at += sizeof page - 2) {
		ssize_t n = sts_os_memory_read(search->pid, at, page, sizeof page);
		const uint8_t *hit = n > 1 ? memmem(page, n, insn, 2) : NULL;

		if (hit) {
			search->found = at + (hit - page);
			return 1;
		}
	}
	return 0;
}

/* The way of one call: what it met. */
struct passage {
	pid_t pid, tid;
	bool stopped; /* by SIGSTOP, the one signal no mask keeps off: to be sent again */
	struct sts_report last;
};

static int stop_of(struct passage *way)
{
	int r = sts_os_wait_lwp(way->tid, &way->last);

	if (r < 0)
		return r;
	way->stopped |= way->last.kind == STS_REPORT_SIGNAL && way->last.signal == SIGSTOP;
	return way->last.kind == STS_REPORT_DEAD || way->last.kind == STS_REPORT_EXIT ? -ESRCH : 0;
}

static int go_on(struct passage *way, enum sts_run run)
{
	int r = sts_os_resume(way->tid, run, 0);

	return r < 0 ? r : stop_of(way);
}

/* From one stop to the entry, and on to the exit; an interrupt of ours on the way is passed over. */
static int to_syscall_stop(struct passage *way)
{
	int r;

	do
		r = go_on(way, STS_RUN_SYSCALL);
	while (r == 0 && way->last.kind != STS_REPORT_SYSCALL);
	return r;
}

/*
 * From the exit of our call to a stop like the one we came from: only on the way
 * through such a stop does the kernel restart the call that was interrupted.
 */
static int to_rest(struct passage *way)
{
	int r = sts_os_interrupt(way->tid);

	while (r == 0 && way->last.kind != STS_REPORT_INTERRUPT && way->last.kind != STS_REPORT_GROUP)
		r = go_on(way, STS_RUN_CONTINUE);
	return r;
}

static void call_registers(struct stasis_regs_x86 *r, bool wide, uint64_t pc, long number, const uint64_t args[6])
{
	r->rip = pc;
	r->rax = number;
	r->orig_rax = -1; /* no restart of the interrupted call on the way */
	if (wide) {
		r->rdi = args[0], r->rsi = args[1], r->rdx = args[2];
		r->r10 = args[3], r->r8 = args[4], r->r9 = args[5];
	} else {
		r->rbx = args[0], r->rcx = args[1], r->rdx = args[2];
		r->rsi = args[3], r->rdi = args[4], r->rbp = args[5];
	}
}

/* In the tracee that stands ready for it: to the call's exit, its result, and to rest with what was saved. */
static int run_call(struct passage *way, const struct stasis_regs_x86 *saved, int64_t *result_ret)
{
	struct stasis_regs_x86 regs;
	int r = to_syscall_stop(way);

	if (r == 0)
		r = to_syscall_stop(way);
	if (r == 0)
		r = sts_os_regs_get(way->tid, &regs);
	if (r < 0)
		return r; /* it died: nothing to put back */
	*result_ret = is_i386(saved) ? (int32_t)regs.rax : (int64_t)regs.rax;
	r = sts_os_regs_set(way->tid, saved);
	if (r == 0)
		r = to_rest(way);
	if (way->stopped)
		sts_os_tgkill(way->pid, way->tid, SIGSTOP);
	return r;
}

int sts_os_syscall_inject(pid_t pid, pid_t tid, long number, const uint64_t args[6], int64_t *result_ret,
			  struct sts_report *stop_ret)
{
	struct stasis_regs_x86 saved, regs;
	struct gadget_search search = {.pid = pid};
	struct passage way = {.pid = pid, .tid = tid};
	uint64_t mask;
	int r = sts_os_regs_get(tid, &saved);

	if (r < 0)
		return r;
	search.wide = !is_i386(&saved);
	if (sts_os_maps_each(pid, gadget_in_map, &search) != 1)
		return -ENOSYS;
	r = sts_os_sigmask_get(tid, &mask);
	if (r == 0)
		r = sts_os_sigmask_set(tid, ~UINT64_C(0)); /* nothing may be delivered on the way */
	if (r < 0)
		return r;
	regs = saved;
	call_registers(&regs, search.wide, search.found, number, args);
	r = sts_os_regs_set(tid, &regs);
	if (r == 0)
		r = run_call(&way, &saved, result_ret);
	if (way.last.tid)
		*stop_ret = way.last;
	return r < 0 ? r : sts_os_sigmask_set(tid, mask);
}

static int run_sigaction(pid_t pid, pid_t tid, int signal, uint8_t *action, bool set, struct sts_report *stop_ret)
{
	struct stasis_regs_x86 regs;
	uint8_t saved[STS_OS_ACTION_SIZE];
	int64_t result;
	int r = sts_os_regs_get(tid, &regs);

	if (r < 0)
		return r;
	uint64_t at = (regs.rsp - 512) & ~UINT64_C(15); /* below the red zone */
	const uint64_t args[6] = {signal, set ? at : 0, set ? 0 : at, 8};
	if (sts_os_memory_read(pid, at, saved, sizeof saved) != sizeof saved ||
	    (set && sts_os_memory_write(pid, at, action, STS_OS_ACTION_SIZE) != STS_OS_ACTION_SIZE))
		return -EFAULT;
	long number = is_i386(&regs) ? I386_RT_SIGACTION : __NR_rt_sigaction;
	r = sts_os_syscall_inject(pid, tid, number, args, &result, stop_ret);
	if (r == 0 && !set && sts_os_memory_read(pid, at, action, STS_OS_ACTION_SIZE) != STS_OS_ACTION_SIZE)
		r = -EFAULT;
	sts_os_memory_write(pid, at, saved, sizeof saved);
	return r < 0 ? r : result < 0 ? (int)result : 0;
}

int sts_os_signal_action_get(pid_t pid, pid_t tid, int signal, uint8_t action[STS_OS_ACTION_SIZE],
			     struct sts_report *stop_ret)
{
	return run_sigaction(pid, tid, signal, action, false, stop_ret);
}

int sts_os_signal_action_set(pid_t pid, pid_t tid, int signal, const uint8_t action[STS_OS_ACTION_SIZE],
			     struct sts_report *stop_ret)
{
	uint8_t copy[STS_OS_ACTION_SIZE];

	memcpy(copy, action, sizeof copy);
	return run_sigaction(pid, tid, signal, copy, true, stop_ret);
}
