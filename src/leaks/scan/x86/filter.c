// SPDX-License-Identifier: BSD-2-Clause
#include <immintrin.h>

#include "leaks/scan/inner.h"

static bool have_avx2;

void sts_filter_prepare(void)
{
	__builtin_cpu_init();
	have_avx2 = __builtin_cpu_supports("avx2");
}

static const uintptr_t *filter_plain(const uintptr_t *p, const uintptr_t *end, uintptr_t lo, uintptr_t size,
				     uintptr_t keep)
{
	for (; end - p >= 8; p += 8) {
		bool any = false;

		for (int i = 0; i < 8; i++)
			any |= (p[i] & keep) - lo < size;
		if (any)
			break;
	}
	return p;
}

struct bounds {
	__m256i lo, size, keep;
};

/* There is no unsigned comparison: both sides are moved by half of the numbers. All bits of words within are set. */
static inline __attribute__((target("avx2"))) __m256i within(const uintptr_t *p, struct bounds b)
{
	__m256i words = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)p), b.keep);

	return _mm256_cmpgt_epi64(b.size, _mm256_sub_epi64(words, b.lo));
}

static inline __attribute__((target("avx2"))) __m256i eight_within(const uintptr_t *p, struct bounds b)
{
	return _mm256_or_si256(within(p, b), within(p + 4, b));
}

static __attribute__((target("avx2"))) const uintptr_t *filter_avx2(const uintptr_t *p, const uintptr_t *end,
								    uintptr_t lo, uintptr_t size, uintptr_t keep)
{
	const uintptr_t half = (uintptr_t)1 << 63;
	const struct bounds b = {_mm256_set1_epi64x((long long)(lo + half)),
				 _mm256_set1_epi64x((long long)(size ^ half)), _mm256_set1_epi64x((long long)keep)};

	for (; end - p >= 32; p += 32) {
		__m256i any = _mm256_or_si256(_mm256_or_si256(eight_within(p, b), eight_within(p + 8, b)),
					      _mm256_or_si256(eight_within(p + 16, b), eight_within(p + 24, b)));

		__builtin_prefetch(p + 256);
		if (!_mm256_testz_si256(any, any))
			break;
	}
	for (; end - p >= 8; p += 8) {
		__m256i any = eight_within(p, b);

		if (!_mm256_testz_si256(any, any))
			break;
	}
	return p;
}

const uintptr_t *sts_filter(const uintptr_t *p, const uintptr_t *end, uintptr_t lo, uintptr_t size, uintptr_t keep)
{
	return have_avx2 ? filter_avx2(p, end, lo, size, keep) : filter_plain(p, end, lo, size, keep);
}
