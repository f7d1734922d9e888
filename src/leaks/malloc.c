// SPDX-License-Identifier: BSD-2-Clause
/* malloc and its family, in place of libc's. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "leaks/malloc.h"

/* From an archive the linker takes what is asked for: who takes malloc takes the rest of the family and the start. */
extern const char sts_start_linked, sts_aligned_linked;
static const char *const linked[] __attribute__((used)) = {&sts_start_linked, &sts_aligned_linked};

static __attribute__((noinline, cold)) void *no_memory(size_t size, uint32_t stack)
{
	sts_malloc_refused(size, stack);
	errno = ENOMEM;
	return NULL;
}

STS_ENTRY void *malloc(size_t size)
{
	uint32_t stack = STS_STACK_HERE();
	void *p = sts_heap_alloc(size, 0, stack);

	return p != NULL ? p : no_memory(size, stack);
}

/* Whether the loader calls: it may be about a library's description. */
static inline bool by_loader(const void *caller)
{
	return (uintptr_t)caller - sts_stack_loader_lo < sts_stack_loader_hi - sts_stack_loader_lo;
}

STS_ENTRY void free(void *p)
{
	if (__builtin_expect(by_loader(__builtin_return_address(0)), 0))
		sts_stack_loader_freed(p);
	if (p != NULL && !sts_heap_free(p))
		sts_malloc_misuse("free", p, STS_STACK_HERE());
}

/* Old names of it. */
STS_ENTRY void cfree(void *p)
{
	free(p);
}

STS_ENTRY void free_sized(void *p, size_t size)
{
	free(p);
}

STS_ENTRY void free_aligned_sized(void *p, size_t align, size_t size)
{
	free(p);
}

STS_ENTRY void *calloc(size_t n, size_t size)
{
	uint32_t stack = STS_STACK_HERE();
	size_t total;
	void *p;

	if (__builtin_mul_overflow(n, size, &total))
		return no_memory(0, stack);
	p = sts_heap_zalloc(total, stack);
	return p != NULL ? p : no_memory(total, stack);
}

/* What glibc does with a size of 0: the block is freed, and NULL is no error. */
static void *resize(void *p, size_t size, uint32_t stack, const char *function)
{
	void *to;

	if (p == NULL) {
		to = sts_heap_alloc(size, 0, stack);
		return to != NULL ? to : no_memory(size, stack);
	}
	if (sts_heap_usable(p) == SIZE_MAX)
		sts_malloc_misuse(function, p, stack);
	if (size == 0) {
		sts_heap_free(p);
		return NULL;
	}
	to = sts_heap_resize(p, size, stack);
	return to != NULL ? to : no_memory(size, stack);
}

STS_ENTRY void *realloc(void *p, size_t size)
{
	return resize(p, size, STS_STACK_HERE(), "realloc");
}

STS_ENTRY void *reallocarray(void *p, size_t n, size_t size)
{
	uint32_t stack = STS_STACK_HERE();
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		return no_memory(0, stack);
	return resize(p, total, stack, "reallocarray");
}

/* As much as was asked for, not what there is: what lies beyond is not looked at for pointers. */
STS_ENTRY size_t malloc_usable_size(void *p)
{
	size_t size;

	if (p == NULL)
		return 0;
	size = sts_heap_usable(p);
	if (size == SIZE_MAX)
		sts_malloc_misuse("malloc_usable_size", p, STS_STACK_HERE());
	return size;
}
