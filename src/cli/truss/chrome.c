/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace in the Trace Event Format, for Perfetto and chrome://tracing: an array, whose end may be missing. Every LWP
 * has a lane. At the bottom of it lie the programs it ran, on them its calls; births are arrows.
 */
#include "cli/truss/truss.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

struct truss_lane {
	pid_t pid, tid;
	char program[64];
	int64_t since; /* it runs that program, nanoseconds */
	UT_hash_handle hh;
};

static int64_t since_began(const struct truss *t, const struct timespec *when)
{
	int64_t ns = truss_nanoseconds(&t->began.monotonic, when);

	return ns > 0 ? ns : 0;
}

static int64_t now_of(const struct truss *t)
{
	struct truss_time now = truss_now();

	return since_began(t, &now.monotonic);
}

/* --- events -------------------------------------------------------------------------------- */

/* Microseconds, without loss. */
static void add_micros(struct sts_text *out, const char *member, int64_t ns)
{
	sts_text_add(out, ",\"%s\":%" PRId64 ".%03d", member, ns / 1000, (int)(ns % 1000));
}

/* Each line after the first begins with the comma, so that an array that was cut lacks nothing but its bracket. */
static void begin_event(struct truss *t, struct sts_text *out, const char *phase, pid_t pid, pid_t tid)
{
	sts_text_init(out, t->buffer, t->buffer_size);
	sts_text_add(out, "%s{\"ph\":\"%s\",\"pid\":%d,\"tid\":%d", t->records ? "," : "", phase, pid, tid);
}

static void add_name(struct sts_text *out, const char *name, const char *category)
{
	sts_text_add(out, ",\"cat\":\"%s\",\"name\":", category);
	sts_json_add_string(out, name);
}

static void put_metadata(struct truss *t, const struct truss_lane *lane, const char *what, const char *name, int number)
{
	struct sts_text out;

	begin_event(t, &out, "M", lane->pid, lane->tid);
	sts_text_add(&out, ",\"name\":\"%s\",\"args\":{", what);
	if (name) {
		sts_text_add(&out, "\"name\":");
		sts_json_add_string(&out, name);
	} else {
		sts_text_add(&out, "\"sort_index\":%d", number);
	}
	sts_text_add(&out, "}");
	truss_json_end(t, &out);
}

/* An arrow's end: "s" where it begins, "f" where it leads. */
static void put_arrow(struct truss *t, const char *phase, pid_t pid, pid_t tid, const struct stasis_event *e,
		      int64_t ns)
{
	struct sts_text out;

	begin_event(t, &out, phase, pid, tid);
	add_name(&out, stasis_event_kind_name(e->kind), "birth");
	sts_text_add(&out, ",\"id\":%" PRIu64, e->sequence);
	add_micros(&out, "ts", ns);
	if (phase[0] == 'f')
		sts_text_add(&out, ",\"bp\":\"e\"");
	truss_json_end(t, &out);
}

/* --- lanes --------------------------------------------------------------------------------- */

static struct truss_lane *find_lane(struct truss *t, pid_t tid)
{
	struct truss_lane *lane;

	HASH_FIND_INT(t->lanes, &tid, lane);
	return lane;
}

static void set_program(struct truss *t, struct truss_lane *lane, const char *program, int64_t since)
{
	snprintf(lane->program, sizeof lane->program, "%s", program);
	lane->since = since;
	if (lane->pid == lane->tid)
		put_metadata(t, lane, "process_name", program, 0);
	put_metadata(t, lane, "thread_name", program, 0);
}

static struct truss_lane *add_lane(struct truss *t, pid_t pid, pid_t tid, const char *program, int64_t since)
{
	struct truss_lane *lane = calloc(1, sizeof *lane);

	if (!lane)
		uthash_fatal("no memory");
	lane->pid = pid;
	lane->tid = tid;
	HASH_ADD_INT(t->lanes, tid, lane);
	if (pid == tid)
		put_metadata(t, lane, "process_sort_index", NULL, (int)t->n_lanes++);
	set_program(t, lane, program, since);
	return lane;
}

/* What it ran until then becomes an event. */
static void end_program(struct truss *t, const struct truss_lane *lane, int64_t until)
{
	struct sts_text out;

	begin_event(t, &out, "X", lane->pid, lane->tid);
	add_name(&out, lane->program, "program");
	add_micros(&out, "ts", lane->since);
	add_micros(&out, "dur", until > lane->since ? until - lane->since : 0);
	truss_json_end(t, &out);
}

static void end_lane(struct truss *t, pid_t tid, int64_t until)
{
	struct truss_lane *lane = find_lane(t, tid);

	if (!lane)
		return;
	end_program(t, lane, until);
	HASH_DEL(t->lanes, lane);
	free(lane);
}

/* The lane of an LWP that does something; a program's name may have changed without an exec. */
static struct truss_lane *lane_of(struct truss *t, struct truss_lwp *lwp, int64_t now)
{
	struct truss_lane *lane = find_lane(t, lwp->tid);

	return lane ? lane : add_lane(t, lwp->pid, lwp->tid, truss_comm(lwp), now);
}

/* --- calls --------------------------------------------------------------------------------- */

static void enter(struct truss *t, struct truss_lwp *lwp, struct truss_source *source)
{
	lane_of(t, lwp, since_began(t, &lwp->call.start.monotonic));
	truss_json_enter(t, lwp, source);
}

static void begin_call(struct truss *t, struct truss_lwp *lwp, struct sts_text *out, unsigned status)
{
	const struct truss_call *call = &lwp->call;
	int64_t start = since_began(t, &call->start.monotonic), end = since_began(t, &call->end);
	const struct truss_lane *lane = find_lane(t, lwp->tid);

	if (lane && start < lane->since) /* an exec that another thread called */
		start = lane->since;
	begin_event(t, out, "X", lwp->pid, lwp->tid);
	add_name(out, stasis_syscall_name(call->data.abi, call->data.number), "syscall");
	add_micros(out, "ts", start);
	add_micros(out, "dur", end > start ? end - start : 0);
	sts_text_add(out, ",\"args\":{");
}

static void leave(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status)
{
	struct sts_text out;

	truss_json_call(t, lwp, source, status, begin_call, &out);
	sts_text_add_char(&out, '}');
	truss_json_end(t, &out);
}

/* --- other events -------------------------------------------------------------------------- */

static void put_instant(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e, const char *name,
			int64_t now)
{
	struct sts_text out;
	bool whole = e->kind == STASIS_EVENT_EXEC || e->kind == STASIS_EVENT_EXITED || e->kind == STASIS_EVENT_KILLED;

	begin_event(t, &out, "i", lwp->pid, lwp->tid);
	add_name(&out, name, stasis_event_kind_name(e->kind));
	add_micros(&out, "ts", now);
	sts_text_add(&out, ",\"s\":\"%s\",\"args\":{\"event\":\"%s\"", whole ? "p" : "t",
		     stasis_event_kind_name(e->kind));
	truss_json_add_event(t, lwp, &out, e);
	sts_text_add_char(&out, '}');
	truss_json_end(t, &out);
}

static void on_birth(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e, int64_t now)
{
	const struct stasis_event_birth *b = &e->data.birth;

	put_instant(t, lwp, e, stasis_event_kind_name(e->kind), now);
	if (e->kind == STASIS_EVENT_VFORK_DONE || !b->followed || find_lane(t, b->child))
		return;
	put_arrow(t, "s", lwp->pid, lwp->tid, e, now);
	add_lane(t, b->child, b->child, truss_comm(lwp), now);
	put_arrow(t, "f", b->child, b->child, e, now);
}

/* The new program begins where the call of it did, so that this lies on it as a whole. */
static void on_exec(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e, int64_t now)
{
	struct truss_lane *lane = lane_of(t, lwp, now);
	bool own = lwp->call.active && e->data.exec.former_tid == e->pid;
	int64_t since = own ? since_began(t, &lwp->call.start.monotonic) : now;

	if (e->data.exec.former_tid != e->pid)
		end_lane(t, e->data.exec.former_tid, now);
	end_program(t, lane, since);
	set_program(t, lane, truss_comm(lwp), since > lane->since ? since : lane->since);
	put_instant(t, lwp, e, "exec", now);
}

static void on_end(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e, int status, int64_t now)
{
	char name[40];

	if (WIFSIGNALED(status))
		snprintf(name, sizeof name, "killed by %s", sts_decode_signal(WTERMSIG(status)));
	else
		snprintf(name, sizeof name, "exited with %d", WEXITSTATUS(status));
	lane_of(t, lwp, now);
	put_instant(t, lwp, e, name, now);
	if (e->kind != STASIS_EVENT_LWP_EXIT || lwp->tid != lwp->pid) /* another thread's exec may take it over */
		end_lane(t, lwp->tid, now);
}

static void event(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	int64_t now = now_of(t);

	switch (e->kind) {
	case STASIS_EVENT_EXEC:
		on_exec(t, lwp, e, now);
		break;
	case STASIS_EVENT_LWP_EXIT:
		on_end(t, lwp, e, e->data.lwp.exit_status, now);
		break;
	case STASIS_EVENT_EXITED:
	case STASIS_EVENT_KILLED:
		on_end(t, lwp, e, e->data.exit.status, now);
		break;
	case STASIS_EVENT_SIGNAL:
	case STASIS_EVENT_JOB_STOP:
		lane_of(t, lwp, now);
		put_instant(t, lwp, e, sts_decode_signal(e->data.signal.info.si_signo), now);
		break;
	case STASIS_EVENT_LWP_CREATE:
		lane_of(t, lwp, now);
		put_instant(t, lwp, e, "lwp-create", now);
		break;
	default:
		lane_of(t, lwp, now);
		on_birth(t, lwp, e, now);
	}
}

/* --- first and last ------------------------------------------------------------------------- */

static void begin(struct truss *t)
{
	truss_raw_line(&t->out, "[");
}

static void end(struct truss *t)
{
	int64_t now = now_of(t);

	while (t->lanes)
		end_lane(t, t->lanes->tid, now);
	truss_raw_line(&t->out, "]");
}

const struct truss_format truss_chrome = {begin, enter, leave, event, end};
