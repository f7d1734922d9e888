// SPDX-License-Identifier: BSD-2-Clause
/* Stops amid churn, many of them: nobody runs on, nobody is waited for in vain. */
#include "../stopworld/run.h"

static void run_crowd(const char *program, unsigned threads)
{
	char arg[32];

	snprintf(arg, sizeof(arg), "%u:%u", sts_rounds(1000, 20), threads);
	world_run(120, program, "crowd", arg);
}

STS_TC(crowd_200, 300, "1000 stops of 200 threads and chains of detached ones")
{
	run_crowd("world", 200);
}

STS_TC(crowd_1000, 300, "1000 stops of 1000 threads and chains of detached ones")
{
	run_crowd("world", 1000);
}

STS_TC(crowd_200_musl, 300, "1000 stops of 200 threads and chains of detached ones, musl")
{
	run_crowd("world-musl", 200);
}

STS_TC(churn, 300, "1000 stops of chains alone")
{
	char arg[32];

	snprintf(arg, sizeof(arg), "%u", sts_rounds(1000, 50));
	world_run(120, "world", "churn", arg);
}
