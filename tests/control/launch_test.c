// SPDX-License-Identifier: BSD-2-Clause
/* Launch: what the program is born with, what is said when it cannot be, and that the host is none the worse for it. */
#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void handle(int signal)
{
	handled++;
}

static uint64_t bit(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

/* The output of a program that ends by itself. */
static void output_of(struct stasis_session *s, struct stasis_spawn_opts *opts, char *text, size_t size)
{
	int out[2];
	pid_t pid;

	STS_SYS(pipe2(out, O_CLOEXEC));
	opts->use_stdio = true;
	opts->stdio[0] = 0;
	opts->stdio[1] = out[1];
	opts->stdio[2] = 2;
	STS_OK_S(s, stasis_spawn(s, opts, &pid));
	close(out[1]);
	struct stasis_event ev;
	sts_expect_event(s, STASIS_EVENT_ATTACHED, &ev);
	sts_resume(s, pid);
	sts_expect_exit(s, pid, 0); /* first: a direct session lets nobody end while we read */
	text[read_to_end(out[0], text, size - 1)] = '\0';
	close(out[0]);
}

static struct stasis_spawn_opts program(const char *const argv[])
{
	return (struct stasis_spawn_opts){
		.size = sizeof(struct stasis_spawn_opts), .path = argv[0], .argv = (char *const *)argv};
}

static uint64_t field(const char *text, const char *name, int base)
{
	const char *at = strstr(text, name);

	ATF_REQUIRE_MSG(at != NULL, "no %s in: %s", name, text);
	return strtoull(at + strlen(name), NULL, base);
}

static const char *const show_status[] = {"/bin/cat", "/proc/self/status", NULL};

STS_TC_BOTH(signals, 20, "the program is born with the caller's mask and ignored signals, and without its handlers")
{
	struct sigaction act = {.sa_handler = handle}, ignore = {.sa_handler = SIG_IGN};
	struct stasis_spawn_opts opts = program(show_status);
	char text[4096];
	sigset_t mask, saved;

	STS_SYS(sigaction(SIGUSR1, &act, NULL));
	STS_SYS(sigaction(SIGUSR2, &ignore, NULL));
	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &mask, &saved);
	struct stasis_session *s = sts_session();
	sts_want(s, 0, 0);
	output_of(s, &opts, text, sizeof(text));
	uint64_t blocked = field(text, "SigBlk:", 16);
	ATF_REQUIRE(blocked & bit(SIGWINCH));
	ATF_REQUIRE_EQ(blocked & (bit(SIGUSR1) | bit(SIGTERM) | bit(SIGCHLD)), 0);
	ATF_REQUIRE_EQ(field(text, "SigCgt:", 16), 0);
	ATF_REQUIRE_EQ(field(text, "SigIgn:", 16) & (bit(SIGUSR1) | bit(SIGUSR2) | bit(SIGCHLD)), bit(SIGUSR2));
	stasis_session_destroy(s);
	/* And the host has its own still. */
	raise(SIGUSR1);
	ATF_REQUIRE_EQ(handled, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	ATF_REQUIRE(sigismember(&mask, SIGWINCH) && !sigismember(&mask, SIGUSR1));
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

STS_TC_BOTH(identity, 20, "a change of identity is the program's alone: the host stays who it is, and dumpable",
	    .require_user = "root")
{
	struct stasis_session *s = sts_session();
	struct stasis_spawn_opts opts = program(show_status);
	char text[4096];

	sts_want(s, 0, 0);
	opts.use_uid = true;
	opts.uid = 65534;
	opts.gid = 65534;
	output_of(s, &opts, text, sizeof(text));
	ATF_REQUIRE_EQ(field(text, "Uid:", 10), 65534);
	ATF_REQUIRE_EQ(field(text, "Gid:", 10), 65534);
	ATF_REQUIRE_EQ(getuid(), 0);
	ATF_REQUIRE_EQ(prctl(PR_GET_DUMPABLE), 1);
	stasis_session_destroy(s);
}

/* Without a child: nobody would look after it while we read. */
#define WHERE "pwd; read a b c d group e </proc/$$/stat; read persona </proc/$$/personality; echo $group $$ $persona"

STS_TC_BOTH(surroundings, 20, "directory, process group, no randomization and arguments are as wished; the host's stay")
{
	static const char *const where[] = {"/bin/sh", "-c", WHERE, NULL};
	struct stasis_session *s = sts_session();
	struct stasis_spawn_opts opts = program(where);
	char text[512], dir[256], before[4096], after[4096];
	int group, pid;
	unsigned persona;

	sts_want(s, 0, 0);
	ATF_REQUIRE(getcwd(before, sizeof(before)) != NULL);
	opts.directory = "/usr";
	opts.flags = STASIS_SPAWN_NEW_PGROUP | STASIS_SPAWN_NO_ASLR;
	output_of(s, &opts, text, sizeof(text));
	ATF_REQUIRE_EQ_MSG(sscanf(text, "%255s %d %d %x", dir, &group, &pid, &persona), 4, "%s", text);
	ATF_REQUIRE_STREQ(dir, "/usr");
	ATF_REQUIRE_EQ(group, pid);
	ATF_REQUIRE_EQ(persona & 0x40000, 0x40000);
	ATF_REQUIRE(getcwd(after, sizeof(after)) != NULL);
	ATF_REQUIRE_STREQ(before, after);
	stasis_session_destroy(s);
}

/* Often: each leaves a child to be buried, whose stack was ours. */
STS_TC_BOTH(failures, 30, "what cannot be launched is refused with the reason, and leaves nothing behind")
{
	static const char *const argv[] = {"/bin/true", NULL};
	struct stasis_session *s = sts_session();
	struct stasis_spawn_opts opts = program(argv), bad;
	pid_t pid = -1;

	for (unsigned round = sts_rounds(500, 50); round > 0; round--) {
		bad = opts;
		bad.path = "/nonexistent/program";
		STS_FAILS(-ENOENT, stasis_spawn(s, &bad, &pid));
		bad.path = "/etc/passwd";
		STS_FAILS(-EACCES, stasis_spawn(s, &bad, &pid));
		bad = opts;
		bad.directory = "/nonexistent";
		STS_FAILS(-ENOENT, stasis_spawn(s, &bad, &pid));
		bad = opts;
		bad.use_stdio = true;
		bad.stdio[0] = 0, bad.stdio[1] = 1, bad.stdio[2] = 1000000;
		STS_FAILS(-EBADF, stasis_spawn(s, &bad, &pid));
	}
	ATF_REQUIRE_EQ(pid, -1);
	ATF_REQUIRE_EQ(waitpid(-1, NULL, WNOHANG), -1);
	ATF_REQUIRE_EQ(errno, ECHILD);
	stasis_session_destroy(s);
}

static pid_t host;
static volatile sig_atomic_t strangers;

static void handle_own(int signal)
{
	handled++;
	strangers += getpid() != host;
}

/* At the whole group: the host and its children to be. */
static void shoot(int signal)
{
	kill(0, SIGURG);
}

static void next_event(struct stasis_session *s, pid_t pid, struct stasis_event *ev)
{
	int r;

	do
		r = stasis_wait(s, pid, sts_bound_ms(), ev);
	while (r == STASIS_E_INTERRUPTED);
	STS_OK_S(s, r);
}

STS_TC_BOTH(under_fire, 30, "signals that the host handles while it launches are handled by the host alone")
{
	static const char *const argv[] = {"/bin/true", NULL};
	struct sigaction own = {.sa_handler = handle_own, .sa_flags = SA_RESTART}; /* ignored where not handled */
	struct sigaction fire = {.sa_handler = shoot, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
	struct stasis_spawn_opts opts = program(argv);
	struct stasis_session *s = sts_session();
	struct stasis_event ev;
	pid_t pid;

	host = getpid();
	STS_SYS(setpgid(0, 0));
	STS_SYS(sigaction(SIGURG, &own, NULL));
	STS_SYS(sigaction(SIGALRM, &fire, NULL));
	sts_want(s, 0, 0);
	STS_SYS(setitimer(ITIMER_REAL, &often, NULL));
	for (unsigned round = sts_rounds(500, 50); round > 0; round--) {
		STS_OK_S(s, stasis_spawn(s, &opts, &pid));
		next_event(s, pid, &ev);
		ATF_REQUIRE_EQ(ev.kind, STASIS_EVENT_ATTACHED);
		sts_resume(s, pid);
		next_event(s, pid, &ev);
		ATF_REQUIRE_EQ(ev.kind, STASIS_EVENT_EXITED);
		ATF_REQUIRE_EQ(ev.data.exit.status, 0);
	}
	STS_SYS(setitimer(ITIMER_REAL, &never, NULL));
	ATF_REQUIRE(handled > 0);
	ATF_REQUIRE_EQ(strangers, 0);
	stasis_session_destroy(s);
}
