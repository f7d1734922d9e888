/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware breakpoints and watchpoints: a table per process, synced to each LWP before it runs. */
#include <errno.h>
#include <string.h>
#include "control/model.h"

static bool applies(const struct sts_watch *w, const struct sts_lwp *lwp)
{
	if (!w->used || w->tid)
		return w->used && w->tid == lwp->tid;
	return (w->flags & STASIS_WATCH_NEW_LWPS) || lwp->born < w->born;
}

/* Make the LWP's debug registers those of the table. */
static int apply(struct sts_lwp *lwp)
{
	const struct sts_process *p = lwp->process;
	uint64_t control = 0;
	int r = lwp->watch_control ? sts_os_debugreg_set(lwp->tid, 7, 0) : 0;

	for (int i = 0; r == 0 && i < STS_ARCH_WATCH_SLOTS; i++) {
		const struct sts_watch *w = &p->watches[i];

		if (!applies(w, lwp))
			continue;
		r = sts_os_debugreg_set(lwp->tid, i, w->addr);
		control = sts_arch_watch_control_set(control, i, w->kind, w->len);
	}
	if (r == 0 && control)
		r = sts_os_debugreg_set(lwp->tid, 7, control);
	lwp->watch_control = r == 0 ? control : 0;
	return r;
}

void sts_watch_sync(struct sts_lwp *lwp)
{
	lwp->watch_dirty = false;
	sts_lwp_gone(lwp, apply(lwp));
}

static void update_watching(struct sts_process *p)
{
	p->watching = false;
	for (int i = 0; i < STS_ARCH_WATCH_SLOTS; i++)
		p->watching |= p->watches[i].used;
}

static void mark_all(struct sts_process *p)
{
	struct sts_lwp *lwp;

	TAILQ_FOREACH(lwp, &p->lwps, in_process)
		lwp->watch_dirty = true;
}

void sts_watch_inherit(struct sts_process *child, const struct sts_process *parent)
{
	if (!parent->watching)
		return;
	for (int i = 0; i < STS_ARCH_WATCH_SLOTS; i++) {
		const struct sts_watch *w = &parent->watches[i];

		if (w->used && (w->flags & STASIS_WATCH_CHILDREN)) {
			child->watches[i] = *w;
			child->watches[i].tid = 0;
			child->watches[i].born = ++child->session->sequence;
		}
	}
	update_watching(child);
	mark_all(child);
}

void sts_watch_clear(struct sts_process *p)
{
	memset(p->watches, 0, sizeof p->watches);
	p->watching = false;
}

/* --- requests -------------------------------------------------------------------------- */

struct watch_args {
	pid_t pid, tid;
	enum stasis_watch_kind kind;
	uint64_t addr;
	size_t len;
	unsigned flags;
	int *slot_ret;
};

static int find_slot(const struct sts_process *p, const struct watch_args *a)
{
	int slot = -1;

	for (int i = STS_ARCH_WATCH_SLOTS - 1; i >= 0; i--) {
		const struct sts_watch *w = &p->watches[i];

		if (!w->used)
			slot = i;
		else if (w->addr == a->addr && w->len == a->len && w->kind == a->kind && w->tid == a->tid)
			return STASIS_E_EXISTS;
	}
	return slot < 0 ? STASIS_E_NO_DEBUG_REGISTER : slot;
}

/* On every LWP at rest now; the others get it when they come to rest and run on. */
static int apply_now(struct sts_process *p)
{
	struct sts_lwp *lwp;
	int r = 0;

	TAILQ_FOREACH(lwp, &p->lwps, in_process) {
		lwp->watch_dirty = true;
		if (lwp->state != STS_LWP_RESTING)
			continue;
		int one = apply(lwp);
		if (one == 0)
			lwp->watch_dirty = false;
		else if (one != -ESRCH)
			r = one;
	}
	return r;
}

static int insert_at(struct stasis_session *s, struct sts_process *p, int slot, const struct watch_args *a)
{
	p->watches[slot] = (struct sts_watch){true, a->tid, a->kind, a->addr, a->len, a->flags, ++s->sequence};
	p->watching = true;
	int r = apply_now(p);
	if (r < 0) {
		p->watches[slot].used = false;
		update_watching(p);
		(void)!apply_now(p);
		return sts_fail(s, r == -ENOSPC ? STASIS_E_NO_DEBUG_REGISTER : STASIS_E_BAD_ADDRESS,
				"insert watchpoint", p->pid, a->tid, a->addr, "the kernel refused the debug register",
				"");
	}
	if (a->slot_ret)
		*a->slot_ret = slot;
	return 0;
}

static int do_insert(struct stasis_session *s, void *arg)
{
	const struct watch_args *a = arg;
	struct sts_process *p;
	struct sts_lwp *lwp;
	int r = sts_process_stopped(s, a->pid, &p);

	if (r < 0)
		return r;
	lwp = a->tid ? sts_lwp_find(s, a->tid) : NULL;
	if (a->tid && (!lwp || lwp->process != p))
		return sts_fail(s, STASIS_E_BAD_LWP, "insert watchpoint", a->pid, a->tid, a->addr,
				"the tracee has no such LWP", "");
	if (a->flags & ~(unsigned)(STASIS_WATCH_NEW_LWPS | STASIS_WATCH_CHILDREN))
		return STASIS_E_BAD_ARGUMENT;
	if (!sts_arch_watch_valid(a->kind, a->addr, a->len))
		return sts_fail(s, STASIS_E_BAD_ARGUMENT, "insert watchpoint", a->pid, a->tid, a->addr,
				"length or alignment does not fit a debug register",
				"watch 1, 2, 4 or 8 aligned bytes");
	int slot = find_slot(p, a);
	if (slot < 0)
		return sts_fail(s, slot, "insert watchpoint", a->pid, a->tid, a->addr, stasis_strerror(slot), "");
	return insert_at(s, p, slot, a);
}

static int do_remove(struct stasis_session *s, void *arg)
{
	const struct watch_args *a = arg;
	int slot = (int)a->len;
	struct sts_process *p;
	int r = sts_process_stopped(s, a->pid, &p);

	if (r < 0)
		return r;
	if (slot < 0 || slot >= STS_ARCH_WATCH_SLOTS || !p->watches[slot].used)
		return sts_fail(s, STASIS_E_NO_BREAKPOINT, "remove watchpoint", a->pid, 0, 0, "that slot is free", "");
	p->watches[slot].used = false;
	update_watching(p);
	(void)!apply_now(p);
	return 0;
}

int stasis_watch_insert(struct stasis_session *session, pid_t pid, pid_t tid, enum stasis_watch_kind kind,
			uint64_t addr, size_t len, unsigned flags, int *slot_ret)
{
	struct watch_args args = {pid, tid, kind, addr, len, flags, slot_ret};

	return sts_gate_call(session, do_insert, &args);
}

int stasis_watch_remove(struct stasis_session *session, pid_t pid, int slot)
{
	return sts_gate_call(session, do_remove, &(struct watch_args){.pid = pid, .len = (size_t)slot});
}
