// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the births of real runtimes and tools are called. Each program of
 * tests/targets/runtimes makes one child in a named way and prints
 * "EVENT PID STATUS" of it: the event that this way must be, and the pid and
 * status as the program itself got them. That is compared with the events.
 */
#include "drive.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_EVENTS = 64, MAX_ARGS = 8, TEXT = 256 };
enum extra { ALONE, HELPERS }; /* HELPERS: the runtime starts processes for itself as well */

struct run {
	const char *argv[MAX_ARGS];
	bool followed;
	enum extra extra;
	struct stasis_session *s;
	pid_t pid;
	int out;
	char said[TEXT];
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
	size_t last = 0;

	for (size_t i = 0; i < MAX_ARGS && r->argv[i] != NULL; i++) {
		fprintf(stderr, "%s ", r->argv[i]);
		last = i;
	}
	fprintf(stderr, "said: %s\n", r->said);
	for (size_t i = 0; i < r->n; i++)
		fprintf(stderr, "  %s\n", sts_event_text(&r->events[i], text, sizeof(text)));
	atf_tc_fail("line %d: %s ... %s, %s: %s", line, r->argv[0], r->argv[last],
		    r->followed ? "followed" : "not followed", what);
}

/* ---- running ---- */

static void launch(struct run *r)
{
	int out[2];
	struct stasis_spawn_opts opts = {
		.size = sizeof(opts),
		.flags = STASIS_SPAWN_SEARCH_PATH,
		.path = r->argv[0],
		.argv = (char *const *)r->argv,
		.use_stdio = true,
	};

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
		if (e != 0)
			sts_describe_tracees(r->s);
		REQUIRE(r, e == 0);
		if (ev->stopped)
			STS_OK_S(r->s, stasis_resume(r->s, ev->pid, NULL, 0));
	}
	r->n--;
	REQUIRE(r, !"there is no end of events");
}

/* ---- judging ---- */

static bool is_birth(const struct stasis_event *ev, pid_t child, enum stasis_side side)
{
	return (STASIS_EVENT_BIT(ev->kind) & STASIS_EVENTS_BIRTH) && ev->data.birth.side == side &&
	       (child == 0 || ev->data.birth.child == child);
}

static size_t births(const struct run *r, pid_t child, enum stasis_side side, const struct stasis_event **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (!is_birth(&r->events[i], child, side))
			continue;
		if (n++ == 0 && ret != NULL)
			*ret = &r->events[i];
	}
	return n;
}

static size_t events_of(const struct run *r, pid_t pid)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->events[i].pid == pid;
	return n;
}

static size_t vfork_dones(const struct run *r, pid_t child)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->events[i].kind == STASIS_EVENT_VFORK_DONE && r->events[i].data.birth.child == child;
	return n;
}

static void check_end(const struct run *r, pid_t pid, int status)
{
	const struct stasis_event *last = NULL;
	size_t ends = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (r->events[i].pid == pid)
			last = &r->events[i];
		ends += r->events[i].pid == pid && r->events[i].kind == STASIS_EVENT_EXITED;
	}
	REQUIRE(r, ends == 1 && last->kind == STASIS_EVENT_EXITED);
	REQUIRE(r, WEXITSTATUS(last->data.exit.status) == status);
}

static void check_flags(const struct run *r, const struct stasis_event *ev)
{
	bool shares = ev->kind == STASIS_EVENT_VFORK || ev->kind == STASIS_EVENT_POSIX_SPAWN;

	REQUIRE(r, ((ev->data.birth.clone_flags & CLONE_VM) != 0) == shares);
	REQUIRE(r, ((ev->data.birth.clone_flags & CLONE_VFORK) != 0) == shares);
}

static void check_child(const struct run *r, const char *event, pid_t pid, int status)
{
	const struct stasis_event *mother = NULL, *child = NULL;

	REQUIRE(r, births(r, pid, STASIS_SIDE_PARENT, &mother) == 1);
	if (strcmp(stasis_event_kind_name(mother->kind), event) != 0)
		fail_run(r, stasis_event_kind_name(mother->kind), __LINE__);
	check_flags(r, mother);
	REQUIRE(r, mother->data.birth.followed == r->followed);
	REQUIRE(r, vfork_dones(r, pid) == (mother->kind == STASIS_EVENT_VFORK));
	if (!r->followed) {
		REQUIRE(r, events_of(r, pid) == 0);
		return;
	}
	REQUIRE(r, births(r, pid, STASIS_SIDE_CHILD, &child) == 1);
	REQUIRE(r, child->kind == mother->kind && mother->sequence < child->sequence && mother < child);
	check_end(r, pid, status);
}

static void judge(const struct run *r)
{
	char event[32];
	int pid, status;

	if (sscanf(r->said, "%31s %d %d", event, &pid, &status) != 3)
		fail_run(r, "it must say EVENT PID STATUS", __LINE__);
	REQUIRE(r, status == 3);
	check_child(r, event, pid, status);
	check_end(r, r->pid, 0);
	REQUIRE(r, r->extra == HELPERS || births(r, 0, STASIS_SIDE_PARENT, NULL) == 1);
}

static void one_way(struct run *r)
{
	launch(r);
	collect(r);
	read_to_end(r->out, r->said, sizeof(r->said));
	close(r->out);
	judge(r);
	r->said[0] = '\0';
}

static struct run begin(bool followed)
{
	struct run r = {.s = sts_session(), .followed = followed};

	sts_want(r.s, 0, STASIS_EVENTS_BIRTH | BIT(VFORK_DONE) | BIT(EXEC));
	STS_OK_S(r.s,
		 stasis_follow_set(r.s, 0, STASIS_EVENTS_BIRTH, followed ? STASIS_FOLLOW_BOTH : STASIS_FOLLOW_PARENT));
	return r;
}

/* ---- the runtimes ---- */

#define SCRIPT(name_) STS_TARGETS_SOURCE "/runtimes/" name_

static void python_way(struct run *r, const char *way, enum extra extra)
{
	const char *const argv[] = {"/usr/bin/python3", SCRIPT("spawn.py"), way};

	memcpy(r->argv, argv, sizeof(argv));
	r->extra = extra;
	one_way(r);
}

static void python(bool followed)
{
	static const char *const ways[] = {"default", "shell",	     "preexec", "close_fds", "new_session", "pass_fds",
					   "user",    "posix_spawn", "fork",	"system",    "popen",	    "mp_fork"};
	struct run r = begin(followed);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		python_way(&r, ways[i], ALONE);
	python_way(&r, "mp_spawn", HELPERS);
	if (followed) /* else the child is no tracee's */
		python_way(&r, "mp_forkserver", HELPERS);
	stasis_session_destroy(r.s);
}

static void script(bool followed, const char *program, const char *path, const char *const *ways)
{
	struct run r = begin(followed);

	r.argv[0] = program;
	r.argv[1] = path;
	for (; *ways != NULL; ways++) {
		r.argv[2] = *ways;
		one_way(&r);
	}
	stasis_session_destroy(r.s);
}

static void node(bool followed)
{
	static const char *const ways[] = {"spawn", "detached", "inherit",   "fork",
					   "exec",  "execFile", "spawnSync", NULL};

	script(followed, "node", SCRIPT("spawn.js"), ways);
}

static void perl(bool followed)
{
	static const char *const ways[] = {"fork", "system", "backticks", "pipe", NULL};

	script(followed, "perl", SCRIPT("spawn.pl"), ways);
}

static void shell(bool followed, const char *program, const char *for_command)
{
	static const char *const ways[] = {"command", "background", "subshell", "substitution"};
	struct run r = begin(followed);
	const char *const argv[] = {program, SCRIPT("spawn.sh"), NULL, "fork"};

	memcpy(r.argv, argv, sizeof(argv));
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		r.argv[2] = ways[i];
		r.argv[3] = i == 0 ? for_command : "fork";
		one_way(&r);
	}
	stasis_session_destroy(r.s);
}

static void bash(bool followed)
{
	shell(followed, "bash", "fork");
}

static void dash(bool followed)
{
	shell(followed, "dash", "vfork");
}

static void make(bool followed)
{
	struct run r = begin(followed);
	const char *const argv[] = {"make", "-s", "-f", SCRIPT("spawn.mk")};

	memcpy(r.argv, argv, sizeof(argv));
	one_way(&r);
	stasis_session_destroy(r.s);
}

/* Java is one program whose way is chosen by the virtual machine. */
static void java(bool followed)
{
	static const char *const ways[][2] = {
		{"-Djdk.lang.Process.launchMechanism=POSIX_SPAWN", "posix-spawn"},
		{"-Djdk.lang.Process.launchMechanism=VFORK", "vfork"},
		{"-Djdk.lang.Process.launchMechanism=FORK", "fork"},
	};
	struct run r = begin(followed);
	const char *const argv[] = {"java", NULL, "-Xshare:auto", SCRIPT("Spawn.java"), NULL};

	memcpy(r.argv, argv, sizeof(argv));
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		r.argv[1] = ways[i][0];
		r.argv[4] = ways[i][1];
		one_way(&r);
	}
	stasis_session_destroy(r.s);
}

/* Compile in the folder the case runs in. False: this compiler does not work here. The case's own limit bounds it. */
static bool compile(const char *const argv[])
{
	const struct passwd *user = getpwuid(getuid());
	char path[PATH_MAX];
	int status = 0;
	pid_t pid;

	ATF_REQUIRE(getcwd(path, sizeof(path)) != NULL);
	setenv("GOCACHE", path, 1);
	if (user != NULL) { /* HOME is not the user's in a test */
		snprintf(path, sizeof(path), "%s/.rustup", user->pw_dir);
		setenv("RUSTUP_HOME", path, 0);
	}
	pid = sts_fork();
	if (pid == 0) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	STS_SYS(waitpid(pid, &status, 0));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void compiled(bool followed, const char *const command[], const char *const *ways, enum extra extra)
{
	struct run r;

	if (!compile(command))
		atf_tc_skip("%s does not compile here", command[0]);
	r = begin(followed);
	r.argv[0] = "./spawn";
	r.extra = extra;
	for (; *ways != NULL; ways++) {
		r.argv[1] = *ways;
		one_way(&r);
	}
	stasis_session_destroy(r.s);
}

static void go(bool followed)
{
	static const char *const command[] = {"go", "build", "-o", "spawn", SCRIPT("spawn.go"), NULL};
	static const char *const ways[] = {"plain", "group", "directory", NULL};

	/* Go 1.23 and later tries pidfds out with a child of its own. */
	compiled(followed, command, ways, HELPERS);
}

static void rust(bool followed)
{
	static const char *const command[] = {"rustc", "-o", "spawn", SCRIPT("spawn.rs"), NULL};
	static const char *const ways[] = {"plain", "pre_exec", NULL};

	compiled(followed, command, ways, ALONE);
}

#define RUNTIME(name_, programs_)                                                                                      \
	STS_TC_BOTH(name_##_followed, 60, "children of " #name_ ", followed", .require_progs = programs_)              \
	{                                                                                                              \
		name_(true);                                                                                           \
	}                                                                                                              \
	STS_TC_BOTH(name_##_let_go, 60, "children of " #name_ ", told of and let go", .require_progs = programs_)      \
	{                                                                                                              \
		name_(false);                                                                                          \
	}

RUNTIME(python, "/usr/bin/python3")
RUNTIME(node, "node")
RUNTIME(perl, "perl")
RUNTIME(bash, "bash")
RUNTIME(dash, "dash")
RUNTIME(make, "make")
RUNTIME(java, "java javac")
RUNTIME(go, "go")
RUNTIME(rust, "rustc")
