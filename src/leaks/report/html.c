// SPDX-License-Identifier: BSD-2-Clause
/* Reports as one page that needs nothing else: data/leaks.html with their JSON in it. */
#include <stdlib.h>

#include "leaks/report/formats.h"
#include "leaks/report/page.h"
#include "util/cleanup.h"

/* Made of data/leaks.html. */
extern const char sts_leaks_page_head[], sts_leaks_page_tail[];

void sts_leaks_html_begin(FILE *to)
{
	fputs(sts_leaks_page_head, to);
}

int sts_leaks_html(FILE *to, const struct sts_leak_report *r, const struct sts_view *view)
{
	_cleanup_free_ char *json = NULL;
	size_t size;
	FILE *text = open_memstream(&json, &size);

	if (!text)
		return -1;
	sts_leaks_json(text, r, view);
	if (fclose(text) != 0)
		return -1;
	sts_page_put_json(to, "report", json);
	return 0;
}

void sts_leaks_html_end(FILE *to)
{
	fputs(sts_leaks_page_tail, to);
}
