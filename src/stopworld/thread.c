// SPDX-License-Identifier: BSD-2-Clause
/* What is told of a thread. */
#include <errno.h>

#include "stopworld/cpu.h"
#include "stopworld/tls.h"
#include "stopworld/world.h"

size_t stasis_world_count(const struct stasis_world *w)
{
	return w->n_shown;
}

static void tell_resting(const struct sts_look *l, struct stasis_world_thread *t)
{
	t->in_call = l->in_call;
	t->pc = l->pc;
	t->sp = l->sp;
	if (t->state == STASIS_WORLD_HELD)
		t->other = l->tracer;
	else if (t->state == STASIS_WORLD_VFORK)
		t->other = sts_os_child(t->tid);
}

int stasis_world_thread(struct stasis_world *w, size_t index, unsigned want, struct stasis_world_thread *ret)
{
	struct sts_slot *s = sts_slot_shown(w, index);
	struct stasis_world_thread t = {0};

	if (s == NULL)
		return -EINVAL;
	t.tid = atomic_load_explicit(&s->tid, memory_order_relaxed);
	t.state = sts_world_state(s);
	if (t.state == STASIS_WORLD_PARKED) {
		t.thread_pointer = s->tp;
		sts_cpu_read_context(s->context, &w->regs, &t);
	} else if (t.state != STASIS_WORLD_RUNNING) {
		tell_resting(&s->look, &t);
	}
	if ((want & STASIS_WORLD_WANT_NAME) != 0)
		sts_os_name(atomic_load(&w->pid), t.tid, t.name);
	if ((want & STASIS_WORLD_WANT_STACK) != 0 && t.sp != 0)
		(void)sts_os_mapping(t.sp, &t.stack_start, &t.stack_end);
	*ret = t;
	return 0;
}

int stasis_world_thread_tls(struct stasis_world *w, size_t index, size_t module, uint64_t *address_ret)
{
	struct sts_slot *s = sts_slot_shown(w, index);

	if (s == NULL)
		return -EINVAL;
	if (sts_world_state(s) != STASIS_WORLD_PARKED)
		return -ENODATA;
	return sts_tls_address(s->tp, module, address_ret);
}
