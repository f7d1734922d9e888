// SPDX-License-Identifier: BSD-2-Clause
/*
 * The helper leaves the host's heap alone: a thread of the host that holds a lock
 * of it may be held up for ever, or killed with the whole host, and so may the
 * helper. Every allocation of this program passes through here, and every change
 * of a signal's handler.
 */
#include "drive.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_LOOK false
static pid_t host;
static _Atomic unsigned touched;
#else
#define CAN_LOOK true

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);

static pid_t host; /* while it is asked */
static _Atomic unsigned touched;

static void look(void)
{
	if (host != 0 && getpid() != host)
		atomic_fetch_add(&touched, 1);
}

void *malloc(size_t size)
{
	look();
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	look();
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	look();
	return __libc_realloc(p, size);
}

void free(void *p)
{
	look();
	__libc_free(p);
}

extern int __sigaction(int signal, const struct sigaction *act, struct sigaction *old);

/* As a runtime that keeps a table of the handlers, which the helper would change for its host. */
int sigaction(int signal, const struct sigaction *act, struct sigaction *old)
{
	if (act != NULL)
		look();
	return __sigaction(signal, act, old);
}
#endif

static void check(const char *what)
{
	ATF_REQUIRE_EQ_MSG(touched, 0, "the helper used the host's heap, or its table of handlers, %u times: %s",
			   touched, what);
}

/* Births, threads, a breakpoint passed by stepping, memory written over it, mappings looked through. */
static void work(struct actor *a)
{
	uint64_t site = actor_counter(a, ACTOR_STEPPED);
	uint8_t bytes[8192];

	actor_do(a, "threads 4");
	actor_do(a, "ignore %d",
		 SIGTRAP); /* found out, and put back, by calls of ours: that takes a look at the mappings */
	actor_interrupt(a);
	STS_OK_S(a->s, stasis_breakpoint_insert(a->s, a->pid, site));
	STS_OK_S(a->s, stasis_memory_read(a->s, a->pid, site & ~UINT64_C(4095), bytes, 4096, NULL));
	STS_OK_S(a->s, stasis_memory_write(a->s, a->pid, site & ~UINT64_C(4095), bytes, 4096, NULL));
	check("memory and breakpoints");
	sts_resume(a->s, a->pid);
	actor_tell(a, "stepall 2");
	for (int i = 0; i < 4 * 2; i++) {
		sts_expect_event(a->s, STASIS_EVENT_BREAKPOINT, NULL);
		sts_resume(a->s, a->pid);
	}
	actor_done(a);
	actor_do(a, "join");
	check("stepping");
}

STS_TC(left_alone, 60, "the helper of a session allocates and frees nothing of the host's, and changes no handlers")
{
	struct stasis_event ev;
	struct actor a, attached;

	if (!CAN_LOOK)
		atf_tc_skip("sanitizers have an allocator of their own");
	host = getpid();
	struct stasis_session *s = sts_session(), *other = sts_session();
	sts_want(s, 0, BIT(BREAKPOINT) | BIT(INTERRUPT));
	actor_launch(&a, s, "actor");
	check("launching");
	work(&a);
	actor_start(&attached, "actor");
	actor_attach(&attached, s);
	work(&attached);
	STS_FAILS(STASIS_E_PERM_SELF, stasis_attach(s, getpid()));
	STS_FAILS(STASIS_E_TRACED_ELSEWHERE, stasis_attach(other, a.pid));
	check("refusals");
	actor_interrupt(&attached);
	STS_OK_S(s, stasis_detach(s, attached.pid, 0));
	attached.s = NULL;
	actor_end_untraced(&attached);
	actor_end(&a);
	while (stasis_wait(s, 0, 0, &ev) == 0)
		;
	stasis_session_destroy(s);
	stasis_session_destroy(other);
	check("letting go");
	host = 0;
}
