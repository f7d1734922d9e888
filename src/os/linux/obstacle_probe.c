/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to the kernel itself that leave the target alone, and the same in a
 * child where the answer may be a seccomp filter's death sentence.
 */
#include "os/linux/obstacle.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef LANDLOCK_CREATE_RULESET_VERSION
#define LANDLOCK_CREATE_RULESET_VERSION 1U
#endif

/*
 * Reading memory across processes passes the very check that attaching does
 * (PTRACE_MODE_ATTACH_REALCREDS, security modules included), and does so before
 * it looks at the address. There is never anything at this one.
 */
static int access_errno(pid_t pid)
{
	char byte;
	struct iovec local = {&byte, 1};
	struct iovec remote = {(void *)-4096UL, 1};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) < 0 ? errno : 0;
}

enum sts_answer sts_probe_access(pid_t pid, int *errno_ret)
{
	int e = access_errno(pid);

	if (e == 0 || e == EFAULT)
		return STS_YES;
	if (e == EPERM)
		return STS_NO;
	*errno_ret = e;
	return STS_UNKNOWN;
}

bool sts_probe_same_memory(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, (long)a, (long)b, (long)KCMP_VM, 0L, 0L) == 0;
}

int sts_probe_landlock(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0L, (long)LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

/* --- under a filter ----------------------------------------------------------------- */

struct verdict {
	_Atomic bool done;
	int value;
};

static int try_ptrace(void)
{
	/* Process 0 does not exist: the kernel says ESRCH. What else comes back, the filter said. */
	return ptrace(PTRACE_SEIZE, 0, 0, 0) < 0 ? errno : 0;
}

static int try_access(void)
{
	return access_errno((pid_t)syscall(SYS_getpid));
}

__attribute__((noreturn)) static void child(int (*try)(void), struct verdict *verdict)
{
	struct rlimit none = {0, 0};

	/* A filter that kills would have a core dumped. */
	setrlimit(RLIMIT_CORE, &none);
	verdict->value = try();
	verdict->done = true;
	for (;;)
		syscall(SYS_exit_group, 0L);
}

/*
 * The child sends no signal at its end and is unseen by plain wait(2), so that
 * the host program never meets it. Signals are blocked in it: a filter that
 * answers with SIGSYS must kill it, not run a handler of the host's.
 */
static int try_in_child(int (*try)(void), struct verdict *verdict)
{
	sigset_t all, old;
	int status = 0;
	long pid;
	pid_t r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
	if (pid == 0)
		child(try, verdict);
	do
		r = pid > 0 ? waitpid((pid_t)pid, &status, __WALL) : -1;
	while (r < 0 && pid > 0 && errno == EINTR);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return STS_PROBE_FAILED;
	if (verdict->done)
		return verdict->value;
	return r == pid && WIFSIGNALED(status) ? -WTERMSIG(status) : STS_PROBE_FAILED;
}

static int probe(int (*try)(void))
{
	struct verdict *verdict =
		mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	if (verdict == MAP_FAILED)
		return STS_PROBE_FAILED;
	r = try_in_child(try, verdict);
	munmap(verdict, sizeof(*verdict));
	return r;
}

int sts_probe_ptrace_filtered(void)
{
	return probe(try_ptrace);
}

int sts_probe_access_filtered(void)
{
	return probe(try_access);
}
