// SPDX-License-Identifier: BSD-2-Clause
/* target-zoo-hooks: a program with LeakSanitizer's hooks. Arguments say what each answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);
int __lsan_is_turned_off(void);

static int off;
static const char *hushed;

/* Asked before main: the only one that cannot depend on the arguments. */
const char *__lsan_default_options(void)
{
	return "exitcode=41";
}

const char *__lsan_default_suppressions(void)
{
	return hushed;
}

int __lsan_is_turned_off(void)
{
	return off;
}

static __attribute__((noinline, noclone, noipa)) void lose_it(void)
{
	*(volatile char *)malloc(100) = 1;
}

static __attribute__((noinline)) void scrub(void)
{
	volatile char space[65536];

	for (size_t i = 0; i < sizeof(space); i++)
		space[i] = 0;
}

int main(int argc, char **argv)
{
	off = argc > 1 && strcmp(argv[1], "off") == 0;
	if (argc > 1 && strcmp(argv[1], "suppressed") == 0)
		hushed = "leak:lose_it\n";
	lose_it();
	scrub();
	return 0;
}
