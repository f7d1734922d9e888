// SPDX-License-Identifier: BSD-2-Clause
/* One word of the program's own memory holds the block. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "zoo.h"

void *zoo_global;
void *zoo_initialised[4] = {&zoo_global, &zoo_global, &zoo_global, &zoo_global};
static __thread void *own;
static __thread struct {
	char before[3000];
	void *p;
} own_large;

static void global(void)
{
	zoo_keep(&zoo_global, 100);
}

static void data(void)
{
	zoo_keep(&zoo_initialised[2], 100);
}

static void bss(void)
{
	static struct {
		char before[70000];
		void *p;
	} large;

	zoo_keep(&large.p, 100);
}

static void local_static(void)
{
	static void *p = &zoo_global;

	zoo_keep(&p, 100);
}

/* A global holds a block that holds it. */
static void block(void)
{
	void **first = malloc(400);

	memset(first, 0, 400);
	zoo_global = first;
	zoo_keep(&first[7], 100);
}

/* A pointer into its middle. */
static void interior(void)
{
	zoo_put(&zoo_global, zoo_hide((void *)((zoo_new(5000) ^ ZOO_KEY) + 2345)));
}

static void large(void)
{
	zoo_keep(&zoo_global, 3 << 20);
}

static void large_interior(void)
{
	zoo_put(&zoo_global, zoo_hide((void *)((zoo_new(3 << 20) ^ ZOO_KEY) + (2 << 20))));
}

static void tls(void)
{
	zoo_keep(&own, 100);
}

static void tls_large(void)
{
	zoo_keep(&own_large.p, 100);
}

static void tls_thread(void)
{
	zoo_thread(tls);
}

static void tls_large_thread(void)
{
	zoo_thread(tls_large);
}

static ZOO_APART void set_key(pthread_key_t key, uintptr_t hidden)
{
	zoo_need(pthread_setspecific(key, zoo_lost ? NULL : (void *)(hidden ^ ZOO_KEY)) == 0, "pthread_setspecific");
}

static void use_key(unsigned least)
{
	pthread_key_t key;

	do
		zoo_need(pthread_key_create(&key, NULL) == 0, "pthread_key_create");
	while (key < least);
	set_key(key, zoo_new(100));
	zoo_scrub();
}

static void key_low(void)
{
	use_key(0);
}

static void key_high(void)
{
	use_key(90);
}

static void key_low_thread(void)
{
	zoo_thread(key_low);
}

static void key_high_thread(void)
{
	zoo_thread(key_high);
}

static void stack(void)
{
	void *volatile p;

	zoo_keep((void *)&p, 100);
	exit(0);
}

/* One past the end of a block whose size class is exactly that. */
static void past_end(void)
{
	zoo_put(&zoo_global, zoo_hide((void *)((zoo_new(64) ^ ZOO_KEY) + 64)));
}

static void past_end_odd(void)
{
	zoo_put(&zoo_global, zoo_hide((void *)((zoo_new(50) ^ ZOO_KEY) + 50)));
}

static void past_end_large(void)
{
	zoo_put(&zoo_global, zoo_hide((void *)((zoo_new(1 << 20) ^ ZOO_KEY) + (1 << 20))));
}

static void unaligned(void)
{
	static char packed[32];

	zoo_keep(packed + 3, 100);
}

static void unaligned_block(void)
{
	char *packed = malloc(64);

	memset(packed, 0, 64);
	zoo_global = packed;
	zoo_keep(packed + 5, 100);
}

static void tag_low(void)
{
	zoo_put(&zoo_global, zoo_hide((void *)((zoo_new(100) ^ ZOO_KEY) | 3)));
}

static void tag_high(void)
{
	zoo_put(&zoo_global, zoo_hide((void *)((zoo_new(100) ^ ZOO_KEY) | UINT64_C(0xab) << 56)));
}

static void tag_nan(void)
{
	zoo_put(&zoo_global, zoo_hide((void *)((zoo_new(100) ^ ZOO_KEY) | UINT64_C(0xfffc) << 48)));
}

const struct zoo_scenario zoo_places[] = {{"global", global},
					  {"data", data},
					  {"bss", bss},
					  {"local_static", local_static},
					  {"block", block},
					  {"interior", interior},
					  {"large", large},
					  {"large_interior", large_interior},
					  {"tls", tls},
					  {"tls_large", tls_large},
					  {"tls_thread", tls_thread},
					  {"tls_large_thread", tls_large_thread},
					  {"key_low", key_low},
					  {"key_high", key_high},
					  {"key_low_thread", key_low_thread},
					  {"key_high_thread", key_high_thread},
					  {"stack", stack},
					  {"past_end", past_end},
					  {"past_end_odd", past_end_odd},
					  {"past_end_large", past_end_large},
					  {"unaligned", unaligned},
					  {"unaligned_block", unaligned_block},
					  {"tag_low", tag_low},
					  {"tag_high", tag_high},
					  {"tag_nan", tag_nan},
					  {0}};
