/* SPDX-License-Identifier: BSD-2-Clause */
/* Which system calls are meant: strace's expressions, as a bit for each number of each ABI. */
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include "decode/decode.h"
#include "decode/tables.h"

/* An ABI suffix ("open@32") names one column; without, all of them. */
static const struct {
	const char *suffix;
	unsigned columns;
} suffixes[] = {{"@64", 1u << STS_ABI_64}, {"@32", 1u << STS_ABI_32}, {"@x32", 1u << STS_ABI_X32}};
#define ALL_COLUMNS ((1u << STS_ABI_COUNT) - 1)

/* What a word matches: by name, or every call if NULL. */
typedef bool matches(const void *what, const char *name);

static bool is_same(const void *what, const char *name)
{
	return strcmp(what, name) == 0;
}

static bool is_member(const void *what, const char *name)
{
	size_t len = strlen(name);
	const char *at = what;

	while ((at = strstr(at, name)) && (at[-1] != ' ' || at[len] != ' '))
		at++;
	return at != NULL;
}

static bool is_like(const void *what, const char *name)
{
	return regexec(what, name, 0, NULL, 0) == 0;
}

static void set_bit(struct sts_call_filter *f, size_t column, size_t number)
{
	if (number < STS_FILTER_NUMBERS)
		f->bits[column][number / 64] |= UINT64_C(1) << number % 64;
}

/*
 * A call inside another counts for itself; by its name socketcall stands for
 * all that it makes, and in a set for what is none of them.
 */
static bool add_inner(struct sts_call_filter *f, unsigned columns, matches *match, const void *what)
{
	bool any = false;

	for (enum sts_inner kind = 0; kind < STS_INNER_COUNT; kind++) {
		bool all = match == is_same && is_same(what, sts_inner_outer(kind));

		for (unsigned which = 0; which < 32; which++) {
			const char *name = which ? sts_inner_name(kind, which) : sts_inner_outer(kind);

			if (!all && !(name && match(what, name)))
				continue;
			any = true;
			if (columns & 1u << STS_ABI_32)
				f->inner[kind] |= UINT32_C(1) << which;
		}
	}
	return any;
}

/* Add all calls that match; false: there are none. */
static bool add_matching(struct sts_call_filter *f, unsigned columns, matches *match, const void *what)
{
	bool any = add_inner(f, columns, match, what);

	for (size_t column = 0; column < STS_ABI_COUNT; column++) {
		const struct sts_call_table *table = &sts_call_tables[column];

		for (size_t n = 0; n < table->n; n++) {
			if (!table->calls[n] || !match(what, table->calls[n]->name))
				continue;
			any = true;
			if (columns & 1u << column)
				set_bit(f, column, n);
		}
	}
	return any;
}

static void add_all(struct sts_call_filter *f, unsigned columns)
{
	for (size_t column = 0; column < STS_ABI_COUNT; column++)
		if (columns & 1u << column)
			memset(f->bits[column], 0xff, sizeof f->bits[column]);
	if (columns & 1u << STS_ABI_32)
		memset(f->inner, 0xff, sizeof f->inner);
	f->beyond |= columns == ALL_COLUMNS;
}

static const char *set_named(const char *name)
{
	if (strcmp(name, "net") == 0)
		name = "network";
	for (const struct sts_call_set *s = sts_call_sets; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s->calls;
	return NULL;
}

static bool add_regex(struct sts_call_filter *f, unsigned columns, const char *pattern)
{
	regex_t regex;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	bool any = add_matching(f, columns, is_like, &regex);
	regfree(&regex);
	return any;
}

static bool add_number(struct sts_call_filter *f, unsigned columns, const char *text)
{
	char *end;
	unsigned which;
	unsigned long number = strtoul(text, &end, 10);

	if (*end || number >= STS_FILTER_NUMBERS)
		return false;
	for (size_t column = 0; column < STS_ABI_COUNT; column++)
		if (columns & 1u << column)
			set_bit(f, column, number);
	enum sts_inner kind = sts_inner_of(STASIS_ABI_I386, number, 0, &which);
	if (kind < STS_INNER_COUNT && columns & 1u << STS_ABI_32)
		f->inner[kind] = UINT32_MAX;
	return true;
}

/* Cuts the suffix off. */
static unsigned take_columns(char *word)
{
	char *at = strrchr(word, '@');

	for (size_t i = 0; at && i < sizeof suffixes / sizeof *suffixes; i++)
		if (strcmp(at, suffixes[i].suffix) == 0) {
			*at = '\0';
			return suffixes[i].columns;
		}
	return ALL_COLUMNS;
}

static bool add_word(struct sts_call_filter *f, char *word)
{
	bool optional = word[0] == '?';
	unsigned columns = take_columns(word += optional);
	bool known = true;
	const char *set;

	if (strcmp(word, "all") == 0)
		add_all(f, columns);
	else if (word[0] == '/')
		known = add_regex(f, columns, word + 1);
	else if (word[0] >= '0' && word[0] <= '9')
		known = add_number(f, columns, word);
	else if (word[0] == '%' && strcmp(word, "%all") == 0)
		add_all(f, columns);
	else if (word[0] == '%')
		known = (set = set_named(word + 1)) && add_matching(f, columns, is_member, set);
	else if (strcmp(word, "none") != 0)
		/* A name is a call before it is a set: "signal" is both, as under strace. */
		known = word[0] && (add_matching(f, columns, is_same, word) |
				    ((set = set_named(word)) && add_matching(f, columns, is_member, set)));
	return known || optional;
}

static void negate(struct sts_call_filter *f)
{
	for (size_t column = 0; column < STS_ABI_COUNT; column++)
		for (size_t i = 0; i < STS_FILTER_NUMBERS / 64; i++)
			f->bits[column][i] = ~f->bits[column][i];
	for (enum sts_inner kind = 0; kind < STS_INNER_COUNT; kind++)
		f->inner[kind] = ~f->inner[kind];
	f->beyond = !f->beyond;
}

/* A call that makes others is looked at if any of them is wanted. */
static void add_outer(struct sts_call_filter *f)
{
	for (enum sts_inner kind = 0; kind < STS_INNER_COUNT; kind++) {
		int64_t number = stasis_syscall_number(STASIS_ABI_I386, sts_inner_outer(kind));

		if (number >= 0 && f->inner[kind])
			set_bit(f, STS_ABI_32, (size_t)number);
		else if (number >= 0)
			f->bits[STS_ABI_32][number / 64] &= ~(UINT64_C(1) << number % 64);
	}
}

int sts_call_filter_parse(const char *expression, struct sts_call_filter *ret, const char **bad_ret)
{
	struct sts_call_filter filter = {.given = true};
	bool negated = false;

	while (*expression == '!') {
		negated = !negated;
		expression++;
	}
	for (const char *word = expression;; word++) {
		size_t len = strcspn(word, ",");
		char *copy = strndup(word, len);

		if (!copy)
			return -ENOMEM;
		bool good = add_word(&filter, copy);
		free(copy);
		if (!good) {
			*bad_ret = word;
			return -EINVAL;
		}
		word += len;
		if (!*word)
			break;
	}
	if (negated)
		negate(&filter);
	add_outer(&filter);
	*ret = filter;
	return 0;
}

static enum sts_abi_index column_of(enum stasis_abi abi)
{
	return abi == STASIS_ABI_I386 ? STS_ABI_32 : abi == STASIS_ABI_X32 ? STS_ABI_X32 : STS_ABI_64;
}

bool sts_call_filter_match(const struct sts_call_filter *f, enum stasis_abi abi, uint64_t number)
{
	if (!f->given)
		return true;
	if (number >= STS_FILTER_NUMBERS)
		return f->beyond;
	return f->bits[column_of(abi)][number / 64] >> number % 64 & 1;
}

bool sts_call_filter_match_call(const struct sts_call_filter *f, const struct stasis_event_syscall *call)
{
	unsigned which;
	enum sts_inner kind = sts_inner_of(call->abi, call->number, call->args[0], &which);

	if (!f->given || kind == STS_INNER_COUNT)
		return sts_call_filter_match(f, call->abi, call->number);
	return f->inner[kind] >> which & 1;
}

const char *sts_call_filter_next(const struct sts_call_filter *f, size_t *at)
{
	while (*at < sts_call_names_count) {
		const struct sts_call_name *call = &sts_call_names[(*at)++];

		for (size_t column = 0; column < STS_ABI_COUNT; column++) {
			int32_t n = call->numbers[column];

			if (n >= 0 && (!f->given || f->bits[column][n / 64] >> n % 64 & 1))
				return call->name;
		}
	}
	return NULL;
}
