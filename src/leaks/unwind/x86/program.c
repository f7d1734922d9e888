// SPDX-License-Identifier: BSD-2-Clause
/* The programs of .eh_frame that build the rows, one address after the other. */
#include "leaks/unwind/cfi_inner.h"

enum {
	CFA_ADVANCE = 1,
	CFA_OFFSET = 2,
	CFA_RESTORE = 3,
	CFA_NOP = 0x00,
	CFA_SET_LOC,
	CFA_ADVANCE1,
	CFA_ADVANCE2,
	CFA_ADVANCE4,
	CFA_OFFSET_EXTENDED,
	CFA_RESTORE_EXTENDED,
	CFA_UNDEFINED,
	CFA_SAME_VALUE,
	CFA_REGISTER,
	CFA_REMEMBER,
	CFA_RESTORE_STATE,
	CFA_DEF_CFA,
	CFA_DEF_CFA_REGISTER,
	CFA_DEF_CFA_OFFSET,
	CFA_DEF_CFA_EXPRESSION,
	CFA_EXPRESSION,
	CFA_OFFSET_EXTENDED_SF,
	CFA_DEF_CFA_SF,
	CFA_DEF_CFA_OFFSET_SF,
	CFA_VAL_OFFSET,
	CFA_VAL_OFFSET_SF,
	CFA_VAL_EXPRESSION,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET,
	REMEMBERED = 16,
	REG_BP = 6,
	REG_SP = 7,
	REG_RA = 16,
	RULES = 2,
};

struct rule {
	enum {
		SAME, /* also what nothing was said of */
		UNDEFINED,
		AT_OFFSET, /* of the canonical frame address */
		AT_PLACE,  /* by expression */
		OTHER,
	} kind;
	int64_t offset;
	struct sts_reader expression;
};

struct state {
	uint64_t cfa_register;
	int64_t cfa_offset;
	bool cfa_expression;
	struct sts_reader expression;
	struct rule rules[RULES]; /* of the frame pointer and the return address */
};

struct run {
	const struct sts_fde *fde;
	uint64_t location, wanted;
	struct state now, initial, remembered[REMEMBERED];
	unsigned depth;
	bool bad;
};

static void set_rule(struct run *run, uint64_t reg, int kind, int64_t offset)
{
	if (reg == REG_BP || reg == REG_RA) {
		run->now.rules[reg == REG_RA].kind = kind;
		run->now.rules[reg == REG_RA].offset = offset;
	}
}

static void restore(struct run *run, uint64_t reg)
{
	if (reg == REG_BP || reg == REG_RA)
		run->now.rules[reg == REG_RA] = run->initial.rules[reg == REG_RA];
}

static struct sts_reader block(struct sts_reader *r)
{
	uint64_t size = sts_read_uleb(r);
	const uint8_t *p = sts_read(r, size);

	if (p == NULL)
		return (struct sts_reader){.bad = true};
	return (struct sts_reader){.at = p, .end = p + size};
}

static int64_t factored(const struct run *run, int64_t n)
{
	return (int64_t)((uint64_t)n * (uint64_t)run->fde->cie.data_align);
}

static void define_cfa(struct run *run, uint64_t reg, int64_t offset)
{
	run->now.cfa_expression = false;
	run->now.cfa_register = reg;
	run->now.cfa_offset = offset;
}

static void remember(struct run *run)
{
	if (run->depth == REMEMBERED)
		run->bad = true;
	else
		run->remembered[run->depth++] = run->now;
}

static void restore_state(struct run *run)
{
	if (run->depth == 0)
		run->bad = true;
	else
		run->now = run->remembered[--run->depth];
}

static void by_expression(struct run *run, uint64_t reg, struct sts_reader expression)
{
	set_rule(run, reg, AT_PLACE, 0);
	if (reg == REG_BP || reg == REG_RA)
		run->now.rules[reg == REG_RA].expression = expression;
}

/* Instructions that say where a register is. */
static bool register_rule(struct run *run, uint8_t op, struct sts_reader *r)
{
	uint64_t reg;

	switch (op) {
	case CFA_OFFSET_EXTENDED:
		reg = sts_read_uleb(r);
		set_rule(run, reg, AT_OFFSET, factored(run, (int64_t)sts_read_uleb(r)));
		return true;
	case CFA_OFFSET_EXTENDED_SF:
		reg = sts_read_uleb(r);
		set_rule(run, reg, AT_OFFSET, factored(run, sts_read_sleb(r)));
		return true;
	case CFA_GNU_NEGATIVE_OFFSET:
		reg = sts_read_uleb(r);
		set_rule(run, reg, AT_OFFSET, -factored(run, (int64_t)(sts_read_uleb(r) & INT32_MAX)));
		return true;
	case CFA_RESTORE_EXTENDED:
		restore(run, sts_read_uleb(r));
		return true;
	case CFA_UNDEFINED:
		set_rule(run, sts_read_uleb(r), UNDEFINED, 0);
		return true;
	case CFA_SAME_VALUE:
		set_rule(run, sts_read_uleb(r), SAME, 0);
		return true;
	case CFA_REGISTER:
	case CFA_VAL_OFFSET:
		reg = sts_read_uleb(r);
		sts_read_uleb(r);
		set_rule(run, reg, OTHER, 0);
		return true;
	case CFA_VAL_OFFSET_SF:
		reg = sts_read_uleb(r);
		sts_read_sleb(r);
		set_rule(run, reg, OTHER, 0);
		return true;
	case CFA_EXPRESSION:
		reg = sts_read_uleb(r);
		by_expression(run, reg, block(r));
		return true;
	case CFA_VAL_EXPRESSION:
		reg = sts_read_uleb(r);
		block(r);
		set_rule(run, reg, OTHER, 0);
		return true;
	}
	return false;
}

static void other(struct run *run, uint8_t op, struct sts_reader *r)
{
	uint64_t reg;

	switch (op) {
	case CFA_NOP:
		break;
	case CFA_ADVANCE1:
		run->location += sts_read_u8(r) * run->fde->cie.code_align;
		break;
	case CFA_ADVANCE2:
		run->location += sts_read_u16(r) * run->fde->cie.code_align;
		break;
	case CFA_ADVANCE4:
		run->location += sts_read_u32(r) * run->fde->cie.code_align;
		break;
	case CFA_REMEMBER:
		remember(run);
		break;
	case CFA_RESTORE_STATE:
		restore_state(run);
		break;
	case CFA_DEF_CFA:
		reg = sts_read_uleb(r);
		define_cfa(run, reg, (int64_t)sts_read_uleb(r));
		break;
	case CFA_DEF_CFA_SF:
		reg = sts_read_uleb(r);
		define_cfa(run, reg, factored(run, sts_read_sleb(r)));
		break;
	case CFA_DEF_CFA_REGISTER:
		define_cfa(run, sts_read_uleb(r), run->now.cfa_offset);
		break;
	case CFA_DEF_CFA_OFFSET:
		define_cfa(run, run->now.cfa_register, (int64_t)sts_read_uleb(r));
		break;
	case CFA_DEF_CFA_OFFSET_SF:
		define_cfa(run, run->now.cfa_register, factored(run, sts_read_sleb(r)));
		break;
	case CFA_DEF_CFA_EXPRESSION:
		run->now.cfa_expression = true;
		run->now.expression = block(r);
		break;
	case CFA_GNU_ARGS_SIZE:
		sts_read_uleb(r);
		break;
	default:
		run->bad = true;
	}
}

/* Until the end, or the wanted address is passed. */
static bool execute(struct run *run, struct sts_reader r)
{
	while (r.at < r.end && !run->bad) {
		uint8_t op = sts_read_u8(&r), low = op & 0x3f;
		uint64_t location = run->location;

		if (op >> 6 == CFA_ADVANCE)
			run->location += low * run->fde->cie.code_align;
		else if (op >> 6 == CFA_OFFSET)
			set_rule(run, low, AT_OFFSET, factored(run, (int64_t)sts_read_uleb(&r)));
		else if (op >> 6 == CFA_RESTORE)
			restore(run, low);
		else if (!register_rule(run, op, &r))
			other(run, op, &r);
		if (r.bad || run->location < location)
			return false;
		if (run->location > run->wanted)
			break;
	}
	return !run->bad;
}

static bool fits(int64_t n)
{
	return n % 8 == 0 && n >= INT32_MIN && n <= INT32_MAX;
}

static bool cfa_row(const struct run *run, struct sts_row *ret)
{
	const struct state *s = &run->now;
	struct sts_place place = {.base = s->cfa_register == REG_BP ? STS_PLACE_BP : STS_PLACE_SP,
				  .offset = s->cfa_offset};

	if (s->cfa_expression) {
		if (!sts_cfi_expression(s->expression, run->wanted, false, &place))
			return false;
	} else if (s->cfa_register != REG_BP && s->cfa_register != REG_SP) {
		return false;
	}
	if (place.base == STS_PLACE_CFA || (place.deref && place.base != STS_PLACE_BP) || !fits(place.offset))
		return false;
	ret->kind = place.deref ? STS_ROW_DEREF_BP : place.base == STS_PLACE_BP ? STS_ROW_BP : STS_ROW_SP;
	ret->cfa = (int32_t)place.offset;
	return true;
}

static bool bp_row(const struct run *run, struct sts_row *ret)
{
	const struct rule *rule = &run->now.rules[0];
	struct sts_place place = {.base = STS_PLACE_CFA, .offset = rule->offset};

	ret->bp_kind = STS_BP_SAME;
	ret->bp = 0;
	if (rule->kind == SAME || rule->kind == UNDEFINED)
		return true;
	if (rule->kind == OTHER)
		return false;
	if (rule->kind == AT_PLACE && !sts_cfi_expression(rule->expression, run->wanted, true, &place))
		return false;
	if (place.deref || place.base == STS_PLACE_SP || !fits(place.offset))
		return false;
	ret->bp_kind = place.base == STS_PLACE_CFA ? STS_BP_AT_CFA : STS_BP_AT_BP;
	ret->bp = (int32_t)place.offset;
	return true;
}

bool sts_cfi_run(const struct sts_fde *fde, uint64_t address, struct sts_row *ret)
{
	struct run run = {.fde = fde, .location = 0, .wanted = UINT64_MAX};
	const struct rule *ra = &run.now.rules[1];

	if (fde->cie.ra != REG_RA || !execute(&run, fde->cie.program))
		return false;
	run.initial = run.now;
	run.location = fde->begin;
	run.wanted = address;
	if (!execute(&run, fde->program))
		return false;
	if (ra->kind == UNDEFINED) {
		*ret = (struct sts_row){.kind = STS_ROW_END};
		return true;
	}
	return ra->kind == AT_OFFSET && ra->offset == -8 && cfa_row(&run, ret) && bp_row(&run, ret);
}
