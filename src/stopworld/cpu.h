/* SPDX-License-Identifier: BSD-2-Clause */
/* What the world stop asks of the CPU: what a signal handler's context holds. */
#ifndef STS_STOPWORLD_CPU_H
#define STS_STOPWORLD_CPU_H

#include <stasis/stopworld.h>

/* Thread pointer of the calling thread, 0 if it has none. Safe in any thread. */
uint64_t sts_cpu_thread_pointer(void);

/* Registers, pc, sp, alternate stack, mask and vector state of a context, into what they belong to in *t. */
void sts_cpu_read_context(const void *context, struct stasis_regs_x86 *regs, struct stasis_world_thread *t);

/* Where the kernel returns to from the handler (SA_RESTORER). */
void sts_cpu_restorer(void);

#endif
