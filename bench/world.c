// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stopping one's own world: libstasis-stopworld beside a bare loop that sends a signal to threads it knows already and
 * counts them in with a futex, once with a real-time signal and once with libc's own. Prints microseconds, medians.
 *
 *	bench-world [-b] [-r ROUNDS] THREADS...		-b: busy threads instead of sleeping ones
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <stasis/stopworld.h>

enum { MAX_THREADS = 10000, LIBC_SIGNAL = 33 };

static pid_t tids[MAX_THREADS];
static _Atomic unsigned started, leave;
static bool busy;

/* ---- the bare loop ---- */

static _Atomic unsigned left, go;

static long futex(_Atomic unsigned *word, int op, unsigned value)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	unsigned now = atomic_load(&go);

	(void)sig, (void)info, (void)context;
	if (atomic_fetch_sub(&left, 1) == 1)
		futex(&left, FUTEX_WAKE, 1);
	while (atomic_load(&go) == now)
		futex(&go, FUTEX_WAIT, now);
}

struct raw_sigaction {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/* libc does not let its own signal be handled: its restorer is borrowed from a handler that it installs. */
static void install_bare(int sig)
{
	struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct raw_sigaction raw;

	sigfillset(&act.sa_mask);
	sigaction(SIGRTMIN + 3, &act, NULL);
	syscall(SYS_rt_sigaction, SIGRTMIN + 3, NULL, &raw, sizeof(raw.mask));
	syscall(SYS_rt_sigaction, sig, &raw, NULL, sizeof(raw.mask));
}

static void stop_bare(int sig, unsigned n)
{
	unsigned now;

	atomic_store(&left, n);
	for (unsigned i = 0; i < n; i++)
		syscall(SYS_tgkill, getpid(), tids[i], sig);
	while ((now = atomic_load(&left)) != 0)
		futex(&left, FUTEX_WAIT, now);
}

static void resume_bare(void)
{
	atomic_fetch_add(&go, 1);
	futex(&go, FUTEX_WAKE, MAX_THREADS);
}

/* ---- measuring ---- */

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void *run(void *arg)
{
	struct timespec long_time = {1000, 0};
	volatile unsigned work = 0;

	tids[(uintptr_t)arg] = (pid_t)syscall(SYS_gettid);
	started++;
	while (!leave) {
		if (busy)
			work++;
		else
			nanosleep(&long_time, NULL);
	}
	return NULL;
}

enum way { RT_SIGNAL, OWN_SIGNAL, WORLD, WORLD_REGISTERS, SNAPSHOT, N_WAYS };
static const char *const names[] = {"bare, real-time signal", "bare, libc's signal", "stasis_world_stop",
				    "same, all registers read", "stasis_world_snapshot"};

static int look(struct stasis_world *w, void *arg)
{
	(void)w, (void)arg;
	return 0;
}

static void read_all(struct stasis_world *w)
{
	struct stasis_world_thread t;

	for (size_t i = 0; i < stasis_world_count(w); i++) {
		if (stasis_world_thread(w, i, 0, &t) != 0 || t.state != STASIS_WORLD_PARKED)
			abort();
	}
}

static void measure(enum way way, unsigned n, double *stop, double *resume)
{
	double begin = now_us(), between = 0;
	struct stasis_world *w;
	int result;

	if (way <= OWN_SIGNAL) {
		stop_bare(way == RT_SIGNAL ? SIGRTMIN + 3 : LIBC_SIGNAL, n);
		between = now_us();
		resume_bare();
	} else if (way == SNAPSHOT) {
		if (stasis_world_snapshot(NULL, look, NULL, &result) != 0)
			abort();
		between = now_us();
	} else {
		if (stasis_world_stop(NULL, &w) != 0 || stasis_world_count(w) != n)
			abort();
		if (way == WORLD_REGISTERS)
			read_all(w);
		between = now_us();
		if (stasis_world_resume(w) != 0)
			abort();
	}
	*stop = between - begin;
	*resume = now_us() - between;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

/* The ways take turns, so that what else the machine does meets all. The second of two counts: the first meets cold
 * caches, and which way suffers most by that depends on the one before. */
static void measure_all(unsigned n, unsigned rounds)
{
	double *stop[N_WAYS], *resume[N_WAYS], *sum[N_WAYS], floor_us = 0;

	for (int w = 0; w < N_WAYS; w++) {
		stop[w] = calloc(rounds, sizeof(double));
		resume[w] = calloc(rounds, sizeof(double));
		sum[w] = calloc(rounds, sizeof(double));
	}
	for (unsigned r = 0; r < rounds; r++) {
		for (int w = 0; w < N_WAYS; w++) {
			struct timespec settle = {0, busy ? 20000000 : 2000000 + 2000 * (long)n};

			if (w == OWN_SIGNAL)
				install_bare(LIBC_SIGNAL);
			for (int i = 0; i < 2; i++) {
				measure(w, n, &stop[w][r], &resume[w][r]);
				nanosleep(&settle, NULL);
			}
			sum[w][r] = stop[w][r] + resume[w][r];
		}
	}
	for (int w = 0; w < N_WAYS; w++) {
		double both = median(sum[w], rounds);

		floor_us = w == OWN_SIGNAL ? both : floor_us;
		printf("%5u %-8s %-26s %9.0f %9.0f %9.0f us", n, busy ? "busy" : "sleeping", names[w],
		       median(stop[w], rounds), median(resume[w], rounds), both);
		printf(floor_us > 0 ? "  %5.2fx\n" : "\n", both / floor_us);
		free(stop[w]), free(resume[w]), free(sum[w]);
	}
}

static void start_threads(unsigned n)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	while (started < n) {
		unsigned next = started + 1;

		if (pthread_create(&t, &attr, run, (void *)(uintptr_t)started) != 0) {
			perror("pthread_create");
			exit(1);
		}
		while (started < next)
			sched_yield();
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = 15;
	int c;

	while ((c = getopt(argc, argv, "br:")) != -1) {
		if (c == 'b')
			busy = true;
		else if (c == 'r')
			rounds = (unsigned)atoi(optarg);
		else
			return 2;
	}
	install_bare(SIGRTMIN + 3);
	printf("%5s %-8s %-26s %9s %9s %9s     over the bare loop\n", "", "", "", "stop", "resume", "both");
	for (; optind < argc; optind++) {
		unsigned n = (unsigned)atoi(argv[optind]);

		if (n > MAX_THREADS)
			return 2;
		start_threads(n);
		measure_all(n, rounds);
	}
	return 0;
}
