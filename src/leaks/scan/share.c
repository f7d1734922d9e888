// SPDX-License-Identifier: BSD-2-Clause
/*
 * Work among all CPUs. Each worker has ranges of its own; what is too much for them, or is wanted by one who has
 * nothing, goes into the common list. The work is done when all have nothing.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <string.h>

#include "leaks/scan/inner.h"
#include "stopworld/x86/raw.h"

enum { MOST_CPUS = 16, TAKEN = STS_SCAN_OWN / 4, WORTH_SHARING = 16, SPINS = 200 };

unsigned sts_share_cpus(void)
{
	uint64_t mask[128];
	long n = RAW(sched_getaffinity, 0, sizeof(mask), mask);
	unsigned cpus = 0;

	for (long i = 0; i < n / (long)sizeof(*mask); i++)
		cpus += (unsigned)__builtin_popcountll(mask[i]);
	return cpus < 1 ? 1 : cpus < MOST_CPUS ? cpus : MOST_CPUS;
}

/* --- the common list ------------------------------------------------------------------------------ */

static void lock(struct sts_scan *s)
{
	if (!s->parallel)
		return;
	for (unsigned i = 0; atomic_exchange_explicit(&s->lock, 1, memory_order_acquire) != 0; i++) {
		if (i < SPINS)
			__builtin_ia32_pause();
		else
			RAW(sched_yield);
	}
}

static void unlock(struct sts_scan *s)
{
	if (s->parallel)
		atomic_store_explicit(&s->lock, 0, memory_order_release);
}

static void tell(struct sts_scan *s)
{
	atomic_fetch_add(&s->news, 1);
	RAW(futex, &s->news, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

/* The oldest of a worker's, which lead furthest. */
static void give(struct sts_worker *w, unsigned n)
{
	struct sts_scan *s = w->scan;

	lock(s);
	memcpy(&s->todo[s->n_todo], w->own, n * sizeof(*w->own));
	s->n_todo += n;
	unlock(s);
	w->n_own -= n;
	memmove(w->own, w->own + n, w->n_own * sizeof(*w->own));
	if (atomic_load_explicit(&s->idle, memory_order_relaxed) > 0)
		tell(s);
}

static bool take(struct sts_worker *w)
{
	struct sts_scan *s = w->scan;
	size_t n;

	lock(s);
	n = (s->n_todo + s->n_workers - 1) / s->n_workers;
	n = n < TAKEN ? n : TAKEN;
	s->n_todo -= n;
	memcpy(w->own, &s->todo[s->n_todo], n * sizeof(*w->own));
	unlock(s);
	w->n_own = (unsigned)n;
	return n > 0;
}

void sts_share_add(struct sts_worker *w, uintptr_t start, uintptr_t end)
{
	if (unlikely(w->n_own == STS_SCAN_OWN))
		give(w, STS_SCAN_OWN / 2);
	w->own[w->n_own++] = (struct sts_scan_range){start, end};
}

/* --- a worker ---------------------------------------------------------------------------------------- */

static struct sts_scan_range next(struct sts_worker *w)
{
	struct sts_scan_range *r = &w->own[w->n_own - 1], piece = *r;

	if (r->end - r->start <= STS_SCAN_PIECE) {
		w->n_own--;
		return piece;
	}
	/* Unaligned words may begin in one piece and end in the next. */
	piece.end = r->start + STS_SCAN_PIECE;
	r->start = w->scan->opts.unaligned ? piece.end - STS_SCAN_WORD + 1 : piece.end;
	return piece;
}

static void give_half_of(struct sts_worker *w, struct sts_scan_range *r)
{
	uintptr_t middle = r->start + (r->end - r->start) / 2 / STS_SCAN_PIECE * STS_SCAN_PIECE;
	struct sts_scan *s = w->scan;

	lock(s);
	/* There is to be room for each block. */
	if (s->n_todo + s->live_blocks < s->room) {
		s->todo[s->n_todo++] = (struct sts_scan_range){middle, r->end};
		r->end = s->opts.unaligned ? middle + STS_SCAN_WORD - 1 : middle;
	}
	unlock(s);
	tell(s);
}

/* With those who have nothing to do. */
static void share(struct sts_worker *w)
{
	const struct sts_scan *s = w->scan;

	if (!s->parallel || atomic_load_explicit(&s->idle, memory_order_relaxed) == 0 || w->n_own == 0)
		return;
	if (w->own[0].end - w->own[0].start >= 4 * STS_SCAN_PIECE)
		give_half_of(w, &w->own[0]);
	else if (w->n_own >= WORTH_SHARING)
		give(w, w->n_own / 2);
}

/* Ranges wait in a row for their memory to come into the cache. */
static void work(struct sts_worker *w)
{
	struct sts_scan_range row[STS_SCAN_AHEAD];
	unsigned first = 0, n = 0;

	for (;;) {
		for (; n < STS_SCAN_AHEAD && w->n_own > 0; n++) {
			row[(first + n) % STS_SCAN_AHEAD] = next(w);
			__builtin_prefetch((const void *)row[(first + n) % STS_SCAN_AHEAD].start);
		}
		if (n == 0) {
			sts_mark_flush(w);
			if (w->n_own == 0)
				return;
			continue;
		}
		sts_mark_range(w, row[first].start, row[first].end);
		first = (first + 1) % STS_SCAN_AHEAD;
		n--;
		share(w);
	}
}

/* True if there is something to do again. */
static bool wait_for_work(struct sts_scan *s)
{
	uint32_t news = atomic_load(&s->news);

	if (atomic_fetch_add(&s->idle, 1) + 1 == s->n_workers && s->n_todo == 0) {
		atomic_store(&s->done, true);
		tell(s);
		return false;
	}
	while (!atomic_load(&s->done) && atomic_load(&s->news) == news)
		RAW(futex, &s->news, FUTEX_WAIT_PRIVATE, news, NULL);
	if (atomic_load(&s->done))
		return false;
	atomic_fetch_sub(&s->idle, 1);
	return true;
}

static void run(void *arg)
{
	struct sts_worker *w = arg;

	do {
		do
			work(w);
		while (take(w));
	} while (w->scan->parallel && wait_for_work(w->scan));
}

static void start_others(struct sts_scan *s)
{
	unsigned n = s->n_workers;
	char *stacks = s->stacks;

	for (unsigned i = 1; i < n; i++)
		if (!sts_spawn(stacks + (i + 1) * STS_SCAN_STACK, run, &s->workers[i], &s->workers[i].running)) {
			s->n_workers = i;
			return;
		}
}

static void wait_for_others(struct sts_scan *s)
{
	for (unsigned i = 1; i < s->n_workers; i++) {
		uint32_t tid;

		while ((tid = atomic_load(&s->workers[i].running)) != 0)
			RAW(futex, &s->workers[i].running, FUTEX_WAIT, tid, NULL);
	}
}

void sts_share_run(struct sts_scan *s)
{
	if (s->n_workers == 1 || (s->n_todo == 0 && s->workers[0].n_own == 0)) {
		run(&s->workers[0]);
		return;
	}
	s->parallel = true;
	atomic_store(&s->idle, 0);
	atomic_store(&s->done, false);
	start_others(s);
	run(&s->workers[0]);
	wait_for_others(s);
	s->parallel = false;
}
