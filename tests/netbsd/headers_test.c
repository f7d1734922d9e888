// SPDX-License-Identifier: BSD-2-Clause
/* What programs of NetBSD's get from each header without asking for another: this must compile, in this order. */
#include <sys/cdefs.h>
__RCSID("a source's revision");

#include <sys/param.h>
#include <sys/types.h>
#include <sys/exec_elf.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <machine/reg.h>
#include <elf.h>
#include <err.h>
#include <lwp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <strings.h>
#include <x86/cpu_extended_state.h>
#include <x86/specialreg.h>

struct aligned_register {
	uint64_t mantissa;
} __aligned(16);

__CTASSERT(sizeof(struct aligned_register) == 16);
__CTASSERT(sizeof(AuxInfo) == 2 * sizeof(long));
__CTASSERT(CTL_MAXNAME >= 6);

static int mib[CTL_MAXNAME];
static char text[MAXPATHLEN];

/* <strings.h> has <string.h>'s functions, <sys/sysctl.h> the formats of <inttypes.h>. */
static void __used show_set(const ki_sigset_t *set)
{
	memset(mib, 0, sizeof mib);
	strlcpy(text, strsignal(SIGINFO), sizeof text);
	printf("%#02" PRIx32 "%02" PRIx32 " %s\n", set->__bits[0], set->__bits[1], text);
}

static void __used show_register(const struct reg *regs, lwpid_t lwp)
{
	register_t pc = PTRACE_REG_PC(regs);

	printf("%d: %" PRIxREGISTER " %#zx\n", lwp, pc, roundup(sizeof *regs, MIN(sizeof *regs, 4)));
}

static int __used count(const AuxInfo *vector)
{
	int n = 0;

	while (vector[n].a_type != AT_NULL)
		n += vector[n].a_v != 0 || vector[n].a_type != 0;
	return n;
}

#include "nb.h"

static int nothing(void *arg)
{
	return 0;
}

STS_TC(auxv, 20, "the auxiliary vector in NetBSD's structure")
{
	AuxInfo vector[513];
	struct ptrace_io_desc io = {.piod_op = PIOD_READ_AUXV, .piod_addr = vector, .piod_len = sizeof vector - 1};
	pid_t pid = nb_volunteer(nothing, NULL);

	NB_OK(ptrace(PT_IO, pid, &io, 0));
	ATF_REQUIRE(io.piod_len < sizeof vector - 1);
	ATF_REQUIRE_EQ((count(vector) + 1) * sizeof *vector, io.piod_len);
	nb_continue(pid, 0);
	nb_exited(pid, 0);
	nb_end();
}
