// SPDX-License-Identifier: BSD-2-Clause
/* Memory, registers, auxiliary vector, core file of a stopped tracee. */
#include "nb.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/exec_elf.h>
#include <sys/param.h>
#include <sys/mman.h>
#include <sys/uio.h>

static int nothing(void *arg)
{
	return 0;
}

static void finish(pid_t pid)
{
	nb_continue(pid, 0);
	nb_exited(pid, 0);
	nb_end();
}

/* --- memory ----------------------------------------------------------------------------- */

#define PAGE 4096

/* Same address and contents in the children, which have copies: two pages, and one beyond the end of its file. */
static unsigned char *pages;

static void make_pages(void)
{
	int fd = (int)STS_SYS(memfd_create("pages", MFD_CLOEXEC));

	STS_SYS(ftruncate(fd, 2 * PAGE));
	pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	ATF_REQUIRE(pages != MAP_FAILED);
	for (int i = 0; i < 2 * PAGE; i++)
		pages[i] = (unsigned char)(i * 7 + i / 256);
}

STS_TC(words, 20, "words are read and written at every alignment, across pages too")
{
	static const int requests[][2] = {{PT_READ_I, PT_WRITE_I}, {PT_READ_D, PT_WRITE_D}};

	make_pages();
	pid_t pid = nb_volunteer(nothing, NULL);
	for (int r = 0; r < 2; r++) {
		for (int at = PAGE - 9; at < PAGE + 9; at++) {
			int word = 0x01020300 + at + r, wanted;
			unsigned char *addr = pages + at;

			if (r == 0 && at == PAGE - 9) {
				memcpy(&wanted, addr, sizeof wanted);
				ATF_REQUIRE_EQ(ptrace(requests[r][0], pid, addr, 0), wanted);
			}
			NB_OK(ptrace(requests[r][1], pid, addr, word));
			ATF_REQUIRE_EQ(ptrace(requests[r][0], pid, addr, 0), word);
		}
	}
	finish(pid);
}

STS_TC(minus_one, 20, "a word of -1 is no error")
{
	make_pages();
	pid_t pid = nb_volunteer(nothing, NULL);
	NB_OK(ptrace(PT_WRITE_D, pid, pages, -1));
	errno = 0;
	ATF_REQUIRE_EQ(ptrace(PT_READ_D, pid, pages, 0), -1);
	ATF_REQUIRE_EQ(errno, 0);
	finish(pid);
}

static size_t io(pid_t pid, int op, void *there, void *here, size_t len)
{
	struct ptrace_io_desc desc = {.piod_op = op, .piod_offs = there, .piod_addr = here, .piod_len = len};

	NB_OK(ptrace(PT_IO, pid, &desc, 0));
	return desc.piod_len;
}

STS_TC(io_all_lengths, 20, "PT_IO moves as many bytes as asked for, in both spaces and directions")
{
	unsigned char out[300], back[300];

	make_pages();
	pid_t pid = nb_volunteer(nothing, NULL);
	for (size_t len = 1; len < sizeof out; len += 1 + len / 8) {
		unsigned char *addr = pages + PAGE - len / 2;

		memset(out, (int)len, sizeof out);
		ATF_REQUIRE_EQ(io(pid, len & 1 ? PIOD_WRITE_D : PIOD_WRITE_I, addr, out, len), len);
		ATF_REQUIRE_EQ(io(pid, len & 1 ? PIOD_READ_I : PIOD_READ_D, addr, back, len), len);
		ATF_REQUIRE_EQ(memcmp(out, back, len), 0);
		/* The byte after is untouched: a write too long would show. */
		ATF_REQUIRE_EQ(io(pid, PIOD_READ_D, addr + len, back, 1), 1);
		ATF_REQUIRE(back[0] != (unsigned char)len || addr[len] == (unsigned char)len || len > 1);
	}
	finish(pid);
}

STS_TC(io_short, 20, "PT_IO ends at unmapped memory and says how far it came; nothing at all is EFAULT")
{
	unsigned char buf[64];
	struct ptrace_io_desc desc = {.piod_op = PIOD_READ_D, .piod_addr = buf, .piod_len = sizeof buf};

	make_pages();
	STS_SYS(madvise(pages + 2 * PAGE, PAGE, MADV_DONTFORK)); /* the tracee has nothing there */
	pid_t pid = nb_volunteer(nothing, NULL);
	ATF_REQUIRE_EQ(io(pid, PIOD_READ_D, pages + 2 * PAGE - 10, buf, sizeof buf), 10);
	ATF_REQUIRE_EQ(memcmp(buf, pages + 2 * PAGE - 10, 10), 0);
	ATF_REQUIRE_EQ(io(pid, PIOD_WRITE_D, pages + 2 * PAGE - 10, buf, sizeof buf), 10);
	desc.piod_offs = pages + 2 * PAGE;
	NB_FAILS(EFAULT, ptrace(PT_IO, pid, &desc, 0));
	NB_FAILS(EFAULT, ptrace(PT_READ_D, pid, pages + 2 * PAGE, 0));
	NB_FAILS(EFAULT, ptrace(PT_WRITE_D, pid, pages + 2 * PAGE, 0));
	desc.piod_len = 0;
	NB_FAILS(EINVAL, ptrace(PT_IO, pid, &desc, 0));
	desc = (struct ptrace_io_desc){.piod_op = 99, .piod_offs = pages, .piod_addr = buf, .piod_len = 1};
	NB_FAILS(EINVAL, ptrace(PT_IO, pid, &desc, 0));
	finish(pid);
}

static int runs_patched(void *arg)
{
	return ((int (*)(void))(uintptr_t)pages)();
}

STS_TC(beyond_end, 20, "memory that is mapped beyond the end of its file: EINVAL in every direction")
{
	static const int words[] = {PT_READ_I, PT_READ_D, PT_WRITE_I, PT_WRITE_D};
	static const int ios[] = {PIOD_READ_I, PIOD_READ_D, PIOD_WRITE_I, PIOD_WRITE_D};

	make_pages();
	void *page = pages + 2 * PAGE;
	pid_t pid = nb_volunteer(nothing, NULL);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		int word = 0;
		struct ptrace_io_desc desc = {
			.piod_op = ios[i], .piod_offs = page, .piod_addr = &word, .piod_len = sizeof word};

		NB_FAILS(EINVAL, ptrace(words[i], pid, page, 0));
		NB_FAILS(EINVAL, ptrace(PT_IO, pid, &desc, 0));
	}
	finish(pid);
}

STS_TC(text, 20, "pages that nobody may write are written all the same: a breakpoint in the text")
{
	/* mov $5, %eax; ret */
	static const unsigned char code[] = {0xb8, 5, 0, 0, 0, 0xc3};
	unsigned char byte = 0xcc;
	struct reg regs;

	make_pages();
	memcpy(pages, code, sizeof code);
	STS_SYS(mprotect(pages, PAGE, PROT_READ | PROT_EXEC));
	pid_t pid = nb_volunteer(runs_patched, NULL);
	ATF_REQUIRE_EQ(io(pid, PIOD_WRITE_I, pages, &byte, PTRACE_BREAKPOINT_SIZE), 1);
	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_BRKPT);
	NB_OK(ptrace(PT_GETREGS, pid, &regs, 0));
	ATF_REQUIRE_EQ(PTRACE_REG_PC(&regs) - PTRACE_BREAKPOINT_ADJ, (long)pages);
	byte = code[0];
	ATF_REQUIRE_EQ(io(pid, PIOD_WRITE_I, pages, &byte, 1), 1);
	NB_OK(ptrace(PT_CONTINUE, pid, pages, 0)); /* from the breakpoint's address */
	nb_exited(pid, 5);
	nb_end();
}

STS_TC(auxv, 20, "PIOD_READ_AUXV: the vector, from an offset, and EIO beyond it")
{
	static Elf64_auxv_t vector[256], tail[256];
	struct ptrace_io_desc desc = {.piod_op = PIOD_READ_AUXV, .piod_addr = vector, .piod_len = sizeof vector};
	bool found = false;

	pid_t pid = nb_volunteer(nothing, NULL);
	NB_OK(ptrace(PT_IO, pid, &desc, 0));
	size_t len = desc.piod_len;
	ATF_REQUIRE(len > 0 && len % sizeof *vector == 0);
	for (size_t i = 0; i < len / sizeof *vector; i++)
		found |= vector[i].a_type == AT_PAGESZ && vector[i].a_un.a_val == PAGE;
	ATF_REQUIRE(found);
	size_t rest = io(pid, PIOD_READ_AUXV, (void *)sizeof *vector, tail, sizeof tail);
	ATF_REQUIRE_EQ(rest, len - sizeof *vector);
	ATF_REQUIRE_EQ(memcmp(tail, vector + 1, rest), 0);
	desc.piod_offs = (void *)(len + 1);
	desc.piod_len = 1;
	NB_FAILS(EIO, ptrace(PT_IO, pid, &desc, 0));
	finish(pid);
}

/* --- registers ----------------------------------------------------------------------------------- */

/* Loads every register with a value of its own, traps, and keeps what it finds afterwards. */
static __attribute__((used)) struct held {
	uint64_t general[13];
	unsigned char xmm[16][16];
	uint64_t x87;
} before, after;

static int holds(void *arg)
{
	__asm__ volatile("fildll %[x87]\n\t"
			 "push %%rbp\n\t"
			 "lea before(%%rip), %%rax\n\t"
			 "movups 104(%%rax), %%xmm0\n\t"
			 "movups 344(%%rax), %%xmm15\n\t"
			 "mov 0(%%rax), %%rbx\n\t"
			 "mov 8(%%rax), %%rcx\n\t"
			 "mov 16(%%rax), %%rdx\n\t"
			 "mov 24(%%rax), %%rsi\n\t"
			 "mov 32(%%rax), %%rdi\n\t"
			 "mov 40(%%rax), %%r8\n\t"
			 "mov 48(%%rax), %%r9\n\t"
			 "mov 56(%%rax), %%r10\n\t"
			 "mov 64(%%rax), %%r11\n\t"
			 "mov 72(%%rax), %%r12\n\t"
			 "mov 80(%%rax), %%r13\n\t"
			 "mov 88(%%rax), %%r14\n\t"
			 "mov 96(%%rax), %%r15\n\t"
			 "int3\n\t"
			 "mov %%rbx, after(%%rip)\n\t"
			 "mov %%r15, after+96(%%rip)\n\t"
			 "movups %%xmm0, after+104(%%rip)\n\t"
			 "movups %%xmm15, after+344(%%rip)\n\t"
			 "pop %%rbp\n\t"
			 "fistpll after+360(%%rip)\n\t"
			 :
			 : [x87] "m"(before.x87)
			 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			   "r15", "xmm0", "xmm15", "memory");
	return 0;
}

static const int held_order[13] = {_REG_RBX, _REG_RCX, _REG_RDX, _REG_RSI, _REG_RDI, _REG_R8, _REG_R9,
				   _REG_R10, _REG_R11, _REG_R12, _REG_R13, _REG_R14, _REG_R15};

static pid_t holding(void)
{
	_Static_assert(offsetof(struct held, xmm) == 104 && offsetof(struct held, x87) == 360, "as in holds()");
	for (int i = 0; i < 13; i++)
		before.general[i] = UINT64_C(0x1111111111111111) * (unsigned)(i + 1);
	for (int i = 0; i < 16; i++)
		memset(before.xmm[i], 0x40 + i, 16);
	before.x87 = 123456;
	pid_t pid = nb_volunteer(holds, NULL);
	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_BRKPT);
	return pid;
}

/* To its end; what it kept, read before that. */
static void look_after(pid_t pid)
{
	nb_syscall(pid); /* it is through with holds() when it calls the kernel */
	nb_trapped(pid, TRAP_SCE);
	ATF_REQUIRE_EQ(io(pid, PIOD_READ_D, &after, &after, sizeof after), sizeof after);
	nb_continue(pid, 0);
	nb_exited(pid, 0);
	nb_end();
}

#if !defined __SANITIZE_ADDRESS__
STS_TC(general, 20, "general registers under their names, read and written")
{
	struct reg regs;
	pid_t pid = holding();

	NB_OK(ptrace(PT_GETREGS, pid, &regs, pid));
	for (int i = 0; i < 13; i++)
		ATF_REQUIRE_EQ((uint64_t)regs.regs[held_order[i]], before.general[i]);
	ATF_REQUIRE_EQ(regs.regs[_REG_RAX], (long)&before);
	regs.regs[_REG_RBX] = 71;
	regs.regs[_REG_R15] = 72;
	NB_OK(ptrace(PT_SETREGS, pid, &regs, 0));
	look_after(pid);
	ATF_REQUIRE_EQ(after.general[0], 71);
	ATF_REQUIRE_EQ(after.general[12], 72);
	ATF_REQUIRE_EQ(after.x87, before.x87);
}

static void fp_requests(int get, int set)
{
	struct fpreg fp;
	pid_t pid = holding();

	NB_OK(ptrace(get, pid, &fp, 0));
	ATF_REQUIRE_EQ(memcmp(&fp.fxstate.fx_xmm[0], before.xmm[0], 16), 0);
	ATF_REQUIRE_EQ(memcmp(&fp.fxstate.fx_xmm[15], before.xmm[15], 16), 0);
	ATF_REQUIRE_EQ(fp.fxstate.fx_cw, 0x37f);
	/* 123456 = 1.88 * 2^16 */
	ATF_REQUIRE_EQ(fp.fxstate.fx_87_ac[0].r.f87_exp_sign, 0x3fff + 16);
	ATF_REQUIRE_EQ(fp.fxstate.fx_87_ac[0].r.f87_mantissa, UINT64_C(123456) << 47);
	memset(&fp.fxstate.fx_xmm[15], 0x77, 16);
	fp.fxstate.fx_87_ac[0].r.f87_exp_sign++; /* twice as much */
	NB_OK(ptrace(set, pid, &fp, 0));
	look_after(pid);
	ATF_REQUIRE_EQ(memcmp(after.xmm[0], before.xmm[0], 16), 0);
	ATF_REQUIRE_EQ(after.xmm[15][0], 0x77);
	ATF_REQUIRE_EQ(after.xmm[15][15], 0x77);
	ATF_REQUIRE_EQ(after.x87, 2 * before.x87);
}

STS_TC(fp, 20, "floating-point registers")
{
	fp_requests(PT_GETFPREGS, PT_SETFPREGS);
}

STS_TC(xmm, 20, "the same as XMM registers")
{
	fp_requests(PT_GETXMMREGS, PT_SETXMMREGS);
}

STS_TC(xstate, 20, "the extended state: only what xs_rfbm names is written")
{
	struct xstate xs;
	struct iovec iov = {&xs, sizeof xs};
	pid_t pid = holding();

	NB_OK(ptrace(PT_GETXSTATE, pid, &iov, 0));
	ATF_REQUIRE_EQ(xs.xs_rfbm & (XCR0_X87 | XCR0_SSE), XCR0_X87 | XCR0_SSE);
	ATF_REQUIRE_EQ(memcmp(&xs.xs_fxsave.fx_xmm[15], before.xmm[15], 16), 0);
	memset(&xs.xs_fxsave.fx_xmm[15], 0x55, 16);
	xs.xs_fxsave.fx_87_ac[0].r.f87_exp_sign++;
	xs.xs_rfbm = XCR0_SSE;
	xs.xs_xstate_bv |= XCR0_SSE;
	NB_OK(ptrace(PT_SETXSTATE, pid, &iov, 0));
	look_after(pid);
	ATF_REQUIRE_EQ(after.xmm[15][7], 0x55);
	ATF_REQUIRE_EQ(after.x87, before.x87);
}
#endif

static unsigned char ymm_in[32] __attribute__((aligned(32))), ymm_out[32] __attribute__((aligned(32)));

__attribute__((target("avx"))) static int holds_ymm(void *arg)
{
	__asm__ volatile("vmovdqa %1, %%ymm7\n\tint3\n\tvmovdqa %%ymm7, %0" : "=m"(ymm_out) : "m"(ymm_in) : "xmm7");
	return ymm_out[31];
}

STS_TC(avx, 20, "AVX: the upper halves are read and written")
{
	struct xstate xs;
	struct iovec iov = {&xs, sizeof xs};

	if (!__builtin_cpu_supports("avx"))
		atf_tc_skip("this CPU has no AVX");
	for (int i = 0; i < 32; i++)
		ymm_in[i] = (unsigned char)(i + 1);
	pid_t pid = nb_volunteer(holds_ymm, NULL);
	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_BRKPT);
	NB_OK(ptrace(PT_GETXSTATE, pid, &iov, 0));
	ATF_REQUIRE(xs.xs_rfbm & XCR0_YMM_Hi128);
	ATF_REQUIRE_EQ(memcmp(&xs.xs_fxsave.fx_xmm[7], ymm_in, 16), 0);
	ATF_REQUIRE_EQ(memcmp(&xs.xs_ymm_hi128.xs_ymm[7], ymm_in + 16, 16), 0);
	xs.xs_ymm_hi128.xs_ymm[7].ymm_bytes[15] = 77;
	xs.xs_rfbm = XCR0_YMM_Hi128;
	NB_OK(ptrace(PT_SETXSTATE, pid, &iov, 0));
	nb_continue(pid, 0);
	nb_exited(pid, 77);
	nb_end();
}

/* Of AVX-512: an opmask, the upper half of a register, and one of those that only it has. */
static unsigned char zmm_in[2][64] __attribute__((aligned(64))), zmm_out[2][64] __attribute__((aligned(64)));
static uint64_t mask_out;

__attribute__((target("avx512f,avx512bw"))) static int holds_zmm(void *arg)
{
	__asm__ volatile("vmovdqa64 %3, %%zmm7\n\t"
			 "vmovdqa64 %4, %%zmm29\n\t"
			 "kmovq %5, %%k3\n\t"
			 "int3\n\t"
			 "vmovdqa64 %%zmm7, %0\n\t"
			 "vmovdqa64 %%zmm29, %1\n\t"
			 "kmovq %%k3, %2"
			 : "=m"(zmm_out[0]), "=m"(zmm_out[1]), "=r"(mask_out)
			 : "m"(zmm_in[0]), "m"(zmm_in[1]), "r"(UINT64_C(0x123456789abcdef0))
			 : "xmm7", "xmm29", "k3");
	NB_CHILD(mask_out == UINT64_C(0x123456789abcdef1));
	NB_CHILD(zmm_out[0][31] == 32 && zmm_out[1][0] == 101); /* not written */
	return zmm_out[0][63] + zmm_out[1][63];
}

STS_TC(avx512, 20, "AVX-512: masks, upper halves and upper registers are read and written")
{
	const uint64_t parts = XCR0_Opmask | XCR0_ZMM_Hi256 | XCR0_Hi16_ZMM;
	struct xstate xs;
	struct iovec iov = {&xs, sizeof xs};

	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw"))
		atf_tc_skip("this CPU has no AVX-512");
	for (int i = 0; i < 64; i++) {
		zmm_in[0][i] = (unsigned char)(i + 1);
		zmm_in[1][i] = (unsigned char)(i + 101);
	}
	pid_t pid = nb_volunteer(holds_zmm, NULL);
	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_BRKPT);
	NB_OK(ptrace(PT_GETXSTATE, pid, &iov, 0));
	ATF_REQUIRE_EQ(xs.xs_rfbm & parts, parts);
	ATF_REQUIRE_EQ(xs.xs_xstate_bv & parts, parts);
	ATF_REQUIRE_EQ(xs.xs_opmask.xs_k[3], UINT64_C(0x123456789abcdef0));
	ATF_REQUIRE_EQ(memcmp(&xs.xs_zmm_hi256.xs_zmm[7], zmm_in[0] + 32, 32), 0);
	ATF_REQUIRE_EQ(memcmp(&xs.xs_hi16_zmm.xs_hi16_zmm[29 - 16], zmm_in[1], 64), 0);
	xs.xs_opmask.xs_k[3]++;
	xs.xs_zmm_hi256.xs_zmm[7].zmm_bytes[31] = 7;
	xs.xs_hi16_zmm.xs_hi16_zmm[29 - 16].zmm_bytes[63] = 8;
	xs.xs_ymm_hi128.xs_ymm[7].ymm_bytes[15] = 99; /* of a part that is not named below */
	xs.xs_rfbm = parts;
	NB_OK(ptrace(PT_SETXSTATE, pid, &iov, 0));
	nb_continue(pid, 0);
	nb_exited(pid, 15);
	nb_end();
}

/* --- core file ------------------------------------------------------------------------------------------- */

static void check_core(const char *path)
{
	Elf64_Ehdr header;
	FILE *f = fopen(path, "re");

	ATF_REQUIRE_MSG(f != NULL, "%s is not there", path);
	ATF_REQUIRE_EQ(fread(&header, sizeof header, 1, f), 1);
	fclose(f);
	ATF_REQUIRE_EQ(memcmp(header.e_ident, ELFMAG, SELFMAG), 0);
	ATF_REQUIRE_EQ(header.e_type, ET_CORE);
	ATF_REQUIRE_EQ(header.e_machine, EM_X86_64);
}

STS_TC(core, 30, "PT_DUMPCORE: to a path, whose length is given, or NAME.core; the tracee goes on")
{
	char path[] = "some.core+rest";
	char name[16], own[64];

	pid_t pid = nb_volunteer(nothing, NULL);
	NB_OK(ptrace(PT_DUMPCORE, pid, path, 9));
	check_core("some.core");
	NB_OK(ptrace(PT_DUMPCORE, pid, NULL, 0));
	ATF_REQUIRE_EQ(_lwp_getname(0, name, sizeof name), 0);
	snprintf(own, sizeof own, "%s.core", name);
	check_core(own);
	finish(pid);
}

/* The first note of this name and type; its size, which must be as expected. */
static bool find_note(const char *path, const char *name, uint32_t type, void *to, size_t size)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	Elf64_Nhdr note;
	char found[64];
	int fd = STS_SYS(open(path, O_RDONLY | O_CLOEXEC));

	ATF_REQUIRE_EQ(pread(fd, &header, sizeof header, 0), sizeof header);
	for (int i = 0; i < header.e_phnum; i++) {
		ATF_REQUIRE_EQ(pread(fd, &segment, sizeof segment, header.e_phoff + i * sizeof segment),
			       sizeof segment);
		off_t at = segment.p_offset, end = at + segment.p_filesz;

		while (segment.p_type == PT_NOTE && at < end) {
			ATF_REQUIRE_EQ(pread(fd, &note, sizeof note, at), sizeof note);
			ATF_REQUIRE(note.n_namesz > 0 && note.n_namesz <= sizeof found);
			ATF_REQUIRE_EQ(pread(fd, found, note.n_namesz, at + sizeof note), note.n_namesz);
			at += sizeof note + roundup(note.n_namesz, 4);
			if (strcmp(found, name) == 0 && note.n_type == type) {
				ATF_REQUIRE_EQ(note.n_descsz, size);
				ATF_REQUIRE_EQ(pread(fd, to, size, at), size);
				close(fd);
				return true;
			}
			at += roundup(note.n_descsz, 4);
		}
	}
	close(fd);
	return false;
}

static void read_note(const char *path, const char *name, uint32_t type, void *to, size_t size)
{
	ATF_REQUIRE_MSG(find_note(path, name, type, to, size), "no note %s of type %u", name, type);
}

static int traps_with_registers(void *arg)
{
	__asm__ volatile("int3" : : "a"(0x1234), "b"(0x5678));
	return 0;
}

static void check_process(const struct netbsd_elfcore_procinfo *info, pid_t pid)
{
	ATF_REQUIRE_EQ(info->cpi_version, 1);
	ATF_REQUIRE_EQ(info->cpi_cpisize, sizeof *info);
	ATF_REQUIRE_EQ(info->cpi_signo, SIGTRAP);
	ATF_REQUIRE_EQ(info->cpi_sigcode, TRAP_BRKPT);
	ATF_REQUIRE_EQ(info->cpi_pid, pid);
	ATF_REQUIRE_EQ(info->cpi_ppid, getpid());
	ATF_REQUIRE_EQ(info->cpi_pgrp, getpgid(pid));
	ATF_REQUIRE_EQ(info->cpi_sid, getsid(pid));
	ATF_REQUIRE_EQ(info->cpi_ruid, getuid());
	ATF_REQUIRE_EQ(info->cpi_egid, getegid());
	ATF_REQUIRE_EQ(info->cpi_nlwps, 1);
	ATF_REQUIRE_EQ(info->cpi_siglwp, pid);
}

STS_TC(core_notes, 30, "a core file with NetBSD's notes: the process, and the registers of its LWPs")
{
	pid_t pid = nb_volunteer(traps_with_registers, NULL);
	char name[64], path[] = "noted.core";
	struct netbsd_elfcore_procinfo info;
	struct reg regs;
	struct fpreg fp, fp_now;
	struct xstate xs, xs_now;
	struct iovec iov = {&xs_now, sizeof xs_now};

	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_BRKPT);
	NB_OK(ptrace(PT_DUMPCORE, pid, path, strlen(path))); /* this program includes <sys/exec_elf.h> */
	check_core(path);
	read_note(path, "NetBSD-CORE", ELF_NOTE_NETBSD_CORE_PROCINFO, &info, sizeof info);
	check_process(&info, pid);
	snprintf(name, sizeof name, "NetBSD-CORE@%d", (int)pid);
	read_note(path, name, PT_GETREGS, &regs, sizeof regs);
	ATF_REQUIRE_EQ(regs.regs[_REG_RAX], 0x1234);
	ATF_REQUIRE_EQ(regs.regs[_REG_RBX], 0x5678);
	read_note(path, name, PT_GETFPREGS, &fp, sizeof fp);
	NB_OK(ptrace(PT_GETFPREGS, pid, &fp_now, 0));
	ATF_REQUIRE_EQ(memcmp(&fp, &fp_now, sizeof fp), 0);
	read_note(path, name, PT_GETXSTATE, &xs, sizeof xs);
	NB_OK(ptrace(PT_GETXSTATE, pid, &iov, 0));
	ATF_REQUIRE_EQ(memcmp(&xs, &xs_now, sizeof xs), 0);
	nb_continue(pid, 0);
	nb_exited(pid, 0);
	nb_end();
}

static bool has_notes(pid_t pid)
{
	char path[] = "maybe.core";
	struct netbsd_elfcore_procinfo info;

	NB_OK(ptrace(PT_DUMPCORE, pid, path, strlen(path)));
	check_core(path);
	return find_note(path, "NetBSD-CORE", ELF_NOTE_NETBSD_CORE_PROCINFO, &info, sizeof info);
}

STS_TC(core_notes_wanted, 30, "NetBSD's notes are written if the program or the user wants them, who has the last word")
{
	pid_t pid = nb_volunteer(nothing, NULL);

	ATF_REQUIRE(has_notes(pid));
	STS_SYS(setenv("STASIS_NETBSD_CORE_NOTES", "0", 1));
	ATF_REQUIRE(!has_notes(pid));
	STS_SYS(unsetenv("STASIS_NETBSD_CORE_NOTES"));
	stasis_netbsd_core_notes(0);
	ATF_REQUIRE(!has_notes(pid));
	STS_SYS(setenv("STASIS_NETBSD_CORE_NOTES", "1", 1));
	ATF_REQUIRE(has_notes(pid));
	finish(pid);
}
