/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Capture of the calling thread's stack: by call frame information, and where code has none, by the chain of frame
 * pointers.
 *
 * What is paid for is what has changed. Each thread remembers the frames of its last capture, and where in memory each
 * was read from. A capture walks from the innermost frame outward until it meets a frame that the last one had too -
 * the same return address, stack pointer and, if the walk depends on it, frame pointer - and then looks whether all
 * words that the walk read from there on are what they were. As the walk is a function of these alone, its result is
 * what it was.
 */
#ifndef STS_LEAKS_UNWIND_H
#define STS_LEAKS_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

/* Most frames of a stack. One that is deeper is cut to the innermost STS_STACK_CUT, which are the same for many. */
#define STS_STACK_MOST 512
#define STS_STACK_CUT 64

/* Frames at most; 0, and STS_STACK_CUT or more: all. May be set at any time. */
extern unsigned sts_stack_depth __attribute__((visibility("hidden")));
/* By the chain of frame pointers alone; to be set by the function, at any time. */
extern bool sts_stack_frame_pointers __attribute__((visibility("hidden")));
void sts_stack_use_frame_pointers(bool use);

/*
 * The id of the stack of a function's caller, with the function itself as frame 0. `frame` is the function's
 * __builtin_frame_address(0), `entry` an address in it.
 */
uint32_t sts_stack_from(const void *frame, uintptr_t entry);

/* An address in the function it is used in. */
#define STS_HERE()                                                                                                     \
	({                                                                                                             \
		uintptr_t here_;                                                                                       \
		__asm__("leaq 0(%%rip), %0" : "=r"(here_));                                                            \
		here_;                                                                                                 \
	})
/* In a function that keeps a frame pointer and is inlined nowhere. */
#define STS_STACK_HERE() sts_stack_from(__builtin_frame_address(0), STS_HERE())

/* The caller's stack, or that of the ucontext_t of a signal handler; `depth` as sts_stack_depth. */
uint32_t sts_stack_capture(const void *context, unsigned depth);

/* The loader frees a piece of memory: if that was the description of a library, it is unloaded. */
void sts_stack_loader_freed(const void *p);
/* Addresses of the loader's code; both 0 until they are known. */
extern uintptr_t sts_stack_loader_lo, sts_stack_loader_hi __attribute__((visibility("hidden")));
/* Look for the loader. */
void sts_stack_start(void);

/* A thread's memory of its last capture, made when it is first wanted, kept with the thread's cache. */
struct sts_unwind;
void sts_unwind_reset(struct sts_unwind *u);

#endif
