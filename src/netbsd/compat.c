/* SPDX-License-Identifier: BSD-2-Clause */
/* What NetBSD's C library has and programs that trace use, but for tracing itself. */
#define STASIS_NETBSD_BUILD /* strlcpy() and strlcat() are made here for whatever C library programs meet */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ROOM 16 /* of the kernel */

int stasis_netbsd_thread_setname(pthread_t thread, const char *format, void *argument)
{
	char name[NAME_ROOM];

	/* The format is the program's, made for one argument of a pointer's size. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(name, sizeof name, format, argument);
#pragma GCC diagnostic pop
	return (pthread_setname_np)(thread, name);
}

/* --- memory and names ----------------------------------------------------------------------- */

int reallocarr(void *pointer, size_t count, size_t size)
{
	int saved = errno;
	void *array = NULL;
	size_t bytes;

	memcpy(&array, pointer, sizeof array);
	if (__builtin_mul_overflow(count, size, &bytes))
		return EOVERFLOW;
	if (bytes == 0) {
		free(array);
		array = NULL;
	} else {
		void *moved = realloc(array, bytes);

		errno = saved;
		if (!moved)
			return ENOMEM;
		array = moved;
	}
	memcpy(pointer, &array, sizeof array);
	return 0;
}

const char *getprogname(void)
{
	return program_invocation_short_name;
}

void setprogname(const char *name)
{
	const char *slash = strrchr(name, '/');

	program_invocation_short_name = (char *)(slash ? slash + 1 : name);
}

/* --- strings --------------------------------------------------------------------------------- */

size_t strlcpy(char *to, const char *from, size_t size)
{
	size_t length = strlen(from);

	if (size > 0) {
		size_t n = length < size ? length : size - 1;

		memcpy(to, from, n);
		to[n] = '\0';
	}
	return length;
}

size_t strlcat(char *to, const char *from, size_t size)
{
	size_t length = strnlen(to, size);

	return length + strlcpy(to + length, from, size - length);
}
