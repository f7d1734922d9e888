/* SPDX-License-Identifier: BSD-2-Clause */
/* From a report of the kernel to the event it is. */
#include <errno.h>
#include "control/model.h"

/* --- signals --------------------------------------------------------------------- */

static bool passes(struct sts_lwp *lwp, int signal)
{
	struct sts_process *p = lwp->process;

	if (lwp->pass_once == signal) {
		lwp->pass_once = 0;
		return true;
	}
	return (p->config.pass & (UINT64_C(1) << (signal - 1))) || !sts_event_wanted(p, STASIS_EVENT_SIGNAL);
}

static void on_signal(struct sts_lwp *lwp, int signal)
{
	siginfo_t info;
	bool ours = signal == SIGTRAP, told = ours || !passes(lwp, signal);

	/* What nobody wants to know is not asked for. */
	if (told && sts_lwp_gone(lwp, sts_os_siginfo_get(lwp->tid, &info)))
		return;
	if (ours && sts_trap(lwp, &info))
		return;
	lwp->trapped = false;
	sts_step_over_end(lwp);
	if (told && sts_os_signal_is_fault(&info)) {
		sts_fault_repair(lwp, signal);
		if (lwp->state != STS_LWP_RESTING)
			return; /* killed while it ran a call of ours */
	}
	lwp->process->disposition_known = false;
	lwp->signal = signal;
	if (!told || (ours && passes(lwp, signal))) {
		sts_lwp_settle(lwp);
		return;
	}
	struct stasis_event *event = sts_event_begin(lwp, STASIS_EVENT_SIGNAL);
	event->data.signal.info = info;
	event->data.signal.process_wide = info.si_code != SI_TKILL && !sts_os_signal_is_fault(&info);
	sts_event_post(lwp);
}

/* --- interrupts and job control ------------------------------------------------------ */

/*
 * The kernel shows our interrupt before a trap that is already due. Fetch the
 * trap now: its event belongs to this stop, and its PC must be put right.
 */
static bool trap_is_due(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;

	if (lwp->run != STS_RUN_STEP && !p->watching) {
		if (p->space->n_breakpoints == 0 || sts_regs_load(lwp) < 0 ||
		    !sts_breakpoint_find(p->space, lwp->regs.rip - sts_arch_break_pc_advance))
			return false;
	}
	return sts_os_trap_pending(lwp->tid) == 1;
}

static void fetch_trap(struct sts_lwp *lwp)
{
	if (sts_lwp_resume(lwp, lwp->run, 0))
		sts_expect(lwp->session, lwp);
}

static void job_event(struct sts_lwp *lwp, enum stasis_event_kind kind, int signal)
{
	struct sts_process *p = lwp->process;

	if (p->attaching || !sts_event_wanted(p, kind)) {
		sts_lwp_settle(lwp);
		return;
	}
	struct stasis_event *event = sts_event_begin(lwp, kind);
	event->data.signal.info.si_signo = signal;
	event->data.signal.process_wide = true;
	sts_event_post(lwp);
}

/*
 * The job goes on, but other LWPs may stand in its stop still unseen: theirs is
 * no new one. (Should one be, the LWP that is set going now will tell of it.)
 */
static void forget_late_stops(struct sts_process *p)
{
	struct sts_lwp *lwp;

	TAILQ_FOREACH(lwp, &p->lwps, in_process) {
		if (lwp->state == STS_LWP_RUNNING)
			sts_arrive(lwp);
		lwp->late_stop = lwp->arrived.tid && lwp->arrived.kind == STS_REPORT_GROUP;
	}
}

static void on_interrupt(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;

	if (trap_is_due(lwp)) {
		fetch_trap(lwp);
		return;
	}
	sts_step_over_end(lwp);
	p->disposition_known = false;
	lwp->breaks++;
	/* Only who listened in the stop hears of its end here; others were interrupted by us, perhaps before it. */
	if (p->job_stopped && lwp->run == STS_RUN_LISTEN) {
		p->job_stopped = false;
		forget_late_stops(p);
		job_event(lwp, STASIS_EVENT_JOB_CONTINUE, SIGCONT);
		return;
	}
	sts_lwp_settle(lwp);
}

static void on_group_stop(struct sts_lwp *lwp, int signal)
{
	struct sts_process *p = lwp->process;

	bool late = lwp->late_stop;

	sts_step_over_end(lwp);
	lwp->late_stop = false;
	if (p->job_stopped || late) {
		sts_lwp_settle(lwp);
		return;
	}
	p->job_stopped = true;
	job_event(lwp, STASIS_EVENT_JOB_STOP, signal);
}

/* --- system calls ------------------------------------------------------------------------ */

static void syscall_event(struct sts_lwp *lwp, enum stasis_event_kind kind)
{
	if (!sts_call_wanted(lwp->process, kind, &lwp->call)) {
		sts_lwp_settle(lwp);
		return;
	}
	sts_event_begin(lwp, kind)->data.syscall = lwp->call;
	sts_event_post(lwp);
}

/* Attached in the middle of a call: entry was not seen, but number and arguments still stand in registers. */
static void call_from_registers(struct sts_lwp *lwp)
{
	struct stasis_event_syscall *call = &lwp->call;

	if (sts_regs_load(lwp) < 0)
		return;
	const struct stasis_regs_x86 *r = &lwp->regs;
	bool narrow = call->abi == STASIS_ABI_I386;
	const uint64_t wide_args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
	const uint64_t narrow_args[6] = {(uint32_t)r->rbx, (uint32_t)r->rcx, (uint32_t)r->rdx,
					 (uint32_t)r->rsi, (uint32_t)r->rdi, (uint32_t)r->rbp};

	call->number = narrow ? (uint32_t)r->orig_rax : r->orig_rax;
	for (int i = 0; i < 6; i++)
		call->args[i] = narrow ? narrow_args[i] : wide_args[i];
}

static void on_syscall_leave(struct sts_lwp *lwp, struct stasis_event_syscall *info)
{
	if (lwp->skip && sts_lwp_gone(lwp, sts_os_syscall_result_set(lwp->tid, lwp->skip_result)))
		return;
	if (lwp->skip) {
		lwp->call.skipped = true;
		info->result = lwp->skip_result;
		info->is_error = info->result < 0 && info->result >= -4095;
	}
	lwp->skip = false;
	lwp->call.result = info->result;
	lwp->call.is_error = info->is_error;
	lwp->call.pc = info->pc;
	lwp->call.sp = info->sp;
	if (!lwp->in_syscall) {
		lwp->call.abi = info->abi;
		call_from_registers(lwp);
	}
	lwp->in_syscall = lwp->entered = lwp->exit_due = false;
	sts_call_cover(lwp, &lwp->call);
	syscall_event(lwp, STASIS_EVENT_SYSCALL_EXIT);
}

static void on_syscall_entry(struct sts_lwp *lwp, const struct stasis_event_syscall *info)
{
	lwp->call = *info;
	lwp->in_syscall = true;
	syscall_event(lwp, STASIS_EVENT_SYSCALL_ENTER);
}

/* The same entry, unless it was seen before the filter was asked. */
static void on_filtered(struct sts_lwp *lwp, const struct stasis_event_syscall *info)
{
	bool seen = lwp->entered;

	lwp->entered = false;
	if (!seen)
		lwp->call = *info;
	sts_call_uncover(lwp);
	if (sts_os_call_filters(info))
		sts_own_filter_met(lwp->process);
	if (seen)
		sts_lwp_settle(lwp);
	else
		on_syscall_entry(lwp, info);
}

/* Without a tracer the call would fail: its own filter's tracer is not us. */
static void on_foreign_filter(struct sts_lwp *lwp)
{
	if (!sts_lwp_gone(lwp, sts_os_syscall_number_set(lwp->tid, UINT64_MAX, NULL)))
		sts_lwp_settle(lwp);
}

static void on_syscall(struct sts_lwp *lwp)
{
	struct stasis_event_syscall info;
	enum sts_syscall_phase phase;

	if (sts_lwp_gone(lwp, sts_os_syscall_info(lwp->tid, &phase, &info)))
		return;
	sts_step_over_end(lwp);
	lwp->process->disposition_known = false;
	switch (phase) {
	case STS_SYSCALL_ENTRY:
		lwp->entered = sts_process_filtered(lwp->process) &&
			       stasis_call_set_has(&lwp->process->calls->set, info.abi, info.number);
		on_syscall_entry(lwp, &info);
		break;
	case STS_SYSCALL_FILTERED:
		on_filtered(lwp, &info);
		break;
	case STS_SYSCALL_FOREIGN:
		on_foreign_filter(lwp);
		break;
	case STS_SYSCALL_LEAVE:
		on_syscall_leave(lwp, &info);
		break;
	case STS_SYSCALL_NONE:
		sts_lwp_settle(lwp);
	}
}

/* --- all ------------------------------------------------------------------------------------ */

static void on_first_stop(struct sts_lwp *lwp)
{
	if (lwp->process)
		sts_birth_arrived(lwp);
	else if (lwp->stop.kind == STS_REPORT_EXIT)
		sts_lwp_exit_go(lwp); /* killed before anybody claimed it */
	else
		sts_orphan_met(lwp, sts_clock_ms()); /* its parent's event will claim it */
}

static void on_stop(struct sts_lwp *lwp, const struct sts_report *report)
{
	switch (report->kind) {
	case STS_REPORT_SIGNAL:
		on_signal(lwp, report->signal);
		break;
	case STS_REPORT_INTERRUPT:
		on_interrupt(lwp);
		break;
	case STS_REPORT_GROUP:
		on_group_stop(lwp, report->signal);
		break;
	case STS_REPORT_SYSCALL:
	case STS_REPORT_FILTER:
		on_syscall(lwp);
		break;
	case STS_REPORT_BIRTH:
		sts_step_over_end(lwp);
		sts_birth(lwp, report);
		break;
	case STS_REPORT_VFORK_DONE:
		sts_vfork_done(lwp);
		break;
	case STS_REPORT_EXIT:
		sts_lwp_exit_stop(lwp);
		break;
	case STS_REPORT_EXEC:
	case STS_REPORT_DEAD:
		break; /* not here */
	}
}

static void come_to_rest(struct sts_lwp *lwp, const struct sts_report *report)
{
	sts_lwp_state_set(lwp, STS_LWP_RESTING);
	lwp->stop = *report;
	lwp->regs_valid = lwp->regs_dirty = lwp->mask_valid = false;
	lwp->signal = 0;
	lwp->interrupted = lwp->trapped = false;
	if (!report->consumed && !lwp->unconsumed) {
		TAILQ_INSERT_TAIL(&lwp->session->unconsumed, lwp, in_unconsumed);
		lwp->unconsumed = true;
	}
}

static void on_exec(struct stasis_session *s, struct sts_lwp *lwp, const struct sts_report *report)
{
	struct sts_process *p = sts_process_find(s, report->tid);
	unsigned long former = report->tid;
	struct sts_lwp *survivor;

	if (sts_lwp_gone(lwp, sts_os_event_message(report->tid, &former)) || !p)
		return;
	survivor = sts_exec_survivor(s, p, former);
	if (!survivor)
		return;
	come_to_rest(survivor, report);
	sts_exec(survivor, former);
}

static bool is_first_stop(const struct sts_lwp *lwp, const struct sts_report *report)
{
	return lwp->state == STS_LWP_STARTING &&
	       (report->kind == STS_REPORT_INTERRUPT || report->kind == STS_REPORT_GROUP);
}

static void route(struct stasis_session *s, struct sts_lwp *lwp, const struct sts_report *report)
{
	if (report->kind == STS_REPORT_DEAD) {
		sts_lwp_dead(lwp, report->status);
		return;
	}
	if (report->kind == STS_REPORT_EXEC) {
		on_exec(s, lwp, report);
		return;
	}
	bool first = is_first_stop(lwp, report);

	if (report->kind != STS_REPORT_INTERRUPT)
		lwp->breaks = 0;
	come_to_rest(lwp, report);
	sts_step_hide(lwp);
	if (first || !lwp->process)
		on_first_stop(lwp);
	else
		on_stop(lwp, report);
}

/* Whatever the report was, something that waits for rest may have it now. */
static void after(struct stasis_session *s, pid_t pid, struct sts_space *space)
{
	struct sts_process *p = pid ? sts_process_find(s, pid) : NULL;

	if (p)
		sts_process_check_rest(p);
	if (!space)
		return;
	sts_stepper_go(space);
	if (space->resettle && !space->stepper) {
		space->resettle = false;
		sts_space_settle(space);
	}
	sts_space_put(space);
}

void sts_dispatch(struct stasis_session *s, struct sts_lwp *lwp, const struct sts_report *report)
{
	struct sts_process *p = lwp->process;
	pid_t pid = p ? p->pid : report->tid;
	struct sts_space *space = p ? p->space : NULL;

	if (space)
		space->refs++;
	route(s, lwp, report);
	after(s, pid, space);
}
