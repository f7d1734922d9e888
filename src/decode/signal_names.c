/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of signals. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "decode/decode.h"

/* The real-time signals as the kernel counts them: libc hides the first two. */
#define FIRST_REALTIME 32

const char *sts_decode_signal(int signal)
{
	static _Thread_local char text[24];
	const char *name = signal > 0 && signal < FIRST_REALTIME ? sigabbrev_np(signal) : NULL;

	if (signal == SIGPOLL)
		name = "IO";
	if (name)
		snprintf(text, sizeof text, "SIG%s", name);
	else if (signal == FIRST_REALTIME)
		snprintf(text, sizeof text, "SIGRTMIN");
	else if (signal > FIRST_REALTIME && signal <= 64)
		snprintf(text, sizeof text, "SIGRT_%d", signal - FIRST_REALTIME);
	else
		snprintf(text, sizeof text, "%d", signal);
	return text;
}

int sts_decode_signal_number(const char *name)
{
	for (int signal = 1; signal <= 64; signal++) {
		const char *known = sts_decode_signal(signal);

		if (strcmp(name, known) == 0 || strcmp(name, known + 3) == 0)
			return signal;
	}
	char *end;
	long number = strtol(name, &end, 10);
	return *name && !*end && number >= 1 && number <= 64 ? (int)number : -EINVAL;
}
