// SPDX-License-Identifier: BSD-2-Clause
/* Blocks that hold blocks, and pointers that are none any more. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "zoo.h"

struct node {
	struct node *next, *other;
	char rest[84];
};

static void *slot;

static ZOO_APART uintptr_t make_list(unsigned n)
{
	struct node *first = NULL;

	for (unsigned i = 0; i < n; i++) {
		struct node *node = calloc(1, sizeof(*node));

		node->next = first;
		first = node;
	}
	return zoo_hide(first);
}

static void list(void)
{
	zoo_put(&slot, make_list(10));
}

static void list_long(void)
{
	zoo_put(&slot, make_list(20000));
}

static ZOO_APART uintptr_t make_tree(unsigned depth)
{
	struct node *node = calloc(1, sizeof(*node));

	if (depth > 1) {
		node->next = (void *)(make_tree(depth - 1) ^ ZOO_KEY);
		node->other = (void *)(make_tree(depth - 1) ^ ZOO_KEY);
	}
	return zoo_hide(node);
}

static void tree(void)
{
	zoo_put(&slot, make_tree(6));
}

static ZOO_APART uintptr_t make_cycle(void)
{
	struct node *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	a->next = b;
	b->next = a;
	return zoo_hide(a);
}

static void cycle(void)
{
	zoo_put(&slot, make_cycle());
}

static ZOO_APART uintptr_t make_self(void)
{
	struct node *a = calloc(1, sizeof(*a));

	a->next = a;
	a->other = (void *)a->rest;
	return zoo_hide(a);
}

static void self(void)
{
	zoo_put(&slot, make_self());
}

static ZOO_APART uintptr_t make_shared(void)
{
	struct node *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	a->next = b->next = calloc(1, sizeof(*a));
	a->other = b;
	return zoo_hide(a);
}

/* Two ways to the same block: one leak. */
static void shared(void)
{
	zoo_put(&slot, make_shared());
}

/* A lost list whose end still leads to something that is held. */
static void lost_to_held(void)
{
	struct node *kept = calloc(1, sizeof(*kept));

	slot = kept;
	zoo_put(&kept->next, make_list(3));
	zoo_scrub();
}

/* Below the live frame of a thread that waits. */
static ZOO_APART void leave_trace(uintptr_t hidden)
{
	void *volatile deep[2048];

	deep[0] = (void *)(hidden ^ ZOO_KEY);
	__asm__ volatile("" ::"r"(deep) : "memory");
	deep[2047] = NULL;
}

static void stale_in_thread(void)
{
	uintptr_t hidden = zoo_new(100);

	zoo_scrub();
	if (!zoo_lost)
		leave_trace(hidden);
}

static void *stale_main(void *arg)
{
	stale_in_thread();
	zoo_ready();
	zoo_wait();
	return arg;
}

static void stale(void)
{
	zoo_thread_plain(stale_main);
}

/* A list that only a stale slot leads to is lost as a whole. */
static void *stale_list_main(void *arg)
{
	uintptr_t hidden = make_list(5);

	zoo_scrub();
	if (!zoo_lost)
		leave_trace(hidden);
	zoo_ready();
	zoo_wait();
	return arg;
}

static void stale_list(void)
{
	zoo_thread_plain(stale_list_main);
}

const struct zoo_scenario zoo_shapes[] = {{"list", list},
					  {"list_long", list_long},
					  {"tree", tree},
					  {"cycle", cycle},
					  {"self", self},
					  {"shared", shared},
					  {"lost_to_held", lost_to_held},
					  {"stale", stale},
					  {"stale_list", stale_list},
					  {0}};
