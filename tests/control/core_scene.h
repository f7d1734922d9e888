/* SPDX-License-Identifier: BSD-2-Clause */
/* A tracee worth a core, parked, for the tests that write one. */
#ifndef CORE_SCENE_H
#define CORE_SCENE_H

#include "core_file.h"
#include "core_target.h"
#include "test.h"

struct core_scene {
	struct stasis_session *session;
	struct sts_pipe pipe;
	pid_t pid;
};

/* Launch the target, let it come to its "ready" with all threads asleep, interrupt it. */
void core_scene_begin(struct core_scene *scene, const char *target, const char *how);
/* Let it go on: its memory must be as it was, and its end good. */
void core_scene_end(struct core_scene *scene);
/* Write a core to a new file. */
void core_scene_write(struct core_scene *scene, pid_t tid, const char *path);
/* What the target has published. */
uint64_t core_scene_counter(unsigned i);
/* Skip the case if Yama keeps gdb from attaching to a child of ours. */
void core_need_attach_of_others(void);
/* For tests that compare memory after the target ran on: the kernel keeps the number of the CPU in each thread's. */
void core_stay_on_one_cpu(void);

#endif
