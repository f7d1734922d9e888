// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "leaks/options.h"
#include "leaks/report/judge.h"
#include "util/cleanup.h"

#define LEAKS (1u << STS_RAW_DEFINITE | 1u << STS_RAW_INDIRECT | 1u << STS_RAW_POSSIBLE)

void sts_judge_init(struct sts_judge *j, void (*complain)(const char *object, const char *what))
{
	time_t now = time(NULL);
	struct tm day;

	*j = (struct sts_judge){
		.view = {.shown = LEAKS, .counted = LEAKS, .print_suppressions = true},
		.text = true,
		.symbol_ms = 10000,
		.complain = complain,
	};
	sts_suppressions_init(&j->suppressions);
	if (localtime_r(&now, &day))
		strftime(j->today, sizeof(j->today), "%Y-%m-%d", &day);
}

void sts_judge_free(struct sts_judge *j)
{
	sts_suppressions_free(&j->suppressions);
	sts_baseline_free(j->baseline);
}

size_t sts_judge_unused(const struct sts_judge *j)
{
	size_t n = 0;

	for (const struct sts_rule *rule = j->suppressions.first; rule; rule = rule->next)
		n += rule->blocks == 0 && rule->classes != 0;
	return n;
}

/* --- what the program's own options say ------------------------------------------------------ */

struct own {
	struct sts_view view;
	struct sts_suppressions suppressions;
	char *log_path; /* of the options, or NULL */
};

static void complain(struct sts_judge *j, const char *object, const char *what)
{
	j->failed = true;
	j->complain(object, what);
}

/* As LeakSanitizer: where it is, else beside the program. */
static void read_suppressions(struct sts_judge *j, struct own *own, const struct sts_leak_report *r, const char *path)
{
	const char *slash = strrchr(r->exe, '/');
	_cleanup_free_ char *beside = NULL;
	char why[256];

	if (path[0] != '/' && access(path, R_OK) != 0 && slash &&
	    asprintf(&beside, "%.*s/%s", (int)(slash - r->exe), r->exe, path) < 0)
		beside = NULL;
	if (sts_suppressions_read(&own->suppressions, beside ? beside : path, j->today, why) < 0)
		complain(j, "suppressions", why);
}

static void take_option(struct sts_judge *j, struct own *own, const struct sts_leak_report *r,
			const struct sts_option *o)
{
	_cleanup_free_ char *value = o->value ? strndup(o->value, o->value_size) : NULL;
	int64_t n;

	if (!value)
		return;
	if (sts_option_is(o, "suppressions") && value[0]) {
		read_suppressions(j, own, r, value);
	} else if (sts_option_is(o, "max_leaks") && sts_option_number(o, &n) && n >= 0) {
		own->view.max_leaks = n;
	} else if (sts_option_is(o, "report_objects")) {
		sts_option_bool(o, &own->view.objects);
	} else if (sts_option_is(o, "print_suppressions")) {
		sts_option_bool(o, &own->view.print_suppressions);
	} else if (sts_option_is(o, "log_path")) {
		free(own->log_path);
		own->log_path = value;
		value = NULL;
	}
}

static void read_own(struct sts_judge *j, struct own *own, const struct sts_leak_report *r)
{
	const char *at = r->options;
	struct sts_option option;
	char why[256];

	*own = (struct own){.view = j->view};
	sts_suppressions_init(&own->suppressions);
	while (sts_option_next(&at, &option))
		take_option(j, own, r, &option);
	if (sts_suppressions_parse(&own->suppressions, "__lsan_default_suppressions()", r->suppressions, j->today,
				   why) < 0)
		complain(j, "suppressions", why);
}

/* --- output ---------------------------------------------------------------------------------- */

/* PATH with %p for the pid and %% for %; without any %p, and by a sanitizer's option, PATH.PID. */
static char *log_name(const char *path, int pid, bool dot_pid)
{
	char *name = NULL;
	size_t size;
	FILE *to = open_memstream(&name, &size);

	if (!to)
		return NULL;
	for (const char *p = path; *p; p++) {
		if (p[0] == '%' && p[1] == 'p') {
			fprintf(to, "%d", pid);
			dot_pid = false;
			p++;
		} else {
			p += p[0] == '%' && p[1] == '%';
			fputc(*p, to);
		}
	}
	if (dot_pid)
		fprintf(to, ".%d", pid);
	if (fclose(to) != 0) {
		free(name);
		return NULL;
	}
	return name;
}

/* Nothing of a report is half written: it is made as a whole first. */
static void write_text(struct sts_judge *j, const struct own *own, const char *text, size_t size, int pid)
{
	bool by_option = own->log_path && strcmp(own->log_path, "stderr") != 0 && strcmp(own->log_path, "stdout") != 0;
	const char *path = j->log_path ? j->log_path : by_option ? own->log_path : NULL;
	_cleanup_free_ char *name = path ? log_name(path, pid, !j->log_path) : NULL;
	FILE *to = own->log_path && strcmp(own->log_path, "stdout") == 0 ? stdout : stderr;

	if (size == 0)
		return;
	if (path && (!name || !(to = fopen(name, "ae")))) {
		complain(j, name ? name : path, strerror(errno));
		to = stderr; /* better there than lost */
	}
	bool failed = fwrite(text, 1, size, to) != size;
	failed |= (to != stderr && to != stdout ? fclose(to) : fflush(to)) != 0;
	if (failed)
		complain(j, name ? name : "report", strerror(errno));
}

static void put_text(struct sts_judge *j, const struct own *own, const struct sts_leak_report *r)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to) {
		complain(j, "report", strerror(errno));
		return;
	}
	sts_leaks_text(to, r, &own->suppressions, &own->view);
	if (j->gen_suppressions)
		sts_leaks_gen_suppressions(to, r, &own->view);
	if (fclose(to) != 0)
		complain(j, "report", strerror(errno));
	else
		write_text(j, own, text, size, r->process.pid);
}

/* FILE, then FILE.2 and so on: no two documents of one run are in one file. With %p they are counted by process. */
static char *document_name(struct sts_judge *j, const struct sts_leak_report *r)
{
	unsigned n = strstr(j->xml_path, "%p") ? r->process.sequence + 1 : ++j->documents;
	char *name = log_name(j->xml_path, r->process.pid, false), *numbered = NULL;

	if (!name || n == 1)
		return name;
	if (asprintf(&numbered, "%s.%u", name, n) < 0)
		numbered = NULL;
	free(name);
	return numbered;
}

static void put_xml(struct sts_judge *j, const struct own *own, const struct sts_leak_report *r)
{
	bool standard = strcmp(j->xml_path, "-") == 0;
	_cleanup_free_ char *name = standard ? NULL : document_name(j, r);
	FILE *to = standard ? stdout : name ? fopen(name, "we") : NULL;

	if (!to) {
		complain(j, name ? name : j->xml_path, strerror(errno));
		put_text(j, own, r); /* better there than lost */
		return;
	}
	sts_leaks_valgrind(to, r, &own->view);
	bool failed = ferror(to) != 0;
	failed |= (standard ? fflush(to) : fclose(to)) != 0;
	if (failed)
		complain(j, name ? name : "standard output", strerror(errno));
}

static void put_all(struct sts_judge *j, const struct own *own, const struct sts_leak_report *r)
{
	if (j->text)
		put_text(j, own, r);
	if (j->to[STS_FORMAT_JSON])
		sts_leaks_json(j->to[STS_FORMAT_JSON], r, &own->view);
	if (j->to[STS_FORMAT_SARIF])
		j->results += sts_leaks_sarif(j->to[STS_FORMAT_SARIF], r, &own->view, j->results == 0);
	if (j->to[STS_FORMAT_JUNIT])
		sts_leaks_junit(j->to[STS_FORMAT_JUNIT], r, &own->view);
	if (j->to[STS_FORMAT_HTML] && sts_leaks_html(j->to[STS_FORMAT_HTML], r, &own->view) < 0)
		complain(j, "report", strerror(errno));
	if (j->to[STS_FORMAT_GITHUB])
		sts_leaks_github(j->to[STS_FORMAT_GITHUB], r, &own->view);
	if (j->xml_path)
		put_xml(j, own, r);
	if (j->save)
		sts_baseline_write(j->save, r, &own->view);
	/* Whoever waits for a daemon's reports is to see each. Errors are told of when the stream is closed. */
	for (int f = 0; f < STS_N_FORMATS; f++)
		if (j->to[f])
			fflush(j->to[f]);
}

static void keep_only(struct sts_leak_report *r, const char *pattern)
{
	for (size_t i = 0; i < r->n_leaks; i++)
		if (!sts_stack_matches(r->leaks[i].stack, pattern))
			r->leaks[i].known = true;
}

static void tell_limits(struct sts_judge *j, struct sts_leak_report *r, const struct sts_suppressions *s)
{
	for (const struct sts_rule *rule = s->first; rule; rule = rule->next) {
		char *text;

		if (rule->matched == 0 || (!rule->expired && rule->matched <= rule->max))
			continue;
		j->refused++;
		if (asprintf(&text, "%s: the suppression '%s' %s", rule->origin, rule->name,
			     rule->expired ? "has expired" : "fits more blocks than it may") >= 0)
			sts_leak_report_remark(r, text);
	}
}

/* Whether suppressed leaks may be what holds others, so that another report is needed. */
static bool may_hold(const struct sts_leak_report *r)
{
	bool any = false, others = false;

	for (size_t i = 0; i < r->n_leaks; i++) {
		const struct sts_leak *leak = &r->leaks[i];

		any |= leak->rule && leak->raw.class != STS_RAW_REACHABLE;
		others |= !leak->rule && (leak->raw.class == STS_RAW_INDIRECT || leak->raw.class == STS_RAW_POSSIBLE);
	}
	return any && others && r->process.held == 0;
}

static bool ask_again(struct sts_leak_report *r, struct sts_raw_verdict *ret, struct sts_raw_held **held_ret)
{
	struct sts_raw_held *held = may_hold(r) ? calloc(STS_RAW_MOST_HELD, sizeof(*held)) : NULL;
	uint32_t n = 0;

	for (size_t i = 0; held && i < r->n_leaks; i++) {
		const struct sts_leak *leak = &r->leaks[i];

		if (leak->rule && leak->raw.class != STS_RAW_REACHABLE && n < STS_RAW_MOST_HELD)
			held[n++] = (struct sts_raw_held){.class = leak->raw.class, .stack = leak->raw.stack};
	}
	if (!held)
		return false;
	sts_suppressions_undo(r);
	*ret = (struct sts_raw_verdict){.magic = STS_RAW_MAGIC, .again = n};
	*held_ret = held;
	return true;
}

static void judge(struct sts_judge *j, struct own *own, struct sts_leak_report *r, struct sts_raw_verdict *ret)
{
	tell_limits(j, r, &j->suppressions);
	tell_limits(j, r, &own->suppressions);
	if (j->baseline)
		sts_baseline_apply(j->baseline, r);
	put_all(j, own, r);
	sts_leak_report_sum(r, own->view.counted, ret);
	j->reports++;
	j->leaking += ret->leaks > 0;
	j->blocks += ret->blocks;
	j->bytes += ret->bytes;
}

void sts_judge_report(struct sts_judge *j, char *data, size_t size, struct sts_raw_verdict *ret,
		      struct sts_raw_held **held_ret)
{
	char why[128];
	struct sts_leak_report *r = sts_leak_report_read(data, size, why);
	struct own own;

	*held_ret = NULL;
	*ret = (struct sts_raw_verdict){.magic = STS_RAW_MAGIC, .failed = EPROTO};
	if (!r) {
		complain(j, "report of the program", why);
		return;
	}
	read_own(j, &own, r);
	sts_symbols_add(r, j->symbol_ms);
	if (j->only)
		keep_only(r, j->only);
	sts_suppressions_apply(&j->suppressions, r);
	sts_suppressions_apply(&own.suppressions, r);
	if (!ask_again(r, ret, held_ret))
		judge(j, &own, r, ret);
	sts_suppressions_free(&own.suppressions);
	free(own.log_path);
	sts_leak_report_free(r);
}
