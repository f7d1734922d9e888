/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LWPs that a program makes without <pthread.h>. Each is a thread of the C
 * library's all the same, which alone can give it thread-local storage; on that
 * thread's stack it only begins and ends, and runs on the one it was given.
 */
#include <errno.h>
#include <lwp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

struct lwp {
	LIST_ENTRY(lwp) link;
	pthread_t thread;
	lwpid_t id; /* 0: it has not begun */
	bool suspended, detached, over, waited_for;
	const ucontext_t *start;
	ucontext_t base; /* where it ends */
};
static LIST_HEAD(, lwp) lwps = LIST_HEAD_INITIALIZER(lwps);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static _Thread_local struct lwp *current;

static int fail(int error)
{
	errno = error;
	return -1;
}

static struct lwp *find(lwpid_t id)
{
	struct lwp *l;

	LIST_FOREACH(l, &lwps, link)
		if (l->id == id)
			break;
	return l;
}

static void drop(struct lwp *l)
{
	LIST_REMOVE(l, link);
	free(l);
}

/* --- contexts ------------------------------------------------------------------------------ */

/* makecontext() passes ints. */
static void begin(unsigned f_high, unsigned f_low, unsigned a_high, unsigned a_low)
{
	uintptr_t function = (uintptr_t)f_high << 32 | f_low;

	((void (*)(void *))function)((void *)((uintptr_t)a_high << 32 | a_low));
	_lwp_exit();
}

void _lwp_makecontext(ucontext_t *context, void (*start)(void *), void *argument, void *private_data, void *stack,
		      size_t stack_size)
{
	uintptr_t f = (uintptr_t)start, a = (uintptr_t)argument;

	(void)private_data;
	getcontext(context);
	context->uc_stack = (stack_t){.ss_sp = stack, .ss_size = stack_size};
	context->uc_link = NULL;
	makecontext(context, (void (*)(void))(uintptr_t)begin, 4, (unsigned)(f >> 32), (unsigned)f, (unsigned)(a >> 32),
		    (unsigned)a);
}

/* --- life ------------------------------------------------------------------------------------ */

static void await_continue(struct lwp *l)
{
	while (l->suspended)
		pthread_cond_wait(&changed, &lock);
}

static void *body(void *arg)
{
	struct lwp *l = arg;
	const ucontext_t *start = l->start;
	ucontext_t context;

	current = l;
	memcpy(&context, start, sizeof context);
	/* The floating-point state stands in the structure, by address. */
	context.uc_mcontext.fpregs = &context.__fpregs_mem;
	pthread_mutex_lock(&lock);
	l->id = _lwp_self();
	pthread_cond_broadcast(&changed);
	await_continue(l);
	pthread_mutex_unlock(&lock);
	swapcontext(&l->base, &context);
	pthread_mutex_lock(&lock);
	l->over = true;
	if (l->detached)
		drop(l);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static int start(struct lwp *l, lwpid_t *id_ret)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	if (l->detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_mutex_lock(&lock);
	int r = pthread_create(&l->thread, &attr, body, l);
	if (r == 0) {
		LIST_INSERT_HEAD(&lwps, l, link);
		while (l->id == 0)
			pthread_cond_wait(&changed, &lock);
		*id_ret = l->id;
	}
	pthread_mutex_unlock(&lock);
	pthread_attr_destroy(&attr);
	return r;
}

int _lwp_create(const ucontext_t *context, unsigned long flags, lwpid_t *id_ret)
{
	if (flags & ~(unsigned long)(LWP_DETACHED | LWP_SUSPENDED))
		return fail(EINVAL);
	struct lwp *l = calloc(1, sizeof *l);
	if (!l)
		return fail(ENOMEM);
	l->start = context;
	l->suspended = flags & LWP_SUSPENDED;
	l->detached = flags & LWP_DETACHED;
	int r = start(l, id_ret);
	if (r == 0)
		return 0;
	free(l);
	return fail(r);
}

void _lwp_exit(void)
{
	if (current)
		setcontext(&current->base);
	pthread_exit(NULL);
}

/* --- waiting --------------------------------------------------------------------------------------- */

static struct lwp *ended(lwpid_t id, bool *any_ret)
{
	struct lwp *l;

	*any_ret = false;
	LIST_FOREACH(l, &lwps, link) {
		if (l->detached || l->waited_for || l == current || (id != 0 && l->id != id))
			continue;
		*any_ret = true;
		if (l->over)
			return l;
	}
	return NULL;
}

/* The kernel knows an LWP for a moment longer than the C library, and so would whoever asks for it by its number. */
static void await_oblivion(lwpid_t id)
{
	enum { PATIENCE = 10000 }; /* a tracer may keep it */

	for (int i = 0; i < PATIENCE && syscall(SYS_tgkill, getpid(), id, 0) == 0; i++)
		sched_yield();
}

int _lwp_wait(lwpid_t id, lwpid_t *departed)
{
	struct lwp *l;
	bool any;

	if (id == _lwp_self())
		return fail(EDEADLK);
	pthread_mutex_lock(&lock);
	while (!(l = ended(id, &any)) && any)
		pthread_cond_wait(&changed, &lock);
	if (l)
		l->waited_for = true;
	pthread_mutex_unlock(&lock);
	if (!l)
		return fail(id == 0 ? EDEADLK : ESRCH);
	pthread_join(l->thread, NULL);
	await_oblivion(l->id);
	if (departed)
		*departed = l->id;
	pthread_mutex_lock(&lock);
	drop(l);
	pthread_mutex_unlock(&lock);
	return 0;
}

static int detach(struct lwp *l)
{
	if (!l)
		return ESRCH;
	if (l->detached || l->waited_for)
		return EINVAL;
	l->detached = true;
	int r = pthread_detach(l->thread);
	if (l->over)
		drop(l);
	return r;
}

int _lwp_detach(lwpid_t id)
{
	pthread_mutex_lock(&lock);
	int r = detach(find(id));
	pthread_mutex_unlock(&lock);
	return r == 0 ? 0 : fail(r);
}

/* --- suspending: the caller, or who has not begun -------------------------------------------------- */

int _lwp_suspend(lwpid_t id)
{
	if (!current || id != current->id)
		return fail(syscall(SYS_tgkill, getpid(), id, 0) < 0 ? ESRCH : ENOSYS);
	pthread_mutex_lock(&lock);
	current->suspended = true;
	await_continue(current);
	pthread_mutex_unlock(&lock);
	return 0;
}

int _lwp_continue(lwpid_t id)
{
	pthread_mutex_lock(&lock);
	struct lwp *l = find(id);
	if (l)
		l->suspended = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	if (!l && syscall(SYS_tgkill, getpid(), id, 0) < 0)
		return fail(ESRCH);
	return 0;
}
