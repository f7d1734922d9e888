/* SPDX-License-Identifier: BSD-2-Clause */
/* Arguments and results of system calls. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "decode/decode.h"
#include "decode/format.h"

#define PATH_LIMIT 4096
#define BYTES_LIMIT 4096
#define ARGV_LIMIT 32

struct arg {
	struct sts_decode *d;
	const struct sts_call_format *format;
	const struct sts_arg_format *f;
	uint64_t value;
	struct sts_text *out;
};

static bool narrow_words(const struct sts_decode *d)
{
	return d->call->abi == STASIS_ABI_I386 || d->call->abi == STASIS_ABI_X32;
}

static void add_pointer(struct sts_text *out, uint64_t value)
{
	if (value)
		sts_text_add(out, "%#" PRIx64, value);
	else
		sts_text_add(out, "NULL");
}

/* --- bits and values -------------------------------------------------------------- */

static uint64_t add_flag_names(struct sts_text *out, const struct sts_flag *table, uint64_t value, bool *first)
{
	for (const struct sts_flag *f = table; f->name; f++) {
		if (f->value == 0 || (value & f->value) != f->value)
			continue;
		sts_text_add(out, "%s%s", *first ? "" : "|", f->name);
		*first = false;
		value &= ~f->value;
	}
	return value;
}

/* Wide names first: O_SYNC holds O_DSYNC's bit, and the tables put it before. */
static void add_flags(const struct arg *a)
{
	static const char *const access_modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
	uint64_t value = (uint32_t)a->value;
	bool first = true;

	if (a->f->first_field && strncmp(a->f->name, "flags", 5) == 0 && strstr(a->format->name, "open")) {
		sts_text_add(a->out, "%s", access_modes[value & 3]);
		value &= ~UINT64_C(3);
		first = false;
	}
	uint64_t left = add_flag_names(a->out, a->f->flags, value, &first);
	if (left)
		sts_text_add(a->out, "%s%#" PRIx64, first ? "" : "|", left);
	else if (first)
		sts_text_add(a->out, "0");
}

static void add_enum(const struct arg *a)
{
	for (const struct sts_flag *f = a->f->flags; f->name; f++) {
		if (f->value == (uint32_t)a->value) {
			sts_text_add(a->out, "%s", f->name);
			return;
		}
	}
	sts_text_add(a->out, "%#x", (unsigned)a->value);
}

/* exit signal in the low byte */
static void add_clone_flags(const struct arg *a)
{
	bool first = true;
	uint64_t left = add_flag_names(a->out, a->f->flags, a->value & ~UINT64_C(0xff), &first);

	if (left)
		sts_text_add(a->out, "%s%#" PRIx64, first ? "" : "|", left);
	if (a->value & 0xff)
		sts_text_add(a->out, "%s%s", left || !first ? "|" : "", sts_decode_signal(a->value & 0xff));
	else if (first && !left)
		sts_text_add(a->out, "0");
}

static void add_sigset(struct sts_text *out, uint64_t set)
{
	bool first = true, inverted = __builtin_popcountll(set) > 32;

	if (inverted)
		set = ~set;
	sts_text_add(out, inverted ? "~[" : "[");
	for (int signal = 1; signal <= 64; signal++) {
		if (!(set & UINT64_C(1) << (signal - 1)))
			continue;
		const char *name = sts_decode_signal(signal);
		sts_text_add(out, "%s%s", first ? "" : " ", strncmp(name, "SIG", 3) == 0 ? name + 3 : name);
		first = false;
	}
	sts_text_add(out, "]");
}

/* --- memory ------------------------------------------------------------------------------ */

static ssize_t read_memory(const struct arg *a, uint64_t addr, void *buf, size_t len)
{
	return a->d->reader.read(a->d->reader.arg, addr, buf, len);
}

/* A string that ends within limit, or as much as shown of it. */
static void add_string_at(const struct arg *a, uint64_t addr, size_t limit)
{
	char buf[PATH_LIMIT + 1];
	size_t len = 0;

	if (!addr) {
		sts_text_add(a->out, "NULL");
		return;
	}
	if (limit > PATH_LIMIT)
		limit = PATH_LIMIT;
	while (len <= limit) {
		size_t want = 64 - (addr + len) % 64;
		ssize_t n = read_memory(a, addr + len, buf + len, want < limit + 1 - len ? want : limit + 1 - len);

		if (n <= 0)
			break;
		const char *end = memchr(buf + len, '\0', n);
		if (end) {
			sts_text_add_quoted(a->out, buf, end - buf);
			return;
		}
		len += n;
	}
	if (len == 0) {
		add_pointer(a->out, addr);
		return;
	}
	sts_text_add_quoted(a->out, buf, len < limit ? len : limit);
	sts_text_add(a->out, "...");
}

static void add_bytes(const struct arg *a, uint64_t len)
{
	char buf[BYTES_LIMIT];
	size_t shown = len < a->d->string_limit ? len : a->d->string_limit;

	if (shown > sizeof buf)
		shown = sizeof buf;
	if (!a->value || (shown && read_memory(a, a->value, buf, shown) != (ssize_t)shown)) {
		add_pointer(a->out, a->value);
		return;
	}
	sts_text_add_quoted(a->out, buf, shown);
	if (shown < len)
		sts_text_add(a->out, "...");
}

static bool read_word(const struct arg *a, uint64_t addr, uint64_t *ret)
{
	size_t size = narrow_words(a->d) ? 4 : 8;

	*ret = 0;
	return read_memory(a, addr, ret, size) == (ssize_t)size;
}

static void add_argv(const struct arg *a)
{
	size_t size = narrow_words(a->d) ? 4 : 8;
	uint64_t at;

	if (!a->value || !read_word(a, a->value, &at)) {
		add_pointer(a->out, a->value);
		return;
	}
	sts_text_add(a->out, "[");
	for (int i = 0; i < ARGV_LIMIT; i++) {
		if (!read_word(a, a->value + i * size, &at) || !at) {
			sts_text_add(a->out, "]");
			return;
		}
		sts_text_add(a->out, i ? ", " : "");
		add_string_at(a, at, a->d->string_limit);
	}
	sts_text_add(a->out, ", ...]");
}

static void add_env_count(const struct arg *a)
{
	size_t size = narrow_words(a->d) ? 4 : 8;
	uint64_t at;
	int n = 0;

	add_pointer(a->out, a->value);
	while (a->value && read_word(a, a->value + n * size, &at) && at)
		n++;
	if (a->value)
		sts_text_add(a->out, " /* %d vars */", n);
}

static void add_pipe(const struct arg *a)
{
	int fds[2];

	if (a->d->call->is_error || read_memory(a, a->value, fds, sizeof fds) != sizeof fds)
		add_pointer(a->out, a->value);
	else
		sts_text_add(a->out, "[%d, %d]", fds[0], fds[1]);
}

static void add_wait_status(const struct arg *a)
{
	int status;

	if (!a->value || a->d->call->result <= 0 || read_memory(a, a->value, &status, sizeof status) != sizeof status) {
		add_pointer(a->out, a->value);
		return;
	}
	if (WIFEXITED(status))
		sts_text_add(a->out, "[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		sts_text_add(a->out, "[{WIFSIGNALED(s) && WTERMSIG(s) == %s%s}]", sts_decode_signal(WTERMSIG(status)),
			     WCOREDUMP(status) ? " && WCOREDUMP(s)" : "");
	else if (WIFSTOPPED(status))
		sts_text_add(a->out, "[{WIFSTOPPED(s) && WSTOPSIG(s) == %s}]", sts_decode_signal(WSTOPSIG(status)));
	else
		sts_text_add(a->out, "[{WIFCONTINUED(s)}]");
}

static void add_sigset_at(const struct arg *a)
{
	uint64_t set = 0;

	if (!a->value || read_memory(a, a->value, &set, sizeof set) != sizeof set)
		add_pointer(a->out, a->value);
	else
		add_sigset(a->out, set);
}

static void add_timespec(const struct arg *a)
{
	int64_t time[2];

	if (!a->value || narrow_words(a->d) || read_memory(a, a->value, time, sizeof time) != sizeof time)
		add_pointer(a->out, a->value);
	else
		sts_text_add(a->out, "{tv_sec=%" PRId64 ", tv_nsec=%" PRId64 "}", time[0], time[1]);
}

/* --- one argument ---------------------------------------------------------------------------- */

static uint64_t length_of(const struct arg *a)
{
	int64_t n = a->f->length < 0 ? a->d->call->result : (int64_t)a->d->call->args[a->f->length];

	return n < 0 ? 0 : n;
}

static void add_number(const struct arg *a)
{
	switch (a->f->kind) {
	case STS_ARG_INT:
	case STS_ARG_PID:
	case STS_ARG_FD:
		sts_text_add(a->out, "%d", (int)a->value);
		break;
	case STS_ARG_DIRFD:
		if ((int)a->value == AT_FDCWD)
			sts_text_add(a->out, "AT_FDCWD");
		else
			sts_text_add(a->out, "%d", (int)a->value);
		break;
	case STS_ARG_UINT:
		sts_text_add(a->out, "%u", (unsigned)a->value);
		break;
	case STS_ARG_SIZE:
		sts_text_add(a->out, "%" PRIu64, a->value);
		break;
	case STS_ARG_OFF:
		sts_text_add(a->out, "%" PRId64, narrow_words(a->d) ? (int32_t)a->value : (int64_t)a->value);
		break;
	case STS_ARG_MODE:
	case STS_ARG_OPENMODE:
		sts_text_add(a->out, "%s%o", a->value ? "0" : "", (unsigned)a->value & 07777);
		break;
	case STS_ARG_SIG:
		sts_text_add(a->out, "%s", a->value ? sts_decode_signal((int)a->value) : "0");
		break;
	case STS_ARG_PTR:
		add_pointer(a->out, a->value);
		break;
	default:
		sts_text_add(a->out, "%#" PRIx64, a->value);
	}
}

static void add_arg(const struct arg *a)
{
	switch (a->f->kind) {
	case STS_ARG_PATH:
		add_string_at(a, a->value, PATH_LIMIT);
		break;
	case STS_ARG_STR:
		add_string_at(a, a->value, a->d->string_limit);
		break;
	case STS_ARG_FLAGS:
		if (strcmp(a->format->name, "clone") == 0)
			add_clone_flags(a);
		else
			add_flags(a);
		break;
	case STS_ARG_ENUM:
		add_enum(a);
		break;
	case STS_ARG_IN:
		add_bytes(a, length_of(a));
		break;
	case STS_ARG_OUT:
		if (a->d->call->is_error)
			add_pointer(a->out, a->value);
		else
			add_bytes(a, length_of(a));
		break;
	case STS_ARG_ARGV:
		add_argv(a);
		break;
	case STS_ARG_ENVC:
		add_env_count(a);
		break;
	case STS_ARG_PIPE:
		add_pipe(a);
		break;
	case STS_ARG_STATUS:
		add_wait_status(a);
		break;
	case STS_ARG_SIGSET:
		add_sigset_at(a);
		break;
	case STS_ARG_TIMESPEC:
		add_timespec(a);
		break;
	default:
		add_number(a);
	}
}

static bool known_at_exit_only(enum sts_arg_kind kind)
{
	return kind == STS_ARG_OUT || kind == STS_ARG_PIPE || kind == STS_ARG_STATUS;
}

#define CREATING_FLAGS (O_CREAT | 020000000) /* O_TMPFILE's own bit */

/* open's mode is there only if something may be created. */
static bool is_absent(const struct sts_call_format *f, int i, const struct stasis_event_syscall *call)
{
	return f->args[i].kind == STS_ARG_OPENMODE && !(call->args[i - 1] & CREATING_FLAGS);
}

static void add_args(struct sts_decode *d, struct sts_text *out, bool leaving)
{
	const struct sts_call_format *f = sts_call_format_find(sts_decode_name(d->call->abi, d->call->number));

	if (!f) {
		for (; d->next < 6; d->next++)
			sts_text_add(out, "%s%#" PRIx64, d->next ? ", " : "", d->call->args[d->next]);
		return;
	}
	bool separated = leaving; /* the entry's half ends with the comma */
	for (; d->next < f->n; d->next++) {
		int i = d->next;
		struct arg a = {d, f, &f->args[i], d->call->args[i], out};

		if (is_absent(f, i, d->call))
			continue;
		sts_text_add(out, i && !separated ? ", " : "");
		if (!leaving && known_at_exit_only(a.f->kind))
			return;
		add_arg(&a);
		separated = false;
	}
}

void sts_decode_enter(struct sts_decode *d, struct sts_text *out)
{
	sts_text_add(out, "%s(", sts_decode_name(d->call->abi, d->call->number));
	d->next = 0;
	add_args(d, out, false);
}

void sts_decode_leave(struct sts_decode *d, struct sts_text *out)
{
	add_args(d, out, true);
}

/* --- results ------------------------------------------------------------------------------------- */

bool sts_decode_never_returns(enum stasis_abi abi, uint64_t number)
{
	const struct sts_call_format *f = sts_call_format_find(sts_decode_name(abi, number));

	return f && f->result == STS_RESULT_NONE;
}

/* Codes the kernel keeps to itself: the call will be restarted or end in EINTR. */
static const char *restart_name(int error)
{
	switch (error) {
	case 512:
		return "ERESTARTSYS (To be restarted if SA_RESTART is set)";
	case 513:
		return "ERESTARTNOINTR (To be restarted)";
	case 514:
		return "ERESTARTNOHAND (To be restarted if no handler)";
	case 516:
		return "ERESTART_RESTARTBLOCK (Interrupted by signal)";
	default:
		return NULL;
	}
}

void sts_decode_result(const struct stasis_event_syscall *call, struct sts_text *out)
{
	const struct sts_call_format *f = sts_call_format_find(sts_decode_name(call->abi, call->number));
	int error = call->is_error ? (int)-call->result : 0;

	if (restart_name(error))
		sts_text_add(out, "? %s", restart_name(error));
	else if (error && strerrorname_np(error))
		sts_text_add(out, "-1 %s (%s)", strerrorname_np(error), strerrordesc_np(error));
	else if (error)
		sts_text_add(out, "-1 (errno %d)", error);
	else if (f && f->result == STS_RESULT_HEX)
		sts_text_add(out, "%#" PRIx64, call->result);
	else
		sts_text_add(out, "%" PRId64, call->result);
}
