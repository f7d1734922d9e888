/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading core files in tests: nothing here knows how they are written. */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core_note {
	char name[16];
	uint32_t type;
	const char *desc;
	size_t size;
};

struct core_file {
	const char *data;
	size_t size;
	bool is_32bit;
	Elf64_Ehdr header;
	Elf64_Phdr *segments; /* widened from i386 */
	size_t n_segments;
	struct core_note *notes;
	size_t n_notes;
};

/* Fails the case if it is no core file, or one whose parts do not fit into it. */
void core_open(struct core_file *core, const char *path);
void core_close(struct core_file *core);

/* The segment that maps an address, NULL if none does. */
const Elf64_Phdr *core_segment(const struct core_file *core, uint64_t addr);
/* Contents at an address; NULL if the file lacks any of them. */
const char *core_at(const struct core_file *core, uint64_t addr, size_t len);
/* The n-th note (from 0) of a type, NULL if there are not so many. */
const struct core_note *core_note(const struct core_file *core, uint32_t type, unsigned n);

/* Whether the note of mapped files covers an address. */
bool core_is_file(const struct core_file *core, uint64_t addr);

/* Of an NT_PRSTATUS note. */
int core_status_tid(const struct core_file *core, const struct core_note *note);
int core_status_signal(const struct core_note *note);
/* Program counter and stack pointer. */
uint64_t core_status_pc(const struct core_file *core, const struct core_note *note);
uint64_t core_status_sp(const struct core_file *core, const struct core_note *note);
/* Its general registers as they stand there. */
const char *core_status_registers(const struct core_file *core, const struct core_note *note, size_t *size_ret);

/* Run a shell command; its output, to be freed, is also printed. Fails the case unless the exit status is `status`. */
__attribute__((format(printf, 2, 3))) char *core_run(int status, const char *format, ...);

#endif
