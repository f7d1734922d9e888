# SPDX-License-Identifier: BSD-2-Clause
# Which calls stasis truss shows: sets, expressions, paths, descriptors, how they end. strace is the reference.

# names FILE: the calls in a trace; those that have no name are left out, strace shows them whatever is asked for.
names()
{
	sed -n -E 's/^([0-9]+ +)?([a-z_0-9]+)\(.*/\2/p' "$1" | grep -v '^syscall_0x' | sort -u
}

# What is newer than strace 6.1: name by name, so that an old call that is wrong is found.
newer='cachestat fchmodat2 file_getattr file_setattr futex_requeue futex_wait futex_wake getxattrat listmount listxattrat
lsm_get_self_attr lsm_list_modules lsm_set_self_attr map_shadow_stack mseal open_tree_attr removexattrat setxattrat
statmount'

# same_set EXPRESSION [32]: of all calls there are, truss and strace show the same.
same_set()
{
	target=$(sts_target "every${2:+-$2}") || exit $?
	status=0
	strace -o s.out -e trace="$1" "$target" || status=$?
	[ $status -ne 77 ] || atf_skip "this machine has no seccomp filters"
	[ $status -eq 0 ] || atf_fail "the target ended with $status under strace"
	"$STASIS" truss -e event=none -o t.out -e trace="$1" "$target" || atf_fail "truss failed"
	names s.out >s.names
	printf '%s\n' $newer | sort >newer
	names t.out | comm -23 - newer >t.names
	test -s t.names || atf_fail "$1 holds nothing"
	atf_check diff s.names t.names
}

all_sets='file desc process network signal memory ipc creds clock pure stat lstat fstat statfs fstatfs %stat %statfs net'

sts_tc sets 120 "every %set holds what strace's holds" require.progs strace
sets_body()
{
	for set in $all_sets; do
		same_set "%$set"
	done
	same_set all
}

sts_tc sets_32 120 "the same for i386" require.progs strace
sets_32_body()
{
	for set in $all_sets; do
		same_set "%$set" 32
	done
	same_set all 32
}

sts_tc expressions 120 "regular expressions, negation, optional names, numbers and ABIs as under strace" \
	require.progs strace
expressions_body()
{
	for e in '!%file' '/^(f|l)?stat' '!/e' '?nosuchcall,read' 'file' '%net,?%nosuchset,close' '/sync$,39' \
		'!open,/at$' 'getpid@64,close@32' '!none' '%creds,%clock'; do
		same_set "$e"
		same_set "$e" 32
	done
}

sts_tc list_set 60 "--list-set prints what a set holds"
list_set_body()
{
	target=$(sts_target every) || exit $?
	atf_check -o save:listed "$STASIS" truss --list-set=%file
	"$STASIS" truss -e event=none -o t.out -e trace=%file "$target" || atf_fail "truss failed"
	# The list knows the other ABIs' calls too.
	names t.out >t.names
	atf_check comm -23 t.names listed
	atf_check -o inline:'stat64\n' comm -12 listed - <<-END
	fstat64
	stat64
	END
	atf_check -o inline:'read\nreadv\n' "$STASIS" truss --list-set='/^readv?$'
	atf_check -s exit:2 -e match:"'%nosuch' is no" "$STASIS" truss --list-set=%nosuch
}

sts_tc bad_expressions 60 "what is no expression is refused"
bad_expressions_body()
{
	for e in '%nosuch' '/(' '/nothinglikeit' 'open,,close' '99999' 'x@64' '' 'open@33'; do
		atf_check -s exit:2 -e match:'is no system call or set' "$STASIS" truss -e trace="$e" true
	done
	atf_check -s exit:2 -e match:"'lucky': calls are" "$STASIS" truss -e status=lucky true
	atf_check -s exit:2 -e match:"'x' is no list of desc" "$STASIS" truss --fd=x true
	atf_check -s exit:2 -e match:"-e knows" "$STASIS" truss -e nonsense=3 true
}

# Records made comparable.
plain()
{
	sed -E -e 's/^[0-9]+ +//' -e 's/ += / = /' -e 's/0x[0-9a-f]{6,}/ADDR/g' -e '/^~~~/d' -e 's/st_atime=[^,}]*/T/g' "$1"
}

# same_records OPTION... -- COMMAND...: the same lines as strace's, and something.
same_records()
{
	strace -o s.out "$@" >/dev/null 2>&1 || :
	"$STASIS" truss -e event=none -o t.out "$@" >/dev/null 2>&1 || :
	plain s.out >s.plain
	plain t.out >t.plain
	test -s t.plain || atf_fail "nothing was traced: $*"
	atf_check diff s.plain t.plain
}

sts_tc status 120 "-z, -Z and -e status as under strace" require.progs strace
status_body()
{
	files='/etc/passwd /does/not/exist'
	for o in -z -Z '-e status=successful' '-e status=failed' '-e status=unfinished' '-e status=!successful' \
		'-e status=failed,unfinished' '-e status=none' '-e status=all'; do
		# shellcheck disable=SC2086 # words
		same_records $o -e trace=openat,read,close,write,exit_group,access cat $files
	done
}

sts_tc status_live 30 "live, too, what is not wanted is not begun"
status_live_body()
{
	atf_check -s exit:1 -o ignore -e save:err "$STASIS" truss -Z -e event=none -e trace=openat cat /etc/passwd /does/not/exist
	atf_check -o match:'^openat\(AT_FDCWD, "/does/not/exist", O_RDONLY\) += -1 ENOENT' cat err
	atf_check -s exit:1 grep 'passwd' err
}

sts_tc path_strace 120 "-P of a file: the records strace shows" require.progs strace
path_strace_body()
{
	mkdir d
	echo word >d/file
	ln -s file d/link
	for o in "-P $PWD/d/file" "-P d/file" "-P $PWD/d/file -P /etc/passwd"; do
		# shellcheck disable=SC2086 # words
		same_records $o -e trace=openat,read,newfstatat,close,fadvise64 cat "$PWD/d/file" /etc/passwd /etc/group
	done
}

sts_tc path_ways 60 "-P finds a file in whatever way a program reaches it" require.progs /usr/bin/python3
path_ways_body()
{
	mkdir d other
	echo 'some bytes that are read' >d/file
	echo 'others' >d/other
	ln -s ../d/file other/link
	cat >ways.py <<-'END'
	import os, socket
	def read(fd, n):
	    os.read(fd, n)
	read(0, 101)                                   # inherited
	os.chdir('d')
	read(os.open('file', 0), 102)                  # by the working directory
	folder = os.open('.', os.O_DIRECTORY)
	os.chdir('/')
	fd = os.open('file', 0, dir_fd=folder)         # by a folder's descriptor
	read(fd, 103)
	read(os.dup(fd), 104)                          # duplicated
	a, b = socket.socketpair()
	socket.send_fds(a, [b'x'], [fd])
	_, fds, _, _ = socket.recv_fds(b, 1, 1)
	read(fds[0], 105)                              # passed
	read(os.open('../other/link', 0, dir_fd=folder), 106)  # by a link
	read(os.open('other', 0, dir_fd=folder), 99)   # another file
	for name in 'file', '../d/file', '../other/link', 'other', 'new', '../other/new':
	    os.access(name, 0, dir_fd=folder)          # no descriptor is made here
	END
	reads()
	{
		sed -n -E 's/.*read\([0-9]+, .*, ([0-9]{2,3})\) += .*/\1/p' t.out | grep -v 4096 | sort -u | tr '\n' ' '
	}
	for pattern in "$PWD/d/file" 'd/file' "$PWD/*/fil?" 'd/f*' "$PWD/d/[ef]ile"; do
		"$STASIS" truss -o t.out -P "$pattern" -e trace=openat,read,faccessat,faccessat2 /usr/bin/python3 -S ways.py <d/file || atf_fail "truss failed"
		reads >got
		atf_check -o inline:'101 102 103 104 105 106 ' cat got
		atf_check -o inline:'3\n' grep -c 'faccessat' t.out
		atf_check -s exit:1 grep '"other"\|passwd\|python3' t.out
	done
	"$STASIS" truss -o t.out -P "$PWD/d/new" -e trace=faccessat,faccessat2 /usr/bin/python3 -S ways.py <d/file
	atf_check -o match:'"new", F_OK.* = -1 ENOENT' grep faccessat t.out
	atf_check -o inline:'1\n' grep -c faccessat t.out
	"$STASIS" truss -o t.out -P "$PWD/d/file" -e trace=openat /usr/bin/python3 -S ways.py <d/file
	atf_check -o inline:'3\n' grep -c 'openat(' t.out
}

sts_tc path_nothing 30 "-P of what nobody touches shows no call"
path_nothing_body()
{
	"$STASIS" truss -o t.out -e event=none -P /no/such/path ls / >/dev/null || atf_fail "truss failed"
	atf_check -o match:'^[0-9]+ +\+\+\+ exited with 0 \+\+\+$' cat t.out
	atf_check -o inline:'1\n' grep -c . t.out
	"$STASIS" truss -o t.out -e event=none -P /usr/bin/true true || atf_fail "truss failed"
	atf_check -o match:'execve\(' cat t.out
}

sts_tc fds 60 "--fd: calls on these descriptors, in sets of poll and select too" require.progs /usr/bin/python3
fds_body()
{
	cat >fds.py <<-'END'
	import os, select
	os.dup2(1, 20)
	os.dup2(1, 21)
	os.write(20, b'20\n')
	os.write(21, b'21\n')
	p = select.poll()
	p.register(20, select.POLLOUT)
	p.poll(0)
	select.select([], [21], [], 0)
	END
	calls()
	{
		sed -n -E 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' t.out | sort | uniq -c | sed -E 's/ +/ /g'
	}
	"$STASIS" truss -o t.out --fd=20 -e trace=dup2,write,poll,ppoll,select,pselect6 /usr/bin/python3 -S fds.py >/dev/null
	calls >got
	atf_check -o inline:' 1 dup2\n 1 poll\n 1 write\n' cat got
	"$STASIS" truss -o t.out -e fd=20,21 -e trace=dup2,write,poll,ppoll,select,pselect6 /usr/bin/python3 -S fds.py >/dev/null
	calls >got
	atf_check -o match:'2 dup2' -o match:'2 write' -o match:'1 p?select' cat got
	"$STASIS" truss -o t.out -e 'fd=!20' -e trace=write /usr/bin/python3 -S fds.py >/dev/null
	calls >got
	atf_check -o inline:' 1 write\n' cat got
}

sts_tc detached 30 "a call under way when the tracing ends is told, as such"
detached_body()
{
	# The line's end once read, the shell sleeps in nothing but the second open.
	mkfifo go again
	sh -c 'read line <go; read line <again; exit 3' &
	pid=$!
	"$STASIS" truss -e trace=openat,open,read -p $pid 2>err &
	tracer=$!
	sts_await grep -q "^TracerPid:[[:space:]]$tracer$" /proc/$pid/status
	echo word >go
	sts_await grep -q 'read(.*n", 1)' err
	sts_await grep -q '^State:[[:space:]]S' /proc/$pid/status
	kill -TERM $tracer
	wait $tracer || :
	echo word >again
	wait $pid || :
	atf_check -o match:'^openat\(AT_FDCWD, "again", O_RDONLY <detached \.\.\.>$' cat err
}

sts_tc inner 30 "what i386's socketcall and ipc do is filtered by its own name, as strace does it" require.progs strace
inner_body()
{
	target=$(sts_target inner-32) || exit $?
	for set in socket listen '!socket' %network semget shmctl %ipc '/^(sem|list)' all; do
		strace -e trace="$set" -o s.out "$target" || atf_fail "strace failed"
		for seccomp in '' --no-seccomp; do
			# shellcheck disable=SC2086 # words
			"$STASIS" truss $seccomp -e event=none -e trace="$set" -o t.out "$target" || atf_fail "truss failed"
			sed -n -E 's/^(socket|listen|sem|shm|ipc).*/&/p; s/ += / = /' s.out | sed -E 's/ += .*//' |
				grep -E '^(socket|listen|sem|shm)' >s.calls
			sed -E -e 's/^[0-9]+ +//' -e 's/ += .*//' t.out | grep -E '^(socket|listen|sem|shm)' >t.calls
			# What is none of its calls strace shows otherwise.
			grep -v '^socketcall' s.calls >s.known
			grep -v '^socketcall' t.calls >t.known
			atf_check diff s.known t.known
		done
	done
	[ "$(wc -l <t.known)" -ge 5 ] || atf_fail "only $(wc -l <t.known) calls"
	# By its name socketcall is all that it does.
	"$STASIS" truss -e event=none -e trace=socketcall -o t.out "$target"
	atf_check -o inline:'3\n' grep -c -E '(socket|listen|socketcall)\(' t.out
	"$STASIS" truss -c -o t.out "$target"
	atf_check -o match:' 2 +1 .* socket$' -o match:' listen$' -o match:' semget$' cat t.out
}

sts_tc path_root 30 "-P of a process in another root: by its names and by ours" require.user root
path_root_body()
{
	target=$(sts_target rooted) || exit $?
	mkdir -p root/dir
	echo x >root/dir/file
	echo x >root/other
	ln -s /dir/file root/link
	for path in /dir/file "$PWD/root/dir/file" '/d*/f*'; do
		"$STASIS" truss -e event=none -e trace=open,openat,close -P "$path" -o t.out "$target" root || atf_fail "truss failed"
		atf_check -o inline:'4\n' grep -c 'open.*file\|open.*link' t.out
		atf_check -o inline:'1\n' grep -c close t.out
		atf_check -s exit:1 grep other t.out
	done
	rm root/dir/new
	"$STASIS" truss -e event=none -P /dir/new -o t.out "$target" root
	atf_check -o match:'"new", O_RDONLY.O_CREAT' cat t.out
	[ "$(wc -l <t.out)" -eq 2 ] || atf_fail "$(cat t.out)"
}

sts_tc x32 30 "x32's calls are told from x86-64's, whether the kernel has them or not"
x32_body()
{
	target=$(sts_target inner) || exit $?
	for seccomp in '' --no-seccomp; do
		looks()
		{
			# shellcheck disable=SC2086 # words
			"$STASIS" truss $seccomp -e event=none -q -e trace="$1" -o t.out "$target" || atf_fail "truss failed"
			sed -E -e 's/^[0-9]+ +//' -e 's/ += .*//' t.out | tr '\n' ';' >t.calls
		}
		looks write
		atf_check -o inline:'write(-1, "hello", 5);write(-1, "x", 1);' cat t.calls
		looks write@x32,ioctl@64
		atf_check -o inline:'write(-1, "hello", 5);' cat t.calls
		looks ioctl@x32,write@64
		atf_check -o inline:'ioctl(-1, TCGETS, NULL);write(-1, "x", 1);' cat t.calls
	done
}
