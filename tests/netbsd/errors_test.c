// SPDX-License-Identifier: BSD-2-Clause
/* Each error of the manual in its place. */
#include "nb.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static int nothing(void *arg)
{
	return 0;
}

static void finish(pid_t pid)
{
	nb_continue(pid, 0);
	nb_exited(pid, 0);
	nb_end();
}

/* Every request that needs a stopped tracee, with arguments it would accept. */
static void refuse_all(int error, pid_t pid)
{
	static char buf[8192];
	static struct iovec iov = {buf, sizeof buf};
	static const struct {
		int request;
		void *addr;
		int data;
	} requests[] = {
		{PT_READ_I, buf, 0},
		{PT_READ_D, buf, 0},
		{PT_WRITE_I, buf, 0},
		{PT_WRITE_D, buf, 0},
		{PT_CONTINUE, NB_HERE, 0},
		{PT_SYSCALL, NB_HERE, 0},
		{PT_STEP, NB_HERE, 0},
		{PT_DETACH, NB_HERE, 0},
		{PT_IO, buf, 0},
		{PT_DUMPCORE, NULL, 0},
		{PT_LWPINFO, buf, sizeof(struct ptrace_lwpinfo)},
		{PT_LWPSTATUS, buf, sizeof(struct ptrace_lwpstatus)},
		{PT_LWPNEXT, buf, sizeof(struct ptrace_lwpstatus)},
		{PT_SYSCALLEMU, NULL, 0},
		{PT_SET_EVENT_MASK, buf, sizeof(struct ptrace_event)},
		{PT_GET_EVENT_MASK, buf, sizeof(struct ptrace_event)},
		{PT_GET_PROCESS_STATE, buf, sizeof(struct ptrace_state)},
		{PT_SET_SIGINFO, buf, sizeof(struct ptrace_siginfo)},
		{PT_GET_SIGINFO, buf, sizeof(struct ptrace_siginfo)},
		{PT_SET_SIGPASS, buf, sizeof(sigset_t)},
		{PT_GET_SIGPASS, buf, sizeof(sigset_t)},
		{PT_RESUME, NULL, 0},
		{PT_SUSPEND, NULL, 0},
		{PT_SETSTEP, NULL, 0},
		{PT_CLEARSTEP, NULL, 0},
		{PT_GETREGS, buf, 0},
		{PT_SETREGS, buf, 0},
		{PT_GETFPREGS, buf, 0},
		{PT_SETFPREGS, buf, 0},
		{PT_GETDBREGS, buf, 0},
		{PT_SETDBREGS, buf, 0},
		{PT_GETXMMREGS, buf, 0},
		{PT_SETXMMREGS, buf, 0},
		{PT_GETXSTATE, &iov, 0},
		{PT_SETXSTATE, &iov, 0},
	};

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		errno = 0;
		int r = ptrace(requests[i].request, pid, requests[i].addr, requests[i].data);
		ATF_REQUIRE_MSG(r == -1 && errno == error, "request %d: %d, %s instead of %s", requests[i].request, r,
				strerrorname_np(errno), strerrorname_np(error));
	}
}

static int sleeps(void *arg)
{
	while (pause() < 0)
		;
	return NB_CHILD_BAD;
}

STS_TC(not_traced, 20, "EPERM for every request on a process that nobody traces")
{
	pid_t pid = nb_child(sleeps, NULL);

	refuse_all(EPERM, pid);
	NB_FAILS(EPERM, ptrace(PT_STOP, pid, NULL, 0));
	NB_FAILS(EPERM, ptrace(PT_KILL, pid, NULL, 0));
	kill(pid, SIGKILL);
	nb_killed(pid, SIGKILL);
	nb_end();
}

STS_TC(running, 20, "EBUSY for every request on a running tracee but PT_STOP and PT_KILL")
{
	pid_t pid = nb_volunteer(sleeps, NULL);

	nb_continue(pid, 0);
	refuse_all(EBUSY, pid);
	NB_OK(ptrace(PT_STOP, pid, NULL, 0));
	nb_stopped(pid, SIGSTOP);
	nb_continue(pid, 0);
	NB_OK(ptrace(PT_KILL, pid, NULL, 0));
	nb_killed(pid, SIGKILL);
	nb_end();
}

STS_TC(not_waited_for, 20, "EBUSY for every request on a tracee whose stop was not waited for")
{
	siginfo_t info;
	pid_t pid = nb_volunteer(sleeps, NULL);

	nb_continue(pid, 0);
	kill(pid, SIGUSR1);
	STS_SYS(waitid(P_PID, (id_t)pid, &info, WTRAPPED | WNOWAIT));
	refuse_all(EBUSY, pid);
	nb_stopped(pid, SIGUSR1);
	NB_OK(ptrace(PT_KILL, pid, NULL, 0));
	nb_killed(pid, SIGKILL);
	nb_end();
}

STS_TC(no_process, 20, "ESRCH for every request on a process that is gone")
{
	pid_t pid = nb_child(nothing, NULL);

	nb_exited(pid, 0);
	refuse_all(ESRCH, pid);
	NB_FAILS(ESRCH, ptrace(PT_ATTACH, pid, NULL, 0));
	NB_FAILS(ESRCH, ptrace(PT_STOP, pid, NULL, 0));
	NB_FAILS(ESRCH, ptrace(PT_KILL, pid, NULL, 0));
	NB_FAILS(ESRCH, ptrace(PT_ATTACH, -1, NULL, 0));
	NB_FAILS(EPERM, ptrace(PT_ATTACH, 0, NULL, 0));
	nb_end();
}

STS_TC(zombie, 20, "ESRCH for a zombie")
{
	pid_t pid = nb_child(nothing, NULL);

	sts_await_state(pid, pid, "Z");
	NB_FAILS(ESRCH, ptrace(PT_ATTACH, pid, NULL, 0));
	refuse_all(ESRCH, pid);
	nb_exited(pid, 0);
	nb_end();
}

STS_TC(ended, 20, "ESRCH for a tracee that has ended and was not waited for")
{
	siginfo_t info;
	pid_t pid = nb_volunteer(nothing, NULL);

	nb_continue(pid, 0);
	STS_SYS(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	refuse_all(ESRCH, pid);
	nb_exited(pid, 0);
	nb_end();
}

STS_TC(self, 20, "EINVAL for attaching oneself")
{
	NB_FAILS(EINVAL, ptrace(PT_ATTACH, getpid(), NULL, 0));
	nb_end();
}

STS_TC(attach_twice, 20, "EBUSY for attaching what is traced already")
{
	pid_t pid = nb_volunteer(nothing, NULL);

	NB_FAILS(EBUSY, ptrace(PT_ATTACH, pid, NULL, 0));
	finish(pid);
}

static int attaches_other(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	NB_CHILD(ptrace(PT_ATTACH, pid, NULL, 0) == -1 && errno == EBUSY);
	NB_CHILD(ptrace(PT_CONTINUE, pid, NB_HERE, 0) == -1 && errno == EBUSY);
	stasis_netbsd_end();
	return 4;
}

STS_TC(traced_elsewhere, 20, "EBUSY for what somebody else traces")
{
	pid_t pid = nb_volunteer(nothing, NULL);
	pid_t other = nb_child(attaches_other, &pid);

	nb_exited(other, 4);
	finish(pid);
}

static int attaches_as_nobody(void *arg)
{
	NB_CHILD(setgid(65534) == 0 && setuid(65534) == 0);
	NB_CHILD(ptrace(PT_ATTACH, *(pid_t *)arg, NULL, 0) == -1 && errno == EPERM);
	stasis_netbsd_end();
	return 4;
}

STS_TC(permission, 20, "EPERM for attaching another user's process", .require_user = "root")
{
	pid_t target = nb_child(sleeps, NULL);
	pid_t pid = nb_child(attaches_as_nobody, &target);

	nb_exited(pid, 4);
	kill(target, SIGKILL);
	nb_killed(target, SIGKILL);
	nb_end();
}

static int status_of_attach(pid_t pid)
{
	return ptrace(PT_ATTACH, pid, NULL, 0) == 0 ? 0 : errno;
}

/* With a /proc there or without. */
static int attaches_from_below(void *arg)
{
	if (arg) {
		NB_CHILD(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
		NB_CHILD(mount("proc", "below/proc", "proc", 0, NULL) == 0);
	}
	NB_CHILD(chroot("below") == 0 && chdir("/") == 0);
	NB_CHILD(status_of_attach(getppid()) == EPERM);
	NB_CHILD(status_of_attach(0x3fffffff) == ESRCH);
	return 3;
}

STS_TC(root, 20, "EPERM for attaching who is outside of one's root", .require_user = "root")
{
	STS_SYS(mkdir("below", 0755));
	STS_SYS(mkdir("below/proc", 0755));
	nb_exited(nb_child(attaches_from_below, NULL), 3);
	nb_exited(nb_child(attaches_from_below, (void *)1), 3);
	STS_SYS(rmdir("below/proc"));
	STS_SYS(rmdir("below"));
	nb_end();
}

STS_TC(arguments, 20, "EINVAL for requests, signals, sizes and addresses that there are not")
{
	char buf[512] = "";
	pid_t pid = nb_volunteer(nothing, NULL);

	NB_FAILS(EINVAL, ptrace(3, pid, NULL, 0));
	NB_FAILS(EINVAL, ptrace(6, pid, NULL, 0));
	NB_FAILS(EINVAL, ptrace(31, pid, NULL, 0));
	NB_FAILS(EINVAL, ptrace(-1, pid, NULL, 0));
	NB_FAILS(EINVAL, ptrace(1000, pid, NULL, 0));
	NB_FAILS(EINVAL, ptrace(PT_CONTINUE, pid, NULL, 0));
	NB_FAILS(EINVAL, ptrace(PT_STEP, pid, NULL, 0));
	NB_FAILS(EINVAL, ptrace(PT_SYSCALL, pid, NULL, 0));
	NB_FAILS(EINVAL, ptrace(PT_CONTINUE, pid, NB_HERE, NSIG));
	NB_FAILS(EINVAL, ptrace(PT_DETACH, pid, NULL, 0));
	NB_FAILS(EINVAL, ptrace(PT_DETACH, pid, NB_HERE, -pid));
	NB_FAILS(EINVAL, ptrace(PT_SYSCALLEMU, pid, NULL, 0)); /* no system call */
	for (int request = PT_SET_EVENT_MASK; request <= PT_GET_SIGPASS; request++) {
		NB_FAILS(EINVAL, ptrace(request, pid, buf, 0));
		NB_FAILS(EINVAL, ptrace(request, pid, buf, 3));
	}
	NB_FAILS(EINVAL, ptrace(PT_LWPINFO, pid, buf, 3));
	NB_FAILS(EINVAL, ptrace(PT_LWPSTATUS, pid, buf, 3));
	NB_FAILS(EINVAL, ptrace(PT_LWPNEXT, pid, buf, sizeof(struct ptrace_lwpstatus) + 1));
	finish(pid);
}

STS_TC(bad_lwp, 20, "ESRCH for an LWP that the tracee has not")
{
	char buf[4096] = "";
	pid_t pid = nb_volunteer(nothing, NULL);

	NB_FAILS(ESRCH, ptrace(PT_GETREGS, pid, buf, getpid()));
	NB_FAILS(ESRCH, ptrace(PT_GETFPREGS, pid, buf, -1));
	NB_FAILS(ESRCH, ptrace(PT_SUSPEND, pid, NULL, getpid()));
	NB_FAILS(ESRCH, ptrace(PT_SETSTEP, pid, NULL, getpid()));
	NB_FAILS(ESRCH, ptrace(PT_CONTINUE, pid, NB_HERE, -getpid()));
	NB_FAILS(ESRCH, ptrace(PT_STEP, pid, NB_HERE, getpid()));
	finish(pid);
}

STS_TC(errno_kept, 20, "success leaves errno alone")
{
	pid_t pid = nb_volunteer(nothing, NULL);

	errno = 4711;
	NB_OK(ptrace(PT_READ_D, pid, &pid, 0));
	ATF_REQUIRE_EQ(errno, 4711);
	finish(pid);
}

STS_TC(wait_options, 20, "EINVAL for wait options that there are not")
{
	int status;

	NB_FAILS(EINVAL, waitpid(-1, &status, 0x8000));
	NB_FAILS(EINVAL, waitid(P_ALL, 0, NULL, WNOHANG));
	stasis_netbsd_end();
}
