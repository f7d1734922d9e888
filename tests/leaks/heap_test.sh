# SPDX-License-Identifier: BSD-2-Clause
# The heap, the depot and the modules from inside: scenarios of tests/targets/leaks/inside.c.

# Whether they leak is others' concern.
export STASIS_OPTIONS=detect_leaks=0

# leaks_target NAME: the path of a target; skips the case if this build lacks it.
leaks_target()
{
	[ -x "$STS_TARGETS/leaks/target-leaks-$1" ] || atf_skip "this build has no target program leaks-$1"
	echo "$STS_TARGETS/leaks/target-leaks-$1"
}

inside()
{
	atf_check env LEAKS_PLUG_A="$STS_TARGETS/leaks/leaks-plug-a.so" LEAKS_PLUG_B="$STS_TARGETS/leaks/leaks-plug-b.so" \
		"$(leaks_target inside)" "$1"
}

for scenario in find find_nothing flags marks each hold overhead depot depot_threads depths depth_limit by_turns unloaded unload_storm; do
	sts_tc "$scenario" 60 "$scenario"
	eval "${scenario}_body() { inside $scenario; }"
done
