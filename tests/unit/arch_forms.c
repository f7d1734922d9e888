// SPDX-License-Identifier: BSD-2-Clause
#include "arch_forms.h"

#include <string.h>

#define ARITHMETIC(name_, n_, flags_)                                                                                  \
	{name_ " rm,r", {(n_) << 3 | 1}, 1, SHAPE_RM, -1, 0, flags_},                                                  \
		{name_ " r,rm", {(n_) << 3 | 3}, 1, SHAPE_RM, -1, 0, flags_},                                          \
		{name_ " m,r", {(n_) << 3 | 1}, 1, SHAPE_RM_MEM, -1, 0, flags_},                                       \
		{name_ " eax,imm", {(n_) << 3 | 5}, 1, SHAPE_PLAIN, -1, 4, flags_},                                    \
		{name_ " rm,imm8", {0x83}, 1, SHAPE_RM, n_, 1, flags_},                                                \
		{name_ " rm,imm32", {0x81}, 1, SHAPE_RM, n_, 4, flags_},                                               \
		{name_ " rm8,r8", {(n_) << 3}, 1, SHAPE_RM, -1, 0, flags_},                                            \
		{name_ " r8,rm8", {(n_) << 3 | 2}, 1, SHAPE_RM, -1, 0, flags_},                                        \
		{name_ " al,imm8", {(n_) << 3 | 4}, 1, SHAPE_PLAIN, -1, 1, flags_},                                    \
	{                                                                                                              \
		name_ " rm8,imm8", {0x80}, 1, SHAPE_RM, n_, 1, flags_                                                  \
	}

const struct form forms[] = {
	{"endbr64", {0xf3, 0x0f, 0x1e, 0xfa}, 4, SHAPE_PLAIN, -1, 0, FORM_NO_REX},
	{"endbr32", {0xf3, 0x0f, 0x1e, 0xfb}, 4, SHAPE_PLAIN, -1, 0, FORM_NO_REX},
	{"nop", {0x90}, 1, SHAPE_PLAIN, -1, 0, FORM_NO_REX},
	{"66 nop", {0x66, 0x90}, 2, SHAPE_PLAIN, -1, 0, FORM_NO_REX},
	{"nop rm", {0x0f, 0x1f}, 2, SHAPE_RM, 0, 0, 0},
	{"66 nop rm", {0x66, 0x0f, 0x1f}, 3, SHAPE_RM, 0, 0, FORM_NO_REX},
	{"push r", {0x50}, 1, SHAPE_REG, -1, 0, 0},
	{"push imm8", {0x6a}, 1, SHAPE_PLAIN, -1, 1, 0},
	{"push imm32", {0x68}, 1, SHAPE_PLAIN, -1, 4, 0},
	{"push rm", {0xff}, 1, SHAPE_RM, 6, 0, 0},
	{"pop r", {0x58}, 1, SHAPE_REG, -1, 0, 0},
	{"mov rm,r", {0x89}, 1, SHAPE_RM, -1, 0, 0},
	{"mov r,rm", {0x8b}, 1, SHAPE_RM, -1, 0, 0},
	{"mov rm,imm", {0xc7}, 1, SHAPE_RM, 0, 4, 0},
	{"mov r,imm", {0xb8}, 1, SHAPE_REG, -1, IMM_FULL, 0},
	{"mov rm8,r8", {0x88}, 1, SHAPE_RM, -1, 0, 0},
	{"mov r8,rm8", {0x8a}, 1, SHAPE_RM, -1, 0, 0},
	{"mov rm8,imm8", {0xc6}, 1, SHAPE_RM, 0, 1, 0},
	{"mov r8,imm8", {0xb0}, 1, SHAPE_REG, -1, 1, 0},
	{"movzx r,rm8", {0x0f, 0xb6}, 2, SHAPE_RM, -1, 0, 0},
	{"movsx r,rm8", {0x0f, 0xbe}, 2, SHAPE_RM, -1, 0, 0},
	{"movsxd r,rm", {0x63}, 1, SHAPE_RM, -1, 0, FORM_64},
	{"cmovcc", {0x0f, 0x40}, 2, SHAPE_RM_CC, -1, 0, 0},
	{"setcc", {0x0f, 0x90}, 2, SHAPE_RM_CC, 0, 0, 0},
	{"lea", {0x8d}, 1, SHAPE_RM_MEM, -1, 0, 0},
	ARITHMETIC("add", 0, 0),
	ARITHMETIC("or", 1, FORM_NO_AF),
	ARITHMETIC("adc", 2, 0),
	ARITHMETIC("sbb", 3, 0),
	ARITHMETIC("and", 4, FORM_NO_AF),
	ARITHMETIC("sub", 5, 0),
	ARITHMETIC("xor", 6, FORM_NO_AF),
	ARITHMETIC("cmp", 7, 0),
	{"test", {0x85}, 1, SHAPE_RM, -1, 0, FORM_NO_AF},
	{"test eax,imm", {0xa9}, 1, SHAPE_PLAIN, -1, 4, FORM_NO_AF},
	{"test rm,imm", {0xf7}, 1, SHAPE_RM, 0, 4, FORM_NO_AF},
	{"test rm8,r8", {0x84}, 1, SHAPE_RM, -1, 0, FORM_NO_AF},
	{"test al,imm8", {0xa8}, 1, SHAPE_PLAIN, -1, 1, FORM_NO_AF},
	{"test rm8,imm8", {0xf6}, 1, SHAPE_RM, 0, 1, FORM_NO_AF},
	{"not rm", {0xf7}, 1, SHAPE_RM, 2, 0, 0},
	{"not rm8", {0xf6}, 1, SHAPE_RM, 2, 0, 0},
	{"neg rm", {0xf7}, 1, SHAPE_RM, 3, 0, 0},
	{"neg rm8", {0xf6}, 1, SHAPE_RM, 3, 0, 0},
	{"inc rm", {0xff}, 1, SHAPE_RM, 0, 0, 0},
	{"dec rm", {0xff}, 1, SHAPE_RM, 1, 0, 0},
	{"inc m", {0xff}, 1, SHAPE_RM_MEM, 0, 0, 0},
	{"inc rm8", {0xfe}, 1, SHAPE_RM, 0, 0, 0},
	{"dec rm8", {0xfe}, 1, SHAPE_RM, 1, 0, 0},
	{"inc r", {0x40}, 1, SHAPE_REG, -1, 0, FORM_32},
	{"dec r", {0x48}, 1, SHAPE_REG, -1, 0, FORM_32},
	{"ret", {0xc3}, 1, SHAPE_PLAIN, -1, 0, 0},
	{"ret imm16", {0xc2}, 1, SHAPE_PLAIN, -1, 2, 0},
	{"call rel32", {0xe8}, 1, SHAPE_PLAIN, -1, 4, 0},
	{"call rm", {0xff}, 1, SHAPE_RM, 2, 0, 0},
	{"jmp rel8", {0xeb}, 1, SHAPE_PLAIN, -1, 1, 0},
	{"jmp rel32", {0xe9}, 1, SHAPE_PLAIN, -1, 4, 0},
	{"jmp rm", {0xff}, 1, SHAPE_RM, 4, 0, 0},
	{"jcc rel8", {0x70}, 1, SHAPE_CC, -1, 1, 0},
	{"jcc rel32", {0x0f, 0x80}, 2, SHAPE_CC, -1, 4, 0},
	{"leave", {0xc9}, 1, SHAPE_PLAIN, -1, 0, 0},
};
const size_t n_forms = sizeof(forms) / sizeof(*forms);

/* --- values ---------------------------------------------------------------------- */

static uint64_t below(uint64_t *random, uint64_t n)
{
	return sts_random(random) % n;
}

uint64_t trial_pointer(uint64_t *random)
{
	if (below(random, 8) == 0) /* an edge, also those of the lab */
		return LAB_BASE + below(random, LAB_SIZE / LAB_PAGE + 1) * LAB_PAGE - 16 + below(random, 32);
	uint64_t addr = LAB_DATA + 64 + below(random, LAB_DATA_END - LAB_DATA - 128);
	return below(random, 2) ? addr & ~UINT64_C(7) : addr;
}

uint64_t trial_value(uint64_t *random)
{
	static const uint64_t edges[] = {0,	     1,
					 2,	     0xf,
					 0x10,	     0x7f,
					 0x80,	     0xff,
					 0x7fffffff, 0x80000000,
					 0xffffffff, 0x100000000,
					 INT64_MAX,  INT64_MAX + UINT64_C(1),
					 UINT64_MAX, UINT64_MAX - 1};

	switch (below(random, 4)) {
	case 0:
		return edges[below(random, sizeof(edges) / sizeof(*edges))];
	case 1:
		return sts_random(random);
	case 2:
		return (uint64_t)(int32_t)sts_random(random);
	default:
		return trial_pointer(random);
	}
}

/* All that changes nothing but what the instruction itself does; the rest now and then. */
uint64_t trial_flags(uint64_t *random)
{
	uint64_t flags = 0x202 | (sts_random(random) & 0xcd5);

	if (below(random, 8) == 0)
		flags |= 0x10000; /* resume */
	if (below(random, 64) == 0)
		flags |= 0x40000; /* alignment check */
	return flags;
}

uint64_t *trial_reg(struct stasis_regs_x86 *r, int n)
{
	uint64_t *const all[16] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
				   &r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15};

	return all[n];
}

static void choose_registers(struct trial *t, uint64_t *random)
{
	for (int n = 0; n < 16; n++)
		*trial_reg(&t->regs, n) = trial_value(random);
	t->regs.rsp = trial_pointer(random);
	t->regs.rbp = trial_pointer(random);
	t->regs.eflags = trial_flags(random);
	for (int n = 0; n < 8 && !t->long_mode; n++)
		*trial_reg(&t->regs, n) &= UINT32_MAX;
}

/* --- encoding -------------------------------------------------------------------- */

static void put(struct trial *t, uint64_t value, size_t n)
{
	memcpy(t->code + t->len, &value, n);
	t->len += n;
}

static void put_sib(struct trial *t, unsigned mod, unsigned rex, uint64_t *random)
{
	unsigned byte = below(random, 256);

	put(t, byte, 1);
	t->scale = byte >> 6;
	t->index = (int)((byte >> 3 & 7) | (rex & 2) << 2);
	if (t->index == 4)
		t->index = NO_REGISTER;
	t->base = (int)((byte & 7) | (rex & 1) << 3);
	if ((byte & 7) == 5 && mod == 0)
		t->base = NO_REGISTER;
}

static void put_memory(struct trial *t, unsigned mod, unsigned rm, unsigned rex, uint64_t *random)
{
	t->has_memory = true;
	t->index = NO_REGISTER;
	if (rm == 4)
		put_sib(t, mod, rex, random);
	else if (rm == 5 && mod == 0)
		t->base = t->long_mode ? PC_REGISTER : NO_REGISTER;
	else
		t->base = (int)(rm | (rex & 1) << 3);
	t->disp_size = mod == 1 ? 1 : mod == 2 || t->base < 0 ? 4 : 0;
	t->disp = (int32_t)sts_random(random) >> (t->disp_size == 1 ? 24 : below(random, 32));
	if (t->disp_size == 0)
		t->disp = 0;
	t->disp_at = t->len;
	put(t, (uint64_t)t->disp, t->disp_size);
}

static void put_modrm(struct trial *t, unsigned rex, uint64_t *random)
{
	const struct form *f = t->form;
	unsigned mod = below(random, f->shape == SHAPE_RM_MEM ? 3 : 4);
	unsigned rm = below(random, 8), reg = f->digit >= 0 ? (unsigned)f->digit : below(random, 8);

	put(t, mod << 6 | reg << 3 | rm, 1);
	if (mod != 3)
		put_memory(t, mod, rm, rex, random);
}

static void put_immediate(struct trial *t, unsigned rex, uint64_t *random)
{
	unsigned size = t->form->immediate;

	if (size == IMM_FULL)
		size = rex & 8 ? 8 : 4;
	/* small ones more often: a distance that stays in user space */
	put(t, below(random, 2) ? trial_value(random) : (uint64_t)(int8_t)sts_random(random), size);
}

static void encode(struct trial *t, uint64_t *random)
{
	static const uint8_t in_opcode[] = {
		[SHAPE_REG] = 7, [SHAPE_CC] = 15, [SHAPE_RM_CC] = 15, [SHAPE_RM_MEM] = 0 /* none */};
	const struct form *f = t->form;
	unsigned rex = 0;

	if (t->long_mode && !(f->flags & FORM_NO_REX) && below(random, 2)) {
		rex = 0x40 | below(random, 16);
		put(t, rex, 1);
	}
	memcpy(t->code + t->len, f->bytes, f->n_bytes);
	t->len += f->n_bytes;
	t->code[t->len - 1] |= sts_random(random) & in_opcode[f->shape];
	if (f->shape >= SHAPE_RM)
		put_modrm(t, rex, random);
	put_immediate(t, rex, random);
}

/* --- registers that make the memory operand lie at an address ---------------------- */

static void set(struct trial *t, int n, uint64_t value)
{
	*trial_reg(&t->regs, n) = t->long_mode ? value : (uint32_t)value;
}

static void set_disp(struct trial *t, uint64_t value)
{
	t->disp = (int32_t)value;
	memcpy(t->code + t->disp_at, &t->disp, 4);
}

static void aim(struct trial *t, uint64_t target)
{
	uint64_t rest = target - (uint64_t)(int64_t)t->disp;

	if (t->base == PC_REGISTER) {
		set_disp(t, target - (t->regs.rip + t->len));
	} else if (t->base < 0 && t->index < 0) {
		set_disp(t, target);
	} else if (t->base < 0) {
		set(t, t->index, (uint64_t)((int64_t)rest >> t->scale));
	} else if (t->base == t->index) {
		set(t, t->base, (uint64_t)((int64_t)rest / (1 + (1 << t->scale))));
	} else {
		uint64_t index = t->index < 0 ? 0 : *trial_reg(&t->regs, t->index) << t->scale;

		set(t, t->base, rest - index);
	}
}

uint64_t trial_address(const struct trial *t)
{
	struct stasis_regs_x86 regs = t->regs;
	uint64_t addr = (uint64_t)(int64_t)t->disp;

	if (t->base == PC_REGISTER)
		addr += regs.rip + t->len;
	else if (t->base >= 0)
		addr += *trial_reg(&regs, t->base);
	if (t->index >= 0)
		addr += *trial_reg(&regs, t->index) << t->scale;
	return t->long_mode ? addr : (uint32_t)addr;
}

void trial_make(struct trial *t, const struct form *form, bool long_mode, const struct stasis_regs_x86 *regs,
		uint64_t *random)
{
	*t = (struct trial){.form = form, .long_mode = long_mode, .regs = *regs};
	choose_registers(t, random);
	encode(t, random);
	if (t->has_memory && below(random, 12) != 0)
		aim(t, trial_pointer(random));
}
