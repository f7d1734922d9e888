/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file __sigset_t.h  sigset_t, which has the words of NetBSD's, too.
 *
 * Stands in for the C library's header of this name. Signal N is bit N - 1 on
 * both systems.
 */
#ifndef ____sigset_t_defined
#define ____sigset_t_defined 1

#define _SIGSET_NWORDS (1024 / (8 * sizeof(unsigned long int)))
typedef struct {
	__extension__ union {
		unsigned long int __val[_SIGSET_NWORDS];
		unsigned int __bits[1024 / (8 * sizeof(unsigned int))];
	};
} __sigset_t;

#endif
