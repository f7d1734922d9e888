/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ordinary children, while somebody waits for them and for tracees at once.
 * Neither a signal nor a descriptor tells of children without taking something
 * from the program; so a thread sleeps in waitid(2) with WNOWAIT, once for each
 * set of children that is waited for.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "netbsd/netbsd.h"

struct watch {
	LIST_ENTRY(watch) link;
	pthread_t thread;
	atomic_uint go; /* futex: something to watch for */
	bool watching;
	int idtype, options;
	pid_t id;
};
static LIST_HEAD(, watch) watches = LIST_HEAD_INITIALIZER(watches);

static void watch_once(const struct watch *w)
{
	/* Asynchronously: nothing is held in here, and a system call made directly is no cancellation point. */
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	while (syscall(SYS_waitid, w->idtype, w->id, NULL, w->options | WNOWAIT, NULL) < 0 && errno == EINTR)
		;
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
}

static void *watch_body(void *arg)
{
	struct watch *w = arg;

	for (;;) {
		unsigned go = atomic_load(&w->go);

		watch_once(w);
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		sts_netbsd_lock();
		w->watching = false;
		sts_netbsd_changed();
		sts_netbsd_unlock();
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		while (atomic_load(&w->go) == go) {
			pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
			sts_netbsd_sleep(&w->go, go);
			pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
		}
	}
	return NULL;
}

static struct watch *idle_watch(void)
{
	struct watch *w;

	LIST_FOREACH(w, &watches, link)
		if (!w->watching)
			break;
	return w;
}

static bool watched(int idtype, pid_t id, int options)
{
	const struct watch *w;

	LIST_FOREACH(w, &watches, link)
		if (w->watching && w->idtype == idtype && w->id == id && w->options == options)
			return true;
	return false;
}

static int watch_new(int idtype, pid_t id, int options)
{
	struct watch *w = calloc(1, sizeof *w);

	if (!w)
		return ENOMEM;
	*w = (struct watch){.watching = true, .idtype = idtype, .id = id, .options = options};
	int r = sts_netbsd_thread(&w->thread, watch_body, w);
	if (r == 0)
		LIST_INSERT_HEAD(&watches, w, link);
	else
		free(w);
	return r;
}

int sts_netbsd_watch(int idtype, pid_t id, int options)
{
	if (watched(idtype, id, options))
		return 0;
	struct watch *w = idle_watch();
	if (!w)
		return watch_new(idtype, id, options);
	w->idtype = idtype;
	w->id = id;
	w->options = options;
	w->watching = true;
	sts_netbsd_wake(&w->go);
	return 0;
}

void sts_netbsd_watch_end(void)
{
	struct watch *w;

	while ((w = LIST_FIRST(&watches))) {
		LIST_REMOVE(w, link);
		pthread_cancel(w->thread);
		pthread_join(w->thread, NULL);
		free(w);
	}
}

void sts_netbsd_watch_forget(void)
{
	LIST_INIT(&watches);
}
