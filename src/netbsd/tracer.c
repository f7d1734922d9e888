/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of the process as a tracer: made on first use, not inherited by children. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "netbsd/netbsd.h"

struct sts_tracer sts_netbsd = {.lock = PTHREAD_MUTEX_INITIALIZER, .tracees = LIST_HEAD_INITIALIZER(tracees)};

void sts_netbsd_lock(void)
{
	pthread_mutex_lock(&sts_netbsd.lock);
}

void sts_netbsd_unlock(void)
{
	pthread_mutex_unlock(&sts_netbsd.lock);
}

bool sts_netbsd_ours(void)
{
	return sts_netbsd.owner == getpid();
}

/* --- sleeping and waking ------------------------------------------------------------ */

/* Not private: the words of the page are shared between processes. */
int sts_netbsd_sleep(atomic_uint *word, unsigned seen)
{
	return sts_netbsd_sleep_for(word, seen, NULL) < 0 && errno == EINTR ? -1 : 0;
}

int sts_netbsd_sleep_for(atomic_uint *word, unsigned seen, const struct timespec *limit)
{
	return (int)syscall(SYS_futex, word, FUTEX_WAIT, seen, limit, NULL, 0);
}

void sts_netbsd_wake(atomic_uint *word)
{
	atomic_fetch_add(word, 1);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void sts_netbsd_changed(void)
{
	sts_netbsd_wake(&sts_netbsd.changed);
}

/* A thread of the library's own: the program's signals are not for it. */
int sts_netbsd_thread(pthread_t *ret, void *(*body)(void *), void *arg)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(ret, NULL, body, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

/* --- tracees --------------------------------------------------------------------------- */

struct sts_tracee *sts_netbsd_find(pid_t pid)
{
	struct sts_tracee *t;

	LIST_FOREACH(t, &sts_netbsd.tracees, link)
		if (t->pid == pid)
			break;
	return t;
}

struct sts_tracee *sts_netbsd_add(pid_t pid)
{
	struct sts_tracee *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->pid = pid;
	t->pgid = getpgid(pid);
	sigemptyset(&t->pass);
	LIST_INSERT_HEAD(&sts_netbsd.tracees, t, link);
	sts_netbsd_wake(&sts_netbsd.attached);
	return t;
}

void sts_netbsd_remove(struct sts_tracee *t)
{
	LIST_REMOVE(t, link);
	free(t->called);
	free(t);
	sts_netbsd_changed();
}

void sts_netbsd_remove_all(void)
{
	struct sts_tracee *t;

	while ((t = LIST_FIRST(&sts_netbsd.tracees)))
		sts_netbsd_remove(t);
}

int sts_netbsd_errno(int error)
{
	if (error == STASIS_E_TRACER_DEAD) /* the pump is about to forget all tracees */
		return ESRCH;
	return error == STASIS_E_ALREADY_TRACED ? EBUSY : stasis_error_errno(error);
}

int sts_netbsd_take(pid_t pid, struct sts_tracee **ret)
{
	if (sts_netbsd_find(pid))
		return EBUSY;
	struct sts_tracee *t = sts_netbsd_add(pid);
	if (!t)
		return ENOMEM;
	int r = stasis_attach(sts_netbsd.session, pid);
	if (r < 0) {
		sts_netbsd_remove(t);
		return r == STASIS_E_BAD_ARGUMENT ? ESRCH : sts_netbsd_errno(r);
	}
	*ret = t;
	return 0;
}

/* --- beginning and end --------------------------------------------------------------------- */

static int session_make(void)
{
	/* NetBSD kills what is traced when its tracer dies. */
	const struct stasis_session_opts opts = {.size = sizeof opts,
						 .flags = STASIS_SESSION_KEEP_ENDED | STASIS_SESSION_KEEP_FAULTS,
						 .death = STASIS_DEATH_KILL};
	const struct stasis_event_mask mask = sts_netbsd_mask(0, false);
	int r = stasis_session_create(&opts, &sts_netbsd.session);

	if (r < 0)
		return sts_netbsd_errno(r);
	r = stasis_event_mask_set(sts_netbsd.session, 0, &mask);
	if (r < 0)
		stasis_session_destroy(sts_netbsd.session);
	return sts_netbsd_errno(r);
}

static int threads_make(void)
{
	int r = sts_netbsd_thread(&sts_netbsd.pump, sts_netbsd_pump, NULL);

	if (r != 0)
		return r;
	r = sts_netbsd_thread(&sts_netbsd.host, sts_netbsd_host, NULL);
	if (r != 0) {
		sts_netbsd.ending = true;
		sts_netbsd_unlock();
		sts_netbsd_wake(&sts_netbsd.attached);
		pthread_join(sts_netbsd.pump, NULL);
		sts_netbsd_lock();
		sts_netbsd.ending = false;
	}
	return r;
}

int sts_netbsd_start(void)
{
	if (sts_netbsd_ours())
		return 0;
	if (sts_netbsd.owner != 0)
		return EPERM; /* our parent's memory */
	int r = sts_netbsd_page_make();
	if (r == 0)
		r = session_make();
	if (r != 0)
		return r;
	r = threads_make();
	if (r != 0) {
		stasis_session_destroy(sts_netbsd.session);
		return r;
	}
	sts_netbsd.owner = getpid();
	atomic_store(&sts_netbsd.page->served, 1);
	return 0;
}

void stasis_netbsd_end(void)
{
	if (!sts_netbsd_ours())
		return;
	sts_netbsd_lock();
	sts_netbsd.ending = true;
	atomic_store(&sts_netbsd.page->served, 0);
	sts_netbsd_unlock();
	stasis_session_wake(sts_netbsd.session);
	sts_netbsd_wake(&sts_netbsd.attached);
	sts_netbsd_wake(&sts_netbsd.page->posts);
	pthread_join(sts_netbsd.pump, NULL);
	pthread_join(sts_netbsd.host, NULL);
	sts_netbsd_watch_end();
	stasis_session_destroy(sts_netbsd.session);
	sts_netbsd_remove_all();
	sts_netbsd_page_end();
	sts_netbsd.session = NULL;
	sts_netbsd.owner = 0;
	sts_netbsd.ending = false;
}

/* --- fork ------------------------------------------------------------------------------------ */

/*
 * Whoever answers a child must be there before the child is. But who is traced
 * shall not show its tracer threads that its own program does not have: it
 * becomes a tracer with its first request.
 */
static void ready_for_children(void)
{
	if (sts_netbsd.owner == 0 && sts_netbsd_status_field(getpid(), "TracerPid:", 10) <= 0)
		(void)sts_netbsd_start();
}

/*
 * A child of vfork(2) runs in the memory of its tracer, who may stop it at any
 * moment and then needs the locks: it takes none.
 */
static bool is_guest(void)
{
	return sts_netbsd.owner != 0 && !sts_netbsd_ours();
}

/*
 * Nothing of the parent's is the child's, but the page where it can ask. Other
 * threads may have been at work at the lists: they are not gone through. The
 * page's file is closed, unless descriptors are shared.
 */
static void forget_parent(bool may_close)
{
	struct sts_page *parent = sts_netbsd.page;

	if (sts_netbsd.owner == 0)
		parent = NULL;
	if (sts_netbsd.page_fd > 0 && may_close)
		close(sts_netbsd.page_fd);
	memset(&sts_netbsd, 0, sizeof sts_netbsd);
	pthread_mutex_init(&sts_netbsd.lock, NULL);
	LIST_INIT(&sts_netbsd.tracees);
	sts_netbsd.parent = parent;
	sts_netbsd_watch_forget();
	sts_netbsd_sleepers_forget();
}

static void fork_child(void)
{
	forget_parent(true);
}

void stasis_netbsd_before_fork(void)
{
	if (is_guest())
		return;
	sts_netbsd_lock();
	ready_for_children();
	sts_netbsd_unlock();
}

/* Under the C library's own names, which this file does not lead elsewhere. */
pid_t sts_libc_fork(void) __asm__("fork");
int sts_libc_clone(int (*function)(void *), void *stack, int flags, void *argument, ...) __asm__("__clone");

/* The C library's fork() holds the locks of the memory at the birth, where the tracer may stop a guest. */
static pid_t guest_fork(void)
{
	pid_t pid = _Fork();

	if (pid == 0)
		forget_parent(true);
	return pid;
}

pid_t fork(void)
{
	if (is_guest())
		return guest_fork();
	stasis_netbsd_before_fork();
	return sts_libc_fork();
}

struct clone_start {
	int (*function)(void *);
	void *argument;
	int flags;
};

/* In memory of its own, where the C library does not call the handlers of fork(). */
static int clone_begin(void *arg)
{
	const struct clone_start start = *(struct clone_start *)arg;

	forget_parent(!(start.flags & CLONE_FILES));
	return start.function(start.argument);
}

int clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
	struct clone_start start = {function, argument, flags};
	va_list ap;

	va_start(ap, argument);
	pid_t *parent_tid = va_arg(ap, pid_t *);
	void *tls = va_arg(ap, void *);
	pid_t *child_tid = va_arg(ap, pid_t *);
	va_end(ap);
	if (!(flags & CLONE_THREAD))
		stasis_netbsd_before_fork();
	if (flags & CLONE_VM)
		return sts_libc_clone(function, stack, flags, argument, parent_tid, tls, child_tid);
	return sts_libc_clone(clone_begin, stack, flags, &start, parent_tid, tls, child_tid);
}

__attribute__((constructor)) static void begin(void)
{
	pthread_atfork(NULL, NULL, fork_child);
}
