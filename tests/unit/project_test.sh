# SPDX-License-Identifier: BSD-2-Clause
# The project keeps its own rules: what HACKING.md says is checked here.

sts_tc style 60 "the source keeps the rules of HACKING.md"
style_body()
{
	atf_check -o match:'files, no fault' python3 "$STS_SOURCE/tools/check-style" "$STS_SOURCE"
}

# The checker itself: each kind of fault, planted in a tree of its own, is found.
sts_tc style_finds 60 "the style check finds each kind of fault"
style_finds_body()
{
	mkdir -p src/control src/decode
	spdx='/* SPDX-License-Identifier: BSD-2-Clause */'
	plant()
	{
		printf '%s\n' "$spdx" "$3" >"$2"
		atf_check -s exit:1 -o match:"$1" python3 "$STS_SOURCE/tools/check-style" .
		rm "$2"
	}
	plant 'printf has no place' src/control/a.c 'void f(void) { printf("x"); }'
	plant 'exit has no place' src/control/a.c 'void f(void) { exit(1); }'
	plant 'stderr has no place' src/control/a.c 'void f(void) { g(stderr); }'
	plant 'all waiting belongs' src/control/a.c 'void f(void) { waitpid(1, 0, 0); }'
	plant 'ptrace belongs' src/control/a.c 'void f(void) { ptrace(1, 0, 0); }'
	plant 'may not include "os/linux/x.h"' src/control/a.c '#include "os/linux/x.h"'
	plant 'may not include "control/model.h"' src/decode/a.c '#include "control/model.h"'
	plant 'climbs out' src/decode/a.c '#include "../control/model.h"'
	plant 'white space at the end' src/control/a.c 'int a; '
	plant 'longer than 120' src/control/a.c "int $(printf 'a%.0s' $(seq 130));"
	plant 'a function of 101 lines' src/control/a.c "$(printf 'void f(void)\n{\n%s}\n' "$(printf '\tx%s;\n' $(seq 101))
")"
	plant '801 lines' src/control/a.c "$(printf 'int x%s;\n' $(seq 800))"
	echo 'int x;' >src/control/a.c
	atf_check -s exit:1 -o match:'no SPDX line' python3 "$STS_SOURCE/tools/check-style" .
	# What only looks like a fault is none.
	printf '%s\n' "$spdx" '/* printf(x) */' 'const char *s = "exit(1)";' >src/control/a.c
	atf_check -o match:'no fault' python3 "$STS_SOURCE/tools/check-style" .
}

sts_tc api 120 "headers, symbol map, library and man pages agree; headers stand alone in C11 and C++17"
api_body()
{
	atf_check -o match:'no fault' python3 "$STS_SOURCE/tools/check-api" "$STS_SOURCE" "$STS_BUILD"
}

sts_tc api_finds 60 "the check of the interface finds each kind of fault"
api_finds_body()
{
	fresh()
	{
		rm -rf t
		mkdir -p t/man t/src
		cp -r "$STS_SOURCE/include" t/
		cp "$STS_SOURCE"/src/*.map t/src/
	}
	finds()
	{
		atf_check -s exit:1 -o match:"$1" python3 "$STS_SOURCE/tools/check-api" --texts t
	}
	fresh
	atf_check -o match:'no fault' python3 "$STS_SOURCE/tools/check-api" --texts t
	sed -i '/stasis_attach;/d' t/src/libstasis.map
	finds 'stasis_attach is missing'
	fresh
	sed -i 's/stasis_attach;/stasis_attach; stasis_other;/' t/src/libstasis.map
	finds 'stasis_other is in no header'
	fresh
	sed -i 's/STASIS_API STASIS_CHECK int stasis_attach(/int stasis_attach(/' t/include/stasis/process.h
	finds 'stasis_attach has no STASIS_API'
	fresh
	printf '.Fn stasis_nonsense "int"\n' >t/man/x.3
	finds 'stasis_nonsense is described and in no header'
	finds 'stasis_attach is in no man page'
	# Each header is compiled four times: one is enough to see that it is done.
	sed -i 's/#include <stasis\/base.h>//' t/include/stasis/core.h
	find t/include/stasis -maxdepth 1 -name '*.h' ! -name core.h -delete
	atf_check -s exit:1 -o save:faults python3 "$STS_SOURCE/tools/check-api" t
	atf_check -o ignore grep 'core.h does not stand alone in C11' faults
	atf_check -o ignore grep 'core.h does not stand alone in C[+][+]17' faults
	fresh
	sed -i '/stasis_netbsd_wait6;/d' t/src/libstasis-netbsd.map
	printf '.Fn ptrace "int"\n' >t/man/ptrace-netbsd.3
	atf_check -s exit:1 -o match:'stasis_netbsd_wait6 is missing' -o match:'wait6 is in no man page' \
		python3 "$STS_SOURCE/tools/check-api" --texts t
}

sts_tc man 60 "the man pages are correct mdoc" require.progs mandoc
man_body()
{
	for page in "$STS_SOURCE"/man/*.[1-9]; do
		[ -f "$page" ] || continue
		# A page that refers to one not installed is no fault.
		mandoc -T lint -W warning "$page" >faults || true
		atf_check cat faults
	done
}

sts_tc shell 60 "the shell scripts pass shellcheck" require.progs shellcheck
shell_body()
{
	for script in "$STS_SOURCE/dev" "$STS_SOURCE/.ci/run"; do
		atf_check shellcheck -s sh "$script"
	done
}

sts_tc demo 120 "the demonstration of the README shows births, calls and the program's status" require.progs "python3 ninja"
demo_body()
{
	[ "$STS_BUILD" = "$STS_SOURCE/build" ] || atf_skip "this is not the build folder of ./dev demo"
	DEV_NO_INSTALL=1 "$STS_SOURCE/dev" demo >out 2>&1 </dev/null || {
		cat out
		atf_fail "the demonstration failed"
	}
	atf_check -o ignore grep -q 'fork: child' out
	atf_check -o ignore grep -q 'write(1, "spawned' out
	atf_check -o match:3 grep -c '^(exit status [03])$' out
}
