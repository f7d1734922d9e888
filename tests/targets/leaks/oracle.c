// SPDX-License-Identifier: BSD-2-Clause
/*
 * Preloaded before libstasis-leaks: compares the stack that the library captured for each block with what the
 * compiler's own unwinder sees. At the end it prints how many were compared, and up to ten that differ, to descriptor
 * LEAKS_ORACLE_FD.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

enum { MOST = 600, SHOWN = 10, DEEP = 480 };

struct stack {
	uintptr_t pcs[MOST];
	int n;
};

static __thread int inside __attribute__((tls_model("initial-exec")));
static _Atomic unsigned long compared, different, longer, longest;
static size_t (*stack_of)(const void *p, uintptr_t *pcs, size_t max);

static _Unwind_Reason_Code add(struct _Unwind_Context *context, void *arg)
{
	struct stack *s = arg;
	int before = 0;
	uintptr_t pc = _Unwind_GetIPInfo(context, &before);

	/* Of a frame that a signal interrupted; the library tells of all frames where they go on, less or more. */
	if (pc != 0 && before)
		pc++;
	if (pc == 0 || s->n == MOST)
		return _URC_END_OF_STACK;
	s->pcs[s->n++] = pc;
	return _URC_NO_REASON;
}

static void say(const char *format, ...)
{
	const char *fd = getenv("LEAKS_ORACLE_FD");
	char text[512];
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (write(fd != NULL ? atoi(fd) : 2, text, (size_t)n) < 0)
		_exit(99);
}

static void show(const char *who, const uintptr_t *pcs, size_t n)
{
	say("%s: %lu\n", who, n);
	for (size_t i = n > 40 ? n - 40 : 0; i < n; i++) {
		Dl_info info;

		if (dladdr((void *)(pcs[i] - 1), &info) != 0)
			say("  %#lx %s %s+%#lx\n", pcs[i], info.dli_sname != NULL ? info.dli_sname : "?",
			    info.dli_fname, pcs[i] - (uintptr_t)info.dli_fbase);
		else
			say("  %#lx\n", pcs[i]);
	}
}

/* Frame 0 of theirs is here, and ours has two before it: malloc and this. From `caller` on both must be the same. */
static void compare(const void *p, uintptr_t caller)
{
	static __thread struct stack theirs __attribute__((tls_model("initial-exec")));
	uintptr_t ours[MOST];
	size_t n = stack_of(p, ours, MOST), i = 0;
	int j = 0;

	theirs.n = 0;
	_Unwind_Backtrace(add, &theirs);
	while (i < n && ours[i] != caller)
		i++;
	while (j < theirs.n && theirs.pcs[j] != caller)
		j++;
	atomic_fetch_add(&compared, 1);
	if ((unsigned long)theirs.n > longest)
		longest = (unsigned long)theirs.n;
	/* What is very deep is cut. */
	if (theirs.n - j > DEEP && i < n)
		theirs.n = j + (int)(n - i);
	/* Ours may go on where code without tables keeps frame pointers. */
	if (i < n && n - i >= (size_t)(theirs.n - j) &&
	    memcmp(&ours[i], &theirs.pcs[j], (size_t)(theirs.n - j) * sizeof(*ours)) == 0) {
		if (n - i > (size_t)(theirs.n - j))
			atomic_fetch_add(&longer, 1);
		return;
	}
	if (atomic_fetch_add(&different, 1) < SHOWN) {
		show("libstasis-leaks:", ours, n);
		show("libgcc:", theirs.pcs, (size_t)theirs.n);
	}
}

static void *look_up(const char *name)
{
	void *p;

	inside++;
	p = dlsym(RTLD_NEXT, name);
	if (stack_of == NULL)
		stack_of = dlsym(RTLD_NEXT, "__stasis_leaks_stack_of");
	inside--;
	return p;
}

#define CHECK(p_)                                                                                                      \
	if ((p_) != NULL && inside == 0 && stack_of != NULL) {                                                         \
		inside++;                                                                                              \
		compare(p_, (uintptr_t)__builtin_return_address(0));                                                   \
		inside--;                                                                                              \
	}

void *malloc(size_t size)
{
	static void *(*next)(size_t);
	void *p;

	if (next == NULL)
		next = (void *(*)(size_t))look_up("malloc");
	p = next(size);
	CHECK(p);
	return p;
}

void *realloc(void *old, size_t size)
{
	static void *(*next)(void *, size_t);
	void *p;

	if (next == NULL)
		next = (void *(*)(void *, size_t))look_up("realloc");
	p = next(old, size);
	CHECK(p);
	return p;
}

void *operator_new(size_t size) __asm__("_Znwm");
void *operator_new(size_t size)
{
	static void *(*next)(size_t);
	void *p;

	if (next == NULL)
		next = (void *(*)(size_t))look_up("_Znwm");
	p = next(size);
	CHECK(p);
	return p;
}

static __attribute__((destructor)) void end(void)
{
	inside++;
	say("compared %lu different %lu longer %lu longest %lu\n", compared, different, longer, longest);
}
