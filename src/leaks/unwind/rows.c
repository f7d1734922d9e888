// SPDX-License-Identifier: BSD-2-Clause
#include "leaks/unwind/rows.h"

#include <asm/unistd.h>
#include <errno.h>
#include <string.h>

#include "leaks/unwind/modules.h"
#include "leaks/unwind/unwind.h"
#include "stopworld/x86/raw.h"

enum { PAGE = 4096 };

struct sts_row_entry sts_rows[STS_ROWS] __attribute__((aligned(64)));

/* The kernel reads the mask before it looks at the first argument, which is wrong: nothing is changed. */
bool sts_readable(uintptr_t address)
{
	return RAW(rt_sigprocmask, ~0u, address & ~(uintptr_t)7, 0, 8) != -EFAULT;
}

/* By the chain of frame pointers: it is saved below the return address, and points to where it is saved. */
static const struct sts_row chain = {.kind = STS_ROW_BP, .cfa = 16, .bp_kind = STS_BP_AT_CFA, .bp = -16};

/* Whether a call ends before the address: a chain of frame pointers that is none leads anywhere. */
static bool follows_call(uintptr_t pc)
{
	uint8_t code[8];

	if (pc < PAGE || !sts_readable(pc - 8) || !sts_readable(pc - 1))
		return false;
	memcpy(code, (const void *)(pc - 8), sizeof(code));
	if (code[3] == 0xe8)
		return true;
	/* ff /2, with 0, 1 or 4 bytes behind, and perhaps a SIB byte. */
	return (code[6] == 0xff && (code[7] & 0x38) == 0x10) || (code[5] == 0xff && (code[6] & 0x38) == 0x10) ||
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) || (code[2] == 0xff && (code[3] & 0x38) == 0x10) ||
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10);
}

/* mov $15, %rax; syscall: where signal handlers return to, where a libc does not say so. */
static bool is_sigreturn(uintptr_t pc)
{
	static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};

	return sts_readable(pc) && sts_readable(pc + 8) && memcmp((const void *)pc, code, sizeof(code)) == 0;
}

static struct sts_row without_table(uintptr_t pc, bool exact)
{
	if (!exact && is_sigreturn(pc))
		return (struct sts_row){.kind = STS_ROW_SIGNAL};
	return exact || follows_call(pc) ? chain : (struct sts_row){.kind = STS_ROW_NONE};
}

static struct sts_row find(const struct sts_module *module, uintptr_t pc, bool exact)
{
	struct sts_cfi cfi;
	struct sts_row row;

	if (module == NULL)
		return without_table(pc, exact);
	cfi = (struct sts_cfi){module->hdr, module->hdr_size, module->segment_lo, module->segment_hi};
	/* A signal's return is described at its first byte; nothing was called before it. */
	if (!sts_cfi_row(&cfi, exact ? pc : pc - 1, &row)) {
		/* Not called, but made to return to a function's beginning: at the bottom of a coroutine. */
		if (!exact && !sts_stack_frame_pointers && sts_cfi_row(&cfi, pc, &row))
			return (struct sts_row){.kind = STS_ROW_END};
		return without_table(pc, exact);
	}
	if (sts_stack_frame_pointers && row.kind != STS_ROW_SIGNAL && row.kind != STS_ROW_END)
		return without_table(pc, exact);
	return row;
}

static bool fits(int32_t n, unsigned bits)
{
	return n % 8 == 0 && n / 8 >= -(1 << (bits - 1)) && n / 8 < 1 << (bits - 1);
}

static uint64_t pack(const struct sts_row *row, unsigned module)
{
	uint64_t ret = (uint64_t)row->kind | (uint64_t)row->bp_kind << 3 | 1 << 5 | (uint64_t)module << 6;

	if (!fits(row->cfa, 26) || !fits(row->bp, 16))
		return pack(&(struct sts_row){.kind = STS_ROW_NONE}, module);
	return ret | (uint64_t)(uint16_t)(row->bp / 8) << 22 | (uint64_t)(int64_t)(row->cfa / 8) << 38;
}

__attribute__((noinline)) uint64_t sts_row_make(uint64_t key, struct sts_row_entry *entry)
{
	uintptr_t pc = key & ~STS_ROW_EXACT;
	bool exact = (key & STS_ROW_EXACT) != 0;
	unsigned module = sts_module_at(exact ? pc : pc - 1);
	struct sts_row row = find(sts_module_get(module), pc, exact);
	uint64_t packed = pack(&row, module);

	atomic_store_explicit(&entry->row, packed, memory_order_relaxed);
	atomic_store_explicit(&entry->check, key ^ packed, memory_order_relaxed);
	return packed;
}

void sts_rows_forget(void)
{
	for (unsigned i = 0; i < STS_ROWS; i++) {
		atomic_store_explicit(&sts_rows[i].row, 0, memory_order_relaxed);
		atomic_store_explicit(&sts_rows[i].check, 0, memory_order_relaxed);
	}
}
