// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which threads there are. The task directory is a hint only: a pass over it can miss threads that live while others
 * end. What counts is the number of links that the kernel gives it, which is exact, and needs no descriptor.
 */
#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <unistd.h>

#include "stopworld/linux/proc.h"
#include "stopworld/os.h"
#include "stopworld/x86/raw.h"

struct raw_dirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

#define NO_PID_ABOVE (1 << 22) /* the kernel's own limit */

static uint64_t entries[4096]; /* aligned as the entries want it */
static int directory = -1;

/* Finding the way to it costs more than all the rest. Without a free descriptor it is found anew each time. */
void sts_os_begin_list(void)
{
	directory = sts_proc_open("/proc/self/task", O_DIRECTORY);
}

void sts_os_end_list(void)
{
	if (directory >= 0)
		sts_proc_close(directory);
	directory = -1;
}

int sts_os_count(void)
{
	struct statx st;
	int r = directory >= 0 ? (int)RAW(statx, directory, "", AT_EMPTY_PATH, STATX_NLINK, &st)
			       : (int)RAW(statx, AT_FDCWD, "/proc/self/task", 0, STATX_NLINK, &st);

	return r < 0 ? r : (int)st.stx_nlink - 2;
}

static void take_entries(long n, bool (*found)(void *arg, int32_t tid), void *arg)
{
	const char *p = (const char *)entries;

	for (long at = 0; at < n;) {
		const struct raw_dirent *e = (const void *)(p + at);
		const char *name = e->name;

		if (*name != '.')
			found(arg, (int32_t)sts_proc_number(&name, 10));
		at += e->reclen;
	}
}

static int list_directory(bool (*found)(void *arg, int32_t tid), void *arg)
{
	long n;

	if (directory < 0)
		return directory;
	RAW(lseek, directory, 0, SEEK_SET);
	while ((n = RAW(getdents64, directory, entries, sizeof(entries))) > 0)
		take_entries(n, found, arg);
	return (int)n;
}

/* As it was when it could be read last: without /proc to ask for a hundred times as many numbers takes seconds. */
static int32_t last_limit;

static int32_t pid_limit(void)
{
	const char *text;

	if (sts_proc_read("/proc/sys/kernel/pid_max", &text) > 0)
		last_limit = (int32_t)sts_proc_number(&text, 10);
	return last_limit != 0 ? last_limit : NO_PID_ABOVE;
}

/* While it can be read. */
static __attribute__((constructor)) void learn_limit(void)
{
	pid_limit();
}

static void list_numbers(int32_t pid, int32_t first, int wanted, bool (*found)(void *arg, int32_t tid), void *arg)
{
	int32_t limit = pid_limit();

	/* It has been raised since. */
	if (pid >= limit || first >= limit)
		limit = NO_PID_ABOVE;
	for (int32_t i = 0; i < limit; i++) {
		int32_t tid = first + i < limit ? first + i : first + i - limit;

		if (tid != 0 && sts_os_exists(pid, tid) && found(arg, tid) && --wanted == 0)
			return;
	}
}

void sts_os_list(int32_t pid, int32_t first, int wanted, bool (*found)(void *arg, int32_t tid), void *arg)
{
	if (wanted == 0 || !sts_proc_is_ours(pid) || list_directory(found, arg) < 0)
		list_numbers(pid, first, wanted, found, arg);
}

struct search {
	int32_t tid;
	int32_t result;
};

/* "NSpid: OUTER ... INNER" */
int32_t sts_proc_inner_number(int32_t outer)
{
	const char *text, *p = NULL;
	uint64_t number = 0;

	if (sts_proc_is_ours(sts_os_pid()))
		return outer;
	if (sts_proc_read(sts_proc_path("/proc/", outer, "/status"), &text) > 0)
		p = sts_proc_field(text, "NSpid:");
	while (p != NULL && *p != '\n' && *p != '\0')
		number = sts_proc_number(&p, 10);
	return (int32_t)number;
}

static bool has_number(void *arg, int32_t outer)
{
	struct search *s = arg;

	if (s->result == 0 && sts_proc_inner_number(outer) == s->tid)
		s->result = outer;
	return false;
}

/* Also while a listing goes on, or none: it has a directory of its own. */
int32_t sts_proc_number_of(int32_t tid)
{
	struct search s = {.tid = tid};
	int others = directory;

	if (sts_proc_is_ours(sts_os_pid()))
		return tid;
	sts_os_begin_list();
	list_directory(has_number, &s);
	sts_os_end_list();
	directory = others;
	return s.result;
}
