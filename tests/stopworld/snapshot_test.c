// SPDX-License-Identifier: BSD-2-Clause
/* Snapshots. */
#include "run.h"

WORLD_TC(contents, 40, "the copy sees memory, registers, stacks and names as they were", "snapshot")
WORLD_TC(pause, 30, "the program runs while the copy looks", "snapshot-pause")
WORLD_TC(waits, 40, "the program's waits hear nothing of the copy", "snapshot-waits")
WORLD_TC(dies, 30, "a copy that is killed", "snapshot-dies")
WORLD_TC(files, 30, "a copy that keeps one descriptor", "snapshot-files")
WORLD_TC_(contents_static, "-static", 30, "a snapshot in a static program", "snapshot")
