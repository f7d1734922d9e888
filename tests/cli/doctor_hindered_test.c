/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis doctor where something is really in the way: filters, limits, other tracers, the freezer. */
#include "test.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STASIS STS_TESTS_DIR "/../stasis"
#define NOBODY 65534

/* ---- running it ---- */

struct output {
	int status; /* exit status */
	size_t len;
	char text[32768];
};

static void must(bool condition)
{
	if (!condition)
		_exit(100);
}

/* Run `stasis doctor --json`, for process pid if not 0, in a child that has prepared itself. */
static void doctor(void (*prepare)(const void *), const void *arg, pid_t about, struct output *ret)
{
	char number[16];
	int ends[2];
	ssize_t n;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", (int)about);
	STS_SYS(pipe2(ends, O_CLOEXEC));
	pid = sts_fork();
	if (pid == 0) {
		must(dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
		if (prepare != NULL)
			prepare(arg);
		execl(STASIS, "stasis", "doctor", "--json", about != 0 ? "-p" : NULL, number, (char *)NULL);
		_exit(101);
	}
	close(ends[1]);
	ret->len = 0;
	while ((n = read(ends[0], ret->text + ret->len, sizeof(ret->text) - 1 - ret->len)) > 0)
		ret->len += (size_t)n;
	ret->text[ret->len] = '\0';
	close(ends[0]);
	ret->status = WEXITSTATUS(sts_reap(pid));
}

/* The line of this check, "" if there is none. Each check has a line of its own. */
static const char *line_of(const struct output *out, const char *id, char *buf, size_t cap)
{
	char key[64];
	const char *p;

	snprintf(key, sizeof(key), "\n{\"id\":\"%s\",", id);
	p = strstr(out->text, key);
	snprintf(buf, cap, "%.*s", p != NULL ? (int)strcspn(p + 1, "\n") : 0, p != NULL ? p + 1 : "");
	return buf;
}

/* The check must have this status, and its line hold this text (unless NULL). */
static void expect(const struct output *out, const char *id, const char *status, const char *text)
{
	char line[1024], wanted[64];

	line_of(out, id, line, sizeof(line));
	snprintf(wanted, sizeof(wanted), "\"status\":\"%s\"", status);
	ATF_CHECK_MSG(strstr(line, wanted) != NULL, "%s is not '%s': %s", id, status, line);
	ATF_CHECK_MSG(text == NULL || strstr(line, text) != NULL, "%s does not say '%s': %s", id, text, line);
}

static void expect_exit(const struct output *out, int status)
{
	ATF_CHECK_MSG(out->status == status, "exit status %d instead of %d:\n%s", out->status, status, out->text);
	if (status <= 1)
		ATF_CHECK(strstr(out->text, status == 0 ? "\"well\":true" : "\"well\":false") != NULL);
}

STS_TC(nothing, 30, "with nothing in the way all is well")
{
	struct output out;

	doctor(NULL, NULL, 0, &out);
	expect_exit(&out, 0);
	expect(&out, "seize", "ok", NULL);
	expect(&out, "launch", "ok", NULL);
	expect(&out, "attach", "ok", NULL);
	expect(&out, "breakpoints", "ok", NULL);
}

/* ---- filters ---- */

struct filter {
	long call;
	long argument; /* of the first argument, -1: any */
	uint32_t action;
};

static void filter_install(const void *arg)
{
	const struct filter *f = arg;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)f->call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)f->argument, 0, f->argument < 0 ? 0 : 1),
		BPF_STMT(BPF_RET | BPF_K, f->action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void filtered(long call, long argument, uint32_t action, struct output *ret)
{
	struct filter f = {call, argument, action};

	doctor(filter_install, &f, 0, ret);
}

STS_TC(ptrace_denied, 60, "a filter that denies ptrace is named as the cause, and nothing works")
{
	struct output out;

	filtered(SYS_ptrace, -1, SECCOMP_RET_ERRNO | EPERM, &out);
	expect_exit(&out, 1);
	expect(&out, "seccomp", "ok", "1 filter on this process");
	expect(&out, "seize", "no", "seccomp filter");
	expect(&out, "launch", "no", NULL);
	expect(&out, "attach", "no", "what 'seize' says");
	expect(&out, "breakpoints", "no", NULL);
	expect(&out, "pidfd", "ok", NULL);
}

STS_TC(ptrace_kills, 60, "a filter that kills for ptrace is survived")
{
	struct output out;

	filtered(SYS_ptrace, -1, SECCOMP_RET_KILL_PROCESS, &out);
	expect_exit(&out, 1);
	expect(&out, "seize", "no", "killed by signal 31");
	expect(&out, "launch", "no", NULL);
	expect(&out, "memory-text", "no", "killed");
	expect(&out, "children", "ok", NULL);
}

STS_TC(interrupt_denied, 60, "a filter on one request: what needs that request fails, and only that")
{
	struct output out;

	filtered(SYS_ptrace, PTRACE_INTERRUPT, SECCOMP_RET_ERRNO | EPERM, &out);
	expect_exit(&out, 1);
	expect(&out, "seize", "ok", NULL);
	expect(&out, "interrupt", "no", NULL);
	expect(&out, "exit-kill", "ok", NULL);
	expect(&out, "attach", "no", "what 'interrupt' says");
}

STS_TC(syscall_info_denied, 60, "without PTRACE_GET_SYSCALL_INFO no system calls, but the rest, and that is well")
{
	struct output out;

	filtered(SYS_ptrace, 0x420e, SECCOMP_RET_ERRNO | EIO, &out);
	expect_exit(&out, 0);
	expect(&out, "syscall-info", "no", "PTRACE_GET_SYSCALL_INFO");
	expect(&out, "system-calls", "no", "syscall-info");
	expect(&out, "breakpoints", "ok", NULL);
}

STS_TC(debug_registers_denied, 60, "without debug registers no watchpoints")
{
	struct output out;

	filtered(SYS_ptrace, PTRACE_POKEUSER, SECCOMP_RET_ERRNO | EIO, &out);
	expect(&out, "debug-registers", "no", "cannot be set");
	expect(&out, "watchpoints", "no", NULL);
	expect(&out, "steps", "ok", NULL);
}

STS_TC(debug_registers_dead, 60, "debug registers that take a value and never trap, as on some virtual machines")
{
	struct output out;

	filtered(SYS_ptrace, PTRACE_POKEUSER, SECCOMP_RET_ERRNO | 0, &out);
	expect(&out, "debug-registers", "no", "never hit");
	expect(&out, "watchpoints", "no", NULL);
}

STS_TC(memory_read_denied, 60, "without process_vm_readv memory is read in another way")
{
	struct output out;

	filtered(SYS_process_vm_readv, -1, SECCOMP_RET_ERRNO | ENOSYS, &out);
	expect_exit(&out, 0);
	expect(&out, "memory-read", "limited", "process_vm_readv");
	expect(&out, "memory", "ok", NULL);
}

STS_TC(hangs, 60, "a request that claims success and does nothing is given up in time")
{
	struct output out;

	filtered(SYS_ptrace, PTRACE_LISTEN, SECCOMP_RET_ERRNO | 0, &out);
	expect(&out, "listen", "no", "hangs");
	expect(&out, "job-control", "limited", NULL);
	expect(&out, "births", "ok", NULL);
}

/* ---- limits and inheritances ---- */

static void nobody_alone(const void *arg)
{
	const struct rlimit one = {1, 1};

	must(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	must(setrlimit(RLIMIT_NPROC, &one) == 0);
}

STS_TC(no_processes, 60, "where no process can be made, that is said and nothing hangs", .require_user = "root")
{
	struct output out;

	doctor(nobody_alone, NULL, 0, &out);
	if (out.status == 101)
		atf_tc_skip("nobody cannot run stasis from this build folder");
	expect_exit(&out, 1);
	expect(&out, "processes", "limited", "at most 1 ");
	expect(&out, "capabilities", "limited", "none");
	expect(&out, "seize", "no", "no child could be made");
	expect(&out, "launch", "no", NULL);
}

static void nobody(const void *arg)
{
	must(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

STS_TC(unprivileged, 60, "without privileges it works for one's own processes; root's are refused",
       .require_user = "root")
{
	struct output out;

	doctor(nobody, NULL, getpid(), &out);
	if (out.status == 101)
		atf_tc_skip("nobody cannot run stasis from this build folder");
	expect_exit(&out, 1);
	expect(&out, "capabilities", "limited", "uid 65534");
	expect(&out, "launch", "ok", NULL);
	expect(&out, "attach", "ok", "uid 65534");
	expect(&out, "process", "no", "STASIS_E_PERM_CREDENTIALS");
	doctor(nobody, NULL, 0, &out);
	expect_exit(&out, 0);
}

static void children_ignored(const void *arg)
{
	signal(SIGCHLD, SIG_IGN);
}

STS_TC(ignored_sigchld, 30, "an inherited SIGCHLD that is ignored disturbs nothing")
{
	struct output out;

	doctor(children_ignored, NULL, 0, &out);
	expect_exit(&out, 0);
}

static void in_user_namespace(const void *arg)
{
	must(unshare(CLONE_NEWUSER) == 0);
}

STS_TC(user_namespace, 30, "a user namespace is seen, and what lies outside is out of reach")
{
	struct output out;

	doctor(in_user_namespace, NULL, getpid(), &out);
	if (out.status == 100)
		atf_tc_skip("may not make a user namespace");
	expect_exit(&out, 1);
	expect(&out, "user-namespace", "limited", NULL);
	expect(&out, "launch", "ok", NULL);
	expect(&out, "process", "no", "STASIS_E_PERM_NAMESPACE");
}

/* ---- the process asked about ---- */

static pid_t idle(void)
{
	pid_t pid = sts_fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

STS_TC(ordinary_process, 30, "an ordinary process can be attached to, and is not touched by the question")
{
	pid_t pid = idle();
	struct output out;

	doctor(NULL, NULL, pid, &out);
	expect_exit(&out, 0);
	expect(&out, "process", "ok", "can be attached to");
	ATF_CHECK_EQ(0, sts_proc_tracer(pid));
	ATF_CHECK_EQ(0, waitpid(pid, NULL, WNOHANG | WUNTRACED | WCONTINUED));
	sts_kill_reap(pid);
}

STS_TC(traced_process, 30, "the tracer of a process is named")
{
	pid_t pid = idle();
	char wanted[64];
	struct output out;

	STS_SYS(ptrace(PTRACE_SEIZE, pid, 0, 0));
	doctor(NULL, NULL, pid, &out);
	expect_exit(&out, 1);
	snprintf(wanted, sizeof(wanted), "by process %d (", (int)getpid());
	expect(&out, "process", "no", wanted);
	expect(&out, "process", "no", "STASIS_E_TRACED_ELSEWHERE");
	expect(&out, "attach", "ok", NULL);
	sts_kill_reap(pid);
}

STS_TC(no_such_process, 30, "a process that is not there")
{
	struct output out;

	doctor(NULL, NULL, INT32_MAX, &out);
	expect_exit(&out, 1);
	expect(&out, "process", "no", "STASIS_E_NO_PROCESS");
}

#define FREEZER "/sys/fs/cgroup/freezer/stasis-test-%d"

static bool freezer_write(const char *group, const char *file, const char *text)
{
	char path[128];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	f = fopen(path, "we");
	if (f == NULL)
		return false;
	ok = fputs(text, f) >= 0;
	return fclose(f) == 0 && ok;
}

STS_TC(frozen_process, 30, "a process in the freezer of cgroup version 1 is told", .require_user = "root")
{
	struct output out = {0};
	char group[96], number[16];
	pid_t pid;
	bool frozen;

	snprintf(group, sizeof(group), FREEZER, (int)getpid());
	if (mkdir(group, 0755) < 0)
		atf_tc_skip("no freezer of cgroup version 1 to write to");
	pid = idle();
	snprintf(number, sizeof(number), "%d", (int)pid);
	frozen = freezer_write(group, "cgroup.procs", number) && freezer_write(group, "freezer.state", "FROZEN");
	if (frozen)
		doctor(NULL, NULL, pid, &out);
	/* Nothing may fail before this: what is frozen cannot be killed. */
	freezer_write(group, "freezer.state", "THAWED");
	sts_kill_reap(pid);
	ATF_CHECK(rmdir(group) == 0);
	ATF_REQUIRE(frozen);
	expect_exit(&out, 1);
	expect(&out, "process-frozen", "no", "until it is thawed");
}
