// SPDX-License-Identifier: BSD-2-Clause
#include <stdatomic.h>

#include "leaks/runtime/check.h"

enum { REGIONS = 4096 };

/* The size is written last, and read first: 0 is free, 1 is being changed. */
static struct {
	_Atomic uintptr_t start;
	_Atomic size_t size;
} regions[REGIONS];

bool sts_regions_add(uintptr_t start, size_t size)
{
	if (size < 2)
		return true;
	for (size_t i = 0; i < REGIONS; i++) {
		size_t none = 0;

		if (!atomic_compare_exchange_strong(&regions[i].size, &none, 1))
			continue;
		atomic_store(&regions[i].start, start);
		atomic_store(&regions[i].size, size);
		return true;
	}
	return false;
}

bool sts_regions_remove(uintptr_t start, size_t size)
{
	if (size < 2)
		return true;
	for (size_t i = 0; i < REGIONS; i++) {
		size_t is = size;

		if (atomic_load(&regions[i].start) == start && atomic_compare_exchange_strong(&regions[i].size, &is, 0))
			return true;
	}
	return false;
}

void sts_regions_each(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg)
{
	for (size_t i = 0; i < REGIONS; i++) {
		size_t size = atomic_load(&regions[i].size);

		if (size > 1)
			f(arg, atomic_load(&regions[i].start), atomic_load(&regions[i].start) + size);
	}
}
