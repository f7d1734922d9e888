# SPDX-License-Identifier: BSD-2-Clause
# Programs of every day, unmodified: with the library they do what they do without it.

# as_without COMMAND...: output and status are the same.
as_without()
{
	want=0 got=0
	"$@" >want.out 2>want.err </dev/null || want=$?
	LD_PRELOAD=$STS_BUILD/libstasis-leaks.so LSAN_OPTIONS=exitcode=0:log_path=$PWD/leaks "$@" >got.out 2>got.err </dev/null ||
		got=$?
	[ $want -eq $got ] || atf_fail "$*: status $got instead of $want: $(tail -3 got.err)"
	atf_check cmp want.out got.out
	atf_check cmp want.err got.err
	rm -f leaks.*
}

# program NAME PROGRAMS COMMAND
program()
{
	sts_tc "$1" 100 "$3" require.progs "$2"
	eval "$1_body() { as_without $3; }"
}

program git git 'git --version'
program python python3 "python3 -c 'import json, threading, subprocess; print(json.dumps([subprocess.getoutput(\"echo 1\")] * 3))'"
program node node "node -e 'console.log([1, 2, 3].map(x => x * 2).join())'"
program perl perl "perl -e 'my %h = map { \$_ => 1 } 1..1000; print scalar(keys %h), qq(\n)'"
program sqlite sqlite3 "sqlite3 :memory: 'with recursive c(x) as (select 1 union all select x + 1 from c where x < 9999) select sum(x) from c'"
program failing sh "sh -c 'echo out; echo err >&2; exit 3'"

sts_tc compilers 200 "gcc and clang make the same object" require.progs "gcc clang"
compilers_body()
{
	printf '#include <stdio.h>\nint main(void) { puts("x"); return 0; }\n' >a.c
	for cc in gcc clang; do
		as_without $cc -O2 -g -c -o a.o a.c
		mv a.o with.o
		$cc -O2 -g -c -o a.o a.c
		atf_check cmp a.o with.o
	done
}

sts_tc archive 60 "tar and gzip" require.progs "tar gzip"
archive_body()
{
	mkdir files
	seq 10000 >files/a
	cp files/a files/b
	as_without tar czf /dev/null files
	as_without tar cvf /dev/null files
}

sts_tc make 100 "make -j2, and all that it runs" require.progs "make cc"
make_body()
{
	printf 'all:\n\t@$(MAKE) -s --no-print-directory one\n\t@$(MAKE) -s --no-print-directory two\none two:\n\t@echo $@ | tr a-z A-Z\n' >Makefile
	as_without make
	as_without make -j2 one
}
