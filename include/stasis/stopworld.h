/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file stopworld.h  Stop the world from inside: every other thread of the calling process comes to rest, without
 * ptrace.
 *
 * Link with -lstasis-stopworld (pkg-config stasis-stopworld), a small library that needs nothing, not even libc, and
 * keeps no thread and no descriptor. libstasis is not needed. stopworld(7) tells how it works and where its limits are.
 *
 * While the world is stopped the other threads hold whatever locks they held. The caller must therefore not allocate,
 * print through stdio, call pthread, dl or locale functions, or anything else that may take a lock: bare system calls
 * and memory of its own only. All of its signals are blocked meanwhile.
 *
 * Every function may be called from any thread, and from a signal handler. None touches errno.
 * Errors are -errno.
 */
#ifndef STASIS_STOPWORLD_H
#define STASIS_STOPWORLD_H

#include <stasis/base.h>
#include <stasis/regs.h>

STASIS_BEGIN_DECLS

/** A stopped world. There is one in a process at most; it belongs to the thread that stopped it until it resumes it. */
struct stasis_world;

enum stasis_world_state {
	/** At rest in the library's signal handler: all registers are known, and it stays until the world is resumed.
	 */
	STASIS_WORLD_PARKED = 1,
	/** In the kernel where no signal interrupts it (state D). It parks before it runs another instruction of its
	 * own.
	 */
	STASIS_WORLD_KERNEL,
	/** As KERNEL or BLOCKED, waiting in vfork (or posix_spawn) for the child `other`, which runs in this memory. */
	STASIS_WORLD_VFORK,
	/** Held by the tracer `other`. When it lets go, the thread parks before it runs another instruction. */
	STASIS_WORLD_HELD,
	/** Asleep in the kernel with the stop signal blocked: at rest for as long as it sleeps. Whether it slept all
	 * the time is what stasis_world_resume() tells. */
	STASIS_WORLD_BLOCKED,
	/** Not at rest. Only with STASIS_WORLD_PARTIAL, or as an obstacle. */
	STASIS_WORLD_RUNNING,
};

/** Why the world could not be stopped: the first thread that did not come to rest. */
struct stasis_world_obstacle {
	pid_t tid; /**< 0 if it is not known which */
	enum stasis_world_state
		state;	 /**< RUNNING, or what it would have been if it had stayed so for the grace time */
	bool blocked;	 /**< it has the stop signal blocked */
	bool queue_full; /**< the kernel refused the signal: RLIMIT_SIGPENDING is exhausted */
	pid_t other;	 /**< tracer or vfork child, 0 if none */
	char name[16];	 /**< the thread's name */
};

enum {
	/** A stop that ran out of time succeeds all the same; threads that run on are listed as RUNNING. */
	STASIS_WORLD_PARTIAL = 1 << 0,
	/** Snapshot: the copy closes all descriptors but `keep_fd`, lest somebody wait for an end-of-file meanwhile. */
	STASIS_WORLD_CLOSE_FDS = 1 << 1,
};

struct stasis_world_opts {
	size_t size;	/**< sizeof(struct stasis_world_opts) */
	uint32_t flags; /**< STASIS_WORLD_... */
	/** Milliseconds after which a thread that cannot be brought to rest makes the stop fail; 0: 5000. Time during
	 * which the whole process is stopped (^Z, a debugger) does not count. */
	int timeout_ms;
	/** Milliseconds that a thread which cannot answer must have slept to be taken as at rest; 0: 20. */
	int grace_ms;
	int keep_fd;				/**< see STASIS_WORLD_CLOSE_FDS; -1: none */
	struct stasis_world_obstacle *obstacle; /**< filled in if the stop fails with -ETIMEDOUT; may be NULL */
};

/** What stasis_world_thread() is to find out beyond what costs nothing. Each costs some system calls. */
enum {
	STASIS_WORLD_WANT_NAME = 1 << 0,
	STASIS_WORLD_WANT_STACK = 1 << 1,
};

/** One thread. Numbers that are not known are 0. */
struct stasis_world_thread {
	pid_t tid;
	enum stasis_world_state state;
	pid_t other;		 /**< see the states */
	uint64_t pc;		 /**< next instruction of the program, not of the handler */
	uint64_t sp;		 /**< its stack pointer. The 128 bytes below belong to it too on x86-64 */
	bool in_call;		 /**< pc and sp are those of a system call it sleeps in; the registers are not known */
	bool on_altstack;	 /**< sp lies in the alternate signal stack */
	uint64_t altstack;	 /**< alternate signal stack (PARKED only) */
	uint64_t altstack_size;	 /**< in bytes */
	uint64_t thread_pointer; /**< base of fs (x86-64), gs (i386) (PARKED only). A thread made by raw clone may
				    share it with its maker */
	uint64_t sigmask;	 /**< signals it has blocked, signal 1 in bit 0 (PARKED only) */
	const struct stasis_regs_x86 *regs; /**< PARKED only, else NULL; valid until the next call with this world */
	const void *xstate;   /**< FXSAVE or XSAVE image, valid until the world is resumed; NULL unless PARKED */
	size_t xstate_size;   /**< in bytes */
	const void *context;  /**< its ucontext_t, valid until the world is resumed; NULL unless PARKED */
	uint64_t stack_start; /**< WANT_STACK: the mapping that holds sp */
	uint64_t stack_end;   /**< one past its end */
	char name[16];	      /**< WANT_NAME */
};

/**
 * Stop all other threads. @p opts may be NULL. On success the caller owns the
 * world, has all its signals blocked, and must call stasis_world_resume() from the
 * same thread. Several callers take turns, in the order they came; one who waits
 * is itself stopped meanwhile, and hears no signals.
 *
 * Errors, after which everybody runs as before:
 * -EDEADLK    this thread has the world stopped already;
 * -ETIMEDOUT  a thread did not come to rest: opts->obstacle tells which, and why;
 * -EINVAL     options of an unknown size, or unknown flags;
 * -ENOMEM     no memory for the list of threads;
 * -EPERM, -ENOSYS  the kernel or a filter refuses rt_tgsigqueueinfo or rt_sigaction.
 */
STASIS_API STASIS_CHECK int stasis_world_stop(const struct stasis_world_opts *opts, struct stasis_world **world_ret);

/** Number of threads stopped, the caller not among them. */
STASIS_API size_t stasis_world_count(const struct stasis_world *world);

/**
 * Tell of thread @p index, from 0 to the count less one. @p want: STASIS_WORLD_WANT_ bits. A stop finds them in no
 * particular order. Errors: -EINVAL: no such index.
 */
STASIS_API STASIS_CHECK int stasis_world_thread(struct stasis_world *world, size_t index, unsigned want,
						struct stasis_world_thread *thread_ret);

/**
 * Where thread @p index has its instance of the thread-local storage of the module @p module (dlpi_tls_modid of
 * dl_iterate_phdr(3), which also tells the size and must be called before the stop); *address_ret is 0 if the thread
 * has not touched it yet. Errors: -EINVAL: no such index; -ENODATA: the thread is not PARKED; -EFAULT: its thread
 * pointer leads to no memory.
 */
STASIS_API STASIS_CHECK int stasis_world_thread_tls(struct stasis_world *world, size_t index, size_t module,
						    uint64_t *address_ret);

/**
 * Let all go. Returns the number of threads in BLOCKED or VFORK that ran meanwhile, or could not be looked at: if it is
 * not 0, what was read of the memory they use may be inconsistent. Errors: -EPERM: not the thread that stopped it.
 */
STASIS_API int stasis_world_resume(struct stasis_world *world);

/**
 * Stop the world, make a copy-on-write copy of the process as fork(2) does, resume, and call @p look in the copy, where
 * @p world shows the threads as they were. The pause is the stop plus the copy, whatever @p look takes. The copy has
 * one thread and the other threads' locks as they were, so the rules of a stopped world hold for @p look.
 *
 * The call returns when @p look has returned (or the copy has died); *result_ret is then what it returned. The copy is
 * no child that wait(2) without __WALL or __WCLONE hears of, raises no SIGCHLD, is not seen by tracers, and dies with
 * the calling thread. No atfork handler runs.
 *
 * Errors: those of stasis_world_stop(); what clone(2) fails with; -ECANCELED: the copy was killed.
 */
STASIS_API STASIS_CHECK int stasis_world_snapshot(const struct stasis_world_opts *opts,
						  int (*look)(struct stasis_world *world, void *arg), void *arg,
						  int *result_ret);

STASIS_END_DECLS

#endif
