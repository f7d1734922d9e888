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
	"  -c, --summary-only       at the end, what calls cost, and nothing else; so far, at SIGUSR1\n"
	"  -C, --summary            the same besides all else\n"
	"  -S, --summary-sort-by=COLUMN  time, cpu, calls, errors, name, min-time, avg-time, median...\n"
	"  -U, --summary-columns=COLUMN,...  these columns only, in this order\n"
	"      --summary-by=LIST    tables of: all, program, process (all,program)\n"
	"      --summary-interval=N the same every N seconds\n"
	"      --tree               at the end, the family: births, programs, times, ends\n"
	"      --format=FORMAT      text; json, the same as --json: a record on each line; chrome-trace:\n"
	"                           for Perfetto and chrome://tracing\n"
	"      --json               JSON, a record on each line\n"
	"      --html=FILE          besides, a page for a browser: the family in time, the slowest calls\n"
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
	"  -y, -yy, --decode-fds=path|socket|dev|pidfd|all|none  show what descriptors lead to;\n"
	"                           -yy: ends of sockets, numbers of devices, processes too\n"
	"  -k, --stack-traces       under each call, by whom it was made; -kk: with lines of the source\n"
	"  -t, -tt, -ttt            time of day, with microseconds, in seconds since 1970\n"
	"  -r, --relative-timestamps  time since the record before\n"
	"  -T, --syscall-times      show how long each call took\n"
	"      --seccomp-bpf        say if the kernel cannot be asked to pass over other calls\n"
	"      --no-seccomp         do not ask it\n"
	"      --no-results         show calls as they are entered, without results: half the stops\n"
	"      --placement=WHERE    CPUs: auto, shared (one with us), free (as the scheduler likes)\n"
	"      --no-fold            show every rt_sigaction of the children of posix_spawn\n"
	"      --split              show calls when they are entered, as on a terminal\n"
	"  -E, --env=VAR[=VALUE]    set or remove a variable for the command\n"
	"  -a, --columns=N          results begin in this column (40)\n"
	"  -n, -i                   show the number of a call, where it is made\n"
	"  -ff                      with -o FILE: a file for each thread, FILE.TID\n"
	"  -A, --output-append-mode append to the file\n"
	"  -D, -DD, -DDD, --daemonize=grandchild|pgroup|session  the command is the caller's child;\n"
	"                           truss a grandchild, in a process group or session of its own\n"
	"  -u, --user=NAME          run the command as this user, with all their groups\n"
	"      --kill-on-exit       when tracing ends, kill what is attached instead of letting it go\n"
	"      --syscall-limit=N    let all go once N calls were shown\n"
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
	OPT_HTML,
	OPT_TREE,
	OPT_INTERVAL,
	OPT_INJECT,
	OPT_FAULT,
	OPT_DEPTH,
	OPT_EXEC,
	OPT_COMM,
	OPT_KILL,
	OPT_SEPARATELY,
	OPT_QUIET,
	OPT_HEX,
	OPT_LIMIT,
	OPT_ABBREV,
	OPT_DECODE_FDS,
	OPT_NO_FOLD,
	OPT_SUMMARY_BY,
	OPT_DAEMON
};

static const struct option long_options[] = {
	{"follow-forks", no_argument, NULL, 'f'},
	{"no-follow", no_argument, NULL, OPT_NO_FOLLOW},
	{"depth", required_argument, NULL, OPT_DEPTH},
	{"exec", required_argument, NULL, OPT_EXEC},
	{"comm", required_argument, NULL, OPT_COMM},
	{"kill-on-exit", no_argument, NULL, OPT_KILL},
	{"syscall-limit", required_argument, NULL, OPT_LIMIT},
	{"output-separately", no_argument, NULL, OPT_SEPARATELY},
	{"output-append-mode", no_argument, NULL, 'A'},
	{"columns", required_argument, NULL, 'a'},
	{"instruction-pointer", no_argument, NULL, 'i'},
	{"syscall-number", no_argument, NULL, 'n'},
	{"user", required_argument, NULL, 'u'},
	{"version", no_argument, NULL, 'V'},
	{"strings-in-hex", optional_argument, NULL, OPT_HEX},
	{"detach-on", required_argument, NULL, 'b'},
	{"daemonize", optional_argument, NULL, OPT_DAEMON},
	{"daemonized", optional_argument, NULL, OPT_DAEMON},
	{"debug", no_argument, NULL, 'd'},
	{"interruptible", required_argument, NULL, 'I'},
	{"summary-syscall-overhead", required_argument, NULL, 'O'},
	{"const-print-style", required_argument, NULL, 'X'},
	{"decode-pids", required_argument, NULL, TRUSS_REFUSE_PIDNS},
	{"tips", optional_argument, NULL, TRUSS_REFUSE_TIPS},
	{"abbrev", required_argument, NULL, OPT_ABBREV},
	{"verbose", required_argument, NULL, TRUSS_REFUSE_RAW},
	{"raw", required_argument, NULL, TRUSS_REFUSE_RAW},
	{"read", required_argument, NULL, TRUSS_REFUSE_DUMP},
	{"write", required_argument, NULL, TRUSS_REFUSE_DUMP},
	{"kvm", required_argument, NULL, TRUSS_REFUSE_KVM},
	{"attach", required_argument, NULL, 'p'},
	{"output", required_argument, NULL, 'o'},
	{"trace", required_argument, NULL, 'e'},
	{"string-limit", required_argument, NULL, 's'},
	{"syscall-times", optional_argument, NULL, 'T'},
	{"env", required_argument, NULL, 'E'},
	{"no-abbrev", no_argument, NULL, 'v'},
	{"decode-fds", optional_argument, NULL, OPT_DECODE_FDS},
	{"stack-traces", optional_argument, NULL, 'k'},
	{"quiet", optional_argument, NULL, OPT_QUIET},
	{"silent", optional_argument, NULL, OPT_QUIET},
	{"silence", optional_argument, NULL, OPT_QUIET},
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
	{"no-fold", no_argument, NULL, OPT_NO_FOLD},
	{"split", no_argument, NULL, OPT_SPLIT},
	{"summary-only", no_argument, NULL, 'c'},
	{"summary", no_argument, NULL, 'C'},
	{"summary-wall-clock", no_argument, NULL, 'w'},
	{"summary-sort-by", required_argument, NULL, 'S'},
	{"summary-columns", required_argument, NULL, 'U'},
	{"summary-by", required_argument, NULL, OPT_SUMMARY_BY},
	{"summary-interval", required_argument, NULL, OPT_INTERVAL},
	{"tree", no_argument, NULL, OPT_TREE},
	{"json", no_argument, NULL, OPT_JSON},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"html", required_argument, NULL, OPT_HTML},
	{NULL, 0, NULL, 0},
};

#define GO_ON TRUSS_GO_ON

int truss_out_of_memory(void)
{
	sts_complain("truss", "%s", strerror(ENOMEM));
	return STS_EXIT_FAILURE;
}

static int add_pid(struct truss_options *o, const char *word)
{
	long pid;

	if (!sts_read_number(word, 1, INT_MAX, &pid))
		return sts_usage_error("truss", "'%s' is not a process id", word);
	pid_t *pids = realloc(o->pids, (o->n_pids + 1) * sizeof *pids);
	if (!pids)
		return truss_out_of_memory();
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

static int set_summaries(struct truss_options *o, char *list)
{
	if (truss_summaries_parse(&o->summaries, list) == 0)
		return GO_ON;
	return sts_usage_error("truss", "--summary-by is a list of all, program and process");
}

static int set_columns(struct truss_options *o, char *list)
{
	const char *bad = truss_columns_parse(list, o->columns);

	return bad ? sts_usage_error("truss", "'%s' is no column, or there twice", bad) : GO_ON;
}

static int set_interval(struct truss_options *o, char *text)
{
	long n;

	if (!sts_read_number(text, 1, 1000000, &n))
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

static int set_page(struct truss_options *o, char *name)
{
	o->html = name;
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
	return truss_paths_add(&o->paths, pattern) < 0 ? truss_out_of_memory() : GO_ON;
}

static int set_depth(struct truss_options *o, char *text)
{
	long n;

	if (!sts_read_number(text, 0, 1000000, &n))
		return sts_usage_error("truss", "'%s' is no number of generations", text);
	o->limited = true;
	o->depth = (unsigned)n;
	return GO_ON;
}

static int add_name(struct truss_names *names, const char *pattern)
{
	if (!pattern[pattern[0] == '!'])
		return sts_usage_error("truss", "'%s' is a pattern of nothing", pattern);
	return truss_names_add(names, pattern) < 0 ? truss_out_of_memory() : GO_ON;
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

static int set_hex(struct truss_options *o, char *which)
{
	if (which && strcmp(which, "non-ascii") != 0 && strcmp(which, "all") != 0)
		return sts_usage_error("truss", "--strings-in-hex is all or non-ascii, not '%s'", which);
	o->decode_flags |= STASIS_DECODE_HEX_STRINGS;
	o->decode_flags |= !which || which[0] == 'a' ? STASIS_DECODE_ALL_HEX : 0;
	return GO_ON;
}

static int set_column(struct truss_options *o, char *text)
{
	long n;

	if (!sts_read_number(text, 0, 10000, &n))
		return sts_usage_error("truss", "'%s' is no column", text);
	o->result_column = (unsigned)n;
	return GO_ON;
}

static int set_call_limit(struct truss_options *o, char *text)
{
	char *end;

	errno = 0;
	o->call_limit = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || o->call_limit == 0)
		return sts_usage_error("truss", "'%s' is no number of calls", text);
	return GO_ON;
}

static int set_daemon(struct truss_options *o, char *where)
{
	static const struct {
		const char *name;
		enum truss_daemon daemon;
	} names[] = {{"grandchild", TRUSS_DAEMON_GRANDCHILD},
		     {"pgroup", TRUSS_DAEMON_GROUP},
		     {"pgrp", TRUSS_DAEMON_GROUP},
		     {"session", TRUSS_DAEMON_SESSION}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(where ? where : "grandchild", names[i].name) == 0) {
			o->daemon = names[i].daemon;
			return GO_ON;
		}
	return sts_usage_error("truss", "--daemonize is grandchild, pgroup or session, not '%s'", where);
}

static int set_user(struct truss_options *o, char *name)
{
	o->user = name;
	return GO_ON;
}

static int follow(struct truss_options *o)
{
	o->separately |= o->follows;
	o->follows = true;
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
	{OPT_NO_FOLD, offsetof(struct truss_options, no_fold)},
	{OPT_SPLIT, offsetof(struct truss_options, split)},
	{'q', offsetof(struct truss_options, quiet)},
	{OPT_KILL, offsetof(struct truss_options, kill_on_exit)},
	{OPT_SEPARATELY, offsetof(struct truss_options, separately)},
	{'A', offsetof(struct truss_options, append)},
	{'i', offsetof(struct truss_options, pointers)},
	{'n', offsetof(struct truss_options, numbers)},
};

/* Options with a value. */
static const struct {
	int option;
	int (*set)(struct truss_options *o, char *value);
} setters[] = {
	{'p', add_pids},
	{'o', set_output},
	{'e', truss_expression},
	{'s', set_limit},
	{OPT_CLOCK, set_clock},
	{'r', set_relative},
	{'T', set_durations},
	{'S', set_sort},
	{'U', set_columns},
	{OPT_INTERVAL, set_interval},
	{OPT_SUMMARY_BY, set_summaries},
	{OPT_PLACEMENT, set_placement},
	{OPT_FORMAT, set_format},
	{OPT_HTML, set_page},
	{'E', set_variable},
	{OPT_LIST_SET, truss_list_set},
	{'P', add_path},
	{'k', add_stacks},
	{OPT_DEPTH, set_depth},
	{OPT_EXEC, add_program},
	{OPT_COMM, add_comm},
	{OPT_COLOR, set_color},
	{'a', set_column},
	{'u', set_user},
	{OPT_DAEMON, set_daemon},
	{OPT_HEX, set_hex},
	{OPT_LIMIT, set_call_limit},
};

/* Options that are expressions of -e by another name. */
static const struct {
	int option;
	const char *name;
} qualified[] = {
	{OPT_FD, "fd="},       {OPT_SIGNAL, "signal="}, {OPT_STATUS, "status="}, {OPT_INJECT, "inject="},
	{OPT_FAULT, "fault="}, {OPT_QUIET, "quiet="},	{OPT_ABBREV, "abbrev="}, {OPT_DECODE_FDS, "decode-fds="},
};

static int other_option(struct truss_options *o, int option)
{
	const char *why = truss_refused(option);

	if (why)
		return sts_usage_error("truss", "%s", why);
	switch (option) {
	case 'f':
		return follow(o);
	case 'w': /* always */
		return GO_ON;
	case 'v':
		o->decode_flags |= STASIS_DECODE_VERBOSE;
		return GO_ON;
	case 'x':
		return add_hex(o);
	case 'D':
		o->daemon += o->daemon < TRUSS_DAEMON_SESSION;
		return GO_ON;
	case 'y':
		o->fd_kinds = o->fd_kinds ? TRUSS_FD_ALL : TRUSS_FD_PATH;
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
	case 'V':
		printf("stasis %s\n", stasis_version());
		return sts_output_end(0);
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
	for (size_t i = 0; i < sizeof qualified / sizeof *qualified; i++)
		if (qualified[i].option == option)
			return truss_qualify(o, qualified[i].name, arg);
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
	if (o->separately && o->output && o->output[0] == '|')
		return sts_usage_error("truss", "-ff writes to files, not to a command");
	if (o->separately && o->output && (o->json || o->chrome || o->count || o->tree || o->split))
		return sts_usage_error(
			"truss", "-ff does not go with --json, --format=chrome-trace, -c, -C, --tree and --split");
	if (o->daemon && (!o->command || o->user))
		return sts_usage_error("truss", "-D needs a command, and does not go with -u");
	if (o->user && !o->command)
		return sts_usage_error("truss", "-u needs a command");
	if ((o->interval || o->summaries) && !o->count)
		return sts_usage_error("truss", "--summary-interval and --summary-by need -c or -C");
	return GO_ON;
}

int truss_options_parse(int argc, char **argv, struct truss_options *ret)
{
	int option;

	*ret = (struct truss_options){.columns = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
				      .string_limit = 32,
				      .signals = UINT64_MAX,
				      .events = true,
				      .statuses = TRUSS_ANY_STATUS,
				      .result_column = 40,
				      .duration_digits = 6,
				      .relative_digits = 6};
	static char name[] = "stasis truss"; /* what getopt(3) complains as */

	argv[0] = name;
	while ((option = getopt_long(argc, argv, "+fp:o:e:s:tTrvxykE:qhP:zZcCwS:Aa:inu:Vb:DdI:O:X:YU:", long_options,
				     NULL)) != -1) {
		int r = one_option(ret, option, optarg);

		if (r != GO_ON)
			return r;
	}
	if (argv[optind])
		ret->command = argv + optind;
	ret->separately &= ret->output != NULL; /* else one stream is all there is */
	int r = check(ret);
	if (!ret->summaries)
		ret->summaries = TRUSS_OF_ALL | TRUSS_OF_PROGRAMS;
	return r;
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
