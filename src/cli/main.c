/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis: the command. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stasis/stasis.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"truss", sts_cmd_truss, "trace system calls, births and other events of programs"},
	{"leaks", sts_cmd_leaks, "run a program and tell what memory it lost"},
	{"doctor", sts_cmd_doctor, "say what of this machine allows or hinders tracing"},
};

void sts_complain(const char *object, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "stasis: %s: ", object);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void sts_complain_error(const char *object, struct stasis_session *session, int error)
{
	struct stasis_error_info info = {0};

	if (session)
		stasis_session_last_error(session, &info);
	if (info.error != error || !info.cause[0]) {
		sts_complain(object, "%s", stasis_strerror(error));
		return;
	}
	sts_complain(object, "%s%s%s", info.cause, info.remedy[0] ? "; " : "", info.remedy);
}

int sts_usage_error(const char *command, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "stasis: %s: ", command);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\nTry 'stasis %s --help'.\n", command);
	return STS_EXIT_USAGE;
}

int sts_output_end(int status)
{
	bool failed = ferror(stdout) != 0;

	if (fflush(stdout) == 0 && !failed)
		return status;
	sts_complain("standard output", "%s", strerror(errno));
	return STS_EXIT_FAILURE;
}

int sts_end_like(int wait_status)
{
	const struct rlimit no_core = {0, 0};
	sigset_t set;

	if (!WIFSIGNALED(wait_status))
		return WEXITSTATUS(wait_status);
	int number = WTERMSIG(wait_status);
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0);
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
	return 128 + number;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *sts_find_program(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return strdup(name);
	for (const char *at = path ? path : DEFAULT_PATH;; at++) {
		size_t n = strcspn(at, ":");
		char *file;

		if (asprintf(&file, "%.*s%s%s", (int)n, at, n ? "/" : "", name) < 0)
			return NULL;
		if (is_program(file))
			return file;
		free(file);
		at += n;
		if (!*at)
			return NULL;
	}
}

bool sts_read_number(const char *text, long least, long most, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(text, &end, 10);
	return end != text && !*end && !errno && !(least >= 0 && text[0] == '-') && *ret >= least && *ret <= most;
}

int sts_color_wanted(const char *when, FILE *stream)
{
	const char *none = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE");
	const char *some = getenv("CLICOLOR"), *terminal = getenv("TERM");

	if (when && strcmp(when, "always") == 0)
		return 1;
	if (when && strcmp(when, "never") == 0)
		return 0;
	if (when && strcmp(when, "auto") != 0)
		return -1;
	if (none && *none)
		return 0;
	if (force && *force && strcmp(force, "0") != 0)
		return 1;
	if ((some && strcmp(some, "0") == 0) || (terminal && strcmp(terminal, "dumb") == 0))
		return 0;
	return isatty(fileno(stream));
}

static void help(FILE *to)
{
	fprintf(to, "Usage: stasis COMMAND [OPTION...]\n\nCommands:\n");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
	fprintf(to, "\n'stasis COMMAND --help' tells of one; --version prints the version.\n");
}

/*
 * Descriptors 0 to 2 that are closed would become some file of ours, which the
 * next message would be written to. Ours alone: who is launched has them closed
 * as we were given them. Standard output can still not be written to, so that
 * what was asked for is not lost without a word; messages have nobody to read them.
 */
static void fill_descriptors(void)
{
	const int flags[] = {O_RDONLY, O_RDONLY, O_WRONLY};

	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd] | O_CLOEXEC) < 0)
			return; /* no /dev/null: then it is as it was */
}

/* -1: no command has that name. */
static int find_command(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(name, commands[i].name) == 0)
			return (int)i;
	return -1;
}

/* Who is called "truss" or "stasis-truss", by a link say, is that command. */
static int command_called(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return find_command(strncmp(name, "stasis-", 7) == 0 ? name + 7 : name);
}

int main(int argc, char **argv)
{
	int command = argc > 0 ? command_called(argv[0]) : -1;

	fill_descriptors();
	if (command >= 0)
		return commands[command].run(argc, argv);
	if (argc < 2) {
		help(stderr);
		return STS_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help(stdout);
		return sts_output_end(0);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("stasis %s\n", stasis_version());
		return sts_output_end(0);
	}
	command = find_command(argv[1]);
	if (command >= 0)
		return commands[command].run(argc - 1, argv + 1);
	fprintf(stderr, "stasis: %s: no such command\nTry 'stasis --help'.\n", argv[1]);
	return STS_EXIT_USAGE;
}
