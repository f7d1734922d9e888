/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash COMMAND [ARGUMENT...]: if the command is about to die of a fault, say
 * where and which, what its threads are, and write a core file.
 */
#include <sys/types.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <machine/reg.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int is_fault(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGABRT;
}

static void threads(pid_t pid, lwpid_t guilty)
{
	struct ptrace_lwpstatus lwp;
	struct reg regs;

	lwp.pl_lwpid = 0;
	while (ptrace(PT_LWPNEXT, pid, &lwp, sizeof(lwp)) == 0 && lwp.pl_lwpid != 0) {
		if (ptrace(PT_GETREGS, pid, &regs, lwp.pl_lwpid) == -1)
			continue;
		printf("%s LWP %d (%s): pc %#lx sp %#lx\n", lwp.pl_lwpid == guilty ? "*" : " ", (int)lwp.pl_lwpid,
		       lwp.pl_name, (unsigned long)PTRACE_REG_PC(&regs), (unsigned long)PTRACE_REG_SP(&regs));
	}
}

static void report(pid_t pid, int signal)
{
	struct ptrace_siginfo info;
	char core[64];

	if (ptrace(PT_GET_SIGINFO, pid, &info, sizeof(info)) == -1)
		err(1, "PT_GET_SIGINFO");
	printf("%d: %s, code %d", (int)pid, strsignal(signal), info.psi_siginfo.si_code);
	if (signal != SIGABRT)
		printf(", address %p", info.psi_siginfo.si_addr);
	printf("\n");
	threads(pid, info.psi_lwpid);
	snprintf(core, sizeof(core), "crash.%d.core", (int)pid);
	if (ptrace(PT_DUMPCORE, pid, core, (int)strlen(core)) == -1)
		warn("PT_DUMPCORE");
	else
		printf("core in %s\n", core);
}

/* The signal to go on with. */
static int look(pid_t pid, int signal)
{
	struct ptrace_siginfo info;

	if (is_fault(signal))
		report(pid, signal);
	if (signal != SIGTRAP || ptrace(PT_GET_SIGINFO, pid, &info, sizeof(info)) == -1)
		return signal;
	return info.psi_siginfo.si_code == TRAP_EXEC ? 0 : signal;
}

int main(int argc, char *argv[])
{
	int status;
	pid_t pid;

	if (argc < 2)
		errx(2, "usage: crash command [argument...]");
	pid = fork();
	if (pid == 0) {
		if (ptrace(PT_TRACE_ME, 0, NULL, 0) == -1)
			err(1, "PT_TRACE_ME");
		execvp(argv[1], argv + 1);
		err(127, "%s", argv[1]);
	}
	if (pid == -1)
		err(1, "fork");
	for (;;) {
		if (waitpid(pid, &status, 0) == -1)
			err(1, "waitpid");
		if (!WIFSTOPPED(status))
			break;
		if (ptrace(PT_CONTINUE, pid, (void *)1, look(pid, WSTOPSIG(status))) == -1)
			err(1, "PT_CONTINUE");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
