// SPDX-License-Identifier: BSD-2-Clause
/* Ids, time, futexes, memory. */
#include <asm/unistd.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <time.h>

#include "stopworld/os.h"
#include "stopworld/x86/raw.h"

/* As the kernel of this ABI has it, whatever libc's time_t is. */
struct raw_timespec {
	long sec, nsec;
};

#define NS_PER_S 1000000000u

int32_t sts_os_pid(void)
{
	return (int32_t)RAW(getpid);
}

int32_t sts_os_tid(void)
{
	return (int32_t)RAW(gettid);
}

uint64_t sts_os_now_ns(void)
{
	struct raw_timespec now = {0, 0};

	RAW(clock_gettime, CLOCK_MONOTONIC, &now);
	return (uint64_t)now.sec * NS_PER_S + (uint64_t)now.nsec;
}

void sts_os_yield(void)
{
	RAW(sched_yield);
}

int sts_os_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
	/* The division of 64 bits would be a call to the compiler's library on i386. */
	struct raw_timespec limit = {0, (long)(uint32_t)ns};

	return (int)RAW(futex, word, FUTEX_WAIT_PRIVATE, value, ns != 0 ? &limit : NULL);
}

void sts_os_wake(_Atomic uint32_t *word, int n)
{
	RAW(futex, word, FUTEX_WAKE_PRIVATE, n);
}

static int map(size_t size, unsigned flags, void **ret)
{
#ifdef __x86_64__
	long p = RAW(mmap, 0, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1);
#else
	const long args[] = {0, (long)size, PROT_READ | PROT_WRITE, (long)flags | MAP_ANONYMOUS, -1, 0};
	long p = RAW(mmap, args);
#endif

	if ((unsigned long)p > -4096ul)
		return (int)p;
	*ret = (void *)p;
	return 0;
}

int sts_os_map(size_t size, void **ret)
{
	return map(size, MAP_PRIVATE, ret);
}

int sts_os_map_shared(size_t size, void **ret)
{
	return map(size, MAP_SHARED, ret);
}

void sts_os_unmap(void *p, size_t size)
{
	RAW(munmap, p, size);
}
