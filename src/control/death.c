/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends: of one LWP, of a process, of an image (exec). */
#include <sys/wait.h>
#include "control/model.h"

/* --- one LWP ----------------------------------------------------------------------- */

/* Count it out. true if others of its process live on. */
static bool count_out(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;

	if (!lwp->exit_counted)
		p->n_live--;
	lwp->exit_counted = true;
	return p->n_live > 0;
}

static void fill_exit(struct stasis_event *event, const struct sts_lwp *lwp, int status, bool with_process)
{
	event->data.lwp.tid = lwp->tid;
	event->data.lwp.exit_status = status;
	event->data.lwp.with_process = with_process;
}

static void exit_notice(struct sts_lwp *lwp, int status)
{
	struct sts_process *p = lwp->process;

	if (!sts_event_wanted(p, STASIS_EVENT_LWP_EXIT))
		return;
	fill_exit(sts_notice_begin(p, &lwp->exit_node, lwp->tid, STASIS_EVENT_LWP_EXIT), lwp, status, true);
	sts_notice_post(&lwp->exit_node);
}

void sts_lwp_exit_go(struct sts_lwp *lwp)
{
	if (sts_lwp_resume(lwp, STS_RUN_CONTINUE, 0))
		sts_lwp_state_set(lwp, STS_LWP_EXITING);
}

void sts_process_dying(struct sts_process *p)
{
	struct sts_lwp *lwp, *next;

	p->dying = true;
	/* An LWP held in its exit stop is the one thing SIGKILL does not free. */
	for (lwp = TAILQ_FIRST(&p->lwps); lwp; lwp = next) {
		next = TAILQ_NEXT(lwp, in_process);
		if (lwp->state == STS_LWP_RESTING && lwp->stop.kind == STS_REPORT_EXIT)
			sts_lwp_exit_go(lwp);
	}
}

void sts_lwp_exit_stop(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;
	unsigned long status = 0;

	sts_step_over_end(lwp);
	if (sts_lwp_gone(lwp, sts_os_event_message(lwp->tid, &status)))
		return;
	enum sts_exit_cause cause = sts_os_exit_cause(lwp->tid);
	bool others = count_out(lwp);

	if (lwp->spawn)
		sts_spawn_abandon(lwp);
	if (others && cause == STS_EXIT_ALONE && !p->dying && sts_event_wanted(p, STASIS_EVENT_LWP_EXIT)) {
		fill_exit(sts_event_begin(lwp, STASIS_EVENT_LWP_EXIT), lwp, status, false);
		sts_event_post(lwp);
		return;
	}
	if (cause == STS_EXIT_ALONE && !p->dying) {
		sts_lwp_settle(lwp);
		return;
	}
	if (others)
		exit_notice(lwp, status);
	sts_lwp_exit_go(lwp);
	if (cause == STS_EXIT_GROUP || WIFSIGNALED((int)status))
		sts_process_dying(p);
}

/* --- a process ------------------------------------------------------------------------- */

static void fill_final(struct sts_process *p, int status)
{
	enum stasis_event_kind kind = WIFSIGNALED(status) ? STASIS_EVENT_KILLED : STASIS_EVENT_EXITED;
	struct stasis_event *event = sts_notice_begin(p, &p->exit_node, p->pid, kind);

	event->data.exit.status = status;
	event->data.exit.core_dumped = WIFSIGNALED(status) && WCOREDUMP(status);
}

static void bury_lwps_but(struct sts_process *p, const struct sts_lwp *keep)
{
	struct sts_lwp *lwp, *next;

	for (lwp = TAILQ_FIRST(&p->lwps); lwp; lwp = next) {
		next = TAILQ_NEXT(lwp, in_process);
		if (lwp != keep && lwp->state != STS_LWP_GONE) {
			if (!lwp->exit_counted && count_out(lwp))
				exit_notice(lwp, 0);
			sts_lwp_bury(lwp);
		}
	}
}

static void process_dead(struct sts_process *p, struct sts_lwp *leader, int status)
{
	pid_t pid = p->pid;

	p->dying = p->dead = true;
	bury_lwps_but(p, leader);
	if (p->spawning || p->spawner) {
		if (leader)
			sts_os_wait_reap(pid);
		sts_spawn_child_dead(p, status);
		return;
	}
	if (p->shadow) {
		if (leader)
			sts_os_wait_reap(pid);
		sts_process_free(p);
		return;
	}
	fill_final(p, status);
	if (p->birth_node) {
		/* Killed before its parent's event is out: that one comes first. */
		p->birth_node->awaits = false;
		sts_process_check_rest(p->birth_node->process);
	}
	sts_notice_keep(&p->exit_node);
	sts_process_check_rest(p);
	if (leader) {
		leader->zombie_held = true;
		p->session->n_zombies_held++;
	}
}

/* The user has the exit event: now the pid may be used again. */
void sts_process_collect_exit(struct sts_process *p)
{
	sts_os_wait_reap(p->pid); /* a dead leader that was never ours may be our child */
	sts_process_free(p);
}

static void lwp_reaped(struct sts_lwp *lwp, int status)
{
	struct sts_process *p = lwp->process;
	bool last = p->n_lwps == 1;

	if (!lwp->exit_counted && count_out(lwp))
		exit_notice(lwp, status);
	sts_lwp_bury(lwp);
	if (last && p->releasing)
		sts_process_free(p);
	else if (last && p->leader_untraced)
		process_dead(p, NULL, status);
}

/* The kernel says there is no tracee left: somebody else's wait(2) took their ends. */
int sts_processes_lost(struct stasis_session *s)
{
	struct sts_process *p;

	TAILQ_FOREACH(p, &s->all, in_session) {
		if (p->dead)
			continue;
		process_dead(p, NULL, p->last_exit_status);
		return 1;
	}
	return 0;
}

void sts_lwp_dead(struct sts_lwp *lwp, int status)
{
	struct sts_process *p = lwp->process;

	if (!p) {
		sts_os_wait_reap(lwp->tid);
		sts_lwp_bury(lwp);
		return;
	}
	sts_step_over_end(lwp);
	if (lwp->spawn)
		sts_spawn_abandon(lwp);
	if (lwp->tid == p->pid) {
		count_out(lwp);
		sts_lwp_state_set(lwp, STS_LWP_EXITING);
		process_dead(p, lwp, status);
		return;
	}
	if (WIFSIGNALED(status))
		p->dying = true;
	p->last_exit_status = status;
	sts_os_wait_reap(lwp->tid);
	lwp_reaped(lwp, status);
}

/* --- exec ------------------------------------------------------------------------------------ */

/* The LWP that goes on under the process's id; all others are gone. */
struct sts_lwp *sts_exec_survivor(struct stasis_session *s, struct sts_process *p, pid_t former)
{
	struct sts_lwp *survivor = sts_lwp_find(s, former);
	struct sts_lwp *leader = sts_lwp_find(s, p->pid);

	if (!survivor || (survivor->process && survivor->process != p))
		survivor = leader;
	if (!survivor)
		return NULL;
	if (leader && !leader->process && leader != survivor)
		sts_lwp_bury(leader); /* made for the report alone: a dead leader we never traced */
	bury_lwps_but(p, survivor);
	if (!survivor->process)
		sts_lwp_claim(survivor, p);
	if (survivor->tid != p->pid)
		sts_lwp_rename(s, survivor, p->pid);
	p->leader_untraced = false;
	return survivor;
}

static void reset_lwp(struct sts_lwp *lwp)
{
	lwp->at_breakpoint = lwp->stepping_over = lwp->stepping = false;
	lwp->action = STASIS_CONTINUE;
	lwp->watch_dirty = false;
	lwp->watch_control = 0;
	lwp->pass_once = 0;
	lwp->suspended = false;
}

/* The old memory with its breakpoints is gone, or left to those who share it. */
static void reset_image(struct sts_process *p)
{
	struct sts_space *old = p->space;
	struct sts_space *space = sts_space_new(p->session);

	if (old->stepper && old->stepper->process == p) {
		old->stepper = NULL;
		old->stepper_set = false;
	}
	sts_process_space_set(p, space);
	sts_watch_clear(p);
	p->memory_shared = false;
	p->disposition_known = p->trap_action_known = false;
}

void sts_exec(struct sts_lwp *lwp, pid_t former)
{
	struct sts_process *p = lwp->process;
	struct sts_space *old = p->space;
	bool was_shared = p->memory_shared;

	old->refs++;
	reset_lwp(lwp);
	reset_image(p);
	sts_space_settle(old);
	sts_space_put(old);
	if (p->spawning) {
		sts_spawn_child_exec(p);
		return;
	}
	if (p->shadow && was_shared) { /* the sharing has ended */
		sts_process_release(p);
		return;
	}
	if (!sts_event_wanted(p, STASIS_EVENT_EXEC)) {
		sts_lwp_settle(lwp);
		return;
	}
	sts_event_begin(lwp, STASIS_EVENT_EXEC)->data.exec.former_tid = former;
	sts_event_post(lwp);
}
