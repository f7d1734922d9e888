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
