// SPDX-License-Identifier: BSD-2-Clause
/* Reading raw reports, whole and broken. */
#include <stdlib.h>
#include <string.h>

#include "raw.h"
#include "test.h"

static struct raw whole(void)
{
	struct raw r = raw_begin();
	const uint64_t pcs[] = {0x1001, 0x2001};
	struct sts_raw_module m = {.id = 5, .alive = 1, .start = 0x1000, .end = 0x3000, .bias = 0x1000};
	struct sts_raw_object o = {.class = STS_RAW_DEFINITE, .stack = 2, .address = 0xabc0, .size = 10};
	struct sts_raw_obstacle t = {.tid = 12, .state = 6};

	raw_text(&r, STS_RAW_EXE, "/bin/prog");
	raw_text(&r, STS_RAW_ARGUMENT, "prog");
	raw_text(&r, STS_RAW_ARGUMENT, "-x");
	raw_text(&r, STS_RAW_OPTIONS, "a=1");
	raw_text(&r, STS_RAW_OPTIONS, "b=2");
	raw_text(&r, STS_RAW_SUPPRESSIONS, "leak:x");
	raw_text(&r, STS_RAW_REMARK, "odd"); /* of a length that misaligns the rest */
	raw_item(&r, STS_RAW_MODULE, &m, sizeof(m), "/lib/m.so");
	raw_stack(&r, 7, 2, pcs, 5);
	raw_stack(&r, 2, 1, pcs, STS_RAW_NO_MODULE);
	raw_leak(&r, STS_RAW_INDIRECT, 7, 1, 1000);
	raw_leak(&r, STS_RAW_DEFINITE, 2, 1, 10);
	raw_leak(&r, STS_RAW_DEFINITE, 7, 2, 20);
	raw_leak(&r, STS_RAW_DEFINITE, 99, 1, 5);
	raw_item(&r, STS_RAW_OBJECT, &o, sizeof(o), "");
	raw_item(&r, STS_RAW_OBSTACLE, &t, sizeof(t), "worker");
	raw_end(&r);
	return r;
}

STS_TC(whole_report, 5, "all items are taken, leaks sorted by class and size, stacks found by id")
{
	struct raw raw = whole();
	struct sts_leak_report *r = raw_read(&raw);
	struct sts_raw_verdict sum;

	ATF_CHECK_EQ(4711, r->process.pid);
	ATF_CHECK_STREQ("/bin/prog", r->exe);
	ATF_CHECK_STREQ("a=1\nb=2", r->options);
	ATF_CHECK_STREQ("leak:x", r->suppressions);
	ATF_CHECK_EQ(2, r->n_arguments);
	ATF_CHECK_STREQ("-x", r->arguments[1]);
	ATF_CHECK_STREQ("odd", r->remarks[0]);
	ATF_CHECK_STREQ("worker", r->obstacle_names[0]);
	ATF_REQUIRE_EQ(4, r->n_leaks);
	ATF_CHECK_EQ(20, r->leaks[0].raw.bytes);
	ATF_CHECK_EQ(7, r->leaks[0].stack->id);
	ATF_CHECK_EQ(10, r->leaks[1].raw.bytes);
	ATF_CHECK_EQ(2, r->leaks[1].stack->id);
	ATF_CHECK(r->leaks[2].stack == NULL);
	ATF_CHECK_EQ(STS_RAW_INDIRECT, r->leaks[3].raw.class);
	ATF_CHECK_EQ(0x2001, r->leaks[0].stack->frames[1].pc);
	ATF_CHECK_STREQ("/lib/m.so", sts_leak_report_module(r, &r->leaks[0].stack->frames[0])->path);
	ATF_CHECK(sts_leak_report_module(r, &r->leaks[1].stack->frames[0]) == NULL);
	sts_leak_report_sum(r, 1u << STS_RAW_DEFINITE, &sum);
	ATF_CHECK_EQ(3, sum.leaks);
	ATF_CHECK_EQ(4, sum.blocks);
	ATF_CHECK_EQ(35, sum.bytes);
	sts_leak_report_free(r);
}

STS_TC(cut_off, 20, "cut off anywhere, a report is refused with a reason")
{
	struct raw raw = whole();

	for (size_t n = 0; n < raw.size; n++) {
		char *part = malloc(n + 1), why[128] = "";

		ATF_REQUIRE(part != NULL);
		memcpy(part, raw.data, n);
		ATF_CHECK_MSG(sts_leak_report_read(part, n, why) == NULL, "%zu of %zu bytes", n, raw.size);
		ATF_CHECK_MSG(strncmp(why, "byte ", 5) == 0 && strlen(why) > 10, "%zu: '%s'", n, why);
	}
	free(raw.data);
}

STS_TC(changed, 60, "any byte changed: no crash, no hang")
{
	struct raw raw = whole();

	for (size_t i = 0; i < raw.size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			char *copy = malloc(raw.size), why[128] = "";

			ATF_REQUIRE(copy != NULL);
			memcpy(copy, raw.data, raw.size);
			copy[i] ^= 1 << bit;
			sts_leak_report_free(sts_leak_report_read(copy, raw.size, why));
		}
	}
	free(raw.data);
}

static void refused(struct raw raw, const char *what)
{
	char why[128] = "";

	ATF_CHECK(sts_leak_report_read(raw.data, raw.size, why) == NULL);
	ATF_CHECK_MSG(strstr(why, what) != NULL, "'%s' is not in '%s'", what, why);
}

STS_TC(refused, 5, "what a report must not be")
{
	struct sts_raw_process p = {.magic = STS_RAW_MAGIC, .version = STS_RAW_VERSION + 1};
	struct sts_raw_leak leak = {.class = 9};
	struct raw r = {0};

	refused((struct raw){.data = strdup("")}, "empty");
	raw_item(&r, STS_RAW_PROCESS, &p, sizeof(p), "");
	raw_end(&r);
	refused(r, "another version");
	r = (struct raw){0};
	p = (struct sts_raw_process){.version = STS_RAW_VERSION};
	raw_item(&r, STS_RAW_PROCESS, &p, sizeof(p), "");
	refused(r, "not a report");
	r = (struct raw){0};
	raw_end(&r);
	refused(r, "not a report");
	r = raw_begin();
	raw_item(&r, STS_RAW_LEAK, &leak, sizeof(leak), "");
	refused(r, "class that is not known");
	r = raw_begin();
	raw_item(&r, 77, NULL, 0, "");
	refused(r, "kind that is not known");
	r = raw_begin();
	r.items++;
	raw_end(&r);
	refused(r, "items are missing");
	r = raw_begin();
	raw_end(&r);
	raw_item(&r, STS_RAW_TEXT, NULL, 0, "");
	refused(r, "stands behind");
}
