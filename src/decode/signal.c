/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals and siginfo as text. */
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

struct code {
	int signal, code;
	const char *name;
};

/* signal 0: any */
static const struct code codes[] = {
	{0, SI_USER, "SI_USER"},
	{0, SI_KERNEL, "SI_KERNEL"},
	{0, SI_QUEUE, "SI_QUEUE"},
	{0, SI_TIMER, "SI_TIMER"},
	{0, SI_MESGQ, "SI_MESGQ"},
	{0, SI_ASYNCIO, "SI_ASYNCIO"},
	{0, SI_SIGIO, "SI_SIGIO"},
	{0, SI_TKILL, "SI_TKILL"},
	{SIGCHLD, CLD_EXITED, "CLD_EXITED"},
	{SIGCHLD, CLD_KILLED, "CLD_KILLED"},
	{SIGCHLD, CLD_DUMPED, "CLD_DUMPED"},
	{SIGCHLD, CLD_TRAPPED, "CLD_TRAPPED"},
	{SIGCHLD, CLD_STOPPED, "CLD_STOPPED"},
	{SIGCHLD, CLD_CONTINUED, "CLD_CONTINUED"},
	{SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR"},
	{SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR"},
	{SIGBUS, BUS_ADRALN, "BUS_ADRALN"},
	{SIGBUS, BUS_ADRERR, "BUS_ADRERR"},
	{SIGBUS, BUS_OBJERR, "BUS_OBJERR"},
	{SIGILL, ILL_ILLOPC, "ILL_ILLOPC"},
	{SIGILL, ILL_ILLOPN, "ILL_ILLOPN"},
	{SIGFPE, FPE_INTDIV, "FPE_INTDIV"},
	{SIGFPE, FPE_INTOVF, "FPE_INTOVF"},
	{SIGFPE, FPE_FLTDIV, "FPE_FLTDIV"},
	{SIGTRAP, TRAP_BRKPT, "TRAP_BRKPT"},
	{SIGTRAP, TRAP_TRACE, "TRAP_TRACE"},
};

static void add_code(struct sts_text *out, const siginfo_t *info)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		if (codes[i].code == info->si_code && (codes[i].signal == 0 || codes[i].signal == info->si_signo)) {
			sts_text_add(out, "%s", codes[i].name);
			return;
		}
	}
	sts_text_add(out, "%#x", info->si_code);
}

static bool is_fault(const siginfo_t *info)
{
	return info->si_code > 0 && (info->si_signo == SIGSEGV || info->si_signo == SIGBUS ||
				     info->si_signo == SIGILL || info->si_signo == SIGFPE);
}

static void add_child_status(struct sts_text *out, const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		sts_text_add(out, ", si_status=%d", info->si_status);
	else
		sts_text_add(out, ", si_status=%s", sts_decode_signal(info->si_status));
	sts_text_add(out, ", si_utime=%ld, si_stime=%ld", (long)info->si_utime, (long)info->si_stime);
}

void sts_decode_siginfo(const siginfo_t *info, struct sts_text *out)
{
	sts_text_add(out, "{si_signo=%s, si_code=", sts_decode_signal(info->si_signo));
	add_code(out, info);
	if (is_fault(info)) {
		if (info->si_addr)
			sts_text_add(out, ", si_addr=%p", info->si_addr);
		else
			sts_text_add(out, ", si_addr=NULL");
	} else if (info->si_code == SI_TIMER) {
		sts_text_add(out, ", si_timerid=%#x, si_overrun=%d", info->si_timerid, info->si_overrun);
	} else if (info->si_code != SI_KERNEL) {
		sts_text_add(out, ", si_pid=%d, si_uid=%u", info->si_pid, info->si_uid);
		if (info->si_signo == SIGCHLD && info->si_code > 0)
			add_child_status(out, info);
		else if (info->si_code == SI_QUEUE)
			sts_text_add(out, ", si_int=%d, si_ptr=%p", info->si_int, info->si_ptr);
	}
	sts_text_add(out, "}");
}
