/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways for a tracee to give birth, what its tracer must see of it, and two kinds of tracers. */
#ifndef NB_BIRTHS_H
#define NB_BIRTHS_H

#include <stdbool.h>
#include <sys/types.h>

#define NB_PARENT_STATUS 11
#define NB_CHILD_STATUS 12

/* Bodies of tracees: each collects the child and ends with NB_PARENT_STATUS if that ended with NB_CHILD_STATUS. */
int nb_by_fork(void *arg);
int nb_by_vfork(void *arg);
int nb_by_spawn(void *arg);
int nb_by_clone(void *arg); /* of the flags, an int, at arg */

/* The parent is stopped at this event; the child. */
pid_t nb_birth(pid_t pid, int event);
void nb_birth_of(pid_t child, int event, pid_t parent);
/* Set going again by these two. */
void nb_vfork_done(pid_t pid, pid_t child);
void nb_sigchld(pid_t pid);

/* Who traces: the parent of a volunteer, or somebody who attaches a grandchild. */
extern bool nb_by_stranger;
/* A stopped tracee that is about to do this. */
pid_t nb_birth_begin(int (*body)(void *), void *arg);
/* It ends so, told to its tracer; and so does the case. */
void nb_birth_end(pid_t pid, int status);
/* What is left behind when the tracee is nobody's any more: its parent, that ends with the tracee's status. */
void nb_birth_over(int status);

#endif
