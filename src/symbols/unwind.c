// SPDX-License-Identifier: BSD-2-Clause
#include "symbols/unwind.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#define EXPRESSION_DEPTH 32
#define FRAME_LARGEST ((uint64_t)1 << 24) /* between a frame pointer and the next */

enum { BP_WIDE = 6, SP_WIDE = 7, PC_WIDE = 16, SP_NARROW = 4, BP_NARROW = 5, PC_NARROW = 8 };

unsigned sts_frame_pc(const struct sts_frame *f)
{
	return f->wide ? PC_WIDE : PC_NARROW;
}

unsigned sts_frame_sp(const struct sts_frame *f)
{
	return f->wide ? SP_WIDE : SP_NARROW;
}

static unsigned count_regs(bool wide)
{
	return wide ? PC_WIDE + 1 : PC_NARROW + 1;
}

/* --- reading rows ------------------------------------------------------------------------ */

/* Expressions are interned in the CFI; a plain rule's operations die with the Dwarf_Frame. */
static void keep_expression(struct sts_rule *rule, enum sts_rule_kind kind, const Dwarf_Op *ops, size_t n)
{
	rule->kind = kind;
	rule->ops = ops;
	rule->n_ops = n;
}

static void read_cfa(const Dwarf_Op *ops, size_t n, struct sts_rule *ret)
{
	if (n == 1 && ops[0].atom == DW_OP_bregx)
		*ret = (struct sts_rule){STS_RULE_REGISTER, (unsigned)ops[0].number, (int64_t)ops[0].number2, NULL, 0};
	else
		keep_expression(ret, STS_RULE_VALUE, ops, n);
}

/* mem: the room that simple rules are put in. */
static void read_rule(const Dwarf_Op *ops, size_t n, const Dwarf_Op *mem, struct sts_rule *ret)
{
	*ret = (struct sts_rule){0};
	if (n == 0) {
		ret->kind = ops == mem ? STS_RULE_UNDEFINED : STS_RULE_SAME;
		return;
	}
	bool value = ops[n - 1].atom == DW_OP_stack_value;
	bool offset = n > 1 && ops[1].atom == DW_OP_plus_uconst;
	/* Expressions begin with the CFA too. */
	if (ops[0].atom == DW_OP_call_frame_cfa && n == 1u + offset + value) {
		ret->kind = value ? STS_RULE_CFA : STS_RULE_AT_CFA;
		ret->offset = offset ? (int64_t)ops[1].number : 0;
	} else if (ops[0].atom == DW_OP_regx && n == 1) {
		ret->kind = STS_RULE_REGISTER;
		ret->number = (unsigned)ops[0].number;
	} else {
		keep_expression(ret, value ? STS_RULE_VALUE : STS_RULE_SAVED, ops, n);
	}
}

static bool read_row(Dwarf_Frame *frame, bool wide, struct sts_row *row)
{
	Dwarf_Op *ops, mem[3];
	Dwarf_Addr start, end;
	size_t n;
	int ra = dwarf_frame_info(frame, &start, &end, &row->signal);

	if (ra < 0 || ra >= (int)count_regs(wide) || dwarf_frame_cfa(frame, &ops, &n) != 0 || n == 0)
		return false;
	row->return_address = (unsigned)ra;
	read_cfa(ops, n, &row->cfa);
	for (unsigned i = 0; i < count_regs(wide); i++) {
		if (dwarf_frame_register(frame, (int)i, mem, &ops, &n) != 0)
			return false;
		read_rule(ops, n, mem, &row->regs[i]);
	}
	return true;
}

bool sts_row_find(Dwarf_CFI *cfi, Dwarf_Addr pc, bool wide, struct sts_row *ret)
{
	Dwarf_Frame *frame;

	if (!cfi || dwarf_cfi_addrframe(cfi, pc, &frame) != 0)
		return false;
	memset(ret, 0, sizeof(*ret));
	bool ok = read_row(frame, wide, ret);
	free(frame);
	return ok;
}

/* --- applying them ------------------------------------------------------------------------- */

struct machine {
	const struct sts_frame *frame;
	sts_read_fn read;
	void *arg;
	uint64_t cfa;
	uint64_t stack[EXPRESSION_DEPTH];
	size_t n;
};

static uint64_t narrow(const struct sts_frame *f, uint64_t value)
{
	return f->wide ? value : value & UINT32_MAX;
}

static bool read_word(struct machine *m, uint64_t address, uint64_t *ret)
{
	uint64_t word = 0;

	if (!m->read(m->arg, narrow(m->frame, address), &word, m->frame->wide ? 8 : 4))
		return false;
	*ret = word;
	return true;
}

static bool get_register(const struct sts_frame *f, unsigned number, uint64_t *ret)
{
	if (number >= STS_FRAME_REGS || !(f->known & 1u << number))
		return false;
	*ret = f->regs[number];
	return true;
}

static bool push(struct machine *m, uint64_t value)
{
	if (m->n == EXPRESSION_DEPTH)
		return false;
	m->stack[m->n++] = value;
	return true;
}

static bool push_register(struct machine *m, unsigned number, uint64_t offset)
{
	uint64_t value;

	return get_register(m->frame, number, &value) && push(m, value + offset);
}

static bool binary(struct machine *m, unsigned atom)
{
	if (m->n < 2)
		return false;
	uint64_t b = m->stack[--m->n], *a = &m->stack[m->n - 1];

	switch (atom) {
	case DW_OP_plus:
		*a += b;
		return true;
	case DW_OP_minus:
		*a -= b;
		return true;
	case DW_OP_mul:
		*a *= b;
		return true;
	case DW_OP_and:
		*a &= b;
		return true;
	case DW_OP_or:
		*a |= b;
		return true;
	case DW_OP_xor:
		*a ^= b;
		return true;
	case DW_OP_shl:
		*a = b < 64 ? *a << b : 0;
		return true;
	case DW_OP_shr:
		*a = b < 64 ? *a >> b : 0;
		return true;
	case DW_OP_eq:
		*a = *a == b;
		return true;
	case DW_OP_ne:
		*a = *a != b;
		return true;
	case DW_OP_ge:
		*a = (int64_t)*a >= (int64_t)b;
		return true;
	case DW_OP_gt:
		*a = (int64_t)*a > (int64_t)b;
		return true;
	case DW_OP_le:
		*a = (int64_t)*a <= (int64_t)b;
		return true;
	case DW_OP_lt:
		*a = (int64_t)*a < (int64_t)b;
		return true;
	default:
		return false;
	}
}

static bool operate(struct machine *m, const Dwarf_Op *op)
{
	unsigned atom = op->atom;

	if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
		return push_register(m, atom - DW_OP_breg0, op->number);
	if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
		return push(m, atom - DW_OP_lit0);
	switch (atom) {
	case DW_OP_bregx:
		return push_register(m, (unsigned)op->number, op->number2);
	case DW_OP_call_frame_cfa:
		return push(m, m->cfa);
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		return push(m, op->number);
	case DW_OP_plus_uconst:
		if (m->n == 0)
			return false;
		m->stack[m->n - 1] += op->number;
		return true;
	case DW_OP_dup:
		return m->n > 0 && push(m, m->stack[m->n - 1]);
	case DW_OP_deref:
		return m->n > 0 && read_word(m, m->stack[m->n - 1], &m->stack[m->n - 1]);
	case DW_OP_nop:
	case DW_OP_stack_value:
		return true;
	default:
		return binary(m, atom);
	}
}

static bool evaluate(struct machine *m, const struct sts_rule *rule, uint64_t *ret)
{
	m->n = 0;
	for (size_t i = 0; i < rule->n_ops; i++)
		if (!operate(m, &rule->ops[i]))
			return false;
	if (m->n == 0)
		return false;
	*ret = m->stack[m->n - 1];
	return true;
}

static bool find_cfa(struct machine *m, const struct sts_rule *rule)
{
	if (rule->kind != STS_RULE_REGISTER)
		return evaluate(m, rule, &m->cfa);
	if (!get_register(m->frame, rule->number, &m->cfa))
		return false;
	m->cfa += (uint64_t)rule->offset;
	return true;
}

static bool find_register(struct machine *m, const struct sts_rule *rule, unsigned number, uint64_t *ret)
{
	switch (rule->kind) {
	case STS_RULE_SAME:
		return get_register(m->frame, number, ret);
	case STS_RULE_REGISTER:
		return get_register(m->frame, rule->number, ret);
	case STS_RULE_AT_CFA:
		return read_word(m, m->cfa + (uint64_t)rule->offset, ret);
	case STS_RULE_CFA:
		*ret = m->cfa + (uint64_t)rule->offset;
		return true;
	case STS_RULE_SAVED:
		return evaluate(m, rule, ret) && read_word(m, *ret, ret);
	case STS_RULE_VALUE:
		return evaluate(m, rule, ret);
	default:
		return false;
	}
}

/* A caller's frame is above its callee's, unless a signal changed the stack; or there would be no end to it. */
static bool is_above(const struct sts_frame *f, const struct sts_frame *caller, bool signal)
{
	unsigned sp = sts_frame_sp(f);

	return signal || caller->regs[sp] > f->regs[sp] ||
	       (caller->regs[sp] == f->regs[sp] && caller->regs[sts_frame_pc(f)] != f->regs[sts_frame_pc(f)]);
}

bool sts_row_apply(const struct sts_row *row, struct sts_frame *f, sts_read_fn read, void *arg)
{
	struct machine m = {.frame = f, .read = read, .arg = arg};
	struct sts_frame caller = {.wide = f->wide};
	unsigned pc = sts_frame_pc(f);

	if (!find_cfa(&m, &row->cfa))
		return false;
	m.cfa = narrow(f, m.cfa);
	for (unsigned i = 0; i < count_regs(f->wide); i++) {
		if (!find_register(&m, &row->regs[i], i, &caller.regs[i]))
			continue;
		caller.regs[i] = narrow(f, caller.regs[i]);
		caller.known |= 1u << i;
	}
	if (!get_register(&caller, row->return_address, &caller.regs[pc]) || caller.regs[pc] == 0)
		return false;
	caller.known |= 1u << pc;
	if (!(caller.known & 1u << sts_frame_sp(f)) || !is_above(f, &caller, row->signal))
		return false;
	*f = caller;
	return true;
}

bool sts_frame_pointer_apply(struct sts_frame *f, sts_read_fn read, void *arg)
{
	struct machine m = {.frame = f, .read = read, .arg = arg};
	unsigned bp = f->wide ? BP_WIDE : BP_NARROW, pc = sts_frame_pc(f), sp = sts_frame_sp(f);
	uint64_t at, size = f->wide ? 8 : 4, next, caller;

	if (!get_register(f, bp, &at) || at % size != 0 || at < f->regs[sp] || at - f->regs[sp] > FRAME_LARGEST)
		return false;
	if (!read_word(&m, at, &next) || !read_word(&m, at + size, &caller) || caller == 0)
		return false;
	f->regs[bp] = next;
	f->regs[sp] = at + 2 * size;
	f->regs[pc] = caller;
	f->known = 1u << bp | 1u << sp | 1u << pc;
	return true;
}

bool sts_frame_bare_apply(struct sts_frame *f, sts_read_fn read, void *arg)
{
	struct machine m = {.frame = f, .read = read, .arg = arg};
	unsigned pc = sts_frame_pc(f), sp = sts_frame_sp(f);

	if (!read_word(&m, f->regs[sp], &f->regs[pc]) || f->regs[pc] == 0)
		return false;
	f->regs[sp] += f->wide ? 8 : 4;
	return true;
}

bool sts_is_call(const unsigned char before[STS_CALL_BYTES])
{
	static const int indirect[] = {2, 3, 4, 6, 7}; /* lengths of a call through a register or memory */

	if (before[STS_CALL_BYTES - 5] == 0xe8)
		return true;
	for (size_t i = 0; i < sizeof(indirect) / sizeof(*indirect); i++) {
		const unsigned char *code = before + STS_CALL_BYTES - indirect[i];

		if (code[0] == 0xff && (code[1] & 0x38) == 0x10)
			return true;
	}
	return false;
}
