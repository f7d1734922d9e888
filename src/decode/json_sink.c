/* SPDX-License-Identifier: BSD-2-Clause */
/* Items as JSON: numbers as numbers, bytes without loss. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "decode/decode.h"
#include "util/utf8.h"

static bool is_utf8(const unsigned char *s, size_t len)
{
	while (len > 0) {
		size_t n = sts_utf8_length(s, len);

		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

static void add_hex(struct sts_text *out, const unsigned char *s, size_t len)
{
	sts_text_add(out, "{\"hex\":\"");
	for (size_t i = 0; i < len && !out->cut; i++)
		sts_text_add(out, "%02x", s[i]);
	sts_text_add(out, "\"}");
}

static void add_string(struct sts_text *out, const unsigned char *s, size_t len)
{
	sts_text_add_char(out, '"');
	for (size_t i = 0; i < len && !out->cut; i++) {
		if (s[i] == '"' || s[i] == '\\')
			sts_text_add_char(out, '\\');
		if (s[i] < 0x20 || s[i] == 0x7f)
			sts_text_add(out, "\\u%04x", s[i]);
		else
			sts_text_add_char(out, (char)s[i]);
	}
	sts_text_add_char(out, '"');
}

void sts_json_add_string(struct sts_text *out, const char *s)
{
	size_t len = strlen(s);

	if (is_utf8((const unsigned char *)s, len))
		add_string(out, (const unsigned char *)s, len);
	else
		add_hex(out, (const unsigned char *)s, len);
}

static void add_bytes(struct sts_text *out, const struct stasis_decode_item *item)
{
	const unsigned char *s = item->bytes;
	bool text = is_utf8(s, item->length);

	if (!item->more) {
		if (text)
			add_string(out, s, item->length);
		else
			add_hex(out, s, item->length);
		return;
	}
	if (text) {
		sts_text_add(out, "{\"string\":");
		add_string(out, s, item->length);
	} else {
		add_hex(out, s, item->length);
		out->len--; /* its brace */
	}
	sts_text_add(out, ",\"more\":true}");
}

static bool is_keyed(enum stasis_decode_kind kind)
{
	return kind == STASIS_DECODE_CALL || kind == STASIS_DECODE_STRUCT || kind == STASIS_DECODE_RESULT;
}

/* The comma and the key. */
static void lead_in(struct sts_json *j, const char *name)
{
	if (j->depth == 0)
		return;
	if (j->levels[j->depth].any)
		sts_text_add_char(j->out, ',');
	j->levels[j->depth].any = true;
	if (!is_keyed(j->levels[j->depth].kind))
		return;
	if (name)
		sts_json_add_string(j->out, name);
	else
		sts_text_add(j->out, "\"note%u\"", ++j->comments);
	sts_text_add_char(j->out, ':');
}

static void open_container(struct sts_json *j, const struct stasis_decode_item *item)
{
	if (j->depth + 1 >= STS_TEXT_DEPTH) {
		j->too_deep++;
		return;
	}
	if (item->kind == STASIS_DECODE_CALL) {
		sts_text_add(j->out, "\"call\":");
		sts_json_add_string(j->out, item->name);
		sts_text_add(j->out, ",\"number\":%" PRIu64 ",\"args\":{", item->value);
	} else if (item->kind == STASIS_DECODE_RESULT) {
		sts_text_add(j->out, ",\"result\":{\"value\":%" PRId64 ",\"text\":", (int64_t)item->value);
		sts_json_add_string(j->out, item->text);
	} else {
		lead_in(j, item->name);
		sts_text_add_char(j->out, item->kind == STASIS_DECODE_STRUCT ? '{' : '[');
	}
	j->depth++;
	j->levels[j->depth].kind = item->kind;
	j->levels[j->depth].any = item->kind == STASIS_DECODE_RESULT;
}

static void close_container(struct sts_json *j)
{
	if (j->too_deep > 0)
		j->too_deep--;
	else if (j->depth > 0)
		sts_text_add(j->out, "%s", is_keyed(j->levels[j->depth--].kind) ? "}" : "]");
	/* The object of the call is closed after its result. */
}

/* Beyond this a reader whose numbers are doubles loses digits. */
#define SAFE (INT64_C(1) << 53)

/* A number; with what it means, or with its digits where it is not safe, as text beside it. */
static void put_number(struct sts_text *out, const struct stasis_decode_item *item)
{
	int64_t value = (int64_t)item->value;
	bool has_sign = item->kind == STASIS_DECODE_SIGNED || item->kind == STASIS_DECODE_FD ||
			(item->kind == STASIS_DECODE_SYMBOL && value < 0 && value >= INT32_MIN); /* AT_FDCWD */
	bool safe = has_sign ? value <= SAFE && value >= -SAFE : item->value <= SAFE;

	if (item->text || !safe)
		sts_text_add(out, "{\"value\":");
	sts_text_add(out, has_sign ? "%" PRId64 : "%" PRIu64, item->value);
	if (item->text) {
		sts_text_add(out, ",\"text\":");
		sts_json_add_string(out, item->text);
	} else if (!safe) {
		sts_text_add(out, has_sign ? ",\"text\":\"%" PRId64 "\"" : ",\"text\":\"%#" PRIx64 "\"", item->value);
	}
	if (item->text || !safe)
		sts_text_add_char(out, '}');
}

static void put_value(struct sts_text *out, const struct stasis_decode_item *item)
{
	switch (item->kind) {
	case STASIS_DECODE_BYTES:
		add_bytes(out, item);
		break;
	case STASIS_DECODE_MORE:
		sts_text_add(out, "\"...\"");
		break;
	case STASIS_DECODE_NOTE:
		sts_json_add_string(out, item->text);
		break;
	default:
		put_number(out, item);
	}
}

static void put(void *arg, const struct stasis_decode_item *item)
{
	struct sts_json *j = arg;

	if (item->kind == STASIS_DECODE_END) {
		close_container(j);
	} else if (item->kind < STASIS_DECODE_END) {
		open_container(j, item);
	} else if (j->too_deep == 0 && item->kind != STASIS_DECODE_AFTER) {
		lead_in(j, item->name);
		put_value(j->out, item);
	}
}

void sts_json_enter(struct stasis_decode *d, const struct stasis_event_syscall *call, struct sts_json *j,
		    struct sts_text *out)
{
	struct stasis_decode_sink sink = {put, j};

	*j = (struct sts_json){.out = out};
	stasis_decode_enter(d, call, &sink);
}

void sts_json_leave(struct stasis_decode *d, const struct stasis_event_syscall *call, struct sts_json *j,
		    struct sts_text *out)
{
	struct stasis_decode_sink sink = {put, j};

	j->out = out;
	stasis_decode_leave(d, call, &sink);
}

ssize_t stasis_decode_json(struct stasis_decode *d, const struct stasis_event_syscall *call, char *buf, size_t size)
{
	struct sts_text out;
	struct sts_json j = {.out = &out};
	struct stasis_decode_sink sink = {put, &j};

	if (size == 0)
		return -ENOSPC;
	sts_text_init(&out, buf, size);
	sts_text_add_char(&out, '{');
	stasis_decode_call(d, call, &sink);
	sts_text_add_char(&out, '}');
	return out.cut ? -ENOSPC : (ssize_t)out.len;
}
