/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Letting go. An LWP can be let go only at rest, so a release may outlast the
 * request: the process is then a shadow whose LWPs leave as they come to rest.
 */
#include "control/model.h"

static void finish_if_empty(struct sts_process *p)
{
	if (p->n_lwps == 0)
		sts_process_free(p);
}

/* An LWP at rest. Frees it, and its process with the last one. */
void sts_lwp_release(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;
	int signal = lwp->stop.kind == STS_REPORT_SIGNAL ? lwp->signal : 0;

	if (lwp->stop.kind == STS_REPORT_EXIT && lwp->tid == p->pid && p->n_lwps > 1) {
		sts_lwp_exit_go(lwp); /* as a zombie it would be ours for good: stay for its end */
		return;
	}
	if (lwp->watch_control)
		sts_os_debugreg_set(lwp->tid, 7, 0);
	int r = sts_regs_flush(lwp);
	if (r == 0)
		r = sts_os_detach(lwp->tid, signal);
	if (sts_lwp_gone(lwp, r))
		return; /* its end will be reported */
	if (signal != lwp->signal && lwp->signal)
		sts_os_tgkill(p->pid, lwp->tid, lwp->signal);
	sts_lwp_bury(lwp);
	finish_if_empty(p);
}

/*
 * Memory shared with a tracee keeps its breakpoints: whoever leaves must not meet
 * them. And a folded posix_spawn is watched until its exec.
 */
bool sts_process_must_shadow(const struct sts_process *p)
{
	const struct sts_process *other;

	if (sts_process_filtered(p)) /* nobody else would answer its calls */
		return true;
	if (p->spawner || (p->spawning && p->spawn_follow != STASIS_FOLLOW_PARENT))
		return true;

	if (!p->memory_shared)
		return false;
	TAILQ_FOREACH(other, &p->space->processes, in_space)
		if (other != p && !other->releasing)
			return true;
	return false;
}

static void drop_events(struct sts_process *p)
{
	struct sts_lwp *lwp;

	sts_events_drop(p);
	TAILQ_FOREACH(lwp, &p->lwps, in_process) {
		lwp->suspended = lwp->stay = lwp->sticky_step = false;
		lwp->action = STASIS_CONTINUE;
		lwp->birth_waits = 0;
		if (lwp->spawn) /* its child, if followed, is a tracee in its own right */
			sts_spawn_abandon(lwp);
	}
	p->stopping = p->held = p->reported = p->interrupt_wanted = false;
}

void sts_process_forsake(struct sts_process *p)
{
	sts_birth_released(p);
	drop_events(p);
	sts_process_show(p, false);
}

/* Those who stayed for this memory's sake alone may go as well. */
static void release_shadows(struct sts_space *space)
{
	struct sts_process *p, *next;

	for (p = TAILQ_FIRST(&space->processes); p; p = next) {
		next = TAILQ_NEXT(p, in_space);
		if (p->shadow && !p->releasing && !p->attaching && !sts_process_must_shadow(p))
			sts_process_release(p);
	}
}

void sts_process_release(struct sts_process *p)
{
	sts_process_forsake(p);
	p->spawn_follow = STASIS_FOLLOW_PARENT;
	if (sts_process_must_shadow(p)) {
		sts_process_settle(p);
		return;
	}
	if (p->n_lwps == 0) { /* an attach that got none */
		sts_process_free(p);
		return;
	}
	p->releasing = true;
	sts_process_pause(p);
	sts_process_release_on(p);
}

/*
 * While anybody moves, breakpoints stay in: a trap on its way must be known for
 * ours, and a child being born takes a copy of them along. Then all go.
 */
void sts_process_release_on(struct sts_process *p)
{
	struct sts_space *space = p->space;
	struct sts_lwp *lwp, *next;

	if (space->n_breakpoints > 0 && p->n_moving > 0)
		return;
	sts_breakpoints_wipe(space, sts_process_task(p));
	release_shadows(space);
	size_t left = p->n_lwps; /* the process goes with its last LWP */
	for (lwp = TAILQ_FIRST(&p->lwps); lwp && left > 0; lwp = next) {
		next = TAILQ_NEXT(lwp, in_process);
		if (lwp->state == STS_LWP_GONE)
			continue;
		left--;
		if (lwp->state == STS_LWP_RESTING)
			sts_lwp_release(lwp);
	}
}

/* --- requests ---------------------------------------------------------------------------- */

struct detach_args {
	pid_t pid;
	int signal;
};

static void choose_signal(struct sts_process *p, int signal)
{
	struct sts_lwp *lwp;

	if (signal == STASIS_SIGNAL_KEEP)
		return;
	TAILQ_FOREACH(lwp, &p->lwps, in_process) {
		if (lwp->reported && lwp->event_out) {
			lwp->signal = signal;
			return;
		}
	}
	if (signal)
		sts_os_kill(p->pid, signal);
}

/* An LWP that will be gone, or need us, in a moment. */
static bool is_leaving(struct stasis_session *s, const struct sts_lwp *lwp)
{
	const struct sts_process *child;

	switch (lwp->state) {
	case STS_LWP_EXITING:
		return lwp->tid != lwp->process->pid || lwp->process->dying;
	case STS_LWP_VFORKING:
		child = sts_process_find(s, lwp->vfork_pid);
		return !child || child->shadow;
	case STS_LWP_STARTING:
	case STS_LWP_VANISHING:
		return true;
	default:
		return false;
	}
}

static bool any_leaving(struct stasis_session *s)
{
	const struct sts_process *p;
	const struct sts_lwp *lwp;

	TAILQ_FOREACH(p, &s->all, in_session) {
		if (!p->shadow)
			continue;
		TAILQ_FOREACH(lwp, &p->lwps, in_process)
			if (is_leaving(s, lwp))
				return true;
	}
	return !TAILQ_EMPTY(&s->unclaimed);
}

/*
 * What is let go may still be ours for a moment: LWPs that were dying, children
 * just born, vforks. Nobody need wait for events to see them off.
 */
#define FAREWELL_MS 1000

static void await_farewell(struct stasis_session *s)
{
	int64_t limit = sts_clock_ms() + FAREWELL_MS;

	while (any_leaving(s) && sts_clock_ms() < limit)
		if (sts_collect_wait(s) < 0)
			return;
}

static int do_detach(struct stasis_session *s, void *arg)
{
	const struct detach_args *a = arg;
	struct sts_process *p;
	int r = sts_process_visible(s, a->pid, &p);

	if (r < 0)
		return r;
	if (sts_process_filtered(p))
		return sts_filtered_fail(p, "detach");
	/* Bring it to rest first: a trap on its way must be met by us, not by the program. */
	p->detaching = true;
	p->stopping = true;
	sts_process_pause(p);
	while (p->n_moving > 0 && !p->dead) {
		r = sts_collect_wait(s);
		if (r < 0 || !(p = sts_process_find(s, a->pid)) || !p->detaching)
			return r < 0 ? r : STASIS_E_GONE;
	}
	p->detaching = false;
	if (p->dead)
		return STASIS_E_GONE;
	choose_signal(p, a->signal);
	sts_process_release(p);
	await_farewell(s);
	return 0;
}

int stasis_detach(struct stasis_session *session, pid_t pid, int signal)
{
	if (signal != STASIS_SIGNAL_KEEP && (signal < 0 || signal > 64))
		return STASIS_E_BAD_ARGUMENT;
	return sts_gate_call(session, do_detach, &(struct detach_args){pid, signal});
}
