/* SPDX-License-Identifier: BSD-2-Clause */
/* What tools/gen-tables makes of data/. */
#ifndef STS_DECODE_TABLES_H
#define STS_DECODE_TABLES_H

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct sts_flag {
	const char *name; /* NULL ends a table */
	uint64_t value;
};

enum sts_arg_kind {
	STS_ARG_INT = 1,
	STS_ARG_UINT,
	STS_ARG_HEX,
	STS_ARG_SIZE,
	STS_ARG_OFF,
	STS_ARG_PID,
	STS_ARG_FD,
	STS_ARG_DIRFD,
	STS_ARG_PATH,
	STS_ARG_STR,
	STS_ARG_MODE,
	STS_ARG_OPENMODE, /* there only if the flags before it create something */
	STS_ARG_SIG,
	STS_ARG_PTR,
	STS_ARG_FLAGS,
	STS_ARG_ENUM,
	STS_ARG_IN,
	STS_ARG_OUT,
	STS_ARG_ARGV,
	STS_ARG_ENVC,
	STS_ARG_PIPE,
	STS_ARG_STATUS,
	STS_ARG_SIGSET,
	STS_ARG_TIMESPEC,
};

struct sts_arg_format {
	const char *name;
	enum sts_arg_kind kind;
	const struct sts_flag *flags;
	bool first_field; /* the low two bits are a value of O_ACCMODE */
	int length;	  /* IN, OUT: argument that holds the length, -1: the result */
};

enum sts_result_kind { STS_RESULT_INT, STS_RESULT_FD, STS_RESULT_HEX, STS_RESULT_NONE };

struct sts_call_format {
	const char *name;
	enum sts_result_kind result;
	int n;
	struct sts_arg_format args[6];
};

struct sts_call_set {
	const char *name, *calls; /* calls: " a b c " */
};

struct sts_new_call {
	uint64_t number;
	const char *name;
};

extern const struct sts_call_format sts_call_formats[]; /* by name */
extern const size_t sts_call_formats_count;
extern const struct sts_call_set sts_call_sets[];
extern const struct sts_new_call sts_new_calls[];

#endif
