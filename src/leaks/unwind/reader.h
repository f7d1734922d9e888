/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading of tables that may be broken: what lies beyond the end reads as 0, and `bad` is set. */
#ifndef STS_LEAKS_READER_H
#define STS_LEAKS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sts_reader {
	const uint8_t *at, *end;
	bool bad;
};

static inline const uint8_t *sts_read(struct sts_reader *r, uint64_t n)
{
	const uint8_t *p = r->at;

	if (r->bad || (uint64_t)(r->end - r->at) < n) {
		r->bad = true;
		r->at = r->end;
		return NULL;
	}
	r->at += n;
	return p;
}

#define STS_READER_INT(name_, type_)                                                                                   \
	static inline type_ sts_read_##name_(struct sts_reader *r)                                                     \
	{                                                                                                              \
		const uint8_t *p = sts_read(r, sizeof(type_));                                                         \
		type_ n = 0;                                                                                           \
                                                                                                                       \
		if (p != NULL)                                                                                         \
			memcpy(&n, p, sizeof(n));                                                                      \
		return n;                                                                                              \
	}
STS_READER_INT(u8, uint8_t)
STS_READER_INT(u16, uint16_t)
STS_READER_INT(s16, int16_t)
STS_READER_INT(u32, uint32_t)
STS_READER_INT(s32, int32_t)
STS_READER_INT(u64, uint64_t)

static inline uint64_t sts_read_uleb(struct sts_reader *r)
{
	uint64_t n = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = sts_read_u8(r);
		if (shift < 64)
			n |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) != 0 && !r->bad);
	return n;
}

static inline int64_t sts_read_sleb(struct sts_reader *r)
{
	uint64_t n = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = sts_read_u8(r);
		if (shift < 64)
			n |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) != 0 && !r->bad);
	if (shift < 64 && (byte & 0x40) != 0)
		n |= ~(uint64_t)0 << shift;
	return (int64_t)n;
}

#endif
