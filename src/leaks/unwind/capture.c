// SPDX-License-Identifier: BSD-2-Clause
#include <asm/unistd.h>
#include <errno.h>
#include <stdbool.h>

#include "leaks/heap/inner.h"
#include "leaks/unwind/depot.h"
#include "leaks/unwind/unwind.h"
#include "stopworld/x86/raw.h"

unsigned sts_stack_depth = 64;
bool sts_stack_frame_pointers;

/* Stack that is known to be readable. */
struct window {
	uintptr_t lo, hi;
};

/* The kernel reads the mask before it looks at the first argument, which is wrong: nothing is changed. */
static bool readable(uintptr_t address)
{
	return RAW(rt_sigprocmask, ~0u, address & ~(uintptr_t)7, 0, 8) != -EFAULT;
}

static bool readable_word(struct window *w, uintptr_t address)
{
	if (address >= w->lo && address <= w->hi - 8)
		return true;
	if ((address & 7) != 0 || address < w->lo || address - w->hi > STS_PAGE || !readable(address))
		return false;
	w->hi = (address & ~(STS_PAGE - 1)) + STS_PAGE;
	return true;
}

uint32_t sts_stack_from(const void *frame, uintptr_t entry)
{
	uintptr_t pcs[STS_STACK_MOST], fp = (uintptr_t)frame;
	struct window w = {fp, (fp & ~(STS_PAGE - 1)) + STS_PAGE};
	size_t n = 0;
	uint32_t id = 0;

	pcs[n++] = entry;
	while (n < sts_stack_depth && n < STS_STACK_MOST && readable_word(&w, fp) && readable_word(&w, fp + 8)) {
		const uintptr_t *words = (const uintptr_t *)fp;

		if (words[1] < STS_PAGE)
			break;
		pcs[n++] = words[1];
		if (words[0] <= fp)
			break;
		w.lo = fp;
		fp = words[0];
	}
	while (n > 0)
		id = sts_depot_child(id, pcs[--n], 0);
	return id;
}

__attribute__((noinline)) uint32_t sts_stack_capture(void *context, unsigned depth)
{
	return sts_stack_from(__builtin_frame_address(0), (uintptr_t)sts_stack_capture + 1);
}
