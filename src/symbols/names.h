/* SPDX-License-Identifier: BSD-2-Clause */
/* What names and places in the source have in common, whoever asks. */
#ifndef STS_SYMBOLS_NAMES_H
#define STS_SYMBOLS_NAMES_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>

/* A C++, Rust or D name as it is written in the source; NULL if it is none. free() it. */
char *sts_demangle(const char *name);

struct sts_source {
	const char *file; /* the unit's */
	int line, column; /* 0: not known */
};
/* pc: as in the unit, without a bias. */
bool sts_source_find(Dwarf_Die *unit, Dwarf_Addr pc, struct sts_source *ret);

/* For Dwfl_Callbacks: the usual places, but nothing is fetched over a network unless STASIS_DEBUGINFOD is set. */
int sts_find_debuginfo(Dwfl_Module *module, void **userdata, const char *modname, Dwarf_Addr base, const char *file,
		       const char *debuglink, GElf_Word crc, char **name_ret);

#endif
