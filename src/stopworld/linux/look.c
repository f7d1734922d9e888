// SPDX-License-Identifier: BSD-2-Clause
/* Threads that do not answer, and memory, as /proc shows them. */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>

#include "stopworld/linux/proc.h"
#include "stopworld/os.h"
#include "stopworld/x86/raw.h"

static uint64_t field_number(const char *text, const char *key, unsigned base)
{
	const char *p = sts_proc_field(text, key);

	return p != NULL ? sts_proc_number(&p, base) : 0;
}

int sts_os_look(int32_t tid, struct sts_look *ret)
{
	const char *text, *state;
	int n;

	n = sts_proc_read(sts_proc_path("/proc/self/task/", sts_proc_number_of(tid), "/status"), &text);
	if (n <= 0)
		return sts_os_exists(sts_os_pid(), tid) ? -ENODATA : -ESRCH;
	state = sts_proc_field(text, "State:");
	*ret = (struct sts_look){
		.state = state != NULL ? *state : '?',
		.pending = sts_os_has_stop_signal(field_number(text, "SigPnd:", 16)),
		.blocked = sts_os_has_stop_signal(field_number(text, "SigBlk:", 16)),
		.tracer = (int32_t)field_number(text, "TracerPid:", 10),
		.switches = field_number(text, "voluntary_ctxt_switches:", 10) +
			    field_number(text, "nonvoluntary_ctxt_switches:", 10),
	};
	return 0;
}

/* "running", "-1 SP PC" or "NUMBER six arguments SP PC". */
bool sts_os_look_call(int32_t tid, struct sts_look *look)
{
	const char *p;

	if (sts_proc_read(sts_proc_path("/proc/self/task/", sts_proc_number_of(tid), "/syscall"), &p) <= 0) {
		/* A process that may not be dumped. Its state says that it sleeps all the same; in vfork, if it has a
		 * child, for there is not much else that is not interruptible. */
		look->vfork = look->state == 'D' && sts_os_child(tid) != 0;
		return true;
	}
	if (*p == 'r')
		return false;
	if (*p == '-') {
		p += 2;
	} else {
		uint64_t nr = sts_proc_number(&p, 10);

		look->vfork = nr == __NR_vfork || nr == __NR_clone || nr == __NR_clone3;
		for (int i = 0; i < 6; i++)
			sts_proc_number(&p, 16);
	}
	look->sp = sts_proc_number(&p, 16);
	look->pc = sts_proc_number(&p, 16);
	look->in_call = true;
	return true;
}

/* The kernel lists children in the order of their births, and one who waits in vfork has had none since. */
int32_t sts_os_child(int32_t tid)
{
	const char *p;
	uint64_t child = 0, next;

	if (sts_proc_read(sts_proc_path("/proc/self/task/", sts_proc_number_of(tid), "/children"), &p) <= 0)
		return 0;
	while ((next = sts_proc_number(&p, 10)) != 0)
		child = next;
	return sts_proc_inner_number((int32_t)child);
}

/* Threads are found by their tid at the top too, though it is not shown there. */
void sts_os_name(int32_t pid, int32_t tid, char name[16])
{
	const char *p = "";

	if (sts_os_exists(pid, tid))
		sts_proc_read(sts_proc_path("/proc/", sts_proc_number_of(tid), "/comm"), &p);
	for (int i = 0; i < 16; i++)
		name[i] = '\0';
	for (int i = 0; i < 15 && p[i] != '\0' && p[i] != '\n'; i++)
		name[i] = p[i];
}

/* Linux 6.11; older kernels tell in text. */
struct procmap_query_ {
	uint64_t size, flags, address;
	uint64_t start, end, vma_flags, page_size, offset, inode;
	uint32_t dev_major, dev_minor, name_size, build_id_size;
	uint64_t name, build_id;
};
#define PROCMAP_QUERY_ _IOWR('f', 17, struct procmap_query_)

static int query_mapping(uint64_t address, uint64_t *start_ret, uint64_t *end_ret)
{
	struct procmap_query_ q = {.size = sizeof(q), .address = address};
	int fd = sts_proc_open("/proc/self/maps", 0);
	int r;

	if (fd < 0)
		return fd;
	r = (int)RAW(ioctl, fd, PROCMAP_QUERY_, &q);
	sts_proc_close(fd);
	if (r < 0)
		return r;
	*start_ret = q.start;
	*end_ret = q.end;
	return 0;
}

/* "START-END ..." */
static int next_mapping(struct sts_proc_reader *r, uint64_t *start_ret, uint64_t *end_ret)
{
	int c = sts_proc_next_hex(r, start_ret);

	if (c == '-')
		c = sts_proc_next_hex(r, end_ret);
	while (c >= 0 && c != '\n')
		c = sts_proc_next_char(r);
	return c;
}

static int search_mapping(uint64_t address, uint64_t *start_ret, uint64_t *end_ret)
{
	char buf[2048];
	struct sts_proc_reader r = {.fd = sts_proc_open("/proc/self/maps", 0), .buf = buf, .size = sizeof(buf)};
	uint64_t start, end;
	int result = -ENOENT;

	if (r.fd < 0)
		return r.fd;
	while (result != 0 && next_mapping(&r, &start, &end) >= 0) {
		if (address < start || address >= end)
			continue;
		*start_ret = start;
		*end_ret = end;
		result = 0;
	}
	sts_proc_close(r.fd);
	return result;
}

int sts_os_mapping(uint64_t address, uint64_t *start_ret, uint64_t *end_ret)
{
	int r = query_mapping(address, start_ret, end_ret);

	return r == 0 || r == -ENOENT ? r : search_mapping(address, start_ret, end_ret);
}

/* The kernel reads the set before it finds that the request makes no sense. */
int sts_os_peek(uint64_t address, uint64_t *ret)
{
	uintptr_t p = (uintptr_t)address;

	if (p != address || RAW(rt_sigprocmask, -1, p, NULL, sizeof(uint64_t)) == -EFAULT)
		return -EFAULT;
	*ret = *(const volatile uintptr_t *)p;
	return 0;
}
