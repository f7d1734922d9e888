// SPDX-License-Identifier: BSD-2-Clause
/* Launching: what a program is started with, and what cannot be started. */
#include "drive.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char *const nothing[] = {(char *)"program", NULL};

static int spawn_opts(struct stasis_session *s, struct stasis_spawn_opts *opts, pid_t *pid)
{
	opts->size = sizeof(*opts);
	if (opts->argv == NULL)
		opts->argv = nothing;
	*pid = -7;
	return stasis_spawn(s, opts, pid);
}

/* Refused with this code; the outputs are as they were, nothing is left, and the session works. */
static void refused_opts(struct stasis_session *s, struct stasis_spawn_opts *opts, int error)
{
	struct stasis_error_info info;
	struct stasis_event ev;
	pid_t pid;

	STS_FAILS(error, spawn_opts(s, opts, &pid));
	ATF_REQUIRE_EQ(pid, -7);
	stasis_session_last_error(s, &info);
	ATF_REQUIRE_EQ_MSG(info.error, error, "the record says %s", stasis_error_name(info.error));
	ATF_REQUIRE(info.cause[0] != '\0');
	STS_FAILS(STASIS_E_NO_TRACEE, stasis_wait(s, 0, 0, &ev));
	if (sts_kind() == STS_DIRECT)
		ATF_REQUIRE(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

static void refused(struct stasis_session *s, const char *path, int error)
{
	refused_opts(s, &(struct stasis_spawn_opts){.path = path}, error);
}

static void make_file(const char *path, const void *data, size_t size, mode_t mode)
{
	int fd = (int)STS_SYS(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	ATF_REQUIRE_EQ(write(fd, data, size), (ssize_t)size);
	STS_SYS(fchmod(fd, mode));
	close(fd);
}

static void make_elf(const char *path, unsigned char class, uint16_t machine)
{
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, class, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = machine,
		.e_version = EV_CURRENT,
	};

	make_file(path, &header, sizeof(header), 0755);
}

static void works(struct stasis_session *s)
{
	struct actor a;

	sts_want(s, 0, 0);
	actor_launch(&a, s, "actor");
	actor_end(&a);
}

STS_TC_BOTH(no_such_program, 20, "a program that there is not")
{
	struct stasis_session *s = sts_session();

	refused(s, "/does/not/exist", -ENOENT);
	refused(s, "", -ENOENT);
	refused(s, "/etc/passwd/x", -ENOTDIR);
	refused_opts(s,
		     &(struct stasis_spawn_opts){.path = "no-such-program-anywhere", .flags = STASIS_SPAWN_SEARCH_PATH},
		     -ENOENT);
	make_file("orphan", "#!/no/such/interpreter\n", 23, 0755);
	refused(s, "./orphan", -ENOENT);
	works(s);
	stasis_session_destroy(s);
}

STS_TC_BOTH(not_executable, 20, "files that are no programs")
{
	struct stasis_session *s = sts_session();

	make_file("plain", "no program\n", 11, 0644);
	make_file("text", "no program\n", 11, 0755);
	make_file("empty", "", 0, 0755);
	make_file("cut", ELFMAG "\2\1\1", 7, 0755);
	refused(s, "./plain", -EACCES);
	refused(s, "/", -EACCES);
	refused(s, "./text", STASIS_E_NOT_EXECUTABLE);
	refused(s, "./empty", STASIS_E_NOT_EXECUTABLE);
	refused(s, "./cut", STASIS_E_NOT_EXECUTABLE);
	works(s);
	stasis_session_destroy(s);
}

STS_TC_BOTH(wrong_machine, 20, "programs for other machines")
{
	struct stasis_session *s = sts_session();

	make_elf("sparc", ELFCLASS64, EM_SPARCV9);
	make_elf("s390", ELFCLASS64, EM_S390);
	make_elf("ia64", ELFCLASS64, EM_IA_64);
	refused(s, "./sparc", STASIS_E_WRONG_MACHINE);
	refused(s, "./s390", STASIS_E_WRONG_MACHINE);
	refused(s, "./ia64", STASIS_E_WRONG_MACHINE);
	works(s);
	stasis_session_destroy(s);
}

STS_TC_BOTH(bad_options, 20, "options that make no sense")
{
	struct stasis_session *s = sts_session();
	struct stasis_spawn_opts opts = {.size = sizeof(opts) - 1, .path = "/bin/true", .argv = nothing};
	pid_t pid = -7;

	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_spawn(s, NULL, &pid));
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_spawn(s, &opts, &pid));
	opts.size = sizeof(opts);
	opts.path = NULL;
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_spawn(s, &opts, &pid));
	opts.path = "/bin/true";
	opts.argv = NULL;
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_spawn(s, &opts, &pid));
	opts.argv = nothing;
	opts.flags = 1u << 31;
	STS_FAILS(STASIS_E_BAD_ARGUMENT, stasis_spawn(s, &opts, &pid));
	ATF_REQUIRE_EQ(pid, -7);
	works(s);
	stasis_session_destroy(s);
}

STS_TC_BOTH(bad_surroundings, 20, "a folder, descriptors and identities that cannot be had")
{
	struct stasis_session *s = sts_session();

	refused_opts(s, &(struct stasis_spawn_opts){.path = "/bin/true", .directory = "/does/not/exist"}, -ENOENT);
	refused_opts(s, &(struct stasis_spawn_opts){.path = "/bin/true", .directory = "/etc/passwd"}, -ENOTDIR);
	refused_opts(s, &(struct stasis_spawn_opts){.path = "/bin/true", .stdio = {0, 987, 2}, .use_stdio = true},
		     -EBADF);
	works(s);
	stasis_session_destroy(s);
}

STS_TC_BOTH(identity_refused, 20, "another user's identity, without privilege", .require_user = "unprivileged")
{
	struct stasis_session *s = sts_session();

	refused_opts(s, &(struct stasis_spawn_opts){.path = "/bin/true", .use_uid = true}, -EPERM);
	works(s);
	stasis_session_destroy(s);
}

STS_TC_BOTH(too_many_words, 30, "arguments that are longer than the kernel takes")
{
	struct stasis_session *s = sts_session();
	size_t size = 4 << 20;
	char *word = malloc(size);
	char *argv[] = {(char *)"true", word, NULL};

	ATF_REQUIRE(word != NULL);
	memset(word, 'x', size - 1);
	word[size - 1] = '\0';
	refused_opts(s, &(struct stasis_spawn_opts){.path = "/bin/true", .argv = argv}, -E2BIG);
	free(word);
	works(s);
	stasis_session_destroy(s);
}

STS_TC_BOTH(no_descriptors, 30, "no descriptor is free: a launch needs none, and one that moves its stdio says so")
{
	const struct rlimit few = {64, 64};
	struct stasis_event ev;
	struct stasis_spawn_opts moves = {.path = "/bin/true", .use_stdio = true, .stdio = {0, 1, 2}};
	struct stasis_session *s;
	int fds[64], n = 0;
	pid_t pid;

	STS_SYS(setrlimit(RLIMIT_NOFILE, &few)); /* before the session: its helper has limits of its own */
	s = sts_session();
	works(s);
	while (n < 64 && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	STS_OK_S(s, spawn_opts(s, &(struct stasis_spawn_opts){.path = "/bin/true"}, &pid));
	sts_expect_event(s, STASIS_EVENT_ATTACHED, &ev);
	sts_resume(s, pid);
	sts_expect_event(s, STASIS_EVENT_EXITED, &ev);
	/* None free, one, two: each of the three fails in its turn. */
	for (int free = 0; free < 3; free++) {
		STS_FAILS(-EMFILE, spawn_opts(s, &moves, &pid));
		ATF_REQUIRE_EQ(pid, -7);
		close(fds[--n]);
	}
	while (n > 0)
		close(fds[--n]);
	works(s);
	stasis_session_destroy(s);
}

STS_TC_BOTH(again_and_again, 60, "launches that fail leave nothing, however many")
{
	struct stasis_session *s = sts_session();

	make_file("text", "no program\n", 11, 0755);
	for (int i = 0; i < 100; i++) {
		refused(s, "/does/not/exist", -ENOENT);
		refused(s, "./text", STASIS_E_NOT_EXECUTABLE);
	}
	works(s);
	stasis_session_destroy(s);
}

/* ---- what a program is started with ---- */

static void run_to_end(struct stasis_session *s, struct stasis_spawn_opts *opts, const char *wanted)
{
	char said[256];
	int out[2];
	pid_t pid;

	STS_SYS(pipe2(out, O_CLOEXEC));
	opts->use_stdio = true;
	opts->stdio[0] = 0;
	opts->stdio[1] = opts->stdio[2] = out[1];
	STS_OK_S(s, spawn_opts(s, opts, &pid));
	close(out[1]);
	sts_expect_event_of(s, pid, STASIS_EVENT_ATTACHED, NULL);
	sts_resume(s, pid);
	sts_expect_exit(s, pid, 0);
	read_to_end(out[0], said, sizeof(said));
	close(out[0]);
	ATF_REQUIRE_STREQ(said, wanted);
}

STS_TC_BOTH(surroundings, 20, "arguments, environment, folder, search and output are as asked for")
{
	struct stasis_session *s = sts_session();
	char *const argv[] = {(char *)"name", (char *)"-c", (char *)"echo $0 $1 $WORD $PWD",
			      (char *)"a",    (char *)"b",  NULL};
	char *const envp[] = {(char *)"WORD=c", (char *)"PATH=/usr/bin:/bin", NULL};
	struct stasis_spawn_opts opts = {
		.path = "sh",
		.argv = argv,
		.envp = envp,
		.directory = "/proc",
		.flags = STASIS_SPAWN_SEARCH_PATH,
	};

	sts_want(s, 0, 0);
	run_to_end(s, &opts, "a b c /proc\n");
	stasis_session_destroy(s);
}

STS_TC_BOTH(other_user, 20, "it runs as another user, with no groups of ours", .require_user = "root")
{
	struct stasis_session *s = sts_session();
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)"echo $(id -u) $(id -g) $(id -G)", NULL};
	struct stasis_spawn_opts opts = {.path = "/bin/sh", .argv = argv, .use_uid = true, .uid = 4711, .gid = 4712};

	sts_want(s, 0, 0);
	run_to_end(s, &opts, "4711 4712 4712\n");
	stasis_session_destroy(s);
}

STS_TC_BOTH(signals_inherited, 20, "it has the caller's signal mask and what the caller ignores, and nothing of ours")
{
	struct stasis_session *s;
	sigset_t set, old;
	struct actor a;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	STS_SYS(pthread_sigmask(SIG_BLOCK, &set, &old));
	ATF_REQUIRE(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	s = sts_session();
	actor_launch_stopped(&a, s, "actor");
	ATF_REQUIRE_EQ(sts_proc_mask(a.pid, a.pid, "SigBlk"), SIGBIT(SIGUSR2));
	ATF_REQUIRE_EQ(sts_proc_mask(a.pid, a.pid, "SigIgn"), sts_proc_mask(getpid(), getpid(), "SigIgn"));
	sts_want(s, a.pid, 0);
	sts_resume(s, a.pid);
	actor_ready(&a);
	actor_end(&a);
	stasis_session_destroy(s);
	STS_SYS(pthread_sigmask(SIG_SETMASK, &old, NULL));
}

STS_TC_BOTH(own_group, 20, "it leads a process group of its own if asked for, and is in the caller's if not")
{
	struct stasis_session *s = sts_session();
	pid_t pid;

	for (int i = 0; i < 2; i++) {
		struct stasis_spawn_opts opts = {.path = "/bin/true", .flags = i ? STASIS_SPAWN_NEW_PGROUP : 0};

		STS_OK_S(s, spawn_opts(s, &opts, &pid));
		sts_expect_event_of(s, pid, STASIS_EVENT_ATTACHED, NULL);
		ATF_REQUIRE_EQ(getpgid(pid), i ? pid : getpgrp());
		STS_OK_S(s, stasis_kill(s, pid));
		sts_expect_event_of(s, pid, STASIS_EVENT_KILLED, NULL);
	}
	stasis_session_destroy(s);
}

STS_TC_BOTH(descriptors, 20, "no descriptor of the library's is open in it")
{
	struct stasis_session *s = sts_session();
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)"echo $(ls -m /proc/self/fd)", NULL};
	struct stasis_spawn_opts opts = {.path = "/bin/sh", .argv = argv};

	sts_want(s, 0, 0);
	run_to_end(s, &opts, "0, 1, 2, 3\n"); /* 3 is the folder that ls reads */
	stasis_session_destroy(s);
}
