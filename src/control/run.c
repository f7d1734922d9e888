/* SPDX-License-Identifier: BSD-2-Clause */
/* Setting LWPs going: one place decides whether an LWP may run, and how. */
#include <errno.h>
#include "control/model.h"

/* -ESRCH from any request: it was killed, its end will be reported. */
bool sts_lwp_gone(struct sts_lwp *lwp, int error)
{
	if (error >= 0)
		return false;
	STS_DEBUG(lwp->session, "lwp", "%d: request failed: %d", lwp->tid, error);
	if (lwp->state == STS_LWP_RESTING || lwp->state == STS_LWP_RUNNING || lwp->state == STS_LWP_STARTING)
		sts_lwp_state_set(lwp, STS_LWP_VANISHING);
	return true;
}

int sts_regs_load(struct sts_lwp *lwp)
{
	if (lwp->regs_valid)
		return 0;
	int r = sts_os_regs_get(lwp->tid, &lwp->regs);
	lwp->regs_valid = r == 0;
	lwp->regs_dirty = false;
	return r;
}

int sts_regs_flush(struct sts_lwp *lwp)
{
	if (!lwp->regs_dirty)
		return 0;
	lwp->regs_dirty = false;
	return sts_os_regs_set(lwp->tid, &lwp->regs);
}

static bool gated(const struct sts_lwp *lwp)
{
	const struct sts_process *p = lwp->process;

	return p->stopping || p->held || p->attaching || (p->space->stepper && p->space->stepper != lwp) ||
	       (p->first && p->first != lwp);
}

static enum sts_run how_to_run(struct sts_lwp *lwp)
{
	const struct sts_process *p = lwp->process;

	/* Should the job's stop be over already, the kernel says so at once. */
	if (lwp->stop.kind == STS_REPORT_GROUP)
		return STS_RUN_LISTEN;
	bool exits = sts_exit_wanted(lwp);
	/* A filter tells of entries by itself. */
	bool calls = exits || (!sts_entries_told(p) && sts_event_wanted(p, STASIS_EVENT_SYSCALL_ENTER));
	if (lwp->action == STASIS_STEP || lwp->sticky_step) {
		/* The kernel's single step would pass a call without its events. */
		bool meets_call = lwp->in_syscall ? exits : calls && sts_step_insn(lwp) == STS_INSN_SYSCALL;
		return meets_call ? STS_RUN_SYSCALL : STS_RUN_STEP;
	}
	return calls ? STS_RUN_SYSCALL : STS_RUN_CONTINUE;
}

/* The kernel takes a signal only from a signal stop; elsewhere it is queued, and let through when it comes. */
static int signal_to_deliver(struct sts_lwp *lwp)
{
	int signal = lwp->signal;

	lwp->signal = 0;
	if (signal == 0 || lwp->stop.kind == STS_REPORT_SIGNAL)
		return signal;
	lwp->pass_once = signal;
	sts_os_tgkill(lwp->process->pid, lwp->tid, signal);
	return 0;
}

bool sts_lwp_resume(struct sts_lwp *lwp, enum sts_run run, int signal)
{
	int r = sts_regs_flush(lwp);

	if (r == 0)
		r = sts_os_resume(lwp->tid, run, signal);
	if (lwp->unconsumed) {
		TAILQ_REMOVE(&lwp->session->unconsumed, lwp, in_unconsumed);
		lwp->unconsumed = false;
	}
	if (sts_lwp_gone(lwp, r))
		return false;
	lwp->run = run;
	sts_mask_forget(lwp);
	sts_lwp_state_set(lwp, STS_LWP_RUNNING);
	return true;
}

static void go(struct sts_lwp *lwp)
{
	if (lwp->action == STASIS_STEP || lwp->sticky_step)
		sts_step_look(lwp);
	enum sts_run run = how_to_run(lwp);

	lwp->learned = false;
	if (lwp->forced != 0)
		sts_fault_restore(lwp);
	if (lwp->state != STS_LWP_RESTING)
		return;
	if (run == STS_RUN_STEP || lwp->process->space->n_breakpoints > 0 || lwp->process->watching ||
	    lwp->session->keeps_faults) {
		sts_signal_state_learn(lwp);
		if (lwp->state != STS_LWP_RESTING)
			return;	       /* killed while it ran a call of ours */
		run = how_to_run(lwp); /* it may rest in another stop now */
	}
	if (lwp->watch_dirty)
		sts_watch_sync(lwp);
	sts_options_sync(lwp);
	if (!sts_lwp_resume(lwp, run, signal_to_deliver(lwp)))
		return;
	if (run != STS_RUN_SYSCALL && sts_entries_told(lwp->process))
		lwp->in_syscall = false; /* its exit will not be seen */
	lwp->stepping = run == STS_RUN_STEP;
	if (lwp->stop.kind == STS_REPORT_BIRTH && lwp->stop.vfork)
		sts_lwp_state_set(lwp, STS_LWP_VFORKING);
}

static bool stays(const struct sts_lwp *lwp)
{
	return lwp->event_out || lwp->spawn_waits || lwp->birth_waits || gated(lwp) || lwp->suspended || lwp->stay;
}

void sts_lwp_settle(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;

	if (lwp->state != STS_LWP_RESTING)
		return;
	if (p->releasing) {
		if (p->space->n_breakpoints == 0) /* else all go when all rest: sts_process_check_rest() */
			sts_lwp_release(lwp);
		return;
	}
	if (stays(lwp))
		return;
	if (lwp->stop.kind == STS_REPORT_EXIT) {
		sts_lwp_exit_go(lwp);
		return;
	}
	if (!sts_step_over(lwp))
		go(lwp);
}

/*
 * An LWP that was interrupted before it had the CPU has not looked at its signals
 * yet, and the kernel shows our interrupts before them. Beside one that has events
 * without end it may never get to. So after some stops of that kind it is asked
 * what waits for it, and if there is something, runs alone until it has told.
 */
#define BREAKS_BORNE 16
#define FIRST_MS 10

static struct sts_lwp *kept_from_signal(struct sts_process *p)
{
	struct sts_lwp *lwp;

	TAILQ_FOREACH(lwp, &p->lwps, in_process) {
		if (lwp->breaks < BREAKS_BORNE || lwp->state != STS_LWP_RESTING || lwp->at_breakpoint || stays(lwp))
			continue;
		lwp->breaks = 0;
		if (sts_os_signal_due(lwp->tid) == 1)
			return lwp;
	}
	return NULL;
}

static void first_go(struct sts_process *p)
{
	struct sts_lwp *lwp = p->first;

	sts_expect(p->session, lwp);
	sts_lwp_settle(lwp);
	if (!p->first || lwp->state == STS_LWP_RUNNING)
		return;
	p->first = NULL; /* something holds it: nobody is to wait for that */
	sts_unexpect(p->session, lwp);
}

/* The signal may have been taken by a call that waits for it, which tells nobody. */
bool sts_first_overdue(struct sts_lwp *lwp, int64_t now_ms)
{
	struct sts_process *p = lwp->process;

	if (!p || p->first != lwp || now_ms - lwp->expected_since < FIRST_MS)
		return false;
	p->first = NULL;
	sts_unexpect(lwp->session, lwp);
	sts_process_settle(p);
	return true;
}

void sts_process_settle(struct sts_process *p)
{
	struct sts_lwp *lwp, *next;

	if (!p->first && p->n_lwps > 1 && (p->first = kept_from_signal(p)))
		first_go(p);

	TAILQ_FOREACH(lwp, &p->lwps, in_process)
		if (lwp->at_breakpoint && lwp->state == STS_LWP_RESTING && !p->releasing && !stays(lwp))
			sts_step_over_early(lwp);
	for (lwp = TAILQ_FIRST(&p->lwps); lwp; lwp = next) {
		next = TAILQ_NEXT(lwp, in_process);
		sts_lwp_settle(lwp);
	}
}

void sts_space_settle(struct sts_space *space)
{
	struct sts_process *p, *next;

	for (p = TAILQ_FIRST(&space->processes); p; p = next) {
		next = TAILQ_NEXT(p, in_space);
		sts_process_settle(p);
	}
}
