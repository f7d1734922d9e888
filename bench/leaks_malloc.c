// SPDX-License-Identifier: BSD-2-Clause
/*
 * What malloc and free cost, by whatever allocator the program is run with.
 *
 *   bench-leaks-malloc loop THREADS DEPTH PAIRS   ns of CPU for a free and a malloc. Each thread has 1000 blocks of 8
 * to 519 bytes and replaces one at random, DEPTH calls deep in the stack; two threads swap one block in 64.
 *   bench-leaks-malloc paths THREADS DEPTH PAIRS  likewise, but each call goes one of 64 ways down, so that a stack
 *                                                 differs from the one before from a random frame on
 *   bench-leaks-malloc memory SIZE BLOCKS         resident bytes beyond SIZE for each block
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 1000, SWAP_EVERY = 64, LEAST = 8, SPREAD = 512 };

static _Atomic(void *) swapped[SLOTS];
static long pairs, depth;
static bool other_ways;

static uint64_t cpu_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static __attribute__((noinline)) void *deep(size_t size, long frames)
{
	void *p = frames > 0 ? deep(size, frames - 1) : malloc(size);

	/* Not a tail call. */
	__asm__ volatile("" : "+r"(p));
	return p;
}

static __attribute__((noinline)) void *left(size_t size, long frames, uint32_t ways);

static __attribute__((noinline)) void *right(size_t size, long frames, uint32_t ways)
{
	void *p = frames == 0	    ? malloc(size)
		  : (ways & 1) != 0 ? left(size, frames - 1, ways >> 1)
				    : right(size, frames - 1, ways >> 1);

	__asm__ volatile("" : "+r"(p));
	return p;
}

static __attribute__((noinline)) void *left(size_t size, long frames, uint32_t ways)
{
	void *p = frames == 0	    ? malloc(size)
		  : (ways & 1) != 0 ? left(size, frames - 1, ways >> 1)
				    : right(size, frames - 1, ways >> 1);

	__asm__ volatile("" : "+r"(p));
	return p;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void *work(void *arg)
{
	static __thread void *slots[SLOTS];
	uint32_t state = (uint32_t)(uintptr_t)arg;
	uint64_t start;

	for (int i = 0; i < SLOTS; i++)
		slots[i] = malloc(LEAST + next_random(&state) % SPREAD);
	start = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	for (long i = 0; i < pairs; i++) {
		uint32_t slot = next_random(&state) % SLOTS;
		size_t size;
		char *p;

		free(slots[slot]);
		size = LEAST + next_random(&state) % SPREAD;
		/* 64 ways that part at several depths. */
		p = other_ways ? left(size, depth, (next_random(&state) & 63) * 0x41041u) : deep(size, depth);
		*p = 1;
		slots[slot] = p;
		if (i % SWAP_EVERY == 0)
			slots[slot] = atomic_exchange(&swapped[slot], p);
	}
	start = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	for (int i = 0; i < SLOTS; i++)
		free(slots[i]);
	return (void *)(uintptr_t)start;
}

static int loop(int threads)
{
	pthread_t t[64];
	uint64_t total = 0;
	void *ns;

	for (int i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, work, (void *)(uintptr_t)(i + 1)) != 0)
			return 1;
	for (int i = 0; i < threads; i++) {
		pthread_join(t[i], &ns);
		total += (uint64_t)(uintptr_t)ns;
	}
	for (int i = 0; i < SLOTS; i++)
		free(swapped[i]);
	printf("%.2f\n", (double)total / (double)pairs / threads);
	return 0;
}

static long resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size = 0, pages = 0;

	if (f == NULL || fscanf(f, "%ld %ld", &size, &pages) != 2)
		exit(1);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static int memory(size_t size, long blocks)
{
	void **p = calloc((size_t)blocks, sizeof(*p));
	long before;

	if (p == NULL)
		return 1;
	memset(p, 1, (size_t)blocks * sizeof(*p));
	free(malloc(size));
	before = resident();
	for (long i = 0; i < blocks; i++) {
		p[i] = malloc(size);
		memset(p[i], 1, size);
	}
	printf("%.2f\n", (double)(resident() - before) / (double)blocks - (double)size);
	for (long i = 0; i < blocks; i++)
		free(p[i]);
	free(p);
	return 0;
}

int main(int argc, char **argv)
{
	other_ways = argc == 5 && strcmp(argv[1], "paths") == 0;
	if (argc == 5 && (other_ways || strcmp(argv[1], "loop") == 0) && atoi(argv[2]) > 0 && atoi(argv[2]) <= 64) {
		depth = atol(argv[3]);
		pairs = atol(argv[4]);
		return loop(atoi(argv[2]));
	}
	if (argc == 4 && strcmp(argv[1], "memory") == 0)
		return memory((size_t)atol(argv[2]), atol(argv[3]));
	fprintf(stderr, "usage: bench-leaks-malloc loop|paths THREADS DEPTH PAIRS | memory SIZE BLOCKS\n");
	return 2;
}
