/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk over a call's arguments. At entry it goes as far as it can; the
 * first argument that the kernel has yet to write ends the first half.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "decode/show.h"

static enum sts_abi_index abi_index(enum stasis_abi abi)
{
	return abi == STASIS_ABI_I386 ? STS_ABI_32 : abi == STASIS_ABI_X32 ? STS_ABI_X32 : STS_ABI_64;
}

bool sts_failed(const struct sts_walk *w)
{
	return w->call->is_error;
}

/* --- values of arguments -------------------------------------------------------------- */

static uint64_t join(const struct sts_walk *w, const struct sts_arg *a, int slot)
{
	const uint64_t *args = w->args;

	if (w->abi == STS_ABI_32 && a->slots != STS_ONE && slot < 5)
		return (uint32_t)args[slot] | args[slot + 1] << 32;
	return args[slot];
}

static int slots_of(const struct sts_walk *w, const struct sts_arg *a)
{
	if (a->slots == STS_SPLIT)
		return w->abi == STS_ABI_32 ? 2 : 1;
	if (a->slots == STS_HILO)
		return w->abi == STS_ABI_X32 ? 1 : 2;
	return 1;
}

static void fill_values(struct sts_walk *w)
{
	int slot = 0;

	for (int i = 0; w->format && i < w->format->n && slot < 6; i++) {
		const struct sts_arg *a = &w->format->args[i];

		w->values[i] = join(w, a, slot);
		slot += slots_of(w, a);
	}
}

uint64_t sts_reference(const struct sts_walk *w)
{
	return w->arg->count >= 0 ? w->values[w->arg->count] : 0;
}

uint64_t sts_count(const struct sts_walk *w)
{
	int64_t n;

	if (w->arg->fixed)
		return w->arg->fixed;
	if (w->arg->count == -2)
		return 1;
	if (w->arg->count == -1)
		return w->call->result > 0 ? (uint64_t)w->call->result : 0;
	/* An int that is negative counts nothing; sizes are as wide as they are. */
	n = (int64_t)w->values[w->arg->count];
	if (sts_width(w, w->format->args[w->arg->count].type.width) == 4)
		n = (int32_t)n;
	return n < 0 ? 0 : (uint64_t)n;
}

/* --- what arguments point to ------------------------------------------------------------- */

static void show_pointed_element(struct sts_walk *w, uint64_t addr, uint64_t index)
{
	const struct sts_type *type = &w->arg->type;
	uint64_t value;

	if (type->kind == STS_STRUCT)
		sts_show_struct_at(w, NULL, type->structure, addr, SIZE_MAX);
	else if (sts_read_uint(w, addr, sts_width(w, type->width), &value))
		sts_show_typed(w, NULL, type, value);
	else
		sts_put_more(w);
}

static uint64_t element_size(const struct sts_walk *w)
{
	const struct sts_type *type = &w->arg->type;

	return type->kind == STS_STRUCT ? sts_struct_size(w, type->structure) : sts_width(w, type->width);
}

static void show_one_pointed(struct sts_walk *w, const char *name, uint64_t addr)
{
	const struct sts_type *type = &w->arg->type;
	size_t limit = w->arg->limit ? w->values[w->arg->limit - 1] : SIZE_MAX;
	uint64_t value;

	if (type->kind == STS_STRUCT) {
		sts_show_struct_at(w, name, type->structure, addr, limit);
	} else if (!addr || !sts_read_uint(w, addr, sts_width(w, type->width), &value)) {
		sts_put_address(w, name, addr);
	} else {
		sts_begin(w, STASIS_DECODE_ARRAY, name);
		sts_show_typed(w, NULL, type, value);
		sts_end(w);
	}
}

static void show_pointed(struct sts_walk *w, const char *name, uint64_t addr)
{
	const struct sts_arg *a = w->arg;

	switch (a->type.kind) {
	case STS_SPECIAL:
		sts_show_typed(w, name, &a->type, addr);
		break;
	case STS_CHARS:
		sts_show_path_at(w, name, addr);
		break;
	case STS_BYTES:
		sts_show_bytes_at(w, name, addr, sts_count(w));
		break;
	default:
		if (a->count == -2 && !a->fixed)
			show_one_pointed(w, name, addr);
		else
			sts_show_array(w, name, addr, sts_count(w), element_size(w), show_pointed_element);
	}
}

/* One that shows itself knows what no address means. */
static bool shows_itself(const struct sts_arg *a)
{
	return a->direction == STS_VALUE || (a->direction == STS_LATE && a->type.kind == STS_SPECIAL);
}

/* What a call fills is there once it has succeeded; a vector, its caller's own, says where it was to be filled. */
static bool is_there(const struct sts_walk *w, const struct sts_arg *arg)
{
	bool vector = arg->type.kind == STS_SPECIAL && arg->type.show == sts_show_iovec;

	return w->leaving && (!sts_failed(w) || vector);
}

void sts_show_arg(struct sts_walk *w, const struct sts_arg *arg, const char *name, uint64_t value)
{
	const struct sts_arg *outer = w->arg;

	w->arg = arg;
	if (shows_itself(arg))
		sts_show_typed(w, name, &arg->type, value);
	else if (!value || (arg->direction == STS_OUT && !is_there(w, arg)))
		sts_put_address(w, name, value);
	else
		show_pointed(w, name, value);
	w->arg = outer;
}

/* --- the walk -------------------------------------------------------------------------------- */

#define CREATING_FLAGS (UINT64_C(0100) | UINT64_C(020000000)) /* O_CREAT, O_TMPFILE's own bit */

/* open's mode is there only if something may be created. */
static bool is_absent(const struct sts_walk *w, const struct sts_arg *a)
{
	return a->type.kind == STS_OPENMODE && a->count >= 0 && !(w->values[a->count] & CREATING_FLAGS);
}

/* What '=' arguments point to now, for comparison at exit. */
static void save(struct sts_walk *w)
{
	w->d->saved_mask = 0;
	for (int i = 0; i < w->format->n; i++) {
		const struct sts_arg *a = &w->format->args[i];
		uint64_t addr = w->values[i];

		if (a->type.kind == STS_SPECIAL && a->type.show == sts_show_msghdr_out)
			addr += sts_word_size(w); /* msg_namelen */
		else if (a->direction != STS_INOUT)
			continue;
		w->d->saved[i] = 0;
		if (sts_read_uint(w, addr, 8, &w->d->saved[i]) || sts_read_uint(w, addr, 4, &w->d->saved[i]))
			w->d->saved_mask |= 1u << i;
	}
}

static void show_raw_args(struct sts_walk *w, int n)
{
	static const char *const names[] = {"arg1", "arg2", "arg3", "arg4", "arg5", "arg6"};

	for (; w->d->next < n; w->d->next++) {
		int i = w->d->next;

		sts_put_number(w, STASIS_DECODE_HEX, w->format ? w->format->args[i].name : names[i],
			       w->format ? w->values[i] : w->args[i]);
	}
}

static void show_args(struct sts_walk *w)
{
	if (!w->format || w->d->flags & STASIS_DECODE_RAW) {
		show_raw_args(w, w->format ? w->format->n : 6);
		return;
	}
	for (; w->d->next < w->format->n; w->d->next++) {
		const struct sts_arg *a = &w->format->args[w->d->next];

		if (is_absent(w, a))
			continue;
		if (!w->leaving && a->direction >= STS_OUT)
			return;
		w->index = w->d->next;
		sts_show_arg(w, a, a->name, w->values[w->index]);
	}
}

static struct sts_walk begin_walk(struct stasis_decode *d, const struct stasis_event_syscall *call,
				  const struct stasis_decode_sink *sink)
{
	struct sts_walk w = {.d = d, .call = call, .sink = sink, .abi = abi_index(call->abi)};

	w.format = sts_call_find(call->abi, call->number);
	memcpy(w.args, call->args, sizeof w.args);
	if (w.abi == STS_ABI_32)
		sts_unpack_call(&w);
	fill_values(&w);
	return w;
}

/* Another argument will follow for certain: one that shows itself at exit may show nothing. */
static bool comma_is_due(const struct sts_walk *w)
{
	int next = w->d->next;

	return w->format && next > 0 && next < w->format->n && !shows_itself(&w->format->args[next]);
}

static void begin_call(struct sts_walk *w)
{
	const char *name = w->format ? w->format->name : stasis_syscall_name(w->call->abi, w->call->number);

	sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_CALL, .name = name, .value = w->call->number});
}

void stasis_decode_enter(struct stasis_decode *d, const struct stasis_event_syscall *call,
			 const struct stasis_decode_sink *sink)
{
	struct sts_walk w = begin_walk(d, call, sink);

	d->next = 0;
	begin_call(&w);
	if (w.format)
		save(&w);
	show_args(&w);
	d->comma = comma_is_due(&w);
}

/* --- results -------------------------------------------------------------------------------------- */

static void begin_result_text(struct sts_walk *w, const char *text)
{
	w->depth++;
	sts_put(w,
		&(struct stasis_decode_item){STASIS_DECODE_RESULT, .value = (uint64_t)w->call->result, .text = text});
}

void sts_begin_result(struct sts_walk *w, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	begin_result_text(w, text);
}

/* Codes the kernel keeps to itself: the call will be restarted or end in EINTR. */
static const char *restart_text(int64_t error)
{
	switch (error) {
	case 512:
		return "? ERESTARTSYS (To be restarted if SA_RESTART is set)";
	case 513:
		return "? ERESTARTNOINTR (To be restarted)";
	case 514:
		return "? ERESTARTNOHAND (To be restarted if no handler)";
	case 516:
		return "? ERESTART_RESTARTBLOCK (Interrupted by signal)";
	default:
		return NULL;
	}
}

static void begin_failure(struct sts_walk *w)
{
	int64_t error = -w->call->result;
	const char *name = error < 4096 ? strerrorname_np((int)error) : NULL;

	if (restart_text(error))
		sts_begin_result(w, "%s", restart_text(error));
	else if (name)
		sts_begin_result(w, "-1 %s (%s)", name, strerrordesc_np((int)error));
	else
		sts_begin_result(w, "-1 (errno %" PRId64 ")", error);
}

void sts_add_fd(const struct sts_walk *w, struct sts_text *out, int fd)
{
	char path[STS_FD_TEXT], number[16];
	bool known = w->d->fd_text && fd >= 0 && w->d->fd_text(w->d->arg, fd, path, sizeof path) >= 0;

	snprintf(number, sizeof number, "%d", fd);
	if (known)
		sts_text_add_lead(out, number, path);
	else
		sts_text_add(out, "%s", number);
}

void sts_begin_fd_result(struct sts_walk *w, int fd)
{
	char text[STS_FD_TEXT + 32];
	struct sts_text out;

	sts_text_init(&out, text, sizeof text);
	sts_add_fd(w, &out, fd);
	begin_result_text(w, text);
}

static void begin_success(struct sts_walk *w)
{
	int64_t result = w->call->result;

	switch (w->format ? w->format->result : STS_RESULT_LONG) {
	case STS_RESULT_UINT:
		sts_begin_result(w, "%" PRIu32, (uint32_t)result);
		break;
	case STS_RESULT_HEX:
		sts_begin_result(w, "%#" PRIx64, w->abi == STS_ABI_64 ? (uint64_t)result : (uint32_t)result);
		break;
	case STS_RESULT_OCT:
		sts_begin_result(w, "%#03" PRIo64, result);
		break;
	case STS_RESULT_FD:
		sts_begin_fd_result(w, (int)result);
		break;
	case STS_RESULT_SIG:
		sts_begin_result(w, "%" PRId64 " (%s)", result, sts_decode_signal((int)result));
		break;
	case STS_RESULT_NONE:
		sts_begin_result(w, "?");
		break;
	default:
		sts_begin_result(w, "%" PRId64, result);
	}
}

static void show_result(struct sts_walk *w)
{
	if (w->call->is_error) {
		begin_failure(w);
	} else if (w->format && w->format->result == STS_RESULT_SPECIAL && !(w->d->flags & STASIS_DECODE_RAW)) {
		w->arg = NULL;
		w->format->show(w, &(struct sts_value){NULL, (uint64_t)w->call->result, NULL});
		return; /* it has begun and ended the result */
	} else {
		begin_success(w);
	}
	sts_end(w);
}

void stasis_decode_leave(struct stasis_decode *d, const struct stasis_event_syscall *call,
			 const struct stasis_decode_sink *sink)
{
	struct sts_walk w = begin_walk(d, call, sink);

	w.leaving = true;
	show_args(&w);
	sts_end(&w);
	show_result(&w);
}

/* Both halves at once: what '=' arguments held before is not known. */
void stasis_decode_call(struct stasis_decode *d, const struct stasis_event_syscall *call,
			const struct stasis_decode_sink *sink)
{
	struct sts_walk w = begin_walk(d, call, sink);

	w.leaving = true;
	d->next = 0;
	d->saved_mask = 0;
	begin_call(&w);
	show_args(&w);
	sts_end(&w);
	show_result(&w);
}
