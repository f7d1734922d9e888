/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PT_TRACE_ME: the child asks through memory that it shares with its parent, and
 * sleeps until a thread of the parent has attached it. It may be a child of
 * vfork(2), running in its parent's memory: nothing of the parent's state is
 * touched here but the page.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "netbsd/netbsd.h"

/* How often a volunteer looks whether its parent is alive. */
#define LOOK_NS 100000000

/* --- the child's side ---------------------------------------------------------------- */

static struct sts_page *page_of_parent(void)
{
	struct sts_page *pages[] = {sts_netbsd.page, sts_netbsd.parent};
	pid_t parent = getppid();

	for (int i = 0; i < 2; i++)
		if (pages[i] && pages[i]->owner == parent && atomic_load(&pages[i]->served))
			return pages[i];
	return NULL;
}

static bool claim(struct sts_slot *slot, enum sts_slot_state state)
{
	unsigned seen = state;

	return atomic_compare_exchange_strong(&slot->state, &seen, STS_SLOT_CLAIMED);
}

static struct sts_slot *slot_claim(struct sts_page *page)
{
	for (int i = 0; i < STS_NETBSD_SLOTS; i++) {
		struct sts_slot *slot = &page->slots[i];
		/* Its volunteer was killed before it read the answer. */
		bool lost = atomic_load(&slot->state) == STS_SLOT_ANSWERED && kill(atomic_load(&slot->pid), 0) < 0 &&
			    errno == ESRCH;

		if (claim(slot, lost ? STS_SLOT_ANSWERED : STS_SLOT_FREE))
			return slot;
	}
	return NULL;
}

/* 0, or ESRCH if the parent died. */
static int await_answer(struct sts_page *page, struct sts_slot *slot)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	unsigned state;

	while ((state = atomic_load(&slot->state)) != STS_SLOT_ANSWERED) {
		if (getppid() != page->owner || !atomic_load(&page->served))
			return ESRCH;
		syscall(SYS_futex, &slot->state, FUTEX_WAIT, state, &look, NULL, 0);
	}
	return 0;
}

int sts_netbsd_volunteer(void)
{
	struct sts_page *page = page_of_parent();

	if (!page)
		return EPERM;
	struct sts_slot *slot = slot_claim(page);
	if (!slot)
		return EAGAIN;
	slot->vforked = page == sts_netbsd.page;
	slot->error = 0;
	atomic_store(&slot->pid, getpid());
	atomic_store(&slot->state, STS_SLOT_POSTED);
	sts_netbsd_wake(&page->posts);
	int r = await_answer(page, slot);
	if (r != 0)
		return r;
	r = slot->error;
	atomic_store(&slot->state, STS_SLOT_FREE);
	return r;
}

/* --- the parent's side ------------------------------------------------------------------ */

void sts_netbsd_answer(struct sts_slot *slot, int error)
{
	slot->error = error;
	atomic_store(&slot->state, STS_SLOT_ANSWERED);
	syscall(SYS_futex, &slot->state, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* The answer is given when the child rests, so that it misses nothing: by the pump. */
static int take(struct sts_slot *slot)
{
	pid_t pid = atomic_load(&slot->pid);
	struct sts_tracee *t;
	int r = sts_netbsd_take(pid, &t);

	if (r != 0)
		return r;
	t->slot = slot;
	t->vforked = slot->vforked;
	sts_netbsd_wake(&sts_netbsd.attached);
	sts_netbsd_changed(); /* who waits for it as for an ordinary child waits for a tracee from now on */
	return 0;
}

static void serve(struct sts_slot *slot)
{
	if (atomic_load(&slot->state) != STS_SLOT_POSTED)
		return;
	/* Taken: not to be met again before the answer. */
	atomic_store(&slot->state, STS_SLOT_CLAIMED);
	int r = take(slot);
	if (r != 0)
		sts_netbsd_answer(slot, r);
}

void *sts_netbsd_host(void *arg)
{
	struct sts_page *page = sts_netbsd.page;

	for (;;) {
		unsigned posts = atomic_load(&page->posts);

		sts_netbsd_lock();
		bool ending = sts_netbsd.ending;
		for (int i = 0; !ending && i < STS_NETBSD_SLOTS; i++)
			serve(&page->slots[i]);
		sts_netbsd_unlock();
		if (ending)
			return NULL;
		sts_netbsd_sleep(&page->posts, posts);
	}
}
