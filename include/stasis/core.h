/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file core.h  Core files of live tracees.
 */
#ifndef STASIS_CORE_H
#define STASIS_CORE_H

#include <stasis/base.h>

STASIS_BEGIN_DECLS

/**
 * Write an ELF core file of a stopped tracee to descriptor @p fd (seekable), and
 * leave the tracee as it is. LWP @p tid comes first in the file (0: the
 * process's first LWP). Obeys /proc/PID/coredump_filter and VM_DONTDUMP;
 * breakpoints of ours do not show. Blocks are sparse where the memory is.
 * @return 0, -errno of writing (-ENOSPC...), STASIS_E_RUNNING, STASIS_E_GONE.
 */
STASIS_API STASIS_CHECK int stasis_core_write(struct stasis_session *session, pid_t pid, pid_t tid, int fd);

STASIS_END_DECLS

#endif
