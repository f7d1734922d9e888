/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose records are shown: --exec, --comm. A program is looked up at births and execs, a name, which any thread of the
 * process may change by writing to /proc, each time. */
#include "cli/truss/truss.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

int truss_names_add(struct truss_names *names, const char *pattern)
{
	const char **grown = realloc(names->patterns, (names->n + 1) * sizeof *grown);

	if (!grown)
		return -ENOMEM;
	names->patterns = grown;
	grown[names->n++] = pattern;
	return 0;
}

/* A pattern without a slash is one of the last part of a path. */
static bool is_like(const char *pattern, const char *name)
{
	const char *slash = strrchr(name, '/');

	return fnmatch(pattern, slash && !strchr(pattern, '/') ? slash + 1 : name, 0) == 0;
}

/* One that is asked for, if any are, and none that is ruled out. */
static bool is_one_of(const struct truss_names *names, const char *name)
{
	bool asked = false, found = false;

	for (size_t i = 0; i < names->n; i++) {
		const char *pattern = names->patterns[i];

		if (pattern[0] == '!' && is_like(pattern + 1, name))
			return false;
		asked |= pattern[0] != '!';
		found |= pattern[0] != '!' && is_like(pattern, name);
	}
	return found || !asked;
}

void truss_lwp_identify(struct truss *t, struct truss_lwp *lwp)
{
	static const char deleted[] = " (deleted)";
	char link[64], path[PATH_MAX];

	if (t->options.programs.n == 0)
		return;
	snprintf(link, sizeof link, "/proc/%d/task/%d/exe", lwp->pid, lwp->tid);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return;
	path[n] = '\0';
	size_t tail = strlen(deleted);
	if ((size_t)n > tail && strcmp(path + n - tail, deleted) == 0)
		path[(size_t)n - tail] = '\0';
	lwp->program_matters = is_one_of(&t->options.programs, path);
}

bool truss_lwp_matters(struct truss *t, struct truss_lwp *lwp)
{
	if (t->options.programs.n > 0 && !lwp->program_matters)
		return false;
	if (t->options.comms.n == 0)
		return true;
	lwp->comm_known = false;
	return is_one_of(&t->options.comms, truss_comm(lwp));
}
