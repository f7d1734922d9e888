/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis doctor: says what this machine allows or hinders, and what to do about it. */
#include "cli/doctor.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stasis/stasis.h>

/* The exit statuses promised in stasis-doctor(1). */
enum { EXIT_WELL = 0, EXIT_HINDERED = 1, EXIT_USAGE = 2 };

struct options {
	pid_t pid; /* 0: none asked about */
	bool json;
	bool color;
};

static const char *const status_names[] = {"ok", "limited", "no"};

/* --- the list of checks ------------------------------------------------------------------- */

void sts_doctor_add(struct doctor_report *report, const char *id, enum doctor_status status, const char *remedy,
		    const char *detail, ...)
{
	struct doctor_check *c = &report->checks[report->n];
	va_list ap;

	if (report->n == sizeof(report->checks) / sizeof(report->checks[0]))
		return;
	report->n++;
	c->id = id;
	c->heading = report->heading;
	c->status = status;
	va_start(ap, detail);
	vsnprintf(c->detail, sizeof(c->detail), detail, ap);
	va_end(ap);
	snprintf(c->remedy, sizeof(c->remedy), "%s", remedy);
}

const struct doctor_check *sts_doctor_find(const struct doctor_report *report, const char *id)
{
	for (size_t i = 0; i < report->n; i++)
		if (strcmp(report->checks[i].id, id) == 0)
			return &report->checks[i];
	return NULL;
}

static bool is_well(const struct doctor_report *report)
{
	static const char *const needed[] = {"launch", "attach", "process", "process-frozen"};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		const struct doctor_check *c = sts_doctor_find(report, needed[i]);

		if (c != NULL && c->status != DOCTOR_OK)
			return false;
	}
	return true;
}

/* --- text ------------------------------------------------------------------------------------ */

static void print_check(const struct doctor_check *c, bool color)
{
	static const char *const colors[] = {"\033[32m", "\033[33m", "\033[31m"};
	const char *name = status_names[c->status];

	printf("%s%s%s%*s%-18s%s%s%s\n", color ? colors[c->status] : "", name, color ? "\033[0m" : "",
	       (int)(9 - strlen(name)), "", c->id, c->detail, c->remedy[0] != '\0' ? " - " : "", c->remedy);
}

static void print_text(const struct doctor_report *report, bool color)
{
	const char *heading = NULL;

	for (size_t i = 0; i < report->n; i++) {
		const struct doctor_check *c = &report->checks[i];

		if (c->heading != heading)
			printf("%s%s:\n", heading != NULL ? "\n" : "", c->heading);
		heading = c->heading;
		print_check(c, color);
	}
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* Bytes that are no UTF-8 (a process may call itself anything) become U+FFFD. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 0;

	if (s[0] >= 0xf0 && s[0] < 0xf5)
		n = 4;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

static void print_json_string(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	putchar('"');
	while (*s != '\0') {
		size_t n = utf8_length(s);

		if (n == 0)
			fputs("\\ufffd", stdout);
		else if (*s < ' ' || *s == 0x7f)
			printf("\\u%04x", *s);
		else if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else
			fwrite(s, 1, n, stdout);
		s += n > 0 ? n : 1;
	}
	putchar('"');
}

static void print_json(const struct doctor_report *report)
{
	printf("{\"schema_version\":1,\"version\":");
	print_json_string(stasis_version());
	printf(",\"well\":%s,\"checks\":[", is_well(report) ? "true" : "false");
	for (size_t i = 0; i < report->n; i++) {
		const struct doctor_check *c = &report->checks[i];

		printf("%s\n{\"id\":\"%s\",\"status\":\"%s\",\"detail\":", i > 0 ? "," : "", c->id,
		       status_names[c->status]);
		print_json_string(c->detail);
		printf(",\"remedy\":");
		print_json_string(c->remedy);
		putchar('}');
	}
	printf("\n]}\n");
}

/* --- options ------------------------------------------------------------------------------------ */

static void usage(FILE *f)
{
	fprintf(f, "usage: stasis doctor [-p PID] [--json] [--color=auto|always|never]\n"
		   "Says what this machine allows or hinders, and what to do about it.\n"
		   "  -p, --pid PID    also say whether this process can be attached to\n"
		   "  --json           one JSON object in place of text\n"
		   "  --color=WHEN     auto (the default), always, never\n"
		   "Exit status: 0 if programs can be launched and attached to, 1 if not, 2 for wrong usage.\n");
}

/* NO_COLOR, CLICOLOR and CLICOLOR_FORCE as other programs take them. */
static bool color_by_itself(void)
{
	const char *no = getenv("NO_COLOR"), *wish = getenv("CLICOLOR"), *force = getenv("CLICOLOR_FORCE");
	const char *term = getenv("TERM");

	if (no != NULL && no[0] != '\0')
		return false;
	if (force != NULL && force[0] != '\0' && strcmp(force, "0") != 0)
		return true;
	return isatty(STDOUT_FILENO) && (wish == NULL || strcmp(wish, "0") != 0) &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

static bool parse_color(const char *when, bool *color)
{
	if (strcmp(when, "auto") == 0)
		*color = color_by_itself();
	else if (strcmp(when, "always") == 0 || strcmp(when, "never") == 0)
		*color = when[0] == 'a';
	else
		return false;
	return true;
}

static bool parse_pid(const char *text, pid_t *pid)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n <= 0 || n > INT_MAX)
		return false;
	*pid = (pid_t)n;
	return true;
}

static int wrong(const char *object, const char *what)
{
	fprintf(stderr, "stasis: doctor: %s: %s\n", object, what);
	usage(stderr);
	return EXIT_USAGE;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"pid", required_argument, NULL, 'p'},
		{"json", no_argument, NULL, 'j'},
		{"color", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	o->color = color_by_itself();
	optind = 0; /* another getopt may have run before */
	while ((c = getopt_long(argc, argv, "+p:h", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			if (!parse_pid(optarg, &o->pid))
				return wrong(optarg, "no process id");
			break;
		case 'j':
			o->json = true;
			break;
		case 'c':
			if (!parse_color(optarg, &o->color))
				return wrong(optarg, "neither auto, always nor never");
			break;
		case 'h':
			usage(stdout);
			return EXIT_WELL;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	return optind < argc ? wrong(argv[optind], "unexpected argument") : -1;
}

int sts_cmd_doctor(int argc, char **argv);

int sts_cmd_doctor(int argc, char **argv)
{
	struct doctor_report report = {.n = 0};
	struct options o = {0};
	int r = parse(argc, argv, &o);

	if (r >= 0)
		return r;
	signal(SIGCHLD, SIG_DFL); /* whoever started us may have had it ignored; children would leave no status */
	sts_doctor_system(&report);
	sts_doctor_ptrace(&report);
	sts_doctor_functions(&report);
	if (o.pid != 0)
		sts_doctor_process(&report, o.pid);
	if (o.json)
		print_json(&report);
	else
		print_text(&report, o.color);
	return is_well(&report) ? EXIT_WELL : EXIT_HINDERED;
}
