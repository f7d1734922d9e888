/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file features.h  The C library's header; a program that asks for no standard gets everything, as on NetBSD.
 *
 * The C library's headers include it before anything else.
 */
#ifndef STASIS_NETBSD_FEATURES_H
#define STASIS_NETBSD_FEATURES_H

#if !defined(_GNU_SOURCE) && !defined(_POSIX_SOURCE) && !defined(_POSIX_C_SOURCE) && !defined(_XOPEN_SOURCE) &&        \
	!defined(_ANSI_SOURCE)
#define _GNU_SOURCE 1
/** <string.h> gives the strerror_r() of POSIX nevertheless. */
#define STASIS_NETBSD_EVERYTHING 1
#endif

#endif

#include_next <features.h>
