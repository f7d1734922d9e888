/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals: sets, actions, siginfo, frames. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "decode/show.h"

/* --- sets ----------------------------------------------------------------------------- */

static void show_set_at(struct sts_walk *w, const char *name, uint64_t addr, unsigned width)
{
	uint64_t set;

	if (!addr || !sts_read_uint(w, addr, width, &set))
		sts_put_address(w, name, addr);
	else
		sts_put_sigset(w, name, width == 4 && (uint32_t)~set == 0 ? UINT64_MAX : set);
}

void sts_show_sigset(struct sts_walk *w, const struct sts_value *v)
{
	show_set_at(w, v->name, v->value, 8);
}

void sts_show_oldsigset(struct sts_walk *w, const struct sts_value *v)
{
	show_set_at(w, v->name, v->value, 4);
}

void sts_show_oldsigmask(struct sts_walk *w, const struct sts_value *v)
{
	sts_put_sigset(w, v->name, (uint32_t)v->value);
}

void sts_show_sigmask(struct sts_walk *w, const struct sts_value *v)
{
	sts_put_sigset(w, v->name, v->value);
}

void sts_show_result_oldmask(struct sts_walk *w, const struct sts_value *v)
{
	sts_begin_result(w, "%#" PRIx64, v->value);
	sts_put_sigset(w, "old mask", (uint32_t)v->value);
	sts_end(w);
}

/* pselect6's last argument: where the set is, and how long. */
void sts_show_sigset_pair(struct sts_walk *w, const struct sts_value *v)
{
	unsigned word = sts_word_size(w);
	uint64_t set = 0, size = 0;

	if (!v->value || !sts_read_uint(w, v->value, word, &set) || !sts_read_uint(w, v->value + word, word, &size)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	show_set_at(w, "sigmask", set, 8);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "sigsetsize", size);
	sts_end(w);
}

/* --- actions --------------------------------------------------------------------------- */

void sts_show_handler(struct sts_walk *w, const struct sts_value *v)
{
	static const char *const names[] = {"SIG_DFL", "SIG_IGN"};

	if (v->value < 2)
		sts_put_symbol(w, v->name, v->value, names[v->value]);
	else
		sts_put_address(w, v->name, v->value);
}

static bool hide_restorer(const struct sts_field *field, const void *arg)
{
	return strcmp(field->name, "sa_restorer") == 0 && !(*(const uint64_t *)arg & 0x4000000 /* SA_RESTORER */);
}

void sts_show_sigaction(struct sts_walk *w, const struct sts_value *v)
{
	const struct sts_struct *s = v->type->structure;
	uint8_t buf[STS_STRUCT_MAX];

	if (!sts_read_struct(w, s, v->value, buf)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	uint64_t flags = sts_field_value(w, s, buf, "sa_flags");
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_show_fields(w, s, v->value, buf, sts_struct_size(w, s), hide_restorer, &flags);
	sts_end(w);
}

/* --- sigevent ---------------------------------------------------------------------------- */

void sts_show_sigval(struct sts_walk *w, const struct sts_value *v)
{
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_put_number(w, STASIS_DECODE_SIGNED, "sival_int", (uint64_t)(int64_t)(int32_t)v->value);
	sts_put_address(w, "sival_ptr", v->value);
	sts_end(w);
}

/* A thread is named for SIGEV_THREAD_ID alone, and a value that is 0 says nothing. */
static bool hide_event(const struct sts_field *field, const void *arg)
{
	const uint64_t *event = arg;

	return (strcmp(field->name, "sigev_notify_thread_id") == 0 && event[0] != SIGEV_THREAD_ID) ||
	       (strcmp(field->name, "sigev_value") == 0 && event[1] == 0);
}

void sts_show_sigevent(struct sts_walk *w, const struct sts_value *v)
{
	const struct sts_struct *s = v->type->structure;
	uint8_t buf[STS_STRUCT_MAX];

	if (!sts_read_struct(w, s, v->value, buf)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	const uint64_t event[] = {sts_field_value(w, s, buf, "sigev_notify"),
				  sts_field_value(w, s, buf, "sigev_value")};
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_show_fields(w, s, v->value, buf, sts_struct_size(w, s), hide_event, event);
	sts_end(w);
}

#define SECCOMP_CODE 1 /* SYS_SECCOMP, in no header of libc */

/* --- siginfo ------------------------------------------------------------------------------- */

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
	{0, SI_ASYNCNL, "SI_ASYNCNL"},
	{SIGCHLD, CLD_EXITED, "CLD_EXITED"},
	{SIGCHLD, CLD_KILLED, "CLD_KILLED"},
	{SIGCHLD, CLD_DUMPED, "CLD_DUMPED"},
	{SIGCHLD, CLD_TRAPPED, "CLD_TRAPPED"},
	{SIGCHLD, CLD_STOPPED, "CLD_STOPPED"},
	{SIGCHLD, CLD_CONTINUED, "CLD_CONTINUED"},
	{SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR"},
	{SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR"},
	{SIGSEGV, SEGV_PKUERR, "SEGV_PKUERR"},
	{SIGBUS, BUS_ADRALN, "BUS_ADRALN"},
	{SIGBUS, BUS_ADRERR, "BUS_ADRERR"},
	{SIGBUS, BUS_OBJERR, "BUS_OBJERR"},
	{SIGBUS, BUS_MCEERR_AR, "BUS_MCEERR_AR"},
	{SIGBUS, BUS_MCEERR_AO, "BUS_MCEERR_AO"},
	{SIGILL, ILL_ILLOPC, "ILL_ILLOPC"},
	{SIGILL, ILL_ILLOPN, "ILL_ILLOPN"},
	{SIGILL, ILL_ILLADR, "ILL_ILLADR"},
	{SIGILL, ILL_ILLTRP, "ILL_ILLTRP"},
	{SIGILL, ILL_PRVOPC, "ILL_PRVOPC"},
	{SIGFPE, FPE_INTDIV, "FPE_INTDIV"},
	{SIGFPE, FPE_INTOVF, "FPE_INTOVF"},
	{SIGFPE, FPE_FLTDIV, "FPE_FLTDIV"},
	{SIGFPE, FPE_FLTOVF, "FPE_FLTOVF"},
	{SIGFPE, FPE_FLTUND, "FPE_FLTUND"},
	{SIGFPE, FPE_FLTRES, "FPE_FLTRES"},
	{SIGFPE, FPE_FLTINV, "FPE_FLTINV"},
	{SIGTRAP, TRAP_BRKPT, "TRAP_BRKPT"},
	{SIGTRAP, TRAP_TRACE, "TRAP_TRACE"},
	{SIGTRAP, TRAP_HWBKPT, "TRAP_HWBKPT"},
	{SIGPOLL, POLL_IN, "POLL_IN"},
	{SIGPOLL, POLL_OUT, "POLL_OUT"},
	{SIGPOLL, POLL_MSG, "POLL_MSG"},
	{SIGPOLL, POLL_ERR, "POLL_ERR"},
	{SIGPOLL, POLL_PRI, "POLL_PRI"},
	{SIGPOLL, POLL_HUP, "POLL_HUP"},
	{SIGSYS, SECCOMP_CODE, "SYS_SECCOMP"},
};

static void put_code(struct sts_walk *w, const siginfo_t *info)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		if (codes[i].code == info->si_code && (codes[i].signal == 0 || codes[i].signal == info->si_signo)) {
			sts_put_symbol(w, "si_code", (uint64_t)(int64_t)info->si_code, codes[i].name);
			return;
		}
	}
	sts_put_number(w, STASIS_DECODE_HEX, "si_code", (uint32_t)info->si_code);
}

static bool is_fault(const siginfo_t *info)
{
	return info->si_code > 0 && info->si_code != SI_KERNEL &&
	       (info->si_signo == SIGSEGV || info->si_signo == SIGBUS || info->si_signo == SIGILL ||
		info->si_signo == SIGFPE || info->si_signo == SIGTRAP);
}

static void put_int(struct sts_walk *w, const char *name, int64_t value)
{
	sts_put_number(w, STASIS_DECODE_SIGNED, name, (uint64_t)value);
}

static void put_child(struct sts_walk *w, const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		put_int(w, "si_status", info->si_status);
	else
		sts_show_signal(w, "si_status", info->si_status);
	sts_show_ticks(w, &(struct sts_value){"si_utime", (uint64_t)info->si_utime, NULL});
	sts_show_ticks(w, &(struct sts_value){"si_stime", (uint64_t)info->si_stime, NULL});
}

static void put_value(struct sts_walk *w, const siginfo_t *info)
{
	if (!info->si_ptr)
		return;
	put_int(w, "si_int", info->si_int);
	sts_put_address(w, "si_ptr", (uint64_t)(uintptr_t)info->si_ptr);
}

static void put_sender(struct sts_walk *w, const siginfo_t *info)
{
	put_int(w, "si_pid", info->si_pid);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "si_uid", info->si_uid);
	if (info->si_signo == SIGCHLD && info->si_code > 0)
		put_child(w, info);
	else if (info->si_code == SI_QUEUE)
		put_value(w, info);
}

static void put_seccomp(struct sts_walk *w, const siginfo_t *info)
{
	sts_put_address(w, "si_call_addr", (uint64_t)(uintptr_t)info->si_call_addr);
	put_int(w, "si_syscall", info->si_syscall);
	sts_put_number(w, STASIS_DECODE_HEX, "si_arch", info->si_arch);
}

static void put_details(struct sts_walk *w, const siginfo_t *info)
{
	if (is_fault(info)) {
		sts_put_address(w, "si_addr", (uint64_t)(uintptr_t)info->si_addr);
	} else if (info->si_code == SI_TIMER) {
		sts_put_number(w, STASIS_DECODE_HEX, "si_timerid", (uint32_t)info->si_timerid);
		put_int(w, "si_overrun", info->si_overrun);
		put_value(w, info);
	} else if (info->si_signo == SIGPOLL && info->si_code > 0) {
		put_int(w, "si_band", info->si_band);
		put_int(w, "si_fd", info->si_fd);
	} else if (info->si_signo == SIGSYS && info->si_code == SECCOMP_CODE) {
		put_seccomp(w, info);
	} else if (info->si_code != SI_KERNEL) {
		put_sender(w, info);
	}
}

static void put_siginfo(struct sts_walk *w, const char *name, const siginfo_t *info)
{
	sts_begin(w, STASIS_DECODE_STRUCT, name);
	if (info->si_signo || info->si_code || info->si_pid) {
		sts_show_signal(w, "si_signo", info->si_signo);
		put_code(w, info);
		put_details(w, info);
	}
	sts_end(w);
}

/* The 32-bit layout: the unions begin after three ints, pointers and clock_t are ints. x32's clock_t is no int. */
static void widen(const int32_t *narrow, enum sts_abi_index abi, siginfo_t *ret)
{
	int code = narrow[2];

	*ret = (siginfo_t){.si_signo = narrow[0], .si_errno = narrow[1], .si_code = code};
	ret->si_pid = narrow[3];
	ret->si_uid = (uint32_t)narrow[4];
	if (is_fault(ret)) {
		ret->si_addr = (void *)(uintptr_t)(uint32_t)narrow[3];
	} else if (ret->si_signo == SIGCHLD && code > 0) {
		ret->si_status = narrow[5];
		if (abi == STS_ABI_X32) {
			memcpy(&ret->si_utime, &narrow[6], 8);
			memcpy(&ret->si_stime, &narrow[8], 8);
		} else {
			ret->si_utime = narrow[6];
			ret->si_stime = narrow[7];
		}
	} else if (code == SI_TIMER || code == SI_QUEUE) {
		ret->si_ptr = (void *)(uintptr_t)(uint32_t)narrow[5];
	}
}

void sts_show_siginfo(struct sts_walk *w, const struct sts_value *v)
{
	int32_t raw[32];
	siginfo_t info;

	if (!v->value || !sts_read(w, v->value, raw, sizeof raw)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	if (w->abi == STS_ABI_64)
		memcpy(&info, raw, sizeof info);
	else
		widen(raw, w->abi, &info);
	put_siginfo(w, v->name, &info);
}

void sts_decode_siginfo(const siginfo_t *info, struct sts_text *out)
{
	struct sts_text_sink s;
	struct stasis_decode d = {.size = sizeof d};
	struct stasis_decode_sink sink = sts_text_sink(&s, out, out, 0, false);
	struct sts_walk w = {.d = &d, .sink = &sink};

	put_siginfo(&w, NULL, info);
}

/* --- frames ------------------------------------------------------------------------------------ */

/*
 * What sigreturn restores lies at the stack pointer: a ucontext, whose mask is
 * 296 (x86-64) or 280 (x32) bytes in; i386's rt_sigreturn has signal, pointers
 * and siginfo before it, its sigreturn the sigcontext alone with half a mask.
 */
void sts_show_sigframe(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t at = w->call->sp, set;
	bool rt = strcmp(w->format->name, "rt_sigreturn") == 0;
	unsigned width = rt ? 8 : 4;

	at += w->abi == STS_ABI_64 ? 296 : w->abi == STS_ABI_X32 ? 280 : rt ? 248 : 80;
	if (!w->call->sp || !sts_read_uint(w, at, width, &set))
		return;
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_put_sigset(w, "mask", set);
	sts_end(w);
}
