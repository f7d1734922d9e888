/* SPDX-License-Identifier: BSD-2-Clause */
/* A caller's memory that the case makes up: what lies at which address, and nothing elsewhere. */
#ifndef STS_TEST_DECODE_MEMORY_H
#define STS_TEST_DECODE_MEMORY_H

#include "test.h"

void put_memory(uint64_t addr, const void *bytes, size_t len);
/* Little-endian words of that many bytes, one after the other, ended by END. */
#define END UINT64_C(0xfedcba9876543210)
void put_words(uint64_t addr, unsigned width, ...);
void put_string(uint64_t addr, const char *s);

struct stasis_decode decoder(void);
/* The call as text; args are as many as the call has. */
const char *text_of(enum stasis_abi abi, const char *name, int64_t result, uint64_t a, uint64_t b, uint64_t c,
		    uint64_t d, uint64_t e, uint64_t f);
#define SAYS(expected, ...) ATF_CHECK_STREQ(expected, text_of(__VA_ARGS__))

#endif
