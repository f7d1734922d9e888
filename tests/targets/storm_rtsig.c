/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: storm_rtsig SHARED N
 *
 * Takes N queued real-time signals of each of three kinds and checks of every
 * one that it is the next of its kind, from the right sender, with its payload.
 * Two more threads keep the process busy with all signals blocked.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "storm.h"

static struct storm_shared *sh;
static _Atomic bool finished;

/* Handlers of the three kinds exclude each other (sa_mask): plain counting is enough. */
static void on_signal(int signal, siginfo_t *info, void *context)
{
	uint64_t kind = signal - SIGRTMIN - 1;
	uint64_t n = atomic_load(&sh->signals[kind]);

	if ((uint64_t)(uintptr_t)info->si_value.sival_ptr != storm_payload(kind, n))
		storm_fail(sh, "kind %lu: payload %p where number %lu was due", (unsigned long)kind,
			   info->si_value.sival_ptr, (unsigned long)n);
	if (info->si_code != SI_QUEUE || info->si_pid != atomic_load(&sh->sender) || info->si_signo != signal)
		storm_fail(sh, "kind %lu number %lu: code %d sender %d", (unsigned long)kind, (unsigned long)n,
			   info->si_code, info->si_pid);
	if (syscall(SYS_gettid) != atomic_load(&sh->receiver))
		storm_fail(sh, "signal taken by a thread that blocks it");
	atomic_store(&sh->signals[kind], n + 1);
}

static void *bumper(void *arg)
{
	while (!atomic_load(&finished))
		atomic_fetch_add_explicit(&sh->counter, 1, memory_order_relaxed);
	return NULL;
}

static void handlers_install(sigset_t *set)
{
	struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigemptyset(set);
	for (int k = 0; k < STORM_RT_KINDS; k++)
		sigaddset(set, SIGRTMIN + 1 + k);
	act.sa_mask = *set;
	for (int k = 0; k < STORM_RT_KINDS; k++)
		sigaction(SIGRTMIN + 1 + k, &act, NULL);
}

static bool all_received(uint64_t n)
{
	for (int k = 0; k < STORM_RT_KINDS; k++)
		if (atomic_load(&sh->signals[k]) < n)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	sigset_t set, old;
	pthread_t threads[2];

	sh = storm_open(argv[1]);
	uint64_t n = storm_number(argc, argv, 2);
	handlers_install(&set);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	for (int i = 0; i < 2; i++)
		threads[i] = storm_thread(sh, bumper, NULL, false);
	atomic_store(&sh->receiver, getpid());
	storm_gate(sh, 1);
	/* In turn: blocked but for the wait, and open to signals at any instruction. */
	while (!all_received(n)) {
		sigsuspend(&old);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		for (int i = 0; i < 1000; i++)
			atomic_fetch_add_explicit(&sh->counter, 1, memory_order_relaxed);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	}
	atomic_store(&finished, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	storm_post(&sh->done, 1);
	storm_gate(sh, 2); /* what comes too often must have its chance to show */
	return STORM_DONE_STATUS;
}
