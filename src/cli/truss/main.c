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

/* --- LWPs ----------------------------------------------------------------------------- */

static struct truss_lwp *track(struct truss *t, pid_t pid, pid_t tid)
{
	struct truss_lwp *lwp;

	HASH_FIND_INT(t->lwps, &tid, lwp);
	if (lwp)
		return lwp;
	lwp = calloc(1, sizeof *lwp);
	if (!lwp) {
		sts_complain("truss", "%s", strerror(ENOMEM));
		exit(STS_EXIT_FAILURE);
	}
	lwp->pid = pid;
	lwp->tid = tid;
	HASH_ADD_INT(t->lwps, tid, lwp);
	truss_place_new(t, tid);
	truss_lwp_identify(t, lwp);
	t->out.many |= HASH_COUNT(t->lwps) > 1;
	return lwp;
}

static void forget(struct truss *t, struct truss_lwp *lwp)
{
	HASH_DEL(t->lwps, lwp);
	truss_summary_forget(lwp);
	truss_delay_forget(t, lwp);
	truss_tamper_forget(lwp);
	truss_stack_free(&lwp->call.stack);
	truss_output_forget(&t->out, lwp->tid);
	free(lwp->call.page_text);
	free(lwp->call.text);
	free(lwp);
	t->out.many = HASH_COUNT(t->lwps) > 1;
}

const char *truss_comm(struct truss_lwp *lwp)
{
	char path[64], name[sizeof lwp->comm];
	FILE *file;

	if (lwp->comm_known)
		return lwp->comm;
	snprintf(path, sizeof path, "/proc/%d/task/%d/comm", lwp->pid, lwp->tid);
	file = fopen(path, "re");
	size_t n = file ? fread(name, 1, sizeof name, file) : 0;
	if (file)
		fclose(file);
	lwp->comm_known = n > 0;
	if (n > 0) /* without its newline; of one that is gone, the last that was known */
		snprintf(lwp->comm, sizeof lwp->comm, "%.*s", (int)n - 1, name);
	return lwp->comm;
}

/* --- system calls ------------------------------------------------------------------------- */

static struct truss_source source_of(struct truss *t, pid_t pid)
{
	return (struct truss_source){t->session, pid, &t->rings, false};
}

static void end_call(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status)
{
	struct truss_call *call = &lwp->call;

	if (!call->active)
		return;
	call->active = false;
	clock_gettime(CLOCK_MONOTONIC, &call->end);
	if (!call->wanted || !(t->options.statuses & status))
		return;
	if (t->options.count && status & (TRUSS_SUCCESSFUL | TRUSS_FAILED))
		truss_summary_add(t, lwp);
	if (t->page)
		truss_page_leave(t, lwp, source, status);
	if (!t->options.only_count)
		t->format->leave(t, lwp, source, status);
	t->ended++;
}

/* A call that will not come back: its LWP is gone, or our tracing is over. */
static void abandon_call(struct truss *t, struct truss_lwp *lwp, unsigned status)
{
	struct truss_source source = source_of(t, lwp->pid);

	end_call(t, lwp, &source, status);
}

static void begin_call(struct truss *t, struct truss_lwp *lwp, struct truss_source *source,
		       const struct stasis_event_syscall *data)
{
	struct truss_call *call = &lwp->call;

	if (!sts_call_filter_match_call(&t->options.calls, data))
		return;
	call->data = *data;
	call->start = truss_now();
	call->active = true;
	call->ours = truss_lwp_matters(t, lwp);
	call->looks = call->ours && truss_call_looks_for(source, call, &t->options, false);
	call->wanted = call->ours && call->looks;
	if (t->options.count)
		truss_summary_begin(lwp);
	if (t->options.stacks && !source->own)
		truss_stack_take(t, lwp);
	if (t->page)
		truss_page_enter(t, lwp, source);
	if (!t->options.only_count)
		t->format->enter(t, lwp, source);
	if (t->options.entries || (sts_decode_never_returns(data->abi, data->number) && !truss_call_replaced(call)))
		end_call(t, lwp, source, TRUSS_UNFINISHED);
}

static void on_enter(struct truss *t, const struct stasis_event *e)
{
	struct truss_source source = source_of(t, e->pid);
	struct truss_lwp *lwp = track(t, e->pid, e->tid);

	truss_tamper_enter(t, lwp, e);
	begin_call(t, lwp, &source, &e->data.syscall);
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

/* The launched program's own execve: its entry was before we could see calls, but we made it. */
static void show_launch(struct truss *t, const struct stasis_event *e)
{
	struct truss_lwp *lwp = track(t, e->pid, e->tid);
	struct truss_source source = source_of(t, e->pid);
	struct stasis_event_syscall data = e->data.syscall;
	char path[4096];

	find_program(t->options.command[0], path, sizeof path);
	data.abi = STASIS_ABI_X86_64;
	data.number = (uint64_t)stasis_syscall_number(data.abi, "execve");
	data.args[0] = (uintptr_t)path;
	data.args[1] = (uintptr_t)t->options.command;
	data.args[2] = (uintptr_t)environ;
	source.own = true;
	begin_call(t, lwp, &source, &data);
	end_call(t, lwp, &source, TRUSS_SUCCESSFUL);
}

/* The exit of a call whose entry we did not show: unwanted, made by our launch, or under way when we attached. */
static bool begin_late(struct truss *t, const struct stasis_event *e, struct truss_lwp *lwp)
{
	struct truss_source source = source_of(t, e->pid);

	if (e->pid == t->command_pid && !t->launch_shown) {
		t->launch_shown = true;
		show_launch(t, e);
		return false;
	}
	begin_call(t, lwp, &source, &e->data.syscall);
	return lwp->call.active;
}

static void learn(struct truss *t, struct truss_lwp *lwp, struct truss_source *source,
		  const struct stasis_event_syscall *data)
{
	truss_rings_track(source, data);
	truss_stacks_learn(t, data);
	truss_tracers_refused(t, lwp, data);
	if (data->args[0] == PR_SET_NAME && strcmp(stasis_syscall_name(data->abi, data->number), "prctl") == 0)
		lwp->comm_known = false;
}

static void on_leave(struct truss *t, struct stasis_event *e)
{
	struct truss_lwp *lwp = track(t, e->pid, e->tid);
	struct truss_call *call = &lwp->call;
	struct truss_source source = source_of(t, e->pid);

	truss_tamper_leave(t, lwp, e);
	learn(t, lwp, &source, &e->data.syscall);
	if (!call->active && !begin_late(t, e, lwp))
		return;
	/* An exec may have changed the ABI: what was called is told by the entry. */
	enum stasis_abi abi = call->data.abi;
	uint64_t number = call->data.number;
	call->data = e->data.syscall;
	call->data.abi = abi;
	call->data.number = number;
	call->ours = call->ours || truss_lwp_matters(t, lwp);
	call->wanted = call->ours && (call->looks || truss_call_looks_for(&source, call, &t->options, true));
	end_call(t, lwp, &source, call->data.is_error ? TRUSS_FAILED : TRUSS_SUCCESSFUL);
}

/* --- other events ---------------------------------------------------------------------------- */

static void put_event(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	if (!t->options.only_count && truss_lwp_matters(t, lwp))
		t->format->event(t, lwp, e);
}

static void on_signal(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	if (!(t->options.signals & UINT64_C(1) << (e->data.signal.info.si_signo - 1)))
		return;
	if (t->options.stacks && !lwp->call.active) /* what was interrupted */
		truss_stack_take(t, lwp);
	put_event(t, lwp, e);
}

static void on_birth(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	if (e->data.birth.side == STASIS_SIDE_CHILD)
		lwp->spawned = e->kind == STASIS_EVENT_POSIX_SPAWN;
	if (t->options.events && e->data.birth.side != STASIS_SIDE_CHILD)
		put_event(t, lwp, e);
}

static void on_lwp_exit(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	abandon_call(t, lwp, TRUSS_UNFINISHED);
	if (!t->options.quiet)
		put_event(t, lwp, e);
	truss_text_unfold(t, lwp);
	forget(t, lwp);
}

/* The LWP that called exec goes on under its process's id. */
static void on_exec(struct truss *t, struct truss_lwp *leader, const struct stasis_event *e)
{
	pid_t former = e->data.exec.former_tid;

	leader->comm_known = false;
	truss_daemon_exec(t, e);
	truss_lwp_identify(t, leader);
	leader->spawned = false;
	truss_delay_forget(t, leader);
	if (truss_family_wanted(&t->options))
		truss_tree_note(t, leader, e);
	if (former != e->pid) {
		struct truss_lwp *old = track(t, e->pid, former);
		struct truss_call call = old->call;
		struct truss_count *counts = old->counts;

		old->call = leader->call;
		leader->call = call;
		old->counts = leader->counts;
		leader->counts = counts;
		leader->call.shown = false;
		forget(t, old);
	}
	truss_rings_forget(&t->rings, e->pid);
	truss_spaces_forget(t, e->pid);
	if (t->options.events || former != e->pid)
		put_event(t, leader, e);
}

/* The last LWP to go with its process has no report of its own: it is told here, but for the process's first, whose end
 * is the process's. */
static void end_others(struct truss *t, const struct stasis_event *e)
{
	struct truss_lwp *lwp, *next;

	HASH_ITER(hh, t->lwps, lwp, next)
	{
		struct stasis_event end = {.kind = STASIS_EVENT_LWP_EXIT,
					   .pid = e->pid,
					   .tid = lwp->tid,
					   .data.lwp = {lwp->tid, 0, e->data.exit.status, true}};

		if (lwp->pid == e->pid && lwp->tid != e->pid)
			on_lwp_exit(t, lwp, &end);
	}
}

static void on_final(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	end_others(t, e);
	abandon_call(t, lwp, TRUSS_UNFINISHED);
	if (!t->options.quiet)
		put_event(t, lwp, e);
	truss_text_unfold(t, lwp);
	truss_rings_forget(&t->rings, e->pid);
	truss_spaces_forget(t, e->pid);
	if (e->pid == t->command_pid) {
		t->command_status = e->data.exit.status;
		t->command_done = true;
	}
	forget(t, lwp);
}

static void show_event(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	switch (e->kind) {
	case STASIS_EVENT_SIGNAL:
		on_signal(t, lwp, e);
		break;
	case STASIS_EVENT_FORK:
	case STASIS_EVENT_VFORK:
	case STASIS_EVENT_POSIX_SPAWN:
	case STASIS_EVENT_CLONE:
	case STASIS_EVENT_VFORK_DONE:
		on_birth(t, lwp, e);
		break;
	case STASIS_EVENT_LWP_CREATE:
		if (t->options.events)
			put_event(t, lwp, e);
		break;
	case STASIS_EVENT_LWP_EXIT:
		on_lwp_exit(t, lwp, e);
		break;
	case STASIS_EVENT_EXEC:
		on_exec(t, lwp, e);
		break;
	case STASIS_EVENT_JOB_STOP:
		put_event(t, lwp, e);
		break;
	case STASIS_EVENT_EXITED:
	case STASIS_EVENT_KILLED:
		on_final(t, lwp, e);
		break;
	default:
		break;
	}
}

static void on_event(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	truss_follow_note(t, e);
	if (truss_family_wanted(&t->options) && e->kind != STASIS_EVENT_EXEC) /* which makes the name known first */
		truss_tree_note(t, lwp, e);
	show_event(t, lwp, e);
}

static void show(struct truss *t, struct stasis_event *e)
{
	bool dead = e->kind == STASIS_EVENT_EXITED || e->kind == STASIS_EVENT_KILLED;

	if (e->kind == STASIS_EVENT_SIGNAL)
		truss_tamper_signal(t, e);
	if (e->kind == STASIS_EVENT_SYSCALL_ENTER)
		on_enter(t, e);
	else if (e->kind == STASIS_EVENT_SYSCALL_EXIT)
		on_leave(t, e);
	else
		on_event(t, track(t, e->pid, dead || e->kind == STASIS_EVENT_EXEC ? e->pid : e->tid), e);
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
		show(t, &e);
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
	if (attached != t->options.n_pids)
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

/* The last records: calls that were under way when the tracing ended. */
static void finish(struct truss *t)
{
	for (struct truss_lwp *lwp = t->lwps; lwp; lwp = lwp->hh.next)
		abandon_call(t, lwp, TRUSS_DETACHED);
	if (t->options.count)
		truss_summary_show(t, true);
	if (t->options.tree && !t->options.json)
		truss_tree_show(t);
	if (t->format->end)
		t->format->end(t);
}

static void free_lwps(struct truss *t)
{
	struct truss_lwp *lwp, *next;

	HASH_ITER(hh, t->lwps, lwp, next)
	{
		forget(t, lwp);
	}
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
	free_lwps(&t);
	truss_tamper_free(&t);
	truss_rings_forget(&t.rings, 0);
	truss_stacks_free(&t);
	truss_summary_free(&t);
	truss_tree_free(&t);
	truss_follow_free(&t);
	free(t.buffer);
	truss_options_free(&t.options);
	return status == 0 && t.command_done && !t.options.daemon ? sts_end_like(t.command_status) : status;
}
