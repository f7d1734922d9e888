// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bringing all to rest: list, ask everybody at once, wait; until the kernel's count of threads is that of those who
 * are at rest. A parked thread cannot die or give birth, so that equality, once seen, holds until they are let go, and
 * no listing, which may miss somebody, is ever trusted.
 */
#include <errno.h>

#include "stopworld/world.h"

#define NS_PER_MS ((uint64_t)1000000)
#define LONGEST_STEP (50 * NS_PER_MS) /* a longer one means that this process was stopped itself */

enum {
	DEFAULT_TIMEOUT_MS = 5000,
	DEFAULT_GRACE_MS = 20,
	SHORT_SLICES = 8, /* so many short waits before the long ones */
	SHORT_NS = 250000,
	LONG_NS = 1000000,
	PATIENCE = 2,	   /* waits without an answer before a thread is looked at */
	VAIN_LISTINGS = 2, /* one after another that find nobody: there is nobody */
	LOOKS = 32,	   /* at so many threads that do not answer between two waits */
};

static uint64_t timeout_ns(const struct stasis_world *w)
{
	return (uint32_t)(w->opts.timeout_ms > 0 ? w->opts.timeout_ms : DEFAULT_TIMEOUT_MS) * NS_PER_MS;
}

static uint64_t grace_ns(const struct stasis_world *w)
{
	return (uint32_t)(w->opts.grace_ms > 0 ? w->opts.grace_ms : DEFAULT_GRACE_MS) * NS_PER_MS;
}

static void pass_time(struct stasis_world *w)
{
	uint64_t now = sts_os_now_ns(), step = now - w->clock_ns;

	w->clock_ns = now;
	w->elapsed_ns += step < LONGEST_STEP ? step : LONGEST_STEP;
}

/* Give an ASKED slot up for another state; false if it has just parked. */
static bool settle(struct stasis_world *w, struct sts_slot *s, enum sts_slot_state state)
{
	uint32_t stop = atomic_load_explicit(&w->stop, memory_order_relaxed);
	uint32_t word = SLOT_WORD(stop, SLOT_ASKED);

	if (!atomic_compare_exchange_strong(&s->word, &word, SLOT_WORD(stop, state)))
		return false;
	atomic_fetch_sub(&w->pending, 1);
	if (state == SLOT_GONE)
		w->n_gone++;
	else
		w->n_resting++;
	return true;
}

static void ask(struct stasis_world *w, struct sts_slot *s)
{
	int r = sts_os_ask(atomic_load(&w->pid), atomic_load_explicit(&s->tid, memory_order_relaxed));

	s->unsent = r == -EAGAIN;
	if (r == -ESRCH)
		settle(w, s, SLOT_GONE);
	else if (r < 0 && r != -EAGAIN)
		w->error = r;
}

static bool found(void *arg, int32_t tid)
{
	struct stasis_world *w = arg;
	struct sts_slot *s;

	if (tid == atomic_load_explicit(&w->owner, memory_order_relaxed))
		return false;
	s = sts_table_find(w, tid);
	if (s != NULL && sts_slot_state(s) != SLOT_GONE)
		return false;
	if (s != NULL)
		w->n_gone--;
	s = sts_table_add(w, tid);
	if (s == NULL) {
		w->error = -ENOMEM;
		return false;
	}
	w->n_new++;
	w->newest = tid;
	atomic_fetch_add(&w->pending, 1);
	ask(w, s);
	return true;
}

static int known(const struct stasis_world *w)
{
	return (int)(w->n_slots - w->n_gone) + 1;
}

/*
 * Wait for all who are asked, until none has answered for one slice; false if some have not answered. An answer that
 * comes between our look and our sleep begins the slice anew.
 */
static bool await(struct stasis_world *w, uint64_t slice)
{
	uint32_t left = atomic_fetch_sub(&w->pending, 1) - 1;

	while (left != 0) {
		int r = sts_os_wait(&w->pending, left, slice);

		left = atomic_load(&w->pending);
		if (r == -ETIMEDOUT)
			break;
	}
	atomic_fetch_add(&w->pending, 1);
	return left == 0;
}

/* Asleep in a way from which the signal will not wake it. */
static bool sleeps_on(const struct sts_look *l)
{
	return l->state == 'D' || l->state == 't' || l->state == 'T' || (l->state == 'S' && l->blocked);
}

/* The signal was not seen: it is being delivered right now, or somebody took it or the handler away. */
static void ask_again(struct stasis_world *w, struct sts_slot *s)
{
	if (s->unsignalled) {
		int r = sts_os_claim();

		if (r < 0)
			w->error = r;
		ask(w, s);
	}
	s->unsignalled = !s->unsignalled;
}

/* Look at a thread that does not answer: has it ended, has it slept all the time since the last look? */
static void consider(struct stasis_world *w, struct sts_slot *s)
{
	int32_t tid = atomic_load_explicit(&s->tid, memory_order_relaxed);
	struct sts_look now, last = s->look;
	bool asleep;
	int r = sts_os_look(tid, &now);

	if (r == -ESRCH)
		settle(w, s, SLOT_GONE);
	if (r < 0)
		return;
	s->look = now;
	if (now.state == 'Z' || now.state == 'X') {
		settle(w, s, SLOT_ZOMBIE);
		return;
	}
	if (!now.pending) {
		ask_again(w, s);
		return;
	}
	asleep = sleeps_on(&now);
	if (!asleep || !s->asleep || now.switches != last.switches)
		s->rest_since = w->elapsed_ns;
	else if (w->elapsed_ns - s->rest_since >= grace_ns(w) && sts_os_look_call(tid, &s->look))
		settle(w, s, SLOT_RESTING);
	s->asleep = asleep;
}

static void examine(struct stasis_world *w)
{
	uint32_t n = w->n_slots, first = w->cursor, looks = 0;
	int32_t pid = atomic_load(&w->pid);

	for (uint32_t i = 0; i < n; i++) {
		struct sts_slot *s = sts_slot_at(w, (first + i) % n);

		if (sts_slot_state(s) != SLOT_ASKED)
			continue;
		if (s->unsent) {
			ask(w, s);
		} else if (!sts_os_exists(pid, atomic_load_explicit(&s->tid, memory_order_relaxed))) {
			settle(w, s, SLOT_GONE);
		} else if (s->unanswered < PATIENCE) {
			s->unanswered++;
		} else if (looks < LOOKS) {
			consider(w, s);
			if (++looks == LOOKS)
				w->cursor = (first + i + 1) % n;
		}
	}
}

/* Those at rest without having parked can still die. Asked after the count, that they live says that they counted. */
static bool resting_live(struct stasis_world *w)
{
	int32_t pid = atomic_load(&w->pid);
	bool all = true;

	for (uint32_t i = 0; w->n_resting > 0 && i < w->n_slots; i++) {
		struct sts_slot *s = sts_slot_at(w, i);
		uint32_t word = atomic_load(&s->word);

		if (SLOT_STATE(word) != SLOT_RESTING && SLOT_STATE(word) != SLOT_ZOMBIE)
			continue;
		if (sts_os_exists(pid, atomic_load_explicit(&s->tid, memory_order_relaxed)))
			continue;
		all = false;
		if (atomic_compare_exchange_strong(&s->word, &word, SLOT_WORD(SLOT_STOP(word), SLOT_GONE)))
			w->n_gone++;
	}
	return all;
}

/* Numbers are given out in order, so that the next news are most likely close behind the last. */
static void list(struct stasis_world *w, int wanted)
{
	int32_t pid = atomic_load(&w->pid);

	w->n_new = 0;
	sts_os_list(pid, w->newest != 0 ? w->newest : pid, wanted, found, w);
}

/*
 * List if there is somebody unknown. If there seem to be too few, some have ended, which is found out otherwise.
 * Without a count a listing is dear, and done when all the known are at rest; 1 then says that nobody is left. Numbers
 * are not given out in order only, so that one listing can miss a chain of threads that outruns it.
 */
static int look_for_more(struct stasis_world *w, bool quiet)
{
	int count = sts_os_count();

	if (count > known(w)) {
		list(w, count - known(w));
	} else if (count < 0 && quiet) {
		list(w, 0);
		w->n_vain = w->n_new == 0 ? w->n_vain + 1 : 0;
		if (w->n_vain == VAIN_LISTINGS && resting_live(w))
			return 1;
	}
	return w->error;
}

static bool complete(struct stasis_world *w)
{
	int count = sts_os_count();

	w->uncounted = count < 0;
	return resting_live(w) && count == known(w);
}

/*
 * Those of the last stop first, whom to list takes longer than to stop: most often they are all there are, which the
 * count says then. A number that is another thread's now, or nobody's, does no harm.
 */
static bool recall(struct stasis_world *w)
{
	for (uint32_t i = 0; i < w->n_slots; i++)
		ask(w, sts_slot_at(w, i));
	/* Those who share our CPU park now, and neither a timer nor a wake-up is needed. */
	if (w->n_slots > 0)
		sts_os_yield();
	return await(w, SHORT_NS) && complete(w);
}

static int gather(struct stasis_world *w)
{
	bool quiet = true;

	if (recall(w))
		return 0;
	sts_os_begin_list();
	w->clock_ns = sts_os_now_ns();
	for (unsigned round = 0;; round++) {
		int r = look_for_more(w, quiet && (round > 0 || w->n_slots == 0));
		uint32_t before = atomic_load(&w->pending);

		if (r != 0)
			return r < 0 ? r : 0;
		quiet = await(w, round < SHORT_SLICES ? SHORT_NS : LONG_NS);
		if (quiet && complete(w))
			return 0;
		/* While they come in, nothing but the end of one that will not come needs a look. */
		if (!quiet && (atomic_load(&w->pending) == before || sts_os_count() < known(w)))
			examine(w);
		pass_time(w);
		if (w->elapsed_ns > timeout_ns(w))
			return -ETIMEDOUT;
	}
}

int sts_world_gather(struct stasis_world *w)
{
	int r;

	w->error = 0;
	w->elapsed_ns = 0;
	w->newest = 0;
	w->n_vain = 0;
	r = gather(w);
	sts_os_end_list();
	return r;
}

enum stasis_world_state sts_world_state(struct sts_slot *s)
{
	enum sts_slot_state state = sts_slot_state(s);

	if (state == SLOT_PARKED)
		return STASIS_WORLD_PARKED;
	if (state != SLOT_RESTING)
		return STASIS_WORLD_RUNNING;
	if (s->look.state == 't' || s->look.state == 'T')
		return STASIS_WORLD_HELD;
	if (s->look.vfork)
		return STASIS_WORLD_VFORK;
	return s->look.blocked ? STASIS_WORLD_BLOCKED : STASIS_WORLD_KERNEL;
}

/* Only those who have the signal blocked can have run without coming here first. */
int sts_world_moved(struct stasis_world *w)
{
	int moved = 0;

	for (uint32_t i = 0; w->n_resting > 0 && i < w->n_slots; i++) {
		struct sts_slot *s = sts_slot_at(w, i);
		enum sts_slot_state state = sts_slot_state(s);
		struct sts_look now;

		if (state == SLOT_GONE || state == SLOT_ZOMBIE || !s->asleep || !s->look.blocked)
			continue;
		if (sts_os_look(atomic_load_explicit(&s->tid, memory_order_relaxed), &now) < 0 ||
		    now.switches != s->look.switches || !sleeps_on(&now))
			moved++;
	}
	return moved;
}
