// SPDX-License-Identifier: BSD-2-Clause
/* A host program whose every thread has large variables of its own, for which libc takes room from the thread's stack.
 */
#include "drive.h"

static _Thread_local volatile char large[2 * 1024 * 1024];

STS_TC(thread_locals, 30, "a host with large thread-local variables has an isolated session like any other")
{
	struct stasis_session *s = sts_session();
	struct actor a;

	large[0] = large[sizeof(large) - 1] = 1;
	actor_launch(&a, s, "actor");
	actor_interrupt(&a);
	sts_resume(s, a.pid);
	actor_end(&a);
	stasis_session_destroy(s);
}
