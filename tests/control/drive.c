// SPDX-License-Identifier: BSD-2-Clause
/* Directing target-actor. */
#include "drive.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *index_of(struct actor *a)
{
	static char text[8][12];
	char *t = text[a->p.index % 8];

	snprintf(t, sizeof(text[0]), "%u", a->p.index);
	return t;
}

static void begin(struct actor *a, struct stasis_session *s)
{
	memset(a, 0, sizeof(*a));
	a->s = s;
	a->sh = sts_shared();
	sts_pipe_open(&a->p);
}

void actor_launch_stopped(struct actor *a, struct stasis_session *s, const char *name)
{
	begin(a, s);
	a->pid = sts_launch(s, name, index_of(a));
}

void actor_launch(struct actor *a, struct stasis_session *s, const char *name)
{
	struct stasis_event_mask mask;

	actor_launch_stopped(a, s, name);
	/* The dynamic linker's doings are none of the tests' business. */
	STS_OK_S(s, stasis_event_mask_get(s, a->pid, &mask));
	sts_want(s, a->pid, 0);
	sts_resume(s, a->pid);
	actor_ready(a);
	STS_OK_S(s, stasis_event_mask_set(s, a->pid, &mask));
}

void actor_start(struct actor *a, const char *name)
{
	begin(a, NULL);
	a->ours = true;
	a->pid = sts_start(name, index_of(a));
	sts_pipe_await(&a->p, "ready");
}

void actor_attach(struct actor *a, struct stasis_session *s)
{
	a->s = s;
	sts_attach(s, a->pid);
	sts_resume(s, a->pid);
}

static void tell(struct actor *a, const char *format, va_list ap)
{
	char text[32];

	ATF_REQUIRE((unsigned)vsnprintf(text, sizeof(text), format, ap) < sizeof(text));
	sts_pipe_send(&a->p, text);
}

void actor_tell(struct actor *a, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tell(a, format, ap);
	va_end(ap);
}

/*
 * A direct session works only while its thread is in it. No event is due
 * meanwhile; in both kinds of session one that comes is a failure.
 */
static void pump(struct actor *a, uint64_t deadline, const char *what)
{
	struct stasis_event ev;
	char text[256];
	int r;

	if (sts_now_ms() > deadline)
		atf_tc_fail("%s did not come; %d is in state %c", what, (int)a->pid, sts_proc_state(a->pid, a->pid));
	r = stasis_wait(a->s, 0, 1, &ev);
	if (r == 0)
		atf_tc_fail("waited for %s, got %s", what, sts_event_text(&ev, text, sizeof(text)));
	if (r != STASIS_E_TIMEOUT && r != STASIS_E_NO_TRACEE && r != STASIS_E_INTERRUPTED)
		atf_tc_fail("waited for %s, got %s", what, stasis_error_name(r));
}

static bool silent(struct actor *a)
{
	return a->s != NULL && !sts_pipe_pending(&a->p);
}

static void await_step(struct actor *a, const char *step)
{
	uint64_t deadline = sts_now_ms() + (uint64_t)sts_bound_ms();

	while (silent(a))
		pump(a, deadline, step);
	sts_pipe_await(&a->p, step);
}

uint64_t actor_done(struct actor *a)
{
	await_step(a, "done");
	return a->sh->counter[ACTOR_RESULT];
}

void actor_ready(struct actor *a)
{
	await_step(a, "ready");
}

void actor_await(struct actor *a, unsigned counter, uint64_t value)
{
	uint64_t deadline = sts_now_ms() + (uint64_t)sts_bound_ms();
	char text[80];

	if (a->s == NULL) {
		sts_await_counter(counter, value);
		return;
	}
	snprintf(text, sizeof(text), "%llu in counter %u, which is %llu,", (unsigned long long)value, counter,
		 (unsigned long long)a->sh->counter[counter]);
	while (a->sh->counter[counter] < value)
		pump(a, deadline, text);
}

uint64_t actor_do(struct actor *a, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tell(a, format, ap);
	va_end(ap);
	return actor_done(a);
}

uint64_t actor_counter(const struct actor *a, unsigned counter)
{
	return a->sh->counter[counter];
}

void actor_reset(struct actor *a, unsigned counter)
{
	a->sh->counter[counter] = 0;
}

void actor_interrupt(struct actor *a)
{
	STS_OK_S(a->s, stasis_interrupt(a->s, a->pid));
	sts_expect_event_of(a->s, a->pid, STASIS_EVENT_INTERRUPT, NULL);
}

void actor_expect_end(struct actor *a, int status)
{
	sts_expect_exit(a->s, a->pid, status);
	/* A direct session is its children's parent, too: they are collected with the event. */
	if (a->ours && stasis_session_tracer_pid(a->s) != getpid())
		sts_reap_exit(a->pid, status);
	actor_gone(a);
}

void actor_end(struct actor *a)
{
	sts_want(a->s, a->pid, 0);
	actor_tell(a, "exit 3");
	actor_expect_end(a, 3);
}

void actor_end_untraced(struct actor *a)
{
	actor_tell(a, "exit 3");
	if (a->ours || sts_kind() == STS_DIRECT)
		sts_reap_exit(a->pid, 3);
	else
		sts_await_state(a->pid, a->pid, "0"); /* the tracing helper was its parent */
	actor_gone(a);
}

void actor_gone(struct actor *a)
{
	sts_pipe_close(&a->p);
}

/* ---- requests in short ---- */

void resume_all(struct stasis_session *s, pid_t pid, enum stasis_action action, int signal)
{
	const struct stasis_resume_spec spec = {.action = action, .signal = signal};

	STS_OK_S(s, stasis_resume(s, pid, &spec, 1));
}

void resume_only(struct stasis_session *s, pid_t pid, pid_t tid, enum stasis_action action, int signal)
{
	const struct stasis_resume_spec spec = {.tid = tid, .action = action, .signal = signal};

	STS_OK_S(s, stasis_resume(s, pid, &spec, 1));
}

uint64_t pc_of(struct stasis_session *s, pid_t tid)
{
	uint64_t pc = 0;

	STS_OK_S(s, stasis_pc_get(s, tid, &pc));
	return pc;
}

uint64_t sp_of(struct stasis_session *s, pid_t tid)
{
	uint64_t sp = 0;

	STS_OK_S(s, stasis_sp_get(s, tid, &sp));
	return sp;
}

struct stasis_regs_x86 regs_of(struct stasis_session *s, pid_t tid)
{
	struct stasis_regs_x86 regs;

	STS_OK_S(s, stasis_regs_get(s, tid, STASIS_REGSET_GENERAL, &regs, sizeof(regs), NULL));
	return regs;
}

/* ---- facts ---- */

uint64_t spins(const struct actor *a)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < ACTOR_MAX_THREADS; i++)
		sum += a->sh->counter[ACTOR_SPIN + i];
	return sum;
}

void let_others_run(void)
{
	const struct timespec slice = {.tv_nsec = 2000000};

	for (int i = 0; i < 3; i++) {
		sched_yield();
		nanosleep(&slice, NULL);
	}
}

static void each_thread(pid_t pid, void (*check)(pid_t pid, pid_t tid))
{
	char path[64];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (dir == NULL)
		atf_tc_fail("process %d is gone", (int)pid);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] != '.')
			check(pid, (pid_t)atoi(e->d_name));
	}
	closedir(dir);
}

static void check_thread_rests(pid_t pid, pid_t tid)
{
	char state = sts_proc_state(pid, tid);

	if (state != 't' && state != 'Z' && state != 'X')
		atf_tc_fail("thread %d/%d is in state %c while its process is said to rest", (int)pid, (int)tid, state);
}

void check_at_rest(struct actor *a)
{
	uint64_t before;

	each_thread(a->pid, check_thread_rests);
	before = spins(a);
	let_others_run();
	if (spins(a) != before)
		atf_tc_fail("threads counted on by %llu while their process was said to rest",
			    (unsigned long long)(spins(a) - before));
	each_thread(a->pid, check_thread_rests);
}

static void check_thread_free(pid_t pid, pid_t tid)
{
	char state = sts_proc_state(pid, tid);

	if (sts_proc_tracer(tid) > 0)
		atf_tc_fail("thread %d/%d is still traced by %d", (int)pid, (int)tid, (int)sts_proc_tracer(tid));
	if (state == 't' || state == 'T')
		atf_tc_fail("thread %d/%d was let go and is stopped (%c)", (int)pid, (int)tid, state);
}

void check_free(pid_t pid)
{
	each_thread(pid, check_thread_free);
}

size_t read_to_end(int fd, char *buf, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	for (;;) {
		ssize_t got;

		if (poll(&p, 1, sts_bound_ms()) != 1)
			atf_tc_fail("somebody still holds the other side of a pipe; so far it said \"%.*s\"", (int)n,
				    buf);
		got = read(fd, buf + n, size - 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	return n;
}
