// SPDX-License-Identifier: BSD-2-Clause
/* Mappings as /proc shows them, read without libc. */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "leaks/roots/probe.h"
#include "stopworld/linux/proc.h"
#include "stopworld/x86/raw.h"

#define PAGE ((uintptr_t)4096)

/* --- /proc/self/maps -------------------------------------------------------------------------- */

static void skip_field(struct sts_proc_reader *r)
{
	int c;

	do
		c = sts_proc_next_char(r);
	while (c >= 0 && c != ' ' && c != '\n');
}

/* The name may be missing; what is longer than `size` is not needed. */
static void next_name(struct sts_proc_reader *r, char *name, size_t size)
{
	size_t n = 0;
	int c;

	while ((c = sts_proc_next_char(r)) >= 0 && c != '\n') {
		if (n + 1 < size && (n > 0 || c != ' '))
			name[n++] = (char)c;
	}
	name[n] = '\0';
}

static bool begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

/* START-END PERMS OFFSET DEVICE INODE NAME */
static bool next_mapping(struct sts_proc_reader *r, struct sts_mapping *m)
{
	uintptr_t inode = 0;
	char perms[5] = "", name[32];
	int c;

	if (sts_proc_next_hex(r, &m->start) != '-' || sts_proc_next_hex(r, &m->end) != ' ')
		return false;
	for (int i = 0; i < 4 && (c = sts_proc_next_char(r)) >= 0; i++)
		perms[i] = (char)c;
	sts_proc_next_char(r);
	skip_field(r);
	skip_field(r);
	while ((c = sts_proc_next_char(r)) >= '0' && c <= '9')
		inode = inode * 10 + (unsigned)(c - '0');
	name[0] = '\0';
	if (c != '\n')
		next_name(r, name, sizeof(name));
	m->readable = perms[0] == 'r';
	m->writable = perms[1] == 'w';
	m->executable = perms[2] == 'x';
	m->shared = perms[3] == 's';
	m->file = inode != 0;
	m->device = begins(name, "/dev/") && !begins(name, "/dev/zero") && !begins(name, "/dev/shm/");
	m->stack = strcmp(name, "[stack]") == 0;
	m->kernel = begins(name, "[v");
	return true;
}

/* The first is that of any thread: the main one may have ended, and nothing is to be read of it then. */
static int open_own(const char *of_thread, const char *of_process)
{
	int fd = (int)RAW(openat, AT_FDCWD, of_thread, O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? fd : (int)RAW(openat, AT_FDCWD, of_process, O_RDONLY | O_CLOEXEC);
}

bool sts_roots_mappings(bool (*f)(void *arg, const struct sts_mapping *m), void *arg)
{
	static char buf[16384]; /* one check at a time */
	struct sts_proc_reader r = {
		.fd = open_own("/proc/thread-self/maps", "/proc/self/maps"), .buf = buf, .size = sizeof(buf)};
	struct sts_mapping m;
	bool any = false;

	if (r.fd < 0)
		return sts_roots_probe(f, arg);
	while (next_mapping(&r, &m)) {
		any = true;
		if (!f(arg, &m))
			break;
	}
	RAW(close, r.fd);
	return any;
}

/* --- /proc/self/smaps --------------------------------------------------------------------------- */

int sts_roots_flags_open(void)
{
	return open_own("/proc/thread-self/smaps", "/proc/self/smaps");
}

/* What is longer than `size` is not needed. False at the end. */
static bool next_line(struct sts_proc_reader *r, char *line, size_t size)
{
	size_t n = 0;
	int c;

	while ((c = sts_proc_next_char(r)) >= 0 && c != '\n')
		if (n + 1 < size)
			line[n++] = (char)c;
	line[n] = '\0';
	return c >= 0;
}

/* "VmFlags: rd wr mr ...": readable, no device, and not copied or wiped. */
static bool is_uncopied(const char *line)
{
	return begins(line, "VmFlags:") && strstr(line, " rd ") != NULL && strstr(line, " io ") == NULL &&
	       (strstr(line, " dc ") != NULL || strstr(line, " wf ") != NULL);
}

bool sts_roots_uncopied(int flags)
{
	static char buf[16384];
	struct sts_proc_reader r = {.fd = flags, .buf = buf, .size = sizeof(buf)};
	char line[256];

	while (flags >= 0 && next_line(&r, line, sizeof(line)))
		if (is_uncopied(line))
			return true;
	return false;
}

/* --- /proc/self/pagemap ------------------------------------------------------------------------- */

#define PRESENT (UINT64_C(3) << 62) /* in memory, or swapped out */
#define OF_FILE (UINT64_C(1) << 61) /* the file's page, not the program's own copy of it */

static bool wanted(uint64_t entry, enum sts_presence which)
{
	return (entry & PRESENT) != 0 && (which == STS_PRESENT_ANY || (entry & OF_FILE) == 0);
}

int sts_roots_pagemap_open(void)
{
	return open_own("/proc/thread-self/pagemap", "/proc/self/pagemap");
}

void sts_roots_pagemap_close(int pagemap)
{
	if (pagemap >= 0)
		RAW(close, pagemap);
}

void sts_roots_present(int pagemap, uintptr_t start, uintptr_t end, enum sts_presence which,
		       void (*f)(void *arg, uintptr_t start, uintptr_t end), void *arg)
{
	static uint64_t entries[4096];

	for (uintptr_t at = start; at < end;) {
		size_t pages = (end - at) / PAGE < 4096 ? (end - at) / PAGE : 4096, run;
		long n = RAW(pread64, pagemap, entries, pages * sizeof(*entries), at / PAGE * sizeof(*entries));

		/* Nothing was told of the rest: it may all be there. */
		if (n < (long)sizeof(*entries)) {
			f(arg, at, end);
			break;
		}
		pages = (size_t)n / sizeof(*entries);
		for (size_t i = 0; i < pages; i += run) {
			bool is = wanted(entries[i], which);

			for (run = 1; i + run < pages && wanted(entries[i + run], which) == is;)
				run++;
			if (is)
				f(arg, at + i * PAGE, at + (i + run) * PAGE);
		}
		at += pages * PAGE;
	}
}

/* The kernel reads the mask before it looks at what to do with it. No filter denies this call. */
bool sts_roots_readable(uintptr_t address)
{
	enum { NO_WAY = 99 };

	return RAW(rt_sigprocmask, NO_WAY, address & ~(uintptr_t)7, NULL, 8) != -EFAULT;
}
