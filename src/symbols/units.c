// SPDX-License-Identifier: BSD-2-Clause
/*
 * elfutils finds units by .debug_aranges alone, which gcc writes and clang does not. For modules, and parts of modules,
 * that have none the units themselves are asked, once.
 */
#include <elfutils/libdw.h>
#include <stdlib.h>

#include "symbols/units.h"

enum { BETWEEN_QUESTIONS = 256 };

void sts_units_free(struct sts_units *u)
{
	free(u->ranges);
	*u = (struct sts_units){0};
}

static bool add(struct sts_units *u, const struct sts_unit_range *range)
{
	if (u->n == u->room) {
		size_t room = u->room ? u->room * 2 : 64;
		struct sts_unit_range *more = reallocarray(u->ranges, room, sizeof(*more));

		if (!more)
			return false;
		u->ranges = more;
		u->room = room;
	}
	u->ranges[u->n++] = *range;
	return true;
}

static bool add_unit(struct sts_units *u, Dwarf_Die *unit, Dwarf_Addr bias)
{
	struct sts_unit_range range = {.unit = *unit, .bias = bias};
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(unit, at, &base, &start, &end)) > 0) {
		range.start = start + bias;
		range.end = end + bias;
		/* What the linker threw away begins at 0. */
		if (start != 0 && start < end && !add(u, &range))
			return false;
	}
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct sts_unit_range *l = a, *r = b;

	return l->start < r->start ? -1 : l->start > r->start;
}

static void make(struct sts_units *u, Dwfl_Module *module, bool (*go_on)(void *arg), void *arg)
{
	Dwarf_Addr bias;
	Dwarf_Die *unit = NULL;
	unsigned n = 0;

	u->made = true;
	while ((unit = dwfl_module_nextcu(module, unit, &bias)) != NULL)
		if (!add_unit(u, unit, bias) || (++n % BETWEEN_QUESTIONS == 0 && !go_on(arg)))
			break;
	if (u->n > 0)
		qsort(u->ranges, u->n, sizeof(*u->ranges), by_start);
}

static struct sts_unit_range *look_up(const struct sts_units *u, Dwarf_Addr pc)
{
	size_t low = 0, high = u->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (u->ranges[middle].start <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && pc < u->ranges[low - 1].end ? &u->ranges[low - 1] : NULL;
}

Dwarf_Die *sts_units_find(struct sts_units *u, Dwfl_Module *module, Dwarf_Addr pc, Dwarf_Addr *bias_ret,
			  bool (*go_on)(void *arg), void *arg)
{
	Dwarf_Die *unit = dwfl_module_addrdie(module, pc, bias_ret);
	struct sts_unit_range *range;

	if (unit)
		return unit;
	if (!u->made)
		make(u, module, go_on, arg);
	range = look_up(u, pc);
	if (!range)
		return NULL;
	*bias_ret = range->bias;
	return &range->unit;
}
