// SPDX-License-Identifier: BSD-2-Clause
/*
 * Threads that are born and die as fast as they can while the world is stopped and goes on. Each writes the count of
 * all beats that a stopped world must not change: a thread that was overlooked gives itself away.
 */
#include "world.h"

enum { CHAINS = 16, MAX_THREADS = 4000, BEATS = 64 };

static struct {
	_Atomic unsigned n;
	char pad[60];
} beat[BEATS];
static _Atomic unsigned births, ready, chains, leave;

static unsigned beats(void)
{
	unsigned n = births;

	for (int i = 0; i < BEATS; i++)
		n += beat[i].n;
	return n;
}

/* A link of a chain: makes the next and ends. */
static void *link_on(void *arg)
{
	births++;
	beat[(uintptr_t)arg % BEATS].n++;
	if (leave)
		chains--;
	else
		start_detached(link_on, arg);
	return NULL;
}

static void *stay(void *arg)
{
	uintptr_t i = (uintptr_t)arg;

	ready++;
	while (!leave) {
		beat[i % BEATS].n++;
		if (i % 32 == 0)
			sched_yield();
		else
			pause_us(20000);
	}
	return NULL;
}

/* As link_on, without libc: threads of clone alone, whose stacks are handed on. */
struct raw_link {
	char stack[2][16384] __attribute__((aligned(16)));
	_Atomic int tid[2]; /* the kernel zeroes it when the thread has left its stack */
	unsigned which;
};
static struct raw_link raw[4];

static int link_raw(void *arg);

static int start_raw(struct raw_link *l, unsigned which)
{
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
		    CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;

	l->which = which;
	return clone(link_raw, l->stack[which] + sizeof(l->stack[which]), flags, l, &l->tid[which], NULL,
		     &l->tid[which]);
}

static int link_raw(void *arg)
{
	struct raw_link *l = arg;
	unsigned other = !l->which;

	births++;
	beat[BEATS - 1].n++;
	while (l->tid[other] != 0)
		;
	if (leave || start_raw(l, other) < 0)
		chains--;
	syscall(SYS_exit, 0);
	return 0;
}

static void check_stop(unsigned round)
{
	struct stasis_world *w = stop_world();
	unsigned then = beats();

	linger(300);
	if (beats() != then)
		fail("stop %u: %u beats in the stopped world", round, beats() - then);
	/* BLOCKED threads may move; those here have nothing blocked for long. */
	(void)!stasis_world_resume(w);
}

static uint64_t run_stops(unsigned rounds)
{
	uint64_t begin = now_ns(), longest = 0;

	for (unsigned i = 0; i < rounds; i++) {
		uint64_t t = now_ns();

		check_stop(i);
		t = now_ns() - t;
		longest = t > longest ? t : longest;
		pause_us(500);
	}
	printf("%u stops in %.2f s, the longest %.1f ms; %u births\n", rounds, (double)(now_ns() - begin) / 1e9,
	       (double)longest / 1e6, births);
	return longest;
}

static void churn(unsigned rounds, unsigned n_staying, unsigned n_chains, unsigned n_raw)
{
	pthread_t *threads = calloc(n_staying, sizeof(*threads));

	for (uintptr_t i = 0; i < n_staying; i++)
		threads[i] = start(stay, (void *)i);
	await_u("threads", &ready, n_staying);
	chains = n_chains + n_raw;
	for (uintptr_t i = 0; i < n_chains; i++)
		start_detached(link_on, (void *)i);
	for (unsigned i = 0; i < n_raw; i++)
		OK(start_raw(&raw[i], 0));
	run_stops(rounds);
	leave = 1;
	for (unsigned i = 0; i < n_staying; i++)
		OK(-pthread_join(threads[i], NULL));
	for (uint64_t until = now_ns() + 10000000000ull; chains != 0; pause_us(200))
		REQUIRE(now_ns() < until);
	free(threads);
}

/* "ROUNDS": chains alone, as fast as they go. */
void world_churn(const char *arg)
{
	unsigned rounds = arg != NULL ? (unsigned)atoi(arg) : 100;
	uint64_t begin;
	unsigned then;

	churn(rounds, 4, CHAINS, sizeof(raw) / sizeof(raw[0]));
	/* How many a second there are when nobody stops them. */
	leave = 0;
	chains = CHAINS;
	for (uintptr_t i = 0; i < CHAINS; i++)
		start_detached(link_on, (void *)i);
	begin = now_ns();
	then = births;
	pause_us(300000);
	printf("%.0f births and deaths a second\n", (births - then) / ((double)(now_ns() - begin) / 1e9));
	leave = 1;
	for (uint64_t until = now_ns() + 10000000000ull; chains != 0; pause_us(200))
		REQUIRE(now_ns() < until);
}

/* "ROUNDS:THREADS" */
void world_crowd(const char *arg)
{
	unsigned rounds = 20, n = 200;

	if (arg != NULL)
		REQUIRE(sscanf(arg, "%u:%u", &rounds, &n) == 2 && n <= MAX_THREADS);
	churn(rounds, n, CHAINS, 1);
}
