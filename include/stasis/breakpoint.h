/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file breakpoint.h  Software breakpoints, hardware breakpoints, watchpoints.
 *
 * All need a stopped tracee. A software breakpoint belongs to an address space:
 * processes that share memory (vfork, CLONE_VM) share it; a fork's child
 * inherits a copy if it is followed; exec drops all. A child that is let go is
 * free of them before it runs its first instruction; one that shares memory
 * with a tracee is watched over silently until the sharing ends.
 */
#ifndef STASIS_BREAKPOINT_H
#define STASIS_BREAKPOINT_H

#include <stasis/base.h>

STASIS_BEGIN_DECLS

/** Plant a software breakpoint. Errors: STASIS_E_EXISTS, STASIS_E_BAD_ADDRESS, STASIS_E_RUNNING. */
STASIS_API STASIS_CHECK int stasis_breakpoint_insert(struct stasis_session *session, pid_t pid, uint64_t addr);
/**
 * Remove it. A hit that was not reported yet is dropped and its LWP will execute
 * the program's own instruction. Errors: STASIS_E_NO_BREAKPOINT.
 */
STASIS_API STASIS_CHECK int stasis_breakpoint_remove(struct stasis_session *session, pid_t pid, uint64_t addr);

enum stasis_watch_kind {
	STASIS_WATCH_EXECUTE, /**< hardware breakpoint, length 1; reported as STASIS_EVENT_BREAKPOINT */
	STASIS_WATCH_WRITE,
	STASIS_WATCH_READ_WRITE, /**< x86 has no read-only watch */
};

enum stasis_watch_flags {
	STASIS_WATCH_NEW_LWPS = 1 << 0, /**< LWPs born later get it too */
	STASIS_WATCH_CHILDREN = 1 << 1, /**< followed children too (fork, vfork, clone) */
};

/**
 * Use a debug register, on LWP @p tid or, with 0, on all LWPs of @p pid. Length
 * 1, 2, 4 or 8 bytes, naturally aligned. Reported after the access was done.
 * *slot_ret (may be NULL): the debug register used, 0 to 3. Gone after exec.
 * Errors: STASIS_E_NO_DEBUG_REGISTER, STASIS_E_EXISTS, STASIS_E_BAD_ARGUMENT.
 */
STASIS_API STASIS_CHECK int stasis_watch_insert(struct stasis_session *session, pid_t pid, pid_t tid,
						enum stasis_watch_kind kind, uint64_t addr, size_t len, unsigned flags,
						int *slot_ret);
/** Free a debug register. Errors: STASIS_E_NO_BREAKPOINT. */
STASIS_API STASIS_CHECK int stasis_watch_remove(struct stasis_session *session, pid_t pid, int slot);

STASIS_END_DECLS

#endif
