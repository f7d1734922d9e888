/* SPDX-License-Identifier: BSD-2-Clause */
/* The processes of a trace, as --tree and --html show them. */
#ifndef STS_CLI_TRUSS_FAMILY_H
#define STS_CLI_TRUSS_FAMILY_H

#include "cli/truss/truss.h"

/* Without --tree no more are noted: what a page shows is bounded, and so is the memory. */
#define TRUSS_FAMILY_MAX 5000

struct truss_program {
	char *name;
	struct timespec since;
};

struct truss_person {
	pid_t pid;
	const char *birth; /* NULL: launched or attached */
	struct truss_program *programs;
	size_t n_programs;
	struct timespec born, died;
	bool dead;
	int status;					   /* wait(2) status, -1: not followed */
	unsigned lwps;					   /* threads born, besides the first */
	uint64_t calls, errors, wall;			   /* that returned; nanoseconds */
	struct truss_person *parent, *first, *last, *next; /* children, in the order of their births */
	struct truss_person *all;			   /* the one noted before */
	unsigned index;					   /* of those noted */
	UT_hash_handle hh;				   /* while it is alive: a pid may come again */
};

/* One that is alive; NULL. */
struct truss_person *truss_family_find(const struct truss *t, pid_t pid);
/* How it ended: "exited with 3". */
void truss_family_add_end(struct sts_text *out, const struct truss_person *p);

#endif
