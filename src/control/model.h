/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The objects of a session and who owns them.
 *
 *   session ── processes (by pid) ── LWPs (also by tid in the session)
 *                     └─ space (shared by processes that share memory)
 *   report nodes are embedded in the LWP or process they speak of, so an event
 *   can never be lost for want of memory.
 *
 * Only the tracing task touches any of it.
 */
#ifndef STS_MODEL_H
#define STS_MODEL_H

#include <stdatomic.h>
#include <stasis/stasis.h>
#include <sys/queue.h>
#include "arch/arch.h"
#include "os/os.h"
#include "util/pool.h"

struct sts_lwp;
struct sts_process;

/* One event on its way to the user. */
struct sts_node {
	TAILQ_ENTRY(sts_node) link;
	struct stasis_event event;
	struct sts_process *process;
	struct sts_lwp *lwp;	   /* who rests for it; NULL for events of the process */
	struct sts_process *child; /* birth: its events come after this one */
	bool awaits;		   /* birth: not before the child is at rest */
	enum { STS_NODE_IDLE, STS_NODE_KEPT, STS_NODE_READY } where;
};
TAILQ_HEAD(sts_node_queue, sts_node);

enum sts_lwp_state {
	STS_LWP_STARTING, /* born, first stop not seen: no user code runs yet */
	STS_LWP_RUNNING,
	STS_LWP_RESTING,     /* in a ptrace stop we know of */
	STS_LWP_VFORKING,    /* kernel holds it until its child execs or ends */
	STS_LWP_UNREACHABLE, /* asleep in the kernel, will stop before user code */
	STS_LWP_VANISHING,   /* said ESRCH: killed; its end will be reported */
	STS_LWP_EXITING,     /* past its exit stop */
	STS_LWP_GONE,	     /* reaped; the object waits for its nodes to be reported */
};

struct sts_lwp {
	LIST_ENTRY(sts_lwp) by_tid;
	TAILQ_ENTRY(sts_lwp) in_process;
	TAILQ_ENTRY(sts_lwp) in_expected;   /* interrupted or starting: will report soon */
	TAILQ_ENTRY(sts_lwp) in_unconsumed; /* its stop was only peeked at */
	LIST_ENTRY(sts_lwp) in_exiting;
	pid_t tid;
	struct stasis_session *session;
	struct sts_process *process; /* NULL while unclaimed */
	enum sts_lwp_state state;
	struct sts_report stop;		 /* while RESTING: why */
	TAILQ_ENTRY(sts_lwp) in_arrived; /* its report was taken, not handled yet */
	struct sts_report arrived;	 /* tid 0: none */
	bool late_stop;			 /* it is the stop of a job that goes on already */
	bool expected, unconsumed, exiting_listed, zombie_held;
	int64_t expected_since; /* ms */

	struct sts_node node;	   /* the event it rests for */
	struct sts_node exit_node; /* lwp-exit as a mere notice */
	bool event_out;		   /* it rests for the user: event kept, ready, or reported and not resumed */
	bool reported;
	bool drop_process; /* FOLLOW_CHILD: resuming this event lets the process go */

	enum stasis_action action; /* what the user wants at the next run */
	bool stay;		   /* user: rest on at this resume */
	bool suspended, sticky_step;
	int signal;	  /* to deliver at the next run, 0 none */
	enum sts_run run; /* how it was set going last */
	bool stepping;	  /* a STEP event is due */
	bool interrupted; /* interrupt sent, not seen */
	unsigned breaks;  /* stops in a row that were interrupts of ours and nothing else */
	int pass_once;	  /* signal that we queued for the user: no report */

	bool at_breakpoint;	       /* hit at this PC was accounted for: pass over it */
	bool stepping_over;	       /* single step of ours with the breakpoint out */
	uint64_t step_pc, step_sp;     /* where a single step began */
	bool step_wide;		       /* in 64-bit code */
	bool step_known;	       /* what it executes is known: */
	enum sts_insn_class step_insn; /* sts_step_insn() */
	bool step_own_flag;	       /* the program itself had the trap flag set before it */
	uint64_t over_addr;	       /* of that breakpoint */
	uint64_t over_mask;	       /* signal mask to put back after it */
	int deferred_signal;	       /* to deliver after it */
	bool trapped;		       /* the stop is a SIGTRAP of ours: no signal of the program's */

	bool regs_valid, regs_dirty;
	struct stasis_regs_x86 regs;
	bool watch_dirty;	/* debug registers differ from the table */
	uint64_t watch_control; /* DR7 as set in the LWP */

	bool trap_blocked; /* SIGTRAP was blocked when it was set going */
	bool learned;	   /* when it was set going: trap_blocked and the next */
	uint64_t faults_blocked;
	int forced;	    /* the signal of a fault whose mask or disposition was repaired */
	bool forced_action; /* its disposition, too */
	bool mask_valid;    /* at rest: its signal mask is known */
	bool mask_kept;	    /* set going so that the next step leaves the mask as it is */
	uint64_t mask;

	bool exit_kill;			  /* kernel's EXITKILL option as set */
	bool in_syscall;		  /* between entry and exit stop */
	bool entered;			  /* filtered: its entry was seen, the filter's stop at it is still to come */
	bool exit_due;			  /* filtered: the exit of the exec that launched it */
	bool uncovered;			  /* the birth it enters, or was born by, was to be hidden from us */
	struct stasis_event_syscall call; /* entry's data, for the exit event */
	bool skip;
	int64_t skip_result;

	pid_t vfork_pid; /* child of the last vfork-like birth */
	uint64_t vfork_flags;
	bool vfork_folded;	   /* it was a folded posix_spawn: its end is no event */
	pid_t first_parent;	   /* of an unclaimed child, when first met */
	struct sts_process *spawn; /* folded posix_spawn under way */
	bool spawn_waits;	   /* at its vfork-done, for the child's exec to be seen */
	pid_t birth_waits;	   /* at the birth of this LWP, for its first stop: LWPs are told of in order */

	pid_t creator;
	uint64_t born;	   /* sequence number */
	bool exit_counted; /* no longer among the process's live LWPs */
	bool alone;	   /* EXIT stop of an LWP that leaves by itself */
};
TAILQ_HEAD(sts_lwp_list, sts_lwp);
LIST_HEAD(sts_lwp_chain, sts_lwp);

struct sts_breakpoint {
	LIST_ENTRY(sts_breakpoint) link;
	uint64_t addr;
	uint8_t original[STS_ARCH_BREAK_MAX];
	bool planted;
};
LIST_HEAD(sts_breakpoint_list, sts_breakpoint);

#define STS_BREAKPOINT_BUCKETS 64

struct sts_space {
	struct sts_pool *pool;
	unsigned refs;
	struct sts_breakpoint_list breakpoints[STS_BREAKPOINT_BUCKETS];
	size_t n_breakpoints;
	bool had_breakpoints;	 /* ever */
	struct sts_lwp *stepper; /* only this LWP may run: it steps over a breakpoint */
	bool stepper_set;	 /* breakpoint is out, stepper set going */
	bool resettle;		 /* the stepper is done: others may go on */
	TAILQ_HEAD(, sts_process) processes;
};

struct sts_watch {
	bool used;
	pid_t tid; /* 0: all LWPs */
	enum stasis_watch_kind kind;
	uint64_t addr;
	size_t len;
	unsigned flags;
	uint64_t born; /* sequence number: LWPs with a higher one came later */
};

struct sts_config {
	struct stasis_event_mask mask;
	enum stasis_follow follow[STASIS_EVENT_KIND_COUNT];
	uint64_t pass; /* signals without report */
	bool fold_spawn;
};

struct sts_process {
	LIST_ENTRY(sts_process) by_pid;
	TAILQ_ENTRY(sts_process) in_session;
	TAILQ_ENTRY(sts_process) in_space;
	struct stasis_session *session;
	struct sts_space *space;
	struct sts_lwp_list lwps;
	size_t n_lwps;	 /* objects in lwps */
	size_t n_live;	 /* LWPs that have not begun to die */
	size_t n_moving; /* STARTING or RUNNING */
	pid_t pid;

	bool shadow;	/* not shown to the user */
	bool releasing; /* to be detached as its LWPs come to rest */
	bool attaching;
	bool ending;	/* the session ends: dealt with */
	bool detaching; /* stasis_detach() is bringing it to rest */
	bool stopping;	/* being brought to rest, or at rest */
	bool held;	/* its event is ready or reported */
	bool reported;	/* the user has it: requests allowed */
	bool listed;	/* counted in n_processes */
	bool interrupt_wanted;
	bool dying; /* killed or exiting as a whole */
	bool dead;  /* zombie seen */
	bool job_stopped;
	bool launched;
	bool leader_untraced;	     /* dead leader met at attach */
	bool memory_shared;	     /* born with CLONE_VM and not exec'ed yet */
	struct sts_lwp *first;	     /* runs alone until it tells of a signal that it was kept from */
	struct sts_node *birth_node; /* the parent's event of our birth, not ready yet: ours come after it */
	enum stasis_death_policy death;
	bool exit_kill;

	struct sts_config config;
	struct sts_calls *calls; /* NULL: all */
	bool own_filter;	 /* it may have one of its own, which ours does not see behind */
	int filter_error;	 /* why they have no filter, if one was asked for */
	struct sts_node_queue kept; /* all-stop events awaiting their turn */
	struct sts_node node;	    /* attached, interrupt, exited, killed, job events */
	struct sts_node exit_node;
	int last_exit_status; /* of the LWP that died last */

	enum stasis_event_kind birth;
	struct sts_lwp *spawner; /* folded posix_spawn under way: LWP of the parent */
	bool spawning;		 /* born by a folded posix_spawn whose exec was not seen */
	enum stasis_follow spawn_follow;
	bool spawn_exited;
	int spawn_status;
	struct stasis_event_birth birth_data;

	struct sts_watch watches[STS_ARCH_WATCH_SLOTS];
	bool watching;
	bool disposition_known;		/* the two below are fresh */
	bool trap_ignored, trap_caught; /* SIGTRAP's disposition */
	uint64_t faults_ignored;	/* of the signals of faults */
	bool trap_action_known;
	bool trap_reset; /* the kernel has reset SIGTRAP, to be put back when all rest */
	uint8_t trap_action[STS_OS_ACTION_SIZE];
};
LIST_HEAD(sts_process_chain, sts_process);
TAILQ_HEAD(sts_process_list, sts_process);

/* Which calls are reported, of a launched program and its descendants. */
struct sts_calls {
	unsigned refs;
	bool filtered; /* the kernel tells them apart */
	struct stasis_call_set set;
};

#define STS_BUCKETS 1024

struct sts_gate;

struct stasis_session {
	struct sts_gate *gate;
	struct sts_pool pool; /* all objects; only the tracing task gets and puts */
	bool direct;
	bool keeps_ended;
	bool keeps_faults;
	struct sts_lwp_chain lwps[STS_BUCKETS];
	struct sts_process_chain processes[STS_BUCKETS];
	struct sts_process_list all;
	size_t n_processes;	       /* shown to the user */
	size_t n_lwps;		       /* all that are not gone */
	struct sts_lwp_list unclaimed; /* via in_process: children seen before their parent's event */
	struct sts_lwp_list expected;
	bool interrupts_sent; /* and no report was asked for since */
	bool deaf;	      /* direct: no signal told of the last report that was slept for */
	struct sts_lwp_list arrived;
	unsigned n_collected;
	struct sts_lwp_list unconsumed;
	struct sts_lwp_chain exiting;
	size_t n_zombies_held;
	int64_t last_sweep;		   /* ms */
	bool foreign_zombie, foreign_stop; /* of a child that is no tracee, in the way of asking for any */
	struct sts_node_queue ready;
	uint64_t sequence;
	struct sts_config defaults;
	enum stasis_death_policy death;
	struct stasis_error_info error;
	stasis_log_fn log;
	void *log_arg;
	enum stasis_log_level log_level;
	struct sts_calls *last_calls;
	struct sts_lwp *spare_lwp; /* a birth must never fail for want of memory */
	struct sts_process *spare_process;
	struct sts_space *spare_space;
	bool has_survivors; /* some tracee is, or was, one that goes on without us */
	bool host_ignores_child;
	pid_t host_pid; /* the process whose session this is */
};

/* --- table.c: finding, making and freeing the objects ---------------------------- */
int sts_spares_fill(struct stasis_session *s);
struct sts_lwp *sts_lwp_find(struct stasis_session *s, pid_t tid);
struct sts_lwp *sts_lwp_new(struct stasis_session *s, pid_t tid); /* unclaimed; takes the spare */
void sts_lwp_claim(struct sts_lwp *lwp, struct sts_process *process);
void sts_lwp_rename(struct stasis_session *s, struct sts_lwp *lwp, pid_t tid);
void sts_lwp_bury(struct sts_lwp *lwp); /* out of all tables; freed when its nodes are idle */
void sts_lwp_try_free(struct sts_lwp *lwp);
void sts_lwp_state_set(struct sts_lwp *lwp, enum sts_lwp_state state);
struct sts_process *sts_process_find(struct stasis_session *s, pid_t pid);
struct sts_process *sts_process_new(struct stasis_session *s, pid_t pid, struct sts_space *space);
pid_t sts_process_task(const struct sts_process *p);
void sts_process_show(struct sts_process *p, bool shown);
void sts_process_free(struct sts_process *p);
struct sts_space *sts_space_new(struct stasis_session *s);
void sts_space_put(struct sts_space *space);
void sts_process_space_set(struct sts_process *p, struct sts_space *space);

int64_t sts_clock_ms(void);

/* --- collect.c: next report of any tracee ------------------------------------------ */
/* Handle what has been reported; block says whether to wait for something. 1 handled, 0 nothing, negative error. */
int sts_collect(struct stasis_session *s, bool block);
int sts_collect_wait(struct stasis_session *s);
void sts_expect(struct stasis_session *s, struct sts_lwp *lwp);
void sts_arrive(struct sts_lwp *lwp); /* take the stop it is in, if any, to be handled in turn */
void sts_arrive_as(struct sts_lwp *lwp, const struct sts_report *report);
void sts_unarrive(struct stasis_session *s, struct sts_lwp *lwp);
void sts_unexpect(struct stasis_session *s, struct sts_lwp *lwp);
/* Milliseconds after which to come back to sts_collect() even if nothing wakes us; INT_MAX: no need to. */
int sts_collect_patience(const struct stasis_session *s);
/* Sleep until a signal tells of reports, but no longer than that or limit_ms. Result of sts_os_child_signal_wait(). */
int sts_collect_sleep(struct stasis_session *s, int limit_ms);

/* --- dispatch.c ---------------------------------------------------------------------- */
void sts_dispatch(struct stasis_session *s, struct sts_lwp *lwp, const struct sts_report *report);

/* --- birth.c --------------------------------------------------------------------------- */
void sts_birth(struct sts_lwp *lwp, const struct sts_report *report);
void sts_birth_arrived(struct sts_lwp *child);
void sts_birth_released(struct sts_process *child); /* what its parent's event waited for is settled */
void sts_vfork_done(struct sts_lwp *lwp);
void sts_spawn_child_exec(struct sts_process *child);
void sts_spawn_child_dead(struct sts_process *child, int status);
void sts_spawn_abandon(struct sts_lwp *parent);
void sts_orphan_met(struct sts_lwp *lwp, int64_t now_ms);
bool sts_orphans_adopt(struct stasis_session *s, int64_t now_ms); /* true: did something */

/* --- calls.c: which system calls are meant ------------------------------------------------- */
/* For the calling session's processes; NULL: no memory. */
struct sts_calls *sts_calls_new(struct stasis_session *s, const struct stasis_call_set *set);
void sts_calls_put(struct sts_calls *calls);
/* parent NULL: nobody knows it; taken for a descendant of the last that was launched so. */
void sts_calls_inherit(struct sts_process *child, const struct sts_process *parent);
void sts_calls_remember(struct stasis_session *s, struct sts_calls *calls);
bool sts_call_wanted(const struct sts_process *p, enum stasis_event_kind kind, const struct stasis_event_syscall *call);
bool sts_exit_wanted(const struct sts_lwp *lwp); /* of the call it is in */
bool sts_process_filtered(const struct sts_process *p);
bool sts_entries_told(const struct sts_process *p); /* filtered, and its stops are all that is needed */
void sts_own_filter_met(struct sts_process *p);
int sts_filtered_fail(struct sts_process *p, const char *operation);
void sts_call_uncover(struct sts_lwp *lwp);
void sts_call_cover(struct sts_lwp *lwp, const struct stasis_event_syscall *call);

/* --- death.c: LWP exits, deaths, exec ----------------------------------------------------- */
void sts_lwp_exit_stop(struct sts_lwp *lwp);
void sts_lwp_dead(struct sts_lwp *lwp, int status);
struct sts_lwp *sts_exec_survivor(struct stasis_session *s, struct sts_process *p, pid_t former);
void sts_exec(struct sts_lwp *lwp, pid_t former);
void sts_lwp_exit_go(struct sts_lwp *lwp);
void sts_process_dying(struct sts_process *p);
void sts_process_collect_exit(struct sts_process *p);
int sts_processes_lost(struct stasis_session *s);

/* --- stop.c: all-stop, and events on their way --------------------------------------------- */
struct stasis_event *sts_event_begin(struct sts_lwp *lwp, enum stasis_event_kind kind);
void sts_event_post(struct sts_lwp *lwp);
struct stasis_event *sts_notice_begin(struct sts_process *p, struct sts_node *node, pid_t tid,
				      enum stasis_event_kind kind);
void sts_notice_post(struct sts_node *node);
void sts_notice_keep(struct sts_node *node);
void sts_process_attached(struct sts_process *p);
void sts_process_stop(struct sts_process *p);
void sts_process_pause(struct sts_process *p); /* bring to rest without an event */
void sts_process_check_rest(struct sts_process *p);
bool sts_event_wanted(const struct sts_process *p, enum stasis_event_kind kind);
bool sts_ready_take(struct stasis_session *s, pid_t pid, struct stasis_event *ret);
void sts_events_drop(struct sts_process *p);
void sts_node_unlink(struct sts_node *node);

/* --- run.c: setting LWPs going --------------------------------------------------------------- */
void sts_lwp_settle(struct sts_lwp *lwp);
void sts_process_settle(struct sts_process *p);
void sts_space_settle(struct sts_space *space);
bool sts_first_overdue(struct sts_lwp *lwp, int64_t now_ms); /* true: the others go on without its word */
bool sts_lwp_resume(struct sts_lwp *lwp, enum sts_run run, int signal); /* the bare act; false: gone */
bool sts_lwp_gone(struct sts_lwp *lwp, int error);			/* -ESRCH: mark it vanishing */
int sts_regs_load(struct sts_lwp *lwp);
int sts_regs_flush(struct sts_lwp *lwp);

/* --- trap.c: SIGTRAP, breakpoints met, stepping over them --------------------------------------- */
bool sts_trap(struct sts_lwp *lwp, const siginfo_t *info); /* true: it was ours */
void sts_step_look(struct sts_lwp *lwp);
enum sts_insn_class sts_step_insn(struct sts_lwp *lwp);
void sts_step_hide(struct sts_lwp *lwp);
bool sts_step_over(struct sts_lwp *lwp);       /* true: it is taken care of, do not run */
void sts_step_over_early(struct sts_lwp *lwp); /* what can be done of that while everybody rests */
void sts_step_over_end(struct sts_lwp *lwp);
void sts_stepper_go(struct sts_space *space);
void sts_signal_state_learn(struct sts_lwp *lwp);
void sts_trap_action_restore(struct sts_process *p); /* everybody rests */
void sts_mask_forget(struct sts_lwp *lwp);
/* The CPU raised this signal: undo what the kernel did to its mask and disposition, if they were learned. */
void sts_fault_repair(struct sts_lwp *lwp, int signal);
/* It is to be delivered after all: as the kernel had it, so that it kills. */
void sts_fault_restore(struct sts_lwp *lwp);

/* --- breakpoint.c, watch.c ------------------------------------------------------------------------ */
struct sts_breakpoint *sts_breakpoint_find(struct sts_space *space, uint64_t addr);
int sts_breakpoint_plant(pid_t pid, struct sts_breakpoint *b);
int sts_breakpoint_unplant(pid_t pid, struct sts_breakpoint *b);
void sts_breakpoints_unplant_in(struct sts_space *space, pid_t pid); /* in that process's memory alone */
int sts_breakpoints_copy(struct sts_space *to, const struct sts_space *from);
void sts_breakpoints_wipe(struct sts_space *space, pid_t pid); /* from memory and table; pid 0: table only */
ssize_t sts_space_read(struct sts_process *p, uint64_t addr, void *buf, size_t len);
ssize_t sts_space_write(struct sts_process *p, uint64_t addr, const void *buf, size_t len);
/* As the program's own load and store of at most 8 bytes: 0, or negative if it would fault. */
int sts_space_load(struct sts_process *p, uint64_t addr, void *buf, size_t len);
int sts_space_store(struct sts_process *p, uint64_t addr, const void *buf, size_t len);
void sts_watch_sync(struct sts_lwp *lwp);
void sts_watch_inherit(struct sts_process *child, const struct sts_process *parent);
void sts_watch_clear(struct sts_process *p);

void sts_options_sync(struct sts_lwp *lwp);

/* --- detach.c ------------------------------------------------------------------------------------------ */
void sts_process_release(struct sts_process *p); /* may free it */
void sts_process_release_on(struct sts_process *p);
bool sts_process_must_shadow(const struct sts_process *p);
void sts_process_forsake(struct sts_process *p); /* hide it and drop its events */
void sts_lwp_release(struct sts_lwp *lwp);

/* --- session.c, gate.c ------------------------------------------------------------------------------------ */
int sts_fail(struct stasis_session *s, int error, const char *operation, pid_t pid, pid_t tid, uint64_t addr,
	     const char *cause, const char *remedy);
void sts_log(struct stasis_session *s, enum stasis_log_level level, const char *domain, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
#define STS_DEBUG(s, domain, ...)                                                                                      \
	do {                                                                                                           \
		if ((s)->log && (s)->log_level >= STASIS_LOG_DEBUG)                                                    \
			sts_log(s, STASIS_LOG_DEBUG, domain, __VA_ARGS__);                                             \
	} while (0)
bool sts_policy_kills(const struct stasis_session *s, enum stasis_death_policy policy, bool launched);

/* Run fn on the tracing task. */
typedef int (*sts_request_fn)(struct stasis_session *s, void *arg);
/* Is this child of ours the wake-up's? Collects it. */
bool sts_gate_doorbell(struct stasis_session *s, pid_t pid);
int sts_gate_call(struct stasis_session *s, sts_request_fn fn, void *arg);
/* The same for an fn that sets nobody going, lets nobody go and takes no report: afterwards there is none to look for.
 */
int sts_gate_look(struct stasis_session *s, sts_request_fn fn, void *arg);
/* The calling thread's signal mask as it is without us. */
void sts_gate_caller_mask(struct stasis_session *s, sigset_t *ret);
void sts_session_shutdown(struct stasis_session *s);

/* --- lookups that answer with the right error (request.c) ---------------------------------------------------- */
int sts_process_visible(struct stasis_session *s, pid_t pid, struct sts_process **ret);
int sts_process_stopped(struct stasis_session *s, pid_t pid, struct sts_process **ret);
int sts_lwp_visible(struct stasis_session *s, pid_t tid, struct sts_lwp **ret);
int sts_lwp_at_rest(struct stasis_session *s, pid_t tid, struct sts_lwp **ret);

#endif
