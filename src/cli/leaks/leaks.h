/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis leaks: parts of the command. */
#ifndef STS_CLI_LEAKS_H
#define STS_CLI_LEAKS_H

#include <stdbool.h>
#include <sys/types.h>

#include "leaks/report/judge.h"

struct leaks_options {
	struct sts_judge judge;
	char **command;
	const char *library; /* the runtime; NULL: found beside the program or where it is installed */
	char *runtime;	     /* options for it, as STASIS_OPTIONS has them; malloc */
	int error_exitcode;  /* 0: none */
	bool error_unused;
	bool quiet;
	const char *save_path;
	const char *paths[STS_N_FORMATS];
};

/* A status to end with, or -1 to go on. */
int leaks_options_read(struct leaks_options *o, int argc, char **argv);
void leaks_options_free(struct leaks_options *o);

/* Whether the runtime can be preloaded into the program: 0, or the status to end with after a complaint. */
int leaks_check_target(const char *path);
/*
 * Run the command with the runtime in it, which asks for reports on `fd`. The child's pid, or minus the status to end
 * with after a complaint.
 */
pid_t leaks_launch(const struct leaks_options *o, int fd);
/* Reports that come on `fd` are judged until the child has ended. Its wait status. */
int leaks_serve(struct leaks_options *o, int fd, pid_t child);
/* The raw report of one connection; also the whole of "stasis leaks --report". False if there was none. */
bool leaks_serve_one(struct sts_judge *j, int connection);

#endif
