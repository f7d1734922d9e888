/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file stasis.h  Everything: process-level tracing and control.
 *
 * Addresses are uint64_t whatever the tracee's word size; sizes are bytes unless
 * the name says otherwise; times are milliseconds where so named. Structures
 * that begin with `size` are set up by the caller with their own sizeof, so
 * that they can grow. Nothing a function writes through a pointer is changed
 * when it fails, unless its text says so.
 */
#ifndef STASIS_STASIS_H
#define STASIS_STASIS_H

#include <stasis/base.h>
#include <stasis/breakpoint.h>
#include <stasis/core.h>
#include <stasis/decode.h>
#include <stasis/error.h>
#include <stasis/event.h>
#include <stasis/memory.h>
#include <stasis/process.h>
#include <stasis/regs.h>
#include <stasis/session.h>
#include <stasis/syscall.h>

#define STASIS_VERSION "0.1.0"

STASIS_BEGIN_DECLS

/** The version of the library that runs, which may differ from STASIS_VERSION. Static storage; any thread. */
STASIS_API const char *stasis_version(void);

STASIS_END_DECLS

#endif
