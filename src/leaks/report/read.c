// SPDX-License-Identifier: BSD-2-Clause
/* Reading raw reports, which may be cut off or nonsense. */
#include <stdlib.h>
#include <string.h>

#include "leaks/report/report.h"

struct reader {
	struct sts_leak_report *r;
	const char *at; /* the payload of the item */
	uint32_t size;	/* of it */
	size_t offset;	/* of the item in the file */
	char *why;
	uint32_t items;
	bool ended;
};

static bool refuse(struct reader *in, const char *what)
{
	snprintf(in->why, 128, "byte %zu: %s", in->offset, what);
	return false;
}

/* One more element of an array, zero; NULL without memory. The arrays grow by doubling: at powers of two. */
static void *grow(void *array, size_t *n, size_t size)
{
	char **p = array;

	if ((*n & (*n - 1)) == 0) {
		void *larger = realloc(*p, (*n ? *n * 2 : 1) * size);

		if (!larger)
			return NULL;
		*p = larger;
	}
	return memset(*p + (*n)++ * size, 0, size);
}

#define GROW(array_, n_) ((typeof(array_))grow(&(array_), &(n_), sizeof(*(array_))))

/* What stands behind a fixed part of so many bytes. */
static char *rest_text(struct reader *in, size_t fixed)
{
	return strndup(in->at + fixed, in->size - fixed);
}

static bool read_process(struct reader *in)
{
	struct sts_raw_process *p = &in->r->process;

	if (in->size != sizeof(*p))
		return refuse(in, "the report's first item has a wrong size");
	memcpy(p, in->at, sizeof(*p));
	if (p->magic != STS_RAW_MAGIC)
		return refuse(in, "not a report of leaks");
	if (p->version != STS_RAW_VERSION)
		return refuse(in, "a report of another version of stasis");
	return true;
}

static bool append(char **to, char *more)
{
	char *joined = NULL;

	if (more && asprintf(&joined, "%s%s%s", *to ? *to : "", *to ? "\n" : "", more) < 0)
		joined = NULL;
	free(more);
	if (!joined)
		return false;
	free(*to);
	*to = joined;
	return true;
}

static bool append_string(char ***array, size_t *n, char *text)
{
	char **slot = text ? grow(array, n, sizeof(char *)) : NULL;

	if (!slot) {
		free(text);
		return false;
	}
	*slot = text;
	return true;
}

static bool read_text(struct reader *in)
{
	struct sts_leak_report *r = in->r;
	struct sts_raw_text head;
	bool done = true;

	if (in->size < sizeof(head))
		return refuse(in, "a text that is too short");
	memcpy(&head, in->at, sizeof(head));
	char *text = rest_text(in, sizeof(head));
	switch (head.kind) {
	case STS_RAW_EXE:
		free(r->exe);
		r->exe = text;
		break;
	case STS_RAW_OPTIONS:
		done = append(&r->options, text);
		break;
	case STS_RAW_SUPPRESSIONS:
		done = append(&r->suppressions, text);
		break;
	case STS_RAW_ARGUMENT:
		done = append_string(&r->arguments, &r->n_arguments, text);
		break;
	case STS_RAW_REMARK:
		done = append_string(&r->remarks, &r->n_remarks, text);
		break;
	default:
		free(text);
		return refuse(in, "a text of a kind that is not known");
	}
	return (done && text) || refuse(in, "out of memory");
}

static bool read_module(struct reader *in)
{
	struct sts_leak_report *r = in->r;
	struct sts_raw_module raw;

	if (in->size < sizeof(raw))
		return refuse(in, "a module that is too short");
	memcpy(&raw, in->at, sizeof(raw));
	if (raw.end < raw.start || raw.build_id_size > sizeof(raw.build_id))
		return refuse(in, "a module that cannot be");
	struct sts_leak_module *m = GROW(r->modules, r->n_modules);
	if (!m)
		return refuse(in, "out of memory");
	m->raw = raw;
	m->path = rest_text(in, sizeof(raw));
	return m->path || refuse(in, "out of memory");
}

static bool read_stack(struct reader *in)
{
	struct sts_raw_stack raw;

	if (in->size < sizeof(raw))
		return refuse(in, "a stack that is too short");
	memcpy(&raw, in->at, sizeof(raw));
	if (raw.frames > STS_RAW_DEEPEST || in->size != sizeof(raw) + raw.frames * sizeof(struct sts_raw_frame))
		return refuse(in, "a stack of another size than it says");
	struct sts_leak_stack *s = GROW(in->r->stacks, in->r->n_stacks);
	if (!s)
		return refuse(in, "out of memory");
	s->id = raw.id;
	s->n_frames = raw.frames;
	/* In the report they may not be aligned. */
	s->frames = malloc(raw.frames * sizeof(*s->frames) + 1);
	if (!s->frames)
		return refuse(in, "out of memory");
	memcpy(s->frames, in->at + sizeof(raw), raw.frames * sizeof(*s->frames));
	return true;
}

static bool read_leak(struct reader *in)
{
	struct sts_raw_leak raw;

	if (in->size != sizeof(raw))
		return refuse(in, "a leak of a wrong size");
	memcpy(&raw, in->at, sizeof(raw));
	if (raw.class < STS_RAW_DEFINITE || raw.class > STS_RAW_REACHABLE)
		return refuse(in, "a leak of a class that is not known");
	struct sts_leak *leak = GROW(in->r->leaks, in->r->n_leaks);
	if (!leak)
		return refuse(in, "out of memory");
	leak->raw = raw;
	return true;
}

static bool read_object(struct reader *in)
{
	struct sts_raw_object *o;

	if (in->size != sizeof(*o))
		return refuse(in, "an object of a wrong size");
	o = GROW(in->r->objects, in->r->n_objects);
	if (!o)
		return refuse(in, "out of memory");
	memcpy(o, in->at, sizeof(*o));
	return true;
}

static bool read_obstacle(struct reader *in)
{
	struct sts_leak_report *r = in->r;
	struct sts_raw_obstacle *o;
	size_t names = r->n_obstacles;

	if (in->size < sizeof(*o))
		return refuse(in, "a thread that is too short");
	if (!append_string(&r->obstacle_names, &names, rest_text(in, sizeof(*o))))
		return refuse(in, "out of memory");
	o = GROW(r->obstacles, r->n_obstacles);
	if (!o) {
		free(r->obstacle_names[names - 1]);
		return refuse(in, "out of memory");
	}
	memcpy(o, in->at, sizeof(*o));
	return true;
}

static bool read_end(struct reader *in)
{
	struct sts_raw_end end;

	if (in->size != sizeof(end))
		return refuse(in, "an end of a wrong size");
	memcpy(&end, in->at, sizeof(end));
	if (end.items != in->items)
		return refuse(in, "items are missing");
	in->r->truncated = end.truncated != 0;
	in->ended = true;
	return true;
}

static bool read_item(struct reader *in, uint32_t kind)
{
	if ((in->items == 1) != (kind == STS_RAW_PROCESS))
		return refuse(in, in->items == 1 ? "not a report of leaks" : "two reports in one");
	switch (kind) {
	case STS_RAW_PROCESS:
		return read_process(in);
	case STS_RAW_TEXT:
		return read_text(in);
	case STS_RAW_MODULE:
		return read_module(in);
	case STS_RAW_STACK:
		return read_stack(in);
	case STS_RAW_LEAK:
		return read_leak(in);
	case STS_RAW_OBJECT:
		return read_object(in);
	case STS_RAW_OBSTACLE:
		return read_obstacle(in);
	case STS_RAW_END:
		return read_end(in);
	}
	return refuse(in, "an item of a kind that is not known");
}

static bool read_items(struct reader *in, const char *data, size_t size)
{
	size_t at = 0;

	while (!in->ended) {
		struct sts_raw_item item;

		in->offset = at;
		if (size - at < sizeof(item))
			return refuse(in, size == 0 ? "the report is empty" : "the report is cut off");
		memcpy(&item, data + at, sizeof(item));
		at += sizeof(item);
		if (item.size > STS_RAW_LARGEST || item.size > size - at)
			return refuse(in, "an item that is longer than the report");
		in->at = data + at;
		in->size = item.size;
		in->items++;
		if (!read_item(in, item.kind))
			return false;
		at += item.size;
	}
	in->offset = at;
	return at == size || refuse(in, "something stands behind the report");
}

static int by_id(const void *a, const void *b)
{
	const struct sts_leak_stack *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* LSan's order: what nothing points to first, then by size. */
static int by_weight(const void *a, const void *b)
{
	const struct sts_raw_leak *x = &((const struct sts_leak *)a)->raw, *y = &((const struct sts_leak *)b)->raw;

	if (x->class != y->class)
		return (x->class > y->class) - (x->class < y->class);
	if (x->bytes != y->bytes)
		return (x->bytes < y->bytes) - (x->bytes > y->bytes);
	return (x->stack > y->stack) - (x->stack < y->stack);
}

static void connect_stacks(struct sts_leak_report *r)
{
	if (r->n_stacks)
		qsort(r->stacks, r->n_stacks, sizeof(*r->stacks), by_id);
	if (r->n_leaks)
		qsort(r->leaks, r->n_leaks, sizeof(*r->leaks), by_weight);
	for (size_t i = 0; i < r->n_leaks; i++) {
		struct sts_leak_stack key = {.id = r->leaks[i].raw.stack};

		r->leaks[i].stack = r->n_stacks ? bsearch(&key, r->stacks, r->n_stacks, sizeof(key), by_id) : NULL;
	}
}

static bool fill_empty(struct sts_leak_report *r)
{
	char **texts[] = {&r->exe, &r->options, &r->suppressions};

	for (size_t i = 0; i < 3; i++)
		if (!*texts[i] && !(*texts[i] = strdup("")))
			return false;
	return true;
}

struct sts_leak_report *sts_leak_report_read(char *data, size_t size, char why[static 128])
{
	struct sts_leak_report *r = calloc(1, sizeof(*r));
	struct reader in = {.r = r, .why = why};

	if (!r) {
		free(data);
		refuse(&in, "out of memory");
		return NULL;
	}
	r->data = data;
	if (!read_items(&in, data, size) || (!fill_empty(r) && !refuse(&in, "out of memory"))) {
		sts_leak_report_free(r);
		return NULL;
	}
	connect_stacks(r);
	return r;
}

static void free_strings(char **array, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(array[i]);
	free(array);
}

void sts_leak_report_free(struct sts_leak_report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_modules; i++) {
		sts_symbols_free(r->modules[i].symbols);
		free(r->modules[i].path);
	}
	for (size_t i = 0; i < r->n_stacks; i++) {
		free(r->stacks[i].frames);
		free(r->stacks[i].lines);
	}
	free_strings(r->arguments, r->n_arguments);
	free_strings(r->remarks, r->n_remarks);
	free_strings(r->obstacle_names, r->n_obstacles);
	free_strings(r->texts, r->n_texts);
	free(r->modules);
	free(r->stacks);
	free(r->leaks);
	free(r->objects);
	free(r->obstacles);
	free(r->exe);
	free(r->options);
	free(r->suppressions);
	free(r->data);
	free(r);
}

const char *sts_leak_report_keep(struct sts_leak_report *r, char *text)
{
	return append_string(&r->texts, &r->n_texts, text) ? text : "";
}

void sts_leak_report_remark(struct sts_leak_report *r, char *text)
{
	(void)!append_string(&r->remarks, &r->n_remarks, text);
}

struct sts_leak_module *sts_leak_report_module(struct sts_leak_report *r, const struct sts_raw_frame *frame)
{
	for (size_t i = 0; frame->module != STS_RAW_NO_MODULE && i < r->n_modules; i++)
		if (r->modules[i].raw.id == frame->module)
			return &r->modules[i];
	return NULL;
}

bool sts_leak_counts(const struct sts_leak *leak, unsigned classes)
{
	return (classes & 1u << leak->raw.class) && !leak->rule && !leak->known;
}

void sts_leak_report_sum(const struct sts_leak_report *r, unsigned classes, struct sts_raw_verdict *ret)
{
	*ret = (struct sts_raw_verdict){.magic = STS_RAW_MAGIC};
	for (size_t i = 0; i < r->n_leaks; i++) {
		const struct sts_leak *leak = &r->leaks[i];

		if (!sts_leak_counts(leak, classes))
			continue;
		ret->leaks++;
		ret->blocks += leak->raw.blocks;
		ret->bytes += leak->raw.bytes;
	}
}

const char *sts_leak_class_name(unsigned class)
{
	static const char *const names[] = {"", "definite", "indirect", "possible", "reachable"};

	return class < sizeof(names) / sizeof(names[0]) ? names[class] : "";
}
