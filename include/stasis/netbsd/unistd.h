/* SPDX-License-Identifier: BSD-2-Clause */
/** @file unistd.h  The C library's header, with a fork() and a vfork() whose children may call PT_TRACE_ME. */
#include_next <unistd.h>

#ifndef STASIS_NETBSD_UNISTD_H
#define STASIS_NETBSD_UNISTD_H

#include <sys/types.h>

STASIS_NETBSD_BEGIN

pid_t fork(void) STASIS_NETBSD_NOTHROW STASIS_NETBSD_NAME(fork);

/** Be ready for volunteers. fork() and vfork() do it by themselves; before a raw clone(2) it is called by hand. */
void stasis_netbsd_before_fork(void) STASIS_NETBSD_NAME(before_fork);

STASIS_NETBSD_END

#define vfork() (stasis_netbsd_before_fork(), (vfork)())

#endif
