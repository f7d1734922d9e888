/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a storm's target and its test share: one page-aligned structure in a
 * memfd of the test, which the target maps by the path in its first argument.
 * Hand-shakes are futexes in it; the target's own counters are the truth that
 * the tracer's reports are held against.
 */
#ifndef STORM_H
#define STORM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	STORM_ADDRESSES = 8,
	STORM_SLOTS = 1024,
	STORM_SITES = 4,   /* functions of storm_work that may carry a breakpoint */
	STORM_RT_KINDS = 3,
	STORM_TRAP_THREADS = 50, /* of each kind */
	STORM_NOP_STATUS = 7,    /* exit status of storm_nop */
	STORM_DONE_STATUS = 42,  /* exit status of a target whose work is done */
};

enum storm_work_flags {
	STORM_WORK_BIRTHS = 1 << 0,  /* a thread that forks, vforks and spawns */
	STORM_WORK_CHURN = 1 << 1,   /* a thread that makes threads */
	STORM_WORK_SIGNALS = 1 << 2, /* a thread that sends itself signals */
	STORM_WORK_SLEEPS = 1 << 3,  /* threads in calls that the kernel must restart */
	STORM_WORK_HOLD = 1 << 4,    /* when done, wait for the second gate before exiting */
};

struct storm_shared {
	/* hand-shakes */
	_Atomic uint32_t at_gate;      /* the last gate the target has reached */
	_Atomic uint32_t open_gate;    /* the last gate the test has opened */
	_Atomic uint32_t stop;         /* test: bring it to an end */
	_Atomic uint32_t done;         /* target: the work is finished, results are below */
	/* the target's own account */
	_Atomic uint64_t counter;      /* every thread bumps it when it runs */
	_Atomic uint64_t births;       /* processes or threads made */
	_Atomic uint64_t calls;        /* of the counted function */
	_Atomic uint64_t child_calls;  /* of the function that children call */
	_Atomic uint64_t result;
	_Atomic uint64_t tickets;      /* bomb: births allowed so far */
	_Atomic uint64_t ticket_limit;
	_Atomic uint32_t lived;        /* bomb: entries used in pids */
	_Atomic uint64_t signals[STORM_RT_KINDS]; /* received, per kind */
	_Atomic uint64_t signals_sent; /* by the target to itself */
	_Atomic uint64_t signals_got;
	_Atomic int32_t sender;        /* pid the payloads must carry */
	_Atomic int32_t receiver;      /* tid that takes the signals */
	_Atomic int32_t pids[STORM_SLOTS];
	uint64_t address[STORM_ADDRESSES];
	/* what went wrong, in the target's own eyes */
	_Atomic uint32_t failures;
	char failure[256];             /* the first one */
};

/* The arithmetic of storm_work: the test computes the same beside it. */
static inline uint64_t storm_mix(uint64_t acc, uint64_t i)
{
	acc ^= i + UINT64_C(0x9e3779b97f4a7c15) + (acc << 6) + (acc >> 2);
	acc *= UINT64_C(0xbf58476d1ce4e5b9);
	return acc ^ (acc >> 31);
}

/* One thread's share of the result. */
static inline uint64_t storm_work_share(uint64_t thread, uint64_t iterations)
{
	uint64_t acc = thread;

	for (uint64_t i = 0; i < iterations; i++)
		acc = storm_mix(storm_mix(storm_mix(acc + 1, i) + 2, i) + 3, i);
	return acc;
}

/* Payload number n of kind k. */
static inline uint64_t storm_payload(uint64_t k, uint64_t n)
{
	return UINT64_C(0x5a00000000000000) | k << 40 | n;
}

/* --- target side (storm_target.c) -------------------------------------------------- */

/* Map the structure that argv[1] names; ends the program if that fails. */
struct storm_shared *storm_open(const char *path);
/* Record what went wrong; the first message is kept. */
void storm_fail(struct storm_shared *sh, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Tell that this gate is reached and wait until it is open. */
void storm_gate(struct storm_shared *sh, uint32_t gate);
/* Set a word and wake whoever waits for it. */
void storm_post(_Atomic uint32_t *word, uint32_t value);
/* Path of another program of the same folder. Static storage. */
const char *storm_sibling(const char *name);
/* The number in argv[i]. */
uint64_t storm_number(int argc, char **argv, int i);
/* pthread_create that cannot fail, with a small stack. */
unsigned long storm_thread(struct storm_shared *sh, void *(*fn)(void *), void *arg, bool detached);
/* Wait for a child and check that it ended with this wait status. */
void storm_reap(struct storm_shared *sh, pid_t pid, int status);

#endif
