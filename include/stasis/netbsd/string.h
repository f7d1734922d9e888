/* SPDX-License-Identifier: BSD-2-Clause */
/** @file string.h  The C library's header, and what NetBSD has besides. */
#include_next <string.h>

#ifndef STASIS_NETBSD_STRING_H
#define STASIS_NETBSD_STRING_H

#include <stddef.h>
#include <sys/types.h>

STASIS_NETBSD_BEGIN

/* The C library has them since 2.38. */
#if !__GLIBC_PREREQ(2, 38) || defined(STASIS_NETBSD_BUILD)
/** Copy, append: no more than size bytes with the final one. The length that was wanted. */
size_t strlcpy(char *to, const char *from, size_t size) STASIS_NETBSD_NAME(strlcpy);
size_t strlcat(char *to, const char *from, size_t size) STASIS_NETBSD_NAME(strlcat);
#endif

#ifdef STASIS_NETBSD_EVERYTHING
int __xpg_strerror_r(int error, char *buf, size_t size);
#define strerror_r __xpg_strerror_r
#endif

STASIS_NETBSD_END

#endif
