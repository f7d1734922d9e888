// SPDX-License-Identifier: BSD-2-Clause
/*
 * Mappings where /proc is not to be had, or no descriptor to read it by: found by asking the kernel of addresses. Of a
 * part of the address space it says whether all of it is mapped (mincore), or none (mmap, told to replace nothing);
 * what is neither is halved. About 20 ms for a usual program.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "leaks/roots/probe.h"
#include "stopworld/x86/raw.h"

#define PAGE ((uintptr_t)4096)
#define SPACE ((uintptr_t)1 << 47)
#define USABLE (SPACE - PAGE)
#define CHUNK (4096 * PAGE)

struct prober {
	bool (*f)(void *arg, const struct sts_mapping *m);
	void *arg;
	struct sts_mapping run; /* that goes on, unless it is empty */
};

static bool all_free(uintptr_t at, size_t size)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	long p = RAW(mmap, at, size, PROT_NONE, flags, -1);

	if (p == (long)at) {
		RAW(munmap, at, size);
		return true;
	}
	/* A kernel that does not know the flag takes the address for a wish. */
	if ((unsigned long)p < -4096ul)
		RAW(munmap, p, size);
	/* Free, but more than the program may have; or below what anybody may. */
	return p == -ENOMEM || (p == -EPERM && size == PAGE);
}

static bool all_mapped(uintptr_t at, size_t size)
{
	static unsigned char pages[CHUNK / PAGE];

	return size <= CHUNK && RAW(mincore, at, size, pages) == 0;
}

static bool end_run(struct prober *p)
{
	const struct sts_mapping run = p->run;
	uintptr_t stack = (uintptr_t)environ;

	p->run = (struct sts_mapping){0};
	if (run.start == run.end)
		return true;
	struct sts_mapping m = run;

	m.writable = m.readable;
	m.stack = stack >= m.start && stack < m.end;
	return p->f(p->arg, &m);
}

/* Pages that can be read make one mapping, those that cannot another. */
static bool take(struct prober *p, uintptr_t at, uintptr_t end)
{
	for (; at < end; at += PAGE) {
		bool readable = sts_roots_readable(at);

		if ((at != p->run.end || readable != p->run.readable) && !end_run(p))
			return false;
		if (p->run.start == p->run.end)
			p->run = (struct sts_mapping){.start = at, .readable = readable};
		p->run.end = at + PAGE;
	}
	return true;
}

static bool explore(struct prober *p, uintptr_t at, size_t size)
{
	bool within = at + size <= USABLE;

	if (size == PAGE && !within)
		return true;
	if (within && all_free(at, size))
		return true;
	if (size == PAGE || (within && all_mapped(at, size)))
		return take(p, at, at + size);
	return explore(p, at, size / 2) && explore(p, at + size / 2, size / 2);
}

bool sts_roots_probe(bool (*f)(void *arg, const struct sts_mapping *m), void *arg)
{
	struct prober p = {.f = f, .arg = arg};

	if (explore(&p, 0, SPACE))
		end_run(&p);
	return true;
}
