# SPDX-License-Identifier: BSD-2-Clause
# stasis truss --format=chrome-trace: what viewers are given is what happened.

# check FILE SCRIPT: run it with `r`, the events, and helpers.
check()
{
	/usr/bin/python3 -S -c 'import collections, json, sys
r = json.load(open(sys.argv[1]))
def phase(p, **also):
    return [e for e in r if e["ph"] == p and all(e.get(k) == v for k, v in also.items())]
def nests():
    "Complete events of a thread lie in each other or apart."
    for lane in {(e["pid"], e["tid"]) for e in phase("X")}:
        mine = [(round(e["ts"] * 1000), round(e["ts"] * 1000) + round(e["dur"] * 1000), e["name"])
                for e in phase("X") if (e["pid"], e["tid"]) == lane]
        open_until = []
        for start, end, name in sorted(mine, key=lambda m: (m[0], -m[1])):
            while open_until and open_until[-1][0] <= start:
                open_until.pop()
            assert not open_until or end <= open_until[-1][0], (lane, name, start, end, open_until)
            open_until.append((end, name))
def whole():
    assert all(e["pid"] > 0 and e["tid"] > 0 for e in r)
    assert all(e["ts"] >= 0 for e in r if e["ph"] != "M")
    assert {e["ph"] for e in r} <= set("MXisf")
    named = {e["pid"] for e in phase("M", name="process_name")}
    threads = {(e["pid"], e["tid"]) for e in phase("M", name="thread_name")}
    assert {e["pid"] for e in r} == named and {(e["pid"], e["tid"]) for e in r} == threads
    order = [e["args"]["sort_index"] for e in phase("M", name="process_sort_index")]
    assert order == list(range(len(order))) and len(order) == len(named)
    nests()
exec(sys.argv[2])' "$1" "$2" || atf_fail "$1 is not what it should be"
}

sts_tc family 60 "processes, births and ends are those that the program itself tells" require.progs "/usr/bin/python3"
family_body()
{
	cat >p.py <<-'END'
	import json, os, sys, threading
	facts = {"births": [], "ends": {}}
	def born(pid, status):
	    facts["births"].append([os.getpid(), pid])
	    os.waitpid(pid, 0)
	    facts["ends"][pid] = status
	for status in (3, 0, 9):
	    pid = os.fork()
	    if pid == 0:
	        os.kill(os.getpid(), 9) if status == 9 else os._exit(status)
	    born(pid, "killed by SIGKILL" if status == 9 else "exited with %d" % status)
	born(os.posix_spawn("/bin/sh", ["sh", "-c", "exit 5"], {}), "exited with 5")
	thread = threading.Thread(target=os.getppid)
	thread.start()
	thread.join()
	json.dump(facts, open("facts", "w"))
	END
	"$STASIS" truss --format=chrome-trace -o t.json /usr/bin/python3 -S p.py || atf_fail "truss failed"
	check t.json '
whole()
facts = json.load(open("facts"))
begins = {e["id"]: e for e in phase("s")}
arrows = [[begins.pop(e["id"])["pid"], e["pid"]] for e in phase("f")]
assert arrows == facts["births"] and not begins, arrows
assert [e["name"] for e in phase("s")] == ["fork", "fork", "fork", phase("s")[3]["name"]]
assert phase("s")[3]["name"] in ("vfork", "posix-spawn")
for pid, how in facts["ends"].items():
    assert [e["name"] for e in r if e["ph"] == "i" and e["pid"] == int(pid) and e["cat"] in ("exited", "killed")] == [how]
last = {e["pid"]: e["args"]["name"] for e in phase("M", name="process_name")}
assert sorted(last.values()) == ["python3"] * 4 + ["sh"], last
assert len(phase("i", cat="lwp-create")) == 1
assert collections.Counter(e["name"] for e in phase("X", cat="program"))["sh"] == 1
birth = phase("i", cat="fork")[0]
assert any(e["ts"] <= birth["ts"] <= e["ts"] + e["dur"] for e in phase("X", cat="syscall", tid=birth["tid"], name="clone"))
'
}

sts_tc calls 60 "every call, as often and with the arguments that --json tells" require.progs "/usr/bin/python3"
calls_body()
{
	mkdir d && touch d/a d/b
	"$STASIS" truss --format=chrome-trace -o t.json ls d >ls.out || atf_fail "truss failed"
	"$STASIS" truss --format=json -o l.json ls d >ls.out || atf_fail "truss failed"
	check t.json '
whole()
lines = [json.loads(l) for l in open("l.json")]
told = [x for x in lines if x["record"] == "syscall"]
mine = phase("X", cat="syscall")
assert len(told) > 30 and [x["call"] for x in told] == [e["name"] for e in mine]
for x, e in zip(told, mine):
    a = e["args"]
    assert (a["call"], a["number"], a["status"], a["abi"]) == (x["call"], x["number"], x["status"], x["abi"])
    assert list(a["args"]) == list(x["args"]) and a.get("error") == x.get("error")
opened = [e["args"] for e in mine if e["name"] == "openat" and "d" in e["args"]["args"].values()]
assert len(opened) == 1 and opened[0]["result"]["value"] == 3, opened
'
}

sts_tc pipeline 60 "programs that follow each other, at the same time as others, and an exec in a thread" \
	require.progs "/usr/bin/python3 make"
pipeline_body()
{
	printf 'all: 1 2 3 4 5 6\n1 2 3 4 5 6:\n\tseq $@ | sort -r | tail -n 1\n' >Makefile
	"$STASIS" truss --format=chrome-trace -o t.json make -j3 >out 2>&1 || atf_fail "truss failed"
	check t.json '
whole()
names = collections.Counter(e["name"] for e in phase("X", cat="program"))
assert (names["seq"], names["sort"], names["tail"]) == (6, 6, 6), names
assert len(phase("i", cat="exec")) >= 24, len(phase("i", cat="exec"))
'
	"$STASIS" truss --format=chrome-trace -k -e trace=none -o n.json sh -c 'true | true' || atf_fail "truss failed"
	check n.json 'whole(); assert not phase("X", cat="syscall") and len(phase("s")) == 2'
	cat >e.py <<-'END'
	import os, threading
	t = threading.Thread(target=os.execv, args=("/bin/true", ["true"]))
	t.start()
	t.join()
	END
	"$STASIS" truss --format=chrome-trace -o e.json /usr/bin/python3 -S e.py || atf_fail "truss failed"
	check e.json 'whole(); assert [e["name"] for e in phase("X", cat="program", tid=r[0]["pid"])] == ["python3", "true"]'
}

sts_tc early 60 "a trace that ends early is whole; one that is cut lacks its bracket alone" require.progs "/usr/bin/python3"
early_body()
{
	mkfifo go
	sh -c 'read line <go; exit 3' &
	pid=$!
	"$STASIS" truss --format=chrome-trace -o t.json -p $pid &
	tracer=$!
	sts_await grep -q '^TracerPid:.[1-9]' /proc/$pid/status
	sts_await grep -q '^SigCgt:.*[4-7c-f]...$' /proc/$tracer/status # SIGTERM is caught
	kill $tracer
	wait $tracer
	echo >go
	wait $pid
	check t.json '
whole()
assert all(e["pid"] == r[0]["pid"] for e in r)
# It may have been on its way to where it waits.
assert [s for s in (e["args"]["status"] for e in phase("X", cat="syscall")) if s not in ("successful", "failed")] in ([], ["detached"])
'
	"$STASIS" truss --format=chrome-trace -o w.json true || atf_fail "truss failed"
	{ head -n 20 w.json && echo ']'; } >cut.json
	check cut.json 'assert len(r) == 19'
	atf_check -s exit:2 -e match:'chrome-trace' "$STASIS" truss --format=xml true
	atf_check -s exit:2 -e ignore "$STASIS" truss --format=chrome-trace -c true
}
