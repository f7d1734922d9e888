// SPDX-License-Identifier: BSD-2-Clause
/* Memory from the kernel, by bare calls: errno stays, and nobody who interposes mmap is asked. */
#include <asm/unistd.h>
#include <linux/futex.h>
#include <sys/mman.h>

#include "leaks/heap/inner.h"
#include "stopworld/x86/raw.h"

static long map(void *hint, size_t size, int prot, int flags)
{
	return RAW(mmap, hint, size, prot, flags | MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static bool failed(long ret)
{
	return (unsigned long)ret > -4096ul;
}

void *sts_os_heap_map(size_t size)
{
	long p = map(NULL, size, PROT_READ | PROT_WRITE, 0);

	return failed(p) ? NULL : (void *)p;
}

void *sts_os_heap_map_sparse(size_t size)
{
	long p = map(NULL, size, PROT_READ | PROT_WRITE, MAP_NORESERVE);

	return failed(p) ? NULL : (void *)p;
}

void sts_os_heap_unmap(void *p, size_t size)
{
	RAW(munmap, p, size);
}

/* The kernel places mappings downwards: below the last is often the right place, and costs no trimming. */
static void *map_below(size_t size, size_t align)
{
	static _Atomic uintptr_t last_inverted = UINTPTR_MAX; /* must not look like a pointer to the block there */
	uintptr_t hint = ~atomic_load_explicit(&last_inverted, memory_order_relaxed);
	long p = map((void *)(hint > size ? (hint - size) & ~(align - 1) : 0), size, PROT_READ | PROT_WRITE, 0);

	if (failed(p))
		return NULL;
	if (((uintptr_t)p & (align - 1)) == 0) {
		atomic_store_explicit(&last_inverted, ~(uintptr_t)p, memory_order_relaxed);
		return (void *)p;
	}
	RAW(munmap, p, size);
	p = map(NULL, size + align - STS_PAGE, PROT_READ | PROT_WRITE, MAP_NORESERVE);
	if (failed(p))
		return NULL;

	uintptr_t start = ((uintptr_t)p + align - 1) & ~(align - 1);
	uintptr_t end = (uintptr_t)p + size + align - STS_PAGE;

	if (start > (uintptr_t)p)
		RAW(munmap, p, start - (uintptr_t)p);
	if (end > start + size)
		RAW(munmap, start + size, end - start - size);
	atomic_store_explicit(&last_inverted, ~start, memory_order_relaxed);
	return (void *)start;
}

/*
 * Small numbers, written over the lower half of what once was a pointer, must not look like one. Such words are on
 * every stack.
 */
static bool begins_4_gib(uintptr_t start, size_t size)
{
	return (start - 1) >> 32 != (start + size) >> 32 && size < (size_t)1 << 32;
}

/* Where the boundary is near, what lies before it may be taken. */
static void *map_before(uintptr_t boundary, size_t size, size_t align)
{
	enum { TRIES = 8 };

	for (unsigned i = 0; i < TRIES; i++) {
		uintptr_t hint = ((boundary - size - 1) & ~(align - 1)) - i * align;
		long p = map((void *)hint, size, PROT_READ | PROT_WRITE, 0);

		if ((uintptr_t)p == hint)
			return (void *)p;
		if (!failed(p))
			RAW(munmap, p, size);
	}
	return NULL;
}

void *sts_os_heap_map_aligned(size_t size, size_t align)
{
	uintptr_t start;
	void *better;

	if (size > SIZE_MAX / 2 - align)
		return NULL;
	start = (uintptr_t)map_below(size, align);
	if (start == 0 || !begins_4_gib(start, size))
		return (void *)start;
	better = map_before((start + size) >> 32 << 32, size, align);
	if (better == NULL)
		return (void *)start;
	RAW(munmap, start, size);
	return better;
}

bool sts_os_heap_remap(void *p, size_t old_size, size_t size, void *to)
{
	return !failed(RAW(mremap, p, old_size, size, to != NULL ? MREMAP_MAYMOVE | MREMAP_FIXED : 0, to));
}

void sts_os_heap_discard(void *p, size_t size)
{
	RAW(madvise, p, size, MADV_DONTNEED);
}

void sts_os_heap_advise_huge(void *p, size_t size)
{
	RAW(madvise, p, size, MADV_HUGEPAGE);
}

int32_t sts_os_heap_tid(void)
{
	return (int32_t)RAW(gettid);
}

void sts_lock_wake(struct sts_lock *lock)
{
	RAW(futex, &lock->word, FUTEX_WAKE_PRIVATE, 1);
}

/* Sleep while the word is 2, at most 10 ms. */
void sts_os_heap_wait(_Atomic uint32_t *word)
{
	const struct {
		long sec, nsec;
	} limit = {0, 10000000};

	RAW(futex, word, FUTEX_WAIT_PRIVATE, 2, &limit);
}

int32_t sts_os_heap_pid(void)
{
	return (int32_t)RAW(getpid);
}
