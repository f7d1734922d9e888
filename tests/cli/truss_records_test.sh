# SPDX-License-Identifier: BSD-2-Clause
# Records of stasis truss: whole or split, and their times.

# Several processes at once, each with the same calls every time.
several='for i in 1 2 3 4 5 6 7 8; do ls /etc >/dev/null & done; wait'

sts_tc whole 60 "in files and pipes every call is one record, whoever speaks meanwhile" require.progs strace
whole_body()
{
	calls()
	{
		sed -n -E '/ = \? ERESTART/d; s/^(\[pid +[0-9]+\] |[0-9]+ +)?([a-z_0-9]+)\(.*\) += .*/\2/p' "$1" | grep -v -x 'wait4\|rt_sig[prs].*' |
			sort | uniq -c
	}
	"$STASIS" truss -o t.file sh -c "$several" >/dev/null || atf_fail "truss failed"
	{ "$STASIS" truss sh -c "$several" >/dev/null; } 2>&1 | cat >t.pipe
	"$STASIS" truss -o '|cat >t.command' sh -c "$several" >/dev/null || atf_fail "truss failed"
	# How often the shell waits and is interrupted, also in its fork, differs from run to run.
	strace -f -ff -o s sh -c "$several" >/dev/null
	cat s.* >s.out
	calls s.out >s.calls
	for f in t.file t.pipe t.command; do
		atf_check -s exit:1 grep 'unfinished \.\.\.\|resumed>' $f
		calls $f >t.calls
		test "$(wc -l <t.calls)" -gt 20 || atf_fail "only $(wc -l <t.calls) kinds of calls in $f"
		atf_check diff s.calls t.calls
	done
}

sts_tc split 60 "--split: halves as strace marks them, and on a terminal without being asked" require.progs /usr/bin/python3
split_body()
{
	# The child ends when its parent sleeps: in its wait.
	waited='(until read -r s </proc/$$/stat; test "$s" != "${s#*) S}"; do :; done; exit 3); exit 0'
	"$STASIS" truss --split -e trace=wait4,exit_group -e event=none -o t.out sh -c "$waited" || atf_fail "failed"
	atf_check -o match:'^[0-9]+ +wait4\(-1,  <unfinished \.\.\.>$' \
		-o match:'^[0-9]+ +<\.\.\. wait4 resumed>\[\{WIFEXITED\(s\) && WEXITSTATUS\(s\) == 3\}\], 0, NULL\) = [0-9]+$' cat t.out
	cat >terminal.py <<-'END'
	import os, pty, sys
	pid, master = pty.fork()
	if pid == 0:
	    os.execv(sys.argv[1], sys.argv[1:])
	seen = b''
	try:
	    while True:
	        data = os.read(master, 4096)
	        if not data:
	            break
	        seen += data
	except OSError:
	    pass
	os.waitpid(pid, 0)
	os.write(1, seen.replace(b'\r', b''))
	END
	atf_check -o save:out /usr/bin/python3 -S terminal.py "$STASIS" truss --color=never -e trace=wait4,exit_group \
		sh -c "$waited"
	atf_check -o match:'wait4\(-1,  <unfinished \.\.\.>$' -o match:'<\.\.\. wait4 resumed>' cat out
}

sts_tc times 120 "times look as strace's" require.progs strace
times_body()
{
	for o in -t -tt -ttt -r '-t -r' '-ttt -r' -T '-tt -T -r' --absolute-timestamps=precision:ns --timestamps=unix,ms \
		--absolute-timestamps=format:unix --timestamps --timestamps=s --relative-timestamps=ns --syscall-times=ns \
		--syscall-times=s --absolute-timestamps=format:none,precision:us; do
		# shellcheck disable=SC2086 # words
		strace $o -f -o s.out -e trace=exit_group,close,nanosleep,clock_nanosleep sleep 0
		# shellcheck disable=SC2086 # words
		"$STASIS" truss $o -e event=none -o t.out -e trace=exit_group,close,nanosleep,clock_nanosleep sleep 0
		for f in s t; do
			sed -E -e 's/^[0-9]+ //' -e 's/0x[0-9a-f]+/ADDR/' -e 's/[0-9]/N/g' -e 's/ +=/ =/' $f.out >$f.plain
		done
		test -s t.plain || atf_fail "nothing was traced"
		atf_check diff s.plain t.plain
	done
	for o in --timestamps=later --syscall-times=min --relative-timestamps=x --absolute-timestamps=precision:unix; do
		atf_check -s exit:2 -e match:'precision|no kind of time|option' "$STASIS" truss $o true
	done
}

sts_tc starts 60 "a whole record's time is that of its beginning, with -T of its length" require.progs /usr/bin/python3
starts_body()
{
	"$STASIS" truss -ttt -T -o t.out -e event=none -e signal=none sh -c '/bin/sleep 0.3; exit 0' || atf_fail "failed"
	cat >check.py <<-'END'
	import re, sys
	records = {}
	for line in open('t.out'):
	    m = re.match(r'(\d+) +(\d+\.\d+) (\w+)\(.*<(\d+\.\d+)>$', line)
	    if m:
	        pid, start, call, length = int(m[1]), float(m[2]), m[3], float(m[4])
	        records.setdefault(pid, []).append((start, length, call))
	assert len(records) == 2, records.keys()
	for pid, calls in records.items():
	    for a, b in zip(calls, calls[1:]):
	        assert a[0] + a[1] <= b[0] + 2e-6, (a, b)    # both are cut to microseconds
	everything = sum(records.values(), [])
	sleep = [r for r in everything if r[2] in ('nanosleep', 'clock_nanosleep')]
	assert len(sleep) == 1 and 0.3 <= sleep[0][1] < 5, sleep
	wait = max((r for r in everything if r[2] == 'wait4'), key=lambda r: r[1])
	assert wait[0] <= sleep[0][0] and wait[0] + wait[1] >= sleep[0][0] + sleep[0][1], (wait, sleep)
	END
	atf_check /usr/bin/python3 -S check.py
}
