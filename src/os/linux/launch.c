/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Launching a tracee. The child waits until it is seized, so that no stop signal
 * is ever used and the program is followed from its exec on.
 *
 * It shares the host's memory until then where that can be had, since to copy
 * page tables costs more than all the rest; but the host goes on meanwhile (it
 * has to seize), so the child has a stack of its own, and no errno: thread-local
 * storage is the launching thread's.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "os/linux/request.h"
#include "os/os.h"

/* Where the two meet: in memory of both. */
struct meeting {
	_Atomic int word; /* futex: enum go */
	int error;	  /* errno of what failed in the child */
	pid_t host;
};
enum go { NOT_YET, SLEPT_FOR, SEIZED };

/* --- child side: raw system calls only; the host may have had threads holding any lock --- */

static long raw(long number, long a, long b, long c, long d)
{
	long result;

#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = 0;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
#else
#error "port me: raw"
#endif
	return result;
}

struct child {
	const struct sts_launch *launch;
	const char *path;
	struct meeting *meeting;
};

static long take_identity(const struct stasis_spawn_opts *opts)
{
	if (!opts->use_uid)
		return 0;
	long r = raw(SYS_setgroups, (long)opts->n_groups, (long)opts->groups, 0, 0);
	if (r < 0 && (r != -EPERM || opts->n_groups > 0))
		return r;
	r = raw(SYS_setresgid, opts->gid, opts->gid, opts->gid, 0);
	return r < 0 ? r : raw(SYS_setresuid, opts->uid, opts->uid, opts->uid, 0);
}

/* Move the three out of each other's way first: {2, 1, 0} is a legal wish. */
static long take_stdio(const struct stasis_spawn_opts *opts)
{
	long high[3];

	if (!opts->use_stdio)
		return 0;
	for (int i = 0; i < 3; i++) {
		high[i] = raw(SYS_fcntl, opts->stdio[i], F_DUPFD_CLOEXEC, 3, 0);
		if (high[i] < 0)
			return high[i];
	}
	for (int i = 0; i < 3; i++) {
		long r = raw(SYS_dup2, high[i], i, 0, 0);

		if (r < 0)
			return r;
	}
	return 0;
}

static void default_signals(bool ignore_child)
{
	/* Handlers are reset; what was ignored stays so, but for what the helper task changed. */
	const struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} action = {.handler = ignore_child ? SIG_IGN : SIG_DFL};

	raw(SYS_rt_sigaction, SIGCHLD, (long)&action, 0, 8);
}

static long prepare(const struct sts_launch *launch)
{
	const struct stasis_spawn_opts *opts = launch->opts;
	long r = 0;

	if (opts->flags & STASIS_SPAWN_NEW_PGROUP)
		r = raw(SYS_setpgid, 0, 0, 0, 0);
	if (r >= 0 && opts->directory)
		r = raw(SYS_chdir, (long)opts->directory, 0, 0, 0);
	if (r >= 0 && (opts->flags & STASIS_SPAWN_NO_ASLR))
		r = raw(SYS_personality, ADDR_NO_RANDOMIZE, 0, 0, 0);
	if (r >= 0)
		r = take_stdio(opts);
	return r < 0 ? r : take_identity(opts);
}

/* Before the identity is taken, with which the right to do so may go. Calls that it stops at are set going at once. */
static long take_filter(const struct sts_filter *filter)
{
	if (!filter)
		return 0;
	long r = raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&filter->program, 0);
	if (r == -EACCES && filter->renounce && raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0) == 0)
		r = raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&filter->program, 0);
	return r < 0 ? r - STS_OS_FILTER_REFUSED : 0;
}

static long exec(const struct child *c)
{
	const struct sts_launch *launch = c->launch;

	default_signals(launch->ignore_child_signal);
	long r = take_filter(launch->filter);
	if (r == 0)
		r = prepare(launch);
	if (r < 0)
		return r;
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&launch->mask, 0, 8);
	return raw(SYS_execve, (long)c->path, (long)launch->opts->argv, (long)launch->envp, 0);
}

/* A host that dies takes nobody along: so look every so often. In a new pid namespace no parent is seen. */
static bool await_seizure(struct meeting *m)
{
	const struct timespec look = {.tv_nsec = 100000000};
	int not_yet = NOT_YET;

	if (!atomic_compare_exchange_strong(&m->word, &not_yet, SLEPT_FOR))
		return true;
	while (atomic_load(&m->word) != SEIZED) {
		long parent = raw(SYS_getppid, 0, 0, 0, 0);

		if (parent != m->host && parent != 0)
			return false;
		raw(SYS_futex, (long)&m->word, FUTEX_WAIT, SLEPT_FOR, (long)&look);
	}
	return true;
}

static _Noreturn void child(const void *arg)
{
	const struct child *c = arg;

	if (await_seizure(c->meeting))
		c->meeting->error = (int)-exec(c);
	for (;;)
		raw(SYS_exit_group, 127, 0, 0, 0);
}

/* --- parent side ------------------------------------------------------------------------- */

/* Let it run to its end and collect it. */
static void bury(pid_t pid)
{
	struct sts_report report;

	while (sts_os_wait_lwp(pid, &report) > 0 && report.kind != STS_REPORT_DEAD)
		sts_os_resume(pid, STS_RUN_CONTINUE, 0);
	sts_os_wait_reap(pid);
}

/* 1: it has; 0: it died, and is no more. A wait for its word would be for ever if a signal stopped it first. */
static int await_exec(pid_t pid)
{
	struct sts_report report;

	for (;;) {
		int r = sts_os_wait_take(pid, &report);

		if (r < 0)
			return r;
		if (report.kind == STS_REPORT_EXEC || report.kind == STS_REPORT_DEAD)
			return report.kind == STS_REPORT_EXEC;
		/* Stray interrupts and signals on the way to exec: as without us. */
		sts_os_resume(pid, STS_RUN_CONTINUE, report.kind == STS_REPORT_SIGNAL ? report.signal : 0);
	}
}

static int seize_and_go(const struct sts_launch *launch, pid_t pid, struct meeting *m)
{
	int r = sts_os_seize(pid, launch->exit_kill, launch->filter);

	if (r < 0) {
		sts_os_kill(pid, SIGKILL);
		bury(pid);
		return r;
	}
	if (atomic_exchange(&m->word, SEIZED) == SLEPT_FOR)
		raw(SYS_futex, (long)&m->word, FUTEX_WAKE, 1, 0);
	r = await_exec(pid);
	if (r < 0)
		bury(pid);
	return r == 0 ? (m->error ? -m->error : -ESRCH) : r < 0 ? r : 0;
}

/* As execvp(3): the first that is there, remembering one that may not be run. */
static int search_path(const char *name, char *buf, size_t cap)
{
	const char *path = getenv("PATH");
	int result = -ENOENT;

	if (!*name)
		return result; /* not the folders themselves */
	for (const char *dir = path ? path : "/bin:/usr/bin"; dir;
	     dir = strchr(dir, ':') ? strchr(dir, ':') + 1 : NULL) {
		size_t len = strcspn(dir, ":");

		if (len + strlen(name) + 2 > cap)
			continue;
		memcpy(buf, len ? dir : ".", len ? len : 1);
		len = len ? len : 1;
		buf[len] = '/';
		strcpy(buf + len + 1, name);
		if (access(buf, F_OK) < 0)
			continue;
		if (access(buf, X_OK) == 0)
			return 0;
		result = -EACCES;
	}
	return result;
}

/* Sanitizers have no notion of a second task on a thread's storage. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MAY_SHARE false
#else
#define MAY_SHARE true
#endif

/* Not fork(): the host's atfork handlers are none of our business. */
static long clone_copy(const struct child *c)
{
	long pid = syscall(SYS_clone, (long)SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		child(c);
	return pid < 0 ? -errno : pid;
}

/* In our memory on that stack. Handlers are the host's code: the child must never run one. */
static long clone_shared(const struct child *c, char *stack, size_t size)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_CLEAR_SIGHAND,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)stack,
		.stack_size = size,
	};
	long result;

#if defined(__x86_64__)
	register void (*fn)(const void *) __asm__("r12") = child;
	register const struct child *arg __asm__("r13") = c;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %[arg], %%rdi\n\t"
			 "call *%[fn]\n\t"
			 "ud2\n\t"
			 "1:"
			 : "=a"(result)
			 : "0"((long)SYS_clone3), "D"(&args), "S"(sizeof args), [fn] "r"(fn), [arg] "r"(arg)
			 : "rcx", "r11", "memory");
#else
#error "port me: clone_shared"
#endif
	return result;
}

/* A change of identity in shared memory would make that of the host undumpable. */
static long clone_sharing(const struct child *c, char *stack, size_t size)
{
	const uint64_t all = ~UINT64_C(0);
	uint64_t saved;

	if (!MAY_SHARE || c->launch->opts->use_uid)
		return -ENOSYS;
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&saved, 8);
	long pid = clone_shared(c, stack, size);
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&saved, 0, 8);
	return pid;
}

static int launch_copy(const struct sts_launch *launch, const char *path, pid_t *pid_ret)
{
	struct meeting *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		return -errno;
	m->host = getpid();
	const struct child c = {launch, path, m};
	*pid_ret = (pid_t)clone_copy(&c);
	int r = *pid_ret < 0 ? *pid_ret : seize_and_go(launch, *pid_ret, m);
	munmap(m, sizeof *m);
	return r;
}

#define CHILD_STACK 8192

static int launch(const struct sts_launch *launch, const char *path, pid_t *pid_ret)
{
	_Alignas(16) char stack[CHILD_STACK]; /* the child has exec'ed or is dead when we return */
	struct meeting m = {.host = getpid()};
	const struct child c = {launch, path, &m};

	*pid_ret = (pid_t)clone_sharing(&c, stack, sizeof stack);
	/* Old kernels and filters do not know that call. */
	return *pid_ret < 0 ? launch_copy(launch, path, pid_ret) : seize_and_go(launch, *pid_ret, &m);
}

int sts_os_launch(const struct sts_launch *wanted, pid_t *pid_ret)
{
	const struct stasis_spawn_opts *opts = wanted->opts;
	char found[PATH_MAX];
	const char *path = opts->path;
	pid_t pid;

	if ((opts->flags & STASIS_SPAWN_SEARCH_PATH) && !strchr(path, '/')) {
		int r = search_path(path, found, sizeof found);

		if (r < 0)
			return r;
		path = found;
	}
	int r = launch(wanted, path, &pid);
	if (r == -ENOEXEC)
		r = sts_os_exec_error(path);
	if (r == 0)
		*pid_ret = pid;
	return r;
}
