# SPDX-License-Identifier: BSD-2-Clause
# stasis truss given what makes no sense, what there is not, and nowhere to write to.

# refuses STATUS MESSAGE ARGUMENT...: that status, and one message on standard error that matches, nothing else.
refuses()
{
	status=$1 message=$2
	shift 2
	atf_check -s "exit:$status" -o empty -e save:err "$STASIS" "$@"
	grep -q -e "$message" err || atf_fail "stasis $* does not say '$message' but: $(cat err)"
	grep -q '^stasis: ' err || atf_fail "stasis $* does not say who speaks"
	[ "$(grep -c '^stasis' err)" -eq 1 ] || atf_fail "stasis $* has more to say: $(cat err)"
}

# Descriptor 5 becomes a pipe that nobody reads.
broken_pipe()
{
	mkfifo pipe
	exec 4<>pipe 5>pipe 4>&-
}

sts_tc options 60 "options that make no sense are refused with their word, before anything runs"
options_body()
{
	refuses 2 'nosuchcommand' nosuchcommand
	refuses 2 "'x' is not a number of bytes" truss -s x touch ran
	refuses 2 "'-1' is not a number" truss -s -1 touch ran
	refuses 2 "'99999999999999999999999' is not a number" truss -s 99999999999999999999999 touch ran
	refuses 2 "'NOPE' is no signal" truss -e signal=NOPE touch ran
	refuses 2 "'foo=bar'" truss -e foo=bar touch ran
	refuses 2 "is no system call" truss -e trace= touch ran
	refuses 2 "'=' sets no variable" truss -E = touch ran
	refuses 2 "not 'mauve'" truss --color=mauve touch ran
	refuses 2 "'touch' is not a process id" truss -p touch ran
	for pid in 0 -5 99999999999 1.5 0x10 ''; do
		refuses 2 'process id' truss -p "$pid"
	done
	refuses 2 'command or -p' truss -o out
	for option in -o -p -e -s -E --output --nonsense -j; do
		atf_check -s exit:2 -o empty -e match:'^stasis truss: .*option' "$STASIS" truss $option
	done
	[ ! -e ran ] || atf_fail "the command was run all the same"
}

sts_tc programs 60 "programs that there are not, or that cannot run, have statuses as in the shell"
programs_body()
{
	refuses 127 'No such file' truss no-such-program-anywhere
	refuses 127 'No such file' truss ''
	refuses 126 '/: Permission denied' truss /
	printf '#!/no/such/interpreter\n' >script
	: >empty
	chmod +x script empty
	refuses 127 'script: No such file' truss ./script
	refuses 126 'empty: ' truss ./empty
}

sts_tc processes 60 "processes that cannot be had, each with its reason"
processes_body()
{
	refuses 1 'pid 4194304: there is no process' truss -p 4194304
	# One that is there no more.
	true &
	pid=$!
	wait $pid
	refuses 1 "pid $pid: there is no process" truss -p $pid
	# A zombie: its parent, become another program, does not collect it.
	mkfifo hold
	sh -c 'sh -c "read line <hold" & echo $! >zombie; exec sleep 1000' &
	parent=$!
	sts_await grep -q sleep /proc/$parent/comm
	echo end >hold
	sts_await grep -q '^State:.Z' "/proc/$(cat zombie)/status"
	refuses 1 'exited' truss -p "$(cat zombie)"
	kill $parent
	wait $parent || :
}

sts_tc traced 60 "a process that another tracer holds: its name and pid" require.progs strace
traced_body()
{
	mkfifo go
	sh -c 'read line <go; exit 3' &
	pid=$!
	strace -q -o s.out -p $pid &
	tracer=$!
	sts_await grep -q '^TracerPid:.*[1-9]' /proc/$pid/status
	refuses 1 "$tracer" truss -p $pid
	echo word >go
	status=0
	wait $pid || status=$?
	[ $status -eq 3 ] || atf_fail "its status is $status"
	wait $tracer
}

sts_tc init 60 "the first process of a pid namespace, as in a container, is traced and let go" \
	require.user root require.progs unshare
init_body()
{
	cat >first <<-'SCRIPT'
		"$STASIS" truss -o out -p 1 &
		tracer=$!
		while ! grep -q '^TracerPid:.*[1-9]' /proc/1/status; do :; done
		while ! grep -q 'openat.*status' out; do grep -q x /proc/1/status; done
		kill -INT $tracer
		wait $tracer
		echo "status $?, tracer $(sed -n 's/^TracerPid:.//p' /proc/1/status)"
	SCRIPT
	export STASIS
	atf_check -o inline:'status 0, tracer 0\n' timeout 20 unshare --pid --fork --mount-proc sh ./first
}

sts_tc broken_pipe 60 "nobody reads the records: a failure, at once, whether SIGPIPE is ignored or not"
broken_pipe_body()
{
	broken_pipe
	for trap in '' "trap '' PIPE;"; do
		status=0
		sh -c "$trap "'exec timeout -k 1 20 "$0" truss ls / >/dev/null 2>&5' "$STASIS" || status=$?
		[ $status -eq 125 ] || atf_fail "the status is $status"
	done
	exec 5>&-
}

sts_tc broken_pipe_attached 60 "nobody reads the records of a running process: it goes on"
broken_pipe_attached_body()
{
	broken_pipe
	mkfifo go
	sh -c 'read line <go; echo "$line" >said; exit 3' &
	pid=$!
	"$STASIS" truss --split -p $pid 2>&5 &
	status=0
	wait $! || status=$? # the first record, of the call that goes on, is one too many
	[ $status -eq 125 ] || atf_fail "the status of truss is $status"
	grep -q '^TracerPid:.0$' /proc/$pid/status || atf_fail "it is traced still"
	echo word >go
	status=0
	wait $pid || status=$?
	[ $status -eq 3 ] || atf_fail "the status of the process is $status"
	atf_check -o inline:'word\n' cat said
	exec 5>&-
}

sts_tc full_disk_attached 60 "a full disk under the records of a running process: told, and it goes on"
full_disk_attached_body()
{
	mkfifo go
	sh -c 'echo >ready; read line <go; for i in 1 2 3 4 5 6 7 8; do : </dev/null; ls / >/dev/null; done; exit 3' &
	pid=$!
	# Attached while it still did something, truss would have lost a record, and be gone, before anybody looks.
	sts_await test -s ready
	sts_await grep -q '^257 ' "/proc/$pid/syscall" # openat, of go
	"$STASIS" truss -o /dev/full -p $pid 2>err &
	tracer=$!
	sts_await grep -q '^TracerPid:.*[1-9]' /proc/$pid/status
	echo word >go
	status=0
	wait $tracer || status=$?
	[ $status -eq 125 ] || atf_fail "the status of truss is $status"
	atf_check -o match:'/dev/full: records were lost: No space left' cat err
	status=0
	wait $pid || status=$?
	[ $status -eq 3 ] || atf_fail "the status of the process is $status"
}

sts_tc several 60 "if some of several processes cannot be had the others are traced all the same; the status tells"
several_body()
{
	mkfifo go
	sh -c 'echo >ready; read line <go; umask 022; exit 3' &
	pid=$!
	sts_await test -s ready
	"$STASIS" truss -o out -p 4194304 -p "$pid $pid" 2>err &
	tracer=$!
	sts_await grep -q "^TracerPid:[[:space:]]$tracer$" /proc/$pid/status
	echo word >go
	status=0
	wait $tracer || status=$?
	[ $status -eq 1 ] || atf_fail "the status of truss is $status"
	atf_check -o match:'pid 4194304: there is no process' -o match:"pid $pid: .*already" cat err
	atf_check -o match:" umask\(022\) " -o match:'exited with 3' cat out
}

sts_tc output 60 "places that cannot be written to are refused before anything runs"
output_body()
{
	mkdir folder
	refuses 125 'folder: Is a directory' truss -o folder touch ran
	refuses 125 'No such file' truss -o /no/such/dir/file touch ran
	[ ! -e ran ] || atf_fail "the command was run all the same"
	atf_check -s exit:125 -e match:'records were lost' "$STASIS" truss -o '|exit 1' true
}

sts_tc output_forbidden 60 "a file that may not be written to" require.user unprivileged
output_forbidden_body()
{
	refuses 125 '/etc/passwd: Permission denied' truss -o /etc/passwd touch ran
	[ ! -e ran ] || atf_fail "the command was run all the same"
}

sts_tc forbidden 60 "another user's process" require.user unprivileged
forbidden_body()
{
	refuses 1 'pid 1: .*\(user\|capabilit\)' truss -p 1
}

# closed STATUS COMMAND...: run with descriptors 0, 1 and 2 closed, one by one and all, it ends with this status.
closed()
{
	status=$1
	shift
	for closings in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
		got=0
		sh -c "exec \"\$@\" $closings" sh "$@" >/dev/null 2>&1 || got=$?
		[ $got -eq "$status" ] || atf_fail "$*: with $closings the status is $got, not $status"
	done
}

sts_tc closed_descriptors 60 "no standard descriptors: it works all the same, and the program has none either"
closed_descriptors_body()
{
	closed 0 "$STASIS" truss true
	closed 3 "$STASIS" truss -o out sh -c 'exit 3'
	grep -q 'exited with 3' out || atf_fail "the records are lost"
	cat >open <<-'SCRIPT'
		for fd in 0 1 2; do
			[ ! -e /proc/$$/fd/$fd ] || echo $fd
		done >"$1"
	SCRIPT
	for closings in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
		sh -c "exec sh ./open without $closings"
		sh -c "exec \"\$0\" truss -o out sh ./open with $closings" "$STASIS"
		atf_check cmp without with
	done
}

sts_tc help_unwritten 60 "help that cannot be written is a failure, as is a version"
help_unwritten_body()
{
	for words in --help --version 'truss --help' 'doctor --help'; do
		# shellcheck disable=SC2086 # words
		atf_check -s exit:125 -e match:'^stasis: standard output: No space' \
			sh -c '"$0" "$@" >/dev/full' "$STASIS" $words
		atf_check -s exit:125 -e match:'^stasis: standard output: Bad file' sh -c '"$0" "$@" >&-' "$STASIS" $words
		atf_check -o match:. "$STASIS" $words
	done
}
