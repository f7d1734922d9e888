/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A function made of every kind of instruction that is particular to step over,
 * with a table of where each stands and how often it is executed in one call.
 * Its result does not depend on where anything lies in memory.
 *
 * insn_flags() returns the trap flag as the program itself can see it: 0, or
 * somebody who steps it has shown through.
 */
#ifndef ACTOR_INSNS_H
#define ACTOR_INSNS_H

#include <stdint.h>

struct insn {
	uint64_t address, times;
};
extern const struct insn insn_table[], insn_table_end[];
extern const struct insn insn_flags_table[], insn_flags_table_end[];
extern uint64_t insn_data[2];

uint64_t insn_block(uint64_t io[4]);
unsigned insn_flags(void);

#if defined(__x86_64__)
#define INSN_WORD ".quad 9001b, "
#else
#define INSN_WORD ".long 9001b, 0\n\t.quad "
#endif
/* X: an instruction executed N times in a call. */
#define XN(n_, ...)                                                                                                    \
	"9001: " #__VA_ARGS__ "\n\t"                                                                                   \
	".pushsection .data.insns,\"aw\"\n\t" INSN_WORD #n_ "\n\t"                                                     \
	".popsection\n\t"
#define X(...) XN(1, __VA_ARGS__)

__asm__(".pushsection .data.insns,\"aw\"\n\t"
	".balign 8\n\t"
	".globl insn_table\n"
	"insn_table:\n\t"
	".popsection\n\t"
	".pushsection .data\n\t"
	".balign 8\n"
	"insn_data: .quad 0x1122334455667788, 0x0102030405060708\n"
	"insn_bytes: .ascii \"sixteen of bytes\"\n\t"
	".balign 8\n"
#if defined(__x86_64__)
	"insn_jump: .quad 5f\n\t"
#else
	"insn_jump: .long 5f\n\t"
#endif
	".popsection\n\t"
	".text\n\t"
	".globl insn_block\n\t"
	".type insn_block, @function\n"
	"insn_block:\n\t"
#if defined(__x86_64__)
	X(endbr64)
	X(push %rbp)
	X(mov %rsp, %rbp)
	X(push %rbx)
	X(push %r12)
	X(sub $0x40, %rsp)
	X(mov %rdi, %rbx)
	X(xor %eax, %eax)
	X(lea insn_data(%rip), %r12)
	X(mov (%r12), %rax)
	X(add 8(%r12), %rax)
	X(movabs $0x123456789abcdef0, %rcx)
	X(xor %rcx, %rax)
	X(imul $31, %rax, %rax)
	X(cmp %rcx, %rax)
	X(jb 1f)
	XN(0, inc %rax) /* the jump above is taken */
	"1:"
	X(setc %dl)
	X(movzbl %dl, %edx)
	X(add %rdx, %rax)
	X(test %eax, %eax)
	X(je 2f)
	X(neg %rax)
	"2:"
	X(call insn_leaf)
	X(lea insn_leaf2(%rip), %rdx)
	X(call *%rdx)
	X(mov $5, %ecx)
	"3:"
	XN(5, add $3, %rax)
	XN(5, loop 3b)
	X(mov %rax, %rdx)
	X(mov $16, %ecx)
	X(lea insn_bytes(%rip), %rsi)
	X(mov %rbx, %rdi)
	X(cld)
	X(rep movsb)
	X(mov %rdx, %rax)
	X(lock xadd %rax, (%rbx))
	X(xchg %rax, 8(%rbx))
	X(shl $3, %rax)
	X(ror $7, %rax)
	X(add (%rbx), %rax)
	X(cqto)
	X(mov $1000, %ecx)
	X(idiv %rcx)
	X(movq %rax, %xmm0)
	X(paddq %xmm0, %xmm0)
	X(movq %xmm0, %rdx)
	X(nopw 0x0(%rax, %rax, 1))
	X(push $0x1234)
	X(pop %rcx)
	X(add %rcx, %rdx)
	X(push (%rbx))
	X(pop %rcx)
	X(xor %rcx, %rdx)
	X(mov %rdx, 0x10(%rsp))
	X(mov $100000, %eax)
	X(syscall)
	X(add 0x10(%rsp), %rax)
	X(jmp 4f)
	"ud2\n"
	"4:"
	X(jmp *insn_jump(%rip))
	"ud2\n"
	"5:"
	X(bt $3, %rax)
	X(cmovc %rax, %rdx)
	X(movsbq %dl, %rcx)
	X(adc %rcx, %rax)
	X(sbb %rdx, %rax)
	X(mov %rdx, 0x18(%rbx))
	X(cmpb $0, 0x3(%rbx))
	X(jne 6f)
	"ud2\n"
	"6:"
	X(lea -0x10(%rbp), %rsp)
	X(pop %r12)
	X(pop %rbx)
	X(leave)
	X(ret)
	"insn_leaf:"
	X(add $7, %rax)
	X(ret)
	"insn_leaf2:"
	X(push %rbp)
	X(mov %rsp, %rbp)
	X(sub $8, %rsp)
	X(xor %rcx, %rax)
	X(leave)
	X(ret)
#else
	X(push %ebp)
	X(mov %esp, %ebp)
	X(push %ebx)
	X(push %esi)
	X(push %edi)
	X(sub $0x40, %esp)
	X(mov 8(%ebp), %ebx)
	X(xor %eax, %eax)
	X(call insn_here)
	"insn_after_here:"
	X(lea insn_data - insn_after_here(%esi), %esi)
	X(mov (%esi), %eax)
	X(add 8(%esi), %eax)
	X(mov $0x9abcdef0, %ecx)
	X(xor %ecx, %eax)
	X(imul $31, %eax, %eax)
	X(cmp %ecx, %eax)
	X(setc %dl)
	X(movzbl %dl, %edx)
	X(add %edx, %eax)
	X(test %eax, %eax)
	X(je 2f)
	X(neg %eax)
	"2:"
	X(call insn_leaf)
	X(mov $5, %ecx)
	"3:"
	XN(5, add $3, %eax)
	XN(5, loop 3b)
	X(mov %eax, %edx)
	X(mov $16, %ecx)
	X(add $16, %esi)
	X(mov %ebx, %edi)
	X(cld)
	X(rep movsb)
	X(mov %edx, %eax)
	X(lock xadd %eax, (%ebx))
	X(xchg %eax, 8(%ebx))
	X(shl $3, %eax)
	X(ror $7, %eax)
	X(add (%ebx), %eax)
	X(cltd)
	X(mov $1000, %ecx)
	X(idiv %ecx)
	X(nopw 0x0(%eax, %eax, 1))
	X(push $0x1234)
	X(pop %ecx)
	X(add %ecx, %edx)
	X(inc %edx)
	X(dec %edx)
	X(push (%ebx))
	X(pop %ecx)
	X(xor %ecx, %edx)
	X(mov %edx, 0x10(%esp))
	X(mov $100000, %eax)
	X(int $0x80)
	X(add 0x10(%esp), %eax)
	X(call insn_here)
	"insn_after_there:"
	X(jmp *insn_jump - insn_after_there(%esi))
	"ud2\n"
	"5:"
	X(pusha)
	X(popa)
	X(bt $3, %eax)
	X(cmovc %eax, %edx)
	X(movsbl %dl, %ecx)
	X(adc %ecx, %eax)
	X(sbb %edx, %eax)
	X(mov %edx, 0x18(%ebx))
	X(lea -0xc(%ebp), %esp)
	X(pop %edi)
	X(pop %esi)
	X(pop %ebx)
	X(leave)
	X(ret)
	"insn_leaf:"
	X(add $7, %eax)
	X(ret)
	"insn_here:"
	XN(2, mov (%esp), %esi)
	XN(2, ret)
#endif
	".size insn_block, . - insn_block\n\t"
	".pushsection .data.insns,\"aw\"\n\t"
	".globl insn_table_end, insn_flags_table\n"
	"insn_table_end:\n"
	"insn_flags_table:\n\t"
	".popsection\n\t"
	".globl insn_flags\n\t"
	".type insn_flags, @function\n"
	"insn_flags:\n\t"
#if defined(__x86_64__)
	X(pushf)
	X(mov (%rsp), %rdx)
	X(popf)
	X(mov $100000, %eax)
	X(syscall)
	X(mov %r11, %rax)
	X(or %rdx, %rax)
	X(and $0x100, %eax)
	X(ret)
#else
	X(pushf)
	X(mov (%esp), %eax)
	X(popf)
	X(and $0x100, %eax)
	X(ret)
#endif
	".size insn_flags, . - insn_flags\n\t"
	".pushsection .data.insns,\"aw\"\n\t"
	".globl insn_flags_table_end\n"
	"insn_flags_table_end:\n\t"
	".popsection\n");

#undef X
#undef XN

#endif
