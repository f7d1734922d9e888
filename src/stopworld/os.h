/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the world stop asks of the operating system. All of it is done by bare
 * system calls: no libc, no errno, no thread-local storage, no allocation; what
 * fails returns -errno. Functions marked [stopped] are called in the handler of
 * a thread of any kind; all others by the one who stops, one at a time.
 */
#ifndef STS_STOPWORLD_OS_H
#define STS_STOPWORLD_OS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the kernel knows of a thread that does not answer. */
struct sts_look {
	char state;	   /* R S D T t Z X */
	bool pending;	   /* the stop signal waits to be delivered */
	bool blocked;	   /* and is blocked */
	int32_t tracer;	   /* 0 if none */
	uint64_t switches; /* how often it has left a CPU: the same twice means that it has not run between */
	bool in_call;	   /* asleep, with pc and sp below */
	bool vfork;	   /* the call it sleeps in is one that waits for a child in its memory */
	uint64_t pc, sp;
};

/* Let others run who wait for this CPU. */
void sts_os_yield(void);

int32_t sts_os_pid(void);
int32_t sts_os_tid(void); /* [stopped] */
uint64_t sts_os_now_ns(void);

/* Wait while *word is `value`, at most ns nanoseconds (0: for ever): -ETIMEDOUT after those. May return early. */
int sts_os_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns); /* [stopped] */
void sts_os_wake(_Atomic uint32_t *word, int n);		      /* [stopped] */

/* Zeroed memory. */
int sts_os_map(size_t size, void **ret);
void sts_os_unmap(void *p, size_t size);

/* Block all signals, or all but the stop signal; the former mask. */
uint64_t sts_os_block_all(void);
uint64_t sts_os_block_others(void);
void sts_os_unblock(uint64_t mask);

/* See that the stop signal leads to us, keeping who had it for signals that are not ours. */
int sts_os_claim(void);
/* Ask a thread: -ESRCH if it is gone, -EAGAIN if the queue of signals is full. */
int sts_os_ask(int32_t pid, int32_t tid);
/* Whether there is such a thread of this process. */
bool sts_os_exists(int32_t pid, int32_t tid);

/* Counting often, and listing, may be done without, but are faster between these two. */
void sts_os_begin_list(void);
void sts_os_end_list(void);
/* Number of threads of the process, zombies included; negative if it cannot be known. */
int sts_os_count(void);
/*
 * Call `found`, which tells whether it is news, for every thread, the caller too. Some that live may be missing, unless
 * `wanted` is 0 or there is no task directory: then every number is asked, from `first` on and around, until there
 * were `wanted` news, if that is not 0.
 */
void sts_os_list(int32_t pid, int32_t first, int wanted, bool (*found)(void *arg, int32_t tid), void *arg);
/* -ESRCH if it is gone, other errors if it cannot be looked at. */
int sts_os_look(int32_t tid, struct sts_look *ret);
/* Fill in in_call, vfork, pc and sp; false if it is found running. */
bool sts_os_look_call(int32_t tid, struct sts_look *look);
/* The newest child of a thread, 0 if none is known. */
int32_t sts_os_child(int32_t tid);
/* The name of a thread of a process, empty if it is not known. */
void sts_os_name(int32_t pid, int32_t tid, char name[16]);
/* The mapping that holds an address. */
int sts_os_mapping(uint64_t address, uint64_t *start_ret, uint64_t *end_ret);
/* Read a word of the size of a pointer from own memory that may not be there. */
int sts_os_peek(uint64_t address, uint64_t *ret);

/* fork, seen by nobody: 0 in the copy. */
int sts_os_copy(void);
/* Wait for that copy to end; 0, or an error. */
int sts_os_reap(int32_t pid);
void sts_os_close_all_but(int fd);
/* Memory that both the copy and the original see. */
int sts_os_map_shared(size_t size, void **ret);
void sts_os_exit(int status) __attribute__((noreturn));

#endif
