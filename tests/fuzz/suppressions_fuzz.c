// SPDX-License-Identifier: BSD-2-Clause
/* Suppressions and options: any text is read or refused with a reason. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "leaks/options.h"
#include "leaks/report/suppress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[256] = "", *text = malloc(size + 1);
	const char *at = text;
	struct sts_suppressions s;
	struct sts_option option;
	int64_t number;
	int r;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	sts_suppressions_init(&s);
	r = sts_suppressions_parse(&s, "fuzz", text, "2026-11-25", why);
	if (r != 0 && (r != -EINVAL || !why[0]))
		abort();
	for (struct sts_rule *rule = s.first; rule; rule = rule->next)
		if (rule->pattern)
			sts_pattern_found(rule->pattern, "some text of a function");
	sts_suppressions_free(&s);
	while (sts_option_next(&at, &option))
		sts_option_number(&option, &number);
	free(text);
	return 0;
}
