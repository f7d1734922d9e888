/* SPDX-License-Identifier: BSD-2-Clause */
/* The family: who was born of whom and how, what it ran, when, and how it ended. */
#include "cli/truss/family.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

struct truss_person *truss_family_find(const struct truss *t, pid_t pid)
{
	struct truss_person *p;

	HASH_FIND_INT(t->alive, &pid, p);
	return p;
}

static bool is_full(const struct truss *t)
{
	return !t->options.tree && t->n_family >= TRUSS_FAMILY_MAX;
}

static struct truss_person *add(struct truss *t, pid_t pid, struct truss_person *parent)
{
	struct truss_person *p = NULL;

	if (!is_full(t))
		p = calloc(1, sizeof *p);
	t->n_family++;
	if (!p)
		return NULL;
	p->pid = pid;
	p->index = t->n_family - 1;
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
	struct truss_program *more = reallocarray(p->programs, p->n_programs + 1, sizeof *more);

	if (!more)
		return;
	p->programs = more;
	more += p->n_programs;
	more->name = strdup(name);
	clock_gettime(CLOCK_MONOTONIC, &more->since);
	p->n_programs += more->name != NULL;
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

	if (b->side != STASIS_SIDE_PARENT || truss_family_find(t, b->child))
		return;
	struct truss_person *child = add(t, b->child, truss_family_find(t, e->pid));
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
	struct truss_person *p = truss_family_find(t, e->pid);
	if (!p && (is_full(t) || /* it was counted when it was born */
		   !(p = add(t, e->pid,
			     e->kind == STASIS_EVENT_ATTACHED ? truss_family_find(t, truss_parent_of(e->pid)) : NULL))))
		return;
	if ((!p->programs && !p->birth) || e->kind == STASIS_EVENT_EXEC)
		note_program(p, truss_comm(lwp));
	p->lwps += e->kind == STASIS_EVENT_LWP_CREATE;
	if (e->kind == STASIS_EVENT_EXITED || e->kind == STASIS_EVENT_KILLED)
		note_end(t, p, e->data.exit.status);
}

/* --- showing ------------------------------------------------------------------------------ */

void truss_family_add_end(struct sts_text *out, const struct truss_person *p)
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
	for (size_t i = 0; i < p->n_programs; i++)
		sts_text_add(&out, "%s%s", i > 0 ? " -> " : p->birth ? ": " : "", p->programs[i].name);
	sts_text_add(&out, " (at %.6f", (double)(born > 0 ? born : 0) / 1e9);
	if (p->dead && p->status != -1)
		sts_text_add(&out, ", for %.6f", (double)lived / 1e9);
	if (p->lwps)
		sts_text_add(&out, ", %u threads", p->lwps + 1);
	sts_text_add(&out, ") ");
	truss_family_add_end(&out, p);
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
		for (size_t i = 0; i < p->n_programs; i++)
			free(p->programs[i].name);
		free(p->programs);
		free(p);
	}
	t->family = NULL;
}
