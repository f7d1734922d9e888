# SPDX-License-Identifier: BSD-2-Clause
# The example tracers on real programs.

examples=$STS_BUILD/examples/netbsd

sts_tc calls 60 "each call with its result; births, exec and exit status of children too"
calls_body()
{
	atf_check -s exit:3 -o save:out "$examples/calls" sh -c '/bin/true; exit 3'
	atf_check -o match:'^[0-9]+ call 231\(0x3, ' cat out # exit_group
	atf_check -o match:'^[0-9]+ exec$' cat out
	atf_check -o match:'^[0-9]+ ends with 0x300$' cat out
	atf_check -o match:'^[0-9]+ ends with 0$' cat out
	atf_check -o match:'^[0-9]+ call [0-9]+ = [0-9]+$' cat out
	# Each side of the birth names the other.
	awk '/birth/ { other[$1] = $NF } END { for (p in other) if (other[other[p]] != p) exit 1; exit length(other) != 2 }' \
		out || atf_fail "the births do not name each other: $(grep birth out)"
}

sts_tc calls_entries 60 "entries and exits come in pairs"
calls_entries_body()
{
	atf_check -s exit:0 -o save:out "$examples/calls" /bin/true
	awk '/ call [0-9]+\(/ { if (open) exit 1; split($3, n, "("); open = n[1]; calls++ }
		/ call [0-9]+( =|:)/ { sub(":", "", $3); if ($3 != open) exit 1; open = "" }
		END { exit calls < 10 }' out ||
		atf_fail "an exit without its entry: $(tr '\n' ';' <out)"
}

sts_tc steps 60 "so many instructions, each with its bytes, and the program runs on"
steps_body()
{
	atf_check -s exit:4 -o save:out "$examples/steps" 50 sh -c 'exit 4'
	[ "$(grep -c '^[0-9]* 0x[0-9a-f]*: ' out)" = 50 ] || atf_fail "$(tr '\n' ';' <out)"
	[ "$(awk '{ print $2 }' out | sort -u | wc -l)" -gt 10 ] || atf_fail "it does not move"
}

sts_tc crash 60 "a fault is reported with its threads and a core file, and kills"
crash_body()
{
	# shellcheck disable=SC2016 # for the other shell
	atf_check -s exit:139 -o save:out "$examples/crash" sh -c 'kill -SEGV $$'
	atf_check -o match:'Segmentation fault, code 0' cat out
	atf_check -o match:'^\* LWP [0-9]+ \(sh\): pc 0x[0-9a-f]+' cat out
	core=$(sed -n 's/^core in //p' out)
	[ -s "$core" ] || atf_fail "no core file"
	[ "$(od -A n -t x1 -N 4 "$core")" = " 7f 45 4c 46" ] || atf_fail "$core is no ELF file"
}

sts_tc crash_none 60 "a program that does not crash is left alone"
crash_none_body()
{
	atf_check -s exit:5 -o inline:'hello\n' "$examples/crash" sh -c 'echo hello; exit 5'
}
