# SPDX-License-Identifier: BSD-2-Clause
# stasis truss -k: who made each call.

# chains FILE: of each stack in it, on a line, the functions from the innermost on; of libraries, their names.
chains()
{
	sed -n -E -e 's/^([0-9]+ +)?getppid\(.*/=/p' -e t -e 's/^ > .*\(([^+)]*)[^ ]*\) \[.*/\1/p' "$1" | tr '\n' ' ' | tr '=' '\n' | sed 's/ *$//'
	echo
}

CHAIN='level_8 level_7 level_6 level_5 level_4 level_3 level_2 level_1'

# trace FILE OPTION... PROGRAM ARGUMENT...: the stacks of its getppid calls.
trace()
{
	file=$1
	shift
	"$STASIS" truss -e trace=getppid -e event=none -e signal=none -o "$file" "$@" || atf_fail "truss $* failed"
}

sts_tc kinds 60 "through optimised code without frame pointers, of every way of linking"
kinds_body()
{
	done=0
	for kind in '' -static -fixed -32 -musl; do
		[ -x "$STS_TARGETS/target-stack$kind" ] || continue
		trace out -k "$(sts_target "stack$kind")" deep
		chains out >got
		atf_check -o match:"(^| )(__)?getppid $CHAIN main( |\$)" cat got
		atf_check -o inline:'1\n' grep -c -w main got
		done=$((done + 1))
	done
	[ $done -ge 3 ] || atf_fail "no programs to look at"
}

sts_tc shape 60 "lines in strace's shape, the innermost first, with lines of the source if asked for"
shape_body()
{
	program=$(sts_target stack)
	trace out -kk "$program" deep
	number=$(grep -n 'LEVEL(level_3' "$STS_SOURCE/tests/targets/stack/main.c" | cut -d: -f1)
	atf_check -o match:"^ > $program\\(level_3\\+0x[0-9a-f]+\\) \\[0x[0-9a-f]+\\] .*stack/main.c:$number\$" cat out
	trace plain -k "$program" deep
	atf_check -o match:"^ > $program\\(level_3\\+0x[0-9a-f]+\\) \\[0x[0-9a-f]+\\]\$" cat plain
	trace long --stack-traces=source "$program" deep
	atf_check grep -q 'stack/main.c:' long
	atf_check -s exit:2 -e match:'symbol or source' "$STASIS" truss --stack-traces=all true
	atf_check -s exit:2 -e match:'-k' "$STASIS" truss -k -c true
}

sts_tc addresses 60 "an address in brackets is one that the file was linked for" require.progs "addr2line"
addresses_body()
{
	for kind in '' -fixed; do
		program=$(sts_target "stack$kind")
		trace out -k "$program" deep
		address=$(sed -n -E 's/^ > .*\(level_5\+.*\[(0x[0-9a-f]+)\]$/\1/p' out)
		atf_check -o inline:'level_5\n' sh -c "addr2line -f -e '$program' $address | head -1"
	done
}

sts_tc stripped 60 "without symbols the frames are there all the same"
stripped_body()
{
	program=$(sts_target stack-stripped)
	trace out -k "$program" deep
	atf_check -o inline:'10\n' grep -c "^ > $program() \\[0x[0-9a-f]*\\]\$" out
}

sts_tc signal 60 "through a signal's frame to what it interrupted"
signal_body()
{
	for kind in '' -32; do
		[ -x "$STS_TARGETS/target-stack$kind" ] || continue
		trace out -k "$(sts_target "stack$kind")" signal
		chains out >got
		atf_check -o match:"on_signal .*(gsignal|raise) $CHAIN main" cat got
	done
	"$STASIS" truss -k -e trace=none -o out "$(sts_target stack)" signal || atf_fail "truss failed"
	sed -n '/^[0-9 ]*--- SIGUSR1/,/^[0-9]/p' out >lines
	atf_check -o match:' > .*\(level_8\+' -o match:' > .*\(main\+' cat lines
}

sts_tc births 60 "in forked and vforked children, and in threads"
births_body()
{
	for how in fork vfork; do
		trace out -k "$(sts_target stack)" $how
		chains out >got
		atf_check -o match:"getppid $CHAIN in_child(\\.[a-z0-9.]+)? main|getppid $CHAIN main" cat got
	done
	trace out -k "$(sts_target stack)" thread
	chains out >got
	atf_check -o match:"getppid $CHAIN run_thread" cat got
}

sts_tc plugs 60 "libraries that come and go, in each other's place, also where their mapping is not shown"
plugs_body()
{
	one=$STS_TARGETS/stack-plug-one.so two=$STS_TARGETS/stack-plug-two.so
	[ -f "$one" ] || atf_skip "no libraries"
	for more in --no-seccomp --seccomp-bpf; do
		trace out -k $more "$(sts_target stack)" plug "$one" "$two" "$one" "$two"
		chains out | sed -n 's/.*getppid \(plug_[a-z]*\) plug.*/\1/p' >got
		atf_check -o inline:'plug_one\nplug_two\nplug_one\nplug_two\n' cat got
	done
	# The case is none unless both lay in one place.
	"$STASIS" truss --json -k -e trace=getppid -o json "$(sts_target stack)" plug "$one" "$two" || atf_fail "failed"
	/usr/bin/python3 -S -c 'import json
r = [json.loads(l) for l in open("json")]
a = [f["address"] for x in r for f in x.get("stack", []) if f.get("symbol", "").startswith("plug_")]
assert len(a) == 2 and a[0] == a[1], a' || atf_skip "the second library did not take the first one's place"
}

sts_tc deleted 60 "a program whose file is gone"
deleted_body()
{
	for kind in '' -static; do
		[ -x "$STS_TARGETS/target-stack$kind" ] || continue
		cp "$(sts_target "stack$kind")" copy
		trace out -k ./copy deleted
		chains out >got
		atf_check -o match:"getppid $CHAIN main" cat got
	done
}

sts_tc deleted_user 60 "the same where one may not open the file: what is left is in its memory" require.user root \
	require.progs setpriv
deleted_user_body()
{
	mkdir open && chmod 777 open && cp "$(sts_target stack-stripped)" open/copy && chmod 755 open/copy && chmod 755 .
	setpriv --reuid=65534 --regid=65534 --clear-groups true || atf_skip "no other user"
	setpriv --reuid=65534 --regid=65534 --clear-groups "$STASIS" truss -k -e trace=getppid -o open/out open/copy deleted ||
		atf_skip "another user cannot run from here"
	atf_check -o inline:'10\n' grep -c '^ > .*/open/copy (deleted)() \[0x[0-9a-f]*\]$' open/out
}

sts_tc json 60 "the same as members, as the schema says"
json_body()
{
	"$STASIS" truss --json -kk -o t.json "$(sts_target stack)" deep || atf_fail "truss failed"
	/usr/bin/python3 -S "$STS_SOURCE/tests/cli/json_schema.py" "$STS_SOURCE/data/truss.schema.json" t.json >valid.out ||
		atf_fail "$(cat valid.out)"
	/usr/bin/python3 -S -c 'import json
calls = [json.loads(line) for line in open("t.json") if "\"syscall\"" in line]
assert all("stack" in c for c in calls)
stack = next(c for c in calls if c["call"] == "getppid")["stack"]
names = [f.get("symbol") for f in stack]
at = names.index("level_8")
assert names[at:at + 9] == ["level_%d" % n for n in range(8, 0, -1)] + ["main"], names
for f in stack[at:at + 8]:
    assert f["module"].endswith("target-stack") and f["file"].endswith("stack/main.c") and f["line"] > 0, f
    assert 0 < f["offset"] < 4096 and f["address"] & 4095 == f["module_offset"] & 4095, f' || atf_fail "wrong stacks"
}

sts_tc peer 120 "call by call the same frames as strace finds" require.progs "strace setarch /usr/bin/python3"
peer_body()
{
	strace -k -e trace=getppid -o probe true 2>/dev/null || atf_skip "this strace has no -k"
	setarch -R strace -k -o s.out ls -l / >/dev/null || atf_fail "strace failed"
	setarch -R "$STASIS" truss -k -e event=none -o t.out ls -l / >/dev/null || atf_fail "truss failed"
	cat >compare.py <<-'END'
	import re
	def read(path):
	    calls = []
	    for line in open(path, errors="replace"):
	        frame = re.match(r" > (.*?)\(.*\) \[(0x[0-9a-f]+)\]", line)
	        call = re.match(r"(?:\d+ +)?(\w+)\(", line)
	        if frame and calls:
	            calls[-1][1].append(frame.groups())
	        elif call:
	            calls.append((call[1], []))
	    return calls
	ours, theirs = read("t.out"), read("s.out")
	assert len(ours) > 50 and [c[0] for c in ours] == [c[0] for c in theirs]
	# strace asks at the exit, when the one is gone, and the other's program is another.
	wrong = [(o, t) for o, t in zip(ours, theirs) if o[0] not in ("execve", "exit_group") and o[1] != t[1]]
	assert not wrong, "%d of %d: %s" % (len(wrong), len(ours), wrong[0])
	assert sum(len(o[1]) for o in ours) > 5 * len(ours)
	END
	atf_check /usr/bin/python3 -S compare.py
}

sts_tc network 60 "no server is asked for debug information, and the command's environment is its own" \
	require.progs "/usr/bin/python3"
network_body()
{
	cat >ask.py <<-'END'
	import os, socket, subprocess, sys
	server = socket.create_server(("127.0.0.1", 0))
	server.settimeout(0.0)
	os.environ["DEBUGINFOD_URLS"] = url = "http://127.0.0.1:%d/" % server.getsockname()[1]
	def asked():
	    p = subprocess.Popen([sys.argv[1], "truss", "-kk", "-e", "trace=getppid", "-o", "out", sys.argv[2], "deep"])
	    found = False
	    while p.poll() is None or not found:
	        over = p.poll() is not None
	        try:
	            server.accept()[0].close()
	            found = True
	        except BlockingIOError:
	            if over:
	                return found
	    return p.wait() == 0
	assert not asked()
	told = subprocess.run([sys.argv[1], "truss", "-kk", "-o", "out", "env"], capture_output=True, text=True)
	assert "DEBUGINFOD_URLS=%s\n" % url in told.stdout
	os.environ["STASIS_DEBUGINFOD"] = "1"
	sys.exit(0 if asked() else 77)
	END
	/usr/bin/python3 -S ask.py "$STASIS" "$(sts_target stack-stripped)"
	case $? in
	0) ;;
	77) atf_skip "this elfutils does not ask servers" ;;
	*) atf_fail "a server was asked, or the environment changed" ;;
	esac
}

sts_tc cost 120 "10000 stacks of 10 functions cost at most three times what the calls cost without"
cost_body()
{
	program=$(sts_target stack)
	best()
	{
		least=
		for _ in 1 2 3 4 5; do
			start=$(date +%s%N)
			"$STASIS" truss "$@" --placement=shared -e trace=getppid -o out "$program" deep 10000 || atf_fail "failed"
			took=$((($(date +%s%N) - start) / 1000))
			[ -z "$least" ] || [ $took -lt "$least" ] && least=$took
		done
	}
	best
	without=$least
	best -k
	atf_check -o inline:'10000\n' grep -c '^ > .*level_1+' out
	echo "without $without us, with $least us"
	[ "$least" -le $((3 * without)) ] || atf_fail "$least us with -k, $without us without"
}
