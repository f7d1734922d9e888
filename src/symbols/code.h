/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file's code: names, places in the source and call frame information by address. What is found once is kept. Each
 * file is looked at alone, at the addresses it was linked for, so that it serves all processes that run it.
 */
#ifndef STS_SYMBOLS_CODE_H
#define STS_SYMBOLS_CODE_H

#include <stdbool.h>
#include <stdint.h>
#include "symbols/unwind.h"

struct sts_code;

/* An address of it. */
struct sts_site {
	const char *name; /* the function's, as in the source; NULL: not known */
	uint64_t offset;  /* in it */
	const char *file; /* in the source; NULL: not known, or not asked for */
	int line;
};

/* fd is taken over, whatever comes of it; lines: find those of the source too. NULL: it is no such file. */
struct sts_code *sts_code_open(int fd, const char *name, bool lines);
void sts_code_close(struct sts_code *code);

/* The address that the byte at an offset of the file was linked for; false: it is loaded nowhere. */
bool sts_code_address(const struct sts_code *code, uint64_t offset, uint64_t *ret);
/* What is at an address; call: it is where a call returns to, so that the call itself is meant. NULL: no memory. */
const struct sts_site *sts_code_site(struct sts_code *code, uint64_t address, bool call);
/* NULL: no row is known. */
const struct sts_row *sts_code_row(struct sts_code *code, uint64_t address);

#endif
