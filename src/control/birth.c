/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Births. The kernel attaches every child by itself and may show its first stop
 * before or after the parent's report; the child is *claimed* when the parent's
 * report says what it is, and has *arrived* when its first stop was seen.
 *
 * A child that is not followed is let go at its first stop, before user code.
 * If it shares memory with a tracee it stays attached as a shadow instead, so
 * that breakpoints in that memory cannot kill it, until exec or exit.
 *
 * A folded posix_spawn is such a shadow too; its birth is reported when the
 * child's exec (or death) and the parent's vfork-done have both been seen.
 */
#include "control/model.h"

static bool spawn_wanted(const struct sts_process *child)
{
	return child->spawner != NULL;
}

/* --- arriving ----------------------------------------------------------------------- */

static void fill_birth(struct stasis_event *event, const struct sts_process *child, enum stasis_side side)
{
	event->data.birth = child->birth_data;
	event->data.birth.side = side;
}

static void post_child_side(struct sts_process *child, struct sts_lwp *lwp)
{
	fill_birth(sts_event_begin(lwp, child->birth), child, STASIS_SIDE_CHILD);
	sts_event_post(lwp);
}

void sts_birth_released(struct sts_process *child)
{
	struct sts_node *node = child->birth_node;

	if (!node)
		return;
	child->birth_node = NULL;
	node->child = NULL;
	node->awaits = false;
	sts_process_check_rest(node->process);
}

static void let_go(struct sts_process *child)
{
	/* Its own copy of memory carries our breakpoints. */
	if (!child->memory_shared)
		sts_breakpoints_wipe(child->space, child->pid);
	sts_process_release(child);
}

static void lwp_arrived(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;
	struct stasis_session *s = p->session;
	pid_t tid = lwp->tid, creator = lwp->creator;

	if (p->attaching || !sts_event_wanted(p, STASIS_EVENT_LWP_CREATE)) {
		sts_lwp_settle(lwp);
	} else {
		struct stasis_event *event = sts_event_begin(lwp, STASIS_EVENT_LWP_CREATE);

		event->data.lwp.tid = lwp->tid;
		event->data.lwp.creator = lwp->creator;
		sts_event_post(lwp);
	}
	/* It may have been let go, and with it the last of its process. */
	struct sts_lwp *parent = sts_lwp_find(s, creator);
	if (parent && parent->birth_waits == tid) {
		parent->birth_waits = 0;
		sts_lwp_settle(parent);
	}
}

/* The first stop of a child whose kind is known. */
void sts_birth_arrived(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;

	sts_call_cover(lwp, &lwp->call);
	if (lwp->creator) { /* an LWP of a process we have */
		lwp_arrived(lwp);
		return;
	}
	if (p->birth == STASIS_EVENT_ATTACHED || p->shadow) {
		if (p->shadow && p->birth != STASIS_EVENT_ATTACHED && !p->releasing && !sts_process_must_shadow(p))
			let_go(p);
		else
			sts_lwp_settle(lwp);
		return;
	}
	struct sts_node *node = p->birth_node;
	post_child_side(p, lwp);
	if (node) {
		node->awaits = false;
		sts_process_check_rest(node->process);
	}
}

static void arrive_if_here(struct sts_lwp *child)
{
	if (child->state == STS_LWP_RESTING)
		sts_birth_arrived(child);
	else
		sts_expect(child->session, child);
}

/* --- claiming ------------------------------------------------------------------------- */

/*
 * The creator rests until the new LWP's first stop is seen: else it could make
 * more of them, which are seen first. If that never comes, both are being killed.
 */
static void claim_lwp(struct sts_lwp *parent, struct sts_lwp *child)
{
	child->creator = parent->tid;
	child->exit_kill = parent->exit_kill;
	sts_lwp_claim(child, parent->process);
	if (sts_event_wanted(parent->process, STASIS_EVENT_LWP_CREATE))
		parent->birth_waits = child->tid;
	arrive_if_here(child);
	sts_lwp_settle(parent);
}

static struct sts_space *child_space(struct sts_process *parent, pid_t pid, bool shared)
{
	struct stasis_session *s = parent->session;

	if (shared)
		return parent->space;
	struct sts_space *space = sts_space_new(s);
	if (sts_breakpoints_copy(space, parent->space) < 0) {
		sts_log(s, STASIS_LOG_ERROR, "birth", "%d: no memory to inherit breakpoints", pid);
		sts_breakpoints_unplant_in(parent->space, pid);
	}
	return space;
}

static struct sts_process *child_process(struct sts_lwp *parent, pid_t pid, const struct sts_birth_call *call)
{
	struct sts_process *p = parent->process;
	bool shared = sts_os_birth_shares_memory(call->flags);
	struct sts_process *child = sts_process_new(p->session, pid, child_space(p, pid, shared));

	child->config = p->config;
	child->birth = sts_os_birth_classify(call);
	child->launched = p->launched;
	child->death = p->death;
	sts_calls_inherit(child, p);
	child->exit_kill = p->exit_kill;
	child->memory_shared = shared;
	child->birth_data = (struct stasis_event_birth){
		.parent = p->pid,
		.parent_tid = parent->tid,
		.child = pid,
		.clone_flags = call->flags,
	};
	return child;
}

static enum stasis_follow follow_of(const struct sts_process *p, enum stasis_event_kind kind)
{
	return sts_event_wanted(p, kind) ? p->config.follow[kind] : STASIS_FOLLOW_PARENT;
}

static void begin_folded_spawn(struct sts_lwp *parent, struct sts_process *child, enum stasis_follow follow)
{
	child->spawning = true;
	child->spawn_follow = follow;
	parent->vfork_folded = true;
	if (sts_event_wanted(parent->process, STASIS_EVENT_POSIX_SPAWN)) {
		child->spawner = parent;
		parent->spawn = child;
	}
	sts_lwp_settle(parent);
}

static void post_parent_side(struct sts_lwp *parent, struct sts_process *child, bool followed)
{
	struct stasis_event *event = sts_event_begin(parent, child->birth);

	child->birth_data.followed = followed;
	fill_birth(event, child, STASIS_SIDE_PARENT);
	if (followed) {
		parent->node.child = child;
		child->birth_node = &parent->node;
	}
	parent->drop_process = followed && parent->process->config.follow[child->birth] == STASIS_FOLLOW_CHILD;
}

static void begin_birth(struct sts_lwp *parent, struct sts_lwp *lwp, struct sts_process *child)
{
	struct sts_process *p = parent->process;
	bool followed = follow_of(p, child->birth) != STASIS_FOLLOW_PARENT;

	sts_process_show(child, followed);
	if (!sts_event_wanted(p, child->birth)) {
		arrive_if_here(lwp);
		sts_lwp_settle(parent);
		return;
	}
	post_parent_side(parent, child, followed);
	parent->node.awaits = followed && lwp->state != STS_LWP_RESTING;
	sts_event_post(parent);
	arrive_if_here(lwp);
}

static void claim_process(struct sts_lwp *parent, struct sts_lwp *lwp, const struct sts_birth_call *call)
{
	struct sts_process *child = child_process(parent, lwp->tid, call);

	sts_lwp_claim(lwp, child);
	sts_watch_inherit(child, parent->process);
	lwp->exit_kill = parent->exit_kill;
	parent->vfork_pid = lwp->tid;
	parent->vfork_flags = call->flags;
	parent->vfork_folded = false;
	if (child->birth == STASIS_EVENT_POSIX_SPAWN && child->config.fold_spawn) {
		begin_folded_spawn(parent, child, follow_of(parent->process, child->birth));
		arrive_if_here(lwp);
		return;
	}
	begin_birth(parent, lwp, child);
}

/* To look at the call costs ten times as much. */
static bool is_plainly_lwp(const struct sts_lwp *parent, const struct sts_report *report, pid_t tid)
{
	return report->clone && sts_os_lwp_of(parent->process->pid, tid);
}

void sts_birth(struct sts_lwp *parent, const struct sts_report *report)
{
	struct stasis_session *s = parent->session;
	struct sts_birth_call call;
	unsigned long tid;

	if (sts_lwp_gone(parent, sts_os_event_message(parent->tid, &tid)))
		return;
	bool uncovered = parent->uncovered;
	sts_call_cover(parent, &parent->call);
	bool is_lwp = is_plainly_lwp(parent, report, tid);
	if (!is_lwp) {
		sts_os_birth_call(parent->tid, report->vfork, &call);
		is_lwp = sts_os_birth_is_lwp(call.flags);
	}
	struct sts_lwp *child = sts_lwp_find(s, tid);
	if (child && child->process) { /* met while attaching */
		sts_lwp_settle(parent);
		return;
	}
	if (!child)
		child = sts_lwp_new(s, tid);
	if (uncovered) {
		child->call = parent->call;
		child->uncovered = true;
	}
	if (is_lwp)
		claim_lwp(parent, child);
	else
		claim_process(parent, child, &call);
}

/* --- vfork-done, and the end of a folded posix_spawn ---------------------------------------- */

static void spawn_failed(struct sts_lwp *parent, struct sts_process *child)
{
	child->birth_data.failed = true;
	child->birth_data.wait_status = child->spawn_status;
	post_parent_side(parent, child, false);
	sts_event_post(parent);
	sts_process_free(child);
}

static void spawn_done(struct sts_lwp *parent, struct sts_process *child)
{
	bool followed = child->spawn_follow != STASIS_FOLLOW_PARENT;

	sts_process_show(child, followed);
	post_parent_side(parent, child, followed);
	sts_event_post(parent);
	if (followed)
		post_child_side(child, TAILQ_FIRST(&child->lwps));
	else
		let_go(child);
}

/* Both halves seen? */
static void spawn_check(struct sts_process *child)
{
	struct sts_lwp *parent = child->spawner;

	if (!parent->spawn_waits || child->spawning)
		return;
	parent->spawn_waits = false;
	parent->spawn = NULL;
	child->spawner = NULL;
	if (child->spawn_exited)
		spawn_failed(parent, child);
	else
		spawn_done(parent, child);
}

void sts_spawn_child_exec(struct sts_process *child)
{
	struct sts_lwp *lwp = TAILQ_FIRST(&child->lwps);

	child->spawning = false;
	if (spawn_wanted(child)) {
		lwp->event_out = true; /* rests for the event to come */
		spawn_check(child);
	} else if (child->spawn_follow == STASIS_FOLLOW_PARENT) {
		let_go(child);
	} else {
		sts_process_show(child, true); /* the parent was killed meanwhile */
		post_child_side(child, lwp);
	}
}

void sts_spawn_child_dead(struct sts_process *child, int status)
{
	child->spawning = false;
	child->spawn_exited = true;
	child->spawn_status = status;
	if (spawn_wanted(child))
		spawn_check(child);
	else
		sts_process_free(child);
}

/* The parent's LWP is no more. */
void sts_spawn_abandon(struct sts_lwp *parent)
{
	struct sts_process *child = parent->spawn;

	parent->spawn = NULL;
	parent->spawn_waits = false;
	child->spawner = NULL;
	child->birth_data.parent = child->birth_data.parent_tid = 0;
	if (child->spawn_exited)
		sts_process_free(child);
	else if (!child->spawning)
		sts_spawn_child_exec(child);
}

void sts_vfork_done(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;
	unsigned long child;

	if (lwp->spawn) {
		lwp->spawn_waits = true;
		spawn_check(lwp->spawn);
		return;
	}
	if (sts_lwp_gone(lwp, sts_os_event_message(lwp->tid, &child)))
		return;
	/* The kernel tells the end also of a vfork whose birth it hid (CLONE_UNTRACED). */
	if (lwp->vfork_folded || (pid_t)child != lwp->vfork_pid || !sts_event_wanted(p, STASIS_EVENT_VFORK_DONE)) {
		sts_lwp_settle(lwp);
		return;
	}
	struct stasis_event *event = sts_event_begin(lwp, STASIS_EVENT_VFORK_DONE);
	event->data.birth = (struct stasis_event_birth){
		.side = STASIS_SIDE_PARENT,
		.parent = p->pid,
		.parent_tid = lwp->tid,
		.child = lwp->vfork_pid,
		.clone_flags = lwp->vfork_flags,
	};
	sts_event_post(lwp);
}

/* --- children whose parent died before it could tell ------------------------------------------- */

/* How long a child may wait for its parent's word while that parent seems alive. */
#define PATIENCE_MS 1000

static bool is_orphan(struct stasis_session *s, const struct sts_lwp *lwp, int64_t now)
{
	struct sts_task_status status;

	if (lwp->state != STS_LWP_RESTING || sts_os_task_status(lwp->tid, lwp->tid, &status) < 0)
		return false;
	if (status.tgid != lwp->tid)
		return false; /* an LWP of a process that is being killed: it goes with it */
	bool parent_gone = lwp->first_parent != status.parent;
	return parent_gone || now - lwp->expected_since > PATIENCE_MS;
}

static void adopt(struct stasis_session *s, struct sts_lwp *lwp)
{
	struct sts_space *space = sts_space_new(s);
	struct sts_process *p = space ? sts_process_new(s, lwp->tid, space) : NULL;

	if (!p)
		return;
	p->birth = STASIS_EVENT_FORK;
	p->launched = true;
	sts_calls_inherit(p, NULL);
	p->birth_data = (struct stasis_event_birth){.child = lwp->tid, .followed = true};
	sts_lwp_claim(lwp, p);
	if (!(p->config.mask.all_stop & STASIS_EVENT_BIT(STASIS_EVENT_FORK)) &&
	    !(p->config.mask.thread_stop & STASIS_EVENT_BIT(STASIS_EVENT_FORK))) {
		let_go(p);
		return;
	}
	sts_process_show(p, true);
	post_child_side(p, lwp);
	sts_process_check_rest(p);
}

/* At the first stop of an unclaimed child: who is its parent now? */
void sts_orphan_met(struct sts_lwp *lwp, int64_t now)
{
	struct sts_task_status status;

	lwp->expected_since = now;
	if (sts_os_task_status(lwp->tid, lwp->tid, &status) == 0)
		lwp->first_parent = status.parent;
}

bool sts_orphans_adopt(struct stasis_session *s, int64_t now)
{
	struct sts_lwp *lwp;

	TAILQ_FOREACH(lwp, &s->unclaimed, in_process) {
		if (!is_orphan(s, lwp, now) || sts_spares_fill(s) < 0)
			continue;
		adopt(s, lwp);
		return true;
	}
	return false;
}
