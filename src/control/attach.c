/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking hold of processes: launched and attached. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "control/model.h"
#include "util/cleanup.h"

extern char **environ;

static struct sts_process *new_process(struct stasis_session *s, pid_t pid, bool launched)
{
	if (sts_spares_fill(s) < 0)
		return NULL;
	struct sts_process *p = sts_process_new(s, pid, sts_space_new(s));

	p->launched = launched;
	p->attaching = true;
	p->stopping = true;
	p->exit_kill = sts_policy_kills(s, STASIS_DEATH_DEFAULT, launched);
	s->has_survivors |= !p->exit_kill;
	return p;
}

/* It was let go, but an LWP that the kernel holds is with us still: take it back. */
static void take_back(struct sts_process *p)
{
	p->releasing = false;
	p->launched = sts_process_filtered(p);
	p->attaching = true;
	p->stopping = true;
	p->config = p->session->defaults;
	p->birth = STASIS_EVENT_ATTACHED;
	p->exit_kill = sts_policy_kills(p->session, STASIS_DEATH_DEFAULT, p->launched);
	sts_process_pause(p);
}

static struct sts_lwp *new_lwp(struct stasis_session *s, struct sts_process *p, pid_t tid, enum sts_lwp_state state)
{
	struct sts_lwp *lwp = sts_lwp_find(s, tid);

	if (!lwp && !(lwp = sts_lwp_new(s, tid)))
		return NULL;
	if (!lwp->process)
		sts_lwp_claim(lwp, p);
	lwp->exit_kill = p->exit_kill;
	if (lwp->state == STS_LWP_STARTING)
		sts_lwp_state_set(lwp, state);
	return lwp;
}

/* --- launch ----------------------------------------------------------------------------- */

struct spawn_args {
	struct sts_launch launch;
	pid_t *pid_ret;
	int filter_error;
};

static int spawn_error(struct stasis_session *s, int error, const char *path)
{
	struct stasis_error_info *info = &s->error;

	sts_fail(s, error, "launch", 0, 0, 0, stasis_strerror(error), "");
	if (error == STASIS_E_WRONG_MACHINE)
		strcpy(info->remedy, "run a program built for this machine");
	else if (error == STASIS_E_NOT_EXECUTABLE)
		strcpy(info->remedy, "give a program, or a script with a #! line whose interpreter exists");
	else if (error == -ENOENT)
		strcpy(info->remedy, "check the path, and that the program's interpreter or dynamic linker exists");
	else if (error == -EACCES)
		strcpy(info->remedy, "check the file's execute permission and the mount options");
	return error;
}

/* With a filter, or without if it is not to be had. */
static int launch_filtered(struct stasis_session *s, struct spawn_args *a, pid_t *pid_ret)
{
	struct sts_filter *filter = NULL;

	a->filter_error =
		a->launch.exit_kill ? sts_os_filter_make(&s->pool, a->launch.opts->calls, &filter) : STASIS_E_BAD_STATE;
	a->launch.filter = filter;
	int r = sts_os_launch(&a->launch, pid_ret);
	sts_os_filter_free(filter);
	if (r > -STS_OS_FILTER_REFUSED)
		return r;
	a->filter_error = r + STS_OS_FILTER_REFUSED;
	a->launch.filter = NULL;
	return sts_os_launch(&a->launch, pid_ret);
}

static int launch(struct stasis_session *s, struct spawn_args *a, pid_t *pid_ret)
{
	if (a->launch.opts->flags & STASIS_SPAWN_FILTER)
		return launch_filtered(s, a, pid_ret);
	return sts_os_launch(&a->launch, pid_ret);
}

static void begin_calls(struct sts_process *p, struct sts_lwp *lwp, struct sts_calls *calls, const struct spawn_args *a)
{
	p->filter_error = a->filter_error;
	if (!calls)
		return;
	calls->filtered = a->launch.filter;
	lwp->exit_due = calls->filtered;
	p->calls = calls;
	sts_calls_remember(p->session, calls);
}

static int do_spawn(struct stasis_session *s, void *arg)
{
	struct spawn_args *a = arg;
	struct sts_process *p;
	struct sts_lwp *lwp;
	struct sts_calls *calls = NULL;
	pid_t pid;

	if (sts_spares_fill(s) < 0)
		return -ENOMEM;
	if (a->launch.opts->calls && !(calls = sts_calls_new(s, a->launch.opts->calls)))
		return -ENOMEM;
	a->launch.exit_kill = sts_policy_kills(s, STASIS_DEATH_DEFAULT, true);
	a->launch.ignore_child_signal = s->host_ignores_child;
	int r = launch(s, a, &pid);
	if (r < 0) {
		sts_calls_put(calls);
		return spawn_error(s, r, a->launch.opts->path);
	}
	p = new_process(s, pid, true);
	lwp = new_lwp(s, p, pid, STS_LWP_RESTING);
	lwp->stop = (struct sts_report){.tid = pid, .kind = STS_REPORT_EXEC, .consumed = true};
	begin_calls(p, lwp, calls, a);
	sts_process_show(p, true);
	sts_process_attached(p);
	*a->pid_ret = pid;
	return 0;
}

int stasis_spawn(struct stasis_session *session, const struct stasis_spawn_opts *opts, pid_t *pid_ret)
{
	struct spawn_args args = {.launch = {.opts = opts}, .pid_ret = pid_ret};
	const unsigned flags =
		STASIS_SPAWN_NEW_PGROUP | STASIS_SPAWN_NO_ASLR | STASIS_SPAWN_SEARCH_PATH | STASIS_SPAWN_FILTER;

	if (!opts || opts->size != sizeof *opts || !opts->path || !opts->argv || (opts->flags & ~flags) ||
	    (opts->flags & STASIS_SPAWN_FILTER && !opts->calls))
		return STASIS_E_BAD_ARGUMENT;
	args.launch.envp = opts->envp ? opts->envp : environ;
	sts_gate_caller_mask(session, &args.launch.mask);
	return sts_gate_call(session, do_spawn, &args);
}

/* --- attach --------------------------------------------------------------------------------- */

/* -EPERM of a seize: one of ours already (born of an LWP seized before), dead, or refused. */
static int seize_refused(struct stasis_session *s, struct sts_process *p, pid_t tid)
{
	struct sts_task_status status;

	if (sts_os_task_status(p->pid, tid, &status) < 0)
		return 0;
	if (status.state == 'Z' || status.state == 'X') {
		p->leader_untraced |= tid == p->pid;
		return 0;
	}
	if (status.tracer != stasis_session_tracer_pid(s))
		return -EPERM;
	struct sts_lwp *lwp = new_lwp(s, p, tid, STS_LWP_STARTING);
	if (!lwp)
		return -ENOMEM;
	if (lwp->state == STS_LWP_STARTING) {
		lwp->creator = lwp->creator ? lwp->creator : p->pid;
		sts_expect(s, lwp);
	}
	return 1;
}

/* 1: a new LWP of ours; 0: nothing to do. */
static int take_lwp(struct stasis_session *s, struct sts_process *p, pid_t tid)
{
	struct sts_lwp *lwp = sts_lwp_find(s, tid);

	if (lwp && lwp->process == p)
		return 0;
	if (sts_spares_fill(s) < 0)
		return -ENOMEM;
	int r = sts_os_seize(tid, p->exit_kill, sts_process_filtered(p));
	if (r == -EPERM)
		return seize_refused(s, p, tid);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	lwp = new_lwp(s, p, tid, STS_LWP_RUNNING);
	if (!lwp)
		return -ENOMEM;
	lwp->interrupted = sts_os_interrupt(tid) == 0;
	sts_expect(s, lwp);
	return 1;
}

/* Passes over the list until one is known to be whole. 1: LWPs were found, 0: none. */
static int take_all(struct stasis_session *s, struct sts_process *p)
{
	for (bool found = false;;) {
		_cleanup_pool_ pid_t *tids = NULL;
		size_t n;
		bool complete;
		int r = sts_os_lwp_list(&s->pool, p->pid, &tids, &n, &complete);

		for (size_t i = 0; r >= 0 && i < n; i++) {
			r = take_lwp(s, p, tids[i]);
			found |= r > 0;
		}
		if (r < 0)
			return r;
		if (complete)
			return found;
	}
}

static int await_rest(struct stasis_session *s, pid_t pid)
{
	for (;;) {
		struct sts_process *p = sts_process_find(s, pid);

		if (!p || p->dead || p->dying)
			return STASIS_E_GONE;
		if (p->n_moving == 0)
			return 0;
		int r = sts_collect_wait(s);
		if (r < 0)
			return r;
	}
}

/*
 * An LWP seized in the middle of clone(2) makes a child that is not ours and may
 * not be listed yet. Only when all that we hold rest is a whole list the truth.
 */
static int take_until_rest(struct stasis_session *s, pid_t pid)
{
	for (;;) {
		struct sts_process *p = sts_process_find(s, pid);
		int found = p ? take_all(s, p) : STASIS_E_GONE;

		if (found < 0)
			return found;
		if (p->n_lwps == 0)
			return -ESRCH;
		int r = await_rest(s, pid);
		if (r < 0 || found == 0)
			return r;
	}
}

static int attach_failed(struct stasis_session *s, pid_t pid, int error)
{
	/* What was taken goes before the reason is looked for: it must not be seen as ours. */
	int gone = await_rest(s, pid);
	struct sts_process *p = sts_process_find(s, pid);

	if (p && gone != STASIS_E_GONE && error != STASIS_E_GONE)
		sts_process_release(p);
	else if (p)
		p->attaching = false; /* dies as a shadow */
	if (error != -EPERM && error != -ESRCH && error != STASIS_E_GONE)
		return error;
	int explained = sts_os_explain_eperm(pid, &s->error);
	s->error.error = explained;
	return explained;
}

/* What the kernel would allow but makes no sense. */
static int check_target(struct stasis_session *s, pid_t pid)
{
	struct sts_task_status status;

	if (pid == s->host_pid || pid == stasis_session_tracer_pid(s))
		return sts_fail(s, STASIS_E_PERM_SELF, "attach", pid, 0, 0, "a process cannot trace itself",
				"trace it from another process");
	if (sts_os_task_status(pid, pid, &status) == 0 && status.tgid != pid)
		return sts_fail(s, STASIS_E_BAD_ARGUMENT, "attach", status.tgid, pid, 0,
				"this is the id of a thread, not of a process", "attach to its process instead");
	return 0;
}

static int do_attach(struct stasis_session *s, void *arg)
{
	pid_t pid = *(pid_t *)arg;
	struct sts_process *p = sts_process_find(s, pid);

	if (p && !p->shadow)
		return sts_fail(s, STASIS_E_ALREADY_TRACED, "attach", pid, 0, 0, "this session traces it already", "");
	int r = check_target(s, pid);
	if (r < 0)
		return r;
	if (p && !p->dying)
		take_back(p);
	else if (!p)
		p = new_process(s, pid, false);
	if (!p)
		return -ENOMEM;
	r = take_until_rest(s, pid);
	if (r < 0)
		return attach_failed(s, pid, r);
	p = sts_process_find(s, pid);
	sts_process_show(p, true);
	sts_process_attached(p);
	return 0;
}

int stasis_attach(struct stasis_session *session, pid_t pid)
{
	if (pid <= 0)
		return STASIS_E_BAD_ARGUMENT;
	return sts_gate_call(session, do_attach, &pid);
}
