/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many threads of the host program call functions of every kind on one isolated
 * session at once, while its tracees run, give birth and take signals. Each
 * event goes to one waiter; whatever a call answers makes sense; in the end the
 * targets have seen nothing of it. Made for the thread sanitizer.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "storms.h"

enum { HOSTS = 8, TARGETS = 3, FULL_CALLS = 20000, MAX_PIDS = 64, SEEN = 1 << 16 };

struct arena {
	struct storm st;
	pid_t targets[TARGETS];
	unsigned calls; /* per host thread */
	_Atomic uint64_t events, answers;
	_Atomic int bad_result; /* the first answer that makes no sense */
	_Atomic unsigned bad_operation;
	_Atomic unsigned char seen[SEEN]; /* by sequence number, each event once */
	_Atomic bool seen_twice;
};

struct host {
	struct arena *a;
	uint64_t random;
	pthread_t thread;
};

static const int sensible[] = {
	STASIS_E_GONE,	    STASIS_E_NO_PROCESS,    STASIS_E_NOT_TRACED,  STASIS_E_ALREADY_TRACED,
	STASIS_E_RUNNING,   STASIS_E_BAD_LWP,	    STASIS_E_BAD_ADDRESS, STASIS_E_TIMEOUT,
	STASIS_E_NO_TRACEE, STASIS_E_INTERRUPTED,   STASIS_E_EXISTS,	  STASIS_E_NO_BREAKPOINT,
	STASIS_E_BAD_STATE, STASIS_E_ALL_SUSPENDED, STASIS_E_MID_EXEC,	  STASIS_E_ZOMBIE,
};

static void judge(struct host *h, unsigned operation, int result)
{
	int none = 0;

	atomic_fetch_add(&h->a->answers, 1);
	if (result >= 0)
		return;
	for (size_t i = 0; i < sizeof sensible / sizeof sensible[0]; i++)
		if (result == sensible[i])
			return;
	if (atomic_compare_exchange_strong(&h->a->bad_result, &none, result))
		atomic_store(&h->a->bad_operation, operation);
}

static uint64_t dice(struct host *h, uint64_t n)
{
	return sts_random(&h->random) % n;
}

static pid_t some_target(struct host *h)
{
	return h->a->targets[dice(h, TARGETS)];
}

static pid_t some_process(struct host *h)
{
	pid_t pids[MAX_PIDS];
	size_t n = 0;

	if (stasis_process_list(h->a->st.s, pids, MAX_PIDS, &n) < 0 || n == 0)
		return some_target(h);
	return pids[dice(h, n < MAX_PIDS ? n : MAX_PIDS)];
}

static pid_t some_lwp(struct host *h)
{
	pid_t tids[MAX_PIDS], pid = some_process(h);
	size_t n = 0;

	if (stasis_lwp_list(h->a->st.s, pid, tids, MAX_PIDS, &n) < 0 || n == 0)
		return pid;
	return tids[dice(h, n < MAX_PIDS ? n : MAX_PIDS)];
}

/* --- the operations ----------------------------------------------------------------------- */

static int op_wait(struct host *h)
{
	struct stasis_session *s = h->a->st.s;
	struct stasis_event ev;
	int r = stasis_wait(s, dice(h, 4) ? 0 : some_process(h), dice(h, 3), &ev);

	if (r < 0)
		return r;
	atomic_fetch_add(&h->a->events, 1);
	if (ev.sequence < SEEN && atomic_exchange(&h->a->seen[ev.sequence], 1))
		atomic_store(&h->a->seen_twice, true);
	if (!ev.stopped)
		return 0;
	if (ev.all_stop)
		return stasis_resume(s, ev.pid, NULL, 0);
	return stasis_resume_lwp(s, ev.tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP);
}

static int op_interrupt(struct host *h)
{
	return stasis_interrupt(h->a->st.s, some_process(h));
}

static int op_resume(struct host *h)
{
	return stasis_resume(h->a->st.s, some_process(h), NULL, 0);
}

static int op_step(struct host *h)
{
	pid_t tid = some_lwp(h);
	struct stasis_lwp_info info;
	int r = stasis_lwp_info_get(h->a->st.s, tid, &info);
	const struct stasis_resume_spec specs[2] = {
		{.tid = tid, .action = STASIS_STEP, .signal = STASIS_SIGNAL_KEEP},
		{.tid = 0, .action = STASIS_CONTINUE, .signal = STASIS_SIGNAL_KEEP},
	};

	return r < 0 ? r : stasis_resume(h->a->st.s, info.pid, specs, 2);
}

static int op_look(struct host *h)
{
	struct stasis_process_info process;
	struct stasis_lwp_info lwp;
	int r = stasis_process_info_get(h->a->st.s, some_process(h), &process);

	return r < 0 ? r : stasis_lwp_info_get(h->a->st.s, some_lwp(h), &lwp);
}

static int op_registers(struct host *h)
{
	struct stasis_regs_x86 regs;
	pid_t tid = some_lwp(h);
	int r = stasis_regs_get(h->a->st.s, tid, STASIS_REGSET_GENERAL, &regs, sizeof regs, NULL);

	return r < 0 ? r : stasis_regs_set(h->a->st.s, tid, STASIS_REGSET_GENERAL, &regs, sizeof regs);
}

/* Beside the counters, which the targets write: reading those would be their race, not ours. */
static int op_memory(struct host *h)
{
	char bytes[64];
	uint64_t site = h->a->st.sh->address[dice(h, STORM_SITES)];

	return stasis_memory_read(h->a->st.s, some_target(h), site, bytes, sizeof bytes, NULL);
}

static int op_breakpoint(struct host *h)
{
	uint64_t site = h->a->st.sh->address[dice(h, STORM_SITES)];
	pid_t pid = some_target(h);

	return dice(h, 2) ? stasis_breakpoint_insert(h->a->st.s, pid, site)
			  : stasis_breakpoint_remove(h->a->st.s, pid, site);
}

static int op_mask(struct host *h)
{
	const uint64_t optional = STASIS_EVENTS_SYSCALL | STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL) |
				  STASIS_EVENT_BIT(STASIS_EVENT_LWP_CREATE) | STASIS_EVENT_BIT(STASIS_EVENT_LWP_EXIT);
	struct stasis_event_mask mask = {
		.all_stop = STASIS_EVENTS_BIRTH | STASIS_EVENT_BIT(STASIS_EVENT_BREAKPOINT) |
			    (sts_random(&h->random) & optional & ~STASIS_EVENTS_SYSCALL),
		.thread_stop = sts_random(&h->random) & optional,
	};

	return stasis_event_mask_set(h->a->st.s, some_process(h), &mask);
}

static int op_suspend(struct host *h)
{
	pid_t tid = some_lwp(h);
	int r = stasis_lwp_suspend(h->a->st.s, tid);

	return r < 0 ? r : stasis_lwp_unsuspend(h->a->st.s, tid);
}

static int op_detach(struct host *h)
{
	pid_t pid = some_target(h);
	int r = dice(h, 20) == 0 ? stasis_detach(h->a->st.s, pid, STASIS_SIGNAL_KEEP) : 0;

	return r < 0 ? r : stasis_attach(h->a->st.s, pid);
}

static int op_session(struct host *h)
{
	struct stasis_session *s = h->a->st.s;
	struct stasis_error_info info;
	struct pollfd p = {.fd = stasis_session_fd(s), .events = POLLIN};

	stasis_session_last_error(s, &info);
	if (dice(h, 8) == 0)
		stasis_session_wake(s);
	return poll(&p, 1, 0) < 0 ? STASIS_E_PERM : p.fd;
}

static int (*const operations[])(struct host *h) = {
	op_wait,      op_wait,	 op_wait,	op_wait, op_interrupt, op_resume, op_step,    op_look,
	op_registers, op_memory, op_breakpoint, op_mask, op_suspend,   op_detach, op_session,
};

static void *host_main(void *arg)
{
	struct host *h = arg;

	for (unsigned i = 0; i < h->a->calls; i++) {
		unsigned operation = dice(h, sizeof operations / sizeof operations[0]);

		judge(h, operation, operations[operation](h));
	}
	return NULL;
}

/* --- before and after ------------------------------------------------------------------------ */

static void begin(struct arena *a)
{
	storm_begin_session(&a->st);
	a->calls = sts_rounds(FULL_CALLS, 500);
	for (int i = 0; i < TARGETS; i++) {
		a->targets[i] =
			storm_start(&a->st, "work", 2, 0,
				    STORM_WORK_BIRTHS | STORM_WORK_CHURN | STORM_WORK_SIGNALS | STORM_WORK_SLEEPS);
		storm_await_gate(&a->st, 1);
		atomic_store(&a->st.sh->at_gate, 0);
	}
	storm_open_gate(&a->st, 1);
}

/* A resume may have failed because somebody had just suspended the last LWP: nothing may stay at rest for that. */
static void resume_all(struct arena *a)
{
	pid_t pids[MAX_PIDS], tids[MAX_PIDS];
	size_t n = 0, n_lwps = 0;

	STS_OK(stasis_process_list(a->st.s, pids, MAX_PIDS, &n));
	for (size_t i = 0; i < n && i < MAX_PIDS; i++) {
		if (stasis_lwp_list(a->st.s, pids[i], tids, MAX_PIDS, &n_lwps) < 0)
			continue;
		for (size_t k = 0; k < n_lwps && k < MAX_PIDS; k++) {
			int r = stasis_lwp_unsuspend(a->st.s, tids[k]);

			if (r == 0)
				r = stasis_resume_lwp(a->st.s, tids[k], STASIS_CONTINUE, STASIS_SIGNAL_KEEP);
		}
		int r = stasis_resume(a->st.s, pids[i], NULL, 0);
		if (r != STASIS_E_RUNNING)
			STORM_MAY_DIE(r);
	}
}

static void end(struct arena *a)
{
	struct stasis_event ev;

	resume_all(a);
	for (int i = 0; i < TARGETS; i++)
		STORM_MAY_DIE(stasis_detach(a->st.s, a->targets[i], STASIS_SIGNAL_KEEP));
	atomic_store(&a->st.sh->stop, 1);
	/* The last wake-up may not have met a wait yet. */
	int r;
	while ((r = stasis_wait(a->st.s, 0, 0, &ev)) == 0)
		storm_resume(&a->st, &ev);
	ATF_REQUIRE(r == STASIS_E_INTERRUPTED || r == STASIS_E_TIMEOUT || r == STASIS_E_NO_TRACEE);
	while (storm_next(&a->st, 0, &ev)) /* children in the middle of their lives */
		storm_resume(&a->st, &ev);
	for (int i = 0; i < TARGETS; i++)
		sts_reap_exit(a->targets[i], STORM_DONE_STATUS);
	fprintf(stderr, "%lu answers, %lu events\n", (unsigned long)a->answers, (unsigned long)a->events);
	storm_check_target(&a->st);
	storm_end(&a->st);
}

STS_TC(all_at_once, 600, "threads of the host call everything at once on one isolated session")
{
	static struct arena a;
	struct host hosts[HOSTS];

	begin(&a);
	for (int i = 0; i < HOSTS; i++) {
		hosts[i] = (struct host){.a = &a, .random = sts_random(&a.st.random)};
		hosts[i].thread = storm_helper(host_main, &hosts[i]);
	}
	for (int i = 0; i < HOSTS; i++)
		pthread_join(hosts[i].thread, NULL);
	ATF_REQUIRE_MSG(!a.seen_twice, "an event went to two waiters");
	ATF_REQUIRE_MSG(a.bad_result == 0, "operation %u answered %s", a.bad_operation,
			stasis_error_name(a.bad_result));
	end(&a);
}
