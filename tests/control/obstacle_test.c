/* SPDX-License-Identifier: BSD-2-Clause */
/* Each reason why a process may not be traced that lies with the target, made for real. */
#include "obstacle_sides.h"

#include <pthread.h>
#include <sys/stat.h>

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
	struct answer a;

	need_user_namespaces();
	pid_t pid = target(NULL, NULL);
	if (getuid() == 0)
		ask(nobody_in_new_user_namespace, NULL, pid, &a);
	else
		ask(new_user_namespace, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_NAMESPACE);
	sts_kill_reap(pid);
}

STS_TC(outside_namespace_same_user, 10, "the same where all ids match", .require_user = "root")
{
	struct answer a;

	need_user_namespaces();
	pid_t pid = target(drop_ids_dumpable, NULL);
	ask(nobody_in_new_user_namespace, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_NAMESPACE);
	sts_kill_reap(pid);
}

STS_TC(sibling_namespace, 10, "a process in another namespace beside ours", .require_user = "root")
{
	struct answer a;

	need_user_namespaces();
	pid_t pid = target(nobody_in_new_user_namespace, NULL);
	ask(nobody_in_new_user_namespace, NULL, pid, &a);
	expect(&a, STASIS_E_PERM_NAMESPACE);
	sts_kill_reap(pid);
}

STS_TC(owned_namespace, 10, "the owner of a namespace may trace what is in it", .require_user = "root")
{
	struct answer a;

	need_user_namespaces();
	pid_t pid = target(nobody_in_new_user_namespace, NULL);
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
