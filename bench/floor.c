/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bare ptrace floor: for each measure the shortest loop of kernel calls
 * that does the job for one known target, with no state kept, no other event
 * expected and nothing decoded. What any tracer does beyond it is its own cost.
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FLOOR_STEPS = 50, FLOOR_STOPS = 20, FLOOR_SPAWNS = 4 };

#define FLOOR_OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC)
#define FLOOR_BIRTHS (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORKDONE)

static long request(int what, pid_t tid, uintptr_t addr, uintptr_t data)
{
	return ptrace((enum __ptrace_request)what, tid, (void *)addr, (void *)data);
}

static int wait_stop(pid_t tid)
{
	int status;

	bench_need(waitpid(tid, &status, __WALL) == tid);
	return status;
}

static void seize(pid_t tid, unsigned long options)
{
	bench_need(!request(PTRACE_SEIZE, tid, 0, options));
}

static void interrupt(pid_t tid)
{
	bench_need(!request(PTRACE_INTERRUPT, tid, 0, 0));
}

static void proceed(int how, pid_t tid, int signal)
{
	bench_need(!request(how, tid, 0, (uintptr_t)signal));
}

/* --- stopping and attaching any number of LWPs --- */

struct tid_list {
	pid_t *tids;
	size_t count;
	size_t capacity;
};

static void tid_add(struct tid_list *list, pid_t tid)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? list->capacity * 2 : 64;
		list->tids = reallocarray(list->tids, list->capacity, sizeof(pid_t));
		bench_need(list->tids);
	}
	list->tids[list->count++] = tid;
}

static int by_tid(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

/* One pass over the task directory; seizes what is not in the sorted list. Returns how many that were. */
static size_t seize_pass(DIR *dir, struct tid_list *list, size_t *listed)
{
	size_t known = list->count;
	struct dirent *entry;

	*listed = 0;
	rewinddir(dir);
	while ((entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid <= 0)
			continue;
		++*listed;
		if (known && bsearch(&tid, list->tids, known, sizeof(pid_t), by_tid))
			continue;
		if (request(PTRACE_SEIZE, tid, 0, FLOOR_OPTIONS | PTRACE_O_TRACECLONE))
			continue;
		interrupt(tid);
		tid_add(list, tid);
	}
	if (list->count > known)
		qsort(list->tids, list->count, sizeof(pid_t), by_tid);
	return list->count - known;
}

static void wait_all(const struct tid_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		wait_stop(list->tids[i]);
}

/* Even a floor must not leave threads running: pass again until nothing is new and the listing was whole. */
static void attach_all(pid_t pid, struct tid_list *list)
{
	char path[64];
	struct stat st;
	size_t listed;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *dir = opendir(path);

	bench_need(dir);
	list->count = 0;
	do {
		while (seize_pass(dir, list, &listed))
			continue;
		bench_need(!fstat(dirfd(dir), &st));
	} while (listed != st.st_nlink - 2);
	closedir(dir);
	wait_all(list);
}

static void get_registers(const struct tid_list *list)
{
	struct user_regs_struct regs;

	for (size_t i = 0; i < list->count; i++)
		bench_need(!request(PTRACE_GETREGS, list->tids[i], 0, (uintptr_t)&regs));
}

static void detach_all(const struct tid_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		proceed(PTRACE_DETACH, list->tids[i], 0);
}

static const char *mode_of(const struct bench_run *run)
{
	return strstr(run->measure, "busy") ? "busy" : "idle";
}

static void check_count(const struct bench_run *run, size_t count)
{
	if (count != run->lwps)
		bench_die("%zu LWPs found, not %u", count, run->lwps);
}

static void measure_stop(const struct bench_run *run)
{
	struct bench_target target;
	struct bench_samples samples;
	struct tid_list list = {0};

	bench_target_lwps(&target, mode_of(run), run);
	attach_all(target.pid, &list);
	check_count(run, list.count);
	for (size_t i = 0; i < list.count; i++)
		proceed(PTRACE_CONT, list.tids[i], 0);
	bench_samples_init(&samples, run);
	unsigned batch = run->lwps == 1 ? FLOOR_STOPS : 1;

	while (bench_samples_more(&samples)) {
		uint64_t begin = bench_now_ns();

		for (unsigned n = 0; n < batch; n++) {
			for (size_t i = 0; i < list.count; i++)
				interrupt(list.tids[i]);
			wait_all(&list);
			for (size_t i = 0; i < list.count; i++)
				proceed(PTRACE_CONT, list.tids[i], 0);
		}
		bench_samples_add(&samples, (double)(bench_now_ns() - begin) / batch);
	}
	bench_samples_report(&samples);
	bench_target_kill(&target);
}

static void measure_attach(const struct bench_run *run)
{
	struct bench_target target;
	struct bench_samples samples;
	struct tid_list list = {0};

	bench_target_lwps(&target, mode_of(run), run);
	bench_samples_init(&samples, run);
	while (bench_samples_more(&samples)) {
		uint64_t begin = bench_now_ns();

		attach_all(target.pid, &list);
		get_registers(&list);
		detach_all(&list);
		bench_samples_add(&samples, (double)(bench_now_ns() - begin));
		check_count(run, list.count);
	}
	bench_samples_report(&samples);
	bench_target_kill(&target);
}

/* --- stepping and breakpoints --- */

static void seize_stopped(pid_t pid, unsigned long options)
{
	seize(pid, options);
	interrupt(pid);
	wait_stop(pid);
}

static void measure_step(const struct bench_run *run)
{
	struct bench_target target;
	struct bench_samples samples;

	bench_target_lwps(&target, "busy", run);
	seize_stopped(target.pid, FLOOR_OPTIONS);
	bench_samples_init(&samples, run);
	while (bench_samples_more(&samples)) {
		uint64_t begin = bench_now_ns();

		for (unsigned n = 0; n < FLOOR_STEPS; n++) {
			proceed(PTRACE_SINGLESTEP, target.pid, 0);
			if (WSTOPSIG(wait_stop(target.pid)) != SIGTRAP)
				bench_die("no step");
		}
		bench_samples_add(&samples, (double)(bench_now_ns() - begin) / FLOOR_STEPS);
	}
	bench_samples_report(&samples);
	bench_target_kill(&target);
}

static void poke(pid_t pid, uint64_t addr, uint64_t word)
{
	bench_need(!request(PTRACE_POKEDATA, pid, addr, word));
}

struct site {
	uint64_t addr;
	uint64_t original;
	uint64_t planted;
};

static void site_plant(pid_t pid, struct site *site)
{
	errno = 0;
	site->original = (uint64_t)request(PTRACE_PEEKTEXT, pid, site->addr, 0);
	bench_need(!errno);
	site->planted = (site->original & ~UINT64_C(0xff)) | 0xcc;
	poke(pid, site->addr, site->planted);
}

/* Put the PC right, take the int3 out, step, put it in. */
static void pass_by_step(pid_t pid, const struct site *site, struct user_regs_struct *regs)
{
	regs->rip = site->addr;
	bench_need(!request(PTRACE_SETREGS, pid, 0, (uintptr_t)regs));
	poke(pid, site->addr, site->original);
	proceed(PTRACE_SINGLESTEP, pid, 0);
	wait_stop(pid);
	poke(pid, site->addr, site->planted);
}

/* push %rbp done by hand; the PC stands behind the one-byte int3 and so behind the one-byte push. */
static void pass_by_emulation(pid_t pid, const struct site *site, struct user_regs_struct *regs)
{
	regs->rip = site->addr + 1;
	regs->rsp -= 8;
	poke(pid, regs->rsp, regs->rbp);
	bench_need(!request(PTRACE_SETREGS, pid, 0, (uintptr_t)regs));
}

static void measure_break(const struct bench_run *run)
{
	struct bench_target target;
	struct user_regs_struct regs;
	unsigned long hits = 0;

	bench_target_job(&target, run);
	struct site site = {.addr = target.sites[bench_site_index(run->measure)]};
	bool emulate = !strcmp(run->kind, "emulate");

	if (emulate && strcmp(run->measure, "break-push"))
		bench_die("only break-push can be emulated by hand");
	seize_stopped(target.pid, FLOOR_OPTIONS);
	site_plant(target.pid, &site);
	bench_target_go(&target);
	proceed(PTRACE_CONT, target.pid, 0);
	while (WIFSTOPPED(wait_stop(target.pid))) {
		bench_need(!request(PTRACE_GETREGS, target.pid, 0, (uintptr_t)&regs));
		if (regs.rip != site.addr + 1)
			bench_die("stop at %llx", regs.rip);
		hits++;
		(emulate ? pass_by_emulation : pass_by_step)(target.pid, &site, &regs);
		proceed(PTRACE_CONT, target.pid, 0);
	}
	bench_target_report(&target, hits);
}

/* --- system calls, signals, births --- */

static void measure_syscall(const struct bench_run *run)
{
	struct bench_target target;
	struct __ptrace_syscall_info info;
	unsigned long seen = 0;

	bench_target_job(&target, run);
	seize_stopped(target.pid, FLOOR_OPTIONS);
	bench_target_go(&target);
	proceed(PTRACE_SYSCALL, target.pid, 0);
	while (WIFSTOPPED(wait_stop(target.pid))) {
		bench_need(request(PTRACE_GET_SYSCALL_INFO, target.pid, sizeof(info), (uintptr_t)&info) > 0);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_getpid)
			seen++;
		proceed(PTRACE_SYSCALL, target.pid, 0);
	}
	bench_target_report(&target, seen);
}

static void measure_signal(const struct bench_run *run)
{
	struct bench_target target;
	siginfo_t info;
	unsigned long seen = 0;
	int status;

	bench_target_job(&target, run);
	seize_stopped(target.pid, FLOOR_OPTIONS);
	bench_target_go(&target);
	proceed(PTRACE_CONT, target.pid, 0);
	while (WIFSTOPPED(status = wait_stop(target.pid))) {
		bench_need(!request(PTRACE_GETSIGINFO, target.pid, 0, (uintptr_t)&info));
		seen += info.si_signo == SIGUSR1;
		proceed(PTRACE_CONT, target.pid, WSTOPSIG(status));
	}
	bench_target_report(&target, seen);
}

/* Births come as the parent's event and, before or after it, the child's first stop. */
static void pass_birth_stop(pid_t tid, int status, unsigned long *births)
{
	unsigned long message;
	int event = status >> 16;

	if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
		bench_need(!request(PTRACE_GETEVENTMSG, tid, 0, (uintptr_t)&message));
		++*births;
	}
	/* A process may be killed at any time; here none is, except that an exec or exit of others ends threads. */
	if (request(PTRACE_CONT, tid, 0, event ? 0 : (uintptr_t)WSTOPSIG(status)) && errno != ESRCH)
		bench_die("cont: %m");
}

static void measure_birth(const struct bench_run *run)
{
	struct bench_target target;
	unsigned long births = 0;
	pid_t tid;
	int status;

	bench_target_job(&target, run);
	seize_stopped(target.pid, FLOOR_OPTIONS | FLOOR_BIRTHS);
	bench_target_go(&target);
	proceed(PTRACE_CONT, target.pid, 0);
	for (;;) {
		tid = waitpid(-1, &status, __WALL);
		bench_need(tid > 0);
		if (WIFSTOPPED(status))
			pass_birth_stop(tid, status, &births);
		else if (tid == target.pid)
			break;
	}
	bench_target_report(&target, births);
}

/* --- launching --- */

static pid_t launch_traced(const char *path)
{
	char *const argv[] = {(char *)path, NULL};
	pid_t pid = vfork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(path, argv);
		_exit(127);
	}
	bench_need(pid > 0);
	return pid;
}

static void measure_launch(const struct bench_run *run)
{
	char *path = bench_sibling("bench-nothing");
	struct bench_samples samples;

	bench_samples_init(&samples, run);
	while (bench_samples_more(&samples)) {
		uint64_t begin = bench_now_ns();

		for (unsigned n = 0; n < FLOOR_SPAWNS; n++) {
			pid_t pid = launch_traced(path);

			if (!WIFSTOPPED(wait_stop(pid)))
				bench_die("no stop after exec");
			bench_need(!request(PTRACE_SETOPTIONS, pid, 0, FLOOR_OPTIONS | PTRACE_O_EXITKILL));
			proceed(PTRACE_CONT, pid, 0);
			if (!WIFEXITED(wait_stop(pid)))
				bench_die("no exit");
		}
		bench_samples_add(&samples, (double)(bench_now_ns() - begin) / FLOOR_SPAWNS);
	}
	bench_samples_report(&samples);
	free(path);
}

int main(int argc, char **argv)
{
	static const struct bench_measure measures[] = {
		{"stop-idle", measure_stop},       {"stop-busy", measure_stop},     {"attach-idle", measure_attach},
		{"attach-busy", measure_attach},   {"step", measure_step},          {"break-push", measure_break},
		{"break-memory", measure_break},   {"break-riprel", measure_break}, {"syscall", measure_syscall},
		{"signal", measure_signal},        {"fork", measure_birth},         {"vfork", measure_birth},
		{"fork-exec", measure_birth},      {"posix-spawn", measure_birth},  {"thread", measure_birth},
		{"launch", measure_launch},        {NULL, NULL},
	};

	return bench_main(argc, argv, measures);
}
