/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file syscall.h  Changing what a system call does.
 */
#ifndef STASIS_SYSCALL_H
#define STASIS_SYSCALL_H

#include <stasis/base.h>
#include <stasis/event.h>

STASIS_BEGIN_DECLS

/**
 * At STASIS_EVENT_SYSCALL_ENTER: the kernel shall not run the call; its caller
 * gets @p result (-errno for an error). The exit event still comes, if wanted.
 * Errors: STASIS_E_BAD_STATE elsewhere.
 */
STASIS_API STASIS_CHECK int stasis_syscall_skip(struct stasis_session *session, pid_t tid, int64_t result);

/** At STASIS_EVENT_SYSCALL_EXIT: change the result its caller gets. Errors: STASIS_E_BAD_STATE. */
STASIS_API STASIS_CHECK int stasis_syscall_result_set(struct stasis_session *session, pid_t tid, int64_t result);

/** At STASIS_EVENT_SYSCALL_ENTER: change number and arguments (args may be NULL: kept). Errors: STASIS_E_BAD_STATE. */
STASIS_API STASIS_CHECK int stasis_syscall_set(struct stasis_session *session, pid_t tid, uint64_t number,
					       const uint64_t args[6]);

STASIS_END_DECLS

#endif
