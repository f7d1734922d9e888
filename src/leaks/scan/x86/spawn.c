// SPDX-License-Identifier: BSD-2-Clause
#include <asm/unistd.h>
#include <linux/sched.h>

#include "leaks/scan/inner.h"

/* All signals are blocked, as its maker's are; no tracer is told. */
#define FLAGS                                                                                                          \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_UNTRACED |           \
	 CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

bool sts_spawn(void *stack_end, void (*f)(void *arg), void *arg, _Atomic uint32_t *running)
{
	register void *ctid __asm__("r10") = running;
	void **stack = (void **)stack_end - 2;
	long ret;

	stack[0] = (void *)f;
	stack[1] = arg;
	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "popq %%rax\n\t"
			 "popq %%rdi\n\t"
			 "callq *%%rax\n\t"
			 "movl %[exit], %%eax\n\t"
			 "xorl %%edi, %%edi\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(__NR_clone), "D"(FLAGS), "S"(stack), "d"(running), "r"(ctid), [exit] "i"(__NR_exit)
			 : "rcx", "r11", "memory");
	return ret > 0;
}
