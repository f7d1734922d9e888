/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls of Linux without libc: -errno as the kernel gives it. Five arguments are enough for all we call. */
#ifndef STS_STOPWORLD_RAW_H
#define STS_STOPWORLD_RAW_H

#ifdef __x86_64__
static inline long sts_raw5(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = 0; /* mmap has six, the last an offset */
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#else
static inline long sts_raw5(long nr, long a, long b, long c, long d, long e)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
	return ret;
}
#endif

#define RAW_(nr_, a_, b_, c_, d_, e_, ...) sts_raw5((nr_), (long)(a_), (long)(b_), (long)(c_), (long)(d_), (long)(e_))
/* RAW(NAME, up to five arguments) */
#define RAW(name_, ...) RAW_(__NR_##name_, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)

#endif
