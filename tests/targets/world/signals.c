// SPDX-License-Identifier: BSD-2-Clause
/* The program's own signals: none is lost, doubled or overtaken while the world stops and goes on. */
#include "world.h"

#include <sys/signalfd.h>

enum { N_QUEUED = 2000, WINDOW = 200 };

/* One way of taking signals: each takes all of its own signal, whose values must be 1, 2, 3... */
struct taker {
	int sig;
	_Atomic unsigned taken, ready, wrong;
	pid_t tid;
};

static struct taker by_wait, by_fd, by_handler;
static _Atomic unsigned usr1_sent, usr1_handled, leave;

static void take(struct taker *t, int value)
{
	if (value != (int)t->taken + 1)
		t->wrong++;
	t->taken++;
}

static void on_queued(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	if (own_tid() != by_handler.tid)
		by_handler.wrong++;
	take(&by_handler, info->si_value.sival_int);
}

static void on_usr1(int sig)
{
	(void)sig;
	usr1_handled++;
}

/* As careless as programs are: every signal there is, but the one that goes to whoever has it open. */
static void *wait_for_all(void *arg)
{
	sigset_t all;
	siginfo_t info;

	sigfillset(&all);
	sigdelset(&all, SIGUSR1);
	by_wait.tid = own_tid();
	by_wait.ready = 1;
	while (by_wait.taken < N_QUEUED) {
		int sig = sigwaitinfo(&all, &info);

		if (sig == by_wait.sig)
			take(&by_wait, info.si_value.sival_int);
		else if (sig > 0)
			by_wait.wrong++;
	}
	return arg;
}

static void *read_fd(void *arg)
{
	struct signalfd_siginfo info;
	sigset_t all;
	int fd;

	sigfillset(&all);
	sigdelset(&all, SIGUSR1);
	fd = (int)OK(signalfd(-1, &all, SFD_CLOEXEC));
	by_fd.tid = own_tid();
	by_fd.ready = 1;
	while (by_fd.taken < N_QUEUED) {
		REQUIRE(read(fd, &info, sizeof(info)) == sizeof(info));
		if ((int)info.ssi_signo == by_fd.sig)
			take(&by_fd, info.ssi_int);
		else
			by_fd.wrong++;
	}
	close(fd);
	return arg;
}

static void *be_handled(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, by_handler.sig);
	sigaddset(&set, SIGUSR1);
	by_handler.tid = own_tid();
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	by_handler.ready = 1;
	while (!leave)
		pause_us(500);
	return arg;
}

static void queue_to(struct taker *t, int value)
{
	siginfo_t info;
	long r;

	memset(&info, 0, sizeof(info));
	info.si_signo = t->sig;
	info.si_code = SI_QUEUE;
	info.si_value.sival_int = value;
	info.si_pid = getpid();
	while ((r = syscall(SYS_rt_tgsigqueueinfo, getpid(), t->tid, t->sig, &info)) != 0 && errno == EAGAIN)
		pause_us(200);
	OK(r);
}

static void *send_all(void *arg)
{
	struct taker *all[] = {&by_wait, &by_fd, &by_handler};

	for (int i = 1; i <= N_QUEUED; i++) {
		for (int k = 0; k < 3; k++) {
			queue_to(all[k], i);
			while (i > (int)all[k]->taken + WINDOW)
				pause_us(100);
		}
		if (i % 10 == 0) {
			/* A plain one at a time, so that none merges. */
			usr1_sent++;
			kill(getpid(), SIGUSR1);
			await_u("SIGUSR1", &usr1_handled, usr1_sent);
		}
	}
	return arg;
}

/* What is sent to a parked thread waits until it is let go. */
static void check_waits(void)
{
	struct stasis_world *w = stop_world();
	unsigned then = usr1_handled;

	OK(syscall(SYS_tgkill, getpid(), by_handler.tid, SIGUSR1));
	usr1_sent++;
	linger(5000);
	REQUIRE(usr1_handled == then);
	resume_world(w);
	await_u("SIGUSR1", &usr1_handled, then + 1);
}

void world_signals(const char *arg)
{
	struct sigaction act = {.sa_sigaction = on_queued, .sa_flags = SA_SIGINFO | SA_RESTART};
	pthread_t t[4];
	unsigned stops = 0;
	sigset_t all;

	(void)arg;
	by_wait.sig = SIGRTMIN + 1;
	by_fd.sig = SIGRTMIN + 2;
	by_handler.sig = SIGRTMIN + 3;
	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	OK(-pthread_sigmask(SIG_BLOCK, &all, NULL));
	/* The handlers' masks hold every signal too. */
	sigfillset(&act.sa_mask);
	OK(sigaction(by_handler.sig, &act, NULL));
	act.sa_handler = on_usr1;
	act.sa_flags = SA_RESTART;
	OK(sigaction(SIGUSR1, &act, NULL));
	t[0] = start(wait_for_all, NULL);
	t[1] = start(read_fd, NULL);
	t[2] = start(be_handled, NULL);
	await_u("sigwait", &by_wait.ready, 1);
	await_u("signalfd", &by_fd.ready, 1);
	await_u("handler", &by_handler.ready, 1);
	t[3] = start(send_all, NULL);
	while (by_wait.taken < N_QUEUED || by_fd.taken < N_QUEUED || by_handler.taken < N_QUEUED) {
		resume_world(stop_world());
		stops++;
		pause_us(100);
	}
	check_waits();
	leave = 1;
	for (int i = 0; i < 4; i++)
		OK(-pthread_join(t[i], NULL));
	if (by_wait.wrong + by_fd.wrong + by_handler.wrong != 0)
		fail("wrong or out of order: sigwait %u, signalfd %u, handler %u", by_wait.wrong, by_fd.wrong,
		     by_handler.wrong);
	REQUIRE(usr1_handled == usr1_sent && usr1_sent == N_QUEUED / 10 + 1);
	printf("%u stops, %d signals each by sigwaitinfo, signalfd and handler\n", stops, N_QUEUED);
}
