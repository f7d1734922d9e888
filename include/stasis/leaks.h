/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * libstasis-leaks: a malloc that finds what the program has lost.
 *
 * Linked (-lstasis-leaks) or preloaded, the library takes the place of malloc and its family. It reports leaks when the
 * program ends; these functions are for more. Each has a namesake in LeakSanitizer's interface
 * (sanitizer/lsan_interface.h), which the library offers as well. See libstasis-leaks(3) and stasis-leaks(1).
 *
 * All may be called from any thread.
 */
#ifndef STASIS_LEAKS_H
#define STASIS_LEAKS_H

#include <stasis/base.h>

STASIS_BEGIN_DECLS

/**
 * Look for leaks now and report those found. The program goes on while its copy is looked at.
 * A check that another thread makes is waited for. Returns their number, suppressed ones aside. -EBUSY: this is a
 * signal handler that interrupted the allocator, or a check. -ENOMEM, -EAGAIN...: no check could be made.
 */
STASIS_API int stasis_leaks_check(void);

/** What this thread allocates from now on is never reported, nor what only that points to. Calls nest. */
STASIS_API void stasis_leaks_disable(void);

/** Take back one stasis_leaks_disable() of this thread. Without one the program is ended. */
STASIS_API void stasis_leaks_enable(void);

/** Never report the block at p, nor what only it points to. -EINVAL: no live block begins or lies there. */
STASIS_API int stasis_leaks_ignore(const void *p);

/** What the size bytes from p point to is no leak. The memory must be readable until it is taken back. -ENOMEM: there
 * is no room for more regions. */
STASIS_API int stasis_leaks_root_add(const void *p, size_t size);

/** Take back a region, given as it was added. -ENOENT: it was not. */
STASIS_API int stasis_leaks_root_remove(const void *p, size_t size);

STASIS_END_DECLS

#endif
