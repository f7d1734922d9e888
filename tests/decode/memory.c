// SPDX-License-Identifier: BSD-2-Clause
#include "memory.h"

#include <string.h>

enum { AREAS = 16, AREA_SIZE = 1024 };

static struct area {
	uint64_t addr;
	size_t len;
	uint8_t bytes[AREA_SIZE];
} areas[AREAS];
static unsigned n_areas;

void put_memory(uint64_t addr, const void *bytes, size_t len)
{
	unsigned i = 0;

	while (i < n_areas && areas[i].addr != addr)
		i++;
	ATF_REQUIRE(i < AREAS && len <= AREA_SIZE);
	n_areas = i == n_areas ? n_areas + 1 : n_areas;
	areas[i].addr = addr;
	areas[i].len = len;
	memcpy(areas[i].bytes, bytes, len);
}

void put_words(uint64_t addr, unsigned width, ...)
{
	uint8_t bytes[AREA_SIZE];
	size_t len = 0;
	va_list ap;

	va_start(ap, width);
	for (uint64_t word; (word = va_arg(ap, uint64_t)) != END; len += width)
		memcpy(bytes + len, &word, width);
	va_end(ap);
	put_memory(addr, bytes, len);
}

void put_string(uint64_t addr, const char *s)
{
	put_memory(addr, s, strlen(s) + 1);
}

static ssize_t read_memory(void *arg, uint64_t addr, void *buf, size_t len)
{
	for (unsigned i = 0; i < n_areas; i++) {
		const struct area *a = &areas[i];

		if (addr < a->addr || addr >= a->addr + a->len)
			continue;
		size_t n = a->addr + a->len - addr < len ? a->addr + a->len - addr : len;
		memcpy(buf, a->bytes + (addr - a->addr), n);
		return (ssize_t)n;
	}
	return -1;
}

struct stasis_decode decoder(void)
{
	return (struct stasis_decode){.size = sizeof(struct stasis_decode), .read = read_memory, .string_limit = 32};
}

const char *text_of(enum stasis_abi abi, const char *name, int64_t result, uint64_t a, uint64_t b, uint64_t c,
		    uint64_t d, uint64_t e, uint64_t f)
{
	static char text[8192];
	int64_t number = stasis_syscall_number(abi, name);
	struct stasis_event_syscall call = {.abi = abi,
					    .number = (uint64_t)number,
					    .args = {a, b, c, d, e, f},
					    .result = result,
					    .is_error = result < 0 && result > -4096};
	struct stasis_decode dec = decoder();

	ATF_REQUIRE_MSG(number >= 0, "no call %s", name);
	ATF_REQUIRE(stasis_decode_text(&dec, &call, text, sizeof text) > 0);
	return text;
}
