/* SPDX-License-Identifier: BSD-2-Clause */
/* Items, and the values they are made of. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "decode/show.h"

/* --- items ------------------------------------------------------------------------ */

void sts_put(struct sts_walk *w, const struct stasis_decode_item *item)
{
	w->sink->put(w->sink->arg, item);
}

void sts_put_number(struct sts_walk *w, enum stasis_decode_kind kind, const char *name, uint64_t value)
{
	sts_put(w, &(struct stasis_decode_item){.kind = kind, .name = name, .value = value});
}

void sts_put_symbol(struct sts_walk *w, const char *name, uint64_t value, const char *text)
{
	sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_SYMBOL, .name = name, .value = value, .text = text});
}

static void put_text(struct sts_walk *w, const char *name, uint64_t value, bool bare, const char *format, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof text, format, ap);
	sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_SYMBOL, .name = name, .value = value, .text = text,
						.bare = bare});
}

void sts_put_bare(struct sts_walk *w, const char *name, uint64_t value, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_text(w, name, value, true, format, ap);
	va_end(ap);
}

void sts_put_symbolf(struct sts_walk *w, const char *name, uint64_t value, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_text(w, name, value, false, format, ap);
	va_end(ap);
}

void sts_put_note(struct sts_walk *w, const char *text)
{
	sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_NOTE, .text = text});
}

void sts_put_notef(struct sts_walk *w, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	sts_put_note(w, text);
}

void sts_put_more(struct sts_walk *w)
{
	sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_MORE});
}

void sts_put_address(struct sts_walk *w, const char *name, uint64_t value)
{
	sts_put_number(w, STASIS_DECODE_ADDRESS, name, value);
}

void sts_put_bytes(struct sts_walk *w, const char *name, const void *bytes, size_t length, bool more)
{
	sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_BYTES, .name = name, .bytes = bytes, .length = length,
						.more = more});
}

void sts_put_fd(struct sts_walk *w, const char *name, int fd)
{
	char text[STS_FD_TEXT];
	bool known = w->d->fd_text && fd >= 0 && w->d->fd_text(w->d->arg, fd, text, sizeof text) >= 0;

	sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_FD, .name = name, .value = (uint64_t)(int64_t)fd,
						.text = known ? text : NULL});
}

static void put_dirfd(struct sts_walk *w, const char *name, int fd)
{
	char path[STS_FD_TEXT], text[STS_FD_TEXT + 16];
	struct sts_text out;

	if (fd != AT_FDCWD) {
		sts_put_fd(w, name, fd);
	} else if (w->d->fd_text && w->d->fd_text(w->d->arg, fd, path, sizeof path) >= 0) {
		sts_text_init(&out, text, sizeof text);
		sts_text_add_lead(&out, "AT_FDCWD", path);
		sts_put_symbol(w, name, (uint64_t)(int64_t)fd, text);
	} else {
		sts_put_symbol(w, name, (uint64_t)(int64_t)fd, "AT_FDCWD");
	}
}

void sts_begin(struct sts_walk *w, enum stasis_decode_kind kind, const char *name)
{
	w->depth++;
	sts_put(w, &(struct stasis_decode_item){.kind = kind, .name = name});
}

void sts_end(struct sts_walk *w)
{
	w->depth--;
	sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_END});
}

/* --- bits and values ---------------------------------------------------------------- */

static bool take_constant(struct sts_text *out, const struct sts_constant *c, uint64_t *left, uint64_t *fields,
			  bool first)
{
	if (c->mask) {
		/* Each field has one value: the first that fits. */
		if (*fields & c->mask || (*left & c->mask) != c->value)
			return false;
		*fields |= c->mask;
		*left &= ~c->mask;
	} else {
		if (c->value == 0 || (*left & c->value) != c->value)
			return false;
		*left &= ~c->value;
	}
	sts_text_add(out, "%s%s", first ? "" : "|", c->name);
	return true;
}

static const struct sts_constant *zero_of(const struct sts_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->constants[i].value == 0 && !set->constants[i].mask)
			return &set->constants[i];
	return NULL;
}

void sts_flags_text(struct sts_text *out, const struct sts_set *set, uint64_t value)
{
	const struct sts_constant *zero = value == 0 ? zero_of(set) : NULL;
	uint64_t left = value, fields = 0;
	bool first = true;

	for (size_t i = 0; i < set->n; i++)
		if (take_constant(out, &set->constants[i], &left, &fields, first))
			first = false;
	if (left && first)
		sts_text_add(out, "%#" PRIx64 " /* %s */", left, set->unknown);
	else if (left)
		sts_text_add(out, "|%#" PRIx64, left);
	else if (first)
		sts_text_add(out, "%s", zero ? zero->name : "0");
}

void sts_show_flags(struct sts_walk *w, const char *name, const struct sts_set *set, uint64_t value)
{
	char buf[4096];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	sts_flags_text(&text, set, value);
	sts_put_symbol(w, name, value, buf);
}

const char *sts_enum_name(const struct sts_set *set, uint64_t value)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->constants[i].value == value)
			return set->constants[i].name;
	return NULL;
}

void sts_show_enum(struct sts_walk *w, const char *name, const struct sts_set *set, uint64_t value)
{
	const char *text = sts_enum_name(set, value);

	/* Some values are negative, and held as 64 bits. */
	if (!text)
		text = sts_enum_name(set, (uint64_t)(int64_t)(int32_t)value);
	if (text)
		sts_put_symbol(w, name, value, text);
	else
		sts_put_symbolf(w, name, value, "%#" PRIx64 " /* %s */", value, set->unknown);
}

void sts_show_signal(struct sts_walk *w, const char *name, int signal)
{
	sts_put_symbol(w, name, (uint64_t)(int64_t)signal, sts_decode_signal(signal));
}

void sts_put_sigset(struct sts_walk *w, const char *name, uint64_t set)
{
	bool inverted = __builtin_popcountll(set) >= 32, first = true;
	uint64_t shown = inverted ? ~set : set;
	char buf[1024];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	sts_text_add(&text, inverted ? "~[" : "[");
	for (int signal = 1; signal <= 64; signal++) {
		if (!(shown & UINT64_C(1) << (signal - 1)))
			continue;
		sts_text_add(&text, "%s%s", first ? "" : " ", sts_decode_signal(signal) + 3);
		first = false;
	}
	sts_text_add(&text, "]");
	sts_put_symbol(w, name, set, buf);
}

void sts_mode_text(struct sts_text *out, uint64_t mode)
{
	static const struct {
		unsigned bits;
		const char *name;
	} kinds[] = {{0140000, "S_IFSOCK"}, {0120000, "S_IFLNK"}, {0100000, "S_IFREG"}, {0060000, "S_IFBLK"},
		     {0040000, "S_IFDIR"},  {0020000, "S_IFCHR"}, {0010000, "S_IFIFO"}},
	  bits[] = {{04000, "S_ISUID"}, {02000, "S_ISGID"}, {01000, "S_ISVTX"}};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if ((mode & 0170000) == kinds[i].bits)
			sts_text_add(out, "%s|", kinds[i].name);
	for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
		if (mode & bits[i].bits)
			sts_text_add(out, "%s|", bits[i].name);
	sts_text_add(out, "%#03o", (unsigned)mode & 0777);
}

void sts_device_text(struct sts_text *out, uint64_t dev)
{
	unsigned major_part = gnu_dev_major(dev), minor_part = gnu_dev_minor(dev);

	sts_text_add(out, "makedev(%#x, %#x)", major_part, minor_part);
}

static void show_device(struct sts_walk *w, const char *name, uint64_t dev)
{
	char buf[64];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	sts_device_text(&text, dev);
	sts_put_symbol(w, name, dev, buf);
}

/* --- by type -------------------------------------------------------------------------- */

static uint64_t fit(uint64_t value, unsigned width, bool has_sign)
{
	unsigned spare = 64 - 8 * (width < 8 ? width : 8);

	if (has_sign)
		return (uint64_t)((int64_t)(value << spare) >> spare);
	return value << spare >> spare;
}

static void show_number(struct sts_walk *w, const char *name, const struct sts_type *type, uint64_t value)
{
	static const enum stasis_decode_kind kinds[] = {
		[STS_SIGNED] = STASIS_DECODE_SIGNED,   [STS_UNSIGNED] = STASIS_DECODE_UNSIGNED,
		[STS_HEX] = STASIS_DECODE_HEX,	       [STS_OCTAL] = STASIS_DECODE_OCTAL,
		[STS_ADDRESS] = STASIS_DECODE_ADDRESS,
	};

	sts_put_number(w, kinds[type->kind], name, value);
}

static void show_id(struct sts_walk *w, const char *name, uint64_t value)
{
	bool all_ones = (uint32_t)value == UINT32_MAX;

	sts_put_number(w, all_ones ? STASIS_DECODE_SIGNED : STASIS_DECODE_UNSIGNED, name,
		       all_ones ? UINT64_MAX : value);
}

static void show_special(struct sts_walk *w, const char *name, const struct sts_type *type, uint64_t value)
{
	type->show(w, &(struct sts_value){name, value, type});
}

/* Numbers of a few bytes; what lies elsewhere is shown by its own kind. */
static void show_fitted(struct sts_walk *w, const char *name, const struct sts_type *type, uint64_t value)
{
	switch (type->kind) {
	case STS_ID:
		show_id(w, name, value);
		break;
	case STS_FD:
		sts_put_fd(w, name, (int)value);
		break;
	case STS_DIRFD:
		put_dirfd(w, name, (int)value);
		break;
	case STS_MODE:
	case STS_OPENMODE:
		sts_put_symbolf(w, name, value, "%#03o", (unsigned)value & 0xffff); /* as the kernel takes it */
		break;
	case STS_DEVICE:
		show_device(w, name, value);
		break;
	case STS_SIGNAL:
		sts_show_signal(w, name, (int)value);
		break;
	case STS_FLAGS:
		sts_show_flags(w, name, type->set, value);
		break;
	case STS_ENUM:
		sts_show_enum(w, name, type->set, value);
		break;
	default:
		show_number(w, name, type, value);
	}
}

void sts_show_typed(struct sts_walk *w, const char *name, const struct sts_type *type, uint64_t value)
{
	unsigned width = sts_width(w, type->width);

	switch (type->kind) {
	case STS_PATH:
		sts_show_path_at(w, name, value);
		break;
	case STS_STRING:
		sts_show_string_at(w, name, value, w->d->string_limit);
		break;
	case STS_SPECIAL:
		show_special(w, name, type, value);
		break;
	default:
		show_fitted(w, name, type, fit(value, width, type->kind == STS_SIGNED));
	}
}
