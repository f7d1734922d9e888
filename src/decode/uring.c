/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io_uring: what an io_uring_enter(2) submits lies in memory the program shares
 * with the kernel. The rings are found by what io_uring_setup(2) and mmap(2)
 * said before; where the caller does not know that, or the kernel takes
 * entries by itself, this is said.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include "decode/show.h"

#define SETUP_SQE128 (1u << 10)
#define SETUP_NO_SQARRAY (1u << 16)
#define SHOWN_LIMIT 64

static const struct sts_struct *entry_struct(void)
{
	return &struct_io_uring_sqe;
}

static bool entry_address(const struct sts_walk *w, const struct stasis_decode_uring *u, uint32_t at, uint64_t *ret)
{
	uint64_t mask, index;

	if (!sts_read_uint(w, u->sq_ring + u->mask, 4, &mask))
		return false;
	index = at & mask;
	if (!(u->setup_flags & SETUP_NO_SQARRAY) && !sts_read_uint(w, u->sq_ring + u->array + 4 * index, 4, &index))
		return false;
	*ret = u->sqes + (index & mask) * u->sqe_size;
	return true;
}

static void put_entries(struct sts_walk *w, const struct stasis_decode_uring *u, uint32_t n)
{
	uint64_t tail, head, addr;

	/* The kernel's head is at the ring's beginning; entries from it to the tail wait. */
	if (!sts_read_uint(w, u->sq_ring + u->tail, 4, &tail) || !sts_read_uint(w, u->sq_ring + u->head, 4, &head)) {
		sts_put_symbol(w, NULL, 0, "the ring cannot be read");
		return;
	}
	if (n > (uint32_t)(tail - head))
		n = (uint32_t)(tail - head);
	sts_begin(w, STASIS_DECODE_ARRAY, "submissions");
	for (uint32_t i = 0; i < n; i++) {
		if (i >= SHOWN_LIMIT || i >= sts_limit(w) || !entry_address(w, u, (uint32_t)head + i, &addr)) {
			sts_put_more(w);
			break;
		}
		sts_show_struct_at(w, NULL, entry_struct(), addr, SIZE_MAX);
	}
	sts_end(w);
}

/* A number, and what is submitted. Shown at entry: later the kernel has taken the entries. */
void sts_show_uring_submit(struct sts_walk *w, const struct sts_value *v)
{
	struct stasis_decode_uring u = {0};
	uint32_t n = (uint32_t)v->value;
	bool known = w->d->uring && w->d->uring(w->d->arg, (int)w->values[0], &u) >= 0 && u.sq_ring && u.sqes;

	sts_put_number(w, STASIS_DECODE_UNSIGNED, v->name, n);
	if (w->leaving || (n == 0 && !(known && u.setup_flags & IORING_SETUP_SQPOLL)))
		return;
	sts_begin(w, STASIS_DECODE_COMMENT, "submits");
	if (!known)
		sts_put_symbol(w, NULL, 0, "where the ring is mapped was not seen");
	else if (u.setup_flags & IORING_SETUP_SQPOLL)
		sts_put_symbol(w, NULL, 0, "the kernel polls this ring: what it takes cannot be seen");
	else
		put_entries(w, &u, n);
	sts_end(w);
}

/* With IORING_ENTER_EXT_ARG it is a structure of its own. */
void sts_show_uring_sig(struct sts_walk *w, const struct sts_value *v)
{
	if (sts_reference(w) & IORING_ENTER_EXT_ARG)
		sts_put_address(w, v->name, v->value);
	else
		sts_show_sigset(w, v);
}

void sts_show_uring_register(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t opcode = (uint32_t)sts_reference(w);

	if (opcode == IORING_REGISTER_BUFFERS && v->value) {
		sts_show_vector_at(w, v->name, v->value, (uint32_t)w->values[3], true, 0);
	} else if (opcode == IORING_REGISTER_EVENTFD || opcode == IORING_REGISTER_EVENTFD_ASYNC) {
		sts_show_boxed(w, v->name, v->value, 4, STASIS_DECODE_SIGNED);
	} else {
		sts_put_address(w, v->name, v->value);
	}
}

/* --- tracking --------------------------------------------------------------------------------- */

static int track_setup(struct stasis_decode *d, const struct stasis_event_syscall *call,
		       struct stasis_decode_uring *uring, int *fd_ret)
{
	struct io_uring_params p;

	*fd_ret = (int)call->result;
	if (!uring)
		return 1;
	*uring = (struct stasis_decode_uring){0};
	if (!d->read || d->read(d->arg, call->args[1], &p, sizeof p) != sizeof p)
		return 1;
	uring->setup_flags = p.flags;
	uring->head = p.sq_off.head;
	uring->tail = p.sq_off.tail;
	uring->mask = p.sq_off.ring_mask;
	uring->array = p.sq_off.array;
	uring->sqe_size = p.flags & SETUP_SQE128 ? 128 : 64;
	return 1;
}

static int track_mapping(const struct stasis_event_syscall *call, struct stasis_decode_uring *uring, uint64_t offset,
			 int *fd_ret)
{
	*fd_ret = (int)call->args[4];
	if (offset != IORING_OFF_SQ_RING && offset != IORING_OFF_SQES)
		return 0;
	if (uring && uring->sqe_size == 0)
		return 0;
	if (uring && offset == IORING_OFF_SQ_RING)
		uring->sq_ring = (uint64_t)call->result;
	else if (uring)
		uring->sqes = (uint64_t)call->result;
	return 1;
}

int stasis_decode_uring_track(struct stasis_decode *d, const struct stasis_event_syscall *call,
			      struct stasis_decode_uring *uring, int *fd_ret)
{
	const struct sts_call *format = sts_call_find(call->abi, call->number);

	if (!format || call->is_error)
		return 0;
	if (strcmp(format->name, "io_uring_setup") == 0)
		return track_setup(d, call, uring, fd_ret);
	if (strcmp(format->name, "mmap2") == 0)
		return track_mapping(call, uring, (uint64_t)(uint32_t)call->args[5] << 12, fd_ret);
	if (strcmp(format->name, "mmap") == 0 && call->abi != STASIS_ABI_I386)
		return track_mapping(call, uring, call->args[5], fd_ret);
	return 0;
}
