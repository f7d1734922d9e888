// SPDX-License-Identifier: BSD-2-Clause
/*
 * Slots by tid. Only the stopping thread writes; a handler may read at any time, one that comes late even while the
 * table is made new. So nothing is ever unmapped, and what a reader finds is believed only if the slot's word says so.
 */
#include <errno.h>

#include "stopworld/world.h"

enum { FIRST_MAP = 1024 };

static size_t map_size(uint32_t n)
{
	return sizeof(struct sts_map) + n * sizeof(uint32_t);
}

struct sts_slot *sts_table_find(struct stasis_world *w, int32_t tid)
{
	struct sts_map *m = atomic_load_explicit(&w->map, memory_order_acquire);

	for (uint32_t i = (uint32_t)tid; m != NULL; i++) {
		uint32_t e = atomic_load_explicit(&m->entry[i & m->mask], memory_order_acquire);
		struct sts_slot *s;

		if (e == 0)
			break;
		s = sts_slot_at(w, e - 1);
		if (atomic_load_explicit(&s->tid, memory_order_relaxed) == tid)
			return s;
	}
	return NULL;
}

static void enter(struct sts_map *m, int32_t tid, uint32_t slot)
{
	uint32_t i = (uint32_t)tid;

	while (atomic_load_explicit(&m->entry[i & m->mask], memory_order_relaxed) != 0)
		i++;
	atomic_store_explicit(&m->entry[i & m->mask], slot + 1, memory_order_release);
}

/* Keep it half empty. Old maps stay: they are half as large together. */
static int grow_map(struct stasis_world *w)
{
	struct sts_map *old = atomic_load_explicit(&w->map, memory_order_relaxed), *m;
	uint32_t n = old != NULL ? (old->mask + 1) * 2 : FIRST_MAP;
	void *p;
	int r;

	if (old != NULL && (w->n_slots + 1) * 2 <= old->mask + 1)
		return 0;
	r = sts_os_map(map_size(n), &p);
	if (r < 0)
		return r;
	m = p;
	m->mask = n - 1;
	for (uint32_t i = 0; i < w->n_slots; i++)
		enter(m, atomic_load_explicit(&sts_slot_at(w, i)->tid, memory_order_relaxed), i);
	atomic_store_explicit(&w->map, m, memory_order_release);
	return 0;
}

static int grow_slots(struct stasis_world *w)
{
	uint32_t c = w->n_slots / SLOTS_PER_CHUNK;
	void *p;
	int r;

	if (c >= CHUNKS)
		return -ENOMEM;
	if (w->chunk[c] != NULL)
		return 0;
	r = sts_os_map(sizeof(struct sts_slot) * SLOTS_PER_CHUNK, &p);
	if (r == 0)
		w->chunk[c] = p;
	return r;
}

static void make_asked(struct stasis_world *w, struct sts_slot *s)
{
	uint32_t stop = atomic_load_explicit(&w->stop, memory_order_relaxed);

	s->unsent = s->unsignalled = s->asleep = false;
	s->unanswered = 0;
	atomic_store_explicit(&s->word, SLOT_WORD(stop, SLOT_ASKED), memory_order_release);
}

struct sts_slot *sts_table_add(struct stasis_world *w, int32_t tid)
{
	struct sts_slot *s = sts_table_find(w, tid);
	bool fresh = s == NULL;

	if (fresh) {
		if (grow_slots(w) < 0 || grow_map(w) < 0)
			return NULL;
		s = sts_slot_at(w, w->n_slots);
		atomic_store_explicit(&s->tid, tid, memory_order_relaxed);
	}
	make_asked(w, s);
	if (fresh)
		enter(atomic_load_explicit(&w->map, memory_order_relaxed), tid, w->n_slots++);
	return s;
}

/* Nobody has ended: the table can stay as it is. */
static bool renew(struct stasis_world *w)
{
	int32_t owner = atomic_load_explicit(&w->owner, memory_order_relaxed);

	for (uint32_t i = 0; i < w->n_slots; i++) {
		struct sts_slot *s = sts_slot_at(w, i);
		enum sts_slot_state state = sts_slot_state(s);

		if (state == SLOT_GONE || state == SLOT_ZOMBIE ||
		    atomic_load_explicit(&s->tid, memory_order_relaxed) == owner)
			return false;
	}
	/* A signal of the last stop that comes now already counts. */
	atomic_store(&w->pending, 1 + w->n_slots);
	for (uint32_t i = 0; i < w->n_slots; i++)
		make_asked(w, sts_slot_at(w, i));
	return true;
}

int sts_table_reset(struct stasis_world *w)
{
	struct sts_map *m;
	int r;

	w->n_gone = w->n_resting = w->n_shown = w->cursor = 0;
	if (!w->uncounted && renew(w))
		return 0;
	w->n_slots = 0;
	atomic_store(&w->pending, 1);
	r = grow_map(w);
	if (r < 0)
		return r;
	m = atomic_load_explicit(&w->map, memory_order_relaxed);
	for (uint32_t i = 0; i <= m->mask; i++)
		atomic_store_explicit(&m->entry[i], 0, memory_order_relaxed);
	return 0;
}

void sts_table_show(struct stasis_world *w)
{
	for (uint32_t i = 0; i < w->n_slots; i++) {
		enum sts_slot_state state = sts_slot_state(sts_slot_at(w, i));

		if (state != SLOT_GONE && state != SLOT_ZOMBIE)
			sts_slot_at(w, w->n_shown++)->shown = i;
	}
}
