/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why a process may not be traced: what is known of both sides
 * (obstacle_facts.c, obstacle_probe.c), and the conclusion (obstacle.c).
 */
#ifndef STS_LINUX_OBSTACLE_H
#define STS_LINUX_OBSTACLE_H

#include <stasis/error.h>

/* Where to look. Tests give a made-up tree and live = false: then the kernel itself is never asked. */
struct sts_obstacle_roots {
	const char *proc; /* "/proc" */
	const char *sys;  /* "/sys" */
	bool live;
};

/* As stasis_attach_obstacle(); *info is filled whole, also on 0. */
int sts_os_obstacle_at(const struct sts_obstacle_roots *roots, pid_t pid, struct stasis_error_info *info);

/* --- obstacle_facts.c ----------------------------------------------------------------- */

#define STS_CAP_SYS_PTRACE 19

/* One task, from its status file. Ids are as the reader's user namespace shows them. */
struct sts_facts {
	char name[32];
	char state;
	pid_t tgid, pid, parent, tracer;
	uid_t uid[3]; /* real, effective, saved */
	gid_t gid[3];
	uint64_t cap_permitted, cap_effective;
	int seccomp; /* 0 none, 1 strict, 2 filter */
};
/* who: a pid as text, "thread-self", "PID/task/TID". 0 or -errno. */
int sts_facts_read(const struct sts_obstacle_roots *roots, const char *who, struct sts_facts *ret);
int sts_facts_read_pid(const struct sts_obstacle_roots *roots, pid_t pid, struct sts_facts *ret);
/* Do the kernel's own flags call it a kernel thread? */
bool sts_facts_kernel_thread(const struct sts_obstacle_roots *roots, pid_t pid);

/* What all threads of a process together say. */
struct sts_thread_facts {
	pid_t living; /* a thread that is not dead, the main one if possible; 0: none */
	pid_t traced; /* a thread that somebody traces; 0: none */
	pid_t tracer; /* who: a tid, 0 if it cannot be seen from here */
};
void sts_facts_threads(const struct sts_obstacle_roots *roots, pid_t pid, struct sts_thread_facts *ret);

enum sts_answer { STS_UNKNOWN, STS_NO, STS_YES };

/* Is the tree of processes that of the caller's own pid namespace? */
bool sts_facts_proc_usable(const struct sts_obstacle_roots *roots);
/* Is the parent chain of pid one that leads to ancestor? */
bool sts_facts_descends(const struct sts_obstacle_roots *roots, pid_t pid, pid_t ancestor);
/* Do the caller and pid live in the same user namespace? */
enum sts_answer sts_facts_same_userns(const struct sts_obstacle_roots *roots, pid_t pid);
/* Has the caller CAP_SYS_PTRACE in the user namespace of pid, by its own set or as owner? */
enum sts_answer sts_facts_ptrace_capable(const struct sts_obstacle_roots *roots, const struct sts_facts *self,
					 pid_t pid);
/* Whether pid is dumpable, as far as the owners of its files tell. */
enum sts_answer sts_facts_dumpable(const struct sts_obstacle_roots *roots, pid_t pid);
/* May the caller look into pid (PTRACE_MODE_READ)? */
bool sts_facts_readable(const struct sts_obstacle_roots *roots, pid_t pid);
/* Security label of a task without line end, "" if it has none. */
void sts_facts_label(const struct sts_obstacle_roots *roots, const char *who, char *buf, size_t cap);
/* Names of the security modules at work that can deny ptrace, "" if none. */
void sts_facts_modules(const struct sts_obstacle_roots *roots, char *buf, size_t cap);
/* Yama's ptrace_scope; 0 also if there is no Yama. */
int sts_facts_yama(const struct sts_obstacle_roots *roots);

/* --- obstacle_probe.c ------------------------------------------------------------------ */

/* The kernel's own verdict on attaching to pid, without attaching. STS_UNKNOWN: *errno_ret says why. */
enum sts_answer sts_probe_access(pid_t pid, int *errno_ret);
/* Do the two share their memory? */
bool sts_probe_same_memory(pid_t a, pid_t b);
/* The Landlock ABI of this kernel, 0 if it is off. */
int sts_probe_landlock(void);

/*
 * What a seccomp filter does to a call, tried in a child: the errno it gave,
 * -signal if the filter killed the child, STS_PROBE_FAILED if no answer could be had.
 */
#define STS_PROBE_FAILED INT32_MIN
int sts_probe_ptrace_filtered(void);
int sts_probe_access_filtered(void);

#endif
