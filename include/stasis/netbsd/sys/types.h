/* SPDX-License-Identifier: BSD-2-Clause */
/** @file types.h  The C library's header, and lwpid_t. */
#include_next <sys/types.h>

#ifndef STASIS_NETBSD_SYS_TYPES_H
#define STASIS_NETBSD_SYS_TYPES_H

/** An LWP: the kernel's thread id. The first LWP of a process has the number of the process. */
typedef pid_t lwpid_t;

/* Formats of register_t. */
#define PRIdREGISTER "ld"
#define PRIuREGISTER "lu"
#define PRIxREGISTER "lx"

/* A declared function's name in the library: the program's own name for it stays free for the C library's. */
#define STASIS_NETBSD_NAME(name) __asm__("stasis_netbsd_" #name) __attribute__((visibility("default")))

#ifdef __cplusplus
#define STASIS_NETBSD_BEGIN extern "C" {
#define STASIS_NETBSD_END }
/* As the C library declares it, which the same name must follow. */
#define STASIS_NETBSD_NOTHROW __THROWNL
#else
#define STASIS_NETBSD_BEGIN
#define STASIS_NETBSD_END
#define STASIS_NETBSD_NOTHROW
#endif

#endif
