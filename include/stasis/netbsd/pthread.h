/* SPDX-License-Identifier: BSD-2-Clause */
/** @file pthread.h  The C library's header, with NetBSD's way to name a thread. */
#include_next <pthread.h>

#ifndef STASIS_NETBSD_PTHREAD_H
#define STASIS_NETBSD_PTHREAD_H

#include <sys/types.h>

STASIS_NETBSD_BEGIN

/**
 * The name is a format for this one argument; what is beyond 15 characters is
 * cut off. 0 or an errno.
 */
int stasis_netbsd_thread_setname(pthread_t thread, const char *format, void *argument)
	STASIS_NETBSD_NAME(thread_setname);

STASIS_NETBSD_END

#define pthread_setname_np(thread, format, argument) stasis_netbsd_thread_setname(thread, format, argument)

#endif
