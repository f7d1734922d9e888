/* SPDX-License-Identifier: BSD-2-Clause */
/* The LWP calls of a program about itself. */
#include <errno.h>
#include <fcntl.h>
#include <lwp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "netbsd/netbsd.h"
#include "util/cleanup.h"

#define NAME_MAX_LEN 15 /* of the kernel */

lwpid_t _lwp_self(void)
{
	return (lwpid_t)syscall(SYS_gettid);
}

void *_lwp_getprivate(void)
{
	void *base;

	__asm__("mov %%fs:0, %0" : "=r"(base));
	return base;
}

int _lwp_kill(lwpid_t lwp, int signal)
{
	return (int)syscall(SYS_tgkill, getpid(), lwp, signal);
}

static int name_open(lwpid_t lwp, int flags)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)(lwp ? lwp : _lwp_self()));
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		errno = ESRCH;
	return fd;
}

int _lwp_setname(lwpid_t lwp, const char *name)
{
	_cleanup_close_ int fd = name_open(lwp, O_WRONLY);

	return fd >= 0 && write(fd, name, strnlen(name, NAME_MAX_LEN)) >= 0 ? 0 : -1;
}

int _lwp_getname(lwpid_t lwp, char *name, size_t size)
{
	char buf[NAME_MAX_LEN + 2];
	_cleanup_close_ int fd = name_open(lwp, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, buf, sizeof buf) : -1;

	if (n < 0)
		return -1;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	if (size > 0)
		snprintf(name, size, "%.*s", (int)n, buf);
	return 0;
}
