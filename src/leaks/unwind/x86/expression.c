// SPDX-License-Identifier: BSD-2-Clause
/*
 * DWARF expressions, as far as compilers and linkers use them for frames: values are numbers that are known, or a
 * register + a number. The instruction's address is known, so that the one of the procedure linkage table comes down to
 * an offset from the stack pointer.
 */
#include "leaks/unwind/cfi_inner.h"

enum {
	DEPTH = 16,
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S,
	OP_CONST2U,
	OP_CONST2S,
	OP_CONST4U,
	OP_CONST4S,
	OP_CONST8U,
	OP_CONST8S,
	OP_CONSTU,
	OP_CONSTS,
	OP_DUP,
	OP_DROP,
	OP_AND = 0x1a,
	OP_MINUS = 0x1c,
	OP_MUL = 0x1e,
	OP_OR = 0x21,
	OP_PLUS,
	OP_PLUS_UCONST,
	OP_SHL,
	OP_SHR,
	OP_EQ = 0x29,
	OP_GE,
	OP_GT,
	OP_LE,
	OP_LT,
	OP_NE,
	OP_LIT0 = 0x30,
	OP_BREG0 = 0x70,
	REG_BP = 6,
	REG_SP = 7,
	REG_PC = 16,
};

struct value {
	bool known; /* a number; else relative to base */
	bool deref;
	enum sts_place_base base;
	int64_t n;
};

struct machine {
	struct value stack[DEPTH];
	unsigned depth;
	bool bad;
};

static void push(struct machine *m, struct value v)
{
	if (m->depth == DEPTH)
		m->bad = true;
	else
		m->stack[m->depth++] = v;
}

static struct value pop(struct machine *m)
{
	if (m->depth > 0)
		return m->stack[--m->depth];
	m->bad = true;
	return (struct value){.known = true};
}

static void push_number(struct machine *m, int64_t n)
{
	push(m, (struct value){.known = true, .n = n});
}

static int64_t sum(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void add(struct machine *m, struct value a, struct value b)
{
	if (!b.known) {
		struct value swapped = a;

		a = b;
		b = swapped;
	}
	if (!b.known || a.deref)
		m->bad = true;
	a.n = sum(a.n, b.n);
	push(m, a);
}

static int64_t compute(struct machine *m, uint8_t op, int64_t a, int64_t b)
{
	switch (op) {
	case OP_AND:
		return a & b;
	case OP_OR:
		return a | b;
	case OP_MUL:
		return (int64_t)((uint64_t)a * (uint64_t)b);
	case OP_SHL:
		return (uint64_t)b < 64 ? (int64_t)((uint64_t)a << b) : 0;
	case OP_SHR:
		return (uint64_t)b < 64 ? (int64_t)((uint64_t)a >> b) : 0;
	case OP_EQ:
		return a == b;
	case OP_GE:
		return a >= b;
	case OP_GT:
		return a > b;
	case OP_LE:
		return a <= b;
	case OP_LT:
		return a < b;
	case OP_NE:
		return a != b;
	}
	m->bad = true;
	return 0;
}

static void binary(struct machine *m, uint8_t op)
{
	struct value b = pop(m), a = pop(m);

	if (op == OP_PLUS) {
		add(m, a, b);
	} else if (op == OP_MINUS && b.known) {
		b.n = (int64_t)(0 - (uint64_t)b.n);
		add(m, a, b);
	} else {
		if (!a.known || !b.known)
			m->bad = true;
		push_number(m, compute(m, op, a.n, b.n));
	}
}

static void push_register(struct machine *m, unsigned reg, int64_t offset, uint64_t pc)
{
	if (reg == REG_PC)
		push_number(m, sum((int64_t)pc, offset));
	else if (reg == REG_BP || reg == REG_SP)
		push(m, (struct value){.base = reg == REG_BP ? STS_PLACE_BP : STS_PLACE_SP, .n = offset});
	else
		m->bad = true;
}

/* True if the operation pushes a constant that follows it. */
static bool constant(struct machine *m, uint8_t op, struct sts_reader *r)
{
	static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8};
	uint64_t n = 0;
	const uint8_t *p;

	if (op == OP_CONSTU || op == OP_CONSTS) {
		push_number(m, op == OP_CONSTU ? (int64_t)sts_read_uleb(r) : sts_read_sleb(r));
		return true;
	}
	if (op < OP_CONST1U || op > OP_CONST8S)
		return false;
	p = sts_read(r, sizes[op - OP_CONST1U]);
	if (p != NULL)
		memcpy(&n, p, sizes[op - OP_CONST1U]);
	if ((op - OP_CONST1U) % 2 != 0) {
		unsigned spare = 64 - 8 * sizes[op - OP_CONST1U];

		n = (uint64_t)((int64_t)(n << spare) >> spare);
	}
	push_number(m, (int64_t)n);
	return true;
}

static void step(struct machine *m, uint8_t op, struct sts_reader *r, uint64_t pc)
{
	struct value v;

	if (constant(m, op, r))
		return;
	if (op >= OP_LIT0 && op < OP_LIT0 + 32) {
		push_number(m, op - OP_LIT0);
	} else if (op >= OP_BREG0 && op < OP_BREG0 + 32) {
		push_register(m, op - OP_BREG0, sts_read_sleb(r), pc);
	} else if (op == OP_DEREF) {
		v = pop(m);
		m->bad |= v.known || v.deref;
		v.deref = true;
		push(m, v);
	} else if (op == OP_DUP) {
		v = pop(m);
		push(m, v);
		push(m, v);
	} else if (op == OP_DROP) {
		pop(m);
	} else if (op == OP_PLUS_UCONST) {
		v = pop(m);
		add(m, v, (struct value){.known = true, .n = (int64_t)sts_read_uleb(r)});
	} else {
		binary(m, op);
	}
}

bool sts_cfi_expression(struct sts_reader expression, uint64_t pc, bool cfa, struct sts_place *ret)
{
	struct machine m = {.depth = 0};
	struct value v;

	if (cfa)
		push(&m, (struct value){.base = STS_PLACE_CFA});
	while (expression.at < expression.end && !m.bad && !expression.bad)
		step(&m, sts_read_u8(&expression), &expression, pc);
	v = pop(&m);
	if (m.bad || expression.bad || v.known)
		return false;
	*ret = (struct sts_place){.base = v.base, .offset = v.n, .deref = v.deref};
	return true;
}
