// SPDX-License-Identifier: BSD-2-Clause
#include "leaks/unwind/modules.h"

#include <asm/unistd.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>

#include "leaks/heap/inner.h"
#include "leaks/unwind/rows.h"
#include "stopworld/x86/raw.h"

#define BLOCK 256u
#define BLOCKS 256u

/* As in <dlfcn.h> of glibc 2.35 and later. */
struct found_object {
	unsigned long long flags;
	void *map_start, *map_end;
	struct link_map *link_map;
	void *eh_frame;
	unsigned long long reserved[7];
};
int find_object(void *address, struct found_object *ret) __asm__("_dl_find_object") __attribute__((weak));

static struct sts_module *_Atomic blocks[BLOCKS];
static _Atomic unsigned count;
static struct sts_lock lock;

static struct sts_module *slot(unsigned number)
{
	return &atomic_load_explicit(&blocks[(number - 1) / BLOCK], memory_order_acquire)[(number - 1) % BLOCK];
}

unsigned sts_module_count(void)
{
	return atomic_load_explicit(&count, memory_order_acquire);
}

const struct sts_module *sts_module_get(unsigned number)
{
	return number != 0 && number <= sts_module_count() ? slot(number) : NULL;
}

/* The program itself has no name for the loader. */
static const char *own_path(char *buffer)
{
	long n = RAW(readlink, "/proc/self/exe", buffer, PATH_MAX - 1);

	buffer[n > 0 ? n : 0] = '\0';
	return buffer;
}

static const char *keep(const char *text)
{
	size_t size = strlen(text) + 1;
	char *kept = sts_own_alloc(size);

	return kept != NULL ? memcpy(kept, text, size) : "";
}

static bool same(const struct sts_module *a, const struct sts_module *b, const char *path)
{
	return a->base == b->base && a->end == b->end && a->build_id_size == b->build_id_size &&
	       memcmp(a->build_id, b->build_id, a->build_id_size) == 0 && strcmp(a->path, path) == 0;
}

/* The lock held. A module that comes back to where it was is the same. */
static unsigned enter(const struct sts_module *module, const char *path)
{
	unsigned n = atomic_load_explicit(&count, memory_order_relaxed);
	struct sts_module *block;

	for (unsigned i = n; i > 0; i--)
		if (same(slot(i), module, path)) {
			slot(i)->handle = module->handle;
			slot(i)->alive = true;
			return i;
		}
	if (n == BLOCK * BLOCKS - 1)
		return 0;
	if (n % BLOCK == 0 && blocks[n / BLOCK] == NULL) {
		block = sts_own_alloc(BLOCK * sizeof(*block));
		if (block == NULL)
			return 0;
		atomic_store_explicit(&blocks[n / BLOCK], block, memory_order_release);
	}
	*slot(n + 1) = *module;
	slot(n + 1)->path = keep(path);
	atomic_store_explicit(&count, n + 1, memory_order_release);
	return n + 1;
}

static unsigned search(const void *handle, uintptr_t address)
{
	for (unsigned i = sts_module_count(); i > 0; i--) {
		const struct sts_module *m = slot(i);

		if (m->alive && m->handle == handle && address >= m->base && address < m->end)
			return i;
	}
	return 0;
}

static bool is_elf(uintptr_t address)
{
	return (address & (STS_PAGE - 1)) == 0 && sts_readable(address) &&
	       memcmp((const void *)address, ELFMAG, SELFMAG) == 0;
}

/* Where the ELF header is. The loader tells of each segment alone if there is room for others between them. */
static uintptr_t image_of(const struct found_object *found)
{
	if (is_elf((uintptr_t)found->map_start))
		return (uintptr_t)found->map_start;
	return found->link_map != NULL && is_elf(found->link_map->l_addr) ? found->link_map->l_addr : 0;
}

/* How much memory the image takes, of which there may be gaps. 0 if that cannot be known. */
static size_t image_size(uintptr_t image)
{
	const Elf64_Ehdr *e = (const void *)image;
	const Elf64_Phdr *p = (const void *)(image + e->e_phoff);
	uint64_t lo = UINT64_MAX, hi = 0;

	if (e->e_phoff > STS_PAGE / 2 || e->e_phnum == 0 || e->e_phoff + e->e_phnum * sizeof(*p) > STS_PAGE)
		return 0;
	for (unsigned i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type != PT_LOAD)
			continue;
		if (p[i].p_vaddr < lo)
			lo = p[i].p_vaddr & ~(STS_PAGE - 1);
		if (p[i].p_vaddr + p[i].p_memsz > hi)
			hi = p[i].p_vaddr + p[i].p_memsz;
	}
	return hi > lo ? hi - lo : 0;
}

static __attribute__((noinline)) unsigned add(const struct found_object *found)
{
	struct sts_module module = {.base = (uintptr_t)found->map_start,
				    .end = (uintptr_t)found->map_end,
				    .bias = found->link_map != NULL ? found->link_map->l_addr : 0,
				    .alive = true,
				    .handle = found->link_map};
	const char *path = found->link_map != NULL && found->link_map->l_name != NULL ? found->link_map->l_name : "";
	uintptr_t image = image_of(found);
	char buffer[PATH_MAX];
	unsigned number;
	bool taken;

	if (*path == '\0')
		path = own_path(buffer);
	if (image != 0 && image_size(image) != 0) {
		module.base = image;
		module.end = image + image_size(image);
		sts_module_read_elf((const void *)image, module.end - image, &module);
	}
	taken = sts_lock(&lock);
	number = enter(&module, path);
	sts_unlock(&lock, taken);
	return number;
}

/* Without glibc's function for it, as in musl: asked once, at the beginning; what is loaded later has no tables. */
struct look {
	uintptr_t address;
	struct found_object found;
	struct link_map map;
};

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct look *l = arg;
	uintptr_t lo = UINTPTR_MAX, hi = 0;

	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (info->dlpi_addr + p->p_vaddr < lo)
			lo = (info->dlpi_addr + p->p_vaddr) & ~(STS_PAGE - 1);
		if (info->dlpi_addr + p->p_vaddr + p->p_memsz > hi)
			hi = info->dlpi_addr + p->p_vaddr + p->p_memsz;
	}
	if (l->address < lo || l->address >= hi)
		return 0;
	l->map.l_addr = info->dlpi_addr;
	l->map.l_name = (char *)info->dlpi_name;
	l->found = (struct found_object){.map_start = (void *)lo, .map_end = (void *)hi, .link_map = &l->map};
	return 1;
}

static unsigned at_without_glibc(uintptr_t address)
{
	struct look l = {.address = address};
	unsigned number = search(NULL, address);

	if (number != 0)
		return number;
	if (dl_iterate_phdr(look, &l) == 0)
		return 0;
	number = add(&l.found);
	if (number != 0)
		slot(number)->handle = NULL;
	return number;
}

static bool started;

void sts_module_start(void)
{
	started = true;
}

/*
 * The program itself, without asking the loader: in a static program that allocates while it sets up what is asked. Its
 * header lies on the page of the program headers.
 */
static unsigned at_in_program(uintptr_t address)
{
	static _Atomic uintptr_t image;
	static _Atomic size_t size;
	uintptr_t start = atomic_load_explicit(&image, memory_order_acquire);
	struct found_object found = {.link_map = NULL};
	unsigned number;

	if (start == 0) {
		start = getauxval(AT_PHDR) & ~(STS_PAGE - 1);
		atomic_store(&size, is_elf(start) ? image_size(start) : 0);
		atomic_store_explicit(&image, start, memory_order_release);
	}
	if (address - start >= atomic_load(&size))
		return 0;
	number = search(NULL, address);
	if (number != 0)
		return number;
	found.map_start = (void *)start;
	return add(&found);
}

unsigned sts_module_at(uintptr_t address)
{
	struct found_object found;
	unsigned number = at_in_program(address);

	if (number != 0)
		return number;
	if (find_object == NULL)
		return at_without_glibc(address);
	if (!started && getauxval(AT_BASE) == 0)
		return 0;
	if (find_object((void *)address, &found) != 0)
		return 0;
	number = search(found.link_map, address);
	return number != 0 ? number : add(&found);
}

bool sts_module_freed(const void *handle)
{
	bool any = false;

	for (unsigned i = sts_module_count(); i > 0; i--)
		if (slot(i)->alive && slot(i)->handle == handle) {
			slot(i)->alive = false;
			any = true;
		}
	return any;
}

void sts_module_lock_all(void)
{
	sts_lock(&lock);
}

void sts_module_unlock_all(void)
{
	sts_unlock(&lock, true);
}
