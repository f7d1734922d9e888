/* SPDX-License-Identifier: BSD-2-Clause */
/* Items as JSON: numbers as numbers, bytes without loss. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "decode/decode.h"

#define DEPTH 24

struct json {
	struct sts_text *out;
	int depth, too_deep;
	struct {
		enum stasis_decode_kind kind;
		bool any;
	} levels[DEPTH];
	unsigned comments; /* for keys that no two comments share */
};

/* The length of the UTF-8 sequence at s, 0 if it is none (overlong and surrogate ones included). */
static size_t utf8_length(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80		   ? 1
		   : (s[0] & 0xe0) == 0xc0 ? 2
		   : (s[0] & 0xf0) == 0xe0 ? 3
		   : (s[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code = n < 2 ? s[0] : s[0] & (0x7f >> n);

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

static bool is_utf8(const unsigned char *s, size_t len)
{
	while (len > 0) {
		size_t n = utf8_length(s, len);

		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
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

static void add_text(struct sts_text *out, const char *s)
{
	add_string(out, (const unsigned char *)s, strlen(s));
}

static void add_bytes(struct sts_text *out, const struct stasis_decode_item *item)
{
	const unsigned char *s = item->bytes;
	bool text = is_utf8(s, item->length);

	if (text && !item->more) {
		add_string(out, s, item->length);
		return;
	}
	sts_text_add(out, text ? "{\"string\":" : "{\"hex\":\"");
	if (text)
		add_string(out, s, item->length);
	for (size_t i = 0; !text && i < item->length && !out->cut; i++)
		sts_text_add(out, "%02x", s[i]);
	sts_text_add(out, "%s%s}", text ? "" : "\"", item->more ? ",\"more\":true" : "");
}

static bool is_keyed(enum stasis_decode_kind kind)
{
	return kind == STASIS_DECODE_CALL || kind == STASIS_DECODE_STRUCT || kind == STASIS_DECODE_RESULT;
}

/* The comma and the key. */
static void lead_in(struct json *j, const char *name)
{
	if (j->depth == 0)
		return;
	if (j->levels[j->depth].any)
		sts_text_add_char(j->out, ',');
	j->levels[j->depth].any = true;
	if (!is_keyed(j->levels[j->depth].kind))
		return;
	if (name)
		add_text(j->out, name);
	else
		sts_text_add(j->out, "\"note%u\"", ++j->comments);
	sts_text_add_char(j->out, ':');
}

static void open_container(struct json *j, const struct stasis_decode_item *item)
{
	if (j->depth + 1 >= DEPTH) {
		j->too_deep++;
		return;
	}
	if (item->kind == STASIS_DECODE_CALL) {
		sts_text_add(j->out, "{\"call\":");
		add_text(j->out, item->name);
		sts_text_add(j->out, ",\"number\":%" PRIu64 ",\"args\":{", item->value);
	} else if (item->kind == STASIS_DECODE_RESULT) {
		sts_text_add(j->out, ",\"result\":{\"value\":%" PRId64 ",\"text\":", (int64_t)item->value);
		add_text(j->out, item->text);
	} else {
		lead_in(j, item->name);
		sts_text_add_char(j->out, item->kind == STASIS_DECODE_STRUCT ? '{' : '[');
	}
	j->depth++;
	j->levels[j->depth].kind = item->kind;
	j->levels[j->depth].any = item->kind == STASIS_DECODE_RESULT;
}

static void close_container(struct json *j)
{
	if (j->too_deep > 0)
		j->too_deep--;
	else if (j->depth > 0)
		sts_text_add(j->out, "%s", is_keyed(j->levels[j->depth--].kind) ? "}" : "]");
	/* The object of the call is closed after its result. */
}

static void put_value(struct sts_text *out, const struct stasis_decode_item *item)
{
	bool has_sign = item->kind == STASIS_DECODE_SIGNED || item->kind == STASIS_DECODE_FD;

	switch (item->kind) {
	case STASIS_DECODE_BYTES:
		add_bytes(out, item);
		break;
	case STASIS_DECODE_MORE:
		sts_text_add(out, "\"...\"");
		break;
	case STASIS_DECODE_NOTE:
		add_text(out, item->text);
		break;
	default:
		if (item->text)
			sts_text_add(out, "{\"value\":");
		sts_text_add(out, has_sign ? "%" PRId64 : "%" PRIu64, item->value);
		if (!item->text)
			break;
		sts_text_add(out, ",\"text\":");
		if (is_utf8((const unsigned char *)item->text, strlen(item->text)))
			add_text(out, item->text);
		else
			add_bytes(out, &(struct stasis_decode_item){.bytes = item->text, .length = strlen(item->text)});
		sts_text_add_char(out, '}');
	}
}

static void put(void *arg, const struct stasis_decode_item *item)
{
	struct json *j = arg;

	if (item->kind == STASIS_DECODE_END) {
		close_container(j);
	} else if (item->kind < STASIS_DECODE_END) {
		open_container(j, item);
	} else if (j->too_deep == 0 && item->kind != STASIS_DECODE_AFTER) {
		lead_in(j, item->name);
		put_value(j->out, item);
	}
}

ssize_t stasis_decode_json(struct stasis_decode *d, const struct stasis_event_syscall *call, char *buf, size_t size)
{
	struct sts_text out;
	struct json j = {.out = &out};
	struct stasis_decode_sink sink = {put, &j};

	if (size == 0)
		return -ENOSPC;
	sts_text_init(&out, buf, size);
	stasis_decode_call(d, call, &sink);
	sts_text_add_char(&out, '}');
	return out.cut ? -ENOSPC : (ssize_t)out.len;
}
