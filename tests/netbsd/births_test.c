// SPDX-License-Identifier: BSD-2-Clause
/* Births: both sides stop and name each other, or nothing of the child is seen. */
#include "nb.h"

#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define PARENT_STATUS 11
#define CHILD_STATUS 12

/* --- ways of giving birth; each collects the child and checks how it ended ----------------------- */

static int collect(pid_t pid, int wanted)
{
	int status;

	if (pid < 0 || syscall(SYS_wait4, pid, &status, __WALL, NULL) != pid)
		return NB_CHILD_BAD;
	return status == W_EXITCODE(wanted, 0) ? PARENT_STATUS : NB_CHILD_BAD;
}

static int by_fork(void *arg)
{
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (pid == 0)
		_exit(CHILD_STATUS);
	return collect(pid, CHILD_STATUS);
}

static int by_vfork(void *arg)
{
	pid_t pid = (vfork)();

	if (pid == 0)
		_exit(CHILD_STATUS);
	return collect(pid, CHILD_STATUS);
}

static int by_spawn(void *arg)
{
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 12", NULL};
	char *const envp[] = {NULL};
	pid_t pid;

	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, envp) != 0)
		return NB_CHILD_BAD;
	return collect(pid, CHILD_STATUS);
}

static int clone_body(void *arg)
{
	_exit(CHILD_STATUS);
}

static int by_clone(void *arg)
{
	static char stack[65536] __attribute__((aligned(16)));

	return collect(clone(clone_body, stack + sizeof stack, *(int *)arg, NULL), CHILD_STATUS);
}

/* --- what must be seen ------------------------------------------------------------------------------ */

/* The parent is stopped at the birth; its child. */
static pid_t birth(pid_t pid, int event)
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

static void birth_of(pid_t child, int event, pid_t parent)
{
	nb_trapped(child, TRAP_CHLD);
	struct ptrace_state state = nb_state(child);
	ATF_REQUIRE_EQ(state.pe_report_event, event);
	ATF_REQUIRE_EQ(state.pe_other_pid, parent);
}

static void vfork_done(pid_t pid, pid_t child)
{
	nb_trapped(pid, TRAP_CHLD);
	struct ptrace_state state = nb_state(pid);
	ATF_REQUIRE_EQ(state.pe_report_event, PTRACE_VFORK_DONE);
	ATF_REQUIRE_EQ(state.pe_other_pid, child);
	nb_continue(pid, 0);
}

/* The child's death told to its parent. */
static void sigchld(pid_t pid)
{
	nb_stopped(pid, SIGCHLD);
	struct ptrace_siginfo info = nb_siginfo(pid);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_code, CLD_EXITED);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_status, CHILD_STATUS);
	nb_state_none(pid);
	nb_continue(pid, SIGCHLD);
}

static void unrelated_end(void);

static void ends(pid_t pid)
{
	nb_exited(pid, PARENT_STATUS);
	unrelated_end();
	nb_end();
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

static void unrelated_end(void)
{
	if (foster == 0)
		return;
	nb_exited(foster, PARENT_STATUS);
	for (int i = 0; i < 2; i++) {
		close(road.pid[i]);
		close(road.go[i]);
	}
}

static bool by_stranger;

static pid_t begin(int (*body)(void *), void *arg)
{
	return by_stranger ? unrelated(body, arg) : nb_volunteer(body, arg);
}

/* --- seen: both sides, whoever is continued first ------------------------------------------------------- */

static void seen(int (*body)(void *), void *arg, int event, bool done, bool child_first)
{
	pid_t pid = begin(body, arg);

	nb_events(pid, event | (done ? PTRACE_VFORK_DONE : 0));
	nb_continue(pid, 0);
	pid_t child = birth(pid, event);
	birth_of(child, event, pid);
	nb_continue(child_first ? child : pid, 0);
	nb_continue(child_first ? pid : child, 0);
	if (done)
		vfork_done(pid, child);
	nb_exited(child, CHILD_STATUS);
	sigchld(pid);
	ends(pid);
}

STS_TC(fork_seen, 20, "fork: both sides stop and name each other")
{
	seen(by_fork, NULL, PTRACE_FORK, false, true);
}

STS_TC(fork_parent_first, 20, "fork: the parent is continued before the child")
{
	seen(by_fork, NULL, PTRACE_FORK, false, false);
}

STS_TC(vfork_seen, 20, "vfork, and its end once")
{
	seen(by_vfork, NULL, PTRACE_VFORK, true, true);
}

STS_TC(vfork_parent_first, 20, "vfork: the parent is continued first and waits for the child all the same")
{
	seen(by_vfork, NULL, PTRACE_VFORK, true, false);
}

STS_TC(vfork_no_done, 20, "vfork without PTRACE_VFORK_DONE")
{
	seen(by_vfork, NULL, PTRACE_VFORK, false, true);
}

STS_TC(spawn_seen, 20, "posix_spawn: one event, the child has exec'ed")
{
	seen(by_spawn, NULL, PTRACE_POSIX_SPAWN, false, true);
}

STS_TC(clone_seen, 20, "a clone without shared memory is a fork")
{
	int flags = SIGCHLD | CLONE_FS;

	seen(by_clone, &flags, PTRACE_FORK, false, true);
}

STS_TC(clone_vm_seen, 20, "a clone with shared memory is reported as a fork")
{
	int flags = SIGCHLD | CLONE_VM;

	seen(by_clone, &flags, PTRACE_FORK, false, true);
}

STS_TC(clone_files_seen, 20, "a clone with everything but memory shared")
{
	int flags = SIGCHLD | CLONE_FS | CLONE_FILES;

	seen(by_clone, &flags, PTRACE_FORK, false, false);
}

STS_TC(clone_vfork_seen, 20, "a clone that suspends its parent is reported as a vfork")
{
	int flags = SIGCHLD | CLONE_VFORK;

	seen(by_clone, &flags, PTRACE_VFORK, false, true);
}

/* --- not seen -------------------------------------------------------------------------------------------- */

static void unseen(int (*body)(void *), void *arg, int mask)
{
	pid_t pid = begin(body, arg);

	nb_events(pid, mask);
	nb_continue(pid, 0);
	sigchld(pid);
	ends(pid);
}

STS_TC(fork_unseen, 20, "a fork is no event if only the others are wanted")
{
	unseen(by_fork, NULL, PTRACE_VFORK | PTRACE_VFORK_DONE | PTRACE_POSIX_SPAWN);
}

STS_TC(vfork_unseen, 20, "a vfork is no event if only the others are wanted")
{
	unseen(by_vfork, NULL, PTRACE_FORK | PTRACE_POSIX_SPAWN);
}

STS_TC(spawn_unseen, 20, "a posix_spawn is no event if only the others are wanted")
{
	unseen(by_spawn, NULL, PTRACE_FORK | PTRACE_VFORK);
}

STS_TC(clone_unseen, 20, "a clone is no event if only vfork is wanted")
{
	int flags = SIGCHLD | CLONE_VM;

	unseen(by_clone, &flags, PTRACE_VFORK);
}

STS_TC(clone_vfork_unseen, 20, "a clone that suspends its parent is no event if only fork is wanted")
{
	int flags = SIGCHLD | CLONE_VFORK;

	unseen(by_clone, &flags, PTRACE_FORK);
}

/* --- the same by a tracer who is no parent ------------------------------------------------------------- */

STS_TC(stranger_fork, 20, "fork, seen by a tracer who is not the parent")
{
	by_stranger = true;
	seen(by_fork, NULL, PTRACE_FORK, false, true);
}

STS_TC(stranger_vfork, 20, "vfork, seen by a tracer who is not the parent")
{
	by_stranger = true;
	seen(by_vfork, NULL, PTRACE_VFORK, true, true);
}

STS_TC(stranger_spawn, 20, "posix_spawn, seen by a tracer who is not the parent")
{
	by_stranger = true;
	seen(by_spawn, NULL, PTRACE_POSIX_SPAWN, false, true);
}

STS_TC(stranger_clone, 20, "clone, seen by a tracer who is not the parent")
{
	int flags = SIGCHLD | CLONE_VM;

	by_stranger = true;
	seen(by_clone, &flags, PTRACE_FORK, false, false);
}

STS_TC(stranger_unseen, 20, "fork, not wanted by a tracer who is not the parent")
{
	by_stranger = true;
	unseen(by_fork, NULL, PTRACE_VFORK);
}

STS_TC(stranger_vfork_unseen, 20, "vfork, not wanted by a tracer who is not the parent")
{
	by_stranger = true;
	unseen(by_vfork, NULL, PTRACE_FORK);
}

/* --- one side is let go or killed ----------------------------------------------------------------------------- */

STS_TC(fork_parent_detached, 20, "the parent is let go at the birth, the child is followed to its end")
{
	pid_t pid = nb_volunteer(by_fork, NULL);

	nb_events(pid, PTRACE_FORK);
	nb_continue(pid, 0);
	pid_t child = birth(pid, PTRACE_FORK);
	birth_of(child, PTRACE_FORK, pid);
	NB_OK(ptrace(PT_DETACH, pid, NB_HERE, 0));
	NB_FAILS(EPERM, ptrace(PT_CONTINUE, pid, NB_HERE, 0));
	nb_continue(child, 0);
	nb_exited(child, CHILD_STATUS);
	nb_exited(pid, PARENT_STATUS); /* an ordinary child */
	nb_end();
}

STS_TC(fork_child_detached, 20, "the child is let go at the birth")
{
	pid_t pid = nb_volunteer(by_fork, NULL);

	nb_events(pid, PTRACE_FORK);
	nb_continue(pid, 0);
	pid_t child = birth(pid, PTRACE_FORK);
	birth_of(child, PTRACE_FORK, pid);
	NB_OK(ptrace(PT_DETACH, child, NB_HERE, 0));
	nb_continue(pid, 0);
	sigchld(pid);
	ends(pid);
}

STS_TC(fork_parent_killed, 20, "the parent is killed at the birth")
{
	pid_t pid = nb_volunteer(by_fork, NULL);

	nb_events(pid, PTRACE_FORK);
	nb_continue(pid, 0);
	pid_t child = birth(pid, PTRACE_FORK);
	birth_of(child, PTRACE_FORK, pid);
	NB_OK(ptrace(PT_KILL, pid, NULL, 0));
	nb_killed(pid, SIGKILL);
	nb_continue(child, 0);
	nb_exited(child, CHILD_STATUS);
	nb_end();
}

STS_TC(fork_child_killed, 20, "the child is killed at the birth")
{
	pid_t pid = nb_volunteer(by_fork, NULL);

	nb_events(pid, PTRACE_FORK);
	nb_continue(pid, 0);
	pid_t child = birth(pid, PTRACE_FORK);
	birth_of(child, PTRACE_FORK, pid);
	NB_OK(ptrace(PT_KILL, child, NULL, 0));
	nb_killed(child, SIGKILL);
	nb_continue(pid, 0);
	nb_stopped(pid, SIGCHLD);
	ATF_REQUIRE_EQ(nb_siginfo(pid).psi_siginfo.si_code, CLD_KILLED);
	nb_continue(pid, 0);
	nb_exited(pid, NB_CHILD_BAD); /* it sees that its child did not end as it should */
	nb_end();
}

/* --- the mask ----------------------------------------------------------------------------------------------------- */

STS_TC(child_inherits, 20, "the child inherits the event mask")
{
	struct ptrace_event event = {0};
	pid_t pid = nb_volunteer(by_fork, NULL);

	nb_events(pid, PTRACE_FORK | PTRACE_LWP_EXIT);
	nb_continue(pid, 0);
	pid_t child = birth(pid, PTRACE_FORK);
	birth_of(child, PTRACE_FORK, pid);
	NB_OK(ptrace(PT_GET_EVENT_MASK, child, &event, sizeof event));
	ATF_REQUIRE_EQ(event.pe_set_event, PTRACE_FORK | PTRACE_LWP_EXIT);
	nb_continue(child, 0);
	nb_exited(child, CHILD_STATUS);
	nb_continue(pid, 0);
	sigchld(pid);
	ends(pid);
}

static int ignores_traps(void *arg)
{
	signal(SIGTRAP, SIG_IGN);
	return by_fork(NULL);
}

static int masks_traps(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTRAP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return by_fork(NULL);
}

STS_TC(fork_trap_ignored, 20, "births are reported to a process that ignores SIGTRAP")
{
	seen(ignores_traps, NULL, PTRACE_FORK, false, true);
}

STS_TC(fork_trap_masked, 20, "births are reported to a process that blocks SIGTRAP")
{
	seen(masks_traps, NULL, PTRACE_FORK, false, true);
}
