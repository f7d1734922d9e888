/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suppressions, in LeakSanitizer's form and in Valgrind's, mixed in one file as one likes.
 *
 *	# comment
 *	leak:PATTERN
 *	leak[max=N,until=YYYY-MM-DD]:PATTERN
 *
 * PATTERN is found anywhere in the name of a function, file or module of any frame; ^ and $ hold it at an end, * is any
 * text. A rule of more than `max` blocks in one report, or after the day `until`, suppresses nothing and is told of.
 */
#ifndef STS_LEAKS_SUPPRESS_H
#define STS_LEAKS_SUPPRESS_H

#include "leaks/report/report.h"

struct sts_rule {
	struct sts_rule *next;
	char *name;    /* as shown: the pattern, or the name of the block */
	char *origin;  /* FILE:LINE */
	char *pattern; /* leak: */
	char **frames; /* a block's: "fun:...", "obj:...", "src:..." or "..." */
	size_t n_frames;
	unsigned classes; /* 1 << class, which it is for */
	uint64_t max;	  /* blocks; UINT64_MAX: any number */
	bool expired;
	uint64_t blocks, bytes; /* suppressed so far */
	uint64_t matched;	/* blocks it fits, suppressed or not */
};

struct sts_suppressions {
	struct sts_rule *first, **end; /* in the order they were read in */
};

void sts_suppressions_init(struct sts_suppressions *s);
void sts_suppressions_free(struct sts_suppressions *s);
/* Read rules; `today` as YYYY-MM-DD. 0, or -EINVAL with FILE:LINE and the reason in why[]; -ENOMEM. */
int sts_suppressions_parse(struct sts_suppressions *s, const char *file, const char *text, const char *today,
			   char why[static 256]);
/* 0, -errno of reading it, or as above. */
int sts_suppressions_read(struct sts_suppressions *s, const char *path, const char *today, char why[static 256]);
/* Note at each leak which rule suppresses it. Stacks must have their lines. */
void sts_suppressions_apply(struct sts_suppressions *s, struct sts_leak_report *r);
/* As if no rule had been applied to the report. */
void sts_suppressions_undo(struct sts_leak_report *r);

/* LeakSanitizer's match: `pattern` somewhere in `text`. */
bool sts_pattern_found(const char *pattern, const char *text);
/* A frame of the stack has the pattern in the name of its function, file or module. */
bool sts_stack_matches(const struct sts_leak_stack *stack, const char *pattern);

#endif
