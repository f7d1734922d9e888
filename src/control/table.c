/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding, making and freeing LWPs, processes and address spaces. */
#include <errno.h>
#include "control/model.h"

static unsigned bucket(pid_t id)
{
	return (unsigned)id % STS_BUCKETS;
}

/* A birth is seen when it is too late to refuse it, so its objects are made beforehand. */
int sts_spares_fill(struct stasis_session *s)
{
	if (!s->spare_lwp)
		s->spare_lwp = sts_pool_get(&s->pool, sizeof *s->spare_lwp);
	if (!s->spare_process)
		s->spare_process = sts_pool_get(&s->pool, sizeof *s->spare_process);
	if (!s->spare_space)
		s->spare_space = sts_pool_get(&s->pool, sizeof *s->spare_space);
	return s->spare_lwp && s->spare_process && s->spare_space ? 0 : -ENOMEM;
}

/* --- LWPs ------------------------------------------------------------------- */

struct sts_lwp *sts_lwp_find(struct stasis_session *s, pid_t tid)
{
	struct sts_lwp *lwp;

	LIST_FOREACH(lwp, &s->lwps[bucket(tid)], by_tid)
		if (lwp->tid == tid)
			return lwp;
	return NULL;
}

struct sts_lwp *sts_lwp_new(struct stasis_session *s, pid_t tid)
{
	struct sts_lwp *lwp = s->spare_lwp;

	if (!lwp && !(lwp = sts_pool_get(&s->pool, sizeof *lwp)))
		return NULL;
	s->spare_lwp = NULL;
	lwp->tid = tid;
	lwp->session = s;
	lwp->state = STS_LWP_STARTING;
	lwp->node.lwp = lwp->exit_node.lwp = lwp;
	LIST_INSERT_HEAD(&s->lwps[bucket(tid)], lwp, by_tid);
	TAILQ_INSERT_TAIL(&s->unclaimed, lwp, in_process);
	s->n_lwps++;
	return lwp;
}

static bool is_moving(enum sts_lwp_state state)
{
	return state == STS_LWP_STARTING || state == STS_LWP_RUNNING;
}

void sts_lwp_claim(struct sts_lwp *lwp, struct sts_process *process)
{
	TAILQ_REMOVE(&lwp->session->unclaimed, lwp, in_process);
	TAILQ_INSERT_TAIL(&process->lwps, lwp, in_process);
	lwp->process = process;
	lwp->node.process = lwp->exit_node.process = process;
	process->n_lwps++;
	process->n_live++;
	if (is_moving(lwp->state))
		process->n_moving++;
	lwp->watch_dirty = process->watching;
	lwp->born = ++lwp->session->sequence;
}

void sts_lwp_rename(struct stasis_session *s, struct sts_lwp *lwp, pid_t tid)
{
	LIST_REMOVE(lwp, by_tid);
	lwp->tid = tid;
	LIST_INSERT_HEAD(&s->lwps[bucket(tid)], lwp, by_tid);
}

void sts_lwp_state_set(struct sts_lwp *lwp, enum sts_lwp_state state)
{
	struct sts_process *p = lwp->process;

	if (p)
		p->n_moving += is_moving(state) - is_moving(lwp->state);
	if (p && p->first == lwp && state != STS_LWP_RUNNING) {
		p->first = NULL;
		p->space->resettle = true;
	}
	lwp->state = state;
	if (state == STS_LWP_EXITING && !lwp->exiting_listed) {
		LIST_INSERT_HEAD(&lwp->session->exiting, lwp, in_exiting);
		lwp->exiting_listed = true;
	}
}

static void lwp_unlist(struct sts_lwp *lwp)
{
	struct stasis_session *s = lwp->session;

	sts_unexpect(s, lwp);
	sts_unarrive(s, lwp);
	if (lwp->unconsumed)
		TAILQ_REMOVE(&s->unconsumed, lwp, in_unconsumed);
	if (lwp->exiting_listed)
		LIST_REMOVE(lwp, in_exiting);
	lwp->unconsumed = lwp->exiting_listed = false;
	if (lwp->zombie_held)
		s->n_zombies_held--;
	lwp->zombie_held = false;
}

void sts_lwp_try_free(struct sts_lwp *lwp)
{
	if (lwp->state != STS_LWP_GONE || lwp->node.where != STS_NODE_IDLE || lwp->exit_node.where != STS_NODE_IDLE)
		return;
	TAILQ_REMOVE(lwp->process ? &lwp->process->lwps : &lwp->session->unclaimed, lwp, in_process);
	sts_pool_put(lwp);
}

void sts_lwp_bury(struct sts_lwp *lwp)
{
	lwp_unlist(lwp);
	lwp->session->n_lwps--;
	LIST_REMOVE(lwp, by_tid);
	sts_lwp_state_set(lwp, STS_LWP_GONE);
	if (lwp->process) {
		lwp->process->n_lwps--;
		if (!lwp->exit_counted)
			lwp->process->n_live--;
		lwp->exit_counted = true;
	}
	sts_lwp_try_free(lwp);
}

/* --- address spaces ------------------------------------------------------------- */

struct sts_space *sts_space_new(struct stasis_session *s)
{
	struct sts_space *space = s->spare_space;

	if (!space && !(space = sts_pool_get(&s->pool, sizeof *space)))
		return NULL;
	s->spare_space = NULL;
	space->pool = &s->pool;
	TAILQ_INIT(&space->processes);
	return space;
}

void sts_space_put(struct sts_space *space)
{
	if (--space->refs > 0)
		return;
	sts_breakpoints_wipe(space, 0);
	sts_pool_put(space);
}

void sts_process_space_set(struct sts_process *p, struct sts_space *space)
{
	struct sts_space *old = p->space;

	if (old)
		TAILQ_REMOVE(&old->processes, p, in_space);
	if (space) {
		space->refs++;
		TAILQ_INSERT_TAIL(&space->processes, p, in_space);
	}
	p->space = space;
	if (old)
		sts_space_put(old);
}

/* --- processes --------------------------------------------------------------------- */

struct sts_process *sts_process_find(struct stasis_session *s, pid_t pid)
{
	struct sts_process *p;

	LIST_FOREACH(p, &s->processes[bucket(pid)], by_pid)
		if (p->pid == pid)
			return p;
	return NULL;
}

/* A task of the process that has its memory still: its main thread may be dead. */
pid_t sts_process_task(const struct sts_process *p)
{
	const struct sts_lwp *lwp;

	TAILQ_FOREACH(lwp, &p->lwps, in_process)
		if (lwp->state != STS_LWP_GONE && lwp->state != STS_LWP_EXITING && lwp->state != STS_LWP_VANISHING)
			return lwp->tid;
	return p->pid;
}

void sts_process_show(struct sts_process *p, bool shown)
{
	p->shadow = !shown;
	if (shown != p->listed)
		p->session->n_processes += shown ? 1 : -1;
	p->listed = shown;
}

struct sts_process *sts_process_new(struct stasis_session *s, pid_t pid, struct sts_space *space)
{
	struct sts_process *p = s->spare_process;

	if (!p && !(p = sts_pool_get(&s->pool, sizeof *p)))
		return NULL;
	s->spare_process = NULL;
	p->session = s;
	p->pid = pid;
	p->shadow = true;
	p->birth = STASIS_EVENT_ATTACHED;
	TAILQ_INIT(&p->lwps);
	TAILQ_INIT(&p->kept);
	p->node.process = p->exit_node.process = p;
	p->config = s->defaults;
	LIST_INSERT_HEAD(&s->processes[bucket(pid)], p, by_pid);
	TAILQ_INSERT_TAIL(&s->all, p, in_session);
	sts_process_space_set(p, space);
	return p;
}

void sts_process_free(struct sts_process *p)
{
	struct sts_lwp *lwp;

	sts_process_show(p, false);
	sts_birth_released(p);
	sts_events_drop(p);
	while ((lwp = TAILQ_FIRST(&p->lwps))) {
		if (lwp->spawn)
			sts_spawn_abandon(lwp);
		if (lwp->state != STS_LWP_GONE)
			sts_lwp_bury(lwp);
		else
			sts_lwp_try_free(lwp);
	}
	if (p->spawner)
		p->spawner->spawn = NULL;
	sts_process_space_set(p, NULL);
	sts_calls_put(p->calls);
	LIST_REMOVE(p, by_pid);
	TAILQ_REMOVE(&p->session->all, p, in_session);
	sts_pool_put(p);
}
