# SPDX-License-Identifier: BSD-2-Clause
# The kernel's filter under stasis truss: records are the same with and without it, and nobody is left without an answer.

# Records without what differs from run to run, each process's together.
plain()
{
	sort -s -n -k 1,1 "$1" | sed -E -e 's/^[0-9]+ +//' -e 's/0x[0-9a-f]+/ADDR/g' -e 's/[0-9]{2,}/N/g' | sort
}

filtered()
{
	grep -q 'Seccomp:	2' "$1"
}

sts_tc used 60 "a launched program has the filter where a set of calls is given, and not otherwise"
used_body()
{
	atf_check -o save:with -e ignore "$STASIS" truss -e trace=openat -o t.out cat /proc/self/status
	filtered with || atf_fail "no filter was used"
	atf_check -o save:without -e ignore "$STASIS" truss -e trace=openat --no-seccomp -o t.out cat /proc/self/status
	! filtered without || atf_fail "--no-seccomp was not heeded"
	atf_check -o save:all -e ignore "$STASIS" truss -o t.out cat /proc/self/status
	! filtered all || atf_fail "a filter was used though every call is shown"
	atf_check -o save:let -e ignore "$STASIS" truss --no-follow -e trace=openat -o t.out cat /proc/self/status
	! filtered let || atf_fail "a filter was used though children are let go"
}

sts_tc reasons 60 "where no filter is used, -v and --seccomp-bpf say why"
reasons_body()
{
	reason='^stasis: truss: no seccomp filter is used: '
	atf_check -e match:"${reason}children that are let go" \
		"$STASIS" truss -v --no-follow -e trace=openat -o t.out true
	atf_check -e match:"${reason}every call is shown" "$STASIS" truss --seccomp-bpf -o t.out true
	atf_check -e match:"${reason}--no-seccomp" "$STASIS" truss -v -e trace=openat --no-seccomp -o t.out true
	atf_check -e empty "$STASIS" truss -v -o t.out true
	atf_check -e empty "$STASIS" truss -v -e trace=openat -o t.out true
	mkfifo go
	sh -c 'read line <go' &
	pid=$!
	"$STASIS" truss --seccomp-bpf -e trace=read,exit_group -o t2.out -p $pid 2>err &
	tracer=$!
	sts_await grep -q "${reason}a running process can be given none" err
	echo >go
	wait $tracer
	wait $pid || :
}

# same_records SET COMMAND...
same_records()
{
	set=$1
	shift
	"$STASIS" truss -e trace="$set" -e signal=none -o with.out "$@" >/dev/null 2>&1
	"$STASIS" truss --no-seccomp -e trace="$set" -e signal=none -o without.out "$@" >/dev/null 2>&1
	plain with.out >with
	plain without.out >without
	test -s with || atf_fail "nothing was traced"
	atf_check diff without with
}

sts_tc same_shell 60 "a shell with children: the same records"
same_shell_body()
{
	same_records %process sh -c '/bin/true; /bin/false; (exit 3); cat /etc/passwd | wc -l'
	same_records openat,close,dup2 sh -c '/bin/true; ls /does/not/exist'
}

sts_tc same_exec 60 "programs that spawn, and the calls of none: the same records"
same_exec_body()
{
	same_records %process,clone3,rt_sigaction "$(sts_target births)" posix_spawn exec 0
	same_records none "$(sts_target births)" posix_spawn exec 0
}

sts_tc same_i386 60 "an i386 program: the same records"
same_i386_body()
{
	same_records openat,write,execve,exit_group "$(sts_target births-32)" fork exec 0
}

sts_tc strace_counts 60 "a build: as many calls as strace counts" require.progs "strace make cc"
strace_counts_body()
{
	mkdir src
	for i in 1 2 3 4; do echo "int f$i(void) { return $i; }" >src/f$i.c; done
	printf 'all: f1.o f2.o f3.o f4.o\n%%.o: %%.c\n\tcc -c -o $@ $<\n' >src/Makefile
	# How a child ends its wait depends on when: of the calls only those that do not.
	set=execve,openat,unlink,exit_group,vfork
	"$STASIS" truss -e trace=$set -o t.out make -j2 -C src >/dev/null 2>&1
	rm src/*.o
	strace -f -e trace=$set -o s.out make -j2 -C src >/dev/null 2>&1
	for f in t s; do
		sed -n -E 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' $f.out | sort | uniq -c >$f.calls
	done
	test "$(wc -l <t.calls)" -ge 4 || atf_fail "too few calls"
	atf_check diff s.calls t.calls
}

sts_tc hidden 60 "a child that would be hidden from tracers works, and is shown"
hidden_body()
{
	atf_check -s exit:42 -o match:child -e ignore "$STASIS" truss -e trace=openat,write -o t.out \
		"$(sts_target births)" hidden_fork exit 0
	atf_check -o match:'write\(1, "child' cat t.out
	atf_check -s exit:1 -o empty grep ENOSYS t.out
}

sts_tc privileges 60 "as root the program's privileges are as they were" require.user root
privileges_body()
{
	atf_check -o match:'^NoNewPrivs:	0$' -e empty "$STASIS" truss -e trace=openat -o t.out cat /proc/self/status
}

sts_tc unprivileged 60 "without privileges too there is a filter" require.user unprivileged
unprivileged_body()
{
	atf_check -o match:'^Seccomp:	2$' -e empty "$STASIS" truss -e trace=openat -o t.out cat /proc/self/status
}

sts_tc dies_with_us 60 "if truss is killed, so is the program"
dies_with_us_body()
{
	mkfifo go
	"$STASIS" truss -e trace=execve -o t.out sh -c 'echo $$ >pid.tmp; mv pid.tmp pid; read line <go' &
	tracer=$!
	sts_await test -s pid
	kill -9 $tracer
	wait $tracer || :
	sts_await sh -c "! kill -0 $(cat pid) 2>/dev/null"
}

sts_tc comm 60 "names that threads give themselves are known though prctl is not shown" require.progs python3
comm_body()
{
	cat >name.py <<-EOF2
	import ctypes, os
	ctypes.CDLL(None).prctl(15, b"renamed", 0, 0, 0)
	os.getppid()
	EOF2
	atf_check -e ignore "$STASIS" truss --json -e trace=getppid,getuid -o t.out python3 name.py
	atf_check -o match:'"comm":"renamed".*"call":"getppid"' grep getppid t.out
	atf_check -s exit:1 -o empty grep '"call":"prctl"' t.out
}

sts_tc no_results 60 "--no-results: every call at its entry, as many as strace sees" require.progs strace
no_results_body()
{
	for command in 'ls -la /etc' "$(sts_target births) fork exec 0"; do
		"$STASIS" truss --no-results -o t.out $command >/dev/null 2>&1
		strace -f -o s.out $command >/dev/null 2>&1
		for f in t s; do
			# The first execve was made before there was anything to see it by.
			sed -n -E 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' $f.out | sort | uniq -c |
				awk -v less=$([ $f = s ] && echo 1 || echo 0) '$2 == "execve" { $1 -= less } $1 > 0 { print $1, $2 }' \
				>$f.calls
		done
		test "$(wc -l <t.calls)" -ge 4 || atf_fail "too few calls"
		atf_check diff s.calls t.calls
		atf_check -s exit:1 grep -v -e '= ?$' -e '~~~$' -e '+++$' -e '---$' t.out
	done
	atf_check -o match:'"call":"exit_group".*"result":null' "$STASIS" truss --no-results --json -o /dev/stdout true
	atf_check -s exit:2 -e match:'need results' "$STASIS" truss --no-results -c true
}
