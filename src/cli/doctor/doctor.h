/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stasis doctor: a list of checks, filled by doctor_*.c in the order in which
 * they are shown.
 */
#ifndef STS_CLI_DOCTOR_H
#define STS_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum doctor_status { DOCTOR_OK, DOCTOR_LIMITED, DOCTOR_NO };

struct doctor_check {
	const char *id;	     /* stable: scripts read it */
	const char *heading; /* of the group it belongs to */
	enum doctor_status status;
	char detail[384]; /* what was found, one line */
	char remedy[256]; /* "" if there is nothing to be done */
};

struct doctor_report {
	struct doctor_check checks[64];
	size_t n;
	const char *heading; /* for checks added from now on */
};

/* Add a check. The remedy is a whole sentence part or ""; the detail may be formatted. */
__attribute__((format(printf, 5, 6))) void sts_doctor_add(struct doctor_report *report, const char *id,
							  enum doctor_status status, const char *remedy,
							  const char *detail, ...);
const struct doctor_check *sts_doctor_find(const struct doctor_report *report, const char *id);

/* --- system.c: what this machine and this process's standing on it allow ------------ */
void sts_doctor_system(struct doctor_report *report);

/* --- ptrace.c: what the kernel offers a tracer, each tried on a child ---------------- */
void sts_doctor_ptrace(struct doctor_report *report);

/* --- verdict.c: what stasis can therefore do, and the process asked about ------------ */
void sts_doctor_functions(struct doctor_report *report);
void sts_doctor_process(struct doctor_report *report, pid_t pid);

/* --- try.c: trying things that may hang or be the death of who tries ------------------ */

/* Written in the child, read by us. */
struct doctor_trial {
	_Atomic bool done; /* the trial came to its end */
	int end;	   /* wait status of who tried */
	enum doctor_status status;
	char detail[384];
	char remedy[256];
};
typedef void (*doctor_trial_fn)(struct doctor_trial *trial);

/* Run in a child, at most for some seconds, and add what it found. Nothing of it is left afterwards. */
void sts_doctor_try(struct doctor_report *report, const char *id, doctor_trial_fn fn);
/* For trials: the answer; returns so that it can end the function. */
__attribute__((format(printf, 4, 5))) void sts_doctor_answer(struct doctor_trial *trial, enum doctor_status status,
							     const char *remedy, const char *detail, ...);
/*
 * For trials: a child that dies with us and runs fn, or if NULL sleeps. Returns
 * when fn has called sts_doctor_ready(), has exec'ed or has ended.
 */
pid_t sts_doctor_child(void (*fn)(void));
void sts_doctor_ready(void);
/* For trials: a child seized and stopped; -1 if that fails, and the answer is given. */
pid_t sts_doctor_stopped_child(struct doctor_trial *trial, void (*fn)(void), unsigned long options);
/* Wait for a stop of the tracee: its status, -1 if it ended instead, and the answer is given. */
int sts_doctor_wait(struct doctor_trial *trial, pid_t pid);

/* --- x86.c -------------------------------------------------------------------------------- */
void sts_doctor_try_wide_registers(struct doctor_trial *trial);
void sts_doctor_try_debug_registers(struct doctor_trial *trial);
void sts_doctor_try_i386(struct doctor_trial *trial);

/* --- small readers -------------------------------------------------------------------------------- */

/* First line of a file without its end; false and "" if it cannot be read. */
bool sts_doctor_line(const char *path, char *buf, size_t cap);
/* Value of a key of /proc/self/status ("CapEff"), without white space. */
bool sts_doctor_status_value(const char *key, char *buf, size_t cap);

#endif
