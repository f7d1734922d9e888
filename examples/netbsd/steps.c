/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steps N COMMAND [ARGUMENT...]: the addresses of the first N instructions of a
 * command, which then runs on untraced.
 */
#include <sys/types.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <machine/reg.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void show(pid_t pid, long number)
{
	unsigned char bytes[8];
	struct reg regs;
	struct ptrace_io_desc io;

	if (ptrace(PT_GETREGS, pid, &regs, 0) == -1)
		err(1, "PT_GETREGS");
	io.piod_op = PIOD_READ_I;
	io.piod_offs = (void *)PTRACE_REG_PC(&regs);
	io.piod_addr = bytes;
	io.piod_len = sizeof(bytes);
	if (ptrace(PT_IO, pid, &io, 0) == -1)
		err(1, "PT_IO");
	printf("%ld %#lx:", number, (unsigned long)PTRACE_REG_PC(&regs));
	for (size_t i = 0; i < io.piod_len; i++)
		printf(" %02x", bytes[i]);
	printf("\n");
}

/* A signal met on the way is delivered, by a step that continues. */
static int one_step(pid_t pid, int *signal)
{
	struct ptrace_siginfo info;
	int status;

	if (*signal ? ptrace(PT_CONTINUE, pid, (void *)1, *signal) == -1 : ptrace(PT_STEP, pid, (void *)1, 0) == -1)
		err(1, "PT_STEP");
	if (waitpid(pid, &status, 0) == -1)
		err(1, "waitpid");
	if (!WIFSTOPPED(status))
		return 0;
	if (ptrace(PT_GET_SIGINFO, pid, &info, sizeof(info)) == -1)
		err(1, "PT_GET_SIGINFO");
	*signal = info.psi_siginfo.si_code == TRAP_TRACE ? 0 : WSTOPSIG(status);
	return 1;
}

int main(int argc, char *argv[])
{
	long wanted, number;
	int status, signal = 0;
	pid_t pid;

	if (argc < 3)
		errx(2, "usage: steps number command [argument...]");
	wanted = strtol(argv[1], NULL, 10);
	pid = fork();
	if (pid == 0) {
		if (ptrace(PT_TRACE_ME, 0, NULL, 0) == -1)
			err(1, "PT_TRACE_ME");
		execvp(argv[2], argv + 2);
		err(127, "%s", argv[2]);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		err(1, "fork");
	if (!WIFSTOPPED(status))
		return WEXITSTATUS(status);
	for (number = 1; number <= wanted; number++) {
		show(pid, number);
		if (!one_step(pid, &signal))
			errx(1, "it ended after %ld instructions", number);
	}
	if (ptrace(PT_DETACH, pid, (void *)1, signal) == -1)
		err(1, "PT_DETACH");
	if (waitpid(pid, &status, 0) == -1)
		err(1, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
