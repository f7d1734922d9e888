/* SPDX-License-Identifier: BSD-2-Clause */
/* The wait functions: tracees from where the pump filed them, ordinary children from the kernel. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "netbsd/netbsd.h"

#define CHILD_STATES (WEXITED | WSTOPPED | WCONTINUED)

/* One call, whichever function it came by. */
struct request {
	idtype_t idtype;
	pid_t id;
	int options; /* of waitid() */
	bool wants_usage;
	siginfo_t info;
	struct rusage usage;	/* its own and its children's */
	struct rusage children; /* these alone */
	int status;
};

/* --- ordinary children ------------------------------------------------------------------ */

static int status_of(const siginfo_t *info)
{
	switch (info->si_code) {
	case CLD_EXITED:
		return W_EXITCODE(info->si_status & 0xff, 0);
	case CLD_DUMPED:
		return info->si_status | WCOREFLAG;
	case CLD_KILLED:
		return info->si_status;
	case CLD_CONTINUED:
		return 0xffff;
	default:
		return W_STOPCODE(info->si_status);
	}
}

/* Directly: the C library's waitid() has no usage. */
static pid_t kernel_wait(struct request *q, idtype_t idtype, pid_t id, int options)
{
	memset(&q->info, 0, sizeof q->info);
	memset(&q->usage, 0, sizeof q->usage);
	if (syscall(SYS_waitid, idtype, id, &q->info, options, &q->usage) < 0)
		return -errno;
	return q->info.si_pid;
}

static bool is_end(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED || info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED;
}

/* The kernel tells one sum for a child and its children, and of ended ones only. */
static void split_usage(struct request *q, pid_t pid)
{
	struct rusage self;

	sts_netbsd_usage(pid, &self, &q->children);
	if (is_end(&q->info))
		return;
	q->usage = self;
	sts_netbsd_usage_add(&q->usage, &q->children, 1);
}

/* Looked at before it is taken, for then nothing is left to look at. */
static pid_t usage_wait(struct request *q, int options)
{
	for (;;) {
		pid_t pid = kernel_wait(q, q->idtype, q->id, options | WNOWAIT);

		if (pid <= 0)
			return pid;
		split_usage(q, pid);
		if (options & WNOWAIT)
			return pid;
		const struct rusage looked_up = q->usage;
		pid = kernel_wait(q, P_PID, pid, options | WNOHANG);
		if (pid > 0 && !is_end(&q->info))
			q->usage = looked_up;
		if (pid > 0 || (pid < 0 && pid != -ECHILD))
			return pid; /* else another thread was faster */
	}
}

/* The pid, 0 if there is none yet, -errno. */
static pid_t child_wait(struct request *q, int more_options)
{
	int options = (q->options & ~WTRAPPED) | more_options;

	if (!(q->options & CHILD_STATES)) /* only whether there are any */
		return syscall(SYS_waitid, q->idtype, q->id, NULL, WEXITED | WNOWAIT | WNOHANG, NULL) < 0 ? -errno : 0;
	pid_t pid = q->wants_usage ? usage_wait(q, options) : kernel_wait(q, q->idtype, q->id, options);
	q->status = pid > 0 ? status_of(&q->info) : 0;
	return pid;
}

/* --- tracees ------------------------------------------------------------------------------ */

static bool asked_for(const struct request *q, const struct sts_tracee *t)
{
	if (q->idtype == P_PID)
		return q->id == t->pid;
	if (q->idtype != P_PGID)
		return q->idtype == P_ALL;
	pid_t group = getpgid(t->pid);
	return (group >= 0 ? group : t->pgid) == q->id;
}

static bool has_news(const struct request *q, const struct sts_tracee *t)
{
	if (t->state == STS_TRACEE_STOPPED)
		return q->options & WTRAPPED;
	return t->state == STS_TRACEE_ENDED && (q->options & WEXITED);
}

/* --- who sleeps ------------------------------------------------------------------------------ */

/*
 * Copies, each with its thread's id: a signal handler may jump out of a wait
 * function. Those that find no place are not minded.
 */
#define N_SLEEPERS 64
static struct sleeper {
	lwpid_t lwp; /* 0: free */
	struct request q;
} sleepers[N_SLEEPERS];

static struct sleeper *sleeper_of(lwpid_t lwp)
{
	for (int i = 0; i < N_SLEEPERS; i++)
		if (sleepers[i].lwp == lwp)
			return &sleepers[i];
	return NULL;
}

static void sleeper_set(const struct request *q)
{
	lwpid_t self = (lwpid_t)syscall(SYS_gettid);
	struct sleeper *s = sleeper_of(self);

	if (!s)
		s = sleeper_of(0);
	if (s)
		*s = (struct sleeper){self, *q};
}

static void sleeper_clear(void)
{
	struct sleeper *s = sleeper_of((lwpid_t)syscall(SYS_gettid));

	if (s)
		s->lwp = 0;
}

bool sts_netbsd_is_slept_for(const struct sts_tracee *t)
{
	for (int i = 0; i < N_SLEEPERS; i++)
		if (sleepers[i].lwp && asked_for(&sleepers[i].q, t) && has_news(&sleepers[i].q, t))
			return true;
	return false;
}

void sts_netbsd_sleepers_forget(void)
{
	memset(sleepers, 0, sizeof sleepers);
}

static struct sts_tracee *news(const struct request *q, bool *any_ret)
{
	struct sts_tracee *t;

	*any_ret = false;
	LIST_FOREACH(t, &sts_netbsd.tracees, link) {
		if (!asked_for(q, t))
			continue;
		*any_ret = true;
		if (has_news(q, t))
			return t;
	}
	return NULL;
}

static void fill_info(struct request *q, const struct sts_tracee *t)
{
	siginfo_t *info = &q->info;
	bool ended = t->state == STS_TRACEE_ENDED;

	memset(info, 0, sizeof *info);
	if (q->wants_usage) {
		sts_netbsd_usage(t->pid, &q->usage, &q->children);
		sts_netbsd_usage_add(&q->usage, &q->children, 1);
	}
	q->status = t->status;
	info->si_signo = SIGCHLD;
	info->si_pid = t->pid;
	if (!ended)
		info->si_code = CLD_TRAPPED;
	else if (WIFEXITED(t->status))
		info->si_code = CLD_EXITED;
	else
		info->si_code = WCOREDUMP(t->status) ? CLD_DUMPED : CLD_KILLED;
	if (!ended)
		info->si_status = WSTOPSIG(t->status);
	else
		info->si_status = WIFEXITED(t->status) ? WEXITSTATUS(t->status) : WTERMSIG(t->status);
}

/*
 * The zombie goes to its natural parent. If that is us the kernel tells of it a
 * second time: the first was for the tracer, and NetBSD has one for both.
 */
static void collect(struct request *q, struct sts_tracee *t)
{
	struct request own = {.idtype = P_PID, .id = t->pid, .options = WEXITED | __WALL};

	(void)!stasis_exit_collect(sts_netbsd.session, t->pid);
	if (child_wait(&own, WNOHANG) == t->pid) {
		q->info = own.info;
		q->usage = own.usage;
	}
	sts_netbsd_remove(t);
}

static pid_t tracee_wait(struct request *q, struct sts_tracee *t)
{
	pid_t pid = t->pid;

	fill_info(q, t);
	if (q->options & WNOWAIT)
		return pid;
	if (t->state == STS_TRACEE_ENDED)
		collect(q, t);
	else
		t->state = STS_TRACEE_WAITED;
	return pid;
}

/* --- both ------------------------------------------------------------------------------------ */

/* Somebody who has no tracee must sleep where the kernel tells him of children, if he has any. */
static int watch_children(const struct request *q)
{
	if (!(q->options & CHILD_STATES) || (q->idtype == P_PID && sts_netbsd_find(q->id)))
		return 0;
	return sts_netbsd_watch(q->idtype, q->id, q->options & (CHILD_STATES | __WALL | __WCLONE | __WNOTHREAD));
}

/* The pid; 0: nothing yet; -errno; -EAGAIN: sleep, and look again. */
static pid_t look(struct request *q)
{
	bool any;
	struct sts_tracee *t = news(q, &any);

	if (t)
		return tracee_wait(q, t);
	pid_t pid = child_wait(q, WNOHANG);
	if (pid > 0 || (pid < 0 && pid != -ECHILD) || (pid == -ECHILD && !any))
		return pid;
	if (q->options & WNOHANG)
		return 0;
	int r = pid == 0 ? watch_children(q) : 0;
	return r == 0 ? -EAGAIN : -r;
}

static pid_t wait_both(struct request *q)
{
	int r = 0;

	sts_netbsd_lock();
	for (;;) {
		unsigned changed = atomic_load(&sts_netbsd.changed);
		pid_t pid = r == 0 ? look(q) : -EINTR;

		if (pid != -EAGAIN) {
			sts_netbsd_unlock();
			return pid;
		}
		sleeper_set(q);
		sts_netbsd_unlock();
		r = sts_netbsd_sleep(&sts_netbsd.changed, changed);
		sts_netbsd_lock();
		sleeper_clear();
	}
}

static pid_t do_wait(struct request *q)
{
	pid_t pid = sts_netbsd_ours() ? wait_both(q) : child_wait(q, 0);

	if (pid >= 0)
		return pid;
	errno = -pid;
	return -1;
}

static void select_pid(struct request *q, pid_t pid)
{
	q->idtype = pid == WAIT_ANY ? P_ALL : pid > 0 ? P_PID : P_PGID;
	q->id = pid == WAIT_ANY ? 0 : pid > 0 ? pid : pid == WAIT_MYPGRP ? getpgrp() : -pid;
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	const int known = WNOHANG | WUNTRACED | WCONTINUED | WTRAPPED | WNOWAIT | WEXITED | __WALL | __WCLONE;
	struct request q = {.options = options | WEXITED | WTRAPPED, .wants_usage = usage != NULL};

	if (options & ~known) {
		errno = EINVAL;
		return -1;
	}
	select_pid(&q, pid);
	pid = do_wait(&q);
	if (pid > 0 && status)
		*status = q.status;
	if (pid > 0 && usage)
		*usage = q.usage;
	return pid;
}

pid_t wait3(int *status, int options, struct rusage *usage)
{
	return wait4(WAIT_ANY, status, options, usage);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	return wait4(pid, status, options, NULL);
}

pid_t wait(int *status)
{
	return wait4(WAIT_ANY, status, 0, NULL);
}

/* As waitid(2) has it: with nothing to tell the pid is 0 and info all zero. */
pid_t wait6(idtype_t idtype, id_t id, int *status, int options, struct wrusage *usage, siginfo_t *info)
{
	struct request q = {.idtype = idtype, .id = (pid_t)id, .options = options, .wants_usage = usage != NULL};

	if (!(options & (CHILD_STATES | WTRAPPED))) {
		errno = EINVAL;
		return -1;
	}
	if (idtype == P_PGID && id == 0)
		q.id = getpgrp();
	pid_t pid = do_wait(&q);
	if (pid < 0)
		return pid;
	if (pid > 0 && status)
		*status = q.status;
	if (pid > 0 && usage) {
		usage->wru_self = q.usage;
		sts_netbsd_usage_add(&usage->wru_self, &q.children, -1);
		usage->wru_children = q.children;
	}
	if (info)
		*info = q.info;
	return pid;
}

int waitid(idtype_t idtype, id_t id, siginfo_t *info, int options)
{
	return wait6(idtype, id, NULL, options, NULL, info) < 0 ? -1 : 0;
}
