/* SPDX-License-Identifier: BSD-2-Clause */
/* Trials that know the CPU: wide registers, debug registers, 32-bit programs. */
#include "cli/doctor/doctor.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the extended state -------------------------------------------------------------------- */

/* Where the kernel says which components the area has (XCR0). */
#define XCR0_OFFSET 464

static void component_names(uint64_t xcr0, char *buf, size_t cap)
{
	static const struct {
		uint64_t bits;
		const char *name;
	} components[] = {
		{1 << 1, "SSE"},  {1 << 2, "AVX"},  {7 << 5, "AVX-512"},
		{1 << 9, "PKRU"}, {1 << 11, "CET"}, {3 << 17, "AMX"},
	};
	size_t used = (size_t)snprintf(buf, cap, "x87");

	for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++)
		if ((xcr0 & components[i].bits) == components[i].bits && used < cap)
			used += (size_t)snprintf(buf + used, cap - used, ", %s", components[i].name);
}

void sts_doctor_try_wide_registers(struct doctor_trial *t)
{
	static uint8_t area[64 * 1024];
	struct iovec io = {area, sizeof(area)};
	pid_t pid = sts_doctor_stopped_child(t, NULL, 0);
	uint64_t xcr0 = 0;
	char names[96];

	if (pid < 0)
		return;
	if (ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io) < 0) {
		sts_doctor_answer(t, DOCTOR_LIMITED, "", "x87 and SSE registers only (NT_X86_XSTATE: %s)",
				  strerror(errno));
		return;
	}
	if (io.iov_len > XCR0_OFFSET + sizeof(xcr0))
		memcpy(&xcr0, area + XCR0_OFFSET, sizeof(xcr0));
	component_names(xcr0, names, sizeof(names));
	sts_doctor_answer(t, DOCTOR_OK, "", "all registers can be had, %zu bytes: %s (NT_X86_XSTATE)", io.iov_len,
			  names);
}

/* --- debug registers -------------------------------------------------------------------------- */

static volatile int watched __attribute__((aligned(8)));
static volatile long go;

static void write_when_told(void)
{
	/* A limit in CPU time: waiting for a CPU is no sign of anything. */
	const struct itimerval limit = {.it_value = {.tv_usec = 100000}};

	sts_doctor_ready();
	while (!go)
		sched_yield();
	setitimer(ITIMER_VIRTUAL, &limit, NULL);
	for (;;)
		watched++;
}

static unsigned long debug_register(int n)
{
	return offsetof(struct user, u_debugreg) + (unsigned long)n * sizeof(unsigned long);
}

static void watch_and_run(struct doctor_trial *t, pid_t pid)
{
	const unsigned long enable_write_4 = 1UL << 0 | 1UL << 16 | 3UL << 18;
	long hit;
	int status;

	if (ptrace(PTRACE_POKEUSER, pid, debug_register(0), &watched) < 0 ||
	    ptrace(PTRACE_POKEUSER, pid, debug_register(7), enable_write_4) < 0 ||
	    ptrace(PTRACE_POKEDATA, pid, &go, 1) < 0 || ptrace(PTRACE_CONT, pid, 0, 0) < 0) {
		sts_doctor_answer(t, DOCTOR_NO, "", "debug registers cannot be set: %s", strerror(errno));
		return;
	}
	status = sts_doctor_wait(t, pid);
	if (status < 0)
		return;
	hit = ptrace(PTRACE_PEEKUSER, pid, debug_register(6), 0);
	if (WSTOPSIG(status) == SIGTRAP && hit & 1)
		sts_doctor_answer(t, DOCTOR_OK, "", "a watchpoint was set and hit (4 debug registers)");
	else if (WSTOPSIG(status) == SIGVTALRM)
		sts_doctor_answer(t, DOCTOR_NO, "let the virtual machine pass debug registers on",
				  "a watchpoint was set and is never hit");
	else
		sts_doctor_answer(t, DOCTOR_NO, "", "a watchpoint gave stop %#x with status register %#lx", status,
				  hit);
}

void sts_doctor_try_debug_registers(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_stopped_child(t, write_when_told, 0);

	if (pid >= 0)
		watch_and_run(t, pid);
}

/* --- 32-bit programs ----------------------------------------------------------------------------- */

enum { I386_STATUS = 200, I386_BASE = 0x08048000 };

struct i386_program {
	Elf32_Ehdr header;
	Elf32_Phdr segment;
	uint8_t text[12];
};

static const struct i386_program i386_program = {
	.header =
		{
			.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
			.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_version = EV_CURRENT,
			.e_entry = I386_BASE + offsetof(struct i386_program, text),
			.e_phoff = offsetof(struct i386_program, segment),
			.e_ehsize = sizeof(Elf32_Ehdr),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 1,
		},
	.segment =
		{
			.p_type = PT_LOAD,
			.p_vaddr = I386_BASE,
			.p_paddr = I386_BASE,
			.p_filesz = sizeof(struct i386_program),
			.p_memsz = sizeof(struct i386_program),
			.p_flags = PF_R | PF_X,
			.p_align = 0x1000,
		},
	/* mov $1,%eax (exit); mov $200,%ebx; int $0x80 */
	.text = {0xb8, 1, 0, 0, 0, 0xbb, I386_STATUS, 0, 0, 0, 0xcd, 0x80},
};

static void run_i386(void)
{
	char name[] = "i386";
	char *const argv[] = {name, NULL};
	int fd = memfd_create("i386", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, &i386_program, sizeof(i386_program)) == sizeof(i386_program))
		fexecve(fd, argv, argv + 1);
	_exit(errno);
}

void sts_doctor_try_i386(struct doctor_trial *t)
{
	pid_t pid = sts_doctor_child(run_i386);
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		sts_doctor_answer(t, DOCTOR_NO, "", "cannot be tried: %s", strerror(errno));
	else if (WIFEXITED(status) && WEXITSTATUS(status) == I386_STATUS)
		sts_doctor_answer(t, DOCTOR_OK, "", "32-bit programs run");
	else if (WIFEXITED(status) && WEXITSTATUS(status) == ENOEXEC)
		sts_doctor_answer(t, DOCTOR_NO,
				  "matters for such programs only: start the kernel with ia32_emulation=1",
				  "this kernel runs no 32-bit programs");
	else if (WIFEXITED(status))
		sts_doctor_answer(t, DOCTOR_NO, "", "cannot be tried, no program can be run from memory: %s",
				  strerror(WEXITSTATUS(status)));
	else
		sts_doctor_answer(t, DOCTOR_NO, "matters for such programs only",
				  "a 32-bit program was killed by signal %d (%s)", WTERMSIG(status),
				  strsignal(WTERMSIG(status)));
}
