/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: storm_exec SHARED COUNT
 *
 * Executes itself COUNT times, each time from a thread that is not the leader,
 * with other threads at work. The leader is, in turn, busy, asleep or dead.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include "storm.h"

static struct storm_shared *sh;
static const char *shared_path, *own_path;
static uint64_t left;

static void *busy(void *arg)
{
	for (;;)
		atomic_fetch_add_explicit(&sh->counter, 1, memory_order_relaxed);
	return NULL;
}

static void *executor(void *arg)
{
	char count[24];

	snprintf(count, sizeof count, "%lu", (unsigned long)(left - 1));
	atomic_fetch_add(&sh->calls, 1);
	execl(own_path, own_path, shared_path, count, NULL);
	storm_fail(sh, "exec failed");
	_exit(124);
}

int main(int argc, char **argv)
{
	shared_path = argv[1];
	sh = storm_open(shared_path);
	own_path = storm_sibling("target-storm-exec"); /* /proc/self/exe leads nowhere once the leader is dead */
	left = storm_number(argc, argv, 2);
	if (left == 0) {
		storm_post(&sh->done, 1);
		return STORM_DONE_STATUS;
	}
	for (int i = 0; i < 3; i++)
		storm_thread(sh, busy, NULL, true);
	storm_thread(sh, executor, NULL, true);
	switch (left % 3) {
	case 0:
		pthread_exit(NULL);
	case 1:
		busy(NULL);
		break;
	default:
		for (;;)
			pause();
	}
}
