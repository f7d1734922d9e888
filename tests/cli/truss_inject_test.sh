# SPDX-License-Identifier: BSD-2-Clause
# What stasis truss does to calls: -e inject and -e fault, beside strace and in the program's own eyes.

# Records made comparable.
plain()
{
	sed -E -e 's/^[0-9]+ +//' -e 's/ += / = /' -e '/^~~~/d' -e 's/0x[0-9a-f]{6,}/ADDR/g' "$1"
}

# same SUFFIX EXPRESSION... -- MODE N: the target sees the same and ends in the same way, and the records are the same.
same()
{
	target=$(sts_target "inject$1") || exit $?
	shift
	options=
	while [ "$1" != -- ]; do
		options="$options -e $1"
		shift
	done
	shift
	s=0 t=0
	rm -rf made
	# shellcheck disable=SC2086 # words
	strace -f -o s.out -e trace=umask,mkdir,rmdir,exit_group,exit $options "$target" "$@" >s.said 2>s.err || s=$?
	rm -rf made
	# shellcheck disable=SC2086 # words
	"$STASIS" truss -e event=none -o t.out -e trace=umask,mkdir,rmdir,exit_group,exit $options "$target" "$@" >t.said 2>t.err ||
		t=$?
	[ $s -eq $t ] || atf_fail "$options: truss ended with $t, strace with $s: $(cat t.err)"
	atf_check diff s.said t.said
	plain s.out >s.plain
	plain t.out >t.plain
	test -s t.plain || atf_fail "nothing was traced: $options"
	atf_check diff s.plain t.plain
}

expressions='umask:error=EPERM mkdir:error=ENOSPC:when=1 mkdir,rmdir:error=5:when=2+ umask:retval=42:when=1+2
umask:retval=0x7fffffff:when=2..3 %file:error=ENOENT:when=1..3+2 umask,mkdir,rmdir:error=EIO:when=3 umask:retval=-5000
/^mk:error=999 umask:retval=7:syscall=getuid mkdir:delay_enter=1000:when=2 mkdir:delay_exit=1ms:retval=0
mkdir:poke_enter=@arg1=6d616465 mkdir:poke_enter=@arg1=6d616464:when=2:retval=0 /^(umask|rmdir):retval=1:when=4
umask:signal=28:when=2 exit_group:error=EPERM:when=1'

sts_tc strace 120 "outcome and records are strace's" require.progs strace
strace_body()
{
	for e in $expressions; do
		same '' "inject=$e" -- calls 4
	done
	same '' fault=umask -- calls 2
	same '' fault=mkdir:error=EROFS:when=2 -- calls 2
}

sts_tc strace_32 120 "the same for i386" require.progs strace
strace_32_body()
{
	for e in $expressions; do
		same -32 "inject=$e" -- calls 4
	done
}

sts_tc several 60 "of several injections for a call the last counts" require.progs strace
several_body()
{
	same '' inject=umask:retval=1 inject=mkdir:error=EIO -- calls 2
	same '' inject=umask:retval=1 inject=umask,mkdir:error=EIO:when=2 -- calls 3
	same '' inject=umask,mkdir:error=EIO:when=2 inject=umask:retval=1 -- calls 3
	same '' inject=mkdir:error=EIO fault=mkdir -- calls 1
}

sts_tc threads 60 "each thread has its own counts" require.progs strace
threads_body()
{
	same '' inject=umask:retval=9:when=2 -- threads 2
	atf_check -o inline:'3\n' grep -c '^umask 9 0$' t.said
	same '' inject=mkdir:error=EIO:when=3+ -- threads 2
	atf_check -o inline:'2\n' grep -c '^mkdir -1 5$' t.said
}

sts_tc signals 60 "signals come as under strace, and the program cannot tell who sent them" require.progs strace
signals_body()
{
	same '' inject=umask:signal=USR1 -- signals 3
	atf_check -o match:'^signals 3 0$' cat t.said
	same '' inject=umask:signal=sigusr1:when=2+:retval=5 -- signals 3
	same '' inject=mkdir:signal=SIGTERM:when=2 -- calls 3
	same -32 inject=umask:signal=10:error=EINTR -- signals 2
	atf_check -s signal:kill -o inline:'umask 18 0\nmkdir 0 0\nrmdir 0 0\n' -e ignore \
		"$STASIS" truss -e inject=umask:signal=KILL:when=2 "$(sts_target inject)" calls 2
}

sts_tc program 60 "what the program sees: the call is not made, the result is that asked for"
program_body()
{
	target=$(sts_target inject)
	atf_check -o inline:'umask 18 0\nmkdir -1 28\nrmdir -1 2\n' -e ignore \
		"$STASIS" truss -e inject=mkdir:error=ENOSPC "$target" calls 1
	atf_check -o inline:'umask 18 0\nmkdir 0 0\nrmdir -1 2\n' -e ignore \
		"$STASIS" truss -e inject=mkdir:retval=0 "$target" calls 1
	atf_check -o match:'^umask 7 0$' -e ignore "$STASIS" truss -e inject=umask:retval=7:syscall=getuid "$target" calls 1
}

# With a filter in the kernel the calls are found though nothing asks for them.
sts_tc unseen 60 "calls that are not shown are tampered with all the same"
unseen_body()
{
	target=$(sts_target inject)
	for o in '' --no-seccomp '--no-seccomp -c' -c; do
		# shellcheck disable=SC2086 # words
		atf_check -o match:'^mkdir -1 28$' -o match:'^rmdir -1 5$' -o match:'^umask 7 0$' -e ignore \
			"$STASIS" truss $o -o t.out -e trace=write -e inject=mkdir:error=ENOSPC -e inject=rmdir:error=EIO \
			-e inject=umask:retval=7:syscall=getuid "$target" calls 1
		atf_check -s exit:1 -o empty grep -E 'mkdir\(|INJECTED' t.out
	done
	atf_check -o match:'^mkdir -1 28$' -e ignore \
		"$STASIS" truss -o t.out -e trace=none -e inject=mkdir:error=ENOSPC "$target" calls 1
	atf_check -o match:'^mkdir -1 28$' -e ignore \
		"$STASIS" truss -o t.out -e status=successful -e inject=mkdir:error=ENOSPC "$target" calls 1
	atf_check -s exit:1 -o empty grep 'mkdir(' t.out
}

sts_tc path 60 "with -P only calls that name the path" require.progs strace
path_body()
{
	echo word >file
	for tracer in strace "$STASIS truss"; do
		atf_check -s exit:1 -o match:root -e match:'file: Input/output error' \
			$tracer -o out -P "$PWD/file" -e inject=openat:error=EIO:when=1 cat "$PWD/file" /etc/passwd
	done
}

sts_tc counted 60 "-c counts failures that are injected"
counted_body()
{
	"$STASIS" truss -c -o t.out -e inject=mkdir:error=EIO:when=2+ "$(sts_target inject)" calls 5 >/dev/null
	atf_check -o inline:'5 4\n' awk '$NF == "mkdir" { print $4, $5 }' t.out
}

sts_tc children 60 "births fail, and children have counts of their own"
children_body()
{
	atf_check -s exit:2 -o empty -e match:'[Cc]annot fork' \
		"$STASIS" truss -o t.out -e inject=clone,fork,vfork,clone3:error=EAGAIN sh -c '(echo no); echo no'
	atf_check -s exit:1 -o empty grep '~~~' t.out
	"$STASIS" truss -o t.out -e trace=none -e inject=umask:retval=7:when=1..2 \
		sh -c "$(sts_target inject) calls 3; $(sts_target inject) calls 3" >said || atf_fail "truss failed"
	atf_check -o inline:'4\n' grep -c '^umask 7 0$' said
	atf_check -o inline:'2\n' grep -c '^umask 18 0$' said
}

sts_tc exec 60 "an exec that is refused, once" require.progs strace
exec_body()
{
	for tracer in 'strace -f' "$STASIS truss"; do
		atf_check -s exit:127 -o empty -e match:'not found' $tracer -o out -e inject=execve:error=ENOENT:when=1 \
			sh -c '/bin/echo one; /bin/echo two'
		atf_check -o inline:'2\n' grep -c 'ENOENT (No such file or directory) (INJECTED)' out
	done
}

sts_tc delays 20 "delays last, and hold nobody else up"
delays_body()
{
	target=$(sts_target inject)
	for d in delay_enter delay_exit; do
		atf_check -o inline:'enough 1 0\n' -e match:'umask.* = 022 \(DELAYED\)$' \
			"$STASIS" truss -e event=none -e trace=umask -e inject=umask:$d=150ms "$target" timed 150
		# The other thread's call would last far longer than this case may.
		atf_check -o inline:'busy 200 0\n' -e ignore \
			"$STASIS" truss -e trace=umask,getuid -e inject=umask:$d=1000s "$target" busy 200
	done
	# Several at once, the later ones first.
	atf_check -o inline:'1\n2\n3\n' -e ignore "$STASIS" truss -e trace=none -e inject=write:delay_enter=200ms:when=1 \
		sh -c '/bin/echo 1; (/bin/echo 2 & wait); (/bin/echo 3)'
}

sts_tc delay_end 60 "tracing that ends lets the delayed go" require.progs /usr/bin/python3
delay_end_body()
{
	mkfifo go
	sh -c 'umask 0123; echo >masked; read line <go; umask >said; exit 5' &
	pid=$!
	sts_await test -s masked
	"$STASIS" truss -e inject=umask:delay_enter=1000s:retval=7 -o t.out -p $pid 2>err &
	tracer=$!
	sts_await grep -q "^TracerPid:[[:space:]]$tracer$" /proc/$pid/status
	echo >go
	sts_await grep -q '^State:[[:space:]]t' /proc/$pid/status
	sts_await sh -c "grep -q '^State:.*t' /proc/$pid/status && [ \"\$(cut -d' ' -f1 /proc/$pid/syscall)\" = 95 ]"
	kill -TERM $tracer
	wait $tracer || :
	status=0
	wait $pid || status=$?
	[ $status -eq 5 ] || atf_fail "the shell ended with $status"
	atf_check -o inline:'0123\n' cat said
	atf_check -o match:'umask\(0[0-9]* <detached \.\.\.>$' cat t.out
}

sts_tc json 60 "JSON tells what was done" require.progs /usr/bin/python3
json_body()
{
	target=$(sts_target inject)
	"$STASIS" truss --json -o j -e trace=umask,mkdir,rmdir -e inject=umask:retval=7:syscall=getuid:when=2 \
		-e inject=mkdir:signal=WINCH:delay_enter=1ms:delay_exit=2us -e inject=rmdir:error=EIO:poke_enter=@arg1=78 \
		"$target" calls 2 >/dev/null || atf_fail "truss failed"
	atf_check -o match:', 0 bad' /usr/bin/python3 -S "$STS_SOURCE/tests/cli/json_schema.py" \
		"$STS_SOURCE/data/truss.schema.json" j
	atf_check -o inline:"[None, {'count': 2, 'result': 7, 'call': 'getuid'}]
[{'count': 1, 'signal': 'SIGWINCH', 'signal_number': 28, 'delay_enter_ns': 1000000, 'delay_exit_ns': 2000}]
[{'count': 1, 'result': -5, 'args': True}] ['EIO']
" /usr/bin/python3 -S -c 'import json
r = [json.loads(line) for line in open("j")]
def of(call, name): return [x.get(name) for x in r if x.get("call") == call]
print(of("umask", "injected")[-2:])
print(of("mkdir", "injected")[:1])
print(of("rmdir", "injected")[:1], of("rmdir", "error")[:1])'
}

sts_tc no_results 60 "--no-results: entries are tampered with; what needs exits is refused"
no_results_body()
{
	target=$(sts_target inject)
	atf_check -o match:'^mkdir -1 28$' -e ignore \
		"$STASIS" truss --no-results -o t.out -e trace=mkdir -e inject=mkdir:error=ENOSPC "$target" calls 1
	atf_check -o match:'^[0-9]+ +mkdir\("made", 0700.* = \? \(INJECTED\)$' cat t.out
	for e in umask:delay_exit=1 umask:retval=1:syscall=getuid umask:poke_exit=@arg1=00; do
		atf_check -s exit:2 -e match:'need results' "$STASIS" truss --no-results -e inject=$e true
	done
}

# bad EXPRESSION PART: refused, and the part is named.
bad()
{
	part=$(printf %s "$2" | sed 's/[.+]/\\&/g')
	atf_check -s exit:2 -e match:"^stasis: truss: injection: '$part': " "$STASIS" truss -e "$1" true
}

sts_tc bad_expressions 60 "what is wrong is refused, the part named"
bad_expressions_body()
{
	for e in inject=umask inject=umask:when=2; do
		bad "$e" "${e#inject=}"
	done
	bad inject=nosuch:error=EIO nosuch
	bad inject=:error=EIO :error=EIO
	bad inject=umask:error=EIO:retval=1 retval=1
	bad inject=umask:signal=1:signal=2 signal=2
	bad inject=umask:retval=1:syscall=mkdir syscall=mkdir
	bad inject=umask:syscall=getuid umask:syscall=getuid
	for part in error=EXXX error=0 error=4096 error= retval= retval=x retval=99999999999999999999 signal=0 signal=99 \
		signal=XX delay_enter=1m delay_exit=-1 delay_enter= delay_exit=nan poke_enter= poke_enter=@arg0=00 \
		poke_exit=@arg7=00 poke_enter=@arg1=0 poke_enter=@arg1=0g poke_enter=@arg1= nonsense nonsense=1 when=0 when= \
		when=65536 when=1..65535 when=3..2 when=1+0 when=1+65536 when=-1 when=1.. when=1.2 when=2x; do
		bad "inject=umask:$part" "$part"
	done
	bad fault=umask:retval=1 retval=1
	bad fault=umask:delay_enter=1 delay_enter=1
}
