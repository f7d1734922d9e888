// SPDX-License-Identifier: BSD-2-Clause
/* The report as text by ourselves, where no reporter can be had: modules and offsets, which addr2line(1) can resolve.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <string.h>

#include "leaks/runtime/check.h"
#include "leaks/runtime/settings.h"
#include "stopworld/x86/raw.h"

struct text {
	size_t n;
	char buf[4096];
};

static void flush(struct text *t)
{
	size_t at = 0;
	long n;

	while (at < t->n) {
		n = RAW(write, 2, t->buf + at, t->n - at);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	t->n = 0;
}

static void put(struct text *t, const char *more, size_t n)
{
	if (n > sizeof(t->buf))
		n = sizeof(t->buf);
	if (t->n + n > sizeof(t->buf))
		flush(t);
	memcpy(t->buf + t->n, more, n);
	t->n += n;
}

static void puts_(struct text *t, const char *more)
{
	put(t, more, strlen(more));
}

static void put_number(struct text *t, uint64_t n, unsigned base)
{
	char digits[24];
	size_t i = sizeof(digits);

	do
		digits[--i] = "0123456789abcdef"[n % base];
	while ((n /= base) != 0);
	put(t, digits + i, sizeof(digits) - i);
}

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

static void put_module(struct text *t, const struct sts_out *out, const struct sts_raw_frame *f)
{
	struct sts_raw_module m;
	const char *p;
	uint32_t size;
	size_t at = 0;

	while ((p = next_item(out, &at, STS_RAW_MODULE, &size)) != NULL) {
		memcpy(&m, p, sizeof(m));
		if (m.id != f->module)
			continue;
		puts_(t, " (");
		put(t, p + sizeof(m), size - sizeof(m));
		puts_(t, "+0x");
		put_number(t, f->pc - 1 - m.bias, 16);
		puts_(t, ")");
		return;
	}
}

static void put_stack(struct text *t, const struct sts_out *out, uint32_t id)
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
		puts_(t, "    #");
		put_number(t, i, 10);
		puts_(t, " 0x");
		put_number(t, f.pc - 1, 16);
		put_module(t, out, &f);
		puts_(t, "\n");
	}
	puts_(t, "\n");
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

static void put_leak(struct text *t, const struct sts_out *out, const struct sts_raw_leak *leak)
{
	puts_(t, title(leak->class));
	put_number(t, leak->bytes, 10);
	puts_(t, " byte(s) in ");
	put_number(t, leak->blocks, 10);
	puts_(t, " object(s) allocated from:\n");
	put_stack(t, out, leak->stack);
}

static void put_why(struct text *t, int error)
{
	puts_(t, "Note: without names of functions, and suppressions by them, for no reporter could be had (error ");
	put_number(t, (uint64_t)-error, 10);
	puts_(t, "); run the program by 'stasis leaks', or name stasis in " STS_RAW_REPORTER_VARIABLE "\n");
}

void sts_plain_print(const struct sts_out *out, int error)
{
	static struct text t; /* of one check at a time */
	uint64_t blocks = 0, bytes = 0;
	struct sts_raw_leak leak;
	const void *p;
	uint32_t size;
	size_t at = 0;

	t.n = 0;
	puts_(&t, "\n=================================================================\n==");
	put_number(&t, (uint64_t)RAW(getpid), 10);
	puts_(&t, "==ERROR: LeakSanitizer: detected memory leaks\n\n");
	while ((p = next_item(out, &at, STS_RAW_LEAK, &size)) != NULL) {
		memcpy(&leak, p, sizeof(leak));
		put_leak(&t, out, &leak);
		if (leak.class != STS_RAW_REACHABLE) {
			blocks += leak.blocks;
			bytes += leak.bytes;
		}
	}
	put_why(&t, error);
	puts_(&t, "SUMMARY: LeakSanitizer: ");
	put_number(&t, bytes, 10);
	puts_(&t, " byte(s) leaked in ");
	put_number(&t, blocks, 10);
	puts_(&t, " allocation(s).\n");
	flush(&t);
}

void sts_say(const char *text, const char *more)
{
	struct text t = {0};

	puts_(&t, "stasis leaks: ");
	puts_(&t, text);
	puts_(&t, more);
	puts_(&t, "\n");
	flush(&t);
}
