/* SPDX-License-Identifier: BSD-2-Clause */
/* See nb.h. */
#include "nb.h"

#include <string.h>

/* --- the wait function under test --------------------------------------------------------- */

static pid_t wait_once(pid_t pid, int *status, int options)
{
#if defined NB_WAIT
	return options & WNOHANG ? wait4(WAIT_ANY, status, options, NULL) : wait(status);
#elif defined NB_WAITPID
	return waitpid(pid, status, options);
#elif defined NB_WAIT3
	struct rusage usage;

	return wait3(status, options, &usage);
#elif defined NB_WAIT4
	struct rusage usage;

	return wait4(pid, status, options, &usage);
#elif defined NB_WAIT6
	struct wrusage usage;
	siginfo_t info;
	bool any = pid == WAIT_ANY;

	pid = wait6(any ? P_ALL : P_PID, any ? 0 : (id_t)pid, status, options | WEXITED | WTRAPPED, &usage, &info);
	ATF_REQUIRE(pid <= 0 || info.si_pid == pid);
	return pid;
#else
	siginfo_t info;
	bool any = pid == WAIT_ANY;

	if (waitid(any ? P_ALL : P_PID, any ? 0 : (id_t)pid, &info, options | WEXITED | WTRAPPED) < 0)
		return -1;
	if (info.si_code == CLD_EXITED)
		*status = W_EXITCODE(info.si_status, 0);
	else if (info.si_code == CLD_TRAPPED)
		*status = W_STOPCODE(info.si_status);
	else
		*status = info.si_status | (info.si_code == CLD_DUMPED ? WCOREFLAG : 0);
	return info.si_pid;
#endif
}

bool nb_wait_has_pid(void)
{
#if defined NB_WAIT || defined NB_WAIT3
	return false;
#else
	return true;
#endif
}

/* --- what was told of others -------------------------------------------------------------------- */

#define KEPT 512
static struct {
	pid_t pid;
	int status;
} kept[KEPT];
static size_t n_kept;

static bool take_kept(pid_t pid, int *status)
{
	for (size_t i = 0; i < n_kept; i++) {
		if (kept[i].pid != pid)
			continue;
		*status = kept[i].status;
		memmove(&kept[i], &kept[i + 1], (--n_kept - i) * sizeof *kept);
		return true;
	}
	return false;
}

int nb_wait(pid_t pid)
{
	int status = 0;
	pid_t r;

	if (take_kept(pid, &status))
		return status;
	while ((r = (pid_t)STS_SYS(wait_once(pid, &status, 0))) != pid) {
		ATF_REQUIRE_MSG(!nb_wait_has_pid() && n_kept < KEPT, "waited for %d, told of %d", pid, r);
		kept[n_kept].pid = r;
		kept[n_kept++].status = status;
	}
	return status;
}

bool nb_poll(pid_t pid, int *status_ret)
{
	pid_t r = (pid_t)STS_SYS(wait_once(pid, status_ret, WNOHANG));

	ATF_REQUIRE(r == 0 || r == pid);
	return r == pid;
}

void nb_wait_none(void)
{
	int status;

	ATF_REQUIRE_EQ(n_kept, 0);
	errno = 0;
	ATF_REQUIRE_EQ(wait_once(WAIT_ANY, &status, 0), -1);
	ATF_REQUIRE_EQ(errno, ECHILD);
}

/* --- checks -------------------------------------------------------------------------------------- */

void nb_fails_(int wanted, int result, const char *text, const char *file, int line)
{
	int error = errno;

	if (result != -1 || error != wanted)
		atf_tc_fail("%s:%d: %s: got %d, %s; wanted %s", file, line, text, result,
			    result == -1 ? strerrorname_np(error) : "no error", strerrorname_np(wanted));
}

void nb_status_(pid_t pid, int wanted, const char *file, int line)
{
	int status = nb_wait(pid);

	if (status != wanted)
		atf_tc_fail("%s:%d: status of %d is %#x, not %#x", file, line, pid, status, wanted);
}

void nb_stopped_(pid_t pid, int signal, const char *file, int line)
{
	nb_status_(pid, W_STOPCODE(signal), file, line);
}

void nb_killed_(pid_t pid, int signal, const char *file, int line)
{
	int status = nb_wait(pid);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != signal)
		atf_tc_fail("%s:%d: status of %d is %#x: not killed by %d", file, line, pid, status, signal);
}

struct ptrace_siginfo nb_siginfo(pid_t pid)
{
	struct ptrace_siginfo info;

	memset(&info, 0xa5, sizeof info);
	NB_OK(ptrace(PT_GET_SIGINFO, pid, &info, sizeof info));
	return info;
}

struct ptrace_siginfo nb_trapped_(pid_t pid, int code, const char *file, int line)
{
	nb_stopped_(pid, SIGTRAP, file, line);
	struct ptrace_siginfo info = nb_siginfo(pid);
	if (info.psi_siginfo.si_signo != SIGTRAP || info.psi_siginfo.si_code != code)
		atf_tc_fail("%s:%d: signal %d code %d, not SIGTRAP code %d", file, line, info.psi_siginfo.si_signo,
			    info.psi_siginfo.si_code, code);
	return info;
}

struct ptrace_state nb_state(pid_t pid)
{
	struct ptrace_state state;

	memset(&state, 0xa5, sizeof state);
	NB_OK(ptrace(PT_GET_PROCESS_STATE, pid, &state, sizeof state));
	return state;
}

void nb_state_none(pid_t pid)
{
	const struct ptrace_state none = {0};
	struct ptrace_state state = nb_state(pid);

	ATF_REQUIRE_EQ(memcmp(&state, &none, sizeof none), 0);
}

void nb_events(pid_t pid, int mask)
{
	struct ptrace_event event = {.pe_set_event = mask};

	NB_OK(ptrace(PT_SET_EVENT_MASK, pid, &event, sizeof event));
}

void nb_continue(pid_t pid, int signal)
{
	NB_OK(ptrace(PT_CONTINUE, pid, NB_HERE, signal));
}

void nb_syscall(pid_t pid)
{
	NB_OK(ptrace(PT_SYSCALL, pid, NB_HERE, 0));
}

/* --- children --------------------------------------------------------------------------------------- */

pid_t nb_child(int (*body)(void *), void *arg)
{
	pid_t pid = (pid_t)STS_SYS(fork());

	if (pid == 0)
		_exit(body(arg));
	return pid;
}

pid_t nb_volunteer(int (*body)(void *), void *arg)
{
	pid_t pid = (pid_t)STS_SYS(fork());

	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		NB_CHILD(raise(SIGSTOP) == 0);
		_exit(body(arg));
	}
	nb_stopped(pid, SIGSTOP);
	return pid;
}

void nb_end(void)
{
	nb_wait_none();
	stasis_netbsd_end();
}
