/* SPDX-License-Identifier: BSD-2-Clause */
/* stasis_core_write(): everything but the memory is gathered first, so that its size is known. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <stasis/core.h>
#include "control/model.h"
#include "corefile/corefile.h"

struct dump {
	struct stasis_session *session;
	pid_t pid;
	const struct sts_core_abi *abi;
	pid_t *tids;
	size_t n_tids;
	struct sts_core_vmas vmas;
	struct sts_core_buf notes, headers, section;
	struct sts_core_layout layout;
};

static void dump_fini(struct dump *d)
{
	free(d->tids);
	sts_core_vmas_fini(&d->vmas);
	free(d->notes.data);
	free(d->headers.data);
	free(d->section.data);
}

/* --- on the tracing task ---------------------------------------------------------- */

static int check_stopped(struct stasis_session *s, void *arg)
{
	struct sts_process *p;

	return sts_process_stopped(s, *(pid_t *)arg, &p);
}

struct failure {
	pid_t pid, tid;
	int error;
	const char *cause, *remedy;
};

static int note_failure(struct stasis_session *s, void *arg)
{
	const struct failure *f = arg;

	return sts_fail(s, f->error, "write core", f->pid, f->tid, 0, f->cause, f->remedy);
}

static int fail(const struct dump *d, pid_t tid, int error, const char *cause, const char *remedy)
{
	struct failure f = {d->pid, tid, error, cause, remedy};

	return sts_gate_call(d->session, note_failure, &f);
}

/* --- gathering ------------------------------------------------------------------------ */

static int list_lwps(struct dump *d)
{
	size_t n = 64, cap;

	/* The tracee is stopped: the second look finds as many as the first, or fewer. */
	do {
		free(d->tids);
		cap = n;
		d->tids = calloc(cap, sizeof *d->tids);
		if (!d->tids)
			return -ENOMEM;
		int r = stasis_lwp_list(d->session, d->pid, d->tids, cap, &n);
		if (r < 0)
			return r;
	} while (n > cap);
	d->n_tids = n;
	return n ? 0 : STASIS_E_GONE;
}

/* The others keep their order. */
static int put_first(struct dump *d, pid_t tid)
{
	size_t i = 0;

	if (tid == 0)
		return 0;
	while (i < d->n_tids && d->tids[i] != tid)
		i++;
	if (i == d->n_tids)
		return fail(d, tid, STASIS_E_BAD_LWP, "the tracee has no such LWP", "");
	memmove(d->tids + 1, d->tids, i * sizeof *d->tids);
	d->tids[0] = tid;
	return 0;
}

static int find_abi(struct dump *d)
{
	struct stasis_process_info info;
	int r = stasis_process_info_get(d->session, d->pid, &info);

	if (r < 0)
		return r;
	d->abi = sts_core_abi_find(info.abi);
	if (!d->abi)
		return fail(d, 0, STASIS_E_UNSUPPORTED, "no core format is known for the tracee's ABI", "");
	return 0;
}

static int gather(struct dump *d, pid_t tid)
{
	int r = find_abi(d);

	if (r == 0)
		r = list_lwps(d);
	if (r == 0)
		r = put_first(d, tid);
	if (r == 0)
		r = sts_core_vmas_read(d->session, d->pid, d->tids[0], &d->vmas);
	if (r == 0)
		r = sts_core_vmas_choose(d->session, d->pid, d->tids[0], &d->vmas);
	if (r == 0)
		r = sts_core_notes_build(d->session, d->pid, d->tids, d->n_tids, d->abi, &d->vmas, &d->notes);
	if (r == 0)
		r = sts_core_layout_plan(d->abi, &d->vmas, d->notes.len, &d->layout);
	if (r == 0)
		r = sts_core_headers_build(d->abi, &d->vmas, d->notes.len, &d->layout, &d->headers);
	if (r == 0 && d->layout.sections_at)
		r = sts_core_section_build(d->abi, &d->vmas, &d->section);
	return r;
}

/* --- writing ---------------------------------------------------------------------------- */

static int write_parts(const struct dump *d, struct sts_core_out *out)
{
	int r = sts_core_out_write(out, d->headers.data, d->headers.len, 0);

	if (r == 0)
		r = sts_core_out_write(out, d->notes.data, d->notes.len, d->layout.notes_at);
	if (r == 0)
		r = sts_core_memory_write(d->session, d->pid, d->tids[0], &d->vmas, out);
	if (r == 0)
		r = sts_core_out_write(out, d->section.data, d->section.len, d->layout.sections_at);
	return r;
}

static int write_file(const struct dump *d, int fd)
{
	struct sts_core_out out;
	int r = sts_core_out_begin(&out, fd, d->layout.size);

	if (r < 0)
		return r;
	return sts_core_out_end(&out, write_parts(d, &out));
}

int stasis_core_write(struct stasis_session *session, pid_t pid, pid_t tid, int fd)
{
	struct dump d = {.session = session, .pid = pid};
	int r = sts_gate_call(session, check_stopped, &pid);

	if (r < 0)
		return r;
	r = gather(&d, tid);
	if (r == 0)
		r = write_file(&d, fd);
	/* It was traced a moment ago: killed since. */
	if (r == STASIS_E_NOT_TRACED)
		r = STASIS_E_GONE;
	/* Codes of the library's own come with their record. */
	if (r < 0 && r >= -4095)
		r = fail(&d, tid, r, stasis_strerror(r),
			 r == -ENOSPC || r == -EFBIG ? "make room or narrow /proc/PID/coredump_filter" : "");
	dump_fini(&d);
	return r;
}
