/* SPDX-License-Identifier: BSD-2-Clause */
/* How far down a family is followed, and taking hold of one that is there already: --depth, -p with --tree. */
#include "cli/truss/truss.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <string.h>

struct truss_relative {
	pid_t pid;
	unsigned depth; /* below what was launched or attached to by its id */
	bool refused;
	UT_hash_handle hh;
};

pid_t truss_parent_of(pid_t pid)
{
	char path[40], line[512];
	int parent = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	size_t n = fread(line, 1, sizeof line - 1, file);
	fclose(file);
	line[n] = '\0';
	/* Its name, in parentheses, may hold any character. */
	const char *end = strrchr(line, ')');
	return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static struct truss_relative *find(const struct truss *t, pid_t pid)
{
	struct truss_relative *r;

	HASH_FIND_INT(t->relatives, &pid, r);
	return r;
}

static struct truss_relative *add(struct truss *t, pid_t pid, unsigned depth)
{
	struct truss_relative *r = find(t, pid);

	if (r)
		return r;
	r = calloc(1, sizeof *r);
	if (!r)
		uthash_fatal("out of memory");
	r->pid = pid;
	r->depth = depth;
	HASH_ADD_INT(t->relatives, pid, r);
	return r;
}

static void forget(struct truss *t, struct truss_relative *r)
{
	HASH_DEL(t->relatives, r);
	free(r);
}

void truss_follow_free(struct truss *t)
{
	struct truss_relative *r, *next;

	HASH_ITER(hh, t->relatives, r, next) {
		forget(t, r);
	}
}

/* --- depth --------------------------------------------------------------------------------- */

/* It rests before its first instruction, or where we took hold of it. */
static void limit(struct truss *t, const struct truss_relative *r)
{
	if (r->depth < t->options.depth)
		return;
	int error = stasis_follow_set(t->session, r->pid, STASIS_EVENTS_BIRTH, STASIS_FOLLOW_PARENT);
	if (error < 0 && error != STASIS_E_GONE)
		sts_complain_error("truss", t->session, error);
}

static void note_birth(struct truss *t, const struct stasis_event_birth *b)
{
	const struct truss_relative *parent = find(t, b->parent);

	/* Its parent's own event comes first, unless that died of a sudden: then nobody knows. */
	if (b->side == STASIS_SIDE_PARENT && b->followed)
		add(t, b->child, parent ? parent->depth + 1 : t->options.depth);
	else if (b->side == STASIS_SIDE_CHILD)
		limit(t, add(t, b->child, parent ? parent->depth + 1 : t->options.depth));
}

void truss_follow_note(struct truss *t, const struct stasis_event *e)
{
	if (!t->options.limited)
		return;
	if (STASIS_EVENT_BIT(e->kind) & STASIS_EVENTS_BIRTH)
		note_birth(t, &e->data.birth);
	else if (e->kind == STASIS_EVENT_ATTACHED)
		limit(t, add(t, e->pid, 0));
	else if (e->kind == STASIS_EVENT_EXITED || e->kind == STASIS_EVENT_KILLED)
		forget(t, add(t, e->pid, 0));
}

/* --- a family that is there ------------------------------------------------------------------ */

static bool is_nobody(int error)
{
	return error == STASIS_E_NO_PROCESS || error == STASIS_E_ZOMBIE || error == STASIS_E_GONE;
}

static void take(struct truss *t, pid_t pid, unsigned depth)
{
	char name[24];
	int r = stasis_attach(t->session, pid);

	/* Born of one that we hold already, while we took hold of it: it has been followed. */
	if (r == STASIS_E_ALREADY_TRACED)
		r = 0;
	add(t, pid, depth)->refused = r < 0;
	if (r == 0 || is_nobody(r))
		return;
	snprintf(name, sizeof name, "pid %d", pid);
	sts_complain_error(name, t->session, r);
}

/* How many children were met that were not known. */
static size_t take_children(struct truss *t, DIR *processes)
{
	const struct dirent *entry;
	size_t n = 0;

	rewinddir(processes);
	while ((entry = readdir(processes))) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		const struct truss_relative *parent = pid && !find(t, pid) ? find(t, truss_parent_of(pid)) : NULL;

		if (!parent || parent->refused || (t->options.limited && parent->depth >= t->options.depth))
			continue;
		take(t, pid, parent->depth + 1);
		n++;
	}
	return n;
}

/*
 * Whom we hold rests, and bears nobody: once a look at all processes there are
 * shows no child of theirs that we do not hold, there is none.
 */
void truss_follow_family(struct truss *t)
{
	DIR *processes = opendir("/proc");

	for (size_t i = 0; i < t->options.n_pids; i++)
		add(t, t->options.pids[i], 0);
	while (processes && take_children(t, processes) > 0)
		;
	if (processes)
		closedir(processes);
}
