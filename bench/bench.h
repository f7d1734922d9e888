/* SPDX-License-Identifier: BSD-2-Clause */
/* What the three measuring programs (floor, engine, rsp) share: targets, clock, samples, command line. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One target process, started untraced. It waits at its start until bench_target_go(). */
struct bench_target {
	pid_t pid;
	int to;              /* its standard input */
	int from;            /* its standard output */
	uint64_t sites[3];   /* breakpoint sites: push, memory, riprel */
};

/* What the command line asks for. */
struct bench_run {
	const char *measure;
	const char *kind;    /* -k: variant of the measuring program */
	unsigned lwps;       /* -n */
	unsigned budget_ms;  /* -t: time to spend on samples */
};

struct bench_measure {
	const char *name;
	void (*run)(const struct bench_run *run);
};

/* Times of one operation, in nanoseconds. */
struct bench_samples {
	double *ns;
	size_t count;
	size_t capacity;
	uint64_t deadline;
};

__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);
/* Die with the text of errno if @condition does not hold. */
#define bench_need(condition)                                                                                          \
	((condition) ? (void)0 : bench_die("%s:%d: %s: %m", __FILE__, __LINE__, #condition))

uint64_t bench_now_ns(void);

/* Absolute path of a program that lies beside this one. Caller frees. */
char *bench_sibling(const char *name);

/* Start bench-target with "mode number"; returns when it is ready. Died with us. */
void bench_target_start(struct bench_target *target, const char *mode, unsigned number);
void bench_target_go(const struct bench_target *target);
/* Start a job (which lasts the run's budget) or, for threads, start them all and let them sleep or spin. */
void bench_target_job(struct bench_target *target, const struct bench_run *run);
void bench_target_lwps(struct bench_target *target, const char *mode, const struct bench_run *run);
/* SIGKILL and collect a target, traced by this thread or by nobody. */
void bench_target_kill(struct bench_target *target);
/* Index in sites[] for a break-* measure. */
unsigned bench_site_index(const char *measure);

void bench_samples_init(struct bench_samples *samples, const struct bench_run *run);
/* Another sample wanted? At least three are taken; after that until the time is spent. */
bool bench_samples_more(const struct bench_samples *samples);
void bench_samples_add(struct bench_samples *samples, double ns);
/* Print the line the driver reads, and free. */
void bench_samples_report(struct bench_samples *samples);
/*
 * Print what the target of a job measured itself; it must have ended. Dies unless
 * @seen, the number of operations the tracer counted, is what the target did.
 */
void bench_target_report(struct bench_target *target, unsigned long seen);

int bench_main(int argc, char **argv, const struct bench_measure *measures);

#endif
