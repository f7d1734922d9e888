/* SPDX-License-Identifier: BSD-2-Clause */
/* Small reads of /proc. What belongs to memory is read from a live LWP: a leader that ended has none. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "corefile/corefile.h"
#include "util/cleanup.h"

/* Bytes read, at most size - 1, with a zero byte after them. */
static ssize_t read_file(const char *path, char *buf, size_t size)
{
	size_t len = 0;

	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		ssize_t n = read(fd, buf + len, size - 1 - len);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
	}
	buf[len] = '\0';
	return len;
}

static int gone(ssize_t error)
{
	return error == 0 || error == -ENOENT || error == -ESRCH ? STASIS_E_GONE : (int)error;
}

static uint64_t ticks_to_us(uint64_t ticks)
{
	long hz = sysconf(_SC_CLK_TCK);

	return ticks * 1000000 / (hz > 0 ? hz : 100);
}

static bool stat_parse(const char *text, struct sts_core_stat *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t user, system;
	int64_t children_user, children_system;

	if (!open || !close || close < open)
		return false;
	if (sscanf(close + 1,
		   " %c %d %d %d %*d %*d %" SCNu64 " %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64
		   " %*d %d",
		   &ret->state, &ret->parent, &ret->group, &ret->session, &ret->flags, &user, &system, &children_user,
		   &children_system, &ret->nice) != 10)
		return false;
	size_t len = close - open - 1;
	memset(ret->name, 0, sizeof ret->name);
	memcpy(ret->name, open + 1, len < sizeof ret->name ? len : sizeof ret->name - 1);
	ret->user_us = ticks_to_us(user);
	ret->system_us = ticks_to_us(system);
	ret->children_user_us = ticks_to_us(children_user);
	ret->children_system_us = ticks_to_us(children_system);
	return true;
}

int sts_core_stat_read(pid_t pid, pid_t tid, struct sts_core_stat *ret)
{
	char path[64], text[1024];

	if (tid)
		snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	else
		snprintf(path, sizeof path, "/proc/%d/stat", pid);
	ssize_t n = read_file(path, text, sizeof text);
	if (n <= 0)
		return gone(n);
	return stat_parse(text, ret) ? 0 : -EPROTO;
}

int sts_core_owner_read(pid_t pid, uint32_t *uid_ret, uint32_t *gid_ret)
{
	char path[64], text[4096];

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	ssize_t n = read_file(path, text, sizeof text);
	if (n <= 0)
		return gone(n);
	const char *uid = strstr(text, "\nUid:"), *gid = strstr(text, "\nGid:");
	if (!uid || !gid || sscanf(uid, " Uid: %" SCNu32, uid_ret) != 1 || sscanf(gid, " Gid: %" SCNu32, gid_ret) != 1)
		return -EPROTO;
	return 0;
}

void sts_core_arguments_read(pid_t tid, char *buf, size_t size)
{
	char path[64];

	memset(buf, 0, size);
	snprintf(path, sizeof path, "/proc/%d/cmdline", tid);
	ssize_t n = read_file(path, buf, size);
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] == '\0')
			buf[i] = ' ';
}

/* Private and shared anonymous memory, ELF headers, private huge pages. */
#define DEFAULT_FILTER 0x33

unsigned sts_core_filter_read(pid_t tid)
{
	char path[64], text[64];
	unsigned filter;

	snprintf(path, sizeof path, "/proc/%d/coredump_filter", tid);
	if (read_file(path, text, sizeof text) <= 0 || sscanf(text, "%x", &filter) != 1)
		return DEFAULT_FILTER;
	return filter;
}

static void sleeper_fill(bool is_32bit, int64_t number, const uint64_t args[6], uint64_t sp, uint64_t pc,
			 struct stasis_regs_x86 *ret)
{
	*ret = (struct stasis_regs_x86){.rip = pc, .rsp = sp, .orig_rax = number};
	if (is_32bit) {
		ret->rbx = args[0];
		ret->rcx = args[1];
		ret->rdx = args[2];
		ret->rsi = args[3];
		ret->rdi = args[4];
		ret->rbp = args[5];
		ret->cs = 0x23;
	} else {
		ret->rdi = args[0];
		ret->rsi = args[1];
		ret->rdx = args[2];
		ret->r10 = args[3];
		ret->r8 = args[4];
		ret->r9 = args[5];
		ret->cs = 0x33;
	}
	ret->ss = 0x2b;
}

int sts_core_sleeper_read(pid_t pid, pid_t tid, bool is_32bit, struct stasis_regs_x86 *ret)
{
	char path[64], text[512];
	int64_t number;
	uint64_t a[6] = {0}, sp, pc;

	snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, tid);
	ssize_t n = read_file(path, text, sizeof text);
	if (n <= 0)
		return gone(n);
	/* "NUMBER ARG0...ARG5 SP PC", "-1 SP PC" outside system calls, or "running". */
	int fields = sscanf(text,
			    "%" SCNd64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
			    " %" SCNx64 " %" SCNx64,
			    &number, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &sp, &pc);
	if (fields == 3) {
		sp = a[0];
		pc = a[1];
		memset(a, 0, sizeof a);
	} else if (fields != 9) {
		return STASIS_E_RUNNING;
	}
	sleeper_fill(is_32bit, number, a, sp, pc, ret);
	return 0;
}
