// SPDX-License-Identifier: BSD-2-Clause
/* Contexts of signal handlers on x86-64 and i386. */
#include <ucontext.h>
#include <asm/ldt.h>
#include <asm/unistd.h>

#include "stopworld/cpu.h"
#include "stopworld/x86/raw.h"

/* The byte sequences are those by which unwinders know a signal frame. */
#ifdef __x86_64__
__asm__(".text\n"
	".p2align 4\n"
	".hidden sts_cpu_restorer\n"
	".globl sts_cpu_restorer\n"
	".type sts_cpu_restorer, @function\n"
	"nop\n"
	"sts_cpu_restorer:\n"
	"	movq $15, %rax\n"
	"	syscall\n"
	".size sts_cpu_restorer, .-sts_cpu_restorer\n");
#else
__asm__(".text\n"
	".p2align 4\n"
	".hidden sts_cpu_restorer\n"
	".globl sts_cpu_restorer\n"
	".type sts_cpu_restorer, @function\n"
	"nop\n"
	"sts_cpu_restorer:\n"
	"	movl $173, %eax\n"
	"	int $0x80\n"
	".size sts_cpu_restorer, .-sts_cpu_restorer\n");
#endif

/* Of the kernel's headers, which cannot be included beside libc's. */
enum { ARCH_GET_FS_ = 0x1003 };
#define FP_XSTATE_MAGIC1_ 0x46505853u
#define X86_FXSR_MAGIC_ 0u
enum { FXSAVE_SIZE = 512, SW_RESERVED_AT = 464 };

#ifdef __x86_64__
uint64_t sts_cpu_thread_pointer(void)
{
	uint64_t base = 0;

	return RAW(arch_prctl, ARCH_GET_FS_, &base) == 0 ? base : 0;
}
#else
uint64_t sts_cpu_thread_pointer(void)
{
	struct user_desc desc = {0};
	unsigned selector;

	__asm__("movl %%gs, %0" : "=r"(selector));
	/* No selector, or one of the local table, which get_thread_area does not know. */
	if (selector < 8 || (selector & 4) != 0)
		return 0;
	desc.entry_number = selector >> 3;
	return RAW(get_thread_area, &desc) == 0 ? desc.base_addr : 0;
}
#endif

/* How large the image is stands in bytes of it that the CPU leaves to software. */
static size_t xstate_size(const unsigned char *image)
{
	uint32_t magic, size;

	__builtin_memcpy(&magic, image + SW_RESERVED_AT, sizeof(magic));
	__builtin_memcpy(&size, image + SW_RESERVED_AT + 16, sizeof(size));
	return magic == FP_XSTATE_MAGIC1_ ? size : FXSAVE_SIZE;
}

#ifdef __x86_64__
static void read_registers(const mcontext_t *m, struct stasis_regs_x86 *r)
{
	const greg_t *g = m->gregs;

	*r = (struct stasis_regs_x86){
		.r15 = (uint64_t)g[REG_R15],
		.r14 = (uint64_t)g[REG_R14],
		.r13 = (uint64_t)g[REG_R13],
		.r12 = (uint64_t)g[REG_R12],
		.rbp = (uint64_t)g[REG_RBP],
		.rbx = (uint64_t)g[REG_RBX],
		.r11 = (uint64_t)g[REG_R11],
		.r10 = (uint64_t)g[REG_R10],
		.r9 = (uint64_t)g[REG_R9],
		.r8 = (uint64_t)g[REG_R8],
		.rax = (uint64_t)g[REG_RAX],
		.rcx = (uint64_t)g[REG_RCX],
		.rdx = (uint64_t)g[REG_RDX],
		.rsi = (uint64_t)g[REG_RSI],
		.rdi = (uint64_t)g[REG_RDI],
		.orig_rax = (uint64_t)-1,
		.rip = (uint64_t)g[REG_RIP],
		.cs = (uint64_t)g[REG_CSGSFS] & 0xffff,
		.gs = (uint64_t)g[REG_CSGSFS] >> 16 & 0xffff,
		.fs = (uint64_t)g[REG_CSGSFS] >> 32 & 0xffff,
		.ss = (uint64_t)g[REG_CSGSFS] >> 48,
		.eflags = (uint64_t)g[REG_EFL],
		.rsp = (uint64_t)g[REG_RSP],
	};
}

static void find_xstate(const mcontext_t *m, struct stasis_world_thread *t)
{
	t->xstate = m->fpregs;
	t->xstate_size = t->xstate != NULL ? xstate_size(t->xstate) : 0;
}
#else
static void read_registers(const mcontext_t *m, struct stasis_regs_x86 *r)
{
	const greg_t *g = m->gregs;

	*r = (struct stasis_regs_x86){
		.rbp = (uint32_t)g[REG_EBP],
		.rbx = (uint32_t)g[REG_EBX],
		.rax = (uint32_t)g[REG_EAX],
		.rcx = (uint32_t)g[REG_ECX],
		.rdx = (uint32_t)g[REG_EDX],
		.rsi = (uint32_t)g[REG_ESI],
		.rdi = (uint32_t)g[REG_EDI],
		.orig_rax = (uint32_t)-1,
		.rip = (uint32_t)g[REG_EIP],
		.cs = (uint32_t)g[REG_CS] & 0xffff,
		.eflags = (uint32_t)g[REG_EFL],
		.rsp = (uint32_t)g[REG_UESP],
		.ss = (uint32_t)g[REG_SS] & 0xffff,
		.ds = (uint32_t)g[REG_DS] & 0xffff,
		.es = (uint32_t)g[REG_ES] & 0xffff,
		.fs = (uint32_t)g[REG_FS] & 0xffff,
		.gs = (uint32_t)g[REG_GS] & 0xffff,
	};
}

/* A head of 112 bytes in the format of old, then the image. */
enum { I386_HEAD = 112, MAGIC_AT = 110 };

static void find_xstate(const mcontext_t *m, struct stasis_world_thread *t)
{
	const unsigned char *p = (const unsigned char *)m->fpregs;
	uint16_t magic;

	if (p == NULL)
		return;
	__builtin_memcpy(&magic, p + MAGIC_AT, sizeof(magic));
	if (magic != X86_FXSR_MAGIC_)
		return;
	t->xstate = p + I386_HEAD;
	t->xstate_size = xstate_size(t->xstate);
}
#endif

void sts_cpu_read_context(const void *context, struct stasis_regs_x86 *regs, struct stasis_world_thread *t)
{
	const ucontext_t *uc = context;

	read_registers(&uc->uc_mcontext, regs);
#ifdef __x86_64__
	regs->fs_base = t->thread_pointer;
#else
	regs->gs_base = t->thread_pointer;
#endif
	t->regs = regs;
	t->context = context;
	t->pc = regs->rip;
	t->sp = regs->rsp;
	find_xstate(&uc->uc_mcontext, t);
	__builtin_memcpy(&t->sigmask, &uc->uc_sigmask, sizeof(t->sigmask));
	if ((uc->uc_stack.ss_flags & SS_DISABLE) != 0)
		return;
	t->altstack = (uint64_t)(uintptr_t)uc->uc_stack.ss_sp;
	t->altstack_size = uc->uc_stack.ss_size;
	t->on_altstack = t->sp - t->altstack <= t->altstack_size;
}
