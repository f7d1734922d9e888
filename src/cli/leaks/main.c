/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis leaks: run a program and tell what memory it lost. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/leaks/leaks.h"
#include "util/cleanup.h"

static bool open_outputs(struct leaks_options *o)
{
	o->judge.xml_path = o->paths[STS_FORMAT_XML];
	for (int f = STS_FORMAT_JSON; f < STS_FORMAT_XML; f++) {
		const char *path = o->paths[f];

		if (path && !(o->judge.to[f] = strcmp(path, "-") == 0 ? stdout : fopen(path, "we"))) {
			sts_complain(path, "%s", strerror(errno));
			return false;
		}
	}
	if (o->save_path && !(o->judge.save = fopen(o->save_path, "we"))) {
		sts_complain(o->save_path, "%s", strerror(errno));
		return false;
	}
	if (o->judge.to[STS_FORMAT_SARIF])
		sts_leaks_sarif_begin(o->judge.to[STS_FORMAT_SARIF]);
	if (o->judge.to[STS_FORMAT_JUNIT])
		sts_leaks_junit_begin(o->judge.to[STS_FORMAT_JUNIT]);
	if (o->judge.to[STS_FORMAT_HTML])
		sts_leaks_html_begin(o->judge.to[STS_FORMAT_HTML]);
	return true;
}

static void close_output(struct leaks_options *o, FILE *to, const char *path)
{
	if (!to)
		return;
	bool failed = ferror(to) != 0;

	failed |= (to == stdout ? fflush(to) : fclose(to)) != 0;
	if (!failed)
		return;
	sts_complain(strcmp(path, "-") == 0 ? "standard output" : path, "%s", strerror(errno));
	o->judge.failed = true;
}

static void close_outputs(struct leaks_options *o)
{
	if (o->judge.to[STS_FORMAT_SARIF])
		sts_leaks_sarif_end(o->judge.to[STS_FORMAT_SARIF]);
	if (o->judge.to[STS_FORMAT_JUNIT])
		sts_leaks_junit_end(o->judge.to[STS_FORMAT_JUNIT]);
	if (o->judge.to[STS_FORMAT_HTML])
		sts_leaks_html_end(o->judge.to[STS_FORMAT_HTML]);
	for (int f = STS_FORMAT_JSON; f < STS_N_FORMATS; f++)
		close_output(o, o->judge.to[f], o->paths[f]);
	if (o->judge.save && ftell(o->judge.save) == 0)
		sts_baseline_write(o->judge.save, &(struct sts_leak_report){0}, &o->judge.view);
	close_output(o, o->judge.save, o->save_path);
}

static void tell_family(const struct leaks_options *o)
{
	const struct sts_judge *j = &o->judge;

	if (o->quiet)
		return;
	if (j->reports == 0)
		fprintf(stderr, "stasis: no report: the program did not end by exit(3), or the runtime was not loaded "
				"into it\n");
	else if (j->text && j->reports > 1 && j->leaking > 0)
		fprintf(stderr,
			"stasis: %" PRIu64 " of %" PRIu64 " reports tell of leaks: %" PRIu64 " byte(s) in %" PRIu64
			" allocation(s)\n",
			j->leaking, j->reports, j->bytes, j->blocks);
}

static bool tell_unused(const struct leaks_options *o)
{
	size_t unused = sts_judge_unused(&o->judge);

	if (!o->error_unused || unused == 0)
		return false;
	fprintf(stderr, "stasis: suppressions that matched nothing:\n");
	for (const struct sts_rule *rule = o->judge.suppressions.first; rule; rule = rule->next)
		if (rule->blocks == 0 && rule->classes)
			fprintf(stderr, "  %s: %s\n", rule->origin, rule->name);
	return true;
}

static int finish(struct leaks_options *o, int status)
{
	tell_family(o);
	bool unused = tell_unused(o);
	close_outputs(o);
	if (o->error_exitcode && (o->judge.leaking > 0 || unused || o->judge.refused))
		return o->error_exitcode;
	if (o->judge.failed && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return STS_EXIT_FAILURE;
	return sts_end_like(status);
}

static int run(struct leaks_options *o)
{
	int fds[2];

	signal(SIGCHLD, SIG_DFL); /* ignored, it would lose us the status */
	if (!open_outputs(o))
		return STS_EXIT_FAILURE;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0) {
		sts_complain("socketpair", "%s", strerror(errno));
		return STS_EXIT_FAILURE;
	}
	pid_t child = leaks_launch(o, fds[1]);
	close(fds[1]);
	int status = child < 0 ? -child : leaks_serve(o, fds[0], child);
	close(fds[0]);
	if (child < 0)
		return status;
	return finish(o, status);
}

static void complain(const char *object, const char *what)
{
	sts_complain(object, "%s", what);
}

/* A runtime without a command around it asks: its report comes on standard input, its options with it. */
static int report(void)
{
	struct sts_judge judge;

	sts_judge_init(&judge, complain);
	judge.view.color = sts_color_wanted(NULL, stderr);
	leaks_serve_one(&judge, STDIN_FILENO);
	sts_judge_free(&judge);
	return 0; /* the verdict was sent */
}

int sts_cmd_leaks(int argc, char **argv)
{
	struct leaks_options options = {0};
	int status;

	if (argc == 2 && strcmp(argv[1], STS_RAW_REPORTER_OPTION) == 0)
		return report();
	sts_judge_init(&options.judge, complain);
	status = leaks_options_read(&options, argc, argv);
	if (status < 0)
		status = run(&options);
	leaks_options_free(&options);
	return status;
}
