// SPDX-License-Identifier: BSD-2-Clause
/* Where ptrace does not work, the stop does: the same scenarios under each setting. */
#include "run.h"

#define HOSTILE(name_, with_)                                                                                          \
	WORLD_TC_(name_##_kinds, "", 40, "threads of every kind, " with_, "--with", with_, "basic", "5")               \
	WORLD_TC_(name_##_blocked, "", 40, "a blocked thread, " with_, "--with", with_, "blocked")                     \
	WORLD_TC_(name_##_vfork, "", 40, "a thread in vfork, " with_, "--with", with_, "vfork")                        \
	WORLD_TC_(name_##_churn, "", 60, "threads being born and dying, " with_, "--with", with_, "churn", "40")       \
	WORLD_TC_(name_##_snapshot, "", 40, "a snapshot, " with_, "--with", with_, "snapshot")

HOSTILE(seccomp_errno, "seccomp-errno")
HOSTILE(seccomp_kill, "seccomp-kill")
HOSTILE(seccomp_strict, "seccomp-strict")
HOSTILE(nobody, "nobody")
HOSTILE(no_dump, "no-dump")
HOSTILE(container, "container")

/* Two things are not to be had there: proof that a thread sleeps without /proc, and a listing that outruns the births
 * where every number must be asked. */
WORLD_TC_(namespaces_kinds, "", 40, "a pid namespace with the old /proc", "--with", "namespaces", "basic", "5")
WORLD_TC_(namespaces_blocked, "", 40, "a blocked thread, the old /proc", "--with", "namespaces", "blocked")
WORLD_TC_(namespaces_vfork, "", 40, "a thread in vfork, the old /proc", "--with", "namespaces", "vfork")
WORLD_TC_(no_proc_kinds, "", 60, "no /proc", "--with", "no-proc", "basic", "2")
WORLD_TC_(no_proc_snapshot, "", 60, "a snapshot without /proc", "--with", "no-proc", "snapshot-pause")

#define STRACE "strace", "-f", "-q", "-o", "/dev/null"

STS_TC(strace_kinds, 120, "threads of every kind, under strace -f", .require_progs = "strace")
{
	world_run(50, STRACE, sts_target_path("world"), "basic", "5");
}

STS_TC(strace_blocked, 120, "a blocked thread, under strace -f", .require_progs = "strace")
{
	world_run(50, STRACE, sts_target_path("world"), "blocked");
}

STS_TC(strace_churn, 120, "threads being born and dying, under strace -f", .require_progs = "strace")
{
	world_run(50, STRACE, sts_target_path("world"), "churn", "20");
}

STS_TC(strace_snapshot, 120, "a snapshot, under strace -f", .require_progs = "strace")
{
	world_run(50, STRACE, sts_target_path("world"), "snapshot");
}

/* gdb passes the stop signal on without a word. The scenario's own signals it is told to pass on. */
#define GDB                                                                                                            \
	"gdb", "-nx", "-batch", "-return-child-result", "-iex", "set debuginfod enabled off", "-ex",                   \
		"set startup-with-shell off", "-ex", "handle SIGUSR1 SIGUSR2 nostop noprint pass", "-ex", "run",       \
		"--args"

STS_TC(gdb_kinds, 120, "threads of every kind, under gdb", .require_progs = "gdb")
{
	world_run(50, GDB, sts_target_path("world"), "basic", "5");
}

STS_TC(gdb_blocked, 120, "a blocked thread, under gdb", .require_progs = "gdb")
{
	world_run(50, GDB, sts_target_path("world"), "blocked");
}

STS_TC(gdb_churn, 120, "threads being born and dying, under gdb", .require_progs = "gdb")
{
	world_run(50, GDB, sts_target_path("world"), "churn", "20");
}

STS_TC(gdb_snapshot, 120, "a snapshot, under gdb", .require_progs = "gdb")
{
	world_run(50, GDB, sts_target_path("world"), "snapshot");
}
