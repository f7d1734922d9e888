// SPDX-License-Identifier: BSD-2-Clause
/* A tracee worth a core. */
#include "core_scene.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* Births stop the tracee for a moment, and a direct session does its work while it is waited on. */
static void await_ready(struct core_scene *scene)
{
	struct stasis_event ev;
	uint64_t limit = sts_now_ms() + sts_bound_ms();

	while (!sts_pipe_pending(&scene->pipe) && sts_now_ms() < limit)
		STS_FAILS(STASIS_E_TIMEOUT, stasis_wait(scene->session, 0, 10, &ev));
	sts_pipe_await(&scene->pipe, "ready");
}

void core_scene_begin(struct core_scene *scene, const char *target, const char *how)
{
	for (unsigned i = 0; i < sizeof(sts_shared()->counter) / sizeof(*sts_shared()->counter); i++)
		atomic_store(&sts_shared()->counter[i], 0); /* of the scene before */
	sts_pipe_open(&scene->pipe);
	scene->session = sts_session();
	scene->pid = sts_launch(scene->session, target, how);
	sts_want(scene->session, scene->pid, 0);
	sts_resume(scene->session, scene->pid);
	await_ready(scene);
	if (sts_proc_state(scene->pid, scene->pid) != 'Z')
		sts_await_state(scene->pid, scene->pid, "SD");
	STS_OK_S(scene->session, stasis_interrupt(scene->session, scene->pid));
	sts_expect_event(scene->session, STASIS_EVENT_INTERRUPT, NULL);
}

void core_scene_end(struct core_scene *scene)
{
	sts_resume(scene->session, scene->pid);
	sts_pipe_send(&scene->pipe, "go");
	sts_expect_exit(scene->session, scene->pid, 0);
	stasis_session_destroy(scene->session);
	sts_pipe_close(&scene->pipe);
}

void core_scene_write(struct core_scene *scene, pid_t tid, const char *path)
{
	int fd = (int)STS_SYS(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	STS_OK_S(scene->session, stasis_core_write(scene->session, scene->pid, tid, fd));
	close(fd);
}

uint64_t core_scene_counter(unsigned i)
{
	return atomic_load(&sts_shared()->counter[i]);
}

void core_need_attach_of_others(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (file == NULL)
		return;
	if (fscanf(file, "%d", &scope) != 1)
		scope = 0;
	fclose(file);
	if (scope > 0 && geteuid() != 0)
		atf_tc_skip("Yama lets gdb attach to its own children only");
}

void core_stay_on_one_cpu(void)
{
	cpu_set_t set;

	STS_SYS(sched_getaffinity(0, sizeof(set), &set));
	for (int cpu = 0, found = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && found++)
			CPU_CLR(cpu, &set);
	STS_SYS(sched_setaffinity(0, sizeof(set), &set));
}
