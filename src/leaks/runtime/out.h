/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing a raw report into memory of its own. */
#ifndef STS_LEAKS_OUT_H
#define STS_LEAKS_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "leaks/raw.h"

struct sts_out {
	char *data;
	size_t size, room;
	uint32_t items;
	bool truncated;
};

/* False if there is no memory. `at_least` bytes are known to be needed. */
bool sts_out_begin(struct sts_out *out, size_t at_least);
void sts_out_free(struct sts_out *out);
/* An item of two parts. */
void sts_out_item(struct sts_out *out, enum sts_raw_kind kind, const void *fixed, size_t fixed_size, const void *more,
		  size_t more_size);
void sts_out_text(struct sts_out *out, enum sts_raw_text_kind kind, const char *text);
void sts_out_end(struct sts_out *out);

#endif
