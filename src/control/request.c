/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that change whether and how tracees run, and the lookups all requests begin with. */
#include <errno.h>
#include <string.h>
#include "control/model.h"

/* --- lookups ------------------------------------------------------------------------ */

static int not_traced(struct stasis_session *s, pid_t pid, pid_t tid)
{
	return sts_fail(s, STASIS_E_NOT_TRACED, "find tracee", pid, tid, 0, "it is not a tracee of this session", "");
}

int sts_process_visible(struct stasis_session *s, pid_t pid, struct sts_process **ret)
{
	struct sts_process *p = sts_process_find(s, pid);

	if (!p || p->shadow)
		return not_traced(s, pid, 0);
	if (p->dying)
		return STASIS_E_GONE;
	*ret = p;
	return 0;
}

int sts_process_stopped(struct stasis_session *s, pid_t pid, struct sts_process **ret)
{
	int r = sts_process_visible(s, pid, ret);

	if (r == 0 && !(*ret)->reported)
		return sts_fail(s, STASIS_E_RUNNING, "request", pid, 0, 0, "the tracee is not stopped",
				"stop it with stasis_interrupt() and wait for the event");
	return r;
}

int sts_lwp_visible(struct stasis_session *s, pid_t tid, struct sts_lwp **ret)
{
	struct sts_lwp *lwp = sts_lwp_find(s, tid);

	if (!lwp || !lwp->process || lwp->process->shadow)
		return not_traced(s, 0, tid);
	if (lwp->process->dying || lwp->state == STS_LWP_VANISHING || lwp->state == STS_LWP_EXITING)
		return STASIS_E_GONE;
	*ret = lwp;
	return 0;
}

int sts_lwp_at_rest(struct stasis_session *s, pid_t tid, struct sts_lwp **ret)
{
	int r = sts_lwp_visible(s, tid, ret);

	if (r < 0)
		return r;
	struct sts_lwp *lwp = *ret;
	bool shown = lwp->process->reported || (lwp->event_out && lwp->reported);
	if (!shown || lwp->state != STS_LWP_RESTING)
		return sts_fail(s, STASIS_E_RUNNING, "request", lwp->process->pid, tid, 0,
				shown ? "the LWP is asleep in the kernel, where its registers cannot be had"
				      : "the LWP is not stopped",
				"");
	return 0;
}

/* --- resume --------------------------------------------------------------------------- */

struct resume_args {
	pid_t pid;
	const struct stasis_resume_spec *specs;
	size_t n;
};

static const struct stasis_resume_spec *spec_for(const struct resume_args *a, pid_t tid)
{
	const struct stasis_resume_spec *other = NULL;

	for (size_t i = 0; i < a->n; i++) {
		if (a->specs[i].tid == tid)
			return &a->specs[i];
		if (a->specs[i].tid == 0)
			other = &a->specs[i];
	}
	return other;
}

static int specs_check(struct stasis_session *s, struct sts_process *p, const struct resume_args *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct stasis_resume_spec *spec = &a->specs[i];
		const struct sts_lwp *lwp = spec->tid ? sts_lwp_find(s, spec->tid) : NULL;

		if (spec->tid && (!lwp || lwp->process != p))
			return sts_fail(s, STASIS_E_BAD_LWP, "resume", p->pid, spec->tid, 0,
					"the tracee has no such LWP", "");
		if (spec->signal < STASIS_SIGNAL_KEEP || spec->signal > 64 || (spec->set_pc && !spec->tid) ||
		    (unsigned)spec->action > STASIS_STAY)
			return STASIS_E_BAD_ARGUMENT;
	}
	return 0;
}

static bool will_run(const struct resume_args *a, const struct sts_lwp *lwp)
{
	const struct stasis_resume_spec *spec = spec_for(a, lwp->tid);

	if (lwp->suspended)
		return false;
	return a->n == 0 || (spec && spec->action != STASIS_STAY);
}

static bool any_will_run(struct sts_process *p, const struct resume_args *a)
{
	struct sts_lwp *lwp;

	TAILQ_FOREACH(lwp, &p->lwps, in_process)
		if (lwp->state != STS_LWP_GONE && lwp->state != STS_LWP_EXITING && will_run(a, lwp))
			return true;
	return false;
}

static void set_pc(struct sts_lwp *lwp, uint64_t pc)
{
	if (sts_lwp_gone(lwp, sts_regs_load(lwp)))
		return;
	lwp->at_breakpoint &= lwp->regs.rip == pc;
	lwp->regs.rip = pc;
	lwp->regs_dirty = true;
}

static void apply_spec(struct sts_lwp *lwp, const struct resume_args *a)
{
	const struct stasis_resume_spec *spec = spec_for(a, lwp->tid);

	lwp->stay = !will_run(a, lwp) && !lwp->suspended;
	if (lwp->event_out && !lwp->reported)
		return; /* its own event comes first */
	lwp->event_out = lwp->reported = false;
	if (!spec && a->n == 0)
		lwp->action = STASIS_CONTINUE;
	if (!spec)
		return;
	lwp->action = spec->action == STASIS_STEP ? STASIS_STEP : STASIS_CONTINUE;
	if (spec->signal != STASIS_SIGNAL_KEEP)
		lwp->signal = spec->signal;
	if (spec->set_pc && lwp->state == STS_LWP_RESTING)
		set_pc(lwp, spec->pc);
}

/* FOLLOW_CHILD: the parent's part is over. */
static bool drops(struct sts_process *p)
{
	struct sts_lwp *lwp;

	TAILQ_FOREACH(lwp, &p->lwps, in_process)
		if (lwp->drop_process && lwp->event_out && lwp->reported)
			return true;
	return false;
}

static int do_resume(struct stasis_session *s, void *arg)
{
	const struct resume_args *a = arg;
	struct sts_process *p;
	struct sts_lwp *lwp;
	int r = sts_process_stopped(s, a->pid, &p);

	if (r == 0)
		r = specs_check(s, p, a);
	if (r < 0)
		return r;
	if (!any_will_run(p, a))
		return sts_fail(s, STASIS_E_ALL_SUSPENDED, "resume", a->pid, 0, 0, "no LWP would run",
				"unsuspend or name at least one LWP");
	if (drops(p)) {
		sts_process_release(p);
		return 0;
	}
	TAILQ_FOREACH(lwp, &p->lwps, in_process)
		apply_spec(lwp, a);
	p->reported = p->held = false;
	if (TAILQ_EMPTY(&p->kept)) {
		p->stopping = false;
		sts_process_settle(p);
	} else {
		sts_process_check_rest(p);
	}
	return 0;
}

int stasis_resume(struct stasis_session *session, pid_t pid, const struct stasis_resume_spec *specs, size_t n)
{
	return sts_gate_call(session, do_resume, &(struct resume_args){pid, specs, n});
}

struct resume_lwp_args {
	pid_t tid;
	enum stasis_action action;
	int signal;
};

static int do_resume_lwp(struct stasis_session *s, void *arg)
{
	const struct resume_lwp_args *a = arg;
	struct sts_lwp *lwp;
	int r = sts_lwp_visible(s, a->tid, &lwp);

	if (r < 0)
		return r;
	if (!lwp->event_out || !lwp->reported || lwp->node.event.all_stop)
		return sts_fail(s, STASIS_E_RUNNING, "resume LWP", lwp->process->pid, a->tid, 0,
				"it does not rest in a thread-stop of its own", "");
	if (lwp->drop_process) {
		sts_process_release(lwp->process);
		return 0;
	}
	lwp->event_out = lwp->reported = false;
	lwp->action = a->action;
	if (a->signal != STASIS_SIGNAL_KEEP)
		lwp->signal = a->signal;
	sts_lwp_settle(lwp);
	return 0;
}

int stasis_resume_lwp(struct stasis_session *session, pid_t tid, enum stasis_action action, int signal)
{
	if ((action != STASIS_CONTINUE && action != STASIS_STEP) || signal < STASIS_SIGNAL_KEEP || signal > 64)
		return STASIS_E_BAD_ARGUMENT;
	return sts_gate_call(session, do_resume_lwp, &(struct resume_lwp_args){tid, action, signal});
}

/* --- interrupt, kill ---------------------------------------------------------------------- */

static int do_interrupt(struct stasis_session *s, void *arg)
{
	struct sts_process *p;
	int r = sts_process_visible(s, *(pid_t *)arg, &p);

	if (r < 0 || p->stopping)
		return r;
	p->interrupt_wanted = true;
	sts_process_stop(p);
	sts_process_check_rest(p);
	return 0;
}

int stasis_interrupt(struct stasis_session *session, pid_t pid)
{
	return sts_gate_call(session, do_interrupt, &pid);
}

static int do_kill(struct stasis_session *s, void *arg)
{
	struct sts_process *p;
	int r = sts_process_visible(s, *(pid_t *)arg, &p);

	if (r < 0)
		return r;
	r = sts_os_kill(p->pid, SIGKILL);
	if (r < 0)
		return r == -ESRCH ? STASIS_E_GONE : r;
	sts_process_dying(p);
	return 0;
}

int stasis_kill(struct stasis_session *session, pid_t pid)
{
	return sts_gate_call(session, do_kill, &pid);
}

static int do_collect(struct stasis_session *s, void *arg)
{
	struct sts_process *p = sts_process_find(s, *(pid_t *)arg);

	if (!p || p->shadow)
		return not_traced(s, *(pid_t *)arg, 0);
	if (!s->keeps_ended || !p->dead || p->exit_node.where != STS_NODE_IDLE)
		return sts_fail(s, STASIS_E_BAD_STATE, "collect exit", p->pid, 0, 0, "its end was not reported",
				"wait for the exited or killed event");
	sts_process_collect_exit(p);
	return 0;
}

int stasis_exit_collect(struct stasis_session *session, pid_t pid)
{
	return sts_gate_call(session, do_collect, &pid);
}

/* --- switches of one LWP ---------------------------------------------------------------------- */

struct lwp_switch {
	pid_t tid;
	bool on;
};

static int lwp_of_stopped(struct stasis_session *s, pid_t tid, struct sts_lwp **ret)
{
	struct sts_process *p;
	int r = sts_lwp_visible(s, tid, ret);

	if (r == 0 && !((*ret)->event_out && (*ret)->reported))
		r = sts_process_stopped(s, (*ret)->process->pid, &p);
	return r;
}

static int do_suspend(struct stasis_session *s, void *arg)
{
	const struct lwp_switch *a = arg;
	struct sts_lwp *lwp;
	int r = lwp_of_stopped(s, a->tid, &lwp);

	if (r == 0)
		lwp->suspended = a->on;
	return r;
}

static int do_step_set(struct stasis_session *s, void *arg)
{
	const struct lwp_switch *a = arg;
	struct sts_lwp *lwp;
	int r = lwp_of_stopped(s, a->tid, &lwp);

	if (r == 0)
		lwp->sticky_step = a->on;
	return r;
}

int stasis_lwp_suspend(struct stasis_session *session, pid_t tid)
{
	return sts_gate_call(session, do_suspend, &(struct lwp_switch){tid, true});
}

int stasis_lwp_unsuspend(struct stasis_session *session, pid_t tid)
{
	return sts_gate_call(session, do_suspend, &(struct lwp_switch){tid, false});
}

int stasis_lwp_step_set(struct stasis_session *session, pid_t tid, bool step)
{
	return sts_gate_call(session, do_step_set, &(struct lwp_switch){tid, step});
}

/* --- settings of a tracee, or of those to come ------------------------------------------------- */

struct config_args {
	pid_t pid;
	void (*change)(struct sts_config *config, const struct config_args *a);
	const struct stasis_event_mask *mask;
	struct stasis_event_mask *mask_ret;
	uint64_t bits;
	int value;
};

static int do_config(struct stasis_session *s, void *arg)
{
	const struct config_args *a = arg;
	struct sts_process *p = NULL;
	int r = a->pid ? sts_process_visible(s, a->pid, &p) : 0;

	if (r < 0)
		return r;
	struct sts_config *config = p ? &p->config : &s->defaults;
	if (a->mask_ret)
		*a->mask_ret = config->mask;
	else
		a->change(config, a);
	return 0;
}

static void change_mask(struct sts_config *config, const struct config_args *a)
{
	config->mask = *a->mask;
}

static void change_follow(struct sts_config *config, const struct config_args *a)
{
	for (int kind = 0; kind < STASIS_EVENT_KIND_COUNT; kind++)
		if (a->bits & STASIS_EVENT_BIT(kind))
			config->follow[kind] = a->value;
}

static void change_fold(struct sts_config *config, const struct config_args *a)
{
	config->fold_spawn = a->value;
}

static void change_pass(struct sts_config *config, const struct config_args *a)
{
	config->pass = a->bits;
}

int stasis_event_mask_set(struct stasis_session *session, pid_t pid, const struct stasis_event_mask *mask)
{
	struct config_args args = {.pid = pid, .change = change_mask, .mask = mask};

	return sts_gate_call(session, do_config, &args);
}

int stasis_event_mask_get(struct stasis_session *session, pid_t pid, struct stasis_event_mask *mask_ret)
{
	return sts_gate_call(session, do_config, &(struct config_args){.pid = pid, .mask_ret = mask_ret});
}

int stasis_follow_set(struct stasis_session *session, pid_t pid, uint64_t kinds, enum stasis_follow follow)
{
	struct config_args args = {.pid = pid, .change = change_follow, .bits = kinds, .value = follow};

	if ((kinds & ~STASIS_EVENTS_BIRTH) || (unsigned)follow > STASIS_FOLLOW_CHILD)
		return STASIS_E_BAD_ARGUMENT;
	return sts_gate_call(session, do_config, &args);
}

int stasis_spawn_fold_set(struct stasis_session *session, pid_t pid, bool fold)
{
	struct config_args args = {.pid = pid, .change = change_fold, .value = fold};

	return sts_gate_call(session, do_config, &args);
}

int stasis_pass_signals_set(struct stasis_session *session, pid_t pid, const sigset_t *set)
{
	struct config_args args = {.pid = pid, .change = change_pass};

	for (int signal = 1; signal <= 64; signal++)
		if (sigismember(set, signal) == 1)
			args.bits |= UINT64_C(1) << (signal - 1);
	return sts_gate_call(session, do_config, &args);
}

/* --- death policy ---------------------------------------------------------------------------------- */

struct policy_args {
	pid_t pid;
	enum stasis_death_policy policy;
};

bool sts_policy_kills(const struct stasis_session *s, enum stasis_death_policy policy, bool launched)
{
	if (policy == STASIS_DEATH_DEFAULT)
		policy = s->death;
	return policy == STASIS_DEATH_KILL || (policy == STASIS_DEATH_DEFAULT && launched);
}

/* The kernel's option can be changed at rest only; a running LWP gets it at its next stop. */
void sts_options_sync(struct sts_lwp *lwp)
{
	if (lwp->exit_kill == lwp->process->exit_kill)
		return;
	if (sts_os_options_set(lwp->tid, lwp->process->exit_kill, sts_process_filtered(lwp->process)) == 0)
		lwp->exit_kill = lwp->process->exit_kill;
}

static int do_policy(struct stasis_session *s, void *arg)
{
	const struct policy_args *a = arg;
	struct sts_process *p;
	struct sts_lwp *lwp;
	int r = sts_process_visible(s, a->pid, &p);

	if (r < 0)
		return r;
	if (sts_process_filtered(p) && !sts_policy_kills(s, a->policy, p->launched))
		return sts_filtered_fail(p, "change death policy");
	p->death = a->policy;
	p->exit_kill = sts_policy_kills(s, p->death, p->launched);
	s->has_survivors |= !p->exit_kill;
	TAILQ_FOREACH(lwp, &p->lwps, in_process)
		if (lwp->state == STS_LWP_RESTING)
			sts_options_sync(lwp);
	/* Running: a pause of its own, so that the promise holds from now on. */
	if (!p->stopping)
		sts_process_pause(p);
	return 0;
}

int stasis_death_policy_set(struct stasis_session *session, pid_t pid, enum stasis_death_policy policy)
{
	if ((unsigned)policy > STASIS_DEATH_RELEASE)
		return STASIS_E_BAD_ARGUMENT;
	return sts_gate_call(session, do_policy, &(struct policy_args){pid, policy});
}
