// SPDX-License-Identifier: BSD-2-Clause
/* Debug registers: every slot, size and condition; what they hold, and who has them. */
#include "nb.h"

#include <pthread.h>
#include <stdint.h>
#include <x86/dbregs.h>

#define N_SLOTS 4

/* Conditions and lengths as DR7 has them. */
enum { EXECUTE = 0, WRITE = 1, READ_WRITE = 3 };

static const struct size {
	int bytes;
	long code;
} sizes[] = {{1, 0}, {2, 1}, {4, 3}, {8, 2}};
#define N_SIZES (sizeof sizes / sizeof *sizes)

static void watch(pid_t pid, lwpid_t lwp, int slot, const volatile void *at, long condition, long length)
{
	struct dbreg db;

	NB_OK(ptrace(PT_GETDBREGS, pid, &db, lwp));
	db.dr[slot] = (long)at;
	db.dr[7] = 2L << (2 * slot) | (condition | length << 2) << (16 + 4 * slot);
	NB_OK(ptrace(PT_SETDBREGS, pid, &db, lwp));
}

/* Stopped by this slot, which DR6 tells. */
static void hit(pid_t pid, int slot)
{
	struct dbreg db;
	struct ptrace_siginfo info = nb_trapped(pid, TRAP_DBREG);

	nb_state_none(pid);
	NB_OK(ptrace(PT_GETDBREGS, pid, &db, info.psi_lwpid));
	ATF_REQUIRE_EQ(db.dr[6] & 0xf, 1L << slot);
	db.dr[6] = 0;
	NB_OK(ptrace(PT_SETDBREGS, pid, &db, info.psi_lwpid));
	NB_OK(ptrace(PT_GETDBREGS, pid, &db, info.psi_lwpid));
	ATF_REQUIRE_EQ(db.dr[6] & 0xf, 0);
}

/* --- data ------------------------------------------------------------------------------------------- */

static volatile uint64_t watched[4];

/* One access of this many bytes, a write or a read. */
static void touch(int bytes, bool write)
{
	volatile void *at = &watched[1];
	uint64_t value = 0;

	switch (bytes * 2 + write) {
	case 1 * 2:
		value = *(volatile uint8_t *)at;
		break;
	case 1 * 2 + 1:
		*(volatile uint8_t *)at = 1;
		break;
	case 2 * 2:
		value = *(volatile uint16_t *)at;
		break;
	case 2 * 2 + 1:
		*(volatile uint16_t *)at = 1;
		break;
	case 4 * 2:
		value = *(volatile uint32_t *)at;
		break;
	case 4 * 2 + 1:
		*(volatile uint32_t *)at = 1;
		break;
	case 8 * 2:
		value = *(volatile uint64_t *)at;
		break;
	default:
		*(volatile uint64_t *)at = 1;
	}
	watched[3] = value; /* not watched */
}

struct access {
	int bytes;
	bool write;
};

static int touches(void *arg)
{
	const struct access *a = arg;

	touch(a->bytes, a->write);
	raise(SIGUSR1);
	touch(a->bytes, !a->write);
	return 0;
}

/* The access and its counterpart: whether each hits. */
static void data(long condition, bool write, bool other_hits)
{
	for (int slot = 0; slot < N_SLOTS; slot++) {
		for (size_t i = 0; i < N_SIZES; i++) {
			struct access a = {sizes[i].bytes, write};
			pid_t pid = nb_volunteer(touches, &a);

			watch(pid, 0, slot, &watched[1], condition, sizes[i].code);
			nb_continue(pid, 0);
			hit(pid, slot);
			nb_continue(pid, 0);
			nb_stopped(pid, SIGUSR1);
			nb_continue(pid, 0);
			if (other_hits) {
				hit(pid, slot);
				nb_continue(pid, 0);
			}
			nb_exited(pid, 0);
		}
	}
	nb_end();
}

STS_TC(write, 30, "watching for writes: a write hits, a read does not; every slot and size")
{
	data(WRITE, true, false);
}

STS_TC(write_of_both, 30, "watching for reads and writes: a write hits, and so does a read")
{
	data(READ_WRITE, true, true);
}

STS_TC(read_of_both, 30, "watching for reads and writes: a read hits, and so does a write")
{
	data(READ_WRITE, false, true);
}

/* --- code ---------------------------------------------------------------------------------------------- */

__attribute__((noinline, noclone, noipa)) static int called(int n)
{
	return n + 1;
}

static int calls_twice(void *arg)
{
	return called(called(3));
}

STS_TC(execute, 30, "watching for execution: each call hits before its first instruction, and goes on")
{
	for (int slot = 0; slot < N_SLOTS; slot++) {
		pid_t pid = nb_volunteer(calls_twice, NULL);
		struct reg regs;

		watch(pid, 0, slot, (void *)(uintptr_t)called, EXECUTE, 0);
		nb_continue(pid, 0);
		for (int i = 0; i < 2; i++) {
			hit(pid, slot);
			NB_OK(ptrace(PT_GETREGS, pid, &regs, 0));
			ATF_REQUIRE_EQ(PTRACE_REG_PC(&regs), (long)(uintptr_t)called);
			nb_continue(pid, 0);
		}
		nb_exited(pid, 5);
	}
	nb_end();
}

STS_TC(execute_removed, 30, "what no longer watches for execution hits no more")
{
	pid_t pid = nb_volunteer(calls_twice, NULL);
	struct dbreg db;

	watch(pid, 0, 1, (void *)(uintptr_t)called, EXECUTE, 0);
	nb_continue(pid, 0);
	hit(pid, 1);
	NB_OK(ptrace(PT_GETDBREGS, pid, &db, 0));
	db.dr[7] = 0;
	NB_OK(ptrace(PT_SETDBREGS, pid, &db, 0));
	nb_continue(pid, 0);
	nb_exited(pid, 5);
	nb_end();
}

STS_TC(step, 20, "DR6 tells of a step, too")
{
	pid_t pid = nb_volunteer(calls_twice, NULL);
	struct dbreg db;

	NB_OK(ptrace(PT_STEP, pid, NB_HERE, 0));
	nb_trapped(pid, TRAP_TRACE);
	NB_OK(ptrace(PT_GETDBREGS, pid, &db, 0));
	ATF_REQUIRE_EQ(db.dr[6] & (0xf | X86_DR6_SINGLE_STEP), X86_DR6_SINGLE_STEP);
	nb_continue(pid, 0);
	nb_exited(pid, 5);
	nb_end();
}

/* --- what they hold, and who has them ----------------------------------------------------------------------- */

static int stops_again(void *arg)
{
	raise(SIGUSR1);
	return 0;
}

STS_TC(kept, 20, "an address that is not enabled is kept while the tracee runs")
{
	for (int slot = 0; slot < N_SLOTS; slot++) {
		pid_t pid = nb_volunteer(stops_again, NULL);
		struct dbreg before, after;

		NB_OK(ptrace(PT_GETDBREGS, pid, &before, 0));
		before.dr[slot] = (long)&watched[slot];
		NB_OK(ptrace(PT_SETDBREGS, pid, &before, 0));
		NB_OK(ptrace(PT_GETDBREGS, pid, &after, 0));
		ATF_REQUIRE_EQ(memcmp(&before, &after, sizeof before), 0);
		nb_continue(pid, 0);
		nb_stopped(pid, SIGUSR1);
		NB_OK(ptrace(PT_GETDBREGS, pid, &after, 0));
		ATF_REQUIRE_EQ(memcmp(&before, &after, sizeof before), 0);
		nb_continue(pid, 0);
		nb_exited(pid, 0);
	}
	nb_end();
}

static void nothing_in(pid_t pid, lwpid_t lwp)
{
	struct dbreg db;

	NB_OK(ptrace(PT_GETDBREGS, pid, &db, lwp));
	for (int slot = 0; slot < N_SLOTS; slot++)
		ATF_REQUIRE_EQ(db.dr[slot], 0);
	ATF_REQUIRE_EQ(db.dr[7] & 0xff, 0);
}

static void *thread_writes(void *arg)
{
	watched[1] = 1;
	return NULL;
}

static int makes_thread(void *arg)
{
	pthread_t thread;

	NB_CHILD(pthread_create(&thread, NULL, thread_writes, NULL) == 0);
	pthread_join(thread, NULL);
	watched[1] = 2;
	return 0;
}

STS_TC(new_lwp, 20, "an LWP does not inherit them; its maker keeps them")
{
	for (int slot = 0; slot < N_SLOTS; slot++) {
		pid_t pid = nb_volunteer(makes_thread, NULL);

		nb_events(pid, PTRACE_LWP_CREATE);
		watch(pid, 0, slot, &watched[1], WRITE, 2);
		nb_continue(pid, 0);
		nb_trapped(pid, TRAP_LWP);
		nothing_in(pid, nb_state(pid).pe_lwp);
		nb_continue(pid, 0);
		hit(pid, slot); /* of the first LWP */
		ATF_REQUIRE_EQ(nb_siginfo(pid).psi_lwpid, pid);
		nb_continue(pid, 0);
		nb_exited(pid, 0);
	}
	nb_end();
}

static int makes_child(void *arg)
{
	pid_t pid = (vfork)();
	int status;

	if (pid == 0)
		_exit(0);
	NB_CHILD(waitpid(pid, &status, 0) == pid);
	return 0;
}

STS_TC(new_process, 20, "a child does not inherit them")
{
	sigset_t set;
	pid_t pid = nb_volunteer(makes_child, NULL);

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	NB_OK(ptrace(PT_SET_SIGPASS, pid, &set, sizeof set));
	nb_events(pid, PTRACE_VFORK);
	for (int slot = 0; slot < N_SLOTS; slot++)
		watch(pid, 0, slot, &watched[slot], WRITE, 2);
	nb_continue(pid, 0);
	nb_trapped(pid, TRAP_CHLD);
	pid_t child = nb_state(pid).pe_other_pid;
	nb_trapped(child, TRAP_CHLD);
	nothing_in(child, 0);
	nb_continue(child, 0);
	nb_continue(pid, 0);
	nb_exited(child, 0);
	nb_exited(pid, 0);
	nb_end();
}

static int execs(void *arg)
{
	execl("/bin/true", "true", NULL);
	return NB_CHILD_BAD;
}

STS_TC(exec, 20, "a program that is executed does not inherit them")
{
	for (int slot = 0; slot < N_SLOTS; slot++) {
		pid_t pid = nb_volunteer(execs, NULL);

		watch(pid, 0, slot, &watched[1], WRITE, 2);
		nb_continue(pid, 0);
		nb_trapped(pid, TRAP_EXEC);
		nothing_in(pid, 0);
		nb_continue(pid, 0);
		nb_exited(pid, 0);
	}
	nb_end();
}
