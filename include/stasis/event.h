/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file event.h  What happens to tracees, and how it is heard of.
 *
 * A tracee is a process; its threads are LWPs, known by their kernel tid. Each
 * kind of event is, per tracee, not wanted (the tracee goes on by itself),
 * all-stop (every LWP of the tracee rests before the event is reported, until
 * stasis_resume()) or thread-stop (only the reporting LWP rests, until
 * stasis_resume_lwp()).
 *
 * One report is made per stop: while a tracee is stopped with an event reported,
 * further events of it are kept; after stasis_resume() the oldest kept event is
 * reported at once, without the tracee having run. Events of one tracee are
 * reported in the order of their arrival, and the parent's event of a birth
 * before every event of the child.
 */
#ifndef STASIS_EVENT_H
#define STASIS_EVENT_H

#include <signal.h>
#include <stasis/base.h>

STASIS_BEGIN_DECLS

enum stasis_event_kind {
	STASIS_EVENT_NONE = 0,
	/** The session took hold of a process: first event after spawn or attach. Always all-stop, always reported. */
	STASIS_EVENT_ATTACHED,
	/** A process was born: data.birth. To the parent, then (if followed) to the child as its first event. */
	STASIS_EVENT_FORK,
	STASIS_EVENT_VFORK,
	/** A new process runs a new program: one event for vfork-like clone and exec together; see stasis-model(7). */
	STASIS_EVENT_POSIX_SPAWN,
	/** A process-creating clone that is none of the above. */
	STASIS_EVENT_CLONE,
	/** To the parent of a vfork: the child has exec'ed or exited. data.birth. */
	STASIS_EVENT_VFORK_DONE,
	/** An LWP was born (data.lwp.tid), before its first user instruction. */
	STASIS_EVENT_LWP_CREATE,
	/** An LWP other than the last of its process ends. data.lwp */
	STASIS_EVENT_LWP_EXIT,
	/** A new image, before its first instruction. data.exec */
	STASIS_EVENT_EXEC,
	/** data.syscall */
	STASIS_EVENT_SYSCALL_ENTER,
	STASIS_EVENT_SYSCALL_EXIT,
	/** A signal is about to be delivered. data.signal */
	STASIS_EVENT_SIGNAL,
	/** A software or hardware breakpoint; the PC is that of the breakpoint. data.trap */
	STASIS_EVENT_BREAKPOINT,
	/** data.trap */
	STASIS_EVENT_WATCHPOINT,
	/** A requested single step is done. data.trap */
	STASIS_EVENT_STEP,
	/** Job control stopped the tracee (data.signal.info.si_signo says by which signal); resuming keeps it stopped.
	 */
	STASIS_EVENT_JOB_STOP,
	/** Job control continued it. */
	STASIS_EVENT_JOB_CONTINUE,
	/** stasis_interrupt() has done its work. Always all-stop, always reported. */
	STASIS_EVENT_INTERRUPT,
	/** The process ended by exit: data.exit. Always reported; the process is gone. */
	STASIS_EVENT_EXITED,
	/** The process was killed by a signal: data.exit. Always reported; the process is gone. */
	STASIS_EVENT_KILLED,
	STASIS_EVENT_KIND_COUNT
};

/** One bit per kind, for the masks below. */
#define STASIS_EVENT_BIT(kind) (UINT64_C(1) << (kind))
/** The events in which a process is born. */
#define STASIS_EVENTS_BIRTH                                                                                            \
	(STASIS_EVENT_BIT(STASIS_EVENT_FORK) | STASIS_EVENT_BIT(STASIS_EVENT_VFORK) |                                  \
	 STASIS_EVENT_BIT(STASIS_EVENT_POSIX_SPAWN) | STASIS_EVENT_BIT(STASIS_EVENT_CLONE))
#define STASIS_EVENTS_SYSCALL                                                                                          \
	(STASIS_EVENT_BIT(STASIS_EVENT_SYSCALL_ENTER) | STASIS_EVENT_BIT(STASIS_EVENT_SYSCALL_EXIT))
/** Every kind of event. */
#define STASIS_EVENTS_ALL (STASIS_EVENT_BIT(STASIS_EVENT_KIND_COUNT) - 2)

/** Which side of a birth an event speaks to. */
enum stasis_side {
	STASIS_SIDE_PARENT = 1,
	STASIS_SIDE_CHILD = 2,
};

/** The system-call convention an LWP used; not a property of the process. */
enum stasis_abi {
	STASIS_ABI_UNKNOWN = 0,
	STASIS_ABI_X86_64,
	STASIS_ABI_I386,
	STASIS_ABI_X32,
	STASIS_ABI_AARCH64,
};

/** data.exit.status and others hold a wait(2) status: use WIFEXITED and friends of <sys/wait.h>. */
struct stasis_event_birth {
	enum stasis_side side;
	pid_t parent;	      /**< pid of the parent, 0 if it died before it could tell */
	pid_t parent_tid;     /**< LWP that made the child, 0 likewise */
	pid_t child;	      /**< pid of the child */
	uint64_t clone_flags; /**< flags as passed to clone or clone3, exit signal in the low byte; for fork and vfork
				 what the kernel uses for them */
	bool followed;	      /**< the child is a tracee */
	bool failed; /**< posix_spawn: the child ended without exec; wait_status holds how. The child is gone. */
	int wait_status;
};

struct stasis_event_lwp {
	pid_t tid;	   /**< the LWP born or ending; it is the one that reports */
	pid_t creator;	   /**< lwp-create: the LWP that made it */
	int exit_status;   /**< lwp-exit: wait(2) status of the LWP alone */
	bool with_process; /**< lwp-exit: it goes because the process exits or execs; a mere notice, nothing is stopped
			    */
};

struct stasis_event_exec {
	pid_t former_tid; /**< the LWP that called exec; from now on its tid is the pid */
};

struct stasis_event_syscall {
	enum stasis_abi abi;
	bool skipped; /**< exit: stasis_syscall_skip() kept the kernel from running it */
	uint64_t number;
	uint64_t args[6]; /**< valid at entry and exit */
	int64_t result;	  /**< exit: as the kernel returned it, -errno included */
	bool is_error;	  /**< exit: result is -errno */
	uint64_t pc;	  /**< address after the system-call instruction */
	uint64_t sp;
};

struct stasis_event_signal {
	siginfo_t info;
	bool process_wide; /**< sent to the process, not to this LWP: a guess from si_code */
};

struct stasis_event_trap {
	uint64_t address; /**< breakpoint: its address; watchpoint: address watched; step: the new PC */
	bool hardware;
	int slot;   /**< debug register used, -1 if none */
	bool write; /**< watchpoint: watches writes only */
};

struct stasis_event_exit {
	int status; /**< wait(2) status */
	bool core_dumped;
};

/** One report. A plain value: copy it as you like. */
struct stasis_event {
	enum stasis_event_kind kind;
	pid_t pid;	   /**< tracee that reports */
	pid_t tid;	   /**< LWP that reports */
	bool all_stop;	   /**< the whole tracee rests: stasis_resume(); else stasis_resume_lwp(tid) or, if !stopped,
			      nothing */
	bool stopped;	   /**< something rests until resumed */
	uint64_t sequence; /**< arrival number, unique in the session */
	union {
		struct stasis_event_birth birth;
		struct stasis_event_lwp lwp;
		struct stasis_event_exec exec;
		struct stasis_event_syscall syscall;
		struct stasis_event_signal signal;
		struct stasis_event_trap trap;
		struct stasis_event_exit exit;
		uint64_t reserved[32];
	} data;
};

/** Which kinds are wanted, and how. A bit set in both counts as all_stop. */
struct stasis_event_mask {
	uint64_t all_stop;
	uint64_t thread_stop;
};

/**
 * Set the wanted events of tracee @p pid, or, with pid 0, of tracees to come by
 * spawn and attach; births inherit their parent's. A new session wants every
 * kind but system calls, all-stop. Breakpoints, watchpoints and steps are
 * all-stop even if asked for as thread-stop. Takes effect at once on a stopped
 * tracee; on a running one at each LWP's next stop (it is not disturbed).
 * @return 0, STASIS_E_NOT_TRACED, STASIS_E_GONE.
 */
STASIS_API STASIS_CHECK int stasis_event_mask_set(struct stasis_session *session, pid_t pid,
						  const struct stasis_event_mask *mask);
STASIS_API STASIS_CHECK int stasis_event_mask_get(struct stasis_session *session, pid_t pid,
						  struct stasis_event_mask *mask_ret);

/** Which processes of a birth stay tracees. */
enum stasis_follow {
	STASIS_FOLLOW_BOTH,   /**< parent and child (default) */
	STASIS_FOLLOW_PARENT, /**< let the child go */
	STASIS_FOLLOW_CHILD,  /**< let the parent go, once its birth event was reported and resumed */
};

/**
 * What to do at births of the kinds in @p kinds (of STASIS_EVENTS_BIRTH), for
 * tracee @p pid or, with 0, for tracees to come; births inherit. A birth whose
 * kind is not wanted by the event mask counts as STASIS_FOLLOW_PARENT. To
 * decide child by child keep the default and, at the parent's event, call
 * stasis_detach() on the child or on the parent: a child let go then reports
 * nothing.
 */
STASIS_API STASIS_CHECK int stasis_follow_set(struct stasis_session *session, pid_t pid, uint64_t kinds,
					      enum stasis_follow follow);

/**
 * Whether a posix_spawn is one event (true, the default) or shows its parts:
 * the birth is then reported when the child is born, and the child's system
 * calls, its exec and the parent's vfork-done like those of a vfork. For @p pid
 * or, with 0, for tracees to come; births inherit.
 */
STASIS_API STASIS_CHECK int stasis_spawn_fold_set(struct stasis_session *session, pid_t pid, bool fold);

/**
 * Wait for the next event of tracee @p pid, or of any with 0.
 * @param timeout_ms  -1: as long as it takes; 0: only look.
 * @return 0; STASIS_E_TIMEOUT; STASIS_E_NO_TRACEE if nothing could ever come (a
 * direct session says so only once all that it let go is free: see
 * stasis_detach());
 * STASIS_E_INTERRUPTED; STASIS_E_NOT_TRACED for an unknown @p pid. In an
 * isolated session several threads may wait at once; each event goes to one of
 * them. An exited or killed event is collected (the zombie reaped, the pid
 * free) when this function returns it and not before; with
 * STASIS_SESSION_KEEP_ENDED by stasis_exit_collect().
 */
STASIS_API STASIS_CHECK int stasis_wait(struct stasis_session *session, pid_t pid, int timeout_ms,
					struct stasis_event *event_ret);

/** The lower-case name of a kind: "posix-spawn". Static storage; any thread. */
STASIS_API const char *stasis_event_kind_name(enum stasis_event_kind kind);

STASIS_END_DECLS

#endif
