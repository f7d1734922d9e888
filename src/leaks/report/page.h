/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON inside a page of HTML. */
#ifndef STS_LEAKS_PAGE_H
#define STS_LEAKS_PAGE_H

#include <stdio.h>

/* In JSON a '<' stands in texts alone; escaped there it can neither end the element nor begin a comment. kind: the
 * element's class. */
static inline void sts_page_put_json(FILE *to, const char *kind, const char *json)
{
	fprintf(to, "<script type=\"application/json\" class=\"%s\">", kind);
	for (; *json; json++) {
		if (*json == '<')
			fputs("\\u003c", to);
		else
			fputc(*json, to);
	}
	fputs("</script>\n", to);
}

#endif
