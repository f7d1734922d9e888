# SPDX-License-Identifier: BSD-2-Clause
# stasis doctor: the shape of what it prints, its options and exit statuses.

# What grep needs to see only the lines of checks.
CHECK='^(ok|limited|no) +[a-z0-9-]+ +[^ ]'

ids_of_text()
{
	grep -E "$CHECK" "$1" | awk '{ print $2, $1 }' | sort
}

# JSON on stdin to "id status" lines; fails for what is not as promised.
ids_of_json()
{
	python3 -c '
import json, sys
o = json.load(sys.stdin)
assert set(o) == {"schema_version", "version", "well", "checks"}, o.keys()
assert o["schema_version"] == 1 and isinstance(o["version"], str) and isinstance(o["well"], bool)
for c in o["checks"]:
    assert list(c) == ["id", "status", "detail", "remedy"], c
    assert c["status"] in ("ok", "limited", "no") and c["detail"] and "\n" not in c["detail"], c
    assert c["status"] != "no" or c["id"] != "launch" or not o["well"]
    print(c["id"], c["status"])
' | sort
}

sts_tc text 30 "every line is a heading, empty, or one check, and there are all groups"
text_body()
{
	atf_check -o save:out "$STASIS" doctor
	atf_check -o empty -s exit:1 grep -vE "$CHECK|^[A-Z].*:\$|^\$" out
	atf_check -o inline:'3\n' grep -c '^[A-Z].*:$' out
	for id in kernel yama capabilities seccomp freezer open-files processes kernel-cores perf-events \
		seize interrupt listen syscall-info set-syscall-info signal-mask signal-queue wide-registers exit-kill \
		debug-registers i386 memory-read pidfd map-query children launch attach breakpoints watchpoints; do
		atf_check -o ignore grep -E "^(ok|limited|no) +$id " out
	done
}

sts_tc one_line_each 30 "no check appears twice"
one_line_each_body()
{
	atf_check -o save:out "$STASIS" doctor -p $$
	ids_of_text out | awk '{ print $1 }' | uniq -d >twice
	atf_check -o empty cat twice
}

sts_tc json 30 "the object is as promised, and says the same as the text" require.progs python3
json_body()
{
	atf_check -o save:text "$STASIS" doctor -p $$
	atf_check -o save:json "$STASIS" doctor -p $$ --json
	ids_of_text text >from-text
	ids_of_json <json >from-json || atf_fail "not the promised object"
	atf_check -o empty diff from-text from-json
	atf_check -o inline:'1\n' grep -c '"well":true' json
}

sts_tc json_hostile_name 30 "the name of a process, whatever bytes it has, does not break the object" require.progs python3
json_hostile_name_body()
{
	# A name with a quote, a backslash, an escape and a byte that is no UTF-8.
	python3 - <<'PY' &
import ctypes, signal, sys
ctypes.CDLL(None).prctl(15, b'"\\\x1b\xff}', 0, 0, 0)
open("ready", "w").close()
signal.pause()
PY
	pid=$!
	sts_await test -e ready
	"$STASIS" doctor --json -p $pid >json
	kill $pid
	wait $pid
	ids_of_json <json >ids || atf_fail "not the promised object"
	atf_check -o match:'^process ok' cat ids
}

sts_tc options 30 "wrong usage is status 2 and a word on standard error"
options_body()
{
	atf_check -s exit:2 -e match:'--nonsense: unknown option' -e match:'doctor --help' "$STASIS" doctor --nonsense
	atf_check -s exit:2 -e match:'-p: needs an argument' "$STASIS" doctor -p
	for pid in 12x 0 -5 99999999999999999999 '' ' ' 2147483648; do
		atf_check -s exit:2 -e match:"'$pid' is no process id" "$STASIS" doctor -p "$pid"
	done
	atf_check -s exit:2 -e match:"unexpected argument '123'" "$STASIS" doctor 123
	atf_check -s exit:2 -e match:'purple' "$STASIS" doctor --color=purple
	atf_check -s exit:0 -o match:'^Usage: stasis doctor' "$STASIS" doctor --help
}

sts_tc full_disk 30 "output that cannot be written is a failure, not an answer"
full_disk_body()
{
	atf_check -s exit:125 -e match:'standard output: No space' sh -c '"$1" doctor >/dev/full' sh "$STASIS"
}

sts_tc process 30 "-p tells of a process, with the exit status"
process_body()
{
	atf_check -o match:"^ok +process +process $$ .* can be attached to" "$STASIS" doctor -p $$
	atf_check -o match:"^ok +process +process $$ " "$STASIS" doctor --pid=$$
	atf_check -s exit:1 -o match:'^no +process +there is no process 2147483647 \(STASIS_E_NO_PROCESS\) - ' \
		"$STASIS" doctor -p 2147483647
}

sts_tc color 60 "colours when asked, or when the environment asks, and not by themselves in a pipe"
color_body()
{
	esc=$(printf '\033')
	atf_check -o match:"^$esc\\[32mok$esc\\[0m +kernel " env -u NO_COLOR "$STASIS" doctor --color=always
	atf_check -o match:"^$esc" env NO_COLOR=1 "$STASIS" doctor --color=always
	atf_check -o match:"^$esc" env -u NO_COLOR CLICOLOR_FORCE=1 "$STASIS" doctor
	atf_check -o not-match:"$esc" env -u NO_COLOR -u CLICOLOR_FORCE "$STASIS" doctor
	atf_check -o not-match:"$esc" env NO_COLOR=1 CLICOLOR_FORCE=1 "$STASIS" doctor
	atf_check -o not-match:"$esc" env -u NO_COLOR CLICOLOR_FORCE=0 "$STASIS" doctor
	atf_check -o not-match:"$esc" env CLICOLOR_FORCE=1 "$STASIS" doctor --color=never
}

sts_tc repeated 60 "several at once, and again and again, agree"
repeated_body()
{
	atf_check -o save:first "$STASIS" doctor
	ids_of_text first >wanted
	for round in 1 2 3 4 5; do
		for n in 1 2 3 4; do
			"$STASIS" doctor >"out-$n" &
		done
		wait
		for n in 1 2 3 4; do
			ids_of_text "out-$n" >ids
			atf_check -o empty diff wanted ids
		done
	done
}

sts_tc manual 30 "the manual page names every check and passes its checker" require.progs mandoc
manual_body()
{
	page=$STS_SOURCE/man/stasis-doctor.1
	# What it says of its own data base is no fault of the page's.
	mandoc -Tlint -Wwarning "$page" 2>&1 | grep -v mandoc.db >faults
	atf_check -o empty cat faults
	mandoc -Tascii "$page" | sed "s/.$(printf '\b')//g" >words
	atf_check -o save:out "$STASIS" doctor
	ids_of_text out | awk '{ print $1 }' | sed -n '/^[a-z]/p' >ids
	while read -r id; do
		case $id in
		# Those that follow from the trials are summed up.
		follow | job-control | signals | system-calls | memory | registers | steps | breakpoints | watchpoints | \
			32-bit | die-with-tracer) ;;
		*) grep -qw -e "$id" words || atf_fail "the manual page does not tell of $id" ;;
		esac
	done <ids
}
