/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: births, images, ends, limits, capabilities, scheduling. */
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include "decode/show.h"

uint64_t sts_arg_value(const struct sts_walk *w, const char *name)
{
	for (int i = 0; i < w->format->n; i++)
		if (strcmp(w->format->args[i].name, name) == 0)
			return w->values[i];
	return 0;
}

void sts_show_boxed(struct sts_walk *w, const char *name, uint64_t addr, unsigned width, enum stasis_decode_kind kind)
{
	uint64_t value;

	if (!addr || !sts_read_uint(w, addr, width, &value)) {
		sts_put_address(w, name, addr);
		return;
	}
	if (kind == STASIS_DECODE_SIGNED && width == 4)
		value = (uint64_t)(int64_t)(int32_t)value;
	sts_begin(w, STASIS_DECODE_ARRAY, name);
	sts_put_number(w, kind, NULL, value);
	sts_end(w);
}

/* --- clone ------------------------------------------------------------------------------ */

static void put_named_address(struct sts_walk *w, const char *name, uint64_t value)
{
	if (value)
		sts_put_bare(w, name, value, "%s=%#" PRIx64, name, value);
	else
		sts_put_bare(w, name, value, "%s=NULL", name);
}

/* The exit signal is in the low byte. */
static void clone_flags_text(struct sts_text *out, uint64_t flags)
{
	uint64_t signal = flags & 0xff, bits = flags & ~UINT64_C(0xff);

	if (bits || !signal)
		sts_flags_text(out, &set_clone, bits);
	if (signal)
		sts_text_add(out, "%s%s", bits ? "|" : "", sts_decode_signal((int)signal));
}

void sts_show_clone_flags(struct sts_walk *w, const struct sts_value *v)
{
	char buf[1024];
	struct sts_text text;

	put_named_address(w, "child_stack", sts_arg_value(w, "stack"));
	sts_text_init(&text, buf, sizeof buf);
	sts_text_add(&text, "flags=");
	clone_flags_text(&text, v->value);
	sts_put_bare(w, v->name, v->value, "%s", buf);
}

static void put_parent_tid(struct sts_walk *w, const char *name, uint64_t addr)
{
	uint64_t tid;

	if (!sts_failed(w) && addr && sts_read_uint(w, addr, 4, &tid))
		sts_put_bare(w, name, tid, "%s=[%d]", name, (int)tid);
	else
		put_named_address(w, name, addr);
}

/* The other arguments are there with their flags only; their order differs by ABI, that of the text does not. */
void sts_show_clone_rest(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t flags = sts_reference(w);

	if (flags & (CLONE_PARENT_SETTID | CLONE_PIDFD))
		put_parent_tid(w, "parent_tid", v->value);
	if (flags & CLONE_SETTLS)
		put_named_address(w, "tls", sts_arg_value(w, "tls"));
	if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
		put_named_address(w, "child_tidptr", sts_arg_value(w, "child_tid"));
}

/* clone3: fields are there as their flags say; the kernel writes tid and pidfd through pointers. */
enum {
	C_FLAGS,
	C_PIDFD,
	C_CHILD_TID,
	C_PARENT_TID,
	C_SIGNAL,
	C_STACK,
	C_STACK_SIZE,
	C_TLS,
	C_SET_TID,
	C_SET_TID_SIZE,
	C_CGROUP,
	C_COUNT
};

static void put_clone_written(struct sts_walk *w, const uint64_t *a)
{
	bool tid = a[C_FLAGS] & CLONE_PARENT_SETTID, pidfd = a[C_FLAGS] & CLONE_PIDFD;

	if (sts_failed(w) || !(tid || pidfd))
		return;
	sts_begin(w, STASIS_DECODE_STRUCT, "written");
	if (pidfd)
		sts_show_boxed(w, "pidfd", a[C_PIDFD], 4, STASIS_DECODE_SIGNED);
	if (tid)
		sts_show_boxed(w, "parent_tid", a[C_PARENT_TID], 4, STASIS_DECODE_SIGNED);
	sts_end(w);
}

static void put_clone_args(struct sts_walk *w, const char *name, const uint64_t *a, uint64_t size)
{
	uint64_t flags = a[C_FLAGS];

	sts_begin(w, STASIS_DECODE_STRUCT, name);
	sts_show_flags(w, "flags", &set_clone, flags);
	if (flags & CLONE_PIDFD)
		sts_put_address(w, "pidfd", a[C_PIDFD]);
	if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
		sts_put_address(w, "child_tid", a[C_CHILD_TID]);
	if (flags & CLONE_PARENT_SETTID)
		sts_put_address(w, "parent_tid", a[C_PARENT_TID]);
	if (a[C_SIGNAL])
		sts_show_signal(w, "exit_signal", (int)a[C_SIGNAL]);
	else
		sts_put_number(w, STASIS_DECODE_SIGNED, "exit_signal", 0);
	sts_put_address(w, "stack", a[C_STACK]);
	sts_put_number(w, STASIS_DECODE_HEX, "stack_size", a[C_STACK_SIZE]);
	if (flags & CLONE_SETTLS)
		sts_put_address(w, "tls", a[C_TLS]);
	if (size > 8 * C_SET_TID && (a[C_SET_TID] || a[C_SET_TID_SIZE])) {
		sts_put_address(w, "set_tid", a[C_SET_TID]);
		sts_put_number(w, STASIS_DECODE_UNSIGNED, "set_tid_size", a[C_SET_TID_SIZE]);
	}
	if (size > 8 * C_CGROUP && flags & UINT64_C(0x200000000)) /* CLONE_INTO_CGROUP */
		sts_put_fd(w, "cgroup", (int)a[C_CGROUP]);
	sts_end(w);
}

static bool writes_back(const struct sts_walk *w, const uint64_t *a)
{
	return !sts_failed(w) && a[C_FLAGS] & (CLONE_PARENT_SETTID | CLONE_PIDFD);
}

void sts_show_clone_args(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t size = sts_count(w), a[C_COUNT] = {0};

	if (size > sizeof a)
		size = sizeof a;
	if (!v->value || size < 64 || !sts_read(w, v->value, a, size)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	put_clone_args(w, v->name, a, size);
	if (writes_back(w, a)) {
		sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_AFTER});
		put_clone_written(w, a);
	}
}

/* --- exec ---------------------------------------------------------------------------------- */

static void show_string_element(struct sts_walk *w, uint64_t at)
{
	sts_show_string_at(w, NULL, at, sts_limit(w));
}

/* The strings of a NULL-ended array, at most the limit. */
static void show_strings(struct sts_walk *w, const char *name, uint64_t addr)
{
	unsigned word = sts_word_size(w);
	uint64_t at;

	if (!addr || !sts_read_uint(w, addr, word, &at)) {
		sts_put_address(w, name, addr);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, name);
	for (uint64_t i = 0; at; i++) {
		if (i >= sts_limit(w)) {
			sts_put_more(w);
			break;
		}
		show_string_element(w, at);
		if (!sts_read_uint(w, addr + (i + 1) * word, word, &at)) {
			sts_put_address(w, NULL, addr + (i + 1) * word);
			sts_put_note(w, "unreadable");
			break;
		}
	}
	sts_end(w);
}

void sts_show_argv(struct sts_walk *w, const struct sts_value *v)
{
	show_strings(w, v->name, v->value);
}

#define ENVIRONMENT_LIMIT 100000

void sts_show_envp(struct sts_walk *w, const struct sts_value *v)
{
	unsigned word = sts_word_size(w), n = 0;
	uint64_t at;
	char buf[40];
	struct sts_text text;

	if (sts_is_verbose(w)) {
		show_strings(w, v->name, v->value);
		return;
	}
	sts_put_address(w, v->name, v->value);
	while (n < ENVIRONMENT_LIMIT && sts_read_uint(w, v->value + (uint64_t)n * word, word, &at) && at)
		n++;
	if (!v->value || (n == 0 && !sts_read_uint(w, v->value, word, &at)))
		return;
	sts_text_init(&text, buf, sizeof buf);
	sts_text_add(&text, "%u var%s", n, n == 1 ? "" : "s");
	sts_put_note(w, buf);
}

/* --- ends ------------------------------------------------------------------------------------ */

static void put_status(struct sts_walk *w, int status)
{
	static const char *const events[] = {NULL,
					     "PTRACE_EVENT_FORK",
					     "PTRACE_EVENT_VFORK",
					     "PTRACE_EVENT_CLONE",
					     "PTRACE_EVENT_EXEC",
					     "PTRACE_EVENT_VFORK_DONE",
					     "PTRACE_EVENT_EXIT",
					     "PTRACE_EVENT_SECCOMP"};
	unsigned event = (unsigned)status >> 16;
	const char *name = event < sizeof events / sizeof *events ? events[event]
			   : event == 128			  ? "PTRACE_EVENT_STOP"
								  : NULL;

	if (WIFEXITED(status))
		sts_put_symbolf(w, NULL, (unsigned)status, "{WIFEXITED(s) && WEXITSTATUS(s) == %d}",
				WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		sts_put_symbolf(w, NULL, (unsigned)status, "{WIFSIGNALED(s) && WTERMSIG(s) == %s%s}",
				sts_decode_signal(WTERMSIG(status)), WCOREDUMP(status) ? " && WCOREDUMP(s)" : "");
	else if (WIFCONTINUED(status))
		sts_put_symbol(w, NULL, (unsigned)status, "{WIFCONTINUED(s)}");
	else
		sts_put_symbolf(w, NULL, (unsigned)status, "{WIFSTOPPED(s) && WSTOPSIG(s) == %s%s}%s%s%s",
				sts_decode_signal(WSTOPSIG(status) & 0x7f), WSTOPSIG(status) & 0x80 ? " | 0x80" : "",
				event ? " | " : "", event ? name ? name : "PTRACE_EVENT_???" : "",
				event ? " << 16" : "");
}

/* Written only if a child was reported. */
void sts_show_wait_status(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t status;

	if (w->call->result <= 0 || !sts_read_uint(w, v->value, 4, &status)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, v->name);
	put_status(w, (int)status);
	sts_end(w);
}

/* --- limits, capabilities ------------------------------------------------------------------------ */

void sts_show_rlim(struct sts_walk *w, const struct sts_value *v)
{
	bool narrow = v->type->width == 4;

	if (v->value == (narrow ? UINT32_MAX : UINT64_MAX))
		sts_put_symbol(w, v->name, v->value, narrow ? "RLIM_INFINITY" : "RLIM64_INFINITY");
	else if (v->value > 1024 && v->value % 1024 == 0)
		sts_put_symbolf(w, v->name, v->value, "%" PRIu64 "*1024", v->value / 1024);
	else
		sts_put_number(w, STASIS_DECODE_UNSIGNED, v->name, v->value);
}

static void put_capabilities(struct sts_walk *w, const char *name, uint64_t set)
{
	char buf[2048];
	struct sts_text text;
	bool first = true;

	sts_text_init(&text, buf, sizeof buf);
	for (int i = 0; i < 64; i++) {
		if (!(set & UINT64_C(1) << i))
			continue;
		const char *known = sts_enum_name(&set_cap, (uint64_t)i);

		if (known)
			sts_text_add(&text, "%s1<<%s", first ? "" : "|", known);
		else
			sts_text_add(&text, "%s1<<%d", first ? "" : "|", i);
		first = false;
	}
	sts_put_symbol(w, name, set, first ? "0" : buf);
}

void sts_show_cap(struct sts_walk *w, const struct sts_value *v)
{
	put_capabilities(w, v->name, v->value);
}

/* Versions 2 and 3 have a second half, of the bits from 32 on. */
void sts_show_capdata(struct sts_walk *w, const struct sts_value *v)
{
	static const char *const names[] = {"effective", "permitted", "inheritable"};
	uint64_t version = 0;
	uint32_t data[6] = {0};

	sts_read_uint(w, w->values[0], 4, &version);
	bool wide = version == 0x20071026 || version == 0x20080522;
	if (!v->value || !sts_read(w, v->value, data, wide ? 24 : 12)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	for (int i = 0; i < 3; i++)
		put_capabilities(w, names[i], data[i] | (uint64_t)data[i + 3] << 32);
	sts_end(w);
}

/* --- scheduling, personality ----------------------------------------------------------------------- */

void sts_show_result_sched(struct sts_walk *w, const struct sts_value *v)
{
	sts_begin_result(w, "%" PRId64, (int64_t)v->value);
	sts_show_flags(w, NULL, &set_sched, v->value);
	sts_end(w);
}

void sts_show_cpuset(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t bytes = sts_count(w), first_word = 0;
	uint8_t set[1024];
	char buf[4096];
	struct sts_text text;
	bool any = false;

	if (bytes > sizeof set)
		bytes = sizeof set;
	if (!v->value || !sts_read(w, v->value, set, bytes)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_text_init(&text, buf, sizeof buf);
	sts_text_add(&text, "[");
	for (unsigned cpu = 0; cpu < bytes * 8; cpu++) {
		if (!(set[cpu / 8] & 1 << cpu % 8))
			continue;
		sts_text_add(&text, "%s%u", any ? " " : "", cpu);
		any = true;
	}
	sts_text_add(&text, "]");
	memcpy(&first_word, set, bytes < 8 ? bytes : 8);
	sts_put_symbol(w, v->name, first_word, buf);
}

static void persona_text(struct sts_text *out, uint64_t persona)
{
	const char *name = sts_enum_name(&set_persona, persona & 0xff);

	if (name)
		sts_text_add(out, "%s", name);
	else
		sts_text_add(out, "%#x /* PER_??? */", (unsigned)persona & 0xff);
	if (persona & 0xffffff00) {
		sts_text_add(out, "|");
		sts_flags_text(out, &set_persona_flags, persona & 0xffffff00);
	}
}

void sts_show_persona(struct sts_walk *w, const struct sts_value *v)
{
	char buf[512];
	struct sts_text text;

	if ((uint32_t)v->value == UINT32_MAX) {
		sts_put_number(w, STASIS_DECODE_HEX, v->name, (uint32_t)v->value);
		return;
	}
	sts_text_init(&text, buf, sizeof buf);
	persona_text(&text, (uint32_t)v->value);
	sts_put_symbol(w, v->name, v->value, buf);
}

void sts_show_result_personality(struct sts_walk *w, const struct sts_value *v)
{
	char buf[512];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	persona_text(&text, v->value);
	sts_begin_result(w, "%#" PRIx64, v->value);
	sts_put_symbol(w, NULL, v->value, buf);
	sts_end(w);
}

static void ioprio_text(struct sts_text *out, uint64_t prio)
{
	const char *class = sts_enum_name(&set_ioprio_class, (uint32_t)prio >> 13);

	if (class)
		sts_text_add(out, "IOPRIO_PRIO_VALUE(%s, %u)", class, (unsigned)prio & 0x1fff);
	else
		sts_text_add(out, "IOPRIO_PRIO_VALUE(%#x /* IOPRIO_CLASS_??? */, %u)", (uint32_t)prio >> 13,
			     (unsigned)prio & 0x1fff);
}

void sts_show_ioprio(struct sts_walk *w, const struct sts_value *v)
{
	char buf[120];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	ioprio_text(&text, v->value);
	sts_put_symbol(w, v->name, v->value, buf);
}

void sts_show_result_ioprio_ret(struct sts_walk *w, const struct sts_value *v)
{
	sts_begin_result(w, "%#" PRIx64, v->value);
	sts_show_ioprio(w, v);
	sts_end(w);
}

/* --- segments ------------------------------------------------------------------------- */

/* Fields of a few bits, from the lowest. */
void sts_show_user_desc_flags(struct sts_walk *w, const struct sts_value *v)
{
	static const struct {
		const char *name;
		unsigned bits;
	} parts[] = {{"seg_32bit", 1},	    {"contents", 2},	    {"read_exec_only", 1},
		     {"limit_in_pages", 1}, {"seg_not_present", 1}, {"useable", 1}};
	uint64_t left = v->value;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		sts_put_number(w, STASIS_DECODE_UNSIGNED, parts[i].name, left & ((1u << parts[i].bits) - 1));
		left >>= parts[i].bits;
	}
}

/* The kernel writes which entry it chose. */
void sts_show_result_thread_area(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t entry;

	sts_begin_result(w, "%" PRId64, (int64_t)v->value);
	if (sts_read_uint(w, w->values[0], 4, &entry))
		sts_put_bare(w, "entry_number", entry, "entry_number=%u", (unsigned)entry);
	sts_end(w);
}
