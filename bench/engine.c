/* SPDX-License-Identifier: BSD-2-Clause */
/* The measures of floor.c done by libstasis, as any program would use it; -k direct or -k isolated. */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <stasis/stasis.h>

enum { ENGINE_STEPS = 50, ENGINE_STOPS = 20, ENGINE_SPAWNS = 4 };

/* Die with the session's own words if a call failed. */
static void need(struct stasis_session *session, int result, const char *what)
{
	struct stasis_error_info info = {0};

	if (result >= 0)
		return;
	stasis_session_last_error(session, &info);
	bench_die("%s: %s (%s: %s)", what, stasis_strerror(result), info.operation, info.cause);
}

static struct stasis_session *open_session(const struct bench_run *run)
{
	struct stasis_session_opts opts = {.size = sizeof(opts)};
	struct stasis_session *session = NULL;

	if (!strcmp(run->kind, "direct"))
		opts.flags = STASIS_SESSION_DIRECT;
	else if (strcmp(run->kind, "isolated"))
		bench_die("-k direct or -k isolated is needed");
	int r = stasis_session_create(&opts, &session);

	if (r < 0)
		bench_die("session: %s", stasis_strerror(r));
	return session;
}

static void want(struct stasis_session *session, uint64_t all_stop, uint64_t thread_stop)
{
	struct stasis_event_mask mask = {.all_stop = all_stop, .thread_stop = thread_stop};

	need(session, stasis_event_mask_set(session, 0, &mask), "event mask");
}

static struct stasis_event next_event(struct stasis_session *session)
{
	struct stasis_event event;

	need(session, stasis_wait(session, 0, -1, &event), "wait");
	return event;
}

static void expect(struct stasis_session *session, enum stasis_event_kind kind)
{
	struct stasis_event event = next_event(session);

	if (event.kind != kind)
		bench_die("%s event in place of %s", stasis_event_kind_name(event.kind), stasis_event_kind_name(kind));
}

static void attach(struct stasis_session *session, pid_t pid)
{
	need(session, stasis_attach(session, pid), "attach");
	expect(session, STASIS_EVENT_ATTACHED);
}

static void resume(struct stasis_session *session, pid_t pid)
{
	need(session, stasis_resume(session, pid, NULL, 0), "resume");
}

static void resume_event(struct stasis_session *session, const struct stasis_event *event)
{
	if (!event->stopped)
		return;
	int r = event->all_stop ? stasis_resume(session, event->pid, NULL, 0)
				: stasis_resume_lwp(session, event->tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP);

	if (r != STASIS_E_GONE)
		need(session, r, "resume");
}

/* --- stopping and attaching any number of LWPs --- */

static const char *mode_of(const struct bench_run *run)
{
	return strstr(run->measure, "busy") ? "busy" : "idle";
}

static void finish(struct stasis_session *session, struct bench_target *target)
{
	stasis_session_destroy(session);
	bench_target_kill(target);
}

static void measure_stop(const struct bench_run *run)
{
	struct bench_target target;
	struct bench_samples samples;
	unsigned batch = run->lwps == 1 ? ENGINE_STOPS : 1;

	bench_target_lwps(&target, mode_of(run), run);
	struct stasis_session *session = open_session(run);

	attach(session, target.pid);
	resume(session, target.pid);
	bench_samples_init(&samples, run);
	while (bench_samples_more(&samples)) {
		uint64_t begin = bench_now_ns();

		for (unsigned n = 0; n < batch; n++) {
			need(session, stasis_interrupt(session, target.pid), "interrupt");
			expect(session, STASIS_EVENT_INTERRUPT);
			resume(session, target.pid);
		}
		bench_samples_add(&samples, (double)(bench_now_ns() - begin) / batch);
	}
	bench_samples_report(&samples);
	finish(session, &target);
}

/* General registers of every LWP, as a stack sampler would fetch them. */
static void get_registers(struct stasis_session *session, pid_t pid, pid_t *tids, size_t cap)
{
	struct stasis_regs_x86 regs;
	size_t count;

	need(session, stasis_lwp_list(session, pid, tids, cap, &count), "LWP list");
	if (count != cap)
		bench_die("%zu LWPs found, not %zu", count, cap);
	for (size_t i = 0; i < count; i++)
		need(session, stasis_regs_get(session, tids[i], STASIS_REGSET_GENERAL, &regs, sizeof(regs), NULL),
		     "registers");
}

static void measure_attach(const struct bench_run *run)
{
	struct bench_target target;
	struct bench_samples samples;
	pid_t *tids = calloc(run->lwps, sizeof(*tids));

	bench_need(tids);
	bench_target_lwps(&target, mode_of(run), run);
	struct stasis_session *session = open_session(run);

	bench_samples_init(&samples, run);
	while (bench_samples_more(&samples)) {
		uint64_t begin = bench_now_ns();

		attach(session, target.pid);
		get_registers(session, target.pid, tids, run->lwps);
		need(session, stasis_detach(session, target.pid, STASIS_SIGNAL_KEEP), "detach");
		bench_samples_add(&samples, (double)(bench_now_ns() - begin));
	}
	bench_samples_report(&samples);
	free(tids);
	finish(session, &target);
}

static void measure_step(const struct bench_run *run)
{
	struct bench_target target;
	struct bench_samples samples;

	bench_target_lwps(&target, "busy", run);
	struct stasis_session *session = open_session(run);
	struct stasis_resume_spec spec = {.tid = target.pid, .action = STASIS_STEP, .signal = STASIS_SIGNAL_KEEP};

	attach(session, target.pid);
	bench_samples_init(&samples, run);
	while (bench_samples_more(&samples)) {
		uint64_t begin = bench_now_ns();

		for (unsigned n = 0; n < ENGINE_STEPS; n++) {
			need(session, stasis_resume(session, target.pid, &spec, 1), "step");
			expect(session, STASIS_EVENT_STEP);
		}
		bench_samples_add(&samples, (double)(bench_now_ns() - begin) / ENGINE_STEPS);
	}
	bench_samples_report(&samples);
	finish(session, &target);
}

/* --- jobs: the target runs to its end, one kind of event is counted --- */

typedef bool (*counts_fn)(const struct stasis_event *event);

static bool is_break(const struct stasis_event *event)
{
	return event->kind == STASIS_EVENT_BREAKPOINT;
}

static bool is_getpid(const struct stasis_event *event)
{
	return event->kind == STASIS_EVENT_SYSCALL_ENTER && event->data.syscall.number == SYS_getpid;
}

static bool is_usr1(const struct stasis_event *event)
{
	return event->kind == STASIS_EVENT_SIGNAL && event->data.signal.info.si_signo == SIGUSR1;
}

static bool is_birth(const struct stasis_event *event)
{
	return event->kind == STASIS_EVENT_LWP_CREATE ||
	       ((STASIS_EVENT_BIT(event->kind) & STASIS_EVENTS_BIRTH) &&
		event->data.birth.side == STASIS_SIDE_PARENT);
}

static void run_to_end(struct stasis_session *session, struct bench_target *target, counts_fn counts)
{
	unsigned long seen = 0;

	bench_target_go(target);
	resume(session, target->pid);
	for (;;) {
		struct stasis_event event = next_event(session);

		seen += counts(&event);
		if (event.pid == target->pid &&
		    (event.kind == STASIS_EVENT_EXITED || event.kind == STASIS_EVENT_KILLED))
			break;
		resume_event(session, &event);
	}
	stasis_session_destroy(session);
	/* A direct session has collected it as its tracer, who is also the parent. */
	bench_need(waitpid(target->pid, NULL, 0) == target->pid || errno == ECHILD);
	bench_target_report(target, seen);
}

static void measure_break(const struct bench_run *run)
{
	struct bench_target target;

	bench_target_job(&target, run);
	struct stasis_session *session = open_session(run);

	attach(session, target.pid);
	need(session, stasis_breakpoint_insert(session, target.pid, target.sites[bench_site_index(run->measure)]),
	     "breakpoint");
	run_to_end(session, &target, is_break);
}

static void measure_events(const struct bench_run *run, uint64_t all_stop, uint64_t thread_stop, counts_fn counts)
{
	struct bench_target target;

	bench_target_job(&target, run);
	struct stasis_session *session = open_session(run);

	want(session, all_stop, thread_stop);
	attach(session, target.pid);
	run_to_end(session, &target, counts);
}

static void measure_syscall(const struct bench_run *run)
{
	measure_events(run, 0, STASIS_EVENTS_SYSCALL, is_getpid);
}

static void measure_signal(const struct bench_run *run)
{
	measure_events(run, STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL), 0, is_usr1);
}

static void measure_birth(const struct bench_run *run)
{
	measure_events(run, STASIS_EVENTS_BIRTH | STASIS_EVENT_BIT(STASIS_EVENT_EXEC), 0, is_birth);
}

/* The bare loop lets other LWPs run while one is born, so this does too. */
static void measure_thread(const struct bench_run *run)
{
	measure_events(run, 0, STASIS_EVENT_BIT(STASIS_EVENT_LWP_CREATE), is_birth);
}

static void measure_launch(const struct bench_run *run)
{
	char *path = bench_sibling("bench-nothing");
	char *argv[] = {path, NULL};
	struct stasis_spawn_opts opts = {.size = sizeof(opts), .path = path, .argv = argv};
	struct stasis_session *session = open_session(run);
	struct bench_samples samples;
	pid_t pid;

	want(session, 0, 0);
	bench_samples_init(&samples, run);
	while (bench_samples_more(&samples)) {
		uint64_t begin = bench_now_ns();

		for (unsigned n = 0; n < ENGINE_SPAWNS; n++) {
			need(session, stasis_spawn(session, &opts, &pid), "spawn");
			expect(session, STASIS_EVENT_ATTACHED);
			resume(session, pid);
			expect(session, STASIS_EVENT_EXITED);
		}
		bench_samples_add(&samples, (double)(bench_now_ns() - begin) / ENGINE_SPAWNS);
	}
	bench_samples_report(&samples);
	stasis_session_destroy(session);
	free(path);
}

int main(int argc, char **argv)
{
	static const struct bench_measure measures[] = {
		{"stop-idle", measure_stop},       {"stop-busy", measure_stop},     {"attach-idle", measure_attach},
		{"attach-busy", measure_attach},   {"step", measure_step},          {"break-push", measure_break},
		{"break-memory", measure_break},   {"break-riprel", measure_break}, {"syscall", measure_syscall},
		{"signal", measure_signal},        {"fork", measure_birth},         {"vfork", measure_birth},
		{"fork-exec", measure_birth},      {"posix-spawn", measure_birth},  {"thread", measure_thread},
		{"launch", measure_launch},        {NULL, NULL},
	};

	return bench_main(argc, argv, measures);
}
