// SPDX-License-Identifier: BSD-2-Clause
/*
 * Classification and emulation of arbitrary instruction bytes: nothing is read
 * past their end, what is not emulated changes nothing, what is emulated moves
 * the PC or says that the program jumps to where it stands.
 *
 * Input: a byte whose bits choose the mode and whether memory answers, one that
 * fills the registers, then the instruction.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	bool answers;
	unsigned writes;
};

static int read_memory(void *arg, uint64_t addr, void *buf, size_t len)
{
	struct memory *m = arg;

	memset(buf, (int)(addr & 0xff), len);
	return m->answers ? 0 : -1;
}

static int write_memory(void *arg, uint64_t addr, const void *buf, size_t len)
{
	struct memory *m = arg;

	if (!m->answers)
		return -1;
	m->writes++;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stasis_regs_x86 regs, before;
	struct memory memory = {0};
	const struct sts_arch_mem mem = {.read = read_memory, .write = write_memory, .arg = &memory};
	bool long_mode;

	if (size < 2)
		return 0;
	long_mode = data[0] & 1;
	memory.answers = data[0] & 2;
	memset(&regs, data[1], sizeof(regs));
	regs.cs = long_mode ? 0x33 : 0x23;
	regs.ss = regs.ds = 0x2b;
	regs.eflags = 0x202 | (data[1] & 0xd5);
	regs.rip = long_mode ? 0x555555554000 : 0x8048000;
	before = regs;
	sts_arch_insn_classify(data + 2, size - 2, long_mode);
	if (!sts_arch_emulate(&regs, data + 2, size - 2, long_mode, &mem) &&
	    (memcmp(&regs, &before, sizeof(regs)) != 0 || memory.writes > 0))
		abort();
	return 0;
}
