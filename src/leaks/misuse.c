// SPDX-License-Identifier: BSD-2-Clause
/* What ends a program that misuses malloc. Nothing is allocated here, and nobody else's code called but abort. */
#include <stdlib.h>
#include <unistd.h>

#include "leaks/malloc.h"
#include "leaks/runtime/settings.h"
#include "leaks/text.h"
#include "leaks/unwind/depot.h"
#include "leaks/unwind/modules.h"

enum { FRAMES = 32 };

static void show_frame(struct sts_text_out *text, unsigned i, const struct sts_frame *frame)
{
	const struct sts_module *module = sts_module_get(frame->module);

	sts_text_puts(text, "    #");
	sts_text_number(text, i);
	sts_text_puts(text, " ");
	sts_text_hex(text, frame->pc);
	if (module != NULL) {
		sts_text_puts(text, " (");
		sts_text_puts(text, module->path);
		sts_text_puts(text, "+");
		sts_text_hex(text, frame->pc - module->base);
		sts_text_puts(text, ")");
	}
	sts_text_puts(text, "\n");
	sts_text_flush(text);
}

static void show_stack(struct sts_text_out *text, uint32_t stack)
{
	struct sts_frame frames[FRAMES];
	size_t n = sts_depot_frames(stack, frames, FRAMES);

	for (unsigned i = 0; i < n && i < FRAMES; i++)
		show_frame(text, i, &frames[i]);
}

_Noreturn void sts_malloc_misuse(const char *function, const void *p, uint32_t stack)
{
	struct sts_text_out text = {.n = 0};
	struct sts_chunk chunk;
	uint32_t freed = sts_heap_freed(p);

	sts_text_puts(&text, function);
	sts_text_puts(&text, freed != 0 ? "(): double free of " : "(): invalid pointer ");
	sts_text_hex(&text, (uintptr_t)p);
	if (sts_heap_find((uintptr_t)p, &chunk)) {
		sts_text_puts(&text, ", which is inside the block at ");
		sts_text_hex(&text, chunk.start);
		freed = chunk.stack;
	}
	sts_text_puts(&text, "\n");
	sts_text_flush(&text);
	show_stack(&text, stack);
	if (freed != 0) {
		sts_text_puts(&text, "the block was allocated by\n");
		sts_text_flush(&text);
		show_stack(&text, freed);
	}
	abort();
}

static void put_head(struct sts_text_out *text, const char *kind)
{
	sts_text_puts(text, "==");
	sts_text_number(text, (uint64_t)getpid());
	sts_text_puts(text, kind);
}

/* LeakSanitizer's words, which programs' tests look for. */
void sts_malloc_refused(size_t size, uint32_t stack)
{
	struct sts_text_out text = {.n = 0};

	if (size <= sts_heap_most || !sts_settings.limited)
		return;
	if (sts_settings.may_return_null) {
		put_head(&text, "==WARNING: LeakSanitizer failed to allocate ");
		sts_text_hex(&text, size);
		sts_text_puts(&text, " bytes\n");
		sts_text_flush(&text);
		return;
	}
	put_head(&text, "==ERROR: LeakSanitizer: requested allocation size ");
	sts_text_hex(&text, size);
	sts_text_puts(&text, " exceeds maximum supported size of ");
	sts_text_hex(&text, sts_heap_most);
	sts_text_puts(&text, "\n");
	sts_text_flush(&text);
	show_stack(&text, stack);
	sts_text_puts(&text, "SUMMARY: LeakSanitizer: allocation-size-too-big\n");
	sts_text_flush(&text);
	_exit(sts_settings.exitcode != 0 ? sts_settings.exitcode : 1);
}

_Noreturn void sts_malloc_no_memory(const char *function)
{
	struct sts_text_out text = {.n = 0};

	sts_text_puts(&text, function);
	sts_text_puts(&text, ": out of memory\n");
	sts_text_flush(&text);
	abort();
}
