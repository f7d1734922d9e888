/* SPDX-License-Identifier: BSD-2-Clause */
/* count-calls COMMAND [ARGUMENT...]: the system calls that returned, by name, of a command and all its descendants. */
#include <err.h>
#include <stasis/stasis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static struct {
	char name[40];
	unsigned long calls, errors;
} counts[1024];
static size_t n_counts;

static void count(const struct stasis_event_syscall *call)
{
	const char *name = stasis_syscall_name(call->abi, call->number);
	size_t i = 0;

	while (i < n_counts && strcmp(counts[i].name, name) != 0)
		i++;
	if (i == sizeof counts / sizeof *counts)
		return;
	if (i == n_counts)
		snprintf(counts[n_counts++].name, sizeof counts->name, "%s", name);
	counts[i].calls++;
	counts[i].errors += call->is_error;
}

int main(int argc, char **argv)
{
	struct stasis_event_mask mask = {
		.thread_stop = STASIS_EVENTS_BIRTH | STASIS_EVENT_BIT(STASIS_EVENT_SYSCALL_EXIT),
	};
	struct stasis_spawn_opts opts = {.size = sizeof opts, .flags = STASIS_SPAWN_SEARCH_PATH};
	struct stasis_session *session;
	struct stasis_event e;
	int r, status = 0;
	pid_t pid;

	if (argc < 2)
		errx(2, "a command is needed");
	opts.path = argv[1];
	opts.argv = argv + 1;
	if ((r = stasis_session_create(NULL, &session)) < 0 || (r = stasis_event_mask_set(session, 0, &mask)) < 0 ||
	    (r = stasis_spawn_fold_set(session, 0, false)) < 0 || (r = stasis_spawn(session, &opts, &pid)) < 0)
		errx(125, "%s: %s", argv[1], stasis_strerror(r));
	while (stasis_wait(session, 0, -1, &e) == 0) {
		if (e.kind == STASIS_EVENT_SYSCALL_EXIT)
			count(&e.data.syscall);
		if ((e.kind == STASIS_EVENT_EXITED || e.kind == STASIS_EVENT_KILLED) && e.pid == pid)
			status = WIFEXITED(e.data.exit.status) ? WEXITSTATUS(e.data.exit.status) : 128;
		r = e.all_stop ? stasis_resume(session, e.pid, NULL, 0) : 0;
		if (e.stopped && !e.all_stop)
			r = stasis_resume_lwp(session, e.tid, STASIS_CONTINUE, STASIS_SIGNAL_KEEP);
	}
	stasis_session_destroy(session);
	for (size_t i = 0; i < n_counts; i++)
		fprintf(stderr, "%7lu %7lu %s\n", counts[i].calls, counts[i].errors, counts[i].name);
	return status;
}
