/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of system calls (libseccomp knows them by ABI) and the sets they belong to. */
#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "decode/decode.h"
#include "decode/format.h"

#define NUMBERS 600
#define ABIS 3

static struct {
	pthread_once_t once;
	char names[ABIS][NUMBERS][32];
} cache = {.once = PTHREAD_ONCE_INIT};

static uint32_t arch_token(enum stasis_abi abi)
{
	switch (abi) {
	case STASIS_ABI_I386:
		return SCMP_ARCH_X86;
	case STASIS_ABI_X32:
		return SCMP_ARCH_X32;
	default:
		return SCMP_ARCH_X86_64;
	}
}

static int abi_index(enum stasis_abi abi)
{
	return abi == STASIS_ABI_I386 ? 1 : abi == STASIS_ABI_X32 ? 2 : 0;
}

static void resolve(char name[32], enum stasis_abi abi, int number)
{
	/* libseccomp's x32 numbers carry the ABI's bit. */
	int key = abi == STASIS_ABI_X32 ? number | 0x40000000 : number;
	char *known = seccomp_syscall_resolve_num_arch(arch_token(abi), key);

	snprintf(name, 32, "%s", known ? known : "");
	free(known);
	for (const struct sts_new_call *c = sts_new_calls; !name[0] && c->name; c++)
		if (c->number == (uint64_t)number)
			snprintf(name, 32, "%s", c->name);
	if (!name[0])
		snprintf(name, 32, "syscall_0x%x", number);
}

static void fill(void)
{
	static const enum stasis_abi abis[ABIS] = {STASIS_ABI_X86_64, STASIS_ABI_I386, STASIS_ABI_X32};

	for (int a = 0; a < ABIS; a++)
		for (int n = 0; n < NUMBERS; n++)
			resolve(cache.names[a][n], abis[a], n);
}

const char *sts_decode_name(enum stasis_abi abi, uint64_t number)
{
	static _Thread_local char unknown[40];

	pthread_once(&cache.once, fill);
	if (number < NUMBERS)
		return cache.names[abi_index(abi)][number];
	snprintf(unknown, sizeof unknown, "syscall_0x%llx", (unsigned long long)number);
	return unknown;
}

int64_t sts_decode_number(enum stasis_abi abi, const char *name)
{
	pthread_once(&cache.once, fill);
	for (int n = 0; n < NUMBERS; n++)
		if (strcmp(cache.names[abi_index(abi)][n], name) == 0)
			return n;
	return -1;
}

static int by_name(const void *key, const void *entry)
{
	return strcmp(key, ((const struct sts_call_format *)entry)->name);
}

const struct sts_call_format *sts_call_format_find(const char *name)
{
	/* i386's doubles of 64-bit offsets and ids take the same arguments in the same places. */
	static const char *const twins[][2] = {{"mmap2", "mmap"},    {"stat64", "stat"},	  {"lstat64", "lstat"},
					       {"fstat64", "fstat"}, {"fstatat64", "newfstatat"}, {"fcntl64", "fcntl"},
					       {"waitpid", "wait4"}};

	for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
		if (strcmp(name, twins[i][0]) == 0)
			name = twins[i][1];
	return bsearch(name, sts_call_formats, sts_call_formats_count, sizeof *sts_call_formats, by_name);
}

/* --- filters ----------------------------------------------------------------------- */

static bool takes_kind(const struct sts_call_format *f, enum sts_arg_kind a, enum sts_arg_kind b)
{
	for (int i = 0; f && i < f->n; i++)
		if (f->args[i].kind == a || f->args[i].kind == b)
			return true;
	return false;
}

static bool in_set(const char *set, size_t len, const char *name)
{
	char spaced[48];

	if (len == 4 && strncmp(set, "file", 4) == 0)
		return takes_kind(sts_call_format_find(name), STS_ARG_PATH, STS_ARG_PATH);
	if (len == 4 && strncmp(set, "desc", 4) == 0)
		return takes_kind(sts_call_format_find(name), STS_ARG_FD, STS_ARG_DIRFD);
	snprintf(spaced, sizeof spaced, " %s ", name);
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
	return sts_decode_number(STASIS_ABI_X86_64, name) >= 0 || sts_decode_number(STASIS_ABI_I386, name) >= 0;
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

static bool word_matches(const char *word, size_t len, const char *name)
{
	if (is_word(word, len, "all"))
		return true;
	if (word[0] == '%')
		return in_set(word + 1, len - 1, name);
	return is_word(word, len, name);
}

bool sts_call_filter_match(const struct sts_call_filter *filter, enum stasis_abi abi, uint64_t number)
{
	if (!filter->expression)
		return true;
	const char *name = sts_decode_name(abi, number);

	for (const char *word = filter->expression;;) {
		size_t len = strcspn(word, ",");

		if (word_matches(word, len, name))
			return !filter->negated;
		if (!word[len])
			return filter->negated;
		word += len + 1;
	}
}
