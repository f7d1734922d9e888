/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls, signals and errors as text. Pure: bytes in, text out; what lies
 * in the tracee's memory comes through a callback. The shapes are strace's.
 */
#ifndef STS_DECODE_H
#define STS_DECODE_H

#include <signal.h>
#include <stasis/event.h>
#include <sys/types.h>

/* Text that never overflows: what does not fit is cut, and `cut` says so. */
struct sts_text {
	char *buf;
	size_t cap, len;
	bool cut;
};
void sts_text_init(struct sts_text *t, char *buf, size_t cap);
void sts_text_add(struct sts_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sts_text_add_char(struct sts_text *t, char c);
/* "quoted\n", bytes as in C. */
void sts_text_add_quoted(struct sts_text *t, const void *bytes, size_t len);

struct sts_decode_reader {
	/* Bytes read (may be short), or negative. */
	ssize_t (*read)(void *arg, uint64_t addr, void *buf, size_t len);
	void *arg;
};

struct sts_decode {
	const struct stasis_event_syscall *call;
	struct sts_decode_reader reader;
	size_t string_limit; /* -s */
	int next;	     /* first argument not shown yet; 0 at entry */
};

/* "openat", or "syscall_0x1d3" for a number nobody knows. Static storage. */
const char *sts_decode_name(enum stasis_abi abi, uint64_t number);
/* The number of a name, or -1. */
int64_t sts_decode_number(enum stasis_abi abi, const char *name);
/* At entry: "name(arg, arg" as far as can be known then. */
void sts_decode_enter(struct sts_decode *d, struct sts_text *out);
/* At exit: the rest of the arguments, without the parenthesis. */
void sts_decode_leave(struct sts_decode *d, struct sts_text *out);
/* "3", "-1 ENOENT (No such file or directory)", "?". */
void sts_decode_result(const struct stasis_event_syscall *call, struct sts_text *out);
bool sts_decode_never_returns(enum stasis_abi abi, uint64_t number);

/* "SIGCHLD", "SIGRT_3". Static storage of the calling thread. */
const char *sts_decode_signal(int signal);
int sts_decode_signal_number(const char *name);
/* "{si_signo=SIGCHLD, ...}" */
void sts_decode_siginfo(const siginfo_t *info, struct sts_text *out);

/* --- which calls: "open,close", "%file", "!%memory", "all", "none" ---------------- */

struct sts_call_filter {
	char *expression;
	bool negated;
};
/* 0, or -EINVAL with *bad_ret pointing at the word nobody knows (within expression, ended by ',' or NUL). */
int sts_call_filter_parse(const char *expression, struct sts_call_filter *ret, const char **bad_ret);
void sts_call_filter_free(struct sts_call_filter *filter);
bool sts_call_filter_match(const struct sts_call_filter *filter, enum stasis_abi abi, uint64_t number);

#endif
