/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing a core file of a live tracee, as the kernel would have written it.
 *
 *   write.c    the public function and the order of things
 *   vmas.c     what is mapped and how much of it belongs into the file
 *   notes.c    the notes: process, files, threads
 *   abi.c      layouts of x86-64 and i386 notes
 *   xsave.c    the note that explains XSAVE areas
 *   headers.c  ELF header, program headers
 *   pages.c    which pages of a mapping can hold anything at all
 *   memory.c   memory into the file
 *   output.c   the file
 *   proc.c     small reads of /proc
 */
#ifndef STS_COREFILE_H
#define STS_COREFILE_H

#include <elf.h>
#include <signal.h>
#include <stasis/stasis.h>

#define STS_CORE_PAGE 4096

/* --- /proc ----------------------------------------------------------------------- */

/* What /proc/.../stat has for the notes. */
struct sts_core_stat {
	char name[16];
	char state;
	int parent, group, session, nice;
	uint64_t flags;
	uint64_t user_us, system_us, children_user_us, children_system_us;
};

/* tid 0: of the whole process. 0 or STASIS_E_GONE. */
int sts_core_stat_read(pid_t pid, pid_t tid, struct sts_core_stat *ret);
/* Real user and group. */
int sts_core_owner_read(pid_t pid, uint32_t *uid_ret, uint32_t *gid_ret);
/* Command line, words separated by blanks, cut to fit, padded with zeros. */
void sts_core_arguments_read(pid_t tid, char *buf, size_t size);
/* coredump_filter; the kernel's default where there is none. */
unsigned sts_core_filter_read(pid_t tid);
/* What is known of an LWP that sleeps in the kernel: PC, SP, the system call and its arguments. */
int sts_core_sleeper_read(pid_t pid, pid_t tid, bool is_32bit, struct stasis_regs_x86 *ret);

/* --- mappings ---------------------------------------------------------------------- */

struct sts_core_vma {
	uint64_t start, end;
	uint64_t offset;         /* in the mapped file, bytes */
	uint64_t dump;           /* bytes of it that belong into the core */
	uint64_t at;             /* where they are in the core */
	char *path;              /* as /proc shows it, unescaped; "" if it has none */
	bool readable, writable, executable, shared;
	bool has_file;
	/* From smaps: */
	bool touched;            /* has pages of its own: written to at least once */
	bool dont_dump, io, hugetlb, huge_advised;
	bool user_faults;        /* touching an absent page would wait for the tracee's own threads */
};

struct sts_core_vmas {
	struct sts_core_vma *list;
	size_t n, cap;
};

/* List all mappings of a process, `tid` being a live LWP of it. */
int sts_core_vmas_read(struct stasis_session *session, pid_t pid, pid_t tid, struct sts_core_vmas *ret);
void sts_core_vmas_fini(struct sts_core_vmas *vmas);
/* Set `dump` of each. */
int sts_core_vmas_choose(struct stasis_session *session, pid_t pid, pid_t tid, struct sts_core_vmas *vmas);
/* Not a mapping of the program's own: vdso, vvar, vsyscall. */
bool sts_core_vma_is_special(const struct sts_core_vma *vma);
/* Its file has lost its name or never had one, as shared anonymous memory. */
bool sts_core_vma_is_unlinked(const struct sts_core_vma *vma);
/* "/proc/TID/map_files/START-END" */
void sts_core_map_file_path(pid_t tid, const struct sts_core_vma *vma, char *buf, size_t size);

/* --- notes --------------------------------------------------------------------------- */

/* Bytes that grow. Once memory ran out it stays `failed` and takes no more. */
struct sts_core_buf {
	char *data;
	size_t len, cap;
	bool failed;
};

/* Room for `size` more bytes, zeroed; NULL if memory ran out. */
void *sts_core_buf_add(struct sts_core_buf *buf, size_t size);
/* A note; `desc` may be NULL to leave it zero. Returns the place of the description, NULL if memory ran out. */
void *sts_core_note_add(struct sts_core_buf *buf, const char *name, uint32_t type, const void *desc, size_t size);

struct sts_core_process {
	struct sts_core_stat stat;
	pid_t pid;
	uint32_t uid, gid;
	char arguments[80];
};

struct sts_core_thread {
	struct sts_core_stat stat;
	pid_t tid;
	siginfo_t siginfo;       /* si_signo 0: not stopped by a signal */
	uint64_t signal_mask, pending;
	struct stasis_regs_x86 regs;
	bool has_fp;
	uint8_t fp[512];         /* FXSAVE image */
	uint8_t *xstate;
	size_t xstate_size;      /* 0: none */
};

/* What differs between the ABIs. */
struct sts_core_abi {
	uint8_t elf_class;
	uint16_t machine;
	unsigned word;           /* bytes */
	void (*prstatus_add)(struct sts_core_buf *notes, const struct sts_core_thread *t);
	void (*prpsinfo_add)(struct sts_core_buf *notes, const struct sts_core_process *p);
	void (*siginfo_add)(struct sts_core_buf *notes, const siginfo_t *info);
	void (*fp_add)(struct sts_core_buf *notes, const struct sts_core_thread *t);
};
/* NULL if cores of that ABI cannot be written. */
const struct sts_core_abi *sts_core_abi_find(enum stasis_abi abi);

/* How XSAVE areas that begin like this one are laid out on this CPU. */
void sts_core_xsave_layout_add(struct sts_core_buf *notes, const void *area, size_t size);

/* All notes of process `pid`, threads in the order of `tids`. */
int sts_core_notes_build(struct stasis_session *session, pid_t pid, const pid_t *tids, size_t n_tids,
			 const struct sts_core_abi *abi, const struct sts_core_vmas *vmas, struct sts_core_buf *notes);

/* --- the file ------------------------------------------------------------------------ */

struct sts_core_layout {
	uint64_t notes_at, memory_at;
	uint64_t sections_at;    /* 0: the program headers can be counted without a section header */
	uint64_t size;
};

/* Places everything, `at` of each mapping too. -EFBIG if this class of ELF cannot hold it. */
int sts_core_layout_plan(const struct sts_core_abi *abi, struct sts_core_vmas *vmas, size_t notes_size,
			 struct sts_core_layout *ret);
/* ELF header and program headers: what comes before the notes. */
int sts_core_headers_build(const struct sts_core_abi *abi, const struct sts_core_vmas *vmas, size_t notes_size,
			   const struct sts_core_layout *layout, struct sts_core_buf *ret);
/* The section header for layout.sections_at. */
int sts_core_section_build(const struct sts_core_abi *abi, const struct sts_core_vmas *vmas, struct sts_core_buf *ret);

/* A file being written, on the thread that began it. */
struct sts_core_out {
	int fd;
	bool signal_ours;        /* no SIGXFSZ was pending before */
	sigset_t saved_mask;
};

/* Empty the file and make it `size` bytes long. */
int sts_core_out_begin(struct sts_core_out *out, int fd, uint64_t size);
/* `result` negative: leave an empty file. Returns it. */
int sts_core_out_end(struct sts_core_out *out, int result);
int sts_core_out_write(struct sts_core_out *out, const void *buf, size_t len, uint64_t at);
/* The same, leaving out pages of zeros; `buf` begins at a page of the file. */
int sts_core_out_write_sparse(struct sts_core_out *out, const void *buf, size_t len, uint64_t at);

/* --- memory ---------------------------------------------------------------------------- */

/* Tells where a mapping can have contents. */
struct sts_core_pages {
	const struct sts_core_vma *vma;
	enum { STS_CORE_PAGES_ALL, STS_CORE_PAGES_NONE, STS_CORE_PAGES_PAGEMAP, STS_CORE_PAGES_FILE } how;
	int fd;
	unsigned max_gap;        /* pages of nothing worth reading for a longer run */
	uint64_t base;           /* pagemap: address of entries[0] */
	size_t n;
	uint64_t *entries;
};

/* `pagemap` may be -1. */
void sts_core_pages_init(struct sts_core_pages *p, const struct sts_core_vma *vma, pid_t tid, int pagemap,
			 uint64_t *entries);
void sts_core_pages_fini(struct sts_core_pages *p);
/* The number of entries sts_core_pages_init() wants. */
#define STS_CORE_PAGES_ENTRIES 4096
/* The next run of pages at or after `from` and before `limit`. 1 found, 0 none, or a negative error. */
int sts_core_pages_next(struct sts_core_pages *p, uint64_t from, uint64_t limit, uint64_t *start_ret,
			uint64_t *end_ret);

/* All mappings, to the places planned. */
int sts_core_memory_write(struct stasis_session *session, pid_t pid, pid_t tid, const struct sts_core_vmas *vmas,
			  struct sts_core_out *out);

#endif
