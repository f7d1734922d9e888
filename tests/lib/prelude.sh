# SPDX-License-Identifier: BSD-2-Clause
# What every shell test begins with. STS_BUILD and STS_SOURCE are set before.

STASIS=${STASIS:-$STS_BUILD/stasis}
STS_TARGETS=${STASIS_TARGETS:-$STS_BUILD/tests/targets}

# sts_tc NAME SECONDS DESCRIPTION [METADATA VALUE]...: a case whose body is the
# function NAME_body. Registers it, too: the file needs no atf_init_test_cases.
STS_CASES=
sts_tc()
{
	STS_CASES="$STS_CASES $1"
	atf_test_case "$1"
	eval "$1_head() { sts_head_of '$1' $2; }"
	eval "STS_DESCR_$1=\$3"
	eval "STS_SECONDS_$1=\$2"
	eval "STS_META_$1="
	sts_name=$1
	shift 3
	while [ $# -ge 2 ]; do
		eval "STS_META_$sts_name=\"\$STS_META_$sts_name\$1 \$2
\""
		shift 2
	done
}

sts_head_of()
{
	eval "atf_set descr \"\$STS_DESCR_$1\""
	atf_set timeout "$(awk -v s="$2" -v f="${STASIS_TEST_TIME_FACTOR:-1}" 'BEGIN { printf "%d", s * f }')"
	eval "sts_meta=\$STS_META_$1"
	while read -r sts_key sts_value; do
		[ -z "$sts_key" ] || atf_set "$sts_key" "$sts_value"
	done <<META
$sts_meta
META
}

atf_init_test_cases()
{
	for sts_case in $STS_CASES; do
		atf_add_test_case "$sts_case"
	done
}

# sts_target NAME: the path of a target program; skips the case if this build lacks it.
sts_target()
{
	[ -x "$STS_TARGETS/target-$1" ] || atf_skip "this build has no target program $1"
	echo "$STS_TARGETS/target-$1"
}

# sts_await COMMAND...: until the command succeeds, at most 10 s; then the case fails.
sts_await()
{
	sts_tries=0
	until "$@" >/dev/null 2>&1; do
		sts_tries=$((sts_tries + 1))
		[ "$sts_tries" -lt 200 ] || atf_fail "did not come true: $*"
		sleep 0.05
	done
}
