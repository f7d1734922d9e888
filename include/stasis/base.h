/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file base.h  What every public header needs: linkage and attributes.
 */
#ifndef STASIS_BASE_H
#define STASIS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#define STASIS_BEGIN_DECLS extern "C" {
#define STASIS_END_DECLS }
#else
#define STASIS_BEGIN_DECLS
#define STASIS_END_DECLS
#endif

/** Marks the functions the shared library exports; all others are hidden. */
#define STASIS_API __attribute__((visibility("default")))
/** The result says whether the call worked and must be looked at. */
#define STASIS_CHECK __attribute__((warn_unused_result))

/** A tracer context: owner of any number of tracees and of one event queue. */
struct stasis_session;

#endif
