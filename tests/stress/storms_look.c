/* SPDX-License-Identifier: BSD-2-Clause */
/* Storms: looking at processes from outside. */
#include "storms.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXITING_FLAG = 0x4 /* PF_EXITING of the kernel */ };

struct task {
	char state;
	unsigned long flags;
};

/* One read of a small /proc file. Length, or -1 if it is gone. */
static ssize_t slurp(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, buf, cap - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

static bool task_look(pid_t pid, pid_t tid, struct task *ret)
{
	char path[64], text[1024];

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	if (slurp(path, text, sizeof text) <= 0)
		return false;
	const char *p = strrchr(text, ')');
	return p && sscanf(p + 2, "%c %*d %*d %*d %*d %*d %lu", &ret->state, &ret->flags) == 2;
}

typedef void (*task_fn)(void *arg, pid_t pid, pid_t tid);

static void each_task(pid_t pid, task_fn fn, void *arg)
{
	char path[64];
	struct dirent *e;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);
	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			fn(arg, pid, atoi(e->d_name));
	closedir(dir);
}

/* --- stuck ------------------------------------------------------------------------------- */

void storm_stuck(struct storm *st)
{
	fprintf(stderr, "stuck; counter %" PRIu64 " births %" PRIu64 " gate %u/%u done %u: %s\n",
		atomic_load(&st->sh->counter), atomic_load(&st->sh->births), atomic_load(&st->sh->at_gate),
		atomic_load(&st->sh->open_gate), atomic_load(&st->sh->done), st->sh->failure);
	if (getenv("STASIS_STRESS_FREEZE")) {
		fprintf(stderr, "process %d waits for a debugger\n", (int)getpid());
		for (;;)
			pause();
	}
	sts_describe_tracees(st->s);
}

/* --- at rest -------------------------------------------------------------------------------- */

struct rest {
	struct storm *st;
	unsigned held;
	char complaint[200];
};

/* No user code runs in it any more, nor before it is resumed. */
static bool rests(pid_t pid, pid_t tid, struct task *ret)
{
	return !task_look(pid, tid, ret) || strchr("tZX", ret->state) || (ret->flags & EXITING_FLAG);
}

/* On its way in the kernel: to its end, its stop, or back to sleep. That must come before long, nobody resuming it. */
static bool calms_down(pid_t pid, pid_t tid)
{
	uint64_t deadline = sts_now_ms() + sts_bound_ms();
	struct task task;

	while (!rests(pid, tid, &task) && task.state == 'R') {
		if (sts_now_ms() > deadline)
			return false;
		sched_yield();
	}
	return true;
}

static void rest_task(void *arg, pid_t pid, pid_t tid)
{
	struct rest *rest = arg;
	struct stasis_lwp_info info;
	struct task task;

	if (rests(pid, tid, &task))
		return;
	int r = stasis_lwp_info_get(rest->st->s, tid, &info);
	if (r == STASIS_E_NOT_TRACED && !task_look(pid, tid, &task))
		return; /* it was dying, and has been collected since the first look */
	bool held = r == 0 && info.state == STASIS_STATE_UNREACHABLE;
	bool dying = r == STASIS_E_GONE || (r == 0 && info.state == STASIS_STATE_EXITING);
	if ((held || dying) && calms_down(pid, tid)) {
		rest->held += held;
		return;
	}
	snprintf(rest->complaint, sizeof rest->complaint,
		 "LWP %d of %d is in state %c while the process is said to rest (session: %s, state %d)", (int)tid,
		 (int)pid, task.state, r < 0 ? stasis_error_name(r) : "known", r < 0 ? 0 : info.state);
}

unsigned storm_check_rest(struct storm *st, pid_t pid)
{
	uint64_t before = atomic_load(&st->sh->counter);
	struct rest rest = {.st = st};

	each_task(pid, rest_task, &rest);
	sched_yield(); /* to whoever should not run */
	uint64_t after = atomic_load(&st->sh->counter);
	if (before != after)
		atf_tc_fail("process %d is said to rest but the counter went from %" PRIu64 " to %" PRIu64 " (%s)",
			    (int)pid, before, after, rest.complaint);
	if (rest.complaint[0])
		atf_tc_fail("%s", rest.complaint);
	return rest.held;
}

static void free_task(void *arg, pid_t pid, pid_t tid)
{
	uint64_t deadline = sts_now_ms() + sts_bound_ms();
	struct task task;
	pid_t tracer;

	/* A running LWP is let go at its next stop, one that was let go in a stop needs the CPU to leave it. */
	do {
		tracer = sts_proc_tracer(tid);
		if (!task_look(pid, tid, &task) || (tracer <= 0 && !strchr("tT", task.state)))
			return;
		sched_yield();
	} while (sts_now_ms() < deadline);
	atf_tc_fail("LWP %d of %d, let go, is in state %c, tracer %d", (int)tid, (int)pid, task.state, (int)tracer);
}

void storm_check_free(pid_t pid)
{
	each_task(pid, free_task, NULL);
}

/* --- text -------------------------------------------------------------------------------------- */

static void compare(int mem, int file, uint64_t addr, uint64_t offset, uint64_t len)
{
	char *a = malloc(len), *b = malloc(len);

	ATF_REQUIRE(a && b);
	ssize_t n = pread(mem, a, len, (off_t)addr), m = pread(file, b, len, (off_t)offset);
	ATF_REQUIRE(n == (ssize_t)len && m > 0);
	for (ssize_t i = 0; i < m; i++)
		if (a[i] != b[i])
			atf_tc_fail("text at %#" PRIx64 " is %#x and not %#x", addr + (uint64_t)i, a[i] & 0xff,
				    b[i] & 0xff);
	free(a);
	free(b);
}

/* The executable mappings of the program itself. */
static void check_text(FILE *maps, const char *exe, int mem, int file)
{
	uint64_t start, end, offset;
	char line[PATH_MAX + 128], perms[8], path[PATH_MAX];
	unsigned seen = 0;

	while (fgets(line, sizeof line, maps)) {
		path[0] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %4095[^\n]", &start, &end, perms,
			   &offset, path) < 4 ||
		    perms[2] != 'x' || strcmp(path, exe))
			continue;
		compare(mem, file, start, offset, end - start);
		seen++;
	}
	ATF_REQUIRE(seen > 0);
}

void storm_check_text(pid_t pid)
{
	char path[64], exe[PATH_MAX];

	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	ssize_t n = STS_SYS(readlink(path, exe, sizeof exe - 1));
	exe[n] = '\0';
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	int mem = (int)STS_SYS(open(path, O_RDONLY | O_CLOEXEC));
	int file = (int)STS_SYS(open(exe, O_RDONLY | O_CLOEXEC));
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	ATF_REQUIRE(maps);
	check_text(maps, exe, mem, file);
	fclose(maps);
	close(mem);
	close(file);
}

/* --- ends ----------------------------------------------------------------------------------------- */

void storm_check_target(const struct storm *st)
{
	if (atomic_load(&st->sh->failures))
		atf_tc_fail("the target complains %u times, first: %s", atomic_load(&st->sh->failures),
			    st->sh->failure);
	ATF_REQUIRE_MSG(atomic_load(&st->sh->done), "the target ended before its work was done");
}

void storm_collect_child(pid_t pid, int status)
{
	int seen;
	pid_t r = waitpid(pid, &seen, __WALL);

	/* A direct session is the parent itself: there is one wait for both. */
	if (r < 0 && errno == ECHILD && sts_kind() == STS_DIRECT)
		return;
	if (r != pid || seen != status)
		atf_tc_fail("waitpid(%d) gives %d, status %#x where %#x was due", (int)pid, (int)r, (unsigned)seen,
			    (unsigned)status);
}
