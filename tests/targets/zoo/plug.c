// SPDX-License-Identifier: BSD-2-Clause
/* A library that the zoo loads. */
#include <stdint.h>
#include <stdlib.h>

#define KEY UINT64_C(0x5a5a123456789abd)

void **plug_global(void);
void **plug_tls(void);
void **plug_tls_large(void);
uintptr_t plug_make(void);

static void *global;
static __thread void *own;
static __thread struct {
	char before[300000];
	void *p;
} own_large;

void **plug_global(void)
{
	return &global;
}

void **plug_tls(void)
{
	return &own;
}

void **plug_tls_large(void)
{
	return &own_large.p;
}

__attribute__((noinline)) uintptr_t plug_make(void)
{
	return (uintptr_t)malloc(100) ^ KEY;
}
