// SPDX-License-Identifier: BSD-2-Clause
/* Suppressions: both forms, what they fit, and what is said of broken files. */
#include <stdlib.h>
#include <string.h>

#include "leaks/report/suppress.h"
#include "raw.h"
#include "test.h"

#define TODAY "2026-11-25"

/* A report of one leak of 3 blocks, 300 bytes, allocated along main -> work -> lose -> malloc. */
static struct sts_leak_report *one_leak(uint32_t class)
{
	struct raw raw = raw_begin();
	const uint64_t pcs[] = {1, 2, 3, 4};

	raw_stack(&raw, 9, 4, pcs, STS_RAW_NO_MODULE);
	raw_leak(&raw, class, 9, 3, 300);
	raw_end(&raw);
	struct sts_leak_report *r = raw_read(&raw);
	raw_name(r->leaks[0].stack, "malloc@malloc.c@/usr/lib/libc.so.6",
		 "_ZN3app4loseEv@/src/lose.cc@/usr/lib/libapp.so.1", "work@/src/work.c@/opt/bin/server",
		 "main@/src/main.c@/opt/bin/server", NULL);
	r->leaks[0].stack->lines[1].name = "app::lose()";
	return r;
}

static bool suppressed_as(const char *rules, uint32_t class)
{
	struct sts_leak_report *r = one_leak(class);
	struct sts_suppressions s;
	char why[256] = "";
	bool is;

	sts_suppressions_init(&s);
	ATF_REQUIRE_MSG(sts_suppressions_parse(&s, "rules", rules, TODAY, why) == 0, "%s: %s", rules, why);
	sts_suppressions_apply(&s, r);
	is = r->leaks[0].rule != NULL;
	ATF_CHECK_EQ(!is, sts_leak_counts(&r->leaks[0], ~0u));
	sts_leak_report_free(r);
	sts_suppressions_free(&s);
	return is;
}

static bool suppressed(const char *rules)
{
	return suppressed_as(rules, STS_RAW_DEFINITE);
}

STS_TC(patterns, 5, "LeakSanitizer's patterns: anywhere, ^, $ and *")
{
	static const struct {
		const char *pattern, *text;
		bool found;
	} table[] = {
		{"lose", "app::lose()", true},
		{"^lose", "app::lose()", false},
		{"^app", "app::lose()", true},
		{"lose$", "app::lose()", false},
		{"lose()$", "app::lose()", true},
		{"^app*)$", "app::lose()", true},
		{"a*s*e", "app::lose()", true},
		{"a*x*e", "app::lose()", false},
		{"*", "x", true},
		{"^abc$", "abc", true},
		{"^abc$", "abcabc", false},
		{"bc$", "abcabc", true},
		{"^a*a$", "a", false},
		{"lose", "", false},
		{"^*lose", "xlose", true},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		ATF_CHECK_EQ_MSG(table[i].found, sts_pattern_found(table[i].pattern, table[i].text), "%s in %s",
				 table[i].pattern, table[i].text);
}

STS_TC(unloaded, 5, "what was unloaded is known by LeakSanitizer's name for that, too")
{
	const char *pattern = "^<unknown module>$";
	struct sts_leak_report *r = one_leak(STS_RAW_DEFINITE);

	ATF_CHECK(!sts_stack_matches(r->leaks[0].stack, pattern));
	r->leaks[0].stack->lines[1].gone = true;
	ATF_CHECK(sts_stack_matches(r->leaks[0].stack, pattern));
	ATF_CHECK(sts_stack_matches(r->leaks[0].stack, "libapp"));
	sts_leak_report_free(r);
}

STS_TC(lsan_rules, 5, "leak: fits functions, files and modules of any frame")
{
	ATF_CHECK(suppressed("leak:app::lose"));
	ATF_CHECK(suppressed("# why\n\nleak:^work$\n"));
	ATF_CHECK(suppressed("leak:lose.cc"));
	ATF_CHECK(suppressed("leak:libapp.so"));
	ATF_CHECK(suppressed("leak:_ZN3app"));
	ATF_CHECK(!suppressed("leak:other"));
	ATF_CHECK(!suppressed("race:work\nthread:main"));
	ATF_CHECK(suppressed("leak:other\nleak:main"));
}

STS_TC(limits, 5, "leak[...]: no more than max blocks, not after a day")
{
	ATF_CHECK(suppressed("leak[max=3]:work"));
	ATF_CHECK(!suppressed("leak[max=2]:work"));
	ATF_CHECK(suppressed("leak[until=2026-11-25]:work"));
	ATF_CHECK(!suppressed("leak[until=2026-11-24]:work"));
	ATF_CHECK(suppressed("leak[max=3,until=2027-01-01]:work"));
}

#define BLOCK(frames_) "{\n  name\n  Memcheck:Leak\n" frames_ "}\n"

STS_TC(valgrind_blocks, 5, "Valgrind's blocks: frames from the innermost, dots, globs, kinds")
{
	ATF_CHECK(suppressed(BLOCK("fun:malloc\nfun:_ZN3app4loseEv\n")));
	ATF_CHECK(suppressed(BLOCK("fun:malloc\nfun:app::lose*\n")));
	ATF_CHECK(!suppressed(BLOCK("fun:_ZN3app4loseEv\n")));
	ATF_CHECK(suppressed(BLOCK("...\nfun:work\n")));
	ATF_CHECK(suppressed(BLOCK("...\nfun:work\n...\n")));
	ATF_CHECK(suppressed(BLOCK("fun:malloc\n...\nfun:main\n")));
	ATF_CHECK(!suppressed(BLOCK("fun:malloc\nfun:main\n")));
	ATF_CHECK(suppressed(BLOCK("fun:*\nobj:*/libapp.so*\n")));
	ATF_CHECK(suppressed(BLOCK("fun:m?lloc\nsrc:lose.cc:7\n")));
	ATF_CHECK(!suppressed(BLOCK("fun:malloc\nfun:*lose*\nfun:work\nfun:main\nfun:_start\n")));
	ATF_CHECK(suppressed("{\nname\nMemcheck,other:Leak\nfun:malloc\n}\n"));
	ATF_CHECK(!suppressed("{\nname\nMemcheck:Cond\nfun:malloc\n}\n"));
	ATF_CHECK(!suppressed("{\nname\nMemcheck:Param\nwrite(buf)\nfun:malloc\n}\n"));
}

STS_TC(kinds, 5, "match-leak-kinds")
{
	ATF_CHECK(suppressed_as(BLOCK("match-leak-kinds: definite\nfun:malloc\n"), STS_RAW_DEFINITE));
	ATF_CHECK(!suppressed_as(BLOCK("match-leak-kinds: definite\nfun:malloc\n"), STS_RAW_POSSIBLE));
	ATF_CHECK(suppressed_as(BLOCK("match-leak-kinds: indirect,possible\nfun:malloc\n"), STS_RAW_POSSIBLE));
	ATF_CHECK(suppressed_as(BLOCK("match-leak-kinds:all\nfun:malloc\n"), STS_RAW_REACHABLE));
}

STS_TC(broken, 5, "a broken file is refused with its name, the line and the reason")
{
	static const struct {
		const char *text, *why;
	} table[] = {
		{"leak:a\nleak:\n", "rules:2: a rule without a pattern"},
		{"leak\n", "rules:1: expected 'leak:PATTERN': leak"},
		{"nonsense\n", "rules:1: neither 'leak:PATTERN' nor a block in { }: nonsense"},
		{"leak[max=x]:a\n", "rules:1: neither max=NUMBER nor until=YYYY-MM-DD: max=x"},
		{"leak[max=99999999999999999999]:a\n", "rules:1: not a number: 99999999999999999999"},
		{"leak[max=1:a\n", "rules:1: the limits' ']' is missing"},
		{"{\nname\nMemcheck:Leak\nfun:a\n", "rules:5: a block that is not closed"},
		{"{\nname\n}\n", "rules:3: a suppression without kind or frames"},
		{"{\nname\nMemcheck:Leak\n}\n", "rules:4: a suppression without kind or frames"},
		{"{\nname\nMemcheck\n}\n", "rules:3: expected 'TOOL:KIND': Memcheck"},
		{"{\nname\nMemcheck:Leak\nfunction:a\n}\n", "rules:4: expected fun:, obj:, src: or ...: function:a"},
		{"{\nname\nMemcheck:Leak\nmatch-leak-kinds: bad\n}\n",
		 "rules:4: a kind of leak that is not known: bad"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct sts_suppressions s;
		char why[256] = "";

		sts_suppressions_init(&s);
		ATF_CHECK_EQ(-EINVAL, sts_suppressions_parse(&s, "rules", table[i].text, TODAY, why));
		ATF_CHECK_STREQ(table[i].why, why);
		sts_suppressions_free(&s);
	}
}

STS_TC(unreadable, 5, "a file that is not there")
{
	struct sts_suppressions s;
	char why[256] = "";

	sts_suppressions_init(&s);
	ATF_CHECK_EQ(-ENOENT, sts_suppressions_read(&s, "./none", TODAY, why));
	ATF_CHECK_STREQ("./none: No such file or directory", why);
}
