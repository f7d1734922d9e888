/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Letting the kernel tell the calls that are shown from all others. Used without
 * being asked where it can be; why it is not is said to those who want to know.
 */
#include "cli/truss/truss.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#define ABIS (sizeof(((struct stasis_call_set *)0)->bits) / sizeof(((struct stasis_call_set *)0)->bits[0]))

_Static_assert(STASIS_CALL_NUMBERS == STS_FILTER_NUMBERS, "the columns of both are the same");
_Static_assert(sizeof(((struct stasis_call_set *)0)->bits) == sizeof(((struct sts_call_filter *)0)->bits), "likewise");

static void add_named(struct stasis_call_set *set, const char *name)
{
	for (enum stasis_abi abi = STASIS_ABI_X86_64; abi <= STASIS_ABI_X32; abi++) {
		int number = stasis_syscall_number(abi, name);

		if (number >= 0)
			stasis_call_set_add(set, abi, (uint64_t)number);
	}
}

static bool has_named(const struct sts_call_filter *filter, const char *name)
{
	for (enum stasis_abi abi = STASIS_ABI_X86_64; abi <= STASIS_ABI_X32; abi++) {
		int number = stasis_syscall_number(abi, name);

		if (number >= 0 && sts_call_filter_match(filter, abi, (uint64_t)number))
			return true;
	}
	return false;
}

/* What is shown, and what else has to be known: names of threads, other tracers, who cares for CPUs, where rings
 * are, what is mapped. */
static void make_set(const struct truss_options *o, struct stasis_call_set *set)
{
	const struct sts_call_filter *filter = &o->calls;
	static const char *const learnt_from[] = {"prctl", "ptrace", "sched_getaffinity", "sched_setaffinity"};
	static const char *const rings[] = {"io_uring_setup", "mmap", "mmap2"};
	static const char *const maps[] = {"mmap", "mmap2", "munmap", "mprotect", "pkey_mprotect", "mremap"};

	if (!filter->given) {
		memset(set, 0xff, sizeof *set);
		set->others = true;
		return;
	}
	memcpy(set->bits, filter->bits, sizeof set->bits);
	set->others = filter->beyond;
	for (size_t i = 0; i < sizeof learnt_from / sizeof *learnt_from; i++)
		add_named(set, learnt_from[i]);
	for (size_t i = 0; has_named(filter, "io_uring_enter") && i < sizeof rings / sizeof *rings; i++)
		add_named(set, rings[i]);
	truss_injections_add_to(&o->injections, set);
	for (size_t i = 0; o->stacks && i < sizeof maps / sizeof *maps; i++)
		add_named(set, maps[i]);
}

static bool is_whole(const struct sts_call_filter *filter)
{
	const uint64_t *bits = filter->bits[0];

	for (size_t i = 0; i < ABIS * STS_FILTER_NUMBERS / 64; i++)
		if (bits[i] != UINT64_MAX)
			return false;
	return true;
}

static const char *obstacle(const struct truss_options *o)
{
	if (o->no_seccomp)
		return "--no-seccomp";
	if (!o->command || o->daemon)
		return "a running process can be given none";
	if (o->call_limit)
		return "whom --syscall-limit lets go would keep it, and have nobody to answer their calls";
	if (o->no_follow || o->limited)
		return "children that are let go would keep it, and have nobody to answer their calls";
	if (!o->entries && (!o->calls.given || is_whole(&o->calls)))
		return "every call is shown";
	if (!o->seccomp && prctl(PR_GET_SECCOMP) > 0)
		return "calls that the filter over this process refuses would not be seen; --seccomp-bpf accepts that";
	return NULL;
}

static void tell(const struct truss *t, const char *why)
{
	if (t->options.seccomp || (t->options.decode_flags & STASIS_DECODE_VERBOSE && t->options.calls.given))
		sts_complain("truss", "no seccomp filter is used: %s", why);
}

void truss_seccomp_ask(struct truss *t, struct stasis_call_set *set, struct stasis_spawn_opts *opts)
{
	const char *why = obstacle(&t->options);

	if (why) {
		tell(t, why);
		return;
	}
	make_set(&t->options, set);
	opts->calls = set;
	opts->flags |= STASIS_SPAWN_FILTER;
}

bool truss_seccomp_told(struct truss *t)
{
	struct stasis_process_info info;

	if (stasis_process_info_get(t->session, t->command_pid, &info) < 0)
		return false;
	if (info.filter_error == 0)
		return info.filtered;
	if (info.filter_error == -EACCES)
		tell(t,
		     "without CAP_SYS_ADMIN it would take privileges from set-id programs, which they have as things "
		     "are");
	else
		tell(t, stasis_strerror(info.filter_error));
	return false;
}
