// SPDX-License-Identifier: BSD-2-Clause
/* What a process can be put into that ptrace does not survive. */
#include "world.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <grp.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/ptrace.h>

#define LOAD_NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ON(nr_, action_) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr_), 0, 1), BPF_STMT(BPF_RET | BPF_K, (action_))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void install(struct sock_filter *code, unsigned n)
{
	struct sock_fprog prog = {.len = (unsigned short)n, .filter = code};

	OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) != 0)
		skip("no seccomp: %s", strerror(errno));
}

void with_seccomp_errno(void)
{
	struct sock_filter code[] = {LOAD_NR, ON(SYS_ptrace, SECCOMP_RET_ERRNO | EPERM),
				     ON(SYS_process_vm_readv, SECCOMP_RET_ERRNO | EPERM),
				     ON(SYS_kcmp, SECCOMP_RET_ERRNO | EPERM), ALLOW};

	install(code, sizeof(code) / sizeof(code[0]));
	REQUIRE(ptrace(PTRACE_TRACEME, 0, 0, 0) == -1 && errno == EPERM);
}

void with_seccomp_kill(void)
{
	struct sock_filter code[] = {LOAD_NR, ON(SYS_ptrace, SECCOMP_RET_KILL_PROCESS),
				     ON(SYS_process_vm_readv, SECCOMP_RET_KILL_PROCESS),
				     ON(SYS_kcmp, SECCOMP_RET_KILL_PROCESS), ALLOW};

	install(code, sizeof(code) / sizeof(code[0]));
}

/* Nor any of the newer calls that we can do without. */
void with_seccomp_strict(void)
{
	struct sock_filter code[] = {LOAD_NR,
				     ON(SYS_ptrace, SECCOMP_RET_KILL_PROCESS),
				     ON(SYS_statx, SECCOMP_RET_ERRNO | ENOSYS),
				     ON(SYS_ioctl, SECCOMP_RET_ERRNO | EPERM),
				     ON(SYS_readlinkat, SECCOMP_RET_ERRNO | EPERM),
				     ALLOW};

	install(code, sizeof(code) / sizeof(code[0]));
}

void with_nobody(void)
{
	enum { NOBODY = 65534 };

	if (getuid() != 0)
		skip("only root can become somebody else");
	OK(setgroups(0, NULL));
	OK(setgid(NOBODY));
	OK(setuid(NOBODY));
	OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	REQUIRE(setuid(0) == -1);
}

void with_no_dump(void)
{
	OK(prctl(PR_SET_DUMPABLE, 0));
}

/* Go on as the first process of a new pid namespace. */
static void enter_namespaces(int more)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | more) != 0)
		skip("no user namespaces: %s", strerror(errno));
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		REQUIRE(getpid() == 1);
		alarm(60);
		return;
	}
	OK(waitpid(pid, &status, 0));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

void with_container(void)
{
	enter_namespaces(CLONE_NEWNS);
	OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (mount("proc", "/proc", "proc", 0, NULL) != 0)
		skip("no /proc of one's own: %s", strerror(errno));
}

/* /proc being still the old one, whose numbers mean other threads. */
void with_namespaces(void)
{
	enter_namespaces(0);
}

void with_no_proc(void)
{
	if (unshare(CLONE_NEWNS) != 0)
		skip("no mount namespace of one's own: %s", strerror(errno));
	OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	OK(mount("none", "/proc", "tmpfs", 0, NULL));
	REQUIRE(access("/proc/self", F_OK) == -1);
}
