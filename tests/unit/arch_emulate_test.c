// SPDX-License-Identifier: BSD-2-Clause
/*
 * The emulator against the CPU: the same instruction on the same registers and
 * memory, once by sts_arch_emulate() on a copy, once by a traced process.
 */
#include "arch_forms.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	AUXILIARY = 0x10,
	ALIGNMENT_CHECK = 0x40000,
	TRAP_FLAG = 0x100,
	INSN_MAX = 16,
};
static const uint64_t user_end = UINT64_C(1) << 47;

/* The emulator's copy of the lab's memory. */
struct model {
	uint8_t memory[LAB_SIZE];
	bool reads_fail, writes_fail;
	bool forgets; /* writes are counted, not done: what was emulated once can be emulated again */
	unsigned reads, writes;
};

struct bench {
	struct lab lab;
	struct model model;
	uint64_t random;
	unsigned *accepted; /* by form */
	unsigned n_executed;
};

static int model_read(void *arg, uint64_t addr, void *buf, size_t len)
{
	struct model *m = arg;

	m->reads++;
	if (m->reads_fail || !lab_readable(addr, len))
		return -1;
	memcpy(buf, m->memory + (addr - LAB_BASE), len);
	return 0;
}

static int model_write(void *arg, uint64_t addr, const void *buf, size_t len)
{
	struct model *m = arg;

	if (m->writes_fail || !lab_writable(addr, len))
		return -1;
	m->writes++;
	if (!m->forgets)
		memcpy(m->memory + (addr - LAB_BASE), buf, len);
	return 0;
}

/* --- messages --------------------------------------------------------------------- */

static const char *in_words(const struct trial *t)
{
	static char text[128];
	int n = snprintf(text, sizeof(text), "%s (%d bits:", t->form ? t->form->name : "?", t->long_mode ? 64 : 32);

	for (size_t i = 0; i < t->len; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %02x", t->code[i]);
	snprintf(text + n, sizeof(text) - (size_t)n, ")");
	return text;
}

static void print_differences(const char *what, const struct stasis_regs_x86 *a, const struct stasis_regs_x86 *b)
{
	static const char *const names[] = {"r15",     "r14",	   "r13", "r12", "rbp",	   "rbx", "r11",
					    "r10",     "r9",	   "r8",  "rax", "rcx",	   "rdx", "rsi",
					    "rdi",     "orig_rax", "rip", "cs",	 "eflags", "rsp", "ss",
					    "fs_base", "gs_base",  "ds",  "es",	 "fs",	   "gs"};
	const uint64_t *left = &a->r15, *right = &b->r15;

	for (size_t i = 0; i < sizeof(*a) / sizeof(*left); i++) {
		if (left[i] != right[i])
			fprintf(stderr, "%s: %s %#" PRIx64 " != %#" PRIx64 "\n", what, names[i], left[i], right[i]);
	}
}

static void print_trial(const struct trial *t)
{
	const struct stasis_regs_x86 none = {0};

	print_differences("before", &t->regs, &none);
	if (t->has_memory)
		fprintf(stderr, "operand at %#" PRIx64 "\n", trial_address(t));
}

/* --- one trial ---------------------------------------------------------------------- */

static bool emulate(struct model *m, struct stasis_regs_x86 *regs, const struct trial *t, size_t len)
{
	const struct sts_arch_mem mem = {model_read, model_write, m};

	m->reads = m->writes = 0;
	return sts_arch_emulate(regs, t->code, len, t->long_mode, &mem);
}

static void require_same(const struct trial *t, const char *what, const struct stasis_regs_x86 *is,
			 const struct stasis_regs_x86 *should)
{
	if (memcmp(is, should, sizeof(*is)) == 0)
		return;
	print_trial(t);
	print_differences("is != should be", is, should);
	atf_tc_fail("%s: %s", in_words(t), what);
}

static void require_unchanged(const struct model *m, const struct trial *t, const struct stasis_regs_x86 *after)
{
	require_same(t, "refused, but registers changed", after, &t->regs);
	if (m->writes > 0)
		atf_tc_fail("%s: refused, but it wrote", in_words(t));
}

static bool crosses_page(uint64_t addr)
{
	return addr % LAB_PAGE + 8 > LAB_PAGE;
}

/* What the CPU does, but which the emulator may leave to it. */
static bool may_refuse(const struct trial *t, const struct stasis_regs_x86 *after)
{
	return (t->regs.eflags & ALIGNMENT_CHECK) || after->rip >= user_end ||
	       (t->has_memory && crosses_page(trial_address(t))) || crosses_page(t->regs.rsp - (t->long_mode ? 8 : 4));
}

static void compare(struct bench *b, const struct trial *t, struct stasis_regs_x86 *emulated,
		    struct stasis_regs_x86 *executed)
{
	if (!t->form || (t->form->flags & FORM_NO_AF)) {
		emulated->eflags &= ~(uint64_t)AUXILIARY;
		executed->eflags &= ~(uint64_t)AUXILIARY;
	}
	require_same(t, "not what the CPU does", emulated, executed);
	if (memcmp(b->model.memory, b->lab.memory, LAB_SIZE) != 0) {
		print_trial(t);
		atf_tc_fail("%s: not what the CPU does to memory", in_words(t));
	}
}

/* Intel's CPUs push the return address before they find that a call leads nowhere. */
static void compare_faulted(struct bench *b, const struct trial *t)
{
	uint64_t sp = t->regs.rsp - 8;

	if (lab_writable(sp, 8))
		memcpy(b->model.memory + (sp - LAB_BASE), lab_at(&b->lab, sp), 8);
	if (memcmp(b->model.memory, b->lab.memory, LAB_SIZE) != 0) {
		print_trial(t);
		atf_tc_fail("%s: it faulted, but changed memory elsewhere than below the stack", in_words(t));
	}
}

/* True if the emulator knew the instruction. */
static bool judge(struct bench *b, const struct trial *t)
{
	struct stasis_regs_x86 emulated = t->regs, executed = t->regs;

	memcpy(lab_at(&b->lab, t->regs.rip), t->code, t->len);
	memcpy(b->model.memory + (t->regs.rip - LAB_BASE), t->code, t->len);
	bool known = emulate(&b->model, &emulated, t, t->len);
	if (!known)
		require_unchanged(&b->model, t, &emulated);
	int signal = lab_step(&b->lab, &executed);
	b->n_executed++;
	if (signal == SIGTRAP && known) {
		compare(b, t, &emulated, &executed);
	} else if (signal == SIGTRAP) {
		if (!may_refuse(t, &executed)) {
			print_trial(t);
			atf_tc_fail("%s: the CPU does it, the emulator does not", in_words(t));
		}
		memcpy(b->model.memory, b->lab.memory, LAB_SIZE);
	} else if (known) {
		print_trial(t);
		atf_tc_fail("%s: emulated, but the CPU raises signal %d", in_words(t), signal);
	} else {
		compare_faulted(b, t);
	}
	return known;
}

/* --- the bench ------------------------------------------------------------------------ */

static void bench_open(struct bench *b, enum lab_kind kind)
{
	memset(b, 0, sizeof(*b));
	b->random = sts_seed();
	b->accepted = calloc(n_forms, sizeof(*b->accepted));
	lab_open(&b->lab, kind);
	for (size_t i = 0; i < LAB_SIZE; i++)
		b->lab.memory[i] = (uint8_t)sts_random(&b->random);
	memcpy(b->model.memory, b->lab.memory, LAB_SIZE);
}

static void bench_close(struct bench *b)
{
	lab_close(&b->lab);
	free(b->accepted);
}

static uint64_t place(struct bench *b)
{
	return LAB_CODE + sts_random(&b->random) % (LAB_PAGE - INSN_MAX);
}

static void poke(struct bench *b, uint64_t addr, uint64_t value)
{
	if (!lab_writable(addr, sizeof(value)))
		return;
	memcpy(lab_at(&b->lab, addr), &value, sizeof(value));
	memcpy(b->model.memory + (addr - LAB_BASE), &value, sizeof(value));
}

/* Memory full of addresses to jump to where the operand and the stack are. */
static void poke_targets(struct bench *b, const struct trial *t)
{
	if (sts_random(&b->random) % 4 == 0)
		return;
	if (t->has_memory)
		poke(b, trial_address(t), sts_random(&b->random) >> 17);
	poke(b, t->regs.rsp, sts_random(&b->random) >> 17);
}

static bool form_exists(const struct form *f, bool long_mode)
{
	return !(f->flags & (long_mode ? FORM_32 : FORM_64));
}

static void make(struct bench *b, const struct form *f, struct trial *t)
{
	struct stasis_regs_x86 regs = b->lab.regs;

	regs.rip = place(b);
	trial_make(t, f, b->lab.long_mode, &regs, &b->random);
}

static void check_coverage(const struct bench *b, unsigned rounds)
{
	for (size_t i = 0; i < n_forms; i++) {
		if (form_exists(&forms[i], b->lab.long_mode) && b->accepted[i] < rounds / 4)
			atf_tc_fail("of %u times, %s was emulated %u times", rounds, forms[i].name, b->accepted[i]);
	}
}

static void differential(enum lab_kind kind)
{
	unsigned rounds = sts_rounds(12000, 500);
	static struct bench b;
	struct trial t;

	bench_open(&b, kind);
	for (unsigned round = 0; round < rounds; round++) {
		for (size_t i = 0; i < n_forms; i++) {
			if (!form_exists(&forms[i], b.lab.long_mode))
				continue;
			make(&b, &forms[i], &t);
			poke_targets(&b, &t);
			b.accepted[i] += judge(&b, &t);
		}
	}
	check_coverage(&b, rounds);
	fprintf(stderr, "%u instructions executed\n", b.n_executed);
	bench_close(&b);
}

STS_TC(as_cpu_long, 60, "64-bit instructions do to registers, flags and memory what the CPU does")
{
	differential(LAB_LONG);
}

STS_TC(as_cpu_compat, 60, "32-bit instructions in a 64-bit process do what the CPU does")
{
	differential(LAB_COMPAT);
}

STS_TC(as_cpu_i386, 60, "32-bit instructions in an i386 process do what the CPU does")
{
	differential(LAB_I386);
}

/* --- arbitrary bytes ------------------------------------------------------------------- */

/* What may stand before an opcode, and before that. */
static const uint8_t leads[][3] = {
	{0},	{0x40}, {0x41},	      {0x42},	    {0x43},	  {0x44},	{0x45},	      {0x46},
	{0x47}, {0x48}, {0x49},	      {0x4a},	    {0x4b},	  {0x4c},	{0x4d},	      {0x4e},
	{0x4f}, {0x66}, {0x67},	      {0xf2},	    {0xf3},	  {0xf0},	{0x26},	      {0x2e},
	{0x36}, {0x3e}, {0x64},	      {0x65},	    {0x66, 0x48}, {0x48, 0x66}, {0xc4},	      {0xc5},
	{0x62}, {0x8f}, {0x66, 0x66}, {0x66, 0xf3}, {0x48, 0x48}, {0xf3, 0x66}, {0x48, 0xf3},
};

static void sweep_trial(struct bench *b, struct trial *t, unsigned lead, bool two_byte, unsigned opcode, unsigned modrm)
{
	*t = (struct trial){.long_mode = b->lab.long_mode, .regs = b->lab.regs};
	for (size_t i = 0; leads[lead][i] != 0; i++)
		t->code[t->len++] = leads[lead][i];
	if (two_byte)
		t->code[t->len++] = 0x0f;
	t->code[t->len++] = (uint8_t)opcode;
	t->code[t->len++] = (uint8_t)modrm;
	uint64_t tail = sts_random(&b->random);
	if (tail & 1)
		tail = (tail & 0x7f) | (tail & 0x7f00); /* a short displacement */
	memcpy(t->code + t->len, &tail, sizeof(tail));
	t->len = sizeof(t->code);
	t->regs.rip = LAB_CODE + 16;
	t->regs.eflags = trial_flags(&b->random) & ~(uint64_t)ALIGNMENT_CHECK;
	for (int n = 0; n < (t->long_mode ? 16 : 8); n++)
		*trial_reg(&t->regs, n) = trial_pointer(&b->random);
}

/* Emulated or unchanged; of what was emulated, one in `sample` goes to the CPU. */
static void sweep_one(struct bench *b, const struct trial *t, unsigned sample)
{
	static struct model before;
	struct stasis_regs_x86 after = t->regs;
	bool compared = sts_random(&b->random) % sample == 0;

	if (sts_arch_insn_classify(t->code, t->len, t->long_mode) == STS_INSN_SYSCALL) {
		if (emulate(&b->model, &after, t, t->len))
			atf_tc_fail("%s: a system call was emulated", in_words(t));
	} else if (!compared) {
		if (emulate(&b->model, &after, t, t->len)) {
			if (b->model.writes > 0)
				memcpy(b->model.memory, b->lab.memory, LAB_SIZE);
			return;
		}
	} else {
		before = b->model;
		bool known = emulate(&b->model, &after, t, t->len);
		memcpy(b->model.memory, before.memory, LAB_SIZE);
		if (known) {
			judge(b, t);
			return;
		}
	}
	require_unchanged(&b->model, t, &after);
}

static void sweep(enum lab_kind kind)
{
	unsigned sample = sts_rounds(20, 1) >= 20 ? 1 : 16;
	static struct bench b;
	struct trial t;

	bench_open(&b, kind);
	for (unsigned lead = 0; lead < sizeof(leads) / sizeof(leads[0]); lead++) {
		if (!b.lab.long_mode && (leads[lead][0] & 0xf0) == 0x40 && (leads[lead][0] & 7))
			continue; /* one-byte instructions, all alike */
		for (unsigned i = 0; i < 2 * 256 * 256; i++) {
			sweep_trial(&b, &t, lead, i >> 16, i >> 8 & 0xff, i & 0xff);
			sweep_one(&b, &t, sample);
		}
	}
	fprintf(stderr, "%u instructions executed\n", b.n_executed);
	ATF_REQUIRE(b.n_executed > 1000);
	bench_close(&b);
}

STS_TC(sweep_long, 120, "of all opcodes and prefixes, what is emulated in 64-bit code is what the CPU does")
{
	sweep(LAB_LONG);
}

STS_TC(sweep_compat, 120, "of all opcodes and prefixes, what is emulated in 32-bit code is what the CPU does")
{
	sweep(LAB_COMPAT);
}

/* --- bytes and memory that are not there -------------------------------------------------- */

/* The end of readable memory. */
static uint8_t *edge_open(void)
{
	uint8_t *p = mmap(NULL, 2 * LAB_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ATF_REQUIRE(p != MAP_FAILED);
	STS_SYS(mprotect(p + LAB_PAGE, LAB_PAGE, PROT_NONE));
	return p + LAB_PAGE;
}

static void edge_close(uint8_t *edge)
{
	munmap(edge - LAB_PAGE, 2 * LAB_PAGE);
}

static bool emulate_at_edge(uint8_t *edge, struct model *m, struct stasis_regs_x86 *regs, const struct trial *t,
			    size_t len)
{
	const struct sts_arch_mem mem = {model_read, model_write, m};

	m->reads = m->writes = 0;
	memcpy(edge - len, t->code, len);
	return sts_arch_emulate(regs, edge - len, len, t->long_mode, &mem);
}

/* True if what came out is emulated on the model's memory, which is all zeros. */
static bool make_known(struct model *m, const struct form *f, bool long_mode, uint64_t *random, struct trial *t)
{
	struct stasis_regs_x86 regs = {.rip = LAB_CODE, .cs = long_mode ? 0x33 : 0x23, .ss = 0x2b, .ds = 0x2b};

	trial_make(t, f, long_mode, &regs, random);
	regs = t->regs;
	return emulate(m, &regs, t, t->len);
}

typedef void known_fn(void *arg, struct model *m, const struct trial *t);

static void for_each_known(known_fn *fn, void *arg)
{
	static struct model m = {.forgets = true};
	uint64_t random = sts_seed();
	struct trial t;

	for (size_t i = 0; i < 2 * n_forms; i++) {
		const struct form *f = &forms[i / 2];
		unsigned n_known = 0, rounds = sts_rounds(4000, 200);

		for (unsigned round = 0; round < rounds && form_exists(f, i % 2); round++) {
			if (!make_known(&m, f, i % 2, &random, &t))
				continue;
			fn(arg, &m, &t);
			n_known++;
		}
		ATF_REQUIRE_MSG(n_known >= rounds / 4 || !form_exists(f, i % 2), "%s: %u", f->name, n_known);
	}
}

static void cut(void *edge, struct model *m, const struct trial *t)
{
	struct stasis_regs_x86 after;

	for (size_t len = 0; len < t->len; len++) {
		after = t->regs;
		if (emulate_at_edge(edge, m, &after, t, len))
			atf_tc_fail("%s: emulated with only %zu bytes of it there", in_words(t), len);
		require_unchanged(m, t, &after);
	}
	after = t->regs;
	ATF_REQUIRE_MSG(emulate_at_edge(edge, m, &after, t, t->len), "%s: refused without more bytes", in_words(t));
}

STS_TC(truncated, 30, "an instruction whose end is missing is refused, and nothing read past what is there")
{
	uint8_t *edge = edge_open();

	for_each_known(cut, edge);
	edge_close(edge);
}

static void classify_known(void *arg, struct model *m, const struct trial *t)
{
	uint8_t *edge = arg;

	for (size_t len = 0; len <= t->len; len++) {
		memcpy(edge - len, t->code, len);
		ATF_REQUIRE_EQ(sts_arch_insn_classify(edge - len, len, t->long_mode), STS_INSN_PLAIN);
	}
}

STS_TC(plain, 30, "nothing that is emulated is taken for a system call")
{
	uint8_t *edge = edge_open();

	for_each_known(classify_known, edge);
	edge_close(edge);
}

static void without_memory(void *arg, struct model *m, const struct trial *t)
{
	unsigned *n_failed = arg;
	struct stasis_regs_x86 after = t->regs;

	emulate(m, &after, t, t->len);
	unsigned reads = m->reads, writes = m->writes;
	for (unsigned which = 1; which < 4; which++) {
		after = t->regs;
		m->reads_fail = which & 1;
		m->writes_fail = which & 2;
		bool fails = (reads > 0 && m->reads_fail) || (writes > 0 && m->writes_fail);
		ATF_REQUIRE_EQ_MSG(emulate(m, &after, t, t->len), !fails, "%s", in_words(t));
		if (fails)
			require_unchanged(m, t, &after);
		n_failed[which] += fails;
	}
	m->reads_fail = m->writes_fail = false;
}

STS_TC(memory_fails, 30, "an instruction whose memory cannot be read or written changes nothing")
{
	unsigned n_failed[4] = {0};

	for_each_known(without_memory, n_failed);
	ATF_REQUIRE(n_failed[1] > 100 && n_failed[2] > 100);
}

static void writes_once(void *arg, struct model *m, const struct trial *t)
{
	struct stasis_regs_x86 after = t->regs;

	emulate(m, &after, t, t->len);
	ATF_REQUIRE_MSG(m->writes <= 1, "%s writes %u times", in_words(t), m->writes);
}

STS_TC(one_write, 30, "no instruction writes twice: a second that failed would leave the first")
{
	for_each_known(writes_once, NULL);
}

static void with_trap_flag(void *arg, struct model *m, const struct trial *t)
{
	struct trial flagged = *t;

	flagged.regs.eflags |= TRAP_FLAG;
	struct stasis_regs_x86 after = flagged.regs;
	ATF_REQUIRE_MSG(!emulate(m, &after, &flagged, t->len), "%s", in_words(t));
	require_unchanged(m, &flagged, &after);
}

STS_TC(trap_flag, 30, "nothing is emulated with the trap flag set")
{
	for_each_known(with_trap_flag, NULL);
}

static void with_prefix(void *arg, struct model *m, const struct trial *t)
{
	static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
	struct trial longer = *t;

	memcpy(longer.code + 1, t->code, sizeof(longer.code) - 1);
	longer.len = t->len < sizeof(longer.code) ? t->len + 1 : t->len;
	for (size_t i = 0; i < sizeof(prefixes); i++) {
		struct stasis_regs_x86 after = t->regs;

		longer.code[0] = prefixes[i];
		if (prefixes[i] == 0x66 && (t->code[0] == 0x90 || (t->code[0] == 0x0f && t->code[1] == 0x1f)))
			continue;
		ATF_REQUIRE_MSG(!emulate(m, &after, &longer, longer.len), "%s", in_words(&longer));
		require_unchanged(m, &longer, &after);
	}
}

STS_TC(prefixes, 30, "nothing is emulated with a prefix that could mean something else")
{
	for_each_known(with_prefix, NULL);
}

static void with_other_segments(void *arg, struct model *m, const struct trial *t)
{
	struct trial local[3] = {*t, *t, *t};

	if (t->long_mode)
		return;
	local[0].regs.cs = 0x0f;
	local[1].regs.ss = 0x17;
	local[2].regs.ds = 0;
	for (size_t i = 0; i < 3; i++) {
		struct stasis_regs_x86 after = local[i].regs;

		ATF_REQUIRE_MSG(!emulate(m, &after, &local[i], t->len), "%s", in_words(t));
		require_unchanged(m, &local[i], &after);
	}
}

STS_TC(segments, 30, "32-bit code in segments that may begin elsewhere than at 0 is not emulated")
{
	for_each_known(with_other_segments, NULL);
}
