# SPDX-License-Identifier: BSD-2-Clause
# The scan: random heaps whose classes are known by other means, looked at by one worker and by several, in the stopped
# program and in its copy.

web()
{
	target=$STS_TARGETS/leaks/target-leaks-web
	[ -x "$target" ] || atf_skip "this build has no target program leaks-web"
}

# sums FILE: class, blocks and bytes of each report, by class.
sums()
{
	/usr/bin/python3 -S -c 'import json, sys
for line in open(sys.argv[1]):
	classes = {}
	for leak in json.loads(line)["leaks"]:
		sum = classes.setdefault(leak["class"], [0, 0])
		sum[0] += leak["blocks"]
		sum[1] += leak["bytes"]
	for name in sorted(classes):
		print(name, *classes[name])' "$1"
}

# look OPTIONS BLOCKS CHECKS SEED...: every report tells what the program does.
look()
{
	options=$1 blocks=$2 checks=$3
	shift 3
	for seed; do
		atf_check -o save:once -e ignore env STASIS_OPTIONS="$options" \
			"$STASIS" leaks --json=found "$target" "$seed" "$blocks" "$checks"
		for i in $(seq 0 "$checks"); do
			cat once
		done >expected
		sums found >sums || atf_fail "no report"
		atf_check diff expected sums
	done
}

sts_tc serial 60 "one worker" require.progs /usr/bin/python3
serial_body()
{
	web
	look scan_threads=1 20000 0 1 2 3 4 5
}

sts_tc parallel 60 "eight workers" require.progs /usr/bin/python3
parallel_body()
{
	web
	look scan_threads=8 20000 0 1 2 3 4 5 6 7 8 9 10
}

sts_tc many 60 "many blocks, as many workers as it sees fit" require.progs /usr/bin/python3
many_body()
{
	web
	look '' 200000 0 11 12
}

sts_tc copy 60 "checks on demand, in a copy, then at the end: all the same" require.progs /usr/bin/python3
copy_body()
{
	web
	look scan_threads=4 50000 3 13 14
}

sts_tc in_place 60 "checks on demand without a copy: marks do not stay" require.progs /usr/bin/python3
in_place_body()
{
	web
	look scan_threads=4:snapshot=0 50000 3 15 16
}

sts_tc few 60 "one block, and few" require.progs /usr/bin/python3
few_body()
{
	web
	look scan_threads=8 1 0 1 2
	look scan_threads=8 70 0 1 2 3
}
