/* SPDX-License-Identifier: BSD-2-Clause */
/* Every code of error.h has a name, a text and an errno; everything else has a sane answer. */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The header itself, as text: so that a code added there and nowhere else is noticed. */
__asm__(".pushsection .rodata\n"
	"error_h:\n"
	".incbin \"stasis/error.h\"\n"
	".byte 0\n"
	".popsection\n");
extern const char error_h[];

struct code {
	char name[48];
	int value;
};

/* The next "STASIS_E_NAME = -NUMBER" at or after *at. */
static bool next_code(const char **at, struct code *ret)
{
	const char *p = *at;

	while ((p = strstr(p, "STASIS_E_")) != NULL) {
		size_t len = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

		if (len < sizeof(ret->name) && strncmp(p + len, " = -", 4) == 0) {
			memcpy(ret->name, p, len);
			ret->name[len] = '\0';
			ret->value = atoi(p + len + 3);
			*at = p + len;
			return true;
		}
		p += len;
	}
	return false;
}

STS_TC(every_code_is_known, 5, "each code of error.h has its own name, text and errno")
{
	const char *at = error_h;
	struct code c;
	int n = 0;

	while (next_code(&at, &c)) {
		n++;
		ATF_CHECK_STREQ(c.name, stasis_error_name(c.value));
		ATF_CHECK_MSG(strcmp(stasis_strerror(c.value), "Unknown error") != 0, "%s has no text", c.name);
		ATF_CHECK_MSG(stasis_error_errno(c.value) > 0 && stasis_error_errno(c.value) < 4096, "%s has no errno",
			      c.name);
		ATF_CHECK_MSG(c.value < -4095, "%s lies among the errno values", c.name);
	}
	ATF_CHECK_MSG(n >= 32, "only %d codes were found in the header", n);
}

STS_TC(texts_are_clean, 5, "texts are distinct, of one line, and have no full stop")
{
	const char *at = error_h;
	struct code a, b;

	while (next_code(&at, &a)) {
		const char *text = stasis_strerror(a.value);
		const char *rest = at;

		ATF_CHECK_MSG(strpbrk(text, "\n\t") == NULL && text[strlen(text) - 1] != '.', "%s: '%s'", a.name, text);
		while (next_code(&rest, &b))
			ATF_CHECK_MSG(strcmp(text, stasis_strerror(b.value)) != 0, "%s and %s say the same", a.name,
				      b.name);
	}
}

STS_TC(permission_codes_are_eperm, 5, "all STASIS_E_PERM* are EPERM; the dead and unknown are ESRCH")
{
	const char *at = error_h;
	struct code c;
	int n = 0;

	while (next_code(&at, &c)) {
		if (strncmp(c.name, "STASIS_E_PERM", 13) != 0)
			continue;
		n++;
		ATF_CHECK_EQ_MSG(EPERM, stasis_error_errno(c.value), "%s", c.name);
	}
	ATF_CHECK_EQ(8, n);
	ATF_CHECK_EQ(ESRCH, stasis_error_errno(STASIS_E_GONE));
	ATF_CHECK_EQ(ESRCH, stasis_error_errno(STASIS_E_NO_PROCESS));
	ATF_CHECK_EQ(EDEADLK, stasis_error_errno(STASIS_E_ALL_SUSPENDED));
}

STS_TC(errno_values, 5, "negated errno values have the names and texts of the C library")
{
	ATF_CHECK_STREQ("ENOMEM", stasis_error_name(-ENOMEM));
	ATF_CHECK_STREQ("EHWPOISON", stasis_error_name(-EHWPOISON));
	ATF_CHECK_STREQ(strerror(ENOMEM), stasis_strerror(-ENOMEM));
	ATF_CHECK_EQ(ENOMEM, stasis_error_errno(-ENOMEM));
}

STS_TC(other_values, 5, "success, and numbers that are no error code")
{
	static const int unknown[] = {-4000, -4095, -4096, -5000, -5099, -1000000, INT_MIN};

	ATF_CHECK_STREQ("Success", stasis_strerror(0));
	ATF_CHECK_STREQ("Success", stasis_strerror(7));
	ATF_CHECK_STREQ("OK", stasis_error_name(INT_MAX));
	ATF_CHECK_EQ(0, stasis_error_errno(0));
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		ATF_CHECK_STREQ("Unknown error", stasis_strerror(unknown[i]));
		ATF_CHECK_STREQ("UNKNOWN", stasis_error_name(unknown[i]));
		ATF_CHECK_MSG(stasis_error_errno(unknown[i]) > 0, "%d", unknown[i]);
	}
}
