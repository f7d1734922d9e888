// SPDX-License-Identifier: BSD-2-Clause
/* What a case must give back: descriptors, threads, children, its signal mask. Looked at from inside. */
#include "supervise.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_FDS = 1024,
	MAX_CHILDREN = 64,
	/* pthread_join() returns a moment before the thread has left the process: the wait for that, bounded. */
	THREAD_GRACE_MS = 2000,
};

struct fd_entry {
	int fd;
	char link[80];
	dev_t dev;
	ino_t ino;
};

static struct {
	struct sts_verdict *verdict;
	pid_t pid;
	unsigned threads;
	sigset_t mask;
	struct fd_entry fds[MAX_FDS];
	size_t fd_count;
} watch;

static size_t read_fds(struct fd_entry *fds, size_t cap)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	size_t n = 0;

	if (dir == NULL)
		return 0;
	while (n < cap && (e = readdir(dir)) != NULL) {
		int fd = atoi(e->d_name);
		struct stat st = {0};
		ssize_t len;

		if (e->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		fstat(fd, &st);
		fds[n].dev = st.st_dev;
		fds[n].ino = st.st_ino;
		len = readlinkat(dirfd(dir), e->d_name, fds[n].link, sizeof(fds[n].link) - 1);
		fds[n].link[len < 0 ? 0 : len] = '\0';
		fds[n++].fd = fd;
	}
	closedir(dir);
	return n;
}

static unsigned count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	unsigned n = 0;

	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static const struct fd_entry *find_fd(const struct fd_entry *fds, size_t n, int fd)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i].fd == fd)
			return &fds[i];
	}
	return NULL;
}

/* What has a path is known by its inode: seen from another root or mount namespace, or renamed, its name is another. */
static bool is_same(const struct fd_entry *a, const struct fd_entry *b)
{
	return a->dev == b->dev && a->ino == b->ino && (a->link[0] == '/' || strcmp(a->link, b->link) == 0);
}

#define FINDING(...)                                                                                                   \
	do {                                                                                                           \
		char *buf_ = watch.verdict->findings;                                                                  \
		size_t size_ = sizeof(watch.verdict->findings);                                                        \
		if (buf_[0] != '\0')                                                                                   \
			sts_append(buf_, size_, "; ");                                                                 \
		sts_append(buf_, size_, __VA_ARGS__);                                                                  \
	} while (0)

static void check_fds(void)
{
	static struct fd_entry now[MAX_FDS];
	size_t n = read_fds(now, MAX_FDS);

	for (size_t i = 0; i < n; i++) {
		const struct fd_entry *then = find_fd(watch.fds, watch.fd_count, now[i].fd);

		if (then == NULL)
			FINDING("descriptor %d (%s) was left open", now[i].fd, now[i].link);
		else if (!is_same(then, &now[i]))
			FINDING("descriptor %d was %s and is now %s", now[i].fd, then->link, now[i].link);
	}
	for (size_t i = 0; i < watch.fd_count; i++) {
		if (find_fd(now, n, watch.fds[i].fd) == NULL)
			FINDING("descriptor %d (%s) was closed", watch.fds[i].fd, watch.fds[i].link);
	}
}

static void check_children(void)
{
	struct sts_proc procs[MAX_CHILDREN];
	size_t n = sts_procs_below(watch.pid, procs, MAX_CHILDREN);

	for (size_t i = 0; i < n; i++)
		FINDING("%s %d (%s) was left in state %c", procs[i].parent == watch.pid ? "child" : "descendant",
			(int)procs[i].pid, procs[i].name, procs[i].state);
}

static void check_threads(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t deadline = sts_now_ms() + THREAD_GRACE_MS;
	unsigned n;

	while ((n = count_threads()) > watch.threads && sts_now_ms() < deadline)
		nanosleep(&pause, NULL);
	if (n > watch.threads)
		FINDING("%u threads were left", n - watch.threads);
}

static void check_mask(void)
{
	sigset_t now;

	sigprocmask(SIG_SETMASK, NULL, &now);
	for (int s = 1; s < SIGRTMAX; s++) {
		if (sigismember(&now, s) != sigismember(&watch.mask, s))
			FINDING("signal %d was left %s", s, sigismember(&now, s) == 1 ? "blocked" : "unblocked");
	}
}

void sts_watch_end(void)
{
	if (watch.verdict == NULL || watch.pid != getpid()) /* a fork of the body comes here through exit() too */
		return;
	check_threads();
	check_children();
	check_fds();
	check_mask();
	watch.verdict = NULL;
}

#ifdef __SANITIZE_THREAD__
static void *nothing(void *arg)
{
	return arg;
}

/* The sanitizer starts a thread of its own beside the first one of the program: let it do so before we count. */
static void start_sanitizer_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
}
#else
static void start_sanitizer_thread(void)
{
}
#endif

void sts_watch_begin(struct sts_verdict *verdict)
{
	start_sanitizer_thread();
	watch.verdict = verdict;
	watch.pid = getpid();
	watch.threads = count_threads();
	sigprocmask(SIG_SETMASK, NULL, &watch.mask);
	watch.fd_count = read_fds(watch.fds, MAX_FDS);
	atexit(sts_watch_end);
}
