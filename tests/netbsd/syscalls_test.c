// SPDX-License-Identifier: BSD-2-Clause
/* PT_SYSCALL, PT_SYSCALLEMU: entries and exits with number, arguments, result. */
#include "nb.h"

#include <sys/syscall.h>

static int calls(void *arg)
{
	syscall(SYS_getpriority, 11, 12, 13, 14, 15, 16);
	return syscall(SYS_getppid) == getppid() ? 6 : NB_CHILD_BAD;
}

/* Until the entry of this call. */
static struct ptrace_siginfo entry_of(pid_t pid, int number)
{
	for (;;) {
		nb_syscall(pid);
		nb_stopped(pid, SIGTRAP);
		struct ptrace_siginfo info = nb_siginfo(pid);
		if (info.psi_siginfo.si_code == TRAP_SCE && info.psi_siginfo.si_sysnum == number)
			return info;
	}
}

STS_TC(arguments, 20, "an entry with its arguments, an exit with its error")
{
	pid_t pid = nb_volunteer(calls, NULL);
	struct ptrace_siginfo info = entry_of(pid, SYS_getpriority);

	for (int i = 0; i < 6; i++)
		ATF_REQUIRE_EQ(info.psi_siginfo.si_args[i], 11U + i);
	nb_state_none(pid);
	nb_syscall(pid);
	info = nb_trapped(pid, TRAP_SCX);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_sysnum, SYS_getpriority);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_error, EINVAL);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_retval[0], -1);
	nb_continue(pid, 0);
	nb_exited(pid, 6);
	nb_end();
}

STS_TC(result, 20, "an exit with its result")
{
	pid_t pid = nb_volunteer(calls, NULL);

	entry_of(pid, SYS_getppid);
	nb_syscall(pid);
	struct ptrace_siginfo info = nb_trapped(pid, TRAP_SCX);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_error, 0);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_retval[0], getpid());
	nb_continue(pid, 0);
	nb_exited(pid, 6);
	nb_end();
}

STS_TC(continue_ends, 20, "PT_CONTINUE reports no more calls")
{
	pid_t pid = nb_volunteer(calls, NULL);

	entry_of(pid, SYS_getpriority);
	nb_continue(pid, 0);
	nb_exited(pid, 6);
	nb_end();
}

static int killed_by_call(void *arg)
{
	syscall(SYS_exit_group, 100);
	return 7;
}

STS_TC(emulated, 20, "PT_SYSCALLEMU: the call is not run")
{
	pid_t pid = nb_volunteer(killed_by_call, NULL);

	entry_of(pid, SYS_exit_group);
	NB_OK(ptrace(PT_SYSCALLEMU, pid, NULL, 0));
	nb_continue(pid, 0);
	nb_exited(pid, 7);
	nb_end();
}

static int returns_result(void *arg)
{
	return (int)syscall(SYS_getppid);
}

STS_TC(emulated_result, 20, "PT_SYSCALLEMU: the result is what PT_SETREGS left in RAX")
{
	struct reg regs;
	pid_t pid = nb_volunteer(returns_result, NULL);

	entry_of(pid, SYS_getppid);
	NB_OK(ptrace(PT_SYSCALLEMU, pid, NULL, 0));
	NB_OK(ptrace(PT_GETREGS, pid, &regs, 0));
	ATF_REQUIRE_EQ(PTRACE_REG_INTRV(&regs), SYS_getppid);
	PTRACE_REG_INTRV(&regs) = 55;
	NB_OK(ptrace(PT_SETREGS, pid, &regs, 0));
	nb_continue(pid, 0);
	nb_exited(pid, 55);
	nb_end();
}

STS_TC(emulated_exit_silent, 20, "PT_SYSCALLEMU: the exit of the call is not reported, the next call is")
{
	pid_t pid = nb_volunteer(killed_by_call, NULL);

	entry_of(pid, SYS_exit_group);
	NB_OK(ptrace(PT_SYSCALLEMU, pid, NULL, 0));
	nb_syscall(pid);
	struct ptrace_siginfo info = nb_trapped(pid, TRAP_SCE);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_sysnum, SYS_exit_group);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_args[0], 7);
	nb_continue(pid, 0);
	nb_exited(pid, 7);
	nb_end();
}

static int execs(void *arg)
{
	execl("/bin/true", "true", NULL);
	return NB_CHILD_BAD;
}

STS_TC(no_exit_without_entry, 20, "the exit of a call whose entry was not reported is none: an exec")
{
	pid_t pid = nb_volunteer(execs, NULL);

	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_EXEC);
	nb_syscall(pid);
	nb_trapped(pid, TRAP_SCE);
	nb_continue(pid, 0);
	nb_exited(pid, 0);
	nb_end();
}

STS_TC(exec_with_entry, 20, "an exec whose entry was reported has its exit after TRAP_EXEC")
{
	pid_t pid = nb_volunteer(execs, NULL);

	entry_of(pid, SYS_execve);
	nb_syscall(pid);
	nb_trapped(pid, TRAP_EXEC);
	nb_syscall(pid);
	struct ptrace_siginfo info = nb_trapped(pid, TRAP_SCX);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_sysnum, SYS_execve);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_error, 0);
	nb_continue(pid, 0);
	nb_exited(pid, 0);
	nb_end();
}

static int handled;

static void on_info(int signal)
{
	handled++;
}

static int counts_handled(void *arg)
{
	signal(SIGINFO, on_info);
	raise(SIGUSR1);
	NB_CHILD(syscall(SYS_getpid) == getpid());
	return 10 + handled;
}

STS_TC(signal_at_entry, 20, "a signal given at a call's entry is delivered once, and the call has its result")
{
	pid_t pid = nb_volunteer(counts_handled, NULL);

	nb_continue(pid, 0);
	nb_stopped(pid, SIGUSR1);
	nb_syscall(pid);
	nb_trapped(pid, TRAP_SCE);
	nb_continue(pid, SIGINFO);
	nb_exited(pid, 11);
	nb_end();
}
