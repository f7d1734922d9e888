// SPDX-License-Identifier: BSD-2-Clause
/*
 * Baselines: what leaked before, one line for each class and stack: "CLASS BLOCKS BYTES KEY". The key is a hash of the
 * names along the stack, so that it outlives other lines, other addresses and another place of the sources.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "leaks/report/judge.h"
#include "util/cleanup.h"

#define HEADER "stasis-leaks-baseline 1"

struct entry {
	uint64_t key, blocks, bytes;
	unsigned class;
};

struct sts_baseline {
	struct entry *entries;
	size_t n;
};

/* FNV-1a. */
static uint64_t hash(uint64_t h, const char *text)
{
	do
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return h;
}

static uint64_t key_of(const struct sts_leak *leak)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; leak->stack && i < leak->stack->n_lines; i++) {
		const struct sts_line *l = &leak->stack->lines[i];
		const char *slash = strrchr(l->module, '/');

		h = hash(h, l->raw[0] ? l->raw : slash ? slash + 1 : l->module);
	}
	return h;
}

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->key != y->key)
		return (x->key > y->key) - (x->key < y->key);
	return (x->class > y->class) - (x->class < y->class);
}

/* Stacks that differ in places only are one. */
static void unite(struct sts_baseline *b)
{
	size_t n = 0;

	if (b->n)
		qsort(b->entries, b->n, sizeof(*b->entries), by_key);
	for (size_t i = 0; i < b->n; i++) {
		if (n && by_key(&b->entries[n - 1], &b->entries[i]) == 0) {
			b->entries[n - 1].blocks += b->entries[i].blocks;
			b->entries[n - 1].bytes += b->entries[i].bytes;
		} else {
			b->entries[n++] = b->entries[i];
		}
	}
	b->n = n;
}

static const struct entry *find(const struct sts_baseline *b, const struct entry *key)
{
	return b->n ? bsearch(key, b->entries, b->n, sizeof(*key), by_key) : NULL;
}

static bool parse(const char *line, struct entry *ret)
{
	char class[16];
	int end = 0;

	if (sscanf(line, "%15s %" SCNu64 " %" SCNu64 " %" SCNx64 "%n", class, &ret->blocks, &ret->bytes, &ret->key,
		   &end) != 4)
		return false;
	for (ret->class = STS_RAW_DEFINITE; ret->class <= STS_RAW_REACHABLE; ret->class ++)
		if (strcmp(class, sts_leak_class_name(ret->class)) == 0)
			return line[end] == ' ' || line[end] == '\n' || !line[end];
	return false;
}

static bool add(struct sts_baseline *b, const struct entry *entry)
{
	if ((b->n & (b->n - 1)) == 0) {
		struct entry *more = realloc(b->entries, (b->n ? 2 * b->n : 1) * sizeof(*more));

		if (!more)
			return false;
		b->entries = more;
	}
	b->entries[b->n++] = *entry;
	return true;
}

static bool read_entries(struct sts_baseline *b, FILE *from, const char *path, char why[static 256])
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	unsigned number = 0;

	while (getline(&line, &size, from) > 0) {
		struct entry entry;
		bool header = ++number == 1;

		if (header && strncmp(line, HEADER, strlen(HEADER)) == 0)
			continue;
		if (header || !parse(line, &entry) || !add(b, &entry)) {
			snprintf(why, 256, "%s:%u: %s", path, number,
				 header ? "not a baseline of stasis leaks" : "not a line of a baseline");
			return false;
		}
	}
	if (number == 0)
		snprintf(why, 256, "%s: not a baseline of stasis leaks, but empty", path);
	return number > 0;
}

struct sts_baseline *sts_baseline_read(const char *path, char why[static 256])
{
	struct sts_baseline *b = calloc(1, sizeof(*b));
	FILE *from = fopen(path, "re");

	if (!b || !from) {
		snprintf(why, 256, "%s: %s", path, strerror(errno));
		if (from)
			fclose(from);
		free(b);
		return NULL;
	}
	bool good = read_entries(b, from, path, why);
	fclose(from);
	if (!good) {
		sts_baseline_free(b);
		return NULL;
	}
	unite(b);
	return b;
}

void sts_baseline_free(struct sts_baseline *b)
{
	if (!b)
		return;
	free(b->entries);
	free(b);
}

/* Known is what does not have more blocks than before, all stacks of the key taken together. */
void sts_baseline_apply(struct sts_baseline *b, struct sts_leak_report *r)
{
	struct sts_baseline now = {0};

	for (size_t i = 0; i < r->n_leaks; i++)
		add(&now, &(struct entry){.key = key_of(&r->leaks[i]),
					  .class = r->leaks[i].raw.class,
					  .blocks = r->leaks[i].raw.blocks});
	unite(&now);
	for (size_t i = 0; i < r->n_leaks; i++) {
		struct entry key = {.key = key_of(&r->leaks[i]), .class = r->leaks[i].raw.class};
		const struct entry *is = find(&now, &key), *was = find(b, &key);

		r->leaks[i].known |= is && was && is->blocks <= was->blocks;
	}
	free(now.entries);
}

void sts_baseline_write(FILE *to, const struct sts_leak_report *r, const struct sts_view *view)
{
	if (ftell(to) == 0)
		fprintf(to, HEADER "\n");
	for (size_t i = 0; i < r->n_leaks; i++) {
		const struct sts_leak *leak = &r->leaks[i];
		const struct sts_line *culprit = sts_leak_culprit(leak);

		if ((view->shown & 1u << leak->raw.class) && !leak->rule)
			fprintf(to, "%s %" PRIu64 " %" PRIu64 " %016" PRIx64 " %s\n",
				sts_leak_class_name(leak->raw.class), leak->raw.blocks, leak->raw.bytes, key_of(leak),
				culprit ? culprit->name : "?");
	}
}
