// SPDX-License-Identifier: BSD-2-Clause
#include "symbols/code.h"

#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols/names.h"
#include "symbols/units.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct place {
	struct key {
		uint64_t address, call;
	} key;
	bool site_known, row_known, has_row;
	struct sts_site site;
	char *own; /* the name, where it is another than the symbol's */
	struct sts_row row;
	UT_hash_handle hh;
};

struct sts_code {
	Dwfl *dwfl;
	Dwfl_Module *module;
	struct sts_units units;
	bool lines, wide;
	struct place *places;
};

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = sts_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static Elf *elf_of(const struct sts_code *code)
{
	GElf_Addr bias;

	return dwfl_module_getelf(code->module, &bias);
}

static bool find_machine(struct sts_code *code)
{
	GElf_Ehdr header;
	Elf *elf = elf_of(code);

	if (!elf || !gelf_getehdr(elf, &header))
		return false;
	code->wide = header.e_machine == EM_X86_64;
	return code->wide || header.e_machine == EM_386;
}

struct sts_code *sts_code_open(int fd, const char *name, bool lines)
{
	struct sts_code *code = calloc(1, sizeof(*code));

	if (code)
		code->dwfl = dwfl_begin(&callbacks);
	if (!code || !code->dwfl) {
		free(code);
		close(fd);
		return NULL;
	}
	dwfl_report_begin(code->dwfl);
	code->module = dwfl_report_elf(code->dwfl, name, name, fd, 0, true);
	if (!code->module)
		close(fd);
	dwfl_report_end(code->dwfl, NULL, NULL);
	code->lines = lines;
	if (code->module && find_machine(code))
		return code;
	sts_code_close(code);
	return NULL;
}

void sts_code_close(struct sts_code *code)
{
	struct place *p, *next;

	if (!code)
		return;
	HASH_ITER(hh, code->places, p, next) {
		HASH_DEL(code->places, p);
		free(p->own);
		free(p);
	}
	sts_units_free(&code->units);
	dwfl_end(code->dwfl);
	free(code);
}

bool sts_code_address(const struct sts_code *code, uint64_t offset, uint64_t *ret)
{
	Elf *elf = elf_of(code);
	size_t n = 0;
	GElf_Phdr segment;

	if (!elf || elf_getphdrnum(elf, &n) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_LOAD)
			continue;
		uint64_t start = segment.p_offset & ~UINT64_C(4095);
		if (offset < start || offset >= segment.p_offset + segment.p_filesz || !(segment.p_flags & PF_X))
			continue;
		*ret = segment.p_vaddr - (segment.p_offset - start) + (offset - start);
		return true;
	}
	return false;
}

static struct place *place_of(struct sts_code *code, uint64_t address, bool call)
{
	const struct key key = {address, call};
	struct place *p;

	HASH_FIND(hh, code->places, &key, sizeof(key), p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->key = key;
	HASH_ADD_KEYPTR(hh, code->places, &p->key, sizeof(p->key), p);
	if (!p->hh.tbl) { /* as uthash tells that it had no memory */
		free(p);
		return NULL;
	}
	return p;
}

static bool go_on(void *arg)
{
	return true;
}

static void find_source(struct sts_code *code, uint64_t address, struct sts_site *site)
{
	Dwarf_Addr bias;
	struct sts_source source;
	Dwarf_Die *unit = sts_units_find(&code->units, code->module, address, &bias, go_on, NULL);

	if (!unit || !sts_source_find(unit, address - bias, &source))
		return;
	site->file = source.file;
	site->line = source.line;
}

/* As in the source: not mangled, without a version. NULL: as it is. */
static char *written_name(const char *symbol)
{
	const char *version = strchr(symbol, '@');
	char *text = sts_demangle(symbol);

	return text || !version || version == symbol ? text : strndup(symbol, (size_t)(version - symbol));
}

const struct sts_site *sts_code_site(struct sts_code *code, uint64_t address, bool call)
{
	struct place *p = place_of(code, address, call);
	uint64_t inside = address - call;
	GElf_Sym symbol;

	if (!p || p->site_known)
		return p ? &p->site : NULL;
	p->site_known = true;
	p->site.name = dwfl_module_addrinfo(code->module, inside, &p->site.offset, &symbol, NULL, NULL, NULL);
	p->site.offset += call;
	if (p->site.name && (p->own = written_name(p->site.name)))
		p->site.name = p->own;
	if (code->lines)
		find_source(code, inside, &p->site);
	return &p->site;
}

static bool find_row(struct sts_code *code, uint64_t address, struct sts_row *ret)
{
	Dwarf_Addr bias = 0;
	Dwarf_CFI *cfi = dwfl_module_eh_cfi(code->module, &bias);

	if (cfi && sts_row_find(cfi, address - bias, code->wide, ret))
		return true;
	cfi = dwfl_module_dwarf_cfi(code->module, &bias);
	return cfi && sts_row_find(cfi, address - bias, code->wide, ret);
}

const struct sts_row *sts_code_row(struct sts_code *code, uint64_t address)
{
	struct place *p = place_of(code, address, false);

	if (!p)
		return NULL;
	if (!p->row_known) {
		p->row_known = true;
		p->has_row = find_row(code, address, &p->row);
	}
	return p->has_row ? &p->row : NULL;
}
