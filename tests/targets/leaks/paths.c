// SPDX-License-Identifier: BSD-2-Clause
/*
 * Allocates from stacks of many shapes, for oracle.c to look at: functions that keep no frame pointer and use its
 * register for other things, that have a frame of variable size, that align it, callbacks out of libc, signal handlers
 * on the program's stack and on one of their own, coroutines, threads; in random order, so that each stack shares a
 * part with the one before.
 */
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define KEEP(x_) __asm__ volatile("" : "+r"(x_) : : "memory")
#define NOINLINE __attribute__((noinline))

static __thread uint32_t state = 1;
static void go(int depth);

static uint32_t next_random(void)
{
	state = state * 1664525u + 1013904223u;
	return state >> 8;
}

static NOINLINE void leaf_a(void)
{
	void *p = malloc(next_random() % 200);

	KEEP(p);
	free(p);
}

static NOINLINE void leaf_b(void)
{
	void *p = malloc(10), *q;

	KEEP(p);
	q = realloc(p, 3000);
	KEEP(q);
	free(q);
}

static NOINLINE void plain(int depth)
{
	go(depth);
	KEEP(depth);
}

/* Enough live values to need every register. */
static NOINLINE void busy(int depth)
{
	uint32_t a = next_random(), b = next_random(), c = next_random(), d = next_random(), e = next_random();
	uint32_t f = next_random(), g = next_random();

	go(depth);
	KEEP(depth);
	a = a * b + c * d - e * f + g;
	go(depth - 1);
	a ^= b + c + d + e + f + g;
	KEEP(a);
}

static NOINLINE void variable(int depth)
{
	char *p = alloca(next_random() % 300 + 1);

	KEEP(p);
	go(depth);
	KEEP(p);
}

static NOINLINE void aligned(int depth)
{
	char bytes[100] __attribute__((aligned(64)));
	char *p = bytes;

	KEEP(p);
	go(depth);
	KEEP(p);
}

static NOINLINE void aligned_variable(int depth)
{
	char bytes[64] __attribute__((aligned(128)));
	char *p = bytes, *q = alloca(next_random() % 100 + 1);

	KEEP(p);
	KEEP(q);
	go(depth);
	KEEP(p);
}

static NOINLINE void many_arguments(int a, int b, int c, int d, int e, int f, int g, int h, int depth)
{
	go(depth);
	a += b + c + d + e + f + g + h;
	KEEP(a);
}

static __thread int callback_depth;

static int compare(const void *a, const void *b)
{
	int depth = callback_depth;

	callback_depth = 0;
	if (depth > 0)
		go(depth);
	return *(const int *)a - *(const int *)b;
}

static NOINLINE void by_qsort(int depth)
{
	int n[] = {4, 3, 2, 1};

	callback_depth = depth;
	qsort(n, 4, sizeof(*n), compare);
}

static __thread int handler_depth;

static void handler(int sig)
{
	int depth = handler_depth;

	handler_depth = 0;
	if (depth > 0)
		go(depth);
}

static NOINLINE void by_signal(int depth)
{
	handler_depth = depth;
	raise(next_random() % 2 != 0 ? SIGUSR1 : SIGUSR2);
}

static void go(int depth)
{
	if (depth <= 0) {
		if (next_random() % 2 != 0)
			leaf_a();
		else
			leaf_b();
		return;
	}
	switch (next_random() % 12) {
	case 0:
		busy(depth - 1);
		break;
	case 1:
		variable(depth - 1);
		break;
	case 2:
		aligned(depth - 1);
		break;
	case 3:
		aligned_variable(depth - 1);
		break;
	case 4:
		many_arguments(1, 2, 3, 4, 5, 6, 7, 8, depth - 1);
		break;
	case 5:
		by_qsort(depth - 1);
		break;
	case 6:
		by_signal(depth - 1);
		break;
	default:
		plain(depth - 1);
	}
}

static ucontext_t home;

static void coroutine(void)
{
	go(6);
	setcontext(&home);
}

static NOINLINE void by_coroutine(void)
{
	static char *stack;
	ucontext_t c;

	if (stack == NULL)
		stack = malloc(1 << 17);
	getcontext(&c);
	c.uc_stack.ss_sp = stack;
	c.uc_stack.ss_size = 1 << 17;
	c.uc_link = NULL;
	makecontext(&c, coroutine, 0);
	swapcontext(&home, &c);
}

/* The same calls again and again, at a depth that changes by one: what is remembered must be noticed to be old. */
static NOINLINE void again(int n)
{
	if (n > 0)
		again(n - 1);
	else
		leaf_a();
	KEEP(n);
}

static void *work(void *arg)
{
	static char stacks[8][1 << 16];
	stack_t alternate = {.ss_sp = stacks[(uintptr_t)arg], .ss_size = sizeof(stacks[0])};

	state = (uint32_t)(uintptr_t)arg * 7919 + 1;
	sigaltstack(&alternate, NULL);
	for (int i = 0; i < 1500; i++) {
		go((int)(next_random() % 24));
		if (i % 16 == 0)
			again((int)(next_random() % 600));
	}
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_NODEFER};
	pthread_t t[3];

	sigaction(SIGUSR1, &action, NULL);
	action.sa_flags = SA_NODEFER | SA_ONSTACK;
	sigaction(SIGUSR2, &action, NULL);
	work(NULL);
	for (int i = 0; i < 200; i++) {
		by_coroutine();
		go(8);
	}
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, work, (void *)(i + 1));
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	puts("done");
	return 0;
}
