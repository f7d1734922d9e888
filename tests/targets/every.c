// SPDX-License-Identifier: BSD-2-Clause
/* Makes every system call there might be, all of them but exit_group under a filter that keeps the kernel from running
   them: what a tracer's sets of calls hold can be seen. */
#include "forbid.h"

/* What the kernel puts into probed programs: called from elsewhere it is a SIGILL, filter or not. */
static int is_probe(long n)
{
	return sizeof n == 8 && (n == 335 || n == 336);
}

int main(void)
{
	forbid_all();
	for (long n = 0; n < 600; n++)
		if (n != SYS_exit_group && !is_probe(n))
			syscall(n, 0L, 0L, 0L, 0L, 0L, 0L);
	syscall(SYS_exit_group, 0);
	return 1;
}
