# SPDX-License-Identifier: BSD-2-Clause
# stasis truss, held against strace and against what the programs themselves say.

# Records without what differs from run to run: pids, addresses, times.
plain()
{
	sed -E -e 's/^[0-9]+ +//' -e 's/0x[0-9a-f]+/ADDR/g' -e 's/si_[us]time=[0-9]+/TIME/g' \
		-e 's/(si_pid|si_status)=[0-9]+/\1=N/g' "$1"
}

# How often each call was made.
calls()
{
	plain "$1" | sed -n -E 's/^([a-z_0-9]+)\(.*/\1/p' | sort | uniq -c
}

# same_calls COMMAND...: truss and strace see the same calls as often.
same_calls()
{
	"$STASIS" truss -o t.out "$@" >/dev/null 2>&1
	strace -f -o s.out "$@" >/dev/null 2>&1
	calls t.out >t.calls
	calls s.out >s.calls
	test -s t.calls || atf_fail "nothing was traced"
	atf_check diff s.calls t.calls
}

sts_tc counts_ls 60 "ls: the calls strace sees, as often" require.progs strace
counts_ls_body()
{
	same_calls ls -la /etc
}

sts_tc counts_cat 60 "cat: the calls strace sees, as often" require.progs strace
counts_cat_body()
{
	same_calls cat /etc/passwd /etc/group /does/not/exist
}

sts_tc counts_shell 60 "a shell with children: the calls strace sees, as often" require.progs strace
counts_shell_body()
{
	same_calls sh -c 'for i in 1 2 3; do /bin/true; done; (exit 3); kill -USR1 $$ || :'
}

sts_tc records 60 "whole records of calls that strace decodes are the same to the letter" require.progs strace
records_body()
{
	set -- cat /etc/hostname /does/not/exist
	"$STASIS" truss -e trace=openat,read,write,close,execve,exit_group,access -o t.out "$@" >/dev/null 2>&1
	strace -f -e trace=openat,read,write,close,execve,exit_group,access -o s.out "$@" >/dev/null 2>&1
	plain t.out >t.plain
	plain s.out >s.plain
	grep -v '^~~~' t.plain >t.calls
	atf_check diff s.plain t.calls
}

sts_tc signals 60 "signals and ends are told as strace tells them" require.progs strace
signals_body()
{
	for what in 'kill -USR1 $$' 'trap : USR1; kill -USR1 $$; exit 5' 'kill -KILL $$' '/bin/true; exit 0'; do
		"$STASIS" truss -e trace=none -e event=none -o t.out sh -c "$what" || :
		strace -f -e trace=none -o s.out sh -c "$what" || :
		plain t.out >t.plain
		plain s.out >s.plain
		test -s t.plain || atf_fail "nothing was told of: $what"
		atf_check diff s.plain t.plain
	done
}

sts_tc status 30 "the program's exit status is passed on"
status_body()
{
	for n in 0 1 7 125 255; do
		atf_check -s exit:$n -o ignore -e ignore "$STASIS" truss sh -c "exit $n"
	done
}

sts_tc death 30 "the program's death by a signal is passed on"
death_body()
{
	atf_check -s signal:term -o ignore -e ignore "$STASIS" truss sh -c 'kill -TERM $$'
	atf_check -s signal:kill -o ignore -e ignore "$STASIS" truss sh -c 'kill -KILL $$'
}

sts_tc births 60 "births are told by kind, and children are followed"
births_body()
{
	atf_check -o ignore -e save:err "$STASIS" truss -e trace=none \
		/usr/bin/python3 -S -c 'import os; os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
if os.fork() == 0: os._exit(4)
os.wait()'
	atf_check -o inline:'1\n' grep -c '~~~ posix-spawn: child [0-9]* ~~~' err
	atf_check -o inline:'1\n' grep -c '~~~ fork: child [0-9]* ~~~' err
	atf_check -o ignore grep 'exited with 4' err
}

sts_tc no_follow 30 "--no-follow lets children go, but tells of them"
no_follow_body()
{
	atf_check -o inline:'3\n' -e save:err "$STASIS" truss --no-follow -e trace=write sh -c '(echo 3)'
	atf_check -o ignore grep 'fork: child [0-9]*, not followed' err
	atf_check -s exit:1 grep 'write(' err
}

sts_tc attach 30 "-p shows a running process, which goes on"
attach_body()
{
	mkfifo go
	sh -c 'read line <go; echo "$line" >said; exit 3' &
	pid=$!
	"$STASIS" truss -o t.out -p $pid &
	tracer=$!
	while ! grep -q '^TracerPid:.*[1-9]' /proc/$pid/status; do :; done
	echo word >go
	status=0
	wait $pid || status=$?
	test $status -eq 3 || atf_fail "its status is $status"
	wait $tracer || atf_fail "truss failed"
	atf_check -o inline:'word\n' cat said
	atf_check -o ignore grep 'write(.*"word' t.out
	atf_check -o ignore grep 'exited with 3' t.out
}

sts_tc bad_input 60 "bad input gets a clear error and its own status"
bad_input_body()
{
	atf_check -s exit:127 -e match:'does/not/exist: .*; ' "$STASIS" truss /does/not/exist
	printf 'no program' >file
	atf_check -s exit:126 -e match:'file: ' "$STASIS" truss ./file
	chmod +x file
	printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0' >arm
	chmod +x arm
	atf_check -s exit:126 -e match:'machine' "$STASIS" truss ./arm
	atf_check -s exit:2 -e match:'nonsense' "$STASIS" truss --nonsense true
	atf_check -s exit:2 -e match:'nosuchcall' "$STASIS" truss -e trace=open,nosuchcall true
	atf_check -s exit:2 -e match:'12x' "$STASIS" truss -p 12x
	atf_check -s exit:2 -e match:'command or -p' "$STASIS" truss
	atf_check -s exit:2 -e match:'together' "$STASIS" truss -p 1 true
	atf_check -s exit:1 -e match:'pid 4194304: ' "$STASIS" truss -p 4194304
	atf_check -s exit:1 -e match:'kernel thread' "$STASIS" truss -p 2
	atf_check -s exit:0 -o match:'Usage: stasis truss' "$STASIS" truss --help
}

sts_tc own_pid 30 "a process that traces itself is refused"
own_pid_body()
{
	# The shell's pid is that of the program it becomes.
	atf_check -s exit:1 -e match:'itself' sh -c 'exec "$0" truss -p $$' "$STASIS"
}

sts_tc full_disk 30 "records that cannot be written are a failure that is told"
full_disk_body()
{
	atf_check -s exit:125 -o ignore -e match:'/dev/full: records were lost: No space' \
		"$STASIS" truss -o /dev/full ls /
	atf_check -s exit:125 -o ignore -e match:'No such file' "$STASIS" truss -o /no/such/dir/file true
	atf_check -s exit:125 -o ignore -e match:'records were lost' "$STASIS" truss -o '|true' sh -c 'ls /; ls /; ls /'
}

sts_tc long_paths 60 "-y: paths of descriptors are whole, however long, in arguments and results"
long_paths_body()
{
	part=$(printf 'p%.0s' $(seq 200))
	folder=$PWD/$part/$part/$part/$part/$part
	mkdir -p "$folder"
	out=$PWD/t.out
	echo text >"$folder/file"
	(cd "$folder" && "$STASIS" truss -y -e trace=openat,read -o "$out" cat file >/dev/null) || atf_fail "truss failed"
	grep '"file"' t.out | sed -E 's/^[0-9]+ +//' >line
	atf_check -o inline:"openat(AT_FDCWD<$folder>, \"file\", O_RDONLY) = 3<$folder/file>\n" cat line
	atf_check -o match:'.' grep -F "read(3<$folder/file>, \"text" t.out
}
