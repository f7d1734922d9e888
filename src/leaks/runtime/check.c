// SPDX-License-Identifier: BSD-2-Clause
/*
 * One check. On demand it is done in a copy of the stopped process, so that the program goes on after the copy; at the
 * program's end, or where no copy can be made, in the stopped process itself.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "leaks/runtime/check.h"
#include "leaks/runtime/settings.h"
#include "stopworld/os.h"
#include "stopworld/world.h"
#include "stopworld/x86/raw.h"

struct check {
	enum sts_raw_reason reason;
	struct sts_scan scan;
	struct sts_roots roots;
	struct sts_sums sums;
	struct sts_out out;
	struct sts_held held, wanted; /* what this report was made with, and what the next is to be */
	struct stasis_world *world;
	uintptr_t own_sp;	    /* of the program, as it called us */
	struct sts_scan_range ours; /* our frames, which may be in a block */
	uint64_t began, marked;	    /* ns */
	uint64_t pause;
	bool failed;  /* no memory */
	int flags;    /* of the original's memory, for its copy; see roots.h */
	bool is_copy; /* and so may lack some of the memory */
	bool lacking; /* it does */
};

static _Atomic uint32_t going_on; /* futex: the thread that checks, 0: none */
static _Atomic bool ending;	  /* the check at the end is due, and comes before any other */
static uint32_t sequence;
static bool forked; /* from a program that had threads, perhaps */

static uint64_t time_of_day_ns(void)
{
	struct timespec now = {0};

	RAW(clock_gettime, CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- roots ----------------------------------------------------------------------------------- */

static void cut(void *arg, uintptr_t start, uintptr_t end)
{
	struct check *c = arg;

	sts_roots_cut(&c->roots, start, end);
}

static void cut_tls(struct check *c, uintptr_t tp)
{
	enum { DESCRIPTOR = 4096 }; /* glibc's and musl's are smaller */
	size_t size = c->roots.tls_size;

	if (tp != 0)
		sts_roots_cut(&c->roots, tp - size, tp + DESCRIPTOR);
}

static void count(void *arg, uintptr_t start, uintptr_t end)
{
	++*(size_t *)arg;
}

static size_t count_cuts(size_t threads)
{
	size_t n = 16 + threads; /* ours, and where registers are kept */

	if (!sts_settings.use_tls)
		n += threads + 1;
	sts_heap_each_range(count, &n);
	sts_heap_each_own(count, &n);
	sts_modules_each_data(count, &n);
	return n;
}

/*
 * What we have on the stack and in our own data are addresses of blocks as well, and of the heap's first and last: no
 * pointers of the program's. Nor can be told what was on the stack before.
 */
static void cut_ours(struct check *c)
{
	enum { OUR_FRAMES = 16384 };

	sts_roots_cut(&c->roots, (uintptr_t)c, (uintptr_t)(c + 1));
	sts_roots_cut(&c->roots, (uintptr_t)&sts_world, (uintptr_t)(&sts_world + 1));
	sts_roots_cut(&c->roots, c->own_sp - OUR_FRAMES, c->own_sp);
	c->ours = (struct sts_scan_range){c->own_sp - OUR_FRAMES, c->own_sp};
}

static void make_cuts(struct check *c)
{
	sts_modules_each_own(cut, c);
	cut_ours(c);
	sts_heap_each_range(cut, c);
	sts_heap_each_own(cut, c);
	sts_roots_cut(&c->roots, (uintptr_t)c->scan.memory, (uintptr_t)c->scan.memory + c->scan.mapped);
	sts_roots_cut(&c->roots, (uintptr_t)c->out.data, (uintptr_t)c->out.data + c->out.room);
	sts_roots_cut(&c->roots, (uintptr_t)c->sums.table, (uintptr_t)c->sums.table + c->sums.mapped);
	if (!sts_settings.use_globals)
		sts_modules_each_data(cut, c);
}

static void tell_obstacle(struct check *c, size_t i)
{
	struct stasis_world_thread t;

	if (stasis_world_thread(c->world, i, STASIS_WORLD_WANT_NAME, &t) < 0)
		return;
	struct sts_raw_obstacle o = {.tid = t.tid, .other = t.other, .state = (uint32_t)t.state};
	sts_out_item(&c->out, STS_RAW_OBSTACLE, &o, sizeof(o), t.name, strlen(t.name));
}

static void scan_registers(struct check *c, const struct stasis_world_thread *t)
{
	const uint64_t *regs = (const void *)t->regs;

	/* Where they are kept is no root by itself. (The others are kept in sts_world.) */
	if (t->xstate != NULL)
		sts_roots_cut(&c->roots, (uintptr_t)t->xstate, (uintptr_t)t->xstate + t->xstate_size);
	if (t->regs == NULL || !sts_settings.use_registers)
		return;
	for (size_t i = 0; i < sizeof(*t->regs) / sizeof(*regs); i++)
		sts_scan_word(&c->scan, regs[i]);
	if (t->xstate != NULL)
		sts_scan_memory(&c->scan, (uintptr_t)t->xstate, (uintptr_t)t->xstate + t->xstate_size);
}

/* Either may be a block itself. Where a signal's handler would run only the kernel knows, perhaps. */
static void take_stacks(struct check *c, uintptr_t sp, uintptr_t alternate)
{
	sts_scan_word(&c->scan, alternate);
	if (sts_settings.use_stacks)
		sts_scan_word(&c->scan, sp);
}

static void take_thread(struct check *c, size_t i)
{
	struct stasis_world_thread t;

	if (stasis_world_thread(c->world, i, 0, &t) < 0)
		return;
	/* Where it is says nothing: all of its stack counts. */
	if (t.state == STASIS_WORLD_RUNNING) {
		c->roots.some_unknown = true; /* it may have ended, but it may not */
		tell_obstacle(c, i);
		return;
	}
	sts_roots_thread(&c->roots, t.sp, t.thread_pointer);
	if (!sts_settings.use_tls)
		cut_tls(c, t.thread_pointer);
	scan_registers(c, &t);
	take_stacks(c, t.sp, t.altstack);
}

static void take_threads(struct check *c)
{
	uintptr_t tp = (uintptr_t)__builtin_thread_pointer();
	stack_t alternate = {0};

	RAW(sigaltstack, NULL, &alternate);
	sts_roots_thread(&c->roots, c->own_sp, tp);
	if (!sts_settings.use_tls)
		cut_tls(c, tp);
	take_stacks(c, c->own_sp, (uintptr_t)alternate.ss_sp);
	for (size_t i = 0; i < stasis_world_count(c->world); i++)
		take_thread(c, i);
}

static void scan_root(void *arg, uintptr_t start, uintptr_t end)
{
	struct check *c = arg;

	sts_scan_later(&c->scan, start, end);
}

/* Parts of a region may be unreadable. */
static void scan_region(void *arg, uintptr_t start, uintptr_t end)
{
	sts_roots_each_readable(start, end, scan_root, arg);
}

/* --- marking ----------------------------------------------------------------------------------- */

static void mark(struct check *c)
{
	sts_scan_set_mark(&c->scan, STS_MARK_REACHABLE);
	take_threads(c);
	if (!sts_roots_prepare(&c->roots)) {
		c->failed = true;
		return;
	}
	c->lacking = c->is_copy && c->roots.holes;
	if (c->lacking)
		return;
	sts_roots_hole(&c->roots, c->ours.start, c->ours.end);
	c->scan.unreadable = c->roots.unreadable;
	c->scan.n_unreadable = c->roots.n_unreadable;
	sts_roots_each(&c->roots, false, scan_root, c);
	if (sts_settings.use_root_regions)
		sts_regions_each(scan_region, c);
	sts_scan_ignored(&c->scan);
	sts_scan_set_mark(&c->scan, STS_MARK_POSSIBLE);
	sts_roots_each(&c->roots, true, scan_root, c);
	sts_scan_follow(&c->scan);
	sts_scan_indirect(&c->scan);
	sts_held_mark(&c->held, &c->scan);
}

static bool begin(struct check *c, size_t threads)
{
	const struct sts_scan_options opts = {.unaligned = sts_settings.use_unaligned,
					      .past_end = sts_settings.use_past_end,
					      .tag = (uint64_t)sts_settings.tag_bits,
					      .threads = (unsigned)sts_settings.scan_threads};

	if (!sts_scan_begin(&c->scan, &opts))
		return false;
	if (sts_roots_begin(&c->roots, count_cuts(threads), threads + 1) &&
	    sts_sums_begin(&c->sums, c->scan.live_blocks) &&
	    sts_out_begin(&c->out, sts_settings.report_objects ? c->scan.live_blocks * 64 : 0)) {
		c->roots.some_unknown = forked;
		c->roots.no_stacks = !sts_settings.use_stacks;
		c->roots.tls_size = sts_modules_tls_size();
		sts_modules_thread_offsets(&c->roots.tid_offset, &c->roots.result_offset);
		make_cuts(c);
		return true;
	}
	return false;
}

static void tell_process(struct check *c)
{
	struct sts_raw_process p = {
		.magic = STS_RAW_MAGIC,
		.version = STS_RAW_VERSION,
		.reason = c->reason,
		.pid = (int32_t)RAW(getpid),
		.ppid = (int32_t)RAW(getppid),
		.threads = (uint32_t)stasis_world_count(c->world) + 1,
		.sequence = sequence,
		.time_ns = time_of_day_ns(),
		.live_blocks = c->scan.live_blocks,
		.live_bytes = c->scan.live_bytes,
		.held = c->held.n,
	};

	sts_out_item(&c->out, STS_RAW_PROCESS, &p, sizeof(p), NULL, 0);
}

/* False if there was no memory. */
static bool look(struct check *c)
{
	if (!begin(c, stasis_world_count(c->world)))
		return false;
	tell_process(c);
	mark(c);
	if (c->failed || c->lacking)
		return !c->failed;
	c->marked = sts_os_now_ns();
	c->sums.held = &c->held;
	sts_sums_take(&c->sums, &c->out, sts_settings.show_reachable, sts_settings.report_objects);
	return true;
}

/* --- telling --------------------------------------------------------------------------------------- */

static void set_times(struct check *c)
{
	struct sts_raw_process *p = (void *)(c->out.data + sizeof(struct sts_raw_item));

	p->pause_ns = c->pause;
	p->check_ns = c->marked - c->began;
}

static int tell(struct check *c)
{
	set_times(c);
	sts_sums_tell(&c->sums, &c->out);
	sts_modules_tell(&c->out);
	sts_texts_tell(&c->out);
	sts_out_end(&c->out);
	return sts_send(&c->out, c->sums.leaks > INT32_MAX ? INT32_MAX : (int)c->sums.leaks, &c->wanted);
}

static void end(struct check *c)
{
	sts_scan_end(&c->scan);
	sts_roots_end(&c->roots);
	sts_sums_end(&c->sums);
	sts_out_free(&c->out);
}

/* The reporter wants another report, once at most. */
static bool is_wanted_again(struct check *c)
{
	if (c->wanted.n == 0 || c->held.n > 0)
		return false;
	c->held = c->wanted;
	return true;
}

static int no_memory(void)
{
	sts_say("there is too little memory to look for leaks", "");
	return -ENOMEM;
}

static struct stasis_world_opts world_opts(void)
{
	return (struct stasis_world_opts){.size = sizeof(struct stasis_world_opts),
					  .flags = STASIS_WORLD_PARTIAL,
					  .timeout_ms = sts_settings.timeout_ms};
}

static int check_here_once(struct check *c)
{
	struct stasis_world_opts opts = world_opts();
	int r = stasis_world_stop(&opts, &c->world);

	if (r < 0) {
		sts_heap_release();
		return r;
	}
	bool good = look(c);
	(void)stasis_world_resume(c->world);
	c->pause = sts_os_now_ns() - c->began;
	sts_heap_release();
	r = good ? tell(c) : no_memory();
	end(c);
	return r;
}

static int check_here(struct check *c)
{
	int r = check_here_once(c);

	if (!is_wanted_again(c))
		return r;
	/* Some have gone on meanwhile: it is another check. */
	sts_heap_hold();
	return check_here_once(c);
}

/* What the copy tells the original. */
struct verdict {
	enum { LOOKS, TELLS, DONE, LACKS } _Atomic state;
	int result;
	_Atomic uint64_t pause; /* ns, known after the copy was made */
};

static _Noreturn void look_in_copy(struct check *c, struct verdict *v)
{
	while ((c->pause = atomic_load(&v->pause)) == 0)
		RAW(sched_yield);
	c->is_copy = true;
	do {
		end(c);
		bool good = look(c);

		c->lacking |= good && c->sums.leaks > 0 && sts_roots_uncopied(c->flags);
		if (c->lacking)
			break;
		atomic_store(&v->state, TELLS);
		v->result = good ? tell(c) : no_memory();
	} while (is_wanted_again(c));
	atomic_store(&v->state, c->lacking ? LACKS : DONE);
	sts_os_exit(0);
}

/* The program's threads go on, and may allocate, as soon as there is a copy. -ECANCELED and the like: there is none. */
static int copy_and_look(struct check *c, struct verdict *v)
{
	struct stasis_world_opts opts = world_opts();
	int pid, r = stasis_world_stop(&opts, &c->world);

	if (r < 0)
		return r;
	pid = sts_os_copy();
	if (pid == 0)
		look_in_copy(c, v);
	(void)stasis_world_resume(c->world);
	if (pid < 0)
		return pid;
	sts_heap_release();
	atomic_store(&v->pause, sts_os_now_ns() - c->began + 1);
	sts_os_reap(pid);
	return 0;
}

/*
 * Memory that the program keeps out of copies may hold the pointers that are missing. That is looked for when something
 * seems lost, for it takes some time.
 */
static int copy_with_flags(struct check *c, struct verdict *v)
{
	int r;

	c->flags = sts_roots_flags_open();
	r = copy_and_look(c, v);
	if (c->flags >= 0)
		RAW(close, c->flags);
	return r;
}

/* False if there was no copy that knows, and the heap is held. */
static bool check_in_copy(struct check *c, int *result_ret)
{
	void *p;
	struct verdict *v;
	int r = sts_os_map_shared(sizeof(*v), &p);

	if (r < 0)
		return false;
	v = p;
	r = copy_with_flags(c, v);
	if (r == 0 && (atomic_load(&v->state) == LACKS || atomic_load(&v->state) == LOOKS)) {
		sts_heap_hold();
		c->began = sts_os_now_ns();
		r = -EAGAIN;
	}
	/* Killed while it told of it, it cannot say what it was about to. */
	if (r == 0)
		*result_ret = atomic_load(&v->state) == DONE ? v->result : -ECANCELED;
	sts_os_unmap(p, sizeof(*v));
	return r == 0;
}

static int check(enum sts_raw_reason reason, uintptr_t sp)
{
	static struct check c; /* large, and only one goes on at a time */
	int r;

	memset(&c, 0, sizeof(c));
	c.reason = reason;
	c.own_sp = sp;
	sts_modules_prepare();
	sts_heap_hold();
	c.began = sts_os_now_ns();
	if (!sts_settings.snapshot || reason == STS_RAW_AT_EXIT || !check_in_copy(&c, &r))
		r = check_here(&c);
	sequence++;
	return r;
}

void sts_check_after_fork(void)
{
	atomic_store(&going_on, 0);
	atomic_store(&ending, false);
	forked = true;
	sequence = 0;
}

/*
 * One at a time: others wait, or a report would be missing, but no longer than a reporter may take. False if the check
 * that goes on is this thread's own, or the program ends.
 */
static bool enter(enum sts_raw_reason reason)
{
	enum { STEPS = 600 };
	const uint64_t step_ns = 100000000;
	uint32_t self = (uint32_t)sts_os_tid();

	if (reason == STS_RAW_AT_EXIT)
		atomic_store(&ending, true);
	for (int i = 0; i < STEPS; i++) {
		uint32_t other = 0;

		if (reason != STS_RAW_AT_EXIT && atomic_load(&ending))
			return false;
		if (atomic_compare_exchange_strong(&going_on, &other, self))
			return true;
		if (other == self)
			return false;
		sts_os_wait(&going_on, other, step_ns);
	}
	return false;
}

static void leave(enum sts_raw_reason reason)
{
	if (reason == STS_RAW_AT_EXIT)
		atomic_store(&ending, false);
	atomic_store(&going_on, 0);
	sts_os_wake(&going_on, INT32_MAX);
}

/*
 * The stack of who checks counts from here outwards. The registers that a function must keep, which may hold pointers,
 * are put below the frame's address at once.
 */
__attribute__((noinline)) int sts_check(enum sts_raw_reason reason)
{
	enum { KEPT = 5 };
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0) - KEPT * sizeof(uintptr_t);
	int r;

	/* Else they might stay where they are. */
	__asm__ volatile("" ::: "rbx", "r12", "r13", "r14", "r15");
	if (sts_heap_inside() || !enter(reason))
		return -EBUSY;
	r = check(reason, sp);
	leave(reason);
	return r;
}
