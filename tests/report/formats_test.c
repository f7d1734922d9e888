// SPDX-License-Identifier: BSD-2-Clause
/* Reports as text and for machines, options, baselines. */
#include <stdlib.h>
#include <string.h>

#include "leaks/options.h"
#include "leaks/report/formats.h"
#include "leaks/report/judge.h"
#include "raw.h"
#include "test.h"

#define LEAKS (1u << STS_RAW_DEFINITE | 1u << STS_RAW_INDIRECT | 1u << STS_RAW_POSSIBLE)

static const struct sts_view view = {.shown = LEAKS, .counted = LEAKS, .print_suppressions = true};

/* Two definite leaks, an indirect one, a reachable one. */
static struct sts_leak_report *report(void)
{
	struct raw raw = raw_begin();
	const uint64_t pcs[] = {1, 2};

	raw_text(&raw, STS_RAW_EXE, "/opt/a\"b");
	raw_stack(&raw, 1, 2, pcs, STS_RAW_NO_MODULE);
	raw_stack(&raw, 2, 2, pcs, STS_RAW_NO_MODULE);
	raw_leak(&raw, STS_RAW_DEFINITE, 1, 1, 1337);
	raw_leak(&raw, STS_RAW_DEFINITE, 2, 2, 64);
	raw_leak(&raw, STS_RAW_INDIRECT, 2, 1, 8);
	raw_leak(&raw, STS_RAW_REACHABLE, 2, 1, 9);
	raw_end(&raw);
	struct sts_leak_report *r = raw_read(&raw);
	raw_name(&r->stacks[0], "malloc@@/lib/libc.so.6", "main@/src/main.c@/opt/a", NULL);
	raw_name(&r->stacks[1], "operator new(unsigned long)@@/lib/libstdc++.so.6", "work@/src/work.c@/opt/a", NULL);
	return r;
}

static char *text_of(const struct sts_leak_report *r, const struct sts_view *v)
{
	struct sts_suppressions none;

	sts_suppressions_init(&none);
	return PRINTED(to, sts_leaks_text(to, r, &none, v));
}

STS_TC(text, 5, "the text is LeakSanitizer's")
{
	ATF_CHECK_STREQ("\n=================================================================\n"
			"==4711==ERROR: LeakSanitizer: detected memory leaks\n\n"
			"Direct leak of 1337 byte(s) in 1 object(s) allocated from:\n"
			"    #0 0x000000001000 in malloc (/lib/libc.so.6+0x10)\n"
			"    #1 0x000000001000 in main /src/main.c:7:3\n\n"
			"Direct leak of 64 byte(s) in 2 object(s) allocated from:\n"
			"    #0 0x000000001000 in operator new(unsigned long) (/lib/libstdc++.so.6+0x10)\n"
			"    #1 0x000000001000 in work /src/work.c:7:3\n\n"
			"Indirect leak of 8 byte(s) in 1 object(s) allocated from:\n"
			"    #0 0x000000001000 in operator new(unsigned long) (/lib/libstdc++.so.6+0x10)\n"
			"    #1 0x000000001000 in work /src/work.c:7:3\n\n"
			"SUMMARY: LeakSanitizer: 1409 byte(s) leaked in 4 allocation(s).\n",
			text_of(report(), &view));
}

STS_TC(text_parts, 5, "top leaks, sums alone, nothing to tell")
{
	struct sts_view v = view;

	v.max_leaks = 1;
	char *text = text_of(report(), &v);
	ATF_CHECK(strstr(text, "The 1 top leak(s):\nDirect leak of 1337"));
	ATF_CHECK(strstr(text, "Omitting 2 more leak(s).\n"));
	ATF_CHECK(!strstr(text, "of 64 byte"));
	v = view;
	v.summary = true;
	text = text_of(report(), &v);
	ATF_CHECK(!strstr(text, "#0"));
	ATF_CHECK(strstr(text, "SUMMARY: LeakSanitizer: 1409"));
	v = view;
	v.shown = v.counted = 1u << STS_RAW_POSSIBLE;
	ATF_CHECK_STREQ("", text_of(report(), &v));
	v.shown = 1u << STS_RAW_REACHABLE;
	v.counted = 0;
	text = text_of(report(), &v);
	ATF_CHECK(strstr(text, "Still reachable memory of 9 byte(s)"));
	ATF_CHECK(!strstr(text, "ERROR"));
}

STS_TC(used_suppressions, 5, "which suppressions were used")
{
	struct sts_leak_report *r = report();
	struct sts_suppressions s;
	char why[256];

	sts_suppressions_init(&s);
	ATF_REQUIRE_EQ(0, sts_suppressions_parse(&s, "f", "leak:work\nleak:nobody\n", "2026-11-25", why));
	sts_suppressions_apply(&s, r);
	char *text = PRINTED(to, sts_leaks_text(to, r, &s, &view));
	ATF_CHECK(strstr(text, "-----------------------------------------------------\n"
			       "Suppressions used:\n  count      bytes template\n"
			       "      4         81 work\n"
			       "-----------------------------------------------------\n"));
	ATF_CHECK(!strstr(text, "nobody"));
	ATF_CHECK(strstr(text, "SUMMARY: LeakSanitizer: 1337 byte(s) leaked in 1 allocation(s)."));
	sts_suppressions_free(&s);
}

STS_TC(generated, 5, "generated suppressions suppress what they were made of")
{
	struct sts_leak_report *r = report();
	struct sts_suppressions s;
	char *rules = PRINTED(to, sts_leaks_gen_suppressions(to, r, &view)), why[256] = "";

	ATF_CHECK(strstr(rules, "# leak:main\n{\n"));
	sts_suppressions_init(&s);
	ATF_REQUIRE_MSG(sts_suppressions_parse(&s, "made", rules, "2026-11-25", why) == 0, "%s", why);
	sts_suppressions_apply(&s, r);
	for (size_t i = 0; i < r->n_leaks; i++)
		ATF_CHECK_EQ(r->leaks[i].raw.class != STS_RAW_REACHABLE, r->leaks[i].rule != NULL);
	sts_suppressions_free(&s);
}

STS_TC(json_texts, 5, "JSON texts: quotes, controls, bytes that are no UTF-8")
{
	static const struct {
		const char *text, *json;
	} table[] = {
		{"a\"b\\", "\"a\\\"b\\\\\""},
		{"\x01\n", "\"\\u0001\\u000a\""},
		{"\xc3\xa4", "\"\xc3\xa4\""},
		{"\xff", "\"\\ufffd\""},
		{"\xc0\x80", "\"\\ufffd\\ufffd\""},
		{"\xe2\x82", "\"\\ufffd\\ufffd\""},
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		ATF_CHECK_STREQ(table[i].json, PRINTED(to, sts_json_text(to, table[i].text)));
}

STS_TC(machines, 5, "the formats for programs name each leak that counts, once")
{
	struct sts_leak_report *r = report();
	char *sarif = PRINTED(to, {
		sts_leaks_sarif_begin(to);
		ATF_CHECK_EQ(3, sts_leaks_sarif(to, r, &view, true));
		sts_leaks_sarif_end(to);
	});
	char *junit = PRINTED(to, {
		sts_leaks_junit_begin(to);
		sts_leaks_junit(to, r, &view);
		sts_leaks_junit_end(to);
	});

	ATF_CHECK(strstr(sarif, "\"ruleId\":\"leak/indirect\""));
	ATF_CHECK(strstr(sarif, "\"startLine\":7,\"startColumn\":3"));
	ATF_CHECK(strstr(junit, "tests=\"3\" failures=\"3\""));
	ATF_CHECK(strstr(junit, "/opt/a&#34;b"));
	ATF_CHECK(strstr(junit, "name=\"main\""));
}

STS_TC(options, 5, "texts of options: separators, quotes, booleans, numbers")
{
	const char *at = " a=1:b='x:y',c=\"z\"\td=0x1F flag e=-3:f=";
	static const char *const names[] = {"a", "b", "c", "d", "flag", "e", "f"};
	static const char *const values[] = {"1", "x:y", "z", "0x1F", NULL, "-3", ""};
	struct sts_option o;
	int64_t number;
	bool on;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		ATF_REQUIRE(sts_option_next(&at, &o));
		ATF_CHECK_MSG(sts_option_is(&o, names[i]), "%zu", i);
		ATF_CHECK_EQ(values[i] == NULL, o.value == NULL);
		if (values[i])
			ATF_CHECK(o.value_size == strlen(values[i]) && memcmp(o.value, values[i], o.value_size) == 0);
		if (i == 0)
			ATF_CHECK(sts_option_bool(&o, &on) && on);
		if (i == 3)
			ATF_CHECK(sts_option_number(&o, &number) && number == 31);
		if (i == 5)
			ATF_CHECK(sts_option_number(&o, &number) && number == -3);
		if (i == 6)
			ATF_CHECK(!sts_option_number(&o, &number) && !sts_option_bool(&o, &on));
	}
	ATF_CHECK(!sts_option_next(&at, &o));
	at = "n=9223372036854775808";
	ATF_CHECK(sts_option_next(&at, &o) && !sts_option_number(&o, &number));
	at = "n='open";
	ATF_CHECK(sts_option_next(&at, &o) && o.value_size == 4 && !sts_option_next(&at, &o));
}

static void write_file(const char *path, const char *text)
{
	FILE *to = fopen(path, "w");

	ATF_REQUIRE(to && fputs(text, to) >= 0 && fclose(to) == 0);
}

STS_TC(baselines, 5, "what a baseline knows does not count; one block more does")
{
	struct sts_leak_report *r = report();
	char why[256] = "";
	struct sts_raw_verdict sum;

	write_file("base", PRINTED(to, sts_baseline_write(to, r, &view)));
	struct sts_baseline *b = sts_baseline_read("base", why);
	ATF_REQUIRE_MSG(b != NULL, "%s", why);
	sts_baseline_apply(b, r);
	sts_leak_report_sum(r, LEAKS, &sum);
	ATF_CHECK_EQ(0, sum.leaks);
	sts_leak_report_free(r);
	r = report();
	r->leaks[1].raw.blocks++;
	sts_baseline_apply(b, r);
	sts_leak_report_sum(r, LEAKS, &sum);
	ATF_CHECK_EQ(1, sum.leaks);
	ATF_CHECK_EQ(3, sum.blocks);
	sts_baseline_free(b);
}

STS_TC(bad_baselines, 5, "files that are no baselines")
{
	static const struct {
		const char *text, *why;
	} table[] = {
		{"", "base: not a baseline of stasis leaks, but empty"},
		{"x\n", "base:1: not a baseline of stasis leaks"},
		{"stasis-leaks-baseline 1\ndefinite 1\n", "base:2: not a line of a baseline"},
		{"stasis-leaks-baseline 1\nodd 1 1 00 f\n", "base:2: not a line of a baseline"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char why[256] = "";

		write_file("base", table[i].text);
		ATF_CHECK(sts_baseline_read("base", why) == NULL);
		ATF_CHECK_STREQ(table[i].why, why);
	}
}
