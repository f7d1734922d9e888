/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper task of an isolated session: a process of its own (so that no
 * wait(2) or SIGCHLD of the host meets the tracees) that shares the host's
 * memory and descriptors (so that it can run the engine in place).
 *
 * It borrows the thread-local storage of a thread that is parked for as long as
 * the helper lives: to the C library the helper *is* that thread.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "os/os.h"

#define HELPER_STACK (512 * 1024)
/* The C library takes the host's thread-local variables from it, which may be large; what is not touched costs nothing.
 */
#define PARKED_STACK (HELPER_STACK + 3 * 1024 * 1024)
/* Sent by the kernel to the helper when the host dies. */
#define HOST_DIED SIGHUP

/*
 * The thread sanitizer knows no process that shares memory: its clone() is a
 * fork, which resets what both use. By its other name it does not know the call.
 * And since to it parked thread and helper are one, the former must run none of
 * its code while the latter lives.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define raw_clone __clone
#define UNWATCHED __attribute__((no_sanitize("thread"), noinline))
#else
#define raw_clone clone
#define UNWATCHED
#endif

struct sts_task {
	pthread_t parked;
	void (*fn)(void *), (*over)(void *);
	void *arg;
	pid_t pid; /* of the helper; negative: -errno of its clone */
	_Atomic int ready, ended;
};

static int helper(void *arg)
{
	struct sts_task *task = arg;

	task->fn(task->arg);
	return 0;
}

UNWATCHED static void announce(struct sts_task *task, pid_t pid)
{
	task->pid = pid;
	atomic_store(&task->ready, 1);
}

UNWATCHED static void announce_end(struct sts_task *task)
{
	atomic_store(&task->ended, 1);
	task->over(task->arg);
}

UNWATCHED static void *park(void *arg)
{
	struct sts_task *task = arg;
	/* On this thread's own stack: tools that know stacks (sanitizers) then know the helper's. */
	_Alignas(64) char stack[HELPER_STACK];
	siginfo_t info;

	/* No exit signal: the host's wait(2) does not see it. */
	pid_t pid = raw_clone(helper, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED, task);
	announce(task, pid < 0 ? -errno : pid);
	if (pid > 0)
		while (syscall(SYS_waitid, P_PID, pid, &info, WEXITED | __WALL, NULL) < 0 && errno == EINTR)
			;
	announce_end(task);
	return NULL;
}

static int start_parked(struct sts_task *task)
{
	sigset_t all, saved;
	pthread_attr_t attr;

	int r = pthread_attr_init(&attr);
	if (r)
		return -r;
	pthread_attr_setstacksize(&attr, PARKED_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved); /* the parked thread takes no signal of the host's */
	r = pthread_create(&task->parked, &attr, park, task);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

int sts_os_task_start(void (*fn)(void *), void (*over)(void *), void *arg, struct sts_task **ret)
{
	struct sts_task *task = calloc(1, sizeof *task);

	if (!task)
		return -ENOMEM;
	task->fn = fn;
	task->over = over;
	task->arg = arg;
	int r = start_parked(task);
	if (r < 0) {
		free(task);
		return r;
	}
	while (!atomic_load(&task->ready))
		sched_yield();
	if (task->pid < 0) {
		r = task->pid;
		pthread_join(task->parked, NULL);
		free(task);
		return r;
	}
	*ret = task;
	return 0;
}

void sts_os_task_join(struct sts_task *task)
{
	pthread_join(task->parked, NULL);
	free(task);
}

bool sts_os_task_ended(const struct sts_task *task)
{
	return atomic_load(&task->ended);
}

pid_t sts_os_task_pid(const struct sts_task *task)
{
	return task->pid;
}

/* As the kernel lays it out. */
struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/*
 * Signal handlers were copied, not shared: this changes the helper's alone. But
 * who stands before sigaction(3) in the host (sanitizers, runtimes) has a table
 * of handlers in memory, which is shared.
 */
static int default_action(int signal, struct kernel_action *old_ret)
{
	const struct kernel_action act = {.handler = SIG_DFL};

	return syscall(SYS_rt_sigaction, signal, &act, old_ret, sizeof act.mask) < 0 ? -errno : 0;
}

int sts_os_task_signals_init(bool *ignored_ret)
{
	struct kernel_action old;
	sigset_t all;

	int r = default_action(SIGCHLD, &old);
	if (r < 0)
		return r;
	*ignored_ret = old.handler == SIG_IGN;
	default_action(HOST_DIED, NULL);
	sigfillset(&all);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
	return prctl(PR_SET_PDEATHSIG, HOST_DIED) < 0 ? -errno : 0;
}

bool sts_os_task_orphaned(pid_t host)
{
	return getppid() != host;
}

int sts_os_child_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, HOST_DIED);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

bool sts_os_child_fd_drain(int fd, pid_t host)
{
	struct signalfd_siginfo info;
	bool told = false;

	while (read(fd, &info, sizeof info) == sizeof info)
		told |= info.ssi_signo == HOST_DIED;
	/* Anybody can send that signal; only the kernel changes our parent. */
	return told && sts_os_task_orphaned(host);
}

int sts_os_child_signal_block(void)
{
	struct sigaction act;
	sigset_t set, old;

	if (sigaction(SIGCHLD, NULL, &act) < 0)
		return -errno;
	if (act.sa_handler == SIG_IGN || (act.sa_flags & SA_NOCLDWAIT))
		return -EINVAL;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	return !sigismember(&old, SIGCHLD);
}

void sts_os_child_signal_unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sts_os_child_signal_wait(0); /* what we caused the host need not see */
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int sts_os_child_signal_wait(int timeout_ms)
{
	struct timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return sigtimedwait(&set, NULL, &limit) < 0 ? -errno : 0;
}

/*
 * vfork without the C library, which must not be re-entered from a signal
 * handler: a child whose end wakes a blocked waitid(2) of any thread.
 */
void sts_os_doorbell(_Atomic pid_t *pid_ret)
{
	long pid;

#if defined(__x86_64__)
	__asm__ volatile("mov %[flags], %%edi\n\t"
			 "xor %%esi, %%esi\n\t"
			 "xor %%edx, %%edx\n\t"
			 "xor %%r10d, %%r10d\n\t"
			 "xor %%r8d, %%r8d\n\t"
			 "mov %[clone], %%eax\n\t"
			 "syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%edi, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "ud2\n\t"
			 "1:"
			 : "=&a"(pid)
			 : [flags] "i"(CLONE_VM | CLONE_VFORK | CLONE_UNTRACED | SIGCHLD), [clone] "i"(SYS_clone),
			   [exit] "i"(SYS_exit_group)
			 : "rdi", "rsi", "rdx", "r10", "r8", "rcx", "r11", "memory");
#else
#error "port me: sts_os_doorbell"
#endif
	if (pid > 0)
		atomic_store(pid_ret, (pid_t)pid);
}
