/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things run. A stop is a hand-over between two tasks and back; across
 * CPUs each wakes an idle CPU, which takes longer than all the rest. So while
 * stops come thick and fast, we and the traced share a CPU; when they are few,
 * everybody runs where the scheduler likes.
 *
 * The traced shall not notice: while they ask which CPUs they may use they may
 * use all that they could without us, and when they choose by themselves we
 * leave them alone for good.
 */
#include "cli/truss/truss.h"

/* So many events are looked at together. */
#define SAMPLE 128
/* Stops closer than this on average: about what it costs to wake another CPU and be woken. */
#define CLOSE_NS INT64_C(40000)

static void confine(const struct truss *t, pid_t tid)
{
	sched_setaffinity(tid, sizeof(cpu_set_t), t->place.shared ? &t->place.one : &t->place.all);
}

static void set_shared(struct truss *t, bool shared)
{
	struct truss_place *p = &t->place;

	if (p->shared == shared)
		return;
	int cpu = sched_getcpu();
	if (cpu < 0)
		return;
	p->shared = shared;
	CPU_ZERO(&p->one);
	CPU_SET(cpu, &p->one);
	for (struct truss_lwp *lwp = t->lwps; lwp; lwp = lwp->hh.next)
		confine(t, lwp->tid);
	confine(t, 0);
}

static void find_numbers(struct truss_place *p)
{
	for (enum stasis_abi abi = STASIS_ABI_X86_64; abi <= STASIS_ABI_X32; abi++) {
		p->getaffinity[abi] = stasis_syscall_number(abi, "sched_getaffinity");
		p->setaffinity[abi] = stasis_syscall_number(abi, "sched_setaffinity");
	}
}

void truss_place_begin(struct truss *t, bool filtered)
{
	struct truss_place *p = &t->place;

	/* Without exits nobody would know when an asker has its answer. */
	p->active = t->options.placement != TRUSS_PLACE_FREE && !t->options.entries &&
		    sched_getaffinity(0, sizeof p->all, &p->all) == 0 && CPU_COUNT(&p->all) > 1;
	if (!p->active)
		return;
	find_numbers(p);
	clock_gettime(CLOCK_MONOTONIC, &p->since);
	/* Under a filter nobody knows yet whether there will be many stops. */
	set_shared(t, !filtered || t->options.placement == TRUSS_PLACE_SHARED);
	confine(t, t->command_pid);
}

void truss_place_new(struct truss *t, pid_t tid)
{
	if (t->place.active)
		confine(t, tid);
}

void truss_place_end(struct truss *t)
{
	if (t->place.active)
		set_shared(t, false);
	t->place.active = false;
}

static void look(struct truss *t)
{
	struct truss_place *p = &t->place;
	struct timespec now;

	if (++p->n < SAMPLE)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (t->options.placement == TRUSS_PLACE_AUTO)
		set_shared(t, truss_nanoseconds(&p->since, &now) < CLOSE_NS * SAMPLE);
	p->since = now;
	p->n = 0;
}

static bool is_call(const struct stasis_event *e, enum stasis_event_kind kind, const int64_t numbers[])
{
	const struct stasis_event_syscall *call = &e->data.syscall;

	return e->kind == kind && call->abi >= STASIS_ABI_X86_64 && call->abi <= STASIS_ABI_X32 &&
	       call->number == (uint64_t)numbers[call->abi];
}

void truss_place_event(struct truss *t, const struct stasis_event *e)
{
	struct truss_place *p = &t->place;

	if (!p->active)
		return;
	if (is_call(e, STASIS_EVENT_SYSCALL_ENTER, p->setaffinity)) {
		truss_place_end(t);
		return;
	}
	if (is_call(e, STASIS_EVENT_SYSCALL_ENTER, p->getaffinity)) {
		p->was_shared = p->askers++ == 0 ? p->shared : p->was_shared;
		set_shared(t, false);
	} else if (is_call(e, STASIS_EVENT_SYSCALL_EXIT, p->getaffinity) && p->askers > 0 && --p->askers == 0) {
		set_shared(t, p->was_shared);
	}
	if (p->askers == 0)
		look(t);
}
