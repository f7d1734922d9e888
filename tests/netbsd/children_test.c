// SPDX-License-Identifier: BSD-2-Clause
/* Waiting: ordinary children, unrelated tracees, natural parents, any thread. */
#include "nb.h"

#include <pthread.h>
#include <setjmp.h>
#include <sys/syscall.h>
#include <sys/time.h>

static int status_of_arg(void *arg)
{
	return *(int *)arg;
}

STS_TC(ordinary, 20, "an ordinary child is waited for as usual")
{
	pid_t pid = nb_child(status_of_arg, &(int){9});

	nb_exited(pid, 9);
	nb_end();
}

STS_TC(none, 20, "without children and tracees: ECHILD")
{
	stasis_netbsd_before_fork();
	nb_end();
}

/* --- a step that the case gives ------------------------------------------------------------------- */

struct gate {
	int go[2];
	int status;
};

static int waits_for_go(void *arg)
{
	struct gate *gate = arg;
	char byte;

	close(gate->go[1]);
	NB_CHILD(read(gate->go[0], &byte, 1) == 1);
	return gate->status;
}

static pid_t gated(struct gate *gate, int status)
{
	STS_SYS(pipe(gate->go));
	gate->status = status;
	return nb_child(waits_for_go, gate);
}

static void open_gate(struct gate *gate)
{
	ATF_REQUIRE_EQ(write(gate->go[1], "x", 1), 1);
	close(gate->go[0]);
	close(gate->go[1]);
}

/* --- ordinary ones and tracees at once ----------------------------------------------------------------- */

STS_TC(both, 20, "an ordinary child and a tracee, whichever comes first")
{
	struct gate gate;
	pid_t ordinary = gated(&gate, 21);
	pid_t tracee = nb_volunteer(status_of_arg, &(int){22});

	nb_continue(tracee, 0);
	nb_exited(tracee, 22);
	tracee = nb_volunteer(status_of_arg, &(int){23});
	open_gate(&gate);
	nb_exited(ordinary, 21);
	nb_continue(tracee, 0);
	nb_exited(tracee, 23);
	nb_end();
}

STS_TC(blocked_before, 20, "who waits for a child hears of it though it volunteers only then")
{
	struct gate gate;

	STS_SYS(pipe(gate.go));
	pid_t pid = (pid_t)STS_SYS(fork());
	if (pid == 0) {
		char byte;

		NB_CHILD(read(gate.go[0], &byte, 1) == 1);
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		raise(SIGUSR1);
		_exit(3);
	}
	open_gate(&gate);
	nb_stopped(pid, SIGUSR1);
	nb_continue(pid, 0);
	nb_exited(pid, 3);
	nb_end();
}

STS_TC(stop_told_once, 20, "a stop is told once, and looking does not block")
{
	int status;

	pid_t pid = nb_volunteer(status_of_arg, &(int){1});
	ATF_REQUIRE(!nb_poll(pid, &status));
	nb_continue(pid, 0);
	nb_exited(pid, 1);
	nb_end();
}

STS_TC(wnowait, 20, "WNOWAIT tells of a stop and leaves it untold")
{
	siginfo_t info;
	pid_t pid = (pid_t)STS_SYS(fork());

	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		raise(SIGUSR1);
		_exit(3);
	}
	STS_SYS(waitid(P_PID, (id_t)pid, &info, WTRAPPED | WNOWAIT));
	ATF_REQUIRE_EQ(info.si_pid, pid);
	ATF_REQUIRE_EQ(info.si_code, CLD_TRAPPED);
	ATF_REQUIRE_EQ(info.si_status, SIGUSR1);
	NB_FAILS(EBUSY, ptrace(PT_CONTINUE, pid, NB_HERE, 0)); /* nobody was told */
	nb_stopped(pid, SIGUSR1);
	nb_continue(pid, 0);
	STS_SYS(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	ATF_REQUIRE_EQ(info.si_code, CLD_EXITED);
	nb_exited(pid, 3);
	nb_end();
}

STS_TC(no_wtrapped, 20, "waitid without WTRAPPED tells of no stop of a tracee")
{
	siginfo_t info;
	pid_t pid = (pid_t)STS_SYS(fork());

	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		raise(SIGUSR1);
		_exit(3);
	}
	STS_SYS(waitid(P_PID, (id_t)pid, &info, WTRAPPED | WNOWAIT)); /* it is there */
	STS_SYS(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
	ATF_REQUIRE_EQ(info.si_pid, 0);
	nb_stopped(pid, SIGUSR1);
	nb_continue(pid, 0);
	nb_exited(pid, 3);
	nb_end();
}

STS_TC(group, 20, "waiting for a process group")
{
	int status;
	pid_t pid = (pid_t)STS_SYS(fork());

	if (pid == 0) {
		setpgid(0, 0);
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		raise(SIGUSR1);
		_exit(3);
	}
	pid_t other = nb_child(status_of_arg, &(int){4});
	nb_stopped(pid, SIGUSR1);
	nb_continue(pid, 0);
	ATF_REQUIRE_EQ(STS_SYS(waitpid(-pid, &status, 0)), pid);
	ATF_REQUIRE_EQ(status, W_EXITCODE(3, 0));
	nb_exited(other, 4);
	nb_end();
}

/* --- unrelated tracers -------------------------------------------------------------------------------------- */

/* The case attaches a grandchild, whose parent waits for it in vain until the tracer has heard of its end. */
STS_TC(tracer_first, 20, "the tracer hears of an exit before the natural parent, who hears of it afterwards")
{
	int pids[2], ask[2], told[2];
	pid_t grandchild;
	char byte;

	STS_SYS(pipe(pids));
	STS_SYS(pipe(ask));
	STS_SYS(pipe(told));
	pid_t parent = (pid_t)STS_SYS(fork());
	if (parent == 0) {
		int status;
		pid_t pid = (pid_t)syscall(SYS_fork);

		if (pid == 0) {
			close(ask[1]);
			for (;;)
				pause();
		}
		NB_CHILD(write(pids[1], &pid, sizeof pid) == sizeof pid);
		NB_CHILD(read(ask[0], &byte, 1) == 1);
		byte = waitpid(pid, &status, WNOHANG) == 0; /* it is dead, but not told yet */
		NB_CHILD(write(told[1], &byte, 1) == 1);
		NB_CHILD(waitpid(pid, &status, 0) == pid);
		_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 8 : NB_CHILD_BAD);
	}
	ATF_REQUIRE_EQ(read(pids[0], &grandchild, sizeof grandchild), sizeof grandchild);
	NB_OK(ptrace(PT_ATTACH, grandchild, NULL, 0));
	nb_stopped(grandchild, SIGSTOP);
	ATF_REQUIRE_EQ(nb_siginfo(grandchild).psi_siginfo.si_code, SI_USER);
	nb_continue(grandchild, 0);
	NB_OK(ptrace(PT_KILL, grandchild, NULL, 0));
	sts_await_state(grandchild, grandchild, "Z");
	ATF_REQUIRE_EQ(write(ask[1], "x", 1), 1);
	ATF_REQUIRE_EQ(read(told[0], &byte, 1), 1);
	ATF_REQUIRE_EQ(byte, 1);
	nb_killed(grandchild, SIGKILL);
	nb_exited(parent, 8);
	for (int i = 0; i < 2; i++) {
		close(pids[i]);
		close(ask[i]);
		close(told[i]);
	}
	nb_end();
}

STS_TC(attach_detach, 20, "a child is attached, stopped, let go, and ends as an ordinary one")
{
	struct gate gate;
	pid_t pid = gated(&gate, 17);

	NB_OK(ptrace(PT_ATTACH, pid, NULL, 0));
	nb_stopped(pid, SIGSTOP);
	nb_state_none(pid);
	NB_OK(ptrace(PT_DETACH, pid, NB_HERE, 0));
	open_gate(&gate);
	nb_exited(pid, 17);
	nb_end();
}

/* --- who sleeps in a wait function and who only looks --------------------------------------------- */

static int pauses(void *arg)
{
	for (;;)
		pause();
	return 0;
}

static _Atomic lwpid_t sleeper;

static void *sleeps(void *arg)
{
	int status = 0;

	sleeper = _lwp_self();
	return waitpid(*(pid_t *)arg, &status, 0) > 0 ? (void *)(intptr_t)status : NULL;
}

STS_TC(sleeper_first, 30, "who sleeps for a stop is told of it, not who looks; and has been when PT_ATTACH returns")
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = nb_child(pauses, NULL);
		pthread_t thread;
		void *told;
		int status;

		ATF_REQUIRE_EQ(pthread_create(&thread, NULL, sleeps, &pid), 0);
		while (sleeper == 0)
			;
		sts_await_state(getpid(), sleeper, "S");
		NB_OK(ptrace(PT_ATTACH, pid, NULL, 0));
		ATF_REQUIRE_EQ(waitpid(pid, &status, WNOHANG), 0);
		nb_continue(pid, 0); /* it was waited for */
		ATF_REQUIRE_EQ(pthread_join(thread, &told), 0);
		sleeper = 0;
		ATF_REQUIRE_EQ((int)(intptr_t)told, W_STOPCODE(SIGSTOP));
		NB_OK(ptrace(PT_KILL, pid, NULL, 0));
		nb_killed(pid, SIGKILL);
	}
	nb_end();
}

static sigjmp_buf out;

static void jumps_out(int signal)
{
	siglongjmp(out, 1);
}

/* As programs do it that do not want to wait for ever. */
static void wait_briefly(void)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 20000}}, never = {{0}};
	int status;

	if (sigsetjmp(out, 1) == 0) {
		setitimer(ITIMER_REAL, &soon, NULL);
		waitpid(WAIT_ANY, &status, 0);
		atf_tc_fail("nothing was to be told");
	}
	setitimer(ITIMER_REAL, &never, NULL);
}

STS_TC(jump, 30, "a signal handler may jump out of a wait function")
{
	pid_t pid = nb_child(pauses, NULL);

	signal(SIGALRM, jumps_out);
	for (int i = 0; i < 3; i++)
		wait_briefly();
	for (int i = 0; i < 3; i++) {
		NB_OK(ptrace(PT_ATTACH, pid, NULL, 0));
		nb_stopped(pid, SIGSTOP);
		NB_OK(ptrace(PT_DETACH, pid, NB_HERE, 0));
	}
	kill(pid, SIGKILL);
	nb_killed(pid, SIGKILL);
	nb_end();
}

STS_TC(stop_request, 20, "PT_STOP stops a running tracee")
{
	struct gate gate;
	pid_t pid = gated(&gate, 17);

	NB_OK(ptrace(PT_ATTACH, pid, NULL, 0));
	nb_stopped(pid, SIGSTOP);
	for (int i = 0; i < 20; i++) {
		nb_continue(pid, 0);
		NB_OK(ptrace(PT_STOP, pid, NULL, 0));
		nb_stopped(pid, SIGSTOP);
	}
	nb_continue(pid, 0);
	open_gate(&gate);
	nb_exited(pid, 17);
	nb_end();
}

/* --- threads ---------------------------------------------------------------------------------------------------- */

static void *traces_one(void *arg)
{
	int *number = arg;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		for (int i = 0; i < 10; i++)
			raise(SIGUSR1);
		_exit(*number);
	}
	for (int i = 0; i < 10; i++)
		if (waitpid(pid, &status, 0) != pid || status != W_STOPCODE(SIGUSR1) ||
		    ptrace(PT_CONTINUE, pid, NB_HERE, 0) != 0)
			return NULL;
	return waitpid(pid, &status, 0) == pid && status == W_EXITCODE(*number, 0) ? arg : NULL;
}

STS_TC(thread_each, 60, "a thread for each tracee: makes it, waits for it, continues it")
{
	enum { N = 20 };
	pthread_t threads[N];
	int numbers[N];
	void *result;

	for (int i = 0; i < N; i++) {
		numbers[i] = i;
		ATF_REQUIRE_EQ(pthread_create(&threads[i], NULL, traces_one, &numbers[i]), 0);
	}
	for (int i = 0; i < N; i++) {
		ATF_REQUIRE_EQ(pthread_join(threads[i], &result), 0);
		ATF_REQUIRE_EQ(result, &numbers[i]);
	}
	nb_end();
}

/* --- fork and nesting --------------------------------------------------------------------------------------------- */

/* A tracer of its own, which is not its parent's: what it traces is its own. */
static int is_tracer(void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		raise(SIGUSR2);
		_exit(31);
	}
	NB_CHILD(pid > 0 && wait(&status) == pid && status == W_STOPCODE(SIGUSR2));
	NB_CHILD(ptrace(PT_CONTINUE, pid, NB_HERE, 0) == 0);
	NB_CHILD(wait(&status) == pid && status == W_EXITCODE(31, 0));
	NB_CHILD(wait(&status) == -1 && errno == ECHILD);
	stasis_netbsd_end();
	return 32;
}

STS_TC(child_is_tracer, 20, "a child of a tracer is a tracer of its own")
{
	pid_t tracee = nb_volunteer(status_of_arg, &(int){2});
	pid_t pid = nb_child(is_tracer, NULL);

	nb_exited(pid, 32);
	nb_continue(tracee, 0);
	nb_exited(tracee, 2);
	nb_end();
}

static int attaches(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	int status;

	NB_CHILD(ptrace(PT_ATTACH, pid, NULL, 0) == 0);
	NB_CHILD(waitpid(pid, &status, 0) == pid && status == W_STOPCODE(SIGSTOP));
	NB_CHILD(ptrace(PT_DETACH, pid, NB_HERE, 0) == 0);
	stasis_netbsd_end();
	return 33;
}

STS_TC(tracee_is_tracer, 20, "a tracee is itself a tracer")
{
	struct gate gate;
	pid_t other = gated(&gate, 5);
	pid_t pid = nb_volunteer(attaches, &other);
	int status;

	nb_continue(pid, 0);
	while (WIFSTOPPED(status = nb_wait(pid))) /* SIGCHLD of its own tracee's stops */
		nb_continue(pid, WSTOPSIG(status));
	ATF_REQUIRE_EQ(status, W_EXITCODE(33, 0));
	open_gate(&gate);
	nb_exited(other, 5);
	nb_end();
}

static volatile sig_atomic_t told;

static void on_child(int signal)
{
	told++;
}

STS_TC(sigchld, 20, "a stop of a tracee is told by SIGCHLD too")
{
	struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	STS_SYS(sigprocmask(SIG_BLOCK, &set, &old));
	STS_SYS(sigaction(SIGCHLD, &action, NULL));
	pid_t pid = (pid_t)STS_SYS(fork());
	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		raise(SIGUSR1);
		_exit(3);
	}
	while (told == 0)
		sigsuspend(&old);
	nb_stopped(pid, SIGUSR1);
	nb_continue(pid, 0);
	nb_exited(pid, 3);
	signal(SIGCHLD, SIG_DFL);
	STS_SYS(sigprocmask(SIG_SETMASK, &old, NULL));
	nb_end();
}

/* --- the tracer's death ------------------------------------------------------------------------------------ */

static int dies_tracing(void *arg)
{
	const int *pids = arg;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	NB_CHILD(waitpid(pid, &status, 0) == pid && status == W_STOPCODE(SIGSTOP));
	NB_CHILD(write(pids[1], &pid, sizeof pid) == sizeof pid);
	kill(getpid(), SIGKILL);
	return NB_CHILD_BAD;
}

static pid_t tracer_of(pid_t pid)
{
	char path[64], line[256];
	pid_t tracer = 0;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	ATF_REQUIRE(file != NULL);
	while (tracer == 0 && fgets(line, sizeof line, file))
		sscanf(line, "TracerPid: %d", &tracer);
	fclose(file);
	ATF_REQUIRE(tracer > 0);
	return tracer;
}

STS_TC(helper_death, 20, "what traces behind us is killed: nobody who waits sleeps on")
{
	pid_t stopped = nb_volunteer(status_of_arg, &(int){0});
	struct gate gate;
	pid_t ordinary = gated(&gate, 4);

	STS_SYS(kill(tracer_of(stopped), SIGKILL));
	nb_killed(stopped, SIGKILL);
	NB_FAILS(ESRCH, ptrace(PT_CONTINUE, stopped, NB_HERE, 0));
	open_gate(&gate);
	nb_exited(ordinary, 4);
	nb_end();
}

STS_TC(tracer_death, 20, "what is traced dies with its tracer")
{
	int pids[2];
	pid_t tracee;

	STS_SYS(pipe(pids));
	pid_t pid = nb_child(dies_tracing, pids);
	ATF_REQUIRE_EQ(read(pids[0], &tracee, sizeof tracee), sizeof tracee);
	nb_killed(pid, SIGKILL);
	sts_await_state(tracee, tracee, "Z0");
	close(pids[0]);
	close(pids[1]);
	nb_end();
}
