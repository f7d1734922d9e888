// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sets of calls and the kernel's filter for them: what is reported, what costs
 * no stop, and that nobody who inherits a filter is ever left without an answer.
 */
#include "births.h"
#include "drive.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { I386_GETPID = 20, CLONE3 = 435, MANY = 200 };

struct run {
	struct stasis_session *s;
	struct stasis_call_set set;
	unsigned flags;
	pid_t pid;
	unsigned served; /* events that nobody looked at */
	struct actor a;
};

/* Every stop that the kernel tells of is a line of this log. */
static unsigned stops;

static void count_stops(void *arg, enum stasis_log_level level, const char *domain, const char *text)
{
	stops += strcmp(domain, "wait") == 0;
}

static struct stasis_session *counting_session(void)
{
	struct stasis_session_opts opts = {.size = sizeof(opts), .log = count_stops, .log_level = STASIS_LOG_DEBUG};

	return sts_session_with(&opts);
}

static void begin(struct run *r, struct stasis_session *s)
{
	memset(r, 0, sizeof(*r));
	r->s = s;
	r->flags = STASIS_SPAWN_FILTER;
}

static pid_t launch(struct run *r, const char *const argv[])
{
	struct stasis_spawn_opts opts = {
		.size = sizeof(opts),
		.flags = r->flags,
		.path = argv[0][0] == '/' ? argv[0] : sts_target_path(argv[0]),
		.argv = (char *const *)argv,
		.calls = &r->set,
	};

	STS_OK_S(r->s, stasis_spawn(r->s, &opts, &r->pid));
	sts_expect_event_of(r->s, r->pid, STASIS_EVENT_ATTACHED, NULL);
	return r->pid;
}

static void add_getpid(struct run *r)
{
	stasis_call_set_add(&r->set, STASIS_ABI_X86_64, SYS_getpid);
	stasis_call_set_add(&r->set, STASIS_ABI_I386, I386_GETPID);
}

/*
 * Go on until the actor says something. Calls of the set stop it whether they are wanted or not, and a direct session
 * sets it going only while it waits.
 */
static void serve(struct run *r)
{
	struct stasis_event ev;

	while (!sts_pipe_pending(&r->a.p)) {
		int e = stasis_wait(r->s, 0, 1, &ev);

		ATF_REQUIRE(e == 0 || e == STASIS_E_TIMEOUT);
		if (e < 0)
			continue;
		r->served++;
		sts_resume(r->s, r->pid);
	}
}

static uint64_t done(struct run *r)
{
	serve(r);
	return actor_done(&r->a);
}

/* The actor, running and waiting for commands. What is wanted is so from here on. */
static void begin_actor(struct run *r, const char *name, uint64_t kinds)
{
	char index[12];
	const char *const argv[] = {name, index, NULL};

	r->a.s = r->s;
	r->a.sh = sts_shared();
	sts_pipe_open(&r->a.p);
	snprintf(index, sizeof(index), "%u", r->a.p.index);
	sts_want(r->s, 0, 0);
	r->a.pid = launch(r, argv);
	sts_resume(r->s, r->pid);
	serve(r);
	actor_ready(&r->a);
	actor_interrupt(&r->a);
	sts_want(r->s, r->pid, kinds);
	sts_resume(r->s, r->pid);
}

static void end_actor(struct run *r)
{
	actor_end(&r->a);
	stasis_session_destroy(r->s);
}

static struct stasis_process_info info_of(struct run *r)
{
	struct stasis_process_info info;

	STS_OK_S(r->s, stasis_process_info_get(r->s, r->pid, &info));
	return info;
}

static bool is_getpid(const struct stasis_event *ev)
{
	return ev->data.syscall.number ==
	       (ev->data.syscall.abi == STASIS_ABI_I386 ? (uint64_t)I386_GETPID : (uint64_t)SYS_getpid);
}

/* ---- what is reported ---- */

static void pairs(const char *program, unsigned flags)
{
	struct stasis_event ev;
	struct run r;

	begin(&r, sts_session());
	r.flags = flags;
	add_getpid(&r);
	begin_actor(&r, program, STASIS_EVENTS_SYSCALL);
	ATF_REQUIRE_EQ(info_of(&r).filtered, flags != 0);
	ATF_REQUIRE_EQ(info_of(&r).filter_error, 0);
	actor_tell(&r.a, "getpid %d", MANY);
	for (int i = 0; i < MANY; i++) {
		sts_expect_event_of(r.s, r.pid, STASIS_EVENT_SYSCALL_ENTER, &ev);
		ATF_REQUIRE(is_getpid(&ev));
		sts_resume(r.s, r.pid);
		sts_expect_event_of(r.s, r.pid, STASIS_EVENT_SYSCALL_EXIT, &ev);
		ATF_REQUIRE(is_getpid(&ev));
		ATF_REQUIRE_EQ(ev.data.syscall.result, r.pid);
		sts_resume(r.s, r.pid);
	}
	ATF_REQUIRE_EQ(done(&r), (uint64_t)r.pid);
	ATF_REQUIRE_EQ(r.served, 0);
	end_actor(&r);
}

STS_TC_BOTH(pairs, 30, "calls of the set are reported, entry and exit, and no others")
{
	pairs("actor", STASIS_SPAWN_FILTER);
}

STS_TC_BOTH(pairs_i386, 30, "the same of an i386 tracee")
{
	pairs("actor-32", STASIS_SPAWN_FILTER);
}

STS_TC_BOTH(pairs_musl, 30, "the same of a static program on musl")
{
	pairs("actor-musl", STASIS_SPAWN_FILTER);
}

STS_TC_BOTH(pairs_unfiltered, 30, "the same without a filter: the set alone decides")
{
	pairs("actor", 0);
}

/* The stops of MANY getpid calls beyond those of one alone. */
static unsigned stops_of(uint64_t kinds, bool wanted)
{
	unsigned before = 0, n;
	struct run r;

	begin(&r, counting_session());
	if (wanted)
		add_getpid(&r);
	begin_actor(&r, "actor", kinds);
	for (int round = 0; round < 2; round++) {
		before = stops;
		n = round == 0 ? 1 : MANY;
		actor_tell(&r.a, "getpid %u", n);
		ATF_REQUIRE_EQ(done(&r), (uint64_t)r.pid);
	}
	n = stops - before;
	end_actor(&r);
	return n;
}

STS_TC_BOTH(stops, 60, "a call costs two stops, one if its exit is not wanted, none if it is not in the set")
{
	ATF_REQUIRE_EQ(stops_of(STASIS_EVENTS_SYSCALL, true), 2 * MANY);
	ATF_REQUIRE_EQ(stops_of(BIT(SYSCALL_ENTER), true), MANY);
	ATF_REQUIRE_EQ(stops_of(STASIS_EVENTS_SYSCALL, false), 0);
}

STS_TC_BOTH(skip, 20, "a call can be skipped, and replaced, where the filter stops it")
{
	struct stasis_event ev;
	struct run r;

	begin(&r, sts_session());
	add_getpid(&r);
	begin_actor(&r, "actor", BIT(SYSCALL_ENTER));
	actor_tell(&r.a, "getpid 1");
	sts_expect_event_of(r.s, r.pid, STASIS_EVENT_SYSCALL_ENTER, &ev);
	STS_OK_S(r.s, stasis_syscall_skip(r.s, r.pid, 4242));
	sts_resume(r.s, r.pid);
	ATF_REQUIRE_EQ(done(&r), 4242);
	actor_tell(&r.a, "getpid 1");
	sts_expect_event_of(r.s, r.pid, STASIS_EVENT_SYSCALL_ENTER, &ev);
	STS_OK_S(r.s, stasis_syscall_set(r.s, r.pid, SYS_getppid, NULL));
	sts_resume(r.s, r.pid);
	ATF_REQUIRE_EQ(done(&r), (uint64_t)stasis_session_tracer_pid(r.s));
	end_actor(&r);
}

STS_TC_BOTH(steps, 30, "single steps through a filtered call: entry and exit once, then steps again")
{
	unsigned enters = 0, leaves = 0, steps = 0;
	struct stasis_event ev;
	struct run r;

	begin(&r, sts_session());
	add_getpid(&r);
	begin_actor(&r, "actor", STASIS_EVENTS_SYSCALL | BIT(STEP));
	actor_tell(&r.a, "getpid 2");
	while (leaves < 2 || steps < 5) {
		sts_next_event(r.s, r.pid, &ev);
		enters += ev.kind == STASIS_EVENT_SYSCALL_ENTER;
		leaves += ev.kind == STASIS_EVENT_SYSCALL_EXIT;
		steps = ev.kind == STASIS_EVENT_STEP ? steps + 1 : 0;
		ATF_REQUIRE(ev.kind == STASIS_EVENT_STEP || is_getpid(&ev));
		ATF_REQUIRE_EQ(enters - leaves, ev.kind == STASIS_EVENT_SYSCALL_ENTER);
		resume_all(r.s, r.pid, leaves < 2 || steps < 5 ? STASIS_STEP : STASIS_CONTINUE, STASIS_SIGNAL_KEEP);
	}
	ATF_REQUIRE_EQ(enters, 2);
	ATF_REQUIRE_EQ(done(&r), (uint64_t)r.pid);
	end_actor(&r);
}

/* Passed over, it is the entry that the kernel shows first, and then the filter stops at the same call. */
static void over_breakpoint(uint64_t kinds)
{
	struct stasis_event ev;
	struct run r;

	begin(&r, sts_session());
	add_getpid(&r);
	begin_actor(&r, "actor", kinds | BIT(BREAKPOINT));
	actor_tell(&r.a, "getpid 4");
	for (int i = 0; i < 4; i++) {
		if (i > 0) {
			sts_expect_event_of(r.s, r.pid, STASIS_EVENT_BREAKPOINT, &ev);
			sts_resume(r.s, r.pid);
		}
		sts_expect_event_of(r.s, r.pid, STASIS_EVENT_SYSCALL_ENTER, &ev);
		ATF_REQUIRE(is_getpid(&ev));
		if (i == 0)
			STS_OK_S(r.s, stasis_breakpoint_insert(r.s, r.pid, ev.data.syscall.pc - 2));
		sts_resume(r.s, r.pid);
		if (!(kinds & BIT(SYSCALL_EXIT)))
			continue;
		sts_expect_event_of(r.s, r.pid, STASIS_EVENT_SYSCALL_EXIT, &ev);
		ATF_REQUIRE(is_getpid(&ev));
		sts_resume(r.s, r.pid);
	}
	ATF_REQUIRE_EQ(done(&r), (uint64_t)r.pid);
	ATF_REQUIRE_EQ(r.served, 0);
	end_actor(&r);
}

STS_TC_BOTH(over_breakpoint, 20, "a breakpoint on the instruction that makes a filtered call: one entry, one exit")
{
	over_breakpoint(STASIS_EVENTS_SYSCALL);
}

STS_TC_BOTH(over_breakpoint_entries, 20, "the same where exits are not wanted")
{
	over_breakpoint(BIT(SYSCALL_ENTER));
}

STS_TC_BOTH(own_filter, 20, "a program's own filter answers as it does without us")
{
	static const char *const argv[] = {"ownfilter", NULL};
	struct run r;

	begin(&r, sts_session());
	stasis_call_set_add(&r.set, STASIS_ABI_X86_64, SYS_getpid);
	sts_want(r.s, 0, 0);
	launch(&r, argv);
	ATF_REQUIRE(info_of(&r).filtered);
	sts_resume(r.s, r.pid);
	sts_expect_exit(r.s, r.pid, 0);
	stasis_session_destroy(r.s);
}

STS_TC_BOTH(own_filter_seen, 20, "what a program's own filter refuses is reported")
{
	static const char *const argv[] = {"ownfilter", NULL};
	int64_t result[2] = {0};
	struct stasis_event ev;
	struct run r;

	begin(&r, sts_session());
	stasis_call_set_add(&r.set, STASIS_ABI_X86_64, SYS_getuid);
	stasis_call_set_add(&r.set, STASIS_ABI_X86_64, SYS_getppid);
	sts_want(r.s, 0, BIT(SYSCALL_EXIT));
	launch(&r, argv);
	sts_resume(r.s, r.pid);
	for (sts_next_event(r.s, r.pid, &ev); ev.kind == STASIS_EVENT_SYSCALL_EXIT; sts_next_event(r.s, r.pid, &ev)) {
		ATF_REQUIRE(ev.data.syscall.number == SYS_getuid || ev.data.syscall.number == SYS_getppid);
		result[ev.data.syscall.number == SYS_getuid] = ev.data.syscall.result;
		sts_resume(r.s, r.pid);
	}
	ATF_REQUIRE_EQ(ev.kind, STASIS_EVENT_EXITED);
	ATF_REQUIRE_EQ(ev.data.exit.status, 0);
	ATF_REQUIRE_EQ(result[0], -ENOSYS);
	ATF_REQUIRE_EQ(result[1], -EXDEV);
	stasis_session_destroy(r.s);
}

/* ---- births ---- */

#define KIND(name_, how_, flags_, stack_, event_) {#name_, flags_, STASIS_EVENT_##event_},
static const struct kind {
	const char *name;
	uint64_t flags;
	enum stasis_event_kind event;
} kinds[] = {BIRTH_KINDS(KIND) HIDDEN_BIRTH_KINDS(KIND)};

/* The calls that all of these processes make: without an answer nothing of them would work. */
static void add_needed(struct run *r)
{
	const uint64_t wide[] = {SYS_openat, SYS_read, SYS_write, SYS_close, SYS_exit_group, SYS_execve, SYS_wait4};
	const uint64_t narrow[] = {295, 3, 4, 6, 252, 11, 114};

	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		stasis_call_set_add(&r->set, STASIS_ABI_X86_64, wide[i]);
		stasis_call_set_add(&r->set, STASIS_ABI_I386, narrow[i]);
	}
}

/* To the end of all. Which pids were told of as children of the first. */
static unsigned run_out(struct run *r, struct stasis_event *birth)
{
	struct stasis_event ev;
	unsigned births = 0;
	int e;

	while ((e = stasis_wait(r->s, 0, sts_bound_ms(), &ev)) == 0) {
		if (STASIS_EVENT_BIT(ev.kind) & STASIS_EVENTS_BIRTH && ev.pid == r->pid) {
			births++;
			*birth = ev;
		}
		if (ev.pid == r->pid && ev.kind == STASIS_EVENT_EXITED)
			ATF_REQUIRE_EQ(WEXITSTATUS(ev.data.exit.status), BIRTHS_PARENT_EXIT);
		if (ev.all_stop)
			sts_resume(r->s, ev.pid);
	}
	ATF_REQUIRE_EQ(e, STASIS_E_NO_TRACEE);
	return births;
}

static void one_birth(const char *program, const struct kind *kind, const char *fate, enum stasis_follow follow)
{
	const char *const argv[] = {program, kind->name, fate, "0", NULL};
	struct sts_shared *sh = sts_shared();
	struct stasis_event birth = {0};
	struct run r;

	fprintf(stderr, "%s %s %s, follow %d\n", program, kind->name, fate, follow);
	for (int i = 0; i < BIRTHS_COUNT; i++)
		sh->counter[i] = 0;
	begin(&r, sts_session());
	add_needed(&r);
	sts_want(r.s, 0, STASIS_EVENTS_SYSCALL | STASIS_EVENTS_BIRTH);
	STS_OK_S(r.s, stasis_follow_set(r.s, 0, STASIS_EVENTS_BIRTH, follow));
	pid_t tracer = stasis_session_tracer_pid(r.s);
	launch(&r, argv);
	ATF_REQUIRE(info_of(&r).filtered);
	sts_resume(r.s, r.pid);
	ATF_REQUIRE_EQ(run_out(&r, &birth), 1);
	ATF_REQUIRE_EQ(sh->counter[BIRTHS_WRONG], 0);
	ATF_REQUIRE_EQ(sh->counter[BIRTHS_CHILD_TRACER], (uint64_t)tracer);
	ATF_REQUIRE_EQ(birth.data.birth.followed, follow == STASIS_FOLLOW_BOTH && !birth.data.birth.failed);
	if (kind->flags & CLONE_UNTRACED)
		ATF_REQUIRE(birth.data.birth.clone_flags & CLONE_UNTRACED);
	else
		ATF_REQUIRE_EQ(birth.kind, kind->event);
	stasis_session_destroy(r.s);
}

static bool waits_itself(const struct kind *kind)
{
	return strcmp(kind->name, "system") == 0 || strcmp(kind->name, "popen") == 0 ||
	       strcmp(kind->name, "pidfd_spawn") == 0 || strcmp(kind->name, "clone_namespaces") == 0;
}

static void births(const char *program, enum stasis_follow follow)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (waits_itself(&kinds[i]))
			continue;
		one_birth(program, &kinds[i], "exec", follow);
		one_birth(program, &kinds[i], "exit", follow);
	}
}

STS_TC_BOTH(births_followed, 120, "children by every kind of birth, hidden ones too, are served and reported")
{
	births("births", STASIS_FOLLOW_BOTH);
}

STS_TC_BOTH(births_followed_i386, 120, "the same of i386 tracees")
{
	births("births-32", STASIS_FOLLOW_BOTH);
}

STS_TC_BOTH(births_let_go, 120, "children that are let go are served to their end")
{
	births("births", STASIS_FOLLOW_PARENT);
}

/* The caller of clone finds its arguments as it passed them: CLONE_UNTRACED and all, in parent and child. */
STS_TC_BOTH(hidden_arguments, 20, "a birth that was to be hidden leaves no trace in registers")
{
	const char *const argv[] = {"births", "hidden_fork", "exit", "0", NULL};
	const uint64_t flags = CLONE_UNTRACED | SIGCHLD;
	struct stasis_event ev;
	struct run r;

	begin(&r, sts_session());
	stasis_call_set_add(&r.set, STASIS_ABI_X86_64, SYS_clone);
	sts_want(r.s, 0, BIT(SYSCALL_EXIT) | BIT(FORK));
	launch(&r, argv);
	sts_resume(r.s, r.pid);
	for (int i = 0; i < 2; i++) {
		sts_expect_event(r.s, STASIS_EVENT_FORK, &ev);
		ATF_REQUIRE_EQ(regs_of(r.s, ev.pid).rdi, flags);
		sts_resume(r.s, ev.pid);
	}
	while (stasis_wait(r.s, 0, sts_bound_ms(), &ev) == 0) {
		if (ev.kind == STASIS_EVENT_SYSCALL_EXIT) {
			ATF_REQUIRE_EQ(ev.data.syscall.args[0], flags);
			ATF_REQUIRE_EQ(regs_of(r.s, ev.pid).rdi, flags);
		}
		if (ev.all_stop)
			sts_resume(r.s, ev.pid);
	}
	stasis_session_destroy(r.s);
}

/* ---- nobody is left behind ---- */

STS_TC_BOTH(not_let_go, 20, "a filtered tracee cannot be let go, nor promised a life without us")
{
	struct run r;

	begin(&r, sts_session());
	add_getpid(&r);
	begin_actor(&r, "actor", 0);
	STS_FAILS(STASIS_E_FILTERED, stasis_detach(r.s, r.pid, 0));
	STS_FAILS(STASIS_E_FILTERED, stasis_death_policy_set(r.s, r.pid, STASIS_DEATH_RELEASE));
	STS_OK_S(r.s, stasis_death_policy_set(r.s, r.pid, STASIS_DEATH_KILL));
	actor_tell(&r.a, "getpid 1");
	ATF_REQUIRE_EQ(done(&r), (uint64_t)r.pid);
	end_actor(&r);
}

STS_TC_BOTH(survivors, 20, "tracees that are to live on get no filter, and still the set decides")
{
	struct stasis_session_opts opts = {.size = sizeof(opts), .death = STASIS_DEATH_RELEASE};
	struct run r;

	begin(&r, sts_session_with(&opts));
	begin_actor(&r, "actor", STASIS_EVENTS_SYSCALL);
	ATF_REQUIRE(!info_of(&r).filtered);
	ATF_REQUIRE_EQ(info_of(&r).filter_error, STASIS_E_BAD_STATE);
	actor_tell(&r.a, "getpid 3");
	ATF_REQUIRE_EQ(done(&r), (uint64_t)r.pid);
	sts_want(r.s, r.pid, 0);
	end_actor(&r);
}

STS_TC_BOTH(ended_with_session, 20, "who was let go under a filter ends with the session")
{
	struct stasis_event ev;
	struct run r;
	pid_t child;

	begin(&r, sts_session());
	add_needed(&r);
	begin_actor(&r, "actor", BIT(FORK));
	STS_OK_S(r.s, stasis_follow_set(r.s, r.pid, STASIS_EVENTS_BIRTH, STASIS_FOLLOW_PARENT));
	actor_tell(&r.a, "fork hold");
	sts_expect_event_of(r.s, r.pid, STASIS_EVENT_FORK, &ev);
	child = ev.data.birth.child;
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_kill(r.s, child));
	sts_resume(r.s, r.pid);
	done(&r);
	ATF_REQUIRE_EQ(sts_proc_tracer(child), stasis_session_tracer_pid(r.s));
	stasis_session_destroy(r.s);
	sts_await_state(child, child, "0Z");
	actor_gone(&r.a);
}

STS_TC_BOTH(refused_options, 20, "a filter without a set is refused")
{
	static const char *const argv[] = {"/bin/true", NULL};
	struct stasis_spawn_opts opts = {
		.size = sizeof(opts), .flags = STASIS_SPAWN_FILTER, .path = argv[0], .argv = (char *const *)argv};
	struct stasis_session *s = sts_session();
	pid_t pid;

	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_spawn(s, &opts, &pid));
	stasis_session_destroy(s);
}

/* ---- privileges ---- */

static void limit_to(uint64_t capabilities)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)capabilities, .permitted = (uint32_t)capabilities},
		{.effective = (uint32_t)(capabilities >> 32), .permitted = (uint32_t)(capabilities >> 32)}};

	STS_SYS(syscall(SYS_capset, &header, data));
}

static unsigned no_new_privs_of(pid_t pid)
{
	char path[64], line[256];
	unsigned value = 2;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "NoNewPrivs: %u", &value) == 1)
			break;
	if (f)
		fclose(f);
	return value;
}

/* In a process of its own, with these capabilities alone. */
static void launched_with(uint64_t capabilities, bool filtered, int error, unsigned no_new_privs)
{
	static const char *const argv[] = {"/bin/true", NULL};
	pid_t pid = sts_fork();

	if (pid == 0) {
		struct stasis_process_info info;
		struct run r;

		limit_to(capabilities);
		begin(&r, sts_session());
		sts_want(r.s, 0, 0);
		launch(&r, argv);
		info = info_of(&r);
		fprintf(stderr, "filtered %d, error %d, no_new_privs %u\n", info.filtered, info.filter_error,
			no_new_privs_of(r.pid));
		bool good = info.filtered == filtered && info.filter_error == error &&
			    no_new_privs_of(r.pid) == no_new_privs;
		sts_resume(r.s, r.pid);
		sts_expect_exit(r.s, r.pid, 0);
		stasis_session_destroy(r.s);
		_exit(good ? 0 : 1);
	}
	sts_reap_exit(pid, 0);
}

STS_TC_BOTH(privileges, 20, "a filter takes no privilege away that the tracing leaves", .require_user = "root")
{
	const uint64_t admin = UINT64_C(1) << CAP_SYS_ADMIN, tracer = UINT64_C(1) << CAP_SYS_PTRACE;

	launched_with(admin | tracer, true, 0, 0);
	launched_with(0, true, 0, 1);
	launched_with(tracer, false, -EACCES, 0);
}
