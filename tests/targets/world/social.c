// SPDX-License-Identifier: BSD-2-Clause
/* Several who stop, and stops amid what libc and the program do. */
#include "world.h"

#include <dlfcn.h>

static _Atomic unsigned count[16], leave, ready, stops;

static void *count_on(void *arg)
{
	ready++;
	while (!leave)
		count[(uintptr_t)arg]++;
	return NULL;
}

static void check_still(unsigned us)
{
	unsigned then[16];

	for (int i = 0; i < 16; i++)
		then[i] = count[i];
	linger(us);
	for (int i = 0; i < 16; i++)
		REQUIRE(count[i] == then[i]);
}

static void stop_once(void)
{
	struct stasis_world *w = stop_world();

	check_still(20);
	stops++;
	resume_world(w);
}

/* Callers at once: each must own the world alone. */
static _Atomic unsigned owners;

static void *call(void *arg)
{
	for (unsigned i = 0; i < (unsigned)(uintptr_t)arg; i++) {
		struct stasis_world *w = stop_world();

		REQUIRE(owners++ == 0);
		linger(10);
		REQUIRE(--owners == 0);
		stops++;
		resume_world(w);
	}
	return NULL;
}

void world_callers(const char *arg)
{
	uintptr_t each = arg != NULL ? (uintptr_t)atoi(arg) : 100;
	pthread_t t[8], other;

	other = start(count_on, 0);
	for (int i = 0; i < 8; i++)
		t[i] = start(call, (void *)each);
	for (int i = 0; i < 8; i++)
		OK(-pthread_join(t[i], NULL));
	REQUIRE(stops == 8 * each);
	leave = 1;
	OK(-pthread_join(other, NULL));
}

/* From a thread's last deed: the destructor of its specific data. */
static pthread_key_t key;

static void last_deed(void *arg)
{
	(void)arg;
	stop_once();
}

static void *exit_soon(void *arg)
{
	pthread_setspecific(key, (void *)1);
	return arg;
}

void world_exiting(const char *arg)
{
	pthread_t other = start(count_on, 0);

	(void)arg;
	OK(-pthread_key_create(&key, last_deed));
	for (int i = 0; i < 100; i++) {
		pthread_t a = start(exit_soon, NULL), b = start(exit_soon, NULL);

		OK(-pthread_join(a, NULL));
		OK(-pthread_join(b, NULL));
	}
	REQUIRE(stops == 200);
	leave = 1;
	OK(-pthread_join(other, NULL));
}

/* From a signal handler, which may interrupt anything: also one who stops, or waits for it. */
static void on_signal(int sig)
{
	int saved = errno;

	(void)sig;
	stop_once();
	errno = saved;
}

static void *be_interrupted(void *arg)
{
	ready++;
	while (!leave)
		stop_once();
	return arg;
}

void world_in_handler(const char *arg)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	pthread_t t[3];

	(void)arg;
	OK(sigaction(SIGUSR1, &act, NULL));
	for (uintptr_t i = 0; i < 3; i++)
		t[i] = start(i == 0 ? count_on : be_interrupted, (void *)i);
	await_u("threads", &ready, 3);
	for (int i = 0; i < 300; i++) {
		OK(-pthread_kill(t[i % 3], SIGUSR1));
		pause_us(100);
	}
	leave = 1;
	for (int i = 0; i < 3; i++)
		OK(-pthread_join(t[i], NULL));
	REQUIRE(stops >= 3);
}

/* Threads that hold libc's locks most of the time; what they count a stopped world must not change. */
static void *hammer_malloc(void *arg)
{
	while (!leave) {
		void *p[32];

		for (size_t i = 0; i < 32; i++)
			p[i] = malloc(i * 5000 + 1);
		for (size_t i = 0; i < 32; i++)
			free(p[i]);
		count[(uintptr_t)arg]++;
	}
	return NULL;
}

static void *hammer_loader(void *arg)
{
	while (!leave) {
#ifdef __GLIBC__
		void *p = dlopen("libm.so.6", RTLD_NOW);

		if (p != NULL)
			dlclose(p);
#endif
		count[(uintptr_t)arg]++;
	}
	return NULL;
}

static void *hammer_stdio(void *arg)
{
	FILE *f = fopen("/dev/null", "w");

	REQUIRE(f != NULL);
	while (!leave) {
		fprintf(f, "%u\n", count[(uintptr_t)arg]++);
		fflush(NULL);
	}
	fclose(f);
	return NULL;
}

static void *nothing(void *arg)
{
	return arg;
}

static void *hammer_threads(void *arg)
{
	while (!leave) {
		OK(-pthread_join(start(nothing, NULL), NULL));
		count[(uintptr_t)arg]++;
	}
	return NULL;
}

void world_locks(const char *arg)
{
	void *(*run[])(void *) = {hammer_malloc, hammer_malloc,	 hammer_loader, hammer_loader,
				  hammer_stdio,	 hammer_threads, hammer_threads};
	pthread_t t[7];

	(void)arg;
	for (uintptr_t i = 0; i < 7; i++)
		t[i] = start(run[i], (void *)i);
	for (int i = 0; i < 200; i++) {
		struct stasis_world *w = stop_world();

		check_still(200);
		(void)!stasis_world_resume(w);
		pause_us(300);
	}
	leave = 1;
	for (int i = 0; i < 7; i++)
		OK(-pthread_join(t[i], NULL));
	for (int i = 0; i < 7; i++)
		REQUIRE(count[i] > 0);
}

/*
 * libc's own use of the signal: a call to all threads, which it waits for. Those who change ids share a counter: musl's
 * lock around such a call is not fair, and lets one of them wait for seconds while the other goes round.
 */
static void *change_ids(void *arg)
{
	ready++;
	while (!leave) {
		OK(setgid(getgid()));
		OK(setuid(getuid()));
		count[(uintptr_t)arg]++;
	}
	return NULL;
}

void world_setuid(const char *arg)
{
	pthread_t t[4];

	(void)arg;
	for (uintptr_t i = 0; i < 4; i++)
		t[i] = i < 2 ? start(change_ids, 0) : start(count_on, (void *)i);
	await_u("threads", &ready, 4);
	for (int i = 0; i < 300; i++) {
		struct stasis_world *w = stop_world();

		check_still(100);
		(void)!stasis_world_resume(w);
		if (i % 20 == 0)
			await_u("ids to change", &count[0], count[0] + 1);
		pause_us(100);
	}
	leave = 1;
	for (int i = 0; i < 4; i++)
		OK(-pthread_join(t[i], NULL));
	/* And with nobody stopping: the handler goes on to libc's. */
	OK(setuid(getuid()));
}

/* libc puts its own handler in place with the first thread and the first such call, after ours. */
void world_first_thread(const char *arg)
{
	pthread_t t;

	(void)arg;
	resume_world(stop_world());
	t = start(count_on, 0);
	await_u("thread", &ready, 1);
	stop_once();
	OK(setuid(getuid()));
	stop_once();
	leave = 1;
	OK(-pthread_join(t, NULL));
}

/* A main thread that has ended is in the list of threads for ever. */
static void *outlive_main(void *arg)
{
	pid_t pid = getpid();
	pthread_t t = start(count_on, 0);
	struct stasis_world *w;
	struct stasis_world_thread th;

	await_u("thread", &ready, 1);
	await_state(pid, "Z");
	for (int i = 0; i < 20; i++) {
		w = stop_world();
		check_still(50);
		REQUIRE(stasis_world_count(w) == 1);
		REQUIRE(!find_thread(w, pid, 0, &th));
		resume_world(w);
	}
	leave = 1;
	OK(-pthread_join(t, NULL));
	exit(0);
	return arg;
}

void world_dead_main(const char *arg)
{
	(void)arg;
	start(outlive_main, NULL);
	pthread_exit(NULL);
}

/* Children of a threaded parent that is just being stopped begin anew. */
static void *stop_on(void *arg)
{
	ready++;
	while (!leave)
		stop_once();
	return arg;
}

void world_fork(const char *arg)
{
	pthread_t t[3];
	uint64_t mask = 0, child_mask = 0;

	(void)arg;
	for (uintptr_t i = 0; i < 3; i++)
		t[i] = start(i < 2 ? stop_on : count_on, (void *)i);
	await_u("threads", &ready, 3);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask));
	for (int i = 0; i < 50; i++) {
		pid_t pid = (pid_t)OK(fork());
		int status;

		if (pid == 0) {
			alarm(20);
			start(count_on, (void *)1);
			await_u("thread", &count[1], count[1] + 1);
			stop_once();
			syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &child_mask, sizeof(child_mask));
			_exit(mask == child_mask ? 0 : 2);
		}
		REQUIRE(waitpid(pid, &status, 0) == pid);
		REQUIRE(status == 0);
	}
	leave = 1;
	for (int i = 0; i < 3; i++)
		OK(-pthread_join(t[i], NULL));
}

/* How many signals this user has in queues now: other processes of his count too. */
static unsigned queued(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	unsigned n = 0;

	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL && sscanf(line, "SigQ: %u", &n) != 1)
		;
	fclose(f);
	return n;
}

/* A queue of signals that holds fewer than there are threads. */
void world_queue(const char *arg)
{
	struct rlimit few = {queued() + 3, queued() + 3}, none = {0, 0};
	struct stasis_world_obstacle o;
	struct stasis_world_opts opts = {.size = sizeof(opts), .timeout_ms = 200, .keep_fd = -1, .obstacle = &o};
	struct stasis_world *w;
	pthread_t t[12];

	(void)arg;
	for (uintptr_t i = 0; i < 12; i++)
		t[i] = start(count_on, (void *)i);
	await_u("threads", &ready, 12);
	OK(setrlimit(RLIMIT_SIGPENDING, &few));
	for (int i = 0; i < 10; i++)
		stop_once();
	OK(setrlimit(RLIMIT_SIGPENDING, &none));
	REQUIRE(stasis_world_stop(&opts, &w) == -ETIMEDOUT);
	REQUIRE(o.queue_full && o.tid != 0);
	leave = 1;
	for (int i = 0; i < 12; i++)
		OK(-pthread_join(t[i], NULL));
}

/* Every descriptor in use. */
void world_no_files(const char *arg)
{
	pthread_t t[6];
	int fds[64], n = 0;
	struct rlimit few = {64, 64};

	(void)arg;
	OK(setrlimit(RLIMIT_NOFILE, &few));
	for (uintptr_t i = 0; i < 6; i++)
		t[i] = start(count_on, (void *)i);
	await_u("threads", &ready, 6);
	while (n < 64 && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	REQUIRE(errno == EMFILE);
	for (int i = 0; i < 20; i++) {
		struct stasis_world *w = stop_world();

		REQUIRE(stasis_world_count(w) == 6);
		check_still(50);
		resume_world(w);
	}
	while (n > 0)
		close(fds[--n]);
	leave = 1;
	for (int i = 0; i < 6; i++)
		OK(-pthread_join(t[i], NULL));
}

static void *resume_others(void *arg)
{
	/* Started before; runs while the world is not stopped. */
	REQUIRE(stasis_world_resume(arg) == -EPERM);
	return NULL;
}

void world_misuse(const char *arg)
{
	struct stasis_world_opts opts = {.size = sizeof(opts) - 1};
	struct stasis_world_thread t;
	struct stasis_world *w = NULL, *again = NULL;
	sigset_t before, after;
	uint64_t at;

	(void)arg;
	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	OK(-pthread_sigmask(SIG_SETMASK, &before, NULL));
	REQUIRE(stasis_world_stop(&opts, &w) == -EINVAL);
	opts.size = sizeof(opts);
	opts.flags = 1u << 31;
	REQUIRE(stasis_world_stop(&opts, &w) == -EINVAL && w == NULL);
	OK(stasis_world_stop(NULL, &w));
	REQUIRE(stasis_world_count(w) == 0);
	REQUIRE(stasis_world_stop(NULL, &again) == -EDEADLK && again == NULL);
	REQUIRE(stasis_world_thread(w, 0, 0, &t) == -EINVAL);
	REQUIRE(stasis_world_thread_tls(w, 0, 1, &at) == -EINVAL);
	OK(stasis_world_resume(w));
	REQUIRE(stasis_world_resume(w) == -EPERM);
	OK(-pthread_join(start(resume_others, w), NULL));
	OK(-pthread_sigmask(SIG_BLOCK, NULL, &after));
	REQUIRE(sigismember(&after, SIGUSR1) == 1 && sigismember(&after, SIGUSR2) == 0);
}
