// SPDX-License-Identifier: BSD-2-Clause
/*
 * A family in which somebody is always being born, until there is a file "stop".
 * Once there is a file "go" each of them tells if it has no tracer.
 */
#include "shared.h"

#include <sys/wait.h>

#define WORKERS 4

static int tracer(void)
{
	char line[256];
	int pid = -1;
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "TracerPid: %d", &pid) == 1)
			break;
	if (file)
		fclose(file);
	return pid;
}

static void check(void)
{
	static const char missed[] = "missed\n";

	if (access("go", F_OK) == 0 && tracer() == 0 && write(1, missed, sizeof missed - 1) < 0)
		_exit(STS_TARGET_BROKEN);
}

static void bear(int generations)
{
	pid_t pid = fork();

	if (pid < 0)
		sts_target_fail("fork");
	if (pid > 0) {
		waitpid(pid, NULL, 0);
		return;
	}
	check();
	if (generations > 1)
		bear(generations - 1);
	_exit(0);
}

static void work(void)
{
	while (access("stop", F_OK) < 0) {
		check();
		bear(2);
	}
	_exit(0);
}

int main(void)
{
	for (int i = 0; i < WORKERS; i++) {
		pid_t pid = fork();

		if (pid < 0)
			sts_target_fail("fork");
		if (pid == 0)
			work();
	}
	while (wait(NULL) > 0)
		;
	return 6;
}
