// SPDX-License-Identifier: BSD-2-Clause
/* target-hostile SETTING lost|held: makes it hard to look for leaks, then loses a block or not. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *volatile kept __attribute__((used));

static void need(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	_exit(99);
}

static __attribute__((noinline, noclone, noipa)) void lose(int lost)
{
	void *volatile p = malloc(100);

	kept = lost ? NULL : p;
	p = NULL;
}

static __attribute__((noinline)) void scrub(void)
{
	volatile char space[65536];

	for (size_t i = 0; i < sizeof(space); i++)
		space[i] = 0;
}

/* --- system calls that fail, or kill --------------------------------------------------------------- */

static void filter(unsigned action, const unsigned *calls, unsigned n)
{
	struct sock_filter code[32];
	unsigned at = 0;

	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < n; i++) {
		code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
		code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
	}
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	struct sock_fprog program = {.len = at, .filter = code};

	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0,
	     "seccomp");
}

static const unsigned tracing[] = {__NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev, __NR_kcmp,
				   __NR_perf_event_open};

static void seccomp_errno(void)
{
	filter(SECCOMP_RET_ERRNO | EPERM, tracing, sizeof(tracing) / sizeof(*tracing));
}

static void seccomp_kill(void)
{
	filter(SECCOMP_RET_KILL_PROCESS, tracing, sizeof(tracing) / sizeof(*tracing));
}

static void seccomp_clone(void)
{
	static const unsigned births[] = {__NR_clone, __NR_clone3, __NR_fork, __NR_vfork};

	filter(SECCOMP_RET_ERRNO | EPERM, births, sizeof(births) / sizeof(*births));
}

/* --- rights ------------------------------------------------------------------------------------------ */

static void no_rights(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	need(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0,
	     "ids");
	need(syscall(SYS_capset, &head, none) == 0, "capset");
}

static void other_group(void)
{
	need(setresgid(65534, 65534, 65534) == 0, "setresgid");
}

static void no_dump(void)
{
	need(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "PR_SET_DUMPABLE");
}

/* --- resources ----------------------------------------------------------------------------------------- */

static void few_fds(void)
{
	struct rlimit limit = {64, 64};

	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "RLIMIT_NOFILE");
	while (open("/dev/null", O_RDONLY) >= 0)
		;
}

static void little_memory(void)
{
	struct rlimit limit = {256 << 20, 256 << 20};

	need(setrlimit(RLIMIT_AS, &limit) == 0, "RLIMIT_AS");
}

/* --- the file system --------------------------------------------------------------------------------------- */

static void no_proc(void)
{
	need(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		     mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0,
	     "mount");
}

static void in_root(void)
{
	need((mkdir("empty", 0755) == 0 || errno == EEXIST) && chroot("empty") == 0 && chdir("/") == 0, "chroot");
}

/* --- company ------------------------------------------------------------------------------------------------ */

static void *spin(void *arg)
{
	for (;;)
		__asm__ volatile("pause" ::: "memory");
	return arg;
}

static void threads(void)
{
	pthread_t t;

	for (int i = 0; i < 8; i++)
		need(pthread_create(&t, NULL, spin, NULL) == 0, "pthread_create");
}

static void plain(void)
{
}

static const struct {
	const char *name;
	void (*make)(void);
} settings[] = {{"plain", plain},
		{"seccomp_errno", seccomp_errno},
		{"seccomp_kill", seccomp_kill},
		{"seccomp_clone", seccomp_clone},
		{"no_rights", no_rights},
		{"other_group", other_group},
		{"no_dump", no_dump},
		{"few_fds", few_fds},
		{"little_memory", little_memory},
		{"no_proc", no_proc},
		{"chroot", in_root},
		{"threads", threads}};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(settings) / sizeof(*settings); i++) {
		if (strcmp(settings[i].name, argv[1]) != 0)
			continue;
		settings[i].make();
		lose(strcmp(argv[2], "lost") == 0);
		scrub();
		return 0;
	}
	fprintf(stderr, "usage: target-hostile SETTING lost|held\n");
	return 98;
}
