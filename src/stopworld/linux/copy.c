// SPDX-License-Identifier: BSD-2-Clause
/* The copy of a snapshot: a child that nobody hears of. */
#include <asm/unistd.h>
#include <errno.h>
#include <limits.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <signal.h>

#include "stopworld/os.h"
#include "stopworld/x86/raw.h"

/*
 * Without a signal at its end it is a child that only wait(2) with __WCLONE or __WALL knows. Tracers are not told, for
 * they would take a child of that kind for a thread.
 */
int sts_os_copy(void)
{
	int32_t parent = sts_os_pid();
	int pid = (int)RAW(clone, CLONE_UNTRACED, 0, 0, 0, 0);

	if (pid == 0) {
		int32_t now;

		RAW(prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		/* It may have died before that. 0: it is not seen from the copy's pid namespace. */
		now = (int32_t)RAW(getppid);
		if (now != parent && now != 0)
			sts_os_exit(1);
	}
	return pid;
}

int sts_os_reap(int32_t pid)
{
	long r;

	do {
		r = RAW(wait4, pid, NULL, __WCLONE, NULL);
	} while (r == -EINTR);
	return r < 0 ? (int)r : 0;
}

static void close_between(unsigned from, unsigned to)
{
	if (from > to || RAW(close_range, from, to, 0) == 0)
		return;
	/* Before Linux 5.9. */
	for (unsigned fd = from; fd <= to && fd < 65536; fd++)
		RAW(close, fd);
}

void sts_os_close_all_but(int fd)
{
	if (fd > 0)
		close_between(0, (unsigned)fd - 1);
	close_between((unsigned)(fd + 1), UINT_MAX);
}

void sts_os_exit(int status)
{
	for (;;)
		RAW(exit_group, status);
}
