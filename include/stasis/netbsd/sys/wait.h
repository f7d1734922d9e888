/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file wait.h  Waiting for tracees and for children alike.
 *
 * The C library's header with its functions led to this library: they report
 * the stops and ends of tracees, and everything of ordinary children.
 */
#include_next <sys/wait.h>

#ifndef STASIS_NETBSD_SYS_WAIT_H
#define STASIS_NETBSD_SYS_WAIT_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

/** Report stops of tracees (waitid() and wait6(); the others always do). */
#define WTRAPPED 0x40
/** Report children whatever signal they end with, and only those that end with another than SIGCHLD. */
#define WALLSIG 0x40000000
#define WALTSIG 0x80000000

struct wrusage {
	struct rusage wru_self;
	struct rusage wru_children;
};

STASIS_NETBSD_BEGIN

pid_t wait(int *status) STASIS_NETBSD_NAME(wait);
pid_t waitpid(pid_t pid, int *status, int options) STASIS_NETBSD_NAME(waitpid);
pid_t wait3(int *status, int options, struct rusage *usage) STASIS_NETBSD_NOTHROW STASIS_NETBSD_NAME(wait3);
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage) STASIS_NETBSD_NOTHROW STASIS_NETBSD_NAME(wait4);
pid_t wait6(idtype_t idtype, id_t id, int *status, int options, struct wrusage *usage, siginfo_t *info)
	STASIS_NETBSD_NAME(wait6);
int waitid(idtype_t idtype, id_t id, siginfo_t *info, int options) STASIS_NETBSD_NAME(waitid);

STASIS_NETBSD_END

#endif
