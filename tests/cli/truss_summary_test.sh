# SPDX-License-Identifier: BSD-2-Clause
# stasis truss -c and -C: counts as strace's, times that add up.

# rows FILE: "call calls errors" of the first table.
rows()
{
	awk '/^100.00|total$/ { exit } $1 ~ /^[0-9.]+$/ { print $NF, $4, ($5 ~ /\./ ? 0 : $5) }' "$1" | sort
}

sts_tc counts 60 "calls and errors as strace -f -c counts them" require.progs strace
counts_body()
{
	for command in 'ls -la /etc' 'cat /etc/passwd /does/not/exist' '/bin/true; /bin/true; exit 0'; do
		strace -f -c -o s.out sh -c "$command" >/dev/null 2>&1
		"$STASIS" truss -c -o t.out sh -c "$command" >/dev/null 2>&1
		awk 'NR > 2 && $4 ~ /^[0-9]+$/ && $NF != "total" { print $NF, $4, (NF > 5 ? $5 : 0) }' s.out |
			grep -v 'wait4\|rt_sigreturn' | sort >s.rows
		rows t.out | grep -v 'wait4\|rt_sigreturn' >t.rows
		[ "$(wc -l <t.rows)" -gt 10 ] || atf_fail "only $(wc -l <t.rows) kinds of calls"
		atf_check diff s.rows t.rows
		atf_check -s exit:1 grep '~~~\|+++\|---\( \|$\)S' t.out
	done
}

sts_tc clocks 60 "time by the clock and on the CPU" require.progs dd
clocks_body()
{
	"$STASIS" truss -c -e trace=%clock,clock_nanosleep,nanosleep -o t.out sleep 0.3 || atf_fail "truss failed"
	atf_check -o inline:'1 1 1 1 1\n' awk '/nanosleep$/ { print $4, ($2 >= 0.3), ($5 < 0.1), ($6 == $7 && $7 == $8 && $8 == $9),
		($9 >= 300000) }' t.out
	"$STASIS" truss -c -e trace=read -o t.out dd if=/dev/zero of=/dev/null bs=64M count=4 2>dd.err || atf_fail "truss failed"
	atf_check -o match:'^[0-9.]+ yes$' awk '$NF == "read" { print $2, ($5 > 0.002 && $5 <= $2 ? "yes" : $0) }' t.out
}

sts_tc sums 60 "the summary is that of the records" require.progs /usr/bin/python3
sums_body()
{
	"$STASIS" truss -C --json -o t.json sh -c 'for i in 1 2 3; do ls /etc; done; cat /etc/passwd; exit 0' >/dev/null ||
		atf_fail "truss failed"
	atf_check -o ignore /usr/bin/python3 -S "$STS_SOURCE/tests/cli/json_schema.py" "$STS_SOURCE/data/truss.schema.json" t.json
	cat >check.py <<-'END'
	import json
	r = [json.loads(line) for line in open('t.json')]
	calls = [x for x in r if x['record'] == 'syscall' and x['result']]
	tables = [x for x in r if x['record'] == 'summary']
	assert {x['program'] for x in tables} == {None, 'sh', 'ls', 'cat'} and len(tables) == 4
	assert all(x['final'] for x in tables)
	for table in tables:
	    mine = [x for x in calls if table['program'] in (None, x['comm'])]
	    assert {x['call'] for x in mine} == {row['call'] for row in table['calls']}
	    assert [row['wall_ns'] for row in table['calls']] == sorted((row['wall_ns'] for row in table['calls']), reverse=True)
	    for row in table['calls']:
	        ns = sorted(x['duration_ns'] for x in mine if x['call'] == row['call'])
	        errors = sum(x['status'] == 'failed' for x in mine if x['call'] == row['call'])
	        assert (row['calls'], row['errors']) == (len(ns), errors), row
	        assert (row['wall_ns'], row['min_ns'], row['max_ns']) == (sum(ns), ns[0], ns[-1]), (row, ns)
	        assert row['cpu_ns'] <= row['wall_ns'], row
	        for name, share in ('median_ns', 0.5), ('p99_ns', 0.01):
	            exact = ns[len(ns) - int(share * len(ns)) - 1]
	            assert abs(row[name] - exact) <= 0.04 * exact, (row, ns)
	END
	atf_check /usr/bin/python3 -S check.py
}

sts_tc order 60 "-S sorts; names are checked"
order_body()
{
	for column in name calls errors min-time max-time median avg-time cpu; do
		"$STASIS" truss -c -S $column -o t.out ls / >/dev/null || atf_fail "truss failed"
		awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { if (NF < 11) { $11 = $10; $10 = $9; $9 = $8; $8 = $7; $7 = $6; $6 = $5; $5 = 0 }
			print }' t.out >rows
		case $column in
		name) key='-k11,11' ;;
		calls) key='-k4,4nr' ;;
		errors) key='-k5,5nr' ;;
		cpu) key='-k6,6nr' ;;
		min-time) key='-k7,7nr' ;;
		median) key='-k8,8nr' ;;
		max-time) key='-k10,10nr' ;;
		avg-time) key='-k3,3nr' ;;
		esac
		[ "$(wc -l <rows)" -gt 10 ] || atf_fail "only $(wc -l <rows) rows"
		LC_ALL=C atf_check sort -c -s $key rows
	done
	atf_check -s exit:2 -e match:"'luck' is nothing to sort by" "$STASIS" truss -c -S luck true
	atf_check -s exit:2 -e match:'no number of seconds' "$STASIS" truss -c --summary-interval=0 true
	atf_check -s exit:2 -e match:'need -c' "$STASIS" truss --summary-interval=1 true
}

sts_tc so_far 60 "at SIGUSR1 and every N seconds what is known so far, and all goes on"
so_far_body()
{
	mkfifo go
	"$STASIS" truss -c sh -c 'exec 9<>started; echo >&9; read line <go; exit 3' 2>err &
	tracer=$!
	sts_await test -s started
	kill -USR1 $tracer
	sts_await grep -q '^so far:$' err
	sts_await grep -q 'total$' err
	kill -USR1 $tracer
	counts() { [ "$(grep -c '^so far:$' err)" -eq "$1" ]; }
	sts_await counts 2
	echo word >go
	status=0
	wait $tracer || status=$?
	[ $status -eq 3 ] || atf_fail "the status is $status"
	atf_check -o inline:'3\n' grep -c 'total$' err
	"$STASIS" truss -c --summary-interval=1 -o t.out sleep 2.5 || atf_fail "truss failed"
	counts_two() { n=$(grep -c '^so far:$' t.out); [ "$n" -ge 1 ] && [ "$n" -le 3 ]; }
	counts_two || atf_fail "$(grep -c 'so far' t.out) summaries"
}

sts_tc columns 60 "-U chooses columns and their order; the name is never missing"
columns_body()
{
	target=$(sts_target inject)
	"$STASIS" truss -c -U errors,name,calls -o t.out -e inject=mkdir:error=EIO -e trace=mkdir,umask "$target" calls 3 >/dev/null
	atf_check -o inline:'   errors syscall              calls
--------- ---------------- ---------
        3 mkdir                    3
          umask                    3
--------- ---------------- ---------
        3 total                    6
' sh -c 'grep -v umask t.out | sed 3q; grep umask t.out; tail -n 2 t.out'
	"$STASIS" truss -c -S name -U calls -o t.out -e trace=mkdir,umask "$target" calls 3 >/dev/null
	atf_check -o inline:'    calls syscall
--------- ----------------
        3 mkdir
        3 umask
--------- ----------------
        6 total
' cat t.out
	# Every name of strace's is known, and ours.
	for names in time-percent,total-time,min-time,max-time,avg-time,calls,errors,name \
		time,time-total,shortest,longest,time-avg,count,error,syscall percent,total,min,max,median,p99,cpu; do
		"$STASIS" truss -c --summary-columns=$names -o t.out true || atf_fail "$names"
		atf_check -o match:"^[% a-z0-9/-]*$" head -n 1 t.out
	done
	for bad in nonsense calls,count calls, ,calls ''; do
		atf_check -s exit:2 -e match:'is no column, or there twice' "$STASIS" truss -c -U "$bad" true
	done
}

sts_tc processes 60 "--summary-by: each process by itself, each program, or the whole alone" require.progs /usr/bin/python3
processes_body()
{
	"$STASIS" truss -C --json --summary-by=process,all -o t.json sh -c '(cat /none; exit 3); ls / | sort; exec cat /etc/passwd' \
		>out 2>&1 || atf_fail "truss failed"
	atf_check -o ignore /usr/bin/python3 -S "$STS_SOURCE/tests/cli/json_schema.py" "$STS_SOURCE/data/truss.schema.json" t.json
	cat >check.py <<-'END'
	import json
	r = [json.loads(line) for line in open('t.json')]
	calls = [x for x in r if x['record'] == 'syscall' and x['result']]
	tables = [x for x in r if x['record'] == 'summary']
	pids = list(dict.fromkeys(x['pid'] for x in calls))
	assert len(pids) >= 4 and [x.get('pid') for x in tables] == [None] + pids
	for table in tables:
	    mine = [x for x in calls if table.get('pid') in (None, x['pid'])]
	    assert table['program'] == (mine[-1]['comm'] if 'pid' in table else None), table['program']
	    for row in table['calls']:
	        ns = sorted(x['duration_ns'] for x in mine if x['call'] == row['call'])
	        assert (row['calls'], row['wall_ns'], row['min_ns'], row['max_ns']) == (len(ns), sum(ns), ns[0], ns[-1]), row
	        exact = ns[len(ns) - int(0.5 * len(ns)) - 1]
	        assert abs(row['median_ns'] - exact) <= 0.04 * exact, row
	    assert sum(row['calls'] for row in table['calls']) == len(mine)
	END
	atf_check /usr/bin/python3 -S check.py
	"$STASIS" truss -c --summary-by=process -o t.out sh -c '(exit 3); exit 0' || atf_fail "truss failed"
	atf_check -o inline:'2\n' grep -c '^process [0-9]* (sh):$' t.out
	atf_check -o inline:'2\n' grep -c 'total$' t.out
	"$STASIS" truss -c --summary-by=program -o t.out sh -c '/bin/true; exit 0' || atf_fail "truss failed"
	atf_check -o inline:'program sh:\nprogram true:\n' grep '^[a-z]' t.out
	"$STASIS" truss -c --summary-by=all -o t.out sh -c '/bin/true; exit 0' || atf_fail "truss failed"
	atf_check -o inline:'1\n' grep -c 'total$' t.out
	"$STASIS" truss -c --summary-by=process -o t.out true || atf_fail "truss failed"
	atf_check -o match:'^process [0-9]* .true.:$' grep '^[a-z]' t.out
	atf_check -s exit:2 -e match:'all, program and process' "$STASIS" truss -c --summary-by=thread true
	atf_check -s exit:2 -e match:'need -c' "$STASIS" truss --summary-by=all true
}
