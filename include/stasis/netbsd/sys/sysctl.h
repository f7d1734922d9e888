/* SPDX-License-Identifier: BSD-2-Clause */
/** @file sysctl.h  What tracers ask sysctl(3): processes, their arguments and the paths of their programs. */
#ifndef STASIS_NETBSD_SYS_SYSCTL_H
#define STASIS_NETBSD_SYS_SYSCTL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CTL_KERN 1

#define KERN_PROC2 47
#define KERN_PROC_ARGS 48

/* The third name of KERN_PROC2. */
#define KERN_PROC_PID 1

/* The fourth name of KERN_PROC_ARGS. */
#define KERN_PROC_ARGV 1
#define KERN_PROC_ENV 3
#define KERN_PROC_PATHNAME 5

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
	char p_comm[KI_MAXCOMLEN];
};

STASIS_NETBSD_BEGIN

/**
 * {CTL_KERN, KERN_PROC2, KERN_PROC_PID, pid, sizeof(struct kinfo_proc2), 1} and
 * {CTL_KERN, KERN_PROC_ARGS, pid, KERN_PROC_ARGV, _ENV or _PATHNAME}. 0, or -1
 * and errno: ENOENT for other names, ESRCH, ENOMEM if there is not enough room.
 */
int sysctl(const int *name, unsigned count, void *old, size_t *old_size, const void *new_value, size_t new_size)
	STASIS_NETBSD_NAME(sysctl);

STASIS_NETBSD_END

#endif
