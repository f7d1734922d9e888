/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands around a case: see the head of test.h. Needs nothing of libstasis or ATF. */
#ifndef STS_SUPERVISE_H
#define STS_SUPERVISE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Lies in memory that the supervisor and the body share. */
struct sts_verdict {
	int status;          /* wait status of the body */
	bool timed_out;
	char findings[2000]; /* what the body left behind, "" if nothing; one line */
};

struct sts_supervisor {
	struct sts_verdict *verdict;
	pid_t body;
	sigset_t mask; /* as it was before */
};

/*
 * Become the reaper of orphans and fork the body. Returns 0 in the body, its pid
 * in the supervisor, -1 if that failed (errno). `own_group`: the body leads a
 * process group.
 */
pid_t sts_supervisor_start(struct sts_supervisor *sv, bool own_group);
/* Wait for the body's end or the deadline, find what is left, kill it and reap it; fills the verdict. */
void sts_supervisor_finish(struct sts_supervisor *sv, uint64_t timeout_ms);

/* In the body, before the case: remember descriptors, threads, signal mask. */
void sts_watch_begin(struct sts_verdict *verdict);
/* In the body, at its end: add what differs to the findings. Once; later calls do nothing. */
void sts_watch_end(void);

/* A process as /proc/PID/stat has it. */
struct sts_proc {
	pid_t pid, parent;
	char state;
	char name[17];
	uint64_t start; /* tells a recycled pid */
	bool below;
};
bool sts_proc_read(pid_t pid, struct sts_proc *ret);
/* All descendants of `root`, at most `cap`. A snapshot: repeat until what matters is gone. */
size_t sts_procs_below(pid_t root, struct sts_proc *procs, size_t cap);
/* SIGKILL that very process, never another one that got its pid since. */
void sts_proc_kill(const struct sts_proc *p);

uint64_t sts_now_ms(void);

/* Append to a string of `size` bytes; cut where it does not fit. */
__attribute__((format(printf, 3, 4))) void sts_append(char *buf, size_t size, const char *format, ...);

#endif
