// SPDX-License-Identifier: BSD-2-Clause
/* See births.h. */
#include "births.h"

#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>
#include "nb.h"

/* --- ways of giving birth; each collects the child and checks how it ended ----------------------- */

static int collect(pid_t pid, int wanted)
{
	int status;

	if (pid < 0 || syscall(SYS_wait4, pid, &status, __WALL, NULL) != pid)
		return NB_CHILD_BAD;
	return status == W_EXITCODE(wanted, 0) ? NB_PARENT_STATUS : NB_CHILD_BAD;
}

int nb_by_fork(void *arg)
{
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (pid == 0)
		_exit(NB_CHILD_STATUS);
	return collect(pid, NB_CHILD_STATUS);
}

int nb_by_vfork(void *arg)
{
	pid_t pid = (vfork)();

	if (pid == 0)
		_exit(NB_CHILD_STATUS);
	return collect(pid, NB_CHILD_STATUS);
}

int nb_by_spawn(void *arg)
{
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 12", NULL};
	char *const envp[] = {NULL};
	pid_t pid;

	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, envp) != 0)
		return NB_CHILD_BAD;
	return collect(pid, NB_CHILD_STATUS);
}

static int clone_body(void *arg)
{
	_exit(NB_CHILD_STATUS);
}

int nb_by_clone(void *arg)
{
	static char stack[65536] __attribute__((aligned(16)));

	return collect(clone(clone_body, stack + sizeof stack, *(int *)arg, NULL), NB_CHILD_STATUS);
}

/* --- what must be seen ------------------------------------------------------------------------------ */

/* The parent is stopped at the birth; its child. */
pid_t nb_birth(pid_t pid, int event)
{
	struct ptrace_siginfo info = nb_trapped(pid, TRAP_CHLD);
	struct ptrace_state state = nb_state(pid);

	ATF_REQUIRE_EQ(state.pe_report_event, event);
	ATF_REQUIRE(state.pe_other_pid > 0 && state.pe_other_pid != pid);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_pe_report_event, event);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_pe_other_pid, state.pe_other_pid);
	ATF_REQUIRE_EQ(info.psi_lwpid, pid);
	return state.pe_other_pid;
}

void nb_birth_of(pid_t child, int event, pid_t parent)
{
	nb_trapped(child, TRAP_CHLD);
	struct ptrace_state state = nb_state(child);
	ATF_REQUIRE_EQ(state.pe_report_event, event);
	ATF_REQUIRE_EQ(state.pe_other_pid, parent);
}

void nb_vfork_done(pid_t pid, pid_t child)
{
	nb_trapped(pid, TRAP_CHLD);
	struct ptrace_state state = nb_state(pid);
	ATF_REQUIRE_EQ(state.pe_report_event, PTRACE_VFORK_DONE);
	ATF_REQUIRE_EQ(state.pe_other_pid, child);
	nb_continue(pid, 0);
}

/* The child's death told to its parent. */
void nb_sigchld(pid_t pid)
{
	nb_stopped(pid, SIGCHLD);
	struct ptrace_siginfo info = nb_siginfo(pid);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_code, CLD_EXITED);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_status, NB_CHILD_STATUS);
	nb_state_none(pid);
	nb_continue(pid, SIGCHLD);
}

/* --- who traces: the parent of a volunteer, or somebody who attaches a grandchild ------------------------ */

static struct {
	int pid[2], go[2];
} road;

/* The grandchild's parent: takes its status on. */
static int fosters(int (*body)(void *), void *arg)
{
	int status;
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (pid == 0) {
		char byte;

		NB_CHILD(read(road.go[0], &byte, 1) == 1);
		_exit(body(arg));
	}
	NB_CHILD(write(road.pid[1], &pid, sizeof pid) == sizeof pid);
	NB_CHILD(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static pid_t foster;

/* A stopped tracee that is about to do this; no child of ours. */
static pid_t unrelated(int (*body)(void *), void *arg)
{
	pid_t pid;

	STS_SYS(pipe(road.pid));
	STS_SYS(pipe(road.go));
	foster = (pid_t)STS_SYS(fork());
	if (foster == 0)
		_exit(fosters(body, arg));
	ATF_REQUIRE_EQ(read(road.pid[0], &pid, sizeof pid), sizeof pid);
	NB_OK(ptrace(PT_ATTACH, pid, NULL, 0));
	nb_stopped(pid, SIGSTOP);
	ATF_REQUIRE_EQ(write(road.go[1], "x", 1), 1);
	return pid;
}

bool nb_by_stranger;

pid_t nb_birth_begin(int (*body)(void *), void *arg)
{
	return nb_by_stranger ? unrelated(body, arg) : nb_volunteer(body, arg);
}

void nb_birth_over(int status)
{
	if (foster == 0)
		return;
	nb_exited(foster, status);
	for (int i = 0; i < 2; i++) {
		close(road.pid[i]);
		close(road.go[i]);
	}
	foster = 0;
}

void nb_birth_end(pid_t pid, int status)
{
	nb_exited(pid, status);
	nb_birth_over(status);
	nb_end();
}
