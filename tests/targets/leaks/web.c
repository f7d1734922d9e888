// SPDX-License-Identifier: BSD-2-Clause
/*
 * A heap of random blocks that point at each other at random, some of them held, and what is to be found in it: the
 * numbers of blocks of each class, worked out by other means than the library's, are printed.
 *
 *	target-leaks-web SEED BLOCKS [COUNT]	COUNT: checks on demand before the end
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HIDDEN UINT64_C(0xa5a5a5a5a5a5a5a5)

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

struct edge {
	uint32_t to, next;
};

struct block {
	uint64_t address; /* hidden */
	size_t size;
	uint32_t edges; /* first; 0: none */
	uint32_t used;	/* words that hold a pointer */
	uint8_t held, reached, pointed;
};

void *held[64]; /* roots */
static struct block *blocks;
static struct edge *edges;
static uint32_t n_blocks, n_edges = 1;
static uint64_t seed;

static uint64_t any(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static size_t any_size(void)
{
	switch (any(1000)) {
	case 0:
		return 40000 + any(3000000);
	case 1:
	case 2:
		return 1024 + any(60000);
	case 3:
		return any(8);
	default:
		return 8 + any(200);
	}
}

static void make_blocks(void)
{
	for (uint32_t i = 0; i < n_blocks; i++) {
		size_t size = any_size();
		uint64_t *p = malloc(size);

		memset(p, 0, size);
		blocks[i].address = (uint64_t)p ^ HIDDEN;
		blocks[i].size = size;
	}
}

/* To the beginning, or to somewhere within; at a word of its own. */
static void point(uint32_t from, uint32_t to)
{
	struct block *b = &blocks[from];
	uint64_t *word = (uint64_t *)(b->address ^ HIDDEN) + b->used, within = blocks[to].size;

	if ((b->used + 1) * sizeof(*word) > b->size)
		return;
	*word = (blocks[to].address ^ HIDDEN) + (any(4) == 0 && within > 0 ? any(within) : 0);
	b->used += 1 + (uint32_t)(b->size > 4096 ? any(b->size / 64) : any(2));
	edges[n_edges] = (struct edge){to, b->edges};
	b->edges = n_edges++;
}

/* No cycles: which block of one is told of as lost directly is nobody's business. */
static void make_edges(uint32_t n)
{
	while (n-- > 0) {
		uint32_t a = (uint32_t)any(n_blocks), b = (uint32_t)any(n_blocks);

		if (a != b)
			point(a < b ? a : b, a < b ? b : a);
	}
}

static void hold(void)
{
	for (unsigned i = 0; i < sizeof(held) / sizeof(*held); i++) {
		uint32_t k = (uint32_t)any(n_blocks);

		held[i] = (void *)(blocks[k].address ^ HIDDEN);
		blocks[k].held = 1;
	}
}

static void follow(void)
{
	uint32_t *todo =
		mmap(NULL, n_blocks * sizeof(*todo), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_blocks; i++)
		if (blocks[i].held) {
			blocks[i].reached = 1;
			todo[n++] = i;
		}
	while (n > 0) {
		uint32_t from = todo[--n];

		for (uint32_t e = blocks[from].edges; e != 0; e = edges[e].next)
			if (!blocks[edges[e].to].reached) {
				blocks[edges[e].to].reached = 1;
				todo[n++] = edges[e].to;
			}
	}
	munmap(todo, n_blocks * sizeof(*todo));
}

static void tell(void)
{
	size_t classes[2] = {0}, bytes[2] = {0};

	for (uint32_t i = 0; i < n_blocks; i++)
		for (uint32_t e = blocks[i].edges; e != 0 && !blocks[i].reached; e = edges[e].next)
			blocks[edges[e].to].pointed |= edges[e].to != i;
	for (uint32_t i = 0; i < n_blocks; i++)
		if (!blocks[i].reached) {
			classes[blocks[i].pointed]++;
			bytes[blocks[i].pointed] += blocks[i].size ? blocks[i].size : 1; /* as it is reported */
		}
	for (int i = 0; i < 2; i++)
		if (classes[i] > 0)
			printf("%s %zu %zu\n", i == 0 ? "definite" : "indirect", classes[i], bytes[i]);
}

/* Neither there nor in registers may a pointer be left. */
static __attribute__((noinline)) void wipe_stack(void)
{
	volatile char stack[65536];

	memset((char *)stack, 0, sizeof(stack));
}

static __attribute__((noinline)) void make(uint32_t n)
{
	n_blocks = n;
	make_blocks();
	make_edges(n);
	hold();
	follow();
	tell();
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	int checks = argc > 3 ? atoi(argv[3]) : 0;

	if (n == 0)
		return 2;
	seed = strtoull(argv[1], NULL, 10) * 2654435761u + 88172645463325252u;
	blocks = mmap(NULL, n * sizeof(*blocks), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	edges = mmap(NULL, (n + 1) * sizeof(*edges), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (blocks == MAP_FAILED || edges == MAP_FAILED)
		return 2;
	make(n);
	/* Numbers in there might look like pointers. */
	munmap(blocks, n * sizeof(*blocks));
	munmap(edges, (n + 1) * sizeof(*edges));
	wipe_stack();
	fflush(stdout);
	while (checks-- > 0)
		__lsan_do_recoverable_leak_check();
	return 0;
}
