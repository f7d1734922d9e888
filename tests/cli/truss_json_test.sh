# SPDX-License-Identifier: BSD-2-Clause
# stasis truss --json: every line is what the schema says, and nothing is missing.

# valid FILE: every line of it is valid.
valid()
{
	/usr/bin/python3 -S "$STS_SOURCE/tests/cli/json_schema.py" "$STS_SOURCE/data/truss.schema.json" "$1" >valid.out ||
		atf_fail "$1: $(cat valid.out)"
}

# ask FILE EXPRESSION: the value of a Python expression over the list `r` of its records.
ask()
{
	/usr/bin/python3 -S -c 'import json, sys, collections
r = [json.loads(line) for line in open(sys.argv[1])]
print(eval(sys.argv[2]))' "$@"
}

sts_tc make 120 "a parallel make: every line is valid, and each call is there as often as strace counts it" \
	require.progs "strace make cc /usr/bin/python3"
make_body()
{
	for i in 1 2 3 4 5 6; do
		echo "int f$i(void) { return $i; }" >$i.c
	done
	printf 'all: 1.o 2.o 3.o 4.o 5.o 6.o\n\tcat $^ >all\n%%.o: %%.c\n\tcc -c -o $@ $<\n' >Makefile
	counted()
	{
		awk 'NR > 2 && $4 ~ /^[0-9]+$/ && $NF != "total" { print $NF, $4 }' "$1" | grep -v -w "$varying" | sort
	}
	strace -f -c -o s.out make -j2 >/dev/null || atf_fail "strace failed"
	strace -f -c -o s.cc cc -c -o new.o 1.c || atf_fail "strace failed"
	strace -f -c -o s.cat sh -c 'cat 1.o 2.o 3.o 4.o 5.o 6.o >all' || atf_fail "strace failed"
	rm ./*.o all
	"$STASIS" truss --json -o t.json make -j2 >/dev/null || atf_fail "truss failed"
	valid t.json
	# strace does not count what never returns. How often make waits, is woken, passes tokens on and has a second job
	# at the same time differs from run to run.
	varying='exit\|exit_group\|pselect6\|rt_sigreturn\|wait4\|dup2\|read\|write\|getrandom\|prlimit64\|fcntl\|close'
	ask t.json '"\n".join("%s %d" % c for c in collections.Counter(x["call"] for x in r if x["record"] == "syscall").items())' |
		grep -v -w "$varying" | sort >t.counts
	[ "$(wc -l <t.counts)" -gt 20 ] || atf_fail "only $(wc -l <t.counts) kinds of calls"
	counted s.out >s.counts
	atf_check diff s.counts t.counts
	# In what it runs nothing varies: six compilers, which look for make's tokens with one fcntl more, and a cat. (How often
	# libc asks for random bytes before a name is free differs.)
	varying='exit_group\|fcntl\|getrandom'
	{ counted s.cc | awk '{ print $1, 6 * $2 }'; counted s.cat; } | awk '{ n[$1] += $2 } END { for (c in n) print c, n[c] }' |
		sort >s.counts
	ask t.json '"\n".join("%s %d" % c for c in collections.Counter(x["call"] for x in r if x["record"] == "syscall" and
		x["comm"] != "make").items())' | grep -v -w "$varying" | sort >t.counts
	atf_check diff s.counts t.counts
	# The trailer knows how many there are, and they are numbered.
	atf_check -o inline:'True\n' -e empty /usr/bin/python3 -S -c 'import json
r = [json.loads(line) for line in open("t.json")]
births = {x["child"] for x in r if x["record"] == "birth"}
ends = {x["pid"] for x in r if x["record"] == "exit"}
calls = sum(x["record"] == "syscall" for x in r)
print(r[0]["record"] == "header" and r[-1]["record"] == "trailer" and r[-1]["calls"] == calls and
      r[-1]["records"] == len(r) and [x["seq"] for x in r] == list(range(len(r))) and
      ends == births | {r[1]["pid"]} and {"make", "as", "cat"} <= {x.get("comm") for x in r})'
}

sts_tc many 120 "many kinds of calls, in both ABIs: valid" require.progs /usr/bin/python3
many_body()
{
	for variant in calls calls-32 every every-32; do
		target=$(sts_target $variant) || exit $?
		for part in files processes net; do
			rm -rf d
			mkdir d
			status=0
			for o in '' '-v -s 300' -y; do
				rm -rf d/*
				# shellcheck disable=SC2086 # words
				(cd d && "$STASIS" truss --json $o -o ../t.json "$target" $part >/dev/null 2>&1) || status=$?
				[ $status -ne 77 ] || atf_skip "this machine has no seccomp filters"
				valid t.json
			done
		done
	done
}

sts_tc events 60 "births, execs, threads, signals and ends" require.progs /usr/bin/python3
events_body()
{
	cat >p.py <<-'END'
	import os, signal, threading
	t = threading.Thread(target=lambda: None)
	t.start()
	t.join()
	pid = os.fork()
	if pid == 0:
	    os.kill(os.getpid(), signal.SIGKILL)
	os.waitpid(pid, 0)
	os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 9'], {}), 0)
	END
	"$STASIS" truss --json -o t.json /usr/bin/python3 -S p.py || atf_fail "truss failed"
	valid t.json
	ask t.json '[x["kind"] for x in r if x["record"] == "birth"]' >got
	atf_check -o match:"^\['fork', '(posix-spawn|vfork)'\]$" cat got
	ask t.json '[(x["record"], x.get("signal"), x.get("exit_status")) for x in r if x["record"] in ("exit", "lwp-exit")]' >got
	atf_check -o inline:"[('lwp-exit', None, 0), ('exit', 'SIGKILL', None), ('exit', None, 9), ('exit', None, 0)]\n" cat got
	ask t.json '[x["exe"].split("/")[-1] for x in r if x["record"] == "exec"][-1], sum(x["record"] == "lwp-create" for x in r)' >got
	atf_check -o match:"^\('(da)?sh', 1\)$" cat got
	ask t.json '[x["signal"] for x in r if x["record"] == "signal"]' >got
	atf_check -o inline:"['SIGCHLD', 'SIGCHLD']\n" cat got
}

sts_tc bytes 60 "bytes and numbers come through without loss" require.progs /usr/bin/python3
bytes_body()
{
	cat >p.py <<-'END'
	import ctypes, os
	os.write(9, bytes(range(256)))
	os.write(9, 'grün "\\\n'.encode())
	os.write(9, b'x' * 300000)
	os.write(9, b'\xff' * 300000)
	try:
	    os.lseek(9, 0x7fedcba987654321, 0)
	except OSError:
	    pass
	ctypes.CDLL(None).prctl(15, b'a\xff"b')
	os.write(9, b'')
	END
	"$STASIS" truss --json -s 300000 -e trace=write,lseek --fd=9 -o t.json /usr/bin/python3 -S p.py 9>out || atf_fail "truss failed"
	valid t.json
	cat >check.py <<-'END'
	import json
	r = [x for x in map(json.loads, open('t.json')) if x['record'] == 'syscall']
	buf = [x['args']['buf'] for x in r if x['call'] == 'write']
	assert bytes.fromhex(buf[0]['hex']) == bytes(range(256)), buf[0]
	assert buf[1] == 'grün "\\\n', buf[1]
	assert buf[2] == 'x' * 300000, len(buf[2])
	seek = next(x for x in r if x['call'] == 'lseek')
	assert seek['args']['offset'] == {'value': 0x7fedcba987654321, 'text': str(0x7fedcba987654321)}, seek
	assert r[-1]['comm'] == {'hex': '61ff2262'}, r[-1]
	assert r[0]['result']['value'] == 256 and r[0]['status'] == 'successful', r[0]
	END
	atf_check /usr/bin/python3 -S check.py
	# As text it is whole as well.
	"$STASIS" truss -s 300000 -e trace=write --fd=9 -o t.out /usr/bin/python3 -S p.py 9>out || atf_fail "truss failed"
	atf_check -o inline:'True 300000\n' /usr/bin/python3 -S -c 'text = open("t.out").read()
print("\"" + 300000 * "x" + "\", 300000)" in text, text.count("\\377") - 1)'
}

sts_tc attached 30 "attached: a header with the pids, a call under way, a trailer" require.progs /usr/bin/python3
attached_body()
{
	mkfifo go again
	sh -c 'read line <go; read line <again; exit 3' &
	pid=$!
	"$STASIS" truss --json -e trace=openat,open,read -p $pid 2>t.json &
	tracer=$!
	sts_await grep -q "^TracerPid:[[:space:]]$tracer$" /proc/$pid/status
	echo word >go
	sts_await grep -q '"buf":"\\u000a"' t.json
	sts_await grep -q '^State:[[:space:]]S' /proc/$pid/status
	kill -TERM $tracer
	wait $tracer || :
	echo word >again
	wait $pid || :
	valid t.json
	ask t.json 'r[0]["attached"], r[-2]["status"], r[-2]["args"]["path"], r[-2]["result"], r[-1]["record"]' >got
	atf_check -o inline:"([$pid], 'detached', 'again', None, 'trailer')\n" cat got
}

sts_tc validator 60 "the validator finds what is wrong" require.progs /usr/bin/python3
validator_body()
{
	"$STASIS" truss --json -o t.json sh -c '(exit 3); kill -USR1 $$ || :' || :
	valid t.json
	finds()
	{
		sed -E "$1" t.json >bad.json
		! cmp -s t.json bad.json || atf_fail "nothing was changed by $1"
		atf_check -s exit:1 -o match:'^line [0-9]+: ' /usr/bin/python3 -S "$STS_SOURCE/tests/cli/json_schema.py" \
			"$STS_SOURCE/data/truss.schema.json" bad.json
	}
	finds 's/"schema_version":1/"schema_version":2/'
	finds 's/"pid":([0-9]+)/"pid":"\1"/'
	finds 's/"status":"failed"/"status":"bad"/'
	finds 's/"tid":[0-9]+,//'
	finds 's/"record":"exit"/"record":"exits"/'
	finds 's/"followed":true/"followed":1/'
	finds 's/"args":\{/"args":{"x":null,/'
	finds 's/"duration_ns":[0-9]+/"duration_ns":1.5/'
	finds 's/("seq":3,)/\1\1/'
	finds '2s/..$//'
}
