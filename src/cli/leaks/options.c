/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis leaks: the command line. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/leaks/leaks.h"
#include "util/cleanup.h"

enum {
	GO_ON = -1,
	OPT_HELP = 256,
	OPT_LEAK_CHECK,
	OPT_SHOW_KINDS,
	OPT_ERROR_KINDS,
	OPT_SUPPRESSIONS,
	OPT_GEN_SUPPRESSIONS,
	OPT_ERROR_UNUSED,
	OPT_ERROR_EXITCODE,
	OPT_NUM_CALLERS,
	OPT_LOG_FILE,
	OPT_JSON,
	OPT_SARIF,
	OPT_JUNIT,
	OPT_HTML,
	OPT_GITHUB,
	OPT_XML,
	OPT_XML_FILE,
	OPT_FORMAT,
	OPT_ONLY,
	OPT_SAVE,
	OPT_DIFF,
	OPT_MAX_LEAKS,
	OPT_OBJECTS,
	OPT_ON_SIGNAL,
	OPT_EVERY,
	OPT_AT_TERM,
	OPT_OPTIONS,
	OPT_SYMBOL_TIMEOUT,
	OPT_LIBRARY,
	OPT_COLOR,
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"quiet", no_argument, NULL, 'q'},
	{"leak-check", required_argument, NULL, OPT_LEAK_CHECK},
	{"show-leak-kinds", required_argument, NULL, OPT_SHOW_KINDS},
	{"errors-for-leak-kinds", required_argument, NULL, OPT_ERROR_KINDS},
	{"suppressions", required_argument, NULL, OPT_SUPPRESSIONS},
	{"gen-suppressions", required_argument, NULL, OPT_GEN_SUPPRESSIONS},
	{"error-unused-suppressions", no_argument, NULL, OPT_ERROR_UNUSED},
	{"error-exitcode", required_argument, NULL, OPT_ERROR_EXITCODE},
	{"num-callers", required_argument, NULL, OPT_NUM_CALLERS},
	{"log-file", required_argument, NULL, OPT_LOG_FILE},
	{"json", optional_argument, NULL, OPT_JSON},
	{"sarif", optional_argument, NULL, OPT_SARIF},
	{"junit", optional_argument, NULL, OPT_JUNIT},
	{"html", optional_argument, NULL, OPT_HTML},
	{"github", optional_argument, NULL, OPT_GITHUB},
	{"xml", optional_argument, NULL, OPT_XML},
	{"xml-file", required_argument, NULL, OPT_XML_FILE},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"only", required_argument, NULL, OPT_ONLY},
	{"save", required_argument, NULL, OPT_SAVE},
	{"diff", required_argument, NULL, OPT_DIFF},
	{"max-leaks", required_argument, NULL, OPT_MAX_LEAKS},
	{"report-objects", no_argument, NULL, OPT_OBJECTS},
	{"on-signal", required_argument, NULL, OPT_ON_SIGNAL},
	{"every", required_argument, NULL, OPT_EVERY},
	{"at-term", no_argument, NULL, OPT_AT_TERM},
	{"options", required_argument, NULL, OPT_OPTIONS},
	{"symbol-timeout", required_argument, NULL, OPT_SYMBOL_TIMEOUT},
	{"library", required_argument, NULL, OPT_LIBRARY},
	{"color", optional_argument, NULL, OPT_COLOR},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: stasis leaks [OPTION...] [--] COMMAND [ARGUMENT...]\n"
	"Run a program, and its children, and tell at their ends what memory nothing points to any more.\n"
	"\n"
	"What is told of:\n"
	"  --leak-check=full|summary   full: every leak (the default); summary: only the sum\n"
	"  --show-leak-kinds=LIST      of definite,indirect,possible,reachable, or all (default: all but reachable)\n"
	"  --errors-for-leak-kinds=LIST  those that count as errors (default: the same)\n"
	"  --only=PATTERN              only leaks with a function, file or module of that name\n"
	"  --max-leaks=N               the N largest\n"
	"  --report-objects            addresses of the blocks too\n"
	"  --num-callers=N             depth of stacks (30)\n"
	"  --suppressions=FILE         in LeakSanitizer's or Valgrind's form; may be given several times\n"
	"  --gen-suppressions=all      write suppressions for what is shown\n"
	"  --error-unused-suppressions  name those that matched nothing, and count that as an error\n"
	"  --save=FILE                 write a baseline\n"
	"  --diff=FILE                 leave out what that baseline knows\n"
	"When:\n"
	"  --on-signal=SIGNAL          also when the program gets this signal\n"
	"  --every=SECONDS             also at intervals\n"
	"  --at-term                   also before SIGTERM ends it\n"
	"Output:\n"
	"  --log-file=FILE             the text goes there; %p is the pid\n"
	"  --json[=FILE]  --sarif[=FILE]  --junit[=FILE]   for programs, instead of the text\n"
	"  --html[=FILE]               a page with a flame graph and a table, instead of the text\n"
	"  --github[=FILE]             annotations of GitHub's, instead of the text\n"
	"  --xml=yes  --xml-file=FILE  Valgrind's XML, one document for each report; %p is the pid\n"
	"  --format=NAME               one of text, json, sarif, junit, html, github, xml, on standard output\n"
	"  --error-exitcode=N          end with N if there are leaks; else the program's own status is kept\n"
	"  --color[=WHEN]              auto, always or never\n"
	"  -q, --quiet                 nothing but reports\n"
	"Besides:\n"
	"  --options=NAME=VALUE:...    options of the runtime, see stasis-leaks(1)\n"
	"  --symbol-timeout=SECONDS    at most so long for functions and lines of one report (10)\n"
	"  --library=FILE              another libstasis-leaks.so\n";

static bool add_options(struct leaks_options *o, const char *text)
{
	char *more;

	if (asprintf(&more, "%s%s%s", o->runtime ? o->runtime : "", o->runtime ? ":" : "", text) < 0)
		return false;
	free(o->runtime);
	o->runtime = more;
	return true;
}

static bool add_runtime(struct leaks_options *o, const char *name, const char *value)
{
	_cleanup_free_ char *text = NULL;

	return asprintf(&text, "%s=%s", name, value) >= 0 && add_options(o, text);
}

/* A list of kinds, or all, or none; false if one is not known. */
static bool read_kinds(const char *list, unsigned *ret)
{
	_cleanup_free_ char *copy = strdup(list);
	char *save;

	*ret = 0;
	for (char *k = copy ? strtok_r(copy, ",", &save) : NULL; k; k = strtok_r(NULL, ",", &save)) {
		unsigned known = *ret;

		for (unsigned class = STS_RAW_DEFINITE; class <= STS_RAW_REACHABLE; class ++)
			if (strcmp(k, "all") == 0 || strcmp(k, sts_leak_class_name(class)) == 0)
				*ret |= 1u << class;
		if (*ret == known && strcmp(k, "none") != 0)
			return false;
	}
	return copy != NULL;
}

/* TERM, SIGTERM, or a number; 0 if there is none. */
static int read_signal(const char *text)
{
	long number;

	if (sts_read_number(text, 1, 64, &number))
		return number;
	if (strncmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < 32; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcmp(name, text) == 0)
			return i;
	}
	return 0;
}

static int kinds(const char *name, const char *list, unsigned *ret)
{
	if (read_kinds(list, ret))
		return GO_ON;
	return sts_usage_error("leaks", "--%s: '%s': kinds are definite, indirect, possible, reachable, all, none",
			       name, list);
}

static int number(struct leaks_options *o, const char *name, const char *option, const char *text, long most)
{
	long n;

	if (!sts_read_number(text, 1, most, &n))
		return sts_usage_error("leaks", "--%s: '%s' is no number from 1 to %ld", option, text, most);
	return !name || add_runtime(o, name, text) ? GO_ON : STS_EXIT_FAILURE;
}

static int on_signal(struct leaks_options *o, const char *text)
{
	int signal = read_signal(text);
	char digits[12];

	if (signal == 0 || signal == SIGKILL || signal == SIGSTOP)
		return sts_usage_error("leaks", "--on-signal: '%s' is no signal that can be caught", text);
	snprintf(digits, sizeof(digits), "%d", signal);
	return add_runtime(o, "on_signal", digits) ? GO_ON : STS_EXIT_FAILURE;
}

static int suppressions(struct leaks_options *o, const char *path)
{
	char why[256];

	if (sts_suppressions_read(&o->judge.suppressions, path, o->judge.today, why) == 0)
		return GO_ON;
	sts_complain("suppressions", "%s", why);
	return STS_EXIT_USAGE;
}

static int baseline(struct leaks_options *o, const char *path)
{
	char why[256];

	sts_baseline_free(o->judge.baseline);
	o->judge.baseline = sts_baseline_read(path, why);
	if (o->judge.baseline)
		return GO_ON;
	sts_complain("baseline", "%s", why);
	return STS_EXIT_USAGE;
}

static int output(struct leaks_options *o, enum sts_format format, const char *path)
{
	o->paths[format] = path ? path : "-";
	o->judge.text = false;
	return GO_ON;
}

/* As Valgrind has it: --xml=yes says that, --xml-file where; --xml=no takes it back. */
static int xml(struct leaks_options *o, const char *value)
{
	if (!value || strcmp(value, "yes") == 0)
		return o->paths[STS_FORMAT_XML] ? GO_ON : output(o, STS_FORMAT_XML, NULL);
	if (strcmp(value, "no") != 0)
		return sts_usage_error("leaks", "--xml: '%s' is neither yes nor no", value);
	o->paths[STS_FORMAT_XML] = NULL;
	return GO_ON;
}

static int named_format(struct leaks_options *o, const char *name)
{
	static const char *const names[STS_N_FORMATS] = {"text", "json", "sarif", "junit", "html", "github", "xml"};

	for (int f = STS_FORMAT_JSON; f < STS_N_FORMATS; f++)
		if (strcmp(name, names[f]) == 0)
			return output(o, f, NULL);
	if (strcmp(name, names[STS_FORMAT_TEXT]) == 0)
		return GO_ON;
	return sts_usage_error("leaks", "--format: '%s' is none of text, json, sarif, junit, html, github, xml", name);
}

/* Those that say what is shown. */
static int view_option(struct leaks_options *o, int option, const char *value)
{
	struct sts_view *view = &o->judge.view;
	int r = GO_ON;

	switch (option) {
	case OPT_LEAK_CHECK:
		if (strcmp(value, "summary") == 0)
			view->summary = true;
		else if (strcmp(value, "full") != 0 && strcmp(value, "yes") != 0)
			return sts_usage_error("leaks", "--leak-check: '%s' is neither full nor summary", value);
		return GO_ON;
	case OPT_SHOW_KINDS:
		return kinds("show-leak-kinds", value, &view->shown);
	case OPT_ERROR_KINDS:
		return kinds("errors-for-leak-kinds", value, &view->counted);
	case OPT_MAX_LEAKS:
		r = number(o, NULL, "max-leaks", value, 1000000000);
		view->max_leaks = strtoul(value, NULL, 10);
		return r;
	case OPT_OBJECTS:
		view->objects = true;
		return add_runtime(o, "report_objects", "1") ? GO_ON : STS_EXIT_FAILURE;
	case OPT_COLOR:
		r = sts_color_wanted(value ? value : "always", stderr);
		view->color = r > 0;
		return r < 0 ? sts_usage_error("leaks", "--color: '%s' is none of auto, always, never", value) : GO_ON;
	}
	return r;
}

static int output_option(struct leaks_options *o, int option, const char *value)
{
	switch (option) {
	case OPT_LOG_FILE:
		o->judge.log_path = value;
		return GO_ON;
	case OPT_JSON:
		return output(o, STS_FORMAT_JSON, value);
	case OPT_SARIF:
		return output(o, STS_FORMAT_SARIF, value);
	case OPT_JUNIT:
		return output(o, STS_FORMAT_JUNIT, value);
	case OPT_HTML:
		return output(o, STS_FORMAT_HTML, value);
	case OPT_GITHUB:
		return output(o, STS_FORMAT_GITHUB, value);
	case OPT_XML:
		return xml(o, value);
	case OPT_XML_FILE:
		return output(o, STS_FORMAT_XML, value);
	case OPT_FORMAT:
		return named_format(o, value);
	case OPT_SAVE:
		o->save_path = value;
		return GO_ON;
	case OPT_GEN_SUPPRESSIONS:
		o->judge.gen_suppressions = strcmp(value, "all") == 0;
		if (o->judge.gen_suppressions || strcmp(value, "no") == 0)
			return GO_ON;
		return sts_usage_error("leaks", "--gen-suppressions: '%s' is neither all nor no", value);
	case OPT_ERROR_UNUSED:
		o->error_unused = true;
		return GO_ON;
	case OPT_ERROR_EXITCODE:
		o->error_exitcode = atoi(value);
		return number(o, NULL, "error-exitcode", value, 255);
	case 'q':
		o->quiet = true;
		return GO_ON;
	}
	return view_option(o, option, value);
}

static int one_option(struct leaks_options *o, int option, const char *value)
{
	switch (option) {
	case OPT_HELP:
		fputs(help_text, stdout);
		return sts_output_end(0);
	case '?':
		fprintf(stderr, "Try 'stasis leaks --help'.\n");
		return STS_EXIT_USAGE;
	case OPT_SUPPRESSIONS:
		return suppressions(o, value);
	case OPT_DIFF:
		return baseline(o, value);
	case OPT_ONLY:
		o->judge.only = value;
		return GO_ON;
	case OPT_NUM_CALLERS:
		return number(o, "malloc_context_size", "num-callers", value, STS_RAW_DEEPEST);
	case OPT_ON_SIGNAL:
		return on_signal(o, value);
	case OPT_EVERY:
		return number(o, "interval", "every", value, 1000000);
	case OPT_AT_TERM:
		return add_runtime(o, "at_term", "1") ? GO_ON : STS_EXIT_FAILURE;
	case OPT_OPTIONS:
		return add_options(o, value) ? GO_ON : STS_EXIT_FAILURE;
	case OPT_SYMBOL_TIMEOUT:
		o->judge.symbol_ms = atoi(value) * 1000;
		return number(o, NULL, "symbol-timeout", value, 86400);
	case OPT_LIBRARY:
		o->library = value;
		return GO_ON;
	}
	return output_option(o, option, value);
}

int leaks_options_read(struct leaks_options *o, int argc, char **argv)
{
	static char name[] = "stasis leaks"; /* what getopt(3) complains as */
	int option, r;

	argv[0] = name;
	o->judge.view.color = sts_color_wanted(NULL, stderr);
	while ((option = getopt_long(argc, argv, "+q", long_options, NULL)) != -1)
		if ((r = one_option(o, option, optarg)) != GO_ON)
			return r;
	if (!argv[optind])
		return sts_usage_error("leaks", "a command is needed");
	o->command = argv + optind;
	/* What is not shown is no error either. */
	o->judge.view.counted &= o->judge.view.shown;
	if (o->judge.view.shown & 1u << STS_RAW_REACHABLE && !add_runtime(o, "show_reachable", "1"))
		return STS_EXIT_FAILURE;
	return GO_ON;
}

void leaks_options_free(struct leaks_options *o)
{
	sts_judge_free(&o->judge);
	free(o->runtime);
}
