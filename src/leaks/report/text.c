// SPDX-License-Identifier: BSD-2-Clause
/* The text that LeakSanitizer's readers know. */
#include <inttypes.h>
#include <string.h>

#include "leaks/report/formats.h"

#define RULER "=================================================================\n"
#define THIN_RULER "-----------------------------------------------------\n"

struct colors {
	const char *error, *leak, *end;
};

static struct colors colors(const struct sts_view *view)
{
	return view->color ? (struct colors){"\033[1m\033[31m", "\033[1m\033[34m", "\033[1m\033[0m"}
			   : (struct colors){"", "", ""};
}

static const char *title(unsigned class)
{
	static const char *const titles[] = {"", "Direct leak", "Indirect leak", "Possible leak",
					     "Still reachable memory"};

	return titles[class];
}

static void put_place(FILE *to, const struct sts_line *l)
{
	if (l->file[0] && l->line && l->column)
		fprintf(to, " %s:%u:%u", l->file, l->line, l->column);
	else if (l->file[0] && l->line)
		fprintf(to, " %s:%u", l->file, l->line);
	else if (l->module[0])
		fprintf(to, " (%s+0x%" PRIx64 ")", l->module, l->offset);
}

static void put_stack(FILE *to, const struct sts_leak_stack *stack)
{
	if (!stack || stack->n_lines == 0)
		fprintf(to, "    <unknown>\n");
	for (size_t i = 0; stack && i < stack->n_lines; i++) {
		const struct sts_line *l = &stack->lines[i];

		fprintf(to, "    #%zu 0x%012" PRIx64, i, l->pc);
		if (l->name[0])
			fprintf(to, " in %s", l->name);
		put_place(to, l);
		fputc('\n', to);
	}
}

static void put_objects(FILE *to, const struct sts_leak_report *r, const struct sts_raw_leak *leak)
{
	fprintf(to, "Objects leaked above:\n");
	for (size_t i = 0; i < r->n_objects; i++) {
		const struct sts_raw_object *o = &r->objects[i];

		if (o->stack == leak->stack && o->class == leak->class)
			fprintf(to, "0x%" PRIx64 " (%" PRIu64 " bytes)\n", o->address, o->size);
	}
	fputc('\n', to);
}

static bool is_shown(const struct sts_leak *leak, const struct sts_view *view)
{
	return sts_leak_counts(leak, view->shown);
}

static void put_leak(FILE *to, const struct sts_leak_report *r, const struct sts_leak *leak,
		     const struct sts_view *view)
{
	struct colors c = colors(view);

	fprintf(to, "%s%s of %" PRIu64 " byte(s) in %" PRIu64 " object(s) allocated from:\n%s", c.leak,
		title(leak->raw.class), leak->raw.bytes, leak->raw.blocks, c.end);
	put_stack(to, leak->stack);
	fputc('\n', to);
	if (view->objects)
		put_objects(to, r, &leak->raw);
}

static void put_obstacles(FILE *to, const struct sts_leak_report *r)
{
	for (size_t i = 0; i < r->n_obstacles; i++)
		fprintf(to, "Thread %d (%s) could not be stopped%s: what it holds may be reported as leaked.\n",
			(int)r->obstacles[i].tid, r->obstacle_names[i],
			r->obstacles[i].other ? ", another process holds it" : "");
}

static void put_suppressions(FILE *to, const struct sts_suppressions *s)
{
	bool any = false;

	for (const struct sts_rule *rule = s->first; rule; rule = rule->next) {
		if (rule->blocks == 0)
			continue;
		if (!any)
			fprintf(to, THIN_RULER "Suppressions used:\n  count      bytes template\n");
		any = true;
		fprintf(to, "%7" PRIu64 " %10" PRIu64 " %s\n", rule->blocks, rule->bytes, rule->name);
	}
	if (any)
		fprintf(to, THIN_RULER "\n");
}

static void put_leaks(FILE *to, const struct sts_leak_report *r, const struct sts_view *view)
{
	uint64_t shown = 0, omitted = 0;

	if (view->max_leaks)
		fprintf(to, "The %" PRIu64 " top leak(s):\n", view->max_leaks);
	for (size_t i = 0; i < r->n_leaks; i++) {
		if (!is_shown(&r->leaks[i], view))
			continue;
		if (view->max_leaks && shown == view->max_leaks) {
			omitted++;
			continue;
		}
		shown++;
		put_leak(to, r, &r->leaks[i], view);
	}
	if (omitted)
		fprintf(to, "Omitting %" PRIu64 " more leak(s).\n", omitted);
}

void sts_leaks_text(FILE *to, const struct sts_leak_report *r, const struct sts_suppressions *s,
		    const struct sts_view *view)
{
	struct sts_raw_verdict shown, counted;
	struct colors c = colors(view);

	sts_leak_report_sum(r, view->shown, &shown);
	sts_leak_report_sum(r, view->counted, &counted);
	if (shown.leaks || r->n_obstacles || r->truncated)
		fprintf(to, "\n" RULER);
	if (counted.leaks)
		fprintf(to, "%s==%d==ERROR: LeakSanitizer: detected memory leaks\n%s\n", c.error, (int)r->process.pid,
			c.end);
	put_obstacles(to, r);
	if (r->truncated)
		fprintf(to, "There was too little memory to tell of all leaks.\n");
	if (shown.leaks && !view->summary)
		put_leaks(to, r, view);
	for (size_t i = 0; shown.leaks && i < r->n_remarks; i++)
		fprintf(to, "Note: %s\n", r->remarks[i]);
	if (view->print_suppressions)
		put_suppressions(to, s);
	if (counted.leaks)
		fprintf(to, "SUMMARY: LeakSanitizer: %" PRIu64 " byte(s) leaked in %" PRIu64 " allocation(s).\n",
			counted.bytes, counted.blocks);
}

static bool is_allocator(const char *name)
{
	static const char *const names[] = {"malloc",	     "calloc",	       "realloc",  "reallocarray",
					    "memalign",	     "valloc",	       "pvalloc",  "strdup",
					    "aligned_alloc", "posix_memalign", "__strdup", "__strndup"};

	if (strncmp(name, "operator new", 12) == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

const struct sts_line *sts_leak_culprit(const struct sts_leak *leak)
{
	for (size_t i = 0; leak->stack && i < leak->stack->n_lines; i++)
		if (leak->stack->lines[i].name[0] && !is_allocator(leak->stack->lines[i].name))
			return &leak->stack->lines[i];
	return NULL;
}

static void put_block(FILE *to, const struct sts_leak *leak)
{
	fprintf(to, "{\n   <insert_a_suppression_name_here>\n   Memcheck:Leak\n   match-leak-kinds: %s\n",
		sts_leak_class_name(leak->raw.class));
	for (size_t i = 0; i < leak->stack->n_lines && i < 24; i++) {
		const struct sts_line *l = &leak->stack->lines[i];

		if (l->raw[0])
			fprintf(to, "   fun:%s\n", l->raw);
		else
			fprintf(to, "   obj:%s\n", l->module[0] ? l->module : "*");
	}
	fprintf(to, "}\n");
}

void sts_leaks_gen_suppressions(FILE *to, const struct sts_leak_report *r, const struct sts_view *view)
{
	for (size_t i = 0; i < r->n_leaks; i++) {
		const struct sts_leak *leak = &r->leaks[i];
		const struct sts_line *culprit = sts_leak_culprit(leak);

		if (!is_shown(leak, view) || !leak->stack)
			continue;
		if (culprit)
			fprintf(to, "# leak:%s\n", culprit->name);
		put_block(to, leak);
	}
}
