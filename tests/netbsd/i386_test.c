// SPDX-License-Identifier: BSD-2-Clause
/* A 32-bit tracee through the interface of amd64. */
#include "nb.h"

#include <elf.h>
#include <stdint.h>
#include <sys/uio.h>

#define CS_32 0x23
#define I386_BRK 45 /* the first call of any program that is linked dynamically */

static int execs(void *arg)
{
	execl(arg, "program", "one", "two", NULL);
	return NB_CHILD_BAD;
}

static bool below_4g(long value)
{
	return (unsigned long)value <= UINT32_MAX;
}

/* Stopped at its first instruction. */
static pid_t begin(void)
{
	pid_t pid = nb_volunteer(execs, (void *)(uintptr_t)sts_target_path("births-32"));

	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_EXEC);
	return pid;
}

static void finish(pid_t pid)
{
	NB_OK(ptrace(PT_KILL, pid, NULL, 0));
	nb_killed(pid, SIGKILL);
	nb_end();
}

STS_TC(registers, 20, "registers stand in the lower halves, read and written")
{
	pid_t pid = begin();
	struct reg regs, back;

	NB_OK(ptrace(PT_GETREGS, pid, &regs, 0));
	ATF_REQUIRE_EQ(regs.regs[_REG_CS], CS_32);
	ATF_REQUIRE(PTRACE_REG_PC(&regs) != 0 && below_4g(PTRACE_REG_PC(&regs)) && below_4g(PTRACE_REG_SP(&regs)));
	ATF_REQUIRE_EQ(ptrace(PT_READ_D, pid, (void *)PTRACE_REG_SP(&regs), 0), 3); /* argc */
	regs.regs[_REG_RBX] = 0x12345678;
	regs.regs[_REG_RSI] = 0x7fffffff;
	NB_OK(ptrace(PT_SETREGS, pid, &regs, 0));
	NB_OK(ptrace(PT_GETREGS, pid, &back, 0));
	ATF_REQUIRE_EQ(memcmp(&regs, &back, sizeof regs), 0);
	finish(pid);
}

STS_TC(steps, 20, "steps, one instruction each")
{
	pid_t pid = begin();
	struct reg regs;
	long before = 0;

	for (int i = 0; i < 5; i++) {
		NB_OK(ptrace(PT_STEP, pid, NB_HERE, 0));
		nb_trapped(pid, TRAP_TRACE);
		NB_OK(ptrace(PT_GETREGS, pid, &regs, 0));
		ATF_REQUIRE(PTRACE_REG_PC(&regs) != before && below_4g(PTRACE_REG_PC(&regs)));
		before = PTRACE_REG_PC(&regs);
	}
	finish(pid);
}

STS_TC(calls, 20, "system calls with numbers of i386")
{
	pid_t pid = begin();
	struct reg regs;

	nb_syscall(pid);
	struct ptrace_siginfo info = nb_trapped(pid, TRAP_SCE);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_sysnum, I386_BRK);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_args[0], 0);
	NB_OK(ptrace(PT_GETREGS, pid, &regs, 0));
	ATF_REQUIRE_EQ(regs.regs[_REG_RAX], I386_BRK);
	nb_syscall(pid);
	info = nb_trapped(pid, TRAP_SCX);
	ATF_REQUIRE(info.psi_siginfo.si_retval[0] != 0 && info.psi_siginfo.si_error == 0);
	finish(pid);
}

STS_TC(emulated, 20, "a call that is emulated: its result, and the next call")
{
	pid_t pid = begin();
	struct reg regs;

	nb_syscall(pid);
	nb_trapped(pid, TRAP_SCE);
	NB_OK(ptrace(PT_GETREGS, pid, &regs, 0));
	PTRACE_REG_INTRV(&regs) = 0x5555000;
	NB_OK(ptrace(PT_SETREGS, pid, &regs, 0));
	NB_OK(ptrace(PT_SYSCALLEMU, pid, NULL, 0));
	NB_OK(ptrace(PT_STEP, pid, NB_HERE, 0));
	nb_trapped(pid, TRAP_TRACE);
	NB_OK(ptrace(PT_GETREGS, pid, &regs, 0));
	ATF_REQUIRE_EQ(PTRACE_REG_INTRV(&regs), 0x5555000);
	nb_syscall(pid);
	nb_trapped(pid, TRAP_SCE);
	finish(pid);
}

STS_TC(auxv, 20, "its auxiliary vector has 32-bit entries")
{
	pid_t pid = begin();
	Aux32Info vector[64] = {{0}};
	struct ptrace_io_desc io = {.piod_op = PIOD_READ_AUXV, .piod_addr = vector, .piod_len = sizeof vector};
	unsigned page = 0;

	NB_OK(ptrace(PT_IO, pid, &io, 0));
	for (size_t i = 0; i < io.piod_len / sizeof *vector && vector[i].a_type != AT_NULL; i++)
		if (vector[i].a_type == AT_PAGESZ)
			page = vector[i].a_v;
	ATF_REQUIRE_EQ(page, 4096);
	finish(pid);
}

STS_TC(watch, 20, "its debug registers")
{
	pid_t pid = begin();
	struct reg regs;
	struct dbreg db;

	NB_OK(ptrace(PT_GETREGS, pid, &regs, 0));
	NB_OK(ptrace(PT_GETDBREGS, pid, &db, 0));
	db.dr[0] = PTRACE_REG_SP(&regs) - 4; /* the first call pushes there */
	db.dr[7] = 2 | 1L << 16 | 3L << 18;
	NB_OK(ptrace(PT_SETDBREGS, pid, &db, 0));
	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_DBREG);
	finish(pid);
}
