// SPDX-License-Identifier: BSD-2-Clause
/* What a program can say to the library, by LeakSanitizer's names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zoo.h"

void __lsan_do_leak_check(void) __attribute__((weak));
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));
void __lsan_ignore_object(const void *p) __attribute__((weak));

static void *slot;

/* `held` stands for: the program has said so. */
static void disabled(void)
{
	if (!zoo_lost)
		__lsan_disable();
	zoo_new(100);
	if (!zoo_lost)
		__lsan_enable();
	zoo_scrub();
}

/* Twice disabled, once enabled. */
static void disabled_nested(void)
{
	__lsan_disable();
	if (!zoo_lost)
		__lsan_disable();
	__lsan_enable();
	zoo_new(100);
	if (!zoo_lost)
		__lsan_enable();
	zoo_scrub();
}

static void *disabled_main(void *arg)
{
	(void)arg;
	zoo_new(100);
	zoo_scrub();
	zoo_ready();
	zoo_wait();
}

/* It is the thread that is disabled. */
static void disabled_elsewhere(void)
{
	__lsan_disable();
	zoo_thread_plain(disabled_main);
	__lsan_enable();
}

/* What only such a block holds is no leak either. */
static void disabled_holder(void)
{
	void **p;

	__lsan_disable();
	p = calloc(4, sizeof(*p));
	__lsan_enable();
	zoo_keep(&p[2], 100);
	p = NULL;
	zoo_scrub();
}

static ZOO_APART void ignore(uintptr_t hidden)
{
	if (!zoo_lost)
		__lsan_ignore_object((void *)(hidden ^ ZOO_KEY));
}

static void ignored(void)
{
	ignore(zoo_new(100));
	zoo_scrub();
}

static ZOO_APART void check_twice(void)
{
	int before = __lsan_do_recoverable_leak_check(), again = __lsan_do_recoverable_leak_check();

	zoo_need(before == zoo_lost && again == zoo_lost, "__lsan_do_recoverable_leak_check");
}

static void recoverable(void)
{
	zoo_keep(&slot, 100);
	check_twice();
}

/* The next check tells of it no more. */
static void recovered(void)
{
	static uintptr_t hidden;

	hidden = zoo_new(100);
	zoo_scrub();
	zoo_need(__lsan_do_recoverable_leak_check() == 1, "the lost block");
	free((void *)(hidden ^ ZOO_KEY));
	hidden = 0;
	zoo_scrub();
	zoo_need(__lsan_do_recoverable_leak_check() == 0, "the block that was freed");
}

/* A check of the program's own is the last. */
static void checked(void)
{
	zoo_keep(&slot, 100);
	__lsan_do_leak_check();
	zoo_lost = true;
	zoo_new(300);
	zoo_scrub();
}

const struct zoo_scenario zoo_interface[] = {{"disabled", disabled},
					     {"disabled_nested", disabled_nested},
					     {"disabled_elsewhere", disabled_elsewhere},
					     {"disabled_holder", disabled_holder},
					     {"ignored", ignored},
					     {"recoverable", recoverable},
					     {"recovered", recovered},
					     {"checked", checked},
					     {0}};
