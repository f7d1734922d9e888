/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The raw report: what the runtime in the checked program tells the reporter, which knows symbols and suppressions. It
 * is a stream of items in the byte order of the machine, each a struct sts_raw_item and then `size` bytes: one
 * STS_RAW_PROCESS first, one STS_RAW_END last, the others in any order between; but a stack comes before the leaks that
 * name it. Texts are not terminated. Every structure is a multiple of 8 bytes.
 *
 * Runtime and reporter may be of different builds: what they do not share is told apart by `version`.
 */
#ifndef STS_LEAKS_RAW_H
#define STS_LEAKS_RAW_H

#include <stdint.h>

#define STS_RAW_MAGIC 0x6b61656c73617473u /* "stasleak" */

enum {
	STS_RAW_VERSION = 2,
	STS_RAW_LARGEST = 1 << 24, /* bytes of one item */
	STS_RAW_DEEPEST = 256,	   /* frames of one stack */
	STS_RAW_MOST_HELD = 4096,  /* records that a verdict names */
};

enum sts_raw_kind {
	STS_RAW_PROCESS = 1,
	STS_RAW_TEXT,
	STS_RAW_MODULE,
	STS_RAW_STACK,
	STS_RAW_LEAK,
	STS_RAW_OBJECT,
	STS_RAW_OBSTACLE,
	STS_RAW_END,
};

struct sts_raw_item {
	uint32_t kind;
	uint32_t size; /* of what follows */
};

enum sts_raw_reason {
	STS_RAW_AT_EXIT = 1,
	STS_RAW_ASKED,	/* by the program */
	STS_RAW_SIGNAL, /* the one of on_signal */
	STS_RAW_INTERVAL,
	STS_RAW_TERM, /* before SIGTERM ends the program */
};

struct sts_raw_process {
	uint64_t magic;
	uint32_t version;
	uint32_t reason;
	int32_t pid, ppid; /* as the program sees them */
	uint32_t threads;  /* stopped ones and the one that checks */
	uint32_t sequence; /* of this report in its process, from 0 */
	uint64_t time_ns;  /* of the day */
	uint64_t pause_ns; /* how long the world was stopped */
	uint64_t check_ns; /* until all was marked */
	uint64_t live_blocks, live_bytes;
	uint32_t held; /* records that the reporter has named as suppressed, see struct sts_raw_verdict */
	uint32_t reserved;
};

/* A text: this and the bytes. */
enum sts_raw_text_kind {
	STS_RAW_EXE = 1,      /* path of the program */
	STS_RAW_ARGUMENT,     /* one each */
	STS_RAW_OPTIONS,      /* NAME=VALUE:..., those that come later win */
	STS_RAW_SUPPRESSIONS, /* the program's own, as lines */
	STS_RAW_REMARK,	      /* for the reader of the report */
};

struct sts_raw_text {
	uint32_t kind;
	uint32_t reserved;
};

/* A module, loaded or not any more: this and its path. */
struct sts_raw_module {
	uint32_t id; /* any, but of this module alone */
	uint32_t alive;
	uint64_t start, end; /* of its memory */
	uint64_t bias;	     /* address minus the file's own */
	uint32_t build_id_size;
	uint8_t build_id[20];
};

#define STS_RAW_NO_MODULE UINT32_MAX

/* This and `frames` of the following: the allocator's caller last but for its callers. */
struct sts_raw_stack {
	uint32_t id; /* any but 0, which is an unknown stack */
	uint32_t frames;
};

struct sts_raw_frame {
	uint64_t pc; /* where execution goes on, so one past the call; of frame 0 too */
	uint32_t module;
	uint32_t reserved;
};

enum sts_raw_class {
	STS_RAW_DEFINITE = 1, /* nothing points to it */
	STS_RAW_INDIRECT,     /* only what is lost points to it */
	STS_RAW_POSSIBLE,     /* only a dead part of a stack does, or what is held so */
	STS_RAW_REACHABLE,
};

/* Blocks of one class and one stack. */
struct sts_raw_leak {
	uint32_t class;
	uint32_t stack;
	uint64_t blocks, bytes;
};

/* One block of such; these are told of if they are asked for. */
struct sts_raw_object {
	uint32_t class;
	uint32_t stack;
	uint64_t address, size;
};

/* A thread that did not come to rest; its name follows. */
struct sts_raw_obstacle {
	int32_t tid;
	int32_t other; /* tracer or child, see stasis/stopworld.h */
	uint32_t state;
	uint32_t reserved;
};

struct sts_raw_end {
	uint32_t items;	    /* with this one */
	uint32_t truncated; /* not all could be told */
};

/* The reporter's answer, on the same connection. */
struct sts_raw_verdict {
	uint64_t magic;
	uint64_t blocks, bytes; /* leaked, after suppressions */
	uint32_t leaks;		/* records */
	uint32_t failed;	/* an errno: nothing could be printed */
	uint32_t again;		/* struct sts_raw_held that follow */
	uint32_t reserved;
};

/*
 * What only a suppressed leak leads to is none either, but only the runtime knows what that is. So the reporter may
 * print nothing, and name instead the records that are suppressed; then the runtime makes its report again, without
 * what those lead to, but with them.
 */
struct sts_raw_held {
	uint32_t class;
	uint32_t stack;
};

/*
 * How they meet. STASIS_LEAKS_FD in the environment is the number of a Unix datagram socket: a message of one byte that
 * carries one end of a fresh stream socket asks for a report. Else the runtime runs "stasis leaks --report", with the
 * stream socket as standard input. Either way the report is written to the stream, that direction is shut down, and the
 * verdict read.
 */
#define STS_RAW_FD_VARIABLE "STASIS_LEAKS_FD"
#define STS_RAW_REPORTER_VARIABLE "STASIS_LEAKS_REPORTER" /* path of the reporter */
#define STS_RAW_REPORTER_OPTION "--report"

#endif
