// SPDX-License-Identifier: BSD-2-Clause
/* What is set up before main. */
#include <pthread.h>

#include "leaks/malloc.h"
#include "leaks/runtime/runtime.h"
#include "leaks/unwind/depot.h"

extern const char sts_start_linked;
const char sts_start_linked = 1;

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

/* For the tests: the stack of a live block. */
STS_ENTRY size_t __stasis_leaks_stack_of(const void *p, uintptr_t *pcs, size_t max);
size_t __stasis_leaks_stack_of(const void *p, uintptr_t *pcs, size_t max)
{
	struct sts_chunk chunk;

	return sts_heap_find((uintptr_t)p, &chunk) ? sts_depot_get(chunk.stack, pcs, max) : 0;
}
