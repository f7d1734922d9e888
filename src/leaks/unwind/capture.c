// SPDX-License-Identifier: BSD-2-Clause
#include "leaks/unwind/unwind.h"

#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include "leaks/heap/inner.h"
#include "leaks/unwind/depot.h"
#include "leaks/unwind/depot_inner.h"
#include "leaks/unwind/modules.h"
#include "leaks/unwind/rows.h"

enum {
	/* Of a thread that has no memory of captures: at its very end, or in a handler that interrupted a capture. */
	BARE_MOST = 48,
	WORD = sizeof(uintptr_t),
	GUESSES = 1 << 14,
	/* Fewer frames are looked for one by one. */
	MANY = 3,
	CUTS = 1024 * STS_STACK_CUT,
};

#define HASH 0x9e3779b97f4a7c15u

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
	uint16_t module;
	/*
	 * Whether the walk from here on depends on bp: else it is not compared. In code without frame pointers it holds
	 * data, which is another in each call.
	 */
	bool needs_bp;
	uint8_t use; /* of bp by this frame's row */
};

enum { PASSES_BP, LOADS_BP, USES_BP };

/* Stack that is known to be readable. */
struct window {
	uintptr_t lo, hi;
};

struct sts_unwind {
	struct window windows[2]; /* the first is the one used last */
	uint32_t generation;
	uint32_t n; /* frames known */
	/* The last answer. */
	uint32_t caller, stack, depth;
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
	uint64_t hash; /* of the fresh frames' addresses */
};

/* Where the stack pointer is can be read. What lies between there and a known window, page by page. */
static __attribute__((noinline)) void change_window(struct walk *w, uintptr_t sp)
{
	struct window swapped = *w->window;

	if (sp < w->other->lo || sp >= w->other->hi) {
		w->other->lo = sp & ~(STS_PAGE - 1);
		w->other->hi = w->other->lo + STS_PAGE;
	}
	*w->window = *w->other;
	*w->other = swapped;
}

static inline void place_window(struct walk *w, uintptr_t sp)
{
	if (unlikely(sp < w->window->lo || sp >= w->window->hi))
		change_window(w, sp);
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

static inline uint8_t use_of(uint64_t row)
{
	if (sts_row_kind(row) == STS_ROW_BP || sts_row_kind(row) == STS_ROW_DEREF_BP ||
	    sts_row_bp_kind(row) == STS_BP_AT_BP)
		return USES_BP;
	return sts_row_bp_kind(row) == STS_BP_AT_CFA ? LOADS_BP : PASSES_BP;
}

/*
 * Walk until the end, or a frame of the known ones whose callers have not changed: their number, itself included, is
 * returned.
 */
static __attribute__((noinline)) uint32_t walk(struct walk *w, struct state s, struct known *known, uint32_t candidates)
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
		    (known[candidates - 1].bp == s.bp || !known[candidates - 1].needs_bp) && w->joinable) {
			if (likely(unchanged(known, candidates - 1))) {
				/* It may have been another that called from here, and saved the frame pointer
				 * elsewhere. */
				if (w->n > 0)
					known[candidates - 1].bp_at =
						origin(&known[candidates - 1],
						       known[candidates - 1].needs_bp ? bp_at : NULL, deref);
				return candidates;
			}
			candidates--;
		}
		row = sts_row_of(s.pc);
		if (sts_row_kind(row) == STS_ROW_NONE)
			return 0;
		f = &w->fresh[w->n++];
		*f = (struct known){s.pc,  s.sp,       s.bp, origin(f, bp_at, deref), 0, sts_row_module(row),
				    false, use_of(row)};
		w->hash = (w->hash ^ s.pc) * HASH;
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

static __attribute__((noinline)) void walk_all(struct walk *w, const struct state *s)
{
	walk(w, *s, NULL, 0);
}

/* Whether `id` consists of the fresh frames and, calling them, `stack`; then each gets its own. */
static inline bool is_chain(struct walk *w, uint32_t id, uint32_t stack)
{
	for (uint32_t i = 0; i < w->n; i++) {
		const struct sts_node *node = sts_node_of(id);

		if (node->key != sts_node_key(as_return(w->fresh[i].pc), w->fresh[i].module))
			return false;
		w->fresh[i].stack = id;
		id = node->caller;
	}
	return id == stack;
}

static inline uint32_t add_nodes(struct walk *w, uint32_t stack)
{
	for (uint32_t i = w->n; i-- > 0;) {
		stack = sts_depot_child(stack, as_return(w->fresh[i].pc), w->fresh[i].module);
		w->fresh[i].stack = stack;
	}
	return stack;
}

/* The stack of the fresh frames, called by `stack`. Several at once are looked for by a guess, which is then checked.
 */
static inline uint32_t find_stack(struct walk *w, uint32_t stack)
{
	static _Atomic uint64_t guesses[GUESSES]; /* a part of the hash, and the stack */
	uint64_t hash = (w->hash ^ stack) * HASH, guess;
	_Atomic uint64_t *entry = &guesses[hash >> 32 & (GUESSES - 1)];
	uint32_t id;

	if (w->n < MANY)
		return add_nodes(w, stack);
	guess = atomic_load_explicit(entry, memory_order_acquire);
	if (likely(guess != 0 && (uint32_t)guess == (uint32_t)hash && is_chain(w, guess >> 32, stack)))
		return guess >> 32;
	id = add_nodes(w, stack);
	if (id != 0)
		atomic_store_explicit(entry, (uint64_t)id << 32 | (uint32_t)hash, memory_order_release);
	return id;
}

/* Add the fresh frames, called by `stack`, which needs the frame pointer or not. */
static __attribute__((noinline)) uint32_t enter(struct walk *w, uint32_t stack, bool needs_bp)
{
	for (uint32_t i = w->n; i-- > 0;) {
		struct known *f = &w->fresh[i];

		needs_bp = f->use == USES_BP || (f->use == PASSES_BP && needs_bp);
		f->needs_bp = needs_bp;
		if (!needs_bp && f->bp_at != (const uintptr_t *)&f->pc)
			f->bp_at = &f->bp;
	}
	return find_stack(w, stack);
}

/* Without memory of what was: few frames, or a stack that is not to be complete. */
static __attribute__((noinline)) uint32_t walk_bare(const struct state *s, uint32_t most)
{
	struct known fresh[BARE_MOST];
	struct window windows[2] = {{0, 0}, {0, 0}};
	struct walk w = {&windows[0], &windows[1], fresh, 0, most < BARE_MOST ? most : BARE_MOST, false, 0};

	if (w.most == 0)
		return 0;
	place_window(&w, s->sp);
	walk_all(&w, s);
	return enter(&w, 0, false);
}

/* Too deep: the outermost frames are left out, and nothing is remembered. */
static __attribute__((noinline)) uint32_t cut(struct sts_unwind *u, const struct state *s)
{
	struct walk w = {&u->windows[0], &u->windows[1], u->fresh, 0, STS_STACK_CUT, false, 0};

	u->n = 0;
	walk_all(&w, s);
	return enter(&w, 0, false);
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
	struct walk w = {&u->windows[0], &u->windows[1], u->fresh, 0, STS_STACK_MOST, true, 0};
	uint32_t now = atomic_load_explicit(&generation, memory_order_relaxed), kept, stack;

	if (unlikely(u->generation != now)) {
		u->generation = now;
		u->n = 0;
	}
	place_window(&w, s->sp);
	kept = walk(&w, *s, u->known, u->n);
	if (unlikely(kept + w.n >= STS_STACK_MOST))
		return cut(u, s);
	stack = kept != 0 ? u->known[kept - 1].stack : 0;
	if (likely(w.n == 0)) {
		u->n = kept;
		return stack;
	}
	stack = enter(&w, stack, kept != 0 && u->known[kept - 1].needs_bp);
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

/* The innermost frames of a stack. */
static __attribute__((noinline)) uint32_t innermost(uint32_t stack, unsigned depth)
{
	/* Stack and answer; each depth has entries of its own. */
	static _Atomic uint64_t known[CUTS];
	_Atomic uint64_t *entry = &known[stack * 0x9e3779b1u % (CUTS / STS_STACK_CUT) * STS_STACK_CUT + depth];
	uint64_t value = atomic_load_explicit(entry, memory_order_relaxed);
	uint32_t ids[STS_STACK_CUT], cut = 0, n = 0;

	if (value >> 32 == stack && value != 0)
		return (uint32_t)value;
	for (uint32_t id = stack; id != 0 && n < depth && n < STS_STACK_CUT; id = sts_depot_parent(id))
		ids[n++] = id;
	while (n-- > 0)
		cut = sts_depot_again(cut, ids[n]);
	atomic_store_explicit(entry, (uint64_t)stack << 32 | cut, memory_order_relaxed);
	return cut;
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
	if (unlikely(self->capturing || (u == NULL && (u = make_memory(self)) == NULL)))
		return from_state_bare(s, entry, depth);
	self->capturing = 1;
	atomic_signal_fence(memory_order_seq_cst);
	caller = callers(u, s);
	if (unlikely(caller != u->caller || entry != u->entry || depth != u->depth)) {
		u->caller = caller;
		u->entry = entry;
		u->depth = depth;
		u->stack = entry != 0 ? sts_depot_child(caller, entry, module_of(entry)) : caller;
		if (depth != 0 && depth < STS_STACK_CUT)
			u->stack = innermost(u->stack, depth);
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
