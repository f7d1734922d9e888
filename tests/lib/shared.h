/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a case and its target programs share, and the targets' side of it. A
 * target includes this file alone (no library is linked to it), is compiled for
 * several ABIs and libcs, and says nothing unless it fails.
 *
 * The environment carries the paths (they are links to descriptors of the case):
 *  STASIS_SHARED   memory with counters
 *  STASIS_PIPE_0   "READ-PATH WRITE-PATH", and so on for _1...
 */
#ifndef STS_SHARED_H
#define STS_SHARED_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Counters both sides see; a test gives each its meaning. Zero at first. */
struct sts_shared {
	_Atomic uint64_t counter[64];
};

/* A step on a pipe: its name, padded with zeros. Small enough for one atomic write. */
struct sts_step {
	char name[32];
};

/* Exit status of a target whose own set-up went wrong (not in any test's vocabulary). */
#define STS_TARGET_BROKEN 119

static inline void sts_target_fail(const char *what)
{
	perror(what);
	_exit(STS_TARGET_BROKEN);
}

/* Map the case's counters; without a case (run by hand) private ones. */
static inline struct sts_shared *sts_target_shared(void)
{
	const char *path = getenv("STASIS_SHARED");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (path != NULL && fd < 0)
		sts_target_fail(path);
	p = mmap(NULL, sizeof(struct sts_shared), PROT_READ | PROT_WRITE,
		 fd >= 0 ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, fd, 0);
	if (p == MAP_FAILED)
		sts_target_fail("mmap");
	if (fd >= 0)
		close(fd);
	return p;
}

/* The target's ends of pipe n. */
struct sts_target_pipe {
	int in, out;
};

static inline struct sts_target_pipe sts_target_pipe(unsigned n)
{
	struct sts_target_pipe p;
	char name[32], in[64], out[64];
	const char *value;

	snprintf(name, sizeof(name), "STASIS_PIPE_%u", n);
	value = getenv(name);
	if (value == NULL || sscanf(value, "%63s %63s", in, out) != 2)
		sts_target_fail(name);
	p.in = open(in, O_RDONLY | O_CLOEXEC);
	p.out = open(out, O_WRONLY | O_CLOEXEC);
	if (p.in < 0 || p.out < 0)
		sts_target_fail(value);
	return p;
}

static inline void sts_target_send(const struct sts_target_pipe *p, const char *name)
{
	struct sts_step s;
	size_t len = strlen(name);

	memset(&s, 0, sizeof(s));
	memcpy(s.name, name, len < sizeof(s.name) ? len : sizeof(s.name) - 1);
	if (write(p->out, &s, sizeof(s)) != sizeof(s))
		sts_target_fail(name);
}

/* Wait for this very step. A case that ended takes the target with it, so there is no bound here. */
static inline void sts_target_await(const struct sts_target_pipe *p, const char *name)
{
	struct sts_step s;
	size_t done = 0;

	while (done < sizeof(s)) {
		ssize_t n = read(p->in, (char *)&s + done, sizeof(s) - done);

		if (n == 0 || (n < 0 && errno != EINTR))
			_exit(STS_TARGET_BROKEN);
		if (n > 0)
			done += (size_t)n;
	}
	if (strncmp(s.name, name, sizeof(s.name)) != 0)
		sts_target_fail(name);
}

#endif
