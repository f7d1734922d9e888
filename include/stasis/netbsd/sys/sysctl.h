/* SPDX-License-Identifier: BSD-2-Clause */
/** @file sysctl.h  What tracers ask sysctl(3): processes, their arguments and the paths of their programs. */
#ifndef STASIS_NETBSD_SYS_SYSCTL_H
#define STASIS_NETBSD_SYS_SYSCTL_H

#include <inttypes.h>
#include <stddef.h>
#include <sys/types.h>

/** The longest name. */
#define CTL_MAXNAME 12

#define CTL_KERN 1
#define CTL_VM 2
#define CTL_HW 6
#define CTL_PROC 10

#define KERN_PROC2 47
#define KERN_PROC_ARGS 48

/* The third name of KERN_PROC2: whose number the fourth is. */
#define KERN_PROC_ALL 0
#define KERN_PROC_PID 1
#define KERN_PROC_PGRP 2
#define KERN_PROC_SESSION 3
#define KERN_PROC_UID 5
#define KERN_PROC_RUID 6
#define KERN_PROC_GID 7
#define KERN_PROC_RGID 8

/* The fourth name of KERN_PROC_ARGS. */
#define KERN_PROC_ARGV 1
#define KERN_PROC_NARGV 2
#define KERN_PROC_ENV 3
#define KERN_PROC_NENV 4
#define KERN_PROC_PATHNAME 5
#define KERN_PROC_CWD 6

/* The third name of CTL_PROC, and what it gives. */
#define PROC_PID_PAXFLAGS 6
#define CTL_PROC_PAXFLAGS_ASLR 0x01
#define CTL_PROC_PAXFLAGS_MPROTECT 0x02
#define CTL_PROC_PAXFLAGS_GUARD 0x04

/* p_realstat */
#define SACTIVE 2
#define SDYING 3
#define SSTOP 4
#define SZOMB 5

/* p_stat: of the first LWP */
#define LSRUN 2
#define LSSLEEP 3
#define LSSTOP 4
#define LSZOMB 5

#define KI_MAXCOMLEN 24

/** The first 128 signals: N is bit N - 1. */
typedef struct {
	uint32_t __bits[4];
} ki_sigset_t;

/** Of NetBSD's structure, the members that Linux tells. */
struct kinfo_proc2 {
	int32_t p_pid;
	int32_t p_ppid;
	int32_t p_sid;
	int32_t p__pgid;
	uint32_t p_uid;
	uint32_t p_ruid;
	uint32_t p_gid;
	uint32_t p_rgid;
	uint64_t p_nlwps;
	uint64_t p_realstat;
	int8_t p_stat;
	uint32_t p_svuid;
	uint32_t p_svgid;
	ki_sigset_t p_siglist; /* pending for the process or its first LWP */
	ki_sigset_t p_sigmask; /* of the first LWP */
	ki_sigset_t p_sigignore;
	ki_sigset_t p_sigcatch;
	char p_comm[KI_MAXCOMLEN];
};

STASIS_NETBSD_BEGIN

/**
 * {CTL_KERN, KERN_PROC2, KERN_PROC_..., whose, sizeof(struct kinfo_proc2), room for how many},
 * {CTL_KERN, KERN_PROC_ARGS, pid, KERN_PROC_...}, {CTL_PROC, pid, PROC_PID_PAXFLAGS}. 0, or -1 and errno:
 * ENOENT for other names, ESRCH (of KERN_PROC2, no process is a size of 0),
 * ENOMEM if there is not enough room.
 */
int sysctl(const int *name, unsigned count, void *old, size_t *old_size, const void *new_value, size_t new_size)
	STASIS_NETBSD_NAME(sysctl);

/**
 * The same for "security.models.extensions.user_set_dbregs", "vm.user_va0_disable" (both 1),
 * "kern.securelevel" (-1), "hw.ncpu", "hw.pagesize", "kern.ostype", "kern.osrelease" and "kern.hostname".
 */
int sysctlbyname(const char *name, void *old, size_t *old_size, const void *new_value, size_t new_size)
	STASIS_NETBSD_NAME(sysctlbyname);

STASIS_NETBSD_END

#endif
