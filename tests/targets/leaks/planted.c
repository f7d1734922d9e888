// SPDX-License-Identifier: BSD-2-Clause
/* An extension for whatever loads one, by names that need no headers of theirs. Each call loses three blocks. */
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 3, SIZE = 1000 };

static char *volatile last;

__attribute__((noinline)) static void planted_leak(size_t size)
{
	last = malloc(size);
	if (last != NULL)
		memset(last, 1, size);
	last = NULL;
}

int planted_call(void)
{
	for (int i = 0; i < BLOCKS; i++)
		planted_leak(SIZE + (size_t)i);
	return BLOCKS;
}

/* Node. */
void *napi_register_module_v1(void *env, void *exports)
{
	planted_call();
	return exports;
}

/* SQLite. */
int sqlite3_planted_init(void *db, char **error, const void *api)
{
	return planted_call() - BLOCKS;
}

/* Perl. */
void boot_planted(void)
{
	planted_call();
}
