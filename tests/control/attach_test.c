// SPDX-License-Identifier: BSD-2-Clause
/* Attach: a process is taken with all its LWPs, whatever it does, or it is said exactly why not. */
#include "drive.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An actor that nobody traces, with busy threads, and a session that wants these events. */
static struct stasis_session *begin(struct actor *a, const char *name, unsigned threads, uint64_t wanted)
{
	struct stasis_session *s;

	actor_start(a, name);
	if (threads > 0)
		actor_do(a, "threads %u", threads);
	s = sts_session();
	sts_want(s, 0, wanted);
	return s;
}

static void finish(struct actor *a, struct stasis_session *s)
{
	actor_end(a);
	stasis_session_destroy(s);
}

/* The LWPs that the session knows are those that there are, and all of them are its own. */
static void check_lwps(struct stasis_session *s, pid_t pid)
{
	pid_t known[64];
	size_t n = 0, there = 0;
	struct dirent *e;
	char path[64];
	DIR *dir;

	STS_OK_S(s, stasis_lwp_list(s, pid, known, 64, &n));
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	ATF_REQUIRE(dir != NULL);
	while ((e = readdir(dir)) != NULL) {
		pid_t tid = (pid_t)atoi(e->d_name);
		bool found = false;

		if (tid == 0 || sts_proc_state(pid, tid) == 'Z')
			continue;
		for (size_t i = 0; i < n; i++)
			found |= known[i] == tid;
		ATF_REQUIRE_MSG(found, "LWP %d is not among those known", (int)tid);
		ATF_REQUIRE_EQ(sts_proc_tracer(tid), stasis_session_tracer_pid(s));
		there++;
	}
	closedir(dir);
	ATF_REQUIRE_EQ(there, n);
}

static void take(const char *program, unsigned threads)
{
	struct stasis_process_info info;
	struct stasis_event ev;
	struct actor a;
	struct stasis_session *s = begin(&a, program, threads, BIT(SIGNAL));

	STS_OK_S(s, stasis_attach(s, a.pid));
	check_at_rest(&a); /* when attach returns, not when the event is fetched */
	check_lwps(s, a.pid);
	sts_expect_event(s, STASIS_EVENT_ATTACHED, &ev);
	ATF_REQUIRE_EQ(ev.pid, a.pid);
	ATF_REQUIRE(ev.all_stop && ev.stopped);
	STS_OK_S(s, stasis_process_info_get(s, a.pid, &info));
	ATF_REQUIRE_EQ(info.pid, a.pid);
	ATF_REQUIRE_EQ(info.parent, getpid());
	ATF_REQUIRE_EQ(info.birth, STASIS_EVENT_ATTACHED);
	ATF_REQUIRE_EQ(info.state, STASIS_STATE_STOPPED);
	ATF_REQUIRE_EQ(info.lwp_count, threads + 1);
	ATF_REQUIRE(!info.launched && !info.job_stopped);
	ATF_REQUIRE_EQ(info.abi, strstr(program, "-32") ? STASIS_ABI_I386 : STASIS_ABI_X86_64);
	for (unsigned i = 0; i <= threads; i++) {
		pid_t tid = i < threads ? (pid_t)actor_counter(&a, ACTOR_TID + i) : a.pid;

		ATF_REQUIRE(pc_of(s, tid) != 0);
		ATF_REQUIRE_EQ(sts_proc_mask(a.pid, tid, "SigPnd") | sts_proc_mask(a.pid, tid, "ShdPnd"), 0);
	}
	sts_resume(s, a.pid);
	a.s = s;
	if (threads > 0)
		actor_do(&a, "join");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_EINTR), 0);
	finish(&a, s);
}

STS_TC_BOTH(one_thread, 20,
	    "a process with one thread: at rest when attach returns, the call it sleeps in not cut short")
{
	take("actor", 0);
}

STS_TC_BOTH(busy_threads, 20, "a process with busy threads: all of them are taken and rest")
{
	take("actor", 8);
}

STS_TC_BOTH(busy_threads_i386, 20, "the same of an i386 process")
{
	take("actor-32", 8);
}

STS_TC_BOTH(again_and_again, 60, "attach and detach thirty times: each time all LWPs, and nothing is left behind")
{
	struct actor a;
	struct stasis_session *s = begin(&a, "actor", 8, BIT(SIGNAL));

	for (int i = 0; i < 30; i++) {
		uint64_t before;

		sts_attach(s, a.pid);
		check_lwps(s, a.pid);
		if (i % 2)
			sts_resume(s, a.pid);
		STS_OK_S(s, stasis_detach(s, a.pid, STASIS_SIGNAL_KEEP));
		check_free(a.pid);
		before = spins(&a);
		sts_await_counter(ACTOR_SPIN, actor_counter(&a, ACTOR_SPIN) + 1);
		ATF_REQUIRE(spins(&a) > before);
	}
	actor_do(&a, "join");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_EINTR), 0);
	actor_end_untraced(&a);
	stasis_session_destroy(s);
}

STS_TC_BOTH(calls_go_on, 20, "a sleep that attach and detach meet lasts as long as it should")
{
	struct actor a;
	struct stasis_session *s = begin(&a, "actor", 0, BIT(SIGNAL));

	actor_tell(&a, "sleep 400");
	for (int i = 0; i < 10; i++) {
		sts_attach(s, a.pid);
		sts_resume(s, a.pid);
		STS_OK_S(s, stasis_detach(s, a.pid, STASIS_SIGNAL_KEEP));
	}
	ATF_REQUIRE(actor_done(&a) >= 400);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_EINTR), 0);
	actor_end_untraced(&a);
	stasis_session_destroy(s);
}

/* ---- states a process can be in ---- */

static void await_stopped(const struct actor *a)
{
	sts_await_state(a->pid, a->pid, "T");
}

static void job_stopped(unsigned threads)
{
	struct stasis_process_info info;
	struct stasis_event ev;
	struct actor a;
	uint64_t before;
	struct stasis_session *s = begin(&a, "actor", threads, BIT(JOB_STOP) | BIT(JOB_CONTINUE));

	STS_SYS(kill(a.pid, SIGSTOP));
	await_stopped(&a);
	sts_attach(s, a.pid);
	a.s = s;
	STS_OK_S(s, stasis_process_info_get(s, a.pid, &info));
	ATF_REQUIRE(info.job_stopped);
	before = spins(&a);
	sts_resume(s, a.pid);
	let_others_run();
	sts_expect_quiet(s);
	ATF_REQUIRE_EQ_MSG(spins(&a), before, "a process that job control has stopped runs");
	actor_interrupt(&a); /* it can be looked at, too */
	STS_OK_S(s, stasis_process_info_get(s, a.pid, &info));
	ATF_REQUIRE(info.job_stopped);
	sts_resume(s, a.pid);
	let_others_run();
	ATF_REQUIRE_EQ(spins(&a), before);
	STS_SYS(kill(a.pid, SIGCONT));
	sts_expect_event_of(s, a.pid, STASIS_EVENT_JOB_CONTINUE, &ev);
	STS_OK_S(s, stasis_process_info_get(s, a.pid, &info));
	ATF_REQUIRE(!info.job_stopped);
	sts_resume(s, a.pid);
	actor_do(&a, "join");
	finish(&a, s);
}

STS_TC_BOTH(stopped_stays_stopped, 20, "a job-stopped process stays so when resumed, until SIGCONT")
{
	job_stopped(0);
}

STS_TC_BOTH(stopped_stays_stopped_threads, 20, "the same with threads")
{
	job_stopped(4);
}

static void stopped_detach(bool resume_first, unsigned threads)
{
	struct actor a;
	uint64_t before;
	struct stasis_session *s = begin(&a, "actor", threads, BIT(JOB_STOP) | BIT(JOB_CONTINUE));

	STS_SYS(kill(a.pid, SIGSTOP));
	await_stopped(&a);
	sts_attach(s, a.pid);
	if (resume_first)
		sts_resume(s, a.pid);
	STS_OK_S(s, stasis_detach(s, a.pid, STASIS_SIGNAL_KEEP));
	await_stopped(&a);
	before = spins(&a);
	let_others_run();
	ATF_REQUIRE_EQ(spins(&a), before);
	ATF_REQUIRE_EQ(sts_proc_tracer(a.pid), 0);
	ATF_REQUIRE_EQ(sts_proc_state(a.pid, a.pid), 'T');
	for (unsigned i = 0; i < threads; i++) /* in the kernel it may be on its way from our stop to the job's */
		sts_await_state(a.pid, (pid_t)actor_counter(&a, ACTOR_TID + i), "T");
	STS_SYS(kill(a.pid, SIGCONT));
	actor_do(&a, "join");
	check_free(a.pid);
	actor_end_untraced(&a);
	stasis_session_destroy(s);
}

STS_TC_BOTH(stopped_let_go, 20, "a job-stopped process let go is job-stopped still, all its threads, until SIGCONT")
{
	stopped_detach(false, 4);
}

STS_TC_BOTH(stopped_resumed_let_go, 20, "the same after a resume")
{
	stopped_detach(true, 0);
}

STS_TC_BOTH(stopped_resumed_let_go_threads, 20, "the same with threads")
{
	stopped_detach(true, 4);
}

STS_TC_BOTH(first_thread_dead, 20, "a process whose first thread has left is taken with those that live")
{
	struct stasis_process_info info;
	struct stasis_event ev;
	pid_t list[8];
	struct actor a;
	size_t n = 0;
	struct stasis_session *s = begin(&a, "actor", 2, BIT(SIGNAL) | BIT(BREAKPOINT));

	actor_do(&a, "leave");
	sts_await_state(a.pid, a.pid, "Z");
	sts_attach(s, a.pid);
	a.s = s;
	check_lwps(s, a.pid);
	STS_OK_S(s, stasis_lwp_list(s, a.pid, list, 8, &n));
	ATF_REQUIRE_EQ(n, 3);
	STS_OK_S(s, stasis_process_info_get(s, a.pid, &info));
	ATF_REQUIRE_EQ(info.lwp_count, 3);
	STS_OK_S(s, stasis_breakpoint_insert(s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
	sts_resume(s, a.pid);
	actor_tell(&a, "call 1");
	sts_expect_event_of(s, a.pid, STASIS_EVENT_BREAKPOINT, &ev);
	ATF_REQUIRE(ev.tid != a.pid);
	sts_resume(s, a.pid);
	actor_done(&a);
	STS_OK_S(s, stasis_detach(s, a.pid, STASIS_SIGNAL_KEEP));
	a.s = NULL;
	actor_do(&a, "call 1");
	sts_attach(s, a.pid);
	a.s = s;
	sts_resume(s, a.pid);
	actor_do(&a, "join");
	finish(&a, s);
}

STS_TC_BOTH(in_vfork, 20, "a thread that waits in vfork is at rest in the kernel: attach does not wait for it")
{
	struct stasis_lwp_info info;
	struct stasis_regs_x86 regs;
	struct actor a;
	struct stasis_session *s = begin(&a, "actor", 2, 0);

	actor_tell(&a, "vfork hold");
	sts_await_counter(ACTOR_CHILD_RAN, 1);
	sts_attach(s, a.pid);
	a.s = s;
	STS_OK_S(s, stasis_lwp_info_get(s, a.pid, &info));
	ATF_REQUIRE_EQ(info.state, STASIS_STATE_UNREACHABLE);
	STS_FAILS(STASIS_E_RUNNING, stasis_regs_get(s, a.pid, STASIS_REGSET_GENERAL, &regs, sizeof(regs), NULL));
	STS_OK_S(s, stasis_lwp_info_get(s, (pid_t)actor_counter(&a, ACTOR_TID), &info));
	ATF_REQUIRE_EQ(info.state, STASIS_STATE_STOPPED);
	sts_resume(s, a.pid);
	a.sh->counter[ACTOR_GO] = 1;
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_do(&a, "wait"), 5 << 8);
	actor_do(&a, "join");
	finish(&a, s);
}

STS_TC_BOTH(two_thousand, 60, "a process with 2,000 threads")
{
	struct stasis_session *s;
	struct sts_pipe p;
	size_t n = 0;
	pid_t pid;

	sts_shared();
	sts_pipe_open(&p);
	pid = sts_start("threads", "2000");
	sts_pipe_await(&p, "ready");
	s = sts_session();
	sts_want(s, 0, 0);
	for (int i = 0; i < 3; i++) {
		pid_t *list = calloc(2001, sizeof(*list));

		sts_attach(s, pid);
		ATF_REQUIRE(list != NULL);
		STS_OK_S(s, stasis_lwp_list(s, pid, list, 2001, &n));
		ATF_REQUIRE_EQ(n, 2001);
		for (size_t k = 0; k < n; k++)
			ATF_REQUIRE_EQ_MSG(sts_proc_state(pid, list[k]), 't', "LWP %d does not rest", (int)list[k]);
		free(list);
		sts_resume(s, pid);
		if (i < 2)
			STS_OK_S(s, stasis_detach(s, pid, STASIS_SIGNAL_KEEP));
	}
	sts_pipe_send(&p, "leave");
	sts_expect_exit(s, pid, 0);
	if (sts_kind() != STS_DIRECT)
		sts_reap_exit(pid, 0);
	sts_pipe_close(&p);
	stasis_session_destroy(s);
}

/* ---- what may not be attached to ---- */

static void refused(struct stasis_session *s, pid_t pid, int error, struct stasis_error_info *info)
{
	struct stasis_event ev;

	STS_FAILS(error, stasis_attach(s, pid));
	stasis_session_last_error(s, info);
	ATF_REQUIRE_EQ(info->error, error);
	ATF_REQUIRE(info->cause[0] != '\0');
	STS_FAILS(STASIS_E_NO_TRACEE, stasis_wait(s, 0, 0, &ev));
}

STS_TC_BOTH(nonsense, 20, "ids that are no process's")
{
	struct stasis_session *s = sts_session();
	struct stasis_error_info info;
	pid_t pid = sts_fork();

	if (pid == 0)
		_exit(0);
	sts_reap_exit(pid, 0);
	refused(s, pid, STASIS_E_NO_PROCESS, &info);
	refused(s, 4194304, STASIS_E_NO_PROCESS, &info); /* more than there can be */
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_attach(s, 0));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_attach(s, -1));
	stasis_session_destroy(s);
}

STS_TC_BOTH(oneself, 20, "neither the program itself nor its tracing helper")
{
	struct stasis_session *s = sts_session();
	struct stasis_error_info info;

	refused(s, getpid(), STASIS_E_PERM_SELF, &info);
	refused(s, stasis_session_tracer_pid(s), STASIS_E_PERM_SELF, &info);
	stasis_session_destroy(s);
}

STS_TC_BOTH(kernel_thread, 20, "no kernel thread")
{
	struct stasis_session *s = sts_session();
	struct stasis_error_info info;
	char name[16] = "";
	FILE *f = fopen("/proc/2/comm", "re");

	if (f == NULL || fgets(name, sizeof(name), f) == NULL || strncmp(name, "kthreadd", 8) != 0)
		atf_tc_skip("no kernel thread can be seen from here");
	fclose(f);
	refused(s, 2, STASIS_E_KERNEL_THREAD, &info);
	stasis_session_destroy(s);
}

STS_TC_BOTH(zombie, 20, "no process that is dead and waits to be collected")
{
	struct stasis_session *s = sts_session();
	struct stasis_error_info info;
	pid_t pid = sts_fork();

	if (pid == 0)
		_exit(6);
	sts_await_state(pid, pid, "Z");
	refused(s, pid, STASIS_E_ZOMBIE, &info);
	stasis_session_destroy(s);
	sts_reap_exit(pid, 6); /* still there, and ours */
}

STS_TC_BOTH(a_threads_id, 20, "a thread's id is no process's: the error names the process")
{
	struct stasis_error_info info;
	struct actor a;
	struct stasis_session *s = begin(&a, "actor", 1, 0);

	refused(s, (pid_t)actor_counter(&a, ACTOR_TID), STASIS_E_BAD_ARGUMENT, &info);
	ATF_REQUIRE(info.pid == a.pid || info.other_pid == a.pid);
	check_free(a.pid);
	stasis_session_destroy(s);
	actor_do(&a, "join");
	actor_end_untraced(&a);
}

STS_TC_BOTH(twice, 20, "a process that this session traces, attached or launched")
{
	struct actor a;
	struct stasis_session *s = begin(&a, "actor", 0, 0);

	actor_attach(&a, s);
	STS_FAILS(STASIS_E_ALREADY_TRACED, stasis_attach(s, a.pid));
	actor_do(&a, "call 1");
	finish(&a, s);
}

STS_TC_BOTH(another_session, 20, "a process that another session traces: the error names that tracer")
{
	struct stasis_session *other = NULL;
	struct stasis_error_info info;
	struct actor a;
	struct stasis_session *s = begin(&a, "actor", 1, 0);
	pid_t tracer;

	STS_OK(stasis_session_create(NULL, &other));
	tracer = stasis_session_tracer_pid(other);
	sts_want(other, 0, 0);
	actor_attach(&a, other);
	refused(s, a.pid, STASIS_E_TRACED_ELSEWHERE, &info);
	ATF_REQUIRE_EQ(info.other_pid, tracer);
	ATF_REQUIRE_EQ(info.pid, a.pid);
	actor_do(&a, "join");
	actor_end(&a);
	stasis_session_destroy(other);
	stasis_session_destroy(s);
}

STS_TC_BOTH(another_tracer, 20, "a process that a plain tracer holds, by one thread of it alone")
{
	struct stasis_error_info info;
	struct sts_pipe p;
	struct actor a;
	struct stasis_session *s = begin(&a, "actor", 2, 0);
	pid_t tracer;

	sts_pipe_open(&p);
	tracer = sts_fork();
	if (tracer == 0) {
		sts_pipe_child(&p);
		if (ptrace(PTRACE_SEIZE, (pid_t)actor_counter(&a, ACTOR_TID + 1), 0, 0) < 0)
			_exit(1);
		sts_pipe_send(&p, "seized");
		sts_pipe_await(&p, "leave");
		_exit(0);
	}
	sts_pipe_await(&p, "seized");
	refused(s, a.pid, STASIS_E_TRACED_ELSEWHERE, &info);
	ATF_REQUIRE_EQ(info.other_pid, tracer);
	/* What had been taken before the refusal is let go again. */
	ATF_REQUIRE_EQ(sts_proc_tracer(a.pid), 0);
	ATF_REQUIRE_EQ(sts_proc_tracer((pid_t)actor_counter(&a, ACTOR_TID)), 0);
	actor_do(&a, "callall 2");
	sts_pipe_send(&p, "leave");
	sts_reap_exit(tracer, 0);
	sts_pipe_close(&p);
	actor_attach(&a, s); /* free again */
	actor_do(&a, "join");
	finish(&a, s);
}

/* gdb that holds a process until its stdin ends. */
static pid_t start_gdb(pid_t pid, int *stdin_ret)
{
	char number[16];
	int in[2];
	pid_t gdb;

	snprintf(number, sizeof(number), "%d", (int)pid);
	STS_SYS(pipe2(in, O_CLOEXEC));
	gdb = sts_fork();
	if (gdb == 0) {
		dup2(in[0], 0);
		freopen("/dev/null", "w", stdout);
		freopen("/dev/null", "w", stderr);
		execlp("gdb", "gdb", "-q", "-nx", "-iex", "set auto-load off", "-p", number, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	*stdin_ret = in[1];
	return gdb;
}

STS_TC_BOTH(held_by_gdb, 60, "a process that gdb holds: the error names gdb's id", .require_progs = "gdb")
{
	struct stasis_error_info info;
	struct actor a;
	struct stasis_session *s = begin(&a, "actor", 0, 0);
	uint64_t end = sts_now_ms() + 3 * (uint64_t)sts_bound_ms();
	int gdb_stdin;
	pid_t gdb = start_gdb(a.pid, &gdb_stdin);

	while (sts_proc_tracer(a.pid) != gdb)
		ATF_REQUIRE_MSG((let_others_run(), sts_now_ms() < end), "gdb does not attach");
	refused(s, a.pid, STASIS_E_TRACED_ELSEWHERE, &info);
	ATF_REQUIRE_EQ(info.other_pid, gdb);
	close(gdb_stdin);
	sts_reap(gdb);
	actor_attach(&a, s);
	actor_do(&a, "call 1");
	finish(&a, s);
}

STS_TC_BOTH(refusal_by_permission, 20, "another user's process, without privilege", .require_user = "root")
{
	struct actor a;
	int status;
	pid_t pid;

	actor_start(&a, "actor");
	pid = sts_fork();
	if (pid == 0) {
		struct stasis_session *s = NULL;
		struct stasis_session_opts opts = {
			.size = sizeof(opts),
			.flags = sts_kind() == STS_DIRECT ? STASIS_SESSION_DIRECT : 0,
		};
		struct stasis_error_info info;

		if (syscall(SYS_setresgid, 65534, 65534, 65534) < 0 ||
		    syscall(SYS_setresuid, 65534, 65534, 65534) < 0 || stasis_session_create(&opts, &s) < 0)
			_exit(2);
		if (stasis_attach(s, a.pid) != STASIS_E_PERM_CREDENTIALS)
			_exit(3);
		stasis_session_last_error(s, &info);
		stasis_session_destroy(s);
		_exit(info.remedy[0] != '\0' && info.pid == a.pid ? 0 : 4);
	}
	status = sts_reap(pid);
	ATF_REQUIRE_EQ_MSG(status, 0, "status %#x", (unsigned)status);
	check_free(a.pid);
	actor_end_untraced(&a);
}
