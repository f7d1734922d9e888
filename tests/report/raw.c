// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "raw.h"
#include "test.h"

static void put(struct raw *r, const void *data, size_t size)
{
	r->data = realloc(r->data, r->size + size + 1);
	ATF_REQUIRE(r->data != NULL);
	if (size > 0)
		memcpy(r->data + r->size, data, size);
	r->size += size;
}

void raw_item(struct raw *r, uint32_t kind, const void *fixed, size_t fixed_size, const char *text)
{
	struct sts_raw_item item = {.kind = kind, .size = fixed_size + strlen(text)};

	put(r, &item, sizeof(item));
	put(r, fixed, fixed_size);
	put(r, text, strlen(text));
	r->items++;
}

struct raw raw_begin(void)
{
	struct raw r = {0};
	struct sts_raw_process p = {.magic = STS_RAW_MAGIC,
				    .version = STS_RAW_VERSION,
				    .reason = STS_RAW_AT_EXIT,
				    .pid = 4711,
				    .ppid = 1,
				    .threads = 1};

	raw_item(&r, STS_RAW_PROCESS, &p, sizeof(p), "");
	return r;
}

void raw_text(struct raw *r, uint32_t kind, const char *text)
{
	struct sts_raw_text head = {.kind = kind};

	raw_item(r, STS_RAW_TEXT, &head, sizeof(head), text);
}

void raw_stack(struct raw *r, uint32_t id, uint32_t n, const uint64_t *pcs, uint32_t module)
{
	struct {
		struct sts_raw_stack head;
		struct sts_raw_frame frames[STS_RAW_DEEPEST];
	} item = {.head = {.id = id, .frames = n}};

	for (uint32_t i = 0; i < n; i++)
		item.frames[i] = (struct sts_raw_frame){.pc = pcs[i], .module = module};
	raw_item(r, STS_RAW_STACK, &item, sizeof(item.head) + n * sizeof(*item.frames), "");
}

void raw_leak(struct raw *r, uint32_t class, uint32_t stack, uint64_t blocks, uint64_t bytes)
{
	struct sts_raw_leak leak = {.class = class, .stack = stack, .blocks = blocks, .bytes = bytes};

	raw_item(r, STS_RAW_LEAK, &leak, sizeof(leak), "");
}

void raw_end(struct raw *r)
{
	struct sts_raw_end end = {.items = r->items + 1};

	raw_item(r, STS_RAW_END, &end, sizeof(end), "");
}

struct sts_leak_report *raw_read(struct raw *r)
{
	char why[128] = "";
	struct sts_leak_report *report = sts_leak_report_read(r->data, r->size, why);

	ATF_REQUIRE_MSG(report != NULL, "%s", why);
	return report;
}

void raw_name(struct sts_leak_stack *stack, ...)
{
	va_list ap;
	const char *text;

	va_start(ap, stack);
	while ((text = va_arg(ap, const char *))) {
		struct sts_line line = {.pc = 0x1000, .line = 7, .column = 3, .offset = 0x10};
		char *copy = strdup(text); /* lives as long as the test */

		line.name = line.raw = strsep(&copy, "@");
		line.file = copy ? strsep(&copy, "@") : "";
		line.module = copy ? copy : "";
		stack->lines = realloc(stack->lines, (stack->n_lines + 1) * sizeof(line));
		ATF_REQUIRE(stack->lines != NULL);
		stack->lines[stack->n_lines++] = line;
	}
	va_end(ap);
}
