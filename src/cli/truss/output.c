/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records on their way out. To a file or a pipe each is one whole line, written
 * when it is complete. On a terminal, a call's first half is shown at its entry, so that one sees
 * what blocks; when another LWP speaks meanwhile the halves are marked as
 * strace marks them.
 */
#include "cli/truss/truss.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS_OPEN 256 /* at a time */
#define RESET "\033[0m"

static void check(struct truss_output *out, bool ok)
{
	if (ok || out->failed)
		return;
	out->failed = true;
	out->error = errno;
}

static void put(struct truss_output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct truss_output *out, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = vfprintf(out->file, format, ap);
	va_end(ap);
	check(out, n >= 0);
	if (n > 0)
		out->column += n;
}

static void end_line(struct truss_output *out)
{
	put(out, "\n");
	out->column = 0;
	out->open_tid = 0;
	if (!out->to_file)
		check(out, fflush(out->file) == 0);
}

struct truss_time truss_now(void)
{
	struct truss_time now;

	clock_gettime(CLOCK_REALTIME, &now.real);
	clock_gettime(CLOCK_MONOTONIC, &now.monotonic);
	return now;
}

int64_t truss_nanoseconds(const struct timespec *from, const struct timespec *to)
{
	return (to->tv_sec - from->tv_sec) * INT64_C(1000000000) + to->tv_nsec - from->tv_nsec;
}

/* ".123456" */
static void put_fraction(struct truss_output *out, long nanoseconds, int digits)
{
	char text[24];

	if (digits == 0)
		return;
	snprintf(text, sizeof text, "%09ld", nanoseconds);
	put(out, ".%.*s", digits, text);
}

static void put_clock(struct truss_output *out, const struct timespec *when)
{
	struct tm local;
	char text[32];

	if (out->options->clock == TRUSS_CLOCK_UNIX) {
		put(out, "%lld", (long long)when->tv_sec);
	} else {
		localtime_r(&when->tv_sec, &local);
		strftime(text, sizeof text, "%H:%M:%S", &local);
		put(out, "%s", text);
	}
	put_fraction(out, when->tv_nsec, out->options->clock_digits);
	put(out, " ");
}

/* From a to b; what began before the record that stands above it is not told to the negative. */
static struct timespec difference(const struct timespec *a, const struct timespec *b)
{
	struct timespec d = {b->tv_sec - a->tv_sec, b->tv_nsec - a->tv_nsec};

	if (d.tv_nsec < 0) {
		d.tv_sec--;
		d.tv_nsec += 1000000000;
	}
	return d.tv_sec < 0 ? (struct timespec){0, 0} : d;
}

static void put_relative(struct truss_output *out, const struct timespec *when)
{
	struct timespec d = difference(out->last.tv_sec ? &out->last : when, when);
	bool beside = out->options->clock != TRUSS_CLOCK_NONE;

	put(out, "%s%6lld", beside ? "(+" : "", (long long)d.tv_sec);
	put_fraction(out, d.tv_nsec, out->options->relative_digits);
	put(out, beside ? ") " : " ");
	out->last = *when;
}

/* --- a file for each LWP ------------------------------------------------------------------ */

struct truss_part {
	pid_t tid;
	FILE *file; /* NULL: closed meanwhile */
	UT_hash_handle hh;
};

static void close_part(struct truss_output *out, struct truss_part *part)
{
	if (!part->file)
		return;
	check(out, fclose(part->file) == 0);
	part->file = NULL;
	out->n_parts--;
}

static void open_part(struct truss_output *out, struct truss_part *part, const char *mode)
{
	struct truss_part *other, *next;
	char *path;

	if (out->n_parts >= PARTS_OPEN)
		HASH_ITER(hh, out->parts, other, next) {
			close_part(out, other);
		}
	if (asprintf(&path, "%s.%d", out->options->output, part->tid) < 0)
		path = NULL;
	part->file = path ? fopen(path, mode) : NULL;
	check(out, part->file != NULL);
	out->n_parts += part->file != NULL;
	free(path);
}

/* What is written next is this LWP's. */
static void select_part(struct truss_output *out, pid_t tid)
{
	struct truss_part *part;
	const char *mode = "ae";

	if (!out->options->separately)
		return;
	HASH_FIND_INT(out->parts, &tid, part);
	if (!part) {
		part = calloc(1, sizeof *part);
		if (!part)
			uthash_fatal("out of memory");
		part->tid = tid;
		HASH_ADD_INT(out->parts, tid, part);
		mode = out->options->append ? "ae" : "we";
	}
	if (!part->file)
		open_part(out, part, mode);
	if (part->file)
		out->file = part->file;
}

void truss_output_forget(struct truss_output *out, pid_t tid)
{
	struct truss_part *part;

	HASH_FIND_INT(out->parts, &tid, part);
	if (!part)
		return;
	if (out->file == part->file)
		out->file = stderr;
	close_part(out, part);
	HASH_DEL(out->parts, part);
	free(part);
}

/* --- lines ------------------------------------------------------------------------------------ */

/* when: NULL for now. */
static void begin_line(struct truss_output *out, pid_t tid, const struct truss_time *when)
{
	struct truss_time now;

	truss_break_line(out);
	select_part(out, tid);
	if (out->options->separately)
		;
	else if (out->to_file)
		put(out, "%-5d ", tid);
	else if (out->many)
		put(out, "[pid %5d] ", tid);
	if (out->options->clock == TRUSS_CLOCK_NONE && !out->options->relative)
		return;
	if (!when) {
		now = truss_now();
		when = &now;
	}
	if (out->options->clock != TRUSS_CLOCK_NONE)
		put_clock(out, &when->real);
	if (out->options->relative)
		put_relative(out, &when->monotonic);
}

void truss_line(struct truss_output *out, pid_t tid, const char *color, const char *text)
{
	begin_line(out, tid, NULL);
	if (out->color && color)
		put(out, "%s%s" RESET, color, text);
	else
		put(out, "%s", text);
	end_line(out);
}

/* What stands before a call: its number, where it was made. */
static void put_origin(struct truss_output *out, const struct stasis_event_syscall *call)
{
	if (out->options->numbers)
		put(out, "[%4" PRIu64 "] ", call->number);
	if (out->options->pointers)
		put(out, "[%0*" PRIx64 "] ", call->abi == STASIS_ABI_X86_64 ? 16 : 8, call->pc);
}

/* What may yet turn out not to be wanted waits for its end. */
bool truss_call_shown_now(const struct truss_output *out, const struct truss_call *call)
{
	return !out->whole && call->wanted && !call->folded && out->options->statuses == TRUSS_ANY_STATUS;
}

void truss_call_enter(struct truss_output *out, pid_t tid, struct truss_call *call, const char *text)
{
	free(call->text);
	call->text = strdup(text);
	call->shown = truss_call_shown_now(out, call);
	if (!call->shown)
		return;
	begin_line(out, tid, &call->start);
	put_origin(out, &call->data);
	put(out, "%s", text);
	check(out, fflush(out->file) == 0);
	out->open_tid = tid;
}

static void put_duration(struct truss_output *out, const struct truss_call *call)
{
	struct timespec d = difference(&call->start.monotonic, &call->end);

	put(out, " <%lld", (long long)d.tv_sec);
	put_fraction(out, d.tv_nsec, out->options->duration_digits);
	put(out, ">");
}

static void put_result(struct truss_output *out, const struct truss_call *call, const char *result)
{
	while (out->column + 1 < out->options->result_column && !out->failed)
		put(out, " ");
	put(out, " = %s", result);
	if (out->options->durations && result[0] != '?')
		put_duration(out, call);
}

void truss_call_leave(struct truss_output *out, pid_t tid, struct truss_call *call, const char *rest,
		      const char *result)
{
	if (!call->shown) {
		begin_line(out, tid, &call->start);
		put_origin(out, &call->data);
		put(out, "%s", call->text ? call->text : "");
	} else if (out->open_tid != tid) {
		begin_line(out, tid, NULL);
		put_origin(out, &call->data);
		put(out, "<... %s resumed>", stasis_syscall_name(call->data.abi, call->data.number));
	}
	put(out, "%s", rest);
	if (result)
		put_result(out, call, result);
	end_line(out);
}

void truss_break_line(struct truss_output *out)
{
	if (!out->open_tid)
		return;
	put(out, " <unfinished ...>");
	end_line(out);
}

void truss_raw_line(struct truss_output *out, const char *text)
{
	truss_break_line(out);
	put(out, "%s", text);
	end_line(out);
}

void truss_lost(struct truss_output *out, int error)
{
	errno = error;
	check(out, false);
}

int truss_output_open(struct truss_output *out, const struct truss_options *o)
{
	*out = (struct truss_output){.file = stderr, .options = o};
	if (o->output && o->output[0] == '|') {
		out->file = popen(o->output + 1, "we");
		out->pipe = true;
	} else if (o->output && !o->separately) {
		out->file = fopen(o->output, o->append ? "ae" : "we");
	}
	if (!out->file)
		return -errno;
	out->to_file = o->output != NULL;
	out->whole = !o->split && (out->to_file || !isatty(fileno(out->file)));
	out->color = sts_color_wanted(o->color, out->file) == 1;
	return 0;
}

static void close_parts(struct truss_output *out)
{
	struct truss_part *part, *next;

	HASH_ITER(hh, out->parts, part, next) {
		truss_output_forget(out, part->tid);
	}
}

bool truss_output_close(struct truss_output *out)
{
	close_parts(out);
	check(out, fflush(out->file) == 0);
	if (out->options->separately) {
		;
	} else if (out->pipe) {
		if (pclose(out->file) != 0)
			check(out, false);
	} else if (out->to_file) {
		check(out, fclose(out->file) == 0);
	}
	if (out->failed)
		sts_complain(out->options->output ? out->options->output : "stderr", "records were lost: %s",
			     strerror(out->error));
	return !out->failed;
}
