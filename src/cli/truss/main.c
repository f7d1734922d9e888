/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis truss: show what programs do, in strace's shape. */
#include "cli/truss/truss.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD_FIRST ((size_t)1 << 16)
#define RECORD_MAX ((size_t)1 << 28)

bool truss_buffer_grow(struct truss *t)
{
	size_t size = t->buffer_size ? 2 * t->buffer_size : RECORD_FIRST;
	char *grown = size <= RECORD_MAX ? realloc(t->buffer, size) : NULL;

	if (!grown)
		return false;
	t->buffer = grown;
	t->buffer_size = size;
	return true;
}

/* --- the loop -------------------------------------------------------------------------------------- */

static struct stasis_session *signalled_session;
static volatile sig_atomic_t signalled;

static volatile sig_atomic_t summary_due;

static void on_summary_signal(int signal)
{
	summary_due = 1;
	stasis_session_wake(signalled_session);
}

/* SIGUSR1, and a timer, ask for what is known so far. */
static void catch_summary_signals(const struct truss_options *o)
{
	const struct sigaction act = {.sa_handler = on_summary_signal, .sa_flags = SA_RESTART};
	const struct itimerval every = {{o->interval, 0}, {o->interval, 0}};

	sigaction(SIGUSR1, &act, NULL);
	if (o->interval == 0)
		return;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static void on_host_signal(int signal)
{
	signalled = signal;
	stasis_session_wake(signalled_session);
}

/* Attached: every signal ends the tracing. Launched: the terminal's signals are the program's own business. */
static void catch_signals(struct truss *t)
{
	static const int ending[] = {SIGHUP, SIGTERM, SIGINT, SIGQUIT};
	struct sigaction act = {.sa_handler = on_host_signal};

	signalled_session = t->session;
	for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
		bool terminal = ending[i] == SIGINT || ending[i] == SIGQUIT;

		act.sa_handler = terminal && t->options.command ? SIG_IGN : on_host_signal;
		sigaction(ending[i], &act, NULL);
	}
	act.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &act, NULL);
}

static void resume(struct truss *t, const struct stasis_event *e)
{
	int r = 0;

	if (e->all_stop)
		r = stasis_resume(t->session, e->pid, NULL, 0);
	else if (e->stopped)
		r = stasis_resume_lwp(t->session, e->tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP);
	if (r < 0 && r != STASIS_E_GONE && r != STASIS_E_NOT_TRACED)
		sts_complain_error("truss", t->session, r);
}

/* A signal to us. true: the tracing ends. */
static bool handle_signal(struct truss *t)
{
	int signal = signalled;

	if (summary_due) {
		summary_due = 0;
		truss_summary_show(t, false);
	}
	if (signal == 0)
		return false;
	signalled = 0;
	if (!t->options.command) {
		signalled = signal;
		return true;
	}
	kill(t->command_pid, signal);
	return false;
}

/* Enough was seen: all go on without us, the command too. */
static int let_go(struct truss *t)
{
	pid_t pids[256];
	size_t n;

	while (stasis_process_list(t->session, pids, sizeof pids / sizeof *pids, &n) == 0 && n > 0)
		for (size_t i = 0; i < n && i < sizeof pids / sizeof *pids; i++)
			if (stasis_detach(t->session, pids[i], STASIS_SIGNAL_KEEP) == STASIS_E_FILTERED)
				return STS_EXIT_FAILURE;
	return 0;
}

static int run(struct truss *t)
{
	struct stasis_event e;

	for (;;) {
		truss_delay_end(t);
		int r = stasis_wait(t->session, 0, -1, &e);

		if (r == STASIS_E_NO_TRACEE)
			return 0;
		if (r == STASIS_E_INTERRUPTED) {
			if (handle_signal(t))
				return 0;
			continue;
		}
		if (r < 0) {
			sts_complain_error("truss", t->session, r);
			return STS_EXIT_FAILURE;
		}
		truss_place_event(t, &e);
		truss_event(t, &e);
		if (t->hold >= 0)
			truss_delay_begin(t, &e);
		else
			resume(t, &e);
		if (t->out.failed)
			return STS_EXIT_FAILURE;
		if (t->options.call_limit && t->ended >= t->options.call_limit)
			return let_go(t);
	}
}

/* --- beginning and end ----------------------------------------------------------------------------- */

static int configure(struct truss *t)
{
	const uint64_t unwanted = t->options.entries ? STASIS_EVENT_BIT(STASIS_EVENT_SYSCALL_EXIT) : 0;
	const struct stasis_event_mask mask = {.thread_stop = STASIS_EVENTS_ALL & ~unwanted};
	int r = stasis_event_mask_set(t->session, 0, &mask);

	if (r == 0)
		r = stasis_spawn_fold_set(t->session, 0, false); /* every call is shown, the child's before exec too */
	if (r == 0 && t->options.no_follow)
		r = stasis_follow_set(t->session, 0, STASIS_EVENTS_BIRTH, STASIS_FOLLOW_PARENT);
	return r;
}

/* Who traces us; 0: nobody. */
static pid_t own_tracer(void)
{
	char line[256];
	int pid = 0;
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "TracerPid: %d", &pid) == 1)
			break;
	if (file)
		fclose(file);
	return pid;
}

static int cannot_run(struct truss *t, int error)
{
	pid_t tracer = error == -EPERM ? own_tracer() : 0;

	if (tracer)
		sts_complain(
			"truss",
			"cannot trace %s: this process is traced itself, by process %d, and so is what it launches; "
			"a process can have one tracer only",
			t->options.command[0], tracer);
	else
		sts_complain_error(t->options.command[0], t->session, error);
	if (error == -ENOENT)
		return STS_EXIT_NOT_FOUND;
	return STS_EXIT_CANNOT_RUN;
}

static int launch(struct truss *t)
{
	struct stasis_spawn_opts opts = {
		.size = sizeof opts,
		.flags = STASIS_SPAWN_SEARCH_PATH,
		.path = t->options.command[0],
		.argv = t->options.command,
	};
	struct stasis_call_set calls = {0};

	if (t->options.user && !truss_user_set(t->options.user, &opts))
		return STS_EXIT_CANNOT_RUN;
	truss_seccomp_ask(t, &calls, &opts);
	int r = stasis_spawn(t->session, &opts, &t->command_pid);
	truss_user_free(&opts);
	if (r < 0)
		return cannot_run(t, r);
	truss_place_begin(t, truss_seccomp_told(t));
	return 0;
}

static int attach(struct truss *t)
{
	char name[24];
	size_t attached = 0;

	for (size_t i = 0; i < t->options.n_pids; i++) {
		int r = stasis_attach(t->session, t->options.pids[i]);

		if (r == 0) {
			attached++;
			continue;
		}
		snprintf(name, sizeof name, "pid %d", t->options.pids[i]);
		sts_complain_error(name, t->session, r);
	}
	t->unattached = attached < t->options.n_pids;
	if (attached == 0)
		return 1;
	if (t->options.tree)
		truss_follow_family(t);
	return 0;
}

static int trace(struct truss *t)
{
	int r = configure(t);

	if (r < 0) {
		sts_complain_error("truss", t->session, r);
		return STS_EXIT_FAILURE;
	}
	if (!t->options.command || t->options.daemon)
		truss_seccomp_ask(t, NULL, NULL);
	r = t->options.daemon ? truss_daemon_attach(t) : t->options.command ? launch(t) : attach(t);
	if (r != 0)
		return r;
	t->began = truss_now();
	t->format = t->options.json ? &truss_json : t->options.chrome ? &truss_chrome : &truss_text;
	if (t->format->begin)
		t->format->begin(t);
	catch_signals(t);
	if (t->options.count)
		catch_summary_signals(&t->options);
	return run(t);
}

static int open_all(struct truss *t)
{
	const struct stasis_session_opts opts = {
		.size = sizeof opts,
		.flags = STASIS_SESSION_DIRECT,
		.death = t->options.kill_on_exit ? STASIS_DEATH_KILL : STASIS_DEATH_DEFAULT,
	};

	signal(SIGCHLD, SIG_DFL); /* ignored, it would lose us every exit */
	int r = truss_buffer_grow(t) ? truss_output_open(&t->out, &t->options) : -ENOMEM;
	if (r < 0) {
		sts_complain(t->options.output ? t->options.output : "truss", "%s", strerror(-r));
		return STS_EXIT_FAILURE;
	}
	r = t->options.html ? truss_page_open(t) : 0;
	if (r < 0) {
		sts_complain(t->options.html, "%s", strerror(-r));
		return STS_EXIT_FAILURE;
	}
	r = stasis_session_create(&opts, &t->session);
	if (r < 0) {
		sts_complain("truss", "%s", stasis_strerror(r));
		return STS_EXIT_FAILURE;
	}
	return 0;
}

static void finish(struct truss *t)
{
	truss_calls_abandon(t);
	if (t->options.count)
		truss_summary_show(t, true);
	if (t->options.tree && !t->options.json)
		truss_tree_show(t);
	if (t->format->end)
		t->format->end(t);
}

int sts_cmd_truss(int argc, char **argv)
{
	struct truss t = {.hold = -1};
	int status = truss_options_parse(argc, argv, &t.options);

	if (status >= 0) {
		truss_options_free(&t.options);
		return status;
	}
	status = t.options.daemon ? truss_daemon_begin(&t) : 0;
	if (status < 0) {
		sts_complain("truss", "%s", strerror(-status));
		return STS_EXIT_FAILURE;
	}
	status = open_all(&t);
	if (status == 0)
		status = trace(&t);
	stasis_session_destroy(t.session);
	if (t.format && t.out.file)
		finish(&t);
	if (t.out.file && !truss_output_close(&t.out))
		status = STS_EXIT_FAILURE;
	if (t.page && !truss_page_close(&t))
		status = STS_EXIT_FAILURE;
	truss_lwps_free(&t);
	truss_tamper_free(&t);
	truss_rings_forget(&t.rings, 0);
	truss_stacks_free(&t);
	truss_summary_free(&t);
	truss_tree_free(&t);
	truss_follow_free(&t);
	free(t.buffer);
	truss_options_free(&t.options);
	if (status == 0 && t.unattached)
		status = 1;
	return status == 0 && t.command_done && !t.options.daemon ? sts_end_like(t.command_status) : status;
}
