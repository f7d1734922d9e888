// SPDX-License-Identifier: BSD-2-Clause
/* Every kind of thread is brought to rest, or named. */
#include "run.h"

WORLD_TC(basic, 30, "spinning, sleeping, reading, in handlers, on signal stacks, blocked and raw threads park", "basic")
WORLD_TC_(basic_static, "-static", 30, "a static program stops its world", "basic")
WORLD_TC_(basic_shared, "-shared", 30, "a program stops its world with the shared library", "basic")
WORLD_TC(blocked, 20, "a thread asleep with the signal blocked is at rest, and betrayed if it runs", "blocked")
WORLD_TC(blocked_spinning, 20, "a thread that spins with the signal blocked is named within the limit",
	 "blocked-spinning")
WORLD_TC(eaten, 20, "a thread that takes every signal raw is named within the limit", "eaten")
WORLD_TC(vfork, 20, "a thread in vfork is told with its child, and parks when that ends", "vfork")
WORLD_TC(held, 20, "a thread held by a tracer is told with the tracer", "held")
WORLD_TC(held_released, 20, "a thread that its tracer lets go in the stopped world parks", "held-released")
WORLD_TC(job_control, 40, "stopped and continued by job control all the while", "job-control")
WORLD_TC(dead_main, 20, "the main thread has ended", "dead-main")
WORLD_TC(misuse, 20, "wrong options, twice by one thread, resumed by another; the mask is restored", "misuse")
WORLD_TC(queue, 60, "the queue of signals is full", "queue")
WORLD_TC(no_files, 30, "every descriptor is in use", "no-files")
