/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw reports made by hand. */
#ifndef STS_TESTS_RAW_H
#define STS_TESTS_RAW_H

#include "leaks/report/report.h"

struct raw {
	char *data;
	size_t size;
	uint32_t items;
};

/* With the first item, of process 4711. */
struct raw raw_begin(void);
void raw_item(struct raw *r, uint32_t kind, const void *fixed, size_t fixed_size, const char *text);
void raw_text(struct raw *r, uint32_t kind, const char *text);
void raw_stack(struct raw *r, uint32_t id, uint32_t frames, const uint64_t *pcs, uint32_t module);
void raw_leak(struct raw *r, uint32_t class, uint32_t stack, uint64_t blocks, uint64_t bytes);
void raw_end(struct raw *r);
/* Read it, which must work. */
struct sts_leak_report *raw_read(struct raw *r);
/* Give a stack lines by names, "function@file@module" each; NULL ends them. They stay the caller's. */
void raw_name(struct sts_leak_stack *stack, ...) __attribute__((sentinel));
/* What a function prints to a stream. */
#define PRINTED(to_, call_)                                                                                            \
	({                                                                                                             \
		char *text_ = NULL;                                                                                    \
		size_t size_;                                                                                          \
		FILE *to_ = open_memstream(&text_, &size_);                                                            \
		ATF_REQUIRE(to_ != NULL);                                                                              \
		call_;                                                                                                 \
		ATF_REQUIRE_EQ(0, fclose(to_));                                                                        \
		text_;                                                                                                 \
	})

#endif
