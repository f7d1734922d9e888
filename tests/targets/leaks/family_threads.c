// SPDX-License-Identifier: BSD-2-Clause
/* Many threads, their ends, children, signal handlers. */
#include "family.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 6, SLOTS = 512, PAIRS = 200000 };

struct block {
	size_t size;
	unsigned char bytes[];
};

static _Atomic(struct block *) shared[SLOTS];
static atomic_bool enough;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static struct block *make(uint32_t *state)
{
	size_t size = next_random(state) % 100 != 0 ? next_random(state) % 700 : next_random(state) % 100000;
	struct block *b = malloc(sizeof(*b) + size);

	CHECK(b != NULL);
	b->size = size;
	memset(b->bytes, (int)(size % 255), size);
	return b;
}

/* Whoever else was given the same memory has written to it. */
static void unmake(struct block *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->size; i++)
		CHECK(b->bytes[i] == b->size % 255);
	free(b);
}

static void *churn(void *arg)
{
	uint32_t state = (uint32_t)(uintptr_t)arg;

	for (int i = 0; i < PAIRS && !atomic_load(&enough); i++)
		unmake(atomic_exchange(&shared[next_random(&state) % SLOTS], make(&state)));
	return NULL;
}

static void start(pthread_t *t)
{
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&t[i], NULL, churn, (void *)(i + 1)) == 0);
}

static void finish(pthread_t *t)
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < SLOTS; i++)
		unmake(atomic_exchange(&shared[i], NULL));
}

void family_threads(void)
{
	pthread_t t[THREADS];

	start(t);
	finish(t);
}

static void *use_many(void *arg)
{
	void *p[64];

	for (size_t size = 16; size < 32768; size += size / 4)
		for (int round = 0; round < 2; round++) {
			for (int i = 0; i < 64; i++)
				p[i] = malloc(size);
			for (int i = 0; i < 64; i++)
				free(p[i]);
		}
	return NULL;
}

/* What ended threads had cached is used again: the heap does not grow with their number. */
void family_thread_ends(void)
{
	long after_few = 0;
	pthread_t t;

	for (int i = 0; i < 400; i++) {
		CHECK(pthread_create(&t, NULL, use_many, NULL) == 0);
		pthread_join(t, NULL);
		if (i == 5)
			after_few = family_resident_kb();
	}
	CHECK(family_resident_kb() <= after_few + (8 << 10));
}

static pthread_key_t keys[3];
static atomic_int rounds;

static void destroy(void *arg)
{
	pthread_key_t *key = arg;
	char *p = malloc(50);

	memset(p, 1, 50);
	free(p);
	/* In each round that there is. */
	if (atomic_fetch_add(&rounds, 1) < 9)
		pthread_setspecific(*key, key);
}

static void *with_keys(void *arg)
{
	free(malloc(20));
	for (int i = 0; i < 3; i++)
		pthread_setspecific(keys[i], &keys[i]);
	return NULL;
}

static void at_exit(void)
{
	char *p = malloc(100);

	CHECK(p != NULL);
	free(p);
}

static __attribute__((constructor(101))) void early(void)
{
	char *p = calloc(1, 1000);

	CHECK(p != NULL && p[999] == 0);
	free(p);
}

static __attribute__((destructor(101))) void very_late(void)
{
	char *p = realloc(malloc(100), 100000);

	if (p == NULL)
		_exit(9);
	free(p);
}

void family_late(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		CHECK(pthread_key_create(&keys[i], destroy) == 0);
	for (int i = 0; i < 50; i++) {
		atomic_store(&rounds, 0);
		CHECK(pthread_create(&t, NULL, with_keys, NULL) == 0);
		pthread_join(t, NULL);
		CHECK(atomic_load(&rounds) >= 9);
	}
	atexit(at_exit);
}

static void in_child(void)
{
	uint32_t state = 99;

	for (int i = 0; i < 300; i++)
		free(make(&state));
	free(calloc(1, 3 << 20));
}

static void await(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(status == 0);
}

void family_fork_threads(void)
{
	pthread_t t[THREADS];

	start(t);
	for (int i = 0; i < 150; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			alarm(20);
			in_child();
			_exit(0);
		}
		await(pid);
	}
	atomic_store(&enough, true);
	finish(t);
}

/* No handler of pthread_atfork is run. */
void family_raw_fork(void)
{
	for (int i = 0; i < 50; i++) {
		pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		CHECK(pid >= 0);
		if (pid == 0) {
			in_child();
			syscall(SYS_exit_group, 0);
		}
		await(pid);
	}
}

void family_vfork(void)
{
	pthread_t t[THREADS];

	start(t);
	for (int i = 0; i < 100; i++) {
		static void *volatile p;
		pid_t pid = vfork();

		CHECK(pid >= 0);
		if (pid == 0) {
			p = malloc(100);
			free(malloc(5000));
			_exit(0);
		}
		await(pid);
		CHECK(p != NULL);
		free(p);
	}
	atomic_store(&enough, true);
	finish(t);
}

static atomic_int handled;

static void on_signal(int sig)
{
	char *p = malloc(60);

	if (p != NULL)
		memset(p, 2, 60);
	free(p);
	p = malloc(3000);
	if (p != NULL)
		memset(p, 2, 3000);
	free(p);
	atomic_fetch_add(&handled, 1);
}

/* Nobody may do this, and many do. */
void family_handler(void)
{
	const struct itimerval often = {{0, 200}, {0, 200}};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	pthread_t t[2];

	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (uintptr_t i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, churn, (void *)(i + 1)) == 0);
	churn((void *)77);
	while (atomic_load(&handled) < 1000)
		use_many(NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}
