/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of other tracers that are not here: better a word than a guess. */
#include "cli/truss/truss.h"

static const struct {
	int option;
	const char *text;
} refused[] = {
	{'b', "-b (--detach-on) is not supported: use --depth=N for whom to follow, --exec=GLOB for what is shown"},
	{'d', "-d (--debug) is not supported: it would show the tracer's own work; --json shows all that is known"},
	{'I', "-I (--interruptible) is not supported: a command gets the terminal's signals itself, and any ends "
	      "the tracing of attached processes"},
	{'O', "-O (--summary-syscall-overhead) is not supported: no cost is guessed and taken off"},
	{'X', "-X (--const-print-style) is not supported: use --json, whose values have number and name both"},
	{'Y', "-Y (--decode-pids=comm) is not supported: use --json, whose records have the thread's name"},
	{TRUSS_REFUSE_PIDNS, "--decode-pids is not supported: use --json, whose records have the thread's name"},
	{TRUSS_REFUSE_TIPS, "--tips is not supported: see stasis-truss(1), EXAMPLES"},
	{TRUSS_REFUSE_RAW, "verbose and raw sets of calls are not supported: use -v, -e abbrev=none or --json"},
	{TRUSS_REFUSE_DUMP, "read and write sets of descriptors are not supported: use --fd, -s N and -xx"},
	{TRUSS_REFUSE_KVM, "kvm is not supported"},
};

const char *truss_refused(int option)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (refused[i].option == option)
			return refused[i].text;
	return NULL;
}
