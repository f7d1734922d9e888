// SPDX-License-Identifier: BSD-2-Clause
/* Raw reports: any bytes are read or refused with a reason, and what was read can be summed up. */
#include <stdlib.h>
#include <string.h>

#include "leaks/report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[128] = "", *copy = malloc(size + 1);
	struct sts_raw_verdict sum;
	struct sts_leak_report *r;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	r = sts_leak_report_read(copy, size, why);
	if (!r && !why[0])
		abort();
	if (r)
		sts_leak_report_sum(r, ~0u, &sum);
	sts_leak_report_free(r);
	return 0;
}
