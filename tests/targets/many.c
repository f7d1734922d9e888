// SPDX-License-Identifier: BSD-2-Clause
/* many PROCESSES CALLS: so many processes at once, each of which calls getppid(2) so often. */
#include "shared.h"

#include <sys/syscall.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
	int processes = argc > 2 ? atoi(argv[1]) : 0, status, bad = 0;
	long calls = argc > 2 ? atol(argv[2]) : 0;

	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			sts_target_fail("fork");
		if (pid > 0)
			continue;
		while (calls-- > 0)
			syscall(SYS_getppid);
		_exit(0);
	}
	while (wait(&status) > 0)
		bad |= status;
	return bad != 0;
}
