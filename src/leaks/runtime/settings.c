// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "leaks/heap/heap.h"
#include "leaks/options.h"
#include "leaks/raw.h"
#include "leaks/runtime/check.h"
#include "leaks/runtime/settings.h"
#include "leaks/unwind/unwind.h"

/* The program's, if it has one. */
extern const char *__lsan_default_options(void) __attribute__((weak));

struct sts_settings sts_settings = {
	.detect_leaks = true,
	.at_exit = true,
	.use_stacks = true,
	.use_registers = true,
	.use_globals = true,
	.use_tls = true,
	.use_root_regions = true,
	.snapshot = true,
	.exitcode = 23,
	.timeout_ms = 5000,
	.reporter_fd = -1,
};

static const struct {
	const char *name;
	size_t offset;
} bools[] = {
	{"detect_leaks", offsetof(struct sts_settings, detect_leaks)},
	{"leak_check_at_exit", offsetof(struct sts_settings, at_exit)},
	{"use_stacks", offsetof(struct sts_settings, use_stacks)},
	{"use_registers", offsetof(struct sts_settings, use_registers)},
	{"use_globals", offsetof(struct sts_settings, use_globals)},
	{"use_tls", offsetof(struct sts_settings, use_tls)},
	{"use_root_regions", offsetof(struct sts_settings, use_root_regions)},
	{"use_unaligned", offsetof(struct sts_settings, use_unaligned)},
	{"use_past_end", offsetof(struct sts_settings, use_past_end)},
	{"show_reachable", offsetof(struct sts_settings, show_reachable)},
	{"report_objects", offsetof(struct sts_settings, report_objects)},
	{"snapshot", offsetof(struct sts_settings, snapshot)},
	{"at_term", offsetof(struct sts_settings, at_term)},
	{"allocator_may_return_null", offsetof(struct sts_settings, may_return_null)},
};

static const struct {
	const char *name;
	int least, most;
	int *to;
} numbers[] = {
	{"exitcode", 0, 255, &sts_settings.exitcode},	     {"on_signal", 0, 64, &sts_settings.on_signal},
	{"interval", 0, 1000000, &sts_settings.interval_s},  {"timeout_ms", 1, 3600000, &sts_settings.timeout_ms},
	{"scan_threads", 0, 16, &sts_settings.scan_threads},
};

enum { MOST_MB = 1 << 27 }; /* all addresses there are */

static const char *texts[4];

const char *sts_environment(const char *name)
{
	size_t n = strlen(name);

	for (char **e = environ; e != NULL && *e != NULL; e++)
		if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
			return *e + n + 1;
	return NULL;
}

static void take_number(const struct sts_option *o, int64_t n)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (sts_option_is(o, numbers[i].name) && n >= numbers[i].least && n <= numbers[i].most)
			*numbers[i].to = (int)n;
	if (sts_option_is(o, "tag_bits"))
		sts_settings.tag_bits = n;
	if (sts_option_is(o, "max_allocation_size_mb") && n > 0 && n <= MOST_MB) {
		sts_heap_most = (size_t)n << 20;
		sts_settings.limited = true;
	}
	/* LeakSanitizer's 0 and 1 leave the innermost frame at least. */
	if (sts_option_is(o, "malloc_context_size") && n >= 0)
		sts_stack_depth = n < 2 ? 2 : n + 1 < STS_STACK_MOST ? (unsigned)n + 1 : STS_STACK_MOST;
}

static bool help; /* is asked for */

static void tell_names(void)
{
	sts_say("Available flags for LeakSanitizer:", "");
	for (size_t i = 0; i < sizeof(bools) / sizeof(*bools); i++)
		sts_say("  ", bools[i].name);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sts_say("  ", numbers[i].name);
	sts_say("  tag_bits, malloc_context_size, max_allocation_size_mb, fast_unwind_on_malloc; ",
		"see libstasis-leaks(3)");
}

static void take_options(const char *text)
{
	struct sts_option o;
	bool fast;
	int64_t n;

	while (sts_option_next(&text, &o)) {
		for (size_t i = 0; i < sizeof(bools) / sizeof(*bools); i++)
			if (sts_option_is(&o, bools[i].name))
				sts_option_bool(&o, (bool *)((char *)&sts_settings + bools[i].offset));
		if (sts_option_is(&o, "fast_unwind_on_malloc") && sts_option_bool(&o, &fast))
			sts_stack_use_frame_pointers(fast);
		if (sts_option_is(&o, "help"))
			sts_option_bool(&o, &help);
		if (sts_option_number(&o, &n))
			take_number(&o, n);
	}
}

static void read_fd(void)
{
	const char *text = sts_environment(STS_RAW_FD_VARIABLE);
	struct sts_option o = {.value = text, .value_size = text ? strlen(text) : 0};
	int64_t fd;

	if (text == NULL || !sts_option_number(&o, &fd) || fd < 0 || fd > 1 << 20)
		return;
	sts_settings.reporter_fd = (int)fd;
	sts_settings.exitcode = 0; /* the command has one of its own */
}

void sts_settings_read(void)
{
	unsigned n = 0;

	read_fd();
	texts[n] = &__lsan_default_options != NULL ? __lsan_default_options() : NULL;
	n += texts[n] != NULL;
	texts[n] = sts_environment("LSAN_OPTIONS");
	n += texts[n] != NULL;
	texts[n] = sts_environment("STASIS_OPTIONS");
	n += texts[n] != NULL;
	for (unsigned i = 0; i < n; i++)
		take_options(texts[i]);
	if (help)
		tell_names();
}

const char *sts_settings_text(unsigned i)
{
	return i < sizeof(texts) / sizeof(*texts) ? texts[i] : NULL;
}
