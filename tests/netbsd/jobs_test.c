// SPDX-License-Identifier: BSD-2-Clause
/* Job control: PT_CONTINUE and PT_DETACH set a stopped process going; a stop signal that is delivered stops it. */
#include "nb.h"

#include <signal.h>

static volatile sig_atomic_t continued;

static void on_cont(int signal)
{
	continued++;
}

static int stops_itself(void *arg)
{
	signal(SIGCONT, on_cont);
	raise(SIGSTOP);
	return 5 + continued;
}

/* A process that stopped itself untraced, and then became a tracee. */
static pid_t attached_stopped(void)
{
	pid_t pid = nb_child(stops_itself, NULL);

	sts_await_state(pid, pid, "T");
	NB_OK(ptrace(PT_ATTACH, pid, NULL, 0));
	nb_stopped(pid, SIGSTOP);
	return pid;
}

STS_TC(attached_continue, 20, "a stopped process that is attached goes on by PT_CONTINUE, and hears of no SIGCONT")
{
	pid_t pid = attached_stopped();

	nb_continue(pid, 0);
	nb_exited(pid, 5);
	nb_end();
}

STS_TC(attached_detach, 20, "a stopped process that is attached goes on by PT_DETACH")
{
	pid_t pid = attached_stopped();
	int status;

	NB_OK(ptrace(PT_DETACH, pid, NB_HERE, 0));
	STS_SYS(waitpid(pid, &status, 0));
	ATF_REQUIRE_EQ(status, W_EXITCODE(6, 0)); /* it was continued as by a shell */
	nb_end();
}

STS_TC(attached_detach_stopped, 20, "PT_DETACH with SIGSTOP leaves it stopped")
{
	pid_t pid = attached_stopped();
	int status;

	NB_OK(ptrace(PT_DETACH, pid, NB_HERE, SIGSTOP));
	sts_await_state(pid, pid, "T");
	STS_SYS(kill(pid, SIGCONT));
	STS_SYS(waitpid(pid, &status, 0));
	ATF_REQUIRE(WIFEXITED(status));
	nb_end();
}

static int attaches_parent(void *arg)
{
	pid_t parent = getppid();
	int status;

	sts_await_state(parent, parent, "T");
	NB_CHILD(ptrace(PT_ATTACH, parent, NULL, 0) == 0);
	NB_CHILD(waitpid(parent, &status, 0) == parent && status == W_STOPCODE(SIGSTOP));
	NB_CHILD(ptrace(PT_DETACH, parent, NB_HERE, 0) == 0);
	return 7;
}

static int is_attached_by_child(void *arg)
{
	pid_t child = nb_child(attaches_parent, NULL);
	int status;

	raise(SIGSTOP);
	NB_CHILD(waitpid(child, &status, 0) == child);
	return WEXITSTATUS(status);
}

STS_TC(stopped_parent, 20, "a child attaches to its stopped parent and lets it go on")
{
	nb_exited(nb_child(is_attached_by_child, NULL), 7);
	nb_end();
}

/* The stop says of the signal what was said when it came; of one that the tracer made up, that the tracer sent it. */
static void delivered(int signal)
{
	pid_t pid = nb_volunteer(stops_itself, NULL);

	nb_continue(pid, 0);
	nb_stopped(pid, SIGSTOP);
	nb_continue(pid, signal);
	nb_stopped(pid, signal);
	nb_state_none(pid);
	struct ptrace_siginfo info = nb_siginfo(pid);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_signo, signal);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_code, signal == SIGSTOP ? SI_LWP : SI_USER);
	ATF_REQUIRE_EQ(info.psi_siginfo.si_pid, signal == SIGSTOP ? pid : getpid());
	ATF_REQUIRE_EQ(info.psi_lwpid, pid);
	nb_continue(pid, 0);
	nb_exited(pid, 5);
	nb_end();
}

STS_TC(delivered_stop, 20, "SIGSTOP that is delivered stops it, which is reported; PT_CONTINUE ends that")
{
	delivered(SIGSTOP);
}

STS_TC(delivered_tstp, 20, "SIGTSTP that is delivered stops it, which is reported; PT_CONTINUE ends that")
{
	setpgid(0, 0);
	delivered(SIGTSTP);
}

STS_TC(sent_cont, 20, "somebody's SIGCONT is reported, also after a stop that PT_CONTINUE ended")
{
	pid_t pid = nb_volunteer(stops_itself, NULL);

	nb_continue(pid, SIGSTOP); /* of the volunteer's first stop */
	nb_stopped(pid, SIGSTOP);
	nb_continue(pid, 0);
	nb_stopped(pid, SIGSTOP); /* its own */
	STS_SYS(kill(pid, SIGCONT));
	nb_continue(pid, 0);
	nb_stopped(pid, SIGCONT);
	nb_continue(pid, SIGCONT);
	nb_exited(pid, 6);
	nb_end();
}
