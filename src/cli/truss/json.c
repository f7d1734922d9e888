/* SPDX-License-Identifier: BSD-2-Clause */
/* Records as JSON, one on a line; data/truss.schema.json describes them. */
#include "cli/truss/truss.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCHEMA_VERSION 1

/* Since the trace began: a number that a double holds for a hundred days. */
static int64_t since_began(const struct truss *t, const struct truss_time *when)
{
	return truss_nanoseconds(&t->began.monotonic, &when->monotonic);
}

void truss_json_begin(struct truss *t, struct sts_text *out, const char *kind)
{
	sts_text_init(out, t->buffer, t->buffer_size);
	sts_text_add(out, "{\"record\":\"%s\",\"seq\":%" PRIu64, kind, t->records);
}

static void add_origin(struct truss *t, struct sts_text *out, struct truss_lwp *lwp, const struct truss_time *when)
{
	sts_text_add(out, ",\"pid\":%d,\"tid\":%d,\"comm\":", lwp->pid, lwp->tid);
	sts_json_add_string(out, truss_comm(lwp));
	sts_text_add(out, ",\"time_ns\":%" PRId64, since_began(t, when));
}

void truss_json_end(struct truss *t, struct sts_text *out)
{
	sts_text_add_char(out, '}');
	if (out->cut) { /* half a record is none */
		truss_lost(&t->out, E2BIG);
		return;
	}
	truss_raw_line(&t->out, t->buffer);
	t->records++;
}

/* --- calls ------------------------------------------------------------------------------- */

void truss_json_enter(struct truss *t, struct truss_lwp *lwp, struct truss_source *source)
{
	struct truss_call *call = &lwp->call;
	const struct truss_call before = *call;
	struct sts_text text;

	for (;;) {
		sts_text_init(&text, t->buffer, t->buffer_size);
		sts_json_enter(truss_decoder(source, call, &t->options), &call->data, &call->json, &text);
		if (!text.cut)
			break;
		if (!truss_buffer_grow(t)) {
			truss_lost(&t->out, E2BIG);
			return;
		}
		*call = before;
	}
	free(call->text);
	call->text = strdup(t->buffer);
	if (!call->text)
		truss_lost(&t->out, ENOMEM);
}

static const char *abi_name(enum stasis_abi abi)
{
	return abi == STASIS_ABI_I386 ? "i386" : abi == STASIS_ABI_X32 ? "x32" : "x86-64";
}

static const char *status_name(unsigned status)
{
	return status == TRUSS_SUCCESSFUL ? "successful"
	       : status == TRUSS_FAILED	  ? "failed"
	       : status == TRUSS_DETACHED ? "detached"
					  : "unfinished";
}

static void add_signal(struct sts_text *out, int number)
{
	sts_text_add(out, ",\"signal\":\"%s\",\"signal_number\":%d", sts_decode_signal(number), number);
}

static void add_injection(struct sts_text *out, const struct truss_call *call)
{
	const struct truss_injection *in = call->injection;

	sts_text_add(out, ",\"injected\":{\"count\":%u", call->count);
	if (in->has_result)
		sts_text_add(out, ",\"result\":%" PRId64, in->result);
	if (in->call)
		sts_text_add(out, ",\"call\":\"%s\"", in->call);
	if (in->signal)
		add_signal(out, in->signal);
	if (in->delays[TRUSS_ENTER])
		sts_text_add(out, ",\"delay_enter_ns\":%" PRId64, in->delay[TRUSS_ENTER]);
	if (in->delays[TRUSS_EXIT])
		sts_text_add(out, ",\"delay_exit_ns\":%" PRId64, in->delay[TRUSS_EXIT]);
	sts_text_add(out, "%s}", in->n_pokes ? ",\"args\":true" : "");
}

static bool has_returned(unsigned status)
{
	return status & (TRUSS_SUCCESSFUL | TRUSS_FAILED);
}

static void add_call(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, struct sts_text *out,
		     unsigned status)
{
	struct truss_call *call = &lwp->call;

	sts_text_add(out, "\"abi\":\"%s\",\"status\":\"%s\",", abi_name(call->data.abi), status_name(status));
	sts_text_add(out, "%s", call->text ? call->text : "");
	if (has_returned(status))
		sts_json_leave(truss_decoder(source, call, &t->options), &call->data, &call->json, out);
	else
		sts_text_add(out, "},\"result\":null");
	if (status == TRUSS_FAILED && call->data.result < 0 && strerrorname_np((int)-call->data.result))
		sts_text_add(out, ",\"error\":\"%s\"", strerrorname_np((int)-call->data.result));
	if (call->injection)
		add_injection(out, call);
	if (t->options.stacks)
		truss_stack_json(out, &call->stack);
}

void truss_json_call(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status,
		     void (*begin)(struct truss *t, struct truss_lwp *lwp, struct sts_text *out, unsigned status),
		     struct sts_text *out)
{
	const struct truss_call before = lwp->call;

	for (;;) {
		begin(t, lwp, out, status);
		add_call(t, lwp, source, out, status);
		if (!out->cut || !truss_buffer_grow(t))
			break;
		lwp->call = before;
	}
	t->calls++;
}

static void begin_call(struct truss *t, struct truss_lwp *lwp, struct sts_text *out, unsigned status)
{
	const struct truss_call *call = &lwp->call;

	truss_json_begin(t, out, "syscall");
	add_origin(t, out, lwp, &call->start);
	sts_text_add(out, ",\"duration_ns\":");
	if (has_returned(status))
		sts_text_add(out, "%" PRId64 ",", truss_nanoseconds(&call->start.monotonic, &call->end));
	else
		sts_text_add(out, "null,");
}

static void leave(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status)
{
	struct sts_text out;

	truss_json_call(t, lwp, source, status, begin_call, &out);
	truss_json_end(t, &out);
}

/* --- other events ------------------------------------------------------------------------- */

static void add_siginfo(struct sts_text *out, const siginfo_t *info)
{
	char buf[400];
	struct sts_text text;

	sts_text_init(&text, buf, sizeof buf);
	sts_decode_siginfo(info, &text);
	sts_text_add(out, ",\"code\":%d,\"info\":", info->si_code);
	sts_json_add_string(out, buf);
}

static void add_birth(struct sts_text *out, const struct stasis_event *e)
{
	const struct stasis_event_birth *b = &e->data.birth;

	sts_text_add(out, ",\"child\":%d", b->child);
	if (e->kind != STASIS_EVENT_VFORK_DONE)
		sts_text_add(out, ",\"kind\":\"%s\",\"clone_flags\":%" PRIu64 ",\"followed\":%s",
			     stasis_event_kind_name(e->kind), b->clone_flags, b->followed ? "true" : "false");
}

static void add_end(struct sts_text *out, int status)
{
	if (WIFSIGNALED(status)) {
		add_signal(out, WTERMSIG(status));
		sts_text_add(out, ",\"core_dumped\":%s", WCOREDUMP(status) ? "true" : "false");
	} else {
		sts_text_add(out, ",\"exit_status\":%d", WEXITSTATUS(status));
	}
}

static void add_exec(struct sts_text *out, const struct stasis_event *e)
{
	char link[40], path[4096];

	snprintf(link, sizeof link, "/proc/%d/exe", e->pid);
	ssize_t n = readlink(link, path, sizeof path - 1);
	sts_text_add(out, ",\"former_tid\":%d,\"exe\":", e->data.exec.former_tid);
	if (n < 0) {
		sts_text_add(out, "null");
		return;
	}
	path[n] = '\0';
	sts_json_add_string(out, path);
}

static const char *record_name(enum stasis_event_kind kind)
{
	if (STASIS_EVENT_BIT(kind) & STASIS_EVENTS_BIRTH)
		return "birth";
	return kind == STASIS_EVENT_EXITED || kind == STASIS_EVENT_KILLED ? "exit" : stasis_event_kind_name(kind);
}

void truss_json_add_event(struct truss *t, struct truss_lwp *lwp, struct sts_text *out, const struct stasis_event *e)
{
	switch (e->kind) {
	case STASIS_EVENT_SIGNAL:
		add_signal(out, e->data.signal.info.si_signo);
		add_siginfo(out, &e->data.signal.info);
		if (t->options.stacks && !lwp->call.active)
			truss_stack_json(out, &lwp->call.stack);
		break;
	case STASIS_EVENT_JOB_STOP:
		add_signal(out, e->data.signal.info.si_signo);
		break;
	case STASIS_EVENT_LWP_CREATE:
		sts_text_add(out, ",\"creator\":%d", e->data.lwp.creator);
		break;
	case STASIS_EVENT_LWP_EXIT:
		add_end(out, e->data.lwp.exit_status);
		break;
	case STASIS_EVENT_EXEC:
		add_exec(out, e);
		break;
	case STASIS_EVENT_EXITED:
	case STASIS_EVENT_KILLED:
		add_end(out, e->data.exit.status);
		break;
	default:
		add_birth(out, e);
	}
}

static void event(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	struct truss_time now = truss_now();
	struct sts_text out;

	truss_json_begin(t, &out, record_name(e->kind));
	add_origin(t, &out, lwp, &now);
	truss_json_add_event(t, lwp, &out, e);
	truss_json_end(t, &out);
}

/* --- first and last ------------------------------------------------------------------------ */

static void begin(struct truss *t)
{
	struct sts_text out;

	for (;;) {
		truss_json_begin(t, &out, "header");
		sts_text_add(
			&out,
			",\"schema_version\":%d,\"version\":\"%s\",\"began\":{\"seconds\":%lld,\"nanoseconds\":%ld}",
			SCHEMA_VERSION, stasis_version(), (long long)t->began.real.tv_sec, t->began.real.tv_nsec);
		sts_text_add(&out, ",\"%s\":[", t->options.command ? "command" : "attached");
		for (char **arg = t->options.command; arg && *arg; arg++) {
			sts_text_add(&out, arg == t->options.command ? "" : ",");
			sts_json_add_string(&out, *arg);
		}
		for (size_t i = 0; i < t->options.n_pids; i++)
			sts_text_add(&out, "%s%d", i ? "," : "", t->options.pids[i]);
		sts_text_add_char(&out, ']');
		if (!out.cut || !truss_buffer_grow(t))
			break;
	}
	truss_json_end(t, &out);
}

static void end(struct truss *t)
{
	struct truss_time now = truss_now();
	struct sts_text out;

	truss_json_begin(t, &out, "trailer");
	sts_text_add(&out, ",\"time_ns\":%" PRId64 ",\"calls\":%" PRIu64 ",\"records\":%" PRIu64, since_began(t, &now),
		     t->calls, t->records + 1);
	truss_json_end(t, &out);
}

const struct truss_format truss_json = {begin, truss_json_enter, leave, event, end};
