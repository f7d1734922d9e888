// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "leaks/heap/inner.h"
#include "leaks/runtime/out.h"

#define END_SIZE (sizeof(struct sts_raw_item) + sizeof(struct sts_raw_end))
enum { ROOM = 64 << 20, LEAST = 1 << 16 };

bool sts_out_begin(struct sts_out *out, size_t at_least)
{
	size_t room = (at_least + ROOM) & ~(size_t)4095;

	*out = (struct sts_out){.room = room};
	/* Where addresses are limited less must do. */
	while ((out->data = sts_os_heap_map_sparse(out->room)) == NULL && out->room > LEAST)
		out->room /= 2;
	return out->data != NULL;
}

void sts_out_free(struct sts_out *out)
{
	if (out->data != NULL)
		sts_os_heap_unmap(out->data, out->room);
}

static void put(struct sts_out *out, const void *data, size_t size)
{
	if (size > 0)
		memcpy(out->data + out->size, data, size);
	out->size += size;
}

void sts_out_item(struct sts_out *out, enum sts_raw_kind kind, const void *fixed, size_t fixed_size, const void *more,
		  size_t more_size)
{
	struct sts_raw_item item = {.kind = kind, .size = (uint32_t)(fixed_size + more_size)};

	if (out->size + sizeof(item) + item.size + END_SIZE > out->room) {
		out->truncated = true;
		return;
	}
	put(out, &item, sizeof(item));
	put(out, fixed, fixed_size);
	put(out, more, more_size);
	out->items++;
}

void sts_out_text(struct sts_out *out, enum sts_raw_text_kind kind, const char *text)
{
	struct sts_raw_text head = {.kind = kind};

	sts_out_item(out, STS_RAW_TEXT, &head, sizeof(head), text, strlen(text));
}

void sts_out_end(struct sts_out *out)
{
	struct sts_raw_item item = {.kind = STS_RAW_END, .size = sizeof(struct sts_raw_end)};
	struct sts_raw_end end = {.items = out->items + 1, .truncated = out->truncated};

	put(out, &item, sizeof(item));
	put(out, &end, sizeof(end));
}
