/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPU contract: all that the control code wants to know of a processor.
 * One implementation is linked; src/arch/<cpu>/ holds it. Nothing here calls
 * the kernel. pre: pointers are not NULL. Results are bool or plain values.
 */
#ifndef STS_ARCH_H
#define STS_ARCH_H

#include <stasis/breakpoint.h>
#include <stasis/event.h>
#include <stasis/regs.h>

/* Memory as an instruction sees it: what the CPU may not touch, fails, and a write is one access. 0 is success. */
struct sts_arch_mem {
	int (*read)(void *arg, uint64_t addr, void *buf, size_t len);
	int (*write)(void *arg, uint64_t addr, const void *buf, size_t len);
	void *arg;
};

/* The breakpoint instruction, and how far past its start the PC stands after it trapped. */
#define STS_ARCH_BREAK_MAX 4
extern const uint8_t sts_arch_break_insn[];
extern const size_t sts_arch_break_size;
extern const size_t sts_arch_break_pc_advance;
/* Does an instruction that traps as that one does end at pc, as memory is now? Also true if it cannot be read. */
bool sts_arch_break_ends_at(uint64_t pc, const struct sts_arch_mem *mem);
/* Longest instruction in bytes. */
extern const size_t sts_arch_insn_max;

enum sts_insn_class {
	STS_INSN_PLAIN,   /* can be stepped with every other LWP at rest */
	STS_INSN_SYSCALL, /* enters the kernel and may block there */
	STS_INSN_PUSH_FLAGS, /* shows the flags, the trap flag of a single step included, on the stack */
	STS_INSN_POP_FLAGS, /* sets the flags from the stack, the trap flag perhaps included */
};
/* What stands at the start of insn (len readable bytes). long_mode: 64-bit code. */
enum sts_insn_class sts_arch_insn_classify(const uint8_t *insn, size_t len, bool long_mode);

/*
 * Do what the CPU would do for the instruction at regs->rip whose bytes are
 * insn (len readable bytes, the program's own, no breakpoint in them): change
 * regs and memory, the PC included. @return true if done; false if it is not
 * one of the known instructions or memory failed: then nothing changed.
 * Flags are exact. Never emulates with the trap flag set in eflags.
 */
bool sts_arch_emulate(struct stasis_regs_x86 *regs, const uint8_t *insn, size_t len, bool long_mode,
		      const struct sts_arch_mem *mem);

/* In the body of a loop that waits for another CPU. */
void sts_arch_relax(void);

/* Code segment tells the mode. */
bool sts_arch_long_mode(const struct stasis_regs_x86 *regs);

/* Debug registers: 4 slots, a control register (DR7) and a status register (DR6). */
#define STS_ARCH_WATCH_SLOTS 4
/* Does this request fit a debug register (length, alignment, kind)? */
bool sts_arch_watch_valid(enum stasis_watch_kind kind, uint64_t addr, size_t len);
/* DR7 with slot set up (enabled) or cleared. */
uint64_t sts_arch_watch_control_set(uint64_t dr7, int slot, enum stasis_watch_kind kind, size_t len);
uint64_t sts_arch_watch_control_clear(uint64_t dr7, int slot);
/* First slot that DR6 says was hit, -1 if none. */
int sts_arch_watch_hit(uint64_t dr6);
/* The trap flag: in the flags register, and where PUSH_FLAGS has put them. */
#define STS_ARCH_TRAP_FLAG 0x100u
/* Whether DR6 says a single step is done. */
bool sts_arch_step_hit(uint64_t dr6);

#endif
