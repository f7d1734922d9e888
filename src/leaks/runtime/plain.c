// SPDX-License-Identifier: BSD-2-Clause
/* The report as text by ourselves, where no reporter can be had: modules and offsets, which addr2line(1) can resolve.
 */
#include <asm/unistd.h>
#include <string.h>

#include "leaks/runtime/check.h"
#include "leaks/text.h"
#include "stopworld/x86/raw.h"

/* --- the items of the report --------------------------------------------------------------------------- */

/* The next of a kind; NULL at the end. */
static const void *next_item(const struct sts_out *out, size_t *at, uint32_t kind, uint32_t *size_ret)
{
	struct sts_raw_item item;

	while (*at + sizeof(item) <= out->size) {
		const char *payload = out->data + *at + sizeof(item);

		memcpy(&item, out->data + *at, sizeof(item));
		*at += sizeof(item) + item.size;
		if (item.kind == kind) {
			*size_ret = item.size;
			return payload;
		}
	}
	return NULL;
}

static void put_module(struct sts_text_out *t, const struct sts_out *out, const struct sts_raw_frame *f)
{
	struct sts_raw_module m;
	const char *p;
	uint32_t size;
	size_t at = 0;

	while ((p = next_item(out, &at, STS_RAW_MODULE, &size)) != NULL) {
		memcpy(&m, p, sizeof(m));
		if (m.id != f->module)
			continue;
		sts_text_puts(t, " (");
		sts_text_put(t, p + sizeof(m), size - sizeof(m));
		sts_text_puts(t, "+");
		sts_text_hex(t, f->pc - 1 - m.bias);
		sts_text_puts(t, ")");
		return;
	}
}

static void put_stack(struct sts_text_out *t, const struct sts_out *out, uint32_t id)
{
	struct sts_raw_stack s;
	struct sts_raw_frame f;
	const char *p;
	uint32_t size;
	size_t at = 0;

	do {
		p = next_item(out, &at, STS_RAW_STACK, &size);
		if (p != NULL)
			memcpy(&s, p, sizeof(s));
	} while (p != NULL && s.id != id);
	for (uint32_t i = 0; p != NULL && i < s.frames; i++) {
		memcpy(&f, p + sizeof(s) + i * sizeof(f), sizeof(f));
		sts_text_puts(t, "    #");
		sts_text_number(t, i);
		sts_text_puts(t, " ");
		sts_text_hex(t, f.pc - 1);
		put_module(t, out, &f);
		sts_text_puts(t, "\n");
	}
	sts_text_puts(t, "\n");
}

static const char *title(uint32_t class)
{
	switch (class) {
	case STS_RAW_DEFINITE:
		return "Direct leak of ";
	case STS_RAW_INDIRECT:
		return "Indirect leak of ";
	case STS_RAW_POSSIBLE:
		return "Possible leak of ";
	}
	return "Still reachable memory of ";
}

static void put_leak(struct sts_text_out *t, const struct sts_out *out, const struct sts_raw_leak *leak)
{
	sts_text_puts(t, title(leak->class));
	sts_text_number(t, leak->bytes);
	sts_text_puts(t, " byte(s) in ");
	sts_text_number(t, leak->blocks);
	sts_text_puts(t, " object(s) allocated from:\n");
	put_stack(t, out, leak->stack);
}

static void put_why(struct sts_text_out *t, int error)
{
	sts_text_puts(
		t, "Note: without names of functions, and suppressions by them, for no reporter could be had (error ");
	sts_text_number(t, (uint64_t)-error);
	sts_text_puts(t, "); run the program by 'stasis leaks', or name stasis in " STS_RAW_REPORTER_VARIABLE "\n");
}

void sts_plain_print(const struct sts_out *out, int error)
{
	static struct sts_text_out t; /* of one check at a time */
	uint64_t blocks = 0, bytes = 0;
	struct sts_raw_leak leak;
	const void *p;
	uint32_t size;
	size_t at = 0;

	t.n = 0;
	sts_text_puts(&t, "\n=================================================================\n==");
	sts_text_number(&t, (uint64_t)RAW(getpid));
	sts_text_puts(&t, "==ERROR: LeakSanitizer: detected memory leaks\n\n");
	while ((p = next_item(out, &at, STS_RAW_LEAK, &size)) != NULL) {
		memcpy(&leak, p, sizeof(leak));
		put_leak(&t, out, &leak);
		if (leak.class != STS_RAW_REACHABLE) {
			blocks += leak.blocks;
			bytes += leak.bytes;
		}
	}
	put_why(&t, error);
	sts_text_puts(&t, "SUMMARY: LeakSanitizer: ");
	sts_text_number(&t, bytes);
	sts_text_puts(&t, " byte(s) leaked in ");
	sts_text_number(&t, blocks);
	sts_text_puts(&t, " allocation(s).\n");
	sts_text_flush(&t);
}

void sts_say(const char *text, const char *more)
{
	struct sts_text_out t = {0};

	sts_text_puts(&t, "stasis leaks: ");
	sts_text_puts(&t, text);
	sts_text_puts(&t, more);
	sts_text_puts(&t, "\n");
	sts_text_flush(&t);
}
