# SPDX-License-Identifier: BSD-2-Clause
# LeakSanitizer's weak hooks, defined by the program.

# hooks STATUS ARGUMENT: how the program ends with the library preloaded.
hooks()
{
	LD_PRELOAD=$STS_BUILD/libstasis-leaks.so atf_check -s "exit:$1" -e save:err "$(sts_target zoo-hooks)" "$2"
}

sts_tc default_options 30 "__lsan_default_options() gives the exit status"
default_options_body()
{
	hooks 41 plain
	grep -q 'SUMMARY: LeakSanitizer: 100 byte(s) leaked in 1 allocation(s)' err || atf_fail "$(cat err)"
}

sts_tc options_over_default 30 "LSAN_OPTIONS goes over the program's own"
options_over_default_body()
{
	export LSAN_OPTIONS=exitcode=7
	hooks 7 plain
}

sts_tc turned_off 30 "__lsan_is_turned_off() has nothing looked for"
turned_off_body()
{
	hooks 0 off
	[ ! -s err ] || atf_fail "$(cat err)"
}

sts_tc suppressions 30 "__lsan_default_suppressions() leaves out what it names"
suppressions_body()
{
	hooks 0 suppressed
	! grep -q 'ERROR: LeakSanitizer' err || atf_fail "$(cat err)"
}

sts_tc ends_in_check 30 "a program that ends while another thread looks for leaks is looked at once more" require.progs cc
ends_in_check_body()
{
	cat >ends.c <<'END'
#include <pthread.h>
#include <stdlib.h>
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
static _Atomic int begun;
static void *check(void *arg)
{
	for (;;) {
		__lsan_do_recoverable_leak_check();
		begun = 1;
	}
	return arg;
}
__attribute__((noinline)) static void lose(void) { void *volatile p = malloc(100); p = NULL; (void)p; }
int main(void)
{
	pthread_t t;
	if (pthread_create(&t, NULL, check, NULL) != 0)
		return 99;
	while (!begun)
		;
	lose();
	return 0;
}
END
	atf_check cc -O1 -pthread -o ends ends.c
	for i in 1 2 3 4 5; do
		LD_PRELOAD=$STS_BUILD/libstasis-leaks.so atf_check -s exit:23 -e match:'100 byte.s. leaked' ./ends
	done
}

# linked COMPILER...: a program with the archive in it, that holds one block by a global and loses another or not.
linked()
{
	cat >ways.c <<'END'
#include <stdio.h>
#include <stdlib.h>
void *kept;
__attribute__((noinline)) static void *one(size_t size) { return malloc(size); }
__attribute__((noinline)) static void scrub(void) { volatile char b[40000]; for (size_t i = 0; i < sizeof(b); i++) b[i] = 0; }
int main(int argc, char **argv)
{
	(void)argv;
	kept = one(200);
	if (argc > 1) {
		void *volatile p = one(100);
		p = NULL;
		(void)p;
	}
	scrub();
	return 0;
}
END
	atf_check -e ignore "$@" -g -o ways ways.c "$STS_BUILD/libstasis-leaks.a" -pthread
	export STASIS_LEAKS_REPORTER="$STASIS"
	atf_check -e empty ./ways
	atf_check -s exit:23 -e match:'^Direct leak of 100 byte' -e match:'in main .*ways.c' \
		-e match:'SUMMARY: LeakSanitizer: 100 byte.s. leaked in 1 alloc' ./ways lose
}

sts_tc archive 30 "linked with the archive" require.progs cc
archive_body()
{
	linked cc
}

sts_tc archive_static 30 "linked with the archive, statically: the program's data are roots" require.progs cc
archive_static_body()
{
	echo 'int main(void) { return 0; }' >s.c
	cc -static -o s s.c 2>/dev/null || atf_skip "no static libc"
	linked cc -static
}

sts_tc archive_musl 30 "linked with the archive and musl, whose list of modules has other names" require.progs musl-gcc
archive_musl_body()
{
	linked musl-gcc -static
}
