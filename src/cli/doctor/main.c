/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis doctor: says what this machine allows or hinders, and what to do about it. */
#include "cli/cli.h"
#include "cli/doctor/doctor.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stasis/stasis.h>

/* The exit statuses promised in stasis-doctor(1). */
enum { EXIT_WELL = 0, EXIT_HINDERED = 1 };

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

static void help(void)
{
	fputs("Usage: stasis doctor [-p PID] [--json] [--color=auto|always|never]\n"
	      "Says what this machine allows or hinders, and what to do about it.\n"
	      "  -p, --pid PID    also say whether this process can be attached to\n"
	      "  --json           one JSON object in place of text\n"
	      "  --color=WHEN     auto (the default), always, never\n"
	      "Exit status: 0 if programs can be launched and attached to, 1 if not, 2 for wrong usage.\n",
	      stdout);
}

static bool parse_pid(const char *text, pid_t *pid)
{
	long n;

	if (!sts_read_number(text, 1, INT_MAX, &n))
		return false;
	*pid = (pid_t)n;
	return true;
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
	int c, color = sts_color_wanted(NULL, stdout);

	opterr = 0;
	optind = 0; /* another getopt may have run before */
	while ((c = getopt_long(argc, argv, "+:p:h", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			if (!parse_pid(optarg, &o->pid))
				return sts_usage_error("doctor", "'%s' is no process id", optarg);
			break;
		case 'j':
			o->json = true;
			break;
		case 'c':
			color = sts_color_wanted(optarg, stdout);
			if (color < 0)
				return sts_usage_error("doctor", "--color is auto, always or never, not '%s'", optarg);
			break;
		case 'h':
			help();
			return sts_output_end(EXIT_WELL);
		default:
			return sts_usage_error("doctor", "%s: %s", argv[optind - 1],
					       c == ':' ? "needs an argument" : "unknown option");
		}
	}
	if (optind < argc)
		return sts_usage_error("doctor", "unexpected argument '%s'", argv[optind]);
	o->color = color == 1;
	return -1;
}

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
	return sts_output_end(is_well(&report) ? EXIT_WELL : EXIT_HINDERED);
}
