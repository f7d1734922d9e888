// SPDX-License-Identifier: BSD-2-Clause
#include "symbols/names.h"

#include <libiberty/demangle.h>
#include <stdlib.h>

char *sts_demangle(const char *name)
{
	return cplus_demangle(name, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
}

bool sts_source_find(Dwarf_Die *unit, Dwarf_Addr pc, struct sts_source *ret)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, pc);
	struct sts_source found = {.file = line ? dwarf_linesrc(line, NULL, NULL) : NULL};

	if (!found.file)
		return false;
	if (dwarf_lineno(line, &found.line) != 0)
		found.line = 0;
	if (dwarf_linecol(line, &found.column) != 0)
		found.column = 0;
	*ret = found;
	return true;
}

/* Servers are asked by the variable's value. It is blanked where it stands, not removed: the environment is also what
 * a traced command is told of. */
int sts_find_debuginfo(Dwfl_Module *module, void **userdata, const char *modname, Dwarf_Addr base, const char *file,
		       const char *debuglink, GElf_Word crc, char **name_ret)
{
	char *urls = getenv("STASIS_DEBUGINFOD") ? NULL : getenv("DEBUGINFOD_URLS");
	char first = urls ? *urls : '\0';

	if (urls)
		*urls = '\0';
	int fd = dwfl_standard_find_debuginfo(module, userdata, modname, base, file, debuglink, crc, name_ret);
	if (urls)
		*urls = first;
	return fd;
}
