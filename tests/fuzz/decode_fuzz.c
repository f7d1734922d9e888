// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any call with any arguments over any memory: items nest, text is ended, JSON is
 * JSON, nothing is read but through the callback.
 *
 * Input: ABI, flags, string limit, 2 bytes of the number, result, six arguments of
 * 8 bytes, and the memory: its bytes lie at every address, over and over, but for
 * some addresses that cannot be read.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 5 + 8 + 48, TEXT_SIZE = 1 << 16 };

struct memory {
	const uint8_t *bytes;
	size_t size;
};

static ssize_t read_memory(void *arg, uint64_t addr, void *buf, size_t len)
{
	const struct memory *m = arg;
	uint8_t *to = buf;

	if (m->size == 0 || addr < 16 || (addr & 0xf000) == 0x3000)
		return -1;
	if ((addr & 0xf000) == 0x4000 && len > 1)
		len /= 2;
	for (size_t i = 0; i < len; i++)
		to[i] = m->bytes[(addr + i) % m->size];
	return (ssize_t)len;
}

static int fd_text(void *arg, int fd, char *buf, size_t len)
{
	const struct memory *m = arg;

	if (fd % 3 == 0 || m->size == 0)
		return -1;
	memset(buf, 0, len);
	memcpy(buf, m->bytes, m->size < len - 1 ? m->size : len - 1);
	return 0;
}

static int uring(void *arg, int fd, struct stasis_decode_uring *ret)
{
	const struct memory *m = arg;

	if (m->size < sizeof *ret)
		return -1;
	memcpy(ret, m->bytes, sizeof *ret);
	return 0;
}

/* --- items ------------------------------------------------------------------------- */

struct counts {
	long depth, items;
};

static void count(void *arg, const struct stasis_decode_item *item)
{
	struct counts *c = arg;

	c->items++;
	if (item->kind == STASIS_DECODE_END)
		c->depth--;
	else if (item->kind < STASIS_DECODE_END)
		c->depth++;
	if (c->depth < 0 || c->depth > 20 || c->items > 1000000)
		abort();
	if ((item->kind == STASIS_DECODE_SYMBOL || item->kind == STASIS_DECODE_NOTE) && !item->text)
		abort();
	if (item->kind == STASIS_DECODE_BYTES && item->length > 0 && !item->bytes)
		abort();
}

/* --- JSON: what follows a value, or NULL --------------------------------------------- */

static const char *json_value(const char *s, int depth);

static const char *json_string(const char *s)
{
	if (*s++ != '"')
		return NULL;
	for (; *s != '"'; s++) {
		if ((unsigned char)*s < 0x20)
			return NULL;
		if (*s == '\\') {
			s++;
			if (*s == 'u') {
				for (int i = 1; i <= 4; i++)
					if (!isxdigit((unsigned char)s[i]))
						return NULL;
				s += 4;
			} else if (!*s || !strchr("\"\\/bfnrt", *s)) {
				return NULL;
			}
		}
	}
	return s + 1;
}

static const char *json_list(const char *s, char end, int depth)
{
	if (*s == end)
		return s + 1;
	for (;;) {
		if (end == '}') {
			s = json_string(s);
			if (!s || *s++ != ':')
				return NULL;
		}
		s = json_value(s, depth + 1);
		if (!s)
			return NULL;
		if (*s == end)
			return s + 1;
		if (*s++ != ',')
			return NULL;
	}
}

static const char *json_value(const char *s, int depth)
{
	if (depth > 64)
		return NULL;
	if (*s == '{' || *s == '[')
		return json_list(s + 1, *s == '{' ? '}' : ']', depth);
	if (*s == '"')
		return json_string(s);
	if (strncmp(s, "true", 4) == 0)
		return s + 4;
	s += *s == '-';
	if (!isdigit((unsigned char)*s))
		return NULL;
	while (isdigit((unsigned char)*s))
		s++;
	return s;
}

/* --- one input ------------------------------------------------------------------------- */

static void fill(struct stasis_event_syscall *call, const uint8_t *data)
{
	static const enum stasis_abi abis[] = {STASIS_ABI_X86_64, STASIS_ABI_I386, STASIS_ABI_X32, STASIS_ABI_UNKNOWN};

	*call = (struct stasis_event_syscall){.abi = abis[data[0] & 3], .number = data[3] | (data[4] & 7) << 8};
	memcpy(&call->result, data + 5, 8);
	memcpy(call->args, data + 13, 48);
	call->sp = call->args[5];
	call->is_error = call->result < 0 && call->result > -4096;
	for (int i = 0; i < 6 && call->abi == STASIS_ABI_I386; i++)
		call->args[i] = (uint32_t)call->args[i];
}

static void halves(struct stasis_decode *d, const struct stasis_event_syscall *call, char *buf)
{
	char result[4096];
	struct sts_text text, result_text;

	sts_text_init(&text, buf, TEXT_SIZE);
	sts_text_init(&result_text, result, sizeof result);
	sts_decode_enter(d, call, &text);
	sts_decode_leave(d, call, &text, &result_text);
	if (strlen(buf) != text.len || strlen(result) != result_text.len || (!text.cut && buf[text.len - 1] != ')'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[TEXT_SIZE];
	struct counts c = {0};
	struct stasis_event_syscall call;
	struct stasis_decode_uring ring = {.sqe_size = 64};
	struct stasis_decode_sink sink = {count, &c};
	int fd;

	if (size < HEAD)
		return 0;
	struct memory memory = {data + HEAD, size - HEAD};
	struct stasis_decode d = {.size = sizeof d,
				  .read = read_memory,
				  .arg = &memory,
				  .flags = data[1] & 15,
				  .string_limit = data[2] & 63};
	d.fd_text = data[1] & 16 ? fd_text : NULL;
	d.uring = data[1] & 32 ? uring : NULL;
	fill(&call, data);
	stasis_decode_call(&d, &call, &sink);
	if (c.depth != 0)
		abort();
	ssize_t n = stasis_decode_text(&d, &call, text, sizeof text);
	if (n >= 0 ? (size_t)n != strlen(text) : strlen(text) != sizeof text - 1)
		abort();
	if (stasis_decode_json(&d, &call, text, sizeof text) >= 0) {
		const char *end = json_value(text, 0);

		if (!end || *end)
			abort();
	}
	halves(&d, &call, text);
	stasis_decode_uring_track(&d, &call, &ring, &fd);
	return 0;
}
