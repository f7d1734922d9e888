/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which system calls are reported, and what a filter in the kernel asks of us:
 * to serve whoever inherits it, and that nobody is born out of our sight.
 */
#include "control/model.h"

static bool bit_of(enum stasis_abi abi, uint64_t number, size_t *column_ret)
{
	*column_ret = (size_t)abi - STASIS_ABI_X86_64;
	return abi >= STASIS_ABI_X86_64 && abi <= STASIS_ABI_X32 && number < STASIS_CALL_NUMBERS;
}

void stasis_call_set_add(struct stasis_call_set *set, enum stasis_abi abi, uint64_t number)
{
	size_t column;

	if (bit_of(abi, number, &column))
		set->bits[column][number / 64] |= UINT64_C(1) << number % 64;
	else if (number >= STASIS_CALL_NUMBERS)
		set->others = true;
}

bool stasis_call_set_has(const struct stasis_call_set *set, enum stasis_abi abi, uint64_t number)
{
	size_t column;

	if (bit_of(abi, number, &column))
		return set->bits[column][number / 64] >> number % 64 & 1;
	return set->others;
}

struct sts_calls *sts_calls_new(struct stasis_session *s, const struct stasis_call_set *set)
{
	struct sts_calls *calls = sts_pool_get(&s->pool, sizeof *calls);

	if (!calls)
		return NULL;
	calls->refs = 1;
	calls->set = *set;
	return calls;
}

void sts_calls_put(struct sts_calls *calls)
{
	if (calls && --calls->refs == 0)
		sts_pool_put(calls);
}

void sts_calls_remember(struct stasis_session *s, struct sts_calls *calls)
{
	calls->refs++;
	sts_calls_put(s->last_calls);
	s->last_calls = calls;
}

void sts_calls_inherit(struct sts_process *child, const struct sts_process *parent)
{
	child->calls = parent ? parent->calls : child->session->last_calls;
	if (child->calls)
		child->calls->refs++;
	if (!parent)
		return;
	child->filter_error = parent->filter_error;
	child->own_filter = parent->own_filter;
}

bool sts_process_filtered(const struct sts_process *p)
{
	return p->calls && p->calls->filtered;
}

bool sts_entries_told(const struct sts_process *p)
{
	return sts_process_filtered(p) && !p->own_filter;
}

/* It may do so for all its LWPs at once: those that run are told at once to stop at every call from now on. */
void sts_own_filter_met(struct sts_process *p)
{
	if (p->own_filter)
		return;
	p->own_filter = true;
	if (!p->stopping)
		sts_process_pause(p);
}

int sts_filtered_fail(struct sts_process *p, const char *operation)
{
	return sts_fail(p->session, STASIS_E_FILTERED, operation, p->pid, 0, 0,
			"it runs under a filter whose calls fail without a tracer",
			"launch it without STASIS_SPAWN_FILTER");
}

bool sts_call_wanted(const struct sts_process *p, enum stasis_event_kind kind, const struct stasis_event_syscall *call)
{
	return sts_event_wanted(p, kind) && (!p->calls || stasis_call_set_has(&p->calls->set, call->abi, call->number));
}

/* The result of a skipped call is set at its exit, and what was changed in a call put back there, wanted or not. */
bool sts_exit_wanted(const struct sts_lwp *lwp)
{
	const struct sts_process *p = lwp->process;

	if (lwp->skip || lwp->uncovered)
		return true;
	if (!sts_entries_told(p) || lwp->exit_due)
		return sts_event_wanted(p, STASIS_EVENT_SYSCALL_EXIT);
	return lwp->in_syscall && sts_call_wanted(p, STASIS_EVENT_SYSCALL_EXIT, &lwp->call);
}

/* A child hidden from us would inherit the filter without anybody who answers it. */
void sts_call_uncover(struct sts_lwp *lwp)
{
	if (sts_os_birth_uncover(lwp->tid, &lwp->call) > 0)
		lwp->uncovered = true;
	lwp->regs_valid = false;
}

void sts_call_cover(struct sts_lwp *lwp, const struct stasis_event_syscall *call)
{
	if (!lwp->uncovered)
		return;
	lwp->uncovered = false;
	sts_os_birth_cover(lwp->tid, call);
	lwp->regs_valid = false;
}
