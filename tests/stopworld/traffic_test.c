// SPDX-License-Identifier: BSD-2-Clause
/* What goes on in a program goes on, whenever it is stopped. */
#include "run.h"

WORLD_TC(calls, 30, "which system calls notice a stop", "calls")
WORLD_TC_(calls_static, "-static", 30, "which system calls notice a stop, static", "calls")
WORLD_TC(signals, 60, "no signal is lost, doubled or overtaken: sigwaitinfo, signalfd, handlers", "signals")
WORLD_TC(callers, 60, "eight threads stop the world at once, each alone", "callers")
WORLD_TC(exiting, 30, "stops from threads about to exit", "exiting")
WORLD_TC(in_handler, 30, "stops from signal handlers that interrupt stops", "in-handler")
WORLD_TC(locks, 60, "threads hold the locks of malloc, loader, stdio and threads", "locks")
WORLD_TC(setuid, 60, "libc uses its signal itself", "setuid")
WORLD_TC(first_thread, 30, "libc installs its handler after the first stop", "first-thread")
WORLD_TC(fork, 60, "forked children of a threaded parent that is being stopped", "fork")
