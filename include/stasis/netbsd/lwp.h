/* SPDX-License-Identifier: BSD-2-Clause */
/** @file lwp.h  The LWP calls that tracers and tracees use of themselves. */
#ifndef STASIS_NETBSD_LWP_H
#define STASIS_NETBSD_LWP_H

#include <stddef.h>
#include <sys/types.h>

STASIS_NETBSD_BEGIN

/** The calling LWP's id. */
lwpid_t _lwp_self(void) STASIS_NETBSD_NAME(_lwp_self);
/** The calling LWP's thread-local storage: the pl_private of PT_LWPSTATUS. */
void *_lwp_getprivate(void) STASIS_NETBSD_NAME(_lwp_getprivate);
/** Send a signal to an LWP of this process. 0, or -1 and errno. */
int _lwp_kill(lwpid_t lwp, int signal) STASIS_NETBSD_NAME(_lwp_kill);
/** Name an LWP of this process (0: the caller); what is beyond 15 characters is cut off. 0, or -1 and errno. */
int _lwp_setname(lwpid_t lwp, const char *name) STASIS_NETBSD_NAME(_lwp_setname);
int _lwp_getname(lwpid_t lwp, char *name, size_t size) STASIS_NETBSD_NAME(_lwp_getname);

STASIS_NETBSD_END

#endif
