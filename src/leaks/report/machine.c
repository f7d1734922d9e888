// SPDX-License-Identifier: BSD-2-Clause
/* Reports for programs: JSON, SARIF 2.1.0, JUnit. */
#include <inttypes.h>
#include <string.h>

#include "leaks/report/formats.h"
#include "util/utf8.h"

/* --- texts ------------------------------------------------------------------------------------ */

void sts_json_text(FILE *to, const char *text)
{
	const unsigned char *p = (const void *)text;

	fputc('"', to);
	while (*p) {
		size_t n = sts_utf8_length(p, strnlen((const char *)p, 4));

		if (n == 0)
			fputs("\\ufffd", to);
		else if (*p == '"' || *p == '\\')
			fprintf(to, "\\%c", *p);
		else if (*p < 0x20)
			fprintf(to, "\\u%04x", *p);
		else
			fwrite(p, 1, n, to);
		p += n ? n : 1;
	}
	fputc('"', to);
}

void sts_xml_text(FILE *to, const char *text)
{
	const unsigned char *p = (const void *)text;

	while (*p) {
		size_t n = sts_utf8_length(p, strnlen((const char *)p, 4));

		if (n == 0 || (*p < 0x20 && *p != '\n' && *p != '\t'))
			fputs("\xef\xbf\xbd", to);
		else if (strchr("<>&\"'", *p))
			fprintf(to, "&#%d;", *p);
		else
			fwrite(p, 1, n, to);
		p += n ? n : 1;
	}
}

static const char *reason_name(uint32_t reason)
{
	static const char *const names[] = {"", "exit", "asked", "signal", "interval", "term"};

	return reason < sizeof(names) / sizeof(*names) ? names[reason] : "";
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void member(FILE *to, const char *name, const char *text)
{
	fprintf(to, ",\"%s\":", name);
	sts_json_text(to, text);
}

static void json_line(FILE *to, const struct sts_line *l)
{
	fprintf(to, "{\"pc\":\"0x%" PRIx64 "\"", l->pc);
	if (l->name[0])
		member(to, "function", l->name);
	if (l->raw[0] && strcmp(l->raw, l->name) != 0)
		member(to, "symbol", l->raw);
	if (l->file[0])
		member(to, "file", l->file);
	if (l->line)
		fprintf(to, ",\"line\":%u", l->line);
	if (l->column)
		fprintf(to, ",\"column\":%u", l->column);
	if (l->module[0]) {
		member(to, "module", l->module);
		fprintf(to, ",\"offset\":\"0x%" PRIx64 "\"", l->offset);
	}
	fprintf(to, ",\"inlined\":%s}", l->inlined ? "true" : "false");
}

static void json_objects(FILE *to, const struct sts_leak_report *r, const struct sts_raw_leak *leak)
{
	bool first = true;

	fputs(",\"objects\":[", to);
	for (size_t i = 0; i < r->n_objects; i++) {
		const struct sts_raw_object *o = &r->objects[i];

		if (o->stack != leak->stack || o->class != leak->class)
			continue;
		fprintf(to, "%s{\"address\":\"0x%" PRIx64 "\",\"bytes\":%" PRIu64 "}", first ? "" : ",", o->address,
			o->size);
		first = false;
	}
	fputc(']', to);
}

static void json_leak(FILE *to, const struct sts_leak_report *r, const struct sts_leak *leak,
		      const struct sts_view *view)
{
	fprintf(to, "{\"class\":\"%s\",\"blocks\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"counts\":%s",
		sts_leak_class_name(leak->raw.class), leak->raw.blocks, leak->raw.bytes,
		sts_leak_counts(leak, view->counted) ? "true" : "false");
	if (leak->rule)
		member(to, "suppressed_by", leak->rule->name);
	fputs(",\"stack\":[", to);
	for (size_t i = 0; leak->stack && i < leak->stack->n_lines; i++) {
		if (i)
			fputc(',', to);
		json_line(to, &leak->stack->lines[i]);
	}
	fputc(']', to);
	if (view->objects)
		json_objects(to, r, &leak->raw);
	fputc('}', to);
}

static void json_texts(FILE *to, const char *name, char **texts, size_t n)
{
	fprintf(to, ",\"%s\":[", name);
	for (size_t i = 0; i < n; i++) {
		if (i)
			fputc(',', to);
		sts_json_text(to, texts[i]);
	}
	fputc(']', to);
}

static void json_obstacles(FILE *to, const struct sts_leak_report *r)
{
	fputs(",\"not_stopped\":[", to);
	for (size_t i = 0; i < r->n_obstacles; i++) {
		fprintf(to, "%s{\"tid\":%d", i ? "," : "", (int)r->obstacles[i].tid);
		member(to, "name", r->obstacle_names[i]);
		fputc('}', to);
	}
	fputc(']', to);
}

void sts_leaks_json(FILE *to, const struct sts_leak_report *r, const struct sts_view *view)
{
	const struct sts_raw_process *p = &r->process;
	struct sts_raw_verdict sum;
	bool first = true;

	sts_leak_report_sum(r, view->counted, &sum);
	fprintf(to, "{\"schema\":\"stasis-leaks/1\",\"pid\":%d,\"ppid\":%d,\"report\":%u", (int)p->pid, (int)p->ppid,
		p->sequence);
	member(to, "reason", reason_name(p->reason));
	member(to, "exe", r->exe);
	json_texts(to, "arguments", r->arguments, r->n_arguments);
	fprintf(to,
		",\"time_ns\":%" PRIu64 ",\"pause_ns\":%" PRIu64 ",\"check_ns\":%" PRIu64 ",\"threads\":%u"
		",\"live\":{\"blocks\":%" PRIu64 ",\"bytes\":%" PRIu64
		"},\"leaked\":{\"records\":%u,\"blocks\":%" PRIu64 ",\"bytes\":%" PRIu64
		"},\"complete\":%s,\"leaks\":[",
		p->time_ns, p->pause_ns, p->check_ns, p->threads, p->live_blocks, p->live_bytes, sum.leaks, sum.blocks,
		sum.bytes, r->truncated || r->n_obstacles ? "false" : "true");
	for (size_t i = 0; i < r->n_leaks; i++) {
		const struct sts_leak *leak = &r->leaks[i];

		if (!(view->shown & 1u << leak->raw.class) || leak->known)
			continue;
		if (!first)
			fputc(',', to);
		first = false;
		json_leak(to, r, leak, view);
	}
	fputc(']', to);
	json_obstacles(to, r);
	json_texts(to, "remarks", r->remarks, r->n_remarks);
	fputs("}\n", to);
}

/* --- SARIF ----------------------------------------------------------------------------------- */

static const char *const sarif_texts[] = {
	"", "memory that nothing points to any more", "memory that only leaked memory points to",
	"memory that only a dead part of a stack points to", "memory that was not freed, but is pointed to"};

void sts_leaks_sarif_begin(FILE *to)
{
	fputs("{\"$schema\":\"https://json.schemastore.org/"
	      "sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{\"tool\":"
	      "{\"driver\":{\"name\":\"stasis leaks\",\"rules\":[",
	      to);
	for (unsigned c = STS_RAW_DEFINITE; c <= STS_RAW_REACHABLE; c++)
		fprintf(to, "%s{\"id\":\"leak/%s\",\"shortDescription\":{\"text\":\"%s\"}}", c > 1 ? "," : "",
			sts_leak_class_name(c), sarif_texts[c]);
	fputs("]}},\"results\":[", to);
}

static void sarif_location(FILE *to, const struct sts_line *l)
{
	fputs("{\"physicalLocation\":{\"artifactLocation\":{\"uri\":", to);
	sts_json_text(to, l->file[0] ? l->file : l->module);
	fputc('}', to);
	if (l->file[0] && l->line) {
		fprintf(to, ",\"region\":{\"startLine\":%u", l->line);
		if (l->column)
			fprintf(to, ",\"startColumn\":%u", l->column);
		fputc('}', to);
	}
	fputs("},\"logicalLocations\":[{\"fullyQualifiedName\":", to);
	sts_json_text(to, l->name);
	fputs("}]}", to);
}

static void sarif_stack(FILE *to, const struct sts_leak_stack *stack)
{
	fputs("\"stacks\":[{\"message\":{\"text\":\"allocated from\"},\"frames\":[", to);
	for (size_t i = 0; i < stack->n_lines; i++) {
		fprintf(to, "%s{\"location\":", i ? "," : "");
		sarif_location(to, &stack->lines[i]);
		fputc('}', to);
	}
	fputs("]}]", to);
}

size_t sts_leaks_sarif(FILE *to, const struct sts_leak_report *r, const struct sts_view *view, bool first)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_leaks; i++) {
		const struct sts_leak *leak = &r->leaks[i];
		const struct sts_line *culprit = sts_leak_culprit(leak);

		if (!sts_leak_counts(leak, view->shown))
			continue;
		fprintf(to,
			"%s{\"ruleId\":\"leak/%s\",\"level\":\"%s\",\"message\":{\"text\":\"%" PRIu64
			" bytes in %" PRIu64 " blocks: %s\"},\"locations\":[",
			first ? "" : ",", sts_leak_class_name(leak->raw.class),
			sts_leak_counts(leak, view->counted) ? "error" : "note", leak->raw.bytes, leak->raw.blocks,
			sarif_texts[leak->raw.class]);
		first = false;
		n++;
		if (culprit)
			sarif_location(to, culprit);
		fputs("],", to);
		if (leak->stack)
			sarif_stack(to, leak->stack);
		else
			fputs("\"stacks\":[]", to);
		fputc('}', to);
	}
	return n;
}

void sts_leaks_sarif_end(FILE *to)
{
	fputs("]}]}\n", to);
}

/* --- JUnit ------------------------------------------------------------------------------------ */

void sts_leaks_junit_begin(FILE *to)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"stasis leaks\">\n", to);
}

static void junit_case(FILE *to, const struct sts_leak_report *r, const struct sts_leak *leak)
{
	const struct sts_line *culprit = sts_leak_culprit(leak);

	fputs("  <testcase classname=\"", to);
	sts_xml_text(to, r->exe);
	fputs("\" name=\"", to);
	sts_xml_text(to, culprit ? culprit->name : "unknown");
	fprintf(to, "\">\n    <failure type=\"%s\" message=\"%" PRIu64 " bytes in %" PRIu64 " blocks\">",
		sts_leak_class_name(leak->raw.class), leak->raw.bytes, leak->raw.blocks);
	for (size_t i = 0; leak->stack && i < leak->stack->n_lines; i++) {
		const struct sts_line *l = &leak->stack->lines[i];

		fprintf(to, "#%zu ", i);
		sts_xml_text(to, l->name[0] ? l->name : "?");
		fputc(' ', to);
		sts_xml_text(to, l->file[0] ? l->file : l->module);
		fprintf(to, ":%u\n", l->line);
	}
	fputs("</failure>\n  </testcase>\n", to);
}

void sts_leaks_junit(FILE *to, const struct sts_leak_report *r, const struct sts_view *view)
{
	struct sts_raw_verdict sum;

	sts_leak_report_sum(r, view->counted, &sum);
	fputs(" <testsuite name=\"", to);
	sts_xml_text(to, r->exe);
	fprintf(to, "[%d]\" tests=\"%u\" failures=\"%u\">\n", (int)r->process.pid, sum.leaks ? sum.leaks : 1,
		sum.leaks);
	if (sum.leaks == 0) {
		fputs("  <testcase classname=\"", to);
		sts_xml_text(to, r->exe);
		fputs("\" name=\"no leaks\"/>\n", to);
	}
	for (size_t i = 0; i < r->n_leaks; i++)
		if (sts_leak_counts(&r->leaks[i], view->counted))
			junit_case(to, r, &r->leaks[i]);
	fputs(" </testsuite>\n", to);
}

void sts_leaks_junit_end(FILE *to)
{
	fputs("</testsuites>\n", to);
}
