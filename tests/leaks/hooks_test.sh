# SPDX-License-Identifier: BSD-2-Clause
# LeakSanitizer's weak hooks, defined by the program.

# hooks STATUS ARGUMENT: how the program ends with the library preloaded.
hooks()
{
	LD_PRELOAD=$STS_BUILD/libstasis-leaks.so atf_check -s "exit:$1" -e save:err "$(sts_target zoo-hooks)" "$2"
}

sts_tc default_options 30 "__lsan_default_options() gives the exit status"
default_options_body()
{
	hooks 41 plain
	grep -q 'SUMMARY: LeakSanitizer: 100 byte(s) leaked in 1 allocation(s)' err || atf_fail "$(cat err)"
}

sts_tc options_over_default 30 "LSAN_OPTIONS goes over the program's own"
options_over_default_body()
{
	export LSAN_OPTIONS=exitcode=7
	hooks 7 plain
}

sts_tc turned_off 30 "__lsan_is_turned_off() has nothing looked for"
turned_off_body()
{
	hooks 0 off
	[ ! -s err ] || atf_fail "$(cat err)"
}

sts_tc suppressions 30 "__lsan_default_suppressions() leaves out what it names"
suppressions_body()
{
	hooks 0 suppressed
	! grep -q 'ERROR: LeakSanitizer' err || atf_fail "$(cat err)"
}
