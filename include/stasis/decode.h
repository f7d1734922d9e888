/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file decode.h  System calls as text and as fields, without tracing anything.
 *
 * A call is told by its number, arguments and result (struct
 * stasis_event_syscall, wherever it comes from: a tracee, a log, a seccomp
 * notification). What lies behind its pointers is asked for through a callback.
 * The decoder has no state of its own: it may be used by any number of threads.
 *
 * One walk over the arguments yields a sequence of items, of which text is made
 * in strace(1)'s shape, or JSON, or what the caller likes.
 */
#ifndef STASIS_DECODE_H
#define STASIS_DECODE_H

#include <stasis/base.h>
#include <stasis/event.h>

STASIS_BEGIN_DECLS

enum stasis_decode_kind {
	/* Containers: what they hold follows, up to their END. */
	STASIS_DECODE_CALL = 1, /**< name and number (value) of the call; its arguments */
	STASIS_DECODE_RESULT,	/**< value as the kernel gave it, text as it is shown; what the result tells besides */
	STASIS_DECODE_STRUCT,	/**< named fields */
	STASIS_DECODE_ARRAY,	/**< elements without names */
	STASIS_DECODE_CHANGE,	/**< two elements: before the call, after it */
	STASIS_DECODE_COMMENT,	/**< what is no part of the call but worth knowing */
	STASIS_DECODE_END,
	/* Values. */
	STASIS_DECODE_SIGNED, /**< value is an int64_t */
	STASIS_DECODE_UNSIGNED,
	STASIS_DECODE_HEX,
	STASIS_DECODE_OCTAL,
	STASIS_DECODE_ADDRESS, /**< 0 is NULL */
	STASIS_DECODE_FD,      /**< value is an int; text is what it leads to, or NULL */
	STASIS_DECODE_SYMBOL,  /**< value, and text that says what it means: "O_RDONLY|O_CLOEXEC" */
	STASIS_DECODE_BYTES,   /**< bytes, length; more if there were more of them */
	STASIS_DECODE_NOTE,    /**< text about the value before */
	STASIS_DECODE_MORE,    /**< elements or fields are left out here */
	STASIS_DECODE_AFTER,   /**< the next value is what the kernel made of the one before: "{...} => {...}" */
};

struct stasis_decode_item {
	enum stasis_decode_kind kind;
	const char *name; /**< of the argument or field; NULL where there is none */
	uint64_t value;
	const char *text;
	const void *bytes;
	size_t length;
	bool more;
	bool bare; /**< text says the name itself */
};

/** Takes items. All pointers of an item are valid during the call alone. */
struct stasis_decode_sink {
	void (*put)(void *arg, const struct stasis_decode_item *item);
	void *arg;
};

/** Show every field of structures, and environments. */
#define STASIS_DECODE_VERBOSE 1u
/** Arguments as bare hexadecimal numbers. */
#define STASIS_DECODE_RAW 2u
/** Strings with unprintable bytes in hexadecimal. */
#define STASIS_DECODE_HEX_STRINGS 4u
/** All strings in hexadecimal. */
#define STASIS_DECODE_ALL_HEX 8u

/** Where a process has mapped an io_uring, and what io_uring_setup(2) said of it; all zero: nothing known. */
struct stasis_decode_uring {
	uint64_t sq_ring; /**< address of the submission ring */
	uint64_t sqes;	  /**< address of the submission entries */
	uint32_t setup_flags;
	uint32_t head, tail, mask, array; /**< offsets in the submission ring */
	uint32_t sqe_size;
};

/** How to decode. Set up with size and whatever is wanted, the rest zero; one for each call under way. */
struct stasis_decode {
	size_t size; /**< sizeof(struct stasis_decode) */
	/** Read the caller's memory: bytes read, which may be fewer, or negative. NULL: no memory is known. */
	ssize_t (*read)(void *arg, uint64_t addr, void *buf, size_t len);
	/** What descriptor @p fd (or AT_FDCWD) leads to, as text: 0 or negative. NULL: not shown. */
	int (*fd_text)(void *arg, int fd, char *buf, size_t len);
	/** Where an io_uring's rings are mapped: 0 or negative; see stasis_decode_uring_track(). May be NULL. */
	int (*uring)(void *arg, int fd, struct stasis_decode_uring *uring_ret);
	void *arg;	     /**< passed to the three */
	size_t string_limit; /**< bytes of a string, elements of an array */
	unsigned flags;	     /**< STASIS_DECODE_* */
	/* The decoder's own, zero before a call's entry. */
	int next;
	bool comma;
	unsigned saved_mask;
	uint64_t saved[6];
};

/** "openat", or "syscall_0x1d3" for a number nobody knows. Static storage, of the calling thread if unknown. */
STASIS_API const char *stasis_syscall_name(enum stasis_abi abi, uint64_t number);

/** The number of a system call, or -ENOENT. */
STASIS_API int64_t stasis_syscall_number(enum stasis_abi abi, const char *name);

/**
 * Walk a call whose result is known: CALL, arguments, END, RESULT, END. Memory
 * is read now; what the kernel has overwritten since is shown as it is now.
 */
STASIS_API void stasis_decode_call(struct stasis_decode *decode, const struct stasis_event_syscall *call,
				   const struct stasis_decode_sink *sink);

/**
 * The same in two halves, as seen by a tracer: at entry CALL and the arguments
 * that can be shown then, at exit the others, END, RESULT, END. @p decode
 * must be the same both times.
 */
STASIS_API void stasis_decode_enter(struct stasis_decode *decode, const struct stasis_event_syscall *call,
				    const struct stasis_decode_sink *sink);
STASIS_API void stasis_decode_leave(struct stasis_decode *decode, const struct stasis_event_syscall *call,
				    const struct stasis_decode_sink *sink);

/**
 * A call whose result is known as text: "close(3) = 0".
 * @return its length, or -ENOSPC; @p buf then holds as much as fits. Always ended by NUL.
 */
STASIS_API ssize_t stasis_decode_text(struct stasis_decode *decode, const struct stasis_event_syscall *call, char *buf,
				      size_t size);

/**
 * A call whose result is known as a JSON object on one line:
 * {"call":"close","number":3,"args":{"fd":3},"result":{"value":0}}.
 * Values with a symbolic text are {"value":N,"text":"..."}, strings that are
 * no UTF-8 {"hex":"..."}, incomplete strings {"string":"...","more":true}.
 * @return as stasis_decode_text().
 */
STASIS_API ssize_t stasis_decode_json(struct stasis_decode *decode, const struct stasis_event_syscall *call, char *buf,
				      size_t size);

/**
 * Learn from a finished call about io_urings: io_uring_setup(2) fills @p uring
 * and returns its descriptor, mmap(2) of a ring's descriptor (the caller looks
 * @p uring up by *fd_ret first) adds an address. *fd_ret is set to the
 * descriptor the call speaks of.
 * @return 1 if the call speaks of a ring and @p uring (may be NULL: only ask)
 * was changed or is to be, 0 if not.
 */
STASIS_API int stasis_decode_uring_track(struct stasis_decode *decode, const struct stasis_event_syscall *call,
					 struct stasis_decode_uring *uring, int *fd_ret);

STASIS_END_DECLS

#endif
