# SPDX-License-Identifier: BSD-2-Clause
# stasis truss beside strace on programs of every day: the same calls, as often, in the same order in each thread, with
# the same results, paths and flags. What differs on purpose is in beside.differences.

# beside NAME PREPARE [OPTION...] -- COMMAND...: in a folder that PREPARE, a script, has filled; options are beside.py's.
beside()
{
	name=$1
	prepare=$2
	shift 2
	/usr/bin/python3 -S "$STS_SOURCE/tests/decode/beside.py" --stasis "$STASIS" --name "$name" --prepare "$prepare" \
		--differences "$STS_SOURCE/tests/decode/beside.differences" "$@" || atf_fail "the texts differ"
}

needs='require.progs'

sts_tc ls 60 "ls -lR, all fields" $needs "strace setarch /usr/bin/python3"
ls_body()
{
	beside ls 'mkdir -p a/b; echo x >a/b/c; ln -s c a/b/l; touch e' -- ls -lR .
}

sts_tc ls_short 60 "ls -lR, as without options" $needs "strace setarch /usr/bin/python3"
ls_short_body()
{
	beside ls_short 'mkdir -p a/b; echo x >a/b/c; ln -s c a/b/l; touch e' '--tracing=' -- ls -lR .
}

sts_tc copy 60 "cp -a" $needs "strace setarch /usr/bin/python3"
copy_body()
{
	beside copy 'mkdir -p a/b; seq 20000 >a/b/c; ln -s c a/b/l; touch e' -- cp -a a z
}

sts_tc sort 60 "sort, which spills into files" $needs "strace setarch /usr/bin/python3"
sort_body()
{
	beside sort 'seq 30000 >x' -- sort -n -S 100K --parallel=1 -o y x
}

sts_tc pipeline 60 "a shell with dd, cat, tr and the like in pipes" $needs "strace setarch /usr/bin/python3"
pipeline_body()
{
	beside pipeline '' --tracing='-y -s 40' -- sh -c 'dd if=/dev/zero of=f bs=1k count=4 conv=fsync status=none
		cat f | tr "\000" a | tail -c 1000 >g; stat f; mv g h; rm f; mkfifo p; (echo x >p &); cat p'
}

sts_tc tar 60 "tar through gzip, and back" $needs "strace setarch /usr/bin/python3 tar gzip"
tar_body()
{
	beside tar 'mkdir a b; seq 1000 >a/x; ln a/x a/y; ln -s q a/z' -- sh -c 'tar czf t.tgz a; tar xzf t.tgz -C b'
}

sts_tc git 120 "git: init, add, commit, log, diff, gc" $needs "strace setarch /usr/bin/python3 git"
git_body()
{
	beside git '' -- sh -c 'git init -q -b main && git config user.name n && git config user.email e &&
		git config pack.threads 1 && seq 100 >a && git add a && git commit -q -m one && seq 200 >a &&
		git commit -qam two && git log --oneline && git diff --stat HEAD~1 && git gc -q'
}

sts_tc python 60 "python3: children, threads, sockets of all kinds, polls, signals, descriptors sent" \
	$needs "strace setarch /usr/bin/python3"
python_body()
{
	cat >p.py <<-'END'
	import ctypes, mmap, os, select, signal, socket, subprocess, threading, time
	subprocess.run(['sh', '-c', 'echo hi | cat'], check=True)
	subprocess.run(['false'])
	thread = threading.Thread(target=os.getppid)
	thread.start()
	thread.join()
	listener = socket.create_server(('127.0.0.1', 0))
	client = socket.create_connection(listener.getsockname())
	server = listener.accept()[0]
	client.sendall(100 * b'x')
	server.recv(200)
	server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
	server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\5\0\0\0')
	client.shutdown(socket.SHUT_WR)
	server.recv(1)
	a, b = socket.socketpair()
	a.sendmsg([b'abc'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b'\1\0\0\0')])
	b.recvmsg(10, 100)
	udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
	udp.bind(('::1', 0))
	udp.sendto(b'x', udp.getsockname())
	udp.recvfrom(10)
	poll = select.poll()
	poll.register(udp, 1)
	poll.register(a, 4)
	poll.poll(0)
	epoll = select.epoll()
	epoll.register(udp, 5)
	epoll.poll(0)
	select.select([udp], [udp, a], [], 0)
	named = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	named.bind('name')
	named.getsockname()
	named.sendto(b'x', 'name')
	hidden = socket.socket(socket.AF_UNIX)
	hidden.bind('\0hidden')
	hidden.listen(1)
	netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
	netlink.bind((0, 0))
	netlink.getsockname()
	signal.signal(signal.SIGUSR1, lambda *a: None)
	os.kill(os.getpid(), signal.SIGUSR1)
	signal.setitimer(signal.ITIMER_REAL, 500)
	signal.alarm(0)
	mmap.mmap(-1, 4096).close()
	time.sleep(0.001)
	os.uname()
	os.statvfs('/')
	os.pipe2(os.O_NONBLOCK)
	os.memfd_create('nameless')
	with open('gone', 'w') as gone:
	    os.unlink('gone')
	    gone.write('x')
	open('real (deleted)', 'w').close()
	os.pidfd_open(os.getpid())
	ctypes.CDLL(None).prctl(15, b'name')
	os.posix_spawnp('true', ['true'], {})
	os.wait()
	END
	beside python "cp ../p.py ." -- /usr/bin/python3 -S p.py
}

sts_tc make 120 "make -j2 of a few files" $needs "strace setarch /usr/bin/python3 make cc"
make_body()
{
	beside make 'for i in 1 2 3; do echo "int f$i(void) { return $i; }" >$i.c; done
		printf "all: 1.o 2.o 3.o\n\tld -r -o \$@ \$^\n%%.o: %%.c\n\tcc -c -o \$@ \$<\n" >Makefile' -- make -j2
}

sts_tc node 120 "node: files, and HTTP on loopback" $needs "strace setarch /usr/bin/python3 node"
node_body()
{
	cat >p.js <<-'END'
	const http = require('http'), fs = require('fs');
	fs.writeFileSync('f', 'hello');
	fs.readFileSync('f');
	fs.statSync('f');
	fs.mkdirSync('d');
	fs.renameSync('f', 'd/g');
	fs.readdirSync('.');
	const server = http.createServer((question, answer) => answer.end('hi')).listen(0, '127.0.0.1', () =>
	  http.get({port: server.address().port, host: '127.0.0.1'}, answer => {
	    answer.resume();
	    answer.on('end', () => process.exit(0));
	  }));
	END
	beside node 'cp ../p.js .' -- env MALLOC_ARENA_MAX=1 node p.js
}

sts_tc curl 60 "curl, and the server in python3 that it asks" $needs "strace setarch /usr/bin/python3 curl"
curl_body()
{
	cat >p.py <<-'END'
	import http.server, subprocess, threading
	class Handler(http.server.SimpleHTTPRequestHandler):
	    def log_message(self, *args):
	        pass
	server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
	thread = threading.Thread(target=server.handle_request)
	thread.start()
	subprocess.run(['curl', '-s', '-o', 'got', 'http://127.0.0.1:%d/w' % server.server_port], check=True)
	thread.join()
	END
	beside curl 'cp ../p.py .; echo hello >w' -- /usr/bin/python3 -S p.py
}

# build FLAG: a program that is not for this machine's own libc.
build()
{
	cat >p.c <<-'END'
	#include <dirent.h>
	#include <fcntl.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <sys/mman.h>
	#include <sys/socket.h>
	#include <sys/stat.h>
	#include <sys/wait.h>
	#include <time.h>
	#include <unistd.h>
	int main(void)
	{
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
		struct timespec short_time = {0, 1000};
		struct stat s;
		char line[100];
		int fds[2], status;
		FILE *file = fopen("/etc/passwd", "r");
		void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		DIR *dir = opendir(".");

		fgets(line, sizeof line, file);
		fclose(file);
		socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
		send(fds[0], "hello", 5, MSG_NOSIGNAL);
		recv(fds[1], line, sizeof line, 0);
		shutdown(fds[0], SHUT_RDWR);
		if (fork() == 0)
			_exit(3);
		wait(&status);
		nanosleep(&short_time, NULL);
		mprotect(page, 4096, PROT_READ);
		munmap(page, 4096);
		int fd = open("x", O_RDWR | O_CREAT, 0600);
		fcntl(fd, F_SETLK, &lock);
		lseek(fd, 0x7fff, SEEK_SET);
		ftruncate(fd, 1000);
		fstat(fd, &s);
		stat("/no such", &s);
		unlink("x");
		while (readdir(dir))
			;
		closedir(dir);
		printf("%d\n", status);
		return system("true");
	}
	END
	cc "$1" -w -o p p.c 2>cc.out || atf_skip "cc $1 does not work here: $(head -n 1 cc.out)"
}

sts_tc static 60 "a static program" $needs "strace setarch /usr/bin/python3 cc"
static_body()
{
	build -static
	beside static 'cp ../p .' --least 60 -- ./p
}

sts_tc i386 60 "a program for i386" $needs "strace setarch /usr/bin/python3 cc"
i386_body()
{
	build -m32
	beside i386 'cp ../p .' -- ./p
}

sts_tc finds 60 "what differs is found" $needs "strace setarch /usr/bin/python3"
finds_body()
{
	cat >fake <<-END
		#!/usr/bin/python3 -S
		import subprocess, sys
		status = subprocess.call(['$STASIS', *sys.argv[1:]])
		output = sys.argv[sys.argv.index('-o') + 1]
		sys.exit(status or subprocess.call(['sed', '-E', '-i', '-f', '$PWD/edit', output]))
	END
	chmod +x fake
	: >none
	cat >look <<-END
		#!/bin/sh
		exec /usr/bin/python3 -S "$STS_SOURCE/tests/decode/beside.py" --stasis "$PWD/fake" --name x \
			--prepare 'echo x >f' --least 20 --differences \$1 -- cat f
	END
	chmod +x look
	: >edit
	atf_check -o match:'^x: 1 threads' ./look none
	differs()
	{
		echo "$1" >edit
		atf_check -s exit:1 -o match:"$2" ./look none
	}
	differs 's/O_RDONLY/O_RDWR/' '^- 1 .*O_RDONLY'
	differs 's/^([0-9]+ +openat.* = )3/\14/' '^\+ 1 .*openat.* = 4'
	differs 's/ENOENT/ENOTDIR/' '^- 1 .*ENOENT'
	differs '/ close\(1/d' '^- 1 .*close\(1'
	differs '/ close\(1/p' '^\+ 1 .*close\(1'
	differs '/ fadvise64/{h;d};/ close\(1/G' 'thread 1 are in another order'
	differs 's/\+\+\+ exited with 0/+++ exited with 1/' '^- 1 .*exited with 0'
	: >edit
	printf '[x]\n- O_NEVER\n+ nothing\n' >rules
	atf_check -s exit:1 -o match:'rule on line 3 .* no use' ./look rules
}
