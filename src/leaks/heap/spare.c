// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory for signal handlers that allocate although they interrupted the allocator while it held a lock: nobody may,
 * some do, and waiting for the lock would be for ever. Taken piece by piece, never used again.
 */
#include "leaks/heap/inner.h"

enum { SPARE = 256 << 10 };

/* Before each block. */
struct header {
	size_t size;
	size_t unused;
};

static char spare[SPARE] __attribute__((aligned(64)));
static _Atomic size_t used;

void *sts_spare_alloc(size_t size, size_t align)
{
	size_t at = atomic_load(&used), start;

	align = align < STS_GRANULE ? STS_GRANULE : align;
	if (size > SPARE || align > 64)
		return NULL;
	do {
		start = (at + sizeof(struct header) + align - 1) & ~(align - 1);
		if (start + size > SPARE)
			return NULL;
	} while (!atomic_compare_exchange_weak(&used, &at,
					       (start + size + STS_GRANULE - 1) & ~(size_t)(STS_GRANULE - 1)));
	((struct header *)(spare + start))[-1].size = size;
	return spare + start;
}

size_t sts_spare_size(const void *p)
{
	uintptr_t offset = (uintptr_t)p - (uintptr_t)spare;

	return offset - sizeof(struct header) < SPARE && offset % STS_GRANULE == 0 ? ((const struct header *)p)[-1].size
										   : SIZE_MAX;
}
