// SPDX-License-Identifier: BSD-2-Clause
/*
 *	target-jobs SCENARIO
 *
 * A parent that does what a shell does with a job, and notes every answer of
 * waitpid(2) in the shared counters: counter 0 is their number, 1 and on are
 * wait statuses with other facts between. Traced or not, they must be the same.
 */
#include "shared.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

enum { NOTES = 50, TURN = 59, CONTINUED = 60, BUSY = 61, JOB_READY = 62, JOB_PID = 63 };

static struct sts_shared *sh;

static void note(uint64_t value)
{
	uint64_t n = atomic_fetch_add(&sh->counter[0], 1);

	if (n < NOTES)
		sh->counter[1 + n] = value;
}

static void nap(void)
{
	const struct timespec little = {0, 500000};

	nanosleep(&little, NULL);
}

static void on_continue(int signo)
{
	atomic_fetch_add(&sh->counter[CONTINUED], 1);
	(void)signo;
}

static void *spin(void *arg)
{
	for (;;) {
		atomic_fetch_add(&sh->counter[BUSY], 1);
		sched_yield();
	}
	return arg;
}

/* ---- what jobs do ---- */

static void prepare_job(void)
{
	struct sigaction act;

	memset(&act, 0, sizeof(act));
	act.sa_handler = on_continue;
	act.sa_flags = SA_RESTART;
	sigaction(SIGCONT, &act, NULL);
	sh->counter[JOB_PID] = (uint64_t)getpid();
}

static void sleep_for_good(void)
{
	sh->counter[JOB_READY] = 1;
	for (;;)
		pause();
}

static pid_t start_job(void (*job)(void), bool own_group)
{
	pid_t pid;

	sh->counter[JOB_READY] = 0;
	pid = fork();
	if (pid < 0)
		sts_target_fail("fork");
	if (pid == 0) {
		if (own_group)
			setpgid(0, 0);
		prepare_job();
		job();
		_exit(0);
	}
	if (own_group)
		setpgid(pid, pid);
	return pid;
}

static void await_job(void)
{
	while (sh->counter[JOB_READY] == 0)
		nap();
}

static void wait_and_note(pid_t pid, int options)
{
	int status = -1;
	pid_t r;

	do {
		r = waitpid(pid, &status, options);
	} while (r < 0 && errno == EINTR);
	note(r == pid ? (uint64_t)status : 0xdead0000 + (uint64_t)(r < 0 ? errno : 0));
}

/* The handler has run as often as that: what follows does not race it. */
static void await_continued(uint64_t n)
{
	while (sh->counter[CONTINUED] < n)
		nap();
	note(0xc0000 + sh->counter[CONTINUED]);
}

/* ---- scenarios ---- */

/* Stop and continue by each of the signals, then the end. */
static void scenario_signals(void)
{
	static const int stops[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
	pid_t pid = start_job(sleep_for_good, true);

	await_job();
	for (unsigned i = 0; i < 4; i++) {
		kill(-pid, stops[i]);
		wait_and_note(pid, WUNTRACED);
		wait_and_note(pid, WUNTRACED | WCONTINUED | WNOHANG); /* told once */
		kill(-pid, SIGCONT);
		wait_and_note(pid, WCONTINUED);
		await_continued(i + 1);
	}
	kill(-pid, SIGSTOP);
	wait_and_note(pid, WUNTRACED);
	kill(-pid, SIGSTOP); /* of a stopped one: nothing */
	wait_and_note(pid, WUNTRACED | WNOHANG);
	kill(pid, SIGTERM); /* waits until it runs */
	wait_and_note(pid, WNOHANG);
	kill(pid, SIGCONT);
	wait_and_note(pid, 0);
}

static void stop_oneself(void)
{
	for (unsigned i = 0; i < 5; i++) {
		raise(i % 2 ? SIGSTOP : SIGTSTP);
		while (sh->counter[TURN] <= i) /* not again before the parent has waited for its continuing */
			nap();
	}
	_exit(17);
}

static void scenario_self(void)
{
	pid_t pid = start_job(stop_oneself, true);

	for (unsigned i = 0; i < 5; i++) {
		wait_and_note(pid, WUNTRACED);
		kill(pid, SIGCONT);
		wait_and_note(pid, WCONTINUED);
		sh->counter[TURN] = i + 1;
	}
	wait_and_note(pid, WUNTRACED | WCONTINUED);
	note(0xc0000 + sh->counter[CONTINUED]);
}

static void busy_job(void)
{
	pthread_t t;

	for (int i = 0; i < 4; i++)
		pthread_create(&t, NULL, spin, NULL);
	sleep_for_good();
}

/* A stopped process with threads: none of them counts on. */
static void scenario_threads(void)
{
	pid_t pid = start_job(busy_job, true);
	uint64_t before;

	await_job();
	for (unsigned i = 0; i < 3; i++) {
		kill(pid, SIGTSTP);
		wait_and_note(pid, WUNTRACED);
		before = sh->counter[BUSY];
		for (int k = 0; k < 10; k++)
			nap();
		note(sh->counter[BUSY] == before);
		kill(pid, SIGCONT);
		wait_and_note(pid, WCONTINUED);
		await_continued(i + 1);
		while (sh->counter[BUSY] == before)
			nap();
	}
	kill(pid, SIGSTOP);
	wait_and_note(pid, WUNTRACED);
	kill(pid, SIGKILL); /* ends stopped ones, too */
	wait_and_note(pid, 0);
}

static char state_of(pid_t pid)
{
	char path[64], line[256], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		sscanf(line, "State: %c", &state);
	if (f != NULL)
		fclose(f);
	return state;
}

static void leave_an_orphan(void)
{
	pid_t pid;

	setsid(); /* who takes over its child is in another session */
	pid = fork();
	if (pid == 0) {
		while (getppid() == (pid_t)sh->counter[JOB_PID])
			nap();
		prepare_job();
		sleep_for_good();
	}
	_exit(0);
}

/* SIGTSTP means nothing to an orphaned group, SIGSTOP does. */
static void scenario_orphan(void)
{
	pid_t pid, orphan;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	pid = start_job(leave_an_orphan, false);
	wait_and_note(pid, 0);
	await_job();
	orphan = (pid_t)sh->counter[JOB_PID];
	kill(orphan, SIGTTIN);
	for (int k = 0; k < 10; k++)
		nap();
	wait_and_note(orphan, WUNTRACED | WNOHANG);
	note(state_of(orphan) != 'T');
	kill(orphan, SIGSTOP);
	wait_and_note(orphan, WUNTRACED);
	kill(orphan, SIGCONT);
	wait_and_note(orphan, WCONTINUED);
	kill(orphan, SIGTERM);
	wait_and_note(orphan, 0);
}

/* ---- with a terminal ---- */

static int master = -1;

static void read_terminal(void)
{
	char c;

	sh->counter[JOB_READY] = 1;
	while (read(0, &c, 1) != 1)
		;
	_exit(c == 'x' ? 21 : 22);
}

static void foreground(pid_t group)
{
	if (tcsetpgrp(0, group) < 0)
		sts_target_fail("tcsetpgrp");
}

static void type(char c)
{
	if (write(master, &c, 1) != 1)
		sts_target_fail("pty");
}

/* The shell: leader of a session whose terminal it has. */
static void shell(void)
{
	pid_t pid;

	signal(SIGTTOU, SIG_IGN);
	pid = start_job(sleep_for_good, true);
	foreground(pid);
	await_job();
	for (unsigned i = 0; i < 3; i++) {
		type(0x1a); /* ^Z */
		wait_and_note(pid, WUNTRACED);
		foreground(getpgrp());
		foreground(pid); /* fg */
		kill(-pid, SIGCONT);
		wait_and_note(pid, WCONTINUED);
		await_continued(i + 1);
	}
	type(0x03); /* ^C */
	wait_and_note(pid, 0);
	foreground(getpgrp());
	/* A job in the background that reads is stopped, and reads when it is brought forward. */
	sh->counter[CONTINUED] = 0;
	pid = start_job(read_terminal, true);
	wait_and_note(pid, WUNTRACED);
	foreground(pid);
	kill(-pid, SIGCONT);
	wait_and_note(pid, WCONTINUED);
	type('x');
	type('\n');
	wait_and_note(pid, 0);
}

static void scenario_terminal(void)
{
	const char *name;
	struct termios t;
	int slave;
	pid_t pid;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || (name = ptsname(master)) == NULL)
		sts_target_fail("pty");
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	tcgetattr(slave, &t);
	t.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(slave, TCSANOW, &t);
	pid = fork();
	if (pid == 0) {
		setsid();
		dup2(slave, 0);
		ioctl(0, TIOCSCTTY, 0);
		shell();
		_exit(0);
	}
	wait_and_note(pid, 0);
	close(slave);
	close(master);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
		{"signals", scenario_signals}, {"self", scenario_self},		{"threads", scenario_threads},
		{"orphan", scenario_orphan},   {"terminal", scenario_terminal},
	};

	sh = sts_target_shared();
	for (size_t i = 0; argc > 1 && i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (strcmp(scenarios[i].name, argv[1]) != 0)
			continue;
		scenarios[i].run();
		return 4;
	}
	sts_target_fail("usage: target-jobs SCENARIO");
	return 1;
}
