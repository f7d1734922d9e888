// SPDX-License-Identifier: BSD-2-Clause
/* What /proc says of a process. */
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The value of a line "NAME:\tVALUE" of a status file. */
static bool status_line(const char *path, const char *name, char *value, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t len = strlen(name);
	char line[256];
	bool found = false;

	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		snprintf(value, size, "%s", line + len + 1 + strspn(line + len + 1, " \t"));
		found = true;
	}
	fclose(f);
	return found;
}

static bool lwp_status(pid_t pid, pid_t tid, const char *name, char *value, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
	return status_line(path, name, value, size);
}

char sts_proc_state(pid_t pid, pid_t tid)
{
	char value[64];

	return lwp_status(pid, tid, "State", value, sizeof(value)) ? value[0] : '\0';
}

void sts_await_state(pid_t pid, pid_t tid, const char *letters)
{
	const struct timespec pause = {.tv_nsec = 500000};
	uint64_t deadline = sts_now_ms() + (uint64_t)sts_bound_ms();
	char state;

	for (;;) {
		state = sts_proc_state(pid, tid);
		if (strchr(letters, state != '\0' ? state : '0') != NULL)
			return;
		if (sts_now_ms() > deadline)
			atf_tc_fail("%d/%d stays in state %c and does not reach one of %s", (int)pid, (int)tid,
				    state != '\0' ? state : '0', letters);
		nanosleep(&pause, NULL);
	}
}

unsigned sts_proc_lwps(pid_t pid)
{
	char value[64];

	return lwp_status(pid, pid, "Threads", value, sizeof(value)) ? (unsigned)atoi(value) : 0;
}

pid_t sts_proc_tracer(pid_t tid)
{
	char path[64], value[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	return status_line(path, "TracerPid", value, sizeof(value)) ? (pid_t)atoi(value) : -1;
}

uint64_t sts_proc_mask(pid_t pid, pid_t tid, const char *name)
{
	char value[64];

	if (!lwp_status(pid, tid, name, value, sizeof(value)))
		atf_tc_fail("/proc/%d/task/%d/status shows no %s", (int)pid, (int)tid, name);
	return strtoull(value, NULL, 16);
}
