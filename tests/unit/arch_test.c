// SPDX-License-Identifier: BSD-2-Clause
/* The CPU contract besides emulation: classes of instructions, what is refused, debug registers. */
#include "arch_lab.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { IN_64 = 1, IN_32 = 2, IN_BOTH = 3 };

struct bytes {
	uint8_t bytes[16];
	size_t len;
	unsigned modes;
};
#define BYTES(modes_, ...)                                                                                             \
	{                                                                                                              \
		{__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), modes_                                                \
	}

static const char *in_words(const struct bytes *b, bool long_mode)
{
	static char text[80];
	int n = snprintf(text, sizeof(text), "%d bits:", long_mode ? 64 : 32);

	for (size_t i = 0; i < b->len; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %02x", b->bytes[i]);
	return text;
}

/* --- classes -------------------------------------------------------------------- */

static const struct bytes system_calls[] = {
	BYTES(IN_BOTH, 0x0f, 0x05),
	BYTES(IN_BOTH, 0x0f, 0x34),
	BYTES(IN_BOTH, 0xcd, 0x80),
	BYTES(IN_BOTH, 0xcd, 0x80, 0x90, 0x90),
	BYTES(IN_BOTH, 0x66, 0x0f, 0x05),
	BYTES(IN_BOTH, 0xf3, 0x0f, 0x34),
	BYTES(IN_BOTH, 0x2e, 0x65, 0xcd, 0x80),
	BYTES(IN_BOTH, 0xf2, 0x67, 0x26, 0x36, 0x3e, 0x64, 0x0f, 0x05),
	BYTES(IN_64, 0x48, 0x0f, 0x05),
	BYTES(IN_64, 0x66, 0x4f, 0xcd, 0x80),
};

static const struct bytes plain[] = {
	BYTES(IN_BOTH, 0x90),
	BYTES(IN_BOTH, 0x0f, 0x06),
	BYTES(IN_BOTH, 0x0f, 0x35), /* sysexit */
	BYTES(IN_BOTH, 0xcd, 0x03), /* int 3 */
	BYTES(IN_BOTH, 0xcd, 0x81),
	BYTES(IN_BOTH, 0xcc),
	BYTES(IN_BOTH, 0x90, 0x0f, 0x05),	/* the call is the next one */
	BYTES(IN_BOTH, 0xb8, 0x0f, 0x05, 0, 0), /* mov $0x50f, %eax */
	BYTES(IN_BOTH, 0x0f),
	BYTES(IN_BOTH, 0xcd),
	BYTES(IN_BOTH, 0x66, 0x66, 0x66),
	BYTES(IN_32, 0x48, 0x0f, 0x05), /* dec %eax */
	BYTES(IN_32, 0x40, 0xcd, 0x80),
};

static void require_class(const struct bytes *table, size_t n, enum sts_insn_class should)
{
	for (size_t i = 0; i < 2 * n; i++) {
		const struct bytes *b = &table[i / 2];
		bool long_mode = i % 2;

		if (b->modes & (long_mode ? IN_64 : IN_32))
			ATF_REQUIRE_EQ_MSG(sts_arch_insn_classify(b->bytes, b->len, long_mode), should, "%s",
					   in_words(b, long_mode));
	}
}

STS_TC(classes, 5, "system call instructions are told from others, with prefixes and without")
{
	require_class(system_calls, sizeof(system_calls) / sizeof(*system_calls), STS_INSN_SYSCALL);
	require_class(plain, sizeof(plain) / sizeof(*plain), STS_INSN_PLAIN);
	ATF_REQUIRE_EQ(sts_arch_insn_classify(NULL, 0, true), STS_INSN_PLAIN);
}

STS_TC(mode, 5, "the code segment tells 64-bit code from 32-bit code")
{
	static const struct {
		uint64_t cs;
		bool long_mode;
	} table[] = {{0x33, true}, {0x23, false}, {0xe033, true}, {0x07, false}, {0x0f, false}};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const struct stasis_regs_x86 regs = {.cs = table[i].cs};

		ATF_REQUIRE_EQ_MSG(sts_arch_long_mode(&regs), table[i].long_mode, "%#" PRIx64, table[i].cs);
	}
}

static void require_mode(enum lab_kind kind)
{
	struct lab lab;

	lab_open(&lab, kind); /* it compares the mode with that of the process */
	ATF_REQUIRE_EQ(sts_arch_long_mode(&lab.regs), kind == LAB_LONG);
	lab_close(&lab);
}

STS_TC(mode_long, 10, "a 64-bit process is in long mode")
{
	require_mode(LAB_LONG);
}

STS_TC(mode_i386, 10, "an i386 process is not")
{
	require_mode(LAB_I386);
}

STS_TC(break_insn, 10, "the breakpoint instruction traps, with the PC where it is said to be")
{
	struct lab lab;

	lab_open(&lab, LAB_LONG);
	memcpy(lab_at(&lab, LAB_CODE), sts_arch_break_insn, sts_arch_break_size);
	struct stasis_regs_x86 regs = lab.regs;
	regs.rip = LAB_CODE;
	ATF_REQUIRE_EQ(lab_run(&lab, &regs), SIGTRAP);
	ATF_REQUIRE_EQ(lab_code(&lab), SI_KERNEL);
	ATF_REQUIRE_EQ(regs.rip, LAB_CODE + sts_arch_break_pc_advance);
	ATF_REQUIRE(sts_arch_break_size <= STS_ARCH_BREAK_MAX && sts_arch_insn_max == 15);
	lab_close(&lab);
}

/* --- refusals ----------------------------------------------------------------------- */

static const struct bytes unknown[] = {
	BYTES(IN_BOTH, 0xcc),
	BYTES(IN_BOTH, 0xcd, 0x80),
	BYTES(IN_BOTH, 0x0f, 0x05),
	BYTES(IN_BOTH, 0x0f, 0x0b),		      /* ud2 */
	BYTES(IN_BOTH, 0x0f, 0xa2),		      /* cpuid */
	BYTES(IN_BOTH, 0xf4),			      /* hlt */
	BYTES(IN_BOTH, 0x9c),			      /* pushf */
	BYTES(IN_BOTH, 0x9d),			      /* popf */
	BYTES(IN_BOTH, 0xcf),			      /* iret */
	BYTES(IN_BOTH, 0xcb),			      /* far ret */
	BYTES(IN_BOTH, 0xe2, 0xfe),		      /* loop */
	BYTES(IN_BOTH, 0xe3, 0x00),		      /* jrcxz */
	BYTES(IN_BOTH, 0xf3, 0x90),		      /* pause */
	BYTES(IN_BOTH, 0xf3, 0xa4),		      /* rep movs */
	BYTES(IN_BOTH, 0xf3, 0xc3),		      /* rep ret */
	BYTES(IN_BOTH, 0xf2, 0xc3),		      /* bnd ret */
	BYTES(IN_BOTH, 0xf3, 0x0f, 0x1e, 0xc8),	      /* rdssp */
	BYTES(IN_BOTH, 0x0f, 0x1f, 0xc8),	      /* 0f 1f /1 */
	BYTES(IN_BOTH, 0xf0, 0xff, 0x00),	      /* lock incl (%rax): one access */
	BYTES(IN_BOTH, 0x86, 0x00),		      /* xchg, locked without saying so */
	BYTES(IN_BOTH, 0x0f, 0xb1, 0x03),	      /* cmpxchg */
	BYTES(IN_BOTH, 0x0f, 0xc1, 0x03),	      /* xadd */
	BYTES(IN_BOTH, 0x0f, 0xb7, 0x00),	      /* movzwl */
	BYTES(IN_BOTH, 0xc1, 0xe0, 1),		      /* shl */
	BYTES(IN_BOTH, 0xf6, 0xc8, 0),		      /* f6 /1 */
	BYTES(IN_BOTH, 0xf7, 0xe0),		      /* mul */
	BYTES(IN_BOTH, 0xf7, 0xf0),		      /* div */
	BYTES(IN_BOTH, 0xfe, 0xd0),		      /* undefined */
	BYTES(IN_BOTH, 0xc6, 0xf8, 0),		      /* xabort */
	BYTES(IN_32, 0x63, 0xc0),		      /* arpl */
	BYTES(IN_32, 0x82, 0xc0, 1),		      /* add, another time */
	BYTES(IN_BOTH, 0xff, 0xd8),		      /* undefined */
	BYTES(IN_BOTH, 0xff, 0x18),		      /* far call */
	BYTES(IN_BOTH, 0xff, 0x28),		      /* far jmp */
	BYTES(IN_BOTH, 0xff, 0xf8),		      /* undefined */
	BYTES(IN_BOTH, 0xc7, 0xf8, 0, 0, 0, 0),	      /* xbegin */
	BYTES(IN_BOTH, 0xc7, 0x08, 0, 0, 0, 0),	      /* undefined */
	BYTES(IN_BOTH, 0x8d, 0xc0),		      /* lea of a register */
	BYTES(IN_BOTH, 0x8e, 0xd0),		      /* mov %eax, %ss */
	BYTES(IN_BOTH, 0x8f, 0x00),		      /* pop (%rax) */
	BYTES(IN_BOTH, 0x87, 0xc3),		      /* xchg */
	BYTES(IN_BOTH, 0x91),			      /* xchg */
	BYTES(IN_BOTH, 0xc8, 0, 0, 0),		      /* enter */
	BYTES(IN_BOTH, 0x66, 0x50),		      /* push %ax */
	BYTES(IN_BOTH, 0x66, 0x89, 0xc0),	      /* mov %ax, %ax */
	BYTES(IN_BOTH, 0x66, 0x0f, 0x84, 0, 0, 0, 0), /* je rel16, or not */
	BYTES(IN_BOTH, 0x66, 0xe9, 0, 0, 0, 0),
	BYTES(IN_BOTH, 0x66, 0x66, 0x90),
	BYTES(IN_BOTH, 0x64, 0x8b, 0x00), /* mov %fs:(%rax), %eax */
	BYTES(IN_BOTH, 0x65, 0x8b, 0x00),
	BYTES(IN_BOTH, 0x67, 0x8b, 0x00),
	BYTES(IN_BOTH, 0xf0, 0x01, 0x00),
	BYTES(IN_64, 0x41, 0x90),	/* xchg %r8d, %eax */
	BYTES(IN_64, 0x48, 0x48, 0x90), /* two REX */
	BYTES(IN_64, 0x48, 0x66, 0x90), /* a REX that does not count */
	BYTES(IN_64, 0x06),		/* push %es, no more */
	BYTES(IN_32, 0x06),
	BYTES(IN_32, 0x60),			 /* pusha */
	BYTES(IN_32, 0x27),			 /* daa */
	BYTES(IN_32, 0xc4, 0x00),		 /* les */
	BYTES(IN_32, 0xea, 0, 0, 0, 0, 0x23, 0), /* far jmp */
	BYTES(IN_32, 0x9a, 0, 0, 0, 0, 0x23, 0), /* far call */
};

static int read_zeros(void *arg, uint64_t addr, void *buf, size_t len)
{
	memset(buf, 0, len);
	return 0;
}

static int count_write(void *arg, uint64_t addr, const void *buf, size_t len)
{
	++*(unsigned *)arg;
	return 0;
}

static void require_refused_at(const struct bytes *b, bool long_mode, uint64_t address)
{
	unsigned writes = 0;
	const struct sts_arch_mem mem = {read_zeros, count_write, &writes};
	struct stasis_regs_x86 regs = {.rip = 0x1000,
				       .rax = address,
				       .rsp = address,
				       .rbp = address,
				       .eflags = 0x202,
				       .cs = long_mode ? 0x33 : 0x23,
				       .ss = 0x2b,
				       .ds = 0x2b};
	const struct stasis_regs_x86 before = regs;
	uint8_t padded[16] = {0};

	memcpy(padded, b->bytes, b->len);
	ATF_REQUIRE_MSG(!sts_arch_emulate(&regs, padded, sizeof(padded), long_mode, &mem), "%s",
			in_words(b, long_mode));
	ATF_REQUIRE_MSG(memcmp(&regs, &before, sizeof(regs)) == 0 && writes == 0, "%s", in_words(b, long_mode));
}

static void require_refused(const struct bytes *b, bool long_mode)
{
	require_refused_at(b, long_mode, 0x2000);
}

STS_TC(refused, 5, "what is not among the known instructions is refused, and nothing changes")
{
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		if (unknown[i].modes & IN_64)
			require_refused(&unknown[i], true);
		if (unknown[i].modes & IN_32)
			require_refused(&unknown[i], false);
	}
}

STS_TC(refused_far, 5, "a call or jump to where no program can be is left to the CPU, before anything is written")
{
	static const struct bytes away[] = {
		BYTES(IN_64, 0xff, 0xd0),		    /* call *%rax */
		BYTES(IN_64, 0xff, 0xe0),		    /* jmp *%rax */
		BYTES(IN_64, 0xe8, 0x00, 0x00, 0x00, 0x80), /* call, below 0 */
		BYTES(IN_64, 0xe9, 0x00, 0x00, 0x00, 0x80),
	};
	unsigned writes = 0;
	const struct sts_arch_mem mem = {read_zeros, count_write, &writes};

	for (size_t i = 0; i < sizeof(away) / sizeof(*away); i++) {
		struct stasis_regs_x86 regs = {.rip = 0x1000, .rax = UINT64_C(1) << 47, .rsp = 0x3000, .eflags = 0x202};

		ATF_REQUIRE_MSG(!sts_arch_emulate(&regs, away[i].bytes, away[i].len, true, &mem), "%s",
				in_words(&away[i], true));
		ATF_REQUIRE(regs.rip == 0x1000 && regs.rsp == 0x3000 && writes == 0);
	}
}

/* The emulator's memory answers everywhere here, so that only the emulator can say no. */
STS_TC(refused_edges, 5, "a store across pages, and what wraps at the end of the address space, is left to the CPU")
{
	static const struct {
		struct bytes insn;
		uint64_t address; /* in rax, rsp and rbp */
	} table[] = {
		{BYTES(IN_BOTH, 0x89, 0x08), 0x1ffd},	  /* mov %ecx, (%rax) */
		{BYTES(IN_64, 0x48, 0x89, 0x08), 0x1ff9}, /* mov %rcx, (%rax) */
		{BYTES(IN_64, 0x50), 0x2004},		  /* push %rax */
		{BYTES(IN_32, 0x50), 0x2002},
		{BYTES(IN_32, 0x8b, 0x08), 0xfffffffd}, /* mov (%eax), %ecx */
		{BYTES(IN_32, 0x58), 0xfffffffd},	/* pop %eax */
		{BYTES(IN_32, 0xc9), 0xfffffffe},	/* leave */
		{BYTES(IN_64, 0x48, 0x8b, 0x08), UINT64_MAX - 3},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (unsigned long_mode = 0; long_mode < 2; long_mode++) {
			if (table[i].insn.modes & (long_mode ? IN_64 : IN_32))
				require_refused_at(&table[i].insn, long_mode, table[i].address);
		}
	}
}

/* --- debug registers, by the book ----------------------------------------------------- */

STS_TC(watch_valid, 5, "lengths and alignments that a debug register can hold, and no others")
{
	static const enum stasis_watch_kind kinds[] = {STASIS_WATCH_EXECUTE, STASIS_WATCH_WRITE,
						       STASIS_WATCH_READ_WRITE};

	for (size_t k = 0; k < 3; k++) {
		for (size_t len = 0; len <= 17; len++) {
			for (uint64_t addr = 0x1000; addr < 0x1010; addr++) {
				bool fits = kinds[k] == STASIS_WATCH_EXECUTE
						    ? len == 1
						    : (len == 1 || len == 2 || len == 4 || len == 8) && addr % len == 0;

				ATF_REQUIRE_EQ_MSG(sts_arch_watch_valid(kinds[k], addr, len), fits,
						   "%d, %zu, %#" PRIx64, (int)kinds[k], len, addr);
			}
		}
	}
	ATF_REQUIRE(!sts_arch_watch_valid((enum stasis_watch_kind)17, 0x1000, 1));
}

/* Numbers worked out by hand from the manual: L0 to L3 in bits 0, 2, 4, 6; R/W and LEN from bit 16. */
STS_TC(watch_control, 5, "the control register is what the manual says")
{
	static const struct {
		int slot;
		enum stasis_watch_kind kind;
		size_t len;
		uint64_t control;
	} table[] = {
		{0, STASIS_WATCH_EXECUTE, 1, 0x00000001},    {0, STASIS_WATCH_WRITE, 1, 0x00010001},
		{0, STASIS_WATCH_WRITE, 2, 0x00050001},	     {0, STASIS_WATCH_WRITE, 4, 0x000d0001},
		{0, STASIS_WATCH_WRITE, 8, 0x00090001},	     {1, STASIS_WATCH_READ_WRITE, 1, 0x00300004},
		{1, STASIS_WATCH_READ_WRITE, 4, 0x00f00004}, {2, STASIS_WATCH_READ_WRITE, 8, 0x0b000010},
		{3, STASIS_WATCH_WRITE, 8, 0x90000040},	     {3, STASIS_WATCH_EXECUTE, 1, 0x00000040},
	};
	const uint64_t all = 0xffffffff, others[] = {0, all, 0x400, 0xdddd07ff};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		uint64_t mine = UINT64_C(3) << 2 * table[i].slot | UINT64_C(0xf) << (16 + 4 * table[i].slot);

		for (size_t k = 0; k < sizeof(others) / sizeof(*others); k++) {
			uint64_t is = sts_arch_watch_control_set(others[k], table[i].slot, table[i].kind, table[i].len);

			ATF_REQUIRE_EQ_MSG(is, (others[k] & ~mine) | table[i].control, "%#" PRIx64, is);
			ATF_REQUIRE_EQ(sts_arch_watch_control_clear(is, table[i].slot), others[k] & ~mine);
		}
	}
}

STS_TC(watch_status, 5, "the status register tells hits and steps")
{
	for (unsigned bits = 1; bits < 16; bits++)
		ATF_REQUIRE_EQ(sts_arch_watch_hit(0xffff0ff0 | bits), __builtin_ctz(bits));
	ATF_REQUIRE_EQ(sts_arch_watch_hit(0xffff4ff0), -1);
	ATF_REQUIRE(sts_arch_step_hit(0xffff4ff0));
	ATF_REQUIRE(!sts_arch_step_hit(0xffff0fff));
}

/* --- debug registers, by the CPU --------------------------------------------------------- */

enum { WATCHED = LAB_DATA + 256, CONTROL = 7, STATUS = 6 };

/* Execute `mov %al, addr` or `mov addr, %al`, and say whether a debug register stopped it. Slots in *status. */
static bool access_byte(struct lab *lab, bool write, uint64_t addr, uint64_t *status)
{
	struct stasis_regs_x86 regs = lab->regs;
	/* mov %al, (%rbx), or the other way round; int3 */
	const uint8_t code[] = {write ? 0x88 : 0x8a, 0x03, 0xcc};

	memcpy(lab_at(lab, LAB_CODE), code, sizeof(code));
	regs.rip = LAB_CODE;
	regs.rbx = addr;
	lab_debugreg_set(lab, STATUS, 0);
	int signal = lab_run(lab, &regs);
	ATF_REQUIRE_EQ_MSG(signal, SIGTRAP, "signal %d", signal);
	*status = lab_debugreg(lab, STATUS);
	bool stopped = lab_code(lab) != SI_KERNEL;
	ATF_REQUIRE_EQ_MSG(regs.rip, LAB_CODE + (stopped ? 2 : 3), "stopped at %#" PRIx64, regs.rip);
	return stopped;
}

static bool arm(struct lab *lab, int slot, enum stasis_watch_kind kind, uint64_t addr, size_t len)
{
	uint64_t control = lab_debugreg(lab, CONTROL);

	return lab_debugreg_set(lab, slot, addr) &&
	       lab_debugreg_set(lab, CONTROL, sts_arch_watch_control_set(control, slot, kind, len));
}

static void disarm(struct lab *lab, int slot)
{
	ATF_REQUIRE(lab_debugreg_set(lab, CONTROL, sts_arch_watch_control_clear(lab_debugreg(lab, CONTROL), slot)));
}

/* Skips where the CPU, or the hypervisor, does not do what the manual promises of the simplest of watchpoints. */
static void open_watched(struct lab *lab, enum lab_kind kind)
{
	uint64_t status;

	lab_open(lab, kind);
	if (!lab_debugreg_set(lab, 0, WATCHED) || !lab_debugreg_set(lab, CONTROL, 0x10001)) {
		int error = errno;

		lab_close(lab);
		atf_tc_skip("no debug registers here: %s", strerror(error));
	}
	if (!access_byte(lab, true, WATCHED, &status)) {
		lab_close(lab);
		atf_tc_skip("the debug registers of this (virtual) CPU do nothing");
	}
	ATF_REQUIRE(lab_debugreg_set(lab, CONTROL, 0));
}

static void require_access(struct lab *lab, bool write, uint64_t addr, int slot)
{
	uint64_t status;
	bool stopped = access_byte(lab, write, addr, &status);

	ATF_REQUIRE_EQ_MSG(stopped, slot >= 0, "%s of %#" PRIx64 " %s", write ? "write" : "read", addr,
			   stopped ? "was stopped" : "went unseen");
	ATF_REQUIRE_EQ_MSG(sts_arch_watch_hit(status), slot, "status %#" PRIx64, status);
	ATF_REQUIRE(!sts_arch_step_hit(status));
}

/* Each byte of it, and none beside it. */
static void require_range(struct lab *lab, int slot, enum stasis_watch_kind kind, size_t len)
{
	ATF_REQUIRE_MSG(arm(lab, slot, kind, WATCHED, len), "the kernel refuses length %zu: %s", len, strerror(errno));
	for (uint64_t addr = WATCHED - 2; addr < WATCHED + len + 2; addr++) {
		int hit = addr >= WATCHED && addr < WATCHED + len ? slot : -1;

		require_access(lab, true, addr, hit);
		require_access(lab, false, addr, kind == STASIS_WATCH_READ_WRITE ? hit : -1);
	}
	disarm(lab, slot);
	require_access(lab, true, WATCHED, -1);
}

static void watch_all(enum lab_kind kind)
{
	struct lab lab;

	open_watched(&lab, kind);
	for (int slot = 0; slot < STS_ARCH_WATCH_SLOTS; slot++) {
		for (size_t len = 1; len <= 8; len *= 2) {
			require_range(&lab, slot, STASIS_WATCH_WRITE, len);
			require_range(&lab, slot, STASIS_WATCH_READ_WRITE, len);
		}
	}
	lab_close(&lab);
}

STS_TC(watch_long, 20, "each slot, kind and length stops the accesses to what it watches and no others")
{
	watch_all(LAB_LONG);
}

STS_TC(watch_i386, 20, "the same in an i386 process")
{
	watch_all(LAB_I386);
}

STS_TC(watch_four, 10, "four slots at once do not disturb each other, nor does one that is cleared")
{
	struct lab lab;

	open_watched(&lab, LAB_LONG);
	for (int slot = 0; slot < STS_ARCH_WATCH_SLOTS; slot++)
		ATF_REQUIRE(arm(&lab, slot, STASIS_WATCH_WRITE, WATCHED + 16 * (uint64_t)slot, (size_t)1 << slot));
	for (int cleared = -1; cleared < STS_ARCH_WATCH_SLOTS; cleared++) {
		if (cleared >= 0)
			disarm(&lab, cleared);
		for (int slot = 0; slot < STS_ARCH_WATCH_SLOTS; slot++)
			require_access(&lab, true, WATCHED + 16 * (uint64_t)slot, slot > cleared ? slot : -1);
	}
	lab_close(&lab);
}

STS_TC(watch_execute, 10, "a hardware breakpoint stops before its instruction, in each slot")
{
	static const uint8_t code[] = {0x90, 0x90, 0x90, 0xcc};
	struct lab lab;

	open_watched(&lab, LAB_LONG);
	memcpy(lab_at(&lab, LAB_CODE), code, sizeof(code));
	for (int slot = 0; slot < STS_ARCH_WATCH_SLOTS; slot++) {
		struct stasis_regs_x86 regs = lab.regs;

		regs.rip = LAB_CODE;
		ATF_REQUIRE(arm(&lab, slot, STASIS_WATCH_EXECUTE, LAB_CODE + 2, 1));
		lab_debugreg_set(&lab, STATUS, 0);
		ATF_REQUIRE_EQ(lab_run(&lab, &regs), SIGTRAP);
		ATF_REQUIRE_EQ(regs.rip, LAB_CODE + 2);
		ATF_REQUIRE_EQ(sts_arch_watch_hit(lab_debugreg(&lab, STATUS)), slot);
		disarm(&lab, slot);
	}
	lab_close(&lab);
}

STS_TC(step_status, 10, "a step shows in the status register, alone and together with a hit")
{
	static const uint8_t code[] = {0x90, 0x88, 0x03};
	struct lab lab;

	open_watched(&lab, LAB_LONG);
	memcpy(lab_at(&lab, LAB_CODE), code, sizeof(code));
	struct stasis_regs_x86 regs = lab.regs;
	regs.rip = LAB_CODE;
	regs.rbx = WATCHED;
	ATF_REQUIRE(arm(&lab, 2, STASIS_WATCH_WRITE, WATCHED, 4));
	for (int i = 0; i < 2; i++) {
		lab_debugreg_set(&lab, STATUS, 0);
		ATF_REQUIRE_EQ(lab_step(&lab, &regs), SIGTRAP);
		uint64_t status = lab_debugreg(&lab, STATUS);
		ATF_REQUIRE_MSG(sts_arch_step_hit(status), "status %#" PRIx64, status);
		ATF_REQUIRE_EQ(sts_arch_watch_hit(status), i == 0 ? -1 : 2);
	}
	lab_close(&lab);
}
