// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "leaks/options.h"

static bool separates(char c)
{
	return c == ':' || c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

bool sts_option_next(const char **at, struct sts_option *ret)
{
	const char *p = *at;
	char quote;

	while (separates(*p))
		p++;
	if (!*p)
		return false;
	*ret = (struct sts_option){.name = p};
	while (*p && *p != '=' && !separates(*p))
		p++;
	ret->name_size = p - ret->name;
	if (*p == '=') {
		quote = p[1] == '"' || p[1] == '\'' ? p[1] : '\0';
		p += quote ? 2 : 1;
		ret->value = p;
		while (*p && (quote ? *p != quote : !separates(*p)))
			p++;
		ret->value_size = p - ret->value;
		p += quote && *p;
	}
	*at = p;
	return true;
}

bool sts_option_is(const struct sts_option *option, const char *name)
{
	return strlen(name) == option->name_size && memcmp(option->name, name, option->name_size) == 0;
}

static bool value_is(const struct sts_option *option, const char *value)
{
	return option->value && strlen(value) == option->value_size &&
	       memcmp(option->value, value, option->value_size) == 0;
}

bool sts_option_bool(const struct sts_option *option, bool *ret)
{
	bool on = value_is(option, "1") || value_is(option, "yes") || value_is(option, "true");

	if (!on && !value_is(option, "0") && !value_is(option, "no") && !value_is(option, "false"))
		return false;
	*ret = on;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

bool sts_option_number(const struct sts_option *option, int64_t *ret)
{
	const char *p = option->value, *end = p + option->value_size;
	bool negative = p && p < end && *p == '-';
	uint64_t n = 0, base = 10;

	if (!p || (p += negative) == end)
		return false;
	if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x') {
		base = 16;
		p += 2;
	}
	/* Masks may have all 64 bits. */
	uint64_t most = base == 16 && !negative ? UINT64_MAX : INT64_MAX;

	for (; p < end; p++) {
		uint64_t d = digit(*p);

		if (d >= base || n > (most - d) / base)
			return false;
		n = n * base + d;
	}
	*ret = negative ? -(int64_t)n : (int64_t)n;
	return true;
}
