/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file error.h  Error codes and what they mean.
 *
 * Every fallible function returns an int: 0 or positive is success, a negative
 * value is an error: either -errno as the kernel gave it (-ENOMEM, -EMFILE...)
 * or one of the codes below, all of which lie beneath -4095 so that the two
 * ranges cannot meet.
 */
#ifndef STASIS_ERROR_H
#define STASIS_ERROR_H

#include <stasis/base.h>

STASIS_BEGIN_DECLS

enum stasis_error_code {
	/** The tracee or LWP is dying or dead. A normal answer at any time: its exit event still comes, once. */
	STASIS_E_GONE = -5001,
	/** No process of that id exists. */
	STASIS_E_NO_PROCESS = -5002,
	/** The process exists but is not a tracee of this session. */
	STASIS_E_NOT_TRACED = -5003,
	/** Another process traces it; the last-error record names that process. */
	STASIS_E_TRACED_ELSEWHERE = -5004,
	/** This session traces it already. */
	STASIS_E_ALREADY_TRACED = -5005,
	/** The tracee must be stopped (reported and not yet resumed) for this request. */
	STASIS_E_RUNNING = -5006,
	/** The tracee has no LWP of that id. */
	STASIS_E_BAD_LWP = -5007,
	/** Resuming would run nothing: every LWP is suspended (EDEADLK). */
	STASIS_E_ALL_SUSPENDED = -5008,
	/** The address is not mapped, or not in the way the request needs. */
	STASIS_E_BAD_ADDRESS = -5009,
	/** The tracee is in the middle of an exec; ask again after its exec event. */
	STASIS_E_MID_EXEC = -5010,
	/** Called from a thread that may not: see session.h, "Threads". */
	STASIS_E_WRONG_THREAD = -5011,
	/** stasis_wait() ran out of time. */
	STASIS_E_TIMEOUT = -5012,
	/** stasis_wait(): the session has no tracee and no event left. */
	STASIS_E_NO_TRACEE = -5013,
	/** stasis_wait() was ended by stasis_session_wake() or by a signal of the caller's. */
	STASIS_E_INTERRUPTED = -5014,
	/** No free debug register, or the length or alignment does not fit one. */
	STASIS_E_NO_DEBUG_REGISTER = -5015,
	/** A breakpoint or watchpoint stands there already. */
	STASIS_E_EXISTS = -5016,
	/** No breakpoint or watchpoint stands there. */
	STASIS_E_NO_BREAKPOINT = -5017,
	/** The kernel or the CPU has no such facility. */
	STASIS_E_UNSUPPORTED = -5018,
	/** The request makes no sense in the tracee's present state (skip outside a system-call entry, say). */
	STASIS_E_BAD_STATE = -5019,
	/** An argument is out of its range. */
	STASIS_E_BAD_ARGUMENT = -5020,
	/** The tracee runs under a filter of the session's and cannot live without it: see STASIS_SPAWN_FILTER. */
	STASIS_E_FILTERED = -5021,
	/**
	 * The helper task of this isolated session was killed from outside. The
	 * kernel has dealt with the tracees as the death policy says; of the
	 * session nothing works any more but stasis_session_destroy().
	 */
	STASIS_E_TRACER_DEAD = -5022,

	/* Why a process may not be traced; each has a remedy in the last-error record. */
	/** The kernel said EPERM and no cause below could be found. */
	STASIS_E_PERM = -5030,
	/** Yama's ptrace_scope forbids it. */
	STASIS_E_PERM_YAMA = -5031,
	/** The target belongs to another user, or holds capabilities that the caller lacks. */
	STASIS_E_PERM_CREDENTIALS = -5032,
	/** The target lives in a user namespace in which the caller has no CAP_SYS_PTRACE. */
	STASIS_E_PERM_NAMESPACE = -5033,
	/** The target is not dumpable: set-id, unreadable program, or PR_SET_DUMPABLE 0. */
	STASIS_E_PERM_DUMPABLE = -5034,
	/** A seccomp filter on the caller denies ptrace. */
	STASIS_E_PERM_SECCOMP = -5035,
	/** The target is a thread of the calling process, its tracing helper, or an ancestor that traces it. */
	STASIS_E_PERM_SELF = -5036,
	/** The target is a kernel thread. */
	STASIS_E_KERNEL_THREAD = -5037,
	/** The target has exited and waits for its parent to collect it. */
	STASIS_E_ZOMBIE = -5038,
	/** A security module (SELinux, AppArmor, Smack) denies it. */
	STASIS_E_PERM_LSM = -5039,

	/* Why a program could not be launched. */
	/** The file is no program this kernel can run (ENOEXEC). */
	STASIS_E_NOT_EXECUTABLE = -5050,
	/** The file is an ELF program for another machine. */
	STASIS_E_WRONG_MACHINE = -5051,
};

/** One line of English for a code of this file or a negated errno value. Static storage, never NULL; any thread. */
STASIS_API const char *stasis_strerror(int error);

/** The identifier of a code ("STASIS_E_GONE", "ENOMEM"), for logs and machines. Static storage, never NULL; any thread.
 */
STASIS_API const char *stasis_error_name(int error);

/** The errno value closest to a code (STASIS_E_GONE is ESRCH, all STASIS_E_PERM* are EPERM...). Any thread. */
STASIS_API int stasis_error_errno(int error);

/** What is known of the last call that failed on a session. */
struct stasis_error_info {
	int error;	    /**< the value the call returned */
	int sys_errno;	    /**< the errno behind it, 0 if none */
	pid_t pid;	    /**< process concerned, 0 if none */
	pid_t tid;	    /**< LWP concerned, 0 if none */
	pid_t other_pid;    /**< the other party: the tracer that holds it, say; 0 if none */
	uint64_t address;   /**< address concerned, 0 if none */
	char operation[32]; /**< what was tried: "seize", "write memory"... */
	char cause[256];    /**< why it failed, one sentence without a full stop */
	char remedy[256];   /**< what to do about it, "" if nothing is known */
};

/**
 * Copy the record of the last failed call of this session.
 * Any thread that may use the session.
 */
STASIS_API void stasis_session_last_error(struct stasis_session *session, struct stasis_error_info *info_ret);

/**
 * Say why this process may not trace @p pid (an answer without touching it): one
 * of the codes above, or 0 if nothing speaks against it. @p info_ret may be NULL.
 * Any thread; no session needed.
 */
STASIS_API int stasis_attach_obstacle(pid_t pid, struct stasis_error_info *info_ret);

STASIS_END_DECLS

#endif
