// SPDX-License-Identifier: BSD-2-Clause
#include "leaks/heap/inner.h"
#include "leaks/roots/roots.h"
#include "leaks/scan/scan.h"

#define PAGE ((uintptr_t)4096)
#define RED_ZONE 128 /* bytes below the stack pointer that belong to the function */
/* Of smaller ones it costs more to ask which pages there are than to look at all. */
#define WORTH_ASKING (256 * PAGE)

bool sts_roots_begin(struct sts_roots *r, size_t cuts, size_t threads)
{
	*r = (struct sts_roots){.room = cuts + 2, .room_threads = threads};
	r->mapped = r->room * sizeof(*r->cuts) + threads * sizeof(*r->threads);
	r->mapped = (r->mapped + PAGE - 1) & ~(PAGE - 1);
	r->cuts = sts_os_heap_map_sparse(r->mapped);
	if (r->cuts == NULL)
		return false;
	r->threads = (void *)(r->cuts + r->room);
	sts_roots_cut(r, (uintptr_t)r->cuts, (uintptr_t)r->cuts + r->mapped);
	return true;
}

static void unmap_mappings(struct sts_roots *r)
{
	if (r->mappings != NULL)
		sts_os_heap_unmap(r->mappings, r->mapped_mappings);
	r->mappings = NULL;
}

void sts_roots_end(struct sts_roots *r)
{
	if (r->cuts != NULL)
		sts_os_heap_unmap(r->cuts, r->mapped);
	unmap_mappings(r);
}

void sts_roots_cut(struct sts_roots *r, uintptr_t start, uintptr_t end)
{
	if (start < end && r->n_cuts < r->room)
		r->cuts[r->n_cuts++] = (struct sts_cut){start, end};
}

void sts_roots_thread(struct sts_roots *r, uintptr_t sp, uintptr_t tp)
{
	if (r->n_threads < r->room_threads)
		r->threads[r->n_threads++] = (struct sts_root_thread){sp, tp};
}

/* --- sorting: libc's may allocate -------------------------------------------------------------- */

static void sift_down(struct sts_cut *a, size_t at, size_t n)
{
	struct sts_cut cut = a[at];

	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		child += child + 1 < n && a[child + 1].start > a[child].start;
		if (a[child].start <= cut.start)
			break;
		a[at] = a[child];
	}
	a[at] = cut;
}

static void sort(struct sts_cut *a, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(a, i, n);
	for (size_t end = n; end-- > 1;) {
		struct sts_cut largest = a[0];

		a[0] = a[end];
		sift_down(a, 0, end);
		a[end] = largest;
	}
}

/* --- mappings ------------------------------------------------------------------------------------ */

/* Most programs have fewer than the first; who has more has them counted, and our own memory may make some more. */
enum { USUAL_MAPPINGS = 2048, MORE_MAPPINGS = 16, HOLES = 8 };

static bool count_mapping(void *arg, const struct sts_mapping *m)
{
	struct sts_roots *r = arg;

	r->room_mappings++;
	return true;
}

static bool note_mapping(void *arg, const struct sts_mapping *m)
{
	struct sts_roots *r = arg;

	if (r->n_mappings == r->room_mappings) {
		r->overflow = true;
		return false;
	}
	r->mappings[r->n_mappings++] = *m;
	return true;
}

static void find_unreadable(struct sts_roots *r)
{
	uintptr_t lo, hi;

	sts_heap_bounds(&lo, &hi);
	for (size_t i = 0; i < r->n_mappings; i++) {
		const struct sts_mapping *m = &r->mappings[i];

		if (!m->readable && m->end > lo && m->start < hi)
			r->unreadable[r->n_unreadable++] = (struct sts_scan_range){m->start, m->end};
	}
}

/* The first mapping that ends behind an address. */
static size_t first_behind(const struct sts_roots *r, uintptr_t address)
{
	size_t from = 0, to = r->n_mappings;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (r->mappings[middle].end <= address)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void find_holes(void *arg, uintptr_t start, uintptr_t end)
{
	struct sts_roots *r = arg;

	for (size_t i = first_behind(r, start); start < end; start = r->mappings[i++].end) {
		if (i < r->n_mappings && r->mappings[i].start <= start)
			continue;
		r->holes = true;
		return;
	}
}

/* Of memory that is not touched there may be much. */
static bool map_mappings(struct sts_roots *r)
{
	r->mapped_mappings =
		r->room_mappings * sizeof(*r->mappings) + (r->room_mappings + HOLES) * sizeof(*r->unreadable);
	r->mapped_mappings = (r->mapped_mappings + PAGE - 1) & ~(PAGE - 1);
	r->mappings = sts_os_heap_map_sparse(r->mapped_mappings);
	r->unreadable = (void *)(r->mappings + r->room_mappings);
	r->n_mappings = r->n_unreadable = 0;
	r->overflow = false;
	return r->mappings != NULL;
}

/* To have them told is the dearest part of a check with little to look at: once, if there is room. */
static bool read_mappings(struct sts_roots *r)
{
	r->room_mappings = USUAL_MAPPINGS;
	if (!map_mappings(r) || !sts_roots_mappings(note_mapping, r))
		return false;
	if (!r->overflow)
		return true;
	unmap_mappings(r);
	r->room_mappings = MORE_MAPPINGS;
	return sts_roots_mappings(count_mapping, r) && map_mappings(r) && sts_roots_mappings(note_mapping, r);
}

bool sts_roots_prepare(struct sts_roots *r)
{
	if (!read_mappings(r))
		return false;
	find_unreadable(r);
	sts_heap_each_range(find_holes, r);
	sts_roots_cut(r, (uintptr_t)r->mappings, (uintptr_t)r->mappings + r->mapped_mappings);
	sort(r->cuts, r->n_cuts);
	return true;
}

void sts_roots_hole(struct sts_roots *r, uintptr_t start, uintptr_t end)
{
	struct sts_scan_range *holes = r->unreadable;
	size_t at = r->n_unreadable;

	if (at == r->room_mappings + HOLES)
		return;
	r->n_unreadable++;
	for (; at > 0 && holes[at - 1].start > start; at--)
		holes[at] = holes[at - 1];
	holes[at] = (struct sts_scan_range){start, end};
}

/* --- roots ---------------------------------------------------------------------------------------- */

struct walk {
	const struct sts_roots *roots;
	bool dead; /* what is wanted */
	void (*f)(void *arg, uintptr_t start, uintptr_t end);
	void *arg;
	int pagemap;
	size_t cut; /* the first that may matter */
	const struct sts_mapping *mapping;
	uintptr_t start, end; /* of the part of it that is being given */
};

/* Pages are whole, but the part may not be. */
static void give(void *arg, uintptr_t start, uintptr_t end)
{
	struct walk *w = arg;

	w->f(w->arg, start > w->start ? start : w->start, end < w->end ? end : w->end);
}

void sts_roots_each_readable(uintptr_t start, uintptr_t end, void (*f)(void *arg, uintptr_t start, uintptr_t end),
			     void *arg)
{
	while (start < end) {
		uintptr_t page_end = (start & ~(PAGE - 1)) + PAGE, stop = page_end < end ? page_end : end;

		if (sts_roots_readable(start))
			f(arg, start, stop);
		start = stop;
	}
}

static void give_present(struct walk *w, enum sts_presence which)
{
	sts_roots_present(w->pagemap, w->start & ~(PAGE - 1), (w->end + PAGE - 1) & ~(PAGE - 1), which, give, w);
}

/*
 * A page that was never touched would be made by looking at it, and programs map far more than they touch. Of a file
 * that is mapped privately only what was written to can hold pointers. What is shared may be filled by others. The end
 * of a file may lie before that of its mapping.
 */
static void give_part(struct walk *w, uintptr_t start, uintptr_t end)
{
	const struct sts_mapping *m = w->mapping;
	bool can_ask = w->pagemap >= 0;

	w->start = start;
	w->end = end;
	if (m->shared || (m->file && !can_ask && m->writable))
		sts_roots_each_readable(start, end, give, w);
	else if (m->file && can_ask)
		give_present(w, STS_PRESENT_OWN);
	else if (!m->file && can_ask && end - start >= WORTH_ASKING)
		give_present(w, STS_PRESENT_ANY);
	else if (!m->file)
		give(w, start, end);
}

/* Without the cuts, which may overlap. */
static void give_uncut(struct walk *w, uintptr_t start, uintptr_t end)
{
	const struct sts_roots *r = w->roots;

	while (w->cut < r->n_cuts && r->cuts[w->cut].end <= start)
		w->cut++;
	for (size_t i = w->cut; i < r->n_cuts && r->cuts[i].start < end; i++) {
		const struct sts_cut *c = &r->cuts[i];

		if (c->end <= start)
			continue;
		if (c->start > start)
			give_part(w, start, c->start);
		start = c->end;
	}
	if (start < end)
		give_part(w, start, end);
}

/* The lowest stack pointer in a mapping that is somebody's stack; 0 if it is none. */
static uintptr_t stack_in_use(const struct sts_roots *r, const struct sts_mapping *m)
{
	uintptr_t lowest = 0;
	bool stack = m->stack;

	for (size_t i = 0; i < r->n_threads; i++) {
		const struct sts_root_thread *t = &r->threads[i];

		if (t->sp < m->start || t->sp >= m->end)
			continue;
		/* libc puts a thread's own data at the top of its stack. Else it may be any memory that serves as one.
		 */
		stack |= t->tp >= t->sp && t->tp < m->end;
		if (lowest == 0 || t->sp < lowest)
			lowest = t->sp;
	}
	return stack ? lowest : 0;
}

/*
 * libc keeps the stacks of threads that have ended, and their descriptors at the top, which begin with two pointers to
 * themselves. Where such a descriptor is; 0 if the mapping is nothing of the kind.
 */
static uintptr_t ended_thread(const struct sts_roots *r, const struct sts_mapping *m)
{
	enum { DESCRIPTOR_ALIGN = 64, WITHIN = 2 * 4096, TCB = 0, SELF = 2 };
	uintptr_t at = m->end - DESCRIPTOR_ALIGN;

	if (r->some_unknown || m->file || m->stack || m->end - m->start <= WITHIN)
		return 0;
	for (; at >= m->end - WITHIN; at -= DESCRIPTOR_ALIGN) {
		const uintptr_t *words = (const uintptr_t *)at;

		if (words[TCB] != at || words[SELF] != at)
			continue;
		for (size_t i = 0; i < r->n_threads; i++)
			if (r->threads[i].tp == at)
				return 0;
		return at;
	}
	return 0;
}

/* A stack's threads have their own data there too, above where they run. */
static void give_tls(struct walk *w, const struct sts_mapping *m)
{
	const struct sts_roots *r = w->roots;

	for (size_t i = 0; i < r->n_threads; i++) {
		uintptr_t tp = r->threads[i].tp, start = tp - r->tls_size;

		if (tp < m->start || tp >= m->end)
			continue;
		give_uncut(w, start > m->start ? start : m->start, tp + PAGE < m->end ? tp + PAGE : m->end);
	}
}

/* Where the result of a thread is that has been joined: whoever wanted it has it. 0 if it was not, or is not known. */
static uintptr_t stale_result(const struct sts_roots *r, const struct sts_mapping *m, uintptr_t descriptor)
{
	enum { JOINED = -1 };

	if (r->result_offset == 0 || descriptor + r->result_offset + sizeof(uintptr_t) > m->end ||
	    *(const int32_t *)(descriptor + r->tid_offset) != JOINED)
		return 0;
	return descriptor + r->result_offset;
}

/* A stack that libc keeps, with the rest of what it knows of the thread: that may be used again. */
static void walk_ended(struct walk *w, const struct sts_mapping *m, uintptr_t descriptor)
{
	uintptr_t result = stale_result(w->roots, m, descriptor);

	if (w->dead) {
		give_uncut(w, m->start, descriptor);
		if (result != 0)
			give_uncut(w, result, result + sizeof(result));
		return;
	}
	if (result != 0) {
		give_uncut(w, descriptor, result);
		descriptor = result + sizeof(result);
	}
	give_uncut(w, descriptor, m->end);
}

/* Memory that was made read-only since may hold some too; code does not. */
static bool holds_pointers(const struct sts_mapping *m)
{
	if (!m->readable || m->device || m->kernel)
		return false;
	return m->writable || (!m->shared && !m->executable);
}

static void walk_mapping(struct walk *w, const struct sts_mapping *m)
{
	uintptr_t live = m->start, sp = stack_in_use(w->roots, m);

	w->mapping = m;
	if (sp != 0) {
		live = sp - m->start > RED_ZONE ? (sp - RED_ZONE) & ~(uintptr_t)7 : m->start;
	} else if ((sp = ended_thread(w->roots, m)) != 0) {
		walk_ended(w, m, sp);
		return;
	}
	if (w->dead)
		give_uncut(w, m->start, live);
	else if (sp != 0 && w->roots->no_stacks)
		give_tls(w, m);
	else
		give_uncut(w, live, m->end);
}

void sts_roots_each(struct sts_roots *r, bool dead, void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg)
{
	struct walk w = {.roots = r, .dead = dead, .f = f, .arg = arg, .pagemap = sts_roots_pagemap_open()};

	for (size_t i = 0; i < r->n_mappings; i++)
		if (holds_pointers(&r->mappings[i]))
			walk_mapping(&w, &r->mappings[i]);
	sts_roots_pagemap_close(w.pagemap);
}
