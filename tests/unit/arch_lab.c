// SPDX-License-Identifier: BSD-2-Clause
#include "arch_lab.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

_Static_assert(sizeof(struct stasis_regs_x86) == sizeof(struct user_regs_struct), "kernel's order");

/* i386 numbers */
enum { I386_MUNMAP = 91, I386_MMAP2 = 192 };

/* On one CPU a step takes a tenth of the time. */
static void stay_here(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int wait_stop(struct lab *lab, struct stasis_regs_x86 *regs)
{
	int status;

	STS_SYS(waitpid(lab->pid, &status, __WALL));
	if (!WIFSTOPPED(status))
		atf_tc_fail("the process that executes ended with wait status %#x", (unsigned)status);
	STS_SYS(ptrace(PTRACE_GETREGS, lab->pid, NULL, regs));
	return WSTOPSIG(status);
}

static int go(struct lab *lab, struct stasis_regs_x86 *regs, bool step)
{
	STS_SYS(ptrace(PTRACE_SETREGS, lab->pid, NULL, regs));
	STS_SYS(ptrace(step ? PTRACE_SINGLESTEP : PTRACE_CONT, lab->pid, NULL, NULL));
	return wait_stop(lab, regs);
}

int lab_step(struct lab *lab, struct stasis_regs_x86 *regs)
{
	return go(lab, regs, true);
}

int lab_run(struct lab *lab, struct stasis_regs_x86 *regs)
{
	return go(lab, regs, false);
}

int lab_code(struct lab *lab)
{
	siginfo_t info;

	STS_SYS(ptrace(PTRACE_GETSIGINFO, lab->pid, NULL, &info));
	return info.si_code;
}

bool lab_debugreg_set(struct lab *lab, int n, uint64_t value)
{
	return ptrace(PTRACE_POKEUSER, lab->pid, offsetof(struct user, u_debugreg) + 8 * (size_t)n, value) == 0;
}

uint64_t lab_debugreg(struct lab *lab, int n)
{
	errno = 0;
	long value = ptrace(PTRACE_PEEKUSER, lab->pid, offsetof(struct user, u_debugreg) + 8 * (size_t)n, NULL);

	ATF_REQUIRE_EQ(errno, 0);
	return (uint64_t)value;
}

/* --- setting up ------------------------------------------------------------------ */

static void lab_syscall(struct lab *lab, long number, const uint64_t args[6])
{
	struct stasis_regs_x86 r = lab->regs;
	uint64_t *const wide[6] = {&r.rdi, &r.rsi, &r.rdx, &r.r10, &r.r8, &r.r9};
	uint64_t *const narrow[6] = {&r.rbx, &r.rcx, &r.rdx, &r.rsi, &r.rdi, &r.rbp};

	for (int i = 0; i < 6; i++)
		*(lab->long_mode ? wide : narrow)[i] = args[i];
	r.rax = (uint64_t)number;
	r.orig_rax = UINT64_MAX;
	r.rip = lab->gate;
	ATF_REQUIRE_EQ(lab_step(lab, &r), SIGTRAP);
	int64_t result = lab->long_mode ? (int64_t)r.rax : (int32_t)r.rax;
	if (result < 0 && result > -4096)
		atf_tc_fail("setting up: system call %ld of the process: %s", number, strerror((int)-result));
}

static void map(struct lab *lab, uint64_t from, uint64_t to, int protection, int fd)
{
	uint64_t offset = from - LAB_BASE;

	lab_syscall(lab, lab->long_mode ? SYS_mmap : I386_MMAP2,
		    (uint64_t[6]){from, to - from, (uint64_t)protection, MAP_SHARED | MAP_FIXED, (uint64_t)fd,
				  lab->long_mode ? offset : offset / LAB_PAGE});
}

static void unmap(struct lab *lab, uint64_t from, uint64_t to)
{
	lab_syscall(lab, lab->long_mode ? SYS_munmap : I386_MUNMAP, (uint64_t[6]){from, to - from});
}

static void write_gate(const struct lab *lab, uint8_t to[2])
{
	memcpy(to, lab->long_mode ? "\x0f\x05" : "\xcd\x80", 2);
}

static void move_in(struct lab *lab, int fd)
{
	long word = ptrace(PTRACE_PEEKTEXT, lab->pid, lab->regs.rip, NULL);

	write_gate(lab, (uint8_t *)&word);
	STS_SYS(ptrace(PTRACE_POKETEXT, lab->pid, lab->regs.rip, word));
	lab->gate = lab->regs.rip;
	map(lab, LAB_FIXED, LAB_DATA, PROT_READ, fd);
	map(lab, LAB_DATA, LAB_DATA_END, PROT_READ | PROT_WRITE, fd);
	map(lab, LAB_CODE, LAB_END, PROT_READ | PROT_EXEC, fd);
	write_gate(lab, lab_at(lab, LAB_CODE));
	lab->gate = LAB_CODE;
	unmap(lab, 0, LAB_BASE);
	unmap(lab, LAB_END, lab->long_mode ? 0x7ffffffff000 : 0xffffe000);
}

/* Flat 32-bit segments, as an i386 process has them. */
static void become_compat(struct lab *lab)
{
	lab->long_mode = false;
	lab->regs.cs = 0x23;
	lab->regs.ss = lab->regs.ds = lab->regs.es = 0x2b;
}

void lab_open(struct lab *lab, enum lab_kind kind)
{
	const char *path = sts_target_path(kind == LAB_I386 ? "steps-32" : "steps");
	int fd = (int)STS_SYS(memfd_create("lab", 0)); /* the process inherits it */

	stay_here();
	STS_SYS(ftruncate(fd, LAB_SIZE));
	*lab = (struct lab){.long_mode = kind != LAB_I386};
	lab->memory = mmap(NULL, LAB_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ATF_REQUIRE(lab->memory != MAP_FAILED);
	lab->pid = sts_fork();
	if (lab->pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl(path, path, NULL);
		_exit(STS_TARGET_BROKEN);
	}
	ATF_REQUIRE_EQ(wait_stop(lab, &lab->regs), SIGTRAP);
	STS_SYS(ptrace(PTRACE_SETOPTIONS, lab->pid, NULL, PTRACE_O_EXITKILL));
	ATF_REQUIRE_EQ_MSG(sts_arch_long_mode(&lab->regs), lab->long_mode, "cs is %#llx",
			   (unsigned long long)lab->regs.cs);
	move_in(lab, fd);
	close(fd);
	lab->regs.orig_rax = UINT64_MAX;
	if (kind == LAB_COMPAT)
		become_compat(lab);
}

void lab_close(struct lab *lab)
{
	sts_kill_reap(lab->pid);
	munmap(lab->memory, LAB_SIZE);
}

/* --- memory ---------------------------------------------------------------------- */

uint8_t *lab_at(const struct lab *lab, uint64_t addr)
{
	ATF_REQUIRE(addr >= LAB_BASE && addr < LAB_END);
	return lab->memory + (addr - LAB_BASE);
}

static bool within(uint64_t addr, size_t len, uint64_t from, uint64_t to)
{
	return addr >= from && addr <= to - len;
}

bool lab_readable(uint64_t addr, size_t len)
{
	return within(addr, len, LAB_FIXED, LAB_DATA_END) || within(addr, len, LAB_CODE, LAB_END);
}

bool lab_writable(uint64_t addr, size_t len)
{
	return within(addr, len, LAB_DATA, LAB_DATA_END);
}
