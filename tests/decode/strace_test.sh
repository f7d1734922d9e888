# SPDX-License-Identifier: BSD-2-Clause
# What stasis truss makes of a few hundred system calls, held against strace's text. Where the two differ the file
# `differences` beside this one says so, and why; a difference that is not listed fails, and so does a listed one that
# is none any more.

# The calls between the target's two marks, without what differs from run to run.
normal()
{
	sed -E -e '1,/access\("begin"/d' -e '/access\("end"/,$d' "$1" | sed -E -e 's/^[0-9]+ +//' -e 's/ += / = /' \
		-e 's/0x[0-9a-f]{6,}/ADDR/g' -e 's/si_pid=[0-9]+/si_pid=PID/g' -e 's/si_[us]time=[0-9]+/si_time=N/g' \
		-e 's/^((getpid|gettid|getpgid|clone|fork|wait4|waitpid)\(.*= )[0-9]+$/\1PID/' \
		-e 's/^(tgkill)\([0-9]+, [0-9]+, SIGUSR1/\1(PID, PID, SIGUSR1/' -e 's/^(kill|wait4|waitpid)\([0-9]{2,9},/\1(PID,/' \
		-e 's/^waitid\(P_PID, [0-9]+/waitid(P_PID, PID/' -e 's/tv_usec=[0-9]+/tv_usec=N/g' \
		-e 's/htons\([0-9]{4,}\)/htons(PORT)/' -e '/^getpeername/s/sa_data="[^"]*"/sa_data=PORT/' \
		-e '/^sysinfo/s/[0-9]+/N/g' -e '/^times/s/[0-9]+/N/g' -e '/^membarrier/s/ = .*/ = SET/' \
		-e '/^--- SIGCHLD/d' -e 's/left \{[^}]*\}/left TIME/' -e 's/"(\\[^"]*|[^"]*)\/of\.[12]"/"DIR"/'
}

# compare PART [32]: run the target under both, and compare what differs with the list.
compare()
{
	target=$(sts_target "calls${2:+-$2}") || exit $?
	mkdir of.1 of.2
	(cd of.1 && strace -o ../s.out "$target" "$1") || atf_fail "strace failed"
	(cd of.2 && "$STASIS" truss --no-follow -e event=none -o ../t.out "$target" "$1") || atf_fail "truss failed"
	normal s.out >s.calls
	normal t.out >t.calls
	[ "$(wc -l <t.calls)" -gt 50 ] || atf_fail "only $(wc -l <t.calls) calls were seen"
	diff s.calls t.calls | sed -n -E -e 's/^< /- /p' -e 's/^> /+ /p' | sed -e 's/ = .*//' | sort >found
	awk -v part="[$1${2:+-$2}]" '/^\[/ { on = $0 == part } on && /^[-+] /' \
		"$STS_SOURCE/tests/decode/differences" | sort >listed
	atf_check diff listed found
}

sts_tc files 60 "calls on files look as under strace" require.progs strace
files_body()
{
	compare files
}

sts_tc processes 60 "calls on processes, memory, signals and time look as under strace" require.progs strace
processes_body()
{
	compare processes
}

sts_tc net 60 "calls on sockets look as under strace" require.progs strace
net_body()
{
	compare net
}

sts_tc files_32 60 "the same for i386: files" require.progs strace
files_32_body()
{
	compare files 32
}

sts_tc processes_32 60 "the same for i386: processes, memory, signals and time" require.progs strace
processes_32_body()
{
	compare processes 32
}

sts_tc net_32 60 "the same for i386: sockets" require.progs strace
net_32_body()
{
	compare net 32
}

# sweep COLUMN [32]: every argument that has names, with every bit and every small value; sweep.py tells more.
sweep()
{
	target=$(sts_target "sweep${2:+-$2}") || exit $?
	tool="/usr/bin/python3 -S $STS_SOURCE/tests/decode/sweep.py"
	table=$STS_SOURCE/data/syscalls.tbl
	arguments=$($tool args "$table" "$1") || atf_fail "no arguments"
	status=0
	# shellcheck disable=SC2086 # words
	strace -o s.out "$target" $arguments || status=$?
	[ $status -ne 77 ] || atf_skip "this machine has no seccomp filters"
	# shellcheck disable=SC2086 # words
	"$STASIS" truss --no-follow -e event=none -o t.out "$target" $arguments || atf_fail "truss failed"
	# shellcheck disable=SC2086 # words
	$tool compare "$table" "$1" s.out t.out "$STS_SOURCE/tests/decode/sweep.differences" || atf_fail "names differ"
}

sts_tc names 60 "every name of a bit or value is strace's" require.progs "strace /usr/bin/python3"
names_body()
{
	sweep 1
}

sts_tc names_32 60 "the same for i386" require.progs "strace /usr/bin/python3"
names_32_body()
{
	sweep 2 32
}
