// SPDX-License-Identifier: BSD-2-Clause
/*
 * Loads every register with a pattern (regs.h), waits in a loop that touches
 * none of them until told to go on through memory, and stores them all. Then it
 * says "stored" and ends when told to "leave".
 */
#include "regs.h"
#include "shared.h"

#include <cpuid.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>

/* What the assembler below knows of struct regs_area. */
#define IN_GENERAL 16
#define OUT_GENERAL 2400
#define OFF_MXCSR 128
#define OFF_X87 144
#define OFF_MASK 272
#define OFF_VECTOR 336
_Static_assert(offsetof(struct regs_area, saved_sp) == 8, "offset");
_Static_assert(offsetof(struct regs_area, in) == IN_GENERAL, "offset");
_Static_assert(offsetof(struct regs_area, out) == OUT_GENERAL, "offset");
_Static_assert(offsetof(struct regs_values, mxcsr) == OFF_MXCSR, "offset");
_Static_assert(offsetof(struct regs_values, x87) == OFF_X87, "offset");
_Static_assert(offsetof(struct regs_values, mask) == OFF_MASK, "offset");
_Static_assert(offsetof(struct regs_values, vector) == OFF_VECTOR, "offset");

static struct {
	char below[16384]; /* the stack while its pointer is at the area */
	struct regs_area area;
} memory __attribute__((aligned(64)));

/* Called by name from the assembler below. */
enum { SSE = 1, AVX = 2, AVX512 = 4 };
extern char regs_loop[], regs_loop_end[];
void regs_dance(struct regs_area *area, unsigned features);

#define STR_(x_) #x_
#define STR(x_) STR_(x_)
#define IN(n_) STR(IN_GENERAL) "+8*" #n_
#define OUT(n_) STR(OUT_GENERAL) "+8*" #n_

#if defined(__x86_64__)
#define SP "%rsp"
#define AREA "%rdi"
#define FEATURES "%esi"
#define EACH(X)                                                                                                        \
	X(1, rcx) X(2, rdx) X(3, rbx) X(5, rbp) X(6, rsi) X(7, rdi) X(8, r8) X(9, r9) X(10, r10) X(11, r11) X(12, r12) \
	X(13, r13) X(14, r14) X(15, r15)
#define A "rax"
#define SAVE "push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
#define RESTORE "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\t"
#define ARGUMENTS ""
#define LOW_VECTORS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define HIGH_VECTORS(X) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#else
#define SP "%esp"
#define AREA "%eax"
#define FEATURES "%edx"
#define EACH(X) X(1, ecx) X(2, edx) X(3, ebx) X(5, ebp) X(6, esi) X(7, edi)
#define A "eax"
#define SAVE "push %ebx\n\tpush %ebp\n\tpush %esi\n\tpush %edi\n\t"
#define RESTORE "pop %edi\n\tpop %esi\n\tpop %ebp\n\tpop %ebx\n\t"
#define ARGUMENTS "mov 4(%esp), %eax\n\tmov 8(%esp), %edx\n\t"
#define LOW_VECTORS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define HIGH_VECTORS(X)
#endif

#define LOAD(n_, reg_) "mov " IN(n_) "(" SP "), %" #reg_ "\n\t"
#define STORE(n_, reg_) "mov %" #reg_ ", " OUT(n_) "(" SP ")\n\t"
#define VECTOR_AT(base_, n_) STR(base_) "+" STR(OFF_VECTOR) "+64*" #n_ "(" SP ")"
#define LOAD_X(n_) "movdqu " VECTOR_AT(IN_GENERAL, n_) ", %xmm" #n_ "\n\t"
#define LOAD_Y(n_) "vmovdqu " VECTOR_AT(IN_GENERAL, n_) ", %ymm" #n_ "\n\t"
#define LOAD_Z(n_) "vmovdqu64 " VECTOR_AT(IN_GENERAL, n_) ", %zmm" #n_ "\n\t"
#define STORE_X(n_) "movdqu %xmm" #n_ ", " VECTOR_AT(OUT_GENERAL, n_) "\n\t"
#define STORE_Y(n_) "vmovdqu %ymm" #n_ ", " VECTOR_AT(OUT_GENERAL, n_) "\n\t"
#define STORE_Z(n_) "vmovdqu64 %zmm" #n_ ", " VECTOR_AT(OUT_GENERAL, n_) "\n\t"
#define MASK_AT(base_, n_) STR(base_) "+" STR(OFF_MASK) "+8*" #n_ "(" SP ")"
#define LOAD_K(n_) "kmovq " MASK_AT(IN_GENERAL, n_) ", %k" #n_ "\n\t"
#define STORE_K(n_) "kmovq %k" #n_ ", " MASK_AT(OUT_GENERAL, n_) "\n\t"
#define X87_AT(base_, n_) STR(base_) "+" STR(OFF_X87) "+16*" #n_ "(" SP ")"
#define LOAD_F(n_) "fldt " X87_AT(IN_GENERAL, n_) "\n\t"
#define STORE_F(n_) "fstpt " X87_AT(OUT_GENERAL, n_) "\n\t"

/* The area's `unused` word of `in` holds the features through the loop. */
#define FEATURES_AT STR(IN_GENERAL) "+" STR(OFF_MXCSR) "+8(" SP ")"

__asm__(".text\n\t"
	".globl regs_loop, regs_loop_end, regs_dance\n\t"
	".hidden regs_loop, regs_loop_end, regs_dance\n\t"
	".type regs_dance, @function\n"
	"regs_dance:\n\t" ARGUMENTS SAVE
	"mov " SP ", 8(" AREA ")\n\t"
	"mov " AREA ", " SP "\n\t"
	"mov " FEATURES ", " FEATURES_AT "\n\t"
	"ldmxcsr " STR(IN_GENERAL) "+" STR(OFF_MXCSR) "(" SP ")\n\t"
	"fninit\n\t"
	LOAD_F(7) LOAD_F(6) LOAD_F(5) LOAD_F(4) LOAD_F(3) LOAD_F(2) LOAD_F(1) LOAD_F(0)
	LOW_VECTORS(LOAD_X)
	"testl $2, " FEATURES_AT "\n\t"
	"jz 1f\n\t"
	LOW_VECTORS(LOAD_Y)
	"1: testl $4, " FEATURES_AT "\n\t"
	"jz 1f\n\t"
	LOW_VECTORS(LOAD_Z) HIGH_VECTORS(LOAD_Z)
	LOAD_K(0) LOAD_K(1) LOAD_K(2) LOAD_K(3) LOAD_K(4) LOAD_K(5) LOAD_K(6) LOAD_K(7)
	"1:\n\t"
	EACH(LOAD)
	"mov " IN(0) "(" SP "), %" A "\n"
	"regs_loop:\n\t"
	"cmpl $0, (" SP ")\n\t"
	"pause\n\t"
	"je regs_loop\n"
	"regs_loop_end:\n\t"
	"mov %" A ", " OUT(0) "(" SP ")\n\t"
	EACH(STORE)
	"stmxcsr " STR(OUT_GENERAL) "+" STR(OFF_MXCSR) "(" SP ")\n\t"
	"testl $4, " FEATURES_AT "\n\t"
	"jz 1f\n\t"
	LOW_VECTORS(STORE_Z) HIGH_VECTORS(STORE_Z)
	STORE_K(0) STORE_K(1) STORE_K(2) STORE_K(3) STORE_K(4) STORE_K(5) STORE_K(6) STORE_K(7)
	"jmp 2f\n"
	"1: testl $2, " FEATURES_AT "\n\t"
	"jz 1f\n\t"
	LOW_VECTORS(STORE_Y)
	"jmp 2f\n"
	"1:\n\t"
	LOW_VECTORS(STORE_X)
	"2:\n\t"
	STORE_F(0) STORE_F(1) STORE_F(2) STORE_F(3) STORE_F(4) STORE_F(5) STORE_F(6) STORE_F(7)
	"fninit\n\t"
	"mov 8(" SP "), " SP "\n\t"
	RESTORE
	"ret\n\t"
	".size regs_dance, . - regs_dance\n");

static unsigned features(void)
{
	unsigned a, b, c, d, low = 0, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return SSE;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	if ((low & 6) != 6 || !(c & bit_AVX))
		return SSE;
	if ((low & 0xe6) != 0xe6 ||
	    !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX512F) || !(b & bit_AVX512BW))
		return SSE | AVX;
	return SSE | AVX | AVX512;
}

static uint64_t thread_pointer(void)
{
	uintptr_t tp; /* the libc keeps it in the first word, or where its own thread structure says "self" */

#if defined(__x86_64__)
	__asm__("mov %%fs:0, %0" : "=r"(tp));
#else
	__asm__("mov %%gs:0, %0" : "=r"(tp));
#endif
	return tp;
}

int main(void)
{
	struct sts_shared *sh = sts_target_shared();
	struct sts_target_pipe p = sts_target_pipe(0);
	unsigned f = features();

	regs_fill(&memory.area.in, 1);
	sh->counter[REGS_AREA] = (uintptr_t)&memory.area;
	sh->counter[REGS_LOOP] = (uintptr_t)regs_loop;
	sh->counter[REGS_LOOP_END] = (uintptr_t)regs_loop_end;
	sh->counter[REGS_VECTOR_SIZE] = f & AVX512 ? 64 : f & AVX ? 32 : 16;
	sh->counter[REGS_VECTOR_N] = sizeof(void *) == 4 ? 8 : f & AVX512 ? 32 : 16;
	sh->counter[REGS_THREAD_POINTER] = thread_pointer();
#if defined(__x86_64__)
	syscall(SYS_arch_prctl, 0x1003, &sh->counter[REGS_FS_BASE]);
#endif
	sts_target_send(&p, "ready");
	regs_dance(&memory.area, f);
	sts_target_send(&p, "stored");
	sts_target_await(&p, "leave");
	return 0;
}
