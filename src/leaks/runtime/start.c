// SPDX-License-Identifier: BSD-2-Clause
#include <asm/unistd.h>
#include <dlfcn.h>
#include <stdlib.h>

#include "leaks/runtime/check.h"
#include "leaks/runtime/runtime.h"
#include "leaks/runtime/settings.h"
#include "stopworld/x86/raw.h"

/* libc's own, which atexit(3) is made of. */
extern int __cxa_atexit(void (*f)(void *), void *arg, void *dso);

static void at_exit(void *arg)
{
	if (sts_settings.at_exit)
		sts_check_at_end();
}

/* NULL if we are part of the program. */
static const char *library_path(void)
{
	Dl_info info;

	if (dladdr((void *)sts_runtime_start, &info) == 0 || info.dli_fname == NULL)
		return NULL;
	return info.dli_fname;
}

void sts_runtime_start(void)
{
	sts_settings_read();
	sts_texts_prepare();
	sts_modules_learn();
	sts_send_prepare(library_path());
	/* Belongs to no module, so that it comes after all that the program and its libraries do at their ends. */
	__cxa_atexit(at_exit, NULL, NULL);
	sts_daemon_start();
}

void sts_runtime_after_fork(void)
{
	sts_check_after_fork();
	sts_daemon_start();
}
