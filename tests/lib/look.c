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

/* ---- for people ---- */

/* The only line of a small file. */
static void print_line(const char *name, pid_t pid, const char *tid)
{
	char path[64], text[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.12s/%s", (int)pid, tid, name);
	f = fopen(path, "re");
	if (f != NULL && fgets(text, sizeof(text), f) != NULL)
		text[strcspn(text, "\n")] = '\0';
	if (f != NULL)
		fclose(f);
	fprintf(stderr, " %s=[%s]", name, text);
}

void sts_describe(pid_t pid)
{
	char path[64];
	struct dirent *e;
	DIR *dir;

	fprintf(stderr, "  process %d:\n", (int)pid);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		pid_t tid = (pid_t)atoi(e->d_name);

		if (tid == 0)
			continue;
		fprintf(stderr, "    %d: %c tracer %d", (int)tid, sts_proc_state(pid, tid), (int)sts_proc_tracer(tid));
		print_line("comm", pid, e->d_name);
		print_line("wchan", pid, e->d_name);
		print_line("syscall", pid, e->d_name);
		fprintf(stderr, " pending=%llx/%llx\n", (unsigned long long)sts_proc_mask(pid, tid, "SigPnd"),
			(unsigned long long)sts_proc_mask(pid, tid, "ShdPnd"));
	}
	if (dir != NULL)
		closedir(dir);
}

void sts_describe_tracees(struct stasis_session *session)
{
	pid_t pids[64];
	size_t n = 0;

	if (stasis_process_list(session, pids, 64, &n) < 0)
		return;
	fprintf(stderr, "%zu tracees, tracer %d\n", n, (int)stasis_session_tracer_pid(session));
	for (size_t i = 0; i < n && i < 64; i++)
		sts_describe(pids[i]);
}
