/* SPDX-License-Identifier: BSD-2-Clause */
/* usage: storm_calls SHARED PROCESSES N: each of PROCESSES children calls getpid exactly N times. */
#include <sys/syscall.h>
#include <unistd.h>
#include "storm.h"

static struct storm_shared *sh;

__attribute__((noreturn)) static void child(uint64_t n)
{
	long pid = syscall(SYS_gettid);

	/* All of them at once: nobody starts before the last is born. */
	storm_gate(sh, 1);
	for (uint64_t i = 0; i < n; i++) {
		if (syscall(SYS_getpid) != pid)
			storm_fail(sh, "getpid gave a wrong answer");
		atomic_fetch_add_explicit(&sh->calls, 1, memory_order_relaxed);
	}
	_exit(STORM_NOP_STATUS);
}

int main(int argc, char **argv)
{
	pid_t pids[64];

	sh = storm_open(argv[1]);
	uint64_t processes = storm_number(argc, argv, 2), n = storm_number(argc, argv, 3);
	for (uint64_t i = 0; i < processes; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			child(n);
		if (pids[i] < 0)
			storm_fail(sh, "fork failed");
	}
	storm_post(&sh->open_gate, 1);
	for (uint64_t i = 0; i < processes; i++)
		storm_reap(sh, pids[i], STORM_NOP_STATUS << 8);
	storm_post(&sh->done, 1);
	return STORM_DONE_STATUS;
}
