/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of system calls, and the sets they belong to. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "decode/decode.h"
#include "decode/tables.h"

static enum sts_abi_index abi_index(enum stasis_abi abi)
{
	return abi == STASIS_ABI_I386 ? STS_ABI_32 : abi == STASIS_ABI_X32 ? STS_ABI_X32 : STS_ABI_64;
}

const struct sts_call *sts_call_find(enum stasis_abi abi, uint64_t number)
{
	const struct sts_call_table *table = &sts_call_tables[abi_index(abi)];

	return number < table->n ? table->calls[number] : NULL;
}

const char *stasis_syscall_name(enum stasis_abi abi, uint64_t number)
{
	static _Thread_local char unknown[40];
	const struct sts_call *call = sts_call_find(abi, number);

	if (call)
		return call->name;
	snprintf(unknown, sizeof unknown, "syscall_0x%llx", (unsigned long long)number);
	return unknown;
}

static int by_name(const void *key, const void *entry)
{
	return strcmp(key, ((const struct sts_call_name *)entry)->name);
}

int64_t stasis_syscall_number(enum stasis_abi abi, const char *name)
{
	const struct sts_call_name *found =
		bsearch(name, sts_call_names, sts_call_names_count, sizeof *sts_call_names, by_name);

	return found && found->numbers[abi_index(abi)] >= 0 ? found->numbers[abi_index(abi)] : -ENOENT;
}

const struct sts_call *sts_call_named(const char *name)
{
	const struct sts_call_name *found =
		bsearch(name, sts_call_names, sts_call_names_count, sizeof *sts_call_names, by_name);

	return found ? found->call : NULL;
}

bool sts_decode_never_returns(enum stasis_abi abi, uint64_t number)
{
	const struct sts_call *call = sts_call_find(abi, number);

	return call && call->result == STS_RESULT_NONE;
}

/* --- filters ----------------------------------------------------------------------- */

static bool takes_kind(const struct sts_call *call, enum sts_kind_of_type a, enum sts_kind_of_type b)
{
	for (int i = 0; call && i < call->n; i++)
		if (call->args[i].type.kind == a || call->args[i].type.kind == b)
			return true;
	return false;
}

static bool in_set(const char *set, size_t len, const struct sts_call *call)
{
	char spaced[48];

	if (len == 4 && strncmp(set, "file", 4) == 0)
		return takes_kind(call, STS_PATH, STS_PATH);
	if (len == 4 && strncmp(set, "desc", 4) == 0)
		return takes_kind(call, STS_FD, STS_DIRFD);
	if (!call)
		return false;
	snprintf(spaced, sizeof spaced, " %s ", call->name);
	for (const struct sts_call_set *s = sts_call_sets; s->name; s++)
		if (strlen(s->name) == len && strncmp(s->name, set, len) == 0)
			return strstr(s->calls, spaced) != NULL;
	return false;
}

static bool is_set(const char *word, size_t len)
{
	if (len == 4 && (strncmp(word, "file", 4) == 0 || strncmp(word, "desc", 4) == 0))
		return true;
	for (const struct sts_call_set *s = sts_call_sets; s->name; s++)
		if (strlen(s->name) == len && strncmp(s->name, word, len) == 0)
			return true;
	return false;
}

static bool is_word(const char *word, size_t len, const char *text)
{
	return strlen(text) == len && strncmp(word, text, len) == 0;
}

static bool is_known(const char *word, size_t len)
{
	char name[40];

	if (is_word(word, len, "all") || is_word(word, len, "none"))
		return true;
	if (len > 1 && word[0] == '%')
		return is_set(word + 1, len - 1);
	if (len == 0 || len >= sizeof name)
		return false;
	snprintf(name, sizeof name, "%.*s", (int)len, word);
	return bsearch(name, sts_call_names, sts_call_names_count, sizeof *sts_call_names, by_name) != NULL;
}

int sts_call_filter_parse(const char *expression, struct sts_call_filter *ret, const char **bad_ret)
{
	bool negated = expression[0] == '!';
	const char *word = expression + negated;

	for (;;) {
		size_t len = strcspn(word, ",");

		if (!is_known(word, len)) {
			*bad_ret = word;
			return -EINVAL;
		}
		if (!word[len])
			break;
		word += len + 1;
	}
	char *copy = strdup(expression + negated);
	if (!copy)
		return -ENOMEM;
	ret->expression = copy;
	ret->negated = negated;
	return 0;
}

void sts_call_filter_free(struct sts_call_filter *filter)
{
	free(filter->expression);
	filter->expression = NULL;
}

static bool word_matches(const char *word, size_t len, const char *name, const struct sts_call *call)
{
	if (is_word(word, len, "all"))
		return true;
	if (word[0] == '%')
		return in_set(word + 1, len - 1, call);
	return is_word(word, len, name);
}

bool sts_call_filter_match(const struct sts_call_filter *filter, enum stasis_abi abi, uint64_t number)
{
	if (!filter->expression)
		return true;
	const char *name = stasis_syscall_name(abi, number);
	const struct sts_call *call = sts_call_find(abi, number);

	for (const char *word = filter->expression;;) {
		size_t len = strcspn(word, ",");

		if (word_matches(word, len, name, call))
			return !filter->negated;
		if (!word[len])
			return filter->negated;
		word += len + 1;
	}
}
