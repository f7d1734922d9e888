/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting and time: poll, select, epoll, what is left of a timeout, clocks. */
#include <errno.h>
#include <inttypes.h>
#include <time.h>
#include <string.h>
#include <sys/epoll.h>
#include "decode/show.h"

/* --- poll -------------------------------------------------------------------------------- */

struct polled {
	int32_t fd;
	uint16_t events, revents;
};

static void show_polled(struct sts_walk *w, uint64_t addr, uint64_t index)
{
	struct polled p;

	if (!sts_read(w, addr, &p, sizeof p)) {
		sts_put_more(w);
		return;
	}
	sts_begin(w, STASIS_DECODE_STRUCT, NULL);
	sts_put_fd(w, "fd", p.fd);
	if (p.fd >= 0)
		sts_show_flags(w, "events", &set_poll, p.events);
	sts_end(w);
}

void sts_show_pollfds(struct sts_walk *w, const struct sts_value *v)
{
	sts_show_array(w, v->name, v->value, sts_count(w), sizeof(struct polled), show_polled);
}

static void put_ready(struct sts_walk *w, uint64_t addr, uint64_t n)
{
	uint64_t shown = 0;
	struct polled p;

	sts_begin(w, STASIS_DECODE_ARRAY, NULL);
	for (uint64_t i = 0; i < n && sts_read(w, addr + i * sizeof p, &p, sizeof p); i++) {
		if (!p.revents)
			continue;
		if (shown++ >= sts_limit(w)) {
			sts_put_more(w);
			break;
		}
		sts_begin(w, STASIS_DECODE_STRUCT, NULL);
		sts_put_number(w, STASIS_DECODE_SIGNED, "fd", (uint64_t)(int64_t)p.fd);
		sts_show_flags(w, "revents", &set_poll, p.revents);
		sts_end(w);
	}
	sts_end(w);
}

/* ppoll and pselect6 write back what is left of the time. */
static void put_left(struct sts_walk *w, int index)
{
	const struct sts_arg *a = &w->format->args[index];

	if (a->type.kind == STS_STRUCT && w->values[index])
		sts_show_struct_at(w, "left", a->type.structure, w->values[index], SIZE_MAX);
}

void sts_show_result_poll(struct sts_walk *w, const struct sts_value *v)
{
	sts_begin_result(w, "%" PRId64, (int64_t)v->value);
	if (v->value == 0) {
		sts_put_symbol(w, NULL, 0, "Timeout");
	} else {
		put_ready(w, w->values[0], w->values[1]);
		put_left(w, 2);
	}
	sts_end(w);
}

/* --- select --------------------------------------------------------------------------------- */

#define FDSET_BYTES 128
#define FDSET_TEXT 32768 /* with what the descriptors lead to */

/* plain: without what the descriptors lead to, which the arguments have told. */
static bool fdset_text(struct sts_walk *w, uint64_t addr, int64_t n, bool plain, struct sts_text *out)
{
	uint8_t set[FDSET_BYTES];
	bool any = false;

	n = n < 0 ? 0 : n > FDSET_BYTES * 8 ? FDSET_BYTES * 8 : n;
	if (!sts_read(w, addr, set, (size_t)(n + 7) / 8))
		return false;
	sts_text_add(out, "[");
	for (int fd = 0; fd < n; fd++) {
		if (!(set[fd / 8] & 1 << fd % 8))
			continue;
		sts_text_add(out, "%s", any ? " " : "");
		if (plain)
			sts_text_add(out, "%d", fd);
		else
			sts_add_fd(w, out, fd);
		any = true;
	}
	sts_text_add(out, "]");
	return true;
}

void sts_show_fdset(struct sts_walk *w, const struct sts_value *v)
{
	char buf[FDSET_TEXT];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	if (v->value && (int32_t)sts_reference(w) >= 0 &&
	    fdset_text(w, v->value, (int32_t)sts_reference(w), false, &text))
		sts_put_symbol(w, v->name, 0, buf);
	else
		sts_put_address(w, v->name, v->value);
}

/* Sets that are empty now are not worth a word. */
void sts_show_result_select(struct sts_walk *w, const struct sts_value *v)
{
	static const char *const names[] = {"in", "out", "except"};
	char buf[8192];
	struct sts_text text;

	sts_begin_result(w, "%" PRId64, (int64_t)v->value);
	if (v->value == 0) {
		sts_put_symbol(w, NULL, 0, "Timeout");
		sts_end(w);
		return;
	}
	for (int i = 0; i < 3; i++) {
		sts_text_init(&text, buf, sizeof buf);
		if (w->values[i + 1] && fdset_text(w, w->values[i + 1], (int32_t)w->values[0], true, &text) &&
		    text.len > 2)
			sts_put_symbol(w, names[i], 0, buf);
	}
	put_left(w, 4);
	sts_end(w);
}

/* --- epoll ------------------------------------------------------------------------------------ */

void sts_show_epoll_data(struct sts_walk *w, const struct sts_value *v)
{
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "u32", (uint32_t)v->value);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "u64", v->value);
	sts_end(w);
}

void sts_show_epoll_ctl_event(struct sts_walk *w, const struct sts_value *v)
{
	if (sts_reference(w) == EPOLL_CTL_DEL)
		sts_put_address(w, v->name, v->value);
	else
		sts_show_struct_at(w, v->name, &struct_epoll_event, v->value, SIZE_MAX);
}

/* --- ticks ---------------------------------------------------------------------------------------------- */

/* A hundred of them make a second, whatever the kernel's own clock does. */
void sts_show_ticks(struct sts_walk *w, const struct sts_value *v)
{
	sts_put_number(w, STASIS_DECODE_UNSIGNED, v->name, v->value);
	if (v->value)
		sts_put_notef(w, "%" PRIu64 ".%02u s", v->value / 100, (unsigned)(v->value % 100));
}

/* --- what is left ---------------------------------------------------------------------------------- */

/* Written when the sleep was cut short, and it is no sleep to a moment. */
static void show_left(struct sts_walk *w, const struct sts_value *v, const struct sts_struct *s)
{
	int64_t error = -w->call->result;
	bool absolute = w->index > 1 && w->values[1] & 1; /* TIMER_ABSTIME */

	if (sts_failed(w) && !absolute && (error == EINTR || (error >= 512 && error <= 516)))
		sts_show_struct_at(w, v->name, s, v->value, SIZE_MAX);
	else
		sts_put_address(w, v->name, v->value);
}

void sts_show_rem(struct sts_walk *w, const struct sts_value *v)
{
	show_left(w, v, &struct_timespec);
}

void sts_show_rem64(struct sts_walk *w, const struct sts_value *v)
{
	show_left(w, v, &struct_timespec64);
}

/* --- clocks ------------------------------------------------------------------------------------------ */

void sts_show_time_t(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t value;

	if (!v->value || !sts_read_uint(w, v->value, sts_long_size(w), &value)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, v->name);
	sts_put_number(w, STASIS_DECODE_SIGNED, NULL, value);
	if (value)
		sts_put_time_note(w, (int64_t)value, 0, 0);
	sts_end(w);
}

void sts_show_result_time(struct sts_walk *w, const struct sts_value *v)
{
	struct tm local;
	char text[64];
	time_t when = (time_t)v->value;

	sts_begin_result(w, "%" PRId64, (int64_t)v->value);
	if (localtime_r(&when, &local) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &local) > 0)
		sts_put_symbol(w, NULL, v->value, text);
	sts_end(w);
}

void sts_show_result_timex(struct sts_walk *w, const struct sts_value *v)
{
	sts_begin_result(w, "%" PRId64, (int64_t)v->value);
	sts_show_enum(w, NULL, &set_timestate, v->value);
	sts_end(w);
}
