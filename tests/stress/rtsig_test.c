/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 100,000 queued real-time signals with payload under a thousand stops: none is
 * lost, none doubled, order and payload are kept. Two kinds are sent to the
 * process, one to its main thread.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "storms.h"

enum { FULL_STOPS = 1000, PER_STOP = 34 /* of each of three kinds */ };

struct account {
	struct storm st;
	pid_t pid;
	uint64_t n; /* of each kind */
	uint64_t reported[STORM_RT_KINDS];
	_Atomic uint64_t allowed; /* how many of each the sender may have sent */
	_Atomic bool give_up;
};

static long send_one(const struct account *a, int kind, uint64_t number)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = (void *)(uintptr_t)storm_payload(kind, number);
	if (kind == STORM_RT_KINDS - 1)
		return syscall(SYS_rt_tgsigqueueinfo, a->pid, a->pid, SIGRTMIN + 1 + kind, &info);
	return syscall(SYS_rt_sigqueueinfo, a->pid, SIGRTMIN + 1 + kind, &info);
}

/* The queue is limited (RLIMIT_SIGPENDING): a full one is no fault, the sender tries again. */
static void *sender(void *arg)
{
	struct account *a = arg;

	for (uint64_t i = 0; i < a->n; i++) {
		while (i >= atomic_load(&a->allowed) && !atomic_load(&a->give_up))
			sched_yield();
		for (int kind = 0; kind < STORM_RT_KINDS; kind++)
			while (send_one(a, kind, i) < 0 && errno == EAGAIN && !atomic_load(&a->give_up))
				sched_yield();
	}
	return NULL;
}

static void take(void *arg, const struct stasis_event *ev)
{
	struct account *a = arg;
	const siginfo_t *info = &ev->data.signal.info;

	if (ev->kind == STASIS_EVENT_EXITED)
		return;
	if (ev->kind != STASIS_EVENT_SIGNAL)
		storm_no_event(NULL, ev);
	int kind = info->si_signo - SIGRTMIN - 1;
	ATF_REQUIRE(kind >= 0 && kind < STORM_RT_KINDS);
	ATF_REQUIRE_EQ_MSG(ev->tid, a->pid, "signal reported of LWP %d, which blocks it", (int)ev->tid);
	uint64_t value = (uintptr_t)info->si_value.sival_ptr, due = storm_payload(kind, a->reported[kind]);
	ATF_REQUIRE_EQ_MSG(value, due, "kind %d: payload %#lx where %#lx was due", kind, (unsigned long)value,
			   (unsigned long)due);
	ATF_REQUIRE_EQ(info->si_code, SI_QUEUE);
	ATF_REQUIRE_EQ(info->si_pid, getpid());
	a->reported[kind]++;
}

/* Until the signals let out so far are all received, so that each stop falls among some. */
static void pump(struct account *a, uint64_t received)
{
	uint64_t deadline = sts_now_ms() + sts_bound_ms();
	struct stasis_event ev;

	while (a->st.sh->signals[0] < received && !atomic_load(&a->st.sh->done)) {
		int r = stasis_wait(a->st.s, 0, 1, &ev);

		if (r == 0) {
			take(a, &ev);
			storm_resume(&a->st, &ev);
			deadline = sts_now_ms() + sts_bound_ms();
		} else if (r != STASIS_E_TIMEOUT) {
			STS_OK_S(a->st.s, r);
		}
		if (sts_now_ms() > deadline) {
			storm_stuck(&a->st);
			atf_tc_fail("signals are no longer received: %lu of %lu", (unsigned long)a->st.sh->signals[0],
				    (unsigned long)received);
		}
	}
}

static void stops(struct account *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t before = i * PER_STOP;

		atomic_store(&a->allowed, before + PER_STOP);
		/* Stop somewhere among this batch. */
		pump(a, before + storm_random(&a->st, PER_STOP));
		storm_interrupt(&a->st, a->pid, take, a);
		storm_check_rest(&a->st, a->pid);
		sts_resume(a->st.s, a->pid);
	}
}

static void begin(struct account *a, unsigned n, uint64_t events, bool pass)
{
	sigset_t set;

	*a = (struct account){.n = (uint64_t)n * PER_STOP};
	storm_begin_session(&a->st);
	sts_want(a->st.s, 0, events);
	if (pass) {
		sigfillset(&set);
		STS_OK_S(a->st.s, stasis_pass_signals_set(a->st.s, 0, &set));
	}
	atomic_store(&a->st.sh->sender, getpid());
	a->pid = storm_launch(&a->st, "rtsig", a->n);
	sts_resume(a->st.s, a->pid);
	storm_run_to_gate(&a->st, 1, storm_no_event, NULL);
	storm_open_gate(&a->st, 1);
}

static void storm(uint64_t events, bool pass)
{
	unsigned n = sts_rounds(FULL_STOPS, 30);
	struct account a;

	begin(&a, n, events, pass);
	pthread_t thread = storm_helper(sender, &a);
	stops(&a, n);
	pthread_join(thread, NULL);
	storm_run_to_gate(&a.st, 2, take, &a);
	storm_open_gate(&a.st, 2);
	storm_run(&a.st, take, &a);
	storm_check_target(&a.st);
	for (int kind = 0; kind < STORM_RT_KINDS; kind++) {
		ATF_REQUIRE_EQ_MSG(a.st.sh->signals[kind], a.n, "kind %d: %lu received of %lu", kind,
				   (unsigned long)a.st.sh->signals[kind], (unsigned long)a.n);
		ATF_REQUIRE_EQ(a.reported[kind], events && !pass ? a.n : 0);
	}
	storm_end(&a.st);
}

STS_TC_BOTH(unreported, 300, "100,000 queued signals that nobody asked about, under 1000 stops")
{
	storm(0, false);
}

STS_TC_BOTH(reported, 600, "100,000 queued signals, each reported and delivered, under 1000 stops")
{
	storm(STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL), false);
}

STS_TC_BOTH(passed, 300, "100,000 queued signals in the pass-through set, under 1000 stops")
{
	storm(STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL), true);
}
