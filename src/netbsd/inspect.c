/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking into a stopped tracee: LWPs, memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "netbsd/netbsd.h"
#include "util/cleanup.h"

/* --- LWPs ---------------------------------------------------------------------------- */

int sts_netbsd_lwps(const struct sts_tracee *t, pid_t **ret, size_t *n_ret)
{
	size_t n = 0;
	int r = stasis_lwp_list(sts_netbsd.session, t->pid, NULL, 0, &n);

	if (r < 0)
		return sts_netbsd_errno(r);
	pid_t *tids = calloc(n ? n : 1, sizeof *tids);
	if (!tids)
		return ENOMEM;
	size_t room = n;
	r = stasis_lwp_list(sts_netbsd.session, t->pid, tids, room, &n);
	if (r < 0) {
		free(tids);
		return sts_netbsd_errno(r);
	}
	*ret = tids;
	*n_ret = n < room ? n : room;
	return 0;
}

int sts_netbsd_lwp_arg(const struct sts_tracee *t, int data, lwpid_t *ret)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t n = 0;
	int r = sts_netbsd_lwps(t, &tids, &n);

	if (r != 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (data != 0 && tids[i] != data)
			continue;
		*ret = tids[i];
		return 0;
	}
	return ESRCH;
}

/* The one after this (0: the first); 0 at the end. */
static int next_lwp(const struct sts_tracee *t, lwpid_t after, lwpid_t *ret)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t n = 0, i = 0;
	int r = sts_netbsd_lwps(t, &tids, &n);

	if (r != 0)
		return r;
	while (after != 0 && i < n && tids[i] != after)
		i++;
	if (after != 0 && i == n)
		return ESRCH;
	i += after != 0;
	*ret = i < n ? tids[i] : 0;
	return 0;
}

int sts_netbsd_lwpinfo(struct sts_tracee *t, void *addr, int size)
{
	struct ptrace_lwpinfo *info = addr;
	struct stasis_lwp_info lwp = {0};
	lwpid_t next;

	if (size != sizeof *info)
		return EINVAL;
	int r = next_lwp(t, info->pl_lwpid, &next);
	if (r != 0)
		return r;
	if (next != 0 && (r = stasis_lwp_info_get(sts_netbsd.session, next, &lwp)) < 0)
		return sts_netbsd_errno(r);
	info->pl_lwpid = next;
	info->pl_event = PL_EVENT_NONE;
	if (next != 0 && lwp.suspended)
		info->pl_event = PL_EVENT_SUSPENDED;
	else if (next != 0 && (next == t->info.psi_lwpid || t->info.psi_lwpid == 0) &&
		 t->info.psi_siginfo.si_signo != 0)
		info->pl_event = PL_EVENT_SIGNAL;
	return 0;
}

static sigset_t set_of(uint64_t bits)
{
	sigset_t set;

	sigemptyset(&set);
	for (int signal = 1; signal <= 64; signal++)
		if (bits >> (signal - 1) & 1)
			sigaddset(&set, signal);
	return set;
}

static int lwp_status(lwpid_t lwp, struct ptrace_lwpstatus *ret)
{
	struct stasis_lwp_info info;
	int r = stasis_lwp_info_get(sts_netbsd.session, lwp, &info);

	if (r < 0)
		return sts_netbsd_errno(r);
	*ret = (struct ptrace_lwpstatus){
		.pl_lwpid = lwp,
		.pl_sigpend = set_of(info.pending),
		.pl_sigmask = set_of(info.signal_mask),
		.pl_private = (void *)(uintptr_t)info.tls_base,
	};
	memcpy(ret->pl_name, info.name, sizeof info.name);
	return 0;
}

/* Programs may give less room than the structure has: what fits is filled in. */
int sts_netbsd_lwpstatus(struct sts_tracee *t, int request, void *addr, int size)
{
	struct ptrace_lwpstatus status = {0};
	lwpid_t lwp;
	int r;

	if (size < (int)sizeof status.pl_lwpid || size > (int)sizeof status)
		return EINVAL;
	memcpy(&lwp, addr, sizeof lwp);
	if (request == PT_LWPNEXT)
		r = next_lwp(t, lwp, &lwp);
	else
		r = sts_netbsd_lwp_arg(t, lwp, &lwp);
	if (r == 0 && lwp != 0)
		r = lwp_status(lwp, &status);
	if (r == 0)
		memcpy(addr, &status, (size_t)size);
	return r;
}

/* --- memory ------------------------------------------------------------------------------- */

static int holds(void *arg, const struct stasis_map *map)
{
	uint64_t at = *(uint64_t *)arg;

	return at >= map->start && at < map->end;
}

/* Memory that is mapped has nothing to move if it lies beyond the end of its file: EINVAL on NetBSD. */
static int why_no_memory(struct sts_tracee *t, uint64_t at)
{
	return stasis_maps_each(sts_netbsd.session, t->pid, holds, &at) == 1 ? EINVAL : EFAULT;
}

static int move(struct sts_tracee *t, bool write, uint64_t at, void *buf, size_t len, size_t *done)
{
	int r = write ? stasis_memory_write(sts_netbsd.session, t->pid, at, buf, len, done)
		      : stasis_memory_read(sts_netbsd.session, t->pid, at, buf, len, done);

	r = sts_netbsd_errno(r);
	return r == EFAULT || r == EIO ? why_no_memory(t, at) : r;
}

int sts_netbsd_word(struct sts_tracee *t, int request, void *addr, int *word)
{
	size_t done;
	bool write = request == PT_WRITE_I || request == PT_WRITE_D;

	return move(t, write, (uintptr_t)addr, word, sizeof *word, &done);
}

static int read_auxv(struct sts_tracee *t, struct ptrace_io_desc *io)
{
	char auxv[4096];
	size_t len;
	size_t from = (uintptr_t)io->piod_offs;
	int r = stasis_auxv_read(sts_netbsd.session, t->pid, auxv, sizeof auxv, &len);

	if (r < 0)
		return sts_netbsd_errno(r);
	len = len < sizeof auxv ? len : sizeof auxv;
	if (from > len)
		return EIO;
	if (io->piod_len > len - from)
		io->piod_len = len - from;
	memcpy(io->piod_addr, auxv + from, io->piod_len);
	return 0;
}

int sts_netbsd_io(struct sts_tracee *t, struct ptrace_io_desc *io)
{
	size_t done;

	if (io->piod_len < 1)
		return EINVAL;
	if (io->piod_op == PIOD_READ_AUXV)
		return read_auxv(t, io);
	if (io->piod_op < PIOD_READ_D || io->piod_op > PIOD_WRITE_I)
		return EINVAL;
	bool write = io->piod_op == PIOD_WRITE_D || io->piod_op == PIOD_WRITE_I;
	int r = move(t, write, (uintptr_t)io->piod_offs, io->piod_addr, io->piod_len, &done);
	if (r == 0)
		io->piod_len = done;
	return r;
}
