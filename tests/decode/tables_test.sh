# SPDX-License-Identifier: BSD-2-Clause
# The decoder's tables against the headers, libseccomp and the running kernel.

# agrees OPTION: the check finds no fault; skipped where there is nothing to compare with.
agrees()
{
	python3 "$STS_SOURCE/tools/check-tables" "$STS_SOURCE" "$1" >out || atf_fail "$(cat out)"
	! grep -q '^note: nothing to compare' out || atf_skip "$(sed -n 's/^note: //p' out | head -n 1)"
	atf_check -o match:'no fault' cat out
}

sts_tc headers 60 "every number in the installed headers has its name" require.progs python3
headers_body()
{
	agrees --headers
}

sts_tc resolver 60 "every number that libseccomp knows has its name" require.progs python3
resolver_body()
{
	agrees --resolver
}

sts_tc kernel 60 "every call of the running kernel is there, with as many arguments" \
	require.progs "python3 unshare" require.user root
kernel_body()
{
	agrees --kernel
}

sts_tc flags 60 "names of bits and values have the headers' values" require.progs "python3 cc"
flags_body()
{
	atf_check -o match:'no fault' python3 "$STS_SOURCE/tools/check-tables" "$STS_SOURCE" --flags
}

sts_tc structs 60 "structures lie as in the headers" require.progs "python3 cc"
structs_body()
{
	atf_check -o match:'no fault' python3 "$STS_SOURCE/tools/check-tables" "$STS_SOURCE" --structs
}

# finds TEXT OPTION SCRIPT FILE: with the table changed so, the check finds that.
finds()
{
	rm -rf t
	mkdir t
	cp -r "$STS_SOURCE/tools" "$STS_SOURCE/data" t/
	sed -i -E "$3" "t/data/$4"
	! cmp -s "t/data/$4" "$STS_SOURCE/data/$4" || atf_fail "nothing was changed in $4"
	atf_check -s exit:1 -o match:"$1" python3 t/tools/check-tables t "$2"
}

sts_tc finds 120 "the check finds what is wrong" require.progs "python3 cc"
finds_body()
{
	finds 'x86-64 3 is close, not clase' --headers 's/^close /clase /' syscalls.tbl
	finds 'i386 6 is close, and in no table' --resolver 's/^close 3 6/close 3 -/' syscalls.tbl
	finds 'another value' --flags 's/^(\tO_CREAT) .*/\1 0x41/' flags.tbl
	finds 'stat.st_mode lies elsewhere' --structs 's/^(stat@6x .*) st_nlink:u64~/\1 st_nlink:u32~/' structs.tbl
	if [ "$(id -u)" -eq 0 ] && ! python3 "$STS_SOURCE/tools/check-tables" "$STS_SOURCE" --kernel | grep -q '^note: nothing'; then
		finds 'dup has 1 arguments' --kernel 's/^(dup .*)/\1 more:int/' syscalls.tbl
	fi
}

sts_tc generator 60 "a table that makes no sense is refused, with the line" require.progs python3
generator_body()
{
	refused()
	{
		rm -rf t
		cp -r "$STS_SOURCE/data" t
		sed -i -E "$2" "t/$3"
		atf_check -s exit:1 -e match:"$1" python3 "$STS_SOURCE/tools/gen-tables" t out.c
	}
	refused "syscalls.tbl:[0-9]*: no type 'fdd'" 's/^(close .*)fd:fd/\1fd:fdd/' syscalls.tbl
	refused "no set 'opn'" 's/flags\.open /flags.opn /' syscalls.tbl
	refused "no argument 'cnt'" 's/^(read .*)\[r\]/\1[cnt]/' syscalls.tbl
	refused 'more than six' 's/^(close .*)/\1 a:int b:int c:int d:int e:int f:int/' syscalls.tbl
	refused 'second number' 's/^(close .*)/\1\nclose 3 - - int/' syscalls.tbl
	refused "no result 'inn'" 's/^(close [^ ]* [^ ]* [^ ]*) int/\1 inn/' syscalls.tbl
	refused "no call 'opn'" 's/^file: /file: opn /' sets.tbl
	refused 'second layout' 's/^stat@3/stat@6/' structs.tbl
	refused 'named twice' '$s/$/\n0x5401 AGAIN/' ioctls.tbl
}
