/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Core files: Linux's, as the session writes them; if the program or the user
 * wants that, with NetBSD's notes added in a segment of their own. The notes and
 * a new table of segments stand at the end of the file, so that nothing in it
 * moves. Not always, because Linux's debuggers take such a file for NetBSD's.
 */
#define STASIS_NETBSD_BUILD /* this library's own use of <sys/exec_elf.h> asks for no notes */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/exec_elf.h>
#include <sys/sysctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include "netbsd/netbsd.h"
#include "util/cleanup.h"

/* --- notes -------------------------------------------------------------------------- */

struct notes {
	char *data;
	size_t len;
	int error; /* errno */
};

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

static void note_add(struct notes *n, const char *name, uint32_t type, const void *desc, size_t size)
{
	const Elf64_Nhdr header = {.n_namesz = strlen(name) + 1, .n_descsz = size, .n_type = type};
	size_t room = n->len + sizeof header + padded(header.n_namesz) + padded(size);
	char *data = realloc(n->data, room);

	if (!data) {
		n->error = ENOMEM;
		return;
	}
	char *at = data + n->len;
	memset(at, 0, room - n->len);
	memcpy(at, &header, sizeof header);
	at += sizeof header;
	memcpy(at, name, header.n_namesz);
	memcpy(at + padded(header.n_namesz), desc, size);
	n->data = data;
	n->len = room;
}

static void note_process(struct notes *n, const struct sts_tracee *t)
{
	struct netbsd_elfcore_procinfo info = {.cpi_version = NETBSD_ELFCORE_PROCINFO_VERSION,
					       .cpi_cpisize = sizeof info};
	struct kinfo_proc2 p;

	n->error = sts_netbsd_process(t->pid, &p);
	if (n->error != 0)
		return;
	info.cpi_signo = t->info.psi_siginfo.si_signo;
	info.cpi_sigcode = t->info.psi_siginfo.si_code;
	info.cpi_siglwp = t->info.psi_lwpid;
	memcpy(info.cpi_sigpend, &p.p_siglist, sizeof info.cpi_sigpend);
	memcpy(info.cpi_sigmask, &p.p_sigmask, sizeof info.cpi_sigmask);
	memcpy(info.cpi_sigignore, &p.p_sigignore, sizeof info.cpi_sigignore);
	memcpy(info.cpi_sigcatch, &p.p_sigcatch, sizeof info.cpi_sigcatch);
	info.cpi_pid = p.p_pid;
	info.cpi_ppid = p.p_ppid;
	info.cpi_pgrp = p.p__pgid;
	info.cpi_sid = p.p_sid;
	info.cpi_ruid = p.p_ruid;
	info.cpi_euid = p.p_uid;
	info.cpi_svuid = p.p_svuid;
	info.cpi_rgid = p.p_rgid;
	info.cpi_egid = p.p_gid;
	info.cpi_svgid = p.p_svgid;
	info.cpi_nlwps = p.p_nlwps;
	memcpy(info.cpi_name, p.p_comm, sizeof p.p_comm);
	note_add(n, ELF_NOTE_NETBSD_CORE_NAME, ELF_NOTE_NETBSD_CORE_PROCINFO, &info, sizeof info);
}

static void note_lwp(struct notes *n, struct sts_tracee *t, lwpid_t lwp)
{
	struct reg regs;
	struct fpreg fp;
	struct xstate xs;
	struct iovec iov = {.iov_base = &xs, .iov_len = sizeof xs};
	const struct {
		int request;
		void *to;
		const void *data;
		size_t size;
	} sets[] = {
		{PT_GETREGS, &regs, &regs, sizeof regs},
		{PT_GETFPREGS, &fp, &fp, sizeof fp},
		{PT_GETXSTATE, &iov, &xs, sizeof xs},
	};
	char name[64];

	snprintf(name, sizeof name, ELF_NOTE_NETBSD_CORE_NAME "@%d", (int)lwp);
	for (size_t i = 0; i < sizeof sets / sizeof *sets && n->error == 0; i++)
		if (sts_netbsd_regs(t, sets[i].request, sets[i].to, lwp) == 0)
			note_add(n, name, (uint32_t)sets[i].request, sets[i].data, sets[i].size);
}

/* The process, then the LWP that reported, then all others. */
static int notes_make(struct notes *n, struct sts_tracee *t)
{
	_cleanup_free_ pid_t *lwps = NULL;
	size_t count = 0;

	n->error = sts_netbsd_lwps(t, &lwps, &count);
	if (n->error == 0)
		note_process(n, t);
	for (int others = 0; others < 2; others++)
		for (size_t i = 0; i < count && n->error == 0; i++)
			if ((lwps[i] != t->lwp) == others)
				note_lwp(n, t, lwps[i]);
	return n->error;
}

/* --- the file ------------------------------------------------------------------------ */

static int put(int fd, const void *data, size_t len, off_t at)
{
	const char *from = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, from, len, at);

		if (n < 0)
			return errno;
		from += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Not to a file of 32-bit layout, nor to one whose segments e_phnum could not count. */
static bool takes_notes(int fd, Elf64_Ehdr *header)
{
	return pread(fd, header, sizeof *header, 0) == sizeof *header && header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_phnum < PN_XNUM - 1;
}

static int notes_write(int fd, Elf64_Ehdr *header, const struct notes *n)
{
	size_t table = header->e_phnum * sizeof(Elf64_Phdr);
	_cleanup_free_ Elf64_Phdr *segments = calloc(header->e_phnum + 1, sizeof *segments);
	off_t end = lseek(fd, 0, SEEK_END);

	if (!segments)
		return ENOMEM;
	if (end < 0)
		return errno;
	if (pread(fd, segments, table, header->e_phoff) != (ssize_t)table)
		return EIO;
	off_t notes_at = (end + 7) & ~(off_t)7, table_at = (notes_at + n->len + 7) & ~(off_t)7;
	segments[header->e_phnum] =
		(Elf64_Phdr){.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = n->len, .p_align = 4};
	header->e_phoff = table_at;
	header->e_phnum++;
	int r = put(fd, n->data, n->len, notes_at);
	if (r == 0)
		r = put(fd, segments, table + sizeof *segments, table_at);
	return r == 0 ? put(fd, header, sizeof *header, 0) : r;
}

static atomic_bool notes_wanted;

void stasis_netbsd_core_notes(int wanted)
{
	atomic_store(&notes_wanted, wanted != 0);
}

/* The user has the last word. */
static bool are_notes_wanted(void)
{
	const char *wanted = secure_getenv("STASIS_NETBSD_CORE_NOTES");

	return wanted && *wanted ? strcmp(wanted, "0") != 0 : atomic_load(&notes_wanted);
}

static int notes_append(struct sts_tracee *t, int fd)
{
	struct notes n = {0};
	Elf64_Ehdr header;

	if (!are_notes_wanted() || !takes_notes(fd, &header))
		return 0;
	int r = notes_make(&n, t);
	if (r == 0)
		r = notes_write(fd, &header, &n);
	free(n.data);
	return r;
}

/* --- PT_DUMPCORE ----------------------------------------------------------------------- */

/* NetBSD's default name: the program's with .core, in the tracee's working directory. */
static int core_path(struct sts_tracee *t, const char *path, int len, char ret[PATH_MAX])
{
	struct stasis_lwp_info info;
	lwpid_t first;

	if (path) {
		if (len < 0 || len >= PATH_MAX)
			return EINVAL;
		memcpy(ret, path, (size_t)len);
		ret[len] = '\0';
		return 0;
	}
	int r = sts_netbsd_lwp_arg(t, 0, &first);
	if (r == 0)
		r = sts_netbsd_errno(stasis_lwp_info_get(sts_netbsd.session, first, &info));
	if (r == 0)
		snprintf(ret, PATH_MAX, "/proc/%d/cwd/%.*s.core", (int)t->pid, (int)sizeof info.name, info.name);
	return r;
}

int sts_netbsd_dump(struct sts_tracee *t, const char *path, int len)
{
	char name[PATH_MAX];
	int r = core_path(t, path, len, name);

	if (r != 0)
		return r;
	_cleanup_close_ int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno;
	r = stasis_core_write(sts_netbsd.session, t->pid, t->lwp, fd);
	if (r == STASIS_E_BAD_LWP || r == STASIS_E_NOT_TRACED) /* it reported and has ended since */
		r = stasis_core_write(sts_netbsd.session, t->pid, 0, fd);
	return r == 0 ? notes_append(t, fd) : sts_netbsd_errno(r);
}
