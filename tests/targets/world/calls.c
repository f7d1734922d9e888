// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which calls notice that the world was stopped. One thread sits in each; after some stops each is let go, and tells
 * whether it was ever interrupted. Those of which the kernel restarts none may ever be; the list of the others, which
 * stopworld(7) prints, must be right too.
 */
#include "world.h"

#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <netinet/in.h>

struct call {
	const char *name;
	long (*enter)(struct call *c); /* negative with errno, or what the call gives when it is let go */
	void (*leave)(struct call *c);
	bool interrupted; /* what stopworld(7) says */
	int fds[2];
	_Atomic unsigned word, ready, interruptions, done;
	pid_t tid;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	sem_t sem;
};

static long call_read(struct call *c)
{
	char b;

	return read(c->fds[0], &b, 1);
}

static void write_byte(struct call *c)
{
	REQUIRE(write(c->fds[1], "x", 1) == 1);
}

static long call_recv(struct call *c)
{
	char b;

	return recv(c->fds[0], &b, 1, 0);
}

static long call_recv_timeout(struct call *c)
{
	struct timeval limit = {30, 0};
	char b;

	OK(setsockopt(c->fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	return recv(c->fds[0], &b, 1, 0);
}

static void fill(struct call *c)
{
	static char zeros[65536];

	OK(fcntl(c->fds[1], F_SETFL, O_NONBLOCK));
	while (write(c->fds[1], zeros, sizeof(zeros)) > 0)
		;
	OK(fcntl(c->fds[1], F_SETFL, 0));
}

static long call_write(struct call *c)
{
	if (!c->word++)
		fill(c);
	return write(c->fds[1], "x", 1);
}

static void drain(struct call *c)
{
	static char sink[65536];

	REQUIRE(read(c->fds[0], sink, sizeof(sink)) > 0);
}

static long call_futex(struct call *c)
{
	return syscall(SYS_futex, &c->word, 0, 0, NULL, NULL, 0);
}

static void wake_futex(struct call *c)
{
	c->word = 1;
	syscall(SYS_futex, &c->word, 1, 1, NULL, NULL, 0);
}

static long call_mutex(struct call *c)
{
	int r = pthread_mutex_lock(&c->mutex);

	if (r == 0)
		pthread_mutex_unlock(&c->mutex);
	return r == 0 ? 0 : -1;
}

static void unlock(struct call *c)
{
	pthread_mutex_unlock(&c->mutex);
}

static long call_sem(struct call *c)
{
	return sem_wait(&c->sem);
}

static void post(struct call *c)
{
	sem_post(&c->sem);
}

static long call_waitpid(struct call *c)
{
	if (c->fds[0] >= 0 && c->word == 0) {
		pid_t pid = (pid_t)OK(fork());
		char b;

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(read(c->fds[0], &b, 1) < 0);
		}
		c->word = (unsigned)pid;
	}
	return waitpid((pid_t)c->word, NULL, 0);
}

static long call_flock(struct call *c)
{
	int fd = c->fds[0] < 0 ? -1 : open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	long r = flock(fd, LOCK_EX);

	close(fd);
	return r;
}

static int lock_holder = -1;

static void release_flock(struct call *c)
{
	(void)c;
	close(lock_holder);
}

static long call_poll(struct call *c)
{
	struct pollfd p = {.fd = c->fds[0], .events = POLLIN};

	return poll(&p, 1, -1);
}

static long call_ppoll(struct call *c)
{
	struct pollfd p = {.fd = c->fds[0], .events = POLLIN};
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&p, 1, NULL, &none);
}

static long call_select(struct call *c)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(c->fds[0], &set);
	return select(c->fds[0] + 1, &set, NULL, NULL, NULL);
}

static long call_epoll(struct call *c)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int ep = (int)OK(epoll_create1(EPOLL_CLOEXEC));
	long r;

	OK(epoll_ctl(ep, EPOLL_CTL_ADD, c->fds[0], &ev));
	r = epoll_wait(ep, &ev, 1, -1);
	close(ep);
	return r;
}

static long call_nanosleep(struct call *c)
{
	struct timespec t = {30, 0};

	return c->word ? 0 : nanosleep(&t, NULL);
}

/* Absolute: the kernel can restart it. */
static long call_clock_absolute(struct call *c)
{
	struct timespec t;

	if (c->word)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += 30;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == 0 ? 0 : -1;
}

static void on_usr1(int sig)
{
	(void)sig;
}

static void interrupt(struct call *c)
{
	c->word = 1;
	OK(syscall(SYS_tgkill, getpid(), c->tid, SIGUSR1));
}

static long call_pause(struct call *c)
{
	return c->word ? 0 : pause();
}

static long call_sigwait(struct call *c)
{
	sigset_t set;

	(void)c;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigwaitinfo(&set, NULL);
}

static void send_usr2(struct call *c)
{
	OK(syscall(SYS_tgkill, getpid(), c->tid, SIGUSR2));
}

static long call_signalfd(struct call *c)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;
	long r;

	(void)c;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	fd = (int)OK(signalfd(-1, &set, SFD_CLOEXEC));
	r = read(fd, &info, sizeof(info));
	close(fd);
	return r;
}

static long call_msgrcv(struct call *c)
{
	struct {
		long type;
		char text[8];
	} m;

	return msgrcv((int)c->fds[0], &m, sizeof(m.text), 0, 0);
}

static void send_msg(struct call *c)
{
	struct {
		long type;
		char text[8];
	} m = {1, "x"};

	OK(msgsnd(c->fds[0], &m, sizeof(m.text), 0));
}

static long call_semop(struct call *c)
{
	struct sembuf op = {0, -1, 0};

	return semop(c->fds[0], &op, 1);
}

static void up(struct call *c)
{
	struct sembuf op = {0, 1, 0};

	OK(semop(c->fds[0], &op, 1));
}

static long call_cond(struct call *c)
{
	pthread_mutex_lock(&c->mutex);
	while (!c->word)
		pthread_cond_wait(&c->cond, &c->mutex);
	pthread_mutex_unlock(&c->mutex);
	return 0;
}

static void signal_cond(struct call *c)
{
	pthread_mutex_lock(&c->mutex);
	c->word = 1;
	pthread_cond_signal(&c->cond);
	pthread_mutex_unlock(&c->mutex);
}

#define CALL(name_, enter_, leave_, interrupted_)                                                                      \
	{                                                                                                              \
		.name = (name_), .enter = (enter_), .leave = (leave_), .interrupted = (interrupted_)                   \
	}

/* musl's own sigwaitinfo goes on by itself. */
#ifdef __GLIBC__
#define SIGWAIT_IS_INTERRUPTED true
#else
#define SIGWAIT_IS_INTERRUPTED false
#endif

static struct call calls[] = {
	CALL("read from a pipe", call_read, write_byte, false),
	CALL("write to a pipe", call_write, drain, false),
	CALL("recv", call_recv, write_byte, false),
	CALL("recv with SO_RCVTIMEO", call_recv_timeout, write_byte, true),
	CALL("futex", call_futex, wake_futex, false),
	CALL("pthread_mutex_lock", call_mutex, unlock, false),
	CALL("pthread_cond_wait", call_cond, signal_cond, false),
	CALL("sem_wait", call_sem, post, false),
	CALL("waitpid", call_waitpid, write_byte, false),
	CALL("flock", call_flock, release_flock, false),
	CALL("read from a signalfd", call_signalfd, send_usr2, false),
	CALL("poll", call_poll, write_byte, true),
	CALL("ppoll", call_ppoll, write_byte, true),
	CALL("select", call_select, write_byte, true),
	CALL("epoll_wait", call_epoll, write_byte, true),
	CALL("nanosleep", call_nanosleep, interrupt, true),
	CALL("clock_nanosleep, absolute", call_clock_absolute, interrupt, true),
	CALL("pause", call_pause, interrupt, true),
	CALL("sigwaitinfo", call_sigwait, send_usr2, SIGWAIT_IS_INTERRUPTED),
	CALL("msgrcv", call_msgrcv, send_msg, true),
	CALL("semop", call_semop, up, true),
};

enum { N_CALLS = sizeof(calls) / sizeof(calls[0]), STOPS = 5 };

static void *sit(void *arg)
{
	struct call *c = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	c->tid = own_tid();
	c->ready = 1;
	/* sigwaitinfo and clock_nanosleep say so in their own ways; all that fails here was interrupted. */
	while (c->enter(c) < 0)
		c->interruptions++;
	c->done = 1;
	return NULL;
}

static void prepare(struct call *c)
{
	OK(pipe2(c->fds, O_CLOEXEC));
	pthread_mutex_init(&c->mutex, NULL);
	pthread_cond_init(&c->cond, NULL);
	sem_init(&c->sem, 0, 0);
	if (c->enter == call_recv || c->enter == call_recv_timeout)
		OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c->fds));
	if (c->enter == call_mutex)
		pthread_mutex_lock(&c->mutex);
	if (c->enter == call_msgrcv)
		c->fds[0] = (int)OK(msgget(IPC_PRIVATE, 0600));
	if (c->enter == call_semop)
		c->fds[0] = (int)OK(semget(IPC_PRIVATE, 1, 0600));
	if (c->enter == call_flock) {
		lock_holder = (int)OK(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
		OK(flock(lock_holder, LOCK_EX));
	}
}

static void finish(struct call *c, pthread_t t)
{
	c->leave(c);
	/* What sleeps until a signal may have been on its way back into the call. */
	while (!c->done) {
		if (c->leave == interrupt)
			interrupt(c);
		pause_us(500);
	}
	OK(-pthread_join(t, NULL));
	if (c->enter == call_msgrcv)
		msgctl(c->fds[0], IPC_RMID, NULL);
	if (c->enter == call_semop)
		semctl(c->fds[0], 0, IPC_RMID);
}

void world_calls(const char *arg)
{
	struct sigaction act = {.sa_handler = on_usr1};
	pthread_t threads[N_CALLS];
	unsigned seen[N_CALLS], wrong = 0;

	(void)arg;
	OK(sigaction(SIGUSR1, &act, NULL));
	for (unsigned i = 0; i < N_CALLS; i++) {
		prepare(&calls[i]);
		threads[i] = start(sit, &calls[i]);
		await_u(calls[i].name, &calls[i].ready, 1);
	}
	for (unsigned round = 0; round < STOPS; round++) {
		struct stasis_world *w;

		for (unsigned i = 0; i < N_CALLS; i++)
			await_state(calls[i].tid, "S");
		w = stop_world();
		REQUIRE(stasis_world_count(w) == N_CALLS);
		resume_world(w);
	}
	for (unsigned i = 0; i < N_CALLS; i++) {
		await_state(calls[i].tid, "S");
		seen[i] = calls[i].interruptions;
	}
	for (unsigned i = 0; i < N_CALLS; i++) {
		finish(&calls[i], threads[i]);
		printf("%-28s %s\n", calls[i].name, seen[i] != 0 ? "EINTR" : "goes on");
		wrong += (seen[i] != 0) != calls[i].interrupted;
	}
	fflush(stdout);
	if (wrong != 0)
		fail("%u calls do not do what the manual says", wrong);
}
