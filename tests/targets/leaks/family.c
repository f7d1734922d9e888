// SPDX-License-Identifier: BSD-2-Clause
/*
 * malloc's family, by its public interface alone: one scenario of each run. Status 0: all as it should be; else what is
 * wrong is said on stderr. Run preloaded, linked shared and linked statically; most of it holds for libc's own too.
 */
#include "family.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

static const struct scenario {
	const char *name;
	void (*run)(void);
} scenarios[] = {
	{"sizes", family_sizes},
	{"calloc", family_calloc},
	{"realloc", family_realloc},
	{"reallocarray", family_reallocarray},
	{"aligned", family_aligned},
	{"aligned_errors", family_aligned_errors},
	{"too_big", family_too_big},
	{"limit", family_limit},
	{"knobs", family_knobs},
	{"double_free", family_double_free},
	{"double_free_big", family_double_free_big},
	{"foreign_free", family_foreign_free},
	{"interior_free", family_interior_free},
	{"realloc_freed", family_realloc_freed},
	{"threads", family_threads},
	{"thread_ends", family_thread_ends},
	{"late", family_late},
	{"fork_threads", family_fork_threads},
	{"raw_fork", family_raw_fork},
	{"vfork", family_vfork},
	{"handler", family_handler},
	{"given_back", family_given_back},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (strcmp(argv[1], scenarios[i].name) == 0) {
			scenarios[i].run();
			return 0;
		}
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		puts(scenarios[i].name);
	return argc == 2 ? 2 : 0;
}
