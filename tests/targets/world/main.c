// SPDX-License-Identifier: BSD-2-Clause
#include "world.h"

struct name {
	const char *name;
	void (*run)(const char *arg);
};

static const struct name scenarios[] = {
	{"basic", world_basic},
	{"blocked", world_blocked},
	{"blocked-spinning", world_blocked_spinning},
	{"eaten", world_eaten},
	{"vfork", world_vfork},
	{"held", world_held},
	{"held-released", world_held_released},
	{"job-control", world_job_control},
	{"calls", world_calls},
	{"signals", world_signals},
	{"churn", world_churn},
	{"crowd", world_crowd},
	{"callers", world_callers},
	{"exiting", world_exiting},
	{"in-handler", world_in_handler},
	{"locks", world_locks},
	{"setuid", world_setuid},
	{"first-thread", world_first_thread},
	{"dead-main", world_dead_main},
	{"fork", world_fork},
	{"queue", world_queue},
	{"no-files", world_no_files},
	{"misuse", world_misuse},
	{"snapshot", world_snapshot},
	{"snapshot-pause", world_snapshot_pause},
	{"snapshot-waits", world_snapshot_waits},
	{"snapshot-dies", world_snapshot_dies},
	{"snapshot-files", world_snapshot_files},
};

static const struct {
	const char *name;
	void (*apply)(void);
} settings[] = {
	{"seccomp-errno", with_seccomp_errno},
	{"seccomp-kill", with_seccomp_kill},
	{"seccomp-strict", with_seccomp_strict},
	{"nobody", with_nobody},
	{"no-dump", with_no_dump},
	{"namespaces", with_namespaces},
	{"container", with_container},
	{"no-proc", with_no_proc},
};

static void vreport(const char *prefix, const char *format, va_list args)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s", prefix);

	n += vsnprintf(text + n, sizeof(text) - (size_t)n - 1, format, args);
	n = n < (int)sizeof(text) - 1 ? n : (int)sizeof(text) - 2;
	text[n++] = '\n';
	if (write(2, text, (size_t)n) < 0)
		_exit(3);
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vreport("target-world: ", format, args);
	_exit(1);
}

void skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vreport("skipped: ", format, args);
	_exit(WORLD_SKIP);
}

long ok(long r, const char *text, const char *file, int line)
{
	if (r < 0)
		fail("%s:%d: %s: %s", file, line, text, strerror(r == -1 ? errno : (int)-r));
	return r;
}

static void apply(const char *name)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i].name, name) == 0) {
			settings[i].apply();
			return;
		}
	}
	fail("no setting %s", name);
}

int main(int argc, char **argv)
{
	alarm(getenv("WORLD_SECONDS") != NULL ? (unsigned)atoi(getenv("WORLD_SECONDS")) : 60);
	for (; argc > 2 && strcmp(argv[1], "--with") == 0; argv += 2, argc -= 2)
		apply(argv[2]);
	for (size_t i = 0; argc > 1 && i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (strcmp(scenarios[i].name, argv[1]) == 0) {
			scenarios[i].run(argc > 2 ? argv[2] : NULL);
			return 0;
		}
	}
	fail("usage: target-world [--with SETTING]... SCENARIO [ARGUMENT]");
}
