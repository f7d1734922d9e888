# SPDX-License-Identifier: BSD-2-Clause
# Whom stasis truss follows and whose records it shows: --depth, -p with --tree, --exec, --comm.

# programs OPTION...: what is shown of a pipeline's programs.
programs()
{
	"$STASIS" truss -o t.out "$@" sh -c 'seq 3 | sort -r >out; exec /bin/cat /does/not/exist' 2>/dev/null
	status=$?
	[ $status -eq 1 ] || atf_fail "truss ended with $status"
	atf_check -o inline:'3\n2\n1\n' cat out
}

sts_tc exec 60 "--exec: records of processes that run such programs, from their exec on"
exec_body()
{
	for o in '' --no-seccomp; do
		# shellcheck disable=SC2086 # words
		programs $o -e trace=execve,write,openat,exit_group --exec=seq --exec='/usr/*/cat'
		atf_check -o inline:'2\n' grep -c '~~~ exec ~~~' t.out
		atf_check -o inline:'2\n' grep -c 'execve(' t.out
		atf_check -o match:'execve\("/usr/bin/seq"' -o match:'execve\("/bin/cat"' -o match:'write\(1, "1.n2.n3.n"' \
			-o match:'openat.*"/does/not/exist"' cat t.out
		atf_check -o inline:'2\n' grep -c 'exited with' t.out
		atf_check -s exit:1 -o empty grep -E 'sort|write\(1, "3.n2|fork' t.out
	done
	programs -e trace=execve,write,openat,exit_group '--exec=!seq' '--exec=!cat'
	atf_check -o match:'execve\("/usr/bin/sh"' -o match:'execve\("/usr/bin/sort"' -o match:'write\(1, "3.n2.n1.n"' cat t.out
	atf_check -s exit:1 -o empty grep -E 'write\(1, "1.n|openat.*"/does' t.out
	programs -e trace=execve,exit_group '--exec=s*' '--exec=!*seq'
	atf_check -o match:'"/usr/bin/sort"' cat t.out
}

sts_tc exec_calls 60 "--exec of all shows as much as without it, of none nothing"
exec_calls_body()
{
	kinds()
	{
		sed -n -E 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p; s/^[0-9]+ +([-+~]{3} [a-z]+).*/\1/p' t.out | sort | uniq -c
	}
	programs -e trace=execve,openat,close,exit_group -e signal=none
	kinds >all
	test -s all || atf_fail "nothing was traced"
	programs -e trace=execve,openat,close,exit_group -e signal=none '--exec=*' '--comm=*'
	kinds >same
	atf_check diff all same
	programs --exec=nothing
	atf_check -o empty cat t.out
	programs '--comm=!*'
	atf_check -o empty cat t.out
}

sts_tc exec_count 60 "-c counts what is shown" require.progs /usr/bin/python3
exec_count_body()
{
	programs -c --exec=seq
	atf_check -o inline:'1\n' awk '$NF == "execve" { print $4 }' t.out
	"$STASIS" truss --json -o j --exec=seq -e trace=write sh -c 'echo from sh; seq 1' >/dev/null
	atf_check -o inline:"['seq'] [1]\n" /usr/bin/python3 -S -c 'import json
r = [json.loads(line) for line in open("j")]
print(sorted({x["comm"] for x in r if x.get("call") == "write"}), [x["args"]["count"] - 1 for x in r if x.get("call") == "write"])'
}

sts_tc comm 60 "--comm: records of threads of that name, whoever gave it" require.progs /usr/bin/python3
comm_body()
{
	cat >p.py <<-'END'
	import ctypes, os, threading
	go, done = threading.Event(), threading.Event()
	def self_named():
	    ctypes.CDLL(None).prctl(15, b"worker-1", 0, 0, 0)
	    os.getpgid(11)
	def named_by_other():
	    done.set()
	    go.wait()
	    os.getpgid(12)
	def other():
	    os.getpgid(13)
	for f in self_named, other:
	    t = threading.Thread(target=f)
	    t.start()
	    t.join()
	t = threading.Thread(target=named_by_other)
	t.start()
	done.wait()
	open('/proc/self/task/%d/comm' % t.native_id, 'w').write('worker-2')
	go.set()
	t.join()
	END
	shown()
	{
		"$STASIS" truss -o t.out -e trace=getpgid "$@" /usr/bin/python3 -S p.py || atf_fail "truss failed"
		sed -n -E 's/.*getpgid\(([0-9]+)\).*/\1/p' t.out | tr '\n' ' '
	}
	[ "$(shown --comm='worker*')" = '11 12 ' ] || atf_fail "worker*: $(tr "\n" " " <t.out)"
	[ "$(shown --comm='worker*' '--comm=!*2')" = '11 ' ] || atf_fail "but for one: $(tr "\n" " " <t.out)"
	[ "$(shown '--comm=!worker-1')" = '13 12 ' ] || atf_fail "negated: $(tr "\n" " " <t.out)"
	[ "$(shown --comm=worker-2 --exec='python3*')" = '12 ' ] || atf_fail "with --exec: $(tr "\n" " " <t.out)"
	[ "$(shown --comm=worker-2 --exec=sh)" = '' ] || atf_fail "another program: $(tr "\n" " " <t.out)"
}

sts_tc inject 60 "-e inject: only calls of those whose records are shown"
inject_body()
{
	atf_check -o inline:'18\n0\n' -e ignore "$STASIS" truss -o t.out --exec="target-inject" -e inject=umask:retval=0 \
		sh -c 'umask 022; sh -c "umask" | sed "s/^00*22$/18/"; '"$(sts_target inject) calls 1 | sed -n 's/umask \\(.*\\) 0/\\1/p'"
}

sts_tc depth 60 "--depth: those below are let go, and are as without a tracer"
depth_body()
{
	cat >nest.sh <<-'END'
	status() { while read -r name value; do [ $name != TracerPid: ] || echo $1 $((value != 0)); done </proc/self/status; }
	status 0; (status 1; (status 2; (status 3; exit 3); exit $?); exit $?); exit $?
	END
	for n in 0 1 2 3 9; do
		for o in '-e trace=all' '-e trace=exit_group' -c; do
			# shellcheck disable=SC2086 # words
			atf_check -s exit:3 -o save:said "$STASIS" truss $o -o t.out --depth=$n sh nest.sh
			for i in 0 1 2 3; do
				echo $i $((i <= n))
			done >expected
			atf_check diff expected said
		done
	done
	"$STASIS" truss -o t.out -e trace=exit_group --depth=1 sh nest.sh >/dev/null
	atf_check -o inline:'1\n' grep -c 'fork: child [0-9]*, not followed' t.out
	atf_check -o inline:'1\n' grep -c 'fork: child [0-9]* ~' t.out
	for n in '' -1 x 1x; do
		atf_check -s exit:2 -e match:'is no number of generations' "$STASIS" truss --depth=$n true
	done
}

# A family that waits: each in a file of its own the ids of the shell, its two children and their child.
start_family()
{
	mkfifo go
	# shellcheck disable=SC2016 # for the inner shells
	sh -c 'sh -c "(echo \$\$ >b.tmp; mv b.tmp b; read line <go; exit 3); exit 4" & sh -c "echo \$\$ >c.tmp; mv c.tmp c; read line <go; exit 5" &
		wait; exit 6' &
	family=$!
	sts_await test -s b -a -s c
}

# A line for each of its two readers.
end_family()
{
	exec 9<>go
	echo >&9
	echo >&9
	status=0
	wait $family || status=$?
	exec 9>&-
}

sts_tc tree 60 "-p with --tree: the family that is there, with its shape"
tree_body()
{
	start_family
	"$STASIS" truss -p $family --tree -e trace=exit_group -o t.out 2>err &
	tracer=$!
	sts_await grep -q "^TracerPid:[[:space:]]$tracer$" /proc/"$(cat c)"/status
	for pid in $family $(cat b c) $(cat /proc/"$(cat b)"/task/*/children); do
		atf_check -o match:"TracerPid:.$tracer$" cat /proc/$pid/status
	done
	end_family
	wait $tracer || atf_fail "truss failed"
	[ $status -eq 6 ] || atf_fail "the family ended with $status"
	atf_check -o empty cat err
	sed -n -E -e '1,/^family:$/d' -e 's/\(at [0-9.]+(, for [0-9.]+)?\) //' -e 's/^( *)[0-9]+ /\1/p' t.out | sort >got
	printf '%s\n' 'sh exited with 6' '  sh exited with 4' '    sh exited with 3' '  sh exited with 5' | sort >expected
	atf_check diff expected got
}

sts_tc tree_storm 120 "-p with --tree of a family that goes on bearing children: none missed, none taken twice"
tree_storm_body()
{
	target=$(sts_target family) || exit $?
	for round in 1 2 3 4 5 6; do
		rm -f go stop err
		"$target" >said &
		family=$!
		sts_await sh -c "test \$(cat /proc/$family/task/$family/children | wc -w) -eq 4"
		"$STASIS" truss -p $family --tree -e trace=none 2>err &
		tracer=$!
		# Once it tells of a birth it has taken hold of all.
		sts_await grep -q '~~~ fork' err
		: >go
		lines=$(wc -l <err)
		sts_await sh -c "test \$(wc -l <err) -gt $((lines + 200))"
		: >stop
		status=0
		wait $family || status=$?
		wait $tracer || atf_fail "truss failed in round $round: $(grep stasis err)"
		[ $status -eq 6 ] || atf_fail "the family ended with $status"
		atf_check -o empty cat said
		atf_check -s exit:1 -o empty grep '^stasis' err
	done
}

sts_tc tree_depth 60 "-p with --tree and --depth: no further down" require.progs /usr/bin/python3
tree_depth_body()
{
	start_family
	"$STASIS" truss -p $family --tree --depth=1 --json -o j 2>err &
	tracer=$!
	sts_await grep -q "^TracerPid:[[:space:]]$tracer$" /proc/"$(cat c)"/status
	for pid in $(cat /proc/"$(cat b)"/task/*/children); do
		atf_check -o match:'TracerPid:.0$' cat /proc/$pid/status
	done
	kill -TERM $tracer
	wait $tracer || atf_fail "truss failed: $(cat err)"
	for pid in $family $(cat b c); do
		atf_check -o match:'TracerPid:.0$' cat /proc/$pid/status
	done
	atf_check -o match:'"record":"trailer"' tail -n 1 j
	end_family
	[ $status -eq 6 ] || atf_fail "the family ended with $status"
}
