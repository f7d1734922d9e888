/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls COMMAND [ARGUMENT...]: each system call of a command and of the
 * processes it makes, with its number, arguments and result.
 */
#include <sys/types.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS 6

static void entry(pid_t pid, const siginfo_t *info)
{
	printf("%d call %d(", (int)pid, info->si_sysnum);
	for (int i = 0; i < ARGUMENTS; i++)
		printf("%s0x%" PRIx64, i ? ", " : "", (uint64_t)info->si_args[i]);
	printf(")\n");
}

static void leave(pid_t pid, const siginfo_t *info)
{
	if (info->si_error)
		printf("%d call %d: %s\n", (int)pid, info->si_sysnum, strerror(info->si_error));
	else
		printf("%d call %d = %d\n", (int)pid, info->si_sysnum, info->si_retval[0]);
}

static void birth(pid_t pid)
{
	struct ptrace_state state;

	if (ptrace(PT_GET_PROCESS_STATE, pid, &state, sizeof(state)) == -1)
		err(1, "PT_GET_PROCESS_STATE");
	printf("%d birth, other side %d\n", (int)pid, (int)state.pe_other_pid);
}

/* The signal to go on with. */
static int report(pid_t pid, int signal)
{
	struct ptrace_siginfo info;

	if (ptrace(PT_GET_SIGINFO, pid, &info, sizeof(info)) == -1)
		err(1, "PT_GET_SIGINFO");
	if (signal != SIGTRAP) {
		printf("%d signal %d\n", (int)pid, signal);
		return signal;
	}
	switch (info.psi_siginfo.si_code) {
	case TRAP_SCE:
		entry(pid, &info.psi_siginfo);
		return 0;
	case TRAP_SCX:
		leave(pid, &info.psi_siginfo);
		return 0;
	case TRAP_EXEC:
		printf("%d exec\n", (int)pid);
		return 0;
	case TRAP_CHLD:
		birth(pid);
		return 0;
	default:
		return signal;
	}
}

int main(int argc, char *argv[])
{
	struct ptrace_event events;
	int status, last = 0;
	pid_t child, pid;

	if (argc < 2)
		errx(2, "usage: calls command [argument...]");
	child = fork();
	if (child == 0) {
		if (ptrace(PT_TRACE_ME, 0, NULL, 0) == -1)
			err(1, "PT_TRACE_ME");
		execvp(argv[1], argv + 1);
		err(127, "%s", argv[1]);
	}
	if (child == -1 || waitpid(child, &status, 0) == -1)
		err(1, "fork");
	if (!WIFSTOPPED(status))
		return WEXITSTATUS(status);
	events.pe_set_event = PTRACE_FORK | PTRACE_VFORK | PTRACE_POSIX_SPAWN;
	if (ptrace(PT_SET_EVENT_MASK, child, &events, sizeof(events)) == -1 ||
	    ptrace(PT_SYSCALL, child, (void *)1, 0) == -1)
		err(1, "PT_SYSCALL");
	while ((pid = wait(&status)) != -1) {
		if (WIFSTOPPED(status))
			ptrace(PT_SYSCALL, pid, (void *)1, report(pid, WSTOPSIG(status)));
		else
			printf("%d ends with %#x\n", (int)pid, status);
		if (pid == child && WIFEXITED(status))
			last = WEXITSTATUS(status);
	}
	return last;
}
