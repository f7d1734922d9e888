/* SPDX-License-Identifier: BSD-2-Clause */
/* The file: sparse writes, and no signal for the caller when it grows beyond a limit. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "corefile/corefile.h"

/* A file beyond RLIMIT_FSIZE raises SIGXFSZ, whose default is to kill the program; an error is enough. */
static void signal_hold(struct sts_core_out *out)
{
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	sigemptyset(&pending);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &set, &out->saved_mask);
	out->signal_ours = !sigismember(&pending, SIGXFSZ);
}

static void signal_release(struct sts_core_out *out)
{
	const struct timespec now = {0};
	int saved = errno;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	if (out->signal_ours)
		while (sigtimedwait(&set, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &out->saved_mask, NULL);
	errno = saved;
}

int sts_core_out_begin(struct sts_core_out *out, int fd, uint64_t size)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	/* Linux appends there, whatever the offset. */
	if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_APPEND))
		return -EBADF;
	if (lseek(fd, 0, SEEK_CUR) < 0)
		return -errno;
	if (size > INT64_MAX)
		return -EFBIG;
	*out = (struct sts_core_out){.fd = fd};
	signal_hold(out);
	/* The whole size at once: a limit shows before the work is done. */
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)size) < 0)
		return sts_core_out_end(out, -errno);
	return 0;
}

int sts_core_out_end(struct sts_core_out *out, int result)
{
	/* What is cut short must not pass for a core. */
	if (result < 0)
		(void)!ftruncate(out->fd, 0);
	signal_release(out);
	return result;
}

int sts_core_out_write(struct sts_core_out *out, const void *buf, size_t len, uint64_t at)
{
	const char *from = buf;

	while (len) {
		ssize_t n = pwrite(out->fd, from, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		at += n;
		len -= n;
	}
	return 0;
}

static bool is_zero(const char *page, size_t len)
{
	static const char zero[sizeof(uint64_t)];

	if (len <= sizeof zero)
		return memcmp(page, zero, len) == 0;
	/* Begins with zeros, and equals itself shifted by as many. */
	return memcmp(page, zero, sizeof zero) == 0 && memcmp(page, page + sizeof zero, len - sizeof zero) == 0;
}

/* Bytes from `buf` on, whole pages, that are all (or all not) zero pages. */
static size_t stretch(const char *buf, size_t len, bool zero)
{
	size_t at = 0;

	while (at < len) {
		size_t page = len - at < STS_CORE_PAGE ? len - at : STS_CORE_PAGE;

		if (is_zero(buf + at, page) != zero)
			break;
		at += page;
	}
	return at;
}

int sts_core_out_write_sparse(struct sts_core_out *out, const void *buf, size_t len, uint64_t at)
{
	const char *from = buf;

	for (size_t done = 0; done < len;) {
		done += stretch(from + done, len - done, true);
		size_t full = stretch(from + done, len - done, false);
		int r = sts_core_out_write(out, from + done, full, at + done);

		if (r < 0)
			return r;
		done += full;
	}
	return 0;
}
