/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How calls reach the tracing task. Direct: they are on it. Isolated: they queue
 * up for the helper task, which also serves those who wait for events.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "control/gate.h"

struct request {
	TAILQ_ENTRY(request) link;
	struct request *older; /* among the posted */
	sts_request_fn fn;     /* NULL: a wait for events */
	bool look;	       /* see sts_gate_look() */
	void *arg;
	int result;
	_Atomic int done; /* enum progress */
	unsigned bell;	  /* the bit by which its sleeper is woken */
	pid_t pid;	  /* wait: of whom */
	int64_t deadline; /* wait: INT64_MAX for never */
	struct stasis_event *event;
};
TAILQ_HEAD(request_queue, request);
enum progress { PENDING, DONE, SLEPT_FOR };

/*
 * A look takes a microsecond, to wake somebody on another CPU thirty. So both
 * sides of the gate look out for each other a while before they sleep, unless
 * that was in vain of late: they may have to share a CPU, or it is a slow host.
 */
struct spin {
	_Atomic unsigned failures; /* in a row */
};
#define SPINS 2000
/* After so many failures it is tried every so many times only. */
#define SPIN_FAILURES 4
#define SPIN_RETRY 256

struct sts_gate {
	int *alive;	 /* a page that a forked child sees as zero */
	pthread_t owner; /* direct */
	bool unblock;	 /* direct: SIGCHLD was not blocked before */
	_Atomic int wake;
	_Atomic pid_t doorbell;
	int ready_fd;		 /* eventfd: there is something to wait for */
	int epoll_fd, signal_fd; /* direct, once asked for: ready_fd or SIGCHLD */
	bool more;		 /* direct: reports may be left uncollected */

	struct sts_task *task; /* isolated, and all below */
	int request_fd;
	_Atomic int asleep; /* the helper wants request_fd written to */
	_Atomic int queued; /* requests that it has not taken */
	_Atomic int bell;   /* futex of all who sleep for a request: changes whenever one of them may go on */
	_Atomic unsigned n_posted;
	_Atomic bool dead; /* the helper has ended: what is not done never will be */
	struct spin host_spin, helper_spin;
	bool ready_shown;		  /* as ready_fd was set last */
	_Atomic(struct request *) posted; /* newest first; no lock: the host may be killed at any moment */
	struct request_queue requests;	  /* helper's own: taken from there, oldest first */
	struct request_queue waiters;	  /* helper's own */
	int child_fd;
	bool stop, host_died;
	_Atomic int started;
	int start_result;
};

static bool is_ours(const struct stasis_session *s)
{
	return *s->gate->alive != 0;
}

static void fd_set_ready(int fd, bool ready)
{
	uint64_t value = 1;
	ssize_t n = ready ? write(fd, &value, sizeof value) : read(fd, &value, sizeof value);

	(void)n; /* full or empty already: as wanted */
}

/* --- isolated: the host's side ------------------------------------------------------ */

static bool spin_until(struct spin *spin, const _Atomic int *word, bool (*holds)(int value))
{
	unsigned failures = atomic_load_explicit(&spin->failures, memory_order_relaxed);
	bool tries = failures < SPIN_FAILURES || failures % SPIN_RETRY == 0;

	for (int i = 0; tries && i < SPINS; i++) {
		if (holds(atomic_load_explicit(word, memory_order_acquire))) {
			atomic_store_explicit(&spin->failures, 0, memory_order_relaxed);
			return true;
		}
		sts_arch_relax();
	}
	atomic_store_explicit(&spin->failures, failures + 1, memory_order_relaxed);
	return false;
}

static bool is_done_value(int value)
{
	return value == DONE;
}

static bool is_positive(int value)
{
	return value > 0;
}

static void post(struct sts_gate *gate, struct request *request)
{
	request->bell = 1U << atomic_fetch_add_explicit(&gate->n_posted, 1, memory_order_relaxed) % 32;
	request->older = atomic_load(&gate->posted);
	while (!atomic_compare_exchange_weak(&gate->posted, &request->older, request))
		;
	atomic_fetch_add(&gate->queued, 1);
	if (atomic_exchange(&gate->asleep, 0))
		fd_set_ready(gate->request_fd, true);
}

static bool is_done(struct request *request)
{
	return atomic_load_explicit(&request->done, memory_order_acquire) == DONE;
}

/* Done, or never to be. The helper may be killed at any moment; what it has done until then counts. */
static bool is_over(struct sts_gate *gate, struct request *request)
{
	return atomic_load(&gate->dead) || is_done(request);
}

static int result_of(struct request *request)
{
	return is_done(request) ? request->result : STASIS_E_TRACER_DEAD;
}

/* 0, or -EINTR: a signal handler of the caller's has run. */
static int sleep_for(struct sts_gate *gate, struct request *request)
{
	int bell = atomic_load(&gate->bell), pending = PENDING;

	atomic_compare_exchange_strong(&request->done, &pending, SLEPT_FOR);
	if (is_over(gate, request))
		return 0;
	long r = syscall(SYS_futex, &gate->bell, FUTEX_WAIT_BITSET_PRIVATE, bell, NULL, NULL, request->bell);
	return r < 0 ? -errno : 0;
}

static int call_helper(struct stasis_session *s, struct request *request)
{
	post(s->gate, request);
	if (request->look && spin_until(&s->gate->host_spin, &request->done, is_done_value))
		return request->result;
	while (!is_over(s->gate, request))
		sleep_for(s->gate, request);
	return result_of(request);
}

static bool may_call(const struct stasis_session *s)
{
	return is_ours(s) && (!s->direct || pthread_equal(pthread_self(), s->gate->owner));
}

static void direct_sync_ready(struct stasis_session *s)
{
	if (s->gate->epoll_fd >= 0)
		fd_set_ready(s->gate->ready_fd, s->gate->more || !TAILQ_EMPTY(&s->ready));
}

int sts_gate_call(struct stasis_session *s, sts_request_fn fn, void *arg)
{
	if (!may_call(s))
		return STASIS_E_WRONG_THREAD;
	if (!s->direct)
		return call_helper(s, &(struct request){.fn = fn, .arg = arg});
	int r = fn(s, arg);
	direct_sync_ready(s);
	return r;
}

int sts_gate_look(struct stasis_session *s, sts_request_fn fn, void *arg)
{
	if (!may_call(s))
		return STASIS_E_WRONG_THREAD;
	return s->direct ? fn(s, arg) : call_helper(s, &(struct request){.fn = fn, .arg = arg, .look = true});
}

void sts_gate_caller_mask(struct stasis_session *s, sigset_t *ret)
{
	pthread_sigmask(SIG_SETMASK, NULL, ret);
	if (s->direct && s->gate->unblock)
		sigdelset(ret, SIGCHLD);
}

/* --- isolated: the helper's side ------------------------------------------------------- */

static void ring(struct sts_gate *gate, unsigned bits)
{
	atomic_fetch_add(&gate->bell, 1);
	syscall(SYS_futex, &gate->bell, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, bits);
}

static void complete(struct sts_gate *gate, struct request *request, int result)
{
	unsigned bell = request->bell;

	request->result = result;
	/* Awake, the requester may be off with its stack already. */
	if (atomic_exchange(&request->done, DONE) == SLEPT_FOR)
		ring(gate, bell);
}

/* All that was posted so far; the oldest of it. */
static struct request *take_posted(struct sts_gate *gate)
{
	struct request *request = atomic_exchange(&gate->posted, NULL);

	for (; request; request = request->older)
		TAILQ_INSERT_HEAD(&gate->requests, request, link);
	return TAILQ_FIRST(&gate->requests);
}

static struct request *next_request(struct sts_gate *gate)
{
	struct request *request = TAILQ_FIRST(&gate->requests);

	if (!request)
		request = take_posted(gate);
	if (request)
		TAILQ_REMOVE(&gate->requests, request, link);
	if (request)
		atomic_fetch_sub(&gate->queued, 1);
	return request;
}

/* As many looks as may be taken before events are looked for. */
#define LOOKS_IN_A_ROW 1000

/* True if some were more than looks, or were many. */
static bool run_requests(struct stasis_session *s)
{
	struct sts_gate *gate = s->gate;
	struct request *request;
	int looks = 0;
	bool more = false;

	while (looks < LOOKS_IN_A_ROW && (request = next_request(gate))) {
		bool look = request->look;

		more |= !look;
		if (request->fn)
			complete(gate, request, request->fn(s, request->arg));
		else
			TAILQ_INSERT_TAIL(&gate->waiters, request, link);
		looks += look;
		if (look && !more)
			spin_until(&gate->helper_spin, &gate->queued, is_positive);
	}
	return more || looks == LOOKS_IN_A_ROW;
}

/* A followed child is no tracee before its exec, and may still become one when the parent it was told of is let go. */
static bool spawn_is_due(const struct stasis_session *s)
{
	const struct sts_process *p;

	TAILQ_FOREACH(p, &s->all, in_session)
		if (p->spawning && p->spawn_follow != STASIS_FOLLOW_PARENT)
			return true;
	return false;
}

/*
 * What was let go while the kernel held on to it (in vfork, dying) needs us until
 * it is free. A helper sees to that by itself; a direct session only while its
 * thread waits.
 */
static bool more_to_see_off(const struct stasis_session *s)
{
	return !TAILQ_EMPTY(&s->unclaimed) || (s->direct && !TAILQ_EMPTY(&s->all)) || spawn_is_due(s);
}

/* 1: still to wait; else the result. */
static int try_wait(struct stasis_session *s, pid_t pid, struct stasis_event *event)
{
	const struct sts_process *p;

	if (sts_ready_take(s, pid, event))
		return 0;
	if (pid == 0)
		return s->n_processes == 0 && !more_to_see_off(s) ? STASIS_E_NO_TRACEE : 1;
	p = sts_process_find(s, pid);
	return p && !p->shadow ? 1 : STASIS_E_NOT_TRACED;
}

static void serve_waiters(struct stasis_session *s, bool idle)
{
	struct request *request, *next;
	bool woken = false;

	for (request = TAILQ_FIRST(&s->gate->waiters); request; request = next) {
		next = TAILQ_NEXT(request, link);
		int r = try_wait(s, request->pid, request->event);
		if (r > 0 && atomic_load(&s->gate->wake)) {
			r = STASIS_E_INTERRUPTED;
			woken = true;
		}
		if (r > 0 && idle && sts_clock_ms() >= request->deadline)
			r = STASIS_E_TIMEOUT;
		if (r > 0)
			continue;
		TAILQ_REMOVE(&s->gate->waiters, request, link);
		complete(s->gate, request, r);
	}
	if (woken)
		atomic_store(&s->gate->wake, 0);
}

static void fail_waiters(struct stasis_session *s, int error)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&s->gate->waiters))) {
		TAILQ_REMOVE(&s->gate->waiters, request, link);
		complete(s->gate, request, error);
	}
}

static int poll_timeout(struct stasis_session *s)
{
	int64_t limit = INT64_MAX, now = sts_clock_ms();
	const struct request *request;

	TAILQ_FOREACH(request, &s->gate->waiters, link)
		if (request->deadline < limit)
			limit = request->deadline;
	int patience = sts_collect_patience(s);
	if (patience < INT_MAX && limit > now + patience)
		limit = now + patience;
	if (limit == INT64_MAX)
		return -1;
	return limit <= now ? 0 : limit - now > INT_MAX ? INT_MAX : (int)(limit - now);
}

/* True if there may be reports; false: there is a request. */
static bool helper_sleep(struct stasis_session *s)
{
	struct sts_gate *gate = s->gate;
	struct pollfd fds[2] = {{.fd = gate->child_fd, .events = POLLIN}, {.fd = gate->request_fd, .events = POLLIN}};

	atomic_store(&gate->asleep, 1);
	int n = poll(fds, 2, atomic_load(&gate->queued) > 0 ? 0 : poll_timeout(s));
	atomic_store(&gate->asleep, 0);
	if (fds[1].revents)
		fd_set_ready(gate->request_fd, false);
	if (fds[0].revents)
		gate->host_died |= sts_os_child_fd_drain(gate->child_fd, s->host_pid);
	return n <= 0 || fds[0].revents;
}

static void helper_show_ready(struct stasis_session *s)
{
	bool ready = !TAILQ_EMPTY(&s->ready);

	if (ready || s->gate->ready_shown) /* anew while it is: somebody may have read it */
		fd_set_ready(s->gate->ready_fd, ready);
	s->gate->ready_shown = ready;
}

static int helper_start(struct stasis_session *s)
{
	int r = sts_os_task_signals_init(&s->host_ignores_child);

	if (r < 0)
		return r;
	s->gate->host_died = sts_os_task_orphaned(s->host_pid);
	s->gate->child_fd = sts_os_child_fd();
	return s->gate->child_fd < 0 ? s->gate->child_fd : 0;
}

static void helper_main(void *arg)
{
	struct stasis_session *s = arg;
	struct sts_gate *gate = s->gate;
	bool idle = false, news = true;

	gate->start_result = helper_start(s);
	atomic_store(&gate->started, 1);
	if (gate->start_result < 0)
		return;
	while (!gate->host_died) {
		news |= run_requests(s);
		serve_waiters(s, idle);
		helper_show_ready(s);
		if (gate->stop)
			break;
		int r = news ? sts_collect(s, false) : 0;
		if (r < 0)
			fail_waiters(s, r);
		idle = r <= 0;
		news = idle ? helper_sleep(s) : true;
	}
	if (gate->host_died)
		sts_session_shutdown(s);
}

/* It ended as it should, or was killed: nobody sleeps on, and who polls is told to ask. */
__attribute__((no_sanitize("thread"), noinline)) static void helper_over(void *arg)
{
	struct stasis_session *s = arg;

	atomic_store(&s->gate->dead, true);
	ring(s->gate, FUTEX_BITSET_MATCH_ANY);
	fd_set_ready(s->gate->ready_fd, true);
}

/* --- waiting ------------------------------------------------------------------------------ */

static int do_cancel(struct stasis_session *s, void *arg)
{
	struct request *request = arg, *other;

	TAILQ_FOREACH(other, &s->gate->waiters, link) {
		if (other != request)
			continue;
		TAILQ_REMOVE(&s->gate->waiters, request, link);
		complete(s->gate, request, STASIS_E_INTERRUPTED);
		break;
	}
	return 0;
}

static int wait_isolated(struct stasis_session *s, struct request *request)
{
	post(s->gate, request);
	while (!is_over(s->gate, request))
		if (sleep_for(s->gate, request) == -EINTR)
			call_helper(s, &(struct request){.fn = do_cancel, .arg = request});
	return result_of(request);
}

static int direct_sleep(struct stasis_session *s, int64_t deadline)
{
	int64_t now = sts_clock_ms();

	if (now >= deadline)
		return STASIS_E_TIMEOUT;
	int64_t slice = deadline - now;
	int r = sts_collect_sleep(s, slice > INT_MAX ? INT_MAX : (int)slice);
	return r == -EINTR ? STASIS_E_INTERRUPTED : 0;
}

/*
 * Whom an interrupt was just sent needs the CPU to come to rest: rather than ask
 * in vain sleep at once. A signal of before ends that sleep early, no more.
 */
static int let_interrupted_stop(struct stasis_session *s)
{
	bool sent = s->interrupts_sent && !TAILQ_EMPTY(&s->expected) && TAILQ_EMPTY(&s->arrived);

	return sent ? direct_sleep(s, INT64_MAX) : 0;
}

static int wait_direct(struct stasis_session *s, struct request *request)
{
	struct sts_gate *gate = s->gate;
	bool forever = request->deadline == INT64_MAX;

	if (gate->signal_fd >= 0)
		sts_os_child_signal_wait(0); /* what it stands for is collected below */
	for (;;) {
		int r = try_wait(s, request->pid, request->event);

		if (r <= 0)
			return r;
		if (atomic_exchange(&gate->wake, 0))
			return STASIS_E_INTERRUPTED;
		if (forever && (r = let_interrupted_stop(s)) < 0)
			return r;
		r = sts_collect(s, forever);
		gate->more = r > 0;
		if (r == -EINTR)
			return STASIS_E_INTERRUPTED;
		if (r < 0)
			return r;
		if (r == 0 && (r = direct_sleep(s, request->deadline)) < 0)
			return r;
	}
}

int stasis_wait(struct stasis_session *session, pid_t pid, int timeout_ms, struct stasis_event *event_ret)
{
	struct stasis_event event;
	struct request request = {
		.pid = pid,
		.deadline = timeout_ms < 0    ? INT64_MAX
			    : timeout_ms == 0 ? 0
					      : sts_clock_ms() + timeout_ms,
		.event = &event,
	};

	if (!may_call(session))
		return STASIS_E_WRONG_THREAD;
	int r = session->direct ? wait_direct(session, &request) : wait_isolated(session, &request);
	if (session->direct)
		direct_sync_ready(session);
	if (r == 0)
		*event_ret = event;
	return r;
}

void stasis_session_wake(struct stasis_session *session)
{
	struct sts_gate *gate = session->gate;
	int saved = errno;

	if (!is_ours(session))
		return;
	atomic_store(&gate->wake, 1);
	if (session->direct)
		sts_os_doorbell(&gate->doorbell);
	fd_set_ready(session->direct ? gate->ready_fd : gate->request_fd, true);
	errno = saved;
}

bool sts_gate_doorbell(struct stasis_session *s, pid_t pid)
{
	if (atomic_load(&s->gate->doorbell) != pid)
		return false;
	sts_os_wait_reap(pid);
	return true;
}

/* --- the descriptor -------------------------------------------------------------------------- */

static int add_to_epoll(int epoll_fd, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int direct_fd_open(struct stasis_session *s)
{
	struct sts_gate *gate = s->gate;

	gate->signal_fd = sts_os_child_fd();
	if (gate->signal_fd < 0)
		return gate->signal_fd;
	int fd = epoll_create1(EPOLL_CLOEXEC);
	int r = fd < 0 ? -errno : add_to_epoll(fd, gate->signal_fd);
	if (r == 0)
		r = add_to_epoll(fd, gate->ready_fd);
	if (r < 0) {
		close(gate->signal_fd);
		if (fd >= 0)
			close(fd);
		gate->signal_fd = -1;
		return r;
	}
	gate->epoll_fd = fd;
	gate->more = true; /* what came before the descriptor */
	direct_sync_ready(s);
	return 0;
}

int stasis_session_fd(struct stasis_session *session)
{
	struct sts_gate *gate = session->gate;

	if (!may_call(session))
		return STASIS_E_WRONG_THREAD;
	if (!session->direct)
		return gate->ready_fd;
	if (gate->epoll_fd < 0) {
		int r = direct_fd_open(session);

		if (r < 0)
			return r;
	}
	return gate->epoll_fd;
}

pid_t stasis_session_tracer_pid(struct stasis_session *session)
{
	if (session->direct)
		return session->host_pid;
	return atomic_load(&session->gate->dead) ? STASIS_E_TRACER_DEAD : sts_os_task_pid(session->gate->task);
}

/* --- opening and closing --------------------------------------------------------------------------- */

static int alive_page(struct sts_gate *gate)
{
	long size = sysconf(_SC_PAGESIZE);

	gate->alive = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (gate->alive == MAP_FAILED)
		return -errno;
	*gate->alive = 1;
	return madvise(gate->alive, size, MADV_WIPEONFORK) < 0 ? -errno : 0;
}

static void gate_free(struct sts_gate *gate)
{
	int fds[] = {gate->ready_fd, gate->request_fd, gate->epoll_fd, gate->signal_fd, gate->child_fd};

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (gate->alive && gate->alive != MAP_FAILED)
		munmap(gate->alive, sysconf(_SC_PAGESIZE));
	free(gate);
}

static int open_direct(struct stasis_session *s)
{
	int r = sts_os_child_signal_block();

	if (r < 0)
		return r == -EINVAL ? STASIS_E_BAD_STATE : r;
	s->gate->unblock = r > 0;
	s->gate->owner = pthread_self();
	return 0;
}

static int open_isolated(struct stasis_session *s)
{
	struct sts_gate *gate = s->gate;

	gate->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (gate->request_fd < 0)
		return -errno;
	int r = sts_os_task_start(helper_main, helper_over, s, &gate->task);
	if (r < 0)
		return r;
	while (!atomic_load(&gate->started) && !sts_os_task_ended(gate->task))
		sched_yield();
	r = atomic_load(&gate->started) ? gate->start_result : -EAGAIN; /* else it was killed */
	if (r < 0)
		sts_os_task_join(gate->task);
	return r;
}

int sts_gate_open(struct stasis_session *s)
{
	struct sts_gate *gate = calloc(1, sizeof *gate);

	if (!gate)
		return -ENOMEM;
	gate->request_fd = gate->epoll_fd = gate->signal_fd = gate->child_fd = -1;
	TAILQ_INIT(&gate->requests);
	TAILQ_INIT(&gate->waiters);
	s->gate = gate;
	s->host_pid = getpid();
	gate->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = gate->ready_fd < 0 ? -errno : alive_page(gate);
	if (r == 0)
		r = s->direct ? open_direct(s) : open_isolated(s);
	if (r < 0)
		gate_free(gate);
	return r;
}

static int do_stop(struct stasis_session *s, void *arg)
{
	sts_session_shutdown(s);
	s->gate->stop = true;
	return 0;
}

bool sts_gate_close(struct stasis_session *s)
{
	struct sts_gate *gate = s->gate;

	if (!may_call(s))
		return false;
	if (s->direct) {
		sts_session_shutdown(s);
		if (gate->unblock)
			sts_os_child_signal_unblock();
	} else {
		call_helper(s, &(struct request){.fn = do_stop});
		sts_os_task_join(gate->task);
	}
	gate_free(gate);
	return true;
}
