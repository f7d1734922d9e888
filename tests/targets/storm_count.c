/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: storm_count SHARED CALLS THREADS CHILD_CALLS
 *
 * One function called exactly CALLS times by the main thread, while THREADS
 * others fork+exec, vfork+exec and posix_spawn without end. With CHILD_CALLS,
 * every child of fork and vfork calls a second function that often before it
 * execs.
 */
#include <sched.h>
#include <spawn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "storm.h"

static struct storm_shared *sh;
static uint64_t child_calls;
static const char *nop;
static _Atomic bool finished;

__attribute__((noinline, noclone)) static void counted(void)
{
	atomic_fetch_add(&sh->calls, 1);
}

__attribute__((noinline, noclone)) static void child_counted(void)
{
	atomic_fetch_add(&sh->child_calls, 1);
}

/* As much in the child of a vfork: it touches nothing but shared memory. */
__attribute__((noreturn)) static void child(char *const *argv, char *const *envp)
{
	for (uint64_t i = 0; i < child_calls; i++)
		child_counted();
	execve(nop, argv, envp);
	_exit(124);
}

static pid_t give_birth(uint64_t kind)
{
	static char name[] = "storm_nop";
	char *argv[] = {name, NULL}, *envp[] = {NULL};
	pid_t pid = -1;

	switch (kind) {
	case 0:
		pid = fork();
		if (pid == 0)
			child(argv, envp);
		break;
	case 1:
		pid = vfork();
		if (pid == 0)
			child(argv, envp);
		break;
	case 2:
		if (posix_spawn(&pid, nop, NULL, NULL, argv, envp))
			pid = -1;
	}
	return pid;
}

static void *birther(void *arg)
{
	uint64_t kind = (uint64_t)(uintptr_t)arg % 3;

	while (!atomic_load(&finished)) {
		pid_t pid = give_birth(kind);

		if (pid < 0) {
			storm_fail(sh, "birth of kind %lu failed", (unsigned long)kind);
			break;
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
	uint64_t calls = storm_number(argc, argv, 2), n = storm_number(argc, argv, 3);
	child_calls = storm_number(argc, argv, 4);
	nop = storm_sibling("target-storm-nop");
	sh->address[0] = (uintptr_t)counted;
	sh->address[1] = (uintptr_t)child_counted;
	storm_gate(sh, 1);
	for (uint64_t i = 0; i < n; i++)
		threads[i] = storm_thread(sh, birther, (void *)(uintptr_t)i, false);
	for (uint64_t i = 0; i < calls; i++) {
		/* Each call meets the others at work: some child was born since the last. */
		for (uint64_t seen = atomic_load(&sh->births); n && atomic_load(&sh->births) == seen;)
			sched_yield();
		counted();
	}
	atomic_store(&finished, true);
	for (uint64_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	storm_post(&sh->done, 1);
	return STORM_DONE_STATUS;
}
