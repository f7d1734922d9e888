/* SPDX-License-Identifier: BSD-2-Clause */
/** @file lwp.h  The LWP calls that tracers and tracees use of themselves. */
#ifndef STASIS_NETBSD_LWP_H
#define STASIS_NETBSD_LWP_H

#include <stddef.h>
#include <sys/types.h>
#include <ucontext.h>

/* Flags of _lwp_create(). */
#define LWP_DETACHED 0x40
#define LWP_SUSPENDED 0x80

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

/**
 * Make a context that calls start(argument) on this stack, and ends the LWP if
 * that returns. private_data is ignored: the C library has its own there.
 */
void _lwp_makecontext(ucontext_t *context, void (*start)(void *), void *argument, void *private_data, void *stack,
		      size_t stack_size) STASIS_NETBSD_NAME(_lwp_makecontext);
/**
 * Make an LWP that runs it; the context is not needed any more then. It is a
 * thread of the C library's, and has errno and all else of its own. 0, or -1
 * and errno.
 */
int _lwp_create(const ucontext_t *context, unsigned long flags, lwpid_t *id_ret) STASIS_NETBSD_NAME(_lwp_create);
/** End the calling LWP, whoever made it. */
__attribute__((__noreturn__)) void _lwp_exit(void) STASIS_NETBSD_NAME(_lwp_exit);
/**
 * Wait for the end of an LWP of _lwp_create(), 0: any. -1 and ESRCH: there is
 * none, or it is detached; EDEADLK: it is the caller, or there is none at all.
 */
int _lwp_wait(lwpid_t lwp, lwpid_t *departed) STASIS_NETBSD_NAME(_lwp_wait);
/** Nobody will wait for it. -1 and ESRCH or EINVAL. */
int _lwp_detach(lwpid_t lwp) STASIS_NETBSD_NAME(_lwp_detach);
/** Hold the calling LWP, if _lwp_create() made it; of any other: -1 and ENOSYS, or ESRCH. */
int _lwp_suspend(lwpid_t lwp) STASIS_NETBSD_NAME(_lwp_suspend);
/** Let it go on; also one made with LWP_SUSPENDED, which has not begun. 0, or -1 and ESRCH. */
int _lwp_continue(lwpid_t lwp) STASIS_NETBSD_NAME(_lwp_continue);

STASIS_NETBSD_END

#endif
