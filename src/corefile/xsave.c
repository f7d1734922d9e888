/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the CPU keeps what in an XSAVE area: makers of CPUs differ, and the area does not tell. */
#include <string.h>
#include "corefile/corefile.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#ifndef NT_X86_XSAVE_LAYOUT
#define NT_X86_XSAVE_LAYOUT 0x205
#endif

/* Bytes of the area that the kernel fills with XCR0, the components it holds. */
#define XCR0_AT 464
/* Components 0 and 1 lie where FXSAVE has them. */
#define FIRST_EXTENDED 2
#define LEAF_XSAVE 0xd

struct component {
	uint32_t type, size, offset, flags;
};

static size_t components_list(uint64_t xcr0, struct component list[64])
{
	uint32_t eax, ebx, ecx, edx;
	size_t n = 0;

	for (uint32_t i = FIRST_EXTENDED; i < 63; i++)
		if (xcr0 >> i & 1 && __get_cpuid_count(LEAF_XSAVE, i, &eax, &ebx, &ecx, &edx) && eax)
			list[n++] = (struct component){.type = i, .size = eax, .offset = ebx};
	return n;
}

void sts_core_xsave_layout_add(struct sts_core_buf *notes, const void *area, size_t size)
{
	struct component list[64];
	uint64_t xcr0;

	if (size < XCR0_AT + sizeof xcr0)
		return;
	memcpy(&xcr0, (const char *)area + XCR0_AT, sizeof xcr0);
	size_t n = components_list(xcr0, list);
	if (n)
		sts_core_note_add(notes, "LINUX", NT_X86_XSAVE_LAYOUT, list, n * sizeof *list);
}
#else
void sts_core_xsave_layout_add(struct sts_core_buf *notes, const void *area, size_t size)
{
}
#endif
