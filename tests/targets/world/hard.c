// SPDX-License-Identifier: BSD-2-Clause
/* Threads that do not answer: the stop is bounded, and says of each what it is. */
#include "world.h"

#include <sys/ptrace.h>

enum { STACK = 65536 };

static struct {
	_Atomic unsigned ready, count;
	_Atomic pid_t tid, child;
	char stack[STACK] __attribute__((aligned(4096)));
	int fds[2];
	volatile bool leave;
} victim;

/* Past libc, which would leave its own signals out. */
static void block_all_raw(void)
{
	uint64_t all = ~(uint64_t)0;

	OK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all)));
}

static pthread_t start_victim(void *(*run)(void *))
{
	pthread_attr_t attr;
	pthread_t t;

	OK(pipe2(victim.fds, O_CLOEXEC));
	pthread_attr_init(&attr);
	OK(-pthread_attr_setstack(&attr, victim.stack, STACK));
	OK(-pthread_create(&t, &attr, run, NULL));
	await_u("the victim", &victim.ready, 1);
	return t;
}

static void *read_blocked(void *arg)
{
	char c = 0;

	victim.tid = own_tid();
	block_all_raw();
	victim.ready = 1;
	while (read(victim.fds[0], &c, 1) == 1 && c != 'x')
		victim.count++;
	return arg;
}

static void check_blocked(struct stasis_world *w)
{
	struct stasis_world_thread t;

	REQUIRE(stasis_world_count(w) == 1);
	REQUIRE(find_thread(w, victim.tid, STASIS_WORLD_WANT_STACK, &t));
	if (t.state != STASIS_WORLD_BLOCKED)
		fail("the blocked thread is in state %d", t.state);
	/* A process that may not be dumped is not shown the rest. */
	if (prctl(PR_GET_DUMPABLE) == 1) {
		REQUIRE(t.in_call && t.pc != 0 && t.regs == NULL);
		require_sp(&t, victim.stack, STACK);
	}
}

void world_blocked(const char *arg)
{
	pthread_t t = start_victim(read_blocked);
	struct stasis_world *w;
	uint64_t begin;

	(void)arg;
	await_state(victim.tid, "S");
	for (int i = 0; i < 3; i++) {
		begin = now_ns();
		w = stop_world();
		check_blocked(w);
		/* It has the grace time to prove itself; twenty times that is a hang. */
		REQUIRE(now_ns() - begin < 400000000);
		resume_world(w);
	}
	w = stop_world();
	check_blocked(w);
	REQUIRE(write(victim.fds[1], "a", 1) == 1);
	await_u("the blocked thread to run in the stopped world", &victim.count, 1);
	REQUIRE(stasis_world_resume(w) == 1);
	REQUIRE(write(victim.fds[1], "x", 1) == 1);
	OK(-pthread_join(t, NULL));
}

static void *spin_blocked(void *arg)
{
	victim.tid = own_tid();
	prctl(PR_SET_NAME, "deaf");
	block_all_raw();
	victim.ready = 1;
	while (!victim.leave)
		victim.count++;
	return arg;
}

/* Raw: whatever is sent to this thread it takes, and does nothing with. */
static void *eat_signals(void *arg)
{
	uint64_t all = ~(uint64_t)0;

	victim.tid = own_tid();
	prctl(PR_SET_NAME, "deaf");
	block_all_raw();
	victim.ready = 1;
	while (!victim.leave) {
		struct {
			long s, ns;
		} limit = {0, 20000000};

		if (syscall(SYS_rt_sigtimedwait, &all, NULL, &limit, sizeof(all)) > 0)
			victim.count++;
	}
	return arg;
}

/* A thread in sigwait has, while it sleeps, nothing of what it waits for blocked. */
static void check_deaf(void *(*run)(void *))
{
	pthread_t t = start_victim(run);
	struct stasis_world_obstacle o = {0};
	struct stasis_world_opts opts = {.size = sizeof(opts), .timeout_ms = 300, .keep_fd = -1, .obstacle = &o};
	struct stasis_world *w = NULL;
	struct stasis_world_thread th;
	uint64_t begin = now_ns(), took;
	unsigned then;
	int r = stasis_world_stop(&opts, &w);

	took = now_ns() - begin;
	if (r != -ETIMEDOUT || w != NULL)
		fail("a deaf thread: the stop says %d", r);
	if (o.tid != victim.tid || (!o.blocked && run == spin_blocked) || strcmp(o.name, "deaf") != 0)
		fail("the obstacle is %d (%s)%s, not %d", o.tid, o.name, o.blocked ? " blocked" : "", victim.tid);
	REQUIRE(took >= 250000000 && took < 5000000000);
	then = victim.count;
	await_u("the deaf thread to go on", &victim.count, then + (run == spin_blocked));

	opts.flags = STASIS_WORLD_PARTIAL;
	OK(stasis_world_stop(&opts, &w));
	REQUIRE(find_thread(w, victim.tid, 0, &th));
	REQUIRE(th.state == STASIS_WORLD_RUNNING);
	REQUIRE(stasis_world_resume(w) == 0);
	victim.leave = true;
	OK(-pthread_join(t, NULL));
}

void world_blocked_spinning(const char *arg)
{
	(void)arg;
	check_deaf(spin_blocked);
}

void world_eaten(const char *arg)
{
	(void)arg;
	check_deaf(eat_signals);
	REQUIRE(victim.count > 0);
}

static void *wait_in_vfork(void *arg)
{
	pid_t child;

	victim.tid = own_tid();
	victim.ready = 1;
	child = vfork();
	if (child == 0) {
		char c;

		victim.child = (pid_t)syscall(SYS_getpid);
		while (read(victim.fds[0], &c, 1) < 0)
			;
		_exit(0);
	}
	OK(child);
	OK(waitpid(child, NULL, 0));
	return arg;
}

void world_vfork(const char *arg)
{
	pthread_t t = start_victim(wait_in_vfork);
	struct stasis_world_thread th;
	struct stasis_world *w;

	(void)arg;
	while (victim.child == 0)
		pause_us(100);
	w = stop_world();
	REQUIRE(find_thread(w, victim.tid, 0, &th));
	if (th.state != STASIS_WORLD_VFORK || th.other != victim.child)
		fail("a thread in vfork: state %d, child %d and not %d", th.state, th.other, victim.child);
	if (prctl(PR_GET_DUMPABLE) == 1)
		require_sp(&th, victim.stack, STACK);
	/* Its child ends while the world is stopped: then it parks like everybody else. */
	REQUIRE(write(victim.fds[1], "x", 1) == 1);
	for (uint64_t until = now_ns() + 10000000000ull; th.state != STASIS_WORLD_PARKED;) {
		REQUIRE(find_thread(w, victim.tid, 0, &th));
		REQUIRE(now_ns() < until);
	}
	require_sp(&th, victim.stack, STACK);
	resume_world(w);
	OK(-pthread_join(t, NULL));
}

static void *spin_on(void *arg)
{
	victim.tid = own_tid();
	victim.ready = 1;
	while (!victim.leave)
		victim.count++;
	return arg;
}

/* A child that holds the victim until it is told to let go (or the pipe is closed). */
static pid_t hold(int go, int told)
{
	pid_t pid = (pid_t)OK(fork());
	char c = 'h';

	if (pid != 0)
		return pid;
	if (ptrace(PTRACE_SEIZE, victim.tid, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, victim.tid, 0, 0) != 0 ||
	    waitpid(victim.tid, NULL, __WALL) != victim.tid) {
		c = 'f';
	}
	if (write(told, &c, 1) != 1 || read(go, &c, 1) < 0)
		_exit(1);
	ptrace(PTRACE_DETACH, victim.tid, 0, 0);
	_exit(0);
}

static void check_held(bool release)
{
	pthread_t t = start_victim(spin_on);
	struct stasis_world_thread th;
	struct stasis_world *w;
	int go[2], told[2];
	unsigned then;
	pid_t tracer;
	char c;

	OK(pipe2(go, O_CLOEXEC));
	OK(pipe2(told, O_CLOEXEC));
	tracer = hold(go[0], told[1]);
	REQUIRE(read(told[0], &c, 1) == 1);
	if (c != 'h')
		skip("ptrace is not to be had here");
	w = stop_world();
	REQUIRE(find_thread(w, victim.tid, 0, &th));
	if (th.state != STASIS_WORLD_HELD || th.other != tracer)
		fail("a thread held by %d: state %d, tracer %d", tracer, th.state, th.other);
	require_sp(&th, victim.stack, STACK);
	then = victim.count;
	if (release) {
		REQUIRE(write(go[1], "x", 1) == 1);
		while (find_thread(w, victim.tid, 0, &th) && th.state != STASIS_WORLD_PARKED)
			;
		linger(5000);
	}
	REQUIRE(victim.count == then);
	resume_world(w);
	if (!release)
		REQUIRE(write(go[1], "x", 1) == 1);
	await_u("the victim to go on", &victim.count, then + 1);
	victim.leave = true;
	OK(-pthread_join(t, NULL));
	OK(waitpid(tracer, NULL, 0));
}

void world_held(const char *arg)
{
	(void)arg;
	check_held(false);
}

void world_held_released(const char *arg)
{
	(void)arg;
	check_held(true);
}

/* Another process stops and continues this one without end, while this one stops its world. */
void world_job_control(const char *arg)
{
	pthread_t t = start_victim(spin_on);
	pid_t self = getpid(), stopper;
	unsigned rounds = arg != NULL ? (unsigned)atoi(arg) : 300;

	stopper = (pid_t)OK(fork());
	if (stopper == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned i = 0;; i++) {
			kill(self, SIGSTOP);
			pause_us(i % 7 * 100);
			kill(self, SIGCONT);
			pause_us(i % 5 * 100);
		}
	}
	for (unsigned i = 0; i < rounds; i++) {
		struct stasis_world *w = stop_world();
		unsigned then = victim.count;

		linger(50);
		REQUIRE(victim.count == then);
		resume_world(w);
		pause_us(300);
	}
	/* It may have stopped us for good if it is killed between the two. */
	kill(stopper, SIGTERM);
	REQUIRE(waitpid(stopper, NULL, 0) == stopper);
	victim.leave = true;
	OK(-pthread_join(t, NULL));
}
