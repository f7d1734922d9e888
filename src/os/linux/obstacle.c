/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why the kernel will not let this process trace that one.
 *
 * The kernel says EPERM for a dozen reasons. Below each has one function, in
 * the order in which they are worth knowing: what no privilege can change comes
 * first, then the kernel's own order (seccomp, ids and capabilities, dumpable,
 * capability sets, Yama, other security modules). Whether permission is denied
 * at all the kernel is asked (obstacle_probe.c) where possible; the facts then tell why,
 * and decide alone where the kernel cannot be asked.
 */
#include "os/linux/obstacle.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"

struct query {
	const struct sts_obstacle_roots *roots;
	pid_t pid;
	pid_t subject; /* the thread to judge by: the main one unless that is dead */
	struct sts_facts self;
	struct sts_facts target;
	enum sts_answer allowed; /* the kernel's verdict */
	enum sts_answer capable; /* CAP_SYS_PTRACE where it counts */
	bool has_filter;
	struct stasis_error_info *info;
};

/* Fill the record and hand back the code. The cause may be formatted, the remedy is plain. */
__attribute__((format(printf, 4, 5))) static int say(struct query *q, int code, const char *remedy, const char *cause,
						     ...)
{
	va_list ap;

	va_start(ap, cause);
	vsnprintf(q->info->cause, sizeof(q->info->cause), cause, ap);
	va_end(ap);
	snprintf(q->info->remedy, sizeof(q->info->remedy), "%s", remedy);
	q->info->error = code;
	q->info->sys_errno = stasis_error_errno(code);
	return code;
}

/* --- does it exist, and is it a process ------------------------------------------------ */

static int gone(struct query *q)
{
	return say(q, STASIS_E_NO_PROCESS,
		   "check the process id; a process in a pid namespace has another number outside",
		   "there is no process %d", q->pid);
}

/* /proc shows nothing of it. */
static int unseen(struct query *q)
{
	int e;

	if (q->has_filter || !q->roots->live) /* not even kill(2) is safe to call */
		return gone(q);
	e = kill(q->pid, 0) < 0 ? errno : 0;
	if (e == ESRCH)
		return gone(q);
	if (sts_probe_access(q->pid, &(int){0}) == STS_YES)
		return 0;
	if (e == EPERM)
		return say(q, STASIS_E_PERM_CREDENTIALS, "run as the owner of the process or as root",
			   "process %d belongs to another user, and %s does not show it", q->pid, q->roots->proc);
	return say(q, STASIS_E_PERM,
		   "mount /proc without hidepid (and in this pid namespace), or run with CAP_SYS_PTRACE",
		   "process %d exists, but %s does not show it and the kernel denies access", q->pid, q->roots->proc);
}

static int check_process(struct query *q)
{
	if (q->target.tgid == q->pid)
		return 0;
	q->info->other_pid = q->target.tgid;
	return say(q, STASIS_E_BAD_ARGUMENT, "name the process, not its thread", "%d is a thread of process %d (%s)",
		   q->pid, q->target.tgid, q->target.name);
}

/* --- what no privilege helps against ------------------------------------------------------- */

static int check_self(struct query *q)
{
	pid_t tracer = q->self.tracer;
	struct sts_facts t;

	if (q->target.tgid == q->self.tgid)
		return say(q, STASIS_E_PERM_SELF, "trace from another process", "process %d is this very process",
			   q->pid);
	if (tracer > 0 && sts_facts_read_pid(q->roots, tracer, &t) == 0 && t.tgid == q->pid)
		return say(q, STASIS_E_PERM_SELF, "end that trace first, or trace from a process outside of it",
			   "process %d (%s) traces this very process", q->pid, q->target.name);
	if (q->roots->live && !q->has_filter && sts_probe_same_memory(getpid(), q->pid))
		return say(q, STASIS_E_PERM_SELF, "trace from another process",
			   "process %d (%s) is part of this program: they share one memory", q->pid, q->target.name);
	return 0;
}

static int check_kernel_thread(struct query *q)
{
	if (!sts_facts_kernel_thread(q->roots, q->pid))
		return 0;
	return say(q, STASIS_E_KERNEL_THREAD,
		   "choose a user process; kernel threads can be watched with ftrace or perf",
		   "%d (%s) is a kernel thread, which nobody can trace", q->pid, q->target.name);
}

static int traced(struct query *q, const struct sts_thread_facts *threads)
{
	struct sts_facts tracer;

	if (threads->tracer == 0)
		return say(q, STASIS_E_TRACED_ELSEWHERE, "end that tracer first; it runs outside of this pid namespace",
			   "thread %d of process %d (%s) is traced by a process that cannot be seen from here",
			   threads->traced, q->pid, q->target.name);
	if (sts_facts_read_pid(q->roots, threads->tracer, &tracer) < 0)
		return 0; /* it went away meanwhile, and its hold with it */
	q->info->other_pid = tracer.tgid;
	if (tracer.tgid == q->self.tgid)
		return say(q, STASIS_E_ALREADY_TRACED, "use the session that holds it",
			   "this very process traces %d (%s) already", q->pid, q->target.name);
	return say(q, STASIS_E_TRACED_ELSEWHERE, "let that tracer detach or end it; a process can have one tracer only",
		   "process %d (%s) is traced already by process %d (%s)", q->pid, q->target.name, tracer.tgid,
		   tracer.name);
}

/* One pass over the threads answers two questions: does any live, does somebody trace one. */
static int check_threads(struct query *q)
{
	struct sts_thread_facts threads;

	sts_facts_threads(q->roots, q->pid, &threads);
	if (threads.living == 0 && sts_facts_read_pid(q->roots, q->pid, &q->target) < 0)
		return gone(q);
	if (threads.living == 0 && q->target.state != 'Z' && q->target.state != 'X')
		threads.living = q->pid; /* the listing failed */
	if (threads.living == 0) {
		q->info->other_pid = q->target.parent;
		return say(q, STASIS_E_ZOMBIE, "nothing is left to trace; its parent has to collect it with wait(2)",
			   "process %d (%s) has exited and waits for its parent, %d, to collect it", q->pid,
			   q->target.name, q->target.parent);
	}
	q->subject = threads.living;
	return threads.traced != 0 ? traced(q, &threads) : 0;
}

/* --- our own chains ------------------------------------------------------------------------------ */

static int check_seccomp(struct query *q)
{
	const char *remedy =
		"run outside the sandbox, or let its filter pass ptrace (containers: --cap-add=SYS_PTRACE or "
		"--security-opt seccomp=unconfined)";
	int answer;

	if (!q->has_filter)
		return 0;
	answer = sts_probe_ptrace_filtered();
	if (answer == ESRCH || answer == STS_PROBE_FAILED)
		return 0;
	if (answer < 0)
		return say(q, STASIS_E_PERM_SECCOMP, remedy,
			   "a seccomp filter on this process kills it (signal %d) if it calls ptrace", -answer);
	say(q, STASIS_E_PERM_SECCOMP, remedy, "a seccomp filter on this process answers ptrace with %s",
	    stasis_error_name(-answer));
	q->info->sys_errno = answer;
	return STASIS_E_PERM_SECCOMP;
}

/* --- permission ------------------------------------------------------------------------------------ */

/* A filter that forges or kills the question makes us go by the facts alone. */
static int ask_kernel(struct query *q)
{
	int e = 0;

	if (!q->roots->live)
		return 0;
	if (q->has_filter) {
		e = sts_probe_access_filtered();
		if (e != 0 && e != EFAULT)
			return 0;
	}
	q->allowed = sts_probe_access(q->subject, &e);
	if (q->allowed == STS_UNKNOWN && e == ESRCH)
		return say(q, STASIS_E_GONE, "nothing is left to trace", "process %d (%s) is dying", q->pid,
			   q->target.name);
	return 0;
}

static int foreign_namespace(struct query *q)
{
	return say(q, STASIS_E_PERM_NAMESPACE,
		   "trace from the user namespace of the process as its root (nsenter -U -t PID), or from one above it "
		   "as root",
		   "process %d (%s) lives in another user namespace, in which this process has no CAP_SYS_PTRACE",
		   q->pid, q->target.name);
}

static int other_ids(struct query *q, const char *kind, const unsigned ids[3], unsigned ours)
{
	return say(q, STASIS_E_PERM_CREDENTIALS,
		   "run as that user and group or as root, or give this program CAP_SYS_PTRACE",
		   "process %d (%s) has %ss %u/%u/%u (real/effective/saved), and this process is %s %u without "
		   "CAP_SYS_PTRACE",
		   q->pid, q->target.name, kind, ids[0], ids[1], ids[2], kind, ours);
}

static bool ids_match(const unsigned ids[3], unsigned ours)
{
	return ids[0] == ours && ids[1] == ours && ids[2] == ours;
}

static int check_ids(struct query *q)
{
	bool uid_matches = ids_match(q->target.uid, q->self.uid[0]);

	if ((uid_matches && ids_match(q->target.gid, q->self.gid[0])) || q->capable == STS_YES)
		return 0;
	if (sts_facts_same_userns(q->roots, q->subject) == STS_NO)
		return foreign_namespace(q);
	if (!uid_matches)
		return other_ids(q, "uid", q->target.uid, q->self.uid[0]);
	return other_ids(q, "gid", q->target.gid, q->self.gid[0]);
}

static int not_dumpable(struct query *q, bool certain)
{
	return say(q, STASIS_E_PERM_DUMPABLE,
		   "run as root or with CAP_SYS_PTRACE, or let the program call prctl(PR_SET_DUMPABLE, 1)",
		   "process %d (%s) %s: its program is set-id or may not be read, or it asked for it with "
		   "prctl(PR_SET_DUMPABLE, 0)",
		   q->pid, q->target.name, certain ? "is not dumpable" : "must be one that is not dumpable");
}

/* A capability in the namespace of its user does not help if its memory belongs to one above. */
static int check_dumpable(struct query *q)
{
	if (sts_facts_dumpable(q->roots, q->subject) != STS_NO)
		return 0;
	if (q->capable == STS_YES && (q->allowed != STS_NO || sts_facts_same_userns(q->roots, q->subject) != STS_NO))
		return 0;
	return not_dumpable(q, true);
}

/* Needs a list of the first few only: the record is small. */
static void capability_names(uint64_t set, char *buf, size_t cap)
{
	/* clang-format off */
	static const char *const names[] = {
		"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
		"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK",
		"IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN",
		"SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE",
		"AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND",
		"AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
	};
	/* clang-format on */
	size_t used = 0;
	int shown = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < 64 && used < cap; i++) {
		if (!(set >> i & 1))
			continue;
		if (++shown > 3) {
			snprintf(buf + used, cap - used, " and others");
			return;
		}
		used += (size_t)snprintf(buf + used, cap - used, "%sCAP_", shown > 1 ? ", " : "");
		if (used < cap && i < sizeof(names) / sizeof(names[0]))
			used += (size_t)snprintf(buf + used, cap - used, "%s", names[i]);
		else if (used < cap)
			used += (size_t)snprintf(buf + used, cap - used, "%zu", i);
	}
}

static int check_capabilities(struct query *q)
{
	uint64_t more = q->target.cap_permitted & ~q->self.cap_permitted;
	char names[96];

	if (q->capable == STS_YES)
		return 0;
	if (sts_facts_same_userns(q->roots, q->subject) == STS_NO)
		return foreign_namespace(q);
	if (more == 0)
		return 0;
	capability_names(more, names, sizeof(names));
	return say(q, STASIS_E_PERM_CREDENTIALS, "run as root, or with CAP_SYS_PTRACE, or with the same capabilities",
		   "process %d (%s) holds capabilities that this process lacks (%s)", q->pid, q->target.name, names);
}

static int check_yama(struct query *q)
{
	int scope = sts_facts_yama(q->roots);

	if (scope <= 0 || (scope <= 2 && q->capable == STS_YES))
		return 0;
	if (scope == 1 && sts_facts_descends(q->roots, q->target.parent, q->self.tgid))
		return 0;
	if (scope == 1)
		return say(q, STASIS_E_PERM_YAMA,
			   "launch it with stasis, run with CAP_SYS_PTRACE, let it call prctl(PR_SET_PTRACER), or set "
			   "sysctl kernel.yama.ptrace_scope=0",
			   "Yama's ptrace_scope is 1: only a descendant may be traced, or who named us with "
			   "prctl(PR_SET_PTRACER), and process %d (%s) is neither",
			   q->pid, q->target.name);
	if (scope == 2)
		return say(q, STASIS_E_PERM_YAMA,
			   "run with CAP_SYS_PTRACE (as root), or set sysctl kernel.yama.ptrace_scope=1 or 0",
			   "Yama's ptrace_scope is 2: only a process with CAP_SYS_PTRACE may trace");
	return say(q, STASIS_E_PERM_YAMA, "change kernel.yama.ptrace_scope in /etc/sysctl.d and restart the machine",
		   "Yama's ptrace_scope is %d: nobody may trace anything until the next start of the machine", scope);
}

static bool confined(const char *label)
{
	return label[0] != '\0' && strcmp(label, "unconfined") != 0;
}

/* Denied, and all that we could reckon up permits it. */
static int denied_unexplained(struct query *q)
{
	const char *remedy =
		"look for the denial in the kernel's log (dmesg, ausearch -m avc), and loosen that rule or leave the "
		"sandbox";
	char ours[80], its[80], modules[64], who[16];

	snprintf(who, sizeof(who), "%d", q->subject);
	sts_facts_label(q->roots, "thread-self", ours, sizeof(ours));
	sts_facts_label(q->roots, who, its, sizeof(its));
	sts_facts_modules(q->roots, modules, sizeof(modules));
	if (confined(ours) || confined(its))
		return say(q, STASIS_E_PERM_LSM, remedy,
			   "a security module denies it: this process is labelled '%s', process %d '%s'%s%s", ours,
			   q->pid, its, modules[0] != '\0' ? ", at work: " : "", modules);
	if (q->capable != STS_YES && sts_facts_dumpable(q->roots, q->subject) == STS_UNKNOWN &&
	    !sts_facts_readable(q->roots, q->subject))
		return not_dumpable(q, false);
	if (modules[0] == '\0' && !q->has_filter && sts_probe_landlock() > 0)
		snprintf(modules, sizeof(modules), "landlock");
	if (modules[0] != '\0')
		return say(q, STASIS_E_PERM_LSM, remedy,
			   "a security module denies it, probably a sandbox of this process (at work: %s)", modules);
	return say(q, STASIS_E_PERM, "", "the kernel denies access to process %d (%s) for a reason that cannot be seen",
		   q->pid, q->target.name);
}

static int check_permission(struct query *q)
{
	static int (*const checks[])(struct query *) = {check_ids, check_dumpable, check_capabilities, check_yama};
	int r = ask_kernel(q);

	if (r != 0 || q->allowed == STS_YES)
		return r;
	q->capable = sts_facts_ptrace_capable(q->roots, &q->self, q->subject);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		r = checks[i](q);
		if (r != 0)
			return r;
	}
	return q->allowed == STS_NO ? denied_unexplained(q) : 0;
}

/* --- all of it ----------------------------------------------------------------------------------------- */

static int conclude(struct query *q)
{
	static int (*const checks[])(struct query *) = {check_process, check_self,    check_kernel_thread,
							check_threads, check_seccomp, check_permission};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(checks) / sizeof(checks[0]); i++)
		r = checks[i](q);
	/* What we took for a permission may have been its death. */
	if (r != 0 && sts_facts_read_pid(q->roots, q->pid, &q->target) < 0)
		return gone(q);
	return r;
}

int sts_os_obstacle_at(const struct sts_obstacle_roots *roots, pid_t pid, struct stasis_error_info *info)
{
	struct query q = {.roots = roots, .pid = pid, .subject = pid, .info = info};
	int r;

	memset(info, 0, sizeof(*info));
	snprintf(info->operation, sizeof(info->operation), "attach");
	info->pid = pid;
	if (pid <= 0)
		return say(&q, STASIS_E_BAD_ARGUMENT, "name one process by its positive id", "%d is no process id",
			   pid);
	if (sts_facts_read(roots, "thread-self", &q.self) == 0)
		q.has_filter = q.self.seccomp != 0 && roots->live;
	if (q.self.tgid == 0 || (roots->live && !sts_facts_proc_usable(roots)))
		return unseen(&q);
	r = sts_facts_read_pid(roots, pid, &q.target);
	return r < 0 ? unseen(&q) : conclude(&q);
}

static const struct sts_obstacle_roots live_roots = {"/proc", "/sys", true};

int stasis_attach_obstacle(pid_t pid, struct stasis_error_info *info_ret)
{
	struct stasis_error_info info;

	return sts_os_obstacle_at(&live_roots, pid, info_ret != NULL ? info_ret : &info);
}

int sts_os_explain_eperm(pid_t pid, struct stasis_error_info *info)
{
	struct query q = {.pid = pid, .info = info};
	int r = sts_os_obstacle_at(&live_roots, pid, info);

	snprintf(info->operation, sizeof(info->operation), "seize");
	if (r == 0 && !sts_facts_proc_usable(&live_roots))
		r = say(&q, STASIS_E_PERM, "mount -t proc proc /proc",
			"/proc is not mounted or shows another pid namespace, so that the threads of process %d cannot "
			"be "
			"found",
			pid);
	if (r == 0)
		r = say(&q, STASIS_E_PERM, "try again; if it stays so, look for a tracer outside of this pid namespace",
			"the kernel refused process %d, but nothing speaks against it now: the obstacle has passed, or "
			"it is a "
			"tracer that cannot be seen from here",
			pid);
	if (r != STASIS_E_PERM_SECCOMP) /* what the kernel said, not what comes closest to the code */
		info->sys_errno = r == STASIS_E_NO_PROCESS || r == STASIS_E_GONE ? ESRCH : EPERM;
	return r;
}
