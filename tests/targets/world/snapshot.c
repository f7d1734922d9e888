// SPDX-License-Identifier: BSD-2-Clause
/* Snapshots: what the copy sees, and what the program does not. */
#include "world.h"

enum { HEAP = 64 << 20 };

static _Atomic unsigned count, ready, leave, chld;
static pid_t counter_tid;
/* Seen by the copy and the original. */
static struct {
	_Atomic unsigned go, arrived;
	_Atomic unsigned frozen, moved;
} * both;

static void *count_on(void *arg)
{
	counter_tid = own_tid();
	prctl(PR_SET_NAME, "counter");
	ready = 1;
	while (!leave)
		count++;
	return arg;
}

static pthread_t begin(void)
{
	pthread_t t;

	both = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(both != MAP_FAILED);
	t = start(count_on, NULL);
	await_u("thread", &ready, 1);
	return t;
}

static void end(pthread_t t)
{
	leave = 1;
	OK(-pthread_join(t, NULL));
}

static int look(struct stasis_world *w, void *arg)
{
	const unsigned char *heap = arg;
	struct stasis_world_thread t;
	unsigned then = count;

	for (size_t i = 0; i < HEAP; i += 4096) {
		if (heap[i] != 0xab)
			return 1;
	}
	if (stasis_world_count(w) != 1 ||
	    !find_thread(w, counter_tid, STASIS_WORLD_WANT_NAME | STASIS_WORLD_WANT_STACK, &t))
		return 2;
	if (t.state != STASIS_WORLD_PARKED || t.regs == NULL || t.stack_end == 0)
		return 3;
	if (t.sp < t.stack_start || t.sp >= t.stack_end || strcmp(t.name, "counter") != 0)
		return 4;
	linger(2000);
	return count == then ? 42 : 5;
}

void world_snapshot(const char *arg)
{
	pthread_t t = begin();
	unsigned char *heap = malloc(HEAP);

	(void)arg;
	REQUIRE(heap != NULL);
	memset(heap, 0xab, HEAP);
	for (int i = 0; i < 10; i++) {
		int result = -1;
		unsigned then = count;

		REQUIRE(stasis_world_snapshot(NULL, look, heap, &result) == 0);
		if (result != 42)
			fail("the copy says %d", result);
		await_u("the counter", &count, then + 1);
	}
	free(heap);
	end(t);
}

/* The original runs on while the copy looks: each waits for the other. */
static int wait_for_original(struct stasis_world *w, void *arg)
{
	unsigned then = count;
	uint64_t until = now_ns() + 10000000000ull;

	(void)w, (void)arg;
	both->arrived = 1;
	while (both->go == 0) {
		if (now_ns() > until)
			return 1;
	}
	return count == then ? 0 : 2;
}

static void *let_copy_go(void *arg)
{
	unsigned then;

	while (both->arrived == 0)
		;
	then = count;
	await_u("the counter to go on while the copy looks", &count, then + 1000);
	both->go = 1;
	return arg;
}

void world_snapshot_pause(const char *arg)
{
	pthread_t t = begin(), other = start(let_copy_go, NULL);
	int result = -1;

	(void)arg;
	REQUIRE(stasis_world_snapshot(NULL, wait_for_original, NULL, &result) == 0);
	REQUIRE(result == 0);
	OK(-pthread_join(other, NULL));
	end(t);
}

static void on_chld(int sig)
{
	(void)sig;
	chld++;
}

/* The program's own waiting finds nothing, before, while and after. */
static void *wait_without_end(void *arg)
{
	while (!leave) {
		if (waitpid(-1, NULL, 0) != -1 || errno != ECHILD)
			both->moved++;
		both->frozen++;
	}
	return arg;
}

static int answer_7(struct stasis_world *w, void *arg)
{
	(void)w, (void)arg;
	linger(1000);
	return 7;
}

static void check_waits(void)
{
	for (int i = 0; i < 20; i++) {
		int result = -1;

		REQUIRE(stasis_world_snapshot(NULL, answer_7, NULL, &result) == 0);
		REQUIRE(result == 7);
	}
	REQUIRE(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	/* Not even a zombie is left for those who ask for everything. */
	REQUIRE(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

void world_snapshot_waits(const char *arg)
{
	struct sigaction act = {.sa_handler = on_chld};
	pthread_t t = begin(), other;

	(void)arg;
	OK(sigaction(SIGCHLD, &act, NULL));
	other = start(wait_without_end, NULL);
	check_waits();
	REQUIRE(chld == 0);
	/* Also where children leave no zombies. */
	act.sa_handler = SIG_IGN;
	OK(sigaction(SIGCHLD, &act, NULL));
	check_waits();
	await_u("waitpid", &both->frozen, 1);
	REQUIRE(both->moved == 0);
	end(t);
	OK(-pthread_join(other, NULL));
}

static int die(struct stasis_world *w, void *arg)
{
	(void)w, (void)arg;
	return kill(getpid(), SIGKILL);
}

void world_snapshot_dies(const char *arg)
{
	pthread_t t = begin();
	int result = -1;

	(void)arg;
	REQUIRE(stasis_world_snapshot(NULL, die, NULL, &result) == -ECANCELED);
	REQUIRE(result == -1);
	REQUIRE(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
	REQUIRE(stasis_world_snapshot(NULL, answer_7, NULL, &result) == 0 && result == 7);
	end(t);
}

/* Somebody waits for the end of a pipe: the copy must not keep it open, if so asked. */
static int write_and_wait(struct stasis_world *w, void *arg)
{
	const int *fds = arg; /* what to keep, what must be closed */
	char c = 'r';
	uint64_t until = now_ns() + 10000000000ull;

	(void)w;
	if (write(fds[0], &c, 1) != 1)
		return 1;
	if (fcntl(fds[1], F_GETFD) != -1 || errno != EBADF)
		return 2;
	while (both->go == 0) {
		if (now_ns() > until)
			return 3;
	}
	return 0;
}

static int ends[2], report[2];

static void *see_end(void *arg)
{
	char c;

	REQUIRE(read(report[0], &c, 1) == 1 && c == 'r');
	close(ends[1]);
	REQUIRE(read(ends[0], &c, 1) == 0);
	both->go = 1;
	return arg;
}

void world_snapshot_files(const char *arg)
{
	struct stasis_world_opts opts = {.size = sizeof(opts), .flags = STASIS_WORLD_CLOSE_FDS};
	pthread_t t = begin(), other;
	int result = -1, fds[2];

	(void)arg;
	OK(pipe2(ends, O_CLOEXEC));
	OK(pipe2(report, O_CLOEXEC));
	other = start(see_end, NULL);
	opts.keep_fd = fds[0] = report[1];
	fds[1] = ends[1];
	REQUIRE(stasis_world_snapshot(&opts, write_and_wait, fds, &result) == 0);
	if (result != 0)
		fail("the copy says %d", result);
	OK(-pthread_join(other, NULL));
	end(t);
}
