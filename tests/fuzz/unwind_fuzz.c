// SPDX-License-Identifier: BSD-2-Clause
/*
 * Call frame information and ELF headers, broken: the readers of libstasis-leaks stay within the memory they are told
 * of. An input is the address asked for, less that of .eh_frame_hdr (4 bytes, signed), the place of .eh_frame_hdr in
 * the segment (2 bytes), and the segment, which is also taken for an ELF image.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "leaks/unwind/cfi.h"
#include "leaks/unwind/modules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a row promises to who follows it. */
static void check(const struct sts_row *row)
{
	if (row->kind > STS_ROW_SIGNAL || row->kind == STS_ROW_NONE || row->bp_kind > STS_BP_AT_BP)
		__builtin_trap();
	if (row->cfa % 8 != 0 || row->bp % 8 != 0)
		__builtin_trap();
}

static void ask(const struct sts_cfi *cfi, uintptr_t address)
{
	struct sts_row row;

	if (sts_cfi_row(cfi, address, &row))
		check(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { HEADER = 6 };
	struct sts_module module = {.base = 0};
	struct sts_cfi cfi;
	uint16_t hdr;
	int32_t offset;

	if (size < HEADER)
		return 0;
	memcpy(&offset, data, sizeof(offset));
	memcpy(&hdr, data + sizeof(offset), sizeof(hdr));
	data += HEADER;
	size -= HEADER;
	cfi = (struct sts_cfi){(uintptr_t)data + hdr, size, (uintptr_t)data, (uintptr_t)data + size};
	for (int i = -16; i <= 16; i += 8)
		ask(&cfi, cfi.hdr + (uintptr_t)(intptr_t)offset + (uintptr_t)(intptr_t)i);
	if (!sts_module_read_elf(data, size, &module))
		return 0;
	if (module.hdr != 0 && (module.hdr < cfi.lo || module.hdr > cfi.hi || module.hdr_size > cfi.hi - module.hdr))
		__builtin_trap();
	if (module.segment_lo != 0 && (module.segment_lo < cfi.lo || module.segment_hi > cfi.hi))
		__builtin_trap();
	cfi = (struct sts_cfi){module.hdr, module.hdr_size, module.segment_lo, module.segment_hi};
	ask(&cfi, cfi.hdr + (uintptr_t)(intptr_t)offset);
	return 0;
}
