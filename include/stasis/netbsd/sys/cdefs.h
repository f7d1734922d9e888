/* SPDX-License-Identifier: BSD-2-Clause */
/** @file cdefs.h  The C library's header, and the macros that NetBSD's programs take from it. */
#include_next <sys/cdefs.h>

#ifndef STASIS_NETBSD_SYS_CDEFS_H
#define STASIS_NETBSD_SYS_CDEFS_H

#define __RCSID(text)
#define __COPYRIGHT(text)
#ifndef __dead
#define __dead __attribute__((__noreturn__))
#endif
#ifndef __unused
#define __unused __attribute__((__unused__))
#endif
#ifndef __used
#define __used __attribute__((__used__))
#endif
#ifndef __printflike
#define __printflike(format, first) __attribute__((__format__(__printf__, format, first)))
#endif
#ifndef __arraycount
#define __arraycount(array) (sizeof(array) / sizeof((array)[0]))
#endif
#ifndef __UNCONST
#define __UNCONST(pointer) ((void *)(unsigned long)(const void *)(pointer))
#endif
#ifndef __UNVOLATILE
#define __UNVOLATILE(pointer) ((void *)(unsigned long)(volatile void *)(pointer))
#endif
#ifndef __predict_true
#define __predict_true(condition) __builtin_expect((condition) != 0, 1)
#define __predict_false(condition) __builtin_expect((condition) != 0, 0)
#endif

#endif
