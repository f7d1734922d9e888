// SPDX-License-Identifier: BSD-2-Clause
#include "leaks/unwind/unwind.h"

#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include "leaks/heap/inner.h"
#include "leaks/unwind/depot.h"
#include "leaks/unwind/modules.h"
#include "leaks/unwind/rows.h"

enum {
	/* Of a thread that has no memory of captures: at its very end, or in a handler that interrupted a capture. */
	BARE_MOST = 48,
	WORD = sizeof(uintptr_t),
};

unsigned sts_stack_depth;
bool sts_stack_frame_pointers;
static _Atomic uint32_t generation; /* of rows */

/* Registers of a frame. The address may have STS_ROW_EXACT. */
struct state {
	uint64_t pc;
	uintptr_t sp, bp;
};

/* A frame of the last capture. The word below sp held pc. */
struct known {
	uint64_t pc;
	uintptr_t sp, bp;
	const uintptr_t *bp_at; /* what bp was read from, or bp itself; what differs from bp if more was read */
	uint32_t stack;		/* this frame and its callers */
};

/* Stack that is known to be readable. */
struct window {
	uintptr_t lo, hi;
};

struct sts_unwind {
	struct window windows[2]; /* the first is the one used last */
	uint32_t generation;
	uint32_t n; /* frames known */
	/* The last answer. */
	uint32_t caller, stack;
	uintptr_t entry;
	struct known known[STS_STACK_MOST]; /* outermost first */
	struct known fresh[STS_STACK_MOST]; /* of this capture, innermost first */
};

/* A walk in progress. */
struct walk {
	struct window *window, *other;
	struct known *fresh;
	uint32_t n, most;
	bool joinable; /* frames are in order, all in one stack */
};

/* Where the stack pointer is can be read. What lies between there and a known window, page by page. */
static void place_window(struct walk *w, uintptr_t sp)
{
	struct window swapped = *w->window;

	if (likely(sp >= swapped.lo && sp < swapped.hi))
		return;
	if (sp < w->other->lo || sp >= w->other->hi) {
		w->other->lo = sp & ~(STS_PAGE - 1);
		w->other->hi = w->other->lo + STS_PAGE;
	}
	*w->window = *w->other;
	*w->other = swapped;
}

static __attribute__((noinline)) bool widen(struct walk *w, uintptr_t address)
{
	while (address >= w->window->hi && address - w->window->hi < 64 * STS_PAGE && sts_readable(w->window->hi)) {
		w->window->hi += STS_PAGE;
		/* Here a thread's stack that has grown downwards meets what was known of it. */
		if (w->window->hi == w->other->lo)
			w->window->hi = w->other->hi;
	}
	return address < w->window->hi;
}

static inline bool can_read(struct walk *w, uintptr_t address)
{
	if (unlikely((address & (WORD - 1)) != 0 || address < w->window->lo))
		return false;
	return likely(address < w->window->hi) || widen(w, address);
}

static inline uintptr_t word_at(uintptr_t address)
{
	return *(const volatile uintptr_t *)address;
}

/* ucontext_t at the stack pointer: the frame that a signal interrupted, perhaps on another stack. */
static bool step_signal(struct walk *w, const struct state *s, struct state *ret)
{
	const ucontext_t *context = (const void *)s->sp;
	const greg_t *regs = context->uc_mcontext.gregs;

	if (!can_read(w, s->sp) || !can_read(w, (uintptr_t)&regs[REG_RIP]))
		return false;
	*ret = (struct state){(uint64_t)regs[REG_RIP] | STS_ROW_EXACT, (uintptr_t)regs[REG_RSP],
			      (uintptr_t)regs[REG_RBP]};
	w->joinable = false;
	if (ret->sp < STS_PAGE || !sts_readable(ret->sp))
		return false;
	place_window(w, ret->sp);
	return true;
}

/* The caller of a frame; false at the end. bp_at_ret: as in struct known, NULL for bp itself. */
static inline bool step(struct walk *w, const struct state *s, uint64_t row, struct state *ret,
			const uintptr_t **bp_at_ret, bool *deref_ret)
{
	enum sts_row_kind kind = sts_row_kind(row);
	uintptr_t cfa, bp_at;

	if (likely(kind == STS_ROW_SP)) {
		cfa = s->sp + (uintptr_t)sts_row_cfa(row);
	} else if (kind == STS_ROW_BP) {
		cfa = s->bp + (uintptr_t)sts_row_cfa(row);
	} else if (kind == STS_ROW_DEREF_BP) {
		if (!can_read(w, s->bp + (uintptr_t)sts_row_cfa(row)))
			return false;
		cfa = word_at(s->bp + (uintptr_t)sts_row_cfa(row));
		*deref_ret = true;
	} else {
		return kind == STS_ROW_SIGNAL && step_signal(w, s, ret);
	}
	if (cfa <= s->sp || !can_read(w, cfa - WORD))
		return false;
	ret->pc = word_at(cfa - WORD);
	ret->sp = cfa;
	ret->bp = s->bp;
	if (sts_row_bp_kind(row) != STS_BP_SAME) {
		bp_at = (sts_row_bp_kind(row) == STS_BP_AT_CFA ? cfa : s->bp) + (uintptr_t)sts_row_bp(row);
		if (bp_at < s->sp || !can_read(w, bp_at))
			return false;
		ret->bp = word_at(bp_at);
		*bp_at_ret = (const uintptr_t *)bp_at;
	}
	return ret->pc >= STS_PAGE;
}

static inline const uintptr_t *origin(const struct known *f, const uintptr_t *bp_at, bool deref)
{
	if (unlikely(deref))
		return (const uintptr_t *)&f->pc;
	return bp_at != NULL ? bp_at : &f->bp;
}

/* Whether the words that the walk read from the innermost of these frames on are what they were. */
static inline bool unchanged(const struct known *known, uint32_t n)
{
	/* From the inside out: each frame's words are where the one before says. */
	while (n-- > 0)
		if (word_at(known[n].sp - WORD) != known[n].pc || *known[n].bp_at != known[n].bp)
			return false;
	return true;
}

/*
 * Walk until the end, or a frame of the known ones whose callers have not changed: their number, itself included, is
 * returned.
 */
static inline uint32_t walk(struct walk *w, struct state s, struct known *known, uint32_t candidates)
{
	const uintptr_t *bp_at = NULL;
	bool deref = false;

	for (;;) {
		struct known *f;
		struct state next;
		uint64_t row;

		while (candidates > 0 && known[candidates - 1].sp < s.sp)
			candidates--;
		if (candidates > 0 && known[candidates - 1].sp == s.sp && known[candidates - 1].pc == s.pc &&
		    known[candidates - 1].bp == s.bp && w->joinable) {
			if (likely(unchanged(known, candidates - 1))) {
				/* It may have been another that called from here, and saved the frame pointer
				 * elsewhere. */
				if (w->n > 0)
					known[candidates - 1].bp_at = origin(&known[candidates - 1], bp_at, deref);
				return candidates;
			}
			candidates--;
		}
		row = sts_row_of(s.pc);
		if (sts_row_kind(row) == STS_ROW_NONE)
			return 0;
		f = &w->fresh[w->n++];
		*f = (struct known){s.pc, s.sp, s.bp, origin(f, bp_at, deref), sts_row_module(row)};
		bp_at = NULL;
		deref = false;
		if (w->n == w->most || !step(w, &s, row, &next, &bp_at, &deref))
			return 0;
		s = next;
	}
}

/* Addresses of stacks are all behind the instruction that is meant. */
static inline uintptr_t as_return(uint64_t pc)
{
	return unlikely((pc & STS_ROW_EXACT) != 0) ? (pc & ~STS_ROW_EXACT) + 1 : pc;
}

/* Frames from the outermost of the fresh ones inwards, called by `stack`. */
static uint32_t enter(struct known *fresh, uint32_t n, uint32_t stack)
{
	while (n-- > 0) {
		stack = sts_depot_child(stack, as_return(fresh[n].pc), fresh[n].stack);
		fresh[n].stack = stack;
	}
	return stack;
}

/* Without memory of what was: few frames, or a stack that is not to be complete. */
static __attribute__((noinline)) uint32_t walk_bare(const struct state *s, uint32_t most)
{
	struct known fresh[BARE_MOST];
	struct window windows[2] = {{0, 0}, {0, 0}};
	struct walk w = {&windows[0], &windows[1], fresh, 0, most < BARE_MOST ? most : BARE_MOST, false};

	if (w.most == 0)
		return 0;
	place_window(&w, s->sp);
	walk(&w, *s, NULL, 0);
	return enter(fresh, w.n, 0);
}

/* Too deep: the outermost frames are left out, and nothing is remembered. */
static __attribute__((noinline)) uint32_t cut(struct sts_unwind *u, const struct state *s)
{
	struct walk w = {&u->windows[0], &u->windows[1], u->fresh, 0, STS_STACK_CUT, false};

	u->n = 0;
	walk(&w, *s, NULL, 0);
	return enter(u->fresh, w.n, 0);
}

static void take_over(struct known *to, const struct known *from)
{
	*to = *from;
	if (from->bp_at == &from->bp)
		to->bp_at = &to->bp;
	else if (from->bp_at == (const uintptr_t *)&from->pc)
		to->bp_at = (const uintptr_t *)&to->pc;
}

/* The stack of the frame and its callers. */
static inline uint32_t callers(struct sts_unwind *u, const struct state *s)
{
	struct walk w = {&u->windows[0], &u->windows[1], u->fresh, 0, STS_STACK_MOST, true};
	uint32_t now = atomic_load_explicit(&generation, memory_order_relaxed), kept, stack;

	if (unlikely(u->generation != now)) {
		u->generation = now;
		u->n = 0;
	}
	place_window(&w, s->sp);
	kept = walk(&w, *s, u->known, u->n);
	if (unlikely(kept + w.n >= STS_STACK_MOST))
		return cut(u, s);
	stack = enter(u->fresh, w.n, kept != 0 ? u->known[kept - 1].stack : 0);
	if (unlikely(!w.joinable)) {
		u->n = 0;
		return stack;
	}
	u->n = kept + w.n;
	for (uint32_t i = 0; i < w.n; i++)
		take_over(&u->known[u->n - 1 - i], &u->fresh[i]);
	return stack;
}

static __attribute__((noinline)) struct sts_unwind *make_memory(struct sts_self *self)
{
	if (self->cache == NULL && !sts_cache_get_ready(self))
		return NULL;
	if (self->cache->unwind == NULL)
		self->cache->unwind = sts_own_alloc(sizeof(struct sts_unwind));
	self->unwind = self->cache->unwind;
	return self->unwind;
}

static unsigned module_of(uintptr_t entry)
{
	return sts_row_module(sts_row_of(entry | STS_ROW_EXACT));
}

static __attribute__((noinline)) uint32_t from_state_bare(const struct state *s, uintptr_t entry, unsigned depth)
{
	uint32_t caller = walk_bare(s, depth != 0 ? depth - (entry != 0) : BARE_MOST);

	return entry != 0 ? sts_depot_child(caller, entry, module_of(entry)) : caller;
}

static inline uint32_t from_state(const struct state *s, uintptr_t entry, unsigned depth)
{
	struct sts_self *self = &sts_self;
	struct sts_unwind *u = self->unwind;
	uint32_t caller;

	/* In a signal handler that must not wait for a lock, which a new row or node may need. */
	if (unlikely(sts_locks != 0))
		return 0;
	/* A signal handler that interrupts a capture finds its memory in disorder. */
	if (unlikely(depth != 0 || self->capturing || (u == NULL && (u = make_memory(self)) == NULL)))
		return from_state_bare(s, entry, depth);
	self->capturing = 1;
	atomic_signal_fence(memory_order_seq_cst);
	caller = callers(u, s);
	if (unlikely(caller != u->caller || entry != u->entry)) {
		u->caller = caller;
		u->entry = entry;
		u->stack = entry != 0 ? sts_depot_child(caller, entry, module_of(entry)) : caller;
	}
	caller = u->stack;
	atomic_signal_fence(memory_order_seq_cst);
	self->capturing = 0;
	return caller;
}

uint32_t sts_stack_from(const void *frame, uintptr_t entry)
{
	const uintptr_t *words = frame;
	struct state s = {words[1], (uintptr_t)frame + 2 * WORD, words[0]};

	return from_state(&s, entry, sts_stack_depth);
}

uint32_t sts_stack_capture(const void *context, unsigned depth)
{
	const uintptr_t *words = __builtin_frame_address(0);
	const ucontext_t *uc = context;
	struct state s = {words[1], (uintptr_t)words + 2 * WORD, words[0]};

	if (uc != NULL)
		s = (struct state){(uint64_t)uc->uc_mcontext.gregs[REG_RIP] | STS_ROW_EXACT,
				   (uintptr_t)uc->uc_mcontext.gregs[REG_RSP],
				   (uintptr_t)uc->uc_mcontext.gregs[REG_RBP]};
	return from_state(&s, 0, depth);
}

void sts_unwind_reset(struct sts_unwind *u)
{
	u->n = 0;
	u->caller = u->stack = 0;
	u->entry = 0;
	memset(u->windows, 0, sizeof(u->windows));
}

static void forget(void)
{
	sts_rows_forget();
	atomic_fetch_add(&generation, 1);
}

void sts_stack_use_frame_pointers(bool use)
{
	sts_stack_frame_pointers = use;
	forget();
}

uintptr_t sts_stack_loader_lo, sts_stack_loader_hi;

void sts_stack_start(void)
{
	const struct sts_module *loader;

	sts_module_start();
	loader = sts_module_get(sts_module_at(getauxval(AT_BASE)));
	if (loader != NULL) {
		sts_stack_loader_lo = loader->base;
		sts_stack_loader_hi = loader->end;
	}
	forget(); /* addresses that nothing was known of before */
}

void sts_stack_loader_freed(const void *p)
{
	if (sts_module_freed(p))
		forget();
}
