# SPDX-License-Identifier: BSD-2-Clause
# malloc's family (tests/targets/leaks/family.c), in each way it comes into a program. The scenarios hold for libc's own
# malloc too, which shows that they ask for what a malloc owes; what misuse leads to is ours.

# Whether they leak is others' concern.
export STASIS_OPTIONS=detect_leaks=0

# leaks_target NAME: the path of a target; skips the case if this build lacks it.
leaks_target()
{
	[ -x "$STS_TARGETS/leaks/target-leaks-$1" ] || atf_skip "this build has no target program leaks-$1"
	echo "$STS_TARGETS/leaks/target-leaks-$1"
}

PRELOAD=$STS_BUILD/libstasis-leaks.so

in_libc()
{
	atf_check "$(leaks_target family)" "$1"
}

preloaded()
{
	atf_check env LD_PRELOAD="$PRELOAD" "$(leaks_target family)" "$1"
}

linked()
{
	atf_check "$(leaks_target family-shared)" "$1"
}

static()
{
	atf_check "$(leaks_target family-static)" "$1"
}

musl()
{
	atf_check "$(leaks_target family-musl)" "$1"
}

for way in in_libc preloaded linked static musl; do
	for scenario in sizes calloc realloc reallocarray aligned aligned_errors too_big limit knobs threads thread_ends \
		late fork_threads raw_fork vfork handler given_back; do
		sts_tc "${way}_$scenario" 60 "$scenario, $way"
		eval "${way}_${scenario}_body() { $way $scenario; }"
	done
done

sts_tc largest 20 "max_allocation_size_mb: what is larger is refused, or ends the program, in LeakSanitizer's words"
largest_body()
{
	cat >large.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
	size_t most = 2 << 20;
	char *p = malloc(most), *q;
	for (size_t i = 0; i < most; i++)
		p[i] = 7;
	q = realloc(p, most + 1);
	printf("%d %d %d\n", q == NULL, p[most - 1], malloc(most) != NULL);
	return 3;
}
END
	atf_check cc -o large large.c
	atf_check -s exit:3 -o inline:'0 7 1\n' env LD_PRELOAD="$PRELOAD" ./large
	atf_check -s exit:3 -o inline:'1 7 1\n' -e match:'==WARNING: LeakSanitizer failed to allocate 0x200001 bytes' \
		env LD_PRELOAD="$PRELOAD" LSAN_OPTIONS=max_allocation_size_mb=2:allocator_may_return_null=1 ./large
	atf_check -s exit:23 -e match:'requested allocation size 0x200001 exceeds maximum supported size of 0x200000' \
		-e match:'#1 0x.* \(.*/large\+0x' env LD_PRELOAD="$PRELOAD" LSAN_OPTIONS=max_allocation_size_mb=2 ./large
}

# misused SCENARIO TEXT [FURTHER TEXT]: the program aborts, and says why, with its own frames.
misused()
{
	for target in "env LD_PRELOAD=$PRELOAD $(leaks_target family)" "$(leaks_target family-static)"; do
		# shellcheck disable=SC2086 # words
		atf_check -s signal:abrt -e match:"$2" -e match:"${3:-$2}" -e match:'#1 0x[0-9a-f]* \(.*/target-leaks-family' \
			$target "$1"
	done
}

sts_tc double_free 20 "a block freed twice: said, with both stacks"
double_free_body()
{
	misused double_free '^free\(\): double free of 0x[0-9a-f]+$' '^the block was allocated by$'
}

sts_tc double_free_big 20 "a large block freed twice is noticed"
double_free_big_body()
{
	misused double_free_big '^free\(\): (double free of|invalid pointer) 0x[0-9a-f]+$'
}

sts_tc foreign_free 20 "what is no block is not freed"
foreign_free_body()
{
	misused foreign_free '^free\(\): invalid pointer 0x[0-9a-f]+$'
}

sts_tc interior_free 20 "what is inside a block is not freed, and the block is named"
interior_free_body()
{
	misused interior_free 'invalid pointer 0x[0-9a-f]+, which is inside the block at 0x[0-9a-f]+$' \
		'^the block was allocated by$'
}

sts_tc realloc_freed 20 "a freed block is not resized"
realloc_freed_body()
{
	misused realloc_freed '^realloc\(\): double free of 0x[0-9a-f]+$'
}
