/* SPDX-License-Identifier: BSD-2-Clause */
/* Breakpoint instruction, and what kind of instruction stands somewhere. */
#include "arch/arch.h"

const uint8_t sts_arch_break_insn[] = {0xcc}; /* int3 */
const size_t sts_arch_break_size = 1;
const size_t sts_arch_break_pc_advance = 1;
const size_t sts_arch_insn_max = 15;

bool sts_arch_break_ends_at(uint64_t pc, const struct sts_arch_mem *mem)
{
	static const uint8_t two_bytes[] = {0xcd, 0x03}; /* int $3 */
	uint8_t insn[2];

	if (mem->read(mem->arg, pc - 1, insn, 1) != 0 || insn[0] == sts_arch_break_insn[0])
		return true;
	return mem->read(mem->arg, pc - 2, insn, 2) == 0 && insn[0] == two_bytes[0] && insn[1] == two_bytes[1];
}

#define USER32_CS 0x23
#define SELECTOR_LOCAL 4 /* modify_ldt(2) makes no 64-bit segments */

bool sts_arch_long_mode(const struct stasis_regs_x86 *regs)
{
	return regs->cs != USER32_CS && !(regs->cs & SELECTOR_LOCAL);
}

static bool is_prefix(uint8_t byte, bool long_mode)
{
	switch (byte) {
	case 0x66:
	case 0x67:
	case 0xf2:
	case 0xf3:
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
		return true;
	default:
		return long_mode && byte >= 0x40 && byte <= 0x4f; /* REX */
	}
}

enum sts_insn_class sts_arch_insn_classify(const uint8_t *insn, size_t len, bool long_mode)
{
	size_t at = 0;

	while (at < len && is_prefix(insn[at], long_mode))
		at++;
	if (at < len && insn[at] == 0x9c) /* pushf */
		return STS_INSN_PUSH_FLAGS;
	if (at < len && (insn[at] == 0x9d || insn[at] == 0xcf)) /* popf, iret */
		return STS_INSN_POP_FLAGS;
	if (len - at < 2)
		return STS_INSN_PLAIN;
	bool fast = insn[at] == 0x0f && (insn[at + 1] == 0x05 || insn[at + 1] == 0x34); /* syscall, sysenter */
	bool gate = insn[at] == 0xcd && insn[at + 1] == 0x80;                           /* int 0x80 */
	return fast || gate ? STS_INSN_SYSCALL : STS_INSN_PLAIN;
}

void sts_arch_relax(void)
{
	__builtin_ia32_pause();
}
