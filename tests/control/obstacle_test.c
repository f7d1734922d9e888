/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each reason why a process may not be traced, made for real. Every answer is
 * held against what the kernel says when the same process then really tries.
 */
#include "test.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/os.h"

#define NOBODY 65534

/* ---- the two sides: who asks, and who is asked about ---- */

struct answer {
	int code;
	struct stasis_error_info info;
	int explained; /* what the engine's own explanation says after the real try failed */
	struct stasis_error_info because;
	int seize; /* errno of the real try, 0 if it worked, -1 if the asker did not survive */
};

static void try_seize(pid_t target, struct answer *a)
{
	int e;

	a->seize = -1;
	e = ptrace(PTRACE_SEIZE, target, 0, 0) < 0 ? errno : 0;
	if (e != 0)
		a->explained = sts_os_explain_eperm(target, &a->because);
	a->seize = e;
}

/* In a child of ours that has prepared itself: what stands in the way of tracing target? */
static void ask(void (*prepare)(void *), void *arg, pid_t target, struct answer *ret)
{
	struct answer *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t asker;
	int status;

	ATF_REQUIRE(shared != MAP_FAILED);
	shared->code = INT32_MAX;
	asker = sts_fork();
	if (asker == 0) {
		if (prepare != NULL)
			prepare(arg);
		shared->code = stasis_attach_obstacle(target, &shared->info);
		try_seize(target, shared);
		_exit(0);
	}
	status = sts_reap(asker);
	*ret = *shared;
	munmap(shared, sizeof(*shared));
	ATF_REQUIRE_MSG(ret->code != INT32_MAX, "the asker did not get to its answer: status %#x", status);
}

/* The answer is this code, the kernel agrees, the engine would say the same, and the sentences are fit to be shown. */
static void expect(const struct answer *a, int code)
{
	ATF_REQUIRE_MSG(a->code == code, "%s instead of %s: %s", stasis_error_name(a->code), stasis_error_name(code),
			a->info.cause);
	ATF_CHECK_EQ(code, a->info.error);
	ATF_CHECK_MSG((a->seize == 0) == (code == 0), "said %s, but seizing gave %d", stasis_error_name(code),
		      a->seize);
	if (code == 0)
		return;
	ATF_CHECK_STREQ("attach", a->info.operation);
	ATF_CHECK(a->info.cause[0] != '\0' && a->info.cause[strlen(a->info.cause) - 1] != '.');
	ATF_CHECK_MSG(strlen(a->info.cause) < sizeof(a->info.cause) - 1, "cut off: %s", a->info.cause);
	ATF_CHECK_MSG(a->info.remedy[0] != '\0' && strlen(a->info.remedy) < sizeof(a->info.remedy) - 1, "%s",
		      a->info.remedy);
	if (a->seize <= 0)
		return;
	ATF_CHECK_EQ(code, a->explained);
	ATF_CHECK_EQ(a->seize, a->because.sys_errno);
	ATF_CHECK_STREQ("seize", a->because.operation);
}

static void mentions(const char *text, const char *word)
{
	ATF_CHECK_MSG(strstr(text, word) != NULL, "'%s' does not say '%s'", text, word);
}

/* A child of ours that prepares itself and then waits for its end. */
static pid_t target(void (*prepare)(void *), void *arg)
{
	int ready[2];
	char byte;
	pid_t pid;

	STS_SYS(pipe2(ready, O_CLOEXEC));
	pid = sts_fork();
	if (pid == 0) {
		if (prepare != NULL)
			prepare(arg);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ATF_REQUIRE_MSG(read(ready[0], &byte, 1) == 1, "the target could not prepare itself");
	close(ready[0]);
	return pid;
}

/* ---- preparations; a failing one ends the process, which the caller notices ---- */

static void must(bool condition)
{
	if (!condition)
		_exit(100);
}

static void drop_ids(void *arg)
{
	must(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* A process that changed its ids is not dumpable until it says so. */
static void drop_ids_dumpable(void *arg)
{
	drop_ids(NULL);
	must(prctl(PR_SET_DUMPABLE, 1) == 0);
}

/* Give up these capabilities in every set; those of the thread group's only thread. */
static void drop_capabilities(uint64_t gone)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &header, data) == 0);
	for (int i = 0; i < 2; i++) {
		uint32_t keep = ~(uint32_t)(gone >> 32 * i);

		data[i].effective &= keep;
		data[i].permitted &= keep;
		data[i].inheritable &= keep;
	}
	must(syscall(SYS_capset, &header, data) == 0);
}

static void drop_ptrace_capability(void *arg)
{
	drop_capabilities(UINT64_C(1) << CAP_SYS_PTRACE);
}

static void drop_all_capabilities(void *arg)
{
	drop_capabilities(UINT64_MAX);
	must(prctl(PR_SET_DUMPABLE, 1) == 0);
}

static void other_group(void *arg)
{
	must(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	drop_ptrace_capability(NULL);
}

static void not_dumpable(void *arg)
{
	must(prctl(PR_SET_DUMPABLE, 0) == 0);
}

static void drop_ids_not_dumpable(void *arg)
{
	drop_ids(NULL);
	not_dumpable(NULL);
}

static void drop_all_not_dumpable(void *arg)
{
	drop_all_capabilities(NULL);
	not_dumpable(NULL);
}

static void write_map(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* Root of a user namespace of our own, as unshare -Ur does. */
static void new_user_namespace(void *arg)
{
	char map[32];
	uid_t uid = getuid();

	must(unshare(CLONE_NEWUSER) == 0);
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_map("/proc/self/uid_map", map);
}

static void nobody_in_new_user_namespace(void *arg)
{
	drop_ids_dumpable(NULL);
	new_user_namespace(NULL);
}

/* ---- nothing in the way; nothing there ---- */

STS_TC(nothing, 10, "no obstacle to an ordinary child")
{
	pid_t pid = target(NULL, NULL);
	struct answer a;

	ask(NULL, NULL, pid, &a);
	expect(&a, 0);
	ATF_CHECK_STREQ("", a.info.cause);
	ATF_CHECK_EQ(0, stasis_attach_obstacle(pid, NULL));
	sts_kill_reap(pid);
}

STS_TC(gone, 10, "a process that has ended and was collected is no process")
{
	pid_t pid = sts_fork();
	struct answer a;

	if (pid == 0)
		_exit(0);
	sts_reap_exit(pid, 0);
	ask(NULL, NULL, pid, &a);
	expect(&a, STASIS_E_NO_PROCESS);
	ATF_CHECK_EQ(ESRCH, a.info.sys_errno);
	ATF_CHECK_EQ(pid, a.info.pid);
}

STS_TC(no_process_id, 5, "zero and negative numbers are no process ids")
{
	ATF_CHECK_EQ(STASIS_E_BAD_ARGUMENT, stasis_attach_obstacle(0, NULL));
	ATF_CHECK_EQ(STASIS_E_BAD_ARGUMENT, stasis_attach_obstacle(-1, NULL));
	ATF_CHECK_EQ(STASIS_E_BAD_ARGUMENT, stasis_attach_obstacle(INT32_MIN, NULL));
}

static void *pause_thread(void *tid)
{
	*(_Atomic uint64_t *)tid = (uint64_t)gettid();
	for (;;)
		pause();
	return NULL;
}

static void second_thread(void *arg)
{
	struct sts_shared *shared = arg;
	pthread_t thread;

	must(pthread_create(&thread, NULL, pause_thread, &shared->counter[0]) == 0);
	while (shared->counter[0] == 0)
		sched_yield();
}

static void second_thread_only(void *arg)
{
	struct sts_shared *shared = arg;

	second_thread(arg);
	shared->counter[1] = 1;
	syscall(SYS_exit, 0);
}

STS_TC(thread, 10, "a thread's id is told from a process id, and its process is named")
{
	struct sts_shared *shared = sts_shared();
	pid_t pid = target(second_thread, shared);
	struct stasis_error_info info;

	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_attach_obstacle((pid_t)shared->counter[0], &info));
	ATF_CHECK_EQ(pid, info.other_pid);
	ATF_CHECK_EQ(0, stasis_attach_obstacle(pid, NULL));
	sts_kill_reap(pid);
}

STS_TC(zombie, 10, "a zombie is named as one, with its parent")
{
	pid_t pid = sts_fork();
	struct answer a;

	if (pid == 0)
		_exit(0);
	sts_await_state(pid, pid, "Z");
	ask(NULL, NULL, pid, &a);
	expect(&a, STASIS_E_ZOMBIE);
	ATF_CHECK_EQ(getpid(), a.info.other_pid);
	sts_reap_exit(pid, 0);
}

STS_TC(dead_main_thread, 10, "a process whose main thread alone has ended is no zombie")
{
	struct sts_shared *shared = sts_shared();
	pid_t pid = sts_fork();

	if (pid == 0)
		second_thread_only(shared);
	sts_await_counter(1, 1);
	sts_await_state(pid, pid, "Z");
	ATF_CHECK_EQ(0, stasis_attach_obstacle(pid, NULL));
	sts_kill_reap(pid);
}

STS_TC(kernel_thread, 10, "a kernel thread is named as one")
{
	char name[32] = "";
	FILE *f = fopen("/proc/2/comm", "re");
	struct answer a;

	if (f == NULL || fgets(name, sizeof(name), f) == NULL || strcmp(name, "kthreadd\n") != 0)
		atf_tc_skip("no kernel thread is to be seen from this pid namespace");
	fclose(f);
	ask(NULL, NULL, 2, &a);
	expect(&a, STASIS_E_KERNEL_THREAD);
	mentions(a.info.cause, "kthreadd");
}

/* ---- ourselves, and other tracers ---- */

STS_TC(self, 10, "this very process, whichever of its threads asks")
{
	struct stasis_error_info info;

	STS_FAILS(STASIS_E_PERM_SELF, stasis_attach_obstacle(getpid(), &info));
	mentions(info.cause, "this very process");
}

static int pause_in_shared_memory(void *arg)
{
	for (;;)
		pause();
	return 0;
}

STS_TC(shared_memory, 10, "a process that shares our memory is part of us")
{
	char stack[16384] __attribute__((aligned(16)));
	pid_t pid = (pid_t)STS_SYS(clone(pause_in_shared_memory, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL));
	struct stasis_error_info info;

	STS_FAILS(STASIS_E_PERM_SELF, stasis_attach_obstacle(pid, &info));
	mentions(info.cause, "share");
	sts_kill_reap(pid);
}

/* A child that traces `target` until its end; returns when it does. */
static void be_tracer(void *target)
{
	prctl(PR_SET_NAME, "the tracer");
	must(ptrace(PTRACE_SEIZE, *(pid_t *)target, 0, 0) == 0);
}

STS_TC(traced, 10, "another tracer is named by pid and name")
{
	pid_t pid = target(NULL, NULL);
	pid_t tracer = target(be_tracer, &pid);
	struct answer a;

	ask(NULL, NULL, pid, &a);
	expect(&a, STASIS_E_TRACED_ELSEWHERE);
	ATF_CHECK_EQ(tracer, a.info.other_pid);
	ATF_CHECK_EQ(tracer, a.because.other_pid);
	mentions(a.info.cause, "the tracer");
	sts_kill_reap(tracer);
	ATF_CHECK_EQ(0, stasis_attach_obstacle(pid, NULL));
	sts_kill_reap(pid);
}

STS_TC(one_thread_traced, 10, "a tracer that holds one thread only is found too")
{
	struct sts_shared *shared = sts_shared();
	pid_t pid = target(second_thread, shared);
	pid_t tid = (pid_t)shared->counter[0];
	pid_t tracer = target(be_tracer, &tid);
	struct stasis_error_info info;

	STS_FAILS(STASIS_E_TRACED_ELSEWHERE, stasis_attach_obstacle(pid, &info));
	ATF_CHECK_EQ(tracer, info.other_pid);
	sts_kill_reap(tracer);
	sts_kill_reap(pid);
}

static void *seize_in_thread(void *pid)
{
	long r = ptrace(PTRACE_SEIZE, *(pid_t *)pid, 0, 0);
	int code = stasis_attach_obstacle(*(pid_t *)pid, NULL);

	return r < 0 ? NULL : (void *)(long)code;
}

STS_TC(traced_by_us, 10, "what a thread of this process traces is told from what others trace")
{
	pid_t pid = target(NULL, NULL);
	pthread_t thread;
	void *code;

	ATF_REQUIRE_EQ(0, pthread_create(&thread, NULL, seize_in_thread, &pid));
	ATF_REQUIRE_EQ(0, pthread_join(thread, &code));
	ATF_CHECK_EQ_MSG(STASIS_E_ALREADY_TRACED, (long)code, "%s", stasis_error_name((int)(long)code));
	sts_kill_reap(pid);
}

/* Ask about the parent, once it traces us. */
static void ask_about_tracer(void *arg)
{
	struct sts_shared *shared = arg;

	shared->counter[0] = 1;
	while (shared->counter[1] == 0)
		sched_yield();
	shared->counter[2] = (uint64_t)(int64_t)stasis_attach_obstacle(getppid(), NULL);
}

STS_TC(traces_us, 10, "the tracer of the asking process cannot be traced by it")
{
	struct sts_shared *shared = sts_shared();
	pid_t pid = sts_fork();

	if (pid == 0) {
		ask_about_tracer(shared);
		_exit(0);
	}
	sts_await_counter(0, 1);
	STS_SYS(ptrace(PTRACE_SEIZE, pid, 0, 0));
	shared->counter[1] = 1;
	sts_reap_exit(pid, 0);
	ATF_CHECK_EQ(STASIS_E_PERM_SELF, (int64_t)shared->counter[2]);
}

/* ---- ids and capabilities ---- */

STS_TC(other_uid, 10, "another user's process", .require_user = "root")
{
	pid_t pid = target(NULL, NULL);
	struct answer a;

	ask(drop_ids, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_CREDENTIALS);
	mentions(a.info.cause, "uids 0/0/0");
	mentions(a.info.cause, "uid 65534");
	sts_kill_reap(pid);
}

STS_TC(other_gid, 10, "the same user's process with another group", .require_user = "root")
{
	pid_t pid = target(NULL, NULL);
	struct answer a;

	ask(other_group, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_CREDENTIALS);
	mentions(a.info.cause, "gids 0/0/0");
	sts_kill_reap(pid);
}

STS_TC(more_capabilities, 10, "a process with capabilities that we gave up", .require_user = "root")
{
	pid_t pid = target(NULL, NULL);
	struct answer a;

	ask(drop_ptrace_capability, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_CREDENTIALS);
	mentions(a.info.cause, "CAP_SYS_PTRACE");
	sts_kill_reap(pid);
}

STS_TC(same_capabilities, 10, "without CAP_SYS_PTRACE, but no less capable than the target", .require_user = "root")
{
	pid_t pid = target(drop_ptrace_capability, NULL);
	struct answer a;

	ask(drop_ptrace_capability, NULL, pid, &a);
	expect(&a, 0);
	sts_kill_reap(pid);
}

/* ---- user namespaces ---- */

STS_TC(outside_namespace, 10, "from inside a user namespace a process outside of it, of the same user")
{
	pid_t pid = target(NULL, NULL);
	struct answer a;

	if (getuid() == 0)
		ask(nobody_in_new_user_namespace, NULL, pid, &a);
	else
		ask(new_user_namespace, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_NAMESPACE);
	sts_kill_reap(pid);
}

STS_TC(outside_namespace_same_user, 10, "the same where all ids match", .require_user = "root")
{
	pid_t pid = target(drop_ids_dumpable, NULL);
	struct answer a;

	ask(nobody_in_new_user_namespace, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_NAMESPACE);
	sts_kill_reap(pid);
}

STS_TC(sibling_namespace, 10, "a process in another namespace beside ours", .require_user = "root")
{
	pid_t pid = target(nobody_in_new_user_namespace, NULL);
	struct answer a;

	ask(nobody_in_new_user_namespace, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_NAMESPACE);
	sts_kill_reap(pid);
}

STS_TC(owned_namespace, 10, "the owner of a namespace may trace what is in it", .require_user = "root")
{
	pid_t pid = target(nobody_in_new_user_namespace, NULL);
	struct answer a;

	ask(drop_ids_dumpable, NULL, pid, &a);
	expect(&a, 0);
	sts_kill_reap(pid);
}

/* ---- dumpable ---- */

STS_TC(not_dumpable_other_owner, 10, "a process that is not dumpable, of the same user", .require_user = "root")
{
	pid_t pid = target(drop_ids_not_dumpable, NULL);
	pid_t control = target(drop_ids_dumpable, NULL);
	struct answer a;

	ask(drop_ids_dumpable, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_DUMPABLE);
	mentions(a.info.remedy, "PR_SET_DUMPABLE");
	ask(drop_ids_dumpable, NULL, control, &a);
	expect(&a, 0);
	sts_kill_reap(pid);
	sts_kill_reap(control);
}

STS_TC(not_dumpable_unprivileged, 10, "the same without a change of ids", .require_user = "unprivileged")
{
	pid_t pid = target(not_dumpable, NULL);
	struct answer a;

	ask(NULL, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_DUMPABLE);
	sts_kill_reap(pid);
}

STS_TC(not_dumpable_root, 10, "a process of root's, where the owner of its files tells nothing", .require_user = "root")
{
	pid_t pid = target(drop_all_not_dumpable, NULL);
	pid_t control = target(drop_all_capabilities, NULL);
	struct answer a;

	ask(drop_all_capabilities, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_DUMPABLE);
	ask(drop_all_capabilities, NULL, control, &a);
	expect(&a, 0);
	ask(NULL, NULL, pid, &a); /* CAP_SYS_PTRACE overrides it */
	expect(&a, 0);
	sts_kill_reap(pid);
	sts_kill_reap(control);
}

/* A copy of sleep(1) with this mode, run as nobody. */
static pid_t run_copy(const char *name, mode_t mode)
{
	char path[64], byte;
	int gone[2];
	pid_t pid;

	atf_utils_copy_file("/bin/sleep", name);
	ATF_REQUIRE(chmod(name, mode) == 0);
	STS_SYS(pipe2(gone, O_CLOEXEC));
	pid = sts_fork();
	if (pid == 0) {
		drop_ids(NULL);
		execl(name, name, "1000", (char *)NULL);
		_exit(100);
	}
	close(gone[1]);
	ATF_CHECK_EQ(0, read(gone[0], &byte, 1)); /* the exec closes the other end */
	close(gone[0]);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (!atf_utils_grep_file("^%s$", path, name))
		atf_tc_skip("nobody cannot run programs in this folder");
	return pid;
}

STS_TC(unreadable_program, 10, "a process whose program may be run but not read", .require_user = "root")
{
	struct answer a;
	pid_t pid, control;

	ATF_REQUIRE(chmod(".", 0755) == 0);
	pid = run_copy("unreadable", 0711);
	control = run_copy("readable", 0755);
	ask(drop_ids_dumpable, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_DUMPABLE);
	ask(drop_ids_dumpable, NULL, control, &a);
	expect(&a, 0);
	sts_kill_reap(pid);
	sts_kill_reap(control);
}

/* ---- seccomp ---- */

struct filter {
	long call;
	long argument; /* of the first argument, -1: any */
	uint32_t action;
};

static void filter_install(void *arg)
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

static void filtered(struct filter f, int code, const char *word)
{
	pid_t pid = target(NULL, NULL);
	struct answer a;

	ask(filter_install, &f, pid, &a);
	expect(&a, code);
	if (word != NULL)
		mentions(a.info.cause, word);
	sts_kill_reap(pid);
}

STS_TC(seccomp_errno, 10, "a filter that answers ptrace with an error")
{
	filtered((struct filter){SYS_ptrace, -1, SECCOMP_RET_ERRNO | EPERM}, STASIS_E_PERM_SECCOMP, "EPERM");
	filtered((struct filter){SYS_ptrace, -1, SECCOMP_RET_ERRNO | ENOSYS}, STASIS_E_PERM_SECCOMP, "ENOSYS");
}

STS_TC(seccomp_seize_only, 10, "a filter that denies the one request attaching needs")
{
	filtered((struct filter){SYS_ptrace, PTRACE_SEIZE, SECCOMP_RET_ERRNO | EACCES}, STASIS_E_PERM_SECCOMP,
		 "EACCES");
}

STS_TC(seccomp_kill, 10, "a filter that kills who calls ptrace: the question is survived")
{
	filtered((struct filter){SYS_ptrace, -1, SECCOMP_RET_KILL_PROCESS}, STASIS_E_PERM_SECCOMP, "kills");
	filtered((struct filter){SYS_ptrace, -1, SECCOMP_RET_KILL_THREAD}, STASIS_E_PERM_SECCOMP, "kills");
	filtered((struct filter){SYS_ptrace, -1, SECCOMP_RET_TRAP}, STASIS_E_PERM_SECCOMP, "kills");
}

STS_TC(seccomp_harmless, 10, "filters that do not touch ptrace are no obstacle, also if they forbid other questions")
{
	filtered((struct filter){SYS_swapon, -1, SECCOMP_RET_KILL_PROCESS}, 0, NULL);
	filtered((struct filter){SYS_process_vm_readv, -1, SECCOMP_RET_KILL_PROCESS}, 0, NULL);
	filtered((struct filter){SYS_process_vm_readv, -1, SECCOMP_RET_ERRNO | EPERM}, 0, NULL);
	filtered((struct filter){SYS_kcmp, -1, SECCOMP_RET_KILL_PROCESS}, 0, NULL);
	filtered((struct filter){SYS_landlock_create_ruleset, -1, SECCOMP_RET_KILL_PROCESS}, 0, NULL);
	filtered((struct filter){SYS_kill, -1, SECCOMP_RET_KILL_PROCESS}, 0, NULL);
}

static void filter_and_drop_ids(void *arg)
{
	filter_install(arg);
	drop_ids(NULL);
}

static void nobody_and_filter(void *arg)
{
	drop_ids_dumpable(NULL);
	filter_install(arg);
}

STS_TC(seccomp_and_other_uid, 10, "with the kernel's own verdict filtered away the facts decide",
       .require_user = "root")
{
	struct filter f = {SYS_process_vm_readv, -1, SECCOMP_RET_ERRNO | ENOSYS};
	pid_t pid = target(NULL, NULL);
	struct answer a;

	ask(filter_and_drop_ids, &f, pid, &a);
	expect(&a, STASIS_E_PERM_CREDENTIALS);
	sts_kill_reap(pid);
}

STS_TC(question_is_invisible, 10, "the child that tries a filter out is seen by no wait of the host program")
{
	struct filter f = {SYS_ptrace, -1, SECCOMP_RET_KILL_PROCESS};
	pid_t pid = target(NULL, NULL);
	pid_t asker = sts_fork();

	if (asker == 0) {
		sigset_t pending;

		sigemptyset(&pending);
		sigaddset(&pending, SIGCHLD);
		sigprocmask(SIG_BLOCK, &pending, NULL);
		filter_install(&f);
		must(stasis_attach_obstacle(pid, NULL) == STASIS_E_PERM_SECCOMP);
		must(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
		must(sigpending(&pending) == 0 && !sigismember(&pending, SIGCHLD));
		_exit(0);
	}
	sts_reap_exit(asker, 0);
	sts_kill_reap(pid);
}

STS_TC(seccomp_and_gone, 10, "no question is put to the kernel that the filter might kill for, not even kill(2)")
{
	struct filter f = {SYS_kill, -1, SECCOMP_RET_KILL_PROCESS};
	struct answer a;

	ask(filter_install, &f, INT32_MAX, &a);
	expect(&a, STASIS_E_NO_PROCESS);
}

STS_TC(seccomp_and_owned_namespace, 10, "the facts alone also know the rights of a namespace's owner",
       .require_user = "root")
{
	struct filter f = {SYS_process_vm_readv, -1, SECCOMP_RET_ERRNO | ENOSYS};
	pid_t pid = target(nobody_in_new_user_namespace, NULL);
	struct answer a;

	ask(nobody_and_filter, &f, pid, &a);
	expect(&a, 0);
	sts_kill_reap(pid);
}

static _Atomic uint64_t *handled;

static void on_sigsys(int signal)
{
	++*handled;
}

STS_TC(seccomp_trap_handler, 10, "a filter that traps: the host program's handler is not run by the trial")
{
	struct filter f = {SYS_ptrace, -1, SECCOMP_RET_TRAP};
	struct sts_shared *shared = sts_shared();
	pid_t pid = target(NULL, NULL);
	pid_t asker = sts_fork();

	handled = &shared->counter[0];
	if (asker == 0) {
		signal(SIGSYS, on_sigsys);
		filter_install(&f);
		_exit(stasis_attach_obstacle(pid, NULL) != STASIS_E_PERM_SECCOMP);
	}
	sts_reap_exit(asker, 0);
	ATF_CHECK_EQ(0, shared->counter[0]);
	sts_kill_reap(pid);
}

/* ---- security modules ---- */

static void landlock_enter(void *arg)
{
	struct {
		uint64_t handled_access_fs;
	} attr = {1 << 0}; /* LANDLOCK_ACCESS_FS_EXECUTE */
	long fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	must(fd >= 0 && syscall(SYS_landlock_restrict_self, fd, 0) == 0);
	close((int)fd);
}

STS_TC(landlock, 10, "a process in a Landlock sandbox may not trace what is outside of it")
{
	pid_t pid = target(NULL, NULL);
	struct answer a;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
		atf_tc_skip("this kernel has no Landlock");
	ask(landlock_enter, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_LSM);
	mentions(a.info.cause, "landlock");
	sts_kill_reap(pid);
}

/* ---- /proc that tells less ---- */

static void proc_hides(void *arg)
{
	must(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	must(mount("proc", "/proc", "proc", 0, arg) == 0);
}

static void proc_hides_from_nobody(void *arg)
{
	proc_hides(arg);
	drop_ids(NULL);
}

static void no_proc(void *arg)
{
	must(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	must(mount("none", "/proc", "tmpfs", 0, NULL) == 0);
}

static void no_proc_for_nobody(void *arg)
{
	no_proc(NULL);
	drop_ids(NULL);
}

static bool can_mount(void)
{
	pid_t pid = sts_fork();

	if (pid == 0) {
		proc_hides("hidepid=2");
		_exit(0);
	}
	return sts_reap(pid) == 0;
}

STS_TC(hidden, 10, "a process that /proc hides exists all the same", .require_user = "root")
{
	static const char *const options[] = {"hidepid=1", "hidepid=2"};
	pid_t pid = target(NULL, NULL);
	struct answer a;

	if (!can_mount())
		atf_tc_skip("may not mount /proc");
	for (int i = 0; i < 2; i++) {
		ask(proc_hides_from_nobody, (void *)options[i], pid, &a);
		expect(&a, STASIS_E_PERM_CREDENTIALS);
		mentions(a.info.cause, "does not show it");
		ask(proc_hides, (void *)options[i], pid, &a);
		expect(&a, 0);
	}
	sts_kill_reap(pid);
}

STS_TC(without_proc, 10, "without /proc the kernel's verdict is still told", .require_user = "root")
{
	pid_t pid = target(NULL, NULL);
	struct answer a;

	if (!can_mount())
		atf_tc_skip("may not mount /proc");
	ask(no_proc, NULL, pid, &a);
	expect(&a, 0);
	ask(no_proc_for_nobody, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_CREDENTIALS);
	ask(no_proc, NULL, INT32_MAX, &a);
	expect(&a, STASIS_E_NO_PROCESS);
	sts_kill_reap(pid);
}

/* Init of a pid namespace that has left /proc as it was: there process 2 is another one. */
static void ask_with_foreign_proc(struct answer *ret)
{
	pid_t inner = fork();

	if (inner == 0)
		for (;;)
			pause();
	ret->info.pid = inner;
	ret->code = stasis_attach_obstacle(inner, NULL);
	try_seize(inner, ret);
	_exit(0);
}

STS_TC(foreign_proc, 10, "a /proc of another pid namespace is not believed", .require_user = "root")
{
	struct answer *a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t init = (pid_t)STS_SYS(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));

	if (init == 0)
		ask_with_foreign_proc(a);
	sts_reap_exit(init, 0);
	ATF_CHECK_EQ(2, a->info.pid);
	ATF_CHECK_EQ_MSG(0, a->code, "%s", stasis_error_name(a->code));
	ATF_CHECK_EQ(0, a->seize);
	munmap(a, sizeof(*a));
}

/* ---- a tracer that cannot be seen ---- */

/* Init of a pid namespace: makes a target for the world outside, then asks about it from within. */
static void ask_inside(struct sts_shared *shared, struct answer *ret)
{
	pid_t inner;

	must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("proc", "/proc", "proc", 0, NULL) == 0);
	inner = fork();
	if (inner == 0)
		for (;;)
			pause();
	shared->counter[0] = 1;
	while (shared->counter[1] == 0)
		sched_yield();
	ret->code = stasis_attach_obstacle(inner, &ret->info);
	try_seize(inner, ret);
	_exit(0);
}

/* The only child of a process. */
static pid_t only_child(pid_t pid)
{
	char path[64];
	int child = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "re");
	if (f == NULL || fscanf(f, "%d", &child) != 1)
		atf_tc_skip("this kernel does not list children");
	fclose(f);
	return child;
}

STS_TC(unseen_tracer, 10, "a tracer outside of our pid namespace is inferred from its tracee's state",
       .require_user = "root")
{
	struct sts_shared *shared = sts_shared();
	struct answer *a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t init, pid;

	if (!can_mount())
		atf_tc_skip("may not mount /proc");
	init = (pid_t)STS_SYS(syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
	if (init == 0)
		ask_inside(shared, a);
	sts_await_counter(0, 1);
	pid = only_child(init);
	STS_SYS(ptrace(PTRACE_SEIZE, pid, 0, 0));
	STS_SYS(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	sts_await_state(pid, pid, "t");
	shared->counter[1] = 1;
	/* The end of its init kills the tracee, and waits until we have collected it. */
	STS_SYS(waitpid(pid, NULL, __WALL));
	while (waitpid(pid, NULL, __WALL) == pid)
		;
	sts_reap_exit(init, 0);
	expect(a, STASIS_E_TRACED_ELSEWHERE);
	ATF_CHECK_EQ(0, a->info.other_pid);
	munmap(a, sizeof(*a));
}

/* ---- the engine's explanation ---- */

STS_TC(unexplained, 10, "where nothing speaks against it any more, that is what is said")
{
	pid_t pid = target(NULL, NULL);
	struct stasis_error_info info;

	ATF_CHECK_EQ(STASIS_E_PERM, sts_os_explain_eperm(pid, &info));
	ATF_CHECK_EQ(STASIS_E_PERM, info.error);
	ATF_CHECK_EQ(EPERM, info.sys_errno);
	ATF_CHECK_EQ(pid, info.pid);
	mentions(info.cause, "nothing speaks against it now");
	sts_kill_reap(pid);
}

static void *ask_many_times(void *pid)
{
	long wrong = 0;

	for (int i = 0; i < 200; i++)
		wrong += stasis_attach_obstacle(*(pid_t *)pid, NULL) != 0;
	return (void *)wrong;
}

STS_TC(any_thread, 20, "several threads may ask at once")
{
	pid_t pid = target(NULL, NULL);
	pthread_t threads[4];
	void *wrong;

	for (int i = 0; i < 4; i++)
		ATF_REQUIRE_EQ(0, pthread_create(&threads[i], NULL, ask_many_times, &pid));
	for (int i = 0; i < 4; i++) {
		ATF_REQUIRE_EQ(0, pthread_join(threads[i], &wrong));
		ATF_CHECK_EQ(NULL, wrong);
	}
	sts_kill_reap(pid);
}
