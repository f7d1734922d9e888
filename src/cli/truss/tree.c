/* SPDX-License-Identifier: BSD-2-Clause */
/* The family: who was born of whom and how, what it ran, when, and how it ended. */
#include "cli/truss/truss.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

struct truss_person {
	pid_t pid;
	const char *birth; /* NULL: launched or attached */
	char *programs;	   /* names, in the order of their execs, with arrows between */
	struct timespec born, died;
	bool dead;
	int status;					   /* wait(2) status */
	unsigned lwps;					   /* threads born, besides the first */
	struct truss_person *parent, *first, *last, *next; /* children, in the order of their births */
	struct truss_person *all;			   /* the one noted before */
	UT_hash_handle hh;				   /* while it is alive: a pid may come again */
};

static struct truss_person *find(const struct truss *t, pid_t pid)
{
	struct truss_person *p;

	HASH_FIND_INT(t->alive, &pid, p);
	return p;
}

static struct truss_person *add(struct truss *t, pid_t pid, struct truss_person *parent)
{
	struct truss_person *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->pid = pid;
	p->parent = parent;
	clock_gettime(CLOCK_MONOTONIC, &p->born);
	p->all = t->family;
	t->family = p;
	HASH_ADD_INT(t->alive, pid, p);
	if (!parent)
		return p;
	if (parent->last)
		parent->last->next = p;
	else
		parent->first = p;
	parent->last = p;
	return p;
}

static void note_program(struct truss_person *p, const char *name)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", p->programs ? p->programs : "", p->programs ? " -> " : "", name) < 0)
		return;
	free(p->programs);
	p->programs = longer;
}

static void note_end(struct truss *t, struct truss_person *p, int status)
{
	HASH_DEL(t->alive, p);
	p->dead = true;
	p->status = status;
	clock_gettime(CLOCK_MONOTONIC, &p->died);
}

static void note_birth(struct truss *t, const struct stasis_event *e)
{
	const struct stasis_event_birth *b = &e->data.birth;

	if (b->side != STASIS_SIDE_PARENT || find(t, b->child))
		return;
	struct truss_person *child = add(t, b->child, find(t, e->pid));
	if (!child)
		return;
	child->birth = stasis_event_kind_name(e->kind);
	if (b->failed || !b->followed) /* nothing more is heard of it */
		note_end(t, child, b->failed ? b->wait_status : -1);
}

void truss_tree_note(struct truss *t, struct truss_lwp *lwp, const struct stasis_event *e)
{
	if (STASIS_EVENT_BIT(e->kind) & STASIS_EVENTS_BIRTH) {
		note_birth(t, e);
		return;
	}
	struct truss_person *p = find(t, e->pid);
	if (!p && !(p = add(t, e->pid, e->kind == STASIS_EVENT_ATTACHED ? find(t, truss_parent_of(e->pid)) : NULL)))
		return;
	if ((!p->programs && !p->birth) || e->kind == STASIS_EVENT_EXEC)
		note_program(p, truss_comm(lwp));
	p->lwps += e->kind == STASIS_EVENT_LWP_CREATE;
	if (e->kind == STASIS_EVENT_EXITED || e->kind == STASIS_EVENT_KILLED)
		note_end(t, p, e->data.exit.status);
}

/* --- showing ------------------------------------------------------------------------------ */

static void add_end(struct sts_text *out, const struct truss_person *p)
{
	if (!p->dead)
		sts_text_add(out, "still there");
	else if (p->status == -1)
		sts_text_add(out, "not followed");
	else if (WIFSIGNALED(p->status))
		sts_text_add(out, "killed by %s", sts_decode_signal(WTERMSIG(p->status)));
	else
		sts_text_add(out, "exited with %d", WEXITSTATUS(p->status));
}

static void show_person(struct truss *t, const struct truss_person *p, unsigned depth)
{
	struct sts_text out;
	int64_t born = truss_nanoseconds(&t->began.monotonic, &p->born);
	int64_t lived = truss_nanoseconds(&p->born, &p->died);

	sts_text_init(&out, t->buffer, t->buffer_size);
	sts_text_add(&out, "%*s%d %s", (int)(2 * (depth < 100 ? depth : 100)), "", p->pid, p->birth ? p->birth : "");
	sts_text_add(&out, "%s%s", p->birth && p->programs ? ": " : "", p->programs ? p->programs : "");
	sts_text_add(&out, " (at %.6f", (double)(born > 0 ? born : 0) / 1e9);
	if (p->dead && p->status != -1)
		sts_text_add(&out, ", for %.6f", (double)lived / 1e9);
	if (p->lwps)
		sts_text_add(&out, ", %u threads", p->lwps + 1);
	sts_text_add(&out, ") ");
	add_end(&out, p);
	truss_raw_line(&t->out, t->buffer);
}

/* The next in the family, without recursion: generations may be many. */
static const struct truss_person *after(const struct truss_person *p, unsigned *depth)
{
	if (p->first) {
		++*depth;
		return p->first;
	}
	for (; p; p = p->parent, --*depth) {
		if (p->next)
			return p->next;
		if (!p->parent)
			return NULL;
	}
	return NULL;
}

/* The oldest without a parent among those noted after `done`. */
static const struct truss_person *next_root(const struct truss *t, const struct truss_person *done)
{
	const struct truss_person *root = NULL;

	for (const struct truss_person *p = t->family; p != done; p = p->all)
		root = p->parent ? root : p;
	return root;
}

void truss_tree_show(struct truss *t)
{
	const struct truss_person *root = NULL;

	truss_raw_line(&t->out, "family:");
	while ((root = next_root(t, root))) {
		unsigned depth = 0;

		for (const struct truss_person *p = root; p; p = after(p, &depth))
			show_person(t, p, depth);
	}
}

void truss_tree_free(struct truss *t)
{
	struct truss_person *p = t->family, *next;

	HASH_CLEAR(hh, t->alive);
	for (; p; p = next) {
		next = p->all;
		free(p->programs);
		free(p);
	}
	t->family = NULL;
}
