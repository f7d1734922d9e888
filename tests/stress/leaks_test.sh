# SPDX-License-Identifier: BSD-2-Clause
# Leaks are looked for every 10 ms while eight threads allocate, have threads born and load libraries: none is found,
# for there is none, and nothing breaks.

# A minute each at full length.
duration=$(awk -v f="${STASIS_STRESS_ROUNDS:-0.05}" 'BEGIN { print 60 * f }')

# busy STATUS OPTIONS [lose]: how the program ends, which says what it found.
busy()
{
	status=$1 options=$2
	shift 2
	atf_check -s "exit:$status" -o save:out -e save:err env LD_PRELOAD="$STS_BUILD/libstasis-leaks.so" \
		LSAN_OPTIONS="$options" "$(sts_target zoo-busy)" "$duration" "$@"
	cat out
}

sts_tc in_copies 100 "checks in copies of the program"
in_copies_body()
{
	busy 0 snapshot=1
	[ ! -s err ] || atf_fail "$(cat err)"
}

sts_tc in_place 100 "checks in the stopped program"
in_place_body()
{
	busy 0 snapshot=0
	[ ! -s err ] || atf_fail "$(cat err)"
}

sts_tc one_lost 100 "a block that is lost meanwhile is told of, by every later check, and nothing else"
one_lost_body()
{
	busy 1 exitcode=23 lose
	told=$(grep -c '^SUMMARY: LeakSanitizer: 77 byte(s) leaked in 1 allocation(s)\.$' err)
	[ "$told" -gt 0 ] || atf_fail "$(cat err)"
	atf_check_equal "$told" "$(grep -c SUMMARY err)"
}
