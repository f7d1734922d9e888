// SPDX-License-Identifier: BSD-2-Clause
#include "leaks/heap/inner.h"
#include "leaks/runtime/check.h"
#include "leaks/unwind/depot.h"
#include "leaks/unwind/unwind.h"

bool sts_sums_begin(struct sts_sums *sums, uint64_t blocks)
{
	size_t n = 1024;

	/* A stack is a node of the depot; no more pairs than blocks. */
	while (n < 8 * (size_t)sts_depot_count() && n < 2 * blocks)
		n *= 2;
	*sums = (struct sts_sums){.mask = n - 1, .mapped = n * sizeof(*sums->table)};
	sums->table = sts_os_heap_map_sparse(sums->mapped);
	return sums->table != NULL;
}

void sts_sums_end(struct sts_sums *sums)
{
	if (sums->table != NULL)
		sts_os_heap_unmap(sums->table, sums->mapped);
}

static void add(struct sts_sums *sums, uint32_t class, uint32_t stack, uint64_t bytes)
{
	uint64_t hash = ((uint64_t)stack << 3 | class) * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = hash >> 20;; i++) {
		struct sts_raw_leak *leak = &sums->table[i & sums->mask];

		if (leak->class == 0) {
			/* Full is not possible, but an endless search must not be. */
			if (sums->n == sums->mask)
				return;
			sums->n++;
			leak->class = class;
			leak->stack = stack;
		}
		if (leak->class == class && leak->stack == stack) {
			leak->blocks++;
			leak->bytes += bytes;
			return;
		}
	}
}

/* --- what suppressed leaks hold ------------------------------------------------------------------ */

static uint32_t class_of(const struct sts_chunk *chunk)
{
	if (sts_heap_marked(chunk, STS_MARK_REACHABLE))
		return STS_RAW_REACHABLE;
	if (sts_heap_marked(chunk, STS_MARK_POSSIBLE))
		return STS_RAW_POSSIBLE;
	return sts_heap_marked(chunk, STS_MARK_INDIRECT) ? STS_RAW_INDIRECT : STS_RAW_DEFINITE;
}

static bool is_suppressed(const struct sts_held *held, const struct sts_chunk *chunk, uint32_t class)
{
	for (uint32_t i = 0; i < held->n; i++)
		if (held->records[i].stack == chunk->stack && held->records[i].class == class)
			return true;
	return false;
}

struct holder {
	const struct sts_held *held;
	struct sts_scan *scan;
};

static void hold_more(void *arg, const struct sts_chunk *chunk)
{
	struct holder *h = arg;

	if (is_suppressed(h->held, chunk, class_of(chunk)))
		sts_scan_held(h->scan, chunk);
}

void sts_held_mark(const struct sts_held *held, struct sts_scan *scan)
{
	struct holder h = {.held = held, .scan = scan};

	if (held->n > 0)
		sts_heap_each_without(1u << STS_MARK_REACHABLE, hold_more, &h);
}

/* --- sums ----------------------------------------------------------------------------------------- */

struct take {
	struct sts_sums *sums;
	struct sts_out *out;
	bool reachable, objects;
};

/* What a suppressed leak leads to is as good as reachable, unless it is suppressed itself. */
static uint32_t told_class(const struct sts_sums *sums, const struct sts_chunk *chunk)
{
	uint32_t class = class_of(chunk);

	return sts_heap_marked(chunk, STS_MARK_HELD) && !is_suppressed(sums->held, chunk, class) ? STS_RAW_REACHABLE
												 : class;
}

static void take_one(void *arg, const struct sts_chunk *chunk)
{
	struct take *t = arg;
	uint32_t class = told_class(t->sums, chunk);

	if (class == STS_RAW_REACHABLE && !t->reachable)
		return;
	t->sums->leaks += class != STS_RAW_REACHABLE;
	/* What malloc(0) gave is a byte to LeakSanitizer. */
	add(t->sums, class, chunk->stack, chunk->size != 0 ? chunk->size : 1);
	if (t->objects) {
		struct sts_raw_object o = {
			.class = class, .stack = chunk->stack, .address = chunk->start, .size = chunk->size};

		sts_out_item(t->out, STS_RAW_OBJECT, &o, sizeof(o), NULL, 0);
	}
}

void sts_sums_take(struct sts_sums *sums, struct sts_out *out, bool reachable, bool objects)
{
	struct take t = {.sums = sums, .out = out, .reachable = reachable, .objects = objects};

	sts_heap_each_without(reachable ? 0 : 1u << STS_MARK_REACHABLE, take_one, &t);
}

static void tell_stack(struct sts_out *out, uint32_t stack)
{
	struct sts_frame known[STS_STACK_MOST];
	struct sts_raw_frame frames[STS_STACK_MOST];
	size_t n = sts_depot_frames(stack, known, STS_STACK_MOST);
	struct sts_raw_stack head;

	n = n < STS_STACK_MOST ? n : STS_STACK_MOST;
	head = (struct sts_raw_stack){.id = stack, .frames = (uint32_t)n};
	for (size_t i = 0; i < n; i++)
		frames[i] = (struct sts_raw_frame){
			.pc = known[i].pc, .module = known[i].module != 0 ? known[i].module : STS_RAW_NO_MODULE};
	sts_out_item(out, STS_RAW_STACK, &head, sizeof(head), frames, n * sizeof(*frames));
}

void sts_sums_tell(const struct sts_sums *sums, struct sts_out *out)
{
	for (size_t i = 0; i <= sums->mask; i++) {
		const struct sts_raw_leak *leak = &sums->table[i];

		if (leak->class == 0)
			continue;
		/* Of classes that share a stack each tells it; the reader takes any of them. */
		tell_stack(out, leak->stack);
		sts_out_item(out, STS_RAW_LEAK, leak, sizeof(*leak), NULL, 0);
	}
}
