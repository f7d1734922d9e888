// SPDX-License-Identifier: BSD-2-Clause
/*
 * target-zoo-busy SECONDS [lose]: eight threads allocate, free, have threads born and load and unload a library, while
 * it is asked for leaks every 10 ms. Nothing is ever lost, or with `lose` one block in the middle. Says how many checks
 * there were and how many found something; ends with 1 if any did.
 */
#include <dlfcn.h>
#include <libgen.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "zoo.h"

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

enum { THREADS = 8, SLOTS = 300, BROKEN = 99 };

struct node {
	struct node *next;
	char rest[];
};

/* What a thread has: reachable from here alone, whole lists of it. */
static struct node **slots[THREADS];
static _Atomic int ended;
static char plug[4096];

static void need(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", what);
	_exit(BROKEN);
}

static unsigned draw(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8;
}

static size_t size_of(unsigned *seed)
{
	unsigned n = draw(seed);

	return sizeof(struct node) + (n % 50 == 0 ? draw(seed) % 200000 : draw(seed) % 500);
}

static void push(struct node **slot, unsigned *seed)
{
	struct node *n = malloc(size_of(seed));

	need(n != NULL, "malloc");
	n->next = *slot;
	*slot = n;
}

static void pop(struct node **slot)
{
	struct node *n = *slot;

	if (n == NULL)
		return;
	*slot = n->next;
	free(n);
}

static void resize(struct node **slot, unsigned *seed)
{
	struct node *n = *slot != NULL ? realloc(*slot, size_of(seed)) : NULL;

	if (n != NULL)
		*slot = n;
}

/* Born with a block, which is its own to free. */
static void *short_life(void *arg)
{
	struct node *n = arg;

	n->next = malloc(64);
	free(n->next);
	free(n);
	return calloc(1, 32);
}

static void have_one_born(void)
{
	pthread_t t;
	void *result = NULL;

	need(pthread_create(&t, NULL, short_life, malloc(100)) == 0, "pthread_create");
	need(pthread_join(t, &result) == 0, "pthread_join");
	free(result);
}

static void load(void)
{
	void *library = dlopen(plug, RTLD_NOW);

	need(library != NULL, "dlopen");
	dlclose(library);
}

static void *work(void *arg)
{
	size_t me = (size_t)arg;
	unsigned seed = (unsigned)me + 1;

	while (!atomic_load(&ended)) {
		struct node **slot = &slots[me][draw(&seed) % SLOTS];
		unsigned what = draw(&seed) % 1000;

		if (what < 490)
			push(slot, &seed);
		else if (what < 990)
			pop(slot);
		else if (what < 998)
			resize(slot, &seed);
		else if (what < 999)
			have_one_born();
		else
			load();
	}
	return NULL;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static ZOO_APART void lose(void)
{
	void *volatile p = malloc(77);

	p = NULL;
	(void)p;
}

static int check_until(double end, int losing)
{
	const struct timespec pause = {0, 10000000};
	int checks = 0, found = 0;

	while (seconds() < end) {
		nanosleep(&pause, NULL); /* the interval of the checks */
		if (losing && checks == 3)
			lose();
		found += __lsan_do_recoverable_leak_check() != 0;
		checks++;
	}
	printf("%d checks, %d found something\n", checks, found);
	return checks > 0 && found == 0 ? 0 : checks > 0 ? 1 : BROKEN;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	int status;

	need(argc > 1 && __lsan_do_recoverable_leak_check != NULL, "SECONDS, and libstasis-leaks, are needed");
	/* dirname(3) writes into its argument, which nobody needs any more. */
	snprintf(plug, sizeof(plug), "%s/libzoo-plug.so", dirname(argv[0]));
	for (size_t i = 0; i < THREADS; i++) {
		slots[i] = calloc(SLOTS, sizeof(*slots[i]));
		need(slots[i] != NULL && pthread_create(&threads[i], NULL, work, (void *)i) == 0, "pthread_create");
	}
	status = check_until(seconds() + atof(argv[1]), argc > 2);
	atomic_store(&ended, 1);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	fflush(stdout);
	_exit(status);
}
