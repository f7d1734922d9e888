/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layouts of x86-64 and i386 notes. Written out with explicit widths: the
 * headers of one ABI know only its own.
 */
#include <stddef.h>
#include <string.h>
#include "corefile/corefile.h"

struct timeval64 {
	int64_t sec, usec;
};

struct timeval32 {
	int32_t sec, usec;
};

/* struct elf_siginfo */
struct signal_brief {
	int32_t signo, code, error;
};

struct prstatus64 {
	struct signal_brief info;
	int16_t cursig;
	uint64_t sigpend, sighold;
	int32_t pid, ppid, pgrp, sid;
	struct timeval64 utime, stime, cutime, cstime;
	uint64_t reg[27];
	int32_t fpvalid;
};
_Static_assert(sizeof(struct prstatus64) == 336 && offsetof(struct prstatus64, reg) == 112, "as the kernel's");

struct prstatus32 {
	struct signal_brief info;
	int16_t cursig;
	uint32_t sigpend, sighold;
	int32_t pid, ppid, pgrp, sid;
	struct timeval32 utime, stime, cutime, cstime;
	uint32_t reg[17];
	int32_t fpvalid;
};
_Static_assert(sizeof(struct prstatus32) == 144 && offsetof(struct prstatus32, reg) == 72, "as the kernel's");

struct prpsinfo64 {
	char state, sname, zomb, nice;
	uint64_t flag;
	uint32_t uid, gid;
	int32_t pid, ppid, pgrp, sid;
	char fname[16];
	char psargs[80];
};
_Static_assert(sizeof(struct prpsinfo64) == 136, "as the kernel's");

struct prpsinfo32 {
	char state, sname, zomb, nice;
	uint32_t flag;
	uint16_t uid, gid;
	int32_t pid, ppid, pgrp, sid;
	char fname[16];
	char psargs[80];
};
_Static_assert(sizeof(struct prpsinfo32) == 124, "as the kernel's");

/* --- struct elf_prstatus ------------------------------------------------------------ */

#define SECONDS(us) (int32_t)((us) / 1000000), (int32_t)((us) % 1000000)

/* Fields of the same name in both. */
#define PRSTATUS_COMMON(t)                                                                                             \
	.info.signo = (t)->siginfo.si_signo, .cursig = (t)->siginfo.si_signo, .sigpend = (t)->pending,                 \
	.sighold = (t)->signal_mask, .pid = (t)->tid, .ppid = (t)->stat.parent, .pgrp = (t)->stat.group,               \
	.sid = (t)->stat.session, .utime = {SECONDS((t)->stat.user_us)}, .stime = {SECONDS((t)->stat.system_us)},      \
	.cutime = {SECONDS((t)->stat.children_user_us)}, .cstime = {SECONDS((t)->stat.children_system_us)},            \
	.fpvalid = (t)->has_fp

static void prstatus64_add(struct sts_core_buf *notes, const struct sts_core_thread *t)
{
	struct prstatus64 s = {PRSTATUS_COMMON(t)};

	_Static_assert(sizeof s.reg == sizeof t->regs, "same registers, same order");
	memcpy(s.reg, &t->regs, sizeof s.reg);
	sts_core_note_add(notes, "CORE", NT_PRSTATUS, &s, sizeof s);
}

static void prstatus32_add(struct sts_core_buf *notes, const struct sts_core_thread *t)
{
	const struct stasis_regs_x86 *r = &t->regs;
	struct prstatus32 s = {
		PRSTATUS_COMMON(t),
		.reg = {r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->rax, r->ds, r->es, r->fs, r->gs, r->orig_rax,
			r->rip, r->cs, r->eflags, r->rsp, r->ss},
	};

	sts_core_note_add(notes, "CORE", NT_PRSTATUS, &s, sizeof s);
}

/* --- struct elf_prpsinfo ------------------------------------------------------------------ */

static const char state_letters[] = "RSDTZW";

/* A process held by its tracer counts as stopped. */
static char state_letter(const struct sts_core_process *p)
{
	return p->stat.state == 't' ? 'T' : p->stat.state;
}

static char state_number(const struct sts_core_process *p)
{
	const char *at = strchr(state_letters, state_letter(p));

	return at ? at - state_letters : 0;
}

#define PRPSINFO_COMMON(p)                                                                                             \
	.state = state_number(p), .sname = state_letter(p), .zomb = state_letter(p) == 'Z', .nice = (p)->stat.nice,    \
	.flag = (p)->stat.flags, .pid = (p)->pid, .ppid = (p)->stat.parent, .pgrp = (p)->stat.group,                   \
	.sid = (p)->stat.session

static void prpsinfo64_add(struct sts_core_buf *notes, const struct sts_core_process *p)
{
	struct prpsinfo64 i = {PRPSINFO_COMMON(p), .uid = p->uid, .gid = p->gid};

	memcpy(i.fname, p->stat.name, sizeof i.fname);
	memcpy(i.psargs, p->arguments, sizeof i.psargs);
	sts_core_note_add(notes, "CORE", NT_PRPSINFO, &i, sizeof i);
}

/* What the kernel shows where an id does not fit. */
static uint16_t narrow_id(uint32_t id)
{
	return id > UINT16_MAX ? 65534 : id;
}

static void prpsinfo32_add(struct sts_core_buf *notes, const struct sts_core_process *p)
{
	struct prpsinfo32 i = {PRPSINFO_COMMON(p), .uid = narrow_id(p->uid), .gid = narrow_id(p->gid)};

	memcpy(i.fname, p->stat.name, sizeof i.fname);
	memcpy(i.psargs, p->arguments, sizeof i.psargs);
	sts_core_note_add(notes, "CORE", NT_PRPSINFO, &i, sizeof i);
}

/* --- siginfo_t --------------------------------------------------------------------------------- */

static void siginfo64_add(struct sts_core_buf *notes, const siginfo_t *info)
{
	sts_core_note_add(notes, "CORE", NT_SIGINFO, info, sizeof *info);
}

struct siginfo32 {
	int32_t signo, error, code;
	union {
		int32_t pad[29];
		struct {
			int32_t pid;
			uint32_t uid;
			union {
				uint32_t value;
				int32_t status;
			};
			int32_t utime, stime;
		} sender;
		struct {
			int32_t id, overrun;
			uint32_t value;
		} timer;
		struct {
			uint32_t addr;
			union {
				uint16_t lsb;
				uint32_t detail[3]; /* bounds or protection key, one word on */
			};
		} fault;
		struct {
			int32_t band, fd;
		} poll;
		struct {
			uint32_t addr;
			int32_t call;
			uint32_t arch;
		} sys;
	};
};
_Static_assert(sizeof(struct siginfo32) == 128, "as the kernel's");

static void fault_convert(struct siginfo32 *to, const siginfo_t *info)
{
	to->fault.addr = (uintptr_t)info->si_addr;
	if (info->si_signo == SIGBUS && (info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO))
		to->fault.lsb = info->si_addr_lsb;
	if (info->si_signo == SIGSEGV && info->si_code == SEGV_BNDERR) {
		to->fault.detail[1] = (uintptr_t)info->si_lower;
		to->fault.detail[2] = (uintptr_t)info->si_upper;
	}
	if (info->si_signo == SIGSEGV && info->si_code == SEGV_PKUERR)
		to->fault.detail[1] = info->si_pkey;
}

static void sender_convert(struct siginfo32 *to, const siginfo_t *info)
{
	to->sender.pid = info->si_pid;
	to->sender.uid = info->si_uid;
	if (info->si_code < 0)
		to->sender.value = info->si_int;
}

static void child_convert(struct siginfo32 *to, const siginfo_t *info)
{
	to->sender.pid = info->si_pid;
	to->sender.uid = info->si_uid;
	to->sender.status = info->si_status;
	to->sender.utime = info->si_utime;
	to->sender.stime = info->si_stime;
}

static void poll_convert(struct siginfo32 *to, const siginfo_t *info)
{
	to->poll.band = info->si_band;
	to->poll.fd = info->si_fd;
}

/* Codes the kernel gives for reasons of its own mean by signal what is in the rest. */
static void kernel_convert(struct siginfo32 *to, const siginfo_t *info)
{
	switch (info->si_signo) {
	case SIGILL:
	case SIGFPE:
	case SIGSEGV:
	case SIGBUS:
	case SIGTRAP:
		fault_convert(to, info);
		return;
	case SIGCHLD:
		child_convert(to, info);
		return;
	case SIGPOLL:
		poll_convert(to, info);
		return;
	case SIGSYS:
		to->sys.addr = (uintptr_t)info->si_call_addr;
		to->sys.call = info->si_syscall;
		to->sys.arch = info->si_arch;
		return;
	default:
		sender_convert(to, info);
	}
}

static void siginfo32_add(struct sts_core_buf *notes, const siginfo_t *info)
{
	struct siginfo32 to = {.signo = info->si_signo, .error = info->si_errno, .code = info->si_code};

	if (info->si_code > SI_USER && info->si_code < SI_KERNEL) {
		kernel_convert(&to, info);
	} else if (info->si_code == SI_TIMER) {
		to.timer.id = info->si_timerid;
		to.timer.overrun = info->si_overrun;
		to.timer.value = info->si_int;
	} else if (info->si_code == SI_SIGIO) {
		poll_convert(&to, info);
	} else {
		sender_convert(&to, info);
	}
	sts_core_note_add(notes, "CORE", NT_SIGINFO, &to, sizeof to);
}

/* --- floating point ---------------------------------------------------------------------------------- */

static void fp64_add(struct sts_core_buf *notes, const struct sts_core_thread *t)
{
	sts_core_note_add(notes, "CORE", NT_FPREGSET, t->fp, sizeof t->fp);
}

/* FXSAVE image */
struct fxsave {
	uint16_t control, status, tags, opcode;
	uint64_t instruction, operand;
	uint32_t mxcsr, mxcsr_mask;
	struct {
		uint64_t significand;
		uint16_t exponent, pad[3];
	} st[8];
	uint8_t rest[352];
};
_Static_assert(sizeof(struct fxsave) == 512, "as the CPU's");

/* What FSAVE stores */
struct fsave {
	uint32_t control, status, tags, instruction, segment_opcode, operand, operand_segment;
	struct {
		uint16_t significand[4];
		uint16_t exponent;
	} st[8];
};
_Static_assert(sizeof(struct fsave) == 108, "as the CPU's");

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static unsigned tag_of(uint64_t significand, uint16_t exponent)
{
	switch (exponent & 0x7fff) {
	case 0x7fff:
		return TAG_SPECIAL;
	case 0:
		return significand ? TAG_SPECIAL : TAG_ZERO;
	default:
		return significand >> 63 ? TAG_VALID : TAG_SPECIAL;
	}
}

/* FXSAVE keeps one bit for each register, "not empty"; registers are kept by their place in the stack. */
static uint16_t tags_convert(const struct fxsave *from)
{
	unsigned top = from->status >> 11 & 7, tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned place = (i - top) & 7;
		unsigned tag =
			from->tags >> i & 1 ? tag_of(from->st[place].significand, from->st[place].exponent) : TAG_EMPTY;

		tags |= tag << 2 * i;
	}
	return tags;
}

static void fp32_add(struct sts_core_buf *notes, const struct sts_core_thread *t)
{
	struct fxsave from;

	memcpy(&from, t->fp, sizeof from);
	struct fsave to = {
		.control = from.control | 0xffff0000,
		.status = from.status | 0xffff0000,
		.tags = tags_convert(&from) | 0xffff0000,
		/* A 64-bit kernel keeps no selectors of the last x87 instruction; these stand in, as they do there. */
		.instruction = (uint32_t)from.instruction,
		.segment_opcode = (uint16_t)t->regs.cs | (uint32_t)from.opcode << 16,
		.operand = (uint32_t)from.operand,
		.operand_segment = 0xffff0000 | (uint16_t)t->regs.ds,
	};

	for (int i = 0; i < 8; i++) {
		memcpy(to.st[i].significand, &from.st[i].significand, sizeof to.st[i].significand);
		to.st[i].exponent = from.st[i].exponent;
	}
	sts_core_note_add(notes, "CORE", NT_FPREGSET, &to, sizeof to);
	sts_core_note_add(notes, "LINUX", NT_PRXFPREG, t->fp, sizeof t->fp);
}

/* --- which ----------------------------------------------------------------------------------------------- */

static const struct sts_core_abi x86_64 = {
	.elf_class = ELFCLASS64,
	.machine = EM_X86_64,
	.word = 8,
	.prstatus_add = prstatus64_add,
	.prpsinfo_add = prpsinfo64_add,
	.siginfo_add = siginfo64_add,
	.fp_add = fp64_add,
};

static const struct sts_core_abi i386 = {
	.elf_class = ELFCLASS32,
	.machine = EM_386,
	.word = 4,
	.prstatus_add = prstatus32_add,
	.prpsinfo_add = prpsinfo32_add,
	.siginfo_add = siginfo32_add,
	.fp_add = fp32_add,
};

const struct sts_core_abi *sts_core_abi_find(enum stasis_abi abi)
{
	return abi == STASIS_ABI_X86_64 ? &x86_64 : abi == STASIS_ABI_I386 ? &i386 : NULL;
}
