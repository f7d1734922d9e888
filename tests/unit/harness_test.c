// SPDX-License-Identifier: BSD-2-Clause
/* The harness catches what it says it catches: the cases of harness_bad, run as kyua would run them. */
#include "test.h"
#include "supervise.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Run one case of harness_bad; its result line in `line`, its wait status returned. */
static int run_bad(const char *name, char *line, size_t size)
{
	FILE *f;
	pid_t pid;
	int status;

	/* Whatever the inner supervisor leaves must come to us, and fail this case. */
	STS_SYS(prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid = sts_fork();
	if (pid == 0) {
		setenv("__RUNNING_INSIDE_ATF_RUN", "internal-yes-value", 1);
		execl(STS_TESTS_DIR "/harness_bad", "harness_bad", "-s", STS_TESTS_DIR, "-r", "result", name,
		      (char *)NULL);
		_exit(127);
	}
	status = sts_reap(pid);
	line[0] = '\0';
	f = fopen("result", "re");
	if (f != NULL) {
		if (fgets(line, (int)size, f) == NULL)
			line[0] = '\0';
		fclose(f);
		unlink("result");
	}
	return status;
}

static void must_fail(const char *name, const char *pattern)
{
	struct sts_proc left[4];
	char line[2100];
	int status = run_bad(name, line, sizeof(line));

	ATF_CHECK_MSG(status != 0, "%s ended with status 0", name);
	ATF_CHECK_MSG(atf_utils_grep_string("%s", line, pattern), "%s: '%s' does not match '%s'", name, line, pattern);
	ATF_CHECK_MSG(sts_procs_below(getpid(), left, 4) == 0, "%s left process %d (%s)", name, (int)left[0].pid,
		      left[0].name);
}

STS_TC(passes_good_case, 20, "a case that gives everything back passes")
{
	char line[2100];

	ATF_CHECK_EQ(0, run_bad("good", line, sizeof(line)));
	ATF_CHECK_STREQ("passed\n", line);
}

STS_TC(passes_renamed, 20, "a descriptor counts as the same by its inode, not by its name")
{
	int fd = (int)STS_SYS(open("input", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	int saved = (int)STS_SYS(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
	char line[2100];

	STS_SYS(dup2(fd, STDIN_FILENO));
	ATF_CHECK_EQ(0, run_bad("renamed_descriptor", line, sizeof(line)));
	STS_SYS(dup2(saved, STDIN_FILENO));
	close(saved);
	close(fd);
	ATF_CHECK_STREQ("passed\n", line);
	STS_SYS(access("renamed", F_OK));
}

STS_TC(catches_child, 20, "a child left running fails the case and is killed")
{
	must_fail("left_child", "^failed: child [0-9]+ \\(harness_bad\\) was left in state [RS]");
}

STS_TC(catches_zombie, 20, "a child left as a zombie fails the case")
{
	must_fail("left_zombie", "^failed: child [0-9]+ .* state Z");
}

STS_TC(catches_stopped, 20, "a stopped child fails the case and is killed")
{
	must_fail("left_stopped", "^failed: child [0-9]+ .* state T");
}

STS_TC(catches_traced, 20, "a child in a ptrace-stop fails the case and is killed")
{
	must_fail("left_traced", "^failed: child [0-9]+ .* state t");
}

STS_TC(catches_helper, 20, "a task sharing memory and descriptors fails the case and is killed")
{
	must_fail("left_helper", "^failed: child [0-9]+ .* state [RS]");
}

STS_TC(catches_daemon, 20, "an orphan in another session fails the case and is killed")
{
	must_fail("left_daemon", "^failed: process [0-9]+ .* was left in state S");
}

STS_TC(catches_descriptors, 20, "descriptors left, closed or exchanged fail the case")
{
	must_fail("left_descriptor", "^failed: descriptor [0-9]+ \\(/dev/null\\) was left open");
	must_fail("closed_descriptor", "^failed: descriptor 0 .* was closed");
	must_fail("changed_descriptor", "^failed: descriptor 0 was .* and is now /dev/zero");
}

STS_TC(catches_thread, 20, "a thread left running fails the case")
{
	must_fail("left_thread", "^failed: 1 threads were left");
}

STS_TC(catches_mask, 20, "a changed signal mask fails the case")
{
	must_fail("left_mask", "^failed: signal 17 was left blocked");
}

STS_TC(catches_after_pass, 20, "saying that the case passed does not skip the checks")
{
	must_fail("pass_with_child", "^failed: child [0-9]+");
}

STS_TC(keeps_message, 20, "a failing case keeps its message and everything it left is killed")
{
	must_fail("fails_itself", "^failed: its own message");
}

STS_TC(passes_death_on, 20, "the signal that a case dies of is shown, and everything left is killed")
{
	char line[2100];
	int status = run_bad("dies", line, sizeof(line));

	ATF_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	ATF_CHECK_STREQ("", line);
}

STS_TC(catches_hang, 30, "a case that hangs is ended in its time with all its processes")
{
	must_fail("hangs", "^failed: hangs ran for more than [0-9]+ s; process [0-9]+");
	must_fail("hangs_deaf", "^failed: hangs_deaf ran for more than [0-9]+ s");
}

STS_TC(catches_breeding, 30, "processes that fork without end are all killed")
{
	must_fail("breeds", "^failed: ");
}

static void meet(const char *target)
{
	struct sts_pipe p;
	pid_t pid;

	sts_shared();
	sts_pipe_open(&p);
	pid = sts_start(target);
	sts_pipe_await(&p, "ready");
	ATF_CHECK(!sts_pipe_pending(&p));
	sts_pipe_send(&p, "count");
	sts_await_counter(3, UINT64_C(1) << 40);
	sts_pipe_await(&p, "counted");
	sts_await_state(pid, pid, "S");
	ATF_CHECK_EQ(1, sts_proc_lwps(pid));
	ATF_CHECK_EQ(0, sts_proc_tracer(pid));
	sts_pipe_send(&p, "leave");
	sts_reap_exit(pid, 7);
	ATF_CHECK_EQ(0, sts_proc_state(pid, pid));
	sts_pipe_close(&p);
}

STS_TC(meets_target, 20, "a case and a target meet by steps and counters")
{
	meet("steps");
}

STS_TC(meets_target_32, 20, "a case and an i386 target meet by steps and counters")
{
	meet("steps-32");
}

STS_TC(meets_target_musl, 20, "a case and a target of another libc meet by steps and counters")
{
	meet("steps-musl");
}

STS_TC(meets_fork, 20, "a case and its own fork meet by steps")
{
	struct sts_pipe p;
	pid_t pid;

	sts_pipe_open(&p);
	pid = sts_fork();
	if (pid == 0) {
		sts_pipe_child(&p);
		sts_pipe_await(&p, "go");
		sts_pipe_send(&p, "gone");
		_exit(0);
	}
	sts_pipe_send(&p, "go");
	sts_pipe_await(&p, "gone");
	sts_reap_exit(pid, 0);
	sts_pipe_close(&p);
}
