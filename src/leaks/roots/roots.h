/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where pointers may be besides the heap: all memory that the program can write and that is not known to be something
 * else. What is known is told by cuts: the heap itself, our tables, dead parts of stacks.
 *
 * In a stopped world, or in a copy of one.
 */
#ifndef STS_LEAKS_ROOTS_H
#define STS_LEAKS_ROOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory that is no root. */
struct sts_cut {
	uintptr_t start, end;
};

/* One that runs at sp, with its thread pointer, or 0 if that is not known. */
struct sts_root_thread {
	uintptr_t sp, tp;
};

struct sts_mapping {
	uintptr_t start, end;
	bool readable, writable, executable, shared;
	bool file;   /* has an inode */
	bool device; /* of /dev, but for memory */
	bool stack;  /* the main thread's */
	bool kernel; /* [vdso] and its like */
};

struct sts_roots {
	struct sts_cut *cuts; /* sorted by sts_roots_prepare() */
	size_t n_cuts, room;
	struct sts_root_thread *threads;
	size_t n_threads, room_threads;
	size_t mapped; /* bytes of both arrays */
	/* Of sts_roots_prepare(), all in one piece, in order: */
	struct sts_mapping *mappings;
	struct sts_scan_range *unreadable; /* parts of the heap that cannot be read */
	size_t n_mappings, n_unreadable, room_mappings;
	size_t mapped_mappings; /* bytes of that piece */
	bool overflow;		/* there are more mappings than there was room for */
	bool holes;		/* parts of the heap are not there: this is a copy, and they were not copied */
	bool some_unknown;	/* what looks like the stack of a thread that has ended may be somebody's */
	bool no_stacks;		/* stacks are no roots, but for the threads' own data on them */
	size_t tls_size;	/* of that data, below the thread pointer */
	/* Of a thread's number in libc's descriptor of it, and of its result; 0: not known. */
	size_t tid_offset, result_offset;
};

/* Map the arrays, which are cuts themselves. False if there is no memory. */
bool sts_roots_begin(struct sts_roots *r, size_t cuts, size_t threads);
void sts_roots_end(struct sts_roots *r);
void sts_roots_cut(struct sts_roots *r, uintptr_t start, uintptr_t end);
void sts_roots_thread(struct sts_roots *r, uintptr_t sp, uintptr_t tp);

/*
 * Learn the mappings, sort the cuts and find what of the heap cannot be read. False if there is no memory, or no way to
 * know the mappings.
 */
bool sts_roots_prepare(struct sts_roots *r);
/* After that: a part of the heap that is not to be looked at either. A few of these. */
void sts_roots_hole(struct sts_roots *r, uintptr_t start, uintptr_t end);
/* Memory that lives, or that is dead: stacks below where their threads are. */
void sts_roots_each(struct sts_roots *r, bool dead, void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg);
/* What of some memory can be read. */
void sts_roots_each_readable(uintptr_t start, uintptr_t end, void (*f)(void *arg, uintptr_t start, uintptr_t end),
			     void *arg);

/* linux/maps.c */
/* Every mapping, in order. False if they cannot be known; `f` says whether to go on. */
bool sts_roots_mappings(bool (*f)(void *arg, const struct sts_mapping *m), void *arg);

/*
 * Whether the program keeps some of its memory out of copies, or has it emptied there (MADV_DONTFORK, MADV_WIPEONFORK).
 * A copy can ask by what its original has opened. Closing is the caller's; negative if there is nothing.
 */
int sts_roots_flags_open(void);
bool sts_roots_uncopied(int flags);

enum sts_presence {
	STS_PRESENT_ANY, /* all pages that have something in them */
	STS_PRESENT_OWN, /* of a file's, those that the program has written to */
};
/* What tells of pages; negative if there is nothing. */
int sts_roots_pagemap_open(void);
void sts_roots_pagemap_close(int pagemap);
/* Such parts of a private mapping, in whole pages. */
void sts_roots_present(int pagemap, uintptr_t start, uintptr_t end, enum sts_presence which,
		       void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg);
/* There is a page at the address: a file may end before its mapping does. */
bool sts_roots_readable(uintptr_t address);

#endif
