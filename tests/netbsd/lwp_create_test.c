// SPDX-License-Identifier: BSD-2-Clause
/* LWPs of _lwp_create(): in the program itself, and in a tracee. */
#include "nb.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define STACK 16384

static atomic_int ran;

/* Its errno is its own, it runs on the stack it was given. */
static void sets_errno(void *arg)
{
	char here, *stack = arg;

	errno = 0;
	(void)!close(-1);
	if (errno == EBADF && &here >= stack && &here < stack + STACK)
		atomic_fetch_add(&ran, 1);
}

static void exits(void *arg)
{
	sets_errno(arg);
	_lwp_exit();
}

static lwpid_t make(void (*start)(void *), char *stack, unsigned long flags)
{
	ucontext_t context;
	lwpid_t id;

	_lwp_makecontext(&context, start, stack, NULL, stack, STACK);
	STS_SYS(_lwp_create(&context, flags, &id));
	return id;
}

STS_TC(create, 20, "it runs on its stack with its own errno, ends by return or _lwp_exit, and is waited for once")
{
	char *stack = malloc(STACK);
	lwpid_t departed = 0;

	errno = 77;
	for (int i = 0; i < 2; i++) {
		lwpid_t id = make(i == 0 ? sets_errno : exits, stack, 0);

		ATF_REQUIRE(id > 0 && id != _lwp_self());
		STS_SYS(_lwp_wait(i == 0 ? id : 0, &departed));
		ATF_REQUIRE_EQ(departed, id);
		ATF_REQUIRE_EQ(atomic_load(&ran), i + 1);
		NB_FAILS(ESRCH, _lwp_wait(id, NULL));
		NB_FAILS(ESRCH, _lwp_continue(id));
	}
	free(stack);
}

STS_TC(many, 20, "many at once, waited for as they come")
{
	enum { N = 50 };
	char *stacks[N];

	for (int i = 0; i < N; i++) {
		stacks[i] = malloc(STACK);
		make(sets_errno, stacks[i], 0);
	}
	for (int i = 0; i < N; i++)
		STS_SYS(_lwp_wait(0, NULL));
	NB_FAILS(EDEADLK, _lwp_wait(0, NULL));
	ATF_REQUIRE_EQ(atomic_load(&ran), N);
	for (int i = 0; i < N; i++)
		free(stacks[i]);
}

static void suspends_itself(void *arg)
{
	_lwp_suspend(_lwp_self());
	sets_errno(arg);
}

STS_TC(suspended, 20, "who is made suspended or suspends itself goes on when it is continued")
{
	char *stack = malloc(STACK);
	lwpid_t id = make(sets_errno, stack, LWP_SUSPENDED);

	sts_await_state(getpid(), id, "S");
	ATF_REQUIRE_EQ(atomic_load(&ran), 0);
	STS_SYS(_lwp_continue(id));
	STS_SYS(_lwp_wait(id, NULL));
	ATF_REQUIRE_EQ(atomic_load(&ran), 1);
	id = make(suspends_itself, stack, 0);
	sts_await_state(getpid(), id, "S");
	ATF_REQUIRE_EQ(atomic_load(&ran), 1);
	STS_SYS(_lwp_continue(id));
	STS_SYS(_lwp_wait(id, NULL));
	ATF_REQUIRE_EQ(atomic_load(&ran), 2);
	free(stack);
}

STS_TC(errors, 20, "flags and LWPs that there are not; a detached one is waited for by nobody")
{
	char *stack = malloc(STACK);
	ucontext_t context;
	lwpid_t id;

	_lwp_makecontext(&context, sets_errno, stack, NULL, stack, STACK);
	NB_FAILS(EINVAL, _lwp_create(&context, 1, &id));
	NB_FAILS(EDEADLK, _lwp_wait(_lwp_self(), NULL));
	NB_FAILS(ENOSYS, _lwp_suspend(_lwp_self())); /* not of _lwp_create() */
	NB_FAILS(ESRCH, _lwp_suspend(0x3fffffff));
	NB_FAILS(ESRCH, _lwp_detach(0x3fffffff));
	id = make(sets_errno, stack, LWP_DETACHED | LWP_SUSPENDED);
	NB_FAILS(ESRCH, _lwp_wait(id, NULL));
	NB_FAILS(EINVAL, _lwp_detach(id));
	STS_SYS(_lwp_continue(id));
	while (_lwp_kill(id, 0) == 0)
		sched_yield();
	ATF_REQUIRE_EQ(atomic_load(&ran), 1);
	free(stack);
}

static int makes_one(void *arg)
{
	static char stack[STACK];
	ucontext_t context;
	lwpid_t id;

	_lwp_makecontext(&context, exits, stack, NULL, stack, STACK);
	NB_CHILD(_lwp_create(&context, 0, &id) == 0);
	NB_CHILD(_lwp_wait(id, NULL) == 0);
	return atomic_load(&ran);
}

STS_TC(traced, 20, "its tracer is told of it once when it is made and once when it ends")
{
	pid_t pid = nb_volunteer(makes_one, NULL);

	nb_events(pid, PTRACE_LWP_CREATE | PTRACE_LWP_EXIT);
	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_LWP);
	struct ptrace_state made = nb_state(pid);
	ATF_REQUIRE_EQ(made.pe_report_event, PTRACE_LWP_CREATE);
	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_LWP);
	struct ptrace_state ended = nb_state(pid);
	ATF_REQUIRE_EQ(ended.pe_report_event, PTRACE_LWP_EXIT);
	ATF_REQUIRE_EQ(ended.pe_lwp, made.pe_lwp);
	nb_continue(pid, 0);
	nb_exited(pid, 1);
	nb_end();
}
