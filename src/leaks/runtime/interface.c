// SPDX-License-Identifier: BSD-2-Clause
/* LeakSanitizer's public interface, and our own names for it. */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "leaks/runtime/check.h"
#include "leaks/runtime/runtime.h"
#include "leaks/runtime/settings.h"

#define PUBLIC __attribute__((visibility("default")))

/* Weak: the program's, if it has any. */
extern int __lsan_is_turned_off(void) __attribute__((weak));

static _Atomic int checked_at_end;

bool sts_turned_off(void)
{
	return !sts_settings.detect_leaks || (&__lsan_is_turned_off != NULL && __lsan_is_turned_off() != 0);
}

/* What stdio holds would be lost. */
static _Noreturn void end_with(int status)
{
	fflush(NULL);
	_exit(status);
}

void sts_check_at_end(void)
{
	if (sts_turned_off() || atomic_exchange(&checked_at_end, 1))
		return;
	if (sts_check(STS_RAW_AT_EXIT) > 0 && sts_settings.exitcode != 0)
		end_with(sts_settings.exitcode);
}

PUBLIC void __lsan_do_leak_check(void);
PUBLIC int __lsan_do_recoverable_leak_check(void);
PUBLIC void __lsan_disable(void);
PUBLIC void __lsan_enable(void);
PUBLIC void __lsan_ignore_object(const void *p);
PUBLIC void __lsan_register_root_region(const void *p, size_t size);
PUBLIC void __lsan_unregister_root_region(const void *p, size_t size);

void __lsan_do_leak_check(void)
{
	sts_check_at_end();
}

int __lsan_do_recoverable_leak_check(void)
{
	return !sts_turned_off() && sts_check(STS_RAW_ASKED) > 0;
}

void __lsan_disable(void)
{
	sts_heap_disable(1);
}

void __lsan_enable(void)
{
	if (sts_heap_disabled() == 0) {
		sts_say("unmatched call to __lsan_enable()", "");
		_exit(sts_settings.exitcode != 0 ? sts_settings.exitcode : 1);
	}
	sts_heap_disable(-1);
}

void __lsan_ignore_object(const void *p)
{
	sts_heap_ignore(p);
}

void __lsan_register_root_region(const void *p, size_t size)
{
	if (!sts_regions_add((uintptr_t)p, size))
		sts_say("too many root regions: one is not known", "");
}

void __lsan_unregister_root_region(const void *p, size_t size)
{
	if (sts_regions_remove((uintptr_t)p, size))
		return;
	sts_say("__lsan_unregister_root_region(): this region has not been registered", "");
	_exit(sts_settings.exitcode != 0 ? sts_settings.exitcode : 1);
}

/* --- under our name -------------------------------------------------------------------------------------- */

int stasis_leaks_check(void)
{
	return sts_turned_off() ? 0 : sts_check(STS_RAW_ASKED);
}

void stasis_leaks_disable(void)
{
	__lsan_disable();
}

void stasis_leaks_enable(void)
{
	__lsan_enable();
}

int stasis_leaks_ignore(const void *p)
{
	return sts_heap_ignore(p) ? 0 : -EINVAL;
}

int stasis_leaks_root_add(const void *p, size_t size)
{
	return sts_regions_add((uintptr_t)p, size) ? 0 : -ENOMEM;
}

int stasis_leaks_root_remove(const void *p, size_t size)
{
	return sts_regions_remove((uintptr_t)p, size) ? 0 : -ENOENT;
}
