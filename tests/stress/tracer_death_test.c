/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tracer is killed by SIGKILL at random moments of its work. Its tracees are
 * dead then, or go on unharmed, as was chosen. A direct tracer that dies leaves
 * the kernel alone with the tracees: breakpoints, single steps and signals that
 * it had in hand cannot be put right by anybody, so with RELEASE it uses none.
 */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "storms.h"

enum { FULL = 400, WORKERS = 3, ITERATIONS = 1500, LONGEST_US = 4000, HOLD_US = 300 };
/* What the tracer tells of itself, in `lived`. */
enum { BEGUN = 1, HOLDING = 2 };

struct round {
	struct storm *st;
	enum stasis_death_policy policy;
	bool launched; /* by the tracer; else a child of ours that it attaches to */
	bool dies;     /* what the policy means for the tracee */
	bool careful;  /* see above */
	uint64_t flags;
	pid_t pid;
	struct stasis_event_mask mask;
};

static void choose(struct round *r)
{
	struct storm *st = r->st;
	const uint64_t groups[] = {
		STASIS_EVENTS_BIRTH | STASIS_EVENT_BIT(STASIS_EVENT_EXEC),
		STASIS_EVENT_BIT(STASIS_EVENT_LWP_CREATE) | STASIS_EVENT_BIT(STASIS_EVENT_LWP_EXIT),
		STASIS_EVENTS_SYSCALL,
		STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL),
	};

	r->policy = storm_random(st, 3);
	r->launched = storm_random(st, 2);
	r->dies = r->policy == STASIS_DEATH_KILL || (r->policy == STASIS_DEATH_DEFAULT && r->launched);
	r->careful = sts_kind() == STS_DIRECT && !r->dies;
	r->flags = storm_random(st, STORM_WORK_HOLD) | STORM_WORK_HOLD;
	if (r->careful)
		r->flags &= ~STORM_WORK_SIGNALS;
	r->mask.all_stop = STASIS_EVENT_BIT(STASIS_EVENT_BREAKPOINT);
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
		switch (storm_random(st, 3)) {
		case 0:
			r->mask.all_stop |= groups[i];
			break;
		case 1:
			r->mask.thread_stop |= groups[i];
		}
	}
}

/* --- the tracer, a process of its own ------------------------------------------------------- */

static void take_hold(struct round *r)
{
	struct storm *st = r->st;

	if (r->launched) {
		pid_t pid = storm_launch(st, "work", WORKERS, ITERATIONS, r->flags);

		atomic_store(&st->sh->receiver, pid);
		r->pid = pid;
	} else {
		sts_attach(st->s, r->pid);
	}
	atomic_store(&st->sh->lived, HOLDING);
	sts_resume(st->s, r->pid);
	storm_run_to_gate(st, 1, storm_any_event, NULL);
	storm_interrupt(st, r->pid, storm_any_event, NULL);
	for (int i = 0; i < STORM_SITES && !r->careful; i++)
		STS_OK_S(st->s, stasis_breakpoint_insert(st->s, r->pid, st->sh->address[i]));
	storm_open_gate(st, 1);
	sts_resume(st->s, r->pid);
}

static void answer(struct round *r, const struct stasis_event *ev)
{
	const struct stasis_resume_spec specs[2] = {
		{.tid = ev->tid, .action = STASIS_STEP, .signal = STASIS_SIGNAL_KEEP},
		{.tid = 0, .action = STASIS_CONTINUE, .signal = STASIS_SIGNAL_KEEP},
	};

	if (storm_random(r->st, 10) == 0) /* hold it for a while */
		for (uint64_t end = storm_now_us() + storm_random(r->st, HOLD_US); storm_now_us() < end;)
			;
	if (ev->all_stop && !r->careful && storm_random(r->st, 4) == 0)
		STORM_MAY_DIE(stasis_resume(r->st->s, ev->pid, specs, 2));
	else
		storm_resume(r->st, ev);
	if (storm_random(r->st, 20) == 0)
		STORM_MAY_DIE(stasis_interrupt(r->st->s, r->pid));
}

__attribute__((noreturn)) static void tracer(struct round *r)
{
	struct stasis_session_opts opts = {.size = sizeof opts, .death = r->policy};
	struct storm *st = r->st;
	struct stasis_event ev;

	atomic_store(&st->sh->lived, BEGUN);
	st->s = sts_session_with(&opts);
	STS_OK_S(st->s, stasis_event_mask_set(st->s, 0, &r->mask));
	take_hold(r);
	for (;;) {
		int e = stasis_wait(st->s, 0, 100, &ev);

		if (e == 0)
			answer(r, &ev);
		else if (e != STASIS_E_TIMEOUT)
			_exit(1); /* the target cannot end: it is held at its last gate */
	}
}

/* --- the test ------------------------------------------------------------------------------------ */

static pid_t start_tracer(struct round *r)
{
	struct storm mine = *r->st; /* its own random numbers */

	mine.random = sts_random(&r->st->random);
	pid_t pid = sts_fork();
	if (pid == 0) {
		r->st = &mine;
		tracer(r);
	}
	return pid;
}

static void await_word(_Atomic uint32_t *word, uint32_t value, pid_t tracer_pid)
{
	uint64_t deadline = sts_now_ms() + sts_bound_ms();

	while (atomic_load(word) < value) {
		ATF_REQUIRE_MSG(sts_now_ms() < deadline, "the tracer does not get to work");
		ATF_REQUIRE_MSG(waitpid(tracer_pid, NULL, WNOHANG) == 0, "the tracer ended by itself");
		sched_yield();
	}
}

static void kill_tracer(struct round *r, pid_t pid)
{
	for (uint64_t end = storm_now_us() + storm_random(r->st, LONGEST_US); storm_now_us() < end;)
		;
	sts_kill_reap(pid);
}

static void await_death(struct round *r, int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (poll(&p, 1, sts_bound_ms()) != 1) {
		sts_describe(r->pid);
		atf_tc_fail("the tracer is dead and process %d still alive", (int)r->pid);
	}
}

static void check_unharmed(struct round *r)
{
	struct storm_shared *sh = r->st->sh;

	storm_open_gate(r->st, 1); /* the tracer may have died before */
	for (uint64_t deadline = sts_now_ms() + sts_bound_ms(); sh->at_gate < 2;) {
		if (sts_now_ms() > deadline) {
			sts_describe(r->pid);
			atf_tc_fail("the tracer is dead and process %d does not finish its work (%s)", (int)r->pid,
				    sh->failure);
		}
		sched_yield();
	}
	storm_check_free(r->pid);
	storm_check_text(r->pid);
	uint64_t due = 0;
	for (uint64_t i = 0; i < WORKERS; i++)
		due += storm_work_share(i, ITERATIONS);
	ATF_REQUIRE_EQ_MSG(sh->result, due, "wrong result");
	ATF_REQUIRE_EQ(sh->signals_got, sh->signals_sent);
	storm_check_target(r->st);
	storm_open_gate(r->st, 2);
}

/*
 * Killed before it took hold, whatever the policy: a child of ours lives. One
 * that the tracer launched may be anywhere on its way, and known to nobody: with
 * both gates open it ends by itself, if it is let live.
 */
static void check(struct round *r, int pidfd)
{
	bool held = atomic_load(&r->st->sh->lived) == HOLDING;

	if (pidfd >= 0 && r->dies && held)
		await_death(r, pidfd);
	else if (pidfd >= 0 && !r->dies)
		check_unharmed(r);
	else if (pidfd >= 0)
		kill(r->pid, SIGKILL);
	storm_open_gate(r->st, 2);
	if (pidfd >= 0)
		close(pidfd);
	if (r->launched)
		return;
	int status = sts_reap(r->pid);
	ATF_REQUIRE_EQ_MSG(status, r->dies ? SIGKILL : STORM_DONE_STATUS << 8, "wait status %#x", status);
}

static void one_round(struct storm *st)
{
	struct round r = {.st = st};
	uint32_t moment = storm_random(st, 4) ? HOLDING : BEGUN;

	choose(&r);
	if (!r.launched) {
		r.pid = storm_start(st, "work", WORKERS, ITERATIONS, r.flags);
		storm_await_gate(st, 1);
	}
	pid_t tracer_pid = start_tracer(&r);
	await_word(&st->sh->lived, moment, tracer_pid);
	if (r.launched && moment == HOLDING)
		r.pid = atomic_load(&st->sh->receiver);
	int pidfd = r.pid ? (int)STS_SYS(syscall(SYS_pidfd_open, r.pid, 0)) : -1;
	kill_tracer(&r, tracer_pid);
	check(&r, pidfd);
}

STS_TC_BOTH(at_random_moments, 600, "the tracer is killed: tracees are dead, or finish unharmed, as chosen")
{
	uint64_t random = sts_seed();
	struct storm st;

	for (unsigned i = sts_rounds(FULL, 30); i > 0; i--) {
		storm_begin(&st); /* anew: a target that is dying may still write into its own */
		st.random = sts_random(&random);
		one_round(&st);
		storm_end(&st);
	}
}
