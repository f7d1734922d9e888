/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls, signals and errors as text. Pure: bytes in, text out; what lies
 * in the tracee's memory comes through a callback. The shapes are strace's.
 * <stasis/decode.h> is the interface; here is what the program needs besides.
 */
#ifndef STS_DECODE_H
#define STS_DECODE_H

#include <signal.h>
#include <stasis/decode.h>
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
/* "quoted\n", bytes as in C; flags: STASIS_DECODE_*_HEX_*. */
void sts_text_add_quoted(struct sts_text *t, const void *bytes, size_t len, unsigned flags);

/* What the kernel appends to the path of a file that has no name any more. */
#define STS_FD_DELETED " (deleted)"
/* "3<path>", and what the kernel says of the path outside of the brackets. */
void sts_text_add_lead(struct sts_text *t, const char *fd, const char *path);

/* --- items as text -------------------------------------------------------------------- */

#define STS_TEXT_DEPTH 24

/* The result's text goes where the result's pointer says, without the " = ". */
struct sts_text_sink {
	struct sts_text *out, *result;
	unsigned flags; /* STASIS_DECODE_* */
	int depth;
	int too_deep; /* containers that are not kept track of */
	bool after;   /* the next value follows an arrow */
	struct sts_text_level {
		enum stasis_decode_kind kind;
		bool any;
	} levels[STS_TEXT_DEPTH];
};
/* resumed: the CALL was begun in another text. */
struct stasis_decode_sink sts_text_sink(struct sts_text_sink *s, struct sts_text *out, struct sts_text *result,
					unsigned flags, bool resumed);

/* At entry: "name(arg, arg" as far as can be known then, with the comma if more will come. */
void sts_decode_enter(struct stasis_decode *d, const struct stasis_event_syscall *call, struct sts_text *out);
/* At exit: the rest, with the parenthesis; the result: "3", "-1 ENOENT (No such file or directory)", "?". */
void sts_decode_leave(struct stasis_decode *d, const struct stasis_event_syscall *call, struct sts_text *out,
		      struct sts_text *result);
/* --- items as JSON ---------------------------------------------------------------------- */

struct sts_json {
	struct sts_text *out;
	int depth, too_deep;
	struct {
		enum stasis_decode_kind kind;
		bool any;
	} levels[STS_TEXT_DEPTH];
	unsigned comments; /* for keys that no two comments share */
};
/* Members of an object, without its braces. At entry: "call", "number", and "args" as far as can be known then, its
   brace open. At exit the rest, and "result". j is the call's own in between. */
void sts_json_enter(struct stasis_decode *d, const struct stasis_event_syscall *call, struct sts_json *j,
		    struct sts_text *out);
void sts_json_leave(struct stasis_decode *d, const struct stasis_event_syscall *call, struct sts_json *j,
		    struct sts_text *out);
/* "text", or {"hex":"..."} if it is no UTF-8. */
void sts_json_add_string(struct sts_text *out, const char *s);

/* "ROUTE", of a netlink socket's protocol; NULL: nobody knows it. */
const char *sts_decode_netlink(int protocol);

bool sts_decode_never_returns(enum stasis_abi abi, uint64_t number);

struct sts_call;
/* How a call's arguments are shown, or NULL: nobody knows that number. */
const struct sts_call *sts_call_find(enum stasis_abi abi, uint64_t number);
const struct sts_call *sts_call_named(const char *name);

/* --- signals -------------------------------------------------------------------------- */

/* "SIGCHLD", "SIGRT_3". Static storage of the calling thread. */
const char *sts_decode_signal(int signal);
int sts_decode_signal_number(const char *name);
/* "{si_signo=SIGCHLD, ...}" */
void sts_decode_siginfo(const siginfo_t *info, struct sts_text *out);

/* --- calls inside others ---------------------------------------------------------------- */

enum sts_inner { STS_INNER_SOCKET, STS_INNER_IPC, STS_INNER_COUNT };
/* The call that i386's socketcall or ipc makes, by what its first argument selects; NULL: none. */
const char *sts_inner_name(enum sts_inner kind, uint64_t which);
const char *sts_inner_outer(enum sts_inner kind);
/* STS_INNER_COUNT: it is neither. *which_ret: 0 if the argument selects none. */
enum sts_inner sts_inner_of(enum stasis_abi abi, uint64_t number, uint64_t argument, unsigned *which_ret);
/* The name of a call, of the one inside where there is one; as stasis_syscall_name(). */
const char *sts_call_name(const struct stasis_event_syscall *call);

/* --- which calls --------------------------------------------------------------------- */

/* More than any ABI has numbers. */
#define STS_FILTER_NUMBERS 1024

struct sts_call_filter {
	bool given;				   /* false: all calls */
	bool beyond;				   /* numbers that have no bit */
	uint64_t bits[3][STS_FILTER_NUMBERS / 64]; /* x86-64, i386, x32 (without the ABI's bit) */
	uint32_t inner[STS_INNER_COUNT];	   /* calls inside others, by what selects them */
};
/*
 * strace's expressions: "open,close", "%file", "/regex", "?name" (may be
 * unknown), "39", "all", "none", "open@32", all negated by a leading "!". 0, or -EINVAL with *bad_ret pointing at
 * the word nobody knows (within expression, ended by ',' or NUL).
 */
int sts_call_filter_parse(const char *expression, struct sts_call_filter *ret, const char **bad_ret);
bool sts_call_filter_match(const struct sts_call_filter *filter, enum stasis_abi abi, uint64_t number);
/* The same of a call with its arguments: one inside another counts for itself. */
bool sts_call_filter_match_call(const struct sts_call_filter *filter, const struct stasis_event_syscall *call);
/* The names of the calls that match, one after the other, *at beginning with 0; NULL: no more. */
const char *sts_call_filter_next(const struct sts_call_filter *filter, size_t *at);

#endif
