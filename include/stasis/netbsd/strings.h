/* SPDX-License-Identifier: BSD-2-Clause */
/** @file strings.h  The C library's header, which on NetBSD brings <string.h> along. */
#include_next <strings.h>

#ifndef STASIS_NETBSD_STRINGS_H
#define STASIS_NETBSD_STRINGS_H

#ifdef __USE_MISC
#include <string.h>
#endif

#endif
