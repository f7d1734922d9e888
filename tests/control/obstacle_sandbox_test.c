/* SPDX-License-Identifier: BSD-2-Clause */
/* Reasons that lie with the caller: seccomp filters, Landlock, a /proc that tells less or something else. */
#include "obstacle_sides.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/uio.h>

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
	struct answer a;

	need_user_namespaces();
	pid_t pid = target(nobody_in_new_user_namespace, NULL);
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
		proc_hides((char[]){"hidepid=2"});
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
