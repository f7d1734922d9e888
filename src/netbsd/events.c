/* SPDX-License-Identifier: BSD-2-Clause */
/* From the session's events to stops as NetBSD shows them. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86/dbregs.h>
#include "netbsd/netbsd.h"

/* --- what is wanted ------------------------------------------------------------------ */

static const struct {
	int bit;
	uint64_t kinds;
} kinds_of[] = {
	{PTRACE_FORK, STASIS_EVENT_BIT(STASIS_EVENT_FORK) | STASIS_EVENT_BIT(STASIS_EVENT_CLONE)},
	/* Any clone may suspend its parent. */
	{PTRACE_VFORK, STASIS_EVENT_BIT(STASIS_EVENT_VFORK) | STASIS_EVENT_BIT(STASIS_EVENT_FORK) |
			       STASIS_EVENT_BIT(STASIS_EVENT_CLONE)},
	{PTRACE_VFORK_DONE, STASIS_EVENT_BIT(STASIS_EVENT_VFORK_DONE)},
	{PTRACE_LWP_CREATE, STASIS_EVENT_BIT(STASIS_EVENT_LWP_CREATE)},
	{PTRACE_LWP_EXIT, STASIS_EVENT_BIT(STASIS_EVENT_LWP_EXIT)},
	{PTRACE_POSIX_SPAWN, STASIS_EVENT_BIT(STASIS_EVENT_POSIX_SPAWN)},
};

struct stasis_event_mask sts_netbsd_mask(int event_mask, bool syscalls)
{
	struct stasis_event_mask mask = {0};

	mask.all_stop = STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL) | STASIS_EVENT_BIT(STASIS_EVENT_EXEC) |
			STASIS_EVENT_BIT(STASIS_EVENT_BREAKPOINT) | STASIS_EVENT_BIT(STASIS_EVENT_WATCHPOINT) |
			STASIS_EVENT_BIT(STASIS_EVENT_STEP) | STASIS_EVENT_BIT(STASIS_EVENT_JOB_STOP);
	for (size_t i = 0; i < sizeof kinds_of / sizeof *kinds_of; i++)
		if (event_mask & kinds_of[i].bit)
			mask.all_stop |= kinds_of[i].kinds;
	if (syscalls)
		mask.all_stop |= STASIS_EVENTS_SYSCALL;
	return mask;
}

int sts_netbsd_mask_apply(const struct sts_tracee *t)
{
	const struct stasis_event_mask mask = sts_netbsd_mask(t->event_mask, t->syscalls);

	return stasis_event_mask_set(sts_netbsd.session, t->pid, &mask);
}

/* --- stops ------------------------------------------------------------------------------- */

/* It may be gone: its end is an event as well. */
static void go_on(pid_t pid)
{
	(void)!stasis_resume(sts_netbsd.session, pid, NULL, 0);
}

/*
 * As the kernel does it for children; who has no handler never notices. The
 * kernel alone may use the codes of SIGCHLD.
 */
static void tell_program(const struct sts_tracee *t)
{
	siginfo_t info = {.si_signo = SIGCHLD, .si_code = SI_QUEUE};
	int status = t->status;

	info.si_pid = t->pid;
	info.si_status = WIFSTOPPED(status)  ? WSTOPSIG(status)
			 : WIFEXITED(status) ? WEXITSTATUS(status)
					     : WTERMSIG(status);
	syscall(SYS_rt_sigqueueinfo, getpid(), SIGCHLD, &info);
	sts_netbsd_changed();
}

static void stop(struct sts_tracee *t, const struct stasis_event *ev, int signal, int code)
{
	t->state = STS_TRACEE_STOPPED;
	t->status = W_STOPCODE(signal);
	t->lwp = ev->tid;
	t->kind = ev->kind;
	t->emulate = t->result_set = false;
	t->info.psi_lwpid = ev->tid;
	t->info.psi_siginfo.si_signo = signal;
	t->info.psi_siginfo.si_code = code;
	tell_program(t);
}

static void stop_trap(struct sts_tracee *t, const struct stasis_event *ev, int code)
{
	stop(t, ev, SIGTRAP, code);
}

/* As if the tracer had sent SIGSTOP. */
static void stop_asked_for(struct sts_tracee *t, const struct stasis_event *ev)
{
	stop(t, ev, SIGSTOP, SI_USER);
	t->info.psi_siginfo.si_pid = getpid();
	t->info.psi_siginfo.si_uid = getuid();
}

static void stop_reporting(struct sts_tracee *t, const struct stasis_event *ev, int code, int report, pid_t other)
{
	stop_trap(t, ev, code);
	t->report.pe_report_event = report;
	t->report.pe_other_pid = other; /* a union with pe_lwp */
	t->info.psi_siginfo.si_pe_report_event = report;
	t->info.psi_siginfo.si_pe_other_pid = other;
}

/* Linux's codes of SIGTRAP; those of its own making are above 0. */
#define LINUX_TRAP_BRANCH 3
#define LINUX_TRAP_HWBKPT 4
#define LINUX_SI_KERNEL 0x80

static int trap_code(int code)
{
	switch (code) {
	case LINUX_SI_KERNEL:
		return TRAP_BRKPT;
	case LINUX_TRAP_BRANCH:
		return TRAP_TRACE;
	case LINUX_TRAP_HWBKPT:
		return TRAP_DBREG;
	default:
		return code;
	}
}

static void stop_signal(struct sts_tracee *t, const struct stasis_event *ev)
{
	int signal = ev->data.signal.info.si_signo;

	t->info.psi_siginfo = ev->data.signal.info;
	stop(t, ev, signal, ev->data.signal.info.si_code);
	if (signal == SIGTRAP)
		t->info.psi_siginfo.si_code = trap_code(ev->data.signal.info.si_code);
}

static bool is_terminal_stop(int signal)
{
	return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* Go on with the signal (STASIS_SIGNAL_KEEP) or without it (0). */
static void pass_signal(const struct stasis_event *ev, int signal)
{
	const struct stasis_resume_spec specs[] = {
		{.tid = ev->tid, .action = STASIS_CONTINUE, .signal = signal},
		{.action = STASIS_CONTINUE, .signal = STASIS_SIGNAL_KEEP},
	};

	(void)!stasis_resume(sts_netbsd.session, ev->pid, specs, 2);
}

/* A SIGCONT that ended a job's stop for PT_CONTINUE. */
static bool is_our_cont(struct sts_tracee *t, const siginfo_t *info)
{
	bool ours = t->conts > 0 && info->si_signo == SIGCONT && info->si_code == SI_USER && info->si_pid == getpid();

	t->conts -= ours;
	return ours;
}

static void file_signal(struct sts_tracee *t, const struct stasis_event *ev)
{
	const siginfo_t *info = &ev->data.signal.info;

	if (t->vforked) /* nobody could set it going again: they do what they do, but for the terminal's stops */
		pass_signal(ev, is_terminal_stop(info->si_signo) ? 0 : STASIS_SIGNAL_KEEP);
	else if (is_our_cont(t, info))
		pass_signal(ev, 0);
	else
		stop_signal(t, ev);
}

/* A signal that was delivered stopped the process. With a vforked one that is told to nobody, and lasts until SIGCONT.
 */
static void file_job_stop(struct sts_tracee *t, const struct stasis_event *ev)
{
	int signal = ev->data.signal.info.si_signo;
	int code = SI_USER;

	if (t->vforked) {
		go_on(ev->pid);
		return;
	}
	if (t->given.psi_siginfo.si_signo == signal) {
		t->info.psi_siginfo = t->given.psi_siginfo;
		code = t->given.psi_siginfo.si_code;
	}
	stop(t, ev, signal, code);
}

static void stop_debug(struct sts_tracee *t, const struct stasis_event *ev)
{
	stop_trap(t, ev, TRAP_DBREG);
	t->dr6 = 1L << ev->data.trap.slot;
}

static void file_syscall(struct sts_tracee *t, const struct stasis_event *ev)
{
	const struct stasis_event_syscall *call = &ev->data.syscall;
	siginfo_t *info = &t->info.psi_siginfo;
	bool leaves = ev->kind == STASIS_EVENT_SYSCALL_EXIT;

	if (!leaves)
		sts_netbsd_call_entered(t, ev->tid);
	bool told = !leaves || sts_netbsd_call_left(t, ev->tid);
	if (!told || (leaves && t->emulated)) {
		t->emulated = false;
		go_on(ev->pid);
		return;
	}
	stop_trap(t, ev, leaves ? TRAP_SCX : TRAP_SCE);
	info->si_sysnum = (int)call->number;
	for (int i = 0; i < 6; i++)
		info->si_args[i] = call->args[i];
	if (!leaves)
		return;
	info->si_error = call->is_error ? (int)-call->result : 0;
	info->si_retval[0] = call->is_error ? -1 : (int)call->result;
}

/* --- births -------------------------------------------------------------------------------- */

static int birth_bit(const struct stasis_event *ev)
{
	if (ev->kind == STASIS_EVENT_POSIX_SPAWN)
		return PTRACE_POSIX_SPAWN;
	return ev->data.birth.clone_flags & CLONE_VFORK ? PTRACE_VFORK : PTRACE_FORK;
}

static struct sts_tracee *child_add(const struct sts_tracee *parent, pid_t pid)
{
	struct sts_tracee *t = sts_netbsd_add(pid);

	if (!t)
		return NULL;
	t->event_mask = parent->event_mask;
	t->pass = parent->pass;
	t->syscalls = parent->syscalls;
	return t;
}

/* Its events come after this one. Without memory for it, or unwanted, it goes free. */
static bool follow(const struct sts_tracee *parent, const struct stasis_event *ev)
{
	pid_t child = ev->data.birth.child;

	if (!ev->data.birth.followed || ev->data.birth.failed)
		return false;
	if ((parent->event_mask & birth_bit(ev)) && child_add(parent, child))
		return true;
	(void)!stasis_detach(sts_netbsd.session, child, STASIS_SIGNAL_KEEP);
	return false;
}

static void file_birth(struct sts_tracee *t, const struct stasis_event *ev)
{
	const struct stasis_event_birth *birth = &ev->data.birth;

	if (birth->side == STASIS_SIDE_CHILD)
		stop_reporting(t, ev, TRAP_CHLD, birth_bit(ev), birth->parent);
	else if (follow(t, ev))
		stop_reporting(t, ev, TRAP_CHLD, birth_bit(ev), birth->child);
	else
		go_on(ev->pid);
}

/* --- everything -------------------------------------------------------------------------------- */

static void file_attached(struct sts_tracee *t, const struct stasis_event *ev)
{
	if (!t->slot) {
		stop_asked_for(t, ev);
		return;
	}
	struct sts_slot *slot = t->slot;
	t->slot = NULL;
	sts_netbsd_answer(slot, 0);
	go_on(ev->pid);
}

static void file_end(struct sts_tracee *t, const struct stasis_event *ev)
{
	if (t->slot)
		sts_netbsd_answer(t->slot, ESRCH);
	t->slot = NULL;
	t->state = STS_TRACEE_ENDED;
	t->status = ev->data.exit.status;
	tell_program(t);
}

static void file_stopped(struct sts_tracee *t, const struct stasis_event *ev)
{
	switch (ev->kind) {
	case STASIS_EVENT_ATTACHED:
		file_attached(t, ev);
		break;
	case STASIS_EVENT_FORK:
	case STASIS_EVENT_VFORK:
	case STASIS_EVENT_POSIX_SPAWN:
	case STASIS_EVENT_CLONE:
		file_birth(t, ev);
		break;
	case STASIS_EVENT_VFORK_DONE:
		stop_reporting(t, ev, TRAP_CHLD, PTRACE_VFORK_DONE, ev->data.birth.child);
		break;
	case STASIS_EVENT_LWP_CREATE:
		stop_reporting(t, ev, TRAP_LWP, PTRACE_LWP_CREATE, ev->data.lwp.tid);
		break;
	case STASIS_EVENT_LWP_EXIT:
		stop_reporting(t, ev, TRAP_LWP, PTRACE_LWP_EXIT, ev->data.lwp.tid);
		break;
	case STASIS_EVENT_EXEC:
		t->vforked = false;
		sts_netbsd_call_execed(t, ev->data.exec.former_tid);
		stop_trap(t, ev, TRAP_EXEC);
		break;
	case STASIS_EVENT_SYSCALL_ENTER:
	case STASIS_EVENT_SYSCALL_EXIT:
		file_syscall(t, ev);
		break;
	case STASIS_EVENT_SIGNAL:
		file_signal(t, ev);
		break;
	case STASIS_EVENT_JOB_STOP:
		file_job_stop(t, ev);
		break;
	case STASIS_EVENT_BREAKPOINT:
		if (ev->data.trap.hardware)
			stop_debug(t, ev);
		else
			stop_trap(t, ev, TRAP_BRKPT);
		break;
	case STASIS_EVENT_WATCHPOINT:
		stop_debug(t, ev);
		break;
	case STASIS_EVENT_STEP:
		stop_trap(t, ev, TRAP_TRACE);
		t->dr6 = X86_DR6_SINGLE_STEP;
		break;
	case STASIS_EVENT_INTERRUPT:
		stop_asked_for(t, ev);
		break;
	default: /* not asked for */
		go_on(ev->pid);
	}
}

static void file_event(const struct stasis_event *ev)
{
	struct sts_tracee *t = sts_netbsd_find(ev->pid);
	bool ended = ev->kind == STASIS_EVENT_EXITED || ev->kind == STASIS_EVENT_KILLED;

	if (!t && ended) /* let go, or no memory to follow it */
		(void)!stasis_exit_collect(sts_netbsd.session, ev->pid);
	else if (!t && ev->stopped)
		(void)!stasis_detach(sts_netbsd.session, ev->pid, STASIS_SIGNAL_KEEP);
	else if (t && ended)
		file_end(t, ev);
	else if (t && ev->stopped && t->killed)
		go_on(ev->pid);
	else if (t && ev->stopped) {
		memset(&t->info, 0, sizeof t->info);
		memset(&t->report, 0, sizeof t->report);
		t->dr6 = 0;
		file_stopped(t, ev);
	}
}

/* Somebody has killed the session's helper, and with it the tracees: of those that are children the kernel tells. */
static void lose_tracees(void)
{
	sts_netbsd_lock();
	sts_netbsd_remove_all();
	sts_netbsd_unlock();
}

void *sts_netbsd_pump(void *arg)
{
	struct stasis_event ev;

	for (;;) {
		unsigned attached = atomic_load(&sts_netbsd.attached);
		int r = stasis_wait(sts_netbsd.session, 0, -1, &ev);

		sts_netbsd_lock();
		bool ending = sts_netbsd.ending;
		if (r == 0)
			file_event(&ev);
		sts_netbsd_unlock();
		if (ending)
			return NULL;
		if (r == STASIS_E_TRACER_DEAD) {
			lose_tracees();
			return NULL;
		}
		if (r < 0 && r != STASIS_E_INTERRUPTED)
			sts_netbsd_sleep(&sts_netbsd.attached, attached);
	}
}
