/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: storm_work SHARED THREADS ITERATIONS FLAGS
 *
 * THREADS threads compute a sum that the test knows, through four functions
 * that may carry breakpoints, one of them on a system-call instruction. With
 * ITERATIONS 0 they go on until `stop`. FLAGS (enum storm_work_flags) adds
 * threads that do what makes life hard for a tracer; each checks itself.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "storm.h"

static struct storm_shared *sh;
static uint64_t iterations;
static _Atomic bool finished;

#define SITE __attribute__((noinline, noclone)) static

SITE uint64_t site_a(uint64_t acc, uint64_t i)
{
	return storm_mix(acc + 1, i);
}

SITE uint64_t site_b(uint64_t acc, uint64_t i)
{
	return storm_mix(acc + 2, i);
}

SITE uint64_t site_c(uint64_t acc, uint64_t i)
{
	return storm_mix(acc + 3, i);
}

/* getpid, with a breakpoint site on the instruction that enters the kernel. */
long site_d(void);
extern const char site_d_syscall[];
__asm__(".text\n"
	".type site_d, @function\n"
	"site_d:\n"
	"	mov $39, %eax\n"
	".globl site_d_syscall\n"
	"site_d_syscall:\n"
	"	syscall\n"
	"	ret\n"
	".size site_d, . - site_d\n");

static bool go_on(uint64_t i)
{
	return iterations ? i < iterations : !atomic_load(&sh->stop);
}

static void *worker(void *arg)
{
	uint64_t acc = (uintptr_t)arg;
	pid_t pid = getpid();

	for (uint64_t i = 0; go_on(i); i++) {
		acc = site_c(site_b(site_a(acc, i), i), i);
		if (site_d() != pid)
			storm_fail(sh, "a system call gave a wrong answer");
		atomic_fetch_add_explicit(&sh->counter, 1, memory_order_relaxed);
	}
	atomic_fetch_add(&sh->result, acc);
	return NULL;
}

static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
}

/* --- births ------------------------------------------------------------------------------- */

static void *birther(void *arg)
{
	static char name[] = "storm_nop";
	char *argv[] = {name, NULL}, *envp[] = {NULL};
	const char *nop = storm_sibling("target-storm-nop");
	posix_spawnattr_t attr;
	sigset_t none;

	block_signals();
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	for (unsigned n = 0; !atomic_load(&finished); n++) {
		pid_t pid = -1;

		if (n % 3 == 2 && posix_spawn(&pid, nop, NULL, &attr, argv, envp))
			pid = -1;
		else if (n % 3 < 2)
			pid = n % 3 ? vfork() : fork();
		if (pid == 0) {
			site_a(n, n);
			execve(nop, argv, envp);
			_exit(124);
		}
		if (pid < 0)
			storm_fail(sh, "birth failed");
		else
			storm_reap(sh, pid, STORM_NOP_STATUS << 8);
		atomic_fetch_add(&sh->births, 1);
	}
	posix_spawnattr_destroy(&attr);
	return NULL;
}

static void *mayfly(void *arg)
{
	site_b(1, 1);
	return arg;
}

static void *churner(void *arg)
{
	block_signals();
	while (!atomic_load(&finished)) {
		void *answer = NULL;

		pthread_join(storm_thread(sh, mayfly, &answer, false), &answer);
		if (answer != (void *)&answer)
			storm_fail(sh, "a thread's result was lost");
	}
	return NULL;
}

/* --- signals -------------------------------------------------------------------------------- */

static void on_signal(int signal)
{
	atomic_fetch_add(&sh->signals_got, 1);
}

static void *signaller(void *arg)
{
	/* Queued: none may merge with another. Never too many, or the queue is full. */
	while (!atomic_load(&finished)) {
		if (atomic_load(&sh->signals_sent) - atomic_load(&sh->signals_got) > 100) {
			sched_yield();
		} else if (sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0) {
			atomic_fetch_add(&sh->signals_sent, 1);
		}
	}
	while (atomic_load(&sh->signals_got) < atomic_load(&sh->signals_sent))
		sched_yield();
	return NULL;
}

/* --- calls that the kernel restarts --------------------------------------------------------- */

static int pipe_fds[2];

static void *reader(void *arg)
{
	unsigned char byte, due = 0;
	ssize_t n;

	block_signals();
	while ((n = read(pipe_fds[0], &byte, 1)) != 0) {
		if (n < 0)
			storm_fail(sh, "read: %s", strerror(errno));
		else if (byte != due++)
			storm_fail(sh, "read: a byte was lost or doubled");
	}
	return NULL;
}

static void *sleeper(void *arg)
{
	unsigned char byte = 0;

	block_signals();
	while (!atomic_load(&finished)) {
		struct timespec little = {0, 300000};

		if (nanosleep(&little, NULL) < 0)
			storm_fail(sh, "nanosleep: %s", strerror(errno));
		if (write(pipe_fds[1], &byte, 1) != 1)
			storm_fail(sh, "write: %s", strerror(errno));
		byte++;
	}
	close(pipe_fds[1]);
	return NULL;
}

/* ----------------------------------------------------------------------------------------------- */

static unsigned start_extras(uint64_t flags, pthread_t *threads)
{
	unsigned n = 0;

	if (flags & STORM_WORK_BIRTHS)
		threads[n++] = storm_thread(sh, birther, NULL, false);
	if (flags & STORM_WORK_CHURN)
		threads[n++] = storm_thread(sh, churner, NULL, false);
	if (flags & STORM_WORK_SIGNALS)
		threads[n++] = storm_thread(sh, signaller, NULL, false);
	if ((flags & STORM_WORK_SLEEPS) && pipe(pipe_fds) == 0) {
		threads[n++] = storm_thread(sh, reader, NULL, false);
		threads[n++] = storm_thread(sh, sleeper, NULL, false);
	}
	return n;
}

int main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	pthread_t workers[64], extras[8];

	sh = storm_open(argv[1]);
	uint64_t n = storm_number(argc, argv, 2), flags = storm_number(argc, argv, 4);
	iterations = storm_number(argc, argv, 3);
	sigaction(SIGRTMIN, &act, NULL);
	const uintptr_t sites[STORM_SITES] = {(uintptr_t)site_a, (uintptr_t)site_b, (uintptr_t)site_c,
					      (uintptr_t)site_d_syscall};
	for (int i = 0; i < STORM_SITES; i++)
		sh->address[i] = sites[i];
	storm_gate(sh, 1);
	unsigned n_extras = start_extras(flags, extras);
	for (uint64_t i = 0; i < n; i++)
		workers[i] = storm_thread(sh, worker, (void *)(uintptr_t)i, false);
	for (uint64_t i = 0; i < n; i++)
		pthread_join(workers[i], NULL);
	atomic_store(&finished, true);
	for (unsigned i = 0; i < n_extras; i++)
		pthread_join(extras[i], NULL);
	storm_post(&sh->done, 1);
	if (flags & STORM_WORK_HOLD)
		storm_gate(sh, 2);
	return STORM_DONE_STATUS;
}
