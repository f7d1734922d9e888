# SPDX-License-Identifier: BSD-2-Clause
# stasis truss -D: the command is its caller's own child; truss works from afar.

# The tracer is nobody's child whose end could be awaited.
await_end()
{
	sts_await grep -q "+++ $1" "$2"
	sts_await sh -c "! kill -0 $(cat tracer) 2>/dev/null"
}

# What the command tells: its own id, and its tracer's.
program='echo $$ >self; sed -n "s/^TracerPid:.//p" /proc/$$/status >tracer; /bin/true; exit 3'

sts_tc child 60 "the command has the id of what was started, and its status is the caller's to collect"
child_body()
{
	for o in -D -DD -DDD --daemonize --daemonize=pgroup --daemonize=session; do
		rm -f self tracer t
		"$STASIS" truss $o -o t -e trace=execve,exit_group sh -c "$program" &
		pid=$!
		status=0
		wait $pid || status=$?
		[ $status -eq 3 ] || atf_fail "$o: it ended with $status"
		[ "$(cat self)" -eq $pid ] || atf_fail "$o: the command is $(cat self), not $pid"
		[ "$(cat tracer)" -gt 0 ] && [ "$(cat tracer)" -ne $pid ] || atf_fail "$o: its tracer is $(cat tracer)"
		await_end 'exited with 3' t
		# All of it was seen, from its first execve on.
		sed -n -E "s/^$pid +([a-z_]+)\\(.*/\\1/p" t >calls
		atf_check -o inline:'execve\nexit_group\n' cat calls
		atf_check -o match:"^$pid +execve\\(\"/[a-z/]*/sh\", \\[\"sh\", \"-c\"" cat t
		atf_check -o inline:'2\n' grep -c 'execve("/[a-z/]*/\(true\|sed\)".* = 0' t
	done
}

sts_tc same 60 "the same calls as without -D"
same_body()
{
	calls()
	{
		sed -n -E 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' "$1" | sort | uniq -c
	}
	"$STASIS" truss -o a cat /etc/passwd >/dev/null
	"$STASIS" truss -D -o b sh -c 'sed -n "s/^TracerPid:.//p" /proc/$$/status >tracer; exec cat /etc/passwd' >/dev/null
	await_end 'exited with 0' b
	sed '1,/execve.*"cat".* = 0$/d' b >b.cat
	sed 1d a >a.cat
	calls a.cat >a.calls
	calls b.cat >b.calls
	test -s a.calls || atf_fail "nothing was traced"
	atf_check diff a.calls b.calls
}

sts_tc distance 60 "-DD has a process group of its own, -DDD a session"
distance_body()
{
	# Group and session of the tracer, and of the command.
	# shellcheck disable=SC2016 # for the inner shell
	look='t=$(sed -n "s/^TracerPid:.//p" /proc/$$/status); echo $t >tracer
		set -- $(sed "s/.*) //" /proc/$t/stat); g=$3 s=$4; set -- $(sed "s/.*) //" /proc/$$/stat)
		[ $g -eq $3 ] && echo group; [ $s -eq $4 ] && echo session; [ $g -eq $t ] && echo leads; :'
	for want in '-D group session' '-DD session leads' '-DDD leads'; do
		"$STASIS" truss ${want%% *} -o t -e trace=none sh -c "$look" >said
		await_end 'exited with 0' t
		echo "${want%% *} $(tr '\n' ' ' <said)" | sed 's/ $//' >got
		atf_check -o inline:"$want\n" cat got
	done
}

sts_tc failures 60 "what cannot be run, or traced, ends as it should"
failures_body()
{
	atf_check -s exit:127 -e match:'nosuchcommand: No such file' "$STASIS" truss -D -o t nosuchcommand
	sts_await grep -q 'exited with 127' t
	atf_check -s exit:126 -e match:'Permission denied' "$STASIS" truss -D -o t /etc/passwd
	sts_await grep -q 'exited with 126' t
	atf_check -s exit:125 -e match:'/no/such/folder/t: No such file' "$STASIS" truss -D -o /no/such/folder/t true
	# shellcheck disable=SC2016 # for the inner shell
	atf_check -s signal:term -e ignore "$STASIS" truss -D -o t sh -c \
		'sed -n "s/^TracerPid:.//p" /proc/$$/status >tracer; kill -TERM $$'
	await_end 'killed by SIGTERM' t
	for o in '-p 1' '-u root true'; do
		# shellcheck disable=SC2086 # words
		atf_check -s exit:2 -e match:'-D needs a command' "$STASIS" truss -D $o
	done
	atf_check -s exit:2 -e match:'is grandchild, pgroup or session' "$STASIS" truss --daemonize=moon true
}
