# SPDX-License-Identifier: BSD-2-Clause
# stasis truss --tree: the family as the programs made it.

# shape FILE: the family without ids and times.
shape()
{
	sed -n -E -e '1,/^family:$/d' -e 's/\(at [0-9.]+(, for [0-9.]+)?/(/' -e 's/\(, /(/' -e 's/\(\) //' -e 's/^( *)[0-9]+ /\1/p' "$1"
}

sts_tc shell 60 "a shell's children and grandchildren, by kind, with programs and ends"
shell_body()
{
	# shellcheck disable=SC2016 # for the inner shells
	"$STASIS" truss --tree -c -o t.out sh -c '(exit 3); (sh -c "kill -9 \$\$"; /bin/true & wait; exit 4); exit 5' 2>/dev/null
	shape t.out >got
	cat >expected <<-'END'
	sh exited with 5
	  fork exited with 3
	  fork exited with 4
	    vfork: sh killed by SIGKILL
	    fork: true exited with 0
	END
	atf_check diff expected got
}

sts_tc kinds 60 "births of other kinds, several programs in a row, threads" require.progs /usr/bin/python3
kinds_body()
{
	cat >p.py <<-'END'
	import os, threading
	os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', 'exec cat /dev/null'], {'PATH': '/bin'}), 0)
	for i in range(3):
	    t = threading.Thread(target=lambda: None)
	    t.start()
	    t.join()
	END
	"$STASIS" truss --tree -c -o t.out /usr/bin/python3 -S p.py || atf_fail "truss failed"
	shape t.out >got
	atf_check -o match:'^python3 \(4 threads\) exited with 0$' -o match:'^  (vfork|posix-spawn): sh -> cat exited with 0$' cat got
	atf_check -o inline:'2\n' grep -c . got
}

sts_tc times 60 "births and lives in seconds since the beginning"
times_body()
{
	"$STASIS" truss --tree -c -o t.out sh -c '/bin/sleep 0.3; /bin/sleep 0.1; exit 0' || atf_fail "truss failed"
	sed -n -E 's/.* (sh|vfork: sleep|fork: sleep) \(at ([0-9.]+), for ([0-9.]+)\) .*/\2 \3/p' t.out >got
	atf_check -o inline:'3 1 1 1 1 1\n' awk '{ at[NR] = $1; lived[NR] = $2 } END { print NR, (at[1] <= at[2]), (lived[2] >= 0.3),
		(lived[3] >= 0.1), (at[3] >= at[2] + lived[2] - 0.001), (lived[1] >= lived[2] + lived[3]) }' got
}

sts_tc open 60 "what is not followed, and what goes on when the tracing ends"
open_body()
{
	"$STASIS" truss --tree -c --no-follow -o t.out sh -c '(exit 3); exit 0' || atf_fail "truss failed"
	shape t.out >got
	atf_check -o inline:'sh exited with 0\n  fork not followed\n' cat got
	mkfifo go
	sh -c 'read line <go; exit 3' &
	pid=$!
	sts_await grep -q '^sh$' /proc/$pid/comm
	"$STASIS" truss --tree -c -p $pid 2>err &
	tracer=$!
	sts_await grep -q "^TracerPid:[[:space:]]$tracer$" /proc/$pid/status
	sts_await grep -q '^State:[[:space:]]S' /proc/$pid/status
	kill -TERM $tracer
	wait $tracer || :
	echo word >go
	wait $pid || :
	atf_check -o match:"^$pid sh \(at [0-9.]+\) still there$" cat err
	atf_check -s exit:2 -e match:'--tree is text' "$STASIS" truss --tree --json true
}

sts_tc many 60 "a thousand children, three hundred generations"
many_body()
{
	# shellcheck disable=SC2016 # for the inner shell
	"$STASIS" truss --tree -c -e trace=none -o t.out sh -c 'n=0; while [ $n -lt 1000 ]; do n=$((n + 1)); (exit 1); done; exit 0' ||
		atf_fail "truss failed"
	shape t.out | LC_ALL=C sort | uniq -c | sed -E 's/^ +//' >got
	atf_check -o inline:'1000   fork exited with 1\n1 sh exited with 0\n' cat got
	"$STASIS" truss --tree -c -e trace=none -o t.out sh -c 'f() { [ "$1" -eq 0 ] || (f $(($1 - 1))); }; f 300' || atf_fail "truss failed"
	shape t.out >got
	atf_check -o inline:'301\n' grep -c 'exited with 0$' got
}
