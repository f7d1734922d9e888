/* SPDX-License-Identifier: BSD-2-Clause */
/* Files: attributes, vectors, offsets, fcntl, directories, mounts. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include "decode/show.h"

/* --- fields ------------------------------------------------------------------------ */

void sts_show_st_mode(struct sts_walk *w, const struct sts_value *v)
{
	char buf[80];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	sts_mode_text(&text, v->value);
	sts_put_symbol(w, v->name, v->value, buf);
}

void sts_show_filemode(struct sts_walk *w, const struct sts_value *v)
{
	sts_show_st_mode(w, &(struct sts_value){v->name, (uint32_t)v->value, v->type});
}

void sts_show_dev(struct sts_walk *w, const struct sts_value *v)
{
	char buf[64];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	sts_device_text(&text, v->value);
	sts_put_symbol(w, v->name, v->value, buf);
}

/* mknod's device is there for device files only. */
void sts_show_mkdev(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t mode = sts_reference(w);

	if (S_ISCHR(mode) || S_ISBLK(mode))
		sts_show_dev(w, &(struct sts_value){v->name, (uint32_t)v->value, v->type});
}

void sts_put_time_note(struct sts_walk *w, int64_t seconds, uint64_t fraction, int digits)
{
	struct tm local;
	char text[64], rest[32], zone[16];
	time_t when = seconds;

	if (!localtime_r(&when, &local) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local) == 0 ||
	    strftime(zone, sizeof zone, "%z", &local) == 0)
		return;
	struct sts_text note;
	sts_text_init(&note, rest, sizeof rest);
	if (fraction)
		sts_text_add(&note, ".%0*" PRIu64, digits, fraction);
	sts_text_add(&note, "%s", zone);
	sts_put_notef(w, "%s%s", text, rest);
}

void sts_show_time(struct sts_walk *w, const struct sts_value *v)
{
	sts_put_number(w, STASIS_DECODE_SIGNED, v->name, v->value);
	if (v->value)
		sts_put_time_note(w, (int64_t)v->value, 0, 0);
}

/* The fraction follows, as wide as the seconds. */
static void show_stat_time(struct sts_walk *w, const struct sts_value *v, unsigned width)
{
	uint64_t seconds = 0, fraction = 0;

	if (!sts_read_uint(w, v->value, width, &seconds) || !sts_read_uint(w, v->value + width, width, &fraction))
		return;
	int64_t whole = width == 4 ? (int32_t)seconds : (int64_t)seconds;
	sts_put_number(w, STASIS_DECODE_SIGNED, v->name, (uint64_t)whole);
	sts_put_time_note(w, whole, fraction, 9);
}

void sts_show_file_time8(struct sts_walk *w, const struct sts_value *v)
{
	show_stat_time(w, v, 8);
}

void sts_show_file_time4(struct sts_walk *w, const struct sts_value *v)
{
	show_stat_time(w, v, 4);
}

/* --- stat ---------------------------------------------------------------------------- */

/* A device has a number worth showing, all others a size. */
static bool hide_stat(const struct sts_field *field, const void *arg)
{
	const uint64_t *mode = arg;
	bool device = S_ISCHR(*mode) || S_ISBLK(*mode);

	return strcmp(field->name, device ? "st_size" : "st_rdev") == 0;
}

void sts_show_stat(struct sts_walk *w, const struct sts_value *v)
{
	const struct sts_struct *s = v->type->structure;
	uint8_t buf[STS_STRUCT_MAX];

	if (!sts_read_struct(w, s, v->value, buf)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	uint64_t mode = sts_field_value(w, s, buf, "st_mode");
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_show_fields(w, s, v->value, buf, sts_struct_size(w, s), hide_stat, &mode);
	sts_end(w);
}

/* What was not asked for, or the file system does not know, is not filled. */
static bool hide_statx(const struct sts_field *field, const void *arg)
{
	static const struct {
		const char *prefix;
		uint64_t bit;
	} parts[] = {{"stx_atime", STATX_ATIME},
		     {"stx_btime", STATX_BTIME},
		     {"stx_ctime", STATX_CTIME},
		     {"stx_mtime", STATX_MTIME},
		     {"stx_dio_", 0x2000 /* STATX_DIOALIGN */}};
	const uint64_t *mask = arg;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strncmp(field->name, parts[i].prefix, strlen(parts[i].prefix)) == 0)
			return !(*mask & parts[i].bit);
	return false;
}

void sts_show_statx(struct sts_walk *w, const struct sts_value *v)
{
	const struct sts_struct *s = &struct_statx;
	uint8_t buf[STS_STRUCT_MAX];

	if (!sts_read_struct(w, s, v->value, buf)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	uint64_t mask = sts_field_value(w, s, buf, "stx_mask");
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_show_fields(w, s, v->value, buf, sts_struct_size(w, s), hide_statx, &mask);
	sts_end(w);
}

void sts_show_statx_time(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t seconds = 0, fraction = 0;

	if (!sts_read_uint(w, v->value, 8, &seconds) || !sts_read_uint(w, v->value + 8, 4, &fraction))
		return;
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_put_number(w, STASIS_DECODE_SIGNED, "tv_sec", seconds);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "tv_nsec", fraction);
	sts_end(w);
	if (seconds || fraction)
		sts_put_time_note(w, (int64_t)seconds, fraction, 9);
}

/* --- vectors -------------------------------------------------------------------------- */

struct vector {
	uint64_t left; /* bytes that were transferred and not yet shown */
	bool limited, plain;
};

static void show_vector_element(struct sts_walk *w, uint64_t addr, struct vector *vector)
{
	unsigned word = sts_word_size(w);
	uint64_t base = 0, length = 0;

	if (!sts_read_uint(w, addr, word, &base) || !sts_read_uint(w, addr + word, word, &length)) {
		sts_put_more(w);
		return;
	}
	uint64_t shown = vector->limited && vector->left < length ? vector->left : length;
	vector->left -= vector->limited ? shown : 0;
	sts_begin(w, STASIS_DECODE_STRUCT, NULL);
	if (vector->plain)
		sts_put_address(w, "iov_base", base);
	else
		sts_show_bytes_at(w, "iov_base", base, shown);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "iov_len", length);
	sts_end(w);
}

static void show_vector(struct sts_walk *w, const char *name, uint64_t addr, uint64_t n, struct vector vector)
{
	unsigned size = 2 * sts_word_size(w);
	uint8_t probe;

	if (!addr || (n > 0 && !sts_read(w, addr, &probe, 1))) {
		sts_put_address(w, name, addr);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, name);
	for (uint64_t i = 0; i < n; i++) {
		if (i >= sts_limit(w) || !sts_read(w, addr + i * size, &probe, 1)) {
			sts_put_more(w);
			break;
		}
		show_vector_element(w, addr + i * size, &vector);
	}
	sts_end(w);
}

void sts_show_vector_at(struct sts_walk *w, const char *name, uint64_t addr, uint64_t n, bool limited, uint64_t bytes)
{
	show_vector(w, name, addr, n, (struct vector){.limited = limited, .left = bytes});
}

/* What is read fills as much of the buffers as the result says. */
void sts_show_iovec(struct sts_walk *w, const struct sts_value *v)
{
	bool out = w->arg->direction == STS_OUT;

	if (out && sts_failed(w)) {
		sts_show_iovec_ptr(w, v);
		return;
	}
	sts_show_vector_at(w, v->name, v->value, sts_count(w), out, out ? (uint64_t)w->call->result : 0);
}

/* Buffers in another process. */
void sts_show_iovec_ptr(struct sts_walk *w, const struct sts_value *v)
{
	show_vector(w, v->name, v->value, sts_count(w), (struct vector){.plain = true});
}

/* --- what is changed in place --------------------------------------------------------------- */

static bool saved(const struct sts_walk *w, unsigned width, uint64_t *ret)
{
	*ret = width == 4 ? (uint32_t)w->d->saved[w->index] : w->d->saved[w->index];
	return w->d->saved_mask & 1u << w->index;
}

void sts_show_inout_u32(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t now, before;

	if (!v->value || !sts_read_uint(w, v->value, 4, &now)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	bool changed = saved(w, 4, &before) && before != now && !sts_failed(w);
	sts_begin(w, changed ? STASIS_DECODE_CHANGE : STASIS_DECODE_ARRAY, v->name);
	if (changed)
		sts_put_number(w, STASIS_DECODE_UNSIGNED, NULL, before);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, NULL, now);
	sts_end(w);
}

static void show_offset(struct sts_walk *w, const struct sts_value *v, unsigned width)
{
	uint64_t now, before;

	if (!v->value || !sts_read_uint(w, v->value, width, &now)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	if (saved(w, width, &before) && before != now) {
		sts_put_symbolf(w, v->name, now, "[%" PRId64 "] => [%" PRId64 "]", (int64_t)before, (int64_t)now);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, v->name);
	sts_put_number(w, STASIS_DECODE_SIGNED, NULL, now);
	sts_end(w);
}

void sts_show_inout_s64(struct sts_walk *w, const struct sts_value *v)
{
	show_offset(w, v, 8);
}

void sts_show_inout_s32(struct sts_walk *w, const struct sts_value *v)
{
	show_offset(w, v, 4);
}

/* --- offsets -------------------------------------------------------------------------------- */

void sts_show_pageoff(struct sts_walk *w, const struct sts_value *v)
{
	sts_put_number(w, STASIS_DECODE_HEX, v->name, (uint64_t)(uint32_t)v->value << 12);
}

/* _llseek's offset is one number in two arguments. */
void sts_show_llseek_high(struct sts_walk *w, const struct sts_value *v)
{
	sts_put_number(w, STASIS_DECODE_SIGNED, "offset", w->values[1] << 32 | (uint32_t)w->values[2]);
}

void sts_show_nothing(struct sts_walk *w, const struct sts_value *v)
{
}

/* The new address is looked at with these flags only. */
void sts_show_mremap_addr(struct sts_walk *w, const struct sts_value *v)
{
	if (sts_reference(w) & (MREMAP_FIXED | 4 /* MREMAP_DONTUNMAP */))
		sts_put_address(w, v->name, v->value);
}

static void show_residence(struct sts_walk *w, uint64_t addr, uint64_t index)
{
	uint64_t value;

	if (sts_read_uint(w, addr, 1, &value))
		sts_put_number(w, STASIS_DECODE_UNSIGNED, NULL, value & 1);
}

void sts_show_mincore(struct sts_walk *w, const struct sts_value *v)
{
	sts_show_array(w, v->name, v->value, sts_count(w) / 4096 + (sts_count(w) % 4096 > 0), 1, show_residence);
}

/* The size of huge pages is a logarithm in the top bits. */
void sts_show_mmap_flags(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t flags = (uint32_t)v->value, huge = flags >> 26;
	char buf[512];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	sts_flags_text(&text, &set_mmap, flags & 0x3ffffff);
	if (huge)
		sts_text_add(&text, "|%u<<MAP_HUGE_SHIFT", (unsigned)huge);
	sts_put_symbol(w, v->name, flags, buf);
}

/* A priority below, flags above. */
void sts_show_swap_flags(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t flags = (uint32_t)v->value, priority = flags & 0x7fff;
	char buf[256];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	if (flags != priority)
		sts_flags_text(&text, &set_swap, flags - priority);
	if (priority || flags == 0)
		sts_text_add(&text, "%s%u", flags == priority ? "" : "|", (unsigned)priority);
	sts_put_symbol(w, v->name, flags, buf);
}

/* --- directories -------------------------------------------------------------------------------- */

/* One entry: numbers of some width, its length, its kind, its name. */
struct entry {
	unsigned width;	   /* of inode and offset */
	bool kind_is_last; /* in the last byte, behind the name */
};

static void show_entry(struct sts_walk *w, uint64_t addr, uint64_t length, const struct entry *e)
{
	unsigned head = 2 * e->width + 2 + !e->kind_is_last;
	uint64_t inode = 0, offset = 0, kind = 0;

	if (length <= head || !sts_read_uint(w, addr, e->width, &inode) ||
	    !sts_read_uint(w, addr + e->width, e->width, &offset) ||
	    !sts_read_uint(w, e->kind_is_last ? addr + length - 1 : addr + head - 1, 1, &kind)) {
		sts_put_more(w);
		return;
	}
	sts_begin(w, STASIS_DECODE_STRUCT, NULL);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "d_ino", inode);
	sts_put_number(w, e->kind_is_last ? STASIS_DECODE_UNSIGNED : STASIS_DECODE_SIGNED, "d_off", offset);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "d_reclen", length);
	if (!e->kind_is_last)
		sts_show_enum(w, "d_type", &set_dtype, kind);
	sts_show_string_at(w, "d_name", addr + head, length - head);
	if (e->kind_is_last)
		sts_show_enum(w, "d_type", &set_dtype, kind);
	sts_end(w);
}

/* How many entries there are; each is shown if wanted. */
static unsigned walk_entries(struct sts_walk *w, const struct sts_value *v, const struct entry *e, bool show)
{
	uint64_t end = w->call->result > 0 ? (uint64_t)w->call->result : 0, length;
	unsigned n = 0;

	for (uint64_t done = 0; done < end && n < 100000; done += length, n++) {
		if (!sts_read_uint(w, v->value + done + 2 * e->width, 2, &length) || length == 0)
			break;
		if (show)
			show_entry(w, v->value + done, length, e);
	}
	return n;
}

static void show_entries(struct sts_walk *w, const struct sts_value *v, const struct entry *e)
{
	if (sts_is_verbose(w)) {
		sts_begin(w, STASIS_DECODE_ARRAY, v->name);
		walk_entries(w, v, e, true);
		sts_end(w);
		return;
	}
	sts_put_address(w, v->name, v->value);
	sts_put_notef(w, "%u entries", walk_entries(w, v, e, false));
}

void sts_show_dents(struct sts_walk *w, const struct sts_value *v)
{
	show_entries(w, v, &(struct entry){8, false});
}

void sts_show_dents_old(struct sts_walk *w, const struct sts_value *v)
{
	show_entries(w, v, &(struct entry){sts_long_size(w), true});
}

/* --- times of files -------------------------------------------------------------------------------- */

struct times {
	unsigned width; /* of each half */
	const char *fraction;
	int digits;
};

static void show_file_time(struct sts_walk *w, uint64_t addr, const struct times *t)
{
	uint64_t seconds = 0, fraction = 0;

	if (!sts_read_uint(w, addr, t->width, &seconds) || !sts_read_uint(w, addr + t->width, t->width, &fraction)) {
		sts_put_address(w, NULL, addr);
		return;
	}
	if (t->digits == 9 && (fraction == UTIME_NOW || fraction == UTIME_OMIT)) {
		sts_put_symbol(w, NULL, fraction, fraction == UTIME_NOW ? "UTIME_NOW" : "UTIME_OMIT");
		return;
	}
	int64_t whole = t->width == 4 ? (int32_t)seconds : (int64_t)seconds;
	sts_begin(w, STASIS_DECODE_STRUCT, NULL);
	sts_put_number(w, STASIS_DECODE_SIGNED, "tv_sec", (uint64_t)whole);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, t->fraction, fraction);
	sts_end(w);
	if (whole || fraction)
		sts_put_time_note(w, whole, fraction, t->digits);
}

static void show_file_times(struct sts_walk *w, const struct sts_value *v, const struct times *t)
{
	uint8_t probe[32];

	if (!v->value || !sts_read(w, v->value, probe, 4 * t->width)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, v->name);
	show_file_time(w, v->value, t);
	show_file_time(w, v->value + 2 * t->width, t);
	sts_end(w);
}

void sts_show_utimes(struct sts_walk *w, const struct sts_value *v)
{
	show_file_times(w, v, &(struct times){sts_long_size(w), "tv_nsec", 9});
}

void sts_show_utimes64(struct sts_walk *w, const struct sts_value *v)
{
	show_file_times(w, v, &(struct times){8, "tv_nsec", 9});
}

void sts_show_utimevals(struct sts_walk *w, const struct sts_value *v)
{
	show_file_times(w, v, &(struct times){sts_long_size(w), "tv_usec", 6});
}

/* Room of no size is a question for the size: nothing was written. */
void sts_show_filled(struct sts_walk *w, const struct sts_value *v)
{
	if (sts_reference(w) == 0)
		sts_put_address(w, v->name, v->value);
	else
		sts_show_bytes_at(w, v->name, v->value, w->call->result > 0 ? (uint64_t)w->call->result : 0);
}

/* --- openat2 ------------------------------------------------------------------------ */

static bool hide_mode(const struct sts_field *field, const void *arg)
{
	const uint64_t *how = arg;

	return strcmp(field->name, "mode") == 0 && how[1] == 0 && !(how[0] & O_CREAT);
}

void sts_show_open_how(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t how[3] = {0}, size = sts_reference(w);

	if (!v->value || size < sizeof how || !sts_read(w, v->value, how, sizeof how)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_show_fields(w, &struct_open_how, v->value, (const uint8_t *)how, sizeof how, hide_mode, how);
	sts_end(w);
}

/* --- mounts, handles, quotas ---------------------------------------------------------------------- */

void sts_show_mount_data(struct sts_walk *w, const struct sts_value *v)
{
	sts_show_string_at(w, v->name, v->value, sts_limit(w));
}

void sts_show_fsconfig_value(struct sts_walk *w, const struct sts_value *v)
{
	enum { SET_STRING = 1, SET_BINARY = 2, SET_PATH = 3, SET_PATH_EMPTY = 4 };
	uint64_t command = sts_reference(w);

	if (command == SET_STRING)
		sts_show_string_at(w, v->name, v->value, sts_limit(w));
	else if (command == SET_PATH || command == SET_PATH_EMPTY)
		sts_show_path_at(w, v->name, v->value);
	else if (command == SET_BINARY)
		sts_show_bytes_at(w, v->name, v->value, (uint32_t)w->values[4]);
	else
		sts_put_address(w, v->name, v->value);
}

void sts_show_file_handle(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t bytes = 0, type = 0;

	if (!v->value || !sts_read_uint(w, v->value, 4, &bytes) || !sts_read_uint(w, v->value + 4, 4, &type)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "handle_bytes", bytes);
	if (!sts_failed(w)) {
		sts_put_number(w, STASIS_DECODE_HEX, "handle_type", type);
		sts_show_bytes_at(w, "f_handle", v->value + 8, bytes < 128 ? bytes : 128);
	}
	sts_end(w);
}

static void add_named(struct sts_text *text, const struct sts_set *set, uint64_t value)
{
	const char *name = sts_enum_name(set, value);

	if (name)
		sts_text_add(text, "%s", name);
	else
		sts_text_add(text, "%#" PRIx64 " /* %s */", value, set->unknown);
}

void sts_show_quotactl(struct sts_walk *w, const struct sts_value *v)
{
	char buf[128];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	sts_text_add(&text, "QCMD(");
	add_named(&text, &set_quota, (uint32_t)v->value >> 8);
	sts_text_add(&text, ", ");
	add_named(&text, &set_quota_type, v->value & 0xff);
	sts_text_add(&text, ")");
	sts_put_symbol(w, v->name, v->value, buf);
}
