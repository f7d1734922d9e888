/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Launching a tracee. The child waits on a pipe until it is seized, so that no
 * stop signal is ever used and the program is followed from its exec on.
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
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "os/os.h"
#include "util/cleanup.h"

struct channel {
	int go[2];     /* parent to child: you are seized */
	int result[2]; /* child to parent: errno of what failed; closed by exec */
};

/* --- child side: raw system calls only; the host may have had threads holding any lock --- */

static long raw(long number, long a, long b, long c, long d)
{
	long result;

#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
#else
#error "port me: raw"
#endif
	return result;
}

struct child {
	const struct sts_launch *launch;
	const char *path;
	struct channel ch; /* a copy: the host closes its ends and says so in its own */
};

static long take_identity(const struct stasis_spawn_opts *opts)
{
	if (!opts->use_uid)
		return 0;
	long r = raw(SYS_setgroups, 0, 0, 0, 0);
	if (r < 0 && r != -EPERM)
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

static long exec(const struct child *c)
{
	const struct sts_launch *launch = c->launch;

	default_signals(launch->ignore_child_signal);
	long r = prepare(launch);
	if (r < 0)
		return r;
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&launch->mask, 0, 8);
	return raw(SYS_execve, (long)c->path, (long)launch->opts->argv, (long)launch->envp, 0);
}

static _Noreturn void child(const void *arg)
{
	const struct child *c = arg;
	char byte;
	long n;

	raw(SYS_close, c->ch.go[1], 0, 0, 0);
	do
		n = raw(SYS_read, c->ch.go[0], (long)&byte, 1, 0);
	while (n == -EINTR);
	if (n == 1) {
		int error = (int)-exec(c);

		raw(SYS_write, c->ch.result[1], (long)&error, sizeof error, 0);
	}
	for (;;)
		raw(SYS_exit_group, 127, 0, 0, 0);
}

/* --- parent side ------------------------------------------------------------------------- */

static void channel_close(struct channel *ch)
{
	int *fds[] = {&ch->go[0], &ch->go[1], &ch->result[0], &ch->result[1]};

	for (size_t i = 0; i < 4; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static int channel_open(struct channel *ch)
{
	*ch = (struct channel){{-1, -1}, {-1, -1}};
	if (pipe2(ch->go, O_CLOEXEC) < 0 || pipe2(ch->result, O_CLOEXEC) < 0) {
		int error = -errno;

		channel_close(ch);
		return error;
	}
	return 0;
}

/* Let it run to its end and collect it. */
static void bury(pid_t pid)
{
	struct sts_report report;

	while (sts_os_wait_lwp(pid, &report) > 0 && report.kind != STS_REPORT_DEAD)
		sts_os_resume(pid, STS_RUN_CONTINUE, 0);
	sts_os_wait_reap(pid);
}

/* Of a child that died: why exec did not work, if that was it. */
static int read_result(int fd)
{
	int error = ESRCH;
	ssize_t n;

	do
		n = read(fd, &error, sizeof error);
	while (n < 0 && errno == EINTR);
	return n == sizeof error ? -error : -ESRCH;
}

/* 1: it has; 0: it died. To wait for its words instead would be for ever if a signal stopped it first. */
static int await_exec(pid_t pid)
{
	struct sts_report report;

	for (;;) {
		int r = sts_os_wait_lwp(pid, &report);

		if (r < 0)
			return r;
		if (report.kind == STS_REPORT_EXEC || report.kind == STS_REPORT_DEAD)
			return report.kind == STS_REPORT_EXEC;
		/* Stray interrupts and signals on the way to exec: as without us. */
		sts_os_resume(pid, STS_RUN_CONTINUE, report.kind == STS_REPORT_SIGNAL ? report.signal : 0);
	}
}

static int seize_and_go(const struct sts_launch *launch, pid_t pid, struct channel *ch)
{
	int r = sts_os_seize(pid, launch->exit_kill);

	close(ch->result[1]);
	ch->result[1] = -1;
	if (r == 0 && write(ch->go[1], "", 1) != 1)
		r = -errno;
	close(ch->go[1]);
	ch->go[1] = -1;
	if (r < 0) {
		sts_os_kill(pid, SIGKILL);
		return r;
	}
	r = await_exec(pid);
	return r == 0 ? read_result(ch->result[0]) : r < 0 ? r : 0;
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
static long clone_child(const struct child *c, char *stack, size_t size)
{
	const uint64_t all = ~UINT64_C(0);
	uint64_t saved;
	long pid = -ENOSYS;

	if (MAY_SHARE && !c->launch->opts->use_uid) {
		raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&saved, 8);
		pid = clone_shared(c, stack, size);
		raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&saved, 0, 8);
	}
	return pid < 0 ? clone_copy(c) : pid; /* old kernels, filters */
}

#define CHILD_STACK 8192

int sts_os_launch(const struct sts_launch *launch, pid_t *pid_ret)
{
	const struct stasis_spawn_opts *opts = launch->opts;
	char found[PATH_MAX];
	const char *path = opts->path;
	struct channel ch;
	_Alignas(16) char stack[CHILD_STACK]; /* the child has exec'ed or is dead when we return */

	if ((opts->flags & STASIS_SPAWN_SEARCH_PATH) && !strchr(path, '/')) {
		int r = search_path(path, found, sizeof found);

		if (r < 0)
			return r;
		path = found;
	}
	int r = channel_open(&ch);
	if (r < 0)
		return r;
	const struct child c = {launch, path, ch};
	pid_t pid = (pid_t)clone_child(&c, stack, sizeof stack);
	r = pid < 0 ? pid : seize_and_go(launch, pid, &ch);
	channel_close(&ch);
	if (pid > 0 && r < 0)
		bury(pid);
	if (r == -ENOEXEC)
		r = sts_os_exec_error(path);
	if (r == 0)
		*pid_ret = pid;
	return r;
}
