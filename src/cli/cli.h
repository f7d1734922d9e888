/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subcommands of the program share. Only this folder prints, exits or reads argv. */
#ifndef STS_CLI_H
#define STS_CLI_H

#include <stdbool.h>
#include <stdio.h>

/* Our own failures; a traced program's status is passed on as it is. */
enum { STS_EXIT_USAGE = 2, STS_EXIT_FAILURE = 125, STS_EXIT_CANNOT_RUN = 126, STS_EXIT_NOT_FOUND = 127 };

struct stasis_session;

int sts_cmd_truss(int argc, char **argv);
int sts_cmd_leaks(int argc, char **argv);
int sts_cmd_doctor(int argc, char **argv);

/* "stasis: object: what" on stderr. */
void sts_complain(const char *object, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a failed call on a session, with cause and remedy. */
void sts_complain_error(const char *object, struct stasis_session *session, int error);
/* A usage error: complain, point at --help, and return STS_EXIT_USAGE. */
int sts_usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What was to be told on standard output is all said: this status if it was written, or else a complaint, and
 * STS_EXIT_FAILURE. */
int sts_output_end(int status);

/* End as a program did that we ran, by its wait status, so that our parent sees what it would have seen; by the same
 * signal, but with no second core. The status to end with. */
int sts_end_like(int wait_status);

/* Where execvp(3) finds it, to be freed; NULL: nowhere. */
char *sts_find_program(const char *name);

/* A whole decimal number from least to most. */
bool sts_read_number(const char *text, long least, long most, long *ret);

/* --color=WHEN, NO_COLOR, CLICOLOR_FORCE, CLICOLOR, TERM=dumb; decided on the stream written to. when: NULL for the
 * default. -1: unknown WHEN. */
int sts_color_wanted(const char *when, FILE *stream);

#endif
