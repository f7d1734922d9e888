// SPDX-License-Identifier: BSD-2-Clause
/* Memory that the program has mapped holds the block. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "zoo.h"

extern void *zoo_global;
void __lsan_register_root_region(const void *p, size_t size) __attribute__((weak));

static void *map(size_t size, int flags, int fd)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	zoo_need(p != MAP_FAILED, "mmap");
	return p;
}

static void mmap_private(void)
{
	char *p = map(8192, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	zoo_keep(p + 4096, 100);
}

static void mmap_shared(void)
{
	zoo_keep(map(8192, MAP_SHARED | MAP_ANONYMOUS, -1), 100);
}

/* Much that was never touched about it. */
static void mmap_sparse(void)
{
	char *p = map((size_t)4 << 30, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	zoo_keep(p + ((size_t)3 << 30), 100);
}

/* The program cannot write there any more. */
static void mmap_read_only(void)
{
	void *p = map(4096, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	zoo_keep(p, 100);
	zoo_need(mprotect(p, 4096, PROT_READ) == 0, "mprotect");
}

static void memfd(void)
{
	int fd = memfd_create("zoo", 0);

	zoo_need(fd >= 0 && ftruncate(fd, 4096) == 0, "memfd");
	zoo_keep(map(4096, MAP_SHARED, fd), 100);
}

static void memfd_private(void)
{
	int fd = memfd_create("zoo", 0);

	zoo_need(fd >= 0 && ftruncate(fd, 4096) == 0, "memfd");
	zoo_keep(map(4096, MAP_PRIVATE, fd), 100);
}

static int file_of(off_t size)
{
	char name[] = "zoo.XXXXXX";
	int fd = mkstemp(name);

	zoo_need(fd >= 0 && unlink(name) == 0 && ftruncate(fd, size) == 0, "file");
	return fd;
}

static void file_shared(void)
{
	zoo_keep(map(8192, MAP_SHARED, file_of(8192)), 100);
}

/* Looking at the second page would be SIGBUS. */
static void file_short(void)
{
	zoo_keep(map(8192, MAP_SHARED, file_of(100)), 100);
}

static void file_private_short(void)
{
	zoo_keep(map(8192, MAP_PRIVATE, file_of(100)), 100);
}

static void brk_memory(void)
{
	char *p = sbrk(4096);

	zoo_need(p != (void *)-1, "sbrk");
	zoo_keep((void *)(((uintptr_t)p + 15) & ~(uintptr_t)15), 100);
}

/* Within a block that is lost itself: nothing but the region says that this counts. */
static void root_region(void)
{
	char *p = (char *)(zoo_new(300) ^ ZOO_KEY);

	for (size_t i = 0; i < 300; i++)
		p[i] = 0;
	zoo_need(__lsan_register_root_region != NULL, "__lsan_register_root_region");
	__lsan_register_root_region(p + 96, 64);
	zoo_keep(p + 112, 100);
}

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* Checks on demand are made in a copy of the process, which has not such memory, or has it empty. */
static void kept_from_copies(char *p, int advice)
{
	zoo_keep(p + 4096, 100);
	zoo_scrub();
	zoo_need(madvise(p, 8192, advice) == 0, "madvise");
	zoo_need(__lsan_do_recoverable_leak_check() == zoo_lost, "the check on demand");
}

static void dont_fork(void)
{
	kept_from_copies(map(8192, MAP_PRIVATE | MAP_ANONYMOUS, -1), MADV_DONTFORK);
}

static void wipe_on_fork(void)
{
	kept_from_copies(map(8192, MAP_PRIVATE | MAP_ANONYMOUS, -1), MADV_WIPEONFORK);
}

/* A part of a block of the heap. */
static void dont_fork_heap(void)
{
	char *p = calloc(64, 4096);

	zoo_global = p;
	kept_from_copies((char *)(((uintptr_t)p + 4 * 4096) & ~(uintptr_t)4095), MADV_DONTFORK);
}

/* A page in the middle of a block cannot be read. */
static void guard_page(void)
{
	char *p = malloc(5 * 4096);
	uintptr_t page;

	zoo_global = p;
	for (size_t i = 0; i < 5 * 4096; i++)
		p[i] = 0;
	page = ((uintptr_t)p + 4095) & ~(uintptr_t)4095;
	zoo_keep((void *)(page + 2 * 4096 + 64), 100);
	zoo_need(mprotect((void *)(page + 4096), 4096, PROT_NONE) == 0, "mprotect");
}

const struct zoo_scenario zoo_mapped[] = {{"mmap_private", mmap_private},
					  {"mmap_shared", mmap_shared},
					  {"mmap_sparse", mmap_sparse},
					  {"mmap_read_only", mmap_read_only},
					  {"memfd", memfd},
					  {"memfd_private", memfd_private},
					  {"file_shared", file_shared},
					  {"file_short", file_short},
					  {"file_private_short", file_private_short},
					  {"brk", brk_memory},
					  {"root_region", root_region},
					  {"guard_page", guard_page},
					  {"dont_fork", dont_fork},
					  {"wipe_on_fork", wipe_on_fork},
					  {"dont_fork_heap", dont_fork_heap},
					  {0}};
