/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tracee memory. process_vm_readv(2) needs no descriptor but respects page
 * protections; /proc/PID/mem ignores them. Reads try the first and fall back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>
#include "os/os.h"
#include "util/cleanup.h"

#define PAGE 4096

static int open_memory(pid_t pid, int flags)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? (errno == ENOENT ? -ESRCH : -errno) : fd;
}

/* Page by page at the end, so that a transfer is short exactly where memory ends. */
static ssize_t transfer(int fd, uint64_t addr, char *buf, size_t len, bool write)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write ? pwrite(fd, buf + done, len - done, (off_t)(addr + done))
				  : pread(fd, buf + done, len - done, (off_t)(addr + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return done ? (ssize_t)done : n == 0 ? -ESRCH : errno == EIO ? -EFAULT : -errno;
		done += n;
	}
	return done;
}

static ssize_t through_file(pid_t pid, uint64_t addr, char *buf, size_t len, bool write)
{
	_cleanup_close_ int fd = open_memory(pid, write ? O_RDWR : O_RDONLY);

	if (fd < 0)
		return fd;
	if (addr > INT64_MAX)
		return -EFAULT; /* no file offset; nothing of a tracee's lies there */
	return transfer(fd, addr, buf, len, write);
}

static int whole(ssize_t n, size_t len)
{
	return n == (ssize_t)len ? 0 : n < 0 && errno == ESRCH ? -ESRCH : -EFAULT;
}

int sts_os_memory_load(pid_t pid, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = {buf, len}, remote = {(void *)(uintptr_t)addr, len};

	return whole(process_vm_readv(pid, &local, 1, &remote, 1, 0), len);
}

int sts_os_memory_store(pid_t pid, uint64_t addr, const void *buf, size_t len)
{
	struct iovec local = {(void *)(uintptr_t)buf, len}, remote = {(void *)(uintptr_t)addr, len};

	return whole(process_vm_writev(pid, &local, 1, &remote, 1, 0), len);
}

ssize_t sts_os_memory_read(pid_t pid, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = {buf, len}, remote = {(void *)(uintptr_t)addr, len};

	if (len == 0)
		return 0;
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	if (n == (ssize_t)len)
		return n;
	if (n < 0 && errno == ESRCH)
		return -ESRCH;
	if (n < 0)
		n = 0;
	ssize_t more = through_file(pid, addr + n, (char *)buf + n, len - n, false);
	return more > 0 ? n + more : n ? n : more;
}

ssize_t sts_os_memory_write(pid_t pid, uint64_t addr, const void *buf, size_t len)
{
	struct iovec local = {(void *)(uintptr_t)buf, len}, remote = {(void *)(uintptr_t)addr, len};

	if (len == 0)
		return 0;
	/* Short stacks and data go the cheap way; text needs the file. */
	ssize_t n = process_vm_writev(pid, &local, 1, &remote, 1, 0);
	if (n == (ssize_t)len)
		return n;
	if (n < 0 && errno == ESRCH)
		return -ESRCH;
	if (n < 0)
		n = 0;
	ssize_t more = through_file(pid, addr + n, (char *)(uintptr_t)buf + n, len - n, true);
	return more > 0 ? n + more : n ? n : more;
}
