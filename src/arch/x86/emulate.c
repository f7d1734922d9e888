/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The common integer instructions, done in software: a breakpoint there is then
 * passed without a single step. What is not known is refused; nothing is changed
 * before all that can fail has worked.
 *
 * Memory is read and written by somebody else than the CPU. So what must be one
 * access to it is refused (lock prefix, xchg), and so is what could fail half-way
 * (a store across pages). An instruction that reads, computes and writes back
 * makes two accesses on the CPU as well: others may come between them.
 */
#include <string.h>
#include "arch/arch.h"

#define TRAP_FLAG 0x000100u
#define RESUME_FLAG 0x010000u
#define ALIGNMENT_CHECK 0x040000u
#define USER_END (UINT64_C(1) << 47)
#define PAGE 4096u
#define USER32_CS 0x23
#define USER_DS 0x2b

#define CF 0x001u
#define PF 0x004u
#define AF 0x010u
#define ZF 0x040u
#define SF 0x080u
#define OF 0x800u
#define ARITHMETIC (CF | PF | AF | ZF | SF | OF)

struct insn {
	struct stasis_regs_x86 *regs;
	const struct sts_arch_mem *mem;
	const uint8_t *bytes;
	size_t len, at;
	bool long_mode;
	uint8_t rex;
	unsigned width;	  /* operand bytes: 4, or 8 with REX.W, or 1 */
	uint8_t reg, rm;  /* ModRM fields with REX bits */
	bool is_register; /* mod == 3 */
	uint64_t address; /* else */
};

/* --- fetching ------------------------------------------------------------------- */

static bool fetch(struct insn *i, void *to, size_t n)
{
	if (i->len - i->at < n)
		return false;
	memcpy(to, i->bytes + i->at, n);
	i->at += n;
	return true;
}

static bool fetch_signed(struct insn *i, size_t n, int64_t *ret)
{
	int8_t byte;
	int32_t word;

	if (n == 1) {
		if (!fetch(i, &byte, 1))
			return false;
		*ret = byte;
		return true;
	}
	if (!fetch(i, &word, 4))
		return false;
	*ret = word;
	return true;
}

/* --- registers ------------------------------------------------------------------- */

static uint64_t *reg(struct insn *i, unsigned n)
{
	struct stasis_regs_x86 *r = i->regs;
	uint64_t *const table[16] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
				     &r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15};

	return table[n & 15];
}

static uint64_t narrow(uint64_t value, unsigned width)
{
	return width == 8 ? value : width == 4 ? (uint32_t)value : (uint8_t)value;
}

static unsigned stack_width(const struct insn *i)
{
	return i->long_mode ? 8 : 4;
}

/* Without REX four of the byte registers are the second bytes of others. */
static bool is_second_byte(const struct insn *i, unsigned n)
{
	return i->width == 1 && !i->rex && n >= 4;
}

static uint64_t reg_get(struct insn *i, unsigned n)
{
	if (is_second_byte(i, n))
		return *reg(i, n - 4) >> 8 & 0xff;
	return narrow(*reg(i, n), i->width);
}

/* Writing 32 bits clears the upper half; writing 8 leaves all else. */
static void reg_set(struct insn *i, unsigned n, uint64_t value)
{
	bool second = is_second_byte(i, n);
	uint64_t *r = reg(i, second ? n - 4 : n);

	if (i->width > 1)
		*r = narrow(value, i->width);
	else
		*r = second ? (*r & ~UINT64_C(0xff00)) | (value & 0xff) << 8 : (*r & ~UINT64_C(0xff)) | (value & 0xff);
}

static uint64_t next_pc(const struct insn *i)
{
	return narrow(i->regs->rip + i->at, stack_width(i));
}

/* --- memory ------------------------------------------------------------------------ */

/* At the end of the address space the CPU faults or goes on at 0: no concern of ours. */
static bool wraps(const struct insn *i, uint64_t addr, unsigned width)
{
	return narrow(addr + width - 1, stack_width(i)) < addr;
}

static bool load(struct insn *i, uint64_t addr, unsigned width, uint64_t *ret)
{
	*ret = 0;
	return !wraps(i, addr, width) && i->mem->read(i->mem->arg, addr, ret, width) == 0;
}

static bool store(struct insn *i, uint64_t addr, unsigned width, uint64_t value)
{
	return addr % PAGE + width <= PAGE && i->mem->write(i->mem->arg, addr, &value, width) == 0;
}

static bool push(struct insn *i, uint64_t value)
{
	uint64_t sp = narrow(i->regs->rsp - stack_width(i), stack_width(i));

	if (!store(i, sp, stack_width(i), value))
		return false;
	i->regs->rsp = sp;
	return true;
}

static bool pop(struct insn *i, uint64_t *ret)
{
	uint64_t sp = narrow(i->regs->rsp, stack_width(i));

	if (!load(i, sp, stack_width(i), ret))
		return false;
	i->regs->rsp = narrow(sp + stack_width(i), stack_width(i));
	return true;
}

/* --- ModRM -------------------------------------------------------------------------- */

static bool sib(struct insn *i, unsigned mod, uint64_t *ret)
{
	uint8_t byte;
	int64_t disp = 0;

	if (!fetch(i, &byte, 1))
		return false;
	unsigned index = (byte >> 3 & 7) | (i->rex & 2) << 2, base = (byte & 7) | (i->rex & 1) << 3;
	if ((byte & 7) == 5 && mod == 0) {
		if (!fetch_signed(i, 4, &disp))
			return false;
		*ret = disp;
	} else {
		*ret = *reg(i, base);
	}
	if (index != 4)
		*ret += *reg(i, index) << (byte >> 6);
	return true;
}

static bool modrm(struct insn *i)
{
	uint8_t byte;
	int64_t disp = 0;

	if (!fetch(i, &byte, 1))
		return false;
	unsigned mod = byte >> 6;
	i->reg = (byte >> 3 & 7) | (i->rex & 4) << 1;
	i->rm = (byte & 7) | (i->rex & 1) << 3;
	i->is_register = mod == 3;
	if (i->is_register)
		return true;
	bool pc_relative = mod == 0 && (byte & 7) == 5;
	if ((byte & 7) == 4) {
		if (!sib(i, mod, &i->address))
			return false;
	} else {
		i->address = pc_relative ? 0 : *reg(i, i->rm);
	}
	if ((mod == 1 && !fetch_signed(i, 1, &disp)) || ((mod == 2 || pc_relative) && !fetch_signed(i, 4, &disp)))
		return false;
	i->address += disp;
	return true;
}

/* RIP-relative operands count from the end of the instruction, which is known only when all is fetched. */
static bool is_pc_relative(const struct insn *i, size_t modrm_at)
{
	return i->long_mode && (i->bytes[modrm_at] & 0xc7) == 0x05;
}

static void finish_address(struct insn *i, size_t modrm_at)
{
	if (is_pc_relative(i, modrm_at))
		i->address += i->regs->rip + i->at;
	i->address = narrow(i->address, stack_width(i));
}

static bool rm_load(struct insn *i, uint64_t *ret)
{
	if (!i->is_register)
		return load(i, i->address, i->width, ret);
	*ret = reg_get(i, i->rm);
	return true;
}

static bool rm_store(struct insn *i, uint64_t value)
{
	if (!i->is_register)
		return store(i, i->address, i->width, value);
	reg_set(i, i->rm, value);
	return true;
}

/* --- flags ------------------------------------------------------------------------------ */

static uint64_t top_bit(const struct insn *i)
{
	return UINT64_C(1) << (8 * i->width - 1);
}

static void set_flags(struct insn *i, uint64_t result, uint64_t others)
{
	uint64_t flags = others;

	if (narrow(result, i->width) == 0)
		flags |= ZF;
	if (result & top_bit(i))
		flags |= SF;
	if (!__builtin_parity((uint8_t)result))
		flags |= PF;
	i->regs->eflags = (i->regs->eflags & ~(uint64_t)ARITHMETIC) | flags;
}

/* The arithmetic group in the order of its opcodes. */
enum { ADD, OR, ADC, SBB, AND, SUB, XOR, CMP };

static unsigned carry_in(const struct insn *i, unsigned op)
{
	return (op == ADC || op == SBB) && (i->regs->eflags & CF);
}

static uint64_t compute(const struct insn *i, unsigned op, uint64_t a, uint64_t b)
{
	switch (op) {
	case ADD:
	case ADC:
		return narrow(a + b + carry_in(i, op), i->width);
	case OR:
		return a | b;
	case AND:
		return a & b;
	case XOR:
		return a ^ b;
	default:
		return narrow(a - b - carry_in(i, op), i->width);
	}
}

static void arithmetic_flags(struct insn *i, unsigned op, uint64_t a, uint64_t b, uint64_t result)
{
	uint64_t flags = 0;

	if (op == ADD || op == ADC) {
		flags |= result < a || (result == a && carry_in(i, op)) ? CF : 0;
		flags |= (~(a ^ b) & (a ^ result) & top_bit(i)) ? OF : 0;
	} else if (op == SUB || op == SBB || op == CMP) {
		flags |= a < b || (a == b && carry_in(i, op)) ? CF : 0;
		flags |= ((a ^ b) & (a ^ result) & top_bit(i)) ? OF : 0;
	}
	if (op != OR && op != AND && op != XOR)
		flags |= (a ^ b ^ result) & AF;
	set_flags(i, result, flags);
}

/* --- forms -------------------------------------------------------------------------------- */

/* Where it faults to jump to, on the CPU, is not for us to say. */
static bool pc_valid(const struct insn *i, uint64_t pc)
{
	return narrow(pc, stack_width(i)) < USER_END;
}

static bool done(struct insn *i, uint64_t pc)
{
	i->regs->rip = narrow(pc, stack_width(i));
	return pc_valid(i, pc);
}

static bool step(struct insn *i)
{
	return done(i, next_pc(i));
}

static bool do_modrm(struct insn *i, size_t immediate, int64_t *imm)
{
	size_t modrm_at = i->at;

	if (!modrm(i) || (immediate && !fetch_signed(i, immediate, imm)))
		return false;
	finish_address(i, modrm_at);
	return true;
}

/* op r/m, r (to_rm) or op r, r/m */
static bool arithmetic(struct insn *i, unsigned op, bool to_rm)
{
	uint64_t rm;

	if (!do_modrm(i, 0, NULL) || !rm_load(i, &rm))
		return false;
	uint64_t r = reg_get(i, i->reg);
	uint64_t a = to_rm ? rm : r, b = to_rm ? r : rm;
	uint64_t result = compute(i, op, a, b);
	if (op != CMP && to_rm && !rm_store(i, result))
		return false;
	if (op != CMP && !to_rm)
		reg_set(i, i->reg, result);
	arithmetic_flags(i, op, a, b, result);
	return step(i);
}

static bool arithmetic_immediate(struct insn *i, size_t size)
{
	uint64_t a;
	int64_t imm;

	if (!do_modrm(i, size, &imm) || !rm_load(i, &a))
		return false;
	unsigned op = i->reg & 7;
	uint64_t b = narrow(imm, i->width), result = compute(i, op, a, b);
	if (op != CMP && !rm_store(i, result))
		return false;
	arithmetic_flags(i, op, a, b, result);
	return step(i);
}

static size_t immediate_size(const struct insn *i)
{
	return i->width == 1 ? 1 : 4;
}

/* op eax, imm */
static bool arithmetic_accumulator(struct insn *i, unsigned op)
{
	int64_t imm;

	if (!fetch_signed(i, immediate_size(i), &imm))
		return false;
	uint64_t a = reg_get(i, 0), b = narrow(imm, i->width), result = compute(i, op, a, b);
	if (op != CMP)
		reg_set(i, 0, result);
	arithmetic_flags(i, op, a, b, result);
	return step(i);
}

/* inc and dec leave the carry alone. */
static void count_flags(struct insn *i, unsigned op, uint64_t a, uint64_t result)
{
	uint64_t carry = i->regs->eflags & CF;

	arithmetic_flags(i, op, a, 1, result);
	i->regs->eflags = (i->regs->eflags & ~(uint64_t)CF) | carry;
}

static bool count_reg(struct insn *i, unsigned n, unsigned op)
{
	uint64_t a = reg_get(i, n), result = compute(i, op, a, 1);

	reg_set(i, n, result);
	count_flags(i, op, a, result);
	return step(i);
}

static bool count_rm(struct insn *i, unsigned op)
{
	uint64_t a;

	if (!rm_load(i, &a))
		return false;
	uint64_t result = compute(i, op, a, 1);
	if (!rm_store(i, result))
		return false;
	count_flags(i, op, a, result);
	return step(i);
}

static bool test(struct insn *i)
{
	uint64_t rm;

	if (!do_modrm(i, 0, NULL) || !rm_load(i, &rm))
		return false;
	set_flags(i, rm & reg_get(i, i->reg), 0);
	return step(i);
}

static bool test_accumulator(struct insn *i)
{
	int64_t imm;

	if (!fetch_signed(i, immediate_size(i), &imm))
		return false;
	set_flags(i, reg_get(i, 0) & narrow(imm, i->width), 0);
	return step(i);
}

/* f6, f7: test with an immediate, not, neg; multiplications and divisions are refused. */
static bool group_f7(struct insn *i)
{
	uint64_t a;
	int64_t imm = 0;

	if (i->at >= i->len)
		return false;
	unsigned op = i->bytes[i->at] >> 3 & 7;
	if (op == 1 || op > 3 || !do_modrm(i, op == 0 ? immediate_size(i) : 0, &imm) || !rm_load(i, &a))
		return false;
	if (op == 0) {
		set_flags(i, a & narrow(imm, i->width), 0);
		return step(i);
	}
	if (!rm_store(i, op == 2 ? narrow(~a, i->width) : compute(i, SUB, 0, a)))
		return false;
	if (op == 3)
		arithmetic_flags(i, SUB, 0, a, compute(i, SUB, 0, a));
	return step(i);
}

static bool move(struct insn *i, bool to_rm)
{
	uint64_t value;

	if (!do_modrm(i, 0, NULL))
		return false;
	if (to_rm)
		return rm_store(i, reg_get(i, i->reg)) && step(i);
	if (!rm_load(i, &value))
		return false;
	reg_set(i, i->reg, value);
	return step(i);
}

static bool load_address(struct insn *i)
{
	if (!do_modrm(i, 0, NULL) || i->is_register)
		return false;
	reg_set(i, i->reg, i->address);
	return step(i);
}

/* movzx, movsx, movsxd */
static bool move_extended(struct insn *i, unsigned from, bool is_signed)
{
	unsigned to = i->width;
	uint64_t value;

	i->width = from;
	if (!do_modrm(i, 0, NULL) || !rm_load(i, &value))
		return false;
	i->width = to;
	if (is_signed)
		value = from == 1 ? (uint64_t)(int8_t)value : (uint64_t)(int32_t)value;
	reg_set(i, i->reg, value);
	return step(i);
}

static bool move_immediate_rm(struct insn *i)
{
	int64_t imm;

	if (!do_modrm(i, immediate_size(i), &imm) || (i->reg & 7) != 0 || !rm_store(i, imm))
		return false;
	return step(i);
}

static bool move_immediate_reg(struct insn *i, unsigned n)
{
	uint64_t imm = 0;

	if (!fetch(i, &imm, i->width))
		return false;
	reg_set(i, n, imm);
	return step(i);
}

static bool push_reg(struct insn *i, unsigned n)
{
	return push(i, *reg(i, n)) && step(i);
}

static bool pop_reg(struct insn *i, unsigned n)
{
	uint64_t value;

	if (!pop(i, &value))
		return false;
	*reg(i, n) = value; /* pop rsp: the value wins over the increment */
	return step(i);
}

static bool push_immediate(struct insn *i, size_t size)
{
	int64_t imm;

	return fetch_signed(i, size, &imm) && push(i, imm) && step(i);
}

static bool leave(struct insn *i)
{
	uint64_t value, frame = narrow(i->regs->rbp, stack_width(i));

	if (!load(i, frame, stack_width(i), &value))
		return false;
	i->regs->rsp = narrow(frame + stack_width(i), stack_width(i));
	i->regs->rbp = value;
	return step(i);
}

static bool ret(struct insn *i, size_t immediate)
{
	uint64_t pc;
	uint16_t drop = 0;

	if (!fetch(i, &drop, immediate) || !pop(i, &pc))
		return false;
	i->regs->rsp = narrow(i->regs->rsp + drop, stack_width(i));
	return done(i, pc);
}

static bool jump(struct insn *i, size_t size)
{
	int64_t offset;

	return fetch_signed(i, size, &offset) && done(i, next_pc(i) + offset);
}

static bool call_to(struct insn *i, uint64_t pc)
{
	return pc_valid(i, pc) && push(i, next_pc(i)) && done(i, pc);
}

static bool call(struct insn *i)
{
	int64_t offset;

	return fetch_signed(i, 4, &offset) && call_to(i, next_pc(i) + offset);
}

/* ff: inc, dec, call, jmp and push of registers and memory. */
static bool group_ff(struct insn *i)
{
	uint64_t value;

	if (!do_modrm(i, 0, NULL))
		return false;
	unsigned op = i->reg & 7;
	if (op < 2)
		return count_rm(i, op ? SUB : ADD);
	if (i->width == 1)
		return false;
	i->width = stack_width(i);
	if ((op & 1) || !rm_load(i, &value)) /* odd: far, or undefined */
		return false;
	if (op == 2)
		return call_to(i, value);
	return op == 4 ? done(i, value) : push(i, value) && step(i);
}

static bool condition(const struct insn *i, unsigned code)
{
	uint64_t f = i->regs->eflags;
	bool less = !(f & SF) != !(f & OF);
	const bool holds[8] = {f & OF, f & CF, f & ZF, f & (CF | ZF), f & SF, f & PF, less, (f & ZF) || less};

	return holds[code >> 1 & 7] != (code & 1);
}

static bool jump_if(struct insn *i, unsigned code, size_t size)
{
	int64_t offset;

	if (!fetch_signed(i, size, &offset))
		return false;
	return done(i, next_pc(i) + (condition(i, code) ? offset : 0));
}

static bool set_if(struct insn *i, unsigned code)
{
	i->width = 1;
	return do_modrm(i, 0, NULL) && rm_store(i, condition(i, code)) && step(i);
}

/* Memory is read, and the upper half cleared, whether or not it moves. */
static bool move_if(struct insn *i, unsigned code)
{
	uint64_t value;

	if (!do_modrm(i, 0, NULL) || !rm_load(i, &value))
		return false;
	reg_set(i, i->reg, condition(i, code) ? value : *reg(i, i->reg));
	return step(i);
}

/* --- opcodes --------------------------------------------------------------------------------- */

static bool two_byte(struct insn *i)
{
	uint8_t opcode;

	if (!fetch(i, &opcode, 1))
		return false;
	switch (opcode) {
	case 0x1f: /* nop r/m */
		return do_modrm(i, 0, NULL) && (i->reg & 7) == 0 && step(i);
	case 0x40 ... 0x4f:
		return move_if(i, opcode);
	case 0x80 ... 0x8f:
		return jump_if(i, opcode, 4);
	case 0x90 ... 0x9f:
		return set_if(i, opcode);
	case 0xb6:
	case 0xbe:
		return move_extended(i, 1, opcode == 0xbe);
	default:
		return false;
	}
}

static bool group_arithmetic(struct insn *i, uint8_t opcode)
{
	if (opcode >= 0x40)
		return false;
	switch (opcode & 7) {
	case 1:
		return arithmetic(i, opcode >> 3, true);
	case 3:
		return arithmetic(i, opcode >> 3, false);
	case 5:
		return arithmetic_accumulator(i, opcode >> 3);
	default:
		return false;
	}
}

/* Known for bytes as well, by the opcode of full width less one. */
static bool has_byte_form(uint8_t opcode)
{
	static const uint8_t others[] = {0x81, 0x85, 0x89, 0x8b, 0xa9, 0xc7, 0xf7, 0xff};

	return opcode < 0x40 ? (opcode & 7) <= 5 : memchr(others, opcode, sizeof others) != NULL;
}

static bool one_byte(struct insn *i, uint8_t opcode)
{
	unsigned low = (opcode & 7) | (i->rex & 1) << 3;

	if (!(opcode & 1) && has_byte_form(opcode | 1)) {
		i->width = 1;
		opcode |= 1;
	}
	switch (opcode) {
	case 0x40 ... 0x4f: /* not in long mode, where it is REX */
		return !i->long_mode && count_reg(i, opcode & 7, opcode & 8 ? SUB : ADD);
	case 0x50 ... 0x57:
		return push_reg(i, low);
	case 0x58 ... 0x5f:
		return pop_reg(i, low);
	case 0x63: /* not in long mode: arpl */
		return i->long_mode && move_extended(i, 4, true);
	case 0x68:
		return push_immediate(i, 4);
	case 0x6a:
		return push_immediate(i, 1);
	case 0x70 ... 0x7f:
		return jump_if(i, opcode, 1);
	case 0x81:
		return arithmetic_immediate(i, immediate_size(i));
	case 0x83:
		return arithmetic_immediate(i, 1);
	case 0x85:
		return test(i);
	case 0x89:
	case 0x8b:
		return move(i, opcode == 0x89);
	case 0x8d:
		return load_address(i);
	case 0x90:
		return i->rex == 0 && step(i); /* with REX.B an exchange */
	case 0xa9:
		return test_accumulator(i);
	case 0xb0 ... 0xb7:
		i->width = 1;
		return move_immediate_reg(i, low);
	case 0xb8 ... 0xbf:
		return move_immediate_reg(i, low);
	case 0xc2:
		return ret(i, 2);
	case 0xc3:
		return ret(i, 0);
	case 0xc7:
		return move_immediate_rm(i);
	case 0xc9:
		return leave(i);
	case 0xe8:
		return call(i);
	case 0xe9:
		return jump(i, 4);
	case 0xeb:
		return jump(i, 1);
	case 0xf7:
		return group_f7(i);
	case 0xff:
		return group_ff(i);
	case 0x0f:
		return two_byte(i);
	default:
		return group_arithmetic(i, opcode);
	}
}

static bool is_endbr(const struct insn *i)
{
	static const uint8_t endbr[3] = {0xf3, 0x0f, 0x1e};

	return i->len >= 4 && memcmp(i->bytes, endbr, 3) == 0 && (i->bytes[3] == 0xfa || i->bytes[3] == 0xfb);
}

/* 66 before a nop changes nothing. */
static bool is_wide_nop(const struct insn *i)
{
	return i->len >= 2 && i->bytes[0] == 0x66 && i->bytes[1] == 0x90;
}

static bool run(struct insn *i)
{
	uint8_t opcode;

	if (is_endbr(i) || is_wide_nop(i)) {
		i->at = i->bytes[0] == 0x66 ? 2 : 4;
		return step(i);
	}
	if (i->len >= 3 && i->bytes[0] == 0x66 && i->bytes[1] == 0x0f && i->bytes[2] == 0x1f)
		i->at = 1;
	if (!fetch(i, &opcode, 1))
		return false;
	if (i->long_mode && (opcode & 0xf0) == 0x40) {
		i->rex = opcode;
		i->width = opcode & 8 ? 8 : 4;
		if (!fetch(i, &opcode, 1))
			return false;
	}
	return one_byte(i, opcode);
}

/* In long mode the bases of these are 0 whatever they are. */
static bool is_flat(const struct stasis_regs_x86 *regs, bool long_mode)
{
	return long_mode || (regs->cs == USER32_CS && regs->ss == USER_DS && regs->ds == USER_DS);
}

bool sts_arch_emulate(struct stasis_regs_x86 *regs, const uint8_t *bytes, size_t len, bool long_mode,
		      const struct sts_arch_mem *mem)
{
	struct stasis_regs_x86 copy = *regs;
	struct insn i = {.regs = &copy, .mem = mem, .bytes = bytes, .len = len, .long_mode = long_mode, .width = 4};

	if ((regs->eflags & (TRAP_FLAG | ALIGNMENT_CHECK)) || !is_flat(regs, long_mode) || !run(&i))
		return false;
	copy.eflags &= ~(uint64_t)RESUME_FLAG;
	*regs = copy;
	return true;
}
