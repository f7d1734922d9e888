// SPDX-License-Identifier: BSD-2-Clause
/*
 * The stop signal: the one that libc keeps for its own calls to all threads (glibc: 33, for setuid and its like; musl:
 * 34). No program can block it through libc, wait for it, or give it a handler, and debuggers pass it on silently. libc
 * goes on using it: what does not carry our code and the address of our world is handed to the handler that was there.
 */
#include <asm/unistd.h>
#include <signal.h>
#include <stdatomic.h>

#include "stopworld/cpu.h"
#include "stopworld/linux/proc.h"
#include "stopworld/world.h"
#include "stopworld/x86/raw.h"

#ifdef __GLIBC__
#define STOP_SIGNAL 33
#else
#define STOP_SIGNAL 34
#endif
/* Negative: a signal queued by a program. No libc sends or takes such a one. */
#define STOP_CODE (-0x5354)
#define RAW_SA_RESTORER 0x04000000ul

#define SET_SIZE sizeof(uint64_t)
#define STOP_BIT ((uint64_t)1 << (STOP_SIGNAL - 1))

struct raw_sigaction {
	void *handler;
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
} __attribute__((packed));

static struct raw_sigaction chain;
/* The process in which `chain` is being found out, with our handler in place already. A forked child is another. */
static _Atomic int32_t claiming;

static void pass_on(int sig, siginfo_t *info, void *context)
{
	while (atomic_load(&claiming) == (int32_t)RAW(getpid))
		RAW(sched_yield);
	if (chain.handler == (void *)SIG_DFL || chain.handler == (void *)SIG_IGN)
		return;
	if ((chain.flags & SA_SIGINFO) != 0)
		((void (*)(int, siginfo_t *, void *))chain.handler)(sig, info, context);
	else
		((void (*)(int))chain.handler)(sig);
}

static void on_stop_signal(int sig, siginfo_t *info, void *context)
{
	if (info->si_code == STOP_CODE && info->si_value.sival_ptr == &sts_world)
		sts_world_park(context);
	else
		pass_on(sig, info, context);
}

static uint64_t set_mask(int how, uint64_t set)
{
	uint64_t old = 0;

	RAW(rt_sigprocmask, how, &set, &old, SET_SIZE);
	return old;
}

/* What was there is known only when ours is: musl may put its handler there in between, and wait for its answers. */
static int take_signal(const struct raw_sigaction *ours)
{
	/* This thread must not wait for itself in pass_on(). */
	uint64_t mask = set_mask(SIG_SETMASK, ~(uint64_t)0);
	struct raw_sigaction before;

	atomic_store(&claiming, (int32_t)RAW(getpid));
	int r = (int)RAW(rt_sigaction, STOP_SIGNAL, ours, &before, SET_SIZE);
	if (r == 0 && before.handler != ours->handler)
		chain = before;
	atomic_store(&claiming, 0);
	set_mask(SIG_SETMASK, mask);
	return r;
}

/* libc may have put its own handler there since: glibc with the first thread, musl with each use. */
int sts_os_claim(void)
{
	struct raw_sigaction now, ours = {
					  .handler = (void *)on_stop_signal,
					  .flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | RAW_SA_RESTORER,
					  .restorer = sts_cpu_restorer,
					  .mask = ~(uint64_t)0,
				  };
	int r = (int)RAW(rt_sigaction, STOP_SIGNAL, NULL, &now, SET_SIZE);

	if (r < 0 || now.handler == ours.handler)
		return r;
	return take_signal(&ours);
}

int sts_os_ask(int32_t pid, int32_t tid)
{
	siginfo_t info;

	for (size_t i = 0; i < sizeof(info) / sizeof(int); i++)
		((volatile int *)&info)[i] = 0;
	info.si_signo = STOP_SIGNAL;
	info.si_code = STOP_CODE;
	info.si_pid = pid;
	info.si_value.sival_ptr = &sts_world;
	return (int)RAW(rt_tgsigqueueinfo, pid, tid, STOP_SIGNAL, &info);
}

bool sts_os_exists(int32_t pid, int32_t tid)
{
	return RAW(tgkill, pid, tid, 0) == 0;
}

uint64_t sts_os_block_others(void)
{
	return set_mask(SIG_SETMASK, ~STOP_BIT);
}

uint64_t sts_os_block_all(void)
{
	return set_mask(SIG_SETMASK, ~(uint64_t)0);
}

void sts_os_unblock(uint64_t mask)
{
	set_mask(SIG_SETMASK, mask);
}

bool sts_os_has_stop_signal(uint64_t set)
{
	return (set & STOP_BIT) != 0;
}
