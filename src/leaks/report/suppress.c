// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "leaks/report/suppress.h"
#include "util/cleanup.h"

#define ALL_CLASSES (1u << STS_RAW_DEFINITE | 1u << STS_RAW_INDIRECT | 1u << STS_RAW_POSSIBLE | 1u << STS_RAW_REACHABLE)

/* --- matching ------------------------------------------------------------------------------ */

/* Where the n bytes of `part` are in text: at its start, at its end, or at the first place there is. */
static const char *find_part(const char *text, const char *part, size_t n, bool at_start, bool at_end)
{
	size_t length = strlen(text);
	const char *at = text;

	if (n > length)
		return NULL;
	if (at_end && !at_start)
		at = text + length - n;
	else if (!at_start)
		return memmem(text, length, part, n);
	return memcmp(at, part, n) == 0 && (!at_end || at[n] == '\0') ? at : NULL;
}

/* The parts between the stars must come one after another. */
static bool find_parts(const char *pattern, const char *text, bool at_start)
{
	for (;;) {
		size_t n = strcspn(pattern, "*");
		bool last = pattern[n] == '\0', at_end = last && n > 0 && pattern[n - 1] == '$';
		const char *at = find_part(text, pattern, n - at_end, at_start, at_end);

		if (!at || last)
			return at != NULL;
		text = at + n;
		pattern += n + 1;
		at_start = false;
	}
}

bool sts_pattern_found(const char *pattern, const char *text)
{
	bool at_start = *pattern == '^';

	if (!*text)
		return false;
	return find_parts(pattern + at_start, text, at_start);
}

bool sts_stack_matches(const struct sts_leak_stack *stack, const char *pattern)
{
	for (size_t i = 0; stack && i < stack->n_lines; i++) {
		const struct sts_line *l = &stack->lines[i];

		if (sts_pattern_found(pattern, l->name) || sts_pattern_found(pattern, l->file) ||
		    sts_pattern_found(pattern, l->module) || sts_pattern_found(pattern, l->raw))
			return true;
		/* What LeakSanitizer knows of those, and rules for it name. */
		if (l->gone && sts_pattern_found(pattern, "<unknown module>"))
			return true;
	}
	return false;
}

static bool source_matches(const char *glob, const struct sts_line *l)
{
	const char *base = strrchr(l->file, '/');
	_cleanup_free_ char *with_line = NULL;

	base = base ? base + 1 : l->file;
	if (asprintf(&with_line, "%s:%u", base, l->line) < 0)
		return false;
	return fnmatch(glob, base, 0) == 0 || fnmatch(glob, with_line, 0) == 0;
}

/* Valgrind's names are the linker's; those that people read do as well. */
static bool frame_matches(const char *pattern, const struct sts_line *l)
{
	if (strncmp(pattern, "fun:", 4) == 0)
		return fnmatch(pattern + 4, l->raw, 0) == 0 || fnmatch(pattern + 4, l->name, 0) == 0;
	if (strncmp(pattern, "obj:", 4) == 0)
		return fnmatch(pattern + 4, l->module, 0) == 0;
	return source_matches(pattern + 4, l);
}

static bool frames_match(char **patterns, size_t n, const struct sts_line *lines, size_t n_lines)
{
	if (n == 0)
		return true;
	if (strcmp(patterns[0], "...") != 0)
		return n_lines > 0 && frame_matches(patterns[0], lines) &&
		       frames_match(patterns + 1, n - 1, lines + 1, n_lines - 1);
	for (size_t i = 0; i <= n_lines; i++)
		if (frames_match(patterns + 1, n - 1, lines + i, n_lines - i))
			return true;
	return false;
}

static bool rule_matches(const struct sts_rule *rule, const struct sts_leak *leak)
{
	const struct sts_leak_stack *stack = leak->stack;

	if (!stack || !(rule->classes & 1u << leak->raw.class))
		return false;
	return rule->pattern ? sts_stack_matches(stack, rule->pattern)
			     : frames_match(rule->frames, rule->n_frames, stack->lines, stack->n_lines);
}

static void apply_rule(struct sts_rule *rule, struct sts_leak_report *r)
{
	rule->matched = 0;
	for (size_t i = 0; i < r->n_leaks; i++)
		if (!r->leaks[i].rule && rule_matches(rule, &r->leaks[i]))
			rule->matched += r->leaks[i].raw.blocks;
	if (rule->expired || rule->matched > rule->max)
		return;
	for (size_t i = 0; i < r->n_leaks && rule->matched > 0; i++) {
		struct sts_leak *leak = &r->leaks[i];

		if (leak->rule || !rule_matches(rule, leak))
			continue;
		leak->rule = rule;
		rule->blocks += leak->raw.blocks;
		rule->bytes += leak->raw.bytes;
	}
}

void sts_suppressions_apply(struct sts_suppressions *s, struct sts_leak_report *r)
{
	for (struct sts_rule *rule = s->first; rule; rule = rule->next)
		apply_rule(rule, r);
}

void sts_suppressions_undo(struct sts_leak_report *r)
{
	for (size_t i = 0; i < r->n_leaks; i++) {
		struct sts_leak *leak = &r->leaks[i];

		if (!leak->rule)
			continue;
		leak->rule->blocks -= leak->raw.blocks;
		leak->rule->bytes -= leak->raw.bytes;
		leak->rule = NULL;
	}
}

/* --- reading ------------------------------------------------------------------------------- */

struct parser {
	struct sts_suppressions *to;
	const char *file, *today;
	char *why;
	unsigned line;
	struct sts_rule *block; /* that is being read */
	unsigned in_block;	/* lines of it read so far */
};

static int refuse(const struct parser *p, const char *what, const char *which)
{
	snprintf(p->why, 256, "%s:%u: %s%s%s", p->file, p->line, what, which ? ": " : "", which ? which : "");
	return -EINVAL;
}

static struct sts_rule *new_rule(struct parser *p, const char *name)
{
	struct sts_rule *rule = calloc(1, sizeof(*rule));

	if (!rule)
		return NULL;
	rule->name = strdup(name);
	rule->classes = ALL_CLASSES;
	rule->max = UINT64_MAX;
	if (!rule->name || asprintf(&rule->origin, "%s:%u", p->file, p->line) < 0) {
		free(rule->name);
		free(rule);
		return NULL;
	}
	*p->to->end = rule;
	p->to->end = &rule->next;
	return rule;
}

static bool is_day(const char *text)
{
	return strlen(text) == 10 && strspn(text, "0123456789-") == 10 && text[4] == '-' && text[7] == '-';
}

/* "max=N", "until=YYYY-MM-DD", separated by commas; until ']'. */
static int read_limits(struct parser *p, struct sts_rule *rule, char *limits)
{
	char *save, *end;

	for (char *l = strtok_r(limits, ",", &save); l; l = strtok_r(NULL, ",", &save)) {
		if (strncmp(l, "until=", 6) == 0 && is_day(l + 6)) {
			rule->expired = strcmp(p->today, l + 6) > 0;
			continue;
		}
		if (strncmp(l, "max=", 4) != 0 || l[4] < '0' || l[4] > '9')
			return refuse(p, "neither max=NUMBER nor until=YYYY-MM-DD", l);
		errno = 0;
		rule->max = strtoull(l + 4, &end, 10);
		if (*end || errno)
			return refuse(p, "not a number", l + 4);
	}
	return 0;
}

static int read_leak(struct parser *p, char *text)
{
	char *limits = NULL, *pattern = text + strlen("leak");

	if (*pattern == '[') {
		limits = pattern + 1;
		pattern = strchr(limits, ']');
		if (!pattern)
			return refuse(p, "the limits' ']' is missing", NULL);
		*pattern++ = '\0';
	}
	if (*pattern != ':')
		return refuse(p, "expected 'leak:PATTERN'", text);
	if (!*++pattern)
		return refuse(p, "a rule without a pattern", NULL);
	struct sts_rule *rule = new_rule(p, pattern);
	if (!rule || !(rule->pattern = strdup(pattern)))
		return -ENOMEM;
	return limits ? read_limits(p, rule, limits) : 0;
}

static int read_kinds(struct parser *p, const char *kinds)
{
	struct sts_rule *rule = p->block;
	_cleanup_free_ char *list = strdup(kinds);
	char *save;

	if (!list)
		return -ENOMEM;
	rule->classes = 0;
	for (char *k = strtok_r(list, ", \t", &save); k; k = strtok_r(NULL, ", \t", &save)) {
		unsigned class = STS_RAW_DEFINITE;

		while (class <= STS_RAW_REACHABLE && strcmp(k, sts_leak_class_name(class)) != 0)
			class ++;
		if (strcmp(k, "all") == 0)
			rule->classes = ALL_CLASSES;
		else if (class <= STS_RAW_REACHABLE)
			rule->classes |= 1u << class;
		else if (strcmp(k, "none") != 0)
			return refuse(p, "a kind of leak that is not known", k);
	}
	return 0;
}

static int add_frame(struct sts_rule *rule, const char *text)
{
	char **more = realloc(rule->frames, (rule->n_frames + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	rule->frames = more;
	more[rule->n_frames] = strdup(text);
	return more[rule->n_frames++] ? 0 : -ENOMEM;
}

/* Suppressions of other tools, and of other faults than leaks, are passed over. */
static bool for_leaks(const char *text)
{
	const char *kind = strrchr(text, ':');

	return kind && strcmp(kind + 1, "Leak") == 0;
}

static int read_block_line(struct parser *p, char *text)
{
	switch (p->in_block++) {
	case 0: {
		char *name = strdup(text);

		free(p->block->name);
		p->block->name = name;
		return name ? 0 : -ENOMEM;
	}
	case 1:
		if (!strchr(text, ':'))
			return refuse(p, "expected 'TOOL:KIND'", text);
		if (!for_leaks(text))
			p->block->classes = 0;
		return 0;
	}
	if (strncmp(text, "match-leak-kinds:", 17) == 0)
		return p->block->classes ? read_kinds(p, text + 17) : 0;
	if (strncmp(text, "fun:", 4) != 0 && strncmp(text, "obj:", 4) != 0 && strncmp(text, "src:", 4) != 0 &&
	    strcmp(text, "...") != 0)
		return p->block->classes ? refuse(p, "expected fun:, obj:, src: or ...", text) : 0;
	return add_frame(p->block, text);
}

static int end_block(struct parser *p)
{
	if (p->in_block < 2 || (p->block->classes && p->block->n_frames == 0))
		return refuse(p, "a suppression without kind or frames", NULL);
	p->block = NULL;
	return 0;
}

static int read_line(struct parser *p, char *text)
{
	text += strspn(text, " \t");
	for (size_t n = strlen(text); n > 0 && strchr(" \t\r", text[n - 1]); n--)
		text[n - 1] = '\0';
	if (!*text || *text == '#')
		return 0;
	if (p->block)
		return strcmp(text, "}") == 0 ? end_block(p) : read_block_line(p, text);
	if (strcmp(text, "{") == 0) {
		p->in_block = 0;
		p->block = new_rule(p, "");
		return p->block ? 0 : -ENOMEM;
	}
	if (strncmp(text, "leak", 4) == 0)
		return read_leak(p, text);
	/* Files are shared with other sanitizers. */
	size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz_-");
	if (word > 0 && text[word] == ':')
		return 0;
	return refuse(p, "neither 'leak:PATTERN' nor a block in { }", text);
}

int sts_suppressions_parse(struct sts_suppressions *s, const char *file, const char *text, const char *today,
			   char why[static 256])
{
	struct parser p = {.to = s, .file = file, .today = today, .why = why};
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		p.line++;
		r = read_line(&p, line);
	}
	if (r == 0 && p.block)
		r = refuse(&p, "a block that is not closed", NULL);
	if (r == -ENOMEM)
		snprintf(why, 256, "%s: out of memory", file);
	return r;
}

static int read_all(int fd, char **ret)
{
	size_t size = 0;
	_cleanup_free_ char *text = NULL;

	for (;;) {
		char *more = realloc(text, size + 65536 + 1);

		if (!more)
			return -ENOMEM;
		text = more;
		ssize_t n = read(fd, text + size, 65536);
		if (n < 0 && errno != EINTR)
			return -errno;
		size += n > 0 ? n : 0;
		if (n == 0)
			break;
	}
	text[size] = '\0';
	*ret = text;
	text = NULL;
	return 0;
}

int sts_suppressions_read(struct sts_suppressions *s, const char *path, const char *today, char why[static 256])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	int r = fd < 0 ? -errno : read_all(fd, &text);

	if (r < 0) {
		snprintf(why, 256, "%s: %s", path, strerror(-r));
		return r;
	}
	return sts_suppressions_parse(s, path, text, today, why);
}

void sts_suppressions_init(struct sts_suppressions *s)
{
	s->first = NULL;
	s->end = &s->first;
}

void sts_suppressions_free(struct sts_suppressions *s)
{
	struct sts_rule *rule, *next;

	for (rule = s->first; rule; rule = next) {
		next = rule->next;
		for (size_t i = 0; i < rule->n_frames; i++)
			free(rule->frames[i]);
		free(rule->frames);
		free(rule->pattern);
		free(rule->origin);
		free(rule->name);
		free(rule);
	}
	sts_suppressions_init(s);
}
