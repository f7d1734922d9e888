/* SPDX-License-Identifier: BSD-2-Clause */
/* Reports as people and programs read them. All write to a stream and leave it to the caller to look for its errors. */
#ifndef STS_LEAKS_FORMATS_H
#define STS_LEAKS_FORMATS_H

#include "leaks/report/suppress.h"

struct sts_view {
	unsigned shown;		 /* classes, bits 1 << class */
	unsigned counted;	 /* of these: as errors */
	uint64_t max_leaks;	 /* 0: all */
	bool objects;		 /* addresses of blocks */
	bool print_suppressions; /* which were used */
	bool summary;		 /* only sums */
	bool color;
};

/* As LeakSanitizer's. Writes nothing if there is nothing to tell. */
void sts_leaks_text(FILE *to, const struct sts_leak_report *r, const struct sts_suppressions *s,
		    const struct sts_view *view);
/* A suppression for each leak that counts, in LeakSanitizer's form, and in Valgrind's. */
void sts_leaks_gen_suppressions(FILE *to, const struct sts_leak_report *r, const struct sts_view *view);

/* One line, see data/leaks.schema.json. */
void sts_leaks_json(FILE *to, const struct sts_leak_report *r, const struct sts_view *view);
/* Those of several reports: begin, one each, end. The number of results written; first: none is there yet. */
void sts_leaks_sarif_begin(FILE *to);
size_t sts_leaks_sarif(FILE *to, const struct sts_leak_report *r, const struct sts_view *view, bool first);
void sts_leaks_sarif_end(FILE *to);
void sts_leaks_junit_begin(FILE *to);
void sts_leaks_junit(FILE *to, const struct sts_leak_report *r, const struct sts_view *view);
void sts_leaks_junit_end(FILE *to);
/* A page with all of them. -1 without memory, with errno, and nothing is written. */
void sts_leaks_html_begin(FILE *to);
int sts_leaks_html(FILE *to, const struct sts_leak_report *r, const struct sts_view *view);
void sts_leaks_html_end(FILE *to);

/* A line for each leak, as GitHub's runners show them at the source. */
void sts_leaks_github(FILE *to, const struct sts_leak_report *r, const struct sts_view *view);
/* A document of its own for each report, as Valgrind's --xml=yes. */
void sts_leaks_valgrind(FILE *to, const struct sts_leak_report *r, const struct sts_view *view);

/* What has a meaning in XML, and what may not be there, is replaced. */
void sts_xml_text(FILE *to, const char *text);
/* A text in quotes: what is not UTF-8 is shown as U+FFFD. */
void sts_json_text(FILE *to, const char *text);
/* The innermost line that is neither the allocator's nor unknown: who is to blame. NULL if there is none. */
const struct sts_line *sts_leak_culprit(const struct sts_leak *leak);

#endif
