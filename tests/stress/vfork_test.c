/* SPDX-License-Identifier: BSD-2-Clause */
/* Eight threads vfork at once, a thousand times; children exec or exit. Each birth, its end and its vfork-done: once.
 */
#include "storms.h"

enum { THREADS = 8, FULL = 1000 };
enum { CHILD_OF, BIRTHS, DONES }; /* of a parent's LWP: the child it waits for, and counts */
enum { FIRST, EXECS, ENDS };	  /* of a child */

struct account {
	struct storm st;
	pid_t pid;
	bool followed;
	struct storm_table lwps, children;
	uint64_t births, dones, ends, execs;
};

static void take_parent_side(struct account *a, const struct stasis_event *ev)
{
	struct storm_entry *lwp = storm_table_get(&a->lwps, ev->tid);
	const struct stasis_event_birth *birth = &ev->data.birth;

	ATF_REQUIRE_EQ(ev->pid, a->pid);
	ATF_REQUIRE_EQ(birth->parent_tid, ev->tid);
	if (ev->kind == STASIS_EVENT_VFORK) {
		ATF_REQUIRE_EQ_MSG(lwp->value[CHILD_OF], 0, "LWP %d vforks while it waits for a child", (int)ev->tid);
		ATF_REQUIRE_EQ(birth->followed, a->followed);
		lwp->value[CHILD_OF] = birth->child;
		lwp->value[BIRTHS]++;
		a->births++;
		return;
	}
	ATF_REQUIRE_EQ_MSG(lwp->value[CHILD_OF], birth->child, "LWP %d: vfork-done of %d, not of %lu", (int)ev->tid,
			   (int)birth->child, (unsigned long)lwp->value[CHILD_OF]);
	lwp->value[CHILD_OF] = 0;
	lwp->value[DONES]++;
	a->dones++;
}

static void take_child(struct account *a, const struct stasis_event *ev)
{
	struct storm_entry *child = storm_table_get(&a->children, ev->pid);

	ATF_REQUIRE(a->followed);
	switch (ev->kind) {
	case STASIS_EVENT_VFORK:
		ATF_REQUIRE_EQ(ev->data.birth.side, STASIS_SIDE_CHILD);
		ATF_REQUIRE_EQ(ev->data.birth.parent, a->pid);
		ATF_REQUIRE_EQ_MSG(child->value[FIRST]++, 0, "child %d is born twice", (int)ev->pid);
		break;
	case STASIS_EVENT_EXEC:
		ATF_REQUIRE_EQ(child->value[FIRST], 1);
		child->value[EXECS]++;
		a->execs++;
		break;
	case STASIS_EVENT_EXITED:
		ATF_REQUIRE_EQ(child->value[FIRST], 1);
		ATF_REQUIRE_EQ(ev->data.exit.status, STORM_NOP_STATUS << 8);
		storm_table_remove(&a->children, ev->pid); /* the pid may come again */
		a->ends++;
		break;
	default:
		storm_no_event(NULL, ev);
	}
}

static void take(void *arg, const struct stasis_event *ev)
{
	struct account *a = arg;

	if (ev->pid != a->pid)
		take_child(a, ev);
	else if (ev->kind == STASIS_EVENT_VFORK || ev->kind == STASIS_EVENT_VFORK_DONE)
		take_parent_side(a, ev);
	else if (ev->kind != STASIS_EVENT_EXITED)
		storm_no_event(NULL, ev);
}

static void check(const struct account *a, uint64_t rounds)
{
	uint64_t all = rounds * THREADS;

	storm_check_target(&a->st);
	ATF_REQUIRE_EQ(a->st.sh->births, all);
	ATF_REQUIRE_EQ_MSG(a->births, all, "%lu births of %lu", (unsigned long)a->births, (unsigned long)all);
	ATF_REQUIRE_EQ_MSG(a->dones, all, "%lu vfork-dones of %lu", (unsigned long)a->dones, (unsigned long)all);
	ATF_REQUIRE_EQ(a->lwps.n, THREADS);
	for (size_t i = 0; i < THREADS; i++) {
		ATF_REQUIRE_EQ(a->lwps.entries[i].value[BIRTHS], rounds);
		ATF_REQUIRE_EQ(a->lwps.entries[i].value[DONES], rounds);
	}
	if (!a->followed)
		return;
	ATF_REQUIRE_EQ_MSG(a->ends, all, "%lu ends of %lu", (unsigned long)a->ends, (unsigned long)all);
	ATF_REQUIRE_EQ(a->execs, all / 2);
	ATF_REQUIRE_EQ(a->children.n, 0);
}

static void storm(bool followed, bool thread_stop)
{
	struct account a = {.followed = followed};
	uint64_t rounds = sts_rounds(FULL, 20) & ~1u; /* even: as many execs as exits */
	uint64_t events = STASIS_EVENT_BIT(STASIS_EVENT_VFORK) | STASIS_EVENT_BIT(STASIS_EVENT_VFORK_DONE) |
			  STASIS_EVENT_BIT(STASIS_EVENT_EXEC);
	struct stasis_event_mask mask = {thread_stop ? 0 : events, thread_stop ? events : 0};

	storm_begin_session(&a.st);
	STS_OK_S(a.st.s, stasis_event_mask_set(a.st.s, 0, &mask));
	STS_OK_S(a.st.s, stasis_follow_set(a.st.s, 0, STASIS_EVENTS_BIRTH,
					   followed ? STASIS_FOLLOW_BOTH : STASIS_FOLLOW_PARENT));
	a.pid = storm_launch(&a.st, "vfork", THREADS, rounds);
	sts_resume(a.st.s, a.pid);
	storm_run(&a.st, take, &a);
	check(&a, rounds);
	storm_table_free(&a.lwps);
	storm_table_free(&a.children);
	storm_end(&a.st);
}

STS_TC_BOTH(followed, 600, "eight threads vfork at once, children followed, all resting at each event")
{
	storm(true, false);
}

STS_TC_BOTH(followed_thread_stop, 600, "the same, only the reporting LWP resting")
{
	storm(true, true);
}

STS_TC_BOTH(unfollowed, 600, "eight threads vfork at once, children let go")
{
	storm(false, false);
}
