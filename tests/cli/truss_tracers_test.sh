# SPDX-License-Identifier: BSD-2-Clause
# Two tracers: whoever comes second is told why it cannot be, and nobody hangs.

refused='^stasis: truss: process [0-9]+ \(.*\) was refused a ptrace call: process [0-9]+ is traced by us already'
nested='^stasis: truss: cannot trace /bin/true: this process is traced itself, by process [0-9]+,'

sts_tc strace_inside 60 "strace under truss: refused, with the reason, once" require.progs strace
strace_inside_body()
{
	atf_check -s exit:1 -o ignore -e save:err "$STASIS" truss -o t.out strace -f -o s.out /bin/true
	atf_check -o match:"$refused" cat err
	atf_check -o inline:'1\n' grep -c 'by us already' err
	atf_check -o match:'ptrace\(PTRACE_TRACEME\) += -1 EPERM' cat t.out
	atf_check -o match:'^[0-9]+ +\+\+\+ exited with 1 \+\+\+$' tail -n 1 t.out
}

sts_tc gdb_inside 60 "gdb under truss: the same" require.progs gdb
gdb_inside_body()
{
	atf_check -s ignore -o ignore -e save:err "$STASIS" truss -o t.out gdb -nx -q -batch -ex run /bin/true
	atf_check -o match:"$refused" cat err
}

sts_tc truss_inside 60 "truss under truss and under strace: the inner one says who traces it" require.progs strace
truss_inside_body()
{
	atf_check -s exit:126 -o ignore -e save:err "$STASIS" truss -o t.out "$STASIS" truss -o i.out /bin/true
	atf_check -o match:"$nested" -o match:"$refused" cat err
	atf_check -s exit:126 -o ignore -e match:"$nested" strace -f -o s.out "$STASIS" truss -o i.out /bin/true
}

sts_tc attach_inside 60 "a traced tracer attaches to another of the traced" require.progs strace
attach_inside_body()
{
	mkfifo go
	atf_check -s exit:4 -o ignore -e save:err "$STASIS" truss -o t.out sh -c 'read line <go & strace -o s.out -p $!; echo >go; wait; exit 4'
	atf_check -o match:"$refused" cat err
	atf_check -o match:'ptrace\(PTRACE_(SEIZE|ATTACH), [0-9]+, .*\) += -1 EPERM' cat t.out
}

sts_tc live 60 "live, the message does not stand in the middle of a record" require.progs strace
live_body()
{
	atf_check -s exit:1 -o ignore -e save:err "$STASIS" truss --split strace -f -o s.out /bin/true
	atf_check -o inline:'1\n' grep -c '^stasis: truss: process .*by us already' err
}
