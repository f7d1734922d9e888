// SPDX-License-Identifier: BSD-2-Clause
/* sysctl(): what it tells of processes. */
#include "nb.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysctl.h>

static int process(pid_t pid, struct kinfo_proc2 *p)
{
	int name[] = {CTL_KERN, KERN_PROC2, KERN_PROC_PID, pid, sizeof *p, 1};
	size_t size = sizeof *p;

	memset(p, 0xa5, sizeof *p);
	return sysctl(name, __arraycount(name), p, &size, NULL, 0);
}

static int returns_two(void *arg)
{
	return 2;
}

STS_TC(states, 20, "a stopped tracee, a zombie, nobody")
{
	struct kinfo_proc2 p;
	pid_t pid = nb_volunteer(returns_two, NULL);

	STS_SYS(process(pid, &p));
	ATF_REQUIRE_EQ(p.p_pid, pid);
	ATF_REQUIRE_EQ(p.p_ppid, getpid());
	ATF_REQUIRE_EQ(p.p_realstat, SSTOP);
	ATF_REQUIRE_EQ(p.p_stat, LSSTOP);
	ATF_REQUIRE_EQ(p.p_nlwps, 1);
	ATF_REQUIRE_EQ(p.p_uid, geteuid());
	ATF_REQUIRE_EQ(p.p_ruid, getuid());
	ATF_REQUIRE_EQ(p.p_gid, getegid());
	ATF_REQUIRE_EQ(p.p__pgid, getpgrp());
	ATF_REQUIRE_EQ(strncmp(p.p_comm, "netbsd_sysctl_w", 15), 0);
	nb_continue(pid, 0);
	sts_await_state(pid, pid, "Z");
	STS_SYS(process(pid, &p));
	ATF_REQUIRE_EQ(p.p_realstat, SZOMB);
	nb_exited(pid, 2);
	ATF_REQUIRE_EQ(process(pid, &p), 0); /* but with nothing in it */
	nb_end();
}

STS_TC(nobody, 20, "of a process that is gone there is nothing, which is no error")
{
	struct kinfo_proc2 p;
	pid_t pid = nb_child(returns_two, NULL);
	int name[] = {CTL_KERN, KERN_PROC2, KERN_PROC_PID, pid, sizeof p, 1};
	size_t size = sizeof p;

	nb_exited(pid, 2);
	STS_SYS(sysctl(name, 6, &p, &size, NULL, 0));
	ATF_REQUIRE_EQ(size, 0);
	nb_end();
}

static bool has(const ki_sigset_t *set, int signal)
{
	return set->__bits[(signal - 1) / 32] & 1U << ((signal - 1) % 32);
}

static int sets_signals(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGHUP, SIG_IGN);
	raise(SIGUSR1);
	raise(SIGSTOP);
	return 2;
}

STS_TC(signal_sets, 20, "blocked, ignored and pending signals of a stopped tracee")
{
	struct kinfo_proc2 p;
	pid_t pid = nb_volunteer(sets_signals, NULL);

	STS_SYS(process(pid, &p));
	ATF_REQUIRE(!has(&p.p_sigmask, SIGUSR1) && !has(&p.p_sigignore, SIGHUP) && !has(&p.p_siglist, SIGUSR1));
	nb_continue(pid, 0);
	nb_stopped(pid, SIGSTOP);
	STS_SYS(process(pid, &p));
	ATF_REQUIRE(has(&p.p_sigmask, SIGUSR1) && has(&p.p_sigmask, SIGRTMIN) && !has(&p.p_sigmask, SIGHUP));
	ATF_REQUIRE(has(&p.p_sigignore, SIGHUP) && !has(&p.p_sigignore, SIGUSR1));
	ATF_REQUIRE(has(&p.p_siglist, SIGUSR1));
	nb_continue(pid, 0);
	nb_exited(pid, 2);
	nb_end();
}

/* All processes of this choice, asked for as programs do it: first the size, then the array. */
static size_t list(int by, int whose, struct kinfo_proc2 **ret)
{
	int name[] = {CTL_KERN, KERN_PROC2, by, whose, sizeof **ret, 0};
	size_t size = 0;

	for (;;) {
		STS_SYS(sysctl(name, 6, NULL, &size, NULL, 0));
		*ret = malloc(size);
		name[5] = size / sizeof **ret;
		if (sysctl(name, 6, *ret, &size, NULL, 0) == 0)
			return size / sizeof **ret;
		ATF_REQUIRE_EQ(errno, ENOMEM); /* so many are new */
		free(*ret);
	}
}

static bool is_in(pid_t pid, const struct kinfo_proc2 *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].p_pid == pid)
			return true;
	return false;
}

STS_TC(lists, 20, "all processes, those of a group, of a user")
{
	struct kinfo_proc2 *all, *group, p;
	int name[] = {CTL_KERN, KERN_PROC2, KERN_PROC_ALL, 0, sizeof p, 1};
	size_t size = sizeof p;
	pid_t pid = nb_volunteer(returns_two, NULL);

	STS_SYS(setpgid(pid, 0));
	size_t n = list(KERN_PROC_ALL, 0, &all);
	ATF_REQUIRE(n >= 2 && is_in(pid, all, n) && is_in(getpid(), all, n));
	n = list(KERN_PROC_PGRP, pid, &group);
	ATF_REQUIRE_EQ(n, 1);
	ATF_REQUIRE_EQ(group->p_pid, pid);
	ATF_REQUIRE_EQ(group->p_ppid, getpid());
	free(group);
	n = list(KERN_PROC_RUID, getuid(), &group);
	ATF_REQUIRE(is_in(pid, group, n));
	NB_FAILS(ENOMEM, sysctl(name, 6, &p, &size, NULL, 0)); /* there are more than one */
	ATF_REQUIRE_EQ(size, sizeof p);
	name[2] = 4;
	NB_FAILS(EINVAL, sysctl(name, 6, &p, &size, NULL, 0));
	free(group);
	free(all);
	nb_continue(pid, 0);
	nb_exited(pid, 2);
	nb_end();
}

STS_TC(settings, 20, "settings by name, and a process's flags")
{
	int value = 9, name[] = {CTL_PROC, getpid(), PROC_PID_PAXFLAGS};
	size_t size = sizeof value;
	char text[64];

	STS_SYS(sysctlbyname("security.models.extensions.user_set_dbregs", &value, &size, NULL, 0));
	ATF_REQUIRE_EQ(value, 1);
	STS_SYS(sysctlbyname("vm.user_va0_disable", &value, &size, NULL, 0));
	ATF_REQUIRE_EQ(value, 1);
	STS_SYS(sysctl(name, 3, &value, &size, NULL, 0));
	ATF_REQUIRE_EQ(value & CTL_PROC_PAXFLAGS_MPROTECT, 0);
	STS_SYS(sysctlbyname("hw.pagesize", &value, &size, NULL, 0));
	ATF_REQUIRE_EQ(value, sysconf(_SC_PAGESIZE));
	size = sizeof text;
	STS_SYS(sysctlbyname("kern.ostype", text, &size, NULL, 0));
	ATF_REQUIRE_STREQ(text, "Linux");
	NB_FAILS(ENOENT, sysctlbyname("kern.nothing", text, &size, NULL, 0));
	NB_FAILS(EPERM, sysctlbyname("hw.ncpu", text, &size, text, 1));
}

STS_TC(arguments, 20, "arguments and path of a program; too little room is ENOMEM")
{
	char buf[PATH_MAX], own[PATH_MAX];
	int name[] = {CTL_KERN, KERN_PROC_ARGS, getpid(), KERN_PROC_PATHNAME};
	size_t size = sizeof buf;
	ssize_t n = STS_SYS(readlink("/proc/self/exe", own, sizeof own));

	STS_SYS(sysctl(name, 4, buf, &size, NULL, 0));
	ATF_REQUIRE_EQ(size, n + 1);
	ATF_REQUIRE_EQ(memcmp(buf, own, n), 0);
	ATF_REQUIRE_EQ(buf[n], '\0');
	size = 3;
	NB_FAILS(ENOMEM, sysctl(name, 4, buf, &size, NULL, 0));
	ATF_REQUIRE_EQ(size, n + 1);
	size = 0;
	STS_SYS(sysctl(name, 4, NULL, &size, NULL, 0));
	ATF_REQUIRE_EQ(size, n + 1);
	name[3] = KERN_PROC_ARGV;
	size = sizeof buf;
	STS_SYS(sysctl(name, 4, buf, &size, NULL, 0));
	ATF_REQUIRE(strstr(buf, "netbsd_sysctl") != NULL && buf[size - 1] == '\0');
	NB_FAILS(EPERM, sysctl(name, 4, buf, &size, buf, 1));
	name[3] = KERN_PROC_NARGV;
	size = sizeof size;
	int number;
	STS_SYS(sysctl(name, 4, &number, &size, NULL, 0));
	ATF_REQUIRE(number >= 2 && size == sizeof number);
	name[3] = KERN_PROC_CWD;
	size = sizeof buf;
	STS_SYS(sysctl(name, 4, buf, &size, NULL, 0));
	ATF_REQUIRE_STREQ(buf, getcwd(own, sizeof own));
	name[1] = 9999;
	NB_FAILS(ENOENT, sysctl(name, 4, buf, &size, NULL, 0));
}
