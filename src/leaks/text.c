// SPDX-License-Identifier: BSD-2-Clause
#include <asm/unistd.h>
#include <errno.h>
#include <string.h>

#include "leaks/text.h"
#include "stopworld/x86/raw.h"

static void write_all(const char *bytes, size_t n)
{
	while (n > 0) {
		long done = RAW(write, 2, bytes, n);

		if (done == -EINTR)
			continue;
		if (done <= 0)
			return;
		bytes += done;
		n -= (size_t)done;
	}
}

void sts_text_flush(struct sts_text_out *t)
{
	write_all(t->bytes, t->n);
	t->n = 0;
}

void sts_text_put(struct sts_text_out *t, const char *more, size_t n)
{
	if (t->n + n > sizeof(t->bytes))
		sts_text_flush(t);
	if (n > sizeof(t->bytes)) {
		write_all(more, n);
		return;
	}
	memcpy(t->bytes + t->n, more, n);
	t->n += n;
}

void sts_text_puts(struct sts_text_out *t, const char *more)
{
	sts_text_put(t, more, strlen(more));
}

static void put_digits(struct sts_text_out *t, uint64_t n, unsigned base)
{
	char digits[24];
	size_t i = sizeof(digits);

	do
		digits[--i] = "0123456789abcdef"[n % base];
	while ((n /= base) != 0);
	sts_text_put(t, digits + i, sizeof(digits) - i);
}

void sts_text_number(struct sts_text_out *t, uint64_t n)
{
	put_digits(t, n, 10);
}

void sts_text_hex(struct sts_text_out *t, uint64_t n)
{
	sts_text_puts(t, "0x");
	put_digits(t, n, 16);
}
