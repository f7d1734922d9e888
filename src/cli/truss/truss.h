/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stasis truss: main.c is the loop, events.c what is known of LWPs and what events change in it. Around them:
 *	options		options.c, expressions.c (after -e), refused.c (strace's that are not here), user.c (-u)
 *	which and whose	filter.c, descriptors.c (of a call), who.c (programs, threads), follow.c (children)
 *	looks		text.c, json.c, chrome.c; decode.c (the decoder's questions), stack.c (who called), output.c
 *	at the end	summary.c, tree.c (the family), page.c (of HTML)
 *	meddling	inject.c (what), tamper.c (doing it)
 *	surroundings	tracers.c (other ones), seccomp.c (the kernel's filter), place.c (CPUs)
 */
#ifndef STS_CLI_TRUSS_H
#define STS_CLI_TRUSS_H

#include <sched.h>
#include <stasis/stasis.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include "cli/cli.h"
#include "decode/decode.h"

#define uthash_fatal(message) (sts_complain("truss", "%s", message), exit(STS_EXIT_FAILURE))
#include <uthash.h>

enum truss_clock { TRUSS_CLOCK_NONE, TRUSS_CLOCK_DAY, TRUSS_CLOCK_UNIX };

enum truss_daemon { TRUSS_DAEMON_NONE, TRUSS_DAEMON_GRANDCHILD, TRUSS_DAEMON_GROUP, TRUSS_DAEMON_SESSION };

enum truss_placement { TRUSS_PLACE_AUTO, TRUSS_PLACE_SHARED, TRUSS_PLACE_FREE };

/* Paths as given and as they really are; each may be a glob. */
struct truss_paths {
	char **patterns;
	size_t n;
};
int truss_paths_add(struct truss_paths *p, const char *pattern);
bool truss_paths_match(const struct truss_paths *p, const char *path);
void truss_paths_free(struct truss_paths *p);

/* Patterns of names; those that begin with an exclamation mark rule out. */
struct truss_names {
	const char **patterns;
	size_t n;
};
int truss_names_add(struct truss_names *names, const char *pattern);

struct truss_fds {
	bool given, negated;
	int *fds;
	size_t n;
};
int truss_fds_parse(struct truss_fds *f, const char *list);
bool truss_fds_match(const struct truss_fds *f, int fd);

/* How a call ends. */
enum {
	TRUSS_SUCCESSFUL = 1 << 0,
	TRUSS_FAILED = 1 << 1,
	TRUSS_UNFINISHED = 1 << 2,  /* it never returns */
	TRUSS_DETACHED = 1 << 3,    /* our tracing ended before it did */
	TRUSS_UNAVAILABLE = 1 << 4, /* strace's; every result is available to us */
	TRUSS_ANY_STATUS = (1 << 5) - 1
};
int truss_statuses_parse(unsigned *statuses, const char *list);

enum truss_sort {
	TRUSS_SORT_TIME,
	TRUSS_SORT_CPU,
	TRUSS_SORT_CALLS,
	TRUSS_SORT_ERRORS,
	TRUSS_SORT_NAME,
	TRUSS_SORT_NONE,
	TRUSS_SORT_MIN,
	TRUSS_SORT_MAX,
	TRUSS_SORT_AVERAGE,
	TRUSS_SORT_MEDIAN,
	TRUSS_SORT_P99
};
/* What is summed up. */
enum { TRUSS_OF_ALL = 1 << 0, TRUSS_OF_PROGRAMS = 1 << 1, TRUSS_OF_PROCESSES = 1 << 2 };
int truss_summaries_parse(unsigned *ret, char *list);
/* -1: there is no such order. */
int truss_sort_parse(const char *name);

enum truss_end { TRUSS_ENTER, TRUSS_EXIT };

/* What is done to calls: -e inject, -e fault. */
#define TRUSS_POKE_MAX 1024
struct truss_poke {
	bool leaving; /* at the exit, not at the entry */
	unsigned arg; /* that points to it, from 0 on */
	size_t len;
	uint8_t bytes[TRUSS_POKE_MAX];
};

struct truss_injection {
	struct sts_call_filter calls;
	bool has_result;
	int64_t result;
	char *call; /* runs in its place, NULL: none does */
	int signal; /* 0: none */
	bool delays[2];
	int64_t delay[2]; /* at which end, in nanoseconds */
	struct truss_poke *pokes;
	size_t n_pokes;
	unsigned first, last, step; /* step 0: the first alone */
};

struct truss_injections {
	struct truss_injection *list;
	size_t n;
};
/* 0; -ENOMEM; -EINVAL: said what is wrong. text is changed. */
int truss_injections_add(struct truss_injections *all, char *text, bool fault);
void truss_injections_free(struct truss_injections *all);
/* The calls that are seen for it. */
void truss_injections_add_to(const struct truss_injections *all, struct stasis_call_set *set);
bool truss_injections_need_exits(const struct truss_injections *all);
/* The last one given for this call counts; NULL: none. */
const struct truss_injection *truss_injections_find(const struct truss_injections *all, enum stasis_abi abi,
						    uint64_t number);
/* Is it the turn of the LWP's count-th call? */
bool truss_injection_due(const struct truss_injection *in, unsigned count);

/* Columns of a summary, each one more than its index; 0 ends them. NULL, or the word that is none. list is changed. */
#define TRUSS_COLUMNS 11
const char *truss_columns_parse(char *list, unsigned char columns[TRUSS_COLUMNS + 1]);

struct truss_options {
	char **command; /* NULL: attach */
	pid_t *pids;
	size_t n_pids;
	bool no_follow;
	bool limited; /* --depth */
	unsigned depth;
	struct truss_names programs, comms; /* --exec, --comm */
	bool quiet;
	bool kill_on_exit;
	bool append;	 /* -A */
	bool follows;	 /* -f was given */
	bool separately; /* -ff: a file for each LWP */
	bool no_fold;
	enum truss_daemon daemon; /* -D */
	bool calls_named;	  /* -e trace says which, not which not */
	bool numbers, pointers;	  /* -n, -i: before each call */
	unsigned result_column;	  /* -a */
	const char *user;	  /* -u */
	bool json;
	bool chrome;	 /* --format=chrome-trace */
	unsigned stacks; /* -k: 1, with lines of the source 2 */
	bool tree;
	bool count;	 /* -c, -C */
	bool only_count; /* -c */
	enum truss_sort sort;
	unsigned char columns[TRUSS_COLUMNS + 1];
	unsigned summaries; /* TRUSS_OF_* */
	unsigned interval;  /* seconds between summaries, 0: none */
	bool split;	    /* --split */
	bool seccomp;	    /* --seccomp-bpf: say so if it is not used */
	bool no_seccomp;
	bool entries; /* --no-results */
	enum truss_placement placement;
	bool durations; /* -T */
	bool relative;	/* -r */
	enum truss_clock clock;
	int duration_digits, relative_digits, clock_digits; /* after the point */
	size_t string_limit;
	unsigned decode_flags; /* -v, -x */
	unsigned fd_kinds;     /* -y, -yy: TRUSS_FD_* */
	const char *output;
	const char *html; /* --html: a page for there */
	const char *color;
	uint64_t call_limit; /* --syscall-limit, 0: none */
	struct sts_call_filter calls;
	struct truss_paths paths; /* -P */
	struct truss_fds fds;	  /* --fd */
	unsigned statuses;	  /* of calls that are shown */
	uint64_t signals;	  /* bit n-1: show signal n */
	struct truss_injections injections;
	bool events; /* births, execs, LWPs */
};

#define TRUSS_GO_ON (-1)
/* Exit status to leave with, or TRUSS_GO_ON; so do all that parse options. */
int truss_options_parse(int argc, char **argv, struct truss_options *ret);
/* "trace=SET"; of one name, "trace=", its value; print what a set holds. */
int truss_expression(struct truss_options *o, char *text);
int truss_qualify(struct truss_options *o, const char *name, char *value);
int truss_list_set(struct truss_options *o, char *expression);
int truss_out_of_memory(void);
void truss_options_free(struct truss_options *o);

struct truss_output {
	FILE *file;
	bool to_file; /* -o: every record with its pid */
	bool whole;   /* calls are shown at their end, in one piece */
	bool pipe;    /* opened by popen(3) */
	bool color;
	bool failed;
	int error;	/* errno of the first failed write */
	bool many;	/* more than one LWP: name it */
	pid_t open_tid; /* whose record stands unfinished at the end of the output, 0 none */
	size_t column;
	struct timespec last; /* when the record before began, monotonic; zero: none */
	const struct truss_options *options;
	struct truss_part *parts; /* -ff: the files, by tid */
	size_t n_parts;		  /* that are open */
};

int truss_output_open(struct truss_output *out, const struct truss_options *o);
/* Ends it; false if anything was lost. */
bool truss_output_close(struct truss_output *out);
/* No more of this LWP. */
void truss_output_forget(struct truss_output *out, pid_t tid);
/* A record of its own: a whole line. */
void truss_line(struct truss_output *out, pid_t tid, const char *color, const char *text);

/* Whether what calls name decides. */
static inline bool truss_options_look(const struct truss_options *o)
{
	return o->paths.n > 0 || o->fds.given;
}

/* A moment, by both clocks. */
struct truss_time {
	struct timespec real, monotonic;
};
struct truss_time truss_now(void);
int64_t truss_nanoseconds(const struct timespec *from, const struct timespec *to);

/* One function that has called another. */
struct sts_site;
struct truss_frame {
	uint64_t address;
	const char *module;	     /* the file, NULL if there is none */
	uint64_t module_offset;	     /* the address that the file was linked for */
	const struct sts_site *site; /* NULL: nothing is known */
};
struct truss_stack {
	struct truss_frame *frames; /* the innermost first; names are kept to the end */
	size_t n, room;
};

/* One call of an LWP, from entry to exit. */
struct truss_call {
	bool active; /* between the two */
	bool ours;   /* of a thread whose calls are shown */
	bool wanted; /* and names what is looked for, as far as is known */
	bool folded; /* one of many, which are told as one */
	bool shown;  /* its first half stands on the output */
	struct stasis_event_syscall data;
	struct stasis_decode decode;
	struct truss_time start;
	struct timespec end;  /* monotonic */
	uint64_t cpu;	      /* the LWP's time on the CPU at the entry */
	struct sts_json json; /* between the halves */
	char *text;	      /* its first half */
	/* What is done to it, NULL: nothing; also if it is not active, for it is not shown. */
	const struct truss_injection *injection;
	enum stasis_abi abi; /* of the call it was, if there is one */
	uint64_t number;
	unsigned count; /* the LWP's how-manieth */
	struct truss_stack stack;
	struct stasis_decode page_decode; /* of --html, whose text is its own */
	char *page_text;
};

/* It returns though it would not: the kernel does not run it. */
static inline bool truss_call_replaced(const struct truss_call *call)
{
	return call->injection && call->injection->has_result;
}

/* Whom the decoder's questions are about. */
struct truss_ring;
struct truss_source {
	struct stasis_session *session;
	pid_t pid;
	struct truss_ring **rings;
	bool own; /* the call is our own: the memory to read is ours */
	unsigned fd_kinds;
};
/* What a descriptor can lead to. */
enum {
	TRUSS_FD_PATH = 1 << 0,
	TRUSS_FD_SOCKET = 1 << 1,
	TRUSS_FD_DEVICE = 1 << 2,
	TRUSS_FD_PROCESS = 1 << 3,
	TRUSS_FD_ALL = (1 << 4) - 1
};
/* The call's decoder, ready for either half. */
void truss_decoder_set(struct stasis_decode *d, struct truss_source *source, const struct truss_options *options);
struct stasis_decode *truss_decoder(struct truss_source *source, struct truss_call *call,
				    const struct truss_options *options);
/* What a descriptor of the source's leads to, of the kinds it is to tell, as struct stasis_decode wants it. */
int truss_fd_text(void *source, int fd, char *buf, size_t len);
/* Whether the call names one of the paths or descriptors that are looked for; true if none are. */
bool truss_call_looks_for(struct truss_source *source, const struct truss_call *call,
			  const struct truss_options *options, bool leaving);
/* Learn from every finished call where io_urings are; forget a process's (0: all). */
void truss_rings_track(struct truss_source *source, const struct stasis_event_syscall *call);
void truss_rings_forget(struct truss_ring **rings, pid_t pid);

/* --- the whole ---------------------------------------------------------------------------- */

struct truss_lwp {
	pid_t pid, tid;
	char comm[64]; /* its name, as far as comm_known */
	bool comm_known;
	bool program_matters; /* of --exec */
	int cpu_fd;	      /* of its schedstat; 0: not open */
	struct truss_call call;
	bool spawned;		    /* by posix_spawn, and runs its parent's program yet */
	unsigned n_folded;	    /* calls, since the last record */
	struct truss_count *counts; /* of its calls, as far as injections need them */
	uint64_t signals_injected;  /* bit n-1: signal n is on its way */
	bool delayed, at_entry;
	struct timespec due; /* when it goes on, monotonic */
	struct truss_lwp *next_delayed;
	UT_hash_handle hh;
};

/* Where we and the traced run: place.c. */
struct truss_place {
	bool active;	       /* places are ours to choose */
	bool shared;	       /* all on one CPU */
	bool was_shared;       /* before somebody asked */
	unsigned askers;       /* LWPs that ask which CPUs they may use */
	cpu_set_t all, one;    /* as without us; the one */
	struct timespec since; /* of the sample */
	unsigned n;	       /* events in it */
	int64_t getaffinity[STASIS_ABI_X32 + 1], setaffinity[STASIS_ABI_X32 + 1];
};

struct truss {
	struct truss_options options;
	struct truss_output out;
	const struct truss_format *format;
	struct stasis_session *session;
	struct truss_lwp *lwps;
	pid_t command_pid;
	int command_status; /* wait(2) status */
	bool command_done;
	bool launch_shown; /* its execve */
	/* -D: what lets it go on, events that are wanted of it once it is what it shall be, whether it is. */
	int command_go;
	struct stasis_event_mask command_mask;
	bool command_begun;
	struct truss_place place;
	int64_t hold;		   /* nanoseconds that the LWP which reports now shall rest, -1: none */
	struct truss_lwp *delayed; /* in the order of their turns */
	timer_t delay_timer;
	bool has_delay_timer;
	struct truss_ring *rings;
	struct truss_space *spaces; /* of -k: by pid, what is mapped where; files */
	struct truss_module *modules;
	struct truss_stat *stats;
	struct truss_lane *lanes;	     /* of --format=chrome-trace */
	unsigned n_lanes;		     /* there ever were */
	struct truss_page *page;	     /* of --html */
	unsigned n_family;		     /* processes there were */
	struct truss_person *family, *alive; /* all of it; by pid, those alive */
	struct truss_relative *relatives;
	bool refusal_told;
	bool unattached; /* one that was asked for could not be attached */
	struct truss_time began;
	uint64_t records, calls; /* written */
	uint64_t ended;		 /* calls that were shown or counted */
	char *buffer;		 /* where a record is made */
	size_t buffer_size;
};

/* Room for a longer record; false: that would be too much. */
bool truss_buffer_grow(struct truss *t);
/* Learn from an event, and show it. */
void truss_event(struct truss *t, struct stasis_event *e);
/* The tracing ends: so do calls that are under way. */
void truss_calls_abandon(struct truss *t);
void truss_lwps_free(struct truss *t);
/* The name of the LWP's thread. */
const char *truss_comm(struct truss_lwp *lwp);

/* What records look like. */
struct truss_format {
	void (*begin)(struct truss *t);
	void (*enter)(struct truss *t, struct truss_lwp *lwp, struct truss_source *source);
	/* status: TRUSS_*; the call has a result if it succeeded or failed. */
	void (*leave)(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status);
	/* All that is no call; only what is to be shown. */
	void (*event)(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e);
	void (*end)(struct truss *t);
};
extern const struct truss_format truss_text, truss_json, truss_chrome;
/* Say how many calls were folded. */
void truss_text_unfold(struct truss *t, struct truss_lwp *lwp);
/* Other records of JSON: begin, add members, end. */
void truss_json_begin(struct truss *t, struct sts_text *out, const char *kind);
void truss_json_end(struct truss *t, struct sts_text *out);
/* What others make of JSON too: a call's first half, kept with it; all of a call in t's buffer, begun by `begin`, its
 * end left open; the members of an event, each after a comma. */
void truss_json_enter(struct truss *t, struct truss_lwp *lwp, struct truss_source *source);
void truss_json_call(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status,
		     void (*begin)(struct truss *t, struct truss_lwp *lwp, struct sts_text *out, unsigned status),
		     struct sts_text *out);
void truss_json_add_event(struct truss *t, struct truss_lwp *lwp, struct sts_text *out, const struct stasis_event *e);

/* -k. An LWP rests at its call: who made it. A call has returned: what may it have mapped. A process ended or runs
 * another program (0: all). */
void truss_stack_take(struct truss *t, struct truss_lwp *lwp);
void truss_stacks_learn(struct truss *t, const struct stasis_event_syscall *call);
void truss_spaces_forget(struct truss *t, pid_t pid);
void truss_stacks_free(struct truss *t);
void truss_stack_free(struct truss_stack *stack);
/* As lines below the call; as a member. */
void truss_stack_show(struct truss *t, const struct truss_stack *stack);
void truss_stack_json(struct sts_text *out, const struct truss_stack *stack);

/* At the exit of a call: if it was to trace what we trace, say why it failed. */
void truss_tracers_refused(struct truss *t, struct truss_lwp *lwp, const struct stasis_event_syscall *call);

/* Do to calls what was asked for: at the entry, before it is shown; at the exit, which may become another. */
void truss_tamper_enter(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e);
void truss_tamper_leave(struct truss *t, struct truss_lwp *lwp, struct stasis_event *e);
/* A signal of ours looks as the kernel's do. */
void truss_tamper_signal(struct truss *t, struct stasis_event *e);
/* The marks of strace behind a result, "" if there are none. */
const char *truss_tamper_marks(const struct truss_call *call, char *buf, size_t size);
/* The LWP that has reported rests; those whose time has come go on; it is gone, or goes on under another id. */
void truss_delay_begin(struct truss *t, const struct stasis_event *e);
void truss_delay_end(struct truss *t);
void truss_delay_forget(struct truss *t, struct truss_lwp *lwp);
void truss_tamper_free(struct truss *t);
void truss_tamper_forget(struct truss_lwp *lwp);

/* The LWP is new, or runs a new program; are its records shown? */
void truss_lwp_identify(struct truss *t, struct truss_lwp *lwp);
bool truss_lwp_matters(struct truss *t, struct truss_lwp *lwp);

/* Every event but calls; take hold of all who descend from those we hold. */
void truss_follow_note(struct truss *t, const struct stasis_event *e);
void truss_follow_family(struct truss *t);
void truss_follow_free(struct truss *t);
/* 0: not to be known. */
pid_t truss_parent_of(pid_t pid);

/* -D: returns in a process that shall trace, never in the caller's; take hold of the command; it execs. */
int truss_daemon_begin(struct truss *t);
int truss_daemon_attach(struct truss *t);
void truss_daemon_exec(struct truss *t, const struct stasis_event *e);

/* -u: who the command runs as. false: said why not. What is allocated belongs to opts, and goes with the second. */
bool truss_user_set(const char *user, struct stasis_spawn_opts *opts);
void truss_user_free(struct stasis_spawn_opts *opts);

/* Options that other tracers have, by letter or by one of these, and what to use instead; NULL: it is none of them. */
enum { TRUSS_REFUSE_PIDNS = 1000, TRUSS_REFUSE_TIPS, TRUSS_REFUSE_RAW, TRUSS_REFUSE_DUMP, TRUSS_REFUSE_KVM };
const char *truss_refused(int option);

/* Before the launch: ask for a filter, if there can be one; set is its room. After it: say if there is none. true:
 * there is. */
void truss_seccomp_ask(struct truss *t, struct stasis_call_set *set, struct stasis_spawn_opts *opts);
bool truss_seccomp_told(struct truss *t);

/* The command is launched; an LWP is met; an event; no more of it. */
void truss_place_begin(struct truss *t, bool filtered);
void truss_place_new(struct truss *t, pid_t tid);
void truss_place_event(struct truss *t, const struct stasis_event *e);
void truss_place_end(struct truss *t);

/* --html. The file is made at the beginning, -errno; a call begins; it has ended; at the end the page, false if it
 * could not be written. */
int truss_page_open(struct truss *t);
void truss_page_enter(struct truss *t, struct truss_lwp *lwp, struct truss_source *source);
void truss_page_leave(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status);
bool truss_page_close(struct truss *t);

static inline bool truss_family_wanted(const struct truss_options *o)
{
	return o->tree || o->html;
}
/* The family: learn from every event but calls; show it. */
void truss_tree_note(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e);
void truss_tree_show(struct truss *t);
void truss_tree_free(struct truss *t);

/* Summaries: a call begins; it has ended; what is known so far, or at the end; an LWP is gone. */
void truss_summary_begin(struct truss_lwp *lwp);
void truss_summary_add(struct truss *t, struct truss_lwp *lwp);
void truss_summary_show(struct truss *t, bool final);
void truss_summary_forget(struct truss_lwp *lwp);
void truss_summary_free(struct truss *t);

/* Text: the first half; it is shown at once where that may be, which it says. */
bool truss_call_shown_now(const struct truss_output *out, const struct truss_call *call);
void truss_call_enter(struct truss_output *out, pid_t tid, struct truss_call *call, const char *text);
/* rest: what follows the first half. */
void truss_call_leave(struct truss_output *out, pid_t tid, struct truss_call *call, const char *rest,
		      const char *result);
/* End a line that stands unfinished. */
void truss_break_line(struct truss_output *out);
/* Any line as it is. */
void truss_raw_line(struct truss_output *out, const char *text);
/* A record had to be given up. */
void truss_lost(struct truss_output *out, int error);

#endif
