/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stasis can do here. Launching and attaching are really done, with the
 * library, in both kinds of session; the rest follows from the trials.
 */
#include "cli/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stasis/stasis.h>

enum { EVENT_MS = 3000 };

static const unsigned session_kinds[] = {0, STASIS_SESSION_DIRECT};

static const char *kind_name(unsigned flags)
{
	return flags & STASIS_SESSION_DIRECT ? "direct session" : "isolated session";
}

/* --- launching and attaching ------------------------------------------------------------------ */

static int session_open(unsigned flags, struct stasis_session **ret)
{
	struct stasis_session_opts opts = {.size = sizeof(opts), .flags = flags};

	return stasis_session_create(&opts, ret);
}

/* The call failed: say so in the session's words. */
static bool refused(struct doctor_trial *t, struct stasis_session *s, unsigned flags, const char *what, int error)
{
	struct stasis_error_info info;

	memset(&info, 0, sizeof(info));
	if (s != NULL)
		stasis_session_last_error(s, &info);
	if (s == NULL || info.error != error || info.cause[0] == '\0')
		sts_doctor_answer(t, DOCTOR_NO, "", "%s fails (%s): %s", what, kind_name(flags),
				  stasis_strerror(error));
	else
		sts_doctor_answer(t, error == STASIS_E_PERM_YAMA ? DOCTOR_LIMITED : DOCTOR_NO, info.remedy,
				  "%s fails: %s", what, info.cause);
	return false;
}

static bool expect_event(struct doctor_trial *t, struct stasis_session *s, unsigned flags, pid_t pid,
			 enum stasis_event_kind kind)
{
	struct stasis_event ev;
	int r = stasis_wait(s, pid, EVENT_MS, &ev);

	if (r == 0 && ev.kind == kind)
		return true;
	sts_doctor_answer(t, DOCTOR_NO, "", "%s: %s in place of the event '%s'", kind_name(flags),
			  r < 0 ? stasis_strerror(r) : stasis_event_kind_name(ev.kind), stasis_event_kind_name(kind));
	return false;
}

/* Ourselves again, to be killed at the first instruction. */
static bool launch(struct doctor_trial *t, struct stasis_session *s, unsigned flags)
{
	char name[] = "stasis", option[] = "--version";
	char *const argv[] = {name, option, NULL};
	struct stasis_spawn_opts opts = {.size = sizeof(opts), .path = "/proc/self/exe", .argv = argv};
	int r, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;

	if (null >= 0) {
		opts.use_stdio = true;
		opts.stdio[0] = opts.stdio[1] = opts.stdio[2] = null;
	}
	r = stasis_spawn(s, &opts, &pid);
	if (null >= 0)
		close(null);
	if (r < 0)
		return refused(t, s, flags, "launching a program", r);
	if (!expect_event(t, s, flags, pid, STASIS_EVENT_ATTACHED))
		return false;
	r = stasis_kill(s, pid);
	if (r < 0)
		return refused(t, s, flags, "killing what was launched", r);
	return expect_event(t, s, flags, pid, STASIS_EVENT_KILLED);
}

static pid_t stranger;

static bool attach(struct doctor_trial *t, struct stasis_session *s, unsigned flags)
{
	int r = stasis_attach(s, stranger);

	if (r < 0)
		return refused(t, s, flags, "attaching to a process that is no child", r);
	if (!expect_event(t, s, flags, stranger, STASIS_EVENT_ATTACHED))
		return false;
	r = stasis_detach(s, stranger, 0);
	return r < 0 ? refused(t, s, flags, "detaching", r) : true;
}

static bool in_all_sessions(struct doctor_trial *t,
			    bool (*fn)(struct doctor_trial *, struct stasis_session *, unsigned))
{
	for (size_t i = 0; i < sizeof(session_kinds) / sizeof(session_kinds[0]); i++) {
		struct stasis_session *s = NULL;
		int r = session_open(session_kinds[i], &s);
		bool ok;

		if (r < 0)
			return refused(t, NULL, session_kinds[i], "making a session", r);
		ok = fn(t, s, session_kinds[i]);
		stasis_session_destroy(s);
		if (!ok)
			return false;
	}
	return true;
}

static void try_launch(struct doctor_trial *t)
{
	if (in_all_sessions(t, launch))
		sts_doctor_answer(t, DOCTOR_OK, "", "programs can be launched (tried)");
}

static void try_attach(struct doctor_trial *t)
{
	if (!in_all_sessions(t, attach))
		return;
	if (geteuid() == 0)
		sts_doctor_answer(t, DOCTOR_OK, "", "other processes can be taken hold of and let go (tried)");
	else
		sts_doctor_answer(t, DOCTOR_OK, "", "processes of uid %u can be taken hold of and let go (tried)",
				  getuid());
}

/* Child of ours, but no descendant of who tries: the two are siblings. */
static pid_t stranger_start(void)
{
	pid_t parent = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent)
		pause();
	_exit(0);
}

static void check_attach(struct doctor_report *report)
{
	stranger = stranger_start();
	if (stranger < 0) {
		sts_doctor_add(report, "attach", DOCTOR_NO, "raise the limit of processes (ulimit -u)",
			       "cannot be tried, no process could be made: %s", strerror(errno));
		return;
	}
	sts_doctor_try(report, "attach", try_attach);
	/* If even this is forbidden, it dies with us. */
	if (kill(stranger, SIGKILL) == 0)
		while (waitpid(stranger, NULL, 0) < 0 && errno == EINTR)
			;
}

/* --- what follows from the trials ----------------------------------------------------------------- */

struct need {
	const char *id;
	enum doctor_status without; /* what the function is if the need is not met */
};

/* clang-format off */
static const struct function {
	const char *id;
	const char *what;
	struct need needs[4];
} functions[] = {
	{"follow", "new processes and threads are followed", {{"births", DOCTOR_NO}}},
	{"job-control", "stopped jobs stay stopped under trace", {{"listen", DOCTOR_LIMITED}}},
	{"signals", "signals are shown, changed, kept back", {{"interrupt", DOCTOR_NO}, {"signal-mask", DOCTOR_LIMITED},
							     {"signal-queue", DOCTOR_LIMITED}}},
	{"system-calls", "system calls are shown and changed", {{"syscall-info", DOCTOR_NO}}},
	{"memory", "memory is read and written", {{"memory-text", DOCTOR_LIMITED}}},
	{"registers", "registers are read and written", {{"wide-registers", DOCTOR_LIMITED}}},
	{"steps", "single instructions are run", {{"step", DOCTOR_NO}}},
	{"breakpoints", "breakpoints work", {{"memory-text", DOCTOR_NO}, {"step", DOCTOR_NO}}},
	{"watchpoints", "watchpoints work", {{"debug-registers", DOCTOR_NO}}},
	{"32-bit", "32-bit programs are traced", {{"i386", DOCTOR_NO}, {"syscall-info", DOCTOR_LIMITED}}},
	{"die-with-tracer", "tracees die with their tracer if wanted", {{"exit-kill", DOCTOR_LIMITED}}},
};
/* clang-format on */

static void conclude(struct doctor_report *report, const struct function *f)
{
	enum doctor_status status = DOCTOR_OK;
	const struct doctor_check *why = NULL;

	for (size_t i = 0; i < sizeof(f->needs) / sizeof(f->needs[0]) && f->needs[i].id != NULL; i++) {
		const struct doctor_check *c = sts_doctor_find(report, f->needs[i].id);

		if (c != NULL && c->status == DOCTOR_NO && f->needs[i].without > status) {
			status = f->needs[i].without;
			why = c;
		}
	}
	if (why == NULL)
		sts_doctor_add(report, f->id, DOCTOR_OK, "", "%s", f->what);
	else
		sts_doctor_add(report, f->id, status, why->remedy, "%s: %s, for what '%s' says", f->what,
			       status == DOCTOR_NO ? "impossible" : "in part only", why->id);
}

/* Without these nothing of the library works, and trying it would tell less. */
static const struct doctor_check *basic_fault(const struct doctor_report *report)
{
	static const char *const basics[] = {"seize", "interrupt"};

	for (size_t i = 0; i < sizeof(basics) / sizeof(basics[0]); i++) {
		const struct doctor_check *c = sts_doctor_find(report, basics[i]);

		if (c != NULL && c->status == DOCTOR_NO)
			return c;
	}
	return NULL;
}

void sts_doctor_functions(struct doctor_report *report)
{
	const struct doctor_check *fault = basic_fault(report);

	report->heading = "What stasis can do here";
	if (fault != NULL) {
		sts_doctor_add(report, "launch", DOCTOR_NO, fault->remedy, "impossible, for what '%s' says", fault->id);
		sts_doctor_add(report, "attach", DOCTOR_NO, fault->remedy, "impossible, for what '%s' says", fault->id);
	} else {
		sts_doctor_try(report, "launch", try_launch);
		check_attach(report);
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		conclude(report, &functions[i]);
}

/* --- the process asked about ----------------------------------------------------------------------- */

/* The path of a cgroup v1 hierarchy in /proc/PID/cgroup ("4:freezer:/a/b"). */
static bool freezer_group(pid_t pid, char *buf, size_t cap)
{
	char path[64], line[512];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		char *group = strstr(line, ":freezer:");

		found = group != NULL;
		if (found)
			snprintf(buf, cap, "%.*s", (int)strcspn(group + 9, "\n"), group + 9);
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static void check_frozen(struct doctor_report *report, pid_t pid)
{
	char group[400], path[512], state[32];

	if (!freezer_group(pid, group, sizeof(group)))
		return;
	snprintf(path, sizeof(path), "/sys/fs/cgroup/freezer%s/freezer.state", group);
	if (!sts_doctor_line(path, state, sizeof(state)) || strcmp(state, "THAWED") == 0)
		return;
	sts_doctor_add(report, "process-frozen", DOCTOR_NO, "write THAWED to its freezer.state",
		       "its cgroup %.200s is %s: it will not answer until it is thawed", group, state);
}

void sts_doctor_process(struct doctor_report *report, pid_t pid)
{
	struct stasis_error_info info;
	char path[32], name[32];

	report->heading = "The process asked about";
	if (stasis_attach_obstacle(pid, &info) != 0) {
		sts_doctor_add(report, "process", DOCTOR_NO, info.remedy, "%s (%s)", info.cause,
			       stasis_error_name(info.error));
	} else {
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		sts_doctor_line(path, name, sizeof(name));
		sts_doctor_add(report, "process", DOCTOR_OK, "", "process %d (%s) can be attached to", pid, name);
	}
	check_frozen(report, pid);
}
