// SPDX-License-Identifier: BSD-2-Clause
/* What is set up before main, and what ends a program that misuses malloc. */
#include <asm/unistd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "leaks/malloc.h"
#include "leaks/runtime/runtime.h"
#include "leaks/unwind/depot.h"
#include "stopworld/x86/raw.h"

static void release_child(void)
{
	sts_heap_release_child();
	sts_runtime_after_fork();
}

static __attribute__((constructor)) void start(void)
{
	sts_stack_start();
	pthread_atfork(sts_heap_hold, sts_heap_release, release_child);
	sts_runtime_start();
}

static size_t append(char *text, size_t at, size_t size, const char *more)
{
	while (*more != '\0' && at < size)
		text[at++] = *more++;
	return at;
}

static size_t append_hex(char *text, size_t at, size_t size, uintptr_t n)
{
	char digits[17];
	unsigned i = sizeof(digits) - 1;

	digits[i] = '\0';
	do
		digits[--i] = "0123456789abcdef"[n & 15];
	while ((n >>= 4) != 0);
	at = append(text, at, size, "0x");
	return append(text, at, size, digits + i);
}

_Noreturn void sts_malloc_misuse(const char *function, const void *p)
{
	struct sts_chunk chunk;
	char text[256];
	size_t n = append(text, 0, sizeof(text), function);

	n = append(text, n, sizeof(text), "(): invalid pointer ");
	n = append_hex(text, n, sizeof(text), (uintptr_t)p);
	if (sts_heap_find((uintptr_t)p, &chunk))
		n = append(text, n, sizeof(text), ", inside a live block");
	n = append(text, n, sizeof(text), "\n");
	RAW(write, 2, text, n);
	abort();
}

_Noreturn void sts_malloc_no_memory(const char *function)
{
	char text[256];
	size_t n = append(text, 0, sizeof(text), function);

	n = append(text, n, sizeof(text), ": out of memory\n");
	RAW(write, 2, text, n);
	abort();
}

/* For the tests: the stack of a live block. */
STS_ENTRY size_t __stasis_leaks_stack_of(const void *p, uintptr_t *pcs, size_t max);
size_t __stasis_leaks_stack_of(const void *p, uintptr_t *pcs, size_t max)
{
	struct sts_chunk chunk;

	return sts_heap_find((uintptr_t)p, &chunk) ? sts_depot_get(chunk.stack, pcs, max) : 0;
}
