/* SPDX-License-Identifier: BSD-2-Clause */
/* What the entry points share. */
#ifndef STS_LEAKS_MALLOC_H
#define STS_LEAKS_MALLOC_H

#include <stdbool.h>

#include "leaks/heap/heap.h"
#include "leaks/unwind/unwind.h"

/* Seen by the program; and itself the frame that a stack begins with. */
#define STS_ENTRY __attribute__((visibility("default"), noinline))

/* libc's headers do not declare all of them, or not everywhere. */
void *malloc(size_t size);
void free(void *p);
void cfree(void *p);
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t align, size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);
void *reallocarray(void *p, size_t n, size_t size);
size_t malloc_usable_size(void *p);

/*
 * Says that `function`, called from `stack`, was given what is no live block, as glibc does, and where the block came
 * from if that is known; and aborts.
 */
_Noreturn void sts_malloc_misuse(const char *function, const void *p, uint32_t stack);
/* There is no memory for a block; if that is for its size alone it is said, or the program ended, as was asked for. */
void sts_malloc_refused(size_t size, uint32_t stack);
/* Says that there is no memory and no way to tell the program, and aborts. */
_Noreturn void sts_malloc_no_memory(const char *function);

#endif
