// SPDX-License-Identifier: BSD-2-Clause
/* The heap and the unwinder from inside, linked with the archive: one scenario of each run, as in family.c. */
#include "family.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leaks/heap/heap.h"
#include "leaks/unwind/depot.h"
#include "leaks/unwind/modules.h"
#include "leaks/unwind/unwind.h"

#define NOINLINE __attribute__((noinline))

static struct sts_chunk chunk_of(const void *p)
{
	struct sts_chunk chunk;

	CHECK(sts_heap_find((uintptr_t)p, &chunk));
	return chunk;
}

static bool found(const void *p)
{
	struct sts_chunk chunk;

	return sts_heap_find((uintptr_t)p, &chunk);
}

/* Each block is found from each address within, with its size, and from none beyond. */
static void find(void)
{
	for (size_t size = 0; size < 9000000; size += size < 3000 ? 1 : size * 3 / 7) {
		char *p = malloc(size);
		size_t step = size < 3000 ? 1 : size / 1000;

		HIDE(p);
		for (size_t i = 0; i < size + (size == 0); i += step) {
			struct sts_chunk chunk = chunk_of(p + i);

			CHECK(chunk.start == (uintptr_t)p && chunk.size == size && chunk.state == STS_CHUNK_LIVE);
		}
		CHECK(!found(p + size + (size == 0)) || chunk_of(p + size + (size == 0)).start != (uintptr_t)p);
		CHECK(!found(p - 1) || chunk_of(p - 1).start != (uintptr_t)p);
		free(p);
		CHECK(!found(p));
	}
}

static void find_nothing(void)
{
	static int global;
	int local = 0;
	void *mapped = mmap(NULL, 1 << 23, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t lo, hi;
	char *p = calloc(1, 10);

	HIDE(p);
	CHECK(!found(&global) && !found(&local) && !found(mapped) && !found((char *)mapped + (1 << 22)));
	CHECK(!found(NULL) && !found((void *)-1) && !found((void *)(UINT64_C(1) << 47)) &&
	      !found((void *)(UINT64_C(1) << 63)) && !found((void *)1));
	sts_heap_bounds(&lo, &hi);
	CHECK((uintptr_t)p >= lo && (uintptr_t)p < hi);
	free(p);
}

static void flags(void)
{
	char *p = calloc(1, 50), *big = calloc(1, 500000), *q;

	CHECK(sts_heap_ignore(p) && sts_heap_ignore(big));
	CHECK(chunk_of(p).state == (STS_CHUNK_LIVE | STS_CHUNK_IGNORED));
	CHECK(chunk_of(big).state == (STS_CHUNK_LIVE | STS_CHUNK_IGNORED));
	CHECK(!sts_heap_ignore(p + 1) && !sts_heap_ignore(&p));
	sts_heap_disable(1);
	sts_heap_disable(1);
	q = malloc(50);
	CHECK(chunk_of(q).state == (STS_CHUNK_LIVE | STS_CHUNK_DISABLED) && chunk_of(q).size == 50);
	sts_heap_disable(-1);
	sts_heap_disable(-1);
	free(q);
	q = malloc(50);
	CHECK(chunk_of(q).state == STS_CHUNK_LIVE);
	free(p);
	free(big);
	CHECK(!sts_heap_ignore(p));
	free(q);
}

enum { MARKED = 20000 };

static size_t size_at(size_t i)
{
	return i % 100 == 99 ? i * 17 : i % 1000;
}

static void marks(void)
{
	static char *blocks[MARKED];

	for (size_t i = 0; i < MARKED; i++)
		blocks[i] = malloc(i % 5000 != 17 ? size_at(i) : 3000000);
	for (unsigned class = 0; class < STS_HEAP_MARKS; class ++)
		for (size_t i = class; i < MARKED; i += class + 2) {
			struct sts_chunk chunk = chunk_of(blocks[i]);

			CHECK(!sts_heap_marked(&chunk, class));
			CHECK(sts_heap_mark(&chunk, class));
			CHECK(!sts_heap_mark(&chunk, class) && sts_heap_marked(&chunk, class));
		}
	for (unsigned class = 0; class < STS_HEAP_MARKS; class ++)
		for (size_t i = 0; i < MARKED; i++) {
			struct sts_chunk chunk = chunk_of(blocks[i]);

			CHECK(sts_heap_marked(&chunk, class) == (i >= class && (i - class) % (class + 2) == 0));
		}
	sts_heap_clear_marks();
	for (size_t i = 0; i < MARKED; i++) {
		struct sts_chunk chunk = chunk_of(blocks[i]);

		for (unsigned class = 0; class < STS_HEAP_MARKS; class ++)
			CHECK(!sts_heap_marked(&chunk, class));
		free(blocks[i]);
	}
}

struct sum {
	size_t n, bytes;
	uint32_t stack;
};

static void add(void *arg, const struct sts_chunk *chunk)
{
	struct sum *sum = arg;

	if (chunk->stack == sum->stack) {
		sum->n++;
		sum->bytes += chunk->size;
	}
}

static NOINLINE void *made_here(size_t size)
{
	void *p = malloc(size);

	HIDE(p);
	return p;
}

/* Blocks that are freed, and lie in a thread's cache, are not among them. */
static void each(void)
{
	static void *blocks[5000];
	struct sum sum = {0};
	size_t bytes = 0;

	for (size_t i = 0; i < 5000; i++) {
		blocks[i] = made_here(size_at(i));
		bytes += size_at(i);
	}
	sum.stack = chunk_of(blocks[0]).stack;
	sts_heap_hold();
	sts_heap_each(add, &sum);
	sts_heap_release();
	CHECK(sum.n == 5000 && sum.bytes == bytes);
	for (size_t i = 0; i < 5000; i++)
		free(blocks[i]);
	sum = (struct sum){.stack = sum.stack};
	sts_heap_each(add, &sum);
	CHECK(sum.n == 0);
}

static atomic_bool enough;
static atomic_ulong turns;

static void *churn(void *arg)
{
	void *p[100] = {NULL};

	for (size_t i = 0; !atomic_load(&enough); i++) {
		free(p[i % 100]);
		p[i % 100] = malloc(i * 37 % 2000);
		atomic_fetch_add(&turns, 1);
	}
	for (int i = 0; i < 100; i++)
		free(p[i]);
	return arg;
}

/* The holder allocates, and nobody else gets further than his cache leads; then all goes on. */
static void hold(void)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&t[i], NULL, churn, NULL) == 0);
	for (int i = 0; i < 300; i++) {
		unsigned long before;
		void *p;

		sts_heap_hold();
		sts_heap_hold();
		p = malloc(100000);
		CHECK(p != NULL && found(p));
		free(p);
		for (size_t size = 16; size < 5000; size *= 2)
			free(malloc(size));
		sts_heap_release();
		sts_heap_release();
		before = atomic_load(&turns);
		while (atomic_load(&turns) < before + 100)
			sched_yield();
	}
	atomic_store(&enough, true);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

/* Words and free bits: less than 16 bytes for a small block. */
static void overhead(void)
{
	struct sts_heap_stats before, after;
	static void *blocks[200000];

	for (size_t size = 16; size <= 128; size += 16) {
		sts_heap_stats(&before);
		for (size_t i = 0; i < 200000; i++)
			blocks[i] = malloc(size);
		sts_heap_stats(&after);
		for (size_t i = 0; i < 200000; i++)
			free(blocks[i]);
		CHECK(after.own - before.own < 200000 * 11 + (4 << 20));
	}
}

static NOINLINE uint32_t here(void)
{
	return sts_stack_capture(NULL, 0);
}

static void depot(void)
{
	uint32_t a = sts_depot_child(0, 0x1000, 1), b = sts_depot_child(a, 0x2000, 2), c;
	struct sts_frame frames[4];
	uintptr_t pcs[4];

	CHECK(a != 0 && b != 0 && a != b);
	CHECK(sts_depot_child(0, 0x1000, 1) == a && sts_depot_child(a, 0x2000, 2) == b);
	/* The same address in another module, or called by another, is another. */
	c = sts_depot_child(a, 0x2000, 3);
	CHECK(c != b && c != a && sts_depot_child(0, 0x2000, 2) != b);
	CHECK(sts_depot_get(b, pcs, 4) == 2 && pcs[0] == 0x2000 && pcs[1] == 0x1000);
	CHECK(sts_depot_frames(b, frames, 1) == 2 && frames[0].module == 2 && sts_depot_parent(b) == a);
	CHECK(sts_depot_get(0, pcs, 4) == 0 && sts_depot_get(UINT32_MAX, pcs, 4) == 0);
	for (uint32_t i = 0; i < 300000; i++)
		CHECK(sts_depot_child(b, 0x5000 + i, 1) != 0);
	for (uint32_t i = 0; i < 300000; i++) {
		uint32_t id = sts_depot_child(b, 0x5000 + i, 1);

		CHECK(sts_depot_get(id, pcs, 4) == 3 && pcs[0] == 0x5000 + i);
	}
}

/* One made by all, at once. */
static void *same_stacks(void *arg)
{
	uint32_t *ids = arg;

	for (uint32_t i = 0; i < 50000; i++)
		ids[i] = sts_depot_child(0, 0x900000 + i, 7);
	return NULL;
}

static void depot_threads(void)
{
	static uint32_t ids[4][50000];
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, same_stacks, ids[i]) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (int i = 1; i < 4; i++)
		CHECK(memcmp(ids[0], ids[i], sizeof(ids[0])) == 0);
}

static NOINLINE uint32_t nested(int depth)
{
	uint32_t id = depth > 0 ? nested(depth - 1) : here();

	HIDE(id);
	return id;
}

/* Too deep: the innermost frames are there. With a number: so many. */
static void depths(void)
{
	uintptr_t deep[STS_STACK_MOST + 1], cut[STS_STACK_MOST + 1];
	size_t n = sts_depot_get(nested(100), deep, STS_STACK_MOST);
	size_t m = sts_depot_get(nested(5000), cut, STS_STACK_MOST);

	CHECK(n > 100 && n < 120 && m == STS_STACK_CUT);
	CHECK(memcmp(deep, cut, STS_STACK_CUT * sizeof(*cut)) == 0);
	CHECK(nested(5000) == nested(6000));
	CHECK(sts_depot_get(sts_stack_capture(NULL, 1), cut, STS_STACK_MOST) == 1);
	CHECK(sts_depot_get(sts_stack_capture(NULL, 2), cut, STS_STACK_MOST) == 2);
}

static void *from_many(int depth, void *(*f)(void))
{
	void *p = depth > 0 ? from_many(depth - 1, f) : f();

	HIDE(p);
	return p;
}

static void *allocate(void)
{
	void *p = malloc(10);

	HIDE(p);
	return p;
}

/* sts_stack_depth: the innermost frames of what it would be without. */
static void depth_limit(void)
{
	uintptr_t whole[64], cut[64];
	size_t n;

	for (unsigned depth = 1; depth < 30; depth++)
		for (int round = 0; round < 3; round++) {
			void *p, *q;

			sts_stack_depth = 0;
			p = from_many(12, allocate);
			n = sts_depot_get(chunk_of(p).stack, whole, 64);
			sts_stack_depth = depth;
			q = from_many(12, allocate);
			CHECK(n > 13 && sts_depot_get(chunk_of(q).stack, cut, 64) == (depth < n ? depth : n));
			CHECK(memcmp(whole, cut, (depth < n ? depth : n) * sizeof(*cut)) == 0 || depth >= 15);
			free(p);
			free(q);
		}
}

/* Called from two places by turns: each time the caller is the right one. */
static void by_turns(void)
{
	uint32_t first = 0, second = 0;

	for (int i = 0; i < 1000; i++) {
		uint32_t a = nested(20);
		uint32_t b = nested(20);
		uintptr_t pcs_a[64], pcs_b[64];

		CHECK(sts_depot_get(a, pcs_a, 64) == sts_depot_get(b, pcs_b, 64));
		CHECK(a != b && (i == 0 || (a == first && b == second)));
		for (int j = 0; j <= 20; j++)
			CHECK(pcs_a[j] == pcs_b[j]);
		CHECK(pcs_a[22] != pcs_b[22] || pcs_a[21] != pcs_b[21]);
		first = a;
		second = b;
	}
}

static const char *module_of(const void *p, unsigned frame)
{
	struct sts_frame frames[64];

	CHECK(sts_depot_frames(chunk_of(p).stack, frames, 64) > frame);
	CHECK(sts_module_get(frames[frame].module) != NULL);
	return sts_module_get(frames[frame].module)->path;
}

static bool alive(const void *p, unsigned frame)
{
	struct sts_frame frames[64];

	sts_depot_frames(chunk_of(p).stack, frames, 64);
	return sts_module_get(frames[frame].module)->alive;
}

/* Two libraries of one layout, one loaded after the other is gone, and so to the same place. */
static void unloaded(void)
{
	const char *names[] = {getenv("LEAKS_PLUG_A"), getenv("LEAKS_PLUG_B")};
	void *blocks[2], *addresses[2], *again;
	uint32_t stack;

	for (int i = 0; i < 2; i++) {
		void *library = dlopen(names[i], RTLD_NOW);
		void *(*make)(void);

		CHECK(library != NULL);
		make = (void *(*)(void))dlsym(library, "plug_make");
		CHECK(make != NULL);
		blocks[i] = make();
		addresses[i] = (void *)make;
		CHECK(strcmp(module_of(blocks[i], 1), names[i]) == 0 && alive(blocks[i], 1));
		dlclose(library);
		CHECK(!alive(blocks[i], 1));
	}
	if (addresses[0] != addresses[1])
		exit(77); /* nothing to be mistaken */
	CHECK(strcmp(module_of(blocks[0], 1), names[0]) == 0);
	CHECK(strcmp(module_of(blocks[1], 1), names[1]) == 0);
	CHECK(chunk_of(blocks[0]).stack != chunk_of(blocks[1]).stack);
	/* When it comes back it is the same: blocks from before and after belong together. */
	again = dlopen(names[1], RTLD_NOW);
	stack = chunk_of(blocks[1]).stack;
	CHECK(again != NULL && dlsym(again, "plug_make") == addresses[1]);
	CHECK(sts_module_count() < 20 && alive(blocks[1], 1) == false);
	free(((void *(*)(void))addresses[1])());
	CHECK(alive(blocks[1], 1) && stack == chunk_of(blocks[1]).stack);
	dlclose(again);
}

static void *load_and_unload(void *arg)
{
	const char *name = arg;

	for (int i = 0; i < 300; i++) {
		void *library = dlopen(name, RTLD_NOW), *p;
		void *(*make)(void);

		CHECK(library != NULL);
		make = (void *(*)(void))dlsym(library, "plug_make");
		CHECK(make != NULL);
		p = make();
		CHECK(strcmp(module_of(p, 1), name) == 0);
		dlclose(library);
		CHECK(strcmp(module_of(p, 1), name) == 0);
		free(p);
	}
	return NULL;
}

static void *allocate_all_the_time(void *arg)
{
	while (!atomic_load(&enough)) {
		void *p = from_many(10, allocate);
		uintptr_t pcs[64];

		CHECK(sts_depot_get(chunk_of(p).stack, pcs, 64) >= 13);
		free(p);
	}
	return arg;
}

/* Two libraries come and go, often to the same place, while others allocate: no address is taken for the other's. */
static void unload_storm(void)
{
	pthread_t loaders[2], others[2];

	for (int i = 0; i < 2; i++) {
		CHECK(pthread_create(&others[i], NULL, allocate_all_the_time, NULL) == 0);
		CHECK(pthread_create(&loaders[i], NULL, load_and_unload,
				     getenv(i == 0 ? "LEAKS_PLUG_A" : "LEAKS_PLUG_B")) == 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(loaders[i], NULL);
	atomic_store(&enough, true);
	for (int i = 0; i < 2; i++)
		pthread_join(others[i], NULL);
}

static const struct scenario {
	const char *name;
	void (*run)(void);
} scenarios[] = {
	{"find", find},
	{"find_nothing", find_nothing},
	{"flags", flags},
	{"marks", marks},
	{"each", each},
	{"hold", hold},
	{"overhead", overhead},
	{"depot", depot},
	{"depot_threads", depot_threads},
	{"depths", depths},
	{"depth_limit", depth_limit},
	{"by_turns", by_turns},
	{"unloaded", unloaded},
	{"unload_storm", unload_storm},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (strcmp(argv[1], scenarios[i].name) == 0) {
			scenarios[i].run();
			return 0;
		}
	return 2;
}
