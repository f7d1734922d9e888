/* SPDX-License-Identifier: BSD-2-Clause */
/* One check: stop, mark, sum up, tell. */
#ifndef STS_LEAKS_CHECK_H
#define STS_LEAKS_CHECK_H

#include <stasis/stopworld.h>

#include "leaks/raw.h"
#include "leaks/roots/roots.h"
#include "leaks/runtime/out.h"
#include "leaks/scan/scan.h"

/*
 * Number of leaks, suppressed ones aside; -EBUSY: called in a signal handler that interrupted the allocator, or a check
 * of this thread; other -errno: nothing could be found out, which was said. From any thread; one waits for the other.
 */
int sts_check(enum sts_raw_reason reason);
/* In the child: a check of the parent's does not go on here. */
void sts_check_after_fork(void);

/* regions.c: memory the program has registered as roots. False if there is no room. */
bool sts_regions_add(uintptr_t start, size_t size);
bool sts_regions_remove(uintptr_t start, size_t size);
void sts_regions_each(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg);

/* modules.c. Before the world is stopped: a thread may be stopped with the loader's lock. */
void sts_modules_prepare(void);
void sts_modules_tell(struct sts_out *out);
/* The parts of modules that can be written, if they are to be left out; else none. */
void sts_modules_each_data(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg);
/* Memory of this library itself, if it is not a part of the program. */
void sts_modules_each_own(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg);
/* At the start: what libc tells of itself. */
void sts_modules_learn(void);
/* Where a thread's number and result are in its descriptor; the latter 0 if that is not known. */
void sts_modules_thread_offsets(size_t *tid_ret, size_t *result_ret);
/* Size of what each thread has of static thread-local storage; 0 if that is not known or not needed. */
size_t sts_modules_tls_size(void);

/* sums.c: leaks by class and stack. */
struct sts_sums {
	struct sts_raw_leak *table;
	size_t mask, n;
	size_t mapped;
	uint64_t leaks; /* blocks that are not reachable */
	const struct sts_held *held;
};

/* What the reporter has said is suppressed. */
struct sts_held {
	uint32_t n;
	struct sts_raw_held records[STS_RAW_MOST_HELD];
};
void sts_held_mark(const struct sts_held *held, struct sts_scan *scan);
bool sts_sums_begin(struct sts_sums *sums, uint64_t blocks);
void sts_sums_end(struct sts_sums *sums);
/* Sum up all live blocks by their marks, with their addresses into `out` if `objects`. */
void sts_sums_take(struct sts_sums *sums, struct sts_out *out, bool reachable, bool objects);
void sts_sums_tell(const struct sts_sums *sums, struct sts_out *out);

/* texts.c: the path, arguments, options and suppressions of the program; the first two are found at the start. */
void sts_texts_prepare(void);
void sts_texts_tell(struct sts_out *out);

/*
 * send.c: to the reporter, or to standard error in plain text if there is none. The number of leaks. If the reporter
 * wants another report it puts into `held` what that is to be made with, which is nothing else.
 */
int sts_send(const struct sts_out *out, int found, struct sts_held *held);
/* At the start: find the reporter. `library`: the path of this library, NULL if it is part of the program. */
void sts_send_prepare(const char *library);
/* plain.c: without names but those of modules; `error` is why. */
void sts_plain_print(const struct sts_out *out, int error);
/* A line on standard error. */
void sts_say(const char *text, const char *more);

#endif
