/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STS_TESTS_FAMILY_H
#define STS_TESTS_FAMILY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Keeps the compiler from knowing what it is about: blocks that are not used would not be allocated. */
#define HIDE(x_) __asm__ volatile("" : "+r"(x_) : : "memory")

#define CHECK(condition_)                                                                                              \
	do {                                                                                                           \
		if (!(condition_)) {                                                                                   \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition_);                               \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

/* Not all libcs declare it. */
void *pvalloc(size_t size);

/* Memory of the process that is in memory. */
long family_resident_kb(void);

void family_sizes(void);
void family_calloc(void);
void family_realloc(void);
void family_reallocarray(void);
void family_aligned(void);
void family_aligned_errors(void);
void family_too_big(void);
void family_limit(void);
void family_knobs(void);
void family_double_free(void);
void family_double_free_big(void);
void family_foreign_free(void);
void family_interior_free(void);
void family_realloc_freed(void);
void family_threads(void);
void family_thread_ends(void);
void family_late(void);
void family_fork_threads(void);
void family_raw_fork(void);
void family_vfork(void);
void family_handler(void);
void family_given_back(void);

#endif
