/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF header, program headers, and where everything goes: headers, notes, memory, perhaps one section header. */
#include <errno.h>
#include <string.h>
#include "corefile/corefile.h"

struct sizes {
	size_t ehdr, phdr, shdr;
};

static struct sizes sizes_of(const struct sts_core_abi *abi)
{
	if (abi->elf_class == ELFCLASS32)
		return (struct sizes){sizeof(Elf32_Ehdr), sizeof(Elf32_Phdr), sizeof(Elf32_Shdr)};
	return (struct sizes){sizeof(Elf64_Ehdr), sizeof(Elf64_Phdr), sizeof(Elf64_Shdr)};
}

int sts_core_layout_plan(const struct sts_core_abi *abi, struct sts_core_vmas *vmas, size_t notes_size,
			 struct sts_core_layout *ret)
{
	struct sizes size = sizes_of(abi);
	size_t segments = vmas->n + 1;
	uint64_t at = size.ehdr + segments * size.phdr;
	struct sts_core_layout l = {.notes_at = at};

	at += notes_size;
	at = l.memory_at = (at + STS_CORE_PAGE - 1) / STS_CORE_PAGE * STS_CORE_PAGE;
	for (size_t i = 0; i < vmas->n; i++) {
		vmas->list[i].at = at;
		if (vmas->list[i].dump > INT64_MAX - at)
			return -EFBIG;
		at += vmas->list[i].dump;
	}
	if (segments >= PN_XNUM) {
		l.sections_at = at;
		at += size.shdr;
	}
	l.size = at;
	if (at > INT64_MAX || (abi->elf_class == ELFCLASS32 && at > UINT32_MAX))
		return -EFBIG;
	*ret = l;
	return 0;
}

static void ehdr_add(const struct sts_core_abi *abi, size_t segments, const struct sts_core_layout *l,
		     struct sts_core_buf *buf)
{
	struct sizes size = sizes_of(abi);
	Elf64_Ehdr h = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, abi->elf_class, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE},
		.e_type = ET_CORE,
		.e_machine = abi->machine,
		.e_version = EV_CURRENT,
		.e_phoff = size.ehdr,
		.e_shoff = l->sections_at,
		.e_ehsize = size.ehdr,
		.e_phentsize = size.phdr,
		.e_phnum = segments < PN_XNUM ? segments : PN_XNUM,
		.e_shentsize = l->sections_at ? size.shdr : 0,
		.e_shnum = l->sections_at ? 1 : 0,
	};
	void *at = sts_core_buf_add(buf, size.ehdr);

	if (!at)
		return;
	if (abi->elf_class == ELFCLASS64) {
		memcpy(at, &h, sizeof h);
		return;
	}
	Elf32_Ehdr h32 = {
		.e_type = h.e_type,
		.e_machine = h.e_machine,
		.e_version = h.e_version,
		.e_phoff = h.e_phoff,
		.e_shoff = h.e_shoff,
		.e_ehsize = h.e_ehsize,
		.e_phentsize = h.e_phentsize,
		.e_phnum = h.e_phnum,
		.e_shentsize = h.e_shentsize,
		.e_shnum = h.e_shnum,
	};
	memcpy(h32.e_ident, h.e_ident, sizeof h32.e_ident);
	memcpy(at, &h32, sizeof h32);
}

static void phdr_add(const struct sts_core_abi *abi, const Elf64_Phdr *h, struct sts_core_buf *buf)
{
	void *at = sts_core_buf_add(buf, sizes_of(abi).phdr);

	if (!at)
		return;
	if (abi->elf_class == ELFCLASS64) {
		memcpy(at, h, sizeof *h);
		return;
	}
	Elf32_Phdr h32 = {
		.p_type = h->p_type,
		.p_offset = h->p_offset,
		.p_vaddr = h->p_vaddr,
		.p_filesz = h->p_filesz,
		.p_memsz = h->p_memsz,
		.p_flags = h->p_flags,
		.p_align = h->p_align,
	};
	memcpy(at, &h32, sizeof h32);
}

static Elf64_Phdr load_of(const struct sts_core_vma *vma)
{
	return (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = vma->at,
		.p_vaddr = vma->start,
		.p_filesz = vma->dump,
		.p_memsz = vma->end - vma->start,
		.p_flags = (vma->readable ? PF_R : 0) | (vma->writable ? PF_W : 0) | (vma->executable ? PF_X : 0),
		.p_align = STS_CORE_PAGE,
	};
}

int sts_core_headers_build(const struct sts_core_abi *abi, const struct sts_core_vmas *vmas, size_t notes_size,
			   const struct sts_core_layout *layout, struct sts_core_buf *ret)
{
	const Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = layout->notes_at, .p_filesz = notes_size, .p_align = 4};

	ehdr_add(abi, vmas->n + 1, layout, ret);
	phdr_add(abi, &note, ret);
	for (size_t i = 0; i < vmas->n; i++) {
		Elf64_Phdr load = load_of(&vmas->list[i]);

		phdr_add(abi, &load, ret);
	}
	return ret->failed ? -ENOMEM : 0;
}

/* With PN_XNUM in e_phnum the true count stands in sh_info of section 0. */
int sts_core_section_build(const struct sts_core_abi *abi, const struct sts_core_vmas *vmas, struct sts_core_buf *ret)
{
	const Elf64_Shdr h64 = {.sh_type = SHT_NULL, .sh_info = vmas->n + 1, .sh_size = 1};
	const Elf32_Shdr h32 = {.sh_type = SHT_NULL, .sh_info = vmas->n + 1, .sh_size = 1};
	void *at = sts_core_buf_add(ret, sizes_of(abi).shdr);

	if (!at)
		return -ENOMEM;
	if (abi->elf_class == ELFCLASS64)
		memcpy(at, &h64, sizeof h64);
	else
		memcpy(at, &h32, sizeof h32);
	return 0;
}
