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
#ifndef __aligned
#define __aligned(bytes) __attribute__((__aligned__(bytes)))
#endif
#ifndef __packed
#define __packed __attribute__((__packed__))
#endif
#ifndef __noinline
#define __noinline __attribute__((__noinline__))
#endif
#ifndef __unreachable
#define __unreachable() __builtin_unreachable()
#endif
#ifndef __CTASSERT
#ifdef __cplusplus
#define __CTASSERT(condition) static_assert(condition, #condition)
#else
#define __CTASSERT(condition) _Static_assert(condition, #condition)
#endif
#endif
/* Bit n; bits m to n; the value of a field with this mask, and its place in it. */
#ifndef __BIT
#define __BIT(n) (1UL << (n))
#define __BITS(m, n) ((~0UL >> (63 - ((m) > (n) ? (m) : (n)))) & (~0UL << ((m) < (n) ? (m) : (n))))
#define __LOWEST_SET_BIT(mask) ((mask) & -(mask))
#define __SHIFTOUT(word, mask) (((word) & (mask)) / __LOWEST_SET_BIT(mask))
#define __SHIFTIN(value, mask) ((value) * __LOWEST_SET_BIT(mask))
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
