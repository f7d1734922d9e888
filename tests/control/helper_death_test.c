// SPDX-License-Identifier: BSD-2-Clause
/*
 * The helper of an isolated session is killed from outside, whatever the host
 * is doing with it: every call answers, the tracees are dead or free as was
 * chosen, and the host works on.
 */
#include "drive.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MOMENTS = 1000, LONGEST_US = 3000, SPINNERS = 3 };

/* A host's thread that asks on and on until its session is dead. */
struct asker {
	struct stasis_session *s;
	struct actor *a;
	int (*ask)(struct asker *k);
	pthread_t thread;
	_Atomic pid_t tid;
	int last;
};

static void *ask_on(void *arg)
{
	struct asker *k = arg;

	atomic_store(&k->tid, gettid());
	do
		k->last = k->ask(k);
	while (k->last != STASIS_E_TRACER_DEAD);
	return NULL;
}

static void asker_start(struct asker *k, struct actor *a, int (*ask)(struct asker *k))
{
	*k = (struct asker){.s = a->s, .a = a, .ask = ask};
	ATF_REQUIRE_EQ(pthread_create(&k->thread, NULL, ask_on, k), 0);
}

static void asker_join(struct asker *k)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += sts_bound_ms() / 1000;
	ATF_REQUIRE_EQ_MSG(pthread_timedjoin_np(k->thread, NULL, &end), 0, "a call does not return");
	ATF_REQUIRE_EQ(k->last, STASIS_E_TRACER_DEAD);
}

static int ask_wait(struct asker *k)
{
	struct stasis_event ev;

	return stasis_wait(k->s, 0, -1, &ev);
}

static int ask_look(struct asker *k)
{
	struct stasis_regs_x86 regs;
	int r = stasis_regs_get(k->s, k->a->pid, STASIS_REGSET_GENERAL, &regs, sizeof regs, NULL);

	return r == STASIS_E_RUNNING || r == STASIS_E_GONE ? 0 : r;
}

static int ask_stop(struct asker *k)
{
	int r = stasis_interrupt(k->s, k->a->pid);

	return r == STASIS_E_GONE ? 0 : r;
}

static int ask_wait_and_resume(struct asker *k)
{
	struct stasis_event ev;
	int r = stasis_wait(k->s, 0, -1, &ev);

	if (r == 0 && ev.stopped)
		r = stasis_resume(k->s, ev.pid, NULL, 0);
	return r == STASIS_E_GONE ? 0 : r;
}

static void kill_helper(struct stasis_session *s)
{
	pid_t helper = stasis_session_tracer_pid(s);

	ATF_REQUIRE(helper > 0 && helper != getpid());
	STS_SYS(kill(helper, SIGKILL));
}

static struct stasis_session *session_of(enum stasis_death_policy death)
{
	struct stasis_session_opts opts = {.size = sizeof opts, .death = death};

	STS_SYS(prctl(PR_SET_CHILD_SUBREAPER, 1)); /* what the helper launched falls to us */
	struct stasis_session *s = sts_session_with(&opts);
	sts_want(s, 0, 0);
	return s;
}

/* Its helper's death killed it; it is ours now. */
static void see_dead(struct actor *a)
{
	ATF_REQUIRE_EQ(sts_reap(a->pid), SIGKILL);
	actor_gone(a);
}

STS_TC(every_call, 20, "after the helper was killed every call says so, and destroying the session works")
{
	struct stasis_session *s = session_of(STASIS_DEATH_DEFAULT);
	struct stasis_error_info info;
	struct stasis_event ev;
	struct actor a;
	uint8_t byte;

	actor_launch(&a, s, "actor");
	kill_helper(s);
	STS_FAILS(STASIS_E_TRACER_DEAD, stasis_wait(s, 0, -1, &ev));
	STS_FAILS(STASIS_E_TRACER_DEAD, stasis_wait(s, a.pid, 0, &ev));
	STS_FAILS(STASIS_E_TRACER_DEAD, stasis_interrupt(s, a.pid));
	STS_FAILS(STASIS_E_TRACER_DEAD, stasis_kill(s, a.pid));
	STS_FAILS(STASIS_E_TRACER_DEAD, stasis_attach(s, getppid()));
	STS_FAILS(STASIS_E_TRACER_DEAD, stasis_memory_read(s, a.pid, 0x1000, &byte, 1, NULL));
	ATF_REQUIRE_EQ(stasis_session_tracer_pid(s), STASIS_E_TRACER_DEAD);
	stasis_session_wake(s);
	stasis_session_last_error(s, &info);
	ATF_REQUIRE(info.error == STASIS_E_TRACER_DEAD && info.cause[0] && info.remedy[0]);
	stasis_session_destroy(s);
	see_dead(&a);
}

STS_TC(descriptor, 20, "who polls the session's descriptor is told that the helper was killed")
{
	struct stasis_session *s = session_of(STASIS_DEATH_DEFAULT);
	struct pollfd fd = {.fd = STS_OK_S(s, stasis_session_fd(s)), .events = POLLIN};
	struct stasis_event ev;
	struct actor a;

	actor_launch(&a, s, "actor");
	while (stasis_wait(s, 0, 0, &ev) != STASIS_E_TIMEOUT)
		;
	ATF_REQUIRE_EQ(poll(&fd, 1, 0), 0);
	kill_helper(s);
	ATF_REQUIRE_EQ(poll(&fd, 1, sts_bound_ms()), 1);
	STS_FAILS(STASIS_E_TRACER_DEAD, stasis_wait(s, 0, 0, &ev));
	stasis_session_destroy(s);
	see_dead(&a);
}

STS_TC(all_who_wait, 20, "threads that wait for events all return when the helper is killed")
{
	struct stasis_session *s = session_of(STASIS_DEATH_DEFAULT);
	struct asker k[4];
	struct actor a;

	actor_launch(&a, s, "actor");
	for (int i = 0; i < 4; i++)
		asker_start(&k[i], &a, ask_wait);
	for (int i = 0; i < 4; i++) {
		while (atomic_load(&k[i].tid) == 0)
			sched_yield();
		sts_await_state(getpid(), k[i].tid, "S");
	}
	kill_helper(s);
	for (int i = 0; i < 4; i++)
		asker_join(&k[i]);
	stasis_session_destroy(s);
	see_dead(&a);
}

/*
 * Descriptors are the host's and the helper's alike: one that the helper was just
 * reading /proc by stays open, and nobody else knows of it.
 */
static void close_left(void)
{
	char path[32], name[8];

	for (int fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		if (readlink(path, name, sizeof name) >= 6 && memcmp(name, "/proc/", 6) == 0)
			close(fd);
	}
}

/* --- at random moments ------------------------------------------------------------- */

static void wait_us(uint64_t us)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	for (uint64_t end = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 + us, now = 0; now < end;
	     now = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

/* Several threads of the host keep the helper at work; then it is killed. */
static void disturbed(struct actor *a, uint64_t *random)
{
	int (*const asks[])(struct asker *) = {ask_wait_and_resume, ask_look, ask_stop};
	struct asker k[3];

	for (int i = 0; i < 3; i++)
		asker_start(&k[i], a, asks[i]);
	wait_us(sts_random(random) % LONGEST_US);
	kill_helper(a->s);
	for (int i = 0; i < 3; i++)
		asker_join(&k[i]);
	stasis_session_destroy(a->s);
	a->s = NULL;
	close_left();
}

STS_TC(launched, 300, "the helper is killed at random moments: every call returns, and what it launched is dead")
{
	uint64_t random = sts_seed();
	struct actor a;

	for (unsigned i = sts_rounds(MOMENTS, 100); i > 0; i--) {
		actor_launch(&a, session_of(STASIS_DEATH_DEFAULT), "actor");
		actor_do(&a, "threads %d", SPINNERS);
		disturbed(&a, &random);
		see_dead(&a);
	}
}

STS_TC(attached, 300, "the helper is killed at random moments: every call returns, and what it was attached to goes on")
{
	uint64_t random = sts_seed();
	struct actor a;

	for (unsigned i = sts_rounds(MOMENTS, 100); i > 0; i--) {
		actor_start(&a, "actor");
		actor_do(&a, "threads %d", SPINNERS);
		actor_attach(&a, session_of(STASIS_DEATH_DEFAULT));
		disturbed(&a, &random);
		check_free(a.pid);
		actor_do(&a, "join");
		actor_end_untraced(&a);
	}
}

STS_TC(while_it_begins, 300, "the helper is killed while it launches: the call returns, and no process is left")
{
	uint64_t random = sts_seed();
	struct stasis_event ev;

	for (unsigned i = sts_rounds(MOMENTS, 100); i > 0; i--) {
		struct stasis_session *s = session_of(STASIS_DEATH_DEFAULT);
		struct stasis_spawn_opts opts = {.size = sizeof opts, .path = "/bin/true"};
		char name[] = "true", *argv[] = {name, NULL};
		pid_t killer = sts_fork(), pid;

		if (killer == 0) {
			wait_us(sts_random(&random) % 400);
			kill_helper(s);
			_exit(0);
		}
		sts_random(&random);
		opts.argv = argv;
		int r = stasis_spawn(s, &opts, &pid);
		sts_reap(killer);
		while (r == 0 && (r = stasis_wait(s, 0, -1, &ev)) == 0)
			if (ev.stopped)
				r = stasis_resume(s, ev.pid, NULL, 0);
		ATF_REQUIRE_MSG(r == STASIS_E_TRACER_DEAD || r == STASIS_E_NO_TRACEE, "%s", stasis_error_name(r));
		stasis_session_destroy(s);
		close_left();
		while (waitpid(-1, NULL, __WALL) > 0)
			;
	}
}
