/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of obstacles: two processes, one that prepares itself and asks, and
 * one that prepares itself and is asked about. Each answer is held against what
 * the kernel says when the same process then really tries.
 */
#ifndef STS_TEST_OBSTACLE_H
#define STS_TEST_OBSTACLE_H

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"

#define NOBODY 65534

/* ---- the two sides: who asks, and who is asked about ---- */

struct answer {
	int code;
	struct stasis_error_info info;
	int explained; /* what the engine's own explanation says after the real try failed */
	struct stasis_error_info because;
	int seize; /* errno of the real try, 0 if it worked, -1 if the asker did not survive */
};

static inline void try_seize(pid_t target, struct answer *a)
{
	int e;

	a->seize = -1;
	e = ptrace(PTRACE_SEIZE, target, 0, 0) < 0 ? errno : 0;
	if (e != 0)
		a->explained = sts_os_explain_eperm(target, &a->because);
	a->seize = e;
}

/* In a child of ours that has prepared itself: what stands in the way of tracing target? */
static inline void ask(void (*prepare)(void *), void *arg, pid_t target, struct answer *ret)
{
	struct answer *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t asker;
	int status;

	ATF_REQUIRE(shared != MAP_FAILED);
	shared->code = INT32_MAX;
	asker = sts_fork();
	if (asker == 0) {
		if (prepare != NULL)
			prepare(arg);
		shared->code = stasis_attach_obstacle(target, &shared->info);
		try_seize(target, shared);
		_exit(0);
	}
	status = sts_reap(asker);
	*ret = *shared;
	munmap(shared, sizeof(*shared));
	ATF_REQUIRE_MSG(ret->code != INT32_MAX, "the asker did not get to its answer: status %#x", status);
}

/* The answer is this code, the kernel agrees, the engine would say the same, and the sentences are fit to be shown. */
static inline void expect(const struct answer *a, int code)
{
	ATF_REQUIRE_MSG(a->code == code, "%s instead of %s: %s", stasis_error_name(a->code), stasis_error_name(code),
			a->info.cause);
	ATF_CHECK_EQ(code, a->info.error);
	ATF_CHECK_MSG((a->seize == 0) == (code == 0), "said %s, but seizing gave %d", stasis_error_name(code),
		      a->seize);
	if (code == 0)
		return;
	ATF_CHECK_STREQ("attach", a->info.operation);
	ATF_CHECK(a->info.cause[0] != '\0' && a->info.cause[strlen(a->info.cause) - 1] != '.');
	ATF_CHECK_MSG(strlen(a->info.cause) < sizeof(a->info.cause) - 1, "cut off: %s", a->info.cause);
	ATF_CHECK_MSG(a->info.remedy[0] != '\0' && strlen(a->info.remedy) < sizeof(a->info.remedy) - 1, "%s",
		      a->info.remedy);
	if (a->seize <= 0)
		return;
	ATF_CHECK_EQ(code, a->explained);
	ATF_CHECK_EQ(a->seize, a->because.sys_errno);
	ATF_CHECK_STREQ("seize", a->because.operation);
}

static inline void mentions(const char *text, const char *word)
{
	ATF_CHECK_MSG(strstr(text, word) != NULL, "'%s' does not say '%s'", text, word);
}

/* A child of ours that prepares itself and then waits for its end. */
static inline pid_t target(void (*prepare)(void *), void *arg)
{
	int ready[2];
	char byte;
	pid_t pid;

	STS_SYS(pipe2(ready, O_CLOEXEC));
	pid = sts_fork();
	if (pid == 0) {
		if (prepare != NULL)
			prepare(arg);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ATF_REQUIRE_MSG(read(ready[0], &byte, 1) == 1, "the target could not prepare itself");
	close(ready[0]);
	return pid;
}

/* ---- preparations; a failing one ends the process, which the caller notices ---- */

static inline void must(bool condition)
{
	if (!condition)
		_exit(100);
}

static inline void drop_ids(void *arg)
{
	must(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* A process that changed its ids is not dumpable until it says so. */
static inline void drop_ids_dumpable(void *arg)
{
	drop_ids(NULL);
	must(prctl(PR_SET_DUMPABLE, 1) == 0);
}

/* Give up these capabilities in every set; those of the thread group's only thread. */
static inline void drop_capabilities(uint64_t gone)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &header, data) == 0);
	for (int i = 0; i < 2; i++) {
		uint32_t keep = ~(uint32_t)(gone >> 32 * i);

		data[i].effective &= keep;
		data[i].permitted &= keep;
		data[i].inheritable &= keep;
	}
	must(syscall(SYS_capset, &header, data) == 0);
}

static inline void drop_ptrace_capability(void *arg)
{
	drop_capabilities(UINT64_C(1) << CAP_SYS_PTRACE);
}

static inline void drop_all_capabilities(void *arg)
{
	drop_capabilities(UINT64_MAX);
	must(prctl(PR_SET_DUMPABLE, 1) == 0);
}

static inline void other_group(void *arg)
{
	must(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	drop_ptrace_capability(NULL);
}

static inline void not_dumpable(void *arg)
{
	must(prctl(PR_SET_DUMPABLE, 0) == 0);
}

static inline void drop_ids_not_dumpable(void *arg)
{
	drop_ids(NULL);
	not_dumpable(NULL);
}

static inline void drop_all_not_dumpable(void *arg)
{
	drop_all_capabilities(NULL);
	not_dumpable(NULL);
}

static inline void write_map(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* Root of a user namespace of our own, as unshare -Ur does. */
static inline void new_user_namespace(void *arg)
{
	char map[32];
	uid_t uid = getuid();

	must(unshare(CLONE_NEWUSER) == 0);
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_map("/proc/self/uid_map", map);
}

/* For cases that need one: asks the kernel, as whoever it is asked by then, and skips the case if it says no. */
static inline void need_user_namespaces(void)
{
	pid_t pid = sts_fork();
	int status;

	if (pid == 0) {
		if (getuid() == 0)
			drop_ids_dumpable(NULL);
		_exit(unshare(CLONE_NEWUSER) < 0 ? errno : 0);
	}
	status = sts_reap(pid);
	ATF_REQUIRE(WIFEXITED(status));
	if (WEXITSTATUS(status) == EPERM)
		atf_tc_skip("the kernel makes no user namespace here: %s, as always in a chroot", strerror(EPERM));
	if (WEXITSTATUS(status) != 0)
		atf_tc_skip("the kernel makes no user namespace here: %s", strerror(WEXITSTATUS(status)));
}

static inline void nobody_in_new_user_namespace(void *arg)
{
	drop_ids_dumpable(NULL);
	new_user_namespace(NULL);
}

#endif
