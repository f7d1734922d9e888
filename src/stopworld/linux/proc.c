// SPDX-License-Identifier: BSD-2-Clause
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>

#include "stopworld/linux/proc.h"
#include "stopworld/x86/raw.h"

static char path_buf[80], text_buf[16384];

int sts_proc_open(const char *path, int flags)
{
	return (int)RAW(openat, AT_FDCWD, path, flags | O_RDONLY | O_CLOEXEC, 0);
}

void sts_proc_close(int fd)
{
	RAW(close, fd);
}

static char *append(char *p, const char *text)
{
	while (*text != '\0')
		*p++ = *text++;
	*p = '\0';
	return p;
}

static char *append_number(char *p, uint32_t n)
{
	char digits[12];
	int i = sizeof(digits) - 1;

	digits[i] = '\0';
	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	return append(p, digits + i);
}

int sts_proc_next_char(struct sts_proc_reader *r)
{
	if (r->at == r->n) {
		r->n = RAW(read, r->fd, r->buf, r->size);
		r->at = 0;
		if (r->n <= 0) {
			r->n = 0;
			return -1;
		}
	}
	return (unsigned char)r->buf[r->at++];
}

static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return 16;
}

int sts_proc_next_hex(struct sts_proc_reader *r, uint64_t *ret)
{
	int c;

	*ret = 0;
	while ((c = sts_proc_next_char(r)) >= 0 && digit((char)c) < 16)
		*ret = *ret << 4 | digit((char)c);
	return c;
}

const char *sts_proc_path(const char *prefix, int32_t tid, const char *suffix)
{
	append(append_number(append(path_buf, prefix), (uint32_t)tid), suffix);
	return path_buf;
}

int sts_proc_read(const char *path, const char **ret)
{
	int fd = sts_proc_open(path, 0);
	long n, done = 0;

	if (fd < 0)
		return fd;
	do {
		n = RAW(read, fd, text_buf + done, (long)sizeof(text_buf) - 1 - done);
		done += n > 0 ? n : 0;
	} while (n > 0);
	sts_proc_close(fd);
	if (n < 0)
		return (int)n;
	text_buf[done] = '\0';
	*ret = text_buf;
	return (int)done;
}

static bool begins(const char *text, const char *key)
{
	while (*key != '\0') {
		if (*text++ != *key++)
			return false;
	}
	return true;
}

const char *sts_proc_field(const char *text, const char *key)
{
	while (*text != '\0') {
		if (begins(text, key)) {
			while (*key != '\0')
				text++, key++;
			while (*text == ' ' || *text == '\t')
				text++;
			return text;
		}
		while (*text != '\0' && *text++ != '\n')
			;
	}
	return NULL;
}

uint64_t sts_proc_number(const char **p, unsigned base)
{
	uint64_t n = 0;

	while (**p == ' ' || **p == '\t')
		++*p;
	if (base == 16 && (*p)[0] == '0' && (*p)[1] == 'x')
		*p += 2;
	for (; digit(**p) < base; ++*p)
		n = n * base + digit(**p);
	return n;
}

bool sts_proc_is_ours(int32_t pid)
{
	static int32_t asked_by;
	static bool ours;
	const char *p;

	if (asked_by == pid && ours)
		return true;
	if (sts_proc_read("/proc/self/stat", &p) <= 0)
		return false;
	asked_by = pid;
	ours = sts_proc_number(&p, 10) == (uint64_t)pid;
	return ours;
}
