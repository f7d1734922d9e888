/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and numbers of system calls. */
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
