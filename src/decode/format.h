/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the decoder's files only. */
#ifndef STS_DECODE_FORMAT_H
#define STS_DECODE_FORMAT_H

#include "decode/tables.h"

/* How a call's arguments are shown, or NULL: raw. */
const struct sts_call_format *sts_call_format_find(const char *name);

#endif
