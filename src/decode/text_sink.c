/* SPDX-License-Identifier: BSD-2-Clause */
/* Items as text, in strace's shape. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "decode/decode.h"

static const struct {
	const char *open, *between, *close;
} shapes[] = {
	[STASIS_DECODE_CALL] = {"(", ", ", ")"},     [STASIS_DECODE_RESULT] = {" (", ", ", ")"},
	[STASIS_DECODE_STRUCT] = {"{", ", ", "}"},   [STASIS_DECODE_ARRAY] = {"[", ", ", "]"},
	[STASIS_DECODE_CHANGE] = {"[", " => ", "]"}, [STASIS_DECODE_COMMENT] = {" /* ", ", ", " */"},
};

static struct sts_text_level *level(struct sts_text_sink *s)
{
	return &s->levels[s->depth];
}

static struct sts_text *target(struct sts_text_sink *s)
{
	return s->depth > 0 && s->levels[1].kind == STASIS_DECODE_RESULT ? s->result : s->out;
}

/* What stands between the value before and this one, and its name. */
static void lead_in(struct sts_text_sink *s, const struct stasis_decode_item *item)
{
	struct sts_text_level *l = level(s);
	struct sts_text *out = target(s);

	if (s->depth == 0)
		return;
	if (s->after)
		sts_text_add(out, " => ");
	else if (l->any)
		sts_text_add(out, "%s", shapes[l->kind].between);
	else if (l->kind == STASIS_DECODE_RESULT)
		sts_text_add(out, "%s", shapes[l->kind].open);
	l->any = true;
	s->after = false;
	if (!item->name || item->bare)
		return;
	if (l->kind == STASIS_DECODE_STRUCT)
		sts_text_add(out, "%s=", item->name);
	else if (l->kind == STASIS_DECODE_RESULT || l->kind == STASIS_DECODE_COMMENT)
		sts_text_add(out, "%s ", item->name);
}

static void open_container(struct sts_text_sink *s, const struct stasis_decode_item *item)
{
	if (s->depth + 1 >= STS_TEXT_DEPTH) {
		s->too_deep++;
		return;
	}
	if (item->kind == STASIS_DECODE_CALL)
		sts_text_add(s->out, "%s", item->name);
	else if (item->kind != STASIS_DECODE_COMMENT && item->kind != STASIS_DECODE_RESULT)
		lead_in(s, item);
	if (item->kind == STASIS_DECODE_RESULT)
		sts_text_add(s->result, "%s", item->text);
	else
		sts_text_add(target(s), "%s", shapes[item->kind].open);
	s->depth++;
	*level(s) = (struct sts_text_level){.kind = item->kind};
}

static void close_container(struct sts_text_sink *s)
{
	if (s->too_deep > 0) {
		s->too_deep--;
		return;
	}
	if (s->depth == 0)
		return;
	if (level(s)->kind != STASIS_DECODE_RESULT || level(s)->any)
		sts_text_add(target(s), "%s", shapes[level(s)->kind].close);
	s->depth--;
}

static void put_fd(struct sts_text *out, const struct stasis_decode_item *item)
{
	char number[24];

	snprintf(number, sizeof number, "%" PRId64, (int64_t)item->value);
	if (item->text)
		sts_text_add_lead(out, number, item->text);
	else
		sts_text_add(out, "%s", number);
}

static void put_value(struct sts_text_sink *s, struct sts_text *out, const struct stasis_decode_item *item)
{
	switch (item->kind) {
	case STASIS_DECODE_SIGNED:
		sts_text_add(out, "%" PRId64, (int64_t)item->value);
		break;
	case STASIS_DECODE_UNSIGNED:
		sts_text_add(out, "%" PRIu64, item->value);
		break;
	case STASIS_DECODE_OCTAL:
		sts_text_add(out, "%#" PRIo64, item->value);
		break;
	case STASIS_DECODE_ADDRESS:
		if (item->value)
			sts_text_add(out, "%#" PRIx64, item->value);
		else
			sts_text_add(out, "NULL");
		break;
	case STASIS_DECODE_FD:
		put_fd(out, item);
		break;
	case STASIS_DECODE_SYMBOL:
		sts_text_add(out, "%s", item->text);
		break;
	case STASIS_DECODE_BYTES:
		sts_text_add_quoted(out, item->bytes, item->length, s->flags);
		sts_text_add(out, "%s", item->more ? "..." : "");
		break;
	case STASIS_DECODE_MORE:
		sts_text_add(out, "...");
		break;
	default:
		sts_text_add(out, "%#" PRIx64, item->value);
	}
}

static void put(void *arg, const struct stasis_decode_item *item)
{
	struct sts_text_sink *s = arg;

	if (item->kind == STASIS_DECODE_END) {
		close_container(s);
	} else if (item->kind < STASIS_DECODE_END) {
		open_container(s, item);
	} else if (item->kind == STASIS_DECODE_AFTER) {
		s->after = true;
	} else if (item->kind == STASIS_DECODE_NOTE) {
		sts_text_add(target(s), " /* %s */", item->text);
	} else if (s->too_deep == 0) {
		lead_in(s, item);
		put_value(s, target(s), item);
	}
}

struct stasis_decode_sink sts_text_sink(struct sts_text_sink *s, struct sts_text *out, struct sts_text *result,
					unsigned flags, bool resumed)
{
	*s = (struct sts_text_sink){.out = out, .result = result, .flags = flags};
	if (resumed) {
		s->depth = 1;
		s->levels[1].kind = STASIS_DECODE_CALL;
	}
	return (struct stasis_decode_sink){put, s};
}

void sts_decode_enter(struct stasis_decode *d, const struct stasis_event_syscall *call, struct sts_text *out)
{
	struct sts_text_sink s;
	struct stasis_decode_sink sink = sts_text_sink(&s, out, out, d->flags, false);

	stasis_decode_enter(d, call, &sink);
	if (d->comma)
		sts_text_add(out, ", ");
}

void sts_decode_leave(struct stasis_decode *d, const struct stasis_event_syscall *call, struct sts_text *out,
		      struct sts_text *result)
{
	struct sts_text_sink s;
	struct stasis_decode_sink sink = sts_text_sink(&s, out, result, d->flags, true);

	s.levels[1].any = d->next > 0 && !d->comma;
	stasis_decode_leave(d, call, &sink);
}

ssize_t stasis_decode_text(struct stasis_decode *d, const struct stasis_event_syscall *call, char *buf, size_t size)
{
	char result[8192];
	struct sts_text out, result_text;
	struct sts_text_sink s;

	if (size == 0)
		return -ENOSPC;
	sts_text_init(&out, buf, size);
	sts_text_init(&result_text, result, sizeof result);
	struct stasis_decode_sink sink = sts_text_sink(&s, &out, &result_text, d->flags, false);
	stasis_decode_call(d, call, &sink);
	sts_text_add(&out, " = %s", result);
	return out.cut ? -ENOSPC : (ssize_t)out.len;
}
