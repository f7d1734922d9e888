/* SPDX-License-Identifier: BSD-2-Clause */
/** @file stdlib.h  The C library's header, and what NetBSD has besides. */
#include_next <stdlib.h>

#ifndef STASIS_NETBSD_STDLIB_H
#define STASIS_NETBSD_STDLIB_H

#include <sys/types.h>

STASIS_NETBSD_BEGIN

/** Make the array at *pointer one of count elements; nothing is left of one of none. 0 or an errno. */
int reallocarr(void *pointer, size_t count, size_t size) STASIS_NETBSD_NAME(reallocarr);
/** What err(3) and its kin call the program. */
const char *getprogname(void) STASIS_NETBSD_NAME(getprogname);
void setprogname(const char *name) STASIS_NETBSD_NAME(setprogname);

STASIS_NETBSD_END

#endif
