// SPDX-License-Identifier: BSD-2-Clause
/*
 * C++'s operators new and delete, under the names the ABI gives them, so that a stack begins with the operator and the
 * function that used it.
 */
#include <stdint.h>

#include "leaks/malloc.h"

/* std::get_new_handler and std::__throw_bad_alloc, where there is a C++ library. */
void (*_ZSt15get_new_handlerv(void))(void) __attribute__((weak));
void _ZSt17__throw_bad_allocv(void) __attribute__((weak, noreturn));

/* As the standard wants: the handler is to free something, or throw. */
static __attribute__((noinline, cold)) void *try_hard(size_t size, size_t align, uint32_t stack, bool throws)
{
	void *p;

	sts_malloc_refused(size, stack);
	for (;;) {
		void (*handler)(void) = _ZSt15get_new_handlerv != NULL ? _ZSt15get_new_handlerv() : NULL;

		if (handler == NULL)
			break;
		handler();
		p = sts_heap_alloc(size, align, stack);
		if (p != NULL)
			return p;
	}
	if (!throws)
		return NULL;
	if (_ZSt17__throw_bad_allocv != NULL)
		_ZSt17__throw_bad_allocv();
	sts_malloc_no_memory("operator new");
}

static inline void *make(size_t size, size_t align, uint32_t stack, bool throws)
{
	void *p = sts_heap_alloc(size, align, stack);

	return __builtin_expect(p != NULL, 1) ? p : try_hard(size, align, stack, throws);
}

#define NEW(name_)                                                                                                     \
	void *name_(size_t size);                                                                                      \
	STS_ENTRY void *name_(size_t size)                                                                             \
	{                                                                                                              \
		return make(size, 0, STS_STACK_HERE(), true);                                                          \
	}
#define NEW_NOTHROW(name_)                                                                                             \
	void *name_(size_t size, const void *nothrow);                                                                 \
	STS_ENTRY void *name_(size_t size, const void *nothrow)                                                        \
	{                                                                                                              \
		return make(size, 0, STS_STACK_HERE(), false);                                                         \
	}
#define NEW_ALIGNED(name_)                                                                                             \
	void *name_(size_t size, size_t align);                                                                        \
	STS_ENTRY void *name_(size_t size, size_t align)                                                               \
	{                                                                                                              \
		return make(size, align, STS_STACK_HERE(), true);                                                      \
	}
#define NEW_ALIGNED_NOTHROW(name_)                                                                                     \
	void *name_(size_t size, size_t align, const void *nothrow);                                                   \
	STS_ENTRY void *name_(size_t size, size_t align, const void *nothrow)                                          \
	{                                                                                                              \
		return make(size, align, STS_STACK_HERE(), false);                                                     \
	}
/* Whatever tells size, alignment or nothrow: all free. */
#define DELETE(name_)                                                                                                  \
	void name_(void *p);                                                                                           \
	STS_ENTRY void name_(void *p)                                                                                  \
	{                                                                                                              \
		if (p != NULL && !sts_heap_free(p))                                                                    \
			sts_malloc_misuse("operator delete", p, STS_STACK_HERE());                                     \
	}

/* clang-format off */
NEW(_Znwm) NEW(_Znam)
NEW_NOTHROW(_ZnwmRKSt9nothrow_t) NEW_NOTHROW(_ZnamRKSt9nothrow_t)
NEW_ALIGNED(_ZnwmSt11align_val_t) NEW_ALIGNED(_ZnamSt11align_val_t)
NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t) NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)
DELETE(_ZdlPv) DELETE(_ZdaPv)
DELETE(_ZdlPvm) DELETE(_ZdaPvm)
DELETE(_ZdlPvRKSt9nothrow_t) DELETE(_ZdaPvRKSt9nothrow_t)
DELETE(_ZdlPvSt11align_val_t) DELETE(_ZdaPvSt11align_val_t)
DELETE(_ZdlPvmSt11align_val_t) DELETE(_ZdaPvmSt11align_val_t)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t) DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t)
	/* clang-format on */
