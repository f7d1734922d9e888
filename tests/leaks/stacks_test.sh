# SPDX-License-Identifier: BSD-2-Clause
# Captured stacks are complete and right: by name where we know the program, and everywhere by the compiler's unwinder.

# Whether they leak is others' concern.
export STASIS_OPTIONS=detect_leaks=0

# leaks_target NAME: the path of a target; skips the case if this build lacks it.
leaks_target()
{
	[ -x "$STS_TARGETS/leaks/target-leaks-$1" ] || atf_skip "this build has no target program leaks-$1"
	echo "$STS_TARGETS/leaks/target-leaks-$1"
}

PRELOAD=$STS_BUILD/libstasis-leaks.so
ORACLE=$STS_TARGETS/leaks/leaks-oracle.so

sts_tc names 20 "blocks made by libraries without frame pointers have the functions that are responsible"
names_body()
{
	atf_check -o save:out env LD_PRELOAD="$PRELOAD" "$(leaks_target stacks)"
	atf_check -o match:11 sh -c 'wc -l <out'
	while read -r expected; do
		atf_check -o ignore grep -E "^$expected main( |\$)" out
	done <<'END'
new\[\]: _Znam app_new
new: _Znwm app_new_object
malloc: malloc app_malloc
strdup: malloc __strdup app_strdup
getline: realloc (__)?getdelim app_getline
asprintf: malloc (.* )?asprintf app_asprintf
qsort: malloc app_compare qsort_r app_qsort
string: _Znwm _ZNSt.* app_string
stringstream: _Znwm _ZNSt.* app_stringstream
map: _Znwm (_ZNSt.* )?app_map
nofp: malloc nofp_c nofp_b nofp_a app_nofp
END
}

# compared AT-LEAST COMMAND...: each stack is what libgcc's unwinder finds.
compared()
{
	least=$1
	shift
	LEAKS_ORACLE_FD=9 LD_PRELOAD="$ORACLE $PRELOAD" "$@" 9>oracle >/dev/null 2>err || {
		cat err >&2
		atf_fail "status $?: $*"
	}
	grep -q '^compared' oracle || atf_fail "nothing was compared: $*"
	if grep '^compared' oracle | grep -qv ' different 0 '; then
		cat oracle >&2
		atf_fail "stacks differ: $*"
	fi
	awk -v least="$least" '$1 == "compared" { n += $2 } END { exit n < least }' oracle ||
		atf_fail "fewer than $least: $(cat oracle)"
}

for kind in fast small plain; do
	sts_tc "paths_$kind" 60 "functions of all shapes, signal handlers, coroutines, threads: compiled $kind"
	eval "paths_${kind}_body() { compared 20000 \"\$(leaks_target paths-$kind)\"; }"
done

sts_tc git 60 "the stacks of git" require.progs git
git_body()
{
	atf_check -o ignore git init -q repository
	echo text >repository/file
	compared 100 git -C repository add file
	compared 200 git -C repository -c user.name=n -c user.email=e commit -q -m m
	compared 200 git -C repository log --stat
}

sts_tc python 60 "the stacks of python" require.progs python3
python_body()
{
	# Its own allocator takes few and large blocks, how many depends on how it was built.
	export PYTHONMALLOC=malloc
	compared 20000 python3 -c 'import json, re, decimal, threading
print(len(json.dumps(list(range(1000)))))'
}

sts_tc perl 60 "the stacks of perl" require.progs perl
perl_body()
{
	compared 700 perl -e 'my %h = map { $_ => "x" x $_ } 1 .. 500; print join ",", sort keys %h'
}

sts_tc gcc 100 "the stacks of gcc" require.progs gcc
gcc_body()
{
	echo '#include <stdio.h>
	int main(void) { return printf("%d", 7); }' >a.c
	compared 5000 gcc -O2 -c a.c
}

sts_tc clang 100 "the stacks of clang" require.progs clang
clang_body()
{
	echo '#include <stdio.h>
	int main(void) { return printf("%d", 7); }' >a.c
	compared 5000 clang -O2 -c a.c
}

sts_tc node 100 "the stacks of node, where code without tables calls" require.progs node
node_body()
{
	compared 100000 node -e 'console.log([3, 1, 2].sort().map(x => x * 2))'
}
