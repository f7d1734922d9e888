/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each thing a tracer wants of the kernel, tried on a child that lives for it
 * alone. A trial's tracees die with the trial.
 */
#include "cli/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stasis/stasis.h>

#define OLD_KERNEL "use a newer kernel (see stasis-doctor(1))"

/* Newer than the headers we may be built with. */
#define REQUEST_GET_SYSCALL_INFO 0x420e
#define REQUEST_SET_SYSCALL_INFO 0x4212
#define SYSCALL_INFO_ENTRY 1
#define SYSCALL_INFO_EXIT 2

struct syscall_info {
	uint8_t op;
	uint8_t reserved;
	uint16_t flags;
	uint32_t arch;
	uint64_t instruction_pointer, stack_pointer;
	union {
		struct {
			uint64_t nr, args[6];
		} entry;
		struct {
			int64_t rval;
			uint8_t is_error;
		} exit;
		char room[88];
	};
};

/* The remedy is for a call that the kernel does not know; one that is forbidden has a filter in its way. */
static void failed(struct doctor_trial *t, const char *call, const char *remedy)
{
	int e = errno;

	sts_doctor_answer(t, DOCTOR_NO, e == EPERM || e == EACCES ? "run outside the sandbox that denies it" : remedy,
			  "%s: %s", call, strerror(e));
}

static bool event_is(int status, int event)
{
	return status >= 0 && status >> 16 == event;
}

static long request(int number, pid_t pid, unsigned long addr, void *data)
{
	return syscall(SYS_ptrace, (long)number, (long)pid, addr, data);
}

/* --- taking hold ----------------------------------------------------------------------------- */

static void try_seize(struct doctor_trial *t)
{
	struct stasis_error_info info;
	pid_t pid = sts_doctor_child(NULL);
	int e;

	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
		if (pid < 0)
			failed(t, "fork", "raise the limit of processes (ulimit -u)");
		else
			sts_doctor_answer(t, DOCTOR_OK, "", "a child can be taken hold of (PTRACE_SEIZE)");
		return;
	}
	e = errno;
	if (stasis_attach_obstacle(pid, &info) != 0)
		sts_doctor_answer(t, DOCTOR_NO, info.remedy, "%s", info.cause);
	else
		sts_doctor_answer(t, DOCTOR_NO, "", "PTRACE_SEIZE: %s", strerror(e));
}

static void try_interrupt(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_child(NULL);
	int status;

	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0) {
		failed(t, "PTRACE_INTERRUPT", OLD_KERNEL);
		return;
	}
	status = sts_doctor_wait(t, pid);
	if (event_is(status, PTRACE_EVENT_STOP))
		sts_doctor_answer(t, DOCTOR_OK, "", "a running child stops without a signal (PTRACE_INTERRUPT)");
	else if (status >= 0)
		sts_doctor_answer(t, DOCTOR_NO, OLD_KERNEL, "PTRACE_INTERRUPT gave stop %#x", status);
}

static void try_listen(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_stopped_child(t, NULL, 0);
	int status;

	if (pid < 0)
		return;
	if (kill(pid, SIGSTOP) < 0 || ptrace(PTRACE_CONT, pid, 0, 0) < 0) {
		failed(t, "SIGSTOP", "");
		return;
	}
	status = sts_doctor_wait(t, pid); /* about to be delivered */
	if (status < 0 || ptrace(PTRACE_CONT, pid, 0, SIGSTOP) < 0)
		return;
	status = sts_doctor_wait(t, pid);
	if (status < 0)
		return;
	if (!event_is(status, PTRACE_EVENT_STOP) || ptrace(PTRACE_LISTEN, pid, 0, 0) < 0) {
		failed(t, "PTRACE_LISTEN", OLD_KERNEL);
		return;
	}
	kill(pid, SIGCONT);
	status = sts_doctor_wait(t, pid);
	if (event_is(status, PTRACE_EVENT_STOP))
		sts_doctor_answer(t, DOCTOR_OK, "", "job control goes on under trace (PTRACE_LISTEN)");
	else if (status >= 0)
		sts_doctor_answer(t, DOCTOR_NO, OLD_KERNEL, "after PTRACE_LISTEN the child gave stop %#x", status);
}

static void fork_forever(void)
{
	sts_doctor_ready();
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

static void try_births(struct doctor_trial *t)
{
	unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
				PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;
	pid_t pid = sts_doctor_child(fork_forever);
	unsigned long child = 0;
	int status;

	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, 0, options) < 0) {
		sts_doctor_answer(t, DOCTOR_NO, "see the line 'seize'", "cannot be tried: %s", strerror(errno));
		return;
	}
	/* Signals of children forked before may come first. */
	while (event_is(status = sts_doctor_wait(t, pid), 0))
		if (ptrace(PTRACE_CONT, pid, 0, 0) < 0)
			return failed(t, "PTRACE_CONT", "");
	if (status < 0)
		return;
	if (!event_is(status, PTRACE_EVENT_FORK) || ptrace(PTRACE_GETEVENTMSG, pid, 0, &child) < 0) {
		sts_doctor_answer(t, DOCTOR_NO, OLD_KERNEL, "a fork gave stop %#x in place of an event", status);
		return;
	}
	if (sts_doctor_wait(t, (pid_t)child) >= 0)
		sts_doctor_answer(t, DOCTOR_OK, "",
				  "new processes and threads are caught from their start (PTRACE_O_TRACEFORK...)");
}

static void let_anybody_trace(void)
{
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* fails without Yama, which then does not matter */
	sts_doctor_ready();
	for (;;)
		pause();
}

static void try_exit_kill(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_child(let_anybody_trace);
	pid_t tracer;
	int status;

	if (pid < 0)
		return failed(t, "fork", "");
	tracer = fork();
	if (tracer == 0)
		_exit(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL) < 0 ? errno : 0);
	if (tracer < 0 || waitpid(tracer, &status, 0) < 0)
		return failed(t, "fork", "");
	if (WIFSIGNALED(status)) {
		sts_doctor_answer(t, DOCTOR_NO, "see the line 'seize'",
				  "cannot be tried, a tracer is killed by signal %d (%s)", WTERMSIG(status),
				  strsignal(WTERMSIG(status)));
		return;
	}
	if (WEXITSTATUS(status) != 0) {
		sts_doctor_answer(t, DOCTOR_NO, "see the line 'seize'", "cannot be tried, PTRACE_SEIZE: %s",
				  strerror(WEXITSTATUS(status)));
		return;
	}
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		sts_doctor_answer(t, DOCTOR_OK, "", "tracees can be made to die with their tracer (PTRACE_O_EXITKILL)");
	else
		sts_doctor_answer(t, DOCTOR_NO, OLD_KERNEL, "the tracee of a dead tracer gave status %#x", status);
}

/* --- system calls ------------------------------------------------------------------------------ */

static void call_forever(void)
{
	sts_doctor_ready();
	for (;;)
		syscall(SYS_getppid);
}

/* Run to the next system-call stop that is an entry (or not). False: the answer is given. */
static bool to_syscall(struct doctor_trial *t, pid_t pid, bool entry, struct syscall_info *info)
{
	for (int i = 0; i < 4; i++) {
		int status;

		if (request(PTRACE_SYSCALL, pid, 0, NULL) < 0)
			return failed(t, "PTRACE_SYSCALL", ""), false;
		status = sts_doctor_wait(t, pid);
		if (status < 0)
			return false;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		if (request(REQUEST_GET_SYSCALL_INFO, pid, sizeof(*info), info) < 0)
			return failed(t, "PTRACE_GET_SYSCALL_INFO", "use Linux 5.3 or newer"), false;
		if ((info->op == SYSCALL_INFO_ENTRY) == entry)
			return true;
	}
	sts_doctor_answer(t, DOCTOR_NO, OLD_KERNEL, "no stop at a system call's %s", entry ? "entry" : "exit");
	return false;
}

static void try_syscall_info(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_stopped_child(t, call_forever, PTRACE_O_TRACESYSGOOD);
	struct syscall_info in, out;

	if (pid < 0 || !to_syscall(t, pid, true, &in) || !to_syscall(t, pid, false, &out))
		return;
	if (in.entry.nr == SYS_getppid && out.op == SYSCALL_INFO_EXIT && out.exit.rval == getpid())
		sts_doctor_answer(t, DOCTOR_OK, "",
				  "entry and exit of system calls are told whole (PTRACE_GET_SYSCALL_INFO)");
	else
		sts_doctor_answer(t, DOCTOR_NO, "", "PTRACE_GET_SYSCALL_INFO tells of call %llu with result %lld",
				  (unsigned long long)in.entry.nr, (long long)out.exit.rval);
}

static void try_set_syscall_info(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_stopped_child(t, call_forever, PTRACE_O_TRACESYSGOOD);
	struct syscall_info info;

	if (pid < 0 || !to_syscall(t, pid, true, &info))
		return;
	info.entry.nr = SYS_getpid;
	if (request(REQUEST_SET_SYSCALL_INFO, pid, sizeof(info), &info) < 0) {
		sts_doctor_answer(t, DOCTOR_NO, "nothing to do: stasis changes registers instead",
				  "not in this kernel (PTRACE_SET_SYSCALL_INFO came with Linux 6.16)");
		return;
	}
	if (!to_syscall(t, pid, false, &info))
		return;
	if (info.exit.rval == pid)
		sts_doctor_answer(t, DOCTOR_OK, "", "system calls can be replaced (PTRACE_SET_SYSCALL_INFO)");
	else
		sts_doctor_answer(t, DOCTOR_NO, "", "a replaced system call gave %lld", (long long)info.exit.rval);
}

/* --- signals -------------------------------------------------------------------------------------- */

static void block_and_queue(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	raise(SIGUSR1);
	sts_doctor_ready();
	for (;;)
		pause();
}

static void try_signal_mask(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_stopped_child(t, block_and_queue, 0);
	uint64_t mask = 0;

	if (pid < 0)
		return;
	if (ptrace(PTRACE_GETSIGMASK, pid, sizeof(mask), &mask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, pid, sizeof(mask), &mask) < 0)
		return failed(t, "PTRACE_GETSIGMASK", OLD_KERNEL);
	if (mask >> (SIGUSR1 - 1) & 1)
		sts_doctor_answer(t, DOCTOR_OK, "", "signal masks can be read and set (PTRACE_GETSIGMASK)");
	else
		sts_doctor_answer(t, DOCTOR_NO, "", "PTRACE_GETSIGMASK gave mask %#llx", (unsigned long long)mask);
}

static void try_signal_queue(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_stopped_child(t, block_and_queue, 0);
	struct __ptrace_peeksiginfo_args args = {.nr = 1};
	siginfo_t info;
	long n;

	if (pid < 0)
		return;
	memset(&info, 0, sizeof(info));
	n = ptrace(PTRACE_PEEKSIGINFO, pid, &args, &info);
	if (n < 0)
		return failed(t, "PTRACE_PEEKSIGINFO", OLD_KERNEL);
	if (n == 1 && info.si_signo == SIGUSR1)
		sts_doctor_answer(t, DOCTOR_OK, "", "pending signals can be looked at (PTRACE_PEEKSIGINFO)");
	else
		sts_doctor_answer(t, DOCTOR_NO, "", "PTRACE_PEEKSIGINFO gave %ld signals, the first %d", n,
				  info.si_signo);
}

static void try_step(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_stopped_child(t, call_forever, 0);
	siginfo_t info;
	int status;

	if (pid < 0)
		return;
	if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0)
		return failed(t, "PTRACE_SINGLESTEP", "");
	status = sts_doctor_wait(t, pid);
	if (status < 0)
		return;
	/* TRAP_BRKPT: it stood in a system call, and the step was the rest of that. */
	if (WSTOPSIG(status) == SIGTRAP && ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 &&
	    (info.si_code == TRAP_TRACE || info.si_code == TRAP_BRKPT))
		sts_doctor_answer(t, DOCTOR_OK, "", "single instructions can be run (PTRACE_SINGLESTEP)");
	else
		sts_doctor_answer(t, DOCTOR_NO, "", "a single step gave stop %#x", status);
}

/* --- memory --------------------------------------------------------------------------------------- */

static const char readable[] = "something to read";

static void try_memory_read(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_stopped_child(t, NULL, 0);
	char buf[sizeof(readable)] = "";
	struct iovec local = {buf, sizeof(buf)};
	struct iovec remote = {(void *)(uintptr_t)readable, sizeof(readable)};

	if (pid < 0)
		return;
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(readable))
		sts_doctor_answer(t, DOCTOR_LIMITED,
				  "nothing to do: stasis reads /proc/PID/mem instead, which is slower",
				  "process_vm_readv: %s", strerror(errno));
	else if (memcmp(buf, readable, sizeof(buf)) != 0)
		sts_doctor_answer(t, DOCTOR_NO, "", "process_vm_readv gave other bytes than there are");
	else
		sts_doctor_answer(t, DOCTOR_OK, "", "memory can be read without a descriptor (process_vm_readv)");
}

/* Text is mapped read-only, so this is what a breakpoint needs. */
static void try_memory_text(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_stopped_child(t, NULL, 0);
	uint8_t byte = 0xcc, back = 0;
	off_t at = (off_t)(uintptr_t)call_forever;
	char path[32];
	int fd;

	if (pid < 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return failed(t, path, "mount /proc, and let tracers write to it");
	if (pwrite(fd, &byte, 1, at) == 1 && pread(fd, &back, 1, at) == 1 && back == byte)
		sts_doctor_answer(t, DOCTOR_OK, "", "program text can be changed (/proc/PID/mem)");
	else
		failed(t, "writing program text through /proc/PID/mem",
		       "start the kernel with proc_mem.force_override=ptrace");
	close(fd);
}

/* --- processes through descriptors and files --------------------------------------------------------- */

static void try_pidfd(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_child(NULL);
	int fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, (long)pid, 0L);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return failed(t, "pidfd_open", "use Linux 5.3 or newer");
	if (kill(pid, SIGKILL) < 0)
		return failed(t, "kill", "");
	if (poll(&p, 1, -1) == 1 && p.revents & POLLIN)
		sts_doctor_answer(t, DOCTOR_OK, "", "the end of any process can be waited for (pidfd_open)");
	else
		failed(t, "poll of a pidfd", "");
}

struct map_query {
	uint64_t size, flags, address, start, end, vma_flags, page_size, offset, inode;
	uint32_t major, minor, name_size, build_id_size;
	uint64_t name, build_id;
};

static void try_map_query(struct doctor_trial *t)
{
	struct map_query q = {.size = sizeof(q), .address = (uintptr_t)call_forever};
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return failed(t, "/proc/self/maps", "mount /proc");
	if (ioctl(fd, _IOWR('f', 17, struct map_query), &q) < 0)
		sts_doctor_answer(t, DOCTOR_NO, "nothing to do: stasis reads /proc/PID/maps instead",
				  "not in this kernel (PROCMAP_QUERY came with Linux 6.11)");
	else if (q.start <= q.address && q.address < q.end)
		sts_doctor_answer(t, DOCTOR_OK, "", "one mapping can be asked for (PROCMAP_QUERY)");
	else
		sts_doctor_answer(t, DOCTOR_NO, "", "PROCMAP_QUERY gave a mapping that does not hold the address");
	close(fd);
}

static void try_children(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_child(NULL);
	char path[64];
	int listed = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getpid(), getpid());
	f = pid < 0 ? NULL : fopen(path, "re");
	if (f == NULL)
		return failed(t, path, "nothing to do: stasis looks through all of /proc instead");
	if (fscanf(f, "%d", &listed) == 1 && listed == pid)
		sts_doctor_answer(t, DOCTOR_OK, "", "children are listed (/proc/PID/task/TID/children)");
	else
		sts_doctor_answer(t, DOCTOR_NO, "", "the listing of children gives %d in place of %d", listed, pid);
	fclose(f);
}

/* --- all of it ------------------------------------------------------------------------------------------ */

void sts_doctor_ptrace(struct doctor_report *report)
{
	static const struct {
		const char *id;
		doctor_trial_fn fn;
	} trials[] = {
		{"seize", try_seize},
		{"interrupt", try_interrupt},
		{"listen", try_listen},
		{"births", try_births},
		{"exit-kill", try_exit_kill},
		{"syscall-info", try_syscall_info},
		{"set-syscall-info", try_set_syscall_info},
		{"signal-mask", try_signal_mask},
		{"signal-queue", try_signal_queue},
		{"step", try_step},
		{"wide-registers", sts_doctor_try_wide_registers},
		{"debug-registers", sts_doctor_try_debug_registers},
		{"i386", sts_doctor_try_i386},
		{"memory-read", try_memory_read},
		{"memory-text", try_memory_text},
		{"pidfd", try_pidfd},
		{"map-query", try_map_query},
		{"children", try_children},
	};

	report->heading = "What this kernel offers a tracer, tried on a child";
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++)
		sts_doctor_try(report, trials[i].id, trials[i].fn);
}
