/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: storm_bomb SHARED
 *
 * A fork bomb with a fuse: every process forks, as do its children, as long as
 * tickets last (ticket_limit, which the test may raise). A child's first act is
 * to enter itself in `pids`. When no ticket is left each waits for its children.
 */
#include <unistd.h>
#include <sys/wait.h>
#include "storm.h"

static struct storm_shared *sh;

static bool take_ticket(void)
{
	uint64_t n = atomic_load(&sh->tickets);

	while (n < atomic_load(&sh->ticket_limit))
		if (atomic_compare_exchange_weak(&sh->tickets, &n, n + 1))
			return true;
	return false;
}

static void enter(void)
{
	atomic_store(&sh->pids[atomic_fetch_add(&sh->lived, 1) % STORM_SLOTS], getpid());
}

int main(int argc, char **argv)
{
	pid_t children[STORM_SLOTS];
	size_t n = 0;
	bool is_root = true;

	sh = storm_open(argv[1]);
	storm_gate(sh, 1);
	while (take_ticket()) {
		pid_t pid = fork();

		if (pid == 0) {
			enter();
			n = 0;
			is_root = false;
		} else if (pid > 0) {
			children[n++] = pid;
			atomic_fetch_add(&sh->births, 1);
		} else {
			storm_fail(sh, "fork failed");
		}
	}
	for (size_t i = 0; i < n; i++)
		storm_reap(sh, children[i], STORM_NOP_STATUS << 8);
	if (!is_root)
		return STORM_NOP_STATUS;
	storm_post(&sh->done, 1);
	return STORM_DONE_STATUS;
}
