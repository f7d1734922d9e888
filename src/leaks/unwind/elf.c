// SPDX-License-Identifier: BSD-2-Clause
/* What is wanted of an ELF image in memory, which may be broken: reads stay within it. */
#include <elf.h>
#include <string.h>

#include "leaks/unwind/modules.h"

enum { PAGE = 4096 };

static void read_build_id(const uint8_t *notes, size_t size, struct sts_module *ret)
{
	size_t at = 0;

	while (size - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		size_t name, data;

		memcpy(&note, notes + at, sizeof(note));
		name = at + sizeof(note);
		data = name + (((size_t)note.n_namesz + 3) & ~(size_t)3);
		if (data > size || size - data < note.n_descsz)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0) {
			ret->build_id_size =
				(uint8_t)(note.n_descsz < STS_BUILD_ID_MOST ? note.n_descsz : STS_BUILD_ID_MOST);
			memcpy(ret->build_id, notes + data, ret->build_id_size);
			return;
		}
		at = data + (((size_t)note.n_descsz + 3) & ~(size_t)3);
		if (at > size)
			return;
	}
}

/* True if the program header's memory lies within the image. */
static bool inside(const Elf64_Phdr *p, uint64_t first, size_t size)
{
	return p->p_vaddr >= first && p->p_vaddr - first <= size && p->p_memsz <= size - (p->p_vaddr - first);
}

bool sts_module_read_elf(const uint8_t *image, size_t size, struct sts_module *ret)
{
	Elf64_Ehdr e;
	Elf64_Phdr p[64];
	uint64_t first = UINT64_MAX;
	unsigned n;

	if (size < sizeof(e))
		return false;
	memcpy(&e, image, sizeof(e));
	if (memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_phentsize != sizeof(*p) || e.e_phoff > size)
		return false;
	n = e.e_phnum < 64 ? e.e_phnum : 64;
	if ((size - e.e_phoff) / sizeof(*p) < n)
		return false;
	memcpy(p, image + e.e_phoff, n * sizeof(*p));
	for (unsigned i = 0; i < n; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_vaddr < first)
			first = p[i].p_vaddr & ~(PAGE - 1);
	ret->bias = (uintptr_t)image - first;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *at = image + (p[i].p_vaddr - first);

		if (!inside(&p[i], first, size))
			continue;
		if (p[i].p_type == PT_NOTE && ret->build_id_size == 0) {
			read_build_id(at, p[i].p_memsz, ret);
		} else if (p[i].p_type == PT_GNU_EH_FRAME) {
			ret->hdr = (uintptr_t)at;
			ret->hdr_size = p[i].p_memsz;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		uintptr_t lo = (uintptr_t)image + (p[i].p_vaddr - first);

		if (p[i].p_type == PT_LOAD && inside(&p[i], first, size) && (p[i].p_flags & PF_R) != 0 &&
		    ret->hdr >= lo && ret->hdr - lo < p[i].p_memsz) {
			ret->segment_lo = lo;
			ret->segment_hi = lo + p[i].p_memsz;
		}
	}
	return true;
}
