/* SPDX-License-Identifier: BSD-2-Clause */
/* Thread-local storage of another thread, as the libc this is built with lays it out. */
#ifndef STS_STOPWORLD_TLS_H
#define STS_STOPWORLD_TLS_H

#include <stddef.h>
#include <stdint.h>

/* Where the thread with this thread pointer has its block of a module; 0 if it has none (yet). */
int sts_tls_address(uint64_t thread_pointer, size_t module, uint64_t *ret);

#endif
