// SPDX-License-Identifier: BSD-2-Clause
/*
 * Functions, inlined functions, files and lines of the frames of a report, by elfutils. Each module is looked at alone,
 * with its file at the place it had: modules that are not loaded any more may have lain where others lie now.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "leaks/report/report.h"
#include "symbols/names.h"
#include "symbols/units.h"

struct sts_symbols {
	Dwfl *dwfl;
	Dwfl_Module *module;
	struct sts_units units;
};

struct work {
	struct sts_leak_report *report;
	int64_t until_ms;
	bool late; /* told of */
};

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void remark(struct sts_leak_report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void remark(struct sts_leak_report *r, const char *format, ...)
{
	va_list ap;
	char *text;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) >= 0)
		sts_leak_report_remark(r, text);
	va_end(ap);
}

static bool in_time(struct work *w)
{
	if (!w->late && clock_ms() > w->until_ms) {
		remark(w->report, "the time for symbols is used up: some frames have only offsets");
		w->late = true;
	}
	return !w->late;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = sts_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

void sts_symbols_free(struct sts_symbols *s)
{
	if (!s)
		return;
	sts_units_free(&s->units);
	dwfl_end(s->dwfl);
	free(s);
}

/* The file may have been replaced since it was loaded. */
static bool is_same(Dwfl_Module *module, const struct sts_raw_module *raw)
{
	const unsigned char *id;
	GElf_Addr where;
	int size = dwfl_module_build_id(module, &id, &where);

	return raw->build_id_size == 0 || size <= 0 ||
	       ((uint32_t)size == raw->build_id_size && memcmp(id, raw->build_id, raw->build_id_size) == 0);
}

static struct sts_symbols *open_symbols(struct sts_leak_report *r, const struct sts_leak_module *m)
{
	struct sts_symbols *s = calloc(1, sizeof(*s));

	if (!s || !(s->dwfl = dwfl_begin(&callbacks))) {
		free(s);
		return NULL;
	}
	dwfl_report_begin(s->dwfl);
	s->module = dwfl_report_elf(s->dwfl, m->path, m->path, -1, m->raw.bias, true);
	dwfl_report_end(s->dwfl, NULL, NULL);
	if (s->module && is_same(s->module, &m->raw))
		return s;
	if (s->module)
		remark(r, "%s: the file is another than the program had loaded", m->path);
	else if (m->path[0] == '/')
		remark(r, "%s: %s", m->path, dwfl_errmsg(-1));
	sts_symbols_free(s);
	return NULL;
}

static struct sts_symbols *symbols_of(struct work *w, struct sts_leak_module *m)
{
	if (!m->tried && m->path[0] && in_time(w)) {
		m->tried = true;
		m->symbols = open_symbols(w->report, m);
	}
	return m->symbols;
}

static const char *demangled(struct sts_leak_report *r, const char *name)
{
	char *text = sts_demangle(name);

	return text ? sts_leak_report_keep(r, text) : name;
}

static const char *attribute_text(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	const char *text = NULL;

	if (dwarf_attr_integrate(die, name, &attribute))
		text = dwarf_formstring(&attribute);
	return text;
}

static void name_of_die(struct sts_leak_report *r, Dwarf_Die *die, struct sts_line *line)
{
	const char *name = attribute_text(die, DW_AT_linkage_name);

	if (!name)
		name = attribute_text(die, DW_AT_MIPS_linkage_name);
	if (!name)
		name = dwarf_diename(die);
	if (!name)
		return;
	line->raw = name;
	line->name = demangled(r, name);
}

static void place_of_call(Dwarf_Die *cu, Dwarf_Die *inlined, struct sts_line *caller)
{
	Dwarf_Attribute attribute;
	Dwarf_Files *files;
	Dwarf_Word word;
	const char *file;
	size_t n;

	if (dwarf_getsrcfiles(cu, &files, &n) != 0)
		return;
	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &word) == 0 && word < n &&
	    (file = dwarf_filesrc(files, word, NULL, NULL)))
		caller->file = file;
	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &word) == 0)
		caller->line = word;
	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_column, &attribute), &word) == 0)
		caller->column = word;
}

static struct sts_line *add_line(struct sts_leak_stack *stack, const struct sts_line *like)
{
	struct sts_line *more = realloc(stack->lines, (stack->n_lines + 1) * sizeof(*more));

	if (!more)
		return NULL;
	stack->lines = more;
	more[stack->n_lines] = *like;
	return &more[stack->n_lines++];
}

static void add_source(Dwarf_Die *unit, Dwarf_Addr pc, struct sts_line *line)
{
	struct sts_source source;

	if (!sts_source_find(unit, pc, &source))
		return;
	line->file = source.file;
	line->line = source.line;
	line->column = source.column;
}

/* The innermost function first; true if its own name was found too. */
static bool add_inlined(struct sts_leak_report *r, struct sts_leak_stack *stack, Dwarf_Die *unit, Dwarf_Addr pc,
			struct sts_line *line)
{
	Dwarf_Die *scopes = NULL;
	int n = dwarf_getscopes(unit, pc, &scopes);
	bool named = false;

	for (int i = 0; i < n && !named; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		name_of_die(r, &scopes[i], line);
		named = tag == DW_TAG_subprogram;
		if (named)
			break;
		line->inlined = true;
		add_line(stack, line);
		line->inlined = false;
		line->name = line->raw = "";
		place_of_call(unit, &scopes[i], line);
	}
	free(scopes);
	return named && line->name[0];
}

static bool may_go_on(void *arg)
{
	return in_time(arg);
}

/* By the debug information; true if the function's own name was found too. */
static bool add_from_unit(struct work *w, struct sts_symbols *s, struct sts_leak_stack *stack, struct sts_line *line)
{
	Dwarf_Addr bias;
	Dwarf_Die *unit = sts_units_find(&s->units, s->module, line->pc, &bias, may_go_on, w);

	if (!unit)
		return false;
	add_source(unit, line->pc - bias, line);
	return add_inlined(w->report, stack, unit, line->pc - bias, line);
}

static void add_frame(struct work *w, struct sts_leak_stack *stack, const struct sts_raw_frame *frame)
{
	struct sts_leak_module *m = sts_leak_report_module(w->report, frame);
	struct sts_line line = {.pc = frame->pc - 1, .name = "", .raw = "", .file = "", .module = ""};
	struct sts_symbols *s = m ? symbols_of(w, m) : NULL;

	if (m) {
		line.module = m->path;
		line.offset = line.pc - m->raw.bias;
		line.gone = !m->raw.alive;
	}
	if (s && in_time(w)) {
		if (!add_from_unit(w, s, stack, &line)) {
			const char *name = dwfl_module_addrname(s->module, line.pc);

			line.raw = name ? name : "";
			line.name = demangled(w->report, line.raw);
		}
	}
	add_line(stack, &line);
}

void sts_symbols_add(struct sts_leak_report *r, int budget_ms)
{
	struct work w = {.report = r, .until_ms = clock_ms() + budget_ms};

	for (size_t i = 0; i < r->n_leaks; i++) {
		struct sts_leak_stack *stack = r->leaks[i].stack;

		if (!stack || stack->lines)
			continue;
		for (uint32_t f = 0; f < stack->n_frames; f++)
			add_frame(&w, stack, &stack->frames[f]);
	}
}
