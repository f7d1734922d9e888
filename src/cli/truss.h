/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis truss: options (truss_options.c), the decoder's questions (truss_decode.c), records on their way out
   (truss_output.c), the loop (cmd_truss.c). */
#ifndef STS_CLI_TRUSS_H
#define STS_CLI_TRUSS_H

#include <stasis/stasis.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>
#include "cli/cli.h"
#include "decode/decode.h"

enum truss_clock { TRUSS_CLOCK_NONE, TRUSS_CLOCK_SECONDS, TRUSS_CLOCK_MICROS, TRUSS_CLOCK_UNIX };

struct truss_options {
	char **command; /* NULL: attach */
	pid_t *pids;
	size_t n_pids;
	bool no_follow;
	bool quiet;
	bool durations; /* -T */
	enum truss_clock clock;
	size_t string_limit;
	unsigned decode_flags; /* -v, -x */
	bool paths;	       /* -y */
	const char *output;
	const char *color;
	struct sts_call_filter calls;
	uint64_t signals; /* bit n-1: show signal n */
	bool events;	  /* births, execs, LWPs */
};

/* Exit status to leave with, or -1 to go on. */
int truss_options_parse(int argc, char **argv, struct truss_options *ret);
void truss_options_free(struct truss_options *o);

struct truss_output {
	FILE *file;
	bool to_file; /* -o: whole records, every one with its pid */
	bool pipe;    /* opened by popen(3) */
	bool color;
	bool failed;
	int error;	/* errno of the first failed write */
	bool many;	/* more than one LWP: name it */
	pid_t open_tid; /* whose record stands unfinished at the end of the output, 0 none */
	size_t column;
	const struct truss_options *options;
};

int truss_output_open(struct truss_output *out, const struct truss_options *o);
/* Ends it; false if anything was lost. */
bool truss_output_close(struct truss_output *out);
/* A record of its own: a whole line. */
void truss_line(struct truss_output *out, pid_t tid, const char *color, const char *text);

/* One call of an LWP, from entry to exit. */
struct truss_call {
	bool active; /* between the two */
	bool shown;  /* its first half stands on the output */
	struct stasis_event_syscall data;
	struct stasis_decode decode;
	struct timespec start;
	char *text; /* its first half */
};
/* Whom the decoder's questions are about. */
struct truss_ring;
struct truss_source {
	struct stasis_session *session;
	pid_t pid;
	struct truss_ring **rings;
};
/* The call's decoder, ready for either half. */
struct stasis_decode *truss_decoder(struct truss_source *source, struct truss_call *call,
				    const struct truss_options *options);
/* Learn from every finished call where io_urings are; forget a process's (0: all). */
void truss_rings_track(struct truss_source *source, const struct stasis_event_syscall *call);
void truss_rings_forget(struct truss_ring **rings, pid_t pid);

void truss_call_enter(struct truss_output *out, pid_t tid, struct truss_call *call, const char *text);
/* rest: what follows the first half, result included. */
void truss_call_leave(struct truss_output *out, pid_t tid, struct truss_call *call, const char *rest,
		      const char *result);

#endif
