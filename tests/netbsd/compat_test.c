// SPDX-License-Identifier: BSD-2-Clause
/* What programs that trace use of NetBSD's C library besides. */
#include "nb.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/exec_elf.h>
#include <x86/dbregs.h>

__CTASSERT(sizeof(((struct ptrace_state *)0)->pe_other_pid) == sizeof(((siginfo_t *)0)->si_pe_other_pid));
__CTASSERT(sizeof(struct save87) == 108);
__CTASSERT(offsetof(struct save87, s87_ip) == 12);
__CTASSERT(sizeof(struct netbsd_elfcore_procinfo) == 160);

STS_TC(strings, 20, "strlcpy and strlcat: cut off, ended, the length that was wanted")
{
	char buf[6] = "?????";

	ATF_REQUIRE_EQ(strlcpy(buf, "abc", sizeof buf), 3);
	ATF_REQUIRE_STREQ(buf, "abc");
	ATF_REQUIRE_EQ(strlcat(buf, "defg", sizeof buf), 7);
	ATF_REQUIRE_STREQ(buf, "abcde");
	ATF_REQUIRE_EQ(strlcpy(buf, "123456789", sizeof buf), 9);
	ATF_REQUIRE_STREQ(buf, "12345");
	ATF_REQUIRE_EQ(strlcpy(buf, "xyz", 0), 3);
	ATF_REQUIRE_EQ(strlcat(buf, "xyz", 3), 6);
	ATF_REQUIRE_STREQ(buf, "12345");
	ATF_REQUIRE_EQ(strlcat(buf, "6", sizeof buf), 6);
	ATF_REQUIRE_STREQ(buf, "12345");
}

STS_TC(arrays, 20, "reallocarr: grows, keeps what was there, ends with nothing; errno stays")
{
	int *array = NULL;

	errno = 77;
	ATF_REQUIRE_EQ(reallocarr(&array, 2, sizeof *array), 0);
	array[0] = 1;
	array[1] = 2;
	ATF_REQUIRE_EQ(reallocarr(&array, 10000, sizeof *array), 0);
	ATF_REQUIRE_EQ(array[0] + array[1], 3);
	ATF_REQUIRE_EQ(reallocarr(&array, SIZE_MAX / 2, 4), EOVERFLOW);
	ATF_REQUIRE_EQ(array[0] + array[1], 3);
	ATF_REQUIRE_EQ(reallocarr(&array, SIZE_MAX / 8, 4), ENOMEM);
	ATF_REQUIRE_EQ(array[1], 2);
	ATF_REQUIRE_EQ(reallocarr(&array, 0, sizeof *array), 0);
	ATF_REQUIRE(array == NULL);
	ATF_REQUIRE_EQ(errno, 77);
}

STS_TC(names, 20, "a thread's name is a format; the program's is what follows the slash")
{
	char name[32];

	ATF_REQUIRE_EQ(pthread_setname_np(pthread_self(), "thread %d", (void *)(intptr_t)123), 0);
	STS_SYS(_lwp_getname(0, name, sizeof name));
	ATF_REQUIRE_STREQ(name, "thread 123");
	ATF_REQUIRE_EQ(pthread_setname_np(pthread_self(), "0123456789abcdef%s", NULL), 0);
	STS_SYS(_lwp_getname(0, name, sizeof name));
	ATF_REQUIRE_STREQ(name, "0123456789abcde");
	setprogname("/usr/bin/tracer");
	ATF_REQUIRE_STREQ(getprogname(), "tracer");
}

STS_TC(signal_sets, 20, "a set's words of 32 bits")
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGSYS);
	sigaddset(&set, 33 + 1);
	ATF_REQUIRE_EQ(set.__bits[0], 1U | 1U << (SIGSYS - 1));
	ATF_REQUIRE_EQ(set.__bits[1], 1U << 1);
	ATF_REQUIRE_EQ(set.__bits[2], 0);
}

STS_TC(bits, 20, "masks of the debug registers' fields")
{
	ATF_REQUIRE_EQ(__BITS(16, 17), 0x30000);
	ATF_REQUIRE_EQ(X86_DR7_DR3_LENGTH_MASK, 0xc0000000);
	ATF_REQUIRE_EQ(__SHIFTIN(3, X86_DR7_DR0_LENGTH_MASK), 0xc0000);
	ATF_REQUIRE_EQ(__SHIFTOUT(0xc0000, X86_DR7_DR0_LENGTH_MASK), 3);
}

static int volunteers(void *arg)
{
	NB_CHILD(ptrace(PT_TRACE_ME, 0, NULL, 0) == 0);
	raise(SIGSTOP);
	return (int)(intptr_t)arg;
}

/* It is the first thing this process does with the library. */
static void cloned(int flags)
{
	size_t size = 1 << 20;
	char *stack = malloc(size);
	pid_t pid = STS_SYS(__clone(volunteers, stack + size, flags | SIGCHLD, (void *)(intptr_t)7));

	nb_stopped(pid, SIGSTOP);
	nb_continue(pid, 0);
	nb_exited(pid, 7);
	free(stack);
	nb_end();
}

STS_TC(clone, 20, "a child of clone volunteers")
{
	cloned(0);
}

STS_TC(clone_files, 20, "a child of clone that shares descriptors volunteers")
{
	cloned(CLONE_FILES | CLONE_FS);
}

static int illegal(void *arg)
{
	PTRACE_ILLEGAL_ASM;
	return 1;
}

STS_TC(illegal_instruction, 20, "PTRACE_ILLEGAL_ASM is SIGILL")
{
	pid_t pid = nb_volunteer(illegal, NULL);

	nb_continue(pid, 0);
	nb_stopped(pid, SIGILL);
	int code = nb_siginfo(pid).psi_siginfo.si_code;
	ATF_REQUIRE(code >= ILL_ILLOPC && code <= ILL_BADSTK);
	nb_state_none(pid);
	NB_OK(ptrace(PT_KILL, pid, NULL, 0));
	nb_killed(pid, SIGKILL);
	nb_end();
}
