// SPDX-License-Identifier: BSD-2-Clause
/* What the wait functions tell of resources, beside what the program knows of itself. */
#include "nb.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define MS 1000
#define BURN (120 * MS)	     /* processor time, in microseconds */
#define CHILD_BURN (60 * MS) /* of its child */
#define SLACK (40 * MS)	     /* the kernel's ticks, and what is used between two looks */
#define PAGES 500

/* What the tracee saw of itself last. */
static struct {
	struct rusage self, children;
	pid_t pid;
} * seen;

static long sum_of(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 + usage->ru_utime.tv_usec +
	       usage->ru_stime.tv_usec;
}

static void burn(long us)
{
	struct rusage usage;

	do
		getrusage(RUSAGE_SELF, &usage);
	while (sum_of(&usage) < us);
}

static void touch_pages(void)
{
	char *memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NB_CHILD(memory != MAP_FAILED);
	madvise(memory, PAGES * 4096, MADV_NOHUGEPAGE);
	for (int i = 0; i < PAGES; i++)
		memory[i * 4096] = 1;
}

static void burn_in_child(void)
{
	int status;
	pid_t pid = sts_fork();

	if (pid == 0) {
		burn(CHILD_BURN);
		_exit(0);
	}
	NB_CHILD(wait4(pid, &status, 0, NULL) == pid && status == 0);
}

static int works(void *arg)
{
	burn_in_child();
	touch_pages();
	burn(BURN);
	seen->pid = getpid();
	getrusage(RUSAGE_SELF, &seen->self);
	getrusage(RUSAGE_CHILDREN, &seen->children);
	if (arg)
		raise(SIGUSR1);
	return 0;
}

/* The death of its child is no stop. */
static void go_on(pid_t pid)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	NB_OK(ptrace(PT_SET_SIGPASS, pid, &set, sizeof set));
	nb_continue(pid, 0);
}

static void begin(void)
{
	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ATF_REQUIRE(seen != MAP_FAILED);
}

static void near(const char *what, const struct rusage *told, const struct rusage *wanted)
{
	long difference = sum_of(told) - sum_of(wanted);

	ATF_REQUIRE_MSG(labs(difference) <= SLACK, "%s: told of %ld us, used %ld", what, sum_of(told), sum_of(wanted));
	ATF_REQUIRE_MSG(told->ru_minflt >= wanted->ru_minflt, "%s: %ld of %ld faults", what, told->ru_minflt,
			wanted->ru_minflt);
}

static struct rusage both(void)
{
	struct rusage usage = seen->self;

	usage.ru_utime.tv_usec += sum_of(&seen->children); /* only the sum is looked at */
	usage.ru_minflt += seen->children.ru_minflt;
	return usage;
}

/* wait4() tells one sum for it and its children, wait6() tells them apart. */
static void told(pid_t pid, int options, int status_wanted)
{
	struct rusage usage;
	struct wrusage apart;
	siginfo_t info;
	int status;

	NB_OK(wait6(P_PID, (id_t)pid, &status, options | WNOWAIT, &apart, &info));
	ATF_REQUIRE_EQ(status, status_wanted);
	const struct rusage wanted = both();
	near("itself", &apart.wru_self, &seen->self);
	near("its children", &apart.wru_children, &seen->children);
	ATF_REQUIRE_EQ(wait4(pid, &status, WUNTRACED, &usage), pid);
	ATF_REQUIRE_EQ(status, status_wanted);
	near("both", &usage, &wanted);
}

STS_TC(tracee, 60, "of a tracee, at a stop and at its end")
{
	begin();
	pid_t pid = nb_volunteer(works, (void *)1);

	go_on(pid);
	told(pid, WTRAPPED, W_STOPCODE(SIGUSR1));
	nb_continue(pid, 0);
	told(pid, WEXITED, W_EXITCODE(0, 0));
	nb_end();
}

STS_TC(max_resident, 60, "the most memory a tracee had, at a stop and at its end")
{
	struct rusage usage;
	int status;

	begin();
	pid_t pid = nb_volunteer(works, (void *)1);
	go_on(pid);
	ATF_REQUIRE_EQ(wait4(pid, &status, 0, &usage), pid);
	ATF_REQUIRE(usage.ru_maxrss >= PAGES * 4);
	nb_continue(pid, 0);
	ATF_REQUIRE_EQ(wait4(pid, &status, 0, &usage), pid);
	ATF_REQUIRE(usage.ru_maxrss >= PAGES * 4);
	nb_end();
}

STS_TC(child, 60, "of an ordinary child at its end")
{
	begin();
	pid_t pid = nb_child(works, NULL);

	told(pid, WEXITED, W_EXITCODE(0, 0));
	nb_end();
}

/* Its parent ends with what it saw of it. */
static int has_worker(void *arg)
{
	pid_t pid = sts_fork();
	int status;

	if (pid == 0) {
		raise(SIGSTOP);
		_exit(works(NULL));
	}
	seen->pid = pid;
	NB_CHILD(wait4(pid, &status, 0, NULL) == pid);
	return WEXITSTATUS(status);
}

STS_TC(stranger, 60, "of a tracee that is nobody's child here")
{
	begin();
	pid_t parent = nb_child(has_worker, NULL), pid;

	while ((pid = *(volatile pid_t *)&seen->pid) == 0)
		;
	sts_await_state(pid, pid, "T");
	NB_OK(ptrace(PT_ATTACH, pid, NULL, 0));
	nb_stopped(pid, SIGSTOP);
	go_on(pid);
	told(pid, WEXITED, W_EXITCODE(0, 0));
	nb_exited(parent, 0);
	nb_end();
}
