// SPDX-License-Identifier: BSD-2-Clause
/* Volunteers made by vfork(2), whose tracer sleeps: signals, faults, births, stops. */
#include "nb.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysctl.h>

/* --- in the child: the stack and the memory are the parent's ------------------------------------- */

static int *beyond_end; /* memory that is mapped beyond the end of its file */

__attribute__((noinline)) static void fault(int signal)
{
	switch (signal) {
	case SIGSEGV:
		__asm__ volatile("movl $0, 0");
		break;
	case SIGBUS:
		__asm__ volatile("movl $0, (%0)" : : "r"(beyond_end));
		break;
	case SIGILL:
		PTRACE_ILLEGAL_ASM;
		break;
	case SIGFPE:
		__asm__ volatile("xorl %%ecx, %%ecx\n\tidivl %%ecx" : : "a"(1), "d"(0) : "ecx");
		break;
	default:
		PTRACE_BREAKPOINT_ASM;
	}
}

enum setting { PLAIN, MASKED, IGNORED };

static void set(int signal, enum setting how)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	if (how == MASKED)
		NB_CHILD(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	if (how == IGNORED)
		NB_CHILD(sigaction(signal, &ignore, NULL) == 0);
}

static pid_t faults(int signal, enum setting how)
{
	pid_t pid = vfork();

	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		set(signal, how);
		fault(signal);
		_exit(NB_CHILD_BAD);
	}
	ATF_REQUIRE(pid > 0);
	return pid;
}

static pid_t raises(int signal)
{
	pid_t pid = vfork();

	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		NB_CHILD(raise(signal) == 0);
		_exit(6);
	}
	ATF_REQUIRE(pid > 0);
	return pid;
}

/* --- faults ----------------------------------------------------------------------------------------- */

static void all_faults(enum setting how)
{
	static const int signals[] = {SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS};
	FILE *empty = tmpfile();

	ATF_REQUIRE(empty);
	beyond_end = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(empty), 0);
	ATF_REQUIRE(beyond_end != MAP_FAILED);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		nb_killed(faults(signals[i], how), signals[i]);
	munmap(beyond_end, 1);
	fclose(empty);
	nb_end();
}

STS_TC(fault, 20, "a fault kills it")
{
	all_faults(PLAIN);
}

STS_TC(fault_masked, 20, "a fault whose signal is blocked kills it")
{
	all_faults(MASKED);
}

STS_TC(fault_ignored, 20, "a fault whose signal is ignored kills it")
{
	all_faults(IGNORED);
}

/* --- signals ------------------------------------------------------------------------------------------ */

STS_TC(raise_fatal, 20, "a signal that it raises kills it, if it kills at all")
{
	static const int fatal[] = {SIGKILL, SIGABRT, SIGHUP, SIGTRAP, SIGBUS, SIGILL, SIGFPE, SIGSEGV};

	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		nb_killed(raises(fatal[i]), fatal[i]);
	nb_exited(raises(SIGCONT), 6);
	nb_exited(raises(SIGCHLD), 6);
	nb_end();
}

STS_TC(terminal_stops, 20, "the stop signals of a terminal have no effect")
{
	static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};

	for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
		nb_exited(raises(stops[i]), 6);
	nb_end();
}

/* The stopped child of this process, found as NetBSD's programs do it. */
static pid_t stopped_child_of(pid_t parent)
{
	int name[] = {CTL_KERN, KERN_PROC2, KERN_PROC_ALL, 0, sizeof(struct kinfo_proc2), 0};
	struct kinfo_proc2 *all = NULL;
	pid_t found = 0;

	while (found == 0) {
		size_t size;

		name[5] = 0;
		NB_CHILD(sysctl(name, 6, NULL, &size, NULL, 0) == 0);
		NB_CHILD(reallocarr(&all, size, 1) == 0);
		name[5] = (int)(size / sizeof *all);
		if (sysctl(name, 6, all, &size, NULL, 0) != 0) {
			NB_CHILD(errno == ENOMEM);
			continue;
		}
		for (size_t i = 0; i < size / sizeof *all; i++)
			if (all[i].p_ppid == parent && all[i].p_pid != getpid() && all[i].p_stat == LSSTOP)
				found = all[i].p_pid;
	}
	free(all);
	return found;
}

/* Somebody sends this signal to the child when it is stopped. */
static pid_t watcher(int signal)
{
	pid_t parent = getpid();
	pid_t pid = (pid_t)STS_SYS(fork());

	if (pid == 0) {
		NB_CHILD(kill(stopped_child_of(parent), signal) == 0);
		_exit(3);
	}
	return pid;
}

STS_TC(stop_killed, 20, "SIGSTOP stops it, which nobody is told, until somebody kills it")
{
	pid_t other = watcher(SIGKILL);

	nb_killed(raises(SIGSTOP), SIGKILL);
	nb_exited(other, 3);
	nb_end();
}

STS_TC(stop_continued, 20, "SIGSTOP stops it until somebody sends SIGCONT")
{
	pid_t other = watcher(SIGCONT);

	nb_exited(raises(SIGSTOP), 6);
	nb_exited(other, 3);
	nb_end();
}

/* --- births ---------------------------------------------------------------------------------------------- */

/* Its child's status must be 15; in the memory of the tracer, which the wait functions must notice. */
static void await_child(pid_t pid)
{
	int status;

	NB_CHILD(pid > 0);
	NB_CHILD(waitpid(pid, &status, WALLSIG) == pid);
	NB_CHILD(status == W_EXITCODE(15, 0));
	_exit(5);
}

/* The program's names, not macros. */
static pid_t gives_birth(pid_t (*function)(void))
{
	pid_t pid = vfork();

	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		pid_t child = function();
		if (child == 0)
			_exit(15);
		await_child(child);
	}
	ATF_REQUIRE(pid > 0);
	return pid;
}

STS_TC(births, 20, "it forks and vforks children of its own")
{
	nb_exited(gives_birth(fork), 5);
	nb_exited(gives_birth((vfork)), 5);
	nb_end();
}

static int cloned(void *arg)
{
	return (int)(intptr_t)arg;
}

static pid_t clones(int flags)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t pid = vfork();

	if (pid == 0) {
		NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
		await_child(__clone(cloned, stack + sizeof stack, flags | SIGCHLD, (void *)15));
	}
	ATF_REQUIRE(pid > 0);
	return pid;
}

STS_TC(clone_flags, 20, "it clones children of its own, whatever they share with it")
{
	static const int flags[] = {0, CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_VFORK, CLONE_VFORK | CLONE_VM};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		nb_exited(clones(flags[i]), 5);
	nb_end();
}
