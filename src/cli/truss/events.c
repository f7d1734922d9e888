/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of LWPs, and what an event changes in that and says to the formats. */
#include "cli/truss/truss.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "util/cleanup.h"

/* --- LWPs ----------------------------------------------------------------------------- */

static struct truss_lwp *track(struct truss *t, pid_t pid, pid_t tid)
{
	struct truss_lwp *lwp;

	HASH_FIND_INT(t->lwps, &tid, lwp);
	if (lwp)
		return lwp;
	lwp = calloc(1, sizeof *lwp);
	if (!lwp) {
		sts_complain("truss", "%s", strerror(ENOMEM));
		exit(STS_EXIT_FAILURE);
	}
	lwp->pid = pid;
	lwp->tid = tid;
	HASH_ADD_INT(t->lwps, tid, lwp);
	truss_place_new(t, tid);
	truss_lwp_identify(t, lwp);
	t->out.many |= HASH_COUNT(t->lwps) > 1;
	return lwp;
}

static void forget(struct truss *t, struct truss_lwp *lwp)
{
	HASH_DEL(t->lwps, lwp);
	truss_summary_forget(lwp);
	truss_delay_forget(t, lwp);
	truss_tamper_forget(lwp);
	truss_stack_free(&lwp->call.stack);
	truss_output_forget(&t->out, lwp->tid);
	free(lwp->call.page_text);
	free(lwp->call.text);
	free(lwp);
	t->out.many = HASH_COUNT(t->lwps) > 1;
}

const char *truss_comm(struct truss_lwp *lwp)
{
	char path[64], name[sizeof lwp->comm];
	FILE *file;

	if (lwp->comm_known)
		return lwp->comm;
	snprintf(path, sizeof path, "/proc/%d/task/%d/comm", lwp->pid, lwp->tid);
	file = fopen(path, "re");
	size_t n = file ? fread(name, 1, sizeof name, file) : 0;
	if (file)
		fclose(file);
	lwp->comm_known = n > 0;
	if (n > 0) /* without its newline; of one that is gone, the last that was known */
		snprintf(lwp->comm, sizeof lwp->comm, "%.*s", (int)n - 1, name);
	return lwp->comm;
}

/* --- system calls ------------------------------------------------------------------------- */

static struct truss_source source_of(struct truss *t, pid_t pid)
{
	return (struct truss_source){t->session, pid, &t->rings, false};
}

static void end_call(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status)
{
	struct truss_call *call = &lwp->call;

	if (!call->active)
		return;
	call->active = false;
	clock_gettime(CLOCK_MONOTONIC, &call->end);
	if (!call->wanted || !(t->options.statuses & status))
		return;
	if (t->options.count && status & (TRUSS_SUCCESSFUL | TRUSS_FAILED))
		truss_summary_add(t, lwp);
	if (t->page)
		truss_page_leave(t, lwp, source, status);
	if (!t->options.only_count)
		t->format->leave(t, lwp, source, status);
	t->ended++;
}

/* A call that will not come back: its LWP is gone, or our tracing is over. */
static void abandon_call(struct truss *t, struct truss_lwp *lwp, unsigned status)
{
	struct truss_source source = source_of(t, lwp->pid);

	end_call(t, lwp, &source, status);
}

static void begin_call(struct truss *t, struct truss_lwp *lwp, struct truss_source *source,
		       const struct stasis_event_syscall *data)
{
	struct truss_call *call = &lwp->call;

	if (!sts_call_filter_match_call(&t->options.calls, data))
		return;
	call->data = *data;
	call->start = truss_now();
	call->active = true;
	call->ours = truss_lwp_matters(t, lwp);
	call->wanted = call->ours && truss_call_looks_for(source, call, &t->options, false);
	if (t->options.count)
		truss_summary_begin(lwp);
	if (t->options.stacks && !source->own)
		truss_stack_take(t, lwp);
	if (t->page)
		truss_page_enter(t, lwp, source);
	if (!t->options.only_count)
		t->format->enter(t, lwp, source);
	if (t->options.entries || (sts_decode_never_returns(data->abi, data->number) && !truss_call_replaced(call)))
		end_call(t, lwp, source, TRUSS_UNFINISHED);
}

static void on_enter(struct truss *t, const struct stasis_event *e)
{
	struct truss_source source = source_of(t, e->pid);
	struct truss_lwp *lwp = track(t, e->pid, e->tid);

	truss_tamper_enter(t, lwp, e);
	begin_call(t, lwp, &source, &e->data.syscall);
}

/* The launched program's own execve: its entry was before we could see calls, but we made it. */
static void show_launch(struct truss *t, const struct stasis_event *e)
{
	struct truss_lwp *lwp = track(t, e->pid, e->tid);
	struct truss_source source = source_of(t, e->pid);
	struct stasis_event_syscall data = e->data.syscall;
	_cleanup_free_ char *path = sts_find_program(t->options.command[0]);

	data.abi = STASIS_ABI_X86_64;
	data.number = (uint64_t)stasis_syscall_number(data.abi, "execve");
	data.args[0] = (uintptr_t)(path ? path : t->options.command[0]);
	data.args[1] = (uintptr_t)t->options.command;
	data.args[2] = (uintptr_t)environ;
	source.own = true;
	begin_call(t, lwp, &source, &data);
	end_call(t, lwp, &source, TRUSS_SUCCESSFUL);
}

/* The exit of a call whose entry we did not show: unwanted, made by our launch, or under way when we attached. */
static bool begin_late(struct truss *t, const struct stasis_event *e, struct truss_lwp *lwp)
{
	struct truss_source source = source_of(t, e->pid);

	if (e->pid == t->command_pid && !t->launch_shown) {
		t->launch_shown = true;
		show_launch(t, e);
		return false;
	}
	begin_call(t, lwp, &source, &e->data.syscall);
	return lwp->call.active;
}

static void learn(struct truss *t, struct truss_lwp *lwp, struct truss_source *source,
		  const struct stasis_event_syscall *data)
{
	truss_rings_track(source, data);
	truss_stacks_learn(t, data);
	truss_tracers_refused(t, lwp, data);
	if (data->args[0] == PR_SET_NAME && strcmp(stasis_syscall_name(data->abi, data->number), "prctl") == 0)
		lwp->comm_known = false;
}

static void on_leave(struct truss *t, struct stasis_event *e)
{
	struct truss_lwp *lwp = track(t, e->pid, e->tid);
	struct truss_call *call = &lwp->call;
	struct truss_source source = source_of(t, e->pid);

	truss_tamper_leave(t, lwp, e);
	learn(t, lwp, &source, &e->data.syscall);
	if (!call->active && !begin_late(t, e, lwp))
		return;
	/* An exec may have changed the ABI: what was called is told by the entry. */
	enum stasis_abi abi = call->data.abi;
	uint64_t number = call->data.number;
	call->data = e->data.syscall;
	call->data.abi = abi;
	call->data.number = number;
	call->ours = call->ours || truss_lwp_matters(t, lwp);
	call->wanted = call->ours && (call->wanted || truss_call_looks_for(&source, call, &t->options, true));
	end_call(t, lwp, &source, call->data.is_error ? TRUSS_FAILED : TRUSS_SUCCESSFUL);
}

/* --- other events ---------------------------------------------------------------------------- */

static void put_event(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	if (!t->options.only_count && truss_lwp_matters(t, lwp))
		t->format->event(t, lwp, e);
}

static void on_signal(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	if (!(t->options.signals & UINT64_C(1) << (e->data.signal.info.si_signo - 1)))
		return;
	if (t->options.stacks && !lwp->call.active) /* what was interrupted */
		truss_stack_take(t, lwp);
	put_event(t, lwp, e);
}

static void on_birth(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	if (e->data.birth.side == STASIS_SIDE_CHILD)
		lwp->spawned = e->kind == STASIS_EVENT_POSIX_SPAWN;
	if (t->options.events && e->data.birth.side != STASIS_SIDE_CHILD)
		put_event(t, lwp, e);
}

static void on_lwp_exit(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	abandon_call(t, lwp, TRUSS_UNFINISHED);
	if (!t->options.quiet)
		put_event(t, lwp, e);
	truss_text_unfold(t, lwp);
	forget(t, lwp);
}

/* The LWP that called exec goes on under its process's id. */
static void on_exec(struct truss *t, struct truss_lwp *leader, const struct stasis_event *e)
{
	pid_t former = e->data.exec.former_tid;

	leader->comm_known = false;
	truss_daemon_exec(t, e);
	truss_lwp_identify(t, leader);
	leader->spawned = false;
	truss_delay_forget(t, leader);
	if (truss_family_wanted(&t->options))
		truss_tree_note(t, leader, e);
	if (former != e->pid) {
		struct truss_lwp *old = track(t, e->pid, former);
		struct truss_call call = old->call;
		struct truss_count *counts = old->counts;

		old->call = leader->call;
		leader->call = call;
		old->counts = leader->counts;
		leader->counts = counts;
		leader->call.shown = false;
		forget(t, old);
	}
	truss_rings_forget(&t->rings, e->pid);
	truss_spaces_forget(t, e->pid);
	if (t->options.events || former != e->pid)
		put_event(t, leader, e);
}

/* The last LWP to go with its process has no report of its own: it is told here, but for the process's first, whose end
 * is the process's. */
static void end_others(struct truss *t, const struct stasis_event *e)
{
	struct truss_lwp *lwp, *next;

	HASH_ITER(hh, t->lwps, lwp, next) {
		struct stasis_event end = {.kind = STASIS_EVENT_LWP_EXIT,
					   .pid = e->pid,
					   .tid = lwp->tid,
					   .data.lwp = {lwp->tid, 0, e->data.exit.status, true}};

		if (lwp->pid == e->pid && lwp->tid != e->pid)
			on_lwp_exit(t, lwp, &end);
	}
}

static void on_final(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	end_others(t, e);
	abandon_call(t, lwp, TRUSS_UNFINISHED);
	if (!t->options.quiet)
		put_event(t, lwp, e);
	truss_text_unfold(t, lwp);
	truss_rings_forget(&t->rings, e->pid);
	truss_spaces_forget(t, e->pid);
	if (e->pid == t->command_pid) {
		t->command_status = e->data.exit.status;
		t->command_done = true;
	}
	forget(t, lwp);
}

static void show_event(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	switch (e->kind) {
	case STASIS_EVENT_SIGNAL:
		on_signal(t, lwp, e);
		break;
	case STASIS_EVENT_FORK:
	case STASIS_EVENT_VFORK:
	case STASIS_EVENT_POSIX_SPAWN:
	case STASIS_EVENT_CLONE:
	case STASIS_EVENT_VFORK_DONE:
		on_birth(t, lwp, e);
		break;
	case STASIS_EVENT_LWP_CREATE:
		if (t->options.events)
			put_event(t, lwp, e);
		break;
	case STASIS_EVENT_LWP_EXIT:
		on_lwp_exit(t, lwp, e);
		break;
	case STASIS_EVENT_EXEC:
		on_exec(t, lwp, e);
		break;
	case STASIS_EVENT_JOB_STOP:
		put_event(t, lwp, e);
		break;
	case STASIS_EVENT_EXITED:
	case STASIS_EVENT_KILLED:
		on_final(t, lwp, e);
		break;
	default:
		break;
	}
}

static void on_event(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	truss_follow_note(t, e);
	if (truss_family_wanted(&t->options) && e->kind != STASIS_EVENT_EXEC) /* which makes the name known first */
		truss_tree_note(t, lwp, e);
	show_event(t, lwp, e);
}

void truss_event(struct truss *t, struct stasis_event *e)
{
	bool dead = e->kind == STASIS_EVENT_EXITED || e->kind == STASIS_EVENT_KILLED;

	if (e->kind == STASIS_EVENT_SIGNAL)
		truss_tamper_signal(t, e);
	if (e->kind == STASIS_EVENT_SYSCALL_ENTER)
		on_enter(t, e);
	else if (e->kind == STASIS_EVENT_SYSCALL_EXIT)
		on_leave(t, e);
	else
		on_event(t, track(t, e->pid, dead || e->kind == STASIS_EVENT_EXEC ? e->pid : e->tid), e);
}

void truss_calls_abandon(struct truss *t)
{
	for (struct truss_lwp *lwp = t->lwps; lwp; lwp = lwp->hh.next)
		abandon_call(t, lwp, TRUSS_DETACHED);
}

void truss_lwps_free(struct truss *t)
{
	struct truss_lwp *lwp, *next;

	HASH_ITER(hh, t->lwps, lwp, next) {
		forget(t, lwp);
	}
}
