// SPDX-License-Identifier: BSD-2-Clause
/* The aligned variants, each with its own rules for what is wrong; and malloc's knobs. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "leaks/malloc.h"

enum { PAGE = 4096 };

extern const char sts_aligned_linked;
const char sts_aligned_linked = 1;

static bool power_of_two(size_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static void *aligned(size_t align, size_t size, uint32_t stack)
{
	void *p = sts_heap_alloc(size, align, stack);

	if (p == NULL) {
		sts_malloc_refused(size, stack);
		errno = ENOMEM;
	}
	return p;
}

/* As glibc: an alignment that is no power of two is rounded up to one. */
STS_ENTRY void *memalign(size_t align, size_t size)
{
	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	if (align <= 1)
		align = 1;
	else if (!power_of_two(align))
		align = (size_t)1 << (64 - __builtin_clzl(align - 1));
	return aligned(align, size, STS_STACK_HERE());
}

STS_ENTRY void *aligned_alloc(size_t align, size_t size)
{
	if (!power_of_two(align)) {
		errno = EINVAL;
		return NULL;
	}
	return aligned(align, size, STS_STACK_HERE());
}

/* errno is not touched, and *ret only on success. */
STS_ENTRY int posix_memalign(void **ret, size_t align, size_t size)
{
	uint32_t stack = STS_STACK_HERE();
	void *p;

	if (!power_of_two(align) || align % sizeof(void *) != 0)
		return EINVAL;
	p = sts_heap_alloc(size, align, stack);
	if (p == NULL) {
		sts_malloc_refused(size, stack);
		return ENOMEM;
	}
	*ret = p;
	return 0;
}

STS_ENTRY void *valloc(size_t size)
{
	return aligned(PAGE, size, STS_STACK_HERE());
}

STS_ENTRY void *pvalloc(size_t size)
{
	if (size > SIZE_MAX - PAGE) {
		errno = ENOMEM;
		return NULL;
	}
	return aligned(PAGE, (size + PAGE - 1) & ~(size_t)(PAGE - 1), STS_STACK_HERE());
}

/* glibc's would act on a heap of its own that nobody uses. */
STS_ENTRY int mallopt(int param, int value)
{
	return 1;
}

STS_ENTRY int malloc_trim(size_t pad)
{
	return sts_heap_trim();
}

#ifdef __GLIBC__
static void add(void *arg, const struct sts_chunk *chunk)
{
	*(size_t *)arg += chunk->size;
}

STS_ENTRY struct mallinfo2 mallinfo2(void)
{
	struct sts_heap_stats stats;
	size_t used = 0;

	sts_heap_hold();
	sts_heap_stats(&stats);
	sts_heap_each(add, &used);
	sts_heap_release();
	return (struct mallinfo2){.arena = stats.mapped, .uordblks = used, .fordblks = stats.mapped - used};
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
STS_ENTRY struct mallinfo mallinfo(void)
{
	struct mallinfo2 now = mallinfo2();

	return (struct mallinfo){.arena = (int)now.arena, .uordblks = (int)now.uordblks, .fordblks = (int)now.fordblks};
}
#pragma GCC diagnostic pop
#endif
