/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which LWPs are in a system call whose entry was told. NetBSD tells the exit
 * of no other: neither that of the exec after which PT_SYSCALL was first asked
 * for, nor that of a call that was going on when it was.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include "netbsd/netbsd.h"

#define FIRST_ROOM 16

static size_t place_of(const struct sts_tracee *t, lwpid_t lwp)
{
	size_t i = 0;

	while (i < t->n_called && t->called[i] != lwp)
		i++;
	return i;
}

static void forget(struct sts_tracee *t, size_t i)
{
	t->called[i] = t->called[--t->n_called];
}

/* Those that never came back. */
static void forget_ended(struct sts_tracee *t)
{
	for (size_t i = t->n_called; i-- > 0;)
		if (tgkill(t->pid, t->called[i], 0) < 0 && errno == ESRCH)
			forget(t, i);
}

/* Without memory the exit will not be told. */
void sts_netbsd_call_entered(struct sts_tracee *t, lwpid_t lwp)
{
	if (place_of(t, lwp) < t->n_called)
		return;
	if (t->n_called == t->called_room)
		forget_ended(t);
	if (t->n_called == t->called_room) {
		size_t room = t->called_room ? 2 * t->called_room : FIRST_ROOM;
		lwpid_t *called = reallocarray(t->called, room, sizeof *called);

		if (!called)
			return;
		t->called = called;
		t->called_room = room;
	}
	t->called[t->n_called++] = lwp;
}

bool sts_netbsd_call_left(struct sts_tracee *t, lwpid_t lwp)
{
	size_t i = place_of(t, lwp);

	if (i == t->n_called)
		return false;
	forget(t, i);
	return true;
}

/* The LWP that called exec has the process's id now; the others are gone. */
void sts_netbsd_call_execed(struct sts_tracee *t, lwpid_t former)
{
	bool called = sts_netbsd_call_left(t, former);

	t->n_called = 0;
	if (called)
		sts_netbsd_call_entered(t, t->pid);
}
