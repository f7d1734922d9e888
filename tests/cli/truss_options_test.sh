# SPDX-License-Identifier: BSD-2-Clause
# Options of stasis truss that strace has too: the same outcome, or a word on what to use instead.

# plain FILE...: records made comparable, pids and results that are pids left out.
plain()
{
	sed -E -e 's/^[0-9]+ +//' -e '/^~~~/d' -e 's/0x[0-9a-f]{6,}/ADDR/g' -e 's/[0-9]{3,}( <|$)/N\1/' \
		-e 's/si_pid=[0-9]+/si_pid=N/; s/si_utime=[0-9]+/T/; s/si_stime=[0-9]+/T/' "$@"
}

# same OPTION... COMMAND: the same records as strace's, spaces included; where programs lie is not random.
same()
{
	rm -rf ?.out.* made
	setarch -R strace -ff -o s.out "$@" >/dev/null 2>&1 || :
	rm -rf made
	setarch -R "$STASIS" truss -ff -e event=none -o t.out "$@" >/dev/null 2>&1 || :
	plain s.out.* >s.plain
	plain t.out.* >t.plain
	test -s t.plain || atf_fail "nothing was traced: $*"
	atf_check diff s.plain t.plain
}

sts_tc columns 60 "-a, -n and -i as under strace" require.progs "strace setarch"
columns_body()
{
	calls='openat,read,close,newfstatat,exit_group,getuid'
	same -a 20 -e trace=$calls cat /etc/passwd /does/not/exist
	same -a 0 -e trace=$calls cat /etc/passwd
	same --columns=70 -e trace=$calls cat /etc/passwd
	# strace shows a number and a question mark for what is no call, too.
	same -n -q -q -e signal=none -e trace=$calls cat /etc/passwd
	same -i -q -q -e signal=none -e trace=$calls cat /etc/passwd
	same -n -i -q -q -e signal=none -e trace=umask,mkdir,rmdir "$(sts_target inject)" calls 2
	target=$(sts_target inject-32) || exit $?
	same -n -i -q -q -e signal=none -e trace=umask,mkdir,rmdir "$target" calls 2
	for o in -1 x ''; do
		atf_check -s exit:2 -e match:'is no column' "$STASIS" truss -a "$o" true
	done
}

# What is in a family's files, in an order that does not depend on their ids.
contents()
{
	for f in "$1".*; do
		plain "$f" | tr '\n' ';'
		echo
	done | sort
}

sts_tc separately 60 "-ff -o FILE: the same files as strace's" require.progs "strace setarch"
separately_body()
{
	# shellcheck disable=SC2016 # for the inner shell
	program='(umask 1; exec /bin/true); (umask 2; (umask 3; exit 4)); exit 5'
	atf_check -s exit:5 setarch -R strace -ff -o s -e trace=execve,umask,exit_group -e signal=none sh -c "$program"
	atf_check -s exit:5 setarch -R "$STASIS" truss -ff -o t -e event=none -e trace=execve,umask,exit_group -e signal=none \
		sh -c "$program"
	contents s >s.all
	contents t >t.all
	atf_check -o inline:'3\n' grep -c . t.all
	atf_check diff s.all t.all
	atf_check -s exit:0 "$STASIS" truss -f -f -o t -e trace=none -q true
	atf_check -s exit:2 -e match:'not to a command' "$STASIS" truss -ff -o '|cat' true
	for o in --json -c --tree --split; do
		atf_check -s exit:2 -e match:'-ff does not go' "$STASIS" truss -ff -o t $o true
	done
	# Without a file there is one stream.
	atf_check -e match:'exit_group\(0\)' "$STASIS" truss -ff true
}

sts_tc separately_many 60 "-ff: more files than are open at a time, each whole"
separately_many_body()
{
	mkfifo go
	"$STASIS" truss -ff -o t -e trace=umask -e event=none sh -c 'exec 9<>go; i=0
		while [ $i -lt 300 ]; do (umask 01; echo >>born; read line <&9; umask 02) & i=$((i + 1)); done
		while [ "$(wc -l <born)" -lt 300 ]; do :; done
		while [ $i -gt 0 ]; do echo >&9; i=$((i - 1)); done
		wait' || atf_fail "truss failed"
	atf_check -o inline:'300\n' sh -c 'grep -l "umask(0*1)" t.* | xargs grep -l "umask(0*2)" | wc -l'
}

sts_tc append 60 "-A appends"
append_body()
{
	"$STASIS" truss -o t -e trace=none true
	"$STASIS" truss -A -o t -e trace=none false
	atf_check -o match:'exited with 0' -o match:'exited with 1' cat t
	"$STASIS" truss -o t -e trace=none true
	atf_check -s exit:1 grep 'exited with 1' t
}

sts_tc user 60 "-u: identity and privileges as under strace" require.user root require.progs strace
user_body()
{
	grouped=$(awk -F: '$4 ~ /^[a-z]/ { sub(/,.*/, "", $4); print $4; exit }' /etc/group)
	cp /usr/bin/id suid-id
	chmod 4755 suid-id
	chmod 755 .
	for user in nobody root $grouped; do
		for program in id "$PWD/suid-id"; do
			strace -o s.out -u "$user" "$program" >s.said
			for o in '' '-e trace=openat'; do
				# shellcheck disable=SC2086 # words
				atf_check -o file:s.said "$STASIS" truss $o -o t.out -u "$user" "$program"
			done
		done
	done
	"$STASIS" truss -o t.out -u 65534 id -u >said
	atf_check -o inline:'65534\n' cat said
	atf_check -s exit:126 -e match:"there is no user 'nosuchuser'" "$STASIS" truss -u nosuchuser true
	atf_check -s exit:2 -e match:'-u needs a command' "$STASIS" truss -u root -p 1
}

sts_tc kill_on_exit 15 "--kill-on-exit: the attached die with the tracing"
kill_on_exit_body()
{
	mkfifo go
	sh -c 'read line <go' &
	pid=$!
	"$STASIS" truss --kill-on-exit -p $pid 2>err &
	tracer=$!
	sts_await grep -q "^TracerPid:[[:space:]]$tracer$" /proc/$pid/status
	kill -TERM $tracer
	wait $tracer || :
	status=0
	wait $pid || status=$?
	[ $status -eq 137 ] || atf_fail "it ended with $status"
}

sts_tc syscall_limit 60 "--syscall-limit: so many calls, then all go on alone"
syscall_limit_body()
{
	# shellcheck disable=SC2016 # for the inner shell
	atf_check -o ignore -e ignore "$STASIS" truss --syscall-limit=2 -o t.out -e trace=umask sh -c \
		'umask 01; umask 02; umask 03; while ! grep -q "TracerPid:.0$" /proc/$$/status; do :; done; echo done >done.tmp
		mv done.tmp done'
	atf_check -o inline:'2\n' grep -c 'umask(' t.out
	sts_await test -s done
	for n in 0 x -1 ''; do
		atf_check -s exit:2 -e match:'is no number of calls' "$STASIS" truss --syscall-limit=$n true
	done
}

sts_tc quiet 60 "-q, --quiet and -e quiet"
quiet_body()
{
	for o in -q --quiet --quiet=exit --quiet=attach,exit,personality '-e quiet=all' --silent=exits; do
		# shellcheck disable=SC2086 # words
		"$STASIS" truss $o -o t -e trace=none -e event=none true
		atf_check -o empty cat t
	done
	"$STASIS" truss --quiet=attach -o t -e trace=none -e event=none true
	atf_check -o match:exited cat t
	atf_check -s exit:2 -e match:'nothing to be quiet about' "$STASIS" truss --quiet=nonsense true
}

sts_tc spelling 60 "the other spellings"
spelling_body()
{
	atf_check -o match:'^stasis [0-9]' "$STASIS" truss -V
	atf_check -o match:'^stasis [0-9]' "$STASIS" truss --version
	for o in '-x' '--strings-in-hex=non-ascii' '-xx' '--strings-in-hex' '--strings-in-hex=all'; do
		"$STASIS" truss -o t $o -e trace=write printf ab >/dev/null
		sed -n 's/.*write(1, \(.*\), 2).*/\1/p' t
	done >got
	atf_check -o inline:'"ab"\n"ab"\n"\\x61\\x62"\n"\\x61\\x62"\n"\\x61\\x62"\n' cat got
	atf_check -o match:'"SHLVL|"PATH' sh -c '"$1" truss -e abbrev=none -e trace=execve -o t true; cat t' sh "$STASIS"
}

sts_tc every_option 60 "every option of strace is taken, or refused with a word on what to use" require.progs strace
every_option_body()
{
	strace --help | grep -o -E -- '--[a-z][a-z-]+' | sort -u >long
	strace --help | grep -o -E -- '^ +-[A-Za-z]\b' | tr -d ' ' | sort -u >short
	[ "$(wc -l <long)" -gt 40 ] && [ "$(wc -l <short)" -gt 25 ] || atf_fail "too few options were found"
	while read -r o; do
		"$STASIS" truss $o= true >out 2>err </dev/null || :
		! grep -E 'unrecognized|ambiguous' err || atf_fail "$o"
	done <long
	while read -r o; do
		"$STASIS" truss $o 1 true >out 2>err </dev/null || :
		! grep -E 'invalid option' err || atf_fail "$o"
	done <short
	for o in '-b execve' -d '-O 3' '-X raw' -Y --decode-pids=comm --tips --raw=all '-e raw=all' \
		-e\ verbose=none '-e read=3' '-e write=all' '-e kvm=vcpu'; do
		# shellcheck disable=SC2086 # words
		atf_check -s exit:2 -o empty -e match:'not supported' "$STASIS" truss $o true
	done
}
