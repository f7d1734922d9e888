/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --html: one page that needs nothing else, data/truss.html with what is known in it: the processes in time, the calls
 * by name, the slowest of them as text. What it holds is bounded, however long the trace.
 */
#include "cli/truss/family.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "leaks/report/page.h"

#define SLOWEST 500
#define TEXT_MAX 400
#define PROGRAMS_MAX 50 /* of one process */

/* Made of data/truss.html. */
extern const char sts_truss_page_head[], sts_truss_page_tail[];

struct slow {
	uint64_t ns;
	int64_t start;
	pid_t pid, tid;
	int person; /* index, -1: not noted */
	char call[40], *text;
};

struct count {
	char call[40];
	uint64_t calls, errors, wall, max;
	UT_hash_handle hh;
};

struct truss_page {
	FILE *file;
	struct slow slowest[SLOWEST]; /* a heap: the least of them first */
	size_t n;
	struct count *counts;
	bool failed;
};

int truss_page_open(struct truss *t)
{
	t->page = calloc(1, sizeof *t->page);
	if (!t->page)
		return -ENOMEM;
	t->page->file = fopen(t->options.html, "we");
	if (t->page->file)
		return 0;
	int error = errno;
	free(t->page);
	t->page = NULL;
	return -error;
}

/* --- calls --------------------------------------------------------------------------------- */

void truss_page_enter(struct truss *t, struct truss_lwp *lwp, struct truss_source *source)
{
	struct truss_call *call = &lwp->call;
	char text[TEXT_MAX];
	struct sts_text out;

	memset(&call->page_decode, 0, sizeof call->page_decode);
	truss_decoder_set(&call->page_decode, source, &t->options);
	sts_text_init(&out, text, sizeof text);
	sts_decode_enter(&call->page_decode, &call->data, &out);
	free(call->page_text);
	call->page_text = strdup(text);
}

static void swap(struct slow *a, struct slow *b)
{
	struct slow c = *a;

	*a = *b;
	*b = c;
}

static void sink(struct truss_page *p, size_t i)
{
	for (size_t child; (child = 2 * i + 1) < p->n; i = child) {
		if (child + 1 < p->n && p->slowest[child + 1].ns < p->slowest[child].ns)
			child++;
		if (p->slowest[i].ns <= p->slowest[child].ns)
			return;
		swap(&p->slowest[i], &p->slowest[child]);
	}
}

static void rise(struct truss_page *p, size_t i)
{
	for (; i > 0 && p->slowest[i].ns < p->slowest[(i - 1) / 2].ns; i = (i - 1) / 2)
		swap(&p->slowest[i], &p->slowest[(i - 1) / 2]);
}

static void keep(struct truss_page *p, const struct slow *s)
{
	if (p->n < SLOWEST) {
		p->slowest[p->n] = *s;
		rise(p, p->n++);
		return;
	}
	free(p->slowest[0].text);
	p->slowest[0] = *s;
	sink(p, 0);
}

static char *whole_text(struct truss_lwp *lwp, struct truss_source *source, unsigned status)
{
	struct truss_call *call = &lwp->call;
	char rest[TEXT_MAX], result[TEXT_MAX], *text;
	struct sts_text out, result_text;

	sts_text_init(&out, rest, sizeof rest);
	sts_text_init(&result_text, result, sizeof result);
	if (status & (TRUSS_SUCCESSFUL | TRUSS_FAILED)) {
		call->page_decode.arg = source;
		sts_decode_leave(&call->page_decode, &call->data, &out, &result_text);
	} else {
		sts_text_add(&out, " <%s ...>", status == TRUSS_DETACHED ? "detached" : "unfinished");
		sts_text_add(&result_text, "?");
	}
	return asprintf(&text, "%s%s = %s", call->page_text ? call->page_text : "", rest, result) < 0 ? NULL : text;
}

static void count_call(struct truss_page *p, const char *name, uint64_t ns, bool failed)
{
	struct count *c;

	HASH_FIND_STR(p->counts, name, c);
	if (!c) {
		c = calloc(1, sizeof *c);
		if (!c)
			return;
		snprintf(c->call, sizeof c->call, "%s", name);
		HASH_ADD_STR(p->counts, call, c);
	}
	c->calls++;
	c->errors += failed;
	c->wall += ns;
	c->max = ns > c->max ? ns : c->max;
}

void truss_page_leave(struct truss *t, struct truss_lwp *lwp, struct truss_source *source, unsigned status)
{
	struct truss_page *p = t->page;
	const struct truss_call *call = &lwp->call;
	struct truss_person *person = truss_family_find(t, lwp->pid);
	int64_t ns = truss_nanoseconds(&call->start.monotonic, &call->end);
	struct slow s = {.ns = ns > 0 ? (uint64_t)ns : 0, .pid = lwp->pid, .tid = lwp->tid};

	snprintf(s.call, sizeof s.call, "%s", stasis_syscall_name(call->data.abi, call->data.number));
	if (person && status & (TRUSS_SUCCESSFUL | TRUSS_FAILED)) {
		person->calls++;
		person->errors += status == TRUSS_FAILED;
		person->wall += s.ns;
	}
	if (status & (TRUSS_SUCCESSFUL | TRUSS_FAILED))
		count_call(p, s.call, s.ns, status == TRUSS_FAILED);
	if (p->n == SLOWEST && s.ns <= p->slowest[0].ns)
		return;
	s.start = truss_nanoseconds(&t->began.monotonic, &call->start.monotonic);
	s.person = person ? (int)person->index : -1;
	s.text = whole_text(lwp, source, status);
	keep(p, &s);
}

/* --- the page ------------------------------------------------------------------------------ */

static void put_text(FILE *to, const char *text)
{
	char json[8 * TEXT_MAX];
	struct sts_text out;

	sts_text_init(&out, json, sizeof json);
	sts_json_add_string(&out, text);
	if (out.cut) { /* such a long one has been cut before */
		fputs("\"...\"", to);
		return;
	}
	fputs(json, to);
}

/* From the beginning of the trace. */
static void put_moment(FILE *to, const struct truss *t, const char *member, const struct timespec *when)
{
	int64_t ns = truss_nanoseconds(&t->began.monotonic, when);

	fprintf(to, ",\"%s\":%" PRId64, member, ns > 0 ? ns : 0);
}

static void put_programs(FILE *to, const struct truss *t, const struct truss_person *p)
{
	fputs(",\"programs\":[", to);
	for (size_t i = 0; i < p->n_programs && i < PROGRAMS_MAX; i++) {
		fputs(i ? ",{\"name\":" : "{\"name\":", to);
		put_text(to, p->programs[i].name);
		put_moment(to, t, "since", &p->programs[i].since);
		fputc('}', to);
	}
	fputc(']', to);
}

static void put_person(FILE *to, const struct truss *t, const struct truss_person *p)
{
	char end[80];
	struct sts_text out;

	sts_text_init(&out, end, sizeof end);
	truss_family_add_end(&out, p);
	fprintf(to, "{\"index\":%u,\"pid\":%d,\"parent\":%d,\"birth\":\"%s\"", p->index, p->pid,
		p->parent ? (int)p->parent->index : -1, p->birth ? p->birth : "");
	put_moment(to, t, "born", &p->born);
	if (p->dead && p->status != -1)
		put_moment(to, t, "died", &p->died);
	fprintf(to, ",\"end\":\"%s\",\"threads\":%u,\"calls\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"wall\":%" PRIu64,
		end, p->lwps + 1, p->calls, p->errors, p->wall);
	put_programs(to, t, p);
	fputc('}', to);
}

/* The newest first, as they are linked; the page sorts them. */
static void put_family(FILE *to, const struct truss *t)
{
	const char *between = "";

	fputs(",\"processes\":[", to);
	for (const struct truss_person *p = t->family; p; p = p->all) {
		if (p->index >= TRUSS_FAMILY_MAX) /* noted for --tree */
			continue;
		fputs(between, to);
		put_person(to, t, p);
		between = ",";
	}
	fputc(']', to);
}

static void put_calls(FILE *to, const struct truss_page *p)
{
	fputs(",\"counts\":[", to);
	for (const struct count *c = p->counts; c; c = c->hh.next)
		fprintf(to,
			"%s{\"call\":\"%s\",\"calls\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"wall\":%" PRIu64
			",\"max\":%" PRIu64 "}",
			c == p->counts ? "" : ",", c->call, c->calls, c->errors, c->wall, c->max);
	fputs("],\"slowest\":[", to);
	for (size_t i = 0; i < p->n; i++) {
		const struct slow *s = &p->slowest[i];

		fprintf(to,
			"%s{\"call\":\"%s\",\"ns\":%" PRIu64 ",\"start\":%" PRId64
			",\"pid\":%d,\"tid\":%d,\"process\":%d,\"text\":",
			i ? "," : "", s->call, s->ns, s->start > 0 ? s->start : 0, s->pid, s->tid, s->person);
		put_text(to, s->text ? s->text : "");
		fputc('}', to);
	}
	fputc(']', to);
}

static void put_facts(FILE *to, const struct truss *t)
{
	struct truss_time now = truss_now();

	fprintf(to, "{\"version\":\"%s\",\"began\":%lld", stasis_version(), (long long)t->began.real.tv_sec);
	put_moment(to, t, "ended", &now.monotonic);
	fputs(",\"command\":[", to);
	for (char **arg = t->options.command; arg && *arg; arg++) {
		fputs(arg == t->options.command ? "" : ",", to);
		put_text(to, *arg);
	}
	fprintf(to, "],\"all_processes\":%u,\"most_processes\":%d,\"most_slowest\":%d", t->n_family, TRUSS_FAMILY_MAX,
		SLOWEST);
	put_family(to, t);
	put_calls(to, t->page);
	fputc('}', to);
}

static bool write_page(const struct truss *t, FILE *file)
{
	char *json = NULL;
	size_t size;
	FILE *text = open_memstream(&json, &size);

	if (!text)
		return false;
	put_facts(text, t);
	bool ok = fclose(text) == 0;
	fputs(sts_truss_page_head, file);
	if (ok)
		sts_page_put_json(file, "trace", json);
	fputs(sts_truss_page_tail, file);
	free(json);
	return ok && !ferror(file);
}

static void free_page(struct truss_page *p)
{
	struct count *c, *next;

	HASH_ITER(hh, p->counts, c, next) {
		HASH_DEL(p->counts, c);
		free(c);
	}
	for (size_t i = 0; i < p->n; i++)
		free(p->slowest[i].text);
	free(p);
}

bool truss_page_close(struct truss *t)
{
	errno = 0;
	bool ok = write_page(t, t->page->file);
	int error = errno;

	if (fclose(t->page->file) != 0) {
		error = errno;
		ok = false;
	}
	if (!ok)
		sts_complain(t->options.html, "the page could not be written: %s", strerror(error));
	free_page(t->page);
	t->page = NULL;
	return ok;
}
