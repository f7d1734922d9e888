/* SPDX-License-Identifier: BSD-2-Clause */
/* Scope guards for local resources. */
#ifndef STS_CLEANUP_H
#define STS_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void sts_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void sts_cleanup_close(const int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}

/* free() at the end of the scope. */
#define _cleanup_free_ __attribute__((cleanup(sts_cleanup_free)))
/* close() at the end of the scope if not negative; errno is kept. */
#define _cleanup_close_ __attribute__((cleanup(sts_cleanup_close)))

#endif
