/* SPDX-License-Identifier: BSD-2-Clause */
/* usage: storm_vfork SHARED THREADS ROUNDS: in each round all THREADS vfork at once; children exec or exit in turn. */
#include <pthread.h>
#include <unistd.h>
#include "storm.h"

static struct storm_shared *sh;
static uint64_t rounds;
static pthread_barrier_t barrier;
static const char *nop;

__attribute__((noinline)) static pid_t give_birth(bool exec)
{
	static char name[] = "storm_nop";
	char *argv[] = {name, NULL}, *envp[] = {NULL};

	pid_t pid = vfork();
	if (pid == 0) {
		if (exec)
			execve(nop, argv, envp);
		_exit(STORM_NOP_STATUS);
	}
	return pid;
}

static void *vforker(void *arg)
{
	uint64_t number = (uint64_t)(uintptr_t)arg;

	for (uint64_t i = 0; i < rounds; i++) {
		pthread_barrier_wait(&barrier);
		pid_t pid = give_birth((number + i) % 2);
		if (pid < 0) {
			storm_fail(sh, "vfork failed");
			continue;
		}
		atomic_fetch_add(&sh->births, 1);
		storm_reap(sh, pid, STORM_NOP_STATUS << 8);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[64];

	sh = storm_open(argv[1]);
	uint64_t n = storm_number(argc, argv, 2);
	rounds = storm_number(argc, argv, 3);
	nop = storm_sibling("target-storm-nop");
	pthread_barrier_init(&barrier, NULL, n);
	for (uint64_t i = 0; i < n; i++)
		threads[i] = storm_thread(sh, vforker, (void *)(uintptr_t)i, false);
	for (uint64_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	storm_post(&sh->done, 1);
	return STORM_DONE_STATUS;
}
