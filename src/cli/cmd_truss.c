/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis truss: show what programs do, in strace's shape. */
#include "cli/truss.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define uthash_fatal(message) (sts_complain("truss", "%s", message), exit(STS_EXIT_FAILURE))
#include <uthash.h>

#define RECORD_MAX 65536
#define RESULT_MAX 8192
#define COLOR_EVENT "\033[36m"
#define COLOR_SIGNAL "\033[33m"
#define COLOR_END "\033[1m"

struct tracked {
	pid_t tid;
	struct truss_call call;
	UT_hash_handle hh;
};

struct truss {
	struct truss_options options;
	struct truss_output out;
	struct stasis_session *session;
	struct tracked *lwps;
	pid_t command_pid;
	int command_status; /* wait(2) status */
	bool command_done;
	bool launch_shown; /* its execve */
	struct truss_ring *rings;
	char *buffer; /* RECORD_MAX bytes */
};

/* --- LWPs ----------------------------------------------------------------------------- */

static struct tracked *track(struct truss *t, pid_t tid)
{
	struct tracked *lwp;

	HASH_FIND_INT(t->lwps, &tid, lwp);
	if (lwp)
		return lwp;
	lwp = calloc(1, sizeof *lwp);
	if (!lwp) {
		sts_complain("truss", "%s", strerror(ENOMEM));
		exit(STS_EXIT_FAILURE);
	}
	lwp->tid = tid;
	HASH_ADD_INT(t->lwps, tid, lwp);
	t->out.many |= HASH_COUNT(t->lwps) > 1;
	return lwp;
}

static void forget(struct truss *t, struct tracked *lwp)
{
	HASH_DEL(t->lwps, lwp);
	free(lwp->call.text);
	free(lwp);
	t->out.many = HASH_COUNT(t->lwps) > 1;
}

static void line(struct truss *t, pid_t tid, const char *color, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void line(struct truss *t, pid_t tid, const char *color, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	truss_line(&t->out, tid, color, text);
}

/* A call that will not come back: its LWP is gone. */
static void end_call(struct truss *t, struct tracked *lwp)
{
	if (lwp->call.active)
		truss_call_leave(&t->out, lwp->tid, &lwp->call, " <unfinished ...>)", "?", TRUSS_UNFINISHED);
}

/* --- system calls ------------------------------------------------------------------------- */

static struct truss_source source_of(struct truss *t, pid_t pid)
{
	return (struct truss_source){t->session, pid, &t->rings};
}

static void on_enter(struct truss *t, const struct stasis_event *e)
{
	struct truss_call *call = &track(t, e->tid)->call;
	struct sts_text text;
	struct truss_source source = source_of(t, e->pid);

	if (!sts_call_filter_match(&t->options.calls, e->data.syscall.abi, e->data.syscall.number))
		return;
	call->data = e->data.syscall;
	call->start = truss_now();
	call->wanted = truss_call_looks_for(&source, call, &t->options, false);
	sts_text_init(&text, t->buffer, RECORD_MAX);
	sts_decode_enter(truss_decoder(&source, call, &t->options), &call->data, &text);
	truss_call_enter(&t->out, e->tid, call, t->buffer);
	if (sts_decode_never_returns(call->data.abi, call->data.number))
		truss_call_leave(&t->out, e->tid, call, ")", "?", TRUSS_UNFINISHED);
}

/* Where execvp(3) finds it. */
static void find_program(const char *name, char *path, size_t size)
{
	const char *folders = getenv("PATH"), *next;

	for (; folders && !strchr(name, '/'); folders = *next ? next + 1 : NULL) {
		next = strchrnul(folders, ':');
		int n = snprintf(path, size, "%.*s%s%s", (int)(next - folders), folders, next > folders ? "/" : "",
				 name);
		if (n > 0 && (size_t)n < size && access(path, X_OK) == 0)
			return;
	}
	snprintf(path, size, "%s", name);
}

static void add_shortened(struct sts_text *text, const char *s, size_t limit)
{
	size_t n = strlen(s);

	sts_text_add_quoted(text, s, n < limit ? n : limit, 0);
	if (n > limit)
		sts_text_add(text, "...");
}

static bool names_program(const struct truss *t, const char *path)
{
	char real[PATH_MAX];

	return truss_paths_match(&t->options.paths, path) ||
	       (realpath(path, real) && truss_paths_match(&t->options.paths, real));
}

/* The launched program's own execve: its entry was before we could see calls, but we made it. */
static void show_launch(struct truss *t, const struct stasis_event *e, struct truss_call *call)
{
	struct sts_text text;
	char path[4096];
	int n = 0;

	call->data = e->data.syscall;
	call->data.abi = STASIS_ABI_X86_64;
	call->data.number = (uint64_t)stasis_syscall_number(STASIS_ABI_X86_64, "execve");
	if (!sts_call_filter_match(&t->options.calls, call->data.abi, call->data.number))
		return;
	find_program(t->options.command[0], path, sizeof path);
	sts_text_init(&text, t->buffer, RECORD_MAX);
	sts_text_add(&text, "execve(");
	sts_text_add_quoted(&text, path, strlen(path), 0);
	for (char **arg = t->options.command; *arg; arg++) {
		sts_text_add(&text, arg == t->options.command ? ", [" : ", ");
		add_shortened(&text, *arg, t->options.string_limit);
	}
	while (environ[n])
		n++;
	sts_text_add(&text, "], %p /* %d vars */", (void *)environ, n);
	call->start = truss_now();
	call->wanted = !truss_options_look(&t->options) || names_program(t, path);
	truss_call_enter(&t->out, e->tid, call, t->buffer);
	truss_call_leave(&t->out, e->tid, call, ")", "0", TRUSS_SUCCESSFUL);
}

/* The exit of a call whose entry we did not show: unwanted, made by our launch, or under way when we attached. */
static bool begin_late(struct truss *t, const struct stasis_event *e, struct truss_call *call)
{
	if (e->pid == t->command_pid && !t->launch_shown) {
		t->launch_shown = true;
		show_launch(t, e, call);
		return false;
	}
	on_enter(t, e);
	return call->active;
}

static void on_leave(struct truss *t, const struct stasis_event *e)
{
	struct truss_call *call = &track(t, e->tid)->call;
	char result[RESULT_MAX];
	struct sts_text text, result_text;
	struct truss_source source = source_of(t, e->pid);

	truss_rings_track(&source, &e->data.syscall);
	if (!call->active && !begin_late(t, e, call))
		return;
	/* An exec may have changed the ABI: what was called is told by the entry. */
	enum stasis_abi abi = call->data.abi;
	uint64_t number = call->data.number;
	call->data = e->data.syscall;
	call->data.abi = abi;
	call->data.number = number;
	sts_text_init(&text, t->buffer, RECORD_MAX);
	sts_text_init(&result_text, result, sizeof result);
	call->wanted = call->wanted || truss_call_looks_for(&source, call, &t->options, true);
	sts_decode_leave(truss_decoder(&source, call, &t->options), &call->data, &text, &result_text);
	truss_call_leave(&t->out, e->tid, call, t->buffer, result,
			 call->data.is_error ? TRUSS_FAILED : TRUSS_SUCCESSFUL);
}

/* --- other events ---------------------------------------------------------------------------- */

static void on_signal(struct truss *t, const struct stasis_event *e)
{
	char text[400];
	struct sts_text info;
	int signal = e->data.signal.info.si_signo;

	if (!(t->options.signals & UINT64_C(1) << (signal - 1)))
		return;
	sts_text_init(&info, text, sizeof text);
	sts_decode_siginfo(&e->data.signal.info, &info);
	line(t, e->tid, COLOR_SIGNAL, "--- %s %s ---", sts_decode_signal(signal), text);
}

static void on_birth(struct truss *t, const struct stasis_event *e)
{
	const struct stasis_event_birth *b = &e->data.birth;
	const char *name = stasis_event_kind_name(e->kind);

	if (b->side == STASIS_SIDE_CHILD) {
		track(t, e->tid);
		return;
	}
	if (!t->options.events)
		return;
	if (e->kind == STASIS_EVENT_VFORK_DONE)
		line(t, e->tid, COLOR_EVENT, "~~~ vfork-done: child %d ~~~", b->child);
	else
		line(t, e->tid, COLOR_EVENT, "~~~ %s: child %d%s ~~~", name, b->child,
		     b->followed ? "" : ", not followed");
}

static void print_end(struct truss *t, pid_t tid, int status)
{
	if (t->options.quiet)
		return;
	if (WIFSIGNALED(status))
		line(t, tid, COLOR_END, "+++ killed by %s%s +++", sts_decode_signal(WTERMSIG(status)),
		     WCOREDUMP(status) ? " (core dumped)" : "");
	else
		line(t, tid, COLOR_END, "+++ exited with %d +++", WEXITSTATUS(status));
}

static void on_lwp_exit(struct truss *t, const struct stasis_event *e)
{
	struct tracked *lwp = track(t, e->tid);

	end_call(t, lwp);
	print_end(t, e->tid, e->data.lwp.exit_status);
	forget(t, lwp);
}

/* The LWP that called exec goes on under its process's id. */
static void on_exec(struct truss *t, const struct stasis_event *e)
{
	pid_t former = e->data.exec.former_tid;

	if (former != e->pid) {
		struct tracked *old = track(t, former), *leader = track(t, e->pid);
		struct truss_call call = old->call;

		line(t, e->pid, COLOR_END, "+++ superseded by execve in pid %d +++", former);
		old->call = leader->call;
		leader->call = call;
		call.shown = false;
		forget(t, old);
	}
	truss_rings_forget(&t->rings, e->pid);
	if (t->options.events)
		line(t, e->pid, COLOR_EVENT, "~~~ exec ~~~");
}

static void on_final(struct truss *t, const struct stasis_event *e)
{
	struct tracked *lwp = track(t, e->pid);

	end_call(t, lwp);
	print_end(t, e->pid, e->data.exit.status);
	truss_rings_forget(&t->rings, e->pid);
	if (e->pid == t->command_pid) {
		t->command_status = e->data.exit.status;
		t->command_done = true;
	}
	forget(t, lwp);
}

static void show(struct truss *t, const struct stasis_event *e)
{
	switch (e->kind) {
	case STASIS_EVENT_SYSCALL_ENTER:
		on_enter(t, e);
		break;
	case STASIS_EVENT_SYSCALL_EXIT:
		on_leave(t, e);
		break;
	case STASIS_EVENT_SIGNAL:
		on_signal(t, e);
		break;
	case STASIS_EVENT_FORK:
	case STASIS_EVENT_VFORK:
	case STASIS_EVENT_POSIX_SPAWN:
	case STASIS_EVENT_CLONE:
	case STASIS_EVENT_VFORK_DONE:
		on_birth(t, e);
		break;
	case STASIS_EVENT_LWP_CREATE:
		track(t, e->tid);
		if (t->options.events)
			line(t, e->tid, COLOR_EVENT, "~~~ lwp-create: by %d ~~~", e->data.lwp.creator);
		break;
	case STASIS_EVENT_LWP_EXIT:
		on_lwp_exit(t, e);
		break;
	case STASIS_EVENT_EXEC:
		on_exec(t, e);
		break;
	case STASIS_EVENT_JOB_STOP:
		line(t, e->tid, COLOR_SIGNAL, "--- stopped by %s ---", sts_decode_signal(e->data.signal.info.si_signo));
		break;
	case STASIS_EVENT_EXITED:
	case STASIS_EVENT_KILLED:
		on_final(t, e);
		break;
	default:
		track(t, e->tid);
	}
}

/* --- the loop -------------------------------------------------------------------------------------- */

static struct stasis_session *signalled_session;
static volatile sig_atomic_t signalled;

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

static int run(struct truss *t)
{
	struct stasis_event e;

	for (;;) {
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
		show(t, &e);
		resume(t, &e);
		if (t->out.failed)
			return STS_EXIT_FAILURE;
	}
}

/* --- beginning and end ----------------------------------------------------------------------------- */

static int configure(struct truss *t)
{
	const struct stasis_event_mask mask = {.thread_stop = STASIS_EVENTS_ALL};
	int r = stasis_event_mask_set(t->session, 0, &mask);

	if (r == 0)
		r = stasis_spawn_fold_set(t->session, 0, false); /* every call is shown, the child's before exec too */
	if (r == 0 && t->options.no_follow)
		r = stasis_follow_set(t->session, 0, STASIS_EVENTS_BIRTH, STASIS_FOLLOW_PARENT);
	return r;
}

static int cannot_run(struct truss *t, int error)
{
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
	int r = stasis_spawn(t->session, &opts, &t->command_pid);

	return r < 0 ? cannot_run(t, r) : 0;
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
	return attached == t->options.n_pids ? 0 : 1;
}

static int trace(struct truss *t)
{
	int r = configure(t);

	if (r < 0) {
		sts_complain_error("truss", t->session, r);
		return STS_EXIT_FAILURE;
	}
	r = t->options.command ? launch(t) : attach(t);
	if (r != 0)
		return r;
	catch_signals(t);
	return run(t);
}

/* End as the program did, so that our parent sees what it would have seen. */
static int pass_on(const struct truss *t)
{
	const struct rlimit no_core = {0, 0};

	if (!t->command_done)
		return 0;
	if (!WIFSIGNALED(t->command_status))
		return WEXITSTATUS(t->command_status);
	int number = WTERMSIG(t->command_status);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(number, SIG_DFL);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
	return 128 + number;
}

static int open_all(struct truss *t)
{
	const struct stasis_session_opts opts = {.size = sizeof opts, .flags = STASIS_SESSION_DIRECT};

	t->buffer = malloc(RECORD_MAX);
	signal(SIGCHLD, SIG_DFL); /* ignored, it would lose us every exit */
	int r = t->buffer ? truss_output_open(&t->out, &t->options) : -ENOMEM;
	if (r < 0) {
		sts_complain(t->options.output ? t->options.output : "truss", "%s", strerror(-r));
		return STS_EXIT_FAILURE;
	}
	r = stasis_session_create(&opts, &t->session);
	if (r < 0) {
		sts_complain("truss", "%s", stasis_strerror(r));
		return STS_EXIT_FAILURE;
	}
	return 0;
}

/* Calls that were under way when the tracing ended. */
static void end_open_calls(struct truss *t)
{
	for (struct tracked *lwp = t->lwps; lwp; lwp = lwp->hh.next)
		if (lwp->call.active)
			truss_call_leave(&t->out, lwp->tid, &lwp->call, " <detached ...>", NULL, TRUSS_DETACHED);
}

static void free_lwps(struct truss *t)
{
	struct tracked *lwp, *next;

	HASH_ITER(hh, t->lwps, lwp, next)
	{
		forget(t, lwp);
	}
}

int sts_cmd_truss(int argc, char **argv)
{
	struct truss t = {0};
	int status = truss_options_parse(argc, argv, &t.options);

	if (status >= 0) {
		truss_options_free(&t.options);
		return status;
	}
	status = open_all(&t);
	if (status == 0)
		status = trace(&t);
	stasis_session_destroy(t.session);
	if (t.out.file)
		end_open_calls(&t);
	if (t.out.file && !truss_output_close(&t.out))
		status = STS_EXIT_FAILURE;
	free_lwps(&t);
	truss_rings_forget(&t.rings, 0);
	free(t.buffer);
	truss_options_free(&t.options);
	return status == 0 ? pass_on(&t) : status;
}
