/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All-stop, and the way of events from the LWP that meets them to the user.
 *
 * An all-stop event is *kept* with its process until every LWP rests, then
 * *ready* in the session's queue, then reported. A thread-stop event is ready
 * at once, unless it tells of a birth whose child is still on its way.
 */
#include "control/model.h"

bool sts_event_wanted(const struct sts_process *p, enum stasis_event_kind kind)
{
	const struct stasis_event_mask *mask = &p->config.mask;

	return !p->shadow && !p->releasing && ((mask->all_stop | mask->thread_stop) & STASIS_EVENT_BIT(kind));
}

static bool is_thread_stop(const struct sts_process *p, enum stasis_event_kind kind)
{
	const uint64_t always_all = STASIS_EVENT_BIT(STASIS_EVENT_BREAKPOINT) |
				    STASIS_EVENT_BIT(STASIS_EVENT_WATCHPOINT) | STASIS_EVENT_BIT(STASIS_EVENT_STEP);
	uint64_t thread_only = p->config.mask.thread_stop & ~p->config.mask.all_stop & ~always_all;

	return thread_only & STASIS_EVENT_BIT(kind);
}

/* --- making events ------------------------------------------------------------------ */

static struct stasis_event *begin(struct sts_process *p, struct sts_node *node, pid_t tid, enum stasis_event_kind kind)
{
	node->event = (struct stasis_event){
		.kind = kind,
		.pid = p->pid,
		.tid = tid,
		.sequence = ++p->session->sequence,
	};
	node->awaits = false;
	return &node->event;
}

struct stasis_event *sts_event_begin(struct sts_lwp *lwp, enum stasis_event_kind kind)
{
	return begin(lwp->process, &lwp->node, lwp->tid, kind);
}

struct stasis_event *sts_notice_begin(struct sts_process *p, struct sts_node *node, pid_t tid,
				      enum stasis_event_kind kind)
{
	return begin(p, node, tid, kind);
}

static void make_ready(struct sts_node *node)
{
	struct stasis_session *s = node->process->session;

	TAILQ_INSERT_TAIL(&s->ready, node, link);
	node->where = STS_NODE_READY;
	STS_DEBUG(s, "event", "%d/%d: %s ready", node->event.pid, node->event.tid,
		  stasis_event_kind_name(node->event.kind));
}

static void keep(struct sts_node *node)
{
	TAILQ_INSERT_TAIL(&node->process->kept, node, link);
	node->where = STS_NODE_KEPT;
}

void sts_notice_keep(struct sts_node *node)
{
	keep(node);
}

void sts_notice_post(struct sts_node *node)
{
	/* Notices of a process whose own first event is still kept back queue up behind it. */
	if (node->process->birth_node)
		keep(node);
	else
		make_ready(node);
}

void sts_node_unlink(struct sts_node *node)
{
	if (node->where == STS_NODE_READY)
		TAILQ_REMOVE(&node->process->session->ready, node, link);
	else if (node->where == STS_NODE_KEPT)
		TAILQ_REMOVE(&node->process->kept, node, link);
	node->where = STS_NODE_IDLE;
}

/* A birth became ready: the child's own events may follow. */
static void open_child_gate(struct sts_node *node)
{
	struct sts_process *child = node->child;

	node->child = NULL;
	if (!child)
		return;
	child->birth_node = NULL;
	sts_process_check_rest(child);
}

static void report_node(struct sts_node *node)
{
	if (node->where == STS_NODE_KEPT)
		sts_node_unlink(node);
	make_ready(node);
	open_child_gate(node);
}

void sts_event_post(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;
	struct sts_node *node = &lwp->node;

	lwp->event_out = true;
	lwp->reported = false;
	node->event.stopped = true;
	node->event.all_stop = !is_thread_stop(p, node->event.kind);
	lwp->action = STASIS_CONTINUE;
	lwp->stepping = false;
	if (!node->event.all_stop && !node->awaits && !p->birth_node) {
		report_node(node);
		return;
	}
	keep(node);
	if (node->event.all_stop)
		sts_process_stop(p);
	sts_process_check_rest(p);
}

void sts_process_attached(struct sts_process *p)
{
	p->attaching = false;
	begin(p, &p->node, p->pid, STASIS_EVENT_ATTACHED);
	p->node.event.stopped = p->node.event.all_stop = true;
	TAILQ_INSERT_HEAD(&p->kept, &p->node, link);
	p->node.where = STS_NODE_KEPT;
	sts_process_check_rest(p);
}

/* --- coming to rest ----------------------------------------------------------------------- */

static void interrupt(struct sts_lwp *lwp)
{
	if (lwp->state == STS_LWP_RUNNING && !lwp->interrupted) {
		if (sts_lwp_gone(lwp, sts_os_interrupt(lwp->tid)))
			return;
		lwp->interrupted = true;
		lwp->session->interrupts_sent = true;
	}
	sts_expect(lwp->session, lwp);
}

/* Send every interrupt first; the waiting is done in collect.c. */
static void interrupt_all(struct sts_process *p)
{
	struct sts_lwp *lwp, *next;

	for (lwp = TAILQ_FIRST(&p->lwps); lwp; lwp = next) {
		next = TAILQ_NEXT(lwp, in_process);
		if (lwp->state == STS_LWP_RUNNING || lwp->state == STS_LWP_STARTING)
			interrupt(lwp);
	}
}

void sts_process_stop(struct sts_process *p)
{
	if (p->stopping)
		return;
	p->stopping = true;
	interrupt_all(p);
}

void sts_process_pause(struct sts_process *p)
{
	interrupt_all(p);
}

static struct sts_node *first_all_stop(struct sts_process *p)
{
	struct sts_node *node;

	TAILQ_FOREACH(node, &p->kept, link)
		if (node->event.all_stop)
			return node;
	return NULL;
}

/* Thread-stop births whose child is there, and notices, need no rest. */
static void report_kept_thread_stops(struct sts_process *p)
{
	struct sts_node *node, *next;

	for (node = TAILQ_FIRST(&p->kept); node; node = next) {
		next = TAILQ_NEXT(node, link);
		if (!node->event.all_stop && !node->awaits)
			report_node(node);
	}
}

/* The process is dead: what it met before is told without a stop. */
static void kept_flush(struct sts_process *p)
{
	struct sts_node *node;

	while ((node = TAILQ_FIRST(&p->kept))) {
		node->event.stopped = node->event.all_stop = false;
		report_node(node);
	}
}

static void rest_without_event(struct sts_process *p)
{
	if (p->interrupt_wanted) {
		begin(p, &p->node, TAILQ_EMPTY(&p->lwps) ? p->pid : TAILQ_FIRST(&p->lwps)->tid, STASIS_EVENT_INTERRUPT);
		p->node.event.stopped = p->node.event.all_stop = true;
		p->held = true;
		p->interrupt_wanted = false;
		make_ready(&p->node);
		return;
	}
	/* The event that asked for the stop is no more. */
	p->stopping = false;
	sts_process_settle(p);
}

void sts_process_check_rest(struct sts_process *p)
{
	if (p->birth_node)
		return;
	if (p->dead) {
		kept_flush(p);
		return;
	}
	if (p->releasing) {
		sts_process_release_on(p);
		return;
	}
	report_kept_thread_stops(p);
	if (p->trap_reset && p->n_moving == 0)
		sts_trap_action_restore(p);
	if (!p->stopping || p->held || p->attaching || p->detaching || p->dying || p->n_moving > 0)
		return;
	struct sts_node *node = first_all_stop(p);
	if (!node) {
		rest_without_event(p);
		return;
	}
	if (node->awaits)
		return;
	p->held = true;
	p->interrupt_wanted = false;
	report_node(node);
}

/* --- handing over --------------------------------------------------------------------------- */

static bool is_final(enum stasis_event_kind kind)
{
	return kind == STASIS_EVENT_EXITED || kind == STASIS_EVENT_KILLED;
}

bool sts_ready_take(struct stasis_session *s, pid_t pid, struct stasis_event *ret)
{
	struct sts_node *node;

	TAILQ_FOREACH(node, &s->ready, link)
		if (pid == 0 || node->event.pid == pid)
			break;
	if (!node)
		return false;
	struct sts_process *p = node->process;
	struct sts_lwp *lwp = node->lwp;

	sts_node_unlink(node);
	if (p->dying && !is_final(node->event.kind))
		node->event.stopped = node->event.all_stop = false;
	*ret = node->event;
	if (node->event.all_stop)
		p->reported = true;
	if (lwp && node == &lwp->node)
		lwp->reported = true;
	if (lwp)
		sts_lwp_try_free(lwp);
	if (is_final(ret->kind) && !s->keeps_ended)
		sts_process_collect_exit(p);
	return true;
}

void sts_events_drop(struct sts_process *p)
{
	struct sts_lwp *lwp, *next;

	if (p->node.where != STS_NODE_IDLE)
		sts_node_unlink(&p->node);
	if (p->exit_node.where != STS_NODE_IDLE)
		sts_node_unlink(&p->exit_node);
	for (lwp = TAILQ_FIRST(&p->lwps); lwp; lwp = next) {
		next = TAILQ_NEXT(lwp, in_process);
		if (lwp->node.where != STS_NODE_IDLE) {
			sts_node_unlink(&lwp->node);
			lwp->node.awaits = false;
			open_child_gate(&lwp->node);
		}
		if (lwp->exit_node.where != STS_NODE_IDLE)
			sts_node_unlink(&lwp->exit_node);
		lwp->event_out = lwp->reported = false;
		sts_lwp_try_free(lwp);
	}
}

static const char *const kind_names[STASIS_EVENT_KIND_COUNT] = {
	[STASIS_EVENT_NONE] = "none",
	[STASIS_EVENT_ATTACHED] = "attached",
	[STASIS_EVENT_FORK] = "fork",
	[STASIS_EVENT_VFORK] = "vfork",
	[STASIS_EVENT_POSIX_SPAWN] = "posix-spawn",
	[STASIS_EVENT_CLONE] = "clone",
	[STASIS_EVENT_VFORK_DONE] = "vfork-done",
	[STASIS_EVENT_LWP_CREATE] = "lwp-create",
	[STASIS_EVENT_LWP_EXIT] = "lwp-exit",
	[STASIS_EVENT_EXEC] = "exec",
	[STASIS_EVENT_SYSCALL_ENTER] = "syscall-enter",
	[STASIS_EVENT_SYSCALL_EXIT] = "syscall-exit",
	[STASIS_EVENT_SIGNAL] = "signal",
	[STASIS_EVENT_BREAKPOINT] = "breakpoint",
	[STASIS_EVENT_WATCHPOINT] = "watchpoint",
	[STASIS_EVENT_STEP] = "step",
	[STASIS_EVENT_JOB_STOP] = "job-stop",
	[STASIS_EVENT_JOB_CONTINUE] = "job-continue",
	[STASIS_EVENT_INTERRUPT] = "interrupt",
	[STASIS_EVENT_EXITED] = "exited",
	[STASIS_EVENT_KILLED] = "killed",
};

const char *stasis_event_kind_name(enum stasis_event_kind kind)
{
	return (unsigned)kind < STASIS_EVENT_KIND_COUNT ? kind_names[kind] : "unknown";
}
