// SPDX-License-Identifier: BSD-2-Clause
/* The library itself: what it needs is nothing. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run(const char *command, char *text, size_t size)
{
	FILE *f = popen(command, "r");
	size_t n;

	ATF_REQUIRE(f != NULL);
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	ATF_REQUIRE_EQ_MSG(pclose(f), 0, "%s", command);
}

STS_TC(needs_nothing, 30, "the archive calls nothing outside, and touches no thread-local storage",
       .require_progs = "nm objdump")
{
	char text[8192];

	run("cd '" STS_TESTS_DIR
	    "/..' && nm -u libstasis-stopworld.a | grep ' U ' | grep -v -e ' sts_' -e stasis_world_ "
	    "-e _GLOBAL_OFFSET_TABLE_ || true",
	    text, sizeof(text));
	ATF_REQUIRE_STREQ_MSG(text, "", "%s", text);
	/* Of a segment register's memory the stack protector and TLS are made; the selector alone may be read. */
	run("cd '" STS_TESTS_DIR "/..' && objdump -d libstasis-stopworld.a | grep -e '%fs:' -e '%gs:' || true", text,
	    sizeof(text));
	ATF_REQUIRE_STREQ_MSG(text, "", "%s", text);
	run("cd '" STS_TESTS_DIR "/..' && objdump -p libstasis-stopworld.so | grep -e NEEDED || true", text,
	    sizeof(text));
	ATF_REQUIRE_STREQ_MSG(text, "", "%s", text);
}

/* The handler runs on whatever stack is left. */
STS_TC(small_frame, 30, "the stopped side uses little stack", .require_progs = "objdump")
{
	char text[65536], *p = text;
	unsigned long total = 0;

	run("cd '" STS_TESTS_DIR "/..' && objdump -d libstasis-stopworld.a | "
	    "awk '/^[0-9a-f]+ <(on_stop_signal|sts_world_park|sts_table_find|sts_os_wait|sts_cpu_thread_pointer)>:/"
	    "{on=1} /^$/{on=0} on && /sub +\\$0x[0-9a-f]+,%rsp/{sub(/.*\\$0x/,\"\"); sub(/,.*/,\"\"); print}'",
	    text, sizeof(text));
	while (*p != '\0') {
		total += strtoul(p, &p, 16);
		p += *p == '\n';
	}
	ATF_REQUIRE_MSG(total < 512, "%lu bytes", total);
}
