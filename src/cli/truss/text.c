/* SPDX-License-Identifier: BSD-2-Clause */
/* Records as text, in strace's shape. */
#include "cli/truss/truss.h"

#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#define RESULT_MAX 8192
#define COLOR_EVENT "\033[36m"
#define COLOR_SIGNAL "\033[33m"
#define COLOR_END "\033[1m"

static void line(struct truss *t, pid_t tid, const char *color, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void line(struct truss *t, pid_t tid, const char *color, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	truss_line(&t->out, tid, color, text);
}

/* --- folding -------------------------------------------------------------------------------- */

/* glibc's posix_spawn gives its child more than a hundred calls of the same kind, that say nothing of the program. */
static bool folds(const struct truss *t, const struct truss_lwp *lwp)
{
	const struct truss_call *call = &lwp->call;

	return lwp->spawned && !t->options.no_fold && !t->options.calls_named && !call->injection &&
	       strcmp(stasis_syscall_name(call->data.abi, call->data.number), "rt_sigaction") == 0;
}

void truss_text_unfold(struct truss *t, struct truss_lwp *lwp)
{
	if (lwp->n_folded > 0)
		line(t, lwp->tid, COLOR_EVENT, "~~~ %u rt_sigaction calls of posix_spawn, folded ~~~", lwp->n_folded);
	lwp->n_folded = 0;
}

/* --- calls ------------------------------------------------------------------------------------ */

static void enter(struct truss *t, struct truss_lwp *lwp, struct truss_source *source)
{
	lwp->call.folded = folds(t, lwp);
	const struct truss_call before = lwp->call;
	struct sts_text text;

	for (;;) {
		sts_text_init(&text, t->buffer, t->buffer_size);
		sts_decode_enter(truss_decoder(source, &lwp->call, &t->options), &lwp->call.data, &text);
		if (!text.cut || !truss_buffer_grow(t))
			break;
		lwp->call = before;
	}
	if (truss_call_shown_now(&t->out, &lwp->call))
		truss_text_unfold(t, lwp);
	truss_call_enter(&t->out, lwp->tid, &lwp->call, t->buffer);
}

static void show_call(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status)
{
	struct truss_call *call = &lwp->call;
	const struct truss_call before = *call;
	char result[RESULT_MAX];
	struct sts_text text, result_text;
	char marks[64];
	bool exits = sts_decode_never_returns(call->data.abi, call->data.number);

	if (call->folded && (status == TRUSS_SUCCESSFUL || t->options.entries)) {
		lwp->n_folded++;
		return;
	}
	truss_text_unfold(t, lwp);
	if (status == TRUSS_UNFINISHED) {
		sts_text_init(&result_text, result, sizeof result);
		sts_text_add(&result_text, "?%s", truss_tamper_marks(call, marks, sizeof marks));
		truss_call_leave(&t->out, lwp->tid, call, exits ? ")" : " <unfinished ...>)", result);
		return;
	}
	if (status == TRUSS_DETACHED) {
		truss_call_leave(&t->out, lwp->tid, call, " <detached ...>", NULL);
		return;
	}
	for (;;) {
		sts_text_init(&text, t->buffer, t->buffer_size);
		sts_text_init(&result_text, result, sizeof result);
		sts_decode_leave(truss_decoder(source, call, &t->options), &call->data, &text, &result_text);
		if (!text.cut || !truss_buffer_grow(t))
			break;
		*call = before;
	}
	sts_text_add(&result_text, "%s", truss_tamper_marks(call, marks, sizeof marks));
	truss_call_leave(&t->out, lwp->tid, call, t->buffer, result);
}

static void leave(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status)
{
	show_call(t, lwp, source, status);
	truss_stack_show(t, &lwp->call.stack);
}

static void show_signal(struct truss *t, const struct stasis_event *e)
{
	char text[400];
	struct sts_text info;

	sts_text_init(&info, text, sizeof text);
	sts_decode_siginfo(&e->data.signal.info, &info);
	line(t, e->tid, COLOR_SIGNAL, "--- %s %s ---", sts_decode_signal(e->data.signal.info.si_signo), text);
}

static void show_birth(struct truss *t, const struct stasis_event *e)
{
	const struct stasis_event_birth *b = &e->data.birth;

	if (e->kind == STASIS_EVENT_VFORK_DONE)
		line(t, e->tid, COLOR_EVENT, "~~~ vfork-done: child %d ~~~", b->child);
	else
		line(t, e->tid, COLOR_EVENT, "~~~ %s: child %d%s ~~~", stasis_event_kind_name(e->kind), b->child,
		     b->followed ? "" : ", not followed");
}

static void show_end(struct truss *t, pid_t tid, int status)
{
	if (WIFSIGNALED(status))
		line(t, tid, COLOR_END, "+++ killed by %s%s +++", sts_decode_signal(WTERMSIG(status)),
		     WCOREDUMP(status) ? " (core dumped)" : "");
	else
		line(t, tid, COLOR_END, "+++ exited with %d +++", WEXITSTATUS(status));
}

static void show_exec(struct truss *t, const struct stasis_event *e)
{
	if (e->data.exec.former_tid != e->pid)
		line(t, e->pid, COLOR_END, "+++ superseded by execve in pid %d +++", e->data.exec.former_tid);
	if (t->options.events)
		line(t, e->pid, COLOR_EVENT, "~~~ exec ~~~");
}

static void event(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	truss_text_unfold(t, lwp);
	switch (e->kind) {
	case STASIS_EVENT_SIGNAL:
		show_signal(t, e);
		if (!lwp->call.active)
			truss_stack_show(t, &lwp->call.stack);
		break;
	case STASIS_EVENT_LWP_CREATE:
		line(t, e->tid, COLOR_EVENT, "~~~ lwp-create: by %d ~~~", e->data.lwp.creator);
		break;
	case STASIS_EVENT_LWP_EXIT:
		if (e->tid != e->pid) /* whose end is shown with its process's */
			show_end(t, e->tid, e->data.lwp.exit_status);
		break;
	case STASIS_EVENT_EXEC:
		show_exec(t, e);
		break;
	case STASIS_EVENT_JOB_STOP:
		line(t, e->tid, COLOR_SIGNAL, "--- stopped by %s ---", sts_decode_signal(e->data.signal.info.si_signo));
		break;
	case STASIS_EVENT_EXITED:
	case STASIS_EVENT_KILLED:
		show_end(t, e->pid, e->data.exit.status);
		break;
	default:
		show_birth(t, e);
	}
}

const struct truss_format truss_text = {.enter = enter, .leave = leave, .event = event};
