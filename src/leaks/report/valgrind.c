// SPDX-License-Identifier: BSD-2-Clause
/* Valgrind's XML, protocol 4, as Memcheck writes it of leaks: for the many programs that read it. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "leaks/report/formats.h"

static void element(FILE *to, const char *indent, const char *name, const char *text)
{
	fprintf(to, "%s<%s>", indent, name);
	sts_xml_text(to, text);
	fprintf(to, "</%s>\n", name);
}

static void put_arguments(FILE *to, const struct sts_leak_report *r)
{
	fputs("<args>\n  <vargv>\n    <exe>stasis</exe>\n    <arg>leaks</arg>\n  </vargv>\n  <argv>\n", to);
	element(to, "    ", "exe", r->exe);
	for (size_t i = 1; i < r->n_arguments; i++)
		element(to, "    ", "arg", r->arguments[i]);
	fputs("  </argv>\n</args>\n\n", to);
}

static void put_preamble(FILE *to, const struct sts_leak_report *r)
{
	fputs("<?xml version=\"1.0\"?>\n\n<valgrindoutput>\n\n<protocolversion>4</protocolversion>\n"
	      "<protocoltool>memcheck</protocoltool>\n\n<preamble>\n"
	      "  <line>stasis leaks, which writes what Memcheck does of leaks</line>\n",
	      to);
	element(to, "  ", "line", r->exe);
	fprintf(to, "</preamble>\n\n<pid>%d</pid>\n<ppid>%d</ppid>\n<tool>memcheck</tool>\n\n", (int)r->process.pid,
		(int)r->process.ppid);
	put_arguments(to, r);
}

/* The text of the time is any that people can read. */
static void put_status(FILE *to, const char *state, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000u);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fprintf(to, "<status>\n  <state>%s</state>\n  <time>%s</time>\n</status>\n\n", state, text);
}

static void put_file(FILE *to, const struct sts_line *l)
{
	const char *slash = strrchr(l->file, '/');

	if (slash) {
		char dir[4096];

		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - l->file), l->file);
		element(to, "      ", "dir", dir);
	}
	element(to, "      ", "file", slash ? slash + 1 : l->file);
	if (l->line)
		fprintf(to, "      <line>%u</line>\n", l->line);
}

static void put_stack(FILE *to, const struct sts_leak_stack *stack)
{
	fputs("  <stack>\n", to);
	for (size_t i = 0; stack && i < stack->n_lines; i++) {
		const struct sts_line *l = &stack->lines[i];

		fprintf(to, "    <frame>\n      <ip>0x%" PRIX64 "</ip>\n", l->pc);
		if (l->module[0])
			element(to, "      ", "obj", l->module);
		if (l->name[0])
			element(to, "      ", "fn", l->name);
		if (l->file[0])
			put_file(to, l);
		fputs("    </frame>\n", to);
	}
	fputs("  </stack>\n", to);
}

static void put_leak(FILE *to, const struct sts_leak *leak, size_t i, size_t n)
{
	static const struct {
		const char *kind, *text;
	} classes[] = {
		[STS_RAW_DEFINITE] = {"Leak_DefinitelyLost", "definitely lost"},
		[STS_RAW_INDIRECT] = {"Leak_IndirectlyLost", "indirectly lost"},
		[STS_RAW_POSSIBLE] = {"Leak_PossiblyLost", "possibly lost"},
		[STS_RAW_REACHABLE] = {"Leak_StillReachable", "still reachable"},
	};
	const struct sts_raw_leak *raw = &leak->raw;

	fprintf(to,
		"<error>\n  <unique>0x%zx</unique>\n  <tid>1</tid>\n  <kind>%s</kind>\n  <xwhat>\n    <text>%" PRIu64
		" bytes in %" PRIu64 " blocks are %s in loss record %zu of %zu</text>\n    <leakedbytes>%" PRIu64
		"</leakedbytes>\n    <leakedblocks>%" PRIu64 "</leakedblocks>\n  </xwhat>\n",
		i, classes[raw->class].kind, raw->bytes, raw->blocks, classes[raw->class].text, i + 1, n, raw->bytes,
		raw->blocks);
	put_stack(to, leak->stack);
	fputs("</error>\n\n", to);
}

static void put_leaks(FILE *to, const struct sts_leak_report *r, const struct sts_view *view)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < r->n_leaks; i++)
		n += sts_leak_counts(&r->leaks[i], view->shown);
	for (size_t i = 0; i < r->n_leaks; i++)
		if (sts_leak_counts(&r->leaks[i], view->shown))
			put_leak(to, &r->leaks[i], at++, n);
}

static bool is_first_of_rule(const struct sts_leak_report *r, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (r->leaks[k].rule == r->leaks[i].rule)
			return false;
	return r->leaks[i].rule != NULL;
}

/* How many records each rule has suppressed. */
static void put_suppressions(FILE *to, const struct sts_leak_report *r)
{
	fputs("<suppcounts>\n", to);
	for (size_t i = 0; i < r->n_leaks; i++) {
		size_t n = 0;

		if (!is_first_of_rule(r, i))
			continue;
		for (size_t k = i; k < r->n_leaks; k++)
			n += r->leaks[k].rule == r->leaks[i].rule;
		fprintf(to, "  <pair>\n    <count>%zu</count>\n", n);
		element(to, "    ", "name", r->leaks[i].rule->name);
		fputs("  </pair>\n", to);
	}
	fputs("</suppcounts>\n\n", to);
}

void sts_leaks_valgrind(FILE *to, const struct sts_leak_report *r, const struct sts_view *view)
{
	put_preamble(to, r);
	put_status(to, "RUNNING", r->process.time_ns);
	put_status(to, "FINISHED", r->process.time_ns);
	put_leaks(to, r, view);
	fputs("<errorcounts>\n</errorcounts>\n\n", to);
	put_suppressions(to, r);
	fputs("</valgrindoutput>\n", to);
}
