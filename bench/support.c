/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LEAST_SAMPLES = 3, LIFETIME_SECONDS = 120 };

void bench_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

char *bench_sibling(const char *name)
{
	char self[4096];
	char *path = NULL;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	bench_need(len > 0);
	self[len] = '\0';
	*strrchr(self, '/') = '\0';
	bench_need(asprintf(&path, "%s/%s", self, name) > 0);
	return path;
}

/* One byte at a time: what follows the line is not ours to take. Lines are rare and short. */
static void read_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	while (len + 1 < size) {
		ssize_t n = read(fd, line + len, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1)
			bench_die("the target ended without a word");
		if (line[len] == '\n')
			break;
		len++;
	}
	line[len] = '\0';
}

static void target_exec(const char *mode, unsigned number, int input, int output)
{
	char *path = bench_sibling("bench-target");
	char digits[16];

	snprintf(digits, sizeof(digits), "%u", number);
	setpgid(0, 0); /* gdbserver interrupts by SIGINT to a process group it takes for led by the target */
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	execl(path, path, mode, digits, NULL);
	_exit(127);
}

void bench_target_start(struct bench_target *target, const char *mode, unsigned number)
{
	int in[2], out[2];
	char line[256];

	bench_need(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
	target->pid = fork();
	bench_need(target->pid >= 0);
	if (target->pid == 0)
		target_exec(mode, number, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	target->to = in[1];
	target->from = out[0];
	read_line(target->from, line, sizeof(line));
	if (sscanf(line, "ready %lx %lx %lx", &target->sites[0], &target->sites[1], &target->sites[2]) != 3)
		bench_die("unexpected answer of the target: %s", line);
}

void bench_target_go(const struct bench_target *target)
{
	bench_need(write(target->to, "g", 1) == 1);
}

void bench_target_job(struct bench_target *target, const struct bench_run *run)
{
	bench_target_start(target, run->measure, run->budget_ms);
}

/* A thread still on its way to sleep would be measured as a running one: wait until /proc shows the last one asleep. */
static void await_sleep(pid_t pid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (int tries = 0; tries < 100000; tries++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		close(fd);
		bench_need(n > 0);
		text[n] = '\0';
		if (!strncmp(text, "34 ", 3)) /* pause */
			return;
		sched_yield();
	}
	bench_die("the target does not go to sleep");
}

void bench_target_lwps(struct bench_target *target, const char *mode, const struct bench_run *run)
{
	bench_target_start(target, mode, run->lwps);
	bench_target_go(target);
	if (!strcmp(mode, "idle"))
		await_sleep(target->pid);
}

static void target_close(struct bench_target *target)
{
	close(target->to);
	close(target->from);
}

void bench_target_kill(struct bench_target *target)
{
	pid_t pid;

	kill(target->pid, SIGKILL);
	/* Threads that we trace must be collected before their leader can be. */
	do {
		pid = waitpid(-1, NULL, __WALL);
	} while (pid != target->pid && (pid > 0 || errno == EINTR));
	target_close(target);
}

unsigned bench_site_index(const char *measure)
{
	static const char *const names[] = {"break-push", "break-memory", "break-riprel"};

	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(measure, names[i]))
			return i;
	bench_die("no breakpoint site for '%s'", measure);
}

void bench_samples_init(struct bench_samples *samples, const struct bench_run *run)
{
	memset(samples, 0, sizeof(*samples));
	samples->deadline = bench_now_ns() + run->budget_ms * UINT64_C(1000000);
}

bool bench_samples_more(const struct bench_samples *samples)
{
	return samples->count < LEAST_SAMPLES || bench_now_ns() < samples->deadline;
}

void bench_samples_add(struct bench_samples *samples, double ns)
{
	if (samples->count == samples->capacity) {
		samples->capacity = samples->capacity ? samples->capacity * 2 : 1024;
		samples->ns = reallocarray(samples->ns, samples->capacity, sizeof(double));
		bench_need(samples->ns);
	}
	samples->ns[samples->count++] = ns;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

void bench_samples_report(struct bench_samples *samples)
{
	qsort(samples->ns, samples->count, sizeof(double), by_value);
	printf("{\"ns\": %.1f, \"p10\": %.1f, \"p90\": %.1f, \"count\": %zu}\n", samples->ns[samples->count / 2],
	       samples->ns[samples->count / 10], samples->ns[samples->count * 9 / 10], samples->count);
	free(samples->ns);
}

void bench_target_report(struct bench_target *target, unsigned long seen)
{
	char line[256];
	unsigned long done;
	double ns;

	read_line(target->from, line, sizeof(line));
	if (sscanf(line, "result %lf %lu", &ns, &done) != 2)
		bench_die("unexpected answer of the target: %s", line);
	if (seen != done)
		bench_die("the target did %lu operations, %lu were seen", done, seen);
	printf("{\"ns\": %.1f, \"count\": %lu}\n", ns, done);
	target_close(target);
}

__attribute__((noreturn)) static void usage(const struct bench_measure *measures)
{
	fprintf(stderr, "usage: %s [-k KIND] [-n LWPS] [-t MILLISECONDS] MEASURE\nmeasures:",
		program_invocation_short_name);
	for (; measures->name; measures++)
		fprintf(stderr, " %s", measures->name);
	fputc('\n', stderr);
	exit(2);
}

int bench_main(int argc, char **argv, const struct bench_measure *measures)
{
	struct bench_run run = {.kind = "", .lwps = 1, .budget_ms = 60};
	int option;

	while ((option = getopt(argc, argv, "k:n:t:")) != -1) {
		switch (option) {
		case 'k':
			run.kind = optarg;
			break;
		case 'n':
			run.lwps = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 't':
			run.budget_ms = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			usage(measures);
		}
	}
	if (argc - optind != 1 || run.lwps < 1 || run.lwps > 20000 || run.budget_ms > 10000)
		usage(measures);
	alarm(LIFETIME_SECONDS);
	run.measure = argv[optind];
	for (const struct bench_measure *m = measures; m->name; m++) {
		if (!strcmp(m->name, run.measure)) {
			m->run(&run);
			return 0;
		}
	}
	usage(measures);
}
