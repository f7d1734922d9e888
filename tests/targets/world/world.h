/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target-world [--with SETTING]... SCENARIO [ARGUMENT]: a program that stops its own world, and knows what must then be
 * so. Its status is 0 if all of it was, 77 if this machine lacks what the scenario needs, 1 with a message otherwise.
 */
#ifndef WORLD_H
#define WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <stasis/stopworld.h>

#define WORLD_SKIP 77

__attribute__((format(printf, 1, 2), noreturn)) void fail(const char *format, ...);
__attribute__((format(printf, 1, 2), noreturn)) void skip(const char *format, ...);
/* A call of ours or of libc's that must not be negative. */
#define OK(expr_) ok((long)(expr_), #expr_, __FILE__, __LINE__)
long ok(long r, const char *text, const char *file, int line);
#define REQUIRE(cond_)                                                                                                 \
	do {                                                                                                           \
		if (!(cond_))                                                                                          \
			fail("%s:%d: not so: %s", __FILE__, __LINE__, #cond_);                                         \
	} while (0)

uint64_t now_ns(void);
pid_t own_tid(void);
/* A thread with a small stack. */
pthread_t start(void *(*run)(void *), void *arg);
void start_detached(void *(*run)(void *), void *arg);
/* Wait until *word is at least `value`; fails after ten seconds. */
void await_u(const char *what, _Atomic unsigned *word, unsigned value);
/* Keep a CPU busy: the time in which something that must not happen could happen. */
void linger(unsigned us);
/* Let others run for so long, without relying on it. */
void pause_us(unsigned us);

struct stasis_world *stop_world(void);
void resume_world(struct stasis_world *w);
/* The thread of this tid; false if the world has none. */
bool find_thread(struct stasis_world *w, pid_t tid, unsigned want, struct stasis_world_thread *ret);
/* Wait for a letter of /proc/self/task/TID/stat. */
void await_state(pid_t tid, const char *letters);
/* Its stack pointer lies in [start, start + size). */
void require_sp(const struct stasis_world_thread *t, const void *start, size_t size);

/* Scenarios; the argument may be NULL. */
void world_basic(const char *arg);
void world_blocked(const char *arg);
void world_blocked_spinning(const char *arg);
void world_eaten(const char *arg);
void world_vfork(const char *arg);
void world_held(const char *arg);
void world_held_released(const char *arg);
void world_job_control(const char *arg);
void world_calls(const char *arg);
void world_signals(const char *arg);
void world_churn(const char *arg);
void world_crowd(const char *arg);
void world_callers(const char *arg);
void world_exiting(const char *arg);
void world_in_handler(const char *arg);
void world_locks(const char *arg);
void world_setuid(const char *arg);
void world_first_thread(const char *arg);
void world_dead_main(const char *arg);
void world_fork(const char *arg);
void world_queue(const char *arg);
void world_no_files(const char *arg);
void world_misuse(const char *arg);
void world_snapshot(const char *arg);
void world_snapshot_pause(const char *arg);
void world_snapshot_waits(const char *arg);
void world_snapshot_dies(const char *arg);
void world_snapshot_files(const char *arg);

/* Settings. */
void with_seccomp_errno(void);
void with_seccomp_kill(void);
void with_seccomp_strict(void);
void with_nobody(void);
void with_no_dump(void);
void with_namespaces(void);
void with_container(void);
void with_no_proc(void);

#endif
