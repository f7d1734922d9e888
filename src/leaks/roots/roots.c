// SPDX-License-Identifier: BSD-2-Clause
#include <asm/unistd.h>
#include <sys/mman.h>

#include "leaks/heap/heap.h"
#include "leaks/roots/roots.h"
#include "leaks/scan/scan.h"
#include "stopworld/x86/raw.h"

enum { CUTS = 1 << 20, UNREADABLE = 1 << 16 };

#define PAGE ((uintptr_t)4096)
#define RED_ZONE 128 /* bytes below the stack pointer that belong to the function */

bool sts_roots_begin(struct sts_roots *r, size_t threads)
{
	size_t cuts = CUTS * sizeof(struct sts_cut), holes = UNREADABLE * sizeof(struct sts_scan_range);
	size_t size = cuts + holes + threads * sizeof(struct sts_root_thread);
	long p;

	*r = (struct sts_roots){.room = CUTS, .room_threads = threads};
	r->mapped = (size + PAGE - 1) & ~(PAGE - 1);
	p = RAW(mmap, 0, r->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if ((unsigned long)p > -4096ul)
		return false;
	r->cuts = (void *)p;
	r->unreadable = (char *)p + cuts;
	r->threads = (void *)((char *)p + cuts + holes);
	sts_roots_cut(r, (uintptr_t)p, (uintptr_t)p + r->mapped);
	return true;
}

void sts_roots_end(struct sts_roots *r)
{
	RAW(munmap, r->cuts, r->mapped);
}

void sts_roots_cut(struct sts_roots *r, uintptr_t start, uintptr_t end)
{
	if (start >= end)
		return;
	if (r->n_cuts == r->room) {
		r->overflow = true;
		return;
	}
	r->cuts[r->n_cuts++] = (struct sts_cut){start, end};
}

void sts_roots_thread(struct sts_roots *r, uintptr_t sp, uintptr_t tp)
{
	if (r->n_threads == r->room_threads)
		r->overflow = true;
	else
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

/* --- what of the heap cannot be read ------------------------------------------------------------- */

static bool note_unreadable(void *arg, const struct sts_mapping *m)
{
	struct sts_roots *r = arg;
	struct sts_scan_range *holes = r->unreadable;
	uintptr_t lo, hi;

	sts_heap_bounds(&lo, &hi);
	if (m->readable || m->end <= lo || m->start >= hi)
		return true;
	if (r->n_unreadable < UNREADABLE)
		holes[r->n_unreadable++] = (struct sts_scan_range){m->start, m->end};
	else
		r->overflow = true;
	return true;
}

bool sts_roots_prepare(struct sts_roots *r)
{
	sort(r->cuts, r->n_cuts);
	r->n_unreadable = 0;
	return sts_roots_mappings(note_unreadable, r);
}

void sts_roots_hole(struct sts_roots *r, uintptr_t start, uintptr_t end)
{
	struct sts_scan_range *holes = r->unreadable;
	size_t at = r->n_unreadable;

	if (at == UNREADABLE) {
		r->overflow = true;
		return;
	}
	r->n_unreadable++;
	for (; at > 0 && holes[at - 1].start > start; at--)
		holes[at] = holes[at - 1];
	holes[at] = (struct sts_scan_range){start, end};
}

/* --- roots ---------------------------------------------------------------------------------------- */

struct walk {
	struct sts_roots *roots;
	const struct sts_root_sink *sink;
	bool dead;  /* what is wanted */
	size_t cut; /* the first that may matter */
	bool risky; /* reading might fail: the end of a file may lie before that of its mapping */
};

static void give(void *arg, uintptr_t start, uintptr_t end)
{
	struct walk *w = arg;

	if (!w->risky) {
		w->sink->memory(w->sink->arg, start, end, w->dead);
		return;
	}
	while (start < end) {
		uintptr_t page_end = (start & ~(PAGE - 1)) + PAGE, stop = page_end < end ? page_end : end;

		if (sts_roots_readable(start))
			w->sink->memory(w->sink->arg, start, stop, w->dead);
		start = stop;
	}
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
			sts_roots_present(start, c->start, give, w);
		start = c->end;
	}
	if (start < end)
		sts_roots_present(start, end, give, w);
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

static bool holds_pointers(const struct sts_mapping *m)
{
	return m->readable && !m->device && !m->kernel && (m->writable || !m->file);
}

static bool walk_mapping(void *arg, const struct sts_mapping *m)
{
	struct walk *w = arg;
	uintptr_t live = m->start, sp;

	if (!holds_pointers(m))
		return true;
	sp = stack_in_use(w->roots, m);
	if (sp != 0)
		live = sp - m->start > RED_ZONE ? (sp - RED_ZONE) & ~(uintptr_t)7 : m->start;
	else if ((sp = ended_thread(w->roots, m)) != 0)
		live = sp; /* its result may not have been taken yet */
	w->risky = m->file;
	if (w->dead)
		give_uncut(w, m->start, live);
	else if (sp != 0 && w->roots->no_stacks && live != sp)
		give_tls(w, m);
	else
		give_uncut(w, live, m->end);
	return true;
}

void sts_roots_each(struct sts_roots *r, bool dead, const struct sts_root_sink *sink)
{
	struct walk w = {.roots = r, .sink = sink, .dead = dead};

	sts_roots_mappings(walk_mapping, &w);
}
