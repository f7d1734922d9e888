/* SPDX-License-Identifier: BSD-2-Clause */
/* Running target-world in its variants. */
#ifndef WORLD_RUN_H
#define WORLD_RUN_H

#include "test.h"

/* Run a program to its end within `seconds` (times the factor for slow machines): status 0 passes, 77 skips, all else
 * fails with what it said. Arguments end with NULL. */
#define world_run(seconds_, ...) world_run_argv((seconds_), (const char *const[]){__VA_ARGS__, NULL})
void world_run_argv(unsigned seconds, const char *const argv[]);

/* As a case of its own for each way of linking: NAME, NAME_shared, NAME_static, NAME_32, NAME_musl. */
#define WORLD_TC_(ident_, variant_, seconds_, descr_, ...)                                                             \
	STS_TC(ident_, 2 * (seconds_) + 10, descr_)                                                                    \
	{                                                                                                              \
		world_run(seconds_, "world" variant_, ##__VA_ARGS__);                                                  \
	}
#define WORLD_TC(name_, seconds_, descr_, ...)                                                                         \
	WORLD_TC_(name_, "", seconds_, descr_, ##__VA_ARGS__)                                                          \
	WORLD_TC_(name_##_32, "-32", seconds_, descr_ ", i386", ##__VA_ARGS__)                                         \
	WORLD_TC_(name_##_musl, "-musl", seconds_, descr_ ", musl", ##__VA_ARGS__)

#endif
