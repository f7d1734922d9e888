/* SPDX-License-Identifier: BSD-2-Clause */
/* ptrace(): who may ask what when, and the requests that set tracees going. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "netbsd/netbsd.h"
#include "util/cleanup.h"

/* --- who is no tracee of ours ------------------------------------------------------------- */

long sts_netbsd_status_field(pid_t pid, const char *name, int base)
{
	char line[256];
	long value = -1;

	snprintf(line, sizeof line, "/proc/%d/status", (int)pid);
	FILE *f = fopen(line, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name), NULL, base);
	fclose(f);
	return value;
}

static bool is_zombie(pid_t pid)
{
	char path[64], line[512] = "";

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return true;
	const char *name_end = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return !name_end || strchr("ZX", name_end[2]);
}

/* ESRCH: nobody; EBUSY: somebody else's tracee; EPERM: nobody's. */
static int why_not(pid_t pid)
{
	if (pid <= 0 || is_zombie(pid))
		return ESRCH;
	return sts_netbsd_status_field(pid, "TracerPid:", 10) > 0 ? EBUSY : EPERM;
}

static int tracee_of(pid_t pid, bool stopped, struct sts_tracee **ret)
{
	struct sts_tracee *t = sts_netbsd_find(pid);

	if (!t)
		return why_not(pid);
	if (t->state == STS_TRACEE_ENDED)
		return ESRCH;
	if (stopped && t->state != STS_TRACEE_WAITED)
		return EBUSY;
	*ret = t;
	return 0;
}

/* --- setting going ---------------------------------------------------------------------------- */

/* What PT_CONTINUE and its kin ask for. */
struct going {
	lwpid_t lwp; /* whom the signal, the PC and the step are for */
	bool alone;  /* nobody else runs */
	bool step;
	int signal;
};

/* NetBSD: negative, one LWP alone; positive, a signal, but for PT_STEP the LWP to step. */
static int going_parse(const struct sts_tracee *t, int request, int data, struct going *ret)
{
	struct going g = {.lwp = t->lwp, .alone = data < 0, .step = request == PT_STEP};

	if (data < 0 && request == PT_DETACH)
		return EINVAL;
	if (data < 0 || (g.step && data > 0)) {
		int r = sts_netbsd_lwp_arg(t, data < 0 ? -(unsigned)data : (unsigned)data, &g.lwp);

		if (r != 0)
			return r;
	} else if (data >= NSIG) {
		return EINVAL;
	} else {
		g.signal = data;
	}
	*ret = g;
	return 0;
}

static int check_suspended(const struct going *g)
{
	struct stasis_lwp_info info;

	if (!g->alone && !g->step)
		return 0; /* the session looks whether anybody would run */
	int r = stasis_lwp_info_get(sts_netbsd.session, g->lwp, &info);
	if (r < 0)
		return sts_netbsd_errno(r);
	return info.suspended ? EDEADLK : 0;
}

/* The stop's own signal is dropped unless it is asked for, also with an LWP that is not the one to run. */
static int run(struct sts_tracee *t, const struct going *g, void *addr)
{
	struct stasis_resume_spec specs[3] = {{0}};
	size_t n = 0;

	specs[n++] = (struct stasis_resume_spec){
		.tid = g->lwp,
		.action = g->step ? STASIS_STEP : STASIS_CONTINUE,
		.signal = g->signal,
		.set_pc = addr != (void *)1,
		.pc = (uintptr_t)addr,
	};
	if (g->lwp != t->lwp)
		specs[n++] =
			(struct stasis_resume_spec){.tid = t->lwp, .action = g->alone ? STASIS_STAY : STASIS_CONTINUE};
	if (!g->alone)
		specs[n++] = (struct stasis_resume_spec){.action = STASIS_CONTINUE, .signal = STASIS_SIGNAL_KEEP};
	int r = stasis_resume(sts_netbsd.session, t->pid, specs, n);
	if (r == STASIS_E_BAD_LWP && n > 1) { /* the LWP that reported has ended */
		specs[1] = specs[n - 1];
		r = stasis_resume(sts_netbsd.session, t->pid, specs, g->alone ? 1 : 2);
	}
	return sts_netbsd_errno(r);
}

/* The call's result is what PT_SETREGS made of RAX, else what it was at the entry: the number. */
static int emulate(struct sts_tracee *t)
{
	struct stasis_regs_x86 regs;

	if (!t->emulate)
		return 0;
	int r = stasis_regs_get(sts_netbsd.session, t->lwp, STASIS_REGSET_GENERAL, &regs, sizeof regs, NULL);
	if (r == 0)
		r = stasis_syscall_skip(sts_netbsd.session, t->lwp, t->result_set ? t->result : (int64_t)regs.orig_rax);
	t->emulated = r == 0;
	return sts_netbsd_errno(r);
}

static int set_syscalls(struct sts_tracee *t, bool on)
{
	if (t->syscalls == on)
		return 0;
	t->syscalls = on;
	return sts_netbsd_errno(sts_netbsd_mask_apply(t));
}

static bool is_job_stopped(const struct sts_tracee *t)
{
	struct stasis_process_info info;

	return stasis_process_info_get(sts_netbsd.session, t->pid, &info) == 0 && info.job_stopped;
}

/* On Linux a tracer alone cannot end a job's stop; its tracee does not get to know of the signal. */
static void end_job_stop(struct sts_tracee *t)
{
	t->conts += !sigismember(&t->pass, SIGCONT);
	kill(t->pid, SIGCONT);
}

static int detach(struct sts_tracee *t, const struct going *g, void *addr)
{
	bool stopped = g->signal == 0 && is_job_stopped(t);
	pid_t pid = t->pid;
	int r = 0;

	if (addr != (void *)1)
		r = stasis_pc_set(sts_netbsd.session, g->lwp, (uintptr_t)addr);
	if (r == 0)
		r = stasis_detach(sts_netbsd.session, t->pid, g->signal);
	if (r == 0 && stopped)
		kill(pid, SIGCONT);
	if (r == 0)
		sts_netbsd_remove(t);
	return sts_netbsd_errno(r);
}

/* If it stops the tracee, the stop is about the signal that was given: the one reported before, or the tracer's own. */
static void note_given(struct sts_tracee *t, const struct going *g)
{
	if (g->signal != 0 && g->signal == t->info.psi_siginfo.si_signo) {
		t->given = t->info;
		return;
	}
	memset(&t->given, 0, sizeof t->given);
	t->given.psi_lwpid = g->lwp;
	t->given.psi_siginfo.si_signo = g->signal;
	t->given.psi_siginfo.si_code = SI_USER;
	t->given.psi_siginfo.si_pid = getpid();
	t->given.psi_siginfo.si_uid = getuid();
}

static int go(struct sts_tracee *t, int request, void *addr, int data)
{
	struct going g;
	int r = going_parse(t, request, data, &g);

	if (r == 0 && request != PT_DETACH)
		r = check_suspended(&g);
	if (r == 0 && !addr)
		r = EINVAL;
	if (r == 0)
		r = emulate(t);
	if (r == 0 && request == PT_DETACH)
		return detach(t, &g, addr);
	if (r == 0)
		r = set_syscalls(t, request == PT_SYSCALL);
	bool stopped = r == 0 && g.signal == 0 && is_job_stopped(t);
	if (r == 0)
		r = run(t, &g, addr);
	if (r == 0) {
		note_given(t, &g);
		t->state = STS_TRACEE_RUNNING;
	}
	if (r == 0 && stopped)
		end_job_stop(t);
	return r;
}

/* --- requests that need no stop ------------------------------------------------------------------ */

#define ATTACH_NS 100000000
#define ATTACH_LOOKS 100

/*
 * Its stop comes by the pump; but who waits for it must not need luck: it has
 * come, and who slept for it been told, when PT_ATTACH returns. Not if it takes
 * long, of a process that cannot stop now.
 */
static void await_stop(pid_t pid)
{
	const struct timespec limit = {.tv_nsec = ATTACH_NS};
	int r = 0;

	for (int i = 0; i < ATTACH_LOOKS && (r == 0 || errno == EAGAIN); i++) {
		unsigned changed = atomic_load(&sts_netbsd.changed);
		const struct sts_tracee *t = sts_netbsd_find(pid);

		if (!t || sts_netbsd.ending || (t->state != STS_TRACEE_RUNNING && !sts_netbsd_is_slept_for(t)))
			return;
		sts_netbsd_unlock();
		r = sts_netbsd_sleep_for(&sts_netbsd.changed, changed, &limit);
		sts_netbsd_lock();
	}
}

/* Our root is a folder that nothing is mounted on: of a chroot(2), not of a container. */
static bool are_chrooted(void)
{
	struct statx root;

	return statx(AT_FDCWD, "/", 0, 0, &root) == 0 && (root.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
	       !(root.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* From a folder outside of our root one comes up to the system's without meeting ours. */
static bool is_below_our_root(pid_t pid)
{
	char path[64];
	struct stat ours, at, up;

	snprintf(path, sizeof path, "/proc/%d/root", (int)pid);
	_cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || stat("/", &ours) != 0 || fstat(fd, &at) != 0)
		return false; /* without /proc nobody can tell */
	while (!is_same(&at, &ours)) {
		int above = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (above < 0)
			return false;
		close(fd);
		fd = above;
		if (fstat(fd, &up) != 0 || is_same(&at, &up))
			return false;
		at = up;
	}
	return true;
}

static int attach(pid_t pid)
{
	if (pid == getpid())
		return EINVAL;
	if (pid <= 0)
		return pid == 0 ? EPERM : ESRCH; /* 0 is the kernel on NetBSD */
	/* NetBSD lets nobody trace whose root is not the tracee's or above it. */
	if (are_chrooted() && !is_below_our_root(pid))
		return kill(pid, 0) < 0 && errno == ESRCH ? ESRCH : EPERM;
	struct sts_tracee *t;
	int r = sts_netbsd_take(pid, &t);
	if (r != 0)
		return r;
	sts_netbsd_wake(&sts_netbsd.attached);
	sts_netbsd_changed();
	await_stop(pid);
	return 0;
}

/* On a stopped tracee there is nothing to do. */
static int interrupt(pid_t pid)
{
	struct sts_tracee *t;
	int r = tracee_of(pid, false, &t);

	if (r == 0 && t->state == STS_TRACEE_RUNNING)
		r = sts_netbsd_errno(stasis_interrupt(sts_netbsd.session, pid));
	return r;
}

/* What it does next is its end: a stop that nobody has waited for is told no more. */
static int kill_tracee(pid_t pid)
{
	struct sts_tracee *t;
	int r = tracee_of(pid, false, &t);

	if (r == 0)
		r = sts_netbsd_errno(stasis_kill(sts_netbsd.session, pid));
	if (r == 0) {
		t->killed = true;
		t->state = STS_TRACEE_RUNNING;
	}
	return r;
}

/* --- settings and state ------------------------------------------------------------------------------- */

static int event_mask(struct sts_tracee *t, int request, struct ptrace_event *event, int size)
{
	const int known = PTRACE_FORK | PTRACE_VFORK | PTRACE_VFORK_DONE | PTRACE_LWP_CREATE | PTRACE_LWP_EXIT |
			  PTRACE_POSIX_SPAWN;

	if (size != sizeof *event)
		return EINVAL;
	if (request == PT_GET_EVENT_MASK) {
		event->pe_set_event = t->event_mask;
		return 0;
	}
	t->event_mask = event->pe_set_event & known;
	return sts_netbsd_errno(sts_netbsd_mask_apply(t));
}

static int process_state(const struct sts_tracee *t, struct ptrace_state *state, int size)
{
	if (size != sizeof *state)
		return EINVAL;
	*state = t->report;
	return 0;
}

/* What the kernel would deliver is replaced too; codes of this interface's own never reach it. */
static int set_siginfo(struct sts_tracee *t, const struct ptrace_siginfo *info)
{
	lwpid_t lwp;

	if (info->psi_siginfo.si_signo < 0 || info->psi_siginfo.si_signo >= NSIG)
		return EINVAL;
	int r = info->psi_lwpid ? sts_netbsd_lwp_arg(t, info->psi_lwpid, &lwp) : 0;
	if (r == 0 && t->kind == STASIS_EVENT_SIGNAL && info->psi_siginfo.si_signo != 0)
		r = sts_netbsd_errno(stasis_siginfo_set(sts_netbsd.session, t->lwp, &info->psi_siginfo));
	if (r == 0)
		t->info = *info;
	return r;
}

static int siginfo(struct sts_tracee *t, int request, struct ptrace_siginfo *info, int size)
{
	if (size != sizeof *info)
		return EINVAL;
	if (request == PT_SET_SIGINFO)
		return set_siginfo(t, info);
	*info = t->info;
	return 0;
}

static int sigpass(struct sts_tracee *t, int request, sigset_t *set, int size)
{
	if (size != sizeof *set)
		return EINVAL;
	if (request == PT_GET_SIGPASS) {
		*set = t->pass;
		return 0;
	}
	int r = stasis_pass_signals_set(sts_netbsd.session, t->pid, set);
	if (r == 0)
		t->pass = *set;
	return sts_netbsd_errno(r);
}

static int set_lwp(const struct sts_tracee *t, int request, int data)
{
	struct stasis_session *s = sts_netbsd.session;
	lwpid_t lwp;
	int r = sts_netbsd_lwp_arg(t, data, &lwp);

	if (r != 0)
		return r;
	if (request == PT_SUSPEND)
		r = stasis_lwp_suspend(s, lwp);
	else if (request == PT_RESUME)
		r = stasis_lwp_unsuspend(s, lwp);
	else
		r = stasis_lwp_step_set(s, lwp, request == PT_SETSTEP);
	return sts_netbsd_errno(r);
}

static int syscall_emulate(struct sts_tracee *t)
{
	if (t->kind != STASIS_EVENT_SYSCALL_ENTER)
		return EINVAL;
	t->emulate = true;
	return 0;
}

/* --- all of them ------------------------------------------------------------------------------------------ */

static int ask_state(struct sts_tracee *t, int request, void *addr, int data)
{
	switch (request) {
	case PT_LWPINFO:
		return sts_netbsd_lwpinfo(t, addr, data);
	case PT_LWPSTATUS:
	case PT_LWPNEXT:
		return sts_netbsd_lwpstatus(t, request, addr, data);
	case PT_SET_EVENT_MASK:
	case PT_GET_EVENT_MASK:
		return event_mask(t, request, addr, data);
	case PT_GET_PROCESS_STATE:
		return process_state(t, addr, data);
	case PT_SET_SIGINFO:
	case PT_GET_SIGINFO:
		return siginfo(t, request, addr, data);
	case PT_SET_SIGPASS:
	case PT_GET_SIGPASS:
		return sigpass(t, request, addr, data);
	default:
		return sts_netbsd_is_regs(request) ? sts_netbsd_regs(t, request, addr, data) : EINVAL;
	}
}

static int ask(struct sts_tracee *t, int request, void *addr, int data, int *value)
{
	switch (request) {
	case PT_CONTINUE:
	case PT_SYSCALL:
	case PT_STEP:
	case PT_DETACH:
		return go(t, request, addr, data);
	case PT_SYSCALLEMU:
		return syscall_emulate(t);
	case PT_SUSPEND:
	case PT_RESUME:
	case PT_SETSTEP:
	case PT_CLEARSTEP:
		return set_lwp(t, request, data);
	case PT_WRITE_I:
	case PT_WRITE_D:
		*value = data;
		/* fall through */
	case PT_READ_I:
	case PT_READ_D:
		return sts_netbsd_word(t, request, addr, value);
	case PT_IO:
		return sts_netbsd_io(t, addr);
	case PT_DUMPCORE:
		return sts_netbsd_dump(t, addr, data);
	default:
		return ask_state(t, request, addr, data);
	}
}

static int dispatch(int request, pid_t pid, void *addr, int data, int *value)
{
	struct sts_tracee *t;
	int r = sts_netbsd_start();

	if (r != 0)
		return r;
	switch (request) {
	case PT_ATTACH:
		return attach(pid);
	case PT_STOP:
		return interrupt(pid);
	case PT_KILL:
		return kill_tracee(pid);
	}
	r = tracee_of(pid, true, &t);
	return r == 0 ? ask(t, request, addr, data, value) : r;
}

int ptrace(int request, pid_t pid, void *addr, int data)
{
	int saved = errno;
	int value = 0;
	int r;

	if (request == PT_TRACE_ME) {
		r = sts_netbsd_volunteer();
	} else {
		sts_netbsd_lock();
		r = dispatch(request, pid, addr, data, &value);
		sts_netbsd_unlock();
	}
	errno = r == 0 ? saved : r;
	if (r != 0)
		return -1;
	return request == PT_READ_I || request == PT_READ_D ? value : 0;
}
