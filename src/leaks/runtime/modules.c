// SPDX-License-Identifier: BSD-2-Clause
/*
 * Modules that are loaded, and those that were when the list was last read: where they lay their names are still
 * known. Read before each check, and before each dlclose(3).
 */
#include <asm/unistd.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

#include "leaks/heap/lock.h"
#include "leaks/runtime/check.h"
#include "stopworld/x86/raw.h"

enum { MODULES = 1024, SEGMENTS = 4, PATH = 256 };

struct module {
	struct sts_raw_module raw;
	struct {
		uintptr_t start, end;
	} data[SEGMENTS]; /* that can be written */
	char path[PATH];
};

static struct module modules[MODULES];
static unsigned n_modules;
static size_t tls_size;
static struct sts_lock lock;

/* The main program has no name in the loader's list. */
static void set_path(struct module *m, const char *name)
{
	size_t n = strnlen(name, PATH - 1);
	long r = 0;

	if (n == 0)
		r = RAW(readlink, "/proc/self/exe", m->path, PATH - 1);
	else
		memcpy(m->path, name, n);
	m->path[n > 0 ? n : r > 0 ? (size_t)r : 0] = '\0';
}

static void read_notes(struct module *m, const char *p, size_t size)
{
	const char *end = p + size;

	while ((size_t)(end - p) >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)p;
		const char *name = p + sizeof(*note), *desc = name + ((note->n_namesz + 3) & ~3u);

		if (note->n_namesz > size || note->n_descsz > size || desc + note->n_descsz > end)
			break;
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0 &&
		    note->n_descsz <= sizeof(m->raw.build_id)) {
			m->raw.build_id_size = note->n_descsz;
			memcpy(m->raw.build_id, desc, note->n_descsz);
		}
		p = desc + ((note->n_descsz + 3) & ~3u);
	}
}

static void read_segment(struct module *m, const ElfW(Phdr) * p, unsigned *n_data)
{
	uintptr_t start = m->raw.bias + p->p_vaddr, end = start + p->p_memsz;

	if (p->p_type == PT_NOTE)
		read_notes(m, (const char *)start, p->p_memsz);
	if (p->p_type != PT_LOAD)
		return;
	m->raw.start = start < m->raw.start ? start : m->raw.start;
	m->raw.end = end > m->raw.end ? end : m->raw.end;
	if ((p->p_flags & PF_W) && *n_data < SEGMENTS) {
		m->data[*n_data].start = start;
		m->data[(*n_data)++].end = end;
	}
}

static bool same(const struct module *a, const struct module *b)
{
	return a->raw.start == b->raw.start && a->raw.end == b->raw.end && strcmp(a->path, b->path) == 0 &&
	       memcmp(a->raw.build_id, b->raw.build_id, sizeof(a->raw.build_id)) == 0;
}

static int note_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	static struct module m; /* under the lock */
	unsigned n_data = 0;

	memset(&m, 0, sizeof(m));
	m.raw.bias = info->dlpi_addr;
	m.raw.start = UINTPTR_MAX;
	m.raw.alive = 1;
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		read_segment(&m, &info->dlpi_phdr[i], &n_data);
	if (m.raw.start >= m.raw.end)
		return 0;
	set_path(&m, info->dlpi_name);
	for (unsigned i = n_modules; i-- > 0;) {
		if (same(&modules[i], &m)) {
			modules[i].raw.alive = 1;
			return 0;
		}
	}
	if (n_modules == MODULES)
		return 1;
	m.raw.id = n_modules;
	modules[n_modules++] = m;
	return 0;
}

/* glibc's own way to tell, which has no header. */
static size_t ask_tls_size(void)
{
	void (*info)(size_t * size, size_t * align) =
		(void (*)(size_t *, size_t *))dlsym(RTLD_DEFAULT, "_dl_get_tls_static_info");
	size_t size = 0, align = 0;

	if (info != NULL)
		info(&size, &align);
	return size;
}

void sts_modules_read(void)
{
	bool taken = sts_lock(&lock);

	for (unsigned i = 0; i < n_modules; i++)
		modules[i].raw.alive = 0;
	dl_iterate_phdr(note_module, NULL);
	if (tls_size == 0)
		tls_size = ask_tls_size();
	sts_unlock(&lock, taken);
}

size_t sts_modules_tls_size(void)
{
	return tls_size;
}

/* Of several that lay there the one that lives, else the last. */
uint32_t sts_modules_find(uintptr_t address)
{
	uint32_t found = STS_RAW_NO_MODULE;

	for (unsigned i = 0; i < n_modules; i++) {
		const struct sts_raw_module *m = &modules[i].raw;

		if (address >= m->start && address < m->end) {
			found = m->id;
			if (m->alive)
				break;
		}
	}
	return found;
}

void sts_modules_tell(struct sts_out *out)
{
	for (unsigned i = 0; i < n_modules; i++)
		sts_out_item(out, STS_RAW_MODULE, &modules[i].raw, sizeof(modules[i].raw), modules[i].path,
			     strlen(modules[i].path));
}

void sts_modules_each_data(void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg)
{
	for (unsigned i = 0; i < n_modules; i++)
		for (unsigned k = 0; modules[i].raw.alive && k < SEGMENTS; k++)
			f(arg, modules[i].data[k].start, modules[i].data[k].end);
}
