/* SPDX-License-Identifier: BSD-2-Clause */
/* Text on standard error without libc: in a program that is about to end, or that misuses malloc. */
#ifndef STS_LEAKS_TEXT_H
#define STS_LEAKS_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct sts_text_out {
	size_t n;
	char bytes[1024];
};

/* What does not fit any more is written at once. */
void sts_text_put(struct sts_text_out *t, const char *more, size_t n);
void sts_text_puts(struct sts_text_out *t, const char *more);
void sts_text_number(struct sts_text_out *t, uint64_t n);
void sts_text_hex(struct sts_text_out *t, uint64_t n); /* with 0x */
void sts_text_flush(struct sts_text_out *t);

#endif
