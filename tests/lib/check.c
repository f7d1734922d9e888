// SPDX-License-Identifier: BSD-2-Clause
/* Failing with a reason. */
#include "test.h"

#include <stdio.h>

static void explain_failure(struct stasis_session *session)
{
	struct stasis_error_info info;

	stasis_session_last_error(session, &info);
	fprintf(stderr, "last error of the session: %s: %s (errno %d, pid %d, tid %d, other %d, address %#llx) %s\n",
		info.operation, info.cause, info.sys_errno, (int)info.pid, (int)info.tid, (int)info.other_pid,
		(unsigned long long)info.address, info.remedy);
}

int sts_check_ok(int result, const char *text, const char *file, int line, struct stasis_session *session)
{
	if (result >= 0)
		return result;
	if (session != NULL)
		explain_failure(session);
	atf_tc_fail("%s:%d: %s is %s: %s", file, line, text, stasis_error_name(result), stasis_strerror(result));
}

void sts_check_fails(int wanted, int result, const char *text, const char *file, int line)
{
	if (result == wanted)
		return;
	atf_tc_fail("%s:%d: %s is %d (%s), not %s", file, line, text, result,
		    result < 0 ? stasis_error_name(result) : "success", stasis_error_name(wanted));
}
