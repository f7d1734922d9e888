// SPDX-License-Identifier: BSD-2-Clause
/* Coroutines: stacks on which no thread runs. */
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "zoo.h"

enum { SIZE = 262144 };

static ucontext_t outside, inside;

static void hold_and_leave(void)
{
	void *volatile p;

	zoo_keep((void *)&p, 100);
	swapcontext(&inside, &outside);
	abort();
}

static void hold_and_exit(void)
{
	void *volatile p;

	zoo_keep((void *)&p, 100);
	exit(0);
}

static void nothing_and_exit(void)
{
	zoo_scrub();
	exit(0);
}

static void enter(void *stack, void (*body)(void))
{
	zoo_need(stack != NULL && stack != MAP_FAILED && getcontext(&inside) == 0, "context");
	inside.uc_stack.ss_sp = stack;
	inside.uc_stack.ss_size = SIZE;
	makecontext(&inside, body, 0);
	swapcontext(&outside, &inside);
}

static void *map(void)
{
	return mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void coroutine_heap(void)
{
	enter(calloc(1, SIZE), hold_and_leave);
}

static void coroutine_mmap(void)
{
	enter(map(), hold_and_leave);
}

static void coroutine_exits(void)
{
	enter(map(), hold_and_exit);
}

static void coroutine_exits_heap(void)
{
	enter(calloc(1, SIZE), hold_and_exit);
}

/* It ends the program while the frames it was called from hold the block. */
static void outside_holds(void)
{
	void *volatile p;

	zoo_keep((void *)&p, 100);
	enter(map(), nothing_and_exit);
}

static void in_thread(void)
{
	coroutine_heap();
}

static void coroutine_thread(void)
{
	zoo_thread(in_thread);
}

const struct zoo_scenario zoo_contexts[] = {{"coroutine_heap", coroutine_heap},
					    {"coroutine_mmap", coroutine_mmap},
					    {"coroutine_exits", coroutine_exits},
					    {"coroutine_exits_heap", coroutine_exits_heap},
					    {"coroutine_outside", outside_holds},
					    {"coroutine_thread", coroutine_thread},
					    {0}};
