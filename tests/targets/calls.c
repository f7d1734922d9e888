// SPDX-License-Identifier: BSD-2-Clause
/* A few hundred system calls, each for what its arguments look like; run in an empty folder. */
#include "calls.h"

int main(int argc, char **argv)
{
	const char *which = argc > 1 ? argv[1] : "";

	/* A mark in the trace: what comes before is libc's. */
	syscall(SYS_access, "begin", 0);
	if (strcmp(which, "files") == 0)
		calls_files();
	else if (strcmp(which, "processes") == 0)
		calls_processes();
	else if (strcmp(which, "net") == 0)
		calls_net();
	else
		return STS_TARGET_BROKEN;
	syscall(SYS_access, "end", 0);
	return 0;
}
