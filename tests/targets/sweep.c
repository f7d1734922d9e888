// SPDX-License-Identifier: BSD-2-Clause
/* Makes calls for the names of their arguments' values: of each call "NUMBER:ARGUMENT" that is named, with that
   argument in turn every small number and every bit, and the others 0. The kernel runs none of them. */
#include "forbid.h"

#include <stdlib.h>

static void sweep(long number, int which)
{
	for (int i = 0; i < 64 + 31; i++) {
		long args[6] = {0};

		args[which] = i < 64 ? i : (long)(1ul << (i - 63));
		syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	}
}

int main(int argc, char **argv)
{
	char *rest;

	forbid_all();
	for (int i = 1; i < argc; i++) {
		long number = strtol(argv[i], &rest, 10);
		long which = *rest == ':' ? strtol(rest + 1, NULL, 10) : 6;

		if (which > 5 || number == SYS_exit_group)
			return 1;
		sweep(number, (int)which);
	}
	syscall(SYS_exit_group, 0);
	return 1;
}
