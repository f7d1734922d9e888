// SPDX-License-Identifier: BSD-2-Clause
/* Stop, resume, snapshot. */
#include <errno.h>

#include "stopworld/world.h"

struct stasis_world sts_world;

/* Every flag there is. */
#define FLAGS (STASIS_WORLD_PARTIAL | STASIS_WORLD_CLOSE_FDS)

static int read_opts(const struct stasis_world_opts *from, struct stasis_world_opts *to)
{
	*to = (struct stasis_world_opts){.size = sizeof(*to), .keep_fd = -1};
	if (from == NULL)
		return 0;
	if (from->size != sizeof(*from) || (from->flags & ~(uint32_t)FLAGS) != 0)
		return -EINVAL;
	*to = *from;
	return 0;
}

static void let_go(struct stasis_world *w)
{
	uint32_t stop = atomic_load_explicit(&w->stop, memory_order_relaxed);

	atomic_store(&w->asking, 0);
	atomic_store(&w->stop, (stop + 1) & STOP_MASK);
	if (w->n_slots != 0)
		sts_os_wake(&w->stop, 0x7fffffff);
}

static void tell_obstacle(struct stasis_world *w, struct stasis_world_obstacle *o)
{
	*o = (struct stasis_world_obstacle){.state = STASIS_WORLD_RUNNING};
	for (uint32_t i = 0; i < w->n_slots; i++) {
		struct sts_slot *s = sts_slot_at(w, i);

		if (sts_slot_state(s) != SLOT_ASKED)
			continue;
		o->tid = atomic_load(&s->tid);
		o->queue_full = s->unsent;
		if (sts_os_look(o->tid, &s->look) == 0) {
			o->blocked = s->look.blocked;
			o->other = s->look.tracer;
			if (s->look.state == 't')
				o->state = STASIS_WORLD_HELD;
			else if (s->look.state == 'D')
				o->state = STASIS_WORLD_KERNEL;
		}
		sts_os_name(atomic_load(&w->pid), o->tid, o->name);
		return;
	}
}

static int stop(struct stasis_world *w)
{
	int r = sts_os_claim();

	if (r < 0)
		return r;
	/* 0 is no stop: a word of it is what a slot has that was never used. */
	if (atomic_load_explicit(&w->stop, memory_order_relaxed) == 0)
		atomic_store(&w->stop, 1);
	r = sts_table_reset(w);
	if (r < 0)
		return r;
	atomic_store(&w->asking, 1);
	r = sts_world_gather(w);
	if (r == -ETIMEDOUT && (w->opts.flags & STASIS_WORLD_PARTIAL) != 0)
		r = 0;
	if (r == 0)
		sts_table_show(w);
	else if (r == -ETIMEDOUT && w->opts.obstacle != NULL)
		tell_obstacle(w, w->opts.obstacle);
	return r;
}

int stasis_world_stop(const struct stasis_world_opts *opts, struct stasis_world **world_ret)
{
	struct stasis_world *w = &sts_world;
	struct stasis_world_opts checked;
	int r = read_opts(opts, &checked);

	if (r == 0)
		r = sts_turn_take(w);
	if (r < 0)
		return r;
	w->opts = checked;
	r = stop(w);
	if (r < 0) {
		let_go(w);
		sts_turn_give(w);
		return r;
	}
	*world_ret = w;
	return 0;
}

int stasis_world_resume(struct stasis_world *w)
{
	int moved;

	if (atomic_load(&w->owner) != sts_os_tid())
		return -EPERM;
	moved = sts_world_moved(w);
	let_go(w);
	sts_turn_give(w);
	return moved;
}

/* What the copy tells the original. */
struct verdict {
	_Atomic int done;
	int result;
};

static void look_in_copy(struct stasis_world *w, int (*look)(struct stasis_world *, void *), void *arg,
			 struct verdict *v)
{
	if ((w->opts.flags & STASIS_WORLD_CLOSE_FDS) != 0)
		sts_os_close_all_but(w->opts.keep_fd);
	v->result = look(w, arg);
	atomic_store(&v->done, 1);
	sts_os_exit(0);
}

static int stop_and_copy(const struct stasis_world_opts *opts, int (*look)(struct stasis_world *, void *), void *arg,
			 struct verdict *v)
{
	struct stasis_world *w;
	int r = stasis_world_stop(opts, &w);
	int pid, moved;

	if (r < 0)
		return r;
	pid = sts_os_copy();
	if (pid == 0)
		look_in_copy(w, look, arg, v);
	moved = stasis_world_resume(w);
	if (pid < 0)
		return pid;
	r = sts_os_reap(pid);
	/* Somebody who waits for everything there is may have taken it (ECHILD). */
	if (!atomic_load(&v->done))
		return -ECANCELED;
	return r == 0 || r == -ECHILD ? moved : r;
}

int stasis_world_snapshot(const struct stasis_world_opts *opts, int (*look)(struct stasis_world *, void *), void *arg,
			  int *result_ret)
{
	struct verdict *v;
	void *p;
	int r = sts_os_map_shared(sizeof(*v), &p);

	if (r < 0)
		return r;
	v = p;
	r = stop_and_copy(opts, look, arg, v);
	if (r >= 0)
		*result_ret = v->result;
	sts_os_unmap(p, sizeof(*v));
	return r;
}
