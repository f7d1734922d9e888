/* SPDX-License-Identifier: BSD-2-Clause */
/* Which compilation unit of a module holds an address. */
#ifndef STS_SYMBOLS_UNITS_H
#define STS_SYMBOLS_UNITS_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>

struct sts_unit_range {
	Dwarf_Addr start, end;
	Dwarf_Addr bias;
	Dwarf_Die unit;
};

/* All zero at first. */
struct sts_units {
	struct sts_unit_range *ranges; /* sorted by start */
	size_t n, room;
	bool made;
};

void sts_units_free(struct sts_units *u);
/*
 * NULL if none is known. The unit stays the module's; `pc` less `bias_ret` is the address in it. `go_on` is asked now
 * and then, and the search ends when it says no.
 */
Dwarf_Die *sts_units_find(struct sts_units *u, Dwfl_Module *module, Dwarf_Addr pc, Dwarf_Addr *bias_ret,
			  bool (*go_on)(void *arg), void *arg);

#endif
