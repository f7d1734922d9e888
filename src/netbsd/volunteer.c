/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PT_TRACE_ME: the child asks through memory that it shares with its parent, and
 * sleeps until a thread of the parent has attached it. It may be a child of
 * vfork(2), running in its parent's memory: nothing of the parent's state is
 * touched here but the page. It may have executed another program, and then
 * finds the page among its parent's files.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "netbsd/netbsd.h"
#include "util/cleanup.h"

#define PAGE_NAME "stasis-netbsd"

/* How often a volunteer looks whether its parent is alive. */
#define LOOK_NS 100000000

/* --- the page ------------------------------------------------------------------------- */

static struct sts_page *page_map(int fd)
{
	struct sts_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

int sts_netbsd_page_make(void)
{
	if (sts_netbsd.page)
		return 0;
	int fd = memfd_create(PAGE_NAME, MFD_CLOEXEC);
	if (fd < 0)
		return errno;
	struct sts_page *page = ftruncate(fd, sizeof *page) == 0 ? page_map(fd) : NULL;
	if (!page) {
		close(fd);
		return ENOMEM;
	}
	page->owner = getpid();
	sts_netbsd.page = page;
	sts_netbsd.page_fd = fd;
	return 0;
}

void sts_netbsd_page_end(void)
{
	munmap(sts_netbsd.page, sizeof *sts_netbsd.page);
	close(sts_netbsd.page_fd);
	sts_netbsd.page = NULL;
	sts_netbsd.page_fd = 0;
}

/* The descriptor is of such a file. */
static struct sts_page *page_open(int dir, const char *name)
{
	static const char wanted[] = "/memfd:" PAGE_NAME " ";
	char target[64];
	ssize_t n = readlinkat(dir, name, target, sizeof target);

	if (n < (ssize_t)sizeof wanted - 1 || memcmp(target, wanted, sizeof wanted - 1) != 0)
		return NULL;
	_cleanup_close_ int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
	return fd >= 0 ? page_map(fd) : NULL;
}

/* Among the files of the parent; it stays mapped. */
static struct sts_page *page_find(pid_t parent)
{
	char path[64];
	struct sts_page *page = NULL;
	const struct dirent *entry;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)parent);
	DIR *dir = opendir(path);
	while (dir && !page && (entry = readdir(dir))) {
		page = page_open(dirfd(dir), entry->d_name);
		if (page && page->owner != parent) {
			munmap(page, sizeof *page);
			page = NULL;
		}
	}
	if (dir)
		closedir(dir);
	return page;
}

/* --- the child's side ---------------------------------------------------------------- */

static struct sts_page *page_of_parent(void)
{
	struct sts_page *pages[] = {sts_netbsd.page, sts_netbsd.parent};
	pid_t parent = getppid();

	for (int i = 0; i < 2; i++)
		if (pages[i] && pages[i]->owner == parent && atomic_load(&pages[i]->served))
			return pages[i];
	if (sts_netbsd.page)
		return NULL; /* perhaps our parent's memory */
	sts_netbsd.parent = page_find(parent);
	return sts_netbsd.parent && atomic_load(&sts_netbsd.parent->served) ? sts_netbsd.parent : NULL;
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
