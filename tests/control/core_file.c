// SPDX-License-Identifier: BSD-2-Clause
/* Reading core files in tests. */
#include "core_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static void check_part(const struct core_file *core, const char *what, uint64_t at, uint64_t size)
{
	if (at > core->size || size > core->size - at)
		atf_tc_fail("%s at %#jx, %#jx bytes, goes beyond the file of %#zx", what, (uintmax_t)at,
			    (uintmax_t)size, core->size);
}

static void map_file(struct core_file *core, const char *path)
{
	struct stat st;
	int fd = (int)STS_SYS(open(path, O_RDONLY | O_CLOEXEC));
	void *p;

	STS_SYS(fstat(fd, &st));
	core->size = st.st_size;
	ATF_REQUIRE_MSG(core->size >= sizeof(Elf64_Ehdr), "%s has %zu bytes", path, core->size);
	p = mmap(NULL, core->size, PROT_READ, MAP_PRIVATE, fd, 0);
	ATF_REQUIRE(p != MAP_FAILED);
	core->data = p;
	close(fd);
}

#define WIDEN(to, from, field) (to).field = (from).field

static void read_header(struct core_file *core)
{
	Elf64_Ehdr *h = &core->header;
	Elf32_Ehdr h32;

	ATF_REQUIRE(memcmp(core->data, ELFMAG, SELFMAG) == 0);
	core->is_32bit = core->data[EI_CLASS] == ELFCLASS32;
	memcpy(h, core->data, sizeof(*h));
	if (core->is_32bit) {
		memcpy(&h32, core->data, sizeof(h32));
		WIDEN(*h, h32, e_phoff);
		WIDEN(*h, h32, e_shoff);
		WIDEN(*h, h32, e_phnum);
		WIDEN(*h, h32, e_phentsize);
		WIDEN(*h, h32, e_shnum);
		WIDEN(*h, h32, e_shentsize);
	}
	ATF_REQUIRE_EQ(h->e_type, ET_CORE);
	ATF_REQUIRE_EQ(h->e_machine, core->is_32bit ? EM_386 : EM_X86_64);
	ATF_REQUIRE_EQ(core->data[EI_DATA], ELFDATA2LSB);
}

static size_t segment_count(const struct core_file *core)
{
	if (core->header.e_phnum != PN_XNUM)
		return core->header.e_phnum;
	ATF_REQUIRE_EQ(core->header.e_shnum, 1);
	if (core->is_32bit) {
		check_part(core, "section header", core->header.e_shoff, sizeof(Elf32_Shdr));
		return ((const Elf32_Shdr *)(core->data + core->header.e_shoff))->sh_info;
	}
	check_part(core, "section header", core->header.e_shoff, sizeof(Elf64_Shdr));
	return ((const Elf64_Shdr *)(core->data + core->header.e_shoff))->sh_info;
}

static void read_segment(struct core_file *core, size_t i)
{
	const char *at = core->data + core->header.e_phoff + i * core->header.e_phentsize;
	Elf64_Phdr *s = &core->segments[i];
	Elf32_Phdr s32;

	if (core->is_32bit) {
		memcpy(&s32, at, sizeof(s32));
		WIDEN(*s, s32, p_type);
		WIDEN(*s, s32, p_flags);
		WIDEN(*s, s32, p_offset);
		WIDEN(*s, s32, p_vaddr);
		WIDEN(*s, s32, p_paddr);
		WIDEN(*s, s32, p_filesz);
		WIDEN(*s, s32, p_memsz);
		WIDEN(*s, s32, p_align);
	} else {
		memcpy(s, at, sizeof(*s));
	}
	check_part(core, "segment", s->p_offset, s->p_filesz);
}

static void read_notes(struct core_file *core, const Elf64_Phdr *segment)
{
	size_t at = segment->p_offset, end = at + segment->p_filesz;

	while (at < end) {
		Elf64_Nhdr h;
		struct core_note note = {0};

		memcpy(&h, core->data + at, sizeof(h));
		at += sizeof(h);
		ATF_REQUIRE(h.n_namesz > 0 && h.n_namesz <= sizeof(note.name));
		memcpy(note.name, core->data + at, h.n_namesz);
		at += (h.n_namesz + 3) / 4 * 4;
		note.type = h.n_type;
		note.desc = core->data + at;
		note.size = h.n_descsz;
		at += (h.n_descsz + 3) / 4 * 4;
		ATF_REQUIRE_MSG(at <= end, "note %#x goes beyond its segment", h.n_type);
		core->notes = reallocarray(core->notes, core->n_notes + 1, sizeof(note));
		ATF_REQUIRE(core->notes != NULL);
		core->notes[core->n_notes++] = note;
	}
}

void core_open(struct core_file *core, const char *path)
{
	size_t entry;

	*core = (struct core_file){0};
	map_file(core, path);
	read_header(core);
	entry = core->is_32bit ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
	ATF_REQUIRE_EQ(core->header.e_phentsize, entry);
	core->n_segments = segment_count(core);
	ATF_REQUIRE(core->n_segments > 0);
	check_part(core, "program headers", core->header.e_phoff, core->n_segments * entry);
	core->segments = calloc(core->n_segments, sizeof(*core->segments));
	ATF_REQUIRE(core->segments != NULL);
	for (size_t i = 0; i < core->n_segments; i++) {
		read_segment(core, i);
		if (core->segments[i].p_type == PT_NOTE)
			read_notes(core, &core->segments[i]);
	}
}

void core_close(struct core_file *core)
{
	munmap((void *)(uintptr_t)core->data, core->size);
	free(core->segments);
	free(core->notes);
}

static uint64_t word_at(const char *at, bool is_32bit)
{
	uint64_t wide;
	uint32_t narrow;

	memcpy(&wide, at, sizeof(wide));
	memcpy(&narrow, at, sizeof(narrow));
	return is_32bit ? narrow : wide;
}

const Elf64_Phdr *core_segment(const struct core_file *core, uint64_t addr)
{
	for (size_t i = 0; i < core->n_segments; i++) {
		const Elf64_Phdr *s = &core->segments[i];

		if (s->p_type == PT_LOAD && addr >= s->p_vaddr && addr - s->p_vaddr < s->p_memsz)
			return s;
	}
	return NULL;
}

const char *core_at(const struct core_file *core, uint64_t addr, size_t len)
{
	const Elf64_Phdr *s = core_segment(core, addr);

	if (s == NULL || addr - s->p_vaddr >= s->p_filesz || len > s->p_filesz - (addr - s->p_vaddr))
		return NULL;
	return core->data + s->p_offset + (addr - s->p_vaddr);
}

const struct core_note *core_note(const struct core_file *core, uint32_t type, unsigned n)
{
	for (size_t i = 0; i < core->n_notes; i++)
		if (core->notes[i].type == type && n-- == 0)
			return &core->notes[i];
	return NULL;
}

/* Offsets of struct elf_prstatus of i386, which this ABI's headers do not have. */
enum { PID_32 = 24, REG_32 = 72, REG_SIZE_32 = 68, EIP_32 = REG_32 + 12 * 4, ESP_32 = REG_32 + 15 * 4 };

bool core_is_file(const struct core_file *core, uint64_t addr)
{
	const struct core_note *note = core_note(core, NT_FILE, 0);
	size_t word = core->is_32bit ? 4 : 8;
	const char *at = note->desc + 2 * word;

	for (uint64_t i = 0, n = word_at(note->desc, core->is_32bit); i < n; i++, at += 3 * word)
		if (addr >= word_at(at, core->is_32bit) && addr < word_at(at + word, core->is_32bit))
			return true;
	return false;
}

int core_status_tid(const struct core_file *core, const struct core_note *note)
{
	return (int)word_at(note->desc + (core->is_32bit ? PID_32 : offsetof(struct elf_prstatus, pr_pid)), true);
}

int core_status_signal(const struct core_note *note)
{
	short signal;

	memcpy(&signal, note->desc + offsetof(struct elf_prstatus, pr_cursig), sizeof(signal));
	return signal;
}

const char *core_status_registers(const struct core_file *core, const struct core_note *note, size_t *size_ret)
{
	*size_ret = core->is_32bit ? REG_SIZE_32 : sizeof(elf_gregset_t);
	return note->desc + (core->is_32bit ? REG_32 : offsetof(struct elf_prstatus, pr_reg));
}

/* Places in struct user_regs_struct. */
enum { RIP = 16, RSP = 19 };

uint64_t core_status_pc(const struct core_file *core, const struct core_note *note)
{
	return word_at(note->desc + (core->is_32bit ? EIP_32 : offsetof(struct elf_prstatus, pr_reg[RIP])),
		       core->is_32bit);
}

uint64_t core_status_sp(const struct core_file *core, const struct core_note *note)
{
	return word_at(note->desc + (core->is_32bit ? ESP_32 : offsetof(struct elf_prstatus, pr_reg[RSP])),
		       core->is_32bit);
}

char *core_run(int status, const char *format, ...)
{
	char command[2048], *text = NULL;
	size_t size = 0, n;
	va_list ap;
	FILE *p;
	int r;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	p = popen(command, "re");
	ATF_REQUIRE_MSG(p != NULL, "popen: %s", command);
	do {
		text = realloc(text, size + 65536);
		ATF_REQUIRE(text != NULL);
		n = fread(text + size, 1, 65535, p);
		size += n;
	} while (n > 0);
	text[size] = '\0';
	r = pclose(p);
	/* Into the log of the case: a reason for failing is one line. */
	printf("$ %s\n%s", command, text);
	fflush(stdout);
	if (!WIFEXITED(r) || WEXITSTATUS(r) != status)
		atf_tc_fail("%s: wait status %#x", command, r);
	return text;
}
