/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis leaks: running a program with the runtime preloaded. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/leaks/leaks.h"
#include "util/cleanup.h"

#define LIBRARY "libstasis-leaks.so"
#define HIGH_FD 900 /* where few programs look for descriptors, and within usual limits */

/* --- can it be preloaded? ---------------------------------------------------------------------- */

static bool gains_rights(const struct stat *st)
{
	return ((st->st_mode & S_ISUID) && st->st_uid != geteuid()) ||
	       ((st->st_mode & S_ISGID) && (st->st_mode & S_IXGRP) && st->st_gid != getegid());
}

/* The loader that the program asks for, as much of its path as there is room for; false if it asks for none. */
static bool read_interpreter(int fd, const Elf64_Ehdr *header, char ret[static 256])
{
	for (unsigned i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr p;

		if (pread(fd, &p, sizeof(p), header->e_phoff + i * sizeof(p)) != sizeof(p))
			break;
		if (p.p_type != PT_INTERP)
			continue;
		ssize_t n = pread(fd, ret, p.p_filesz < 255 ? p.p_filesz : 255, p.p_offset);
		ret[n > 0 ? n : 0] = '\0';
		return true;
	}
	return false;
}

static int check_elf(int fd, const char *path, const Elf64_Ehdr *header)
{
	char interpreter[256];

	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64) {
		sts_complain(path, "is no program for x86-64; leaks are looked for in such alone");
		return STS_EXIT_CANNOT_RUN;
	}
	if (header->e_phentsize == sizeof(Elf64_Phdr) && read_interpreter(fd, header, interpreter)) {
		if (!strstr(interpreter, "/ld-musl"))
			return 0;
		sts_complain(path,
			     "is linked with musl, and the library that is preloaded with glibc; link it statically, "
			     "with libstasis-leaks.a");
		return STS_EXIT_CANNOT_RUN;
	}
	sts_complain(path, "is linked statically, so that nothing can be preloaded; link it with -lstasis-leaks");
	return STS_EXIT_CANNOT_RUN;
}

int leaks_check_target(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr header;
	struct stat st;

	if (fd < 0 && (errno != EACCES || access(path, X_OK) != 0)) {
		int status = errno == ENOENT ? STS_EXIT_NOT_FOUND : STS_EXIT_CANNOT_RUN;

		sts_complain(path, "%s", strerror(errno));
		return status;
	}
	if (stat(path, &st) == 0 && gains_rights(&st)) {
		sts_complain(path, "is set-user-id or set-group-id: the kernel has nothing preloaded into it; run it "
				   "as its owner, or a copy without that mode");
		return STS_EXIT_CANNOT_RUN;
	}
	/* A script's interpreter is another matter, and what cannot be read may well be run. */
	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	return check_elf(fd, path, &header);
}

/* --- the environment --------------------------------------------------------------------------- */

static char *beside_program(const char *name)
{
	char self[PATH_MAX], *path;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	if (asprintf(&path, "%s/%s", self, name) < 0)
		return NULL;
	if (access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static char *find_library(const struct leaks_options *o)
{
	char *path = o->library ? realpath(o->library, NULL) : beside_program(LIBRARY);

	if (!path && !o->library && access(STS_LIBDIR "/" LIBRARY, R_OK) == 0)
		path = strdup(STS_LIBDIR "/" LIBRARY);
	if (!path)
		sts_complain(o->library ? o->library : LIBRARY, "%s",
			     o->library ? strerror(errno)
					: "neither beside stasis nor in " STS_LIBDIR "; name it with --library");
	return path;
}

/* VARIABLE=first and then what it had, with a colon between. */
static bool put_before(const char *variable, const char *first)
{
	const char *had = getenv(variable);
	_cleanup_free_ char *value = NULL;

	if (!had || !*had)
		return setenv(variable, first, 1) == 0;
	return asprintf(&value, "%s:%s", first, had) >= 0 && setenv(variable, value, 1) == 0;
}

/* What the user has set wins over the command's defaults, the command's options over that. */
static bool put_after(const char *variable, const char *last)
{
	const char *had = getenv(variable);
	_cleanup_free_ char *value = NULL;

	if (!had || !*had)
		return setenv(variable, last, 1) == 0;
	return asprintf(&value, "%s:%s", had, last) >= 0 && setenv(variable, value, 1) == 0;
}

static bool prepare_environment(const struct leaks_options *o, const char *library, int fd)
{
	char number[12];

	snprintf(number, sizeof(number), "%d", fd);
	return put_before("LD_PRELOAD", library) && setenv(STS_RAW_FD_VARIABLE, number, 1) == 0 &&
	       (!o->runtime || put_after("STASIS_OPTIONS", o->runtime));
}

/* --- the child --------------------------------------------------------------------------------- */

static void run_child(const struct leaks_options *o, const char *path, const char *library, int fd, int failure_fd)
{
	int high = fcntl(fd, F_DUPFD, HIGH_FD), error;
	sigset_t none;

	if (high < 0)
		high = fcntl(fd, F_DUPFD, 3);
	if (high >= 0 && prepare_environment(o, library, high)) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execv(path, o->command);
	}
	error = errno;
	(void)!write(failure_fd, &error, sizeof(error));
	_exit(STS_EXIT_CANNOT_RUN);
}

pid_t leaks_launch(const struct leaks_options *o, int fd)
{
	_cleanup_free_ char *path = sts_find_program(o->command[0]), *library = NULL;
	int fds[2], error = 0;

	if (!path) {
		sts_complain(o->command[0], "no such program in PATH");
		return -STS_EXIT_NOT_FOUND;
	}
	int status = leaks_check_target(path);
	if (status != 0)
		return -status;
	library = find_library(o);
	if (!library)
		return -STS_EXIT_FAILURE;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		sts_complain("pipe", "%s", strerror(errno));
		return -STS_EXIT_FAILURE;
	}
	pid_t pid = fork();
	if (pid == 0)
		run_child(o, path, library, fd, fds[1]);
	close(fds[1]);
	if (pid < 0)
		error = errno;
	else if (read(fds[0], &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(fds[0]);
	if (error == 0)
		return pid;
	sts_complain(path, "%s", strerror(error));
	return error == ENOENT ? -STS_EXIT_NOT_FOUND : -STS_EXIT_CANNOT_RUN;
}
