// SPDX-License-Identifier: BSD-2-Clause
/*
 * The birth matrix: each way of making a process (births.h) x what is followed
 * x what becomes of the child x a parent with one thread or with eight busy
 * others. The sequence of events of each process is written down as it must be
 * and compared whole; then every pid, flag and status is compared with what the
 * program itself was told by the kernel.
 */
#include "births.h"
#include "drive.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum mode { BOTH, PARENT, CHILD, UNWANTED };
static const char *const mode_names[] = {"both followed", "parent followed", "child followed", "birth unwanted"};
static const char *const fates[] = {"exec", "exit", "crash", "kill", "again"};

#define KIND(name_, how_, flags_, stack_, event_) {#name_, how_, flags_, stack_, STASIS_EVENT_##event_},
static const struct kind {
	const char *name;
	enum birth_how how;
	uint64_t flags;
	bool stack;
	enum stasis_event_kind event;
} kinds[] = {BIRTH_KINDS(KIND) HIDDEN_BIRTH_KINDS(KIND)};

enum { MAX_EVENTS = 64, TEXT = 512, BUSY = 8 };

struct run {
	const struct kind *kind;
	const char *program, *fate;
	enum mode mode;
	unsigned threads;
	struct stasis_session *s;
	struct sts_shared *sh;
	pid_t pid;
	int out; /* our side of the program's stdout */
	struct stasis_event events[MAX_EVENTS];
	size_t n;
};

#define REQUIRE(run_, condition_)                                                                                      \
	do {                                                                                                           \
		if (!(condition_))                                                                                     \
			fail_run((run_), #condition_, __LINE__);                                                       \
	} while (0)

static void __attribute__((noreturn)) fail_run(const struct run *r, const char *what, int line)
{
	char text[256];

	for (size_t i = 0; i < r->n; i++)
		fprintf(stderr, "  %s\n", sts_event_text(&r->events[i], text, sizeof(text)));
	for (int i = 0; i < BIRTHS_COUNT; i++)
		fprintf(stderr, "  counter %d: %lld\n", i, (long long)r->sh->counter[i]);
	atf_tc_fail("line %d: %s %s, %s, %u busy threads, %s: %s", line, r->program, r->kind->name, r->fate, r->threads,
		    mode_names[r->mode], what);
}

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	atf_tc_fail("no kind %s", name);
}

/* ---- running ---- */

static void launch(struct run *r)
{
	char threads[8];
	const char *const argv[] = {r->program, r->kind->name, r->fate, threads, NULL};
	int out[2];
	struct stasis_spawn_opts opts = {
		.size = sizeof(opts),
		.path = sts_target_path(r->program),
		.argv = (char *const *)argv,
		.use_stdio = true,
	};

	snprintf(threads, sizeof(threads), "%u", r->threads);
	STS_SYS(pipe2(out, O_CLOEXEC));
	opts.stdio[0] = 0;
	opts.stdio[1] = out[1];
	opts.stdio[2] = 2;
	STS_OK_S(r->s, stasis_spawn(r->s, &opts, &r->pid));
	close(out[1]);
	r->out = out[0];
}

static void collect(struct run *r)
{
	struct stasis_event *ev;
	int e;

	for (r->n = 0; r->n < MAX_EVENTS; r->n++) {
		ev = &r->events[r->n];
		e = stasis_wait(r->s, 0, sts_bound_ms(), ev);
		if (e == STASIS_E_NO_TRACEE)
			return;
		REQUIRE(r, e == 0);
		REQUIRE(r, ev->stopped == (ev->kind != STASIS_EVENT_EXITED && ev->kind != STASIS_EVENT_KILLED));
		if (ev->stopped)
			STS_OK_S(r->s, stasis_resume(r->s, ev->pid, NULL, 0));
	}
	r->n--;
	REQUIRE(r, !"there is no end of events");
}

/* ---- what must be seen ---- */

static bool is(const char *fate, const char *name)
{
	return strcmp(fate, name) == 0;
}

static bool through_shell(const struct run *r)
{
	return is(r->kind->name, "system") || is(r->kind->name, "popen");
}

/* A child whose birth is told at its exec, and that never execs. */
static bool fails(const struct run *r)
{
	return r->kind->event == STASIS_EVENT_POSIX_SPAWN && r->kind->how != BIRTH_LIBC && !is(r->fate, "exec");
}

static bool child_followed(const struct run *r)
{
	return (r->mode == BOTH || r->mode == CHILD) && !fails(r);
}

static bool parent_released(const struct run *r)
{
	return r->mode == CHILD && child_followed(r);
}

static const char *expected_end(const struct run *r)
{
	if (is(r->fate, "crash"))
		return " killed 11";
	return is(r->fate, "kill") ? " killed 9" : " exited 7";
}

static void expect_parent(const struct run *r, char *text)
{
	sprintf(text, "attached");
	if (r->mode != UNWANTED)
		sprintf(text + strlen(text), " %s/parent%s%s", stasis_event_kind_name(r->kind->event),
			child_followed(r) ? "/followed" : "", fails(r) ? "/failed" : "");
	if (parent_released(r))
		return;
	if ((r->kind->flags & CLONE_VFORK) && r->kind->event != STASIS_EVENT_POSIX_SPAWN &&
	    r->kind->event != STASIS_EVENT_NONE)
		strcat(text, " vfork-done");
	strcat(text, " exited 42");
}

static void expect_child(const struct run *r, char *text)
{
	*text = '\0';
	if (!child_followed(r))
		return;
	sprintf(text, "%s/child/followed%s", stasis_event_kind_name(r->kind->event), through_shell(r) ? " exec" : "");
	if (is(r->fate, "exec") && (r->kind->event != STASIS_EVENT_POSIX_SPAWN || r->kind->how == BIRTH_LIBC))
		strcat(text, " exec");
	if (is(r->fate, "again"))
		strcat(text, " fork/parent/followed");
	if (!is(r->fate, "again") || r->mode != CHILD)
		strcat(text, expected_end(r));
}

static void expect_grandchild(const struct run *r, char *text)
{
	*text = '\0';
	if (is(r->fate, "again") && child_followed(r))
		strcpy(text, "fork/child/followed exited 9");
}

/* ---- what was seen ---- */

static void add_birth(char *text, const struct stasis_event_birth *b)
{
	strcat(text, b->side == STASIS_SIDE_PARENT ? "/parent" : "/child");
	strcat(text, b->followed ? "/followed" : "");
	strcat(text, b->failed ? "/failed" : "");
}

static void add_event(char *text, const struct stasis_event *ev)
{
	strcat(text, *text ? " " : "");
	strcat(text, stasis_event_kind_name(ev->kind));
	if (STASIS_EVENT_BIT(ev->kind) & STASIS_EVENTS_BIRTH)
		add_birth(text, &ev->data.birth);
	if (ev->kind == STASIS_EVENT_EXITED)
		sprintf(text + strlen(text), " %d", WEXITSTATUS(ev->data.exit.status));
	if (ev->kind == STASIS_EVENT_KILLED)
		sprintf(text + strlen(text), " %d", WTERMSIG(ev->data.exit.status));
}

static size_t seen(const struct run *r, pid_t pid, char *text)
{
	size_t n = 0;

	*text = '\0';
	for (size_t i = 0; i < r->n; i++) {
		if (r->events[i].pid == pid && strlen(text) < TEXT - 64) {
			add_event(text, &r->events[i]);
			n++;
		}
	}
	return n;
}

static void compare(const struct run *r, const char *who, pid_t pid, void (*expect)(const struct run *, char *),
		    size_t *total)
{
	char wanted[TEXT], got[TEXT], message[3 * TEXT];

	expect(r, wanted);
	*total += seen(r, pid, got);
	snprintf(message, sizeof(message), "the events of the %s must be \"%s\", they are \"%s\"", who, wanted, got);
	if (strcmp(wanted, got) != 0)
		fail_run(r, message, __LINE__);
}

/* ---- facts ---- */

static pid_t child_pid(const struct run *r)
{
	return (pid_t)r->sh->counter[BIRTHS_CHILD_SELF];
}

static const struct stasis_event *find(const struct run *r, pid_t pid, enum stasis_event_kind kind,
				       enum stasis_side side)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct stasis_event *ev = &r->events[i];

		if (ev->pid == pid && ev->kind == kind && (side == 0 || ev->data.birth.side == side))
			return ev;
	}
	return NULL;
}

static void check_birth(const struct run *r, const struct stasis_event *ev)
{
	const struct stasis_event_birth *b = &ev->data.birth;
	uint64_t dont_care = r->kind->how == BIRTH_LIBC ? ~r->kind->flags & ~UINT64_C(0xff) : 0;

	REQUIRE(r, ev->all_stop);
	REQUIRE(r, b->parent == r->pid);
	REQUIRE(r, b->parent_tid == (pid_t)r->sh->counter[BIRTHS_PARENT_TID]);
	REQUIRE(r, (b->parent_tid == r->pid) == (r->threads == 0));
	REQUIRE(r, b->child == child_pid(r));
	REQUIRE(r, (b->clone_flags & ~dont_care) == r->kind->flags);
	REQUIRE(r, !b->failed || b->wait_status == (int)r->sh->counter[BIRTHS_STATUS]);
	REQUIRE(r, ev->tid == (b->side == STASIS_SIDE_PARENT ? b->parent_tid : b->child));
}

static void check_births(const struct run *r)
{
	const struct stasis_event *mother = find(r, r->pid, r->kind->event, STASIS_SIDE_PARENT);
	const struct stasis_event *child = find(r, child_pid(r), r->kind->event, STASIS_SIDE_CHILD);
	const struct stasis_event *done = find(r, r->pid, STASIS_EVENT_VFORK_DONE, 0);

	if (mother != NULL)
		check_birth(r, mother);
	if (child != NULL) {
		check_birth(r, child);
		REQUIRE(r, mother < child);
		REQUIRE(r, mother->sequence < child->sequence);
	}
	if (done != NULL) {
		REQUIRE(r, done->data.birth.child == child_pid(r));
		REQUIRE(r, done->tid == (pid_t)r->sh->counter[BIRTHS_PARENT_TID]);
	}
	for (size_t i = 0; i < r->n; i++)
		for (size_t j = 0; j < i; j++)
			REQUIRE(r, r->events[i].sequence != r->events[j].sequence);
}

static void check_end(const struct run *r, pid_t pid, uint64_t status)
{
	const struct stasis_event *ev = find(r, pid, STASIS_EVENT_EXITED, 0);

	if (ev == NULL)
		ev = find(r, pid, STASIS_EVENT_KILLED, 0);
	if (ev == NULL)
		return;
	REQUIRE(r, ev->data.exit.status == (int)status);
	REQUIRE(r, ev->data.exit.core_dumped == (WIFSIGNALED((int)status) && WCOREDUMP((int)status)));
}

/* While it shares memory with a tracee even a child let go is watched over. */
static bool tracer_is_certain(const struct run *r)
{
	return !(r->kind->flags & CLONE_VM) || is(r->fate, "exec") || r->kind->how == BIRTH_LIBC;
}

static void check_tracers(const struct run *r)
{
	uint64_t tracer = (uint64_t)stasis_session_tracer_pid(r->s);

	REQUIRE(r, r->sh->counter[BIRTHS_PARENT_TRACER] == (parent_released(r) ? 0 : tracer));
	if (child_followed(r))
		REQUIRE(r, r->sh->counter[BIRTHS_CHILD_TRACER] == tracer);
	/* vfork(2) shares memory up to the end if nothing is exec'ed. */
	else if (tracer_is_certain(r) && !(is(r->kind->name, "vfork") && !is(r->fate, "exec")))
		REQUIRE(r, r->sh->counter[BIRTHS_CHILD_TRACER] == 0);
	if (is(r->fate, "again"))
		REQUIRE(r, r->sh->counter[BIRTHS_GRANDCHILD_TRACER] == (child_followed(r) ? tracer : 0));
}

static void check_output(struct run *r)
{
	char wanted[64] = "", got[64];

	if (is(r->fate, "again"))
		strcat(wanted, "grandchild\n");
	if (!is(r->fate, "crash") && !is(r->fate, "kill"))
		strcat(wanted, "child\n");
	strcat(wanted, "parent\n");
	read_to_end(r->out, got, sizeof(got));
	close(r->out);
	REQUIRE(r, strcmp(got, wanted) == 0);
}

/* A parent let go is still the child of whoever launched it. */
static void reap_released(struct run *r)
{
	if (!parent_released(r))
		return;
	if (sts_kind() == STS_DIRECT)
		sts_reap_exit(r->pid, BIRTHS_PARENT_EXIT);
	else
		sts_await_state(r->pid, r->pid, "0");
}

static void one_run(struct run *r)
{
	size_t total = 0;

	for (int i = 0; i < BIRTHS_COUNT; i++)
		r->sh->counter[i] = 0;
	launch(r);
	collect(r);
	check_output(r);
	reap_released(r);
	REQUIRE(r, r->sh->counter[BIRTHS_WRONG] == 0);
	compare(r, "parent", r->pid, expect_parent, &total);
	compare(r, "child", child_pid(r), expect_child, &total);
	compare(r, "grandchild", (pid_t)r->sh->counter[BIRTHS_GRANDCHILD], expect_grandchild, &total);
	REQUIRE(r, total == r->n || !"there are events of yet others");
	REQUIRE(r, through_shell(r) || (pid_t)r->sh->counter[BIRTHS_CHILD] == child_pid(r));
	check_births(r);
	check_end(r, child_pid(r), r->sh->counter[BIRTHS_STATUS]);
	check_end(r, (pid_t)r->sh->counter[BIRTHS_GRANDCHILD], r->sh->counter[BIRTHS_GRANDCHILD_STATUS]);
	check_tracers(r);
}

static void set_up(struct run *r)
{
	static const enum stasis_follow follow[] = {STASIS_FOLLOW_BOTH, STASIS_FOLLOW_PARENT, STASIS_FOLLOW_CHILD,
						    STASIS_FOLLOW_BOTH};

	r->sh = sts_shared();
	r->s = sts_session();
	sts_want(r->s, 0, (r->mode == UNWANTED ? 0 : STASIS_EVENTS_BIRTH) | BIT(VFORK_DONE) | BIT(EXEC));
	STS_OK_S(r->s, stasis_follow_set(r->s, 0, STASIS_EVENTS_BIRTH, follow[r->mode]));
}

static const char *lacking(const struct kind *k)
{
	if ((k->flags & (CLONE_NEWUTS | CLONE_NEWIPC)) && geteuid() != 0)
		return "only root makes namespaces so";
#ifdef __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 39)
	return NULL;
#endif
#endif
	return is(k->name, "pidfd_spawn") ? "this libc has no pidfd_spawn (glibc has it from 2.39 on)" : NULL;
}

enum { N_FATES = sizeof(fates) / sizeof(fates[0]) };

static void matrix(const char *name, enum mode mode)
{
	struct run r = {.kind = find_kind(name), .mode = mode, .program = "births"};

	if (lacking(r.kind) != NULL)
		atf_tc_skip("%s", lacking(r.kind));
	set_up(&r);
	for (r.threads = 0; r.threads <= BUSY; r.threads += BUSY) {
		for (size_t i = 0; i < N_FATES; i++) {
			r.fate = fates[i];
			one_run(&r);
		}
	}
	stasis_session_destroy(r.s);
}

#define CASE(name_, mode_, word_)                                                                                      \
	STS_TC_BOTH(name_##_##word_, 60, #name_ " with each fate of the child, " #word_ " followed")                   \
	{                                                                                                              \
		matrix(#name_, mode_);                                                                                 \
	}
#define CASES(name_, how_, flags_, stack_, event_)                                                                     \
	CASE(name_, BOTH, both)                                                                                        \
	CASE(name_, PARENT, parent)                                                                                    \
	CASE(name_, CHILD, child)                                                                                      \
	CASE(name_, UNWANTED, none)

BIRTH_KINDS(CASES)

/* Each fate once, one of them, another for each kind, among busy threads. */
static void all_fates(struct run *r)
{
	for (size_t i = 0; i < N_FATES; i++) {
		r->fate = fates[i];
		r->threads = i == (size_t)(r->kind - kinds) % N_FATES ? BUSY : 0;
		one_run(r);
	}
}

/* ---- hidden births: wanted with all there is, and yet nothing may show ---- */

static void hidden(const char *program)
{
	struct run r = {.mode = BOTH, .program = program};

	sts_target_path(program);
	set_up(&r);
	r.mode = UNWANTED; /* what must be seen is what is seen of these */
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		r.kind = &kinds[k];
		if (r.kind->event == STASIS_EVENT_NONE)
			all_fates(&r);
	}
	stasis_session_destroy(r.s);
}

STS_TC_BOTH(hidden, 60, "births with CLONE_UNTRACED are no events, and their children are never touched")
{
	hidden("births");
}

STS_TC_BOTH(hidden_i386, 60, "the same of an i386 program")
{
	hidden("births-32");
}

/* ---- the same of programs of another ABI and another libc ---- */

static void other_program(const char *program, enum mode mode)
{
	struct run r = {.mode = mode, .program = program};

	sts_target_path(program);
	set_up(&r);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		r.kind = &kinds[k];
		if (r.kind->event != STASIS_EVENT_NONE && lacking(r.kind) == NULL && !is(r.kind->name, "pidfd_spawn"))
			all_fates(&r);
	}
	stasis_session_destroy(r.s);
}

#define PROGRAM_CASE(name_, program_, mode_, word_)                                                                    \
	STS_TC_BOTH(name_##_##word_, 60, "all kinds and fates of " program_ ", " #word_ " followed")                   \
	{                                                                                                              \
		other_program(program_, mode_);                                                                        \
	}

PROGRAM_CASE(i386, "births-32", BOTH, both)
PROGRAM_CASE(i386, "births-32", PARENT, parent)
PROGRAM_CASE(i386, "births-32", CHILD, child)
PROGRAM_CASE(i386, "births-32", UNWANTED, none)
PROGRAM_CASE(musl, "births-musl", BOTH, both)
PROGRAM_CASE(musl, "births-musl", PARENT, parent)
PROGRAM_CASE(musl, "births-musl", CHILD, child)
PROGRAM_CASE(musl, "births-musl", UNWANTED, none)
