/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The zoo: small programs, each with a block that is held in one place only or, as `lost`, nowhere. That the second
 * finds the block lost proves that the first has no copy of the pointer elsewhere.
 */
#ifndef ZOO_H
#define ZOO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ZOO_KEY UINT64_C(0x5a5a123456789abd)
#define ZOO_APART __attribute__((noinline, noclone, noipa))

extern bool zoo_lost;

/* A pointer goes in and out of hiding in functions of their own: no register or slot of the caller has it. */
uintptr_t zoo_hide(void *p);
/* A new block of so many bytes, hidden. */
uintptr_t zoo_new(size_t size);
/* Put it there in the clear; or not at all, if the block is to be lost. */
void zoo_put(void *where, uintptr_t hidden);
/* A new block that `where` alone holds, if anything does. */
void zoo_keep(void *where, size_t size);
/* Overwrite what dead frames and registers have. */
void zoo_scrub(void);
/* Fail, saying what: not a leak's status. */
void zoo_need(bool good, const char *what);

struct zoo_scenario {
	const char *name;
	void (*run)(void);
};

/* Each file's, ended by one without a name. */
extern const struct zoo_scenario zoo_places[], zoo_mapped[], zoo_threads[], zoo_contexts[], zoo_calls[], zoo_shapes[],
	zoo_interface[], zoo_modules[], zoo_ends[];

/* A thread that goes through `body`, says that it is ready and waits for ever there. */
void zoo_thread(void (*body)(void));
/* One that says so itself. */
void zoo_thread_plain(void *(*f)(void *));
void zoo_ready(void);
__attribute__((noreturn)) void zoo_wait(void);

#ifdef __cplusplus
}
#endif
#endif
