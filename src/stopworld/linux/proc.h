/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading /proc/self without libc. One thread at a time. */
#ifndef STS_STOPWORLD_PROC_H
#define STS_STOPWORLD_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether /proc is there and counts pids as this process does; else its names of threads mean nothing to us. */
bool sts_proc_is_ours(int32_t pid);
/* The number under which /proc shows a thread: its own, or where /proc is that of an outer pid namespace another, which
 * is searched for. 0 if there is none. */
int32_t sts_proc_number_of(int32_t tid);
/* The other way round, for any process. */
int32_t sts_proc_inner_number(int32_t outer);
/* "PREFIX" "TID" "SUFFIX" in a static buffer. */
const char *sts_proc_path(const char *prefix, int32_t tid, const char *suffix);
int sts_proc_open(const char *path, int flags);
void sts_proc_close(int fd);
/* A reader of characters, for a file larger than any buffer: fd, buf and size are given. */
struct sts_proc_reader {
	int fd;
	char *buf;
	size_t size;
	long at, n;
};
/* Negative at the end. */
int sts_proc_next_char(struct sts_proc_reader *r);
/* Read a hexadecimal number, none being 0; the character behind it. */
int sts_proc_next_hex(struct sts_proc_reader *r, uint64_t *ret);

/* The beginning of a file, with a zero at its end, in a static buffer; its length or an error. */
int sts_proc_read(const char *path, const char **ret);
/* The rest of the line that begins with `key`, or NULL. */
const char *sts_proc_field(const char *text, const char *key);
/* Numbers: skip blanks, read digits, advance *p. */
uint64_t sts_proc_number(const char **p, unsigned base);
/* Whether the stop signal is in a set. */
bool sts_os_has_stop_signal(uint64_t set);

#endif
