// SPDX-License-Identifier: BSD-2-Clause
/*
 * The program that the library is in keeps what is its own: its children, its
 * signal handlers and mask, its output, its life.
 */
#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN = 40, MAX_REAPED = 128 };

/* What wait(2) of the host's own has been given. */
static struct {
	_Atomic unsigned n;
	pid_t pid[MAX_REAPED];
	int status[MAX_REAPED];
} reaped;

static void note_reaped(pid_t pid, int status)
{
	unsigned i = reaped.n;

	if (i >= MAX_REAPED)
		return;
	reaped.pid[i] = pid;
	reaped.status[i] = status;
	atomic_fetch_add(&reaped.n, 1);
}

static void on_child(int signo)
{
	int saved = errno, status;
	pid_t pid;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0)
		note_reaped(pid, status);
	errno = saved;
}

static void handle_children(void)
{
	struct sigaction act = {.sa_handler = on_child, .sa_flags = SA_RESTART};

	STS_SYS(sigaction(SIGCHLD, &act, NULL));
}

static void block_children(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	ATF_REQUIRE_EQ(pthread_sigmask(how, &set, NULL), 0);
}

static pid_t own_child(int status)
{
	pid_t pid = sts_fork();

	if (pid == 0)
		_exit(status);
	return pid;
}

/* Exactly these children were collected by the host, each once, each with its own status: 0, 1, 2... */
static void check_reaped(const pid_t *children, unsigned n)
{
	uint64_t deadline = sts_now_ms() + (uint64_t)sts_bound_ms();
	const struct timespec pause = {0, 1000000};

	while (reaped.n < n && sts_now_ms() < deadline)
		nanosleep(&pause, NULL);
	ATF_REQUIRE_EQ_MSG(reaped.n, n, "the host collected %u of its %u children", reaped.n, n);
	for (unsigned i = 0; i < n; i++) {
		unsigned k = 0;

		while (k < n && reaped.pid[k] != children[i])
			k++;
		ATF_REQUIRE_MSG(k < n, "child %d was not seen by the host's wait", (int)children[i]);
		ATF_REQUIRE_EQ((unsigned)reaped.status[k], i << 8);
	}
}

/* One birth by the tracee, with all its events; the child may still be about to be collected by its parent. */
static void tracee_breeds(struct actor *a)
{
	struct stasis_event ev;

	actor_tell(a, "fork call");
	do {
		sts_next_event(a->s, 0, &ev);
		ATF_REQUIRE(ev.kind == STASIS_EVENT_FORK || ev.kind == STASIS_EVENT_EXITED);
		if (ev.stopped)
			sts_resume(a->s, ev.pid);
	} while (ev.kind != STASIS_EVENT_EXITED);
	ATF_REQUIRE_EQ(ev.data.exit.status, 5 << 8);
	ATF_REQUIRE_EQ(actor_done(a), 5 << 8);
}

/* ---- children (invariant 12) ---- */

STS_TC(handler_and_wait_any, 60, "a host with a SIGCHLD handler and waitpid(-1) gets its own children and no others")
{
	struct stasis_session *s;
	pid_t children[CHILDREN];
	struct actor a;

	handle_children();
	s = sts_session();
	sts_want(s, 0, BIT(FORK));
	actor_launch(&a, s, "actor");
	for (unsigned i = 0; i < CHILDREN; i++) {
		children[i] = own_child((int)i);
		if (i % 4 == 0)
			tracee_breeds(&a);
	}
	check_reaped(children, CHILDREN);
	actor_end(&a);
	stasis_session_destroy(s);
	ATF_REQUIRE_EQ_MSG(reaped.n, CHILDREN, "the host's wait was shown %d, which is none of its children",
			   (int)reaped.pid[CHILDREN]);
	ATF_REQUIRE(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static void *wait_in_kernel(void *arg)
{
	int status;
	pid_t pid;

	do {
		pid = waitpid(-1, &status, WUNTRACED);
		if (pid > 0)
			note_reaped(pid, status);
	} while (reaped.n < (unsigned)(uintptr_t)arg && (pid > 0 || errno == EINTR || errno == ECHILD));
	return NULL;
}

STS_TC(blocked_wait_any, 60, "a host thread that sits in waitpid(-1) all the time takes nothing of the session's")
{
	struct stasis_session *s = sts_session();
	pid_t children[CHILDREN];
	struct sts_pipe p;
	pthread_t waiter;
	struct actor a;

	sts_want(s, 0, BIT(FORK));
	actor_launch(&a, s, "actor");
	sts_pipe_open(&p);
	/* It lives until all others are gone, so that there is something to wait for. */
	children[0] = sts_fork();
	if (children[0] == 0) {
		sts_pipe_child(&p);
		sts_pipe_await(&p, "end");
		_exit(0);
	}
	ATF_REQUIRE_EQ(pthread_create(&waiter, NULL, wait_in_kernel, (void *)(uintptr_t)CHILDREN), 0);
	for (unsigned i = 1; i < CHILDREN; i++) {
		children[i] = own_child((int)i);
		if (i % 4 == 0)
			tracee_breeds(&a);
	}
	actor_end(&a);
	sts_pipe_send(&p, "end");
	ATF_REQUIRE_EQ(pthread_join(waiter, NULL), 0);
	check_reaped(children, CHILDREN);
	stasis_session_destroy(s);
	sts_pipe_close(&p);
}

STS_TC(attached_child, 20, "of a child of its own that is traced the host's wait sees what it would see without us")
{
	struct stasis_session *s;
	struct actor a;
	int status;

	s = sts_session();
	sts_want(s, 0, BIT(SIGNAL) | BIT(BREAKPOINT));
	actor_start(&a, "actor");
	actor_attach(&a, s);
	for (int i = 0; i < 5; i++) {
		actor_interrupt(&a); /* stops of ours are no stops to its parent */
		ATF_REQUIRE_EQ(waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
		sts_resume(s, a.pid);
	}
	actor_tell(&a, "exit 3");
	sts_expect_exit(s, a.pid, 3);
	ATF_REQUIRE_EQ(waitpid(-1, &status, 0), a.pid);
	ATF_REQUIRE_EQ(status, 3 << 8);
	ATF_REQUIRE(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	actor_gone(&a);
	stasis_session_destroy(s);
}

STS_TC(no_child_signal, 20, "the births and ends of tracees send the host no SIGCHLD")
{
	struct stasis_session *s;
	struct actor a;
	sigset_t pending;

	block_children(SIG_BLOCK);
	s = sts_session();
	sts_want(s, 0, BIT(FORK));
	actor_launch(&a, s, "actor");
	for (int i = 0; i < 5; i++)
		tracee_breeds(&a);
	actor_end(&a);
	stasis_session_destroy(s);
	STS_SYS(sigpending(&pending));
	ATF_REQUIRE_EQ(sigismember(&pending, SIGCHLD), 0);
	block_children(SIG_UNBLOCK);
}

STS_TC(ignored_child_signal, 20, "a host that ignores SIGCHLD traces all the same, and its tracee ignores it too")
{
	struct stasis_session *s;
	struct actor a;

	ATF_REQUIRE(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	s = sts_session();
	sts_want(s, 0, BIT(EXEC));
	actor_launch(&a, s, "actor");
	ATF_REQUIRE(sts_proc_mask(a.pid, a.pid, "SigIgn") & SIGBIT(SIGCHLD));
	actor_do(&a, "default 17");
	ATF_REQUIRE_EQ(actor_do(&a, "fork call"), 5 << 8);
	actor_end(&a);
	stasis_session_destroy(s);
	ATF_REQUIRE(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
}

STS_TC_BOTH(left_alone, 60, "children of the host that end before, during and after a trace are there to be collected")
{
	struct stasis_session *s;
	pid_t children[CHILDREN];
	struct actor a;
	int status;

	for (int i = 0; i < 10; i++)
		children[i] = own_child(i);
	sts_await_state(children[9], children[9], "Z");
	s = sts_session();
	sts_want(s, 0, BIT(FORK));
	actor_launch(&a, s, "actor");
	for (int i = 10; i < 30; i++) {
		children[i] = own_child(i);
		if (i % 4 == 0)
			tracee_breeds(&a);
	}
	actor_end(&a);
	stasis_session_destroy(s);
	for (int i = 30; i < CHILDREN; i++)
		children[i] = own_child(i);
	for (int i = 0; i < CHILDREN; i++) {
		ATF_REQUIRE_EQ(waitpid(children[i], &status, 0), children[i]);
		ATF_REQUIRE_EQ(status, i << 8);
	}
}

STS_TC_BOTH(refused_beside_child, 20, "after an attach that failed a session ends, a child of the host living on")
{
	struct stasis_session *s;
	struct actor own;

	actor_start(&own, "actor");
	s = sts_session();
	STS_FAILS(STASIS_E_NO_PROCESS, stasis_attach(s, 4194304));
	stasis_session_destroy(s);
	actor_tell(&own, "exit 4");
	sts_reap_exit(own.pid, 4);
	actor_gone(&own);
}

STS_TC_BOTH(stopped_left_alone, 30, "a child of the host that is job-stopped during a trace is there to be waited for")
{
	struct stasis_session *s;
	struct actor a, own;
	int status = 0;

	s = sts_session();
	sts_want(s, 0, BIT(FORK));
	actor_launch(&a, s, "actor");
	actor_start(&own, "actor");
	for (int i = 0; i < 3; i++) {
		STS_SYS(kill(own.pid, SIGSTOP));
		sts_await_state(own.pid, own.pid, "T");
		tracee_breeds(&a);
		tracee_breeds(&a);
		ATF_REQUIRE_EQ(waitpid(own.pid, &status, WNOHANG | WUNTRACED), own.pid);
		ATF_REQUIRE(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		STS_SYS(kill(own.pid, SIGCONT));
		tracee_breeds(&a);
		ATF_REQUIRE_EQ(waitpid(own.pid, &status, WCONTINUED), own.pid);
		ATF_REQUIRE(WIFCONTINUED(status));
	}
	actor_end(&a);
	stasis_session_destroy(s);
	actor_tell(&own, "exit 4");
	sts_reap_exit(own.pid, 4);
	actor_gone(&own);
}

/* ---- handlers, output, life (invariant 15) ---- */

/* As the kernel keeps it; libc hides what is its own. */
struct disposition {
	unsigned long handler, flags, restorer;
	uint64_t mask;
};

static void dispositions(struct disposition all[65])
{
	memset(all, 0, 65 * sizeof(*all));
	for (int signo = 1; signo <= 64; signo++)
		STS_SYS(syscall(SYS_rt_sigaction, signo, NULL, &all[signo], 8));
}

static void check_dispositions(const struct disposition before[65], const char *when)
{
	struct disposition now[65];

	dispositions(now);
	/* 32 and 33 are the C library's: it takes them when the program makes its first thread. */
	for (int signo = 1; signo <= 64; signo++)
		ATF_REQUIRE_MSG(signo == 32 || signo == 33 ||
					memcmp(&now[signo], &before[signo], sizeof(now[signo])) == 0,
				"%s the disposition of signal %d is another one", when, signo);
}

static void refused_calls(struct stasis_session *s)
{
	struct stasis_spawn_opts opts = {.size = sizeof(opts), .path = "/does/not/exist"};
	char *const argv[] = {(char *)"x", NULL};
	struct stasis_event ev;
	pid_t pid;

	opts.argv = argv;
	STS_FAILS(-ENOENT, stasis_spawn(s, &opts, &pid));
	STS_FAILS(STASIS_E_PERM_SELF, stasis_attach(s, getpid()));
	STS_FAILS(STASIS_E_NO_PROCESS, stasis_attach(s, 4194304));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_kill(s, 4194304));
	STS_FAILS(STASIS_E_NO_TRACEE, stasis_wait(s, 0, 0, &ev));
}

/* A tracee that is met in breakpoints, births and faults, and that dies in the middle of a stop. */
static void wild_tracee(struct stasis_session *s)
{
	struct stasis_event ev;
	struct actor a;

	sts_want(s, 0, STASIS_EVENTS_ALL & ~STASIS_EVENTS_SYSCALL);
	actor_launch(&a, s, "actor");
	actor_interrupt(&a);
	STS_OK_S(s, stasis_breakpoint_insert(s, a.pid, actor_counter(&a, ACTOR_FUNCTION)));
	sts_resume(s, a.pid);
	actor_tell(&a, "call 1");
	sts_expect_event(s, STASIS_EVENT_BREAKPOINT, &ev);
	resume_all(s, a.pid, STASIS_STEP, 0);
	sts_expect_event(s, STASIS_EVENT_STEP, NULL);
	sts_resume(s, a.pid);
	actor_done(&a);
	sts_want(s, a.pid, BIT(SIGNAL));
	actor_do(&a, "threads 4");
	actor_tell(&a, "fault");
	sts_expect_event(s, STASIS_EVENT_SIGNAL, &ev);
	STS_SYS(kill(a.pid, SIGKILL));
	sts_expect_event(s, STASIS_EVENT_KILLED, NULL);
	actor_gone(&a);
}

STS_TC_BOTH(no_handlers, 30, "no signal handler is installed, at no time, whatever tracees do")
{
	struct disposition before[65];
	struct stasis_session *s;

	dispositions(before);
	s = sts_session();
	check_dispositions(before, "with a session");
	refused_calls(s);
	check_dispositions(before, "after refused calls");
	wild_tracee(s);
	check_dispositions(before, "after a trace");
	stasis_session_destroy(s);
	check_dispositions(before, "after the session");
}

STS_TC_BOTH(own_handlers, 30, "handlers of the host's own are run and kept while there is a session")
{
	struct disposition before[65];
	struct stasis_session *s;

	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		ATF_REQUIRE(signal(signo, on_child) != SIG_ERR);
	ATF_REQUIRE(signal(SIGUSR1, on_child) != SIG_ERR);
	dispositions(before);
	s = sts_session();
	wild_tracee(s);
	check_dispositions(before, "after a trace");
	stasis_session_destroy(s);
	check_dispositions(before, "after the session");
}

/* Only as much of a set as there are signals is written by the kernel. */
static bool same_mask(const sigset_t *a, const sigset_t *b)
{
	for (int signo = 1; signo < NSIG; signo++) {
		if (sigismember(a, signo) != sigismember(b, signo))
			return false;
	}
	return true;
}

STS_TC_BOTH(mask_is_kept, 30, "the signal mask of the host's thread is its own, but for SIGCHLD in a direct session")
{
	sigset_t before, now, during;
	struct stasis_session *s;

	STS_SYS(pthread_sigmask(SIG_SETMASK, NULL, &before));
	s = sts_session();
	during = before;
	if (sts_kind() == STS_DIRECT)
		sigaddset(&during, SIGCHLD);
	wild_tracee(s);
	STS_SYS(pthread_sigmask(SIG_SETMASK, NULL, &now));
	ATF_REQUIRE(same_mask(&now, &during));
	stasis_session_destroy(s);
	STS_SYS(pthread_sigmask(SIG_SETMASK, NULL, &now));
	ATF_REQUIRE(same_mask(&now, &before));
}

/* Standard output and error go to one file until they are put back. */
struct capture {
	int file, saved[2];
};

static void capture(struct capture *c)
{
	fflush(NULL);
	c->file = (int)STS_SYS(memfd_create("said", MFD_CLOEXEC));
	for (int i = 0; i < 2; i++) {
		c->saved[i] = (int)STS_SYS(fcntl(i + 1, F_DUPFD_CLOEXEC, 20));
		STS_SYS(dup2(c->file, i + 1));
	}
}

static void release(struct capture *c, char *text, size_t size)
{
	ssize_t n;

	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		STS_SYS(dup2(c->saved[i], i + 1));
		close(c->saved[i]);
	}
	n = pread(c->file, text, size - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(c->file);
}

STS_TC_BOTH(silent, 30, "the library prints nothing, whatever tracees do and callers get wrong")
{
	struct stasis_session *s;
	struct capture c;
	char said[512];

	capture(&c);
	s = sts_session();
	refused_calls(s);
	wild_tracee(s);
	stasis_session_destroy(s);
	release(&c, said, sizeof(said));
	ATF_REQUIRE_EQ_MSG(said[0], '\0', "it said: %s", said);
}

static void *tracer_of_wild(void *arg)
{
	struct stasis_session *s = arg;

	wild_tracee(s);
	return NULL;
}

STS_TC(any_thread, 30, "a thread with every signal blocked, stack small, can do the same")
{
	struct stasis_session *s = sts_session();
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t t;

	sigfillset(&all);
	STS_SYS(pthread_sigmask(SIG_SETMASK, &all, &old));
	ATF_REQUIRE_EQ(pthread_attr_init(&attr), 0);
	ATF_REQUIRE_EQ(pthread_attr_setstacksize(&attr, 256 * 1024), 0);
	ATF_REQUIRE_EQ(pthread_create(&t, &attr, tracer_of_wild, s), 0);
	ATF_REQUIRE_EQ(pthread_join(t, NULL), 0);
	pthread_attr_destroy(&attr);
	STS_SYS(pthread_sigmask(SIG_SETMASK, &old, NULL));
	stasis_session_destroy(s);
}
