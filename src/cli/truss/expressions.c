/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis truss: the expressions of -e, which are strace's. */
#include "cli/truss/truss.h"

#include <errno.h>
#include <string.h>

static int parse_calls(const char *expression, struct sts_call_filter *filter)
{
	const char *bad;
	int r = sts_call_filter_parse(expression, filter, &bad);

	if (r == -EINVAL)
		return sts_usage_error("truss", "'%.*s' is no system call or set of them", (int)strcspn(bad, ","), bad);
	return r < 0 ? truss_out_of_memory() : TRUSS_GO_ON;
}

int truss_list_set(struct truss_options *o, char *expression)
{

	struct sts_call_filter filter;
	const char *name;
	size_t at = 0;
	int r = parse_calls(expression, &filter);

	while (r == TRUSS_GO_ON && (name = sts_call_filter_next(&filter, &at)))
		puts(name);
	return r == TRUSS_GO_ON ? 0 : r;
}

static int set_statuses(struct truss_options *o, char *list)
{
	if (truss_statuses_parse(&o->statuses, list) == 0)
		return TRUSS_GO_ON;
	return sts_usage_error("truss", "'%s': calls are successful, failed, unfinished, detached or unavailable",
			       list);
}

static int set_fds(struct truss_options *o, char *list)
{
	int r = truss_fds_parse(&o->fds, list);

	if (r == -EINVAL)
		return sts_usage_error("truss", "'%s' is no list of descriptors", list);
	return r < 0 ? truss_out_of_memory() : TRUSS_GO_ON;
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
	return TRUSS_GO_ON;
}

static int set_trace(struct truss_options *o, char *expression)
{
	o->calls_named = expression[0] != '!' && strcmp(expression, "all") != 0 && strcmp(expression, "%all") != 0;
	return parse_calls(expression, &o->calls);
}

static int set_events(struct truss_options *o, char *which)
{
	if (strcmp(which, "all") != 0 && strcmp(which, "none") != 0)
		return sts_usage_error("truss", "'%s': -e event is all or none", which);
	o->events = which[0] == 'a';
	return TRUSS_GO_ON;
}

static int add_injection(struct truss_options *o, char *text, bool fault)
{
	int r = truss_injections_add(&o->injections, text, fault);

	return r == -EINVAL ? STS_EXIT_USAGE : r < 0 ? truss_out_of_memory() : TRUSS_GO_ON;
}

static int add_inject(struct truss_options *o, char *text)
{
	return add_injection(o, text, false);
}

static int add_fault(struct truss_options *o, char *text)
{
	return add_injection(o, text, true);
}

/* All or nothing; sets of calls are not told apart. */
static int set_abbrev(struct truss_options *o, char *which)
{
	if (strcmp(which, "all") != 0 && strcmp(which, "none") != 0)
		return sts_usage_error("truss", "'%s': -e abbrev is all or none", which);
	if (which[0] == 'n')
		o->decode_flags |= STASIS_DECODE_VERBOSE;
	else
		o->decode_flags &= ~(unsigned)STASIS_DECODE_VERBOSE;
	return TRUSS_GO_ON;
}

/* NULL is path. */
static int set_decode_fds(struct truss_options *o, char *list)
{
	static const struct {
		const char *name;
		unsigned kinds;
	} kinds[] = {{"path", TRUSS_FD_PATH},	  {"socket", TRUSS_FD_SOCKET}, {"dev", TRUSS_FD_DEVICE},
		     {"pidfd", TRUSS_FD_PROCESS}, {"all", TRUSS_FD_ALL},       {"none", 0}};
	bool negated = list && list[0] == '!';
	unsigned found = list ? 0 : TRUSS_FD_PATH;
	char *word;

	if (negated)
		list++;
	while (list && (word = strsep(&list, ","))) {
		size_t i = 0, n = sizeof kinds / sizeof *kinds;

		while (i < n && strcmp(kinds[i].name, word) != 0)
			i++;
		if (i == n)
			return sts_usage_error("truss", "'%s': of descriptors there are path, socket, dev and pidfd",
					       word);
		found |= kinds[i].kinds;
	}
	o->fd_kinds = negated ? TRUSS_FD_ALL & ~found : found;
	return TRUSS_GO_ON;
}

/* Of what strace can be told to leave out, ends are all there is here. */
static int set_quiet(struct truss_options *o, char *list)
{
	static const char *const others[] = {"attach", "path-resolution", "personality", "thread-execve", "none"};
	char *save = NULL;

	o->quiet |= !list;
	for (char *word = list ? strtok_r(list, ",", &save) : NULL; word; word = strtok_r(NULL, ",", &save)) {
		bool known = strcmp(word, "exit") == 0 || strcmp(word, "exits") == 0 || strcmp(word, "all") == 0;

		o->quiet |= known;
		for (size_t i = 0; i < sizeof others / sizeof *others; i++)
			known |= strcmp(word, others[i]) == 0;
		if (!known)
			return sts_usage_error("truss", "'%s' is nothing to be quiet about", word);
	}
	return TRUSS_GO_ON;
}

/* The names before the equals sign of -e, those that strace takes too. */
static const struct {
	const char *name;
	int (*set)(struct truss_options *o, char *text);
} qualifiers[] = {
	{"trace=", set_trace},
	{"t=", set_trace},
	{"signal=", set_signals},
	{"signals=", set_signals},
	{"s=", set_signals},
	{"status=", set_statuses},
	{"event=", set_events},
	{"fd=", set_fds},
	{"fds=", set_fds},
	{"trace-fds=", set_fds},
	{"trace-fd=", set_fds},
	{"inject=", add_inject},
	{"fault=", add_fault},
	{"quiet=", set_quiet},
	{"silent=", set_quiet},
	{"q=", set_quiet},
	{"abbrev=", set_abbrev},
	{"a=", set_abbrev},
	{"decode-fds=", set_decode_fds},
	{"decode-fd=", set_decode_fds},
};

static const struct {
	const char *name;
	int option;
} refused[] = {
	{"verbose=", TRUSS_REFUSE_RAW}, {"raw=", TRUSS_REFUSE_RAW}, {"read=", TRUSS_REFUSE_DUMP},
	{"write=", TRUSS_REFUSE_DUMP},	{"kvm=", TRUSS_REFUSE_KVM},
};

int truss_qualify(struct truss_options *o, const char *name, char *value)
{
	for (size_t i = 0; i < sizeof qualifiers / sizeof *qualifiers; i++)
		if (strcmp(name, qualifiers[i].name) == 0)
			return qualifiers[i].set(o, value);
	return sts_usage_error("truss", "'%s' is no kind of expression", name);
}

int truss_expression(struct truss_options *o, char *text)
{
	for (size_t i = 0; i < sizeof qualifiers / sizeof *qualifiers; i++) {
		size_t len = strlen(qualifiers[i].name);

		if (strncmp(text, qualifiers[i].name, len) == 0)
			return qualifiers[i].set(o, text + len);
	}
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (strncmp(text, refused[i].name, strlen(refused[i].name)) == 0)
			return sts_usage_error("truss", "-e %s: %s", text, truss_refused(refused[i].option));
	if (strchr(text, '='))
		return sts_usage_error(
			"truss", "'%s': -e knows trace=, signal=, status=, fd=, event=, inject= and fault=", text);
	return set_trace(o, text);
}
