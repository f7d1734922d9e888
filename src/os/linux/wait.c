/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All waiting. Reaping an exit frees the pid for reuse, so deaths are only ever
 * peeked at here (WNOWAIT) until sts_os_wait_reap(); nothing else in the library
 * calls a function of the wait family on tracees.
 */
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "os/os.h"

#define SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */

static void decode_event(int event, int signal, struct sts_report *ret)
{
	switch (event) {
	case 0:
		ret->kind = signal == SYSCALL_STOP ? STS_REPORT_SYSCALL : STS_REPORT_SIGNAL;
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_CLONE:
	case PTRACE_EVENT_VFORK:
		ret->kind = STS_REPORT_BIRTH;
		ret->vfork = event == PTRACE_EVENT_VFORK;
		ret->clone = event == PTRACE_EVENT_CLONE;
		break;
	case PTRACE_EVENT_VFORK_DONE:
		ret->kind = STS_REPORT_VFORK_DONE;
		break;
	case PTRACE_EVENT_EXEC:
		ret->kind = STS_REPORT_EXEC;
		break;
	case PTRACE_EVENT_EXIT:
		ret->kind = STS_REPORT_EXIT;
		break;
	case PTRACE_EVENT_SECCOMP:
		ret->kind = STS_REPORT_FILTER;
		break;
	default:
		/* PTRACE_EVENT_STOP: SIGTRAP unless the group is stopped. */
		ret->kind = signal == SIGTRAP ? STS_REPORT_INTERRUPT : STS_REPORT_GROUP;
	}
}

static int wait_status(const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return (info->si_status & 0xff) << 8;
	return (info->si_status & 0x7f) | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

static void decode(const siginfo_t *info, struct sts_report *ret)
{
	*ret = (struct sts_report){.tid = info->si_pid};
	switch (info->si_code) {
	case CLD_EXITED:
	case CLD_KILLED:
	case CLD_DUMPED:
		ret->kind = STS_REPORT_DEAD;
		ret->status = wait_status(info);
		break;
	case CLD_STOPPED: /* a child that is no tracee, by job control: nothing for us */
		break;
	default:
		ret->signal = info->si_status & 0xff;
		decode_event(info->si_status >> 8, ret->signal, ret);
		if (ret->kind == STS_REPORT_SIGNAL || ret->kind == STS_REPORT_GROUP)
			ret->signal &= 0x7f;
	}
}

/*
 * __WNOTHREAD: a direct session's thread sees its own tracees only, not those
 * of another session in another thread.
 */
static int do_wait(idtype_t type, pid_t id, int options, struct sts_report *ret)
{
	siginfo_t info = {0};

	if (syscall(SYS_waitid, type, id, &info, options | __WALL | __WNOTHREAD, NULL) < 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	decode(&info, ret);
	ret->consumed = !(options & WNOWAIT) && ret->kind != STS_REPORT_DEAD;
	return 1;
}

/* Without WSTOPPED: tracees' stops are shown all the same, job stops of other children are not. */
int sts_os_wait_peek(bool block, struct sts_report *ret)
{
	return do_wait(P_ALL, 0, WEXITED | WNOWAIT | (block ? 0 : WNOHANG), ret);
}

int sts_os_wait_stop_any(struct sts_report *ret)
{
	int r = do_wait(P_ALL, 0, WSTOPPED | WNOHANG | WNOWAIT, ret);

	if (r <= 0)
		return r;
	return !ret->kind ? -EBUSY : sts_os_wait_stop(ret->tid, ret);
}

int sts_os_wait_stop(pid_t tid, struct sts_report *ret)
{
	return do_wait(P_PID, tid, WSTOPPED | WNOHANG, ret);
}

int sts_os_wait_lwp(pid_t tid, struct sts_report *ret)
{
	int r;

	do
		r = do_wait(P_PID, tid, WSTOPPED | WEXITED | WNOWAIT, ret);
	while (r == -EINTR);
	if (r > 0 && ret->kind != STS_REPORT_DEAD)
		r = do_wait(P_PID, tid, WSTOPPED | WNOHANG, ret);
	return r;
}

int sts_os_wait_take(pid_t tid, struct sts_report *ret)
{
	int r;

	do
		r = do_wait(P_PID, tid, WSTOPPED | WEXITED, ret);
	while (r == -EINTR);
	return r;
}

/* A tracee's stops are shown whether asked for or not: pass them over. */
static int only_dead(int r, const struct sts_report *report)
{
	return r > 0 && report->kind != STS_REPORT_DEAD ? 0 : r;
}

int sts_os_wait_dead(pid_t tid, struct sts_report *ret)
{
	return only_dead(do_wait(P_PID, tid, WEXITED | WNOHANG | WNOWAIT, ret), ret);
}

int sts_os_wait_dead_any(struct sts_report *ret)
{
	return only_dead(do_wait(P_ALL, 0, WEXITED | WNOHANG | WNOWAIT, ret), ret);
}

int sts_os_wait_reap(pid_t tid)
{
	struct sts_report report;
	int r = do_wait(P_PID, tid, WEXITED | WNOHANG, &report);

	return r < 0 ? r : 0;
}
