/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file memory.h  A tracee's memory, maps and auxiliary vector.
 *
 * Reads and writes need no alignment, cross pages and mappings, and reach
 * read-only and execute-only pages. Planted breakpoints are invisible: reads
 * show the program's own bytes and writes change those. The tracee should be
 * stopped (or the LWP, in a thread-stop); a running one may be read and written
 * too, with whatever its threads do meanwhile.
 */
#ifndef STASIS_MEMORY_H
#define STASIS_MEMORY_H

#include <stasis/base.h>

STASIS_BEGIN_DECLS

/**
 * Read @p len bytes at @p addr into @p buf. A transfer that meets an unmapped
 * page is short: 0 is returned with *done_ret < len. Nothing at all readable:
 * STASIS_E_BAD_ADDRESS. @p done_ret may be NULL: then short is an error.
 */
STASIS_API STASIS_CHECK int stasis_memory_read(struct stasis_session *session, pid_t pid, uint64_t addr, void *buf,
					       size_t len, size_t *done_ret);
/** The counterpart of stasis_memory_read(). Writing a private file mapping changes the tracee's copy only. */
STASIS_API STASIS_CHECK int stasis_memory_write(struct stasis_session *session, pid_t pid, uint64_t addr,
						const void *buf, size_t len, size_t *done_ret);
/** Read a C string of at most @p cap - 1 bytes; always terminated. *len_ret: its length; -ENAMETOOLONG if it is longer.
 */
STASIS_API STASIS_CHECK int stasis_memory_read_string(struct stasis_session *session, pid_t pid, uint64_t addr,
						      char *buf, size_t cap, size_t *len_ret);

/** One mapping, as /proc/PID/maps shows it. */
struct stasis_map {
	uint64_t start, end, offset;
	uint64_t inode;
	uint32_t device_major, device_minor;
	bool readable, writable, executable, shared;
	const char *path; /**< "" if anonymous; valid during the callback */
};
/** Return 0 to go on, anything else to stop; that value is then returned by stasis_maps_each(). */
typedef int (*stasis_map_fn)(void *arg, const struct stasis_map *map);
/** Call @p fn for each mapping in rising order. On the caller's thread. */
STASIS_API STASIS_CHECK int stasis_maps_each(struct stasis_session *session, pid_t pid, stasis_map_fn fn, void *arg);

/** The auxiliary vector as the kernel gives it (pairs of words of the tracee's size). *len_ret: bytes there are. */
STASIS_API STASIS_CHECK int stasis_auxv_read(struct stasis_session *session, pid_t pid, void *buf, size_t cap,
					     size_t *len_ret);
/** The path of the program file, as /proc/PID/exe tells. */
STASIS_API STASIS_CHECK int stasis_exe_path(struct stasis_session *session, pid_t pid, char *buf, size_t cap);

STASIS_END_DECLS

#endif
