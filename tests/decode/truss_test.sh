# SPDX-License-Identifier: BSD-2-Clause
# What stasis truss's options make of calls.

sts_tc uring 60 "what an io_uring_enter submits is shown, and what cannot be seen is said"
uring_body()
{
	for variant in uring uring-32; do
		target=$(sts_target $variant) || exit $?
		status=0
		"$STASIS" truss -s 8 -o t.out "$target" >said || status=$?
		[ $status -ne 77 ] || atf_skip "this kernel has no io_uring"
		[ $status -eq 0 ] || atf_fail "the target ended with $status"
		atf_check -o inline:'written\n' cat said
		atf_check -o match:'/\* submissions \[\{opcode=IORING_OP_NOP, .*user_data=0x7,.*opcode=IORING_OP_WRITE.* fd=1, .*len=8' \
			-o match:'\] \*/, 2, IORING_ENTER_GETEVENTS, NULL, 8\) += 2$' grep io_uring_enter t.out
		"$STASIS" truss -e trace=io_uring_enter,io_uring_setup -o t.out "$target" >said || atf_fail "truss failed"
		atf_check -o ignore grep 'submissions\|where the ring is mapped was not seen' t.out
	done
}

sts_tc paths 60 "-y: descriptors with what they lead to, as strace shows them" require.progs strace
paths_body()
{
	mkdir d
	echo x >'d/a<b>'
	strace -o s.out -y -e trace=openat,read,newfstatat,close cat 'd/a<b>' >/dev/null 2>&1 || atf_fail "strace failed"
	"$STASIS" truss -o t.out -y -e trace=openat,read,newfstatat,close -e event=none cat 'd/a<b>' >/dev/null 2>&1 ||
		atf_fail "truss failed"
	for f in s t; do
		sed -E -e 's/^[0-9]+ +//' -e 's/ += / = /' -e 's/0x[0-9a-f]{6,}/ADDR/g' $f.out >$f.plain
	done
	test "$(wc -l <s.plain)" -gt 2 || atf_fail "nothing was traced"
	atf_check diff s.plain t.plain
}

sts_tc verbose 60 "-v and -x: as under strace" require.progs strace
verbose_body()
{
	printf 'a\001b\377' >file
	cat file >/dev/null # its time of access is not changed again so soon
	same()
	{
		strace -o s.out "$@" >/dev/null 2>&1 || atf_fail "strace failed"
		"$STASIS" truss -e event=none -o t.out "$@" >/dev/null 2>&1 || atf_fail "truss failed"
		for f in s t; do
			sed -E -e 's/^[0-9]+ +//' -e 's/ += / = /' -e 's/0x[0-9a-f]{6,}/ADDR/g' $f.out >$f.plain
		done
		test "$(wc -l <s.plain)" -gt 2 || atf_fail "nothing was traced"
		atf_check diff s.plain t.plain
	}
	same -v -e trace=newfstatat,uname,getrusage,openat cat file
	same -x -e trace=read,write,openat cat file
	same -xx -e trace=read,write,openat cat file
}
