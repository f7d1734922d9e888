# SPDX-License-Identifier: BSD-2-Clause
# Programs do with libstasis-leaks preloaded what they do without.

PRELOAD=$STS_BUILD/libstasis-leaks.so

# same_with OPTIONS COMMAND...: with these options output, errors and status are those that lie here.
same_with()
{
	options=$1
	shift
	STASIS_OPTIONS=$options LD_PRELOAD="$PRELOAD" "$@" >ours.out 2>ours.err </dev/null
	ours=$?
	[ $plain -eq $ours ] || {
		cat ours.err >&2
		atf_fail "$options: status $ours, not $plain: $*"
	}
	cmp plain.out ours.out || atf_fail "$options: other output: $*"
	cmp plain.err ours.err || atf_fail "$options: other errors: $*"
}

# same COMMAND...: output, errors and status are the same, without a check and with one, whatever that finds.
same()
{
	"$@" >plain.out 2>plain.err </dev/null
	plain=$?
	same_with detect_leaks=0 "$@"
	same_with exitcode=0:log_path="$PWD/leaks" "$@"
	rm -f leaks.*
}

# Of what only prepares.
export STASIS_OPTIONS=detect_leaks=0

sts_tc git 60 "git" require.progs git
git_body()
{
	atf_check -o ignore git init -q repository
	for i in 1 2 3; do
		seq $i 1000 >"repository/file$i"
		LD_PRELOAD="$PRELOAD" git -C repository add "file$i"
		LD_PRELOAD="$PRELOAD" git -C repository -c user.name=n -c user.email=e commit -q -m "commit $i"
	done
	same git -C repository log --stat -p
	same git -C repository fsck --full
	LD_PRELOAD="$PRELOAD" git -C repository gc -q
	same git -C repository grep -c 77
}

sts_tc python 60 "python, with threads, subprocesses and errors" require.progs python3
python_body()
{
	cat >p.py <<'END'
import collections, concurrent.futures, hashlib, json, re, subprocess, sys
def work(n):
	d = collections.defaultdict(list)
	for i in range(n):
		d[i % 17].append(str(i) * (i % 50))
	return hashlib.sha256(json.dumps(d).encode()).hexdigest()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
	for h in pool.map(work, range(1000, 20000, 1700)):
		print(h)
print(subprocess.run(["sh", "-c", "echo from a child"], capture_output=True).stdout)
print(len(bytearray(1 << 28)), re.sub("a+", "b", "caaat" * 10000)[:20])
try:
	bytearray(1 << 62)
except MemoryError:
	print("no memory")
sys.exit(3)
END
	same python3 p.py
}

sts_tc perl 60 "perl" require.progs perl
perl_body()
{
	same perl -e 'my %h; $h{$_ % 1000} .= $_ for 1 .. 300000; my $p = fork; if (!$p) { print scalar keys %h; exit 0 }
		waitpid $p, 0; print length join "", map { $h{$_} } sort keys %h; die "end\n"'
}

sts_tc node 60 "node" require.progs node
node_body()
{
	same node -e 'const m = new Map(); for (let i = 0; i < 2e5; i++) m.set("k" + i, Buffer.alloc(i % 99, i));
		let s = 0; for (const b of m.values()) s += b.length; console.log(s, JSON.stringify([...m.keys()]).length)'
}

sts_tc sqlite 60 "sqlite3" require.progs sqlite3
sqlite_body()
{
	same sqlite3 :memory: 'create table t(a, b);
		with recursive c(x) as (select 1 union all select x + 1 from c where x < 200000) insert into t select x, hex(x * 7) from c;
		create index i on t(b); select count(*), sum(a), max(b) from t where b like "3%";'
}

# Those of them that are here.
compilers=$(for compiler in gcc clang; do ! command -v $compiler >/dev/null || echo $compiler; done)

sts_tc compilers 100 "gcc and clang write the same code" require.progs gcc
compilers_body()
{
	for compiler in $compilers; do
		for options in -O0 -O2 "-O2 -g"; do
			# shellcheck disable=SC2086 # words
			atf_check $compiler $options -D_GNU_SOURCE -w -I"$STS_SOURCE/tests/targets/leaks" -c -o plain.o \
				"$STS_SOURCE/tests/targets/leaks/paths.c"
			# shellcheck disable=SC2086
			atf_check env LD_PRELOAD="$PRELOAD" $compiler $options -D_GNU_SOURCE -w \
				-I"$STS_SOURCE/tests/targets/leaks" -c -o ours.o "$STS_SOURCE/tests/targets/leaks/paths.c"
			atf_check objcopy --strip-debug plain.o plain
			atf_check objcopy --strip-debug ours.o ours
			atf_check cmp plain ours
		done
	done
}

sts_tc make_tar 60 "make -j2, the shell, tar and sort" require.progs "make tar sort"
make_tar_body()
{
	printf 'all: %s\n' "$(seq -s' ' -f f%g 60)" >Makefile
	# shellcheck disable=SC2016 # for make
	printf 'f%%:\n\t@seq 1 $* | sort -rn >$@\n' >>Makefile
	atf_check -o ignore env LD_PRELOAD="$PRELOAD" make -j2
	same sh -c 'cat f*'
	same sh -c 'tar cf - f* | tar tvf - | sort -k6'
	same sort -n f60 f50
}

sts_tc versions 60 "what hardly begins, or ends with an error" require.progs "git sh"
versions_body()
{
	same git --version
	same sh -c 'echo out; echo err >&2; exit 3'
}

sts_tc short_python 100 "a short script of python" require.progs python3
short_python_body()
{
	same python3 -c 'import json, threading, subprocess; print(json.dumps([subprocess.getoutput("echo 1")] * 3))'
}

sts_tc short_node 100 "a short script of node" require.progs node
short_node_body()
{
	same node -e 'console.log([1, 2, 3].map(x => x * 2).join())'
}

sts_tc short_perl 100 "a short script of perl" require.progs perl
short_perl_body()
{
	same perl -e 'my %h = map { $_ => 1 } 1..1000; print scalar(keys %h), qq(\n)'
}

sts_tc short_sqlite 100 "a short script of sqlite" require.progs sqlite3
short_sqlite_body()
{
	same sqlite3 :memory: 'with recursive c(x) as (select 1 union all select x + 1 from c where x < 9999) select sum(x) from c'
}

sts_tc objects 200 "gcc and clang make the same object, with its debugging information" require.progs gcc
objects_body()
{
	printf '#include <stdio.h>\nint main(void) { puts("x"); return 0; }\n' >a.c
	for compiler in $compilers; do
		same $compiler -O2 -g -c -o a.o a.c
		mv a.o with.o
		atf_check $compiler -O2 -g -c -o a.o a.c
		atf_check cmp a.o with.o
	done
}

sts_tc archive 60 "tar and gzip" require.progs "tar gzip"
archive_body()
{
	mkdir files
	seq 10000 >files/a
	cp files/a files/b
	same tar czf /dev/null files
	same tar cvf /dev/null files
}

sts_tc make_in_make 100 "make -j2, and the makes that it runs" require.progs "make cc"
make_in_make_body()
{
	printf 'all:\n\t@$(MAKE) -s --no-print-directory one\n\t@$(MAKE) -s --no-print-directory two\none two:\n\t@echo $@ | tr a-z A-Z\n' >Makefile
	same make
	same make -j2 one
}

# Nothing of it listens but a socket in this folder.
sts_tc redis 100 "redis-server, asked for leaks by signal while it has much to do: none, and it serves on" \
	require.progs "redis-server redis-benchmark redis-cli /usr/bin/python3"
redis_body()
{
	unset STASIS_OPTIONS
	timeout 90 "$STASIS" leaks --json=reports --on-signal=USR2 redis-server --port 0 --unixsocket "$PWD/s" --save '' \
		--appendonly no --dir . >out 2>err &
	command=$!
	trap 'kill $command 2>/dev/null' EXIT
	sts_await redis-cli -s s ping
	pid=$(redis-cli -s s info server | tr -d '\r' | sed -n 's/^process_id://p')
	redis-benchmark -s s -q -n 20000 -c 10 -r 5000 -d 50 -P 4 -t set,get,lpush,hset,zadd >benchmark 2>&1 &
	load=$!
	for i in 1 2 3 4 5; do
		kill -USR2 "$pid"
		sts_await reports_are $i
	done
	wait $load || atf_fail "$(cat benchmark)"
	atf_check -o match:'^[1-9]' redis-cli -s s dbsize
	redis-cli -s s shutdown nosave
	wait $command || atf_fail "status $?: $(cat err)"
	[ ! -s err ] || atf_fail "$(cat err)"
	atf_check -o inline:"['signal', 'signal', 'signal', 'signal', 'signal', 'exit'] 0 True\n" /usr/bin/python3 -S -c 'import json
r = [json.loads(line) for line in open("reports")]
print([x["reason"] for x in r], sum(x["leaked"]["blocks"] for x in r), r[-1]["live"]["blocks"] > 5000)'
}

# reports_are N: so many lines are in the file.
reports_are()
{
	[ "$(wc -l <reports)" -ge "$1" ]
}
