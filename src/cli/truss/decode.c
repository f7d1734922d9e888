/* SPDX-License-Identifier: BSD-2-Clause */
/* What the decoder asks of a tracee: its memory, where its io_urings are mapped; descriptors.c tells the rest. */
#include "cli/truss/truss.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct truss_ring {
	pid_t pid;
	int fd;
	struct stasis_decode_uring where;
	struct truss_ring *next;
};

static ssize_t read_tracee(void *arg, uint64_t addr, void *buf, size_t len)
{
	const struct truss_source *source = arg;
	size_t done;

	if (source->own) {
		struct iovec here = {buf, len}, there = {(void *)(uintptr_t)addr, len};

		return process_vm_readv(getpid(), &here, 1, &there, 1, 0);
	}
	int error = stasis_memory_read(source->session, source->pid, addr, buf, len, &done);

	return error < 0 ? -1 : (ssize_t)done;
}

/* --- io_urings ------------------------------------------------------------------------- */

static struct truss_ring *find_ring(const struct truss_source *source, int fd)
{
	struct truss_ring *ring = *source->rings;

	while (ring && (ring->pid != source->pid || ring->fd != fd))
		ring = ring->next;
	return ring;
}

static int find_uring(void *arg, int fd, struct stasis_decode_uring *ret)
{
	const struct truss_ring *ring = find_ring(arg, fd);

	if (!ring)
		return -ENOENT;
	*ret = ring->where;
	return 0;
}

static struct truss_ring *add_ring(const struct truss_source *source, int fd)
{
	struct truss_ring *ring = calloc(1, sizeof *ring);

	if (!ring)
		return NULL;
	ring->pid = source->pid;
	ring->fd = fd;
	ring->next = *source->rings;
	*source->rings = ring;
	return ring;
}

void truss_rings_track(struct truss_source *source, const struct stasis_event_syscall *call)
{
	struct stasis_decode d = {.size = sizeof d, .read = read_tracee, .arg = source};
	int fd;

	if (stasis_decode_uring_track(&d, call, NULL, &fd) == 0)
		return;
	struct truss_ring *ring = find_ring(source, fd);
	if (!ring && strcmp(stasis_syscall_name(call->abi, call->number), "io_uring_setup") == 0)
		ring = add_ring(source, fd);
	if (ring)
		stasis_decode_uring_track(&d, call, &ring->where, &fd);
}

void truss_rings_forget(struct truss_ring **rings, pid_t pid)
{
	while (*rings) {
		struct truss_ring *ring = *rings;

		if (pid != 0 && ring->pid != pid) {
			rings = &ring->next;
			continue;
		}
		*rings = ring->next;
		free(ring);
	}
}

void truss_decoder_set(struct stasis_decode *d, struct truss_source *source, const struct truss_options *options)
{
	d->size = sizeof *d;
	d->read = read_tracee;
	source->fd_kinds = options->fd_kinds;
	d->fd_text = options->fd_kinds ? truss_fd_text : NULL;
	d->uring = find_uring;
	d->arg = source;
	d->string_limit = options->string_limit;
	d->flags = options->decode_flags;
}

struct stasis_decode *truss_decoder(struct truss_source *source, struct truss_call *call,
				    const struct truss_options *options)
{
	truss_decoder_set(&call->decode, source, options);
	return &call->decode;
}
