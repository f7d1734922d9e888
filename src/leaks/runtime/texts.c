// SPDX-License-Identifier: BSD-2-Clause
/* What the program is called, and what it says of suppressions. */
#include <asm/unistd.h>
#include <fcntl.h>
#include <string.h>

#include "leaks/runtime/check.h"
#include "leaks/runtime/settings.h"
#include "stopworld/x86/raw.h"

extern const char *__lsan_default_suppressions(void) __attribute__((weak));

static char exe[4096], arguments[4096];
static size_t arguments_size;

void sts_texts_prepare(void)
{
	long n = RAW(readlink, "/proc/self/exe", exe, sizeof(exe) - 1);
	int fd = (int)RAW(openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

	exe[n > 0 ? n : 0] = '\0';
	if (fd < 0)
		return;
	n = RAW(read, fd, arguments, sizeof(arguments) - 1);
	arguments_size = n > 0 ? (size_t)n : 0;
	RAW(close, fd);
}

void sts_texts_tell(struct sts_out *out)
{
	sts_out_text(out, STS_RAW_EXE, exe);
	for (size_t at = 0; at < arguments_size; at += strlen(arguments + at) + 1)
		sts_out_text(out, STS_RAW_ARGUMENT, arguments + at);
	for (unsigned i = 0; sts_settings_text(i) != NULL; i++)
		sts_out_text(out, STS_RAW_OPTIONS, sts_settings_text(i));
	if (&__lsan_default_suppressions != NULL) {
		const char *text = __lsan_default_suppressions();

		if (text != NULL)
			sts_out_text(out, STS_RAW_SUPPRESSIONS, text);
	}
}
