// SPDX-License-Identifier: BSD-2-Clause
/* sysctl(): what it tells of processes. */
#include "nb.h"

#include <limits.h>
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
	NB_FAILS(ESRCH, process(pid, &p));
	nb_end();
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
	name[1] = 9999;
	NB_FAILS(ENOENT, sysctl(name, 4, buf, &size, NULL, 0));
}
