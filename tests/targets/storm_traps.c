/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: storm_traps SHARED ROUNDS
 *
 * 50 threads that signal themselves, 50 that call a function, 50 that write a
 * variable: each once per round, all at once.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "storm.h"

enum { KINDS = 3, THREADS = KINDS * STORM_TRAP_THREADS };

static struct storm_shared *sh;
static uint64_t rounds;
static pthread_barrier_t barrier;
static volatile uint64_t watched __attribute__((aligned(8)));
static __thread uint64_t handled;

__attribute__((noinline, noclone)) static void site(void)
{
	atomic_fetch_add(&sh->calls, 1);
}

static void on_signal(int signal)
{
	handled++;
	atomic_fetch_add(&sh->signals_got, 1);
}

static void act(unsigned number, uint64_t round)
{
	switch (number / STORM_TRAP_THREADS) {
	case 0:
		syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
		if (handled != round + 1)
			storm_fail(sh, "thread %u handled %lu signals in %lu rounds", number, (unsigned long)handled,
				   (unsigned long)round + 1);
		break;
	case 1:
		site();
		break;
	default:
		watched = number;
	}
}

static void *actor(void *arg)
{
	unsigned number = (uintptr_t)arg;

	atomic_store(&sh->pids[number], gettid());
	pthread_barrier_wait(&barrier); /* all are born... */
	pthread_barrier_wait(&barrier); /* ...and the gate is open */
	for (uint64_t i = 0; i < rounds; i++) {
		act(number, i);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	pthread_t threads[THREADS];

	sh = storm_open(argv[1]);
	rounds = storm_number(argc, argv, 2);
	sigaction(SIGUSR1, &sa, NULL);
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	sh->address[0] = (uintptr_t)site;
	sh->address[1] = (uintptr_t)&watched;
	storm_gate(sh, 1); /* before the threads are born */
	for (unsigned i = 0; i < THREADS; i++)
		threads[i] = storm_thread(sh, actor, (void *)(uintptr_t)i, false);
	pthread_barrier_wait(&barrier);
	storm_gate(sh, 2); /* all are there */
	pthread_barrier_wait(&barrier);
	for (uint64_t i = 0; i < rounds; i++)
		pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	storm_post(&sh->done, 1);
	return STORM_DONE_STATUS;
}
