# SPDX-License-Identifier: BSD-2-Clause
# Sixteen processes that make a million calls at once: stasis truss loses none, whatever it writes.

processes=16
# Of each process, as many of the million as the length of the run asks for.
calls=$(awk -v f="${STASIS_STRESS_ROUNDS:-0.05}" 'BEGIN { n = int(62500 * f); print n < 100 ? 100 : n }')
total=$((processes * calls))

# run NAME OPTION...: traced with these options, and that is all that it says.
run()
{
	name=$1
	shift
	atf_check "$STASIS" truss "$@" -o "$name" "$(sts_target many)" $processes "$calls"
}

# each_has RUN: in the file "pids", the pid of each call: that many processes, each with all its calls.
each_has()
{
	sort pids | uniq -c | awk -v n="$calls" -v p=$processes '$1 == n { good++ } END { exit good != p || NR != p }' ||
		atf_fail "$1: not every process has $calls records"
}

text()
{
	run t.out "$@"
	sed -n -E 's/^([0-9]+) +getppid\(\) += [0-9]+$/\1/p' t.out >pids
	each_has "$*"
	atf_check -s exit:1 grep -e unfinished -e resumed -e detached t.out
}

json()
{
	run t.json --json "$@"
	atf_check -o inline:"$total\n" grep -c '"call":"getppid".*"status":"successful"\|"status":"successful".*"call":"getppid"' t.json
	sed -n -E 's/^\{"record":"syscall","seq":[0-9]+,"pid":([0-9]+),.*"call":"getppid".*/\1/p' t.json >pids
	each_has "$*"
	atf_check -o inline:"$(wc -l <t.json)\n" sed -n -E 's/^\{"record":"trailer",.*"records":([0-9]+)\}$/\1/p' t.json
	atf_check -o inline:"$(grep -c '^{"record":"syscall"' t.json)\n" \
		sed -n -E 's/^\{"record":"trailer",.*"calls":([0-9]+),.*/\1/p' t.json
}

summary()
{
	run t.sum -c "$@"
	atf_check -o inline:"$total\n" awk '$NF == "getppid" { print $4; exit }' t.sum
}

sts_tc text 900 "as text: a whole record of each call, with and without the kernel's filter"
text_body()
{
	text
	text -e trace=getppid
	text -e trace=getppid --no-seccomp --placement=free
}

sts_tc json 900 "as JSON: the same, and the trailer says so"
json_body()
{
	json
	json -e trace=getppid
}

sts_tc summary 900 "in a summary: counted exactly"
summary_body()
{
	summary
	summary -e trace=getppid
}

# peak CALLS OPTION...: the most memory, in KiB, that a trace of so many calls has taken: its tracer's.
peak()
{
	n=$1
	shift
	"$STASIS" truss -o /dev/null "$@" sh -c '"$0" 1 "$1"
		sed -n "s/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$(sed -n "s/^TracerPid:[^0-9]*//p" /proc/$$/status)/status" >peak' \
		"$target" "$n" && cat peak
}

sts_tc memory 900 "memory does not grow with the calls"
memory_body()
{
	target=$(sts_target many) || exit $?
	# Ten million in a run of full length.
	many=$((calls < 62500 ? 16 * calls : 160 * calls))
	for options in '' --json -c '-c -e trace=getppid' '-y --tree'; do
		# shellcheck disable=SC2086 # words
		few_peak=$(peak $((many / 20)) $options) && many_peak=$(peak $many $options) ||
			atf_fail "truss failed"
		echo "${options:-text}: $few_peak KiB, $many_peak KiB with $many calls"
		[ "$many_peak" -lt $((few_peak + 512)) ] || atf_fail "$options: from $few_peak to $many_peak KiB"
	done
}
