# SPDX-License-Identifier: BSD-2-Clause
# A leak planted in an extension of a language's runtime is found, and --only tells of no other.

PLANTED=$STS_TARGETS/leaks/leaks-planted.so

# found COMMAND...: three blocks of the extension's are lost, all of its family's reports told. The runtime's own words
# lie on its stack now and then, so that a block may be "possibly" lost.
found()
{
	atf_check -s exit:9 -o save:output -e save:errors "$STASIS" leaks --only=planted_leak --error-exitcode=9 \
		--json=report -- "$@"
	atf_check -o inline:'3 3003 planted.c planted_leak\n' python3 -S -c 'import json, sys
blocks = size = 0
where = set()
for line in open("report"):
	for leak in json.loads(line).get("leaks", []):
		blocks += leak["blocks"]
		size += leak["bytes"]
		where |= {(f["file"].split("/")[-1], f["function"]) for f in leak["stack"][1:2]}
print(blocks, size, *(word for place in where for word in place))'
}

sts_tc python 60 "python, by ctypes" require.progs python3
python_body()
{
	found python3 -c "import ctypes; print(ctypes.CDLL('$PLANTED').planted_call())"
	atf_check -o inline:'3\n' cat output
}

sts_tc node 60 "node, an addon" require.progs node
node_body()
{
	cp "$PLANTED" planted.node
	found node -e 'require("./planted.node"); console.log("loaded")'
	atf_check -o inline:'loaded\n' cat output
}

sts_tc sqlite 60 "sqlite, an extension" require.progs sqlite3
sqlite_body()
{
	cp "$PLANTED" planted.so
	found sqlite3 :memory: '.load ./planted' 'select 6 * 7'
	atf_check -o inline:'42\n' cat output
}

sts_tc perl 60 "perl, by DynaLoader" require.progs perl
perl_body()
{
	cat >p.pl <<'END'
require DynaLoader;
my $library = DynaLoader::dl_load_file($ARGV[0]) or die;
my $symbol = DynaLoader::dl_find_symbol($library, "boot_planted") or die;
&{DynaLoader::dl_install_xsub("main::boot", $symbol)}();
print "loaded\n";
END
	found perl p.pl "$PLANTED"
	atf_check -o inline:'loaded\n' cat output
}
