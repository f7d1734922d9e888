// SPDX-License-Identifier: BSD-2-Clause
/* Every function that gives memory. */
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "zoo.h"

static void *slot;

/* The block of an expression. */
#define CALL(name_, block_)                                                                                            \
	static ZOO_APART uintptr_t make_##name_(void)                                                                  \
	{                                                                                                              \
		return zoo_hide(block_);                                                                               \
	}                                                                                                              \
	static void call_##name_(void)                                                                                 \
	{                                                                                                              \
		zoo_put(&slot, make_##name_());                                                                        \
	}

static void *from_posix_memalign(void)
{
	void *p = NULL;

	zoo_need(posix_memalign(&p, 512, 100) == 0, "posix_memalign");
	return p;
}

static void *from_getline(void)
{
	FILE *f = fopen("/proc/self/cmdline", "r");
	char *line = NULL;
	size_t size = 0;

	zoo_need(f != NULL && getline(&line, &size, f) > 0, "getline");
	fclose(f);
	return line;
}

static void *from_asprintf(void)
{
	char *text;

	zoo_need(asprintf(&text, "%099d", 1) == 99, "asprintf");
	return text;
}

static void *from_memstream(void)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	zoo_need(f != NULL && fprintf(f, "%0500d", 1) == 500 && fclose(f) == 0, "open_memstream");
	return text;
}

static void *grown(size_t from, size_t to)
{
	void *p = malloc(from);

	for (size_t n = from; n <= to; n += from)
		p = realloc(p, n);
	return realloc(p, 100);
}

/* Left behind by a realloc that moved it: only the new block is. */
static void *from_realloc_null(void)
{
	return realloc(NULL, 100);
}

CALL(malloc, malloc(100))
CALL(malloc_zero, malloc(0))
CALL(calloc, calloc(10, 10))
CALL(realloc, from_realloc_null())
CALL(realloc_grown, grown(7, 3000))
CALL(realloc_large, grown(700000, 5000000))
CALL(reallocarray, reallocarray(NULL, 10, 10))
CALL(memalign, memalign(64, 100))
CALL(aligned_alloc, aligned_alloc(256, 100))
CALL(posix_memalign, from_posix_memalign())
CALL(valloc, valloc(100))
CALL(pvalloc, pvalloc(100))
CALL(strdup, strdup("123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
		    "123456789"))
CALL(strndup, strndup("1234567890", 7))
CALL(wcsdup, wcsdup(L"123456789"))
CALL(getline, from_getline())
CALL(asprintf, from_asprintf())
CALL(memstream, from_memstream())
CALL(realpath, realpath("/proc", NULL))
CALL(getcwd, getcwd(NULL, 300))

/* A pointer's remains in what has been freed count no more. */
static void freed_holder(void)
{
	void **holder = malloc(200);

	zoo_lost = false;
	zoo_put(&holder[12], zoo_new(100));
	free(holder);
	holder = NULL;
	zoo_scrub();
}

/* Thousands, freed in another order and taken anew. */
static void many(void)
{
	static void *blocks[5000];

	for (size_t i = 0; i < 5000; i++)
		blocks[i] = malloc(i % 700 + 1);
	for (size_t i = 0; i < 5000; i++)
		free(blocks[i * 3 % 5000]);
	for (size_t i = 0; i < 5000; i++)
		blocks[i] = malloc(100);
	if (zoo_lost)
		memset(blocks, 0, sizeof(blocks));
}

const struct zoo_scenario zoo_calls[] = {{"malloc", call_malloc},
					 {"malloc_zero", call_malloc_zero},
					 {"calloc", call_calloc},
					 {"realloc", call_realloc},
					 {"realloc_grown", call_realloc_grown},
					 {"realloc_large", call_realloc_large},
					 {"reallocarray", call_reallocarray},
					 {"memalign", call_memalign},
					 {"aligned_alloc", call_aligned_alloc},
					 {"posix_memalign", call_posix_memalign},
					 {"valloc", call_valloc},
					 {"pvalloc", call_pvalloc},
					 {"strdup", call_strdup},
					 {"strndup", call_strndup},
					 {"wcsdup", call_wcsdup},
					 {"getline", call_getline},
					 {"asprintf", call_asprintf},
					 {"memstream", call_memstream},
					 {"realpath", call_realpath},
					 {"getcwd", call_getcwd},
					 {"freed_holder", freed_holder},
					 {"many", many},
					 {0}};
