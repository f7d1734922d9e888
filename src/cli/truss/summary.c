/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What calls cost: how often, how many failed, time by the wall clock and on
 * the CPU, and how it is spread; of the whole trace and of each program. Memory does not
 * grow with the number of calls: durations are counted in classes, 16 to each
 * power of two, so that a median is off by 4 % at most.
 */
#include "cli/truss/truss.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define CLASSES_EACH 16 /* to a power of two */
#define POWERS 61
#define CLASSES (POWERS * CLASSES_EACH)
#define KEPT_FDS 512 /* descriptors that we allow ourselves for LWPs */

struct truss_stat {
	struct key {
		char program[64];
		char call[40];
		pid_t pid; /* 0 unless each process is told of */
	} key;
	uint64_t calls, errors;
	uint64_t wall, cpu, min, max; /* nanoseconds */
	uint32_t *classes[POWERS];    /* most are empty: NULL */
	char program[64];	      /* of a group: the last one */
	UT_hash_handle hh;
};

/* --- counting ------------------------------------------------------------------------------ */

/* Time the LWP has spent on a CPU; exact, for it rests. 0 where the kernel does not tell. */
static uint64_t cpu_time(struct truss_lwp *lwp)
{
	char path[64], text[64];
	uint64_t time = 0;

	if (lwp->cpu_fd <= 0) {
		snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", lwp->pid, lwp->tid);
		lwp->cpu_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	ssize_t n = lwp->cpu_fd > 0 ? pread(lwp->cpu_fd, text, sizeof text - 1, 0) : -1;
	if (n > 0) {
		text[n] = '\0';
		time = strtoull(text, NULL, 10);
	}
	if (lwp->cpu_fd > KEPT_FDS || n <= 0)
		truss_summary_forget(lwp);
	return time;
}

void truss_summary_forget(struct truss_lwp *lwp)
{
	if (lwp->cpu_fd > 0)
		close(lwp->cpu_fd);
	lwp->cpu_fd = 0;
}

void truss_summary_begin(struct truss_lwp *lwp)
{
	lwp->call.cpu = cpu_time(lwp);
}

static unsigned class_of(uint64_t ns)
{
	if (ns < CLASSES_EACH)
		return (unsigned)ns;
	unsigned power = 63 - (unsigned)__builtin_clzll(ns);
	return (power - 3) * CLASSES_EACH + (unsigned)(ns >> (power - 4) & 15);
}

/* The middle of a class. */
static uint64_t middle_of(unsigned class)
{
	if (class < CLASSES_EACH)
		return class;
	unsigned shift = class / CLASSES_EACH - 1;
	return ((uint64_t)(CLASSES_EACH + class % CLASSES_EACH) << shift) + (UINT64_C(1) << shift) / 2;
}

static void count(struct truss_stat *s, unsigned class, uint32_t n)
{
	uint32_t **some = &s->classes[class / CLASSES_EACH];

	if (n == 0)
		return;
	if (!*some)
		*some = calloc(CLASSES_EACH, sizeof **some);
	if (!*some)
		uthash_fatal("no memory");
	(*some)[class % CLASSES_EACH] += n;
}

static uint32_t counted(const struct truss_stat *s, unsigned class)
{
	const uint32_t *some = s->classes[class / CLASSES_EACH];

	return some ? some[class % CLASSES_EACH] : 0;
}

static struct truss_stat *find(struct truss_stat **stats, const struct key *key)
{
	struct truss_stat *s;

	HASH_FIND(hh, *stats, key, sizeof *key, s);
	if (s)
		return s;
	s = calloc(1, sizeof *s);
	if (!s) {
		sts_complain("truss", "%s", stasis_strerror(-ENOMEM));
		exit(STS_EXIT_FAILURE);
	}
	s->key = *key;
	s->min = UINT64_MAX;
	HASH_ADD_KEYPTR(hh, *stats, &s->key, sizeof s->key, s);
	return s;
}

void truss_summary_add(struct truss *t, struct truss_lwp *lwp)
{
	const struct truss_call *call = &lwp->call;
	uint64_t ns = (uint64_t)truss_nanoseconds(&call->start.monotonic, &call->end), cpu = cpu_time(lwp);
	struct key key = {0};

	snprintf(key.program, sizeof key.program, "%s", truss_comm(lwp));
	key.pid = t->options.summaries & TRUSS_OF_PROCESSES ? lwp->pid : 0;
	snprintf(key.call, sizeof key.call, "%s", sts_call_name(&call->data));
	struct truss_stat *s = find(&t->stats, &key);
	s->calls++;
	s->errors += call->data.is_error;
	s->wall += ns;
	s->cpu += cpu > call->cpu && call->cpu ? cpu - call->cpu : 0;
	s->min = ns < s->min ? ns : s->min;
	s->max = ns > s->max ? ns : s->max;
	count(s, class_of(ns), 1);
}

static void merge(struct truss_stat *into, const struct truss_stat *s)
{
	into->calls += s->calls;
	into->errors += s->errors;
	into->wall += s->wall;
	into->cpu += s->cpu;
	into->min = s->min < into->min ? s->min : into->min;
	into->max = s->max > into->max ? s->max : into->max;
	for (unsigned i = 0; i < CLASSES; i++)
		count(into, i, counted(s, i));
}

static void free_classes(struct truss_stat *s)
{
	for (unsigned i = 0; i < POWERS; i++)
		free(s->classes[i]);
}

static void free_stats(struct truss_stat **stats)
{
	struct truss_stat *s, *next;

	HASH_ITER(hh, *stats, s, next) {
		HASH_DEL(*stats, s);
		free_classes(s);
		free(s);
	}
}

void truss_summary_free(struct truss *t)
{
	free_stats(&t->stats);
}

/* The duration that a share of the calls does not exceed. */
static uint64_t quantile(const struct truss_stat *s, double share)
{
	uint64_t below = (uint64_t)((1 - share) * (double)s->calls), rank = s->calls - below, seen = 0;

	for (unsigned i = 0; i < CLASSES; i++) {
		seen += counted(s, i);
		if (seen >= rank) {
			uint64_t ns = middle_of(i);
			return ns < s->min ? s->min : ns > s->max ? s->max : ns;
		}
	}
	return s->max;
}

/* --- order --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum truss_sort sort;
} sorts[] = {
	{"time", TRUSS_SORT_TIME},	  {"time-total", TRUSS_SORT_TIME}, {"total-time", TRUSS_SORT_TIME},
	{"cpu", TRUSS_SORT_CPU},	  {"calls", TRUSS_SORT_CALLS},	   {"count", TRUSS_SORT_CALLS},
	{"errors", TRUSS_SORT_ERRORS},	  {"error", TRUSS_SORT_ERRORS},	   {"name", TRUSS_SORT_NAME},
	{"syscall", TRUSS_SORT_NAME},	  {"nothing", TRUSS_SORT_NONE},	   {"none", TRUSS_SORT_NONE},
	{"min-time", TRUSS_SORT_MIN},	  {"max-time", TRUSS_SORT_MAX},	   {"avg-time", TRUSS_SORT_AVERAGE},
	{"time-avg", TRUSS_SORT_AVERAGE}, {"median", TRUSS_SORT_MEDIAN},   {"p99", TRUSS_SORT_P99},
};

int truss_sort_parse(const char *name)
{
	for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++)
		if (strcmp(sorts[i].name, name) == 0)
			return (int)sorts[i].sort;
	return -1;
}

static uint64_t weight(const struct truss_stat *s, enum truss_sort sort)
{
	switch (sort) {
	case TRUSS_SORT_TIME:
		return s->wall;
	case TRUSS_SORT_CPU:
		return s->cpu;
	case TRUSS_SORT_CALLS:
		return s->calls;
	case TRUSS_SORT_ERRORS:
		return s->errors;
	case TRUSS_SORT_MIN:
		return s->min;
	case TRUSS_SORT_MAX:
		return s->max;
	case TRUSS_SORT_AVERAGE:
		return s->wall / s->calls;
	case TRUSS_SORT_MEDIAN:
		return quantile(s, 0.5);
	case TRUSS_SORT_P99:
		return quantile(s, 0.99);
	default:
		return 0;
	}
}

/* The most first; alike ones by name. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct truss_stat *x = *(struct truss_stat *const *)a, *y = *(struct truss_stat *const *)b;
	enum truss_sort sort = *(const enum truss_sort *)arg;
	uint64_t wx = weight(x, sort), wy = weight(y, sort);

	return wx > wy ? -1 : wx < wy ? 1 : sort == TRUSS_SORT_NONE ? 0 : strcmp(x->key.call, y->key.call);
}

/* --- showing ------------------------------------------------------------------------------- */

/* A table: the statistics of one process, of one program, or of all. */
struct table {
	const char *program; /* NULL: all */
	pid_t pid;	     /* not 0: of this alone, which ran the program last */
	struct truss_stat **rows;
	size_t n;
	struct truss_stat total;
};

static void text_line(struct truss *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void text_line(struct truss *t, const char *format, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	truss_raw_line(&t->out, text);
}

static double micros(uint64_t ns)
{
	return (double)ns / 1000;
}

enum column { SHARE, TOTAL, AVERAGE, CALLS, ERRORS, CPU, MIN, MEDIAN, P99, MAX, NAME };

static const struct {
	const char *names; /* with a blank around each */
	const char *header;
	int width;
} columns[TRUSS_COLUMNS] = {
	[SHARE] = {" time-percent time percent ", "% time", 6},
	[TOTAL] = {" total-time time-total total ", "seconds", 11},
	[AVERAGE] = {" avg-time time-avg average ", "usecs/call", 11},
	[CALLS] = {" calls count ", "calls", 9},
	[ERRORS] = {" errors error ", "errors", 9},
	[CPU] = {" cpu cpu-time ", "cpu-seconds", 11},
	[MIN] = {" min-time time-min shortest min ", "min", 9},
	[MEDIAN] = {" median ", "median", 9},
	[P99] = {" p99 ", "p99", 9},
	[MAX] = {" max-time time-max longest max ", "max", 9},
	[NAME] = {" name syscall syscall-name ", "syscall", 16},
};

static int find_column(const char *word)
{
	char name[40];

	snprintf(name, sizeof name, " %s ", word);
	for (int i = 0; word[0] && i < TRUSS_COLUMNS; i++)
		if (strstr(columns[i].names, name))
			return i;
	return -1;
}

const char *truss_columns_parse(char *list, unsigned char ret[TRUSS_COLUMNS + 1])
{
	unsigned seen = 0;
	size_t n = 0;

	for (char *word; (word = strsep(&list, ","));) {
		int column = find_column(word);

		if (column < 0 || seen & 1u << column)
			return word;
		seen |= 1u << column;
		ret[n++] = (unsigned char)(column + 1);
	}
	if (!(seen & 1u << NAME)) /* without it nobody knows what the rest is about */
		ret[n++] = NAME + 1;
	ret[n] = 0;
	return NULL;
}

static void add_cell(struct sts_text *out, enum column column, const struct truss_stat *s, const char *name,
		     uint64_t whole)
{
	int width = columns[column].width;

	switch (column) {
	case SHARE:
		sts_text_add(out, "%*.2f", width, whole ? 100.0 * (double)s->wall / (double)whole : 0.0);
		break;
	case TOTAL:
		sts_text_add(out, "%*.6f", width, (double)s->wall / 1e9);
		break;
	case AVERAGE:
		sts_text_add(out, "%*" PRIu64, width, s->calls ? s->wall / s->calls / 1000 : 0);
		break;
	case CALLS:
		sts_text_add(out, "%*" PRIu64, width, s->calls);
		break;
	case ERRORS:
		if (s->errors)
			sts_text_add(out, "%*" PRIu64, width, s->errors);
		else
			sts_text_add(out, "%*s", width, "");
		break;
	case CPU:
		sts_text_add(out, "%*.6f", width, (double)s->cpu / 1e9);
		break;
	case MIN:
		sts_text_add(out, "%*.1f", width, micros(s->calls ? s->min : 0));
		break;
	case MEDIAN:
	case P99:
		sts_text_add(out, "%*.1f", width, micros(s->calls ? quantile(s, column == P99 ? 0.99 : 0.5) : 0));
		break;
	case MAX:
		sts_text_add(out, "%*.1f", width, micros(s->max));
		break;
	case NAME:
		sts_text_add(out, "%-*s", width, name);
	}
}

/* s: NULL for the headings, or, without a name, the rule. */
static void text_row(struct truss *t, const struct truss_stat *s, const char *name, uint64_t whole)
{
	static const char rule[] = "----------------";
	char text[400];
	struct sts_text out;

	sts_text_init(&out, text, sizeof text);
	for (const unsigned char *c = t->options.columns; *c; c++) {
		enum column column = (enum column)(*c - 1);

		sts_text_add(&out, c == t->options.columns ? "" : " ");
		if (s)
			add_cell(&out, column, s, name, whole);
		else if (name)
			sts_text_add(&out, column == NAME ? "%-*s" : "%*s", columns[column].width,
				     columns[column].header);
		else
			sts_text_add(&out, "%.*s", columns[column].width, rule);
	}
	while (out.len > 0 && text[out.len - 1] == ' ')
		text[--out.len] = '\0';
	truss_raw_line(&t->out, text);
}

static void text_table(struct truss *t, const struct table *table, bool final)
{
	if (table->pid)
		text_line(t, "process %d (%s):", table->pid, table->program);
	else if (table->program)
		text_line(t, "program %s:", table->program);
	else if (!final)
		text_line(t, "so far:");
	text_row(t, NULL, "heading", 0);
	text_row(t, NULL, NULL, 0);
	for (size_t i = 0; i < table->n; i++)
		text_row(t, table->rows[i], table->rows[i]->key.call, table->total.wall);
	text_row(t, NULL, NULL, 0);
	text_row(t, &table->total, "total", table->total.wall);
}

static void json_table(struct truss *t, const struct table *table, bool final)
{
	struct sts_text out;

	do {
		truss_json_begin(t, &out, "summary");
		sts_text_add(&out, ",\"final\":%s,\"program\":", final ? "true" : "false");
		if (table->program)
			sts_json_add_string(&out, table->program);
		else
			sts_text_add(&out, "null");
		if (table->pid)
			sts_text_add(&out, ",\"pid\":%d", table->pid);
		sts_text_add(&out, ",\"calls\":[");
		for (size_t i = 0; i < table->n; i++) {
			const struct truss_stat *s = table->rows[i];

			sts_text_add(&out,
				     "%s{\"call\":\"%s\",\"calls\":%" PRIu64 ",\"errors\":%" PRIu64
				     ",\"wall_ns\":%" PRIu64 ",\"cpu_ns\":%" PRIu64 ",\"min_ns\":%" PRIu64
				     ",\"median_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64 "}",
				     i ? "," : "", s->key.call, s->calls, s->errors, s->wall, s->cpu, s->min,
				     quantile(s, 0.5), quantile(s, 0.99), s->max);
		}
		sts_text_add_char(&out, ']');
	} while (out.cut && truss_buffer_grow(t));
	truss_json_end(t, &out);
}

static bool belongs(const struct truss_stat *s, const struct key *group)
{
	return group->pid ? s->key.pid == group->pid
			  : !group->program[0] || strcmp(s->key.program, group->program) == 0;
}

/* Gather the rows of a group, of which the pid, else the program, or else nothing is given, and show them. */
static void show_table(struct truss *t, const struct key *group, bool final)
{
	struct truss_stat *merged = NULL, *s;
	struct table table = {.pid = group->pid, .total.min = UINT64_MAX};
	enum truss_sort sort = t->options.sort;

	if (group->program[0])
		table.program = group->program;
	for (s = t->stats; s; s = s->hh.next) {
		struct key key = {0};

		if (!belongs(s, group))
			continue;
		memcpy(key.call, s->key.call, sizeof key.call);
		merge(find(&merged, &key), s);
		merge(&table.total, s);
	}
	table.rows = calloc(HASH_COUNT(merged) + 1, sizeof(struct truss_stat *));
	for (s = merged; table.rows && s; s = s->hh.next)
		table.rows[table.n++] = s;
	if (table.rows)
		qsort_r(table.rows, table.n, sizeof *table.rows, compare, &sort);
	if (t->options.json)
		json_table(t, &table, final);
	else
		text_table(t, &table, final);
	free(table.rows);
	free_classes(&table.total);
	free_stats(&merged);
}

/* One table for each process, or each program, in the order of their first calls. A single one is like the whole. */
static void show_groups(struct truss *t, bool processes, bool final)
{
	struct truss_stat *groups = NULL, *s, *group;

	for (s = t->stats; s; s = s->hh.next) {
		struct key key = {0};

		key.pid = processes ? s->key.pid : 0;
		if (!processes)
			memcpy(key.program, s->key.program, sizeof key.program);
		group = find(&groups, &key);
		/* The key is not this: what it ran last. */
		snprintf(group->program, sizeof group->program, "%s", s->key.program);
	}
	if (HASH_COUNT(groups) == 1 && t->options.summaries & TRUSS_OF_ALL)
		free_stats(&groups);
	for (group = groups; group; group = group->hh.next) {
		struct key key = {.pid = group->key.pid};

		memcpy(key.program, group->program, sizeof key.program);
		show_table(t, &key, final);
	}
	free_stats(&groups);
}

void truss_summary_show(struct truss *t, bool final)
{
	if (t->options.summaries & TRUSS_OF_ALL)
		show_table(t, &(struct key){0}, final);
	if (t->options.summaries & TRUSS_OF_PROGRAMS)
		show_groups(t, false, final);
	if (t->options.summaries & TRUSS_OF_PROCESSES)
		show_groups(t, true, final);
}

int truss_summaries_parse(unsigned *ret, char *list)
{
	static const char *const names[] = {"all", "program", "process"};
	char *save = NULL;
	unsigned found = 0;

	for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < sizeof names / sizeof *names && strcmp(names[i], word) != 0)
			i++;
		if (i == sizeof names / sizeof *names)
			return -EINVAL;
		found |= 1u << i;
	}
	*ret = found;
	return found ? 0 : -EINVAL;
}
