// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every way of giving birth, with every fate of parent and child, by a tracer
 * who is the parent and by one who is not, with SIGTRAP as it is, blocked and
 * ignored. A case is a way and a kind of tracer; what it was at stands last in
 * its output.
 */
#include "births.h"
#include "nb.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct way {
	const char *name;
	int (*body)(void *);
	int flags; /* of clone */
	int event;
};

static const struct way fork_way = {"fork", nb_by_fork, 0, PTRACE_FORK};
static const struct way vfork_way = {"vfork", nb_by_vfork, CLONE_VFORK, PTRACE_VFORK};
static const struct way spawn_way = {"spawn", nb_by_spawn, 0, PTRACE_POSIX_SPAWN};

static struct way clone_way(int flags)
{
	return (struct way){"clone", nb_by_clone, flags | SIGCHLD, flags & CLONE_VFORK ? PTRACE_VFORK : PTRACE_FORK};
}

/* --- the tracee ----------------------------------------------------------------------------------- */

enum setting { PLAIN, MASKED, IGNORED, N_SETTINGS };
static const char *const settings[] = {"plain", "masked", "ignored"};

struct life {
	const struct way *way;
	enum setting setting;
};

static bool traps_are(enum setting how)
{
	struct sigaction action;
	sigset_t set;

	if (sigprocmask(SIG_BLOCK, NULL, &set) != 0 || sigaction(SIGTRAP, NULL, &action) != 0)
		return false;
	return sigismember(&set, SIGTRAP) == (how == MASKED) && (action.sa_handler == SIG_IGN) == (how == IGNORED);
}

/* The setting must be the same when all is over. */
static int lives(void *arg)
{
	const struct life *life = arg;
	int flags = life->way->flags;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTRAP);
	if (life->setting == MASKED)
		sigprocmask(SIG_BLOCK, &set, NULL);
	if (life->setting == IGNORED)
		signal(SIGTRAP, SIG_IGN);
	int status = life->way->body(&flags);
	return traps_are(life->setting) ? status : 1;
}

/* --- fates ------------------------------------------------------------------------------------------- */

enum fate { CHILD_FIRST, PARENT_FIRST, PARENT_LET_GO, CHILD_LET_GO, PARENT_KILLED, CHILD_KILLED, UNSEEN, N_FATES };
static const char *const fates[] = {"child first",   "parent first", "parent let go", "child let go",
				    "parent killed", "child killed", "unseen"};

static bool has_done(const struct way *way)
{
	return way->flags & CLONE_VFORK;
}

/* The parent goes on to its end, which is this; it has been set going. */
static void parent_ends(const struct way *way, pid_t pid, pid_t child, bool child_ends_well)
{
	if (has_done(way))
		nb_vfork_done(pid, child);
	if (child_ends_well) {
		nb_sigchld(pid);
	} else {
		nb_stopped(pid, SIGCHLD);
		nb_continue(pid, 0);
	}
	nb_exited(pid, child_ends_well ? NB_PARENT_STATUS : NB_CHILD_BAD);
	nb_birth_over(child_ends_well ? NB_PARENT_STATUS : NB_CHILD_BAD);
}

static void both_continued(const struct way *way, pid_t pid, pid_t child, bool child_first)
{
	nb_continue(child_first ? child : pid, 0);
	nb_continue(child_first ? pid : child, 0);
	if (has_done(way))
		nb_vfork_done(pid, child);
	nb_exited(child, NB_CHILD_STATUS);
	nb_sigchld(pid);
	nb_exited(pid, NB_PARENT_STATUS);
	nb_birth_over(NB_PARENT_STATUS);
}

static void parent_let_go(pid_t pid, pid_t child)
{
	NB_OK(ptrace(PT_DETACH, pid, NB_HERE, 0));
	nb_continue(child, 0);
	nb_exited(child, NB_CHILD_STATUS);
	if (!nb_by_stranger)
		nb_exited(pid, NB_PARENT_STATUS);
	nb_birth_over(NB_PARENT_STATUS);
}

static void parent_killed(pid_t pid, pid_t child)
{
	NB_OK(ptrace(PT_KILL, pid, NB_HERE, 0));
	nb_continue(child, 0);
	nb_exited(child, NB_CHILD_STATUS);
	nb_killed(pid, SIGKILL);
	nb_birth_over(NB_CHILD_BAD);
}

static void child_killed(const struct way *way, pid_t pid, pid_t child)
{
	NB_OK(ptrace(PT_KILL, child, NB_HERE, 0));
	nb_killed(child, SIGKILL);
	nb_continue(pid, 0);
	parent_ends(way, pid, child, false);
}

static void child_let_go(const struct way *way, pid_t pid, pid_t child)
{
	NB_OK(ptrace(PT_DETACH, child, NB_HERE, 0));
	nb_continue(pid, 0);
	parent_ends(way, pid, child, true);
}

/* The other events are wanted; of a child that suspends its parent, then, also that it does so no longer. */
static void unseen(const struct way *way, pid_t pid)
{
	nb_events(pid, (PTRACE_FORK | PTRACE_VFORK | PTRACE_POSIX_SPAWN) & ~way->event);
	nb_continue(pid, 0);
	nb_sigchld(pid);
	nb_exited(pid, NB_PARENT_STATUS);
	nb_birth_over(NB_PARENT_STATUS);
}

static void seen(const struct way *way, pid_t pid, enum fate fate)
{
	nb_events(pid, PTRACE_FORK | PTRACE_VFORK | PTRACE_POSIX_SPAWN | PTRACE_VFORK_DONE);
	nb_continue(pid, 0);
	pid_t child = nb_birth(pid, way->event);
	nb_birth_of(child, way->event, pid);
	switch (fate) {
	case PARENT_LET_GO:
		parent_let_go(pid, child);
		break;
	case CHILD_LET_GO:
		child_let_go(way, pid, child);
		break;
	case PARENT_KILLED:
		parent_killed(pid, child);
		break;
	case CHILD_KILLED:
		child_killed(way, pid, child);
		break;
	default:
		both_continued(way, pid, child, fate == CHILD_FIRST);
	}
}

static void all(const struct way *way, bool stranger)
{
	nb_by_stranger = stranger;
	for (int i = 0; i < N_FATES * N_SETTINGS; i++) {
		enum fate fate = i % N_FATES;
		struct life life = {way, i / N_FATES};

		fprintf(stderr, "%s %#x, %s, %s\n", way->name, (unsigned)way->flags, fates[fate],
			settings[life.setting]);
		pid_t pid = nb_birth_begin(lives, &life);
		if (fate == UNSEEN)
			unseen(way, pid);
		else
			seen(way, pid, fate);
	}
	nb_end();
}

static void all_clones(int flags, bool stranger)
{
	struct way way = clone_way(flags);

	all(&way, stranger);
}

#define WAY(name_, call_, what_)                                                                                       \
	STS_TC(name_, 60, what_ ": every fate, traced by the parent")                                                  \
	{                                                                                                              \
		bool stranger = false;                                                                                 \
                                                                                                                       \
		call_;                                                                                                 \
	}                                                                                                              \
	STS_TC(stranger_##name_, 60, what_ ": every fate, traced by who is not the parent")                            \
	{                                                                                                              \
		bool stranger = true;                                                                                  \
                                                                                                                       \
		call_;                                                                                                 \
	}

WAY(fork, all(&fork_way, stranger), "fork")
WAY(vfork, all(&vfork_way, stranger), "vfork")
WAY(spawn, all(&spawn_way, stranger), "posix_spawn")
WAY(clone, all_clones(0, stranger), "clone")
WAY(clone_vm, all_clones(CLONE_VM, stranger), "CLONE_VM")
WAY(clone_fs, all_clones(CLONE_FS, stranger), "CLONE_FS")
WAY(clone_files, all_clones(CLONE_FILES, stranger), "CLONE_FILES")
WAY(clone_sighand, all_clones(CLONE_VM | CLONE_SIGHAND, stranger), "CLONE_VM | CLONE_SIGHAND")
WAY(clone_most, all_clones(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND, stranger), "all but threads shared")
WAY(clone_vfork, all_clones(CLONE_VFORK, stranger), "CLONE_VFORK")
/* CLONE_VFORK | CLONE_VM with a stack is posix_spawn(3), as C libraries make it. */
