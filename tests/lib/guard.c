// SPDX-License-Identifier: BSD-2-Clause
/*
 * shell-guard INTERPRETER SCRIPT ARGUMENT...: run a test program in the shell
 * under the supervisor of the C cases. A case that passes and leaves a process
 * behind is made to fail in its result file (ATF's option -r).
 */
#include "supervise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 600000 }; /* the limits of the cases themselves are kyua's to keep */

static const char *result_file(char **argv)
{
	for (; *argv != NULL; argv++) {
		if (strncmp(*argv, "-r", 2) == 0)
			return (*argv)[2] != '\0' ? *argv + 2 : argv[1];
	}
	return NULL;
}

static int fail_case(const char *path, const char *why)
{
	FILE *f = fopen(path, "we");

	fprintf(stderr, "%s\n", why);
	if (f != NULL) {
		fprintf(f, "failed: %s\n", why);
		fclose(f);
	}
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct sts_supervisor sv;
	const char *result;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: shell-guard INTERPRETER SCRIPT [ARGUMENT...]\n");
		return EXIT_FAILURE;
	}
	result = result_file(argv + 3);
	if (result == NULL) { /* a listing of the cases */
		execvp(argv[1], argv + 1);
		return EXIT_FAILURE;
	}
	pid = sts_supervisor_start(&sv, false);
	if (pid == 0) {
		execvp(argv[1], argv + 1);
		_exit(EXIT_FAILURE);
	}
	if (pid < 0)
		return fail_case(result, "the supervisor could not start");
	sts_supervisor_finish(&sv, LIMIT_MS);
	if (sv.verdict->findings[0] != '\0' && (sv.verdict->status == 0 || sv.verdict->timed_out))
		return fail_case(result, sv.verdict->findings);
	return WIFEXITED(sv.verdict->status) ? WEXITSTATUS(sv.verdict->status) : 128 + WTERMSIG(sv.verdict->status);
}
