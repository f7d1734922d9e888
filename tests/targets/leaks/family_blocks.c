// SPDX-License-Identifier: BSD-2-Clause
/* One thread: sizes, alignments, errors, misuse. */
#include "family.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* As many as there are on a page's worth of kinds: the sizes around each class's border, and far beyond. */
static size_t size_at(size_t i)
{
	static const size_t big[] = {65536, 100000, 1 << 20, (1 << 20) + 1, 3 << 20, (4 << 20) + 4096, 40 << 20};
	const size_t small = 2200;

	return i < small ? i : i < small + 500 ? small + (i - small) * 64 : big[(i - small - 500) % 7];
}

enum { SIZES = 2200 + 500 + 7 };

void family_sizes(void)
{
	static unsigned char *blocks[SIZES];

	for (size_t i = 0; i < SIZES; i++) {
		blocks[i] = malloc(size_at(i));
		CHECK(blocks[i] != NULL);
		CHECK((uintptr_t)blocks[i] % 16 == 0);
		memset(blocks[i], (int)(i % 251), size_at(i));
	}
	for (size_t i = 0; i < SIZES; i++) {
		for (size_t j = 0; j < size_at(i); j++)
			CHECK(blocks[i][j] == i % 251);
		free(blocks[i]);
	}
	errno = 77;
	free(NULL);
	CHECK(errno == 77);
}

void family_calloc(void)
{
	errno = 0;
	for (int round = 0; round < 3; round++)
		for (size_t i = 1; i < SIZES; i += 13) {
			unsigned char *p = calloc(size_at(i), 1);

			CHECK(p != NULL);
			for (size_t j = 0; j < size_at(i); j++)
				CHECK(p[j] == 0);
			memset(p, 0xee, size_at(i));
			free(p);
		}
	CHECK(errno == 0);

	size_t half = SIZE_MAX / 2 + 2;
	void *p;

	HIDE(half);
	p = calloc(half, 2);
	CHECK(p == NULL && errno == ENOMEM);
	p = calloc(0, 0);
	CHECK(p != NULL);
	free(p);
}

static void grow(size_t from, size_t to)
{
	unsigned char *p = malloc(from);

	CHECK(p != NULL);
	memset(p, 0x5a, from);
	p = realloc(p, to);
	CHECK(p != NULL);
	for (size_t i = 0; i < from && i < to; i++)
		CHECK(p[i] == 0x5a);
	memset(p, 0xa5, to);
	free(p);
}

void family_realloc(void)
{
	static const size_t sizes[] = {1,     15,    16,     17,      128,	     129,     1000,    4096,
				       32768, 32769, 100000, 1 << 20, (1 << 20) + 1, 2 << 20, 5 << 20, 64 << 20};
	unsigned char *p = NULL;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++)
			grow(sizes[i], sizes[j]);
	for (size_t n = 1; n < 20000000; n += n / 3 + 1) {
		p = realloc(p, n);
		CHECK(p != NULL);
		p[n - 1] = 3;
		CHECK(n < 3 || p[0] == 3);
	}
	errno = 0;
	p = realloc(p, 0);
	CHECK(p == NULL && errno == 0);
	p = realloc(NULL, 10);
	CHECK(p != NULL);
	memset(p, 9, 10);

	size_t most = PTRDIFF_MAX;

	HIDE(most);
	CHECK(realloc(p, most) == NULL && errno == ENOMEM && p[9] == 9);
	free(p);
}

void family_reallocarray(void)
{
	size_t n = SIZE_MAX / 4 + 2;
	char *p = reallocarray(NULL, 3, 7);

	HIDE(n);
	CHECK(p != NULL);
	memset(p, 'x', 21);
	errno = 0;
	CHECK(reallocarray(p, n, 4) == NULL && errno == ENOMEM);
	CHECK(p[20] == 'x');
	p = reallocarray(p, 300, 7);
	CHECK(p != NULL && p[20] == 'x');
	free(p);
}

void family_aligned(void)
{
	static void *blocks[32][40];

	for (unsigned a = 0; a < 27; a++)
		for (unsigned s = 0; s < 40; s++) {
			size_t align = (size_t)1 << a, size = s < 30 ? (size_t)s * s * s + 1 : (size_t)s << 14;
			void *p = s % 2 != 0 ? memalign(align, size) : aligned_alloc(align, size);

			CHECK(p != NULL && (uintptr_t)p % align == 0 && (uintptr_t)p % 16 == 0);
			memset(p, (int)a, size);
			if (align >= sizeof(void *)) {
				free(p);
				errno = 5;
				CHECK(posix_memalign(&p, align, size) == 0 && errno == 5);
				CHECK((uintptr_t)p % align == 0);
				memset(p, (int)a, size);
			}
			blocks[a][s] = p;
		}
	for (unsigned a = 0; a < 27; a++)
		for (unsigned s = 0; s < 40; s++) {
			CHECK(*(unsigned char *)blocks[a][s] == a);
			blocks[a][s] = realloc(blocks[a][s], 77777);
			CHECK(blocks[a][s] != NULL && *(unsigned char *)blocks[a][s] == a);
			free(blocks[a][s]);
		}

	void *v = valloc(10), *pv = pvalloc(4097);

	CHECK(v != NULL && (uintptr_t)v % 4096 == 0);
	CHECK(pv != NULL && (uintptr_t)pv % 4096 == 0 && malloc_usable_size(pv) >= 8192);
	free(v);
	free(pv);
}

void family_aligned_errors(void)
{
	size_t most = PTRDIFF_MAX, odd = 24, half = SIZE_MAX / 2 + 2;
	void *untouched = &most, *p = untouched;

	HIDE(most);
	HIDE(odd);
	HIDE(half);
	errno = 5;
	CHECK(posix_memalign(&p, 4, 10) == EINVAL && posix_memalign(&p, odd, 10) == EINVAL);
	CHECK(posix_memalign(&p, 0, 10) == EINVAL && posix_memalign(&p, 64, most) == ENOMEM);
	CHECK(p == untouched && errno == 5);
	errno = 0;
	CHECK(memalign(64, most) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(memalign(half, 10) == NULL && errno == EINVAL);
	p = memalign(odd, 10); /* rounded up */
	CHECK(p != NULL && (uintptr_t)p % 32 == 0);
	free(p);
	errno = 0;
	CHECK(aligned_alloc(64, most) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(valloc(most) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(pvalloc(SIZE_MAX - 100) == NULL && errno == ENOMEM);
}

void family_too_big(void)
{
	const size_t sizes[] = {SIZE_MAX,    SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1,
				PTRDIFF_MAX, (size_t)1 << 47, ((size_t)1 << 47) - 4096};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t size = sizes[i];

		HIDE(size);
		errno = 0;
		CHECK(malloc(size) == NULL && errno == ENOMEM);
		errno = 0;
		CHECK(calloc(1, size) == NULL && errno == ENOMEM);
		errno = 0;
		CHECK(realloc(NULL, size) == NULL && errno == ENOMEM);
	}
	CHECK(malloc(10) != NULL);
}

/* All that fits is had, the rest refused; what is freed can be had again as blocks of another kind. */
void family_limit(void)
{
	const struct rlimit limit = {256 << 20, 256 << 20};
	static void *blocks[1 << 20];
	size_t n = 0;
	char *big;

	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	while (n < sizeof(blocks) / sizeof(*blocks) && (blocks[n] = malloc(1000)) != NULL)
		memset(blocks[n++], 1, 1000);
	CHECK(errno == ENOMEM);
	CHECK(n > 150000);
	for (size_t i = 0; i < n; i++)
		free(blocks[i]);
	big = malloc(120 << 20);
	CHECK(big != NULL);
	memset(big, 1, 120 << 20);
	free(big);
}

void family_knobs(void)
{
	char *p = malloc(100);

	CHECK(p != NULL && malloc_usable_size(p) >= 100 && malloc_usable_size(NULL) == 0);
	memset(p, 1, malloc_usable_size(p));
#ifdef __GLIBC__
	CHECK(mallopt(M_ARENA_MAX, 1) == 1);
	malloc_trim(0);
	CHECK(mallinfo2().uordblks >= 100);
#endif
	free(p);
}

void family_double_free(void)
{
	char *p = malloc(40);

	HIDE(p);
	free(p);
	HIDE(p);
	free(p);
}

void family_double_free_big(void)
{
	char *p = malloc(200000);

	HIDE(p);
	free(p);
	HIDE(p);
	free(p);
}

void family_foreign_free(void)
{
	static char block[64] __attribute__((aligned(16)));
	char *p = block + 16;

	HIDE(p);
	free(p);
}

void family_interior_free(void)
{
	char *p = malloc(100);

	p += 16;
	HIDE(p);
	free(p);
}

void family_realloc_freed(void)
{
	char *p = malloc(100);

	HIDE(p);
	free(p);
	HIDE(p);
	p = realloc(p, 200);
	HIDE(p);
}

long family_resident_kb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size, pages;

	CHECK(f != NULL && fscanf(f, "%ld %ld", &size, &pages) == 2);
	fclose(f);
	return pages * 4;
}

/* Memory that is not used any more goes back to the system. */
void family_given_back(void)
{
	enum { N = 400000 };
	static void *blocks[N];
	long before = family_resident_kb(), full;

	for (size_t i = 0; i < N; i++) {
		blocks[i] = malloc(700);
		memset(blocks[i], 1, 700);
	}
	full = family_resident_kb();
	CHECK(full - before > N / 1024 * 700);
	for (size_t i = 0; i < N; i++)
		free(blocks[i]);
	CHECK(family_resident_kb() - before < (full - before) / 2);
#ifdef __GLIBC__
	malloc_trim(0);
	CHECK(family_resident_kb() - before < (full - before) / 10);
#endif
}
