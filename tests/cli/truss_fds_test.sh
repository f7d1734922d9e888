# SPDX-License-Identifier: BSD-2-Clause
# stasis truss -yy: what descriptors lead to, beside strace and by what the program knows of its own sockets.

# Each descriptor is asked about once in each state, for strace remembers what it was told of a socket.
make_program()
{
	cat >p.py <<-'END'
	import os, socket, sys
	said = open('said', 'w')
	def touch(fd, text=None):
	    fd = fd if isinstance(fd, int) else fd.fileno()
	    try:
	        os.ftruncate(fd, 0)
	    except OSError:
	        pass
	    if text:
	        said.write('%d<%s>\n' % (fd, text))
	def end(s):
	    return '%s:%d' % s
	def end6(s):
	    return '[%s]:%d' % s[:2]
	any = ('127.0.0.1', 0)
	for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
	    touch(socket.socket(socket.AF_INET, kind))
	listener = socket.socket()
	listener.bind(any)
	listener.listen(1)
	touch(listener, 'TCP:[%s]' % end(listener.getsockname()))
	client = socket.create_connection(listener.getsockname())
	server, _ = listener.accept()
	for s in client, server:
	    touch(s, 'TCP:[%s->%s]' % (end(s.getsockname()), end(s.getpeername())))
	udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	udp.bind(any)
	touch(udp, 'UDP:[%s]' % end(udp.getsockname()))
	other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	other.connect(udp.getsockname())
	touch(other, 'UDP:[%s->%s]' % (end(other.getsockname()), end(udp.getsockname())))
	try:
	    six = socket.socket(socket.AF_INET6)
	    six.bind(('::1', 0))
	    six.listen(1)
	    touch(six, 'TCPv6:[%s]' % end6(six.getsockname()))
	    c6 = socket.create_connection(six.getsockname()[:2])
	    touch(c6, 'TCPv6:[%s->%s]' % (end6(c6.getsockname()), end6(six.getsockname())))
	except OSError:
	    pass
	def inode(s):
	    return os.fstat(s.fileno()).st_ino
	a, b = socket.socketpair()
	touch(a, 'UNIX-STREAM:[%d->%d]' % (inode(a), inode(b)))
	touch(b, 'UNIX-STREAM:[%d->%d]' % (inode(b), inode(a)))
	local = socket.socket(socket.AF_UNIX)
	local.bind('a "name"')
	local.listen(1)
	touch(local, 'UNIX-STREAM:[%d,"a \\"name\\""]' % inode(local))
	os.unlink('a "name"')
	abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	abstract.bind('\0stasis-%d' % os.getpid())
	touch(abstract, 'UNIX:[%d,@"stasis-%d"]' % (inode(abstract), os.getpid()))
	touch(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
	netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
	touch(netlink)
	bound = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)
	bound.bind((0, 0))
	touch(bound, 'NETLINK:[KOBJECT_UEVENT:%d]' % bound.getsockname()[0])
	touch(os.open('/dev/null', 0), '/dev/null<char 1:3>')
	touch(os.open('/dev/ptmx', 2), '/dev/ptmx<char 5:2>')
	touch(os.pidfd_open(os.getpid()), 'pid:%d' % os.getpid())
	touch(os.open('/etc/passwd', 0), '/etc/passwd')
	touch(os.pipe()[0])
	touch(os.eventfd(0))
	touch(os.open('/', 0), '/')
	said.close()
	END
}

# told FILE: each descriptor as it was shown, in order.
told()
{
	sed -n -E 's/.*ftruncate\((.*), 0\) += .*/\1/p' "$1"
}

sts_tc strace 60 "as under strace, and as the program knows" require.progs "strace /usr/bin/python3"
strace_body()
{
	make_program
	strace -yy -o s.out -e trace=ftruncate /usr/bin/python3 -S p.py </dev/null || atf_fail "strace failed"
	for o in -yy --decode-fds=all '-e decode-fds=!none' '--decode-fds=path,socket,dev,pidfd'; do
		# shellcheck disable=SC2086 # words
		"$STASIS" truss $o -o t.out -e trace=ftruncate /usr/bin/python3 -S p.py </dev/null || atf_fail "truss failed"
		told t.out >t.told
		[ "$(wc -l <t.told)" -ge 20 ] || atf_fail "only $(wc -l <t.told) descriptors"
		# Not all numbers are the same in two runs.
		told s.out | sed -E 's/[0-9]{3,}/N/g' >s.told
		atf_check -o file:s.told sed -E 's/[0-9]{3,}/N/g' t.told
		grep -F -x -f t.told said >found
		atf_check diff said found
	done
}

sts_tc kinds 60 "-y shows paths, --decode-fds what it is told" require.progs "strace /usr/bin/python3"
kinds_body()
{
	make_program
	for o in -y --decode-fds --decode-fds=path --decode-fds=socket --decode-fds=dev --decode-fds=pidfd \
		--decode-fds=path,dev --decode-fds=none; do
		same=$o
		[ "$o" != --decode-fds=none ] || same=-q
		strace "$same" -o s.out -e trace=ftruncate /usr/bin/python3 -S p.py </dev/null || atf_fail "strace failed"
		"$STASIS" truss "$o" -o t.out -e trace=ftruncate /usr/bin/python3 -S p.py </dev/null || atf_fail "truss failed"
		told s.out | sed -E 's/[0-9]{3,}/N/g' >s.told
		told t.out | sed -E 's/[0-9]{3,}/N/g' >t.told
		test -s t.told || atf_fail "nothing was traced"
		atf_check diff s.told t.told
	done
	atf_check -s exit:2 -e match:"'x': of descriptors there are" "$STASIS" truss --decode-fds=x true
}

sts_tc network 60 "sockets of another network are looked up there" require.user root require.progs "unshare /usr/bin/python3"
network_body()
{
	unshare -n true || atf_skip "no network namespace can be had here"
	cat >p.py <<-'END'
	import os, socket
	s = socket.socket()
	s.bind(('0.0.0.0', 45671))
	s.listen(1)
	u = socket.socket(socket.AF_UNIX)
	u.bind('here')
	for fd in s, u:
	    try:
	        os.ftruncate(fd.fileno(), 0)
	    except OSError:
	        pass
	END
	"$STASIS" truss -yy -o t.out -e trace=ftruncate unshare -n /usr/bin/python3 -S p.py || atf_fail "truss failed"
	atf_check -o match:'^3<TCP:\[0\.0\.0\.0:45671\]>$' -o match:'^4<UNIX-STREAM:\[[0-9]+,"here"\]>$' sh -c \
		"sed -n -E 's/.*ftruncate\((.*), 0\) += .*/\1/p' t.out"
}
