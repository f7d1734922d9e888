// SPDX-License-Identifier: BSD-2-Clause
/*
 * Checks while the program runs: by a thread of ours, which is made only if they are asked for, because a second thread
 * keeps a program from some things. Signals only wake it.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "leaks/runtime/check.h"
#include "leaks/runtime/runtime.h"
#include "leaks/runtime/settings.h"
#include "stopworld/x86/raw.h"

enum { NOTHING = 0, ASKED = 1, TERM = 2 };

static _Atomic uint32_t wanted; /* bits */

static void on_signal(int number)
{
	int saved = errno;

	atomic_fetch_or(&wanted, number == sts_settings.on_signal ? ASKED : TERM);
	RAW(futex, &wanted, FUTEX_WAKE_PRIVATE, 1);
	errno = saved;
}

/* As it would have been without us. */
static void end_by_term(void)
{
	struct sigaction act = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigaction(SIGTERM, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGTERM);
}

static uint32_t wait_for_wish(void)
{
	struct timespec interval = {.tv_sec = sts_settings.interval_s};
	long r = 0;

	while (atomic_load(&wanted) == NOTHING && r != -ETIMEDOUT)
		r = RAW(futex, &wanted, FUTEX_WAIT_PRIVATE, NOTHING, sts_settings.interval_s > 0 ? &interval : NULL);
	return atomic_exchange(&wanted, NOTHING);
}

static void *run(void *arg)
{
	for (;;) {
		uint32_t wish = wait_for_wish();

		if (!sts_turned_off())
			sts_check(wish & TERM ? STS_RAW_TERM : wish & ASKED ? STS_RAW_SIGNAL : STS_RAW_INTERVAL);
		if (wish & TERM)
			end_by_term();
	}
	return NULL;
}

/* Not where the program, or who started it, has decided otherwise. */
static void take_signal(int number)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, was;

	if (sigaction(number, NULL, &was) == 0 && was.sa_handler == SIG_DFL)
		sigaction(number, &act, NULL);
}

void sts_daemon_start(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;

	if (sts_settings.on_signal == 0 && sts_settings.interval_s == 0 && !sts_settings.at_term)
		return;
	if (sts_settings.on_signal != 0)
		take_signal(sts_settings.on_signal);
	if (sts_settings.at_term)
		take_signal(SIGTERM);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, run, NULL) != 0)
		sts_say("no thread for checks while the program runs", "");
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}
