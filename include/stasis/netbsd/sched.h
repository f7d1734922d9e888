/* SPDX-License-Identifier: BSD-2-Clause */
/** @file sched.h  The C library's header, with a clone(2) whose children may call PT_TRACE_ME. */
#include_next <sched.h>

#ifndef STASIS_NETBSD_SCHED_H
#define STASIS_NETBSD_SCHED_H

#include <sys/types.h>

STASIS_NETBSD_BEGIN

int clone(int (*function)(void *), void *stack, int flags, void *argument, ...) STASIS_NETBSD_NOTHROW
	STASIS_NETBSD_NAME(clone);

STASIS_NETBSD_END

#define __clone(function, stack, flags, argument) clone(function, stack, flags, argument)

#endif
