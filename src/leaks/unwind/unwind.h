/* SPDX-License-Identifier: BSD-2-Clause */
/* Capture of the calling thread's stack. */
#ifndef STS_LEAKS_UNWIND_H
#define STS_LEAKS_UNWIND_H

#include <stdint.h>

/* Most frames of a stack; of deeper ones the outermost are missing. */
#define STS_STACK_MOST 256

/* How stacks are captured; both may be set at any time. */
extern unsigned sts_stack_depth;      /* frames at most, 0: none */
extern bool sts_stack_frame_pointers; /* by the chain of frame pointers alone */

/*
 * The id of the stack of a function's caller, with the function itself as frame 0. `frame` is the function's
 * __builtin_frame_address(0), `entry` an address in it.
 */
uint32_t sts_stack_from(const void *frame, uintptr_t entry);

/* In a function that keeps a frame pointer. */
#define STS_STACK_HERE(function_) sts_stack_from(__builtin_frame_address(0), (uintptr_t)(function_) + 1)

/* The caller's stack, or that of the ucontext_t of a signal handler. */
uint32_t sts_stack_capture(void *context, unsigned depth);

#endif
