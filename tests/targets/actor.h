/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What target-actor and the cases that direct it have in common: the meaning of
 * the shared counters. The commands stand in actor.c.
 */
#ifndef ACTOR_H
#define ACTOR_H

enum { ACTOR_MAX_THREADS = 16 };

enum actor_counter {
	ACTOR_SPIN = 0,   /* + n: what spinning thread n has counted */
	ACTOR_TID = 16,   /* + n: its tid */
	ACTOR_RESULT = 32, /* of the command done last */
	ACTOR_RESULT2,
	ACTOR_RESULT3,
	ACTOR_EINTR,      /* system calls cut short by a signal */
	/* signals handled: how many, and of the last one what its handler was told */
	ACTOR_HANDLED,
	ACTOR_DISORDER,   /* how many did not carry the value after that of the one before */
	ACTOR_SIGNO,
	ACTOR_CODE,
	ACTOR_SENDER,
	ACTOR_VALUE,
	ACTOR_ADDRESS,
	ACTOR_HANDLER_TID,
	/* the function that breakpoints stand in and the variable that is watched */
	ACTOR_CALLS,      /* calls of the function by the process that was started */
	ACTOR_CHILD_CALLS, /* and by its children */
	ACTOR_FUNCTION,
	ACTOR_VARIABLE,
	ACTOR_HANDLER,    /* address of the signal handler */
	ACTOR_CHILD,      /* pid of the last child made */
	ACTOR_CHILD_RAN,  /* children that ran code of their own */
	ACTOR_GO,         /* set by the case: what holds may go on */
	ACTOR_IMAGES,     /* programs begun: 1, and one more for each exec */
	ACTOR_LEFT,       /* threads that stopped spinning because they were told */
	/* tables of struct insn (actor_insns.h): address and number of entries */
	ACTOR_BLOCK,
	ACTOR_BLOCK_N,
	ACTOR_FLAGS,
	ACTOR_FLAGS_N,
	ACTOR_STEPPED,    /* address of an instruction that counts ACTOR_CALLS and is not emulated */
	ACTOR_VALUES,     /* the sum of the values that all signals handled have carried */
};

#endif
