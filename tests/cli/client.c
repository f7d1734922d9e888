/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of the installed library, C11 and C++17 alike: traces the program it is given and passes its status on. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* siginfo_t, where the compiler is strict */
#endif
#include <stasis/stasis.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static int follow(struct stasis_session *session)
{
	struct stasis_event ev;
	int r;

	for (;;) {
		r = stasis_wait(session, 0, 10000, &ev);
		if (r < 0)
			break;
		printf("%s\n", stasis_event_kind_name(ev.kind));
		if (ev.kind == STASIS_EVENT_EXITED)
			return WEXITSTATUS(ev.data.exit.status);
		if (ev.stopped && (r = stasis_resume(session, ev.pid, NULL, 0)) < 0)
			break;
	}
	fprintf(stderr, "%s\n", stasis_strerror(r));
	return 100;
}

int main(int argc, char **argv)
{
	struct stasis_spawn_opts opts;
	struct stasis_session *session;
	pid_t pid;
	int status;

	if (argc < 2 || strcmp(stasis_version(), STASIS_VERSION) != 0)
		return 101;
	memset(&opts, 0, sizeof(opts));
	opts.size = sizeof(opts);
	opts.path = argv[1];
	opts.argv = argv + 1;
	if (stasis_session_create(NULL, &session) < 0)
		return 102;
	status = stasis_spawn(session, &opts, &pid) < 0 ? 103 : follow(session);
	stasis_session_destroy(session);
	return status;
}
