// SPDX-License-Identifier: BSD-2-Clause
/* Births: both sides stop and name each other, or nothing of the child is seen. */
#include "births.h"
#include "nb.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

/* --- seen: both sides, whoever is continued first ------------------------------------------------------- */

static void seen(int (*body)(void *), void *arg, int event, bool done, bool child_first)
{
	pid_t pid = nb_birth_begin(body, arg);

	nb_events(pid, event | (done ? PTRACE_VFORK_DONE : 0));
	nb_continue(pid, 0);
	pid_t child = nb_birth(pid, event);
	nb_birth_of(child, event, pid);
	nb_continue(child_first ? child : pid, 0);
	nb_continue(child_first ? pid : child, 0);
	if (done)
		nb_vfork_done(pid, child);
	nb_exited(child, NB_CHILD_STATUS);
	nb_sigchld(pid);
	nb_birth_end(pid, NB_PARENT_STATUS);
}

STS_TC(fork_seen, 20, "fork: both sides stop and name each other")
{
	seen(nb_by_fork, NULL, PTRACE_FORK, false, true);
}

STS_TC(fork_parent_first, 20, "fork: the parent is continued before the child")
{
	seen(nb_by_fork, NULL, PTRACE_FORK, false, false);
}

STS_TC(vfork_seen, 20, "vfork, and its end once")
{
	seen(nb_by_vfork, NULL, PTRACE_VFORK, true, true);
}

STS_TC(vfork_parent_first, 20, "vfork: the parent is continued first and waits for the child all the same")
{
	seen(nb_by_vfork, NULL, PTRACE_VFORK, true, false);
}

STS_TC(vfork_no_done, 20, "vfork without PTRACE_VFORK_DONE")
{
	seen(nb_by_vfork, NULL, PTRACE_VFORK, false, true);
}

STS_TC(spawn_seen, 20, "posix_spawn: one event, the child has exec'ed")
{
	seen(nb_by_spawn, NULL, PTRACE_POSIX_SPAWN, false, true);
}

STS_TC(clone_seen, 20, "a clone without shared memory is a fork")
{
	int flags = SIGCHLD | CLONE_FS;

	seen(nb_by_clone, &flags, PTRACE_FORK, false, true);
}

STS_TC(clone_vm_seen, 20, "a clone with shared memory is reported as a fork")
{
	int flags = SIGCHLD | CLONE_VM;

	seen(nb_by_clone, &flags, PTRACE_FORK, false, true);
}

STS_TC(clone_files_seen, 20, "a clone with everything but memory shared")
{
	int flags = SIGCHLD | CLONE_FS | CLONE_FILES;

	seen(nb_by_clone, &flags, PTRACE_FORK, false, false);
}

STS_TC(clone_vfork_seen, 20, "a clone that suspends its parent is reported as a vfork")
{
	int flags = SIGCHLD | CLONE_VFORK;

	seen(nb_by_clone, &flags, PTRACE_VFORK, false, true);
}

/* --- not seen -------------------------------------------------------------------------------------------- */

static void unseen(int (*body)(void *), void *arg, int mask)
{
	pid_t pid = nb_birth_begin(body, arg);

	nb_events(pid, mask);
	nb_continue(pid, 0);
	nb_sigchld(pid);
	nb_birth_end(pid, NB_PARENT_STATUS);
}

STS_TC(fork_unseen, 20, "a fork is no event if only the others are wanted")
{
	unseen(nb_by_fork, NULL, PTRACE_VFORK | PTRACE_VFORK_DONE | PTRACE_POSIX_SPAWN);
}

STS_TC(vfork_unseen, 20, "a vfork is no event if only the others are wanted")
{
	unseen(nb_by_vfork, NULL, PTRACE_FORK | PTRACE_POSIX_SPAWN);
}

STS_TC(spawn_unseen, 20, "a posix_spawn is no event if only the others are wanted")
{
	unseen(nb_by_spawn, NULL, PTRACE_FORK | PTRACE_VFORK);
}

STS_TC(clone_unseen, 20, "a clone is no event if only vfork is wanted")
{
	int flags = SIGCHLD | CLONE_VM;

	unseen(nb_by_clone, &flags, PTRACE_VFORK);
}

STS_TC(clone_vfork_unseen, 20, "a clone that suspends its parent is no event if only fork is wanted")
{
	int flags = SIGCHLD | CLONE_VFORK;

	unseen(nb_by_clone, &flags, PTRACE_FORK);
}

/* --- the same by a tracer who is no parent ------------------------------------------------------------- */

STS_TC(stranger_fork, 20, "fork, seen by a tracer who is not the parent")
{
	nb_by_stranger = true;
	seen(nb_by_fork, NULL, PTRACE_FORK, false, true);
}

STS_TC(stranger_vfork, 20, "vfork, seen by a tracer who is not the parent")
{
	nb_by_stranger = true;
	seen(nb_by_vfork, NULL, PTRACE_VFORK, true, true);
}

STS_TC(stranger_spawn, 20, "posix_spawn, seen by a tracer who is not the parent")
{
	nb_by_stranger = true;
	seen(nb_by_spawn, NULL, PTRACE_POSIX_SPAWN, false, true);
}

STS_TC(stranger_clone, 20, "clone, seen by a tracer who is not the parent")
{
	int flags = SIGCHLD | CLONE_VM;

	nb_by_stranger = true;
	seen(nb_by_clone, &flags, PTRACE_FORK, false, false);
}

STS_TC(stranger_unseen, 20, "fork, not wanted by a tracer who is not the parent")
{
	nb_by_stranger = true;
	unseen(nb_by_fork, NULL, PTRACE_VFORK);
}

STS_TC(stranger_vfork_unseen, 20, "vfork, not wanted by a tracer who is not the parent")
{
	nb_by_stranger = true;
	unseen(nb_by_vfork, NULL, PTRACE_FORK);
}

/* --- one side is let go or killed ----------------------------------------------------------------------------- */

STS_TC(fork_parent_detached, 20, "the parent is let go at the birth, the child is followed to its end")
{
	pid_t pid = nb_volunteer(nb_by_fork, NULL);

	nb_events(pid, PTRACE_FORK);
	nb_continue(pid, 0);
	pid_t child = nb_birth(pid, PTRACE_FORK);
	nb_birth_of(child, PTRACE_FORK, pid);
	NB_OK(ptrace(PT_DETACH, pid, NB_HERE, 0));
	NB_FAILS(EPERM, ptrace(PT_CONTINUE, pid, NB_HERE, 0));
	nb_continue(child, 0);
	nb_exited(child, NB_CHILD_STATUS);
	nb_exited(pid, NB_PARENT_STATUS); /* an ordinary child */
	nb_end();
}

STS_TC(fork_child_detached, 20, "the child is let go at the birth")
{
	pid_t pid = nb_volunteer(nb_by_fork, NULL);

	nb_events(pid, PTRACE_FORK);
	nb_continue(pid, 0);
	pid_t child = nb_birth(pid, PTRACE_FORK);
	nb_birth_of(child, PTRACE_FORK, pid);
	NB_OK(ptrace(PT_DETACH, child, NB_HERE, 0));
	nb_continue(pid, 0);
	nb_sigchld(pid);
	nb_birth_end(pid, NB_PARENT_STATUS);
}

STS_TC(fork_parent_killed, 20, "the parent is killed at the birth")
{
	pid_t pid = nb_volunteer(nb_by_fork, NULL);

	nb_events(pid, PTRACE_FORK);
	nb_continue(pid, 0);
	pid_t child = nb_birth(pid, PTRACE_FORK);
	nb_birth_of(child, PTRACE_FORK, pid);
	NB_OK(ptrace(PT_KILL, pid, NULL, 0));
	nb_killed(pid, SIGKILL);
	nb_continue(child, 0);
	nb_exited(child, NB_CHILD_STATUS);
	nb_end();
}

STS_TC(fork_child_killed, 20, "the child is killed at the birth")
{
	pid_t pid = nb_volunteer(nb_by_fork, NULL);

	nb_events(pid, PTRACE_FORK);
	nb_continue(pid, 0);
	pid_t child = nb_birth(pid, PTRACE_FORK);
	nb_birth_of(child, PTRACE_FORK, pid);
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
	pid_t pid = nb_volunteer(nb_by_fork, NULL);

	nb_events(pid, PTRACE_FORK | PTRACE_LWP_EXIT);
	nb_continue(pid, 0);
	pid_t child = nb_birth(pid, PTRACE_FORK);
	nb_birth_of(child, PTRACE_FORK, pid);
	NB_OK(ptrace(PT_GET_EVENT_MASK, child, &event, sizeof event));
	ATF_REQUIRE_EQ(event.pe_set_event, PTRACE_FORK | PTRACE_LWP_EXIT);
	nb_continue(child, 0);
	nb_exited(child, NB_CHILD_STATUS);
	nb_continue(pid, 0);
	nb_sigchld(pid);
	nb_birth_end(pid, NB_PARENT_STATUS);
}

static int ignores_traps(void *arg)
{
	signal(SIGTRAP, SIG_IGN);
	return nb_by_fork(NULL);
}

static int masks_traps(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTRAP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return nb_by_fork(NULL);
}

STS_TC(fork_trap_ignored, 20, "births are reported to a process that ignores SIGTRAP")
{
	seen(ignores_traps, NULL, PTRACE_FORK, false, true);
}

STS_TC(fork_trap_masked, 20, "births are reported to a process that blocks SIGTRAP")
{
	seen(masks_traps, NULL, PTRACE_FORK, false, true);
}
