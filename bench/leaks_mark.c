// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a check for leaks costs: a heap of a shape, checks of it, and a second thread that watches the clock for pauses.
 * Built with -fsanitize=leak it measures LeakSanitizer; plain, with libstasis-leaks preloaded, that.
 *
 *	leaks_mark empty|list|tree|hash|graph|plain OBJECTS CHECKS	plain: OBJECTS blocks of 1 MiB without pointers
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

struct node {
	struct node *a, *b;
};

struct node **table, *root; /* seen by all: the compiler must not think them unused */
static _Atomic int leave;
static _Atomic uint64_t longest;
static uint64_t seed = 88172645463325252u;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static struct node *new_node(void)
{
	struct node *n = malloc(16 + random_number() % 8 * 16);

	n->a = n->b = NULL;
	return n;
}

static void build_list(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct node *more = new_node();

		more->a = root;
		root = more;
	}
}

static struct node *build_tree(size_t n)
{
	struct node *top;

	if (n == 0)
		return NULL;
	top = new_node();
	top->a = build_tree((n - 1) / 2);
	top->b = build_tree(n - 1 - (n - 1) / 2);
	return top;
}

static void build_hash(size_t n)
{
	table = calloc(n, sizeof(*table));
	for (size_t i = 0; i < n; i++) {
		struct node *more = new_node(), **bucket = &table[random_number() % n];

		more->a = *bucket;
		*bucket = more;
	}
}

/* A random tree in random order of allocation, so that each step is a cache miss. */
static void build_graph(size_t n)
{
	struct node **all = malloc(n * sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = new_node();
	for (size_t i = n - 1; i > 0; i--) {
		size_t k = random_number() % (i + 1);
		struct node *other = all[i];

		all[i] = all[k];
		all[k] = other;
	}
	for (size_t i = 1; i < n; i++) {
		struct node *parent = all[(i - 1) / 2];

		if (i % 2 != 0)
			parent->a = all[i];
		else
			parent->b = all[i];
	}
	root = all[0];
	free(all);
}

static void build_plain(size_t n)
{
	table = calloc(n, sizeof(*table));
	for (size_t i = 0; i < n; i++) {
		table[i] = malloc(1 << 20);
		for (size_t k = 0; k < (1 << 20) / 8; k++)
			((uint64_t *)table[i])[k] = random_number() >> 17 & ~(uint64_t)7;
	}
}

static void *watch(void *arg)
{
	uint64_t last = now_ns();

	while (!leave) {
		uint64_t now = now_ns();

		if (now - last > longest)
			longest = now - last;
		last = now;
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, checks = argc > 3 ? strtoul(argv[3], NULL, 10) : 3;
	uint64_t took[64], pause[64];
	pthread_t watcher;
	int watching = getenv("WATCH") != NULL;

	if (argc < 2 || checks < 1 || checks > 64 || !__lsan_do_recoverable_leak_check)
		return 2;
	if (strcmp(argv[1], "list") == 0)
		build_list(n);
	else if (strcmp(argv[1], "tree") == 0)
		root = build_tree(n);
	else if (strcmp(argv[1], "hash") == 0)
		build_hash(n);
	else if (strcmp(argv[1], "graph") == 0)
		build_graph(n);
	else if (strcmp(argv[1], "plain") == 0)
		build_plain(n);
	if (watching)
		pthread_create(&watcher, NULL, watch, NULL);
	for (size_t i = 0; i < checks; i++) {
		longest = 0;
		uint64_t begin = now_ns();

		if (__lsan_do_recoverable_leak_check() != 0)
			return 1;
		took[i] = now_ns() - begin;
		pause[i] = longest;
	}
	leave = 1;
	qsort(took, checks, sizeof(*took), compare);
	qsort(pause, checks, sizeof(*pause), compare);
	printf("%s %zu: %.3f ms", argv[1], n, (double)took[checks / 2] / 1e6);
	if (n > 0 && strcmp(argv[1], "plain") != 0)
		printf(", %.1f ns an object", (double)took[checks / 2] / (double)n);
	if (strcmp(argv[1], "plain") == 0)
		printf(", %.2f GB/s", (double)n * (1 << 20) / (double)took[checks / 2]);
	if (watching)
		printf(", longest pause %.3f ms", (double)pause[checks / 2] / 1e6);
	puts("");
	fflush(stdout);
	_exit(0);
}
