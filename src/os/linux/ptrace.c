/* SPDX-License-Identifier: BSD-2-Clause */
/* ptrace(2) requests on one LWP. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "os/linux/request.h"
#include "os/os.h"

#define OPTIONS                                                                                                        \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
	 PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT)

int sts_ptrace(int request, pid_t tid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, (long)request, (long)tid, addr, data) < 0 ? -errno : 0;
}

static unsigned long options(bool exit_kill, bool filtered)
{
	return OPTIONS | (exit_kill ? PTRACE_O_EXITKILL : 0) | (filtered ? PTRACE_O_TRACESECCOMP : 0);
}

int sts_os_seize(pid_t tid, bool exit_kill, bool filtered)
{
	return sts_ptrace(PTRACE_SEIZE, tid, 0, options(exit_kill, filtered));
}

int sts_os_options_set(pid_t tid, bool exit_kill, bool filtered)
{
	return sts_ptrace(PTRACE_SETOPTIONS, tid, 0, options(exit_kill, filtered));
}

int sts_os_interrupt(pid_t tid)
{
	return sts_ptrace(PTRACE_INTERRUPT, tid, 0, 0);
}

int sts_os_resume(pid_t tid, enum sts_run how, int signal)
{
	static const int requests[] = {
		[STS_RUN_CONTINUE] = PTRACE_CONT,
		[STS_RUN_STEP] = PTRACE_SINGLESTEP,
		[STS_RUN_SYSCALL] = PTRACE_SYSCALL,
		[STS_RUN_LISTEN] = PTRACE_LISTEN,
	};

	return sts_ptrace(requests[how], tid, 0, signal);
}

int sts_os_detach(pid_t tid, int signal)
{
	return sts_ptrace(PTRACE_DETACH, tid, 0, signal);
}

int sts_os_event_message(pid_t tid, unsigned long *ret)
{
	return sts_ptrace(PTRACE_GETEVENTMSG, tid, 0, (unsigned long)ret);
}

int sts_os_kill(pid_t pid, int signal)
{
	return kill(pid, signal) < 0 ? -errno : 0;
}

int sts_os_tgkill(pid_t pid, pid_t tid, int signal)
{
	return syscall(SYS_tgkill, pid, tid, signal) < 0 ? -errno : 0;
}

bool sts_os_lwp_of(pid_t pid, pid_t tid)
{
	return syscall(SYS_tgkill, pid, tid, 0) == 0;
}

int sts_os_sigqueue(pid_t pid, pid_t tid, const siginfo_t *info)
{
	siginfo_t copy = *info;

	/* The kernel lets others queue negative codes only. */
	if (copy.si_code >= 0 || copy.si_code == SI_TKILL)
		copy.si_code = SI_QUEUE;
	return syscall(SYS_rt_tgsigqueueinfo, pid, tid, copy.si_signo, &copy) < 0 ? -errno : 0;
}

int sts_os_siginfo_get(pid_t tid, siginfo_t *ret)
{
	return sts_ptrace(PTRACE_GETSIGINFO, tid, 0, (unsigned long)ret);
}

int sts_os_siginfo_set(pid_t tid, const siginfo_t *info)
{
	return sts_ptrace(PTRACE_SETSIGINFO, tid, 0, (unsigned long)info);
}

int sts_os_sigmask_get(pid_t tid, uint64_t *ret)
{
	return sts_ptrace(PTRACE_GETSIGMASK, tid, sizeof *ret, (unsigned long)ret);
}

int sts_os_sigmask_set(pid_t tid, uint64_t mask)
{
	return sts_ptrace(PTRACE_SETSIGMASK, tid, sizeof mask, (unsigned long)&mask);
}

/* 1 if a signal of a queue is such, 0 if none. */
static int queue_has(pid_t tid, unsigned flags, bool (*is_such)(const siginfo_t *info, uint64_t mask), uint64_t mask)
{
	siginfo_t queue[8];
	struct __ptrace_peeksiginfo_args args = {.nr = 8, .flags = flags};

	for (;;) {
		long n = syscall(SYS_ptrace, PTRACE_PEEKSIGINFO, tid, &args, queue);

		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (long i = 0; i < n; i++)
			if (is_such(&queue[i], mask))
				return 1;
		args.off += n;
	}
}

static bool is_trap(const siginfo_t *info, uint64_t mask)
{
	(void)mask;
	return info->si_signo == SIGTRAP && sts_os_trap_kind(info) != STS_TRAP_NONE;
}

int sts_os_trap_pending(pid_t tid)
{
	return queue_has(tid, 0, is_trap, 0);
}

static bool is_unblocked(const siginfo_t *info, uint64_t mask)
{
	return !(mask >> (info->si_signo - 1) & 1);
}

int sts_os_signal_due(pid_t tid)
{
	uint64_t mask;
	int r = sts_os_sigmask_get(tid, &mask);

	if (r == 0)
		r = queue_has(tid, 0, is_unblocked, mask);
	return r != 0 ? r : queue_has(tid, PTRACE_PEEKSIGINFO_SHARED, is_unblocked, mask);
}

enum sts_trap sts_os_trap_kind(const siginfo_t *info)
{
	switch (info->si_code) {
	case SI_KERNEL:
		return STS_TRAP_BREAK;
	case TRAP_BRKPT: /* step over a system call */
	case TRAP_TRACE:
	case SIGTRAP: /* step into a signal handler: no signal at all */
		return STS_TRAP_STEP;
	case TRAP_HWBKPT:
		return STS_TRAP_HARDWARE;
	default:
		return STS_TRAP_NONE;
	}
}

bool sts_os_signal_is_fault(const siginfo_t *info)
{
	switch (info->si_signo) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
	case SIGSYS:
		return info->si_code > 0;
	default:
		return false;
	}
}
