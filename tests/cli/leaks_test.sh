# SPDX-License-Identifier: BSD-2-Clause
# stasis leaks: what it says of programs that lose memory, and how it ends.

# ask FILE EXPRESSION: the value of a Python expression over the list `r` of its reports.
ask()
{
	/usr/bin/python3 -S -c 'import json, sys
r = [json.loads(line) for line in open(sys.argv[1])]
print(eval(sys.argv[2]))' "$@"
}

# sums FILE: class, blocks, bytes of all leaks, by class.
sums()
{
	ask "$1" '"\n".join("%s %d %d" % (c, sum(l["blocks"] for x in r for l in x["leaks"] if l["class"] == c),
		sum(l["bytes"] for x in r for l in x["leaks"] if l["class"] == c))
		for c in sorted({l["class"] for x in r for l in x["leaks"]}))'
}

lose()
{
	target=$(sts_target lose) || exit $?
}

sts_tc counts 30 "blocks and bytes by class, with functions, files and lines" require.progs /usr/bin/python3
counts_body()
{
	lose
	atf_check -e empty "$STASIS" leaks --json=j "$target" direct 3 100 list 5 keep 7
	atf_check_equal "$(sums j)" "$(printf 'definite 4 364\nindirect 4 256')"
	atf_check_equal "$(ask j '[l.get("function") for x in r[0]["leaks"] if x["bytes"] == 300 for l in x["stack"]][1:3]')" "['lose_one', 'lose_direct']"
	atf_check_equal "$(ask j '(lambda l: l["file"].split("/")[-1] + " " + str(l["line"] > 30))([l for l in r[0]["leaks"][0]["stack"] if l.get("function") == "lose_one"][0])')" 'lose.c True'
	atf_check -e empty "$STASIS" leaks --show-leak-kinds=reachable --json=j "$target" keep 7
	atf_check_equal "$(ask j 'any(l["blocks"] == 7 and l["bytes"] == 448 for l in r[0]["leaks"])')" 'True'
}

sts_tc units 30 "lines are found where the compiler lists no address ranges, as clang does not" \
	require.progs "/usr/bin/python3 objcopy"
units_body()
{
	lose
	atf_check objcopy --remove-section=.debug_aranges "$target" bare
	atf_check -e empty "$STASIS" leaks --json=j ./bare direct 1 8
	atf_check_equal "$(ask j '(lambda l: l["file"].split("/")[-1] + " " + str(l["line"] > 30))([l for l in r[0]["leaks"][0]["stack"] if l.get("function") == "lose_one"][0])')" 'lose.c True'
}

sts_tc schema 30 "every line of --json is what the schema says" require.progs /usr/bin/python3
schema_body()
{
	lose
	atf_check "$STASIS" leaks --json=j --report-objects --show-leak-kinds=all "$target" direct 3 100 list 5 keep 7 fork
	atf_check_equal "$(ask j 'len(r)')" '2'
	atf_check -o match:", 0 bad" /usr/bin/python3 -S "$STS_SOURCE/tests/cli/json_schema.py" "$STS_SOURCE/data/leaks.schema.json" j
}

sts_tc clean 30 "a clean program: nothing is said, its status and output kept"
clean_body()
{
	lose
	atf_check -s exit:7 -o empty -e empty "$STASIS" leaks "$target" keep 9 exit 7
	atf_check -s exit:0 -o inline:'hello\n' -e empty "$STASIS" leaks echo hello
}

sts_tc text 30 "LeakSanitizer's text on standard error"
text_body()
{
	lose
	atf_check -s exit:0 -o empty -e save:err "$STASIS" leaks "$target" direct 2 1337
	atf_check -o inline:'1\n' grep -c '^==[0-9]*==ERROR: LeakSanitizer: detected memory leaks$' err
	atf_check -o inline:'1\n' grep -c '^Direct leak of 2674 byte(s) in 2 object(s) allocated from:$' err
	atf_check -o match:'in lose_one .*/lose\.c:[0-9]+' grep '^    #1 0x' err
	atf_check -o inline:'SUMMARY: LeakSanitizer: 2674 byte(s) leaked in 2 allocation(s).\n' tail -1 err
}

sts_tc status 60 "exit statuses and death signals are the program's, unless --error-exitcode"
status_body()
{
	lose
	atf_check -s exit:3 -e ignore "$STASIS" leaks "$target" direct 1 8 exit 3
	atf_check -s exit:9 -e ignore "$STASIS" leaks --error-exitcode=9 "$target" direct 1 8 exit 3
	atf_check -s exit:3 -e empty "$STASIS" leaks --error-exitcode=9 "$target" keep 1 exit 3
	atf_check -s signal:15 -e ignore "$STASIS" leaks "$target" kill 15
	atf_check -s exit:4 -e match:'no report' "$STASIS" leaks "$target" _exit 4
	atf_check -s exit:4 -e empty "$STASIS" leaks -q "$target" _exit 4
}

sts_tc drop_in 60 "preloaded without the command: a reporter is started, status 23"
drop_in_body()
{
	lose
	library=$STS_BUILD/libstasis-leaks.so
	atf_check -s exit:23 -e match:'in lose_one .*/lose\.c:' env LD_PRELOAD="$library" "$target" direct 1 64
	atf_check -s exit:0 -e empty env LD_PRELOAD="$library" "$target" keep 1
	atf_check -s exit:5 -e match:SUMMARY env LD_PRELOAD="$library" LSAN_OPTIONS=exitcode=5 "$target" direct 1 64
	atf_check -s exit:0 -e empty env LD_PRELOAD="$library" LSAN_OPTIONS=detect_leaks=0 "$target" direct 1 64
	echo 'leak:lose_one' >rules
	atf_check -s exit:0 -e match:'      1         64 lose_one' env LD_PRELOAD="$library" \
		LSAN_OPTIONS=suppressions=rules "$target" direct 1 64
	atf_check -s exit:23 -e empty env LD_PRELOAD="$library" LSAN_OPTIONS=log_path=log "$target" direct 1 64
	atf_check -o match:'SUMMARY' cat log.*
	# Where no reporter can be run, modules and offsets must do.
	atf_check -s exit:23 -e match:'/target-lose\+0x' -e match:'SUMMARY: LeakSanitizer: 64 byte' \
		env LD_PRELOAD="$library" STASIS_LEAKS_REPORTER=/none "$target" direct 1 64
}

sts_tc family 60 "children, and what they run, make reports of their own"
family_body()
{
	lose
	atf_check -s exit:0 -e save:err "$STASIS" leaks sh -c "'$target' direct 1 10; '$target' direct 1 20; '$target' keep 2"
	atf_check -o inline:'2\n' grep -c ERROR err
	atf_check -o match:'2 of [0-9]+ reports tell of leaks: 30 byte\(s\) in 2 allocation' tail -1 err
	atf_check -s exit:0 -e save:err "$STASIS" leaks --log-file=log.%p "$target" threads 4 direct 1 10 fork exit 0
	atf_check -o inline:'2\n' sh -c 'ls log.* | wc -l'
	atf_check -o inline:'2\n' sh -c 'cat log.* | grep -c "^Direct leak of 10 byte"'
}

sts_tc suppressions 60 "files of rules; those that matched nothing; broken ones; --only; made ones"
suppressions_body()
{
	lose
	printf 'leak:lose_direct\nleak:nobody\n' >rules
	atf_check -s exit:0 -e not-match:ERROR "$STASIS" leaks --suppressions=rules "$target" direct 1 10
	atf_check -s exit:9 -e match:'rules:2: nobody' "$STASIS" leaks --error-exitcode=9 --suppressions=rules \
		--error-unused-suppressions "$target" direct 1 10
	atf_check -s exit:0 -e match:'leaked in 2 alloc' "$STASIS" leaks --only=lose_list "$target" direct 1 10 list 2
	atf_check -s exit:0 -e save:made "$STASIS" leaks --gen-suppressions=all "$target" direct 1 10
	sed -n '/^{/,/^}/p' made >rules
	atf_check -s exit:0 -e not-match:ERROR "$STASIS" leaks --suppressions=rules "$target" direct 1 10
	echo 'leak:' >rules
	atf_check -s exit:2 -e inline:'stasis: suppressions: rules:1: a rule without a pattern\n' \
		"$STASIS" leaks --suppressions=rules true
	atf_check -s exit:2 -e inline:'stasis: suppressions: none: No such file or directory\n' \
		"$STASIS" leaks --suppressions=none true
}

sts_tc at_once 60 "two threads check at once, and the program ends meanwhile: no report is missing" \
	require.progs /usr/bin/python3
at_once_body()
{
	lose
	for round in 1 2 3; do
		atf_check -s exit:0 -o empty -e empty "$STASIS" leaks --json=j "$target" direct 3 10 checks 5 exit 0
		atf_check_equal "$(ask j '6 <= len(r) <= 11, {x["leaked"]["blocks"] for x in r}, r[-1]["reason"]')" \
			"(True, {3}, 'exit')"
	done
}

sts_tc suppressed_holders 60 "what only a suppressed leak leads to is none, at the end and in a copy" \
	require.progs /usr/bin/python3
suppressed_holders_body()
{
	lose
	echo 'leak:lose_holder' >rules
	atf_check -s exit:0 -e match:'leaked in 5 alloc' "$STASIS" leaks "$target" chain 3 direct 1 10
	atf_check -s exit:9 -e match:'10 byte.s. leaked in 1 alloc' "$STASIS" leaks \
		--error-exitcode=9 --suppressions=rules "$target" chain 3 direct 1 10
	atf_check -s exit:0 -e not-match:ERROR "$STASIS" leaks --error-exitcode=9 --suppressions=rules "$target" chain 3
	LD_PRELOAD=$STS_BUILD/libstasis-leaks.so LSAN_OPTIONS=suppressions=rules \
		atf_check -s exit:0 -e match:'      1         64 lose_holder' -e not-match:ERROR "$target" chain 3
	# What is suppressed itself is told of as such.
	echo 'leak:lose_chain' >rules.chain
	atf_check "$STASIS" leaks --json=j --suppressions=rules.chain "$target" chain 3 list 2
	atf_check_equal "$(ask j 'sorted((l.get("suppressed_by", "-"), l["class"], l["blocks"]) for l in r[0]["leaks"])')" \
		"[('-', 'definite', 1), ('-', 'indirect', 1), ('lose_chain', 'definite', 1), ('lose_chain', 'indirect', 3)]"
	mkfifo in
	"$STASIS" leaks --json=k --suppressions=rules --on-signal=USR2 "$target" direct 1 10 chain 3 wait <in >out &
	command=$!
	exec 3>in
	sts_await grep -q ready out
	child=$(awk "{ print \$1 }" /proc/$command/task/$command/children)
	kill -USR2 "$child"
	sts_await test -s k
	echo >&3
	wait $command || atf_fail "it did not end"
	exec 3>&-
	atf_check_equal "$(ask k '[sum(l["blocks"] for l in x["leaks"] if l["counts"]) for x in r]')" "[1, 1]"
}

sts_tc baseline 60 "--save and --diff: an unchanged program has nothing new, one more leak is one"
baseline_body()
{
	lose
	atf_check -e ignore "$STASIS" leaks --save=base "$target" direct 2 10
	atf_check -s exit:0 -e empty "$STASIS" leaks --error-exitcode=9 --diff=base "$target" direct 2 10
	atf_check -s exit:9 -e match:'leaked in 3 alloc' "$STASIS" leaks --error-exitcode=9 --diff=base "$target" direct 3 10
	atf_check -s exit:9 -e match:'leaked in 1 alloc' "$STASIS" leaks --error-exitcode=9 --diff=base "$target" \
		direct 2 10 list 1
	atf_check -e empty "$STASIS" leaks --save=base true
	atf_check -s exit:9 -e ignore "$STASIS" leaks --error-exitcode=9 --diff=base "$target" direct 2 10
}

sts_tc while_running 60 "by signal, and before SIGTERM, a daemon's leaks are told" require.progs /usr/bin/python3
while_running_body()
{
	lose
	mkfifo in
	"$STASIS" leaks --json=j --on-signal=USR2 --at-term "$target" direct 2 10 wait <in >out &
	command=$!
	exec 3>in
	sts_await grep -q ready out
	child=$(awk "{ print \$1 }" /proc/$command/task/$command/children)
	kill -USR2 "$child"
	sts_await test -s j || true
	kill -TERM "$child"
	wait $command && atf_fail "it did not end by SIGTERM"
	exec 3>&-
	atf_check_equal "$(ask j '[x["reason"] for x in r]')" "['signal', 'term']"
	atf_check_equal "$(sums j)" 'definite 4 40'
}

sts_tc machines 60 "SARIF and JUnit are well-formed and name the leak" require.progs /usr/bin/python3
machines_body()
{
	lose
	atf_check "$STASIS" leaks --sarif=s --junit=u "$target" direct 2 10 fork
	atf_check -o inline:'2.1.0 2 leak/definite\n' /usr/bin/python3 -S -c 'import json
s = json.load(open("s"))
results = s["runs"][0]["results"]
print(s["version"], len(results), results[0]["ruleId"])'
	atf_check -o inline:'2 lose_one\n' /usr/bin/python3 -S -c 'import xml.etree.ElementTree as tree
cases = tree.parse("u").getroot().findall("*/testcase")
print(len(cases), cases[0].get("name"))'
}

sts_tc xml 60 "--xml=yes: Valgrind's shape, a document for each report" require.progs /usr/bin/python3
xml_body()
{
	lose
	cat >read.py <<-'EOF'
	import sys, xml.etree.ElementTree as tree
	for name in sys.argv[1:]:
	    root = tree.parse(name).getroot()
	    print(root.findtext('protocolversion'), root.findtext('protocoltool'), [a.text for a in root.findall('args/argv/arg')])
	    for e in root.findall('error'):
	        print(e.findtext('kind'), e.findtext('xwhat/leakedbytes'), e.findtext('xwhat/leakedblocks'),
	            [(f.findtext('fn'), f.findtext('file')) for f in e.findall('stack/frame')][1])
	    print([(p.findtext('count'), p.findtext('name')) for p in root.findall('suppcounts/pair')])
	EOF
	echo 'leak:lose_list' >rules
	atf_check "$STASIS" leaks --xml=yes --xml-file=x --suppressions=rules "$target" direct 2 10 list 3 fork
	atf_check -o save:out /usr/bin/python3 -S read.py x
	atf_check_equal "$(cat out)" "4 memcheck ['direct', '2', '10', 'list', '3', 'fork']
Leak_DefinitelyLost 20 2 ('lose_one', 'lose.c')
[('2', 'lose_list')]"
	atf_check -o file:out /usr/bin/python3 -S read.py x.2
	atf_check "$STASIS" leaks --xml=yes --xml-file=y.%p "$target" direct 2 10 fork
	atf_check -o inline:'2\n' sh -c 'ls y.*[0-9] | wc -l'
	atf_check -o save:z "$STASIS" leaks --xml "$target" direct 2 10
	atf_check -o match:'Leak_DefinitelyLost 20 2' /usr/bin/python3 -S read.py z
	atf_check -s exit:125 -e match:'/none/x: No such' -e match:'SUMMARY' "$STASIS" leaks --xml-file=/none/x "$target" \
		direct 1 8
	atf_check -s exit:2 -e match:'neither yes nor no' "$STASIS" leaks --xml=maybe true
}

sts_tc xml_valgrind 100 "elements, kinds and sums are those that Valgrind itself writes" \
	require.progs "/usr/bin/python3 valgrind"
xml_valgrind_body()
{
	lose
	cat >read.py <<-'EOF'
	import re, sys, xml.etree.ElementTree as tree
	ours, theirs = (tree.parse(name).getroot() for name in sys.argv[1:])
	def paths(e, at=''):
	    for c in e:
	        yield at + '/' + c.tag
	        yield from paths(c, at + '/' + c.tag)
	def size(e): # Valgrind adds what such a block leads to, and says so
	    direct = re.search(r'\((\d+) direct', e.findtext('xwhat/text'))
	    return direct.group(1) if direct else e.findtext('xwhat/leakedbytes')
	def leaks(root):
	    return sorted((e.findtext('kind'), size(e), e.findtext('xwhat/leakedblocks'),
	        tuple(f.findtext('fn') for f in e.findall('stack/frame')[:3])) for e in root.findall('error')
	        if 'lose_one' in [f.findtext('fn') for f in e.findall('stack/frame')])
	print(sorted(set(paths(ours)) ^ set(paths(theirs))), [c.tag for c in ours if c.tag != 'error'] ==
	    [c.tag for c in theirs if c.tag != 'error'], leaks(ours) == leaks(theirs), len(leaks(ours)))
	EOF
	set -- "$target" direct 2 10 list 3 keep 4
	atf_check -o ignore -e ignore valgrind --xml=yes --xml-file=theirs --leak-check=full --show-leak-kinds=all "$@"
	atf_check "$STASIS" leaks --xml=yes --xml-file=ours --leak-check=full --show-leak-kinds=all "$@"
	atf_check -o inline:'[] True True 4\n' /usr/bin/python3 -S read.py ours theirs
}

sts_tc github 60 "annotations name file and line; --format names any format" require.progs /usr/bin/python3
github_body()
{
	lose
	atf_check -o match:'^::error file=.*/lose\.c,line=[0-9]+,col=[0-9]+,title=definite leak::20 bytes in 2 blocks, allocated in lose_one$' \
		"$STASIS" leaks --github "$target" direct 2 10
	for format in json sarif junit html github xml; do
		atf_check -o save:by_name -e empty "$STASIS" leaks --format=$format "$target" direct 2 10
		grep -q lose_one by_name || atf_fail "$format: $(cat by_name)"
	done
	atf_check -e match:'SUMMARY' "$STASIS" leaks --format=text "$target" direct 2 10
	atf_check -s exit:2 -e match:'none of text' "$STASIS" leaks --format=odd true
}

sts_tc page 60 "the HTML page carries every report, whatever names say" require.progs /usr/bin/python3
page_body()
{
	lose
	cp "$target" '<!--<script>&"'
	atf_check "$STASIS" leaks --html=page.html './<!--<script>&"' direct 2 10 fork
	cat >read.py <<-'EOF'
	import html.parser, json
	class Page(html.parser.HTMLParser):
	    reports, inside, code, outside = [], None, '', []
	    def handle_starttag(self, tag, attributes):
	        a = dict(attributes)
	        self.inside = ('json' if a.get('class') == 'report' else 'code') if tag == 'script' else None
	        self.outside += [a[k] for k in ('src', 'href') if k in a]
	    def handle_endtag(self, tag):
	        self.inside = None
	    def handle_data(self, data):
	        if self.inside == 'json': self.reports.append(json.loads(data))
	        if self.inside == 'code': self.code += data
	page = Page()
	page.feed(open('page.html').read())
	open('page.js', 'w').write(page.code + '\nconst root = tree(all(JSON.parse(process.argv[2])));\n'
	    'console.log(root.bytes, root.blocks, root.kids.size, [...root.kids.keys()][0].includes("<script>"));\n')
	json.dump(page.reports, open('reports', 'w'))
	print(len(page.reports), [r['exe'].rsplit('/', 1)[1] for r in page.reports][0], page.outside)
	EOF
	atf_check -o inline:"2 <!--<script>&\" []\n" /usr/bin/python3 -S read.py
	if command -v node >/dev/null; then
		atf_check -o inline:'40 4 2 true\n' node page.js "$(cat reports)"
	fi
}

sts_tc bad_targets 60 "programs that nothing can be preloaded into are refused with the reason" require.user root
bad_targets_body()
{
	lose
	echo 'int main(void) { return 0; }' >s.c
	if cc -static -o static s.c; then
		atf_check -s exit:126 -e match:'linked statically.*-lstasis-leaks' "$STASIS" leaks ./static
	fi
	if command -v musl-gcc >/dev/null; then
		atf_check musl-gcc -o musl s.c
		atf_check -s exit:126 -e match:'linked with musl.*libstasis-leaks.a' "$STASIS" leaks ./musl
	fi
	cp "$target" setuid
	chown nobody setuid
	chmod u+s setuid
	atf_check -s exit:126 -e match:'set-user-id' "$STASIS" leaks ./setuid
	atf_check -s exit:127 -e match:'no such program' "$STASIS" leaks no-such-program
	atf_check -s exit:127 -e match:'No such file' "$STASIS" leaks ./none
	: >empty
	atf_check -s exit:126 -e match:'Permission denied' "$STASIS" leaks ./empty
}

sts_tc bad_options 30 "options that are none"
bad_options_body()
{
	atf_check -s exit:2 -e match:'a command is needed' "$STASIS" leaks
	atf_check -s exit:2 -e match:'kinds are' "$STASIS" leaks --show-leak-kinds=definite,odd true
	atf_check -s exit:2 -e match:'no number' "$STASIS" leaks --num-callers=x true
	atf_check -s exit:2 -e match:'no signal' "$STASIS" leaks --on-signal=KILL true
	atf_check -s exit:2 -e match:'unrecognized' "$STASIS" leaks --nonsense true
	atf_check -s exit:0 -o match:'Usage: stasis leaks' "$STASIS" leaks --help
	atf_check -s exit:2 -e match:'neither all nor no' "$STASIS" leaks --gen-suppressions=some true
}

sts_tc bad_outputs 30 "places that cannot be written to: said, and the report is not lost"
bad_outputs_body()
{
	lose
	atf_check -s exit:125 -e match:'/none/j: No such' "$STASIS" leaks --json=/none/j "$target" direct 1 8
	atf_check -s exit:125 -e match:'/none/log: No such' -e match:'SUMMARY' \
		"$STASIS" leaks --log-file=/none/log "$target" direct 1 8
	if [ -c /dev/full ]; then
		atf_check -s exit:125 -e match:'/dev/full: No space' "$STASIS" leaks --json=/dev/full "$target" direct 1 8
	fi
}
