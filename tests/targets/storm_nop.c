/* SPDX-License-Identifier: BSD-2-Clause */
/* The program that storms exec by the thousand: ends at once with a status of its own. No libc. */
#include <asm/unistd.h>
#include "storm.h"

__attribute__((noreturn, used)) void _start(void);

void _start(void)
{
	for (;;)
		__asm__ volatile("syscall" : : "a"(__NR_exit_group), "D"(STORM_NOP_STATUS) : "rcx", "r11", "memory");
}
