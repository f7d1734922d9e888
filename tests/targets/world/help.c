// SPDX-License-Identifier: BSD-2-Clause
#include "world.h"

#include <dirent.h>

enum { PATIENCE_S = 10, STACK = 65536 };

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

pid_t own_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static int try_start(pthread_t *t, bool detached, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	if (detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(t, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return r;
}

pthread_t start(void *(*run)(void *), void *arg)
{
	pthread_t t;

	OK(-try_start(&t, false, run, arg));
	return t;
}

/* Threads that come and go faster than the kernel lets their ids and memory go may fail for a moment. */
void start_detached(void *(*run)(void *), void *arg)
{
	uint64_t until = now_ns() + PATIENCE_S * 1000000000ull;
	pthread_t t;
	int r;

	while ((r = try_start(&t, true, run, arg)) == EAGAIN && now_ns() < until)
		sched_yield();
	OK(-r);
}

void await_u(const char *what, _Atomic unsigned *word, unsigned value)
{
	uint64_t until = now_ns() + PATIENCE_S * 1000000000ull;

	while (*word < value) {
		if (now_ns() > until)
			fail("waiting for %s: it is %u, not %u", what, *word, value);
		pause_us(100);
	}
}

void linger(unsigned us)
{
	uint64_t until = now_ns() + us * 1000ull;

	while (now_ns() < until)
		;
}

void pause_us(unsigned us)
{
	struct timespec t = {0, (long)us * 1000};

	nanosleep(&t, NULL);
}

struct stasis_world *stop_world(void)
{
	struct stasis_world_obstacle o = {0};
	struct stasis_world_opts opts = {.size = sizeof(opts), .obstacle = &o, .keep_fd = -1, .timeout_ms = 10000};
	struct stasis_world *w = NULL;
	int r;

	errno = 4711;
	r = stasis_world_stop(&opts, &w);
	if (r == -ETIMEDOUT)
		fail("thread %d (%s) does not come to rest: state %d%s%s, other %d", o.tid, o.name, o.state,
		     o.blocked ? ", blocked" : "", o.queue_full ? ", queue full" : "", o.other);
	if (r < 0)
		fail("stasis_world_stop: %s", strerror(-r));
	REQUIRE(errno == 4711);
	return w;
}

void resume_world(struct stasis_world *w)
{
	int r = stasis_world_resume(w);

	if (r != 0)
		fail("stasis_world_resume: %d", r);
	REQUIRE(errno == 4711);
}

bool find_thread(struct stasis_world *w, pid_t tid, unsigned want, struct stasis_world_thread *ret)
{
	size_t n = stasis_world_count(w);

	for (size_t i = 0; i < n; i++) {
		OK(stasis_world_thread(w, i, 0, ret));
		if (ret->tid == tid) {
			OK(stasis_world_thread(w, i, want, ret));
			return true;
		}
	}
	return false;
}

/* Where /proc is that of an outer pid namespace threads have other numbers there: the last is the newest. */
static void find_task(pid_t tid, char path[64])
{
	struct dirent *e;
	long outer = tid;
	DIR *d;

	snprintf(path, 64, "/proc/self/task/%d/stat", tid);
	if (access(path, F_OK) == 0)
		return;
	d = opendir("/proc/self/task");
	REQUIRE(d != NULL);
	while ((e = readdir(d)) != NULL)
		outer = strtol(e->d_name, NULL, 10);
	closedir(d);
	snprintf(path, 64, "/proc/self/task/%ld/stat", outer);
}

void await_state(pid_t tid, const char *letters)
{
	uint64_t until = now_ns() + PATIENCE_S * 1000000000ull;
	char path[64], text[512];

	find_task(tid, path);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
		const char *p;

		if (fd >= 0)
			close(fd);
		text[n > 0 ? n : 0] = '\0';
		p = strrchr(text, ')');
		if (p != NULL && strchr(letters, p[2]) != NULL)
			return;
		if (now_ns() > until)
			fail("thread %d is not in state %s: %s", tid, letters, p != NULL ? p : "?");
		pause_us(200);
	}
}

void require_sp(const struct stasis_world_thread *t, const void *start, size_t size)
{
	if (t->sp - (uintptr_t)start > size)
		fail("thread %d in state %d: sp %#llx is not in [%p, +%#zx)", t->tid, t->state,
		     (unsigned long long)t->sp, start, size);
}
