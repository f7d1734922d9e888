// SPDX-License-Identifier: BSD-2-Clause
/* Meets its case step by step: counts each step it is told of, and leaves with status 7 when told "leave". */
#include "shared.h"

int main(void)
{
	struct sts_shared *sh = sts_target_shared();
	struct sts_target_pipe p = sts_target_pipe(0);

	sts_target_send(&p, "ready");
	sts_target_await(&p, "count");
	sh->counter[3] += UINT64_C(1) << 40;
	sts_target_send(&p, "counted");
	sts_target_await(&p, "leave");
	return 7;
}
