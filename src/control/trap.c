/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIGTRAP: which of ours it is, and stepping over breakpoints.
 *
 * An LWP whose hit was accounted for passes over the breakpoint by emulation
 * where the instruction is known; else it becomes the *stepper* of its address
 * space: everybody else who runs there is paused, the breakpoint is taken out,
 * one instruction is stepped with signals blocked, and the breakpoint put back.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "control/model.h"

#define BIT(signal) (UINT64_C(1) << ((signal)-1))
#define FAULTS (BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGSYS))
/* What no mask can hold: SIGKILL, SIGSTOP, and the two signals glibc lets nobody block. */
#define UNBLOCKABLE (BIT(SIGKILL) | BIT(SIGSTOP) | BIT(32) | BIT(33))

/* --- what a forced SIGTRAP does to mask and disposition ---------------------------------- */

static int mask_load(struct sts_lwp *lwp)
{
	if (lwp->mask_valid)
		return 0;
	int r = sts_os_sigmask_get(lwp->tid, &lwp->mask);
	lwp->mask_valid = r == 0;
	return r;
}

/*
 * Set going, it may change its mask, but not by one plain instruction; the
 * kernel's trap after that leaves it alone, too, unless it blocks SIGTRAP.
 */
void sts_mask_forget(struct sts_lwp *lwp)
{
	lwp->mask_kept = lwp->mask_valid && lwp->run == STS_RUN_STEP && !(lwp->mask & BIT(SIGTRAP));
	lwp->mask_valid = false;
}

static int mask_set(struct sts_lwp *lwp, uint64_t mask)
{
	int r = sts_os_sigmask_set(lwp->tid, mask);

	lwp->mask = mask;
	lwp->mask_valid = r == 0;
	return r;
}

static void learn_disposition(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;
	struct sts_task_status status;

	if (p->disposition_known || p->trap_reset || sts_os_task_status(p->pid, lwp->tid, &status) < 0)
		return;
	p->disposition_known = true;
	p->trap_ignored = status.ignored & BIT(SIGTRAP);
	p->trap_caught = status.caught & BIT(SIGTRAP);
	p->faults_ignored = status.ignored & FAULTS;
	p->trap_action_known = false;
}

/* A call of ours was run in it: it rests in another stop now, or is being killed. */
static void call_was_run(struct sts_lwp *lwp, const struct sts_report *stop)
{
	if (stop->kind == STS_REPORT_EXIT) { /* for the one who handles such */
		sts_lwp_state_set(lwp, STS_LWP_RUNNING);
		sts_arrive_as(lwp, stop);
	} else if (stop->kind == STS_REPORT_DEAD) {
		sts_lwp_gone(lwp, -ESRCH);
	} else {
		lwp->stop.kind = stop->kind;
	}
}

/*
 * The kernel resets a blocked or ignored SIGTRAP to its default when the CPU
 * raises it. So that both can be put back, note them before an LWP is set going
 * that may trap.
 */
void sts_signal_state_learn(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;

	if (mask_load(lwp) < 0)
		return;
	lwp->trap_blocked = lwp->mask & BIT(SIGTRAP);
	lwp->faults_blocked = lwp->mask & FAULTS;
	lwp->learned = true;
	learn_disposition(lwp);
	bool at_risk = p->trap_ignored || (p->trap_caught && lwp->trap_blocked);
	/* A signal or a call that waits at this stop must not be lost by running a call of ours. */
	if (!at_risk || p->trap_action_known || lwp->signal != 0 || lwp->in_syscall)
		return;
	if (sts_regs_flush(lwp) < 0)
		return;
	struct sts_report stop = lwp->stop;
	p->trap_action_known = sts_os_signal_action_get(p->pid, lwp->tid, SIGTRAP, p->trap_action, &stop) == 0;
	call_was_run(lwp, &stop);
}

static void repair_disposition(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;

	if (!p->trap_action_known || lwp->in_syscall || sts_regs_flush(lwp) < 0)
		return;
	struct sts_report stop = lwp->stop;
	sts_os_signal_action_set(p->pid, lwp->tid, SIGTRAP, p->trap_action, &stop);
	call_was_run(lwp, &stop);
}

static void repair(struct sts_lwp *lwp)
{
	struct sts_process *p = lwp->process;

	if (mask_load(lwp) < 0)
		return;
	uint64_t mask = lwp->mask;
	/* Blocked since it was set going? All signals at once is the way libc and programs do that. */
	bool blocked = lwp->trap_blocked || (mask | BIT(SIGTRAP) | UNBLOCKABLE) == ~UINT64_C(0);
	if (blocked && !(mask & BIT(SIGTRAP)))
		mask_set(lwp, mask | BIT(SIGTRAP));
	if (!p->trap_ignored && !(p->trap_caught && blocked))
		return;
	if (p->n_moving == 0)
		repair_disposition(lwp);
	else
		p->trap_reset = true;
}

/*
 * To ignore a signal is to throw away what is pending of it, in all LWPs: a trap
 * that another has just met would be lost. At rest each trap has been fetched.
 */
void sts_trap_action_restore(struct sts_process *p)
{
	struct sts_lwp *lwp;

	TAILQ_FOREACH(lwp, &p->lwps, in_process) {
		bool idle = lwp->trapped || lwp->stop.kind == STS_REPORT_INTERRUPT;

		if (lwp->state != STS_LWP_RESTING || !idle || lwp->in_syscall || lwp->signal != 0)
			continue;
		p->trap_reset = false;
		repair_disposition(lwp);
		return;
	}
}

/* Of a signal that is ignored, nothing else of the action matters. */
static void action_set(struct sts_lwp *lwp, int signal, uint64_t handler)
{
	uint8_t action[STS_OS_ACTION_SIZE] = {0};

	if (lwp->in_syscall || sts_regs_flush(lwp) < 0)
		return;
	struct sts_report stop = lwp->stop;
	memcpy(action, &handler, sizeof handler);
	sts_os_signal_action_set(lwp->process->pid, lwp->tid, signal, action, &stop);
	call_was_run(lwp, &stop);
}

/* A handler that was reset because its signal was blocked is known of SIGTRAP only. */
void sts_fault_repair(struct sts_lwp *lwp, int signal)
{
	bool blocked = lwp->faults_blocked & BIT(signal), ignored = lwp->process->faults_ignored & BIT(signal);

	if (!lwp->learned || (!blocked && !ignored))
		return;
	lwp->forced = signal;
	lwp->forced_action = ignored || (signal == SIGTRAP && lwp->process->trap_caught);
	if (signal == SIGTRAP) {
		repair(lwp);
		return;
	}
	if (blocked && mask_load(lwp) == 0 && !(lwp->mask & BIT(signal)))
		mask_set(lwp, lwp->mask | BIT(signal));
	if (ignored)
		action_set(lwp, signal, (uintptr_t)SIG_IGN);
}

void sts_fault_restore(struct sts_lwp *lwp)
{
	int signal = lwp->forced;

	lwp->forced = 0;
	if (lwp->signal != signal || mask_load(lwp) < 0)
		return;
	mask_set(lwp, lwp->mask & ~BIT(signal));
	if (lwp->forced_action)
		action_set(lwp, signal, (uintptr_t)SIG_DFL);
}

/* --- the tracee's memory ------------------------------------------------------------------------- */

static bool space_at_rest(const struct sts_space *space)
{
	const struct sts_process *p;

	TAILQ_FOREACH(p, &space->processes, in_space)
		if (p->n_moving > 0)
			return false;
	return true;
}

static int mem_read(void *arg, uint64_t addr, void *buf, size_t len)
{
	return sts_space_load(arg, addr, buf, len);
}

/* A small store may not be one access; so nobody must be there who could see it half done. */
static int mem_write(void *arg, uint64_t addr, const void *buf, size_t len)
{
	struct sts_process *p = arg;

	return space_at_rest(p->space) ? sts_space_store(p, addr, buf, len) : -1;
}

static size_t read_insn(struct sts_lwp *lwp, uint64_t pc, uint8_t *insn, size_t cap)
{
	ssize_t n = sts_space_read(lwp->process, pc, insn, cap);

	return n > 0 ? n : 0;
}

/* Before a single step: where does it begin? */
void sts_step_look(struct sts_lwp *lwp)
{
	lwp->step_known = sts_regs_load(lwp) < 0;
	lwp->step_insn = STS_INSN_PLAIN;
	lwp->step_own_flag = lwp->regs.eflags & STS_ARCH_TRAP_FLAG;
	lwp->step_pc = lwp->regs.rip;
	lwp->step_sp = lwp->regs.rsp;
	lwp->step_wide = sts_arch_long_mode(&lwp->regs);
}

/* What is stepped, or was. To read it costs more than all else of a step, so it is not done before it matters. */
enum sts_insn_class sts_step_insn(struct sts_lwp *lwp)
{
	uint8_t insn[16];

	if (!lwp->step_known)
		lwp->step_insn =
			sts_arch_insn_classify(insn, read_insn(lwp, lwp->step_pc, insn, sizeof insn), lwp->step_wide);
	lwp->step_known = true;
	return lwp->step_insn;
}

/*
 * A step that ended in the CPU's own trap, with the stack pointer where it was and
 * no trap flag to be seen: it entered no system call, and had to do with no flags
 * on the stack.
 */
static void step_was(struct sts_lwp *lwp, int code)
{
	if (!lwp->step_known && code == TRAP_TRACE && sts_regs_load(lwp) == 0 && lwp->regs.rsp == lwp->step_sp &&
	    !(lwp->regs.eflags & STS_ARCH_TRAP_FLAG))
		lwp->step_known = true; /* plain, as was assumed */
	sts_step_insn(lwp);
}

/* --- traps ------------------------------------------------------------------------------------ */

static void trap_event(struct sts_lwp *lwp, enum stasis_event_kind kind, const struct stasis_event_trap *trap)
{
	if (!sts_event_wanted(lwp->process, kind)) {
		sts_lwp_settle(lwp);
		return;
	}
	sts_event_begin(lwp, kind)->data.trap = *trap;
	sts_event_post(lwp);
}

/* No breakpoint is known there, and no such instruction stands there: one of ours that was just taken out. */
static bool was_ours(struct sts_lwp *lwp)
{
	const struct sts_arch_mem mem = {.read = mem_read, .arg = lwp->process};

	return lwp->process->space->had_breakpoints && !sts_arch_break_ends_at(lwp->regs.rip, &mem);
}

static bool on_break(struct sts_lwp *lwp)
{
	if (sts_lwp_gone(lwp, sts_regs_load(lwp)))
		return true;
	uint64_t addr = lwp->regs.rip - sts_arch_break_pc_advance;
	struct sts_breakpoint *b = sts_breakpoint_find(lwp->process->space, addr);

	if (!b && !was_ours(lwp))
		return false; /* the program's own */
	sts_step_over_end(lwp);
	lwp->regs.rip = addr;
	lwp->regs_dirty = true;
	repair(lwp);
	if (!b) {
		sts_lwp_settle(lwp);
		return true;
	}
	lwp->at_breakpoint = true;
	trap_event(lwp, STASIS_EVENT_BREAKPOINT, &(struct stasis_event_trap){.address = addr, .slot = -1});
	return true;
}

static void step_event(struct sts_lwp *lwp)
{
	if (sts_lwp_gone(lwp, sts_regs_load(lwp)))
		return;
	trap_event(lwp, STASIS_EVENT_STEP, &(struct stasis_event_trap){.address = lwp->regs.rip, .slot = -1});
}

/*
 * A stepped pushf has put the step's own trap flag on the stack; and once a popf
 * was stepped the kernel takes the flag of later steps for the program's.
 */
static void hide_trap_flag(struct sts_lwp *lwp, enum sts_insn_class insn)
{
	uint16_t flags;

	if (lwp->step_own_flag || sts_regs_load(lwp) < 0)
		return;
	if ((lwp->regs.eflags & STS_ARCH_TRAP_FLAG) && insn != STS_INSN_POP_FLAGS) {
		lwp->regs.eflags &= ~(uint64_t)STS_ARCH_TRAP_FLAG;
		lwp->regs_dirty = true;
	}
	if (insn != STS_INSN_PUSH_FLAGS || sts_space_load(lwp->process, lwp->regs.rsp, &flags, sizeof flags) < 0 ||
	    !(flags & STS_ARCH_TRAP_FLAG))
		return;
	flags &= ~STS_ARCH_TRAP_FLAG;
	(void)!sts_space_store(lwp->process, lwp->regs.rsp, &flags, sizeof flags);
}

/* A call that was entered in a step keeps the flags of its caller in a register: not the step's own. */
void sts_step_hide(struct sts_lwp *lwp)
{
	if (lwp->run != STS_RUN_STEP || lwp->step_own_flag || sts_regs_load(lwp) < 0)
		return;
	struct stasis_regs_x86 regs = lwp->regs;
	if (!sts_os_call_flags_hide(&regs, STS_ARCH_TRAP_FLAG) || sts_step_insn(lwp) != STS_INSN_SYSCALL)
		return;
	lwp->regs = regs;
	lwp->regs_dirty = true;
}

static bool on_step(struct sts_lwp *lwp, const siginfo_t *info)
{
	bool over = lwp->stepping_over;
	bool wanted = lwp->action == STASIS_STEP || lwp->sticky_step;

	if (!over && lwp->run != STS_RUN_STEP)
		return false;			    /* the program steps itself */
	bool stepped = info->si_code == TRAP_TRACE; /* else a signal's handler was entered, or a call */
	step_was(lwp, info->si_code);
	lwp->mask_valid |= lwp->mask_kept && stepped && lwp->step_insn == STS_INSN_PLAIN;
	if (info->si_code == TRAP_BRKPT)
		lwp->process->disposition_known = false; /* a system call was stepped */
	/* One that an interrupt broke off and the kernel will restart: not done yet. */
	wanted &= info->si_code != TRAP_BRKPT || sts_regs_load(lwp) < 0 || !sts_os_call_restarts(&lwp->regs);
	lwp->in_syscall = false;
	hide_trap_flag(lwp, stepped ? lwp->step_insn : STS_INSN_PLAIN);
	sts_step_over_end(lwp);
	repair(lwp);
	if (wanted)
		step_event(lwp);
	else
		sts_lwp_settle(lwp);
	return true;
}

static bool on_hardware(struct sts_lwp *lwp)
{
	const struct sts_watch *w;
	uint64_t status = 0, addr = 0;

	if (sts_lwp_gone(lwp, sts_os_debugreg_get(lwp->tid, 6, &status)))
		return true;
	int slot = sts_arch_watch_hit(status);
	if (slot < 0)
		return false;
	sts_os_debugreg_set(lwp->tid, 6, 0);
	sts_os_debugreg_get(lwp->tid, slot, &addr);
	sts_step_over_end(lwp);
	repair(lwp);
	w = &lwp->process->watches[slot];
	bool execute = w->used && w->kind == STASIS_WATCH_EXECUTE;
	trap_event(lwp, execute ? STASIS_EVENT_BREAKPOINT : STASIS_EVENT_WATCHPOINT,
		   &(struct stasis_event_trap){
			   .address = addr,
			   .hardware = true,
			   .slot = slot,
			   .write = w->used && w->kind == STASIS_WATCH_WRITE,
		   });
	return true;
}

bool sts_trap(struct sts_lwp *lwp, const siginfo_t *info)
{
	lwp->trapped = true;
	switch (sts_os_trap_kind(info)) {
	case STS_TRAP_BREAK:
		return on_break(lwp);
	case STS_TRAP_STEP:
		/* One trap may be both; the access is what would be lost. */
		return (lwp->process->watching && on_hardware(lwp)) || on_step(lwp, info);
	case STS_TRAP_HARDWARE:
		return on_hardware(lwp);
	case STS_TRAP_NONE:
		break;
	}
	return false;
}

/* --- stepping over -------------------------------------------------------------------------------- */

static bool emulate_bytes(struct sts_lwp *lwp, const uint8_t *insn, size_t len)
{
	const struct sts_arch_mem mem = {mem_read, mem_write, lwp->process};

	if (!sts_arch_emulate(&lwp->regs, insn, len, sts_arch_long_mode(&lwp->regs), &mem))
		return false;
	lwp->regs_dirty = true;
	return true;
}

/* What the breakpoint has covered is known, and may be all of the instruction: of many functions' first. */
static bool emulate(struct sts_lwp *lwp, const struct sts_breakpoint *b)
{
	uint8_t insn[16];

	return emulate_bytes(lwp, b->original, sts_arch_break_size) ||
	       emulate_bytes(lwp, insn, read_insn(lwp, lwp->regs.rip, insn, sizeof insn));
}

static void pause_others(struct sts_space *space)
{
	struct sts_process *p;

	TAILQ_FOREACH(p, &space->processes, in_space)
		sts_process_pause(p);
}

/* Registers are there. NULL: none, now. */
static const struct sts_breakpoint *to_pass(struct sts_lwp *lwp)
{
	const struct sts_breakpoint *b = sts_breakpoint_find(lwp->process->space, lwp->regs.rip);

	if (!b)
		lwp->at_breakpoint = false; /* removed, or the PC was moved */
	else if (lwp->signal != 0 && !lwp->trapped)
		lwp->at_breakpoint = false; /* the signal comes first; its handler returns to the breakpoint */
	return lwp->at_breakpoint ? b : NULL;
}

void sts_step_over_early(struct sts_lwp *lwp)
{
	if (lwp->action == STASIS_STEP || lwp->sticky_step || sts_regs_load(lwp) < 0)
		return;
	const struct sts_breakpoint *b = to_pass(lwp);
	if (b && emulate(lwp, b))
		lwp->at_breakpoint = false;
}

bool sts_step_over(struct sts_lwp *lwp)
{
	struct sts_space *space = lwp->process->space;

	if (!lwp->at_breakpoint)
		return false;
	if (sts_lwp_gone(lwp, sts_regs_load(lwp)))
		return true;
	const struct sts_breakpoint *b = to_pass(lwp);
	if (!b)
		return false;
	if (emulate(lwp, b)) {
		lwp->at_breakpoint = false;
		if (lwp->action != STASIS_STEP && !lwp->sticky_step)
			return false;
		step_event(lwp);
		return true;
	}
	space->stepper = lwp;
	lwp->over_addr = lwp->regs.rip;
	pause_others(space);
	sts_stepper_go(space);
	return true;
}

static void abandon(struct sts_space *space)
{
	space->stepper = NULL;
	space->stepper_set = false;
	sts_space_settle(space);
}

/* No signal may come between: a handler would return to the breakpoint and hit it again. */
static bool step_out(struct sts_lwp *lwp, struct sts_breakpoint *b)
{
	sts_step_look(lwp);
	/* A system call may block: run it only up to its entry, with everybody else free after that. */
	enum sts_run run = sts_step_insn(lwp) == STS_INSN_SYSCALL ? STS_RUN_SYSCALL : STS_RUN_STEP;

	sts_signal_state_learn(lwp);
	if (mask_load(lwp) < 0)
		return false;
	lwp->over_mask = lwp->mask;
	if (mask_set(lwp, ~FAULTS | (lwp->over_mask & FAULTS & ~BIT(SIGTRAP))) < 0 ||
	    sts_breakpoint_unplant(lwp->tid, b) < 0)
		return false;
	lwp->stepping_over = true;
	lwp->deferred_signal = lwp->signal;
	return sts_lwp_resume(lwp, run, 0);
}

void sts_stepper_go(struct sts_space *space)
{
	struct sts_lwp *lwp = space->stepper;

	if (!lwp || space->stepper_set)
		return;
	if (lwp->state != STS_LWP_RESTING || lwp->process->stopping || lwp->process->releasing) {
		abandon(space); /* it will try again when it is resumed */
		return;
	}
	if (!space_at_rest(space))
		return;
	struct sts_breakpoint *b = sts_breakpoint_find(space, lwp->over_addr);
	if (!b) {
		abandon(space);
		return;
	}
	if (!step_out(lwp, b)) { /* it is being killed */
		sts_step_over_end(lwp);
		sts_lwp_gone(lwp, -ESRCH);
		abandon(space);
		return;
	}
	space->stepper_set = true;
	sts_expect(lwp->session, lwp);
}

/* Whatever it stopped for: the breakpoint goes back in. */
void sts_step_over_end(struct sts_lwp *lwp)
{
	struct sts_space *space = lwp->process ? lwp->process->space : NULL;

	if (!lwp->stepping_over)
		return;
	lwp->stepping_over = false;
	struct sts_breakpoint *b = sts_breakpoint_find(space, lwp->over_addr);
	if (b)
		sts_breakpoint_plant(sts_process_task(TAILQ_FIRST(&space->processes)), b);
	if (lwp->state == STS_LWP_RESTING) {
		mask_set(lwp, lwp->over_mask);
		lwp->at_breakpoint = sts_regs_load(lwp) == 0 && lwp->regs.rip == lwp->over_addr;
		if (lwp->deferred_signal) {
			lwp->pass_once = lwp->deferred_signal;
			sts_os_tgkill(lwp->process->pid, lwp->tid, lwp->deferred_signal);
		}
	}
	lwp->deferred_signal = 0;
	space->stepper = NULL;
	space->stepper_set = false;
	space->resettle = true;
}
