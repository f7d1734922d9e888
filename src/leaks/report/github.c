// SPDX-License-Identifier: BSD-2-Clause
/* Annotations of GitHub's: a line for each leak, which is shown at the place in the source. */
#include <inttypes.h>
#include <string.h>

#include "leaks/report/formats.h"

/* What ends a line, a property or a command is written as %XX. */
static void put(FILE *to, const char *text, const char *special)
{
	for (; *text; text++) {
		if (strchr(special, *text))
			fprintf(to, "%%%02X", (unsigned char)*text);
		else
			fputc(*text, to);
	}
}

static void put_place(FILE *to, const struct sts_line *l)
{
	if (!l || !l->file[0])
		return;
	fputs("file=", to);
	put(to, l->file, "%\r\n:,");
	if (l->line)
		fprintf(to, ",line=%u", l->line);
	if (l->line && l->column)
		fprintf(to, ",col=%u", l->column);
	fputc(',', to);
}

void sts_leaks_github(FILE *to, const struct sts_leak_report *r, const struct sts_view *view)
{
	for (size_t i = 0; i < r->n_leaks; i++) {
		const struct sts_leak *leak = &r->leaks[i];
		const struct sts_line *culprit = sts_leak_culprit(leak);

		if (!sts_leak_counts(leak, view->shown))
			continue;
		fprintf(to, "::%s ", sts_leak_counts(leak, view->counted) ? "error" : "notice");
		put_place(to, culprit);
		fprintf(to, "title=%s leak::%" PRIu64 " bytes in %" PRIu64 " blocks",
			sts_leak_class_name(leak->raw.class), leak->raw.bytes, leak->raw.blocks);
		if (culprit) {
			fputs(", allocated in ", to);
			put(to, culprit->name, "%\r\n");
		}
		fputc('\n', to);
	}
}
