// SPDX-License-Identifier: BSD-2-Clause
/* A library without frame pointers. */
#include <stdlib.h>

void *nofp_a(size_t size);
void *nofp_b(size_t size);
void *nofp_c(size_t size);

__attribute__((noinline)) void *nofp_c(size_t size)
{
	void *p = malloc(size);

	__asm__ volatile("" : "+r"(p));
	return p;
}

__attribute__((noinline)) void *nofp_b(size_t size)
{
	void *p = nofp_c(size + 1);

	__asm__ volatile("" : "+r"(p));
	return p;
}

__attribute__((noinline)) void *nofp_a(size_t size)
{
	void *p = nofp_b(size * 2);

	__asm__ volatile("" : "+r"(p));
	return p;
}
