/* SPDX-License-Identifier: BSD-2-Clause */
/* From a raw report to what is printed, and to the verdict. */
#ifndef STS_LEAKS_JUDGE_H
#define STS_LEAKS_JUDGE_H

#include "leaks/report/formats.h"

enum sts_format {
	STS_FORMAT_TEXT = 0,
	STS_FORMAT_JSON,
	STS_FORMAT_SARIF,
	STS_FORMAT_JUNIT,
	STS_FORMAT_HTML,
	STS_FORMAT_GITHUB,
	STS_FORMAT_XML, /* Valgrind's */
	STS_N_FORMATS
};

/* What is asked of all reports; the options of a program's report add to a copy of it. */
struct sts_judge {
	struct sts_view view;
	struct sts_suppressions suppressions; /* of the command; they count over all reports */
	char today[11];
	const char *only;	 /* pattern, or NULL */
	const char *log_path;	 /* %p is the pid; NULL: standard error */
	const char *xml_path;	 /* likewise; "-" is standard output, NULL: not wanted */
	FILE *to[STS_N_FORMATS]; /* NULL: not wanted. TEXT and XML are opened by their paths for each report */
	bool text;		 /* wanted */
	bool gen_suppressions;
	int symbol_ms;
	struct sts_baseline *baseline; /* what is known already, or NULL */
	FILE *save;		       /* a new baseline, or NULL */
	/* The sum of what was judged. */
	uint64_t reports, leaking, blocks, bytes;
	size_t results;	    /* of SARIF */
	unsigned documents; /* of XML */
	uint32_t refused;   /* rules over their limits or expired */
	bool failed;	    /* something could not be read or written; it was complained of */
	void (*complain)(const char *object, const char *what);
};

void sts_judge_init(struct sts_judge *j, void (*complain)(const char *object, const char *what));
void sts_judge_free(struct sts_judge *j);
/*
 * Takes over `data` (malloc). Prints, counts, and fills in the verdict. Or, if that says `again`, has done nothing but
 * to find what suppressed leaks there are, which may hold others: `held_ret` (malloc) is to follow the verdict. NULL
 * else.
 */
void sts_judge_report(struct sts_judge *j, char *data, size_t size, struct sts_raw_verdict *ret,
		      struct sts_raw_held **held_ret);
/* Rules of the command that matched nothing. */
size_t sts_judge_unused(const struct sts_judge *j);

/* baseline.c: one line for each stack, by the names of its functions. */
struct sts_baseline *sts_baseline_read(const char *path, char why[static 256]);
void sts_baseline_free(struct sts_baseline *b);
void sts_baseline_apply(struct sts_baseline *b, struct sts_leak_report *r);
void sts_baseline_write(FILE *to, const struct sts_leak_report *r, const struct sts_view *view);

#endif
