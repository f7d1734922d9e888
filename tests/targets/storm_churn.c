/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: storm_churn SHARED SPAWNERS DEAD_LEADER
 *
 * Threads are born and die as fast as the machine lets them until `stop` is
 * set. Every thread bumps the counter while it runs. With DEAD_LEADER the main
 * thread is gone before the storm begins.
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include "storm.h"

static struct storm_shared *sh;
static _Atomic uint32_t running;
/* More would only queue up for the two stacks the allocator hands round. */
enum { LIVE_LIMIT = 64 };
static _Atomic uint32_t live;

static void *mayfly(void *arg)
{
	atomic_fetch_add_explicit(&sh->counter, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&sh->births, 1, memory_order_relaxed);
	atomic_fetch_sub(&live, 1);
	return NULL;
}

static void last_one_out(void)
{
	if (atomic_fetch_sub(&running, 1) == 1) {
		storm_post(&sh->done, 1);
		_exit(STORM_DONE_STATUS);
	}
}

static void *spawner(void *arg)
{
	while (!atomic_load(&sh->stop)) {
		if (atomic_fetch_add(&live, 1) < LIVE_LIMIT)
			storm_thread(sh, mayfly, NULL, true);
		else {
			atomic_fetch_sub(&live, 1);
			sched_yield();
		}
		atomic_fetch_add_explicit(&sh->counter, 1, memory_order_relaxed);
	}
	last_one_out();
	return NULL;
}

static void *bumper(void *arg)
{
	while (!atomic_load(&sh->stop)) {
		for (int i = 0; i < 1000; i++)
			atomic_fetch_add_explicit(&sh->counter, 1, memory_order_relaxed);
		sched_yield();
	}
	last_one_out();
	return NULL;
}

int main(int argc, char **argv)
{
	sh = storm_open(argv[1]);
	uint64_t spawners = storm_number(argc, argv, 2);
	bool dead_leader = storm_number(argc, argv, 3);

	atomic_store(&running, spawners + 1);
	for (uint64_t i = 0; i < spawners; i++)
		storm_thread(sh, spawner, NULL, true);
	storm_thread(sh, bumper, NULL, true);
	storm_post(&sh->at_gate, 1);
	if (dead_leader)
		pthread_exit(NULL);
	for (;;)
		pause();
}
