/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directing target-actor (see tests/targets/actor.c for what it can be told),
 * and what the tests of the event model have in common.
 */
#ifndef DRIVE_H
#define DRIVE_H

#include "actor.h"
#include "test.h"

#define BIT(kind_) STASIS_EVENT_BIT(STASIS_EVENT_##kind_)
#define SIGBIT(signo_) (UINT64_C(1) << ((signo_)-1))

struct actor {
	struct stasis_session *s;
	struct sts_pipe p;
	struct sts_shared *sh;
	pid_t pid;
	bool ours; /* a plain child: to be reaped by us */
};

/* Launch "actor" or a variant of it as a tracee; it runs and waits for commands. Set the wanted events before. */
void actor_launch(struct actor *a, struct stasis_session *s, const char *name);
/* The same, but at rest before its first instruction: nothing is known of it yet but its pid. */
void actor_launch_stopped(struct actor *a, struct stasis_session *s, const char *name);
/* Start it as a plain child; it waits for commands. */
void actor_start(struct actor *a, const char *name);
/* Attach to it and let it run on; all events wanted are those of the session. */
void actor_attach(struct actor *a, struct stasis_session *s);

/* Send a command; do not wait. */
__attribute__((format(printf, 2, 3))) void actor_tell(struct actor *a, const char *format, ...);
/* Wait until the command is carried out; its result. An event of any tracee that comes meanwhile is a failure. */
uint64_t actor_done(struct actor *a);
/* Wait for the step that it sends when an image of it begins. */
void actor_ready(struct actor *a);
/* Wait until a counter is at least `value`. */
void actor_await(struct actor *a, unsigned counter, uint64_t value);
/* Both, for when no event is due on the way. */
__attribute__((format(printf, 2, 3))) uint64_t actor_do(struct actor *a, const char *format, ...);
uint64_t actor_counter(const struct actor *a, unsigned counter);
/* Zero the counters that a test counts with. */
void actor_reset(struct actor *a, unsigned counter);

/* Stop it by stasis_interrupt(); that very event must follow. */
void actor_interrupt(struct actor *a);
/* Tell it to exit, expect that of it, and give back what it took. It runs. */
void actor_end(struct actor *a);
/* The same for one that nobody traces (any more). */
void actor_end_untraced(struct actor *a);
/* Give back what it took; it is gone already. */
void actor_gone(struct actor *a);
/* Expect the end of a tracee that is a child of ours too, or not, by this status. */
void actor_expect_end(struct actor *a, int status);

/* Resume with one spec for all LWPs. */
void resume_all(struct stasis_session *s, pid_t pid, enum stasis_action action, int signal);
/* Resume one LWP; all others stay at rest. */
void resume_only(struct stasis_session *s, pid_t pid, pid_t tid, enum stasis_action action, int signal);
uint64_t pc_of(struct stasis_session *s, pid_t tid);
uint64_t sp_of(struct stasis_session *s, pid_t tid);
struct stasis_regs_x86 regs_of(struct stasis_session *s, pid_t tid);
/* The sum of what the spinning threads have counted. */
uint64_t spins(const struct actor *a);
/*
 * The tracee is said to rest: every LWP of it is in a tracing stop (or dead),
 * and what its threads count does not move, looked at twice with a full scheduler round between.
 */
void check_at_rest(struct actor *a);
/* Nobody traces it, no thread of it is stopped. */
void check_free(pid_t pid);
/* Let every runnable thread of the machine run for a while: our own time slices pass. */
void let_others_run(void);
/* A descriptor is at its end: nobody has its other side any more. All that was read, at most `size`-1 bytes. */
size_t read_to_end(int fd, char *buf, size_t size);

#endif
