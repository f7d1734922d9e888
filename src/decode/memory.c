/* SPDX-License-Identifier: BSD-2-Clause */
/* What lies in the caller's memory: strings, arrays, structures. */
#include <string.h>
#include "decode/walk.h"
#include "util/cleanup.h"

#define PATH_LIMIT 4096
#define BYTES_LIMIT 65536
#define BUFFER_LIMIT ((size_t)1 << 24)
#define CHUNK 4096

bool sts_read(const struct sts_walk *w, uint64_t addr, void *buf, size_t len)
{
	return len == 0 || (w->d->read && w->d->read(w->d->arg, addr, buf, len) == (ssize_t)len);
}

bool sts_read_uint(const struct sts_walk *w, uint64_t addr, unsigned width, uint64_t *ret)
{
	uint64_t value = 0;

	if (width > sizeof value || !sts_read(w, addr, &value, width))
		return false;
	*ret = value; /* x86 is little-endian */
	return true;
}

unsigned sts_word_size(const struct sts_walk *w)
{
	return w->abi == STS_ABI_64 ? 8 : 4;
}

unsigned sts_long_size(const struct sts_walk *w)
{
	return w->abi == STS_ABI_32 ? 4 : 8;
}

unsigned sts_width(const struct sts_walk *w, unsigned width)
{
	return width == STS_WORD ? sts_word_size(w) : width == STS_LONG ? sts_long_size(w) : width;
}

bool sts_is_verbose(const struct sts_walk *w)
{
	return w->d->flags & STASIS_DECODE_VERBOSE;
}

uint64_t sts_limit(const struct sts_walk *w)
{
	return w->d->string_limit < BYTES_LIMIT ? w->d->string_limit : BYTES_LIMIT;
}

/* --- strings ------------------------------------------------------------------ */

/*
 * As much of a string as there is before its NUL, the limit or the first page
 * that cannot be read; *ended_ret says whether the NUL was seen.
 */
static size_t read_string(const struct sts_walk *w, uint64_t addr, char *buf, size_t limit, bool *ended_ret)
{
	size_t len = 0;

	*ended_ret = false;
	while (len <= limit && w->d->read) {
		size_t want = 256 - (addr + len) % 256; /* never across a page for the sake of bytes not needed */
		ssize_t n =
			w->d->read(w->d->arg, addr + len, buf + len, want < limit + 1 - len ? want : limit + 1 - len);

		if (n <= 0)
			break;
		const char *end = memchr(buf + len, '\0', n);
		if (end) {
			*ended_ret = true;
			return end - buf;
		}
		len += n;
	}
	return len;
}

void sts_show_string_at(struct sts_walk *w, const char *name, uint64_t addr, size_t limit)
{
	char buf[PATH_LIMIT + 1];
	bool ended;

	if (limit > PATH_LIMIT)
		limit = PATH_LIMIT;
	size_t len = addr ? read_string(w, addr, buf, limit, &ended) : 0;
	if (!addr || (len == 0 && !ended))
		sts_put_address(w, name, addr);
	else
		sts_put_bytes(w, name, buf, len < limit ? len : limit, !ended);
}

void sts_show_path_at(struct sts_walk *w, const char *name, uint64_t addr)
{
	sts_show_string_at(w, name, addr, PATH_LIMIT);
}

void sts_show_bytes_at(struct sts_walk *w, const char *name, uint64_t addr, uint64_t length)
{
	char small[CHUNK], *buf = small;
	_cleanup_free_ char *big = NULL;
	uint64_t limit = w->d->string_limit < BUFFER_LIMIT ? w->d->string_limit : BUFFER_LIMIT;
	uint64_t shown = length < limit ? length : limit;

	if (addr && shown > sizeof small)
		buf = big = malloc(shown);
	if (!buf) {
		buf = small;
		shown = sizeof small;
	}
	if (!addr || !sts_read(w, addr, buf, shown))
		sts_put_address(w, name, addr);
	else
		sts_put_bytes(w, name, buf, shown, shown < length);
}

/* --- structures ----------------------------------------------------------------- */

size_t sts_struct_size(const struct sts_walk *w, const struct sts_struct *s)
{
	return s->abi[w->abi].size;
}

static uint64_t bytes_value(const uint8_t *bytes, unsigned width)
{
	uint64_t value = 0;

	memcpy(&value, bytes, width < 8 ? width : 8);
	return value;
}

static void show_chars(struct sts_walk *w, const char *name, const uint8_t *bytes, size_t size)
{
	const uint8_t *end = memchr(bytes, '\0', size);

	sts_put_bytes(w, name, bytes, end ? (size_t)(end - bytes) : size, false);
}

static void show_element(struct sts_walk *w, const char *name, const struct sts_field *f, uint64_t addr,
			 const uint8_t *bytes)
{
	switch (f->type.kind) {
	case STS_STRUCT:
		sts_begin(w, STASIS_DECODE_STRUCT, name);
		sts_show_fields(w, f->type.structure, addr, bytes, f->size, NULL, NULL);
		sts_end(w);
		break;
	case STS_CHARS:
		show_chars(w, name, bytes, f->size);
		break;
	case STS_BYTES:
		sts_put_bytes(w, name, bytes, f->size, false);
		break;
	default:
		sts_show_typed(w, name, &f->type, f->type.in_place ? addr : bytes_value(bytes, f->type.width));
	}
}

static void show_field(struct sts_walk *w, const struct sts_field *f, uint64_t addr, const uint8_t *bytes)
{
	if (f->count == 0) {
		show_element(w, f->name, f, addr, bytes);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, f->name);
	for (unsigned i = 0; i < f->count; i++)
		show_element(w, NULL, f, addr + i * f->size, bytes + i * f->size);
	sts_end(w);
}

void sts_show_fields(struct sts_walk *w, const struct sts_struct *s, uint64_t addr, const uint8_t *bytes, size_t len,
		     sts_hide *hide, const void *arg)
{
	const struct sts_layout *layout = &s->abi[w->abi];
	bool left_out = false;

	for (size_t i = 0; i < layout->n; i++) {
		const struct sts_field *f = &layout->fields[i];
		size_t end = f->offset + (size_t)f->size * (f->count ? f->count : 1);

		if (end > len || (hide && hide(f, arg)))
			continue;
		if (f->verbose && !sts_is_verbose(w))
			left_out = true;
		else
			show_field(w, f, addr + f->offset, bytes + f->offset);
	}
	if (left_out)
		sts_put_more(w);
}

bool sts_read_struct(const struct sts_walk *w, const struct sts_struct *s, uint64_t addr, uint8_t buf[STS_STRUCT_MAX])
{
	size_t size = sts_struct_size(w, s);

	return addr && size > 0 && size <= STS_STRUCT_MAX && sts_read(w, addr, buf, size);
}

void sts_show_struct_at(struct sts_walk *w, const char *name, const struct sts_struct *s, uint64_t addr, size_t limit)
{
	size_t size = sts_struct_size(w, s);
	uint8_t buf[STS_STRUCT_MAX];

	if (size > limit)
		size = limit;
	if (!addr || size == 0 || size > sizeof buf || !sts_read(w, addr, buf, size)) {
		sts_put_address(w, name, addr);
		return;
	}
	sts_begin(w, STASIS_DECODE_STRUCT, name);
	sts_show_fields(w, s, addr, buf, size, NULL, NULL);
	sts_end(w);
}

uint64_t sts_field_value(const struct sts_walk *w, const struct sts_struct *s, const uint8_t *bytes, const char *name)
{
	const struct sts_layout *layout = &s->abi[w->abi];

	for (size_t i = 0; i < layout->n; i++)
		if (strcmp(layout->fields[i].name, name) == 0)
			return bytes_value(bytes + layout->fields[i].offset, layout->fields[i].type.width);
	return 0;
}

/* --- arrays ----------------------------------------------------------------------- */

void sts_show_array(struct sts_walk *w, const char *name, uint64_t addr, uint64_t n, uint64_t size,
		    sts_element *element)
{
	uint64_t limit = sts_limit(w);
	uint8_t byte;

	if (!addr || (n > 0 && !sts_read(w, addr, &byte, 1))) {
		sts_put_address(w, name, addr);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, name);
	for (uint64_t i = 0; i < n; i++) {
		/* Past the limit, or where memory ends: it is said that there is more. */
		if (i >= limit || !sts_read(w, addr + i * size, &byte, 1)) {
			sts_put_more(w);
			break;
		}
		element(w, addr + i * size, i);
	}
	sts_end(w);
}
