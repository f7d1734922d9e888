# SPDX-License-Identifier: BSD-2-Clause
# Where ptrace does not work, and much else: a program that leaks one block and one that does not, under each setting.
# docs/LEAKS.md has LeakSanitizer's answers beside these.

# judge STATUS NAME: what the program was told by LeakSanitizer's text on err.
judge()
{
	case $2 in
	lost)
		[ "$1" -eq 23 ] || atf_fail "lost: status $1: $(cat out err)"
		grep -q 'SUMMARY: LeakSanitizer: 100 byte(s) leaked in 1 allocation(s)' out err || atf_fail "$(cat out err)"
		;;
	held)
		[ "$1" -eq 0 ] || atf_fail "held: status $1: $(cat out err)"
		! grep -q 'LeakSanitizer\|stasis leaks:' out err || atf_fail "$(cat out err)"
		;;
	esac
}

# in_setting COMMAND...: with the zoo's global added, the library in it by hand. At most 10 s.
in_setting()
{
	zoo=$(sts_target zoo)
	for how in lost held; do
		status=0
		timeout 10 "$@" env "LD_PRELOAD=$STS_BUILD/libstasis-leaks.so" "$zoo" global $how >out 2>err || status=$?
		judge $status $how
	done
}

# by_itself SETTING: the program sets the stage itself.
by_itself()
{
	target=$(sts_target hostile)
	for how in lost held; do
		status=0
		LD_PRELOAD=$STS_BUILD/libstasis-leaks.so timeout 10 "$target" "$1" $how >out 2>err || status=$?
		judge $status $how
	done
}

# by_command SETTING: the same, under the command.
by_command()
{
	target=$(sts_target hostile)
	for how in lost held; do
		status=0
		timeout 10 "$STASIS" leaks --error-exitcode=23 --log-file=err "$target" "$1" $how >out 2>said || status=$?
		[ -e err ] || : >err
		judge $status $how
		rm err
	done
}

# setting NAME DESCRIPTION: one that the program makes itself, with and without the command.
setting()
{
	sts_tc "$1" 60 "$2" $3
	eval "$1_body() { by_itself $1; by_command $1; }"
}

setting plain "nothing special"
setting seccomp_errno "a filter that denies ptrace"
setting seccomp_kill "a filter that kills on ptrace and process_vm_readv"
setting seccomp_clone "a filter that denies clone and fork"
setting no_rights "no capabilities, another user" "require.user root"
setting no_dump "non-dumpable"
setting other_group "a group of its own" "require.user root"
setting few_fds "every descriptor in use"
setting little_memory "256 MB of address space"
setting no_proc "nothing in /proc" "require.user root"
setting chroot "in an empty root" "require.user root"
setting threads "threads that spin"

sts_tc no_proc_numbers 40 "without /proc no more numbers are asked for than there can be" \
	require.user root require.progs strace
no_proc_numbers_body()
{
	most=$(cat /proc/sys/kernel/pid_max)
	[ "$most" -le 65536 ] || atf_skip "pid_max is $most: strace would take minutes"
	atf_check -s exit:23 -e ignore strace -f -qq -c -o counts -e trace=tgkill \
		-E LD_PRELOAD="$STS_BUILD/libstasis-leaks.so" "$(sts_target hostile)" no_proc lost
	asked=$(awk '$NF == "tgkill" { print $4 }' counts)
	[ "$asked" -gt "$most" ] || atf_fail "asked for $asked: this tests nothing"
	[ "$asked" -lt $((8 * most)) ] || atf_fail "asked for $asked, where numbers end at $most"
}

sts_tc closed_stderr 60 "standard error closed: the status tells, and the command's report"
closed_stderr_body()
{
	zoo=$(sts_target zoo)
	export LD_PRELOAD=$STS_BUILD/libstasis-leaks.so
	atf_check -s exit:23 sh -c 'exec timeout 10 "$0" global lost 2>&-' "$zoo"
	atf_check -s exit:0 sh -c 'exec timeout 10 "$0" global held 2>&-' "$zoo"
	unset LD_PRELOAD
	atf_check -s exit:5 sh -c 'exec timeout 10 "$0" leaks --error-exitcode=5 --log-file=log sh -c "exec \"$1\" global lost 2>&-" sh "$1"' \
		"$STASIS" "$zoo"
	grep -q 'SUMMARY: LeakSanitizer: 100 byte(s)' log || atf_fail "$(cat log)"
}

sts_tc strace 60 "under strace -f" require.progs strace
strace_body()
{
	in_setting strace -f -q -o trace
}

sts_tc gdb 60 "under gdb" require.progs gdb
gdb_body()
{
	zoo=$(sts_target zoo)
	for how in lost held; do
		status=0
		timeout 20 gdb -nx -batch -return-child-result -iex 'set debuginfod enabled off' -ex 'set startup-with-shell off' \
			-ex "set environment LD_PRELOAD=$STS_BUILD/libstasis-leaks.so" -ex run --args "$zoo" global $how >out 2>err ||
			status=$?
		judge $status $how
	done
}

sts_tc truss 60 "under stasis truss"
truss_body()
{
	in_setting "$STASIS" truss -f -o trace --
}

sts_tc user_namespace 60 "in a user and pid namespace" require.progs unshare
user_namespace_body()
{
	unshare -Urpf true 2>/dev/null || atf_skip "no user namespaces here"
	in_setting unshare -Urpf
	in_setting unshare -Urpf --mount-proc
}

sts_tc noexec_tmp 60 "nothing in /tmp can be run" require.user root require.progs unshare
noexec_tmp_body()
{
	in_setting unshare -m sh -c 'mount -t tmpfs -o noexec tmpfs /dev/shm && TMPDIR=/dev/shm exec "$@"' sh
}

sts_tc nobody 60 "another user from the start" require.user root require.progs setpriv
nobody_body()
{
	# The build may lie where that user cannot go.
	reachable=$(mktemp -d "${TMPDIR:-/tmp}/leaks.XXXXXX") || atf_fail "no folder"
	trap 'rm -rf "$reachable"' EXIT
	atf_check cp -L "$(sts_target zoo)" "$reachable"/target-zoo
	atf_check cp -L "$STASIS" "$STS_BUILD/libstasis-leaks.so" "$reachable"
	chmod 755 "$reachable"
	STS_BUILD=$reachable STS_TARGETS=$reachable
	in_setting setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set=-all
}
