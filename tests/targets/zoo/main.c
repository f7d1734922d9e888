// SPDX-License-Identifier: BSD-2-Clause
/* target-zoo SCENARIO held|lost */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zoo.h"

bool zoo_lost;
static sem_t ready;

ZOO_APART uintptr_t zoo_hide(void *p)
{
	return (uintptr_t)p ^ ZOO_KEY;
}

ZOO_APART uintptr_t zoo_new(size_t size)
{
	return zoo_hide(malloc(size));
}

ZOO_APART void zoo_put(void *where, uintptr_t hidden)
{
	uintptr_t p = zoo_lost ? 0 : hidden ^ ZOO_KEY;

	memcpy(where, &p, sizeof(p));
}

ZOO_APART void zoo_keep(void *where, size_t size)
{
	zoo_put(where, zoo_new(size));
	zoo_scrub();
}

ZOO_APART void zoo_scrub(void)
{
	volatile char space[65536];

	for (size_t i = 0; i < sizeof(space); i++)
		space[i] = 0;
	/* The registers that calls need not keep. */
	__asm__ volatile("xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\txor %%edx, %%edx\n\txor %%esi, %%esi\n\t"
			 "xor %%edi, %%edi\n\txor %%r8d, %%r8d\n\txor %%r9d, %%r9d\n\txor %%r10d, %%r10d\n\t"
			 "xor %%r11d, %%r11d\n\tpxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm2, %%xmm2\n\t"
			 "pxor %%xmm3, %%xmm3" ::
				 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2",
				   "xmm3");
}

void zoo_need(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	_exit(99);
}

void zoo_ready(void)
{
	sem_post(&ready);
}

void zoo_wait(void)
{
	for (;;)
		pause();
}

static void *thread_main(void *arg)
{
	((void (*)(void))arg)();
	zoo_scrub();
	zoo_ready();
	zoo_wait();
}

static void start(void *(*f)(void *), void *arg)
{
	pthread_t thread;

	sem_init(&ready, 0, 0);
	zoo_need(pthread_create(&thread, NULL, f, arg) == 0, "pthread_create");
	while (sem_wait(&ready) != 0)
		;
}

void zoo_thread(void (*body)(void))
{
	start(thread_main, (void *)body);
}

void zoo_thread_plain(void *(*f)(void *))
{
	start(f, NULL);
}

static const struct zoo_scenario *const files[] = {zoo_places, zoo_mapped,    zoo_threads, zoo_contexts, zoo_calls,
						   zoo_shapes, zoo_interface, zoo_modules, zoo_ends};

int main(int argc, char **argv)
{
	zoo_lost = argc > 2 && strcmp(argv[2], "lost") == 0;
	for (size_t i = 0; argc > 1 && i < sizeof(files) / sizeof(*files); i++) {
		for (const struct zoo_scenario *s = files[i]; s->name != NULL; s++) {
			if (strcmp(s->name, argv[1]) != 0)
				continue;
			s->run();
			zoo_scrub();
			return 0;
		}
	}
	fprintf(stderr, "usage: target-zoo SCENARIO held|lost\n");
	return 98;
}
