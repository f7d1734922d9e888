// SPDX-License-Identifier: BSD-2-Clause
/* What ends a program that misuses malloc. Nothing is allocated here, and nobody else's code called but abort. */
#include <asm/unistd.h>
#include <stdlib.h>

#include "leaks/malloc.h"
#include "leaks/unwind/depot.h"
#include "leaks/unwind/modules.h"
#include "stopworld/x86/raw.h"

enum { FRAMES = 32 };

struct text {
	char bytes[1024];
	size_t n;
};

static void append(struct text *text, const char *more)
{
	while (*more != '\0' && text->n < sizeof(text->bytes))
		text->bytes[text->n++] = *more++;
}

static void append_number(struct text *text, uintptr_t n, unsigned base)
{
	char digits[24];
	unsigned i = sizeof(digits) - 1;

	digits[i] = '\0';
	do
		digits[--i] = "0123456789abcdef"[n % base];
	while ((n /= base) != 0);
	append(text, base == 16 ? "0x" : "");
	append(text, digits + i);
}

static void flush(struct text *text)
{
	RAW(write, 2, text->bytes, text->n);
	text->n = 0;
}

static void show_frame(struct text *text, unsigned i, const struct sts_frame *frame)
{
	const struct sts_module *module = sts_module_get(frame->module);

	append(text, "    #");
	append_number(text, i, 10);
	append(text, " ");
	append_number(text, frame->pc, 16);
	if (module != NULL) {
		append(text, " (");
		append(text, module->path);
		append(text, "+");
		append_number(text, frame->pc - module->base, 16);
		append(text, ")");
	}
	append(text, "\n");
	flush(text);
}

static void show_stack(struct text *text, uint32_t stack)
{
	struct sts_frame frames[FRAMES];
	size_t n = sts_depot_frames(stack, frames, FRAMES);

	for (unsigned i = 0; i < n && i < FRAMES; i++)
		show_frame(text, i, &frames[i]);
}

_Noreturn void sts_malloc_misuse(const char *function, const void *p, uint32_t stack)
{
	struct text text = {.n = 0};
	struct sts_chunk chunk;
	uint32_t freed = sts_heap_freed(p);

	append(&text, function);
	append(&text, freed != 0 ? "(): double free of " : "(): invalid pointer ");
	append_number(&text, (uintptr_t)p, 16);
	if (sts_heap_find((uintptr_t)p, &chunk)) {
		append(&text, ", which is inside the block at ");
		append_number(&text, chunk.start, 16);
		freed = chunk.stack;
	}
	append(&text, "\n");
	flush(&text);
	show_stack(&text, stack);
	if (freed != 0) {
		append(&text, "the block was allocated by\n");
		flush(&text);
		show_stack(&text, freed);
	}
	abort();
}

_Noreturn void sts_malloc_no_memory(const char *function)
{
	struct text text = {.n = 0};

	append(&text, function);
	append(&text, ": out of memory\n");
	flush(&text);
	abort();
}
