/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded text. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "decode/decode.h"

void sts_text_init(struct sts_text *t, char *buf, size_t cap)
{
	*t = (struct sts_text){.buf = buf, .cap = cap};
	buf[0] = '\0';
}

void sts_text_add(struct sts_text *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(t->buf + t->len, t->cap - t->len, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	t->cut |= (size_t)n >= t->cap - t->len;
	t->len += (size_t)n < t->cap - t->len ? (size_t)n : t->cap - t->len - 1;
}

void sts_text_add_char(struct sts_text *t, char c)
{
	if (t->len + 1 >= t->cap) {
		t->cut = true;
		return;
	}
	t->buf[t->len++] = c;
	t->buf[t->len] = '\0';
}

static void add_byte(struct sts_text *t, unsigned char c, bool digit_follows)
{
	static const char named[] = "\"\\\t\n\v\f\r", letters[] = "\"\\tnvfr";

	for (size_t i = 0; named[i]; i++) {
		if (c == (unsigned char)named[i]) {
			sts_text_add_char(t, '\\');
			sts_text_add_char(t, letters[i]);
			return;
		}
	}
	if (isascii(c) && isprint(c))
		sts_text_add_char(t, (char)c);
	else
		sts_text_add(t, digit_follows ? "\\%03o" : "\\%o", c);
}

static bool is_plain(const unsigned char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isascii(b[i]) || !(isprint(b[i]) || isspace(b[i])))
			return false;
	return true;
}

void sts_text_add_quoted(struct sts_text *t, const void *bytes, size_t len, unsigned flags)
{
	const unsigned char *b = bytes;
	bool hex = flags & STASIS_DECODE_ALL_HEX || (flags & STASIS_DECODE_HEX_STRINGS && !is_plain(b, len));

	sts_text_add_char(t, '"');
	for (size_t i = 0; i < len && !t->cut; i++) {
		if (hex)
			sts_text_add(t, "\\x%02x", b[i]);
		else
			add_byte(t, b[i], i + 1 < len && b[i + 1] >= '0' && b[i + 1] <= '7');
	}
	sts_text_add_char(t, '"');
}

void sts_text_add_lead(struct sts_text *t, const char *fd, const char *path)
{
	const size_t length = strlen(path), extra = strlen(STS_FD_DELETED);
	bool deleted = length >= extra && strcmp(path + length - extra, STS_FD_DELETED) == 0;

	sts_text_add(t, "%s<%.*s>%s", fd, (int)(deleted ? length - extra : length), path, deleted ? "(deleted)" : "");
}
