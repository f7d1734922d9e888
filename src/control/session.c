/* SPDX-License-Identifier: BSD-2-Clause */
/* The session object: errors, log, defaults, and its end. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/gate.h"
#include "control/model.h"

int sts_fail(struct stasis_session *s, int error, const char *operation, pid_t pid, pid_t tid, uint64_t addr,
	     const char *cause, const char *remedy)
{
	s->error = (struct stasis_error_info){
		.error = error,
		.sys_errno = stasis_error_errno(error),
		.pid = pid,
		.tid = tid,
		.address = addr,
	};
	snprintf(s->error.operation, sizeof s->error.operation, "%s", operation);
	snprintf(s->error.cause, sizeof s->error.cause, "%s", cause);
	snprintf(s->error.remedy, sizeof s->error.remedy, "%s", remedy);
	return error;
}

void sts_log(struct stasis_session *s, enum stasis_log_level level, const char *domain, const char *format, ...)
{
	char text[256];
	va_list ap;

	if (!s->log || level > s->log_level)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	s->log(s->log_arg, level, domain, text);
}

static int do_last_error(struct stasis_session *s, void *arg)
{
	*(struct stasis_error_info *)arg = s->error;
	return 0;
}

void stasis_session_last_error(struct stasis_session *session, struct stasis_error_info *info_ret)
{
	memset(info_ret, 0, sizeof *info_ret);
	if (sts_gate_call(session, do_last_error, info_ret) == STASIS_E_TRACER_DEAD)
		*info_ret = (struct stasis_error_info){
			.error = STASIS_E_TRACER_DEAD,
			.sys_errno = EOWNERDEAD,
			.operation = "ask the helper task",
			.cause = "the helper task was killed from outside",
			.remedy = "destroy the session and make another",
		};
}

/* --- making and ending ---------------------------------------------------------------- */

static void session_init(struct stasis_session *s, const struct stasis_session_opts *opts)
{
	const uint64_t unusual = STASIS_EVENTS_SYSCALL;

	for (int i = 0; i < STS_BUCKETS; i++) {
		LIST_INIT(&s->lwps[i]);
		LIST_INIT(&s->processes[i]);
	}
	TAILQ_INIT(&s->all);
	TAILQ_INIT(&s->unclaimed);
	TAILQ_INIT(&s->expected);
	TAILQ_INIT(&s->arrived);
	TAILQ_INIT(&s->unconsumed);
	LIST_INIT(&s->exiting);
	TAILQ_INIT(&s->ready);
	s->defaults.mask.all_stop = STASIS_EVENTS_ALL & ~unusual;
	s->defaults.fold_spawn = true;
	if (!opts)
		return;
	s->direct = opts->flags & STASIS_SESSION_DIRECT;
	s->keeps_ended = opts->flags & STASIS_SESSION_KEEP_ENDED;
	s->keeps_faults = opts->flags & STASIS_SESSION_KEEP_FAULTS;
	s->death = opts->death;
	s->log = opts->log;
	s->log_arg = opts->log_arg;
	s->log_level = opts->log_level;
}

int stasis_session_create(const struct stasis_session_opts *opts, struct stasis_session **session_ret)
{
	const unsigned flags = STASIS_SESSION_DIRECT | STASIS_SESSION_KEEP_ENDED | STASIS_SESSION_KEEP_FAULTS;

	if (opts &&
	    (opts->size != sizeof *opts || (opts->flags & ~flags) || (unsigned)opts->death > STASIS_DEATH_RELEASE))
		return STASIS_E_BAD_ARGUMENT;
	struct stasis_session *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	session_init(s, opts);
	int r = sts_gate_open(s);
	if (r < 0) {
		sts_pool_clear(&s->pool);
		free(s);
		return r;
	}
	*session_ret = s;
	return 0;
}

void stasis_session_destroy(struct stasis_session *session)
{
	if (!session || !sts_gate_close(session))
		return;
	sts_pool_clear(&session->pool);
	free(session);
}

/* --- the end of all tracees ------------------------------------------------------------------ */

/* Kernel-held LWPs answer to nothing; do not wait for them for ever. */
#define SHUTDOWN_MS 2000

static bool end_one(struct stasis_session *s)
{
	struct sts_process *p;

	TAILQ_FOREACH(p, &s->all, in_session) {
		if (p->ending)
			continue;
		p->ending = true;
		if (p->dead) {
			sts_process_collect_exit(p);
		} else if (sts_policy_kills(s, p->death, p->launched) && !p->releasing) {
			sts_process_forsake(p);
			sts_os_kill(p->pid, SIGKILL);
			sts_process_dying(p);
		} else if (!p->releasing) {
			sts_process_release(p);
		}
		return true;
	}
	return false;
}

/* Nobody will look at it again. */
static void leave_going(struct sts_lwp *lwp)
{
	if (lwp->state == STS_LWP_RESTING)
		sts_os_detach(lwp->tid, 0);
}

/* Children whose parent was killed before it could tell of them: they share its fate, if that is known. */
static void end_unclaimed(struct stasis_session *s)
{
	struct sts_lwp *lwp, *next;

	for (lwp = TAILQ_FIRST(&s->unclaimed); lwp; lwp = next) {
		next = TAILQ_NEXT(lwp, in_process);
		if (lwp->state != STS_LWP_RESTING)
			continue;
		if (!s->has_survivors) {
			sts_os_kill(lwp->tid, SIGKILL); /* its end is collected as any other */
		} else {
			leave_going(lwp);
			sts_lwp_bury(lwp);
		}
	}
}

void sts_session_shutdown(struct stasis_session *s)
{
	int64_t limit = sts_clock_ms() + SHUTDOWN_MS;
	struct sts_process *p;
	struct sts_lwp *lwp;

	do {
		while (end_one(s))
			;
		if (TAILQ_EMPTY(&s->all)) /* nobody is left who could claim them */
			end_unclaimed(s);
		if (TAILQ_EMPTY(&s->all) && TAILQ_EMPTY(&s->unclaimed) && sts_collect(s, false) <= 0)
			break;
		if (sts_collect_wait(s) < 0)
			break;
	} while (sts_clock_ms() < limit);
	while ((lwp = TAILQ_FIRST(&s->unclaimed))) {
		leave_going(lwp);
		sts_lwp_bury(lwp);
	}
	while ((p = TAILQ_FIRST(&s->all))) {
		TAILQ_FOREACH(lwp, &p->lwps, in_process)
			leave_going(lwp);
		sts_process_free(p);
	}
}

const char *stasis_version(void)
{
	return STASIS_VERSION;
}
