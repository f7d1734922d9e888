# SPDX-License-Identifier: BSD-2-Clause
# The zoo: each program loses what zoo.table says, and nothing else. Every row is a case.

ZOO_TABLE=$STS_SOURCE/tests/leaks/zoo.table

# classes FILE: definite/indirect/possible blocks of all reports in it, and how many reports those are.
classes()
{
	/usr/bin/python3 -S -c 'import json, sys
reports = [json.loads(line) for line in open(sys.argv[1])]
n = {"definite": 0, "indirect": 0, "possible": 0}
for leak in [leak for r in reports for leak in r["leaks"]]:
    n[leak["class"]] += leak["blocks"]
assert all(r["complete"] and not r["not_stopped"] for r in reports), "incomplete"
print("/".join(map(str, n.values())), len(reports))' "$1"
}

# by_command EXPECTED REPORTS OPTIONS COMMAND...: classes and counts as the command tells them; the program's own status.
by_command()
{
	expected=$1 reports=$2 options=$3
	shift 3
	timeout 20 "$STASIS" leaks --json=report.json --options="$options" "$@" >out 2>err ||
		atf_fail "$*: status $?: $(cat err)"
	found=$(classes report.json) || atf_fail "$*: $(cat report.json)"
	[ "$found" = "$expected $reports" ] || atf_fail "$*: $found, not $expected $reports: $(cat report.json)"
	rm report.json
}

# by_preload EXPECTED OPTIONS COMMAND...: LeakSanitizer's status and sum.
by_preload()
{
	blocks=$(($(echo "$1" | tr / +))) options=$2
	shift 2
	status=0
	LD_PRELOAD=$STS_BUILD/libstasis-leaks.so LSAN_OPTIONS=$options timeout 20 "$@" >out 2>err || status=$?
	told=$(sed -n 's/^SUMMARY: LeakSanitizer: .* in \([0-9]*\) allocation.*/\1/p' err | awk '{ n += $1 } END { print n + 0 }')
	[ "$told" = "$blocks" ] || atf_fail "$*: $told blocks, not $blocks: $(cat err)"
	# A child may be who lost them, and a check in between ends nothing.
	case $status:$blocks in
	0:* | 23:[1-9]*) ;;
	*) atf_fail "$*: status $status" ;;
	esac
}

zoo_case()
{
	target=$(sts_target "$1")
	options=$(echo "$3" | sed 's/^-$//')
	by_command "$4" "$6" "$options" "$target" "$2" held
	by_command "$5" "$6" "$options" "$target" "$2" lost
	by_preload "$4" "$options" "$target" "$2" held
	by_preload "$5" "$options" "$target" "$2" lost
}

while read -r program scenario options held lost reports; do
	case $program in '' | '#'*) continue ;; esac
	name=$scenario
	[ "$program" = zoo ] || name=${program#zoo-}_$scenario
	sts_tc "$name" 90 "$program $scenario: held $held, lost $lost" require.progs "/usr/bin/python3"
	eval "${name}_body() { zoo_case '$program' '$scenario' '$options' '$held' '$lost' '${reports:-1}'; }"
done <"$ZOO_TABLE"

sts_tc whole_copies 30 "the copy of a process that keeps a part of its heap out of copies does not stumble into it"
whole_copies_body()
{
	case $(cat /proc/sys/kernel/core_pattern) in
	[/\|]*) atf_skip "cores are put elsewhere" ;;
	esac
	ulimit -c unlimited 2>/dev/null || atf_skip "no cores may be written"
	LD_PRELOAD=$STS_BUILD/libstasis-leaks.so atf_check "$(sts_target zoo)" dont_fork_heap held
	for core in core*; do
		[ ! -e "$core" ] || atf_fail "it has left $core"
	done
}
