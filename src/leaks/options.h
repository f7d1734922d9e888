/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Texts of options as sanitizers have them: NAME=VALUE, separated by colons, commas or white space; a value in quotes
 * of either kind may hold those. Read by the runtime, which may not allocate, and by the reporter.
 */
#ifndef STS_LEAKS_OPTIONS_H
#define STS_LEAKS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sts_option {
	const char *name, *value; /* not terminated */
	size_t name_size, value_size;
};

/* The next of a text; *at moves on. False at its end. An option without '=' has a NULL value. */
bool sts_option_next(const char **at, struct sts_option *ret);
bool sts_option_is(const struct sts_option *option, const char *name);
/* 0, 1, no, yes, false, true; false if it is none of these. */
bool sts_option_bool(const struct sts_option *option, bool *ret);
/* Decimal, or hexadecimal with 0x; false if it is no number. */
bool sts_option_number(const struct sts_option *option, int64_t *ret);

#endif
