/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which calls are shown: by path, by descriptor, by how they end. A descriptor
 * is asked where it leads to at each call, so it does not matter how it came to
 * the process: opened, duplicated, inherited or passed.
 */
#include "cli/truss/truss.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "decode/tables.h"
#include "util/cleanup.h"

sts_show sts_show_fdset;

#define DELETED " (deleted)"

/* --- patterns ---------------------------------------------------------------------------- */

/* The folder before the first wildcard as it really is, and the rest: NULL without memory. */
static char *real_pattern(const char *pattern)
{
	size_t plain = strcspn(pattern, "*?[\\");
	char real[PATH_MAX], folder[PATH_MAX];
	char *result;

	if (!pattern[plain] && realpath(pattern, real))
		return strdup(real);
	while (plain > 0 && pattern[plain - 1] != '/')
		plain--;
	snprintf(folder, sizeof folder, "%.*s", (int)plain, pattern);
	if (!realpath(plain ? folder : ".", real))
		return strdup(pattern);
	return asprintf(&result, "%s%s%s", real, real[1] ? "/" : "", pattern + plain) < 0 ? NULL : result;
}

int truss_paths_add(struct truss_paths *p, const char *pattern)
{
	char **grown = realloc(p->patterns, (p->n + 2) * sizeof *grown);

	if (!grown)
		return -ENOMEM;
	p->patterns = grown;
	for (int i = 0; i < 2; i++) {
		grown[p->n] = i == 0 ? strdup(pattern) : real_pattern(pattern);
		if (!grown[p->n])
			return -ENOMEM;
		p->n++;
	}
	return 0;
}

void truss_paths_free(struct truss_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->patterns[i]);
	free(p->patterns);
	*p = (struct truss_paths){0};
}

bool truss_paths_match(const struct truss_paths *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->patterns[i], path) == 0 || fnmatch(p->patterns[i], path, 0) == 0)
			return true;
	return false;
}

/* --- what a call names ----------------------------------------------------------------- */

struct looker {
	const struct truss_options *options;
	const struct truss_source *source;
	const struct sts_call *format;
	int depth;
	int dirfd; /* the last one among the arguments */
	bool found;
	char root[PATH_MAX]; /* the process's, if it is not ours */
};

/* Of a path as we see it, how the process sees it, which has a root of its own; NULL: not at all. */
static const char *seen_from_root(const struct looker *l, const char *path)
{
	size_t n = strlen(l->root);

	if (n == 0 || strncmp(path, l->root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return path[n] ? path + n : "/";
}

/* As we see it, or as the process does. */
static bool matches(const struct looker *l, const char *path)
{
	const char *seen = seen_from_root(l, path);

	return truss_paths_match(&l->options->paths, path) || (seen && truss_paths_match(&l->options->paths, seen));
}

static void find_root(struct looker *l)
{
	char link[64];

	snprintf(link, sizeof link, "/proc/%d/root", l->source->pid);
	ssize_t n = readlink(link, l->root, sizeof l->root - 1);
	l->root[n > 0 ? n : 0] = '\0';
	if (strcmp(l->root, "/") == 0)
		l->root[0] = '\0';
}

static bool fd_path(const struct looker *l, int fd, char path[PATH_MAX])
{
	char link[64];

	if (fd == AT_FDCWD)
		snprintf(link, sizeof link, "/proc/%d/cwd", l->source->pid);
	else
		snprintf(link, sizeof link, "/proc/%d/fd/%d", l->source->pid, fd);
	ssize_t n = readlink(link, path, PATH_MAX - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	size_t tail = strlen(DELETED);
	if ((size_t)n > tail && strcmp(path + n - tail, DELETED) == 0)
		path[(size_t)n - tail] = '\0';
	return true;
}

static void look_at_fd(struct looker *l, int fd)
{
	char path[PATH_MAX];

	if (fd < 0)
		return;
	l->found = l->found || truss_fds_match(&l->options->fds, fd);
	if (!l->found && l->options->paths.n > 0 && fd_path(l, fd, path))
		l->found = matches(l, path);
}

/* realpath(3), where links and ".." lead as they do for the process. */
static bool real_path(const struct looker *l, const char *path, char real[PATH_MAX])
{
	const char *seen = seen_from_root(l, path);
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	char link[64];

	if (!seen)
		return realpath(path, real) != NULL;
	_cleanup_close_ int root = open(l->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int file = root < 0 ? -1 : (int)syscall(SYS_openat2, root, seen, &how, sizeof how);
	if (file < 0)
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", file);
	ssize_t n = readlink(link, real, PATH_MAX - 1);
	real[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* As it really is; of a name that does not exist (yet) the folder. */
static bool resolve(const struct looker *l, char *path, char real[PATH_MAX])
{
	if (real_path(l, path, real))
		return true;
	char *slash = strrchr(path, '/');
	if (!slash)
		return false;
	*slash = '\0';
	bool found = real_path(l, slash > path ? path : "/", real);
	*slash = '/';
	size_t n = found ? strlen(real) : 0;
	return found && (size_t)snprintf(real + n, PATH_MAX - n, "%s%s", n > 1 ? "/" : "", slash + 1) < PATH_MAX - n;
}

static void look_at_path(struct looker *l, const struct stasis_decode_item *item)
{
	char given[PATH_MAX], folder[PATH_MAX] = "", path[2 * PATH_MAX], real[PATH_MAX];

	snprintf(given, sizeof given, "%.*s", (int)item->length, (const char *)item->bytes);
	if (!given[0])
		return;
	l->found = truss_paths_match(&l->options->paths, given);
	if (l->found || (given[0] != '/' && !fd_path(l, l->dirfd, folder)))
		return;
	snprintf(path, sizeof path, "%s%s%s", given[0] == '/' ? l->root : folder, given[0] == '/' ? "" : "/", given);
	l->found = matches(l, path) || (resolve(l, path, real) && matches(l, real));
}

static const struct sts_type *type_of(const struct looker *l, const struct stasis_decode_item *item)
{
	static const struct sts_type none;

	for (int i = 0; l->depth == 1 && l->format && item->name && i < l->format->n; i++)
		if (strcmp(l->format->args[i].name, item->name) == 0)
			return &l->format->args[i].type;
	return &none;
}

/* The sets of select(2): "[3 4]". */
static void look_at_set(struct looker *l, const char *text)
{
	while (*(text += strcspn(text, "0123456789")))
		look_at_fd(l, (int)strtol(text, (char **)&text, 10));
}

static void look_at_value(struct looker *l, const struct stasis_decode_item *item)
{
	const struct sts_type *type = type_of(l, item);

	if (item->kind == STASIS_DECODE_BYTES && type->kind == STS_PATH && l->options->paths.n > 0 && !l->found)
		look_at_path(l, item);
	else if (item->kind == STASIS_DECODE_SYMBOL && type->show == sts_show_fdset)
		look_at_set(l, item->text);
	else if (item->kind == STASIS_DECODE_FD || type->kind == STS_DIRFD)
		look_at_fd(l, (int)item->value);
	if (type->kind == STS_DIRFD)
		l->dirfd = (int)item->value;
}

static void look(void *arg, const struct stasis_decode_item *item)
{
	struct looker *l = arg;

	if (item->kind == STASIS_DECODE_RESULT && l->format && l->format->result == STS_RESULT_FD)
		look_at_fd(l, (int)item->value);
	if (item->kind == STASIS_DECODE_END)
		l->depth--;
	else if (item->kind < STASIS_DECODE_END)
		l->depth++;
	else
		look_at_value(l, item);
}

bool truss_call_looks_for(struct truss_source *source, const struct truss_call *call,
			  const struct truss_options *options, bool leaving)
{
	struct looker l = {options, source, sts_call_find(call->data.abi, call->data.number), .dirfd = AT_FDCWD};
	struct stasis_decode_sink sink = {look, &l};

	if (!truss_options_look(options))
		return true;
	if (options->paths.n > 0)
		find_root(&l);
	/* A walk of its own: it shall not disturb that of the text. Paths are whole, arrays as long as they are. */
	struct truss_call copy = {.data = call->data};
	struct stasis_decode *d = truss_decoder(source, &copy, options);
	d->string_limit = 4096;
	d->fd_text = NULL;
	if (leaving)
		stasis_decode_call(d, &call->data, &sink);
	else
		stasis_decode_enter(d, &call->data, &sink);
	return l.found;
}

/* --- lists of descriptors ----------------------------------------------------------------- */

bool truss_fds_match(const struct truss_fds *f, int fd)
{
	if (!f->given)
		return false;
	for (size_t i = 0; i < f->n; i++)
		if (f->fds[i] == fd)
			return !f->negated;
	return f->negated;
}

int truss_fds_parse(struct truss_fds *f, const char *list)
{
	f->given = true;
	f->negated = list[0] == '!';
	f->n = 0;
	for (const char *word = list + f->negated;; word++) {
		char *end;

		errno = 0;
		long fd = strtol(word, &end, 10);
		if (errno || end == word || (*end && *end != ',') || fd < 0 || fd > INT_MAX)
			return -EINVAL;
		int *grown = realloc(f->fds, (f->n + 1) * sizeof *grown);
		if (!grown)
			return -ENOMEM;
		f->fds = grown;
		f->fds[f->n++] = (int)fd;
		word = end;
		if (!*word)
			return 0;
	}
}

/* --- how calls end ---------------------------------------------------------------------------- */

int truss_statuses_parse(unsigned *statuses, const char *list)
{
	static const struct {
		const char *name;
		unsigned statuses;
	} names[] = {{"successful", TRUSS_SUCCESSFUL},
		     {"failed", TRUSS_FAILED},
		     {"unfinished", TRUSS_UNFINISHED},
		     {"detached", TRUSS_DETACHED},
		     {"unavailable", TRUSS_UNAVAILABLE},
		     {"all", TRUSS_ANY_STATUS},
		     {"none", 0}};
	bool negated = list[0] == '!';
	unsigned found = 0;

	for (const char *word = list + negated;; word++) {
		size_t len = strcspn(word, ","), i = 0, n = sizeof names / sizeof *names;

		while (i < n && (strlen(names[i].name) != len || strncmp(names[i].name, word, len) != 0))
			i++;
		if (i == n)
			return -EINVAL;
		found |= names[i].statuses;
		word += len;
		if (!*word)
			break;
	}
	*statuses = negated ? TRUSS_ANY_STATUS & ~found : found;
	return 0;
}
