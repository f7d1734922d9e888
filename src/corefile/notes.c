/* SPDX-License-Identifier: BSD-2-Clause */
/* The notes, in the kernel's order: first thread's status, process, first thread's registers, other threads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "corefile/corefile.h"
#include "util/cleanup.h"

/* --- bytes ------------------------------------------------------------------------ */

void *sts_core_buf_add(struct sts_core_buf *buf, size_t size)
{
	if (buf->failed)
		return NULL;
	if (buf->cap - buf->len < size) {
		size_t cap = 2 * buf->cap + size + 4096;
		char *data = realloc(buf->data, cap);

		if (!data) {
			buf->failed = true;
			return NULL;
		}
		buf->data = data;
		buf->cap = cap;
	}
	void *at = buf->data + buf->len;
	buf->len += size;
	return memset(at, 0, size);
}

static size_t padded(size_t size)
{
	return (size + 3) / 4 * 4;
}

void *sts_core_note_add(struct sts_core_buf *buf, const char *name, uint32_t type, const void *desc, size_t size)
{
	size_t name_size = strlen(name) + 1;
	Elf64_Nhdr header = {.n_namesz = name_size, .n_descsz = size, .n_type = type};
	char *at = sts_core_buf_add(buf, sizeof header + padded(name_size) + padded(size));

	if (!at)
		return NULL;
	memcpy(at, &header, sizeof header);
	memcpy(at + sizeof header, name, name_size);
	at += sizeof header + padded(name_size);
	if (desc)
		memcpy(at, desc, size);
	return at;
}

/* --- of the process ------------------------------------------------------------------ */

struct builder {
	struct stasis_session *session;
	pid_t pid;
	const struct sts_core_abi *abi;
	struct sts_core_buf *notes;
	uint8_t xsave_header[512]; /* of the last thread that had one */
	bool has_xsave;
};

static int prpsinfo_add(const struct builder *b, pid_t tid)
{
	struct sts_core_process p = {.pid = b->pid};
	int r = sts_core_stat_read(b->pid, 0, &p.stat);

	if (r == 0)
		r = sts_core_owner_read(b->pid, &p.uid, &p.gid);
	if (r < 0)
		return r;
	sts_core_arguments_read(tid, p.arguments, sizeof p.arguments);
	b->abi->prpsinfo_add(b->notes, &p);
	return 0;
}

/* Up to and with the end mark; /proc can have more. */
static size_t auxv_size(const char *auxv, size_t len, unsigned word)
{
	static const char null[8];
	size_t at = 0;

	for (; len - at >= 2 * word; at += 2 * word)
		if (memcmp(auxv + at, null, word) == 0)
			return at + 2 * word;
	return at;
}

static int auxv_add(const struct builder *b)
{
	char auxv[4096];
	size_t len;
	int r = stasis_auxv_read(b->session, b->pid, auxv, sizeof auxv, &len);

	if (r < 0)
		return r;
	len = auxv_size(auxv, len < sizeof auxv ? len : sizeof auxv, b->abi->word);
	sts_core_note_add(b->notes, "CORE", NT_AUXV, auxv, len);
	return 0;
}

static char *word_put(char *at, unsigned size, uint64_t value)
{
	uint32_t half = value;

	memcpy(at, size == 4 ? (void *)&half : (void *)&value, size);
	return at + size;
}

/* Count, page size; start, end and offset in pages of each mapped file; the names. */
static void file_add(const struct builder *b, const struct sts_core_vmas *vmas)
{
	const unsigned word = b->abi->word;
	size_t n = 0, names = 0;

	for (size_t i = 0; i < vmas->n; i++) {
		if (!vmas->list[i].has_file)
			continue;
		n++;
		names += strlen(vmas->list[i].path) + 1;
	}
	char *at = sts_core_note_add(b->notes, "CORE", NT_FILE, NULL, (2 + 3 * n) * word + names);
	if (!at)
		return;
	char *name = at + (2 + 3 * n) * word;
	at = word_put(word_put(at, word, n), word, STS_CORE_PAGE);
	for (size_t i = 0; i < vmas->n; i++) {
		const struct sts_core_vma *vma = &vmas->list[i];

		if (!vma->has_file)
			continue;
		at = word_put(word_put(at, word, vma->start), word, vma->end);
		at = word_put(at, word, vma->offset / STS_CORE_PAGE);
		name = stpcpy(name, vma->path) + 1;
	}
}

/* --- of threads ------------------------------------------------------------------------- */

static int xstate_read(const struct builder *b, struct sts_core_thread *t)
{
	uint8_t nothing;
	size_t size;
	int r = stasis_regs_get(b->session, t->tid, STASIS_REGSET_XSTATE, &nothing, 0, &size);

	if (r == STASIS_E_UNSUPPORTED)
		return 0;
	if (r < 0)
		return r;
	t->xstate = malloc(size);
	if (!t->xstate)
		return -ENOMEM;
	t->xstate_size = size;
	return stasis_regs_get(b->session, t->tid, STASIS_REGSET_XSTATE, t->xstate, size, NULL);
}

static int registers_read(const struct builder *b, struct sts_core_thread *t)
{
	int r = stasis_regs_get(b->session, t->tid, STASIS_REGSET_GENERAL, &t->regs, sizeof t->regs, NULL);

	/* At rest inside the kernel, where ptrace does not reach. */
	if (r == STASIS_E_RUNNING)
		return sts_core_sleeper_read(b->pid, t->tid, b->abi->elf_class == ELFCLASS32, &t->regs);
	if (r == 0)
		r = stasis_regs_get(b->session, t->tid, STASIS_REGSET_FP, t->fp, sizeof t->fp, NULL);
	if (r < 0)
		return r;
	t->has_fp = true;
	return xstate_read(b, t);
}

static int thread_read(const struct builder *b, struct sts_core_thread *t)
{
	struct stasis_lwp_info info;
	/* The kernel gives the leader the times of the whole process. */
	int r = sts_core_stat_read(b->pid, t->tid == b->pid ? 0 : t->tid, &t->stat);

	if (r == 0)
		r = stasis_lwp_info_get(b->session, t->tid, &info);
	if (r < 0)
		return r;
	t->signal_mask = info.signal_mask;
	t->pending = info.pending;
	if (stasis_siginfo_get(b->session, t->tid, &t->siginfo) < 0)
		t->siginfo.si_signo = 0;
	return registers_read(b, t);
}

static void thread_registers_add(struct builder *b, const struct sts_core_thread *t)
{
	if (t->has_fp)
		b->abi->fp_add(b->notes, t);
	if (!t->xstate_size)
		return;
	sts_core_note_add(b->notes, "LINUX", NT_X86_XSTATE, t->xstate, t->xstate_size);
	b->has_xsave = t->xstate_size >= sizeof b->xsave_header;
	if (b->has_xsave)
		memcpy(b->xsave_header, t->xstate, sizeof b->xsave_header);
}

static int process_add(const struct builder *b, const struct sts_core_thread *first, const struct sts_core_vmas *vmas)
{
	int r = prpsinfo_add(b, first->tid);

	if (r < 0)
		return r;
	b->abi->siginfo_add(b->notes, &first->siginfo);
	r = auxv_add(b);
	if (r == 0)
		file_add(b, vmas);
	return r;
}

/* `vmas` with the first thread only: what is of the process goes between its status and its registers. */
static int thread_add(struct builder *b, pid_t tid, const struct sts_core_vmas *vmas)
{
	struct sts_core_thread t = {.tid = tid};
	int r = thread_read(b, &t);

	if (r == 0)
		b->abi->prstatus_add(b->notes, &t);
	if (r == 0 && vmas)
		r = process_add(b, &t, vmas);
	if (r == 0)
		thread_registers_add(b, &t);
	free(t.xstate);
	return r;
}

int sts_core_notes_build(struct stasis_session *session, pid_t pid, const pid_t *tids, size_t n_tids,
			 const struct sts_core_abi *abi, const struct sts_core_vmas *vmas, struct sts_core_buf *notes)
{
	struct builder b = {.session = session, .pid = pid, .abi = abi, .notes = notes};

	for (size_t i = 0; i < n_tids; i++) {
		int r = thread_add(&b, tids[i], i == 0 ? vmas : NULL);

		if (r < 0)
			return r;
	}
	if (b.has_xsave)
		sts_core_xsave_layout_add(notes, b.xsave_header, sizeof b.xsave_header);
	return notes->failed ? -ENOMEM : 0;
}
