/* SPDX-License-Identifier: BSD-2-Clause */
/* Storms: session, targets and the event loop. What they look at is in storms_look.c. */
#include "storms.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <limits.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_NUMBERS = 8, DIGITS = 24, GATE_POLL_MS = 2, FIRST_FD = 64, FD_RANGE = 512 };

void storm_begin(struct storm *st)
{
	*st = (struct storm){0};
	int fd = (int)STS_SYS(memfd_create("storm", MFD_CLOEXEC));
	/* A number that was not used before: a target that is slow to start must not find another round's memory. */
	static int number;
	st->fd = (int)STS_SYS(fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD + number++ % FD_RANGE));
	close(fd);
	STS_SYS(ftruncate(st->fd, sizeof(struct storm_shared)));
	st->sh = mmap(NULL, sizeof(struct storm_shared), PROT_READ | PROT_WRITE, MAP_SHARED, st->fd, 0);
	ATF_REQUIRE(st->sh != MAP_FAILED);
	snprintf(st->path, sizeof st->path, "/proc/%d/fd/%d", (int)getpid(), st->fd);
}

void storm_begin_session(struct storm *st)
{
	storm_begin(st);
	st->random = sts_seed();
	struct stasis_session_opts opts = {.size = sizeof opts};
	st->s = sts_session_with(&opts);
}

void storm_reset(struct storm *st)
{
	memset(st->sh, 0, sizeof *st->sh);
}

void storm_end(struct storm *st)
{
	stasis_session_destroy(st->s);
	munmap(st->sh, sizeof *st->sh);
	close(st->fd);
}

uint64_t storm_random(struct storm *st, uint64_t n)
{
	return sts_random(&st->random) % n;
}

uint64_t storm_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- targets ------------------------------------------------------------------------ */

struct command {
	char path[PATH_MAX];
	char numbers[MAX_NUMBERS][DIGITS];
	const char *argv[MAX_NUMBERS + 3];
};

static void command_fill(const struct storm *st, struct command *c, const char *name, const uint64_t *numbers, size_t n)
{
	char target[64];

	ATF_REQUIRE(n <= MAX_NUMBERS);
	snprintf(target, sizeof target, "storm-%s", name);
	snprintf(c->path, sizeof c->path, "%s", sts_target_path(target));
	c->argv[0] = c->path;
	c->argv[1] = st->path;
	for (size_t i = 0; i < n; i++) {
		snprintf(c->numbers[i], DIGITS, "%" PRIu64, numbers[i]);
		c->argv[i + 2] = c->numbers[i];
	}
	c->argv[n + 2] = NULL;
}

pid_t storm_launch_(struct storm *st, const char *name, const uint64_t *numbers, size_t n)
{
	struct command c;

	command_fill(st, &c, name, numbers, n);
	return sts_launch_argv(st->s, c.argv);
}

pid_t storm_start_(struct storm *st, const char *name, const uint64_t *numbers, size_t n)
{
	struct command c;

	command_fill(st, &c, name, numbers, n);
	return sts_start_argv(c.argv);
}

/* --- events --------------------------------------------------------------------------- */

int storm_may_die(int result, const char *text, const char *file, int line)
{
	if (result < 0 && result != STASIS_E_GONE && result != STASIS_E_NOT_TRACED)
		atf_tc_fail("%s:%d: %s is %s", file, line, text, stasis_error_name(result));
	return result;
}

bool storm_next(struct storm *st, pid_t pid, struct stasis_event *ev)
{
	int r = stasis_wait(st->s, pid, sts_bound_ms(), ev);

	if (r == STASIS_E_NO_TRACEE)
		return false;
	if (r == STASIS_E_TIMEOUT)
		storm_stuck(st);
	STS_OK_S(st->s, r);
	return true;
}

void storm_resume(struct storm *st, const struct stasis_event *ev)
{
	if (!ev->stopped)
		return;
	if (ev->all_stop)
		STORM_MAY_DIE(stasis_resume(st->s, ev->pid, NULL, 0));
	else
		STORM_MAY_DIE(stasis_resume_lwp(st->s, ev->tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP));
}

void storm_run(struct storm *st, storm_event_fn fn, void *arg)
{
	struct stasis_event ev;

	while (storm_next(st, 0, &ev)) {
		fn(arg, &ev);
		storm_resume(st, &ev);
	}
}

void storm_run_to_gate(struct storm *st, uint32_t gate, storm_event_fn fn, void *arg)
{
	uint64_t deadline = sts_now_ms() + sts_bound_ms();
	struct stasis_event ev;

	while (atomic_load(&st->sh->at_gate) < gate) {
		int r = stasis_wait(st->s, 0, GATE_POLL_MS, &ev);

		if (r == STASIS_E_TIMEOUT && sts_now_ms() < deadline)
			continue;
		if (r == STASIS_E_TIMEOUT)
			storm_stuck(st);
		STS_OK_S(st->s, r);
		fn(arg, &ev);
		storm_resume(st, &ev);
		deadline = sts_now_ms() + sts_bound_ms();
	}
}

void storm_interrupt(struct storm *st, pid_t pid, storm_event_fn fn, void *arg)
{
	struct stasis_event ev;

	STS_OK_S(st->s, stasis_interrupt(st->s, pid));
	while (storm_next(st, 0, &ev)) {
		if (ev.pid == pid && ev.kind == STASIS_EVENT_INTERRUPT)
			return;
		fn(arg, &ev);
		if (ev.pid == pid && ev.all_stop) /* it was quicker: that one alone */
			return;
		storm_resume(st, &ev);
	}
	atf_tc_fail("process %d was gone before it could be interrupted", (int)pid);
}

void storm_open_gate(struct storm *st, uint32_t gate)
{
	atomic_store(&st->sh->open_gate, gate);
	syscall(SYS_futex, &st->sh->open_gate, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void storm_await_gate(struct storm *st, uint32_t gate)
{
	uint64_t deadline = sts_now_ms() + sts_bound_ms();
	const struct timespec little = {0, 10000000};
	uint32_t at;

	while ((at = atomic_load(&st->sh->at_gate)) < gate) {
		if (sts_now_ms() >= deadline)
			atf_tc_fail("the target does not reach gate %u (%s)", gate, st->sh->failure);
		syscall(SYS_futex, &st->sh->at_gate, FUTEX_WAIT, at, &little, NULL, 0);
	}
}

void storm_no_event(void *arg, const struct stasis_event *ev)
{
	char text[256];

	atf_tc_fail("no event was due, got %s", sts_event_text(ev, text, sizeof text));
}

void storm_any_event(void *arg, const struct stasis_event *ev)
{
}

/* --- tables ------------------------------------------------------------------------------- */

struct storm_entry *storm_table_find(struct storm_table *t, pid_t id)
{
	/* The newest are asked for most. */
	for (size_t i = t->n; i-- > 0;)
		if (t->entries[i].id == id)
			return &t->entries[i];
	return NULL;
}

struct storm_entry *storm_table_get(struct storm_table *t, pid_t id)
{
	struct storm_entry *e = storm_table_find(t, id);

	if (e)
		return e;
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->entries = realloc(t->entries, t->cap * sizeof *t->entries);
		ATF_REQUIRE(t->entries);
	}
	e = &t->entries[t->n++];
	*e = (struct storm_entry){.id = id};
	return e;
}

void storm_table_remove(struct storm_table *t, pid_t id)
{
	struct storm_entry *e = storm_table_find(t, id);

	if (e)
		*e = t->entries[--t->n];
}

void storm_table_free(struct storm_table *t)
{
	free(t->entries);
	*t = (struct storm_table){0};
}

pthread_t storm_helper(void *(*fn)(void *), void *arg)
{
	sigset_t all, old;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(&thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	ATF_REQUIRE_EQ(r, 0);
	return thread;
}
