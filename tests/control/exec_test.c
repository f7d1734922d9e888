// SPDX-License-Identifier: BSD-2-Clause
/* Exec, from every thread and in every company; and a first thread that leaves before the others. */
#include "drive.h"

#include <elf.h>
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LWPS (BIT(LWP_CREATE) | BIT(LWP_EXIT))

static void begin(struct actor *a, const char *name, uint64_t wanted)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, 0);
	actor_launch(a, s, name);
	sts_want(s, a->pid, wanted);
}

static void finish(struct actor *a)
{
	actor_end(a);
	stasis_session_destroy(a->s);
}

static void check_program(struct actor *a, const char *name)
{
	char path[4096], *real = realpath(sts_target_path(name), NULL);

	ATF_REQUIRE(real != NULL);
	STS_OK_S(a->s, stasis_exe_path(a->s, a->pid, path, sizeof(path)));
	ATF_REQUIRE_EQ_MSG(strcmp(path, real), 0, "the program is %s and not %s", path, real);
	free(real);
}

static uint64_t auxv(struct actor *a, size_t word, uint64_t type)
{
	uint8_t buf[4096];
	size_t len = 0;

	STS_OK_S(a->s, stasis_auxv_read(a->s, a->pid, buf, sizeof(buf), &len));
	for (size_t at = 0; at + 2 * word <= len; at += 2 * word) {
		uint64_t t = 0, v = 0;

		memcpy(&t, buf + at, word);
		memcpy(&v, buf + at + word, word);
		if (t == type)
			return v;
	}
	return 0;
}

/* At the very first instruction: of the dynamic linker's image, or of the program if there is none. */
static void check_entry(struct actor *a, size_t word)
{
	uint64_t base = auxv(a, word, AT_BASE), pc = pc_of(a->s, a->pid), entry = 0;
	uint8_t header[64];

	if (base == 0) {
		ATF_REQUIRE_EQ(pc, auxv(a, word, AT_ENTRY));
		return;
	}
	STS_OK_S(a->s, stasis_memory_read(a->s, a->pid, base, header, sizeof(header), NULL));
	memcpy(&entry, header + 24, word); /* e_entry */
	ATF_REQUIRE_EQ(pc, base + entry);
}

static void exec_from(const char *from, const char *to, size_t word, enum stasis_abi abi)
{
	struct stasis_process_info info;
	struct stasis_event ev;
	char command[64];
	struct actor a;

	begin(&a, from, BIT(EXEC) | BIT(SIGNAL) | LWPS);
	sts_target_path(to);
	snprintf(command, sizeof(command), "exec %s", to);
	actor_tell(&a, "%s", command);
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_EXEC, &ev);
	ATF_REQUIRE(ev.stopped && ev.all_stop);
	ATF_REQUIRE_EQ(ev.tid, a.pid);
	ATF_REQUIRE_EQ(ev.data.exec.former_tid, a.pid);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_IMAGES), 1);
	check_program(&a, to);
	check_entry(&a, word);
	STS_OK_S(a.s, stasis_process_info_get(a.s, a.pid, &info));
	ATF_REQUIRE_EQ(info.abi, abi);
	ATF_REQUIRE_EQ(info.lwp_count, 1);
	ATF_REQUIRE_EQ(info.birth, STASIS_EVENT_ATTACHED);
	sts_resume(a.s, a.pid);
	actor_ready(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_IMAGES), 2);
	finish(&a);
}

STS_TC_BOTH(simple, 20, "exec is one event, before the first instruction of the new program")
{
	exec_from("actor", "actor", 8, STASIS_ABI_X86_64);
}

STS_TC_BOTH(to_i386, 20, "exec of an i386 program")
{
	exec_from("actor", "actor-32", 4, STASIS_ABI_I386);
}

STS_TC_BOTH(from_i386, 20, "exec of an x86-64 program by an i386 one")
{
	exec_from("actor-32", "actor", 8, STASIS_ABI_X86_64);
}

STS_TC_BOTH(to_static, 20, "exec of a static program")
{
	exec_from("actor", "actor-musl", 8, STASIS_ABI_X86_64);
}

STS_TC_BOTH(failed, 20, "an exec that fails is no event, and the program goes on")
{
	struct actor a;

	begin(&a, "actor", BIT(EXEC));
	ATF_REQUIRE_EQ(actor_do(&a, "exec not-there"), ENOENT);
	actor_do(&a, "call 1");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_IMAGES), 1);
	finish(&a);
}

STS_TC_BOTH(unwanted, 20, "an exec nobody wants to hear of just happens")
{
	struct actor a;

	begin(&a, "actor", 0);
	actor_tell(&a, "exec");
	actor_ready(&a);
	actor_interrupt(&a);
	check_program(&a, "actor");
	sts_resume(a.s, a.pid);
	finish(&a);
}

static void trap_blocked(const char *command)
{
	struct actor a;

	begin(&a, "actor", BIT(EXEC) | BIT(SIGNAL));
	actor_do(&a, "%s %d", command, SIGTRAP);
	actor_tell(&a, "exec");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_EXEC, NULL);
	sts_resume(a.s, a.pid);
	actor_ready(&a);
	actor_do(&a, "view %d", SIGTRAP);
	if (strcmp(command, "block") == 0)
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_RESULT), SIGBIT(SIGTRAP));
	else
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_RESULT2), 1 /* SIG_IGN */);
	finish(&a);
}

STS_TC_BOTH(trap_is_blocked, 20, "exec is reported with SIGTRAP blocked, and it stays so")
{
	trap_blocked("block");
}

STS_TC_BOTH(trap_is_ignored, 20, "exec is reported with SIGTRAP ignored, and it stays so")
{
	trap_blocked("ignore");
}

/* ---- with other threads ---- */

struct exits {
	pid_t tid[ACTOR_MAX_THREADS + 1];
	unsigned n;
};

/* Notices of LWPs that go, until the exec; resume none of them, for nothing rests. */
static void expect_exits_and_exec(struct actor *a, struct exits *x, struct stasis_event *ev)
{
	for (x->n = 0;; x->n++) {
		sts_next_event(a->s, a->pid, ev);
		if (ev->kind == STASIS_EVENT_EXEC)
			return;
		ATF_REQUIRE_EQ(ev->kind, STASIS_EVENT_LWP_EXIT);
		ATF_REQUIRE(ev->data.lwp.with_process);
		ATF_REQUIRE(!ev->stopped);
		ATF_REQUIRE_EQ(ev->tid, ev->data.lwp.tid);
		ATF_REQUIRE(x->n < ACTOR_MAX_THREADS);
		for (unsigned i = 0; i < x->n; i++)
			ATF_REQUIRE_MSG(x->tid[i] != ev->tid, "the exit of LWP %d was told twice", (int)ev->tid);
		x->tid[x->n] = ev->tid;
	}
}

static bool among(const struct exits *x, pid_t tid)
{
	for (unsigned i = 0; i < x->n; i++) {
		if (x->tid[i] == tid)
			return true;
	}
	return false;
}

static void with_threads(const char *command, bool first_thread, bool leader_left)
{
	struct stasis_event ev;
	struct exits x;
	struct actor a;
	pid_t caller, tids[4], list[4];
	size_t n = 0;

	begin(&a, "actor", 0);
	if (leader_left)
		actor_do(&a, "leave");
	actor_do(&a, "threads 4");
	for (unsigned i = 0; i < 4; i++)
		tids[i] = (pid_t)actor_counter(&a, ACTOR_TID + i);
	sts_want(a.s, a.pid, BIT(EXEC) | BIT(LWP_EXIT) | BIT(SIGNAL));
	actor_tell(&a, "%s", command);
	expect_exits_and_exec(&a, &x, &ev);
	ATF_REQUIRE_EQ(ev.tid, a.pid);
	caller = first_thread ? a.pid : (pid_t)actor_counter(&a, ACTOR_TID);
	if (!leader_left || !first_thread)
		ATF_REQUIRE_EQ(ev.data.exec.former_tid, caller);
	for (unsigned i = first_thread ? 0 : 1; i < 4; i++)
		ATF_REQUIRE_MSG(among(&x, tids[i]), "the exit of LWP %d was not told", (int)tids[i]);
	ATF_REQUIRE_MSG(!among(&x, ev.data.exec.former_tid) || ev.data.exec.former_tid == a.pid,
			"the LWP that called exec is said to have ended");
	/* The first thread goes, too, if it is not the one: its id lives on in another. */
	ATF_REQUIRE_EQ(among(&x, a.pid), !first_thread && !leader_left);
	STS_OK_S(a.s, stasis_lwp_list(a.s, a.pid, list, 4, &n));
	ATF_REQUIRE_EQ(n, 1);
	ATF_REQUIRE_EQ(list[0], a.pid);
	ATF_REQUIRE_EQ(sts_proc_lwps(a.pid), 1);
	sts_resume(a.s, a.pid);
	actor_ready(&a);
	finish(&a);
}

STS_TC_BOTH(first_thread, 20, "exec by the first thread of many: the exits of all others, then the exec")
{
	with_threads("exec", true, false);
}

STS_TC_BOTH(other_thread, 20, "exec by another thread: all others exit, the first too; its former tid is told")
{
	/* texec starts a thread that stores its tid where spinning thread 0 has its own */
	with_threads("texec", false, false);
}

STS_TC_BOTH(first_thread_gone, 20, "exec after the first thread has left: its id comes alive again")
{
	with_threads("texec", false, true);
}

STS_TC_BOTH(drops_settings_of_lwps, 20, "suspension and step flags of LWPs do not outlive the image they were in")
{
	struct stasis_lwp_info info;
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 2");
	sts_want(a.s, a.pid, BIT(EXEC));
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_lwp_suspend(a.s, (pid_t)actor_counter(&a, ACTOR_TID)));
	sts_resume(a.s, a.pid);
	actor_tell(&a, "exec");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_EXEC, NULL);
	STS_OK_S(a.s, stasis_lwp_info_get(a.s, a.pid, &info));
	ATF_REQUIRE(!info.suspended);
	sts_resume(a.s, a.pid);
	actor_ready(&a);
	finish(&a);
}

STS_TC_BOTH(many_in_a_row, 60, "a hundred execs from threads that are not the first, each one event")
{
	struct stasis_event ev;
	struct exits x;
	struct actor a;

	begin(&a, "actor", 0);
	for (uint64_t i = 1; i <= 100; i++) {
		sts_want(a.s, a.pid, BIT(EXEC) | BIT(LWP_EXIT));
		actor_tell(&a, "texec");
		expect_exits_and_exec(&a, &x, &ev);
		ATF_REQUIRE_EQ(x.n, 1);
		ATF_REQUIRE_EQ(x.tid[0], a.pid);
		ATF_REQUIRE_EQ(ev.data.exec.former_tid, (pid_t)actor_counter(&a, ACTOR_TID));
		sts_want(a.s, a.pid, 0);
		sts_resume(a.s, a.pid);
		actor_ready(&a);
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_IMAGES), i + 1);
	}
	finish(&a);
}

/* ---- LWPs that come and go ---- */

static bool is_among(const pid_t *list, size_t n, pid_t tid)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == tid)
			return true;
	return false;
}

static void births_and_ends(const char *program)
{
	struct stasis_event ev;
	pid_t born[3], list[8];
	struct actor a;
	size_t n = 0;

	begin(&a, program, LWPS);
	actor_tell(&a, "threads 3");
	for (unsigned i = 0; i < 3; i++) {
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_LWP_CREATE, &ev);
		ATF_REQUIRE_EQ(ev.data.lwp.creator, a.pid);
		ATF_REQUIRE_EQ(ev.tid, ev.data.lwp.tid);
		ATF_REQUIRE(ev.tid != a.pid);
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_TID + i), 0);
		born[i] = ev.tid;
		STS_OK_S(a.s, stasis_lwp_list(a.s, a.pid, list, 8, &n));
		ATF_REQUIRE(n >= i + 2 && n <= 4); /* the next may have been made before all came to rest */
		ATF_REQUIRE_EQ(list[0], a.pid);
		ATF_REQUIRE(is_among(list, n, born[i]));
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	for (unsigned i = 0; i < 3; i++)
		ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_TID + i), born[i]);
	actor_tell(&a, "join");
	for (unsigned i = 0, seen = 0; i < 3; i++) {
		sts_expect_event_of(a.s, a.pid, STASIS_EVENT_LWP_EXIT, &ev);
		ATF_REQUIRE(!ev.data.lwp.with_process && ev.stopped);
		ATF_REQUIRE_EQ(ev.data.lwp.exit_status, 0);
		for (unsigned k = 0; k < 3; k++) {
			ATF_REQUIRE(born[k] != ev.tid || !(seen & 1U << k));
			seen |= born[k] == ev.tid ? 1U << k : 0;
		}
		ATF_REQUIRE(i != 2 || seen == 7);
		sts_resume(a.s, a.pid);
	}
	actor_done(&a);
	finish(&a);
}

STS_TC_BOTH(lwps_come_and_go, 20, "each LWP's birth and end is one event, the birth before its first instruction")
{
	births_and_ends("actor");
}

STS_TC_BOTH(lwps_come_and_go_i386, 20, "the same of an i386 tracee")
{
	births_and_ends("actor-32");
}

STS_TC_BOTH(lwps_come_and_go_musl, 20, "the same of threads of musl")
{
	births_and_ends("actor-musl");
}

static void leader_leaves(const char *program)
{
	struct stasis_process_info info;
	struct stasis_event ev;
	pid_t list[4];
	struct actor a;
	size_t n = 0;

	begin(&a, program, BIT(LWP_EXIT));
	actor_tell(&a, "leave");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_LWP_EXIT, &ev);
	ATF_REQUIRE_EQ(ev.tid, a.pid);
	ATF_REQUIRE(!ev.data.lwp.with_process);
	ATF_REQUIRE_EQ(WEXITSTATUS(ev.data.lwp.exit_status), 9);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	sts_await_state(a.pid, a.pid, "Z"); /* dead, and the process lives */
	actor_do(&a, "call 5");
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_lwp_list(a.s, a.pid, list, 4, &n));
	ATF_REQUIRE_EQ(n, 1);
	ATF_REQUIRE(list[0] != a.pid);
	STS_OK_S(a.s, stasis_process_info_get(a.s, a.pid, &info));
	ATF_REQUIRE_EQ(info.lwp_count, 1);
	ATF_REQUIRE_EQ(info.state, STASIS_STATE_STOPPED);
	/* Breakpoints and memory of a process without its first thread. */
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
	sts_want(a.s, a.pid, BIT(BREAKPOINT));
	sts_resume(a.s, a.pid);
	actor_tell(&a, "call 1");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, &ev);
	ATF_REQUIRE_EQ(ev.tid, list[0]);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	actor_tell(&a, "exit 3"); /* the status is the process's, not the leader's 9 */
	sts_expect_exit(a.s, a.pid, 3);
	actor_gone(&a);
	stasis_session_destroy(a.s);
}

STS_TC_BOTH(first_thread_leaves, 20, "a first thread that leaves is an LWP's exit; the process ends with its last LWP")
{
	leader_leaves("actor");
}

STS_TC_BOTH(first_thread_leaves_i386, 20, "the same of an i386 tracee")
{
	leader_leaves("actor-32");
}

STS_TC_BOTH(all_at_once, 20, "an exit of the process with many LWPs: at most one notice for each other, then the end")
{
	struct stasis_event ev;
	struct exits x = {.n = 0};
	struct actor a;

	begin(&a, "actor", 0);
	actor_do(&a, "threads 8");
	sts_want(a.s, a.pid, BIT(LWP_EXIT));
	actor_tell(&a, "exit 4");
	for (;;) {
		sts_next_event(a.s, a.pid, &ev);
		if (ev.kind == STASIS_EVENT_EXITED)
			break;
		ATF_REQUIRE_EQ(ev.kind, STASIS_EVENT_LWP_EXIT);
		ATF_REQUIRE(ev.data.lwp.with_process && !ev.stopped);
		ATF_REQUIRE(!among(&x, ev.tid));
		x.tid[x.n++] = ev.tid;
	}
	ATF_REQUIRE_EQ(x.n, 8);
	ATF_REQUIRE_EQ(WEXITSTATUS(ev.data.exit.status), 4);
	actor_gone(&a);
	stasis_session_destroy(a.s);
}
