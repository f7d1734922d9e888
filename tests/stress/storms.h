/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all storms do: a session, a target with shared memory (storm.h), a loop
 * over events, and the look at a process that is said to rest.
 *
 * Everything is bounded by sts_bound_ms(); what hangs is described on stderr
 * (state, stop and kernel function of every LWP) before the case fails. With
 * STASIS_STRESS_FREEZE set the program then waits for a debugger instead; with
 * STASIS_TEST_LOG (of all tests) the session's log goes to stderr.
 */
#ifndef STORMS_H
#define STORMS_H

#include <pthread.h>
#include "storm.h"
#include "test.h"

struct storm {
	struct storm_shared *sh;
	struct stasis_session *s;
	uint64_t random;
	int fd;
	char path[40]; /* of the shared memory, for targets */
};

/* Shared memory alone. */
void storm_begin(struct storm *st);
/* The same with a seed and a session of the case's kind. */
void storm_begin_session(struct storm *st);
/* Between two rounds: the shared memory is as new. No target may be alive. */
void storm_reset(struct storm *st);
void storm_end(struct storm *st);
/* A random number beneath n. */
uint64_t storm_random(struct storm *st, uint64_t n);

/* Launch target-storm-NAME as a tracee, with numbers as its arguments; its ATTACHED event is collected. */
#define storm_launch(st_, name_, ...)                                                                                  \
	storm_launch_((st_), (name_), (const uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / 8)
pid_t storm_launch_(struct storm *st, const char *name, const uint64_t *numbers, size_t n);
/* Start it as a plain child. */
#define storm_start(st_, name_, ...)                                                                                   \
	storm_start_((st_), (name_), (const uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / 8)
pid_t storm_start_(struct storm *st, const char *name, const uint64_t *numbers, size_t n);

/* --- events --------------------------------------------------------------------- */

/* What a storm does with an event. The event is resumed afterwards by the caller. */
typedef void (*storm_event_fn)(void *arg, const struct stasis_event *ev);

/* The next event of pid (0: any). False: there is no tracee left. Fails the case when nothing comes. */
bool storm_next(struct storm *st, pid_t pid, struct stasis_event *ev);
/* Let go on what rests for this event. A tracee that dies meanwhile is fine. */
void storm_resume(struct storm *st, const struct stasis_event *ev);
/* Every event to fn and resumed, until there is no tracee left. */
void storm_run(struct storm *st, storm_event_fn fn, void *arg);
/* The same until the target has reached a gate. */
void storm_run_to_gate(struct storm *st, uint32_t gate, storm_event_fn fn, void *arg);
/* Bring a running tracee to rest by stasis_interrupt(), other events going to fn; it rests at return. */
void storm_interrupt(struct storm *st, pid_t pid, storm_event_fn fn, void *arg);
/* An untraced target: wait for its gate. */
void storm_await_gate(struct storm *st, uint32_t gate);
void storm_open_gate(struct storm *st, uint32_t gate);
/* fn for storms in which this event must not be; and one that takes all. */
void storm_no_event(void *arg, const struct stasis_event *ev);
void storm_any_event(void *arg, const struct stasis_event *ev);

/* Fail unless the error is one of those that a tracee's death at any moment may give. */
#define STORM_MAY_DIE(expr_) storm_may_die((expr_), #expr_, __FILE__, __LINE__)
int storm_may_die(int result, const char *text, const char *file, int line);

/* --- looking --------------------------------------------------------------------- */

/* The target's own complaints, and its counters after a completed run. */
void storm_check_target(const struct storm *st);
/*
 * A process that is said to rest: the counter that all its threads bump does not
 * move, and each is in a tracing stop, dead, or held by the kernel as the
 * session says (their number is returned).
 */
unsigned storm_check_rest(struct storm *st, pid_t pid);
/* A process let go: nobody traces it, none of its threads is stopped. */
void storm_check_free(pid_t pid);
/* Its program text is as in its file: no breakpoint is left. */
void storm_check_text(pid_t pid);
/* Describe all tracees, wait for a debugger if so asked. */
void storm_stuck(struct storm *st);
/* Collect a child of ours that the session was attached to, its end already reported. */
void storm_collect_child(pid_t pid, int status);
uint64_t storm_now_us(void);

/* --- a map from ids to numbers, for accounts of events ----------------------------- */

struct storm_table {
	struct storm_entry {
		pid_t id;
		uint64_t value[3];
	} * entries;
	size_t n, cap;
};
/* The entry of this id, made if there is none. Valid until the next call. */
struct storm_entry *storm_table_get(struct storm_table *t, pid_t id);
struct storm_entry *storm_table_find(struct storm_table *t, pid_t id);
void storm_table_remove(struct storm_table *t, pid_t id);
void storm_table_free(struct storm_table *t);

/* A thread of the test that takes no signals. */
pthread_t storm_helper(void *(*fn)(void *), void *arg);

#endif
