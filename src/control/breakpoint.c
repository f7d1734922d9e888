/* SPDX-License-Identifier: BSD-2-Clause */
/* Software breakpoints: a table per address space, and memory as the program itself sees it. */
#include <errno.h>
#include <string.h>
#include "control/model.h"

static struct sts_breakpoint_list *bucket(struct sts_space *space, uint64_t addr)
{
	return &space->breakpoints[(addr ^ addr >> 6 ^ addr >> 12) % STS_BREAKPOINT_BUCKETS];
}

struct sts_breakpoint *sts_breakpoint_find(struct sts_space *space, uint64_t addr)
{
	struct sts_breakpoint *b;

	if (space->n_breakpoints == 0)
		return NULL;
	LIST_FOREACH(b, bucket(space, addr), link)
		if (b->addr == addr)
			return b;
	return NULL;
}

static int write_all(pid_t pid, uint64_t addr, const void *buf, size_t len)
{
	ssize_t n = sts_os_memory_write(pid, addr, buf, len);

	return n == (ssize_t)len ? 0 : n < 0 ? (int)n : -EFAULT;
}

int sts_breakpoint_plant(pid_t pid, struct sts_breakpoint *b)
{
	int r = write_all(pid, b->addr, sts_arch_break_insn, sts_arch_break_size);

	b->planted = r == 0;
	return r;
}

int sts_breakpoint_unplant(pid_t pid, struct sts_breakpoint *b)
{
	int r = b->planted ? write_all(pid, b->addr, b->original, sts_arch_break_size) : 0;

	if (r == 0)
		b->planted = false;
	return r;
}

static void forget(struct sts_space *space, struct sts_breakpoint *b)
{
	LIST_REMOVE(b, link);
	space->n_breakpoints--;
	sts_pool_put(b);
}

static struct sts_breakpoint *add(struct sts_space *space, uint64_t addr)
{
	struct sts_breakpoint *b = sts_pool_get(space->pool, sizeof *b);

	if (!b)
		return NULL;
	b->addr = addr;
	LIST_INSERT_HEAD(bucket(space, addr), b, link);
	space->n_breakpoints++;
	space->had_breakpoints = true;
	return b;
}

/* For a fork: its memory came with them. */
int sts_breakpoints_copy(struct sts_space *to, const struct sts_space *from)
{
	const struct sts_breakpoint *b;

	for (int i = 0; from->n_breakpoints && i < STS_BREAKPOINT_BUCKETS; i++) {
		LIST_FOREACH(b, &from->breakpoints[i], link) {
			struct sts_breakpoint *copy = add(to, b->addr);

			if (!copy) {
				sts_breakpoints_wipe(to, 0);
				return -ENOMEM;
			}
			memcpy(copy->original, b->original, sizeof copy->original);
			copy->planted = b->planted;
		}
	}
	return 0;
}

void sts_breakpoints_unplant_in(struct sts_space *space, pid_t pid)
{
	struct sts_breakpoint *b;

	for (int i = 0; space->n_breakpoints && i < STS_BREAKPOINT_BUCKETS; i++)
		LIST_FOREACH(b, &space->breakpoints[i], link)
			if (b->planted)
				write_all(pid, b->addr, b->original, sts_arch_break_size);
}

void sts_breakpoints_wipe(struct sts_space *space, pid_t pid)
{
	struct sts_breakpoint *b;

	if (pid)
		sts_breakpoints_unplant_in(space, pid);
	for (int i = 0; space->n_breakpoints && i < STS_BREAKPOINT_BUCKETS; i++)
		while ((b = LIST_FIRST(&space->breakpoints[i])))
			forget(space, b);
}

/* --- memory without breakpoints in it ---------------------------------------------------- */

enum { PIECE = 4096 };

/* What is done where a breakpoint stands, to a copy of memory: the program's byte is put there, ours is, or the
 * breakpoint learns the program's from it. */
enum overlay { SHOW_ORIGINAL, SHOW_BREAK, LEARN_ORIGINAL };

static void overlay(struct sts_breakpoint *b, uint64_t addr, uint8_t *buf, size_t len, enum overlay how)
{
	for (size_t i = 0; i < sts_arch_break_size; i++) {
		uint64_t at = b->addr + i;

		if (at < addr || at - addr >= len)
			continue;
		if (how == SHOW_ORIGINAL)
			buf[at - addr] = b->original[i];
		else if (how == SHOW_BREAK)
			buf[at - addr] = sts_arch_break_insn[i];
		else
			b->original[i] = buf[at - addr];
	}
}

static void overlay_all(struct sts_space *space, uint64_t addr, uint8_t *buf, size_t len, enum overlay how)
{
	struct sts_breakpoint *b;

	for (int i = 0; space->n_breakpoints && i < STS_BREAKPOINT_BUCKETS; i++)
		LIST_FOREACH(b, &space->breakpoints[i], link)
			if (b->planted)
				overlay(b, addr, buf, len, how);
}

ssize_t sts_space_read(struct sts_process *p, uint64_t addr, void *buf, size_t len)
{
	ssize_t n = sts_os_memory_read(sts_process_task(p), addr, buf, len);

	if (n > 0)
		overlay_all(p->space, addr, buf, n, SHOW_ORIGINAL);
	return n;
}

static bool touches_any(struct sts_space *space, uint64_t addr, size_t len)
{
	struct sts_breakpoint *b;

	for (int i = 0; space->n_breakpoints && i < STS_BREAKPOINT_BUCKETS; i++)
		LIST_FOREACH(b, &space->breakpoints[i], link)
			if (b->planted && b->addr + sts_arch_break_size > addr && b->addr < addr + len)
				return true;
	return false;
}

/* A piece that may have breakpoints in it, which stay; it is at most PIECE bytes. */
static ssize_t write_piece(struct sts_process *p, uint64_t addr, const void *buf, size_t len)
{
	uint8_t copy[PIECE];

	memcpy(copy, buf, len);
	overlay_all(p->space, addr, copy, len, SHOW_BREAK);
	ssize_t n = sts_os_memory_write(sts_process_task(p), addr, copy, len);
	memcpy(copy, buf, len);
	if (n > 0) /* what was not written is still the program's own */
		overlay_all(p->space, addr, copy, (size_t)n, LEARN_ORIGINAL);
	return n;
}

ssize_t sts_space_write(struct sts_process *p, uint64_t addr, const void *buf, size_t len)
{
	size_t done = 0;

	if (!touches_any(p->space, addr, len))
		return sts_os_memory_write(sts_process_task(p), addr, buf, len);
	while (done < len) {
		size_t piece = len - done < PIECE ? len - done : PIECE;
		ssize_t n = write_piece(p, addr + done, (const char *)buf + done, piece);

		if (n < 0 && done == 0)
			return n;
		done += n > 0 ? (size_t)n : 0;
		if (n < (ssize_t)piece)
			break;
	}
	return (ssize_t)done;
}

int sts_space_load(struct sts_process *p, uint64_t addr, void *buf, size_t len)
{
	int r = sts_os_memory_load(sts_process_task(p), addr, buf, len);

	if (r == 0)
		overlay_all(p->space, addr, buf, len, SHOW_ORIGINAL);
	return r;
}

int sts_space_store(struct sts_process *p, uint64_t addr, const void *buf, size_t len)
{
	pid_t task = sts_process_task(p);
	uint8_t same[8];

	if (!touches_any(p->space, addr, len))
		return sts_os_memory_store(task, addr, buf, len);
	/* A breakpoint stands there. Is the place the program's to write? */
	if (sts_os_memory_load(task, addr, same, len) < 0 || sts_os_memory_store(task, addr, same, len) < 0)
		return -EFAULT;
	return sts_space_write(p, addr, buf, len) == (ssize_t)len ? 0 : -EFAULT;
}

/* --- requests ------------------------------------------------------------------------------- */

struct breakpoint_args {
	pid_t pid;
	uint64_t addr;
};

static int do_insert(struct stasis_session *s, void *arg)
{
	const struct breakpoint_args *a = arg;
	struct sts_process *p;
	int r = sts_process_stopped(s, a->pid, &p);

	if (r < 0)
		return r;
	if (sts_breakpoint_find(p->space, a->addr))
		return sts_fail(s, STASIS_E_EXISTS, "insert breakpoint", a->pid, 0, a->addr,
				"a breakpoint stands there already", "");
	struct sts_breakpoint *b = add(p->space, a->addr);
	if (!b)
		return -ENOMEM;
	ssize_t n = sts_os_memory_read(sts_process_task(p), a->addr, b->original, sts_arch_break_size);
	r = n == (ssize_t)sts_arch_break_size ? sts_breakpoint_plant(sts_process_task(p), b) : n < 0 ? (int)n : -EFAULT;
	if (r == 0)
		return 0;
	forget(p->space, b);
	if (r == -ESRCH)
		return STASIS_E_GONE;
	return sts_fail(s, STASIS_E_BAD_ADDRESS, "insert breakpoint", a->pid, 0, a->addr,
			"the address is not mapped, or lies in a mapping that cannot be written", "");
}

/* Hits that were not reported are dropped: the PC stands at the breakpoint and the program's own byte is back. */
static void drop_hits(struct sts_space *space, uint64_t addr)
{
	struct sts_process *p;
	struct sts_lwp *lwp;

	TAILQ_FOREACH(p, &space->processes, in_space) {
		TAILQ_FOREACH(lwp, &p->lwps, in_process) {
			const struct stasis_event *e = &lwp->node.event;

			if (lwp->node.where == STS_NODE_IDLE || e->kind != STASIS_EVENT_BREAKPOINT ||
			    e->data.trap.hardware || e->data.trap.address != addr)
				continue;
			if (lwp->node.where == STS_NODE_READY)
				p->held = false;
			sts_node_unlink(&lwp->node);
			lwp->event_out = lwp->at_breakpoint = false;
		}
		if (!p->reported && !p->releasing)
			sts_process_check_rest(p);
	}
}

static int do_remove(struct stasis_session *s, void *arg)
{
	const struct breakpoint_args *a = arg;
	struct sts_process *p;
	int r = sts_process_stopped(s, a->pid, &p);

	if (r < 0)
		return r;
	struct sts_breakpoint *b = sts_breakpoint_find(p->space, a->addr);
	if (!b)
		return sts_fail(s, STASIS_E_NO_BREAKPOINT, "remove breakpoint", a->pid, 0, a->addr,
				"no breakpoint stands there", "");
	r = sts_breakpoint_unplant(sts_process_task(p), b);
	if (r == -ESRCH)
		return STASIS_E_GONE;
	/* -EFAULT: the program unmapped it: there is nothing left to restore. */
	forget(p->space, b);
	drop_hits(p->space, a->addr);
	return 0;
}

int stasis_breakpoint_insert(struct stasis_session *session, pid_t pid, uint64_t addr)
{
	return sts_gate_call(session, do_insert, &(struct breakpoint_args){pid, addr});
}

int stasis_breakpoint_remove(struct stasis_session *session, pid_t pid, uint64_t addr)
{
	return sts_gate_call(session, do_remove, &(struct breakpoint_args){pid, addr});
}
