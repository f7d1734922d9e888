# SPDX-License-Identifier: BSD-2-Clause
# stasis truss --html: a page that tells what happened, and needs nothing else.

# take PAGE: what it asks of elsewhere must be nothing; its facts to `facts`, its program to `page.js`.
take()
{
	cat >take.py <<-'END'
	import html.parser, json, re, sys
	class Page(html.parser.HTMLParser):
	    facts, inside, code, asked = [], None, "", []
	    def handle_starttag(self, tag, attributes):
	        a = dict(attributes)
	        self.inside = ("json" if a.get("class") == "trace" else "code") if tag == "script" else None
	        self.asked += [a[k] for k in ("src", "href", "action", "data", "srcset") if k in a]
	    def handle_endtag(self, tag):
	        self.inside = None
	    def handle_data(self, data):
	        if self.inside == "json": self.facts.append(json.loads(data))
	        if self.inside == "code": self.code += data
	text = open(sys.argv[1]).read()
	page = Page()
	page.feed(text)
	assert not page.asked and not re.search(r"https?:|\burl\(|@import|fetch\(|XMLHttpRequest|WebSocket|import\(", text)
	assert "default-src 'none'" in text and len(page.facts) == 1
	json.dump(page.facts[0], open("facts", "w"))
	open("page.js", "w").write(page.code)
	END
	/usr/bin/python3 -S take.py "$1" || atf_fail "$1 is no page that stands for itself"
}

# check SCRIPT: with `f`, the facts, `r`, the records of t.json, if there are any.
check()
{
	/usr/bin/python3 -S -c 'import collections, json, os, sys
f = json.load(open("facts"))
r = [json.loads(l) for l in open("t.json")] if os.path.exists("t.json") else []
people = {p["index"]: p for p in f["processes"]}
exec(sys.argv[1])' "$1" || atf_fail "the page tells something else"
}

sts_tc facts 60 "it tells what the records of the same trace tell" require.progs /usr/bin/python3
facts_body()
{
	cp /bin/true '<!--<script>&"'
	# shellcheck disable=SC2016
	"$STASIS" truss --html=page.html --json -o t.json sh -c \
		'(sh -c "exit 4"; exit 3); seq 900 | sort -r >sorted; "./<!--<script>&\""; cat /none 2>&1; kill -9 $$' >/dev/null
	[ $? -eq 137 ] || atf_fail "truss did not end as the command did"
	take page.html
	check '
calls = [x for x in r if x["record"] == "syscall" and x["status"] in ("successful", "failed")]
assert {c["call"]: (c["calls"], c["errors"]) for c in f["counts"]} == {
    n: (len(c), sum(x["status"] == "failed" for x in c)) for n, c in
    ((n, [x for x in calls if x["call"] == n]) for n in {x["call"] for x in calls})}
for c in f["counts"]:
    mine = [x["duration_ns"] for x in calls if x["call"] == c["call"]]
    assert (c["wall"], c["max"]) == (sum(mine), max(mine))
births = [(x["pid"], x["child"], x["kind"]) for x in r if x["record"] == "birth"]
assert [(people[p["parent"]]["pid"], p["pid"], p["birth"]) for p in sorted(f["processes"], key=lambda p: p["index"])[1:]] == births
ends = {x["pid"]: "killed by " + x["signal"] if "signal" in x else "exited with %d" % x["exit_status"]
        for x in r if x["record"] == "exit"}
assert {p["pid"]: p["end"] for p in f["processes"]} == ends
assert {p["pid"]: (p["calls"], p["errors"]) for p in f["processes"]} == {
    pid: (sum(x["pid"] == pid for x in calls), sum(x["pid"] == pid and x["status"] == "failed" for x in calls)) for pid in ends}
execs = collections.Counter(x["pid"] for x in r if x["record"] == "exec")
assert all(len(p["programs"]) == execs[p["pid"]] for p in f["processes"] if p["birth"])
assert f["all_processes"] == len(ends) == len(people)
for p in f["processes"]:
    assert 0 <= p["born"] <= p["died"] <= f["ended"]
    assert all(p["born"] <= x["since"] <= p["died"] for x in p["programs"] if p["birth"])
'
	check 'assert any("<!--<script>&" in x["name"] for p in f["processes"] for x in p["programs"])'
}

sts_tc slowest 60 "the slowest calls of many, as text" require.progs "/usr/bin/python3 dd"
slowest_body()
{
	"$STASIS" truss --html=page.html --json -o t.json dd if=/dev/zero of=copy bs=1 count=2000 2>/dev/null || atf_fail "failed"
	take page.html
	check '
calls = [x for x in r if x["record"] == "syscall"]
assert len(calls) > 4000 and len(f["slowest"]) == 500 == f["most_slowest"]
mine = sorted((x["duration_ns"] for x in calls if x["duration_ns"] is not None), reverse=True)[:490]
told = sorted((x["ns"] for x in f["slowest"]), reverse=True)
assert mine == told[:490], (mine[:5], told[:5])
for s in f["slowest"]:
    assert s["text"].startswith(s["call"] + "(") and " = " in s["text"] and people[s["process"]]["pid"] == s["pid"], s
'
	"$STASIS" truss --html=c.html -c -o summary sleep 0.2 || atf_fail "truss failed"
	take c.html
	check '
assert f["command"] == ["sleep", "0.2"]
longest = max(f["slowest"], key=lambda s: s["ns"])
assert longest["ns"] >= 2e8 and longest["text"].startswith("clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=200000000}"), longest
'
	atf_check -o match:clock_nanosleep cat summary
}

sts_tc bounded 120 "of many processes the first are told, and how many there were" require.progs /usr/bin/python3
bounded_body()
{
	# shellcheck disable=SC2016
	"$STASIS" truss --html=page.html -e trace=none -e event=none -e signal=none -q -o /dev/null \
		sh -c 'i=0; while [ $i -lt 5100 ]; do (exit 0); i=$((i + 1)); done' || atf_fail "truss failed"
	take page.html
	check '
assert f["all_processes"] == 5101 and len(f["processes"]) == 5000 == f["most_processes"]
assert sorted(people) == list(range(5000)) and all(p["parent"] == (0 if p["index"] else -1) for p in f["processes"])
'
}

sts_tc failed 60 "a page that cannot be written is complained of" require.progs /usr/bin/python3
failed_body()
{
	atf_check -s exit:125 -e match:'none/page.html: No such file' "$STASIS" truss --html=none/page.html -o /dev/null true
	atf_check -s exit:125 -e match:'/dev/full: the page could not be written: No space' \
		"$STASIS" truss --html=/dev/full -o /dev/null true
}

sts_tc script 60 "its program: the order of the family, finding, pieces in time" require.progs "/usr/bin/python3 node"
script_body()
{
	"$STASIS" truss --html=page.html -c -o /dev/null sh -c '(exit 3); (seq 2 | sort -r; exit 4) >sorted; /bin/true' ||
		atf_fail "truss failed"
	take page.html
	cat >>page.js <<-'END'
	const facts = JSON.parse(require("fs").readFileSync("facts")), order = family(facts);
	const strip = list => list.map(p => p.depth + programs(p).replace("sh -> ", "") + ":" + p.end.split(" ").pop()).join(" ");
	console.log(strip(order));
	console.log(wantedPeople(order, "sort").map(x => x.p.depth + (x.found ? "found" : "above")).join(" "));
	console.log(wantedPeople(order, "no such thing").length, wantedCalls(facts.slowest, "").length === facts.slowest.length);
	console.log(order.every(p => { const parts = pieces(p, facts.ended); return parts[0].from === p.born &&
		parts[parts.length - 1].to === p.died && parts.every((x, i) => i === 0 || x.from === parts[i - 1].to); }));
	console.log(order.filter(isBad).length);
	END
	atf_check -o save:out node page.js
	cat >expected <<-'END'
	0sh:0 1(sh):3 1(sh):4 2seq:0 2sort:0 1true:0
	0above 1above 2found
	0 true
	true
	2
	END
	atf_check diff expected out
}

sts_tc browser 120 "a browser shows it" require.progs "chromium /usr/bin/python3"
browser_body()
{
	"$STASIS" truss --html=page.html -c -o /dev/null sh -c '(exit 3); seq 2 | sort -r >sorted; /bin/true' || atf_fail "failed"
	# As a person at the keyboard: two down, then to the parent, its first child, and closer.
	cat >>page.html <<-'END'
	<script>
	document.querySelector(".row").focus();
	for (const key of ["ArrowDown", "ArrowDown", "ArrowLeft", "ArrowRight", "Enter"])
		document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: key, bubbles: true}));
	</script>
	END
	HOME=$PWD timeout 60 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" --dump-dom \
		"file://$PWD/page.html" >dom 2>log || atf_fail "chromium failed: $(tail -n 3 log)"
	cat >dom.py <<-'END'
	import re
	dom = open("dom").read()
	assert len(re.findall(r'role="treeitem"', dom)) == 5, dom
	assert len(re.findall(r'class="link (fork|vfork)"', dom)) == 4
	assert re.search(r'<p id="sum">sh -c .* processes: 5, calls: [0-9]+, ended badly: 1\.</p>', dom)
	assert re.search(r'<p id="about"[^>]*>\d+, by fork of \d+: \(sh\)\n.*exited with 3\n', dom)
	assert len(re.findall(r'class="row on"', dom)) == 1 and not re.search(r'class="tick"[^>]*>0\.000000<', dom)
	assert len(re.findall("<tr><td class=\"n\">", dom)) > 50
	END
	atf_check /usr/bin/python3 -S dom.py
}
