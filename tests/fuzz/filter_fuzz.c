// SPDX-License-Identifier: BSD-2-Clause
/* Expressions of -e trace: any text is read or refused with its bad word, and its negation is the rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The names that it gives are those of calls that match by some ABI. */
static void check_names(const struct sts_call_filter *filter)
{
	const char *name;
	size_t at = 0;

	while ((name = sts_call_filter_next(filter, &at))) {
		bool any = false;

		for (enum stasis_abi abi = STASIS_ABI_X86_64; abi <= STASIS_ABI_X32; abi++) {
			int number = stasis_syscall_number(abi, name);

			any |= number < 0 || sts_call_filter_match(filter, abi, (uint64_t)number);
		}
		if (!any)
			abort();
	}
}

/* Calls that make others belong to both sides where some of these are wanted. */
static bool makes_others(enum stasis_abi abi, uint64_t number)
{
	return abi == STASIS_ABI_I386 && ((int)number == stasis_syscall_number(abi, "socketcall") ||
					  (int)number == stasis_syscall_number(abi, "ipc"));
}

static void check_negation(const struct sts_call_filter *filter, const struct sts_call_filter *negated)
{
	for (enum stasis_abi abi = STASIS_ABI_X86_64; abi <= STASIS_ABI_X32; abi++)
		for (uint64_t number = 0; number < 2 * STS_FILTER_NUMBERS; number++)
			if (!makes_others(abi, number) &&
			    sts_call_filter_match(filter, abi, number) == sts_call_filter_match(negated, abi, number))
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[258] = "!";
	struct sts_call_filter filter, negated;
	const char *bad = NULL;

	/* Counts within counts are the C library's to bear. */
	if (size > 256 || memchr(data, '{', size) || memchr(data, '*', size) || memchr(data, '+', size))
		return 0;
	memcpy(text + 1, data, size);
	int r = sts_call_filter_parse(text + 1, &filter, &bad);
	if (r == -EINVAL && (!bad || bad < text + 1 || bad > text + 1 + strlen(text + 1)))
		abort();
	if (r != 0 && r != -EINVAL)
		abort();
	if (sts_call_filter_parse(text, &negated, &bad) != r)
		abort();
	if (r == 0) {
		check_names(&filter);
		check_negation(&filter, &negated);
	}
	return 0;
}
