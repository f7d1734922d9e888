/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis truss: the command line. Names are strace's. */
#include "cli/truss/truss.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"Usage: stasis truss [OPTION...] [--] COMMAND [ARG...]\n"
	"       stasis truss [OPTION...] -p PID [-p PID...]\n"
	"\n"
	"Show every system call, signal, birth, exec and exit of programs.\n"
	"\n"
	"  -f, --follow-forks       follow births (the default)\n"
	"      --no-follow          let children go\n"
	"      --depth=N            let those go that are born N births down and further\n"
	"  -p, --attach=PID         attach; several times, or a list of pids; with --tree to their\n"
	"                           descendants too\n"
	"      --exec=GLOB, --comm=GLOB  records of processes that run such a program, threads of such a\n"
	"                           name; a leading ! negates\n"
	"  -o, --output=FILE        write there; '|CMD' pipes to a command\n"
	"  -c, --summary-only       at the end, what calls cost, and nothing else; -C, --summary: too;\n"
	"                           so far, at SIGUSR1\n"
	"  -S, --summary-sort-by=COLUMN  time, cpu, calls, errors, name, min-time, avg-time, median...\n"
	"      --summary-interval=N the same every N seconds\n"
	"      --tree               at the end, the family: births, programs, times, ends\n"
	"      --format=FORMAT      text; json, the same as --json: a record on each line; chrome-trace:\n"
	"                           for Perfetto and chrome://tracing\n"
	"      --json               JSON, a record on each line\n"
	"  -e, --trace=SET          calls: names, %sets, /regex, all, none; ?name may be unknown;\n"
	"                           a leading ! negates ('-e trace=SET' too)\n"
	"      --list-set=SET       print the names of the calls that SET holds\n"
	"  -P, --trace-path=GLOB    calls that name this path, or a descriptor that leads to it\n"
	"      --fd=N[,N...]        calls that name these descriptors; a leading ! negates\n"
	"  -z, -Z                   calls that succeed; calls that fail\n"
	"  -e status=SET            successful, failed, unfinished, detached\n"
	"  -e signal=SET            signals: names, all, none\n"
	"  -e inject=SET:WHAT[:WHAT...][:when=FIRST[..LAST][+[STEP]]]\n"
	"                           do to these calls: error=NAME, retval=N, signal=NAME, syscall=NAME,\n"
	"                           delay_enter=TIME, delay_exit=TIME, poke_enter=, poke_exit=@argN=HEX\n"
	"  -e fault=SET[:error=NAME][:when=...]  let them fail (ENOSYS)\n"
	"  -e event=all|none        births, execs, LWPs and job control\n"
	"  -s, --string-limit=N     show N bytes of strings (32)\n"
	"  -v, --no-abbrev          show every field of structures, the whole environment\n"
	"  -x, -xx                  show strings in hexadecimal, if not plain text; all of them\n"
	"  -y, --decode-fds         show what descriptors lead to; -yy: devices, sockets and pids too\n"
	"  -k, --stack-traces       under each call, by whom it was made; -kk: with lines of the source\n"
	"  -t, -tt, -ttt            time of day, with microseconds, in seconds since 1970\n"
	"  -r, --relative-timestamps  time since the record before\n"
	"  -T, --syscall-times      show how long each call took\n"
	"      --seccomp-bpf        say if the kernel cannot be asked to pass over other calls\n"
	"      --no-seccomp         do not ask it\n"
	"      --no-results         show calls as they are entered, without results: half the stops\n"
	"      --placement=WHERE    CPUs: auto, shared (one with us), free (as the scheduler likes)\n"
	"      --split              show calls when they are entered, as on a terminal\n"
	"  -E, --env=VAR[=VALUE]    set or remove a variable for the command\n"
	"  -q, --quiet              no exit lines\n"
	"      --color=WHEN         auto, always, never\n"
	"  -h, --help               this text\n";

enum {
	OPT_NO_FOLLOW = 256,
	OPT_COLOR,
	OPT_LIST_SET,
	OPT_FD,
	OPT_SIGNAL,
	OPT_STATUS,
	OPT_CLOCK,
	OPT_SPLIT,
	OPT_SECCOMP,
	OPT_NO_SECCOMP,
	OPT_PLACEMENT,
	OPT_NO_RESULTS,
	OPT_JSON,
	OPT_FORMAT,
	OPT_TREE,
	OPT_INTERVAL,
	OPT_INJECT,
	OPT_FAULT,
	OPT_DEPTH,
	OPT_EXEC,
	OPT_COMM
};

static const struct option long_options[] = {
	{"follow-forks", no_argument, NULL, 'f'},
	{"no-follow", no_argument, NULL, OPT_NO_FOLLOW},
	{"depth", required_argument, NULL, OPT_DEPTH},
	{"exec", required_argument, NULL, OPT_EXEC},
	{"comm", required_argument, NULL, OPT_COMM},
	{"attach", required_argument, NULL, 'p'},
	{"output", required_argument, NULL, 'o'},
	{"trace", required_argument, NULL, 'e'},
	{"string-limit", required_argument, NULL, 's'},
	{"syscall-times", optional_argument, NULL, 'T'},
	{"env", required_argument, NULL, 'E'},
	{"no-abbrev", no_argument, NULL, 'v'},
	{"decode-fds", no_argument, NULL, 'y'},
	{"stack-traces", optional_argument, NULL, 'k'},
	{"quiet", no_argument, NULL, 'q'},
	{"color", required_argument, NULL, OPT_COLOR},
	{"help", no_argument, NULL, 'h'},
	{"list-set", required_argument, NULL, OPT_LIST_SET},
	{"trace-path", required_argument, NULL, 'P'},
	{"path", required_argument, NULL, 'P'},
	{"fd", required_argument, NULL, OPT_FD},
	{"trace-fds", required_argument, NULL, OPT_FD},
	{"successful-only", no_argument, NULL, 'z'},
	{"failed-only", no_argument, NULL, 'Z'},
	{"signal", required_argument, NULL, OPT_SIGNAL},
	{"status", required_argument, NULL, OPT_STATUS},
	{"inject", required_argument, NULL, OPT_INJECT},
	{"fault", required_argument, NULL, OPT_FAULT},
	{"relative-timestamps", optional_argument, NULL, 'r'},
	{"absolute-timestamps", optional_argument, NULL, OPT_CLOCK},
	{"timestamps", optional_argument, NULL, OPT_CLOCK},
	{"seccomp-bpf", no_argument, NULL, OPT_SECCOMP},
	{"no-seccomp", no_argument, NULL, OPT_NO_SECCOMP},
	{"placement", required_argument, NULL, OPT_PLACEMENT},
	{"no-results", no_argument, NULL, OPT_NO_RESULTS},
	{"split", no_argument, NULL, OPT_SPLIT},
	{"summary-only", no_argument, NULL, 'c'},
	{"summary", no_argument, NULL, 'C'},
	{"summary-wall-clock", no_argument, NULL, 'w'},
	{"summary-sort-by", required_argument, NULL, 'S'},
	{"summary-interval", required_argument, NULL, OPT_INTERVAL},
	{"tree", no_argument, NULL, OPT_TREE},
	{"json", no_argument, NULL, OPT_JSON},
	{"format", required_argument, NULL, OPT_FORMAT},
	{NULL, 0, NULL, 0},
};

#define GO_ON (-1)

static int out_of_memory(void)
{
	sts_complain("truss", "%s", strerror(ENOMEM));
	return STS_EXIT_FAILURE;
}

static int add_pid(struct truss_options *o, const char *word)
{
	char *end;

	errno = 0;
	long pid = strtol(word, &end, 10);
	if (errno || end == word || *end || pid <= 0 || pid > INT_MAX)
		return sts_usage_error("truss", "'%s' is not a process id", word);
	pid_t *pids = realloc(o->pids, (o->n_pids + 1) * sizeof *pids);
	if (!pids)
		return out_of_memory();
	o->pids = pids;
	o->pids[o->n_pids++] = (pid_t)pid;
	return GO_ON;
}

static int add_pids(struct truss_options *o, char *list)
{
	char *save = NULL;
	int r = GO_ON;
	bool any = false;

	for (char *word = strtok_r(list, ", \t\n", &save); word && r == GO_ON; word = strtok_r(NULL, ", \t\n", &save)) {
		r = add_pid(o, word);
		any = true;
	}
	return any ? r : sts_usage_error("truss", "-p needs a process id");
}

static int parse_calls(const char *expression, struct sts_call_filter *filter)
{
	const char *bad;
	int r = sts_call_filter_parse(expression, filter, &bad);

	if (r == -EINVAL)
		return sts_usage_error("truss", "'%.*s' is no system call or set of them", (int)strcspn(bad, ","), bad);
	return r < 0 ? out_of_memory() : GO_ON;
}

static int list_set(struct truss_options *o, char *expression)
{

	struct sts_call_filter filter;
	const char *name;
	size_t at = 0;
	int r = parse_calls(expression, &filter);

	while (r == GO_ON && (name = sts_call_filter_next(&filter, &at)))
		puts(name);
	return r == GO_ON ? 0 : r;
}

static int set_statuses(struct truss_options *o, char *list)
{
	if (truss_statuses_parse(&o->statuses, list) == 0)
		return GO_ON;
	return sts_usage_error("truss", "'%s': calls are successful, failed, unfinished, detached or unavailable",
			       list);
}

static int set_fds(struct truss_options *o, char *list)
{
	int r = truss_fds_parse(&o->fds, list);

	if (r == -EINVAL)
		return sts_usage_error("truss", "'%s' is no list of descriptors", list);
	return r < 0 ? out_of_memory() : GO_ON;
}

static int set_signals(struct truss_options *o, char *list)
{
	bool negated = list[0] == '!';
	uint64_t set = 0;
	char *save = NULL;

	for (char *word = strtok_r(list + negated, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		int signal = sts_decode_signal_number(word);

		if (strcmp(word, "all") == 0)
			set = UINT64_MAX;
		else if (signal > 0)
			set |= UINT64_C(1) << (signal - 1);
		else if (strcmp(word, "none") != 0)
			return sts_usage_error("truss", "'%s' is no signal", word);
	}
	o->signals = negated ? ~set : set;
	return GO_ON;
}

static int set_trace(struct truss_options *o, char *expression)
{
	return parse_calls(expression, &o->calls);
}

static int set_events(struct truss_options *o, char *which)
{
	if (strcmp(which, "all") != 0 && strcmp(which, "none") != 0)
		return sts_usage_error("truss", "'%s': -e event is all or none", which);
	o->events = which[0] == 'a';
	return GO_ON;
}

static int add_injection(struct truss_options *o, char *text, bool fault)
{
	int r = truss_injections_add(&o->injections, text, fault);

	return r == -EINVAL ? STS_EXIT_USAGE : r < 0 ? out_of_memory() : GO_ON;
}

static int add_inject(struct truss_options *o, char *text)
{
	return add_injection(o, text, false);
}

static int add_fault(struct truss_options *o, char *text)
{
	return add_injection(o, text, true);
}

/* The names before the equals sign of -e, those that strace takes too. */
static const struct {
	const char *name;
	int (*set)(struct truss_options *o, char *text);
} qualifiers[] = {
	{"trace=", set_trace}, {"t=", set_trace},	  {"signal=", set_signals}, {"signals=", set_signals},
	{"s=", set_signals},   {"status=", set_statuses}, {"event=", set_events},   {"fd=", set_fds},
	{"fds=", set_fds},     {"trace-fds=", set_fds},	  {"trace-fd=", set_fds},   {"inject=", add_inject},
	{"fault=", add_fault},
};

static int set_expression(struct truss_options *o, char *text)
{
	for (size_t i = 0; i < sizeof qualifiers / sizeof *qualifiers; i++) {
		size_t len = strlen(qualifiers[i].name);

		if (strncmp(text, qualifiers[i].name, len) == 0)
			return qualifiers[i].set(o, text + len);
	}
	if (strchr(text, '='))
		return sts_usage_error(
			"truss", "'%s': -e knows trace=, signal=, status=, fd=, event=, inject= and fault=", text);
	return set_trace(o, text);
}

static int set_limit(struct truss_options *o, char *text)
{
	char *end;

	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-')
		return sts_usage_error("truss", "'%s' is not a number of bytes", text);
	o->string_limit = n;
	return GO_ON;
}

static int set_variable(struct truss_options *o, char *text)
{

	const char *equals = strchr(text, '=');
	char *name = equals ? strndup(text, equals - text) : strdup(text);
	int r = !name || !*name ? -1 : equals ? setenv(name, equals + 1, 1) : unsetenv(name);

	free(name);
	return r == 0 ? GO_ON : sts_usage_error("truss", "'%s' sets no variable", text);
}

static int set_sort(struct truss_options *o, char *name)
{
	int sort = truss_sort_parse(name);

	if (sort < 0)
		return sts_usage_error("truss", "'%s' is nothing to sort by", name);
	o->sort = (enum truss_sort)sort;
	return GO_ON;
}

static int set_interval(struct truss_options *o, char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end || text[0] == '-' || n == 0 || n > 1000000)
		return sts_usage_error("truss", "'%s' is no number of seconds", text);
	o->interval = (unsigned)n;
	return GO_ON;
}

static int set_placement(struct truss_options *o, char *where)
{
	static const char *const names[] = {"auto", "shared", "free"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(where, names[i]) == 0) {
			o->placement = (enum truss_placement)i;
			return GO_ON;
		}
	return sts_usage_error("truss", "--placement is auto, shared or free, not '%s'", where);
}

static int set_format(struct truss_options *o, char *name)
{
	o->json = strcmp(name, "json") == 0;
	o->chrome = strcmp(name, "chrome-trace") == 0;
	if (o->json || o->chrome || strcmp(name, "text") == 0)
		return GO_ON;
	return sts_usage_error("truss", "--format is text, json or chrome-trace, not '%s'", name);
}

/* -k, -kk, --stack-traces[=symbol|source] */
static int add_stacks(struct truss_options *o, char *kind)
{
	if (kind && strcmp(kind, "symbol") != 0 && strcmp(kind, "source") != 0)
		return sts_usage_error("truss", "--stack-traces is symbol or source, not '%s'", kind);
	o->stacks = kind ? 1 + (strcmp(kind, "source") == 0) : o->stacks + 1;
	return GO_ON;
}

/* -t, -tt, -ttt */
static void add_clock(struct truss_options *o)
{
	if (o->clock == TRUSS_CLOCK_DAY && o->clock_digits > 0)
		o->clock = TRUSS_CLOCK_UNIX;
	else if (o->clock == TRUSS_CLOCK_DAY)
		o->clock_digits = 6;
	else if (o->clock == TRUSS_CLOCK_NONE)
		o->clock = TRUSS_CLOCK_DAY;
}

static int find_digits(const char *word, size_t len)
{
	static const struct {
		const char *name;
		int digits;
	} units[] = {{"s", 0}, {"ms", 3}, {"us", 6}, {"ns", 9}};

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strlen(units[i].name) == len && strncmp(units[i].name, word, len) == 0)
			return units[i].digits;
	return -1;
}

/* text: NULL leaves what was. */
static int set_digits(const char *text, int *digits)
{
	int found = text ? find_digits(text, strlen(text)) : *digits;

	if (found < 0)
		return sts_usage_error("truss", "'%s': a precision is s, ms, us or ns", text);
	*digits = found;
	return GO_ON;
}

/* "[format:]none|time|unix", "[precision:]s|ms|us|ns", both with a comma between. */
static int set_clock(struct truss_options *o, char *text)
{
	o->clock = TRUSS_CLOCK_DAY;
	for (const char *word = text; word && *word; word += *word == ',') {
		size_t len = strcspn(word, ","), skip = strncmp(word, "format:", 7) == 0       ? 7
							: strncmp(word, "precision:", 10) == 0 ? 10
											       : 0;
		int digits = find_digits(word + skip, len - skip);

		if (digits >= 0 && skip != 7)
			o->clock_digits = digits;
		else if (skip != 10 && strncmp(word + skip, "time", len - skip) == 0 && len - skip == 4)
			o->clock = TRUSS_CLOCK_DAY;
		else if (skip != 10 && strncmp(word + skip, "unix", len - skip) == 0 && len - skip == 4)
			o->clock = TRUSS_CLOCK_UNIX;
		else if (skip != 10 && strncmp(word + skip, "none", len - skip) == 0 && len - skip == 4)
			o->clock = TRUSS_CLOCK_NONE;
		else
			return sts_usage_error("truss", "'%s' is no kind of time", text);
		word += len;
	}
	return GO_ON;
}

static int set_output(struct truss_options *o, char *name)
{
	o->output = name;
	return GO_ON;
}

static int set_relative(struct truss_options *o, char *precision)
{
	o->relative = true;
	return set_digits(precision, &o->relative_digits);
}

static int set_durations(struct truss_options *o, char *precision)
{
	o->durations = true;
	return set_digits(precision, &o->duration_digits);
}

static int add_path(struct truss_options *o, char *pattern)
{
	return truss_paths_add(&o->paths, pattern) < 0 ? out_of_memory() : GO_ON;
}

static int set_depth(struct truss_options *o, char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end || text[0] == '-' || n > 1000000)
		return sts_usage_error("truss", "'%s' is no number of generations", text);
	o->limited = true;
	o->depth = (unsigned)n;
	return GO_ON;
}

static int add_name(struct truss_names *names, const char *pattern)
{
	if (!pattern[pattern[0] == '!'])
		return sts_usage_error("truss", "'%s' is a pattern of nothing", pattern);
	return truss_names_add(names, pattern) < 0 ? out_of_memory() : GO_ON;
}

static int add_program(struct truss_options *o, char *pattern)
{
	return add_name(&o->programs, pattern);
}

static int add_comm(struct truss_options *o, char *pattern)
{
	return add_name(&o->comms, pattern);
}

static int set_color(struct truss_options *o, char *when)
{
	o->color = when;
	return sts_color_wanted(when, stderr) < 0
		       ? sts_usage_error("truss", "--color is auto, always or never, not '%s'", when)
		       : GO_ON;
}

static int add_hex(struct truss_options *o)
{
	o->decode_flags |=
		o->decode_flags & STASIS_DECODE_HEX_STRINGS ? STASIS_DECODE_ALL_HEX : STASIS_DECODE_HEX_STRINGS;
	return GO_ON;
}

static int set_count(struct truss_options *o, bool only)
{
	o->count = true;
	o->only_count = only;
	return GO_ON;
}

static int show_help(void)
{
	fputs(usage, stdout);
	return sts_output_end(0);
}

/* Options that are but noted. */
static const struct {
	int option;
	size_t flag;
} flags[] = {
	{OPT_NO_FOLLOW, offsetof(struct truss_options, no_follow)},
	{OPT_TREE, offsetof(struct truss_options, tree)},
	{OPT_JSON, offsetof(struct truss_options, json)},
	{OPT_SECCOMP, offsetof(struct truss_options, seccomp)},
	{OPT_NO_SECCOMP, offsetof(struct truss_options, no_seccomp)},
	{OPT_NO_RESULTS, offsetof(struct truss_options, entries)},
	{OPT_SPLIT, offsetof(struct truss_options, split)},
	{'q', offsetof(struct truss_options, quiet)},
};

/* Options with a value. */
static const struct {
	int option;
	int (*set)(struct truss_options *o, char *value);
} setters[] = {
	{'p', add_pids},
	{'o', set_output},
	{'e', set_expression},
	{'s', set_limit},
	{OPT_CLOCK, set_clock},
	{'r', set_relative},
	{'T', set_durations},
	{'S', set_sort},
	{OPT_INTERVAL, set_interval},
	{OPT_PLACEMENT, set_placement},
	{OPT_FORMAT, set_format},
	{'E', set_variable},
	{OPT_LIST_SET, list_set},
	{OPT_FD, set_fds},
	{OPT_SIGNAL, set_signals},
	{OPT_STATUS, set_statuses},
	{OPT_INJECT, add_inject},
	{OPT_FAULT, add_fault},
	{'P', add_path},
	{'k', add_stacks},
	{OPT_DEPTH, set_depth},
	{OPT_EXEC, add_program},
	{OPT_COMM, add_comm},
	{OPT_COLOR, set_color},
};

static int other_option(struct truss_options *o, int option)
{
	switch (option) {
	case 'f':
	case 'w': /* both always */
		return GO_ON;
	case 'v':
		o->decode_flags |= STASIS_DECODE_VERBOSE;
		return GO_ON;
	case 'x':
		return add_hex(o);
	case 'y':
		o->fd_paths++;
		return GO_ON;
	case 't':
		add_clock(o);
		return GO_ON;
	case 'c':
	case 'C':
		return set_count(o, option == 'c');
	case 'z':
	case 'Z':
		o->statuses = option == 'z' ? TRUSS_SUCCESSFUL : TRUSS_FAILED;
		return GO_ON;
	case 'h':
		return show_help();
	default:
		fputs("Try 'stasis truss --help'.\n", stderr);
		return STS_EXIT_USAGE;
	}
}

static int one_option(struct truss_options *o, int option, char *arg)
{
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (flags[i].option == option) {
			*(bool *)((char *)o + flags[i].flag) = true;
			return GO_ON;
		}
	for (size_t i = 0; i < sizeof setters / sizeof *setters; i++)
		if (setters[i].option == option)
			return setters[i].set(o, arg);
	return other_option(o, option);
}

/* What does not go together. */
static int check(const struct truss_options *o)
{
	if (!o->command && o->n_pids == 0)
		return sts_usage_error("truss", "a command or -p PID is needed");
	if (o->command && o->n_pids > 0)
		return sts_usage_error("truss", "a command and -p do not go together");
	if (o->tree && o->json && o->command)
		return sts_usage_error("truss", "--tree is text; the records of --json tell the family");
	if (o->entries && (o->count || o->statuses != TRUSS_ANY_STATUS || o->durations))
		return sts_usage_error("truss", "-c, -C, -T, -z, -Z and -e status need results");
	if (o->entries && truss_injections_need_exits(&o->injections))
		return sts_usage_error("truss", "syscall=, delay_exit= and poke_exit= need results");
	if (o->chrome && (o->count || o->tree))
		return sts_usage_error("truss", "-c, -C and --tree are text or JSON, and no trace for a viewer");
	if (o->stacks && o->only_count)
		return sts_usage_error("truss", "-k shows who made each call, and -c shows none");
	if (o->interval && !o->count)
		return sts_usage_error("truss", "--summary-interval needs -c or -C");
	return GO_ON;
}

int truss_options_parse(int argc, char **argv, struct truss_options *ret)
{
	int option;

	*ret = (struct truss_options){.string_limit = 32,
				      .signals = UINT64_MAX,
				      .events = true,
				      .statuses = TRUSS_ANY_STATUS,
				      .duration_digits = 6,
				      .relative_digits = 6};
	static char name[] = "stasis truss"; /* what getopt(3) complains as */

	argv[0] = name;
	while ((option = getopt_long(argc, argv, "+fp:o:e:s:tTrvxykE:qhP:zZcCwS:", long_options, NULL)) != -1) {
		int r = one_option(ret, option, optarg);

		if (r != GO_ON)
			return r;
	}
	if (argv[optind])
		ret->command = argv + optind;
	return check(ret);
}

void truss_options_free(struct truss_options *o)
{
	truss_paths_free(&o->paths);
	truss_injections_free(&o->injections);
	free(o->programs.patterns);
	free(o->comms.patterns);
	free(o->fds.fds);
	free(o->pids);
}
