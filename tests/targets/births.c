// SPDX-License-Identifier: BSD-2-Clause
/*
 *	target-births KIND FATE THREADS
 *
 * Makes one child by KIND (births.h) whose FATE is to exec, exit, crash, be
 * killed, or give birth again; awaits it, checks its end, says "parent" and
 * exits with status 42. With THREADS, that many others are busy meanwhile and
 * the child is made by a thread that is not the first. Facts go to the shared
 * counters. As "image FATE" it is what a child has become by exec.
 *
 * Children share memory, stack and thread-local storage with the parent in all
 * combinations, so they call the kernel directly and nothing else.
 */
#include "births.h"
#include "shared.h"

#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;
#ifdef __GLIBC__
extern int pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[]) __attribute__((weak));
#endif

#define KIND(name_, how_, flags_, stack_, event_) {#name_, how_, flags_, stack_},
static const struct kind {
	const char *name;
	enum birth_how how;
	uint64_t flags;
	bool stack;
} kinds[] = {BIRTH_KINDS(KIND) HIDDEN_BIRTH_KINDS(KIND)};

static struct sts_shared *sh;
static char self[PATH_MAX];
static const struct kind *kind;
static const char *fate;

#define WRONG_UNLESS(condition_)                                                                                       \
	do {                                                                                                           \
		if (!(condition_))                                                                                     \
			sh->counter[BIRTHS_WRONG] = __LINE__;                                                          \
	} while (0)

/* ---- what children do, without libc ---- */

static void say(const char *text)
{
	if (syscall(SYS_write, 1, text, strlen(text)) < 0)
		WRONG_UNLESS(false);
}

static uint64_t own_tracer(void)
{
	char text[2048], *line;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY, 0);
	long n = syscall(SYS_read, fd, text, sizeof(text) - 1);
	uint64_t pid = 0;

	syscall(SYS_close, fd);
	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, "TracerPid:\t");
	if (line == NULL)
		return UINT64_MAX;
	for (line += 11; *line >= '0' && *line <= '9'; line++)
		pid = pid * 10 + (uint64_t)(*line - '0');
	return pid;
}

static void __attribute__((noreturn)) quit(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

static void give_birth_again(void)
{
	int status = 0;
	long pid = syscall(SYS_fork);

	if (pid == 0) {
		sh->counter[BIRTHS_GRANDCHILD_TRACER] = own_tracer();
		say("grandchild\n");
		quit(BIRTHS_GRANDCHILD_EXIT);
	}
	sh->counter[BIRTHS_GRANDCHILD] = (uint64_t)pid;
	while (syscall(SYS_wait4, pid, &status, 0, NULL) != pid)
		;
	sh->counter[BIRTHS_GRANDCHILD_STATUS] = (uint64_t)status;
}

static void exec_image(const char *next_fate)
{
	const char *const argv[] = {self, "image", next_fate, NULL};

	syscall(SYS_execve, self, argv, environ);
	WRONG_UNLESS(false);
}

static void __attribute__((noreturn)) live(void)
{
	pid_t pid = (pid_t)syscall(SYS_getpid);

	sh->counter[BIRTHS_CHILD_SELF] = (uint64_t)pid;
	sh->counter[BIRTHS_CHILD_TRACER] = own_tracer();
	if (strcmp(fate, "exec") == 0)
		exec_image("exit");
	if (strcmp(fate, "crash") == 0)
		*(volatile int *volatile)16 = 1;
	if (strcmp(fate, "kill") == 0)
		syscall(SYS_kill, pid, SIGKILL);
	if (strcmp(fate, "again") == 0)
		give_birth_again();
	say("child\n");
	quit(BIRTHS_CHILD_EXIT);
}

void births_child(void) __attribute__((used, noreturn, visibility("hidden")));
void births_child(void)
{
	live();
}

/* ---- the births ---- */

static char stack[65536] __attribute__((aligned(64)));

/* The child never returns from here: its caller's frame is its parent's. */
static long births_call(long number, uintptr_t a, uintptr_t b)
{
	long ret;

#if defined(__x86_64__)
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "sub $512, %%rsp\n\t"
			 "and $-16, %%rsp\n\t"
			 "call births_child\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(0), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
#else
	__asm__ volatile("int $0x80\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "sub $512, %%esp\n\t"
			 "and $-16, %%esp\n\t"
			 "call births_child\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(number), "b"(a), "c"(b), "d"(0), "S"(0), "D"(0)
			 : "memory");
#endif
	return ret;
}

struct births_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static pid_t by_clone3(void)
{
	int pidfd = -1;
	struct births_clone_args args = {
		.flags = kind->flags & ~(uint64_t)0xff,
		.exit_signal = kind->flags & 0xff,
		.stack = kind->stack ? (uintptr_t)stack : 0,
		.stack_size = kind->stack ? sizeof(stack) : 0,
		.pidfd = (kind->flags & CLONE_PIDFD) ? (uintptr_t)&pidfd : 0,
	};
	pid_t pid = (pid_t)births_call(435, (uintptr_t)&args, sizeof(args));

	if (kind->flags & CLONE_PIDFD)
		WRONG_UNLESS(pidfd >= 0 && close(pidfd) == 0);
	return pid;
}

static pid_t by_spawn(bool with_pidfd)
{
	const char *const argv[] = {self, "image", fate, NULL};
	pid_t pid = -1;

	if (!with_pidfd) {
		errno = posix_spawn(&pid, self, NULL, NULL, (char *const *)argv, environ);
		return errno == 0 ? pid : -1;
	}
#ifdef __GLIBC__
	int fd;

	errno = pidfd_spawn ? pidfd_spawn(&fd, self, NULL, NULL, (char *const *)argv, environ) : ENOSYS;
	if (errno == 0) {
		siginfo_t info;

		WRONG_UNLESS(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOWAIT) == 0);
		pid = info.si_pid;
		close(fd);
	}
#endif
	return pid;
}

static pid_t by_libc(void)
{
	pid_t pid;

	if (strcmp(kind->name, "fork") == 0) {
		pid = fork();
		if (pid == 0)
			live();
		return pid;
	}
	if (strcmp(kind->name, "vfork") == 0) {
		pid = vfork();
		if (pid == 0)
			live();
		return pid;
	}
	return by_spawn(strcmp(kind->name, "pidfd_spawn") == 0);
}

/* Those that wait for the child themselves. */
static int through_shell(void)
{
	char command[PATH_MAX + 64];
	FILE *f;

	snprintf(command, sizeof(command), "exec '%s' image %s", self, fate);
	if (strcmp(kind->name, "system") == 0)
		return system(command);
	f = popen(command, "w");
	if (f == NULL)
		sts_target_fail("popen");
	return pclose(f);
}

static int wait_for(pid_t pid)
{
	int status = -1;

	if (pid < 0)
		sts_target_fail(kind->name);
	sh->counter[BIRTHS_CHILD] = (uint64_t)pid;
	while (waitpid(pid, &status, __WALL) != pid)
		WRONG_UNLESS(errno == EINTR);
	return status;
}

static int expected_status(void)
{
	if (strcmp(fate, "crash") == 0)
		return SIGSEGV;
	if (strcmp(fate, "kill") == 0)
		return SIGKILL;
	return BIRTHS_CHILD_EXIT << 8;
}

static void *parent(void *arg)
{
	int status;

	sh->counter[BIRTHS_PARENT_TID] = (uint64_t)syscall(SYS_gettid);
	if (strcmp(kind->name, "system") == 0 || strcmp(kind->name, "popen") == 0)
		status = through_shell();
	else if (kind->how == BIRTH_LIBC)
		status = wait_for(by_libc());
	else if (kind->how == BIRTH_CLONE3)
		status = wait_for(by_clone3());
	else
		status = wait_for((pid_t)births_call(SYS_clone, (uintptr_t)kind->flags,
						     kind->stack ? (uintptr_t)stack + sizeof(stack) : 0));
	sh->counter[BIRTHS_STATUS] = (uint64_t)status;
	WRONG_UNLESS((status & ~0x80) == expected_status());
	WRONG_UNLESS(strcmp(fate, "again") != 0 ||
		     sh->counter[BIRTHS_GRANDCHILD_STATUS] == BIRTHS_GRANDCHILD_EXIT << 8);
	return arg;
}

static void *busy(void *arg)
{
	for (;;)
		atomic_fetch_add(&sh->counter[BIRTHS_SPIN], 1);
	return arg;
}

static void with_others(unsigned n)
{
	pthread_t t;

	while (n-- > 0) {
		if (pthread_create(&t, NULL, busy, NULL) != 0)
			sts_target_fail("pthread_create");
	}
	if (pthread_create(&t, NULL, parent, NULL) != 0)
		sts_target_fail("pthread_create");
	pthread_join(t, NULL);
}

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	sts_target_fail(name);
	return NULL;
}

int main(int argc, char **argv)
{
	const struct rlimit none = {0, 0};

	sh = sts_target_shared();
	if (argc < 3 || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		sts_target_fail("usage: target-births KIND FATE THREADS");
	setrlimit(RLIMIT_CORE, &none);
	fate = argv[2];
	if (strcmp(argv[1], "image") == 0)
		live();
	kind = find_kind(argv[1]);
	if (argc > 3 && atoi(argv[3]) > 0)
		with_others((unsigned)atoi(argv[3]));
	else
		parent(NULL);
	sh->counter[BIRTHS_PARENT_TRACER] = own_tracer();
	say("parent\n");
	return sh->counter[BIRTHS_WRONG] == 0 ? BIRTHS_PARENT_EXIT : BIRTHS_PARENT_EXIT + 1;
}
