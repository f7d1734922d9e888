/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ways of making a process that target-births knows, and what it reports.
 * One table, for the program that makes them and for the test that judges.
 */
#ifndef BIRTHS_H
#define BIRTHS_H

#include <sched.h>
#include <signal.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

enum birth_how {
	BIRTH_LIBC,   /* the function of that name */
	BIRTH_CLONE,  /* the system call itself */
	BIRTH_CLONE3,
};

/*
 * X(name, how, flags with the exit signal, has a stack of its own, event)
 * Of libc's functions the flags tell what must be among them.
 */
#define BIRTH_KINDS(X)                                                                                                 \
	X(fork, BIRTH_LIBC, SIGCHLD, 0, FORK)                                                                          \
	X(vfork, BIRTH_LIBC, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, VFORK)                                               \
	X(posix_spawn, BIRTH_LIBC, CLONE_VM | CLONE_VFORK | SIGCHLD, 1, POSIX_SPAWN)                                   \
	X(pidfd_spawn, BIRTH_LIBC, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, 1, POSIX_SPAWN)                     \
	X(system, BIRTH_LIBC, CLONE_VM | CLONE_VFORK | SIGCHLD, 1, POSIX_SPAWN)                                        \
	X(popen, BIRTH_LIBC, CLONE_VM | CLONE_VFORK | SIGCHLD, 1, POSIX_SPAWN)                                         \
	X(clone_plain, BIRTH_CLONE, SIGCHLD, 0, FORK)                                                                  \
	X(clone_files, BIRTH_CLONE, CLONE_FILES | SIGCHLD, 0, FORK)                                                    \
	X(clone_vm, BIRTH_CLONE, CLONE_VM | SIGCHLD, 1, CLONE)                                                         \
	X(clone_vm_files, BIRTH_CLONE, CLONE_VM | CLONE_FILES | SIGCHLD, 1, CLONE)                                     \
	X(clone_vfork, BIRTH_CLONE, CLONE_VFORK | SIGCHLD, 0, FORK)                                                    \
	X(clone_vfork_files, BIRTH_CLONE, CLONE_VFORK | CLONE_FILES | SIGCHLD, 0, FORK)                                \
	X(clone_vm_vfork, BIRTH_CLONE, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, VFORK)                                     \
	X(clone_vm_vfork_files, BIRTH_CLONE, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, 0, VFORK)                 \
	X(clone_like_spawn, BIRTH_CLONE, CLONE_VM | CLONE_VFORK | SIGCHLD, 1, POSIX_SPAWN)                             \
	X(clone_vm_vfork_silent, BIRTH_CLONE, CLONE_VM | CLONE_VFORK, 1, CLONE)                                        \
	X(clone_silent, BIRTH_CLONE, 0, 0, CLONE)                                                                      \
	X(clone_other_signal, BIRTH_CLONE, SIGURG, 0, CLONE)                                                           \
	X(clone_namespaces, BIRTH_CLONE, CLONE_NEWUTS | CLONE_NEWIPC | SIGCHLD, 0, FORK)                               \
	X(clone3_plain, BIRTH_CLONE3, SIGCHLD, 0, FORK)                                                                \
	X(clone3_vm, BIRTH_CLONE3, CLONE_VM | SIGCHLD, 1, CLONE)                                                       \
	X(clone3_vm_vfork, BIRTH_CLONE3, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, VFORK)                                   \
	X(clone3_vfork_files, BIRTH_CLONE3, CLONE_VFORK | CLONE_FILES | SIGCHLD, 0, FORK)                              \
	X(clone3_like_spawn, BIRTH_CLONE3, CLONE_CLEAR_SIGHAND | CLONE_VM | CLONE_VFORK | SIGCHLD, 1, POSIX_SPAWN)     \
	X(clone3_pidfd, BIRTH_CLONE3, CLONE_PIDFD | SIGCHLD, 0, FORK)

/* Births that their maker hides from tracers: no event, whatever is wanted. */
#define HIDDEN_BIRTH_KINDS(X)                                                                                          \
	X(hidden_fork, BIRTH_CLONE, CLONE_UNTRACED | SIGCHLD, 0, NONE)                                                 \
	X(hidden_vm, BIRTH_CLONE, CLONE_UNTRACED | CLONE_VM | SIGCHLD, 1, NONE)                                        \
	X(hidden_vfork, BIRTH_CLONE, CLONE_UNTRACED | CLONE_VM | CLONE_VFORK | SIGCHLD, 0, NONE)                       \
	X(hidden_spawn, BIRTH_CLONE3, CLONE_UNTRACED | CLONE_VM | CLONE_VFORK | SIGCHLD, 1, NONE)

enum births_counter {
	BIRTHS_CHILD,         /* pid of the child, as its parent was told */
	BIRTHS_CHILD_SELF,    /* as the child sees itself */
	BIRTHS_CHILD_TRACER,  /* TracerPid of the child, read by itself in its last image */
	BIRTHS_STATUS,        /* its wait status as the parent got it */
	BIRTHS_GRANDCHILD,
	BIRTHS_GRANDCHILD_STATUS,
	BIRTHS_GRANDCHILD_TRACER,
	BIRTHS_PARENT_TID,    /* LWP that made the child */
	BIRTHS_PARENT_TRACER, /* TracerPid of the parent at its end */
	BIRTHS_SPIN,          /* what the busy threads count, all together */
	BIRTHS_WRONG,         /* a fact that the program found wrong: line number */
	BIRTHS_COUNT
};

enum { BIRTHS_CHILD_EXIT = 7, BIRTHS_GRANDCHILD_EXIT = 9, BIRTHS_PARENT_EXIT = 42 };

#endif
